// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of VIPs on the move: docs/affinity.md, "A VIP that moves" and the last of "The controller". */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "affinity_world.h"

#define BUCKET 4		/* backends 1, 10, 20 of pools 1, 2, 3 */

static const uint64_t key1[2] = { 0x1111, 0x2222 }, key2[2] = { 0x3333, 0x4444 }, key3[2] = { 0x5555, 0x6666 };

static struct tr_vip in(const struct world *w, uint32_t pool, enum tr_mode mode)
{
	return (struct tr_vip){ w->v.pools[pool].ring, w->v.pools[pool].ring_size, pool, mode, 0, 0 };
}

static void want(struct world *w, uint32_t vip, struct tr_vip wanted)
{
	affinity_vip(w->a, vip, &wanted, w->now);
}

static void assert_vip(const struct world *w, uint32_t number, struct tr_vip wanted, bool moving)
{
	const struct tr_vip *vip = &w->v.vips[number];

	wanted.how |= moving ? TR_HOW_MOVING : 0;
	if (memcmp(vip, &wanted, sizeof(wanted)))
		fail_msg("VIP %u: ring %u (%u) pool %u how %x; not %u (%u) %u %x", number, vip->ring, vip->ring_size,
			 vip->pool, vip->how, wanted.ring, wanted.ring_size, wanted.pool, wanted.how);
}

static void assert_old(const struct world *w, uint32_t number, struct tr_vip from, const uint64_t *key)
{
	const struct tr_vip_old *old = &w->v.vip_old[number];

	assert_int_equal(old->ring, from.ring);
	assert_int_equal(old->ring_size, from.ring_size);
	assert_int_equal(old->pool, from.pool);
	assert_int_equal(old->how, from.how);
	assert_memory_equal(old->hash_key, key, sizeof(old->hash_key));
}

static bool all_look(const struct world *w, uint32_t pool)
{
	for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++)
		for (uint32_t b = 0; b < w->v.pools[pool].ring_size; b++)
			if (!world_word(w, pool, l4, b).look)
				return false;
	return true;
}

static void test_life(void **state)
{
	struct world *w = *state;
	const struct tr_vip from = in(w, 1, TR_MODE_CHANGES), to = in(w, 2, TR_MODE_CHANGES);
	uint32_t generation = w->v.settings->generation;

	want(w, 1, to);
	assert_vip(w, 1, from, true);
	assert_old(w, 1, from, key1);
	assert_true(w->v.settings->generation > generation);
	assert_true(affinity_is_pending(w->a));
	assert_true(world_tick(w, T_SYN - 1) <= 2);
	assert_vip(w, 1, from, true);
	generation = w->v.settings->generation;
	world_tick(w, 1);
	assert_vip(w, 1, to, true);
	assert_old(w, 1, from, key1);
	assert_true(w->v.settings->generation > generation);
	assert_false(affinity_is_pending(w->a));
	generation = w->v.settings->generation;
	world_pass(w, T_SETTLE - 1);
	assert_vip(w, 1, to, true);
	assert_int_equal(w->v.settings->generation, generation);
	world_tick(w, 1);
	assert_vip(w, 1, to, false);
	assert_true(w->v.settings->generation > generation);
	world_settle(w, 20 * SWEEP);
	assert_true(world_pool_is_plain(w, 2));
	assert_vip(w, 2, to, false);
}

/* When the VIP comes to rest its records count: every word of its ring asks for them. */
static void test_look_on(void **state)
{
	struct world *w = *state;

	w->v.pools[2].times.udp = T_SETTLE + T_SYN + 50;	/* the longer of all is what it takes */
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_record(w, TR_TIER_TCP, key_of(BUCKET, 0), 1, 2);
	world_pass(w, T_SYN);
	world_pass(w, T_SETTLE + T_SYN + 49);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	assert_non_null(world_find(w, TR_TIER_TCP, key_of(BUCKET, 0)));
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), false);
	assert_true(all_look(w, 2));
	world_settle(w, T_LIFE + 20 * SWEEP);
	assert_true(world_pool_is_plain(w, 2));
}

