// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of what a VIP has beside its place: from ports to addresses alone and back it moves; mss and flags are in
 * force at once, in every state of a move, and neither begin one nor hold one up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "affinity_world.h"

#define BUCKET 4

static const uint64_t key1[2] = { 0x1111, 0x2222 }, key2[2] = { 0x3333, 0x4444 };

static struct tr_vip in(const struct world *w, uint32_t pool, uint16_t how)
{
	return (struct tr_vip){ w->v.pools[pool].ring, w->v.pools[pool].ring_size, pool, how, 0, 0 };
}

static struct tr_vip with(struct tr_vip vip, uint16_t mss, uint16_t flags)
{
	vip.how |= mss ? TR_HOW_MSS : 0;
	vip.mss = mss;
	vip.flags = flags;
	return vip;
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
		fail_msg("VIP %u: ring %u (%u) pool %u how %x mss %u flags %x; not %u (%u) %u %x %u %x", number, vip->ring,
			 vip->ring_size, vip->pool, vip->how, vip->mss, vip->flags, wanted.ring, wanted.ring_size, wanted.pool,
			 wanted.how, wanted.mss, wanted.flags);
}

static void assert_old(const struct world *w, uint32_t number, struct tr_vip from)
{
	const struct tr_vip_old *old = &w->v.vip_old[number];

	assert_int_equal(old->ring, from.ring);
	assert_int_equal(old->ring_size, from.ring_size);
	assert_int_equal(old->pool, from.pool);
	assert_int_equal(old->how, from.how & TR_HOW_KEY);
	assert_memory_equal(old->hash_key, key1, sizeof(key1));
}

/* From ports to addresses, or back: as another mode. */
static void test_moves(void **state)
{
	static const uint16_t hows[][2] = {
		{ TR_MODE_CHANGES, TR_MODE_CHANGES | TR_HOW_ADDRESSES },
		{ TR_MODE_CHANGES | TR_HOW_ADDRESSES, TR_MODE_CHANGES },
		{ TR_MODE_CHANGES, TR_MODE_CLIENT },
		{ TR_MODE_CLIENT, TR_MODE_CLIENT | TR_HOW_ADDRESSES },
		{ TR_MODE_CLIENT | TR_HOW_ADDRESSES, TR_MODE_TRACK | TR_HOW_ADDRESSES },
		{ TR_MODE_TRACK | TR_HOW_ADDRESSES, TR_MODE_TRACK },
		{ TR_MODE_TRACK, TR_MODE_CHANGES | TR_HOW_ADDRESSES },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(hows) / sizeof(*hows); i++) {
		const struct tr_vip from = in(w, 1, hows[i][0]), to = in(w, 1, hows[i][1]);

		assert_vip(w, 1, from, false);
		want(w, 1, to);
		assert_vip(w, 1, from, true);
		assert_old(w, 1, from);
		world_tick(w, T_SYN - 1);
		assert_vip(w, 1, from, true);
		world_tick(w, 1);
		assert_vip(w, 1, to, true);
		assert_old(w, 1, from);
		world_pass(w, T_SETTLE - 1);
		assert_vip(w, 1, to, true);
		world_tick(w, 1);
		assert_vip(w, 1, to, false);
		assert_int_equal(world_word(w, 1, TR_TCP, BUCKET).look, (to.how & TR_HOW_MODE) != TR_MODE_TRACK);
		world_settle(w, 20 * SWEEP);
	}
}

/* From mode hash, which remembers nothing, one comes by its key; to it, and within it, nothing moves. */
static void test_hash(void **state)
{
	struct world *w = *state;
	const struct tr_vip ports = in(w, 1, TR_MODE_HASH), addresses = in(w, 1, TR_MODE_HASH | TR_HOW_ADDRESSES);
	const struct tr_vip to = in(w, 1, TR_MODE_CHANGES);

	want(w, 1, with(ports, 1400, 0));
	assert_vip(w, 1, with(ports, 1400, 0), false);
	want(w, 1, with(addresses, 0, TR_VIP_OVERSIZE));
	assert_vip(w, 1, with(addresses, 0, TR_VIP_OVERSIZE), false);
	want(w, 1, with(to, 1300, 0));
	assert_vip(w, 1, with(addresses, 1300, 0), true);
	assert_old(w, 1, addresses);
	world_tick(w, T_SYN);
	assert_vip(w, 1, with(to, 1300, 0), true);
	assert_old(w, 1, addresses);
	want(w, 1, with(ports, 1200, 0));
	assert_vip(w, 1, with(ports, 1200, 0), false);
}

