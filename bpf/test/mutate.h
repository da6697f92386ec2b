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
__u32 rng_next(struct rng *rng);
#define PICK(rng, array) ((array)[rng_below(rng, sizeof(array) / sizeof((array)[0]))])

/* What addresses and services of random worlds are made of. */
#define UNIVERSE 18
#define SOME_PORTS 10
extern const struct tr_addr universe[UNIVERSE];
extern const __u16 some_ports[SOME_PORTS];

/* Small: each packet's check reads all counters. */
extern const struct world_limits world_random;
/* Replaces what a world of these limits holds, but its devices. */
void random_world(struct rng *rng, struct world *world);
/* Changes one thing in it, as a reload would. */
void random_change(struct rng *rng, struct world *world);

/* Packets come out of a stream: fragments of one packet come one by one, among others. */
#define STREAM_WHOLES 6
struct corpus;
struct stream {
	struct rng *rng;
	const struct corpus *corpus;	/* or NULL */
	/* A capture is replayed for some packets, with the same two ends: */
	size_t replay, replay_left;
	struct rng replay_ends;
	struct whole {
		struct packet packet;
		struct cutting cutting;	/* of the next piece; ip, keep and id are all pieces' */
		size_t grid;		/* pieces begin at multiples of it */
		size_t rest;		/* bytes that can be cut */
	} wholes[STREAM_WHOLES];
};
void stream_next(struct stream *stream, struct packet *ret);

struct packet_shape random_shape(struct rng *rng);
struct tr_addr random_client(struct rng *rng, bool v4);
/* One thing in it is changed, and nothing repaired. */
void mutate(struct rng *rng, struct packet *packet);
/* Other addresses in a frame that was captured elsewhere; checksums follow where they were right. */
void readdress(struct rng *rng, struct packet *packet);

#endif
