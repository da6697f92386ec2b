/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data plane once more, in plain C and from its description alone: slow, without maps, caches or a verifier to
 * please. What it does not know is the hash: the caller names the backend that the flow's bucket may hold.
 */
#ifndef TAILRACE_TEST_REFERENCE_H
#define TAILRACE_TEST_REFERENCE_H

#include "packet.h"
#include "verdicts.h"
#include "world.h"

#define OUTER_MAX 40

struct answer {
	enum tr_verdict verdict;
	/* Good when the packet got as far as a backend's choice. */
	bool routed;
	enum tr_l4 l4;
	__u32 vip;
	size_t ip_offset;
	size_t inner_len;		/* of the IP packet by its own header */
	__u32 backend;
	/* What leaves, and what is counted for the VIP and the backend; zero unless forwarded. */
	size_t len;
	__u8 data[PACKET_MAX + OUTER_MAX];
	struct tr_traffic traffic;
};

/* Everything before the choice of a backend: either a final verdict, or routed. */
void reference_route(const struct world *world, const __u8 *frame, size_t len, struct answer *ret);

/* Goes on from reference_route() with `backend` as the bucket's current. Entropy bits are 0 in the answer. */
void reference_forward(const struct world *world, const __u8 *frame, size_t len, __u32 backend,
		       struct answer *answer);

/*
 * Copies from a real answer the bits that are free (outer source under the mask, flow label), so that the rest can
 * be compared byte by byte; the outer checksum follows. Returns those bits.
 */
__u64 reference_adopt_entropy(const struct world *world, struct answer *answer, const __u8 *frame, size_t len);

#endif