/* The record of a flow that stays elsewhere keeps its bucket looking, and no other. */
static void test_record_from_before(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_record(w, TR_TIER_TCP, key_of(BUCKET, 0), 1, 2);
	world_pass(w, T_SYN + T_SETTLE + 10 * SWEEP);
	assert_true(world_word(w, 2, TR_TCP, BUCKET).look);
	assert_false(world_word(w, 2, TR_UDP, BUCKET).look);
	assert_false(world_word(w, 2, TR_TCP, BUCKET + 1).look);
	assert_non_null(world_find(w, TR_TIER_TCP, key_of(BUCKET, 0)));
}

static void test_to_track(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 1, TR_MODE_TRACK));
	world_pass(w, T_SYN);
	assert_vip(w, 1, in(w, 1, TR_MODE_TRACK), true);
	world_pass(w, T_SETTLE);
	assert_vip(w, 1, in(w, 1, TR_MODE_TRACK), false);
	assert_true(world_pool_is_plain(w, 1));
}

static void test_at_once(void **state)
{
	struct world *w = *state;
	const struct tr_vip none = {};

	want(w, 3, in(w, 1, TR_MODE_CLIENT));		/* free before */
	assert_vip(w, 3, in(w, 1, TR_MODE_CLIENT), false);
	want(w, 3, in(w, 2, TR_MODE_HASH));
	assert_vip(w, 3, in(w, 2, TR_MODE_HASH), false);
	want(w, 3, in(w, 2, TR_MODE_CHANGES));		/* mode hash is a place to come from */
	assert_vip(w, 3, in(w, 2, TR_MODE_HASH), true);
	assert_old(w, 3, in(w, 2, TR_MODE_HASH), key1);
	want(w, 3, in(w, 1, TR_MODE_HASH));		/* while it moves */
	assert_vip(w, 3, in(w, 1, TR_MODE_HASH), false);
	want(w, 3, none);
	assert_vip(w, 3, none, false);
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	want(w, 1, none);
	assert_vip(w, 1, none, false);
	assert_int_equal(world_tick(w, 1), AFFINITY_NEVER);
}

static void test_nothing_to_do(void **state)
{
	struct world *w = *state;
	uint32_t generation = w->v.settings->generation;

	want(w, 1, in(w, 1, TR_MODE_CHANGES));
	assert_int_equal(w->v.settings->generation, generation);
	assert_int_equal(world_tick(w, 1), AFFINITY_NEVER);
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	generation = w->v.settings->generation;
	world_tick(w, T_SYN - 1);
	want(w, 1, in(w, 2, TR_MODE_CHANGES));		/* does not begin anew */
	assert_int_equal(w->v.settings->generation, generation);
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
}

static void test_generation_skips_0(void **state)
{
	struct world *w = *state;

	w->v.settings->generation = UINT32_MAX;
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	assert_int_not_equal(w->v.settings->generation, 0);
}

static void test_refused(void **state)
{
	struct world *w = *state;
	struct tr_pool_flows *flows = w->v.pool_flows;

	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_pass(w, T_SYN + T_SETTLE - 1);
	flows[2].refused = w->now;
	world_pass(w, T_SETTLE - 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	flows[1].refused_udp = w->now;
	world_pass(w, T_UDP - 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	flows[2].refused = w->now + 2;			/* later than the clock when the controller looked */
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	world_pass(w, T_SETTLE);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), false);
}

