// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of what comes to an end: docs/affinity.md, "The controller": drain, numbers; and pools that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "affinity_world.h"

#define BUCKET 4		/* backend 1 */
#define GRACE 160

static struct tr_backend_info *info(const struct world *w, uint32_t number)
{
	return &w->v.backend_info[number];
}

static enum tr_serves serves(const struct world *w, uint32_t number)
{
	return w->v.backends[number].serves;
}

/* Out of the ring, as the configuration says, and the change has settled. */
static void take_out(struct world *w, uint32_t number, enum tr_backend_state state)
{
	world_backend(w, number, 1, state);
	world_target(w, 1, number, 9, -1);
}

/* A tick at a time, as far as a limit: ticks until the state is another one. */
static uint32_t ticks_in_state(struct world *w, uint32_t number, uint32_t limit)
{
	uint8_t state = info(w, number)->state;
	uint32_t ticks = 0;

	while (info(w, number)->state == state && ticks < limit) {
		world_tick(w, 1);
		ticks++;
	}
	return ticks;
}

static void test_drain(void **state)
{
	struct world *w = *state;

	take_out(w, 1, TR_BACKEND_DRAINING);
	world_pass(w, T_DRAIN - 1);
	assert_int_equal(serves(w, 1), TR_SERVES_OLD);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_DRAINING);
	assert_int_not_equal(affinity_tick(w->a, w->now), AFFINITY_NEVER);
	world_tick(w, 1);
	assert_int_equal(serves(w, 1), TR_SERVES_NONE);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_DRAINED);
	assert_int_equal(info(w, 1)->since, w->now);
	world_settle(w, 20 * SWEEP);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_DRAINED);
}

/* Its deadline comes before the ring has settled: what names it is settled at once. */
static void test_drain_ends_unsettled(void **state)
{
	static const enum tr_backend_state states[] = { TR_BACKEND_DRAINING, TR_BACKEND_LEAVING };
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		take_out(w, 1 + i, states[i]);
		info(w, 1 + i)->deadline = w->now + T_SYN + 1;
		world_tick(w, T_SYN);
		assert_int_equal(world_word(w, 1, TR_TCP, BUCKET + i).base, 1 + i);
		world_tick(w, 1);
		assert_int_equal(world_word(w, 1, TR_TCP, BUCKET + i).base, 9);
		assert_int_equal(info(w, 1 + i)->state, i ? TR_BACKEND_RETIRED : TR_BACKEND_DRAINED);
	}
}

static void test_drain_ends_while_prepared(void **state)
{
	struct world *w = *state;

	take_out(w, 1, TR_BACKEND_DRAINING);
	info(w, 1)->deadline = w->now + T_SYN - 1;
	world_tick(w, T_SYN - 1);
	assert_int_equal(world_word(w, 1, TR_TCP, BUCKET).current, 9);
	assert_int_equal(world_word(w, 1, TR_TCP, BUCKET).base, 9);
}

static void test_deadline_wraps(void **state)
{
	struct world *w = *state;

	w->now = UINT32_MAX - 10;
	world_restart(w);
	take_out(w, 1, TR_BACKEND_DRAINING);
	info(w, 1)->deadline = 20;
	world_pass(w, 30);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_DRAINING);
	world_tick(w, 1);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_DRAINED);
}

/* A backend that drains and is down takes nothing, and takes nothing when its time is over. */
static void test_drain_of_one_that_is_down(void **state)
{
	struct world *w = *state;

	world_backend(w, 1, 1, TR_BACKEND_LEAVING);
	w->v.backends[1].serves = TR_SERVES_NONE;
	world_target(w, 1, 1, 9, -1);
	world_pass(w, SWEEP);
	assert_int_equal(serves(w, 1), TR_SERVES_NONE);
	world_pass(w, T_DRAIN + GRACE + 20 * SWEEP);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_FREE);
}

static void test_leaving_ends_early(void **state)
{
	struct world *w = *state;

	take_out(w, 1, TR_BACKEND_LEAVING);
	world_pass(w, T_SYN + T_SETTLE - 1);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_LEAVING);	/* a base still */
	world_pass(w, 20 * SWEEP);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_RETIRED);
	assert_int_equal(serves(w, 1), TR_SERVES_NONE);
}

static void test_leaving_waits_for_records(void **state)
{
	static const enum tr_tier tiers[] = { TR_TIER_TCP, TR_TIER_SYN, TR_TIER_UDP, TR_TIER_TRACK };
	struct world *w = *state;

	info(w, 1)->deadline = w->now;
	for (int i = 0; i < 4; i++) {
		struct tr_record *record;

		world_put(w, 1, TR_TCP, BUCKET, (struct word){ 9, 9, 1, true, false });
		world_put(w, 1, TR_UDP, BUCKET, (struct word){ 9, 9, 1, true, false });
		world_backend(w, 8, 1, TR_BACKEND_LEAVING);
		world_restart(w);
		record = world_record(w, tiers[i], key_of(BUCKET, i), 8, 1);
		world_pass(w, T_UDP - 1);
		assert_int_equal(info(w, 8)->state, TR_BACKEND_LEAVING);
		record->value = record->key = 0;		/* its flow ended */
		w->v.flow_state->used[tiers[i]]--;
		world_pass(w, 20 * SWEEP);
		assert_int_equal(info(w, 8)->state, TR_BACKEND_RETIRED);
	}
}

