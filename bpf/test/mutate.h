/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random worlds and random packets for them: mostly nearly right, since noise would end at the first check. All
 * follows from the seed.
 */
#ifndef TAILRACE_TEST_MUTATE_H
#define TAILRACE_TEST_MUTATE_H

#include "packet.h"
#include "world.h"

struct rng {
	__u64 state;
};

struct rng rng_new(__u64 seed);
__u32 rng_below(struct rng *rng, __u32 n);	/* 0 to n - 1 */
bool rng_chance(struct rng *rng, __u32 percent);

/* Small: each packet's check reads all counters. */
extern const struct world_limits world_random;
/* Replaces what a world of these limits holds. */
void random_world(struct rng *rng, struct world *world);
/* Changes one thing in it, as a reload would. */
void random_change(struct rng *rng, struct world *world);

void random_packet(struct rng *rng, struct packet *packet);

#endif