/* Words of a ring that a VIP comes from or goes to keep base and look meanwhile; but where base is gone. */
static void test_rings_are_kept(void **state)
{
	struct world *w = *state;

	for (uint32_t pool = 1; pool <= 2; pool++) {
		uint32_t first = world_word(w, pool, TR_TCP, BUCKET).current;

		world_put(w, pool, TR_TCP, BUCKET, (struct word){ first + 1, first, first, true, true });
		world_put(w, pool, TR_TCP, BUCKET + 1, (struct word){ first, first, first, true, false });
	}
	world_restart(w);
	world_pass(w, T_SETTLE - 2);
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_pass(w, T_SYN + T_SETTLE - 1);
	assert_int_equal(world_word(w, 1, TR_TCP, BUCKET).base, 1);
	assert_int_equal(world_word(w, 2, TR_TCP, BUCKET).base, 10);
	w->v.backends[1].serves = TR_SERVES_NONE;
	world_tick(w, 0);
	assert_int_equal(world_word(w, 1, TR_TCP, BUCKET).base, 2);
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), false);
	world_settle(w, T_SETTLE + 20 * SWEEP);
	assert_true(world_pool_is_plain(w, 1));
	assert_true(world_pool_is_plain(w, 2));
}

static void test_look_is_kept(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	for (uint32_t pool = 1; pool <= 2; pool++)
		world_put(w, pool, TR_UDP, BUCKET, (struct word){ 9, 9, 9, true, false });
	world_restart(w);
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_record(w, TR_TIER_UDP, key_of(BUCKET, 0), 9, 1);
	world_pass(w, T_UDP - 1);
	assert_non_null(world_find(w, TR_TIER_UDP, key_of(BUCKET, 0)));
	world_pass(w, T_SETTLE - T_UDP);
	assert_true(world_word(w, 1, TR_UDP, BUCKET).look);
	assert_true(world_word(w, 2, TR_UDP, BUCKET).look);
}

/* Nothing for new flows where it is: no time for a prepare. */
static void test_leaves_a_dead_ring_at_once(void **state)
{
	struct world *w = *state;

	w->v.backends[2].serves = TR_SERVES_NONE;
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_tick(w, 0);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	assert_old(w, 1, in(w, 1, TR_MODE_CHANGES), key1);
}

static void test_change_while_prepared(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_tick(w, T_SYN - 1);
	want(w, 1, in(w, 3, TR_MODE_CLIENT));
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 3, TR_MODE_CLIENT), true);
	assert_old(w, 1, in(w, 1, TR_MODE_CHANGES), key1);
}

static void test_back_while_prepared(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	want(w, 1, in(w, 1, TR_MODE_CHANGES));
	world_settle(w, T_SYN + T_SETTLE + 20 * SWEEP);
	assert_vip(w, 1, in(w, 1, TR_MODE_CHANGES), false);
}

/* Records would stand at a third place: another pool or mode is a move of its own, once this one is over. */
static void test_change_while_moving(void **state)
{
	struct world *w = *state;
	const struct tr_vip later[] = { in(w, 3, TR_MODE_CHANGES), in(w, 1, TR_MODE_CHANGES),
					in(w, 2, TR_MODE_TRACK) };
	uint32_t first = 1;

	for (int i = 0; i < 3; i++) {
		world_settle(w, T_SYN + 3 * T_SETTLE);
		if (first != 1)
			want(w, 1, in(w, 1, TR_MODE_CHANGES));
		world_settle(w, 2 * (T_SYN + T_SETTLE) + 40 * SWEEP);
		want(w, 1, in(w, 2, TR_MODE_CHANGES));
		world_pass(w, T_SYN);
		want(w, 1, later[i]);
		world_record(w, TR_TIER_TCP, key_of(BUCKET, i), 10, 2);
		world_pass(w, T_SETTLE - 1);
		assert_non_null(world_find(w, TR_TIER_TCP, key_of(BUCKET, i)));
		assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
		assert_old(w, 1, in(w, 1, TR_MODE_CHANGES), key1);
		world_tick(w, 1);
		assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
		assert_old(w, 1, in(w, 2, TR_MODE_CHANGES), key1);
		assert_true(all_look(w, 2));
		world_pass(w, T_SYN);
		assert_vip(w, 1, later[i], true);
		first = later[i].pool;
	}
}

