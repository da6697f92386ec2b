/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data plane once more, in plain C and from docs/packets.md alone: slow, without maps, caches or a verifier to
 * please. What it does not know is the hash: the caller names the backend that a flow's bucket may hold, and
 * reference_commit() says which one it was, so that the flow is held to it until the world changes.
 *
 * reference_route() -> reference_send() for each backend that may be -> reference_commit() of the answer that was right.
 */
#ifndef TAILRACE_TEST_REFERENCE_H
#define TAILRACE_TEST_REFERENCE_H

#include "packet.h"
#include "verdicts.h"
#include "world.h"

#define OUTER_MAX (40 + 4 * TR_TAGS_MAX)
#define CANDIDATES_MAX 16	/* a ring of a test's world names no more */
#define LOOPBACK 1		/* where BPF_PROG_TEST_RUN's packets come in */

/* What is remembered of first fragments; exact, where the programs have a hash. */
struct fragment_key {
	struct tr_addr src, dst;
	__u32 id;
	__u32 protocol;			/* 0 of IPv6 */
};

/* What one bucket holds, by addresses and ports as far as they count; see docs/affinity.md, "Modes". */
struct flow_key {
	struct tr_addr src, dst;
	__u16 sport, dport;
	__u32 ring;			/* index of the protocol's first word */
};

struct reference;			/* fragments, buckets of answers, chosen backends */
struct reference *reference_new(void);
void reference_free(struct reference *reference);
void reference_forget(struct reference *reference);		/* as maps that are new */
void reference_forget_flows(struct reference *reference);	/* the world has changed */
/* For replays; to and from have to exist. */
void reference_copy(struct reference *to, const struct reference *from);

enum limit { LIMIT_NONE, LIMIT_ECHO, LIMIT_TOO_BIG };

struct answer {
	enum tr_verdict verdict;
	__u32 action;			/* XDP_* */
	/* Good when the packet got as far as a backend's choice. */
	bool routed;
	__u32 candidates[CANDIDATES_MAX];	/* backends, one of which is right; its bucket's, its flow's or its fragment's */
	unsigned int n_candidates;
	enum tr_l4 l4;
	__u32 vip;
	enum tr_verdict sent;		/* the verdict once it is sent */
	bool quiet;			/* is not answered when it does not fit */
	bool clamp;			/* a SYN of a VIP with `mss` */
	struct flow_key flow;
	size_t ip_offset, l4_offset, l4_end;
	size_t inner_len;		/* of the IP packet by its own header */
	__u32 backend;
	/* What leaves, and what is counted for the VIP and the backend; zero unless sent. */
	size_t len;
	__u8 data[PACKET_MAX + OUTER_MAX];
	struct tr_traffic traffic;
	/* Where an outer header stands whose entropy (and id) are free; 0: nowhere. */
	size_t outer;
	bool outer4, free_id;
	/* What reference_commit() does. */
	enum limit limit;
	struct tr_addr limited;		/* the source */
	bool first;			/* a first fragment to remember, with: */
	struct fragment_key fragment;
	bool chosen;			/* by the flow's bucket */
	__u32 maybe[CANDIDATES_MAX];	/* all backends that explain what was seen */
	unsigned int n_maybe;
};

/* Everything before the choice of a backend: either a final verdict, or routed. */
void reference_route(const struct reference *r, const struct world *world, const __u8 *frame, size_t len,
		     struct answer *ret);

/* Goes on from reference_route() with `backend` as the bucket's current. Entropy bits are 0 in the answer. */
void reference_send(const struct reference *r, const struct world *world, const __u8 *frame, size_t len, __u32 backend,
		    struct answer *answer);

/* The answer was right, and `maybe` is set: what the packet leaves behind. */
void reference_commit(struct reference *r, const struct world *world, const struct answer *answer);

/*
 * Copies from a real answer the bits that are free (outer source under the mask, flow label, an id), so that the rest
 * can be compared byte by byte; the outer checksum follows. Returns those bits but the id.
 */
__u64 reference_adopt_entropy(const struct world *world, struct answer *answer, const __u8 *frame, size_t len);

/*
 * Of some first fragment more than one backend may have been chosen, and of these some have numbers that mean others by now: whether
 * what was remembered still counts, the reference cannot know. To be forgotten.
 */
bool reference_is_doubtful(const struct reference *r, const struct world *world);

#endif
