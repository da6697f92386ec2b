/* SPDX-License-Identifier: GPL-2.0-only */
/* What churn_client and churn_server say to each other, over TCP and in datagrams. Host byte order: one machine. */
#ifndef TAILRACE_CHURN_H
#define TAILRACE_CHURN_H

#include <stdint.h>

#define CHURN_ANSWER_MAX 4096

enum churn_end {
	CHURN_GO_ON,
	CHURN_CLOSE,			/* the server closes first */
};

struct churn_question {
	uint32_t sequence;
	uint32_t size;			/* of the answer, sizeof(struct churn_answer) to CHURN_ANSWER_MAX */
	uint32_t end;			/* enum churn_end */
	uint32_t pad;
};

/* Filled up to the size that was asked for. A client's FIN is answered with one of sequence CHURN_LAST, and FIN. */
#define CHURN_LAST UINT32_MAX
struct churn_answer {
	uint32_t sequence;
	uint32_t server;		/* its number */
	uint64_t connection;		/* its number at the server; 0 in datagrams */
};

#endif