/* Another ring of the pool is at once: what was recorded stays where it is looked for. */
static void test_another_ring_while_moving(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_pass(w, T_SYN + T_SETTLE - 1);
	w->v.pools[2].ring = world_ring(w, 61, 10);
	w->v.pools[2].ring_size = 61;
	want(w, 2, in(w, 2, TR_MODE_CHANGES));
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_tick(w, 0);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	assert_old(w, 1, in(w, 1, TR_MODE_CHANGES), key1);
	world_pass(w, T_SETTLE - 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), false);
	assert_true(all_look(w, 2));
}

/* From ring to ring of one pool, records stay what they are: then another pool is at once as well. */
static void test_another_pool_while_between_rings(void **state)
{
	struct world *w = *state;
	const struct tr_vip from = in(w, 2, TR_MODE_CHANGES);

	w->v.pools[2].ring = world_ring(w, 61, 10);
	w->v.pools[2].ring_size = 61;
	want(w, 2, in(w, 2, TR_MODE_CHANGES));
	world_pass(w, T_SYN);
	assert_vip(w, 2, in(w, 2, TR_MODE_CHANGES), true);
	want(w, 2, in(w, 3, TR_MODE_CHANGES));
	world_tick(w, 1);
	assert_vip(w, 2, in(w, 3, TR_MODE_CHANGES), true);
	assert_old(w, 2, from, key1);
}

static void test_dead_ring_while_moving(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_pass(w, T_SYN);
	want(w, 1, in(w, 3, TR_MODE_CHANGES));
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	w->v.backends[11].serves = TR_SERVES_NONE;
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 3, TR_MODE_CHANGES), true);
	assert_old(w, 1, in(w, 1, TR_MODE_CHANGES), key1);
}

static void test_restart(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_tick(w, T_SYN - 1);
	world_restart(w);
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_tick(w, T_SYN - 1);
	assert_vip(w, 1, in(w, 1, TR_MODE_CHANGES), true);	/* prepared anew */
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);
	world_pass(w, T_SETTLE - 1);
	world_restart(w);
	want(w, 1, in(w, 2, TR_MODE_CHANGES));
	world_pass(w, T_SETTLE - 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), true);	/* W anew */
	assert_old(w, 1, in(w, 1, TR_MODE_CHANGES), key1);
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES), false);
}

/*
 * The pool has its fresh ring already, and its VIP was not told: killed, or the change failed there. Records are
 * of the ring that is looked at.
 */
static void test_between_ring_and_vip(void **state)
{
	struct world *w = *state;

	for (uint32_t killed = 0; killed < 2; killed++) {
		uint64_t key = key_of(BUCKET, killed);

		world_put(w, 1, TR_TCP, BUCKET, (struct word){ 1, 1, 1, true, false });
		world_restart(w);
		world_record(w, TR_TIER_TCP, key, 2, 1);
		world_pass(w, 10 * SWEEP);
		w->v.pools[1].ring = world_ring(w, killed ? 127 : 61, 1);
		w->v.pools[1].ring_size = killed ? 127 : 61;
		if (killed)
			world_restart(w);
		world_pass(w, 10 * SWEEP);
		assert_non_null(world_find(w, TR_TIER_TCP, key));
		want(w, 1, in(w, 1, TR_MODE_CHANGES));
		world_pass(w, T_SYN + T_SETTLE + 10 * SWEEP);
		assert_vip(w, 1, in(w, 1, TR_MODE_CHANGES), false);
		assert_non_null(world_find(w, TR_TIER_TCP, key));
	}
}

