/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that watch a change: after every step, what each of them would be answered, from the maps or from any answer
 * that a VIP cache may still hold. See watch_observe() for what must be true of every answer.
 */
#ifndef TAILRACE_TEST_WATCH_H
#define TAILRACE_TEST_WATCH_H

#include "plan_world.h"

#define WATCH_TARGETS_MAX 12	/* what had last settled, all that was reached or broken off since, and what is under way */
#define WATCH_KNOWN_MAX 64

struct watch_answer {
	uint32_t vip;		/* 0: no service */
	uint32_t pad;			/* answers are compared as bytes */
	struct tr_vip ring;
};

struct watch_query {
	struct tr_addr address;
	enum tr_l4 l4;
	uint16_t port;
	/* Since the generation was raised; a cache may hold each of them. */
	struct tr_vip_address values[WATCH_KNOWN_MAX];	/* id 0: no VIP's address */
	struct watch_answer answers[WATCH_KNOWN_MAX];
	size_t n_values, n_answers;
};

struct watch {
	struct plan_world *world;
	struct watch_query *queries;
	size_t n_queries;
	uint32_t generation;
	struct {
		struct config *config;
		bool *usable;	/* by pool: a backend of it takes flows */
		uint32_t *vips;	/* by query, as naive_find_vip() */
	} targets[WATCH_TARGETS_MAX];
	size_t n_targets, reached;	/* the last one that was reached, an index */
	char why[256];		/* of the first violation */
};

/* Watches these addresses at these ports, both protocols. */
struct watch *watch_new(struct plan_world *world, const struct tr_addr *addresses, size_t n_addresses,
			const uint16_t *ports, size_t n_ports);
void watch_free(struct watch *watch);

/* A change towards the config begins, with the world's next hops. The config is the watch's from here on. */
void watch_begin(struct watch *watch, struct config *config);
/*
 * False, with *why, unless each packet's every possible answer is that of the configuration before, after, or of an
 * attempt that was broken off between: its VIP is there, and so are the ring and the pool that it had in any configuration since
 * all had settled (and, where it moves, those that it comes from); the words name backends of that pool, with a complete record
 * and not retired; or none, but only where the pool has none to name.
 */
bool watch_observe(struct watch *watch);
/*
 * The change is done, but for what takes its time: the VIP is the naive evaluation's, no cache may hold another answer, and
 * no word sends new flows to a backend that takes none, where another could.
 */
bool watch_end(struct watch *watch);
/* All has settled: what was before the last change is not possible any more. */
bool watch_settled(struct watch *watch);

#endif