/* The ring from before a move counts as long as the VIP moves. */
static void test_leaving_named_by_an_old_ring(void **state)
{
	struct world *w = *state;
	uint32_t old = world_ring(w, 61, 8);

	world_backend(w, 8, 1, TR_BACKEND_LEAVING);
	info(w, 8)->deadline = w->now + 10 * T_SETTLE;
	w->v.vips[1].how |= TR_HOW_MOVING;
	w->v.vip_old[1] = (struct tr_vip_old){ .ring = old, .ring_size = 61, .pool = 1 };
	memcpy(w->v.vip_old[1].hash_key, w->v.settings->hash_key, sizeof(w->v.settings->hash_key));
	world_restart(w);
	world_pass(w, T_SETTLE - 1);
	assert_int_equal(info(w, 8)->state, TR_BACKEND_LEAVING);
	world_pass(w, T_SYN + T_SETTLE + 20 * SWEEP);
	assert_int_equal(info(w, 8)->state, TR_BACKEND_RETIRED);
}

/* Records made a moment before the last word was written may be missed by the sweep that is under way. */
static void test_leaving_waits_a_sweep(void **state)
{
	struct world *w = *state;

	world_tick(w, SWEEP);
	world_put(w, 1, TR_TCP, BUCKET, (struct word){ 9, 9, 1, true, false });
	world_backend(w, 8, 1, TR_BACKEND_LEAVING);
	world_tick(w, 0);
	assert_int_equal(info(w, 8)->state, TR_BACKEND_LEAVING);
}

static void test_numbers(void **state)
{
	struct world *w = *state;
	struct tr_record *track;

	w->v.backends[1].generation = 5;
	info(w, 1)->generation = 5;
	info(w, 1)->buckets = 16;
	take_out(w, 1, TR_BACKEND_RETIRED);
	w->v.backends[1].serves = TR_SERVES_NONE;
	track = world_record(w, TR_TIER_TRACK, key_of(0, 0), 1, 1);
	assert_in_range(ticks_in_state(w, 1, 1000), GRACE, GRACE + 4 * SWEEP);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_FREE);
	assert_int_equal(info(w, 1)->buckets, 0);
	assert_int_equal(info(w, 1)->generation, 5);
	assert_int_equal(w->v.backends[1].generation, 5);
	assert_int_equal(w->v.backends[1].encap, TR_ENCAP_NONE);
	assert_int_equal(serves(w, 1), TR_SERVES_NONE);
	assert_int_equal(track->key | track->value, 0);
	for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++)
		for (uint32_t b = 0; b < RING_SIZE; b++)
			assert_int_not_equal(world_word(w, 1, l4, b).prev, 1);
	world_settle(w, T_SETTLE + 20 * SWEEP);
}

static void test_number_in_a_word(void **state)
{
	struct world *w = *state;

	world_backend(w, 1, 1, TR_BACKEND_RETIRED);
	world_pass(w, 3 * GRACE);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_RETIRED);
}

static void test_numbers_over_a_restart(void **state)
{
	struct world *w = *state;

	take_out(w, 1, TR_BACKEND_RETIRED);
	w->v.backends[1].serves = TR_SERVES_NONE;
	world_tick(w, 1);
	for (int i = 0; i < GRACE / 10 + 2; i++) {
		assert_int_equal(info(w, 1)->state, TR_BACKEND_RETIRED);
		world_restart(w);
		world_tick(w, 8);
	}
	world_pass(w, GRACE);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_FREE);
}

/* Killed between `serves` and the state. */
static void test_drain_broken_off(void **state)
{
	struct world *w = *state;

	take_out(w, 1, TR_BACKEND_DRAINING);
	world_tick(w, T_SYN);
	info(w, 1)->deadline = w->now;
	w->v.backends[1].serves = TR_SERVES_NONE;
	world_restart(w);
	world_tick(w, 1);
	assert_int_equal(info(w, 1)->state, TR_BACKEND_DRAINED);
	assert_int_equal(world_word(w, 1, TR_TCP, BUCKET).base, 9);
}

/* Pool 2 is no longer configured. */
static void leave(struct world *w)
{
	w->v.pools[2].leaving = 1;
	world_backend(w, 10, 2, TR_BACKEND_LEAVING);
	world_backend(w, 11, 2, TR_BACKEND_LEAVING);
}

static void assert_pool_is_free(const struct world *w)
{
	static const struct tr_pool_flows no_flows;
	static const struct tr_pool_info none;

	assert_memory_equal(&w->v.pools[2], &none, sizeof(none));
	assert_memory_equal(&w->v.pool_flows[2], &no_flows, sizeof(no_flows));
}