/* Caches may hold a VIP that was changed just before the controller died. Maps that nobody has filled stay so. */
static void test_restart_raises_the_generation(void **state)
{
	struct world *w = *state;
	uint32_t generation = w->v.settings->generation;

	world_restart(w);
	assert_true(w->v.settings->generation > generation);
	w->v.settings->generation = 0;
	world_restart(w);
	assert_int_equal(w->v.settings->generation, 0);
}

/*
 * A ring that its pool has left has no targets: a backend that was gone from it must not come back as the base of
 * flows.
 */
static void test_old_ring_forgets_who_is_gone(void **state)
{
	struct world *w = *state;
	uint64_t *words = w->v.rings + w->v.pools[1].ring;

	world_put(w, 1, TR_TCP, BUCKET, (struct word){ 9, 1, 1, true, true });
	world_put(w, 1, TR_TCP, BUCKET + 2, (struct word){ 1, 9, 1, true, true });
	w->v.pools[1].ring = world_ring(w, 61, 9);
	w->v.pools[1].ring_size = 61;
	world_restart(w);
	want(w, 1, in(w, 1, TR_MODE_CHANGES));
	world_tick(w, T_SYN);
	world_backend(w, 1, 1, TR_BACKEND_DOWN);
	world_tick(w, 1);
	world_backend(w, 1, 1, TR_BACKEND_UP);
	world_tick(w, 1);
	assert_int_equal(words[BUCKET] >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK, 9);
	assert_int_equal(words[BUCKET + 2] >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK, 9);
	assert_int_equal(words[BUCKET + 4] >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK, 0);
	assert_int_equal(words[BUCKET + 4] & TR_BACKEND_MASK, 0);
	assert_int_equal(words[BUCKET + 1] >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK, 2);
}

static void test_hash_key(void **state)
{
	struct world *w = *state;

	want(w, 3, in(w, 3, TR_MODE_HASH));
	affinity_hash_key(w->a, key1, w->now);
	assert_false(affinity_is_pending(w->a));
	affinity_hash_key(w->a, key2, w->now);
	assert_true(affinity_is_pending(w->a));
	assert_vip(w, 1, in(w, 1, TR_MODE_CHANGES), true);
	assert_vip(w, 2, in(w, 2, TR_MODE_CHANGES), true);
	assert_vip(w, 3, in(w, 3, TR_MODE_HASH), false);
	assert_old(w, 2, in(w, 2, TR_MODE_CHANGES), key1);
	world_tick(w, T_SYN - 1);
	assert_memory_equal(w->v.settings->hash_key, key1, sizeof(key1));
	world_tick(w, 1);
	assert_memory_equal(w->v.settings->hash_key, key2, sizeof(key2));
	assert_old(w, 1, in(w, 1, TR_MODE_CHANGES), key1);
	affinity_hash_key(w->a, key2, w->now);
	affinity_hash_key(w->a, key3, w->now);	/* waits until VIPs have come from the key before, unless it is taken back */
	world_pass(w, T_SYN);
	assert_memory_equal(w->v.settings->hash_key, key2, sizeof(key2));
	affinity_hash_key(w->a, key2, w->now);
	world_pass(w, T_SETTLE - T_SYN - 1);
	assert_vip(w, 1, in(w, 1, TR_MODE_CHANGES), true);
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 1, TR_MODE_CHANGES), false);
	assert_true(all_look(w, 1));
	affinity_hash_key(w->a, key3, w->now);
	world_settle(w, T_SYN + T_SETTLE + 20 * SWEEP);
	assert_memory_equal(w->v.settings->hash_key, key3, sizeof(key3));
}

static void test_first_hash_key(void **state)
{
	struct world *w = *state;
	const struct tr_vip none = {};

	want(w, 1, none);
	want(w, 2, none);
	affinity_hash_key(w->a, key2, w->now);
	assert_memory_equal(w->v.settings->hash_key, key2, sizeof(key2));
	assert_int_equal(world_tick(w, 1), AFFINITY_NEVER);
}

