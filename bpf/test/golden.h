/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames written out byte by byte, and what must become of each: against programs and reference alike. In hex, spaces as one
 * likes. In what comes back: ? any digit; @N what was sent, from its byte N on. In both: XX*N, a byte N times.
 */
#ifndef TAILRACE_TEST_GOLDEN_H
#define TAILRACE_TEST_GOLDEN_H

#include "check.h"

#define GOLDEN_STEPS 6

struct golden_step {
	enum tr_verdict verdict;
	const char *in;
	const char *out;		/* NULL: as it was sent; "" where nobody sees it */
	__u32 action;			/* XDP_*; 0: the verdict's own */
};

struct golden {
	const char *name;
	struct golden_step steps[GOLDEN_STEPS];		/* one after the other; nothing is remembered before the first */
};

/* The standard world without entropy. Time is settings.tick. */
struct world *golden_world(void);

/* Of frames that the world in use gets. */
void golden_add(struct cases *cases, const struct golden *golden, size_t n);
void golden_read(const char *in, struct packet *ret);

/* The same in a function's hands. Fails the running test. */
void golden_step(struct scene *scene, const struct golden_step *step);

#endif
