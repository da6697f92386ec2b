/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of affinity*.c share: the maps' memory, small, and a clock; one world at a time, made by a test's
 * setup.
 */
#ifndef TAILRACE_TEST_AFFINITY_WORLD_H
#define TAILRACE_TEST_AFFINITY_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "affinity.h"
#include "flow_table.h"

#define RING_SIZE 31
#define SETS 16			/* of each tier */

/* Every pool's, ticks. A sweep is due every 2: an eighth of the shortest of udp, settle, linger, at least 2. */
#define T_SYN 8
#define T_UDP 20
#define T_SETTLE 100
#define T_LINGER 30
#define T_LIFE 1000
#define T_DRAIN 400
#define SWEEP 2

/*
 * Pools 1, 2 and 3 have rings of backends up, in turns: 1 and 2, 10 and 11, 20 and 21; 9 is up and in no word. VIP 1
 * is in pool 1, VIP 2 in pool 2, mode changes.
 */
struct world {
	struct affinity_view v;
	struct affinity *a;
	uint32_t now;
	uint32_t rings_used;	/* words */
};

struct word {
	uint32_t current, base, prev;
	bool look, rec;
};

/* Setup and teardown of a cmocka test; the memory is shared with the test's children. */
int world_setup(void **state);
int world_teardown(void **state);

/* The controller died, and starts anew. */
void world_restart(struct world *w);
/* A tick at `ticks` from now; what it returns. */
uint32_t world_tick(struct world *w, uint32_t ticks);
/* Ticks whenever they are asked for, until `ticks` are over. */
void world_pass(struct world *w, uint32_t ticks);
/* Until nothing more is due; fails where that takes longer than `ticks`. */
void world_settle(struct world *w, uint32_t ticks);

void world_backend(struct world *w, uint32_t number, uint32_t pool, enum tr_backend_state state);
/* A fresh ring whose buckets all name the backend: its first word. */
uint32_t world_ring(struct world *w, uint32_t size, uint32_t backend);
/* The pool's targets: what it has, but with `to` in place of `from`, everywhere (bucket < 0) or in one bucket. */
void world_target(struct world *w, uint32_t pool, uint32_t from, uint32_t to, int bucket);
struct word world_word(const struct world *w, uint32_t pool, enum tr_l4 l4, uint32_t bucket);
void world_put(struct world *w, uint32_t pool, enum tr_l4 l4, uint32_t bucket, struct word word);
bool world_pool_is_plain(const struct world *w, uint32_t pool);

/* Of a flow in the bucket of a ring of RING_SIZE; n tells flows apart. */
uint64_t key_of(uint32_t bucket, uint32_t n);
/* A live record of now, as a program would make it; generation 0. */
struct tr_record *world_record(struct world *w, enum tr_tier tier, uint64_t key, uint32_t backend, uint32_t pool);
struct tr_record *world_find(const struct world *w, enum tr_tier tier, uint64_t key);	/* NULL: none */

#endif