static void test_pool_leaves(void **state)
{
	struct world *w = *state;
	const struct tr_vip none = {};

	w->v.pool_flows[2].refused = w->now;
	world_put(w, 2, TR_TCP, BUCKET, (struct word){ 11, 10, 10, true, true });
	world_restart(w);
	affinity_vip(w->a, 2, &none, w->now);
	leave(w);
	world_settle(w, T_DRAIN + GRACE + T_LIFE);
	assert_pool_is_free(w);
	assert_int_equal(info(w, 10)->state, TR_BACKEND_FREE);
	assert_int_equal(info(w, 11)->state, TR_BACKEND_FREE);
}

static void test_pool_with_a_vip(void **state)
{
	struct world *w = *state;

	leave(w);
	world_pass(w, T_DRAIN + 3 * GRACE);
	assert_int_equal(w->v.pools[2].name[0], 'c');
}

static void test_empty_pool_with_a_vip(void **state)
{
	struct world *w = *state;
	const struct tr_vip none = {};

	w->v.pools[2].leaving = 1;
	world_backend(w, 10, 2, TR_BACKEND_FREE);
	world_backend(w, 11, 2, TR_BACKEND_FREE);
	world_pass(w, 10 * SWEEP);
	assert_int_equal(w->v.pools[2].name[0], 'c');
	affinity_vip(w->a, 2, &none, w->now);
	world_pass(w, 10 * SWEEP);
	assert_pool_is_free(w);
}

static void test_pool_that_a_vip_leaves(void **state)
{
	struct world *w = *state;
	const struct tr_vip to = w->v.vips[1];

	w->v.pools[2].times.syn = 3 * GRACE + 1;
	affinity_vip(w->a, 2, &to, w->now);
	leave(w);
	info(w, 10)->deadline = info(w, 11)->deadline = w->now + 10 * T_DRAIN;
	world_pass(w, 3 * GRACE);
	assert_int_equal(w->v.pools[2].name[0], 'c');		/* prepared: there still */
	w->v.pools[2].times.syn = T_SYN;
	world_tick(w, 1);
	assert_int_equal(w->v.vips[2].pool, 1);
	world_pass(w, T_SETTLE - 1);
	assert_int_equal(w->v.pools[2].name[0], 'c');		/* its flows follow vip_old */
	world_settle(w, 3 * GRACE);
	assert_pool_is_free(w);
}

static void test_pool_with_a_backend(void **state)
{
	struct world *w = *state;
	const struct tr_vip none = {};

	affinity_vip(w->a, 2, &none, w->now);
	w->v.pools[2].leaving = 1;
	world_backend(w, 10, 2, TR_BACKEND_FREE);
	world_pass(w, 10 * SWEEP);
	assert_int_equal(w->v.pools[2].name[0], 'c');
	world_backend(w, 11, 2, TR_BACKEND_FREE);
	world_pass(w, 10 * SWEEP);
	assert_pool_is_free(w);
}

/* A record of a flow that other pools' backends have. */
static void test_pool_with_a_record(void **state)
{
	struct world *w = *state;
	const struct tr_vip none = {};

	affinity_vip(w->a, 2, &none, w->now);
	world_put(w, 2, TR_TCP, BUCKET, (struct word){ 10, 10, 10, true, false });
	world_restart(w);
	world_record(w, TR_TIER_TCP, key_of(BUCKET, 0), 1, 2);
	w->v.pools[2].leaving = 1;
	world_backend(w, 10, 2, TR_BACKEND_FREE);
	world_backend(w, 11, 2, TR_BACKEND_FREE);
	world_pass(w, 10 * SWEEP);
	assert_int_equal(w->v.pools[2].name[0], 'c');
	world_settle(w, T_LIFE);
	assert_pool_is_free(w);
}

/* Killed while its pool_info was being zeroed, name first. */
static void test_pool_half_free(void **state)
{
	struct world *w = *state;
	const struct tr_vip none = {};

	affinity_vip(w->a, 2, &none, w->now);
	leave(w);
	world_backend(w, 10, 2, TR_BACKEND_FREE);
	world_backend(w, 11, 2, TR_BACKEND_FREE);
	memset(w->v.pools[2].name, 0, sizeof(w->v.pools[2].name));
	world_restart(w);
	world_settle(w, 100);
	assert_pool_is_free(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_drain), TEST(test_drain_ends_unsettled), TEST(test_drain_ends_while_prepared),
		TEST(test_deadline_wraps),
		TEST(test_drain_of_one_that_is_down), TEST(test_leaving_ends_early),
		TEST(test_leaving_waits_for_records),
		TEST(test_leaving_named_by_an_old_ring), TEST(test_leaving_waits_a_sweep),
		TEST(test_numbers), TEST(test_number_in_a_word), TEST(test_numbers_over_a_restart),
		TEST(test_drain_broken_off),
		TEST(test_pool_leaves), TEST(test_pool_with_a_vip), TEST(test_empty_pool_with_a_vip),
		TEST(test_pool_that_a_vip_leaves), TEST(test_pool_with_a_backend),
		TEST(test_pool_with_a_record), TEST(test_pool_half_free),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("drains, numbers and pools that end", tests, NULL, NULL);
}