/* While a VIP comes from another pool, its key waits; its MSS does not. */
static void test_key_waits(void **state)
{
	struct world *w = *state;
	const struct tr_vip from = in(w, 1, TR_MODE_CHANGES), to = in(w, 2, TR_MODE_CHANGES);
	const struct tr_vip then = in(w, 2, TR_MODE_CHANGES | TR_HOW_ADDRESSES);

	want(w, 1, to);
	world_pass(w, T_SYN);
	assert_vip(w, 1, to, true);
	want(w, 1, with(then, 1400, TR_VIP_OVERSIZE));
	assert_vip(w, 1, with(to, 1400, TR_VIP_OVERSIZE), true);
	assert_old(w, 1, from);
	world_pass(w, T_SETTLE - 1);
	assert_vip(w, 1, with(to, 1400, TR_VIP_OVERSIZE), true);
	assert_old(w, 1, from);
	world_tick(w, 1);			/* a move of its own */
	assert_vip(w, 1, with(to, 1400, TR_VIP_OVERSIZE), true);
	assert_old(w, 1, to);
	want(w, 1, with(then, 0, TR_VIP_OVERSIZE));
	world_pass(w, T_SYN);
	assert_vip(w, 1, with(then, 0, TR_VIP_OVERSIZE), true);
	world_pass(w, T_SETTLE);
	assert_vip(w, 1, with(then, 0, TR_VIP_OVERSIZE), false);
}

/* A key that was only prepared may still become another one; one that is in force keeps pools waiting. */
static void test_pool_waits_for_the_key(void **state)
{
	struct world *w = *state;
	const struct tr_vip from = in(w, 1, TR_MODE_CHANGES), to = in(w, 1, TR_MODE_CHANGES | TR_HOW_ADDRESSES);

	want(w, 1, to);
	world_tick(w, T_SYN - 1);
	assert_vip(w, 1, from, true);
	world_tick(w, 1);
	assert_vip(w, 1, to, true);
	want(w, 1, in(w, 2, TR_MODE_CHANGES | TR_HOW_ADDRESSES));
	world_pass(w, T_SETTLE - 1);
	assert_vip(w, 1, to, true);
	assert_old(w, 1, from);
	world_restart(w);
	want(w, 1, in(w, 2, TR_MODE_CHANGES | TR_HOW_ADDRESSES));
	world_pass(w, T_SETTLE - 1);		/* W anew */
	assert_vip(w, 1, to, true);
	assert_old(w, 1, from);
	world_tick(w, 1);
	assert_old(w, 1, to);
	world_pass(w, T_SYN);
	assert_vip(w, 1, in(w, 2, TR_MODE_CHANGES | TR_HOW_ADDRESSES), true);
}

/* Another ring of the pool is taken at once: the key is the same. */
static void test_ring_while_the_key_moves(void **state)
{
	struct world *w = *state;

	want(w, 1, with(in(w, 1, TR_MODE_CHANGES | TR_HOW_ADDRESSES), 1400, 0));
	world_pass(w, T_SYN + T_SETTLE - 1);
	w->v.pools[1].ring = world_ring(w, 61, 1);
	w->v.pools[1].ring_size = 61;
	want(w, 1, with(in(w, 1, TR_MODE_CHANGES | TR_HOW_ADDRESSES), 1300, 0));
	world_tick(w, 0);
	assert_vip(w, 1, with(in(w, 1, TR_MODE_CHANGES | TR_HOW_ADDRESSES), 1300, 0), true);
	world_pass(w, T_SETTLE);
	assert_vip(w, 1, with(in(w, 1, TR_MODE_CHANGES | TR_HOW_ADDRESSES), 1300, 0), false);
}

static void assert_at_once(struct world *w, uint32_t number, struct tr_vip wanted, struct tr_vip has, bool moving)
{
	uint32_t generation = w->v.settings->generation;

	want(w, number, wanted);
	assert_vip(w, number, with(has, wanted.mss, wanted.flags), moving);
	assert_int_equal(w->v.settings->generation, generation + 1);
	want(w, number, wanted);
	assert_int_equal(w->v.settings->generation, generation + 1);
}

