/* SPDX-License-Identifier: GPL-2.0-only */
/* The four mixes of families, as the standard world's ports make them: inner IPv4 or IPv6, backend of either. */
#ifndef TAILRACE_TEST_MIXES_H
#define TAILRACE_TEST_MIXES_H

#include "packet.h"

#define MIXES 4
#define MIX_TOS 0xb9		/* EF and ECT(1) */

struct mix {
	const char *name;
	struct packet_shape shape;
	__u16 inner_fixed;		/* bytes of the inner IP header */
	__u16 outer_len;		/* and of the outer one */
};
extern const struct mix mixes[MIXES];

struct packet_shape mix_shape(unsigned int mix, __u8 proto);	/* with 4 bytes of payload */

#endif