static void test_hash_key_taken_back(void **state)
{
	struct world *w = *state;

	affinity_hash_key(w->a, key2, w->now);
	world_tick(w, 1);
	affinity_hash_key(w->a, key3, w->now);	/* none is in force yet: the last counts */
	affinity_hash_key(w->a, key1, w->now);
	world_settle(w, T_SYN + T_SETTLE + 20 * SWEEP);
	assert_memory_equal(w->v.settings->hash_key, key1, sizeof(key1));
	assert_vip(w, 1, in(w, 1, TR_MODE_CHANGES), false);
}

/* A VIP under way to another pool first arrives; what comes new is taken along. */
static void test_hash_key_while_moving(void **state)
{
	struct world *w = *state;

	want(w, 1, in(w, 3, TR_MODE_CHANGES));
	world_pass(w, T_SYN);
	affinity_hash_key(w->a, key2, w->now);
	want(w, 4, in(w, 2, TR_MODE_CHANGES));
	world_pass(w, T_SETTLE - 1);
	assert_vip(w, 2, in(w, 2, TR_MODE_CHANGES), true);
	assert_vip(w, 4, in(w, 2, TR_MODE_CHANGES), true);
	assert_memory_equal(w->v.settings->hash_key, key1, sizeof(key1));
	world_tick(w, 1);
	assert_vip(w, 1, in(w, 3, TR_MODE_CHANGES), true);
	world_tick(w, T_SYN);
	assert_memory_equal(w->v.settings->hash_key, key2, sizeof(key2));
	assert_old(w, 1, in(w, 3, TR_MODE_CHANGES), key1);
	assert_old(w, 4, in(w, 2, TR_MODE_CHANGES), key1);
	world_settle(w, T_SETTLE + 20 * SWEEP);
	assert_vip(w, 1, in(w, 3, TR_MODE_CHANGES), false);
	assert_vip(w, 2, in(w, 2, TR_MODE_CHANGES), false);
}

static void test_hash_key_over_a_restart(void **state)
{
	struct world *w = *state;

	for (int late = 0; late < 2; late++) {
		affinity_hash_key(w->a, key2, w->now);
		world_pass(w, late ? T_SYN : T_SYN - 1);
		world_restart(w);
		affinity_hash_key(w->a, key2, w->now);
		world_pass(w, T_SYN);
		assert_memory_equal(w->v.settings->hash_key, key2, sizeof(key2));
		assert_old(w, 1, in(w, 1, TR_MODE_CHANGES), key1);
		affinity_hash_key(w->a, key1, w->now);
		world_pass(w, T_SYN);
		assert_memory_equal(w->v.settings->hash_key, key2, sizeof(key2));
		world_settle(w, T_SYN + 2 * T_SETTLE + 20 * SWEEP);
		assert_memory_equal(w->v.settings->hash_key, key1, sizeof(key1));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_life), TEST(test_look_on), TEST(test_record_from_before), TEST(test_to_track),
		TEST(test_at_once),
		TEST(test_nothing_to_do), TEST(test_generation_skips_0), TEST(test_refused),
		TEST(test_rings_are_kept),
		TEST(test_look_is_kept), TEST(test_leaves_a_dead_ring_at_once), TEST(test_change_while_prepared),
		TEST(test_back_while_prepared), TEST(test_change_while_moving),
		TEST(test_another_ring_while_moving), TEST(test_another_pool_while_between_rings),
		TEST(test_dead_ring_while_moving), TEST(test_restart), TEST(test_between_ring_and_vip),
		TEST(test_restart_raises_the_generation), TEST(test_old_ring_forgets_who_is_gone),
		TEST(test_hash_key),
		TEST(test_first_hash_key), TEST(test_hash_key_taken_back), TEST(test_hash_key_while_moving),
		TEST(test_hash_key_over_a_restart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("VIPs on the move", tests, NULL, NULL);
}