static void test_steady(void **state)
{
	struct world *w = *state;
	const struct tr_vip vip = in(w, 1, TR_MODE_CHANGES);

	assert_at_once(w, 1, with(vip, 1400, 0), vip, false);
	assert_at_once(w, 1, with(vip, 1400, TR_VIP_OVERSIZE), vip, false);
	assert_at_once(w, 1, with(vip, 256, TR_VIP_OVERSIZE), vip, false);
	assert_at_once(w, 1, with(vip, 0, TR_VIP_OVERSIZE), vip, false);
	assert_at_once(w, 1, vip, vip, false);
	assert_int_equal(world_tick(w, 1), AFFINITY_NEVER);
	want(w, 4, with(in(w, 1, TR_MODE_CLIENT | TR_HOW_ADDRESSES), 1400, TR_VIP_OVERSIZE));	/* free before */
	assert_vip(w, 4, with(in(w, 1, TR_MODE_CLIENT | TR_HOW_ADDRESSES), 1400, TR_VIP_OVERSIZE), false);
}

/* Through all of a move, whose times stay what they are. */
static void test_while_it_moves(void **state)
{
	struct world *w = *state;
	const struct tr_vip from = in(w, 1, TR_MODE_CHANGES), to = in(w, 2, TR_MODE_CHANGES | TR_HOW_ADDRESSES);

	want(w, 1, with(to, 1100, 0));
	assert_vip(w, 1, with(from, 1100, 0), true);
	assert_old(w, 1, from);
	world_tick(w, T_SYN - 1);
	assert_at_once(w, 1, with(to, 1200, TR_VIP_OVERSIZE), from, true);
	world_tick(w, 1);
	assert_vip(w, 1, with(to, 1200, TR_VIP_OVERSIZE), true);
	assert_old(w, 1, from);
	assert_at_once(w, 1, with(to, 0, TR_VIP_OVERSIZE), to, true);
	world_pass(w, T_SETTLE - 1);
	assert_at_once(w, 1, with(to, 1300, 0), to, true);
	world_tick(w, 1);
	assert_vip(w, 1, with(to, 1300, 0), false);
	assert_at_once(w, 1, to, to, false);
	world_settle(w, 20 * SWEEP);
	assert_vip(w, 1, to, false);
}

static void test_hash_key(void **state)
{
	struct world *w = *state;
	const struct tr_vip vip = in(w, 1, TR_MODE_CHANGES | TR_HOW_ADDRESSES);

	want(w, 4, with(vip, 1400, 0));
	affinity_hash_key(w->a, key2, w->now);
	assert_vip(w, 4, with(vip, 1400, 0), true);
	assert_old(w, 4, vip);
	assert_at_once(w, 4, with(vip, 1300, 0), vip, true);
	world_pass(w, T_SYN);
	assert_memory_equal(w->v.settings->hash_key, key2, sizeof(key2));
	assert_at_once(w, 4, with(vip, 0, TR_VIP_OVERSIZE), vip, true);
	world_settle(w, T_SETTLE + 20 * SWEEP);
	assert_vip(w, 4, with(vip, 0, TR_VIP_OVERSIZE), false);
}

/* A controller that was told nothing yet leaves what there is. */
static void test_restart(void **state)
{
	struct world *w = *state;
	const struct tr_vip from = in(w, 1, TR_MODE_CHANGES), to = in(w, 1, TR_MODE_CHANGES | TR_HOW_ADDRESSES);

	want(w, 1, with(to, 1400, TR_VIP_OVERSIZE));
	world_restart(w);
	world_tick(w, T_SYN - 1);
	assert_vip(w, 1, with(from, 1400, TR_VIP_OVERSIZE), true);
	want(w, 1, with(to, 1300, 0));
	world_tick(w, 1);
	assert_vip(w, 1, with(to, 1300, 0), true);
	world_restart(w);
	world_settle(w, T_SETTLE + 20 * SWEEP);
	assert_vip(w, 1, with(to, 1300, 0), false);
	world_restart(w);
	assert_int_equal(world_tick(w, 1), AFFINITY_NEVER);
	assert_vip(w, 1, with(to, 1300, 0), false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_moves), TEST(test_hash), TEST(test_key_waits), TEST(test_pool_waits_for_the_key),
		TEST(test_ring_while_the_key_moves), TEST(test_steady), TEST(test_while_it_moves), TEST(test_hash_key),
		TEST(test_restart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("treatments of VIPs", tests, NULL, NULL);
}
