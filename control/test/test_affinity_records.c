// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of sweeps: docs/affinity.md, "The controller": look off, records; and what the counts of tier and
 * backend are worth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "affinity_world.h"

#define BUCKET 4		/* backend 1 */

static const struct word unsettled = { 9, 1, 1, true, true }, fading = { 9, 9, 1, true, false };

static void start_from(struct world *w, enum tr_l4 l4, struct word word)
{
	world_put(w, 1, l4, BUCKET, word);
	world_restart(w);
}

static bool looks(const struct world *w, enum tr_l4 l4)
{
	return world_word(w, 1, l4, BUCKET).look;
}

/*
 * A record of now that nothing but its age can end; found after so many ticks? Tiers of TCP are of an unsettled
 * word.
 */
static bool lives(struct world *w, enum tr_tier tier, bool closed, uint32_t ticks)
{
	static uint32_t n;
	uint64_t key = key_of(BUCKET, n++);
	struct tr_record *record = world_record(w, tier, key, 1, 1);

	start_from(w, tier == TR_TIER_UDP ? TR_UDP : TR_TCP, unsettled);
	w->v.pool_flows[1].refused = w->v.pool_flows[1].refused_udp = w->now + ticks ? w->now + ticks : 1;
	record->value |= closed ? TR_RECORD_CLOSED : 0;
	world_tick(w, ticks);
	world_tick(w, 0);
	return world_find(w, tier, key);
}

static void test_age(void **state)
{
	static const struct {
		enum tr_tier tier;
		bool closed;
		uint32_t last;		/* tick at which it lives */
	} cases[] = {
		{ TR_TIER_TCP, false, T_LIFE }, { TR_TIER_TCP, true, T_LINGER }, { TR_TIER_SYN, false, T_SETTLE },
		{ TR_TIER_UDP, false, T_UDP - 1 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!lives(w, cases[i].tier, cases[i].closed, cases[i].last))
			fail_msg("case %zu: gone early", i);
		if (lives(w, cases[i].tier, cases[i].closed, cases[i].last + 1))
			fail_msg("case %zu: still there", i);
	}
	assert_true(lives(w, TR_TIER_TRACK, true, 100 * T_LIFE));
}

static void test_age_wraps(void **state)
{
	struct world *w = *state;

	w->now = UINT32_MAX - 2;
	assert_true(lives(w, TR_TIER_TCP, false, T_LINGER));
	assert_false(lives(w, TR_TIER_TCP, true, T_LINGER + 1));
}

/* A packet that comes behind the sweep's look at the clock is of the next tick. */
static void test_touched_in_the_next_tick(void **state)
{
	static const enum tr_tier tiers[] = { TR_TIER_TCP, TR_TIER_SYN, TR_TIER_UDP };
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		uint64_t key = key_of(BUCKET, i);

		start_from(w, TR_TCP, unsettled);
		start_from(w, TR_UDP, unsettled);
		w->now++;
		world_record(w, tiers[i], key, 1, 1);
		w->now--;
		world_tick(w, 0);
		assert_non_null(world_find(w, tiers[i], key));
	}
}

/* Who and what makes a record none: deleted at the first sweep. */
static void test_not_live(void **state)
{
	struct world *w = *state;
	uint64_t key = key_of(BUCKET, 0);

	start_from(w, TR_TCP, unsettled);
	for (int i = 0; i < 6; i++) {
		static const uint32_t backends[] = { 0, 31, 1000, 1, 1, 1 };
		struct tr_record *record = world_record(w, TR_TIER_TCP, key, backends[i], i == 3 ? 5 : 1);

		if (i == 4)
			record->value += 1ULL << TR_RECORD_GENERATION_SHIFT;
		if (i == 5)
			world_backend(w, 1, 1, TR_BACKEND_RETIRED);
		world_tick(w, SWEEP);
		if (world_find(w, TR_TIER_TCP, key))
			fail_msg("case %d is there", i);
		assert_int_equal(record->key, 0);
		assert_int_equal(w->v.flow_state->used[TR_TIER_TCP], 0);
	}
}

/* The flow of a backend that is down finds home after a short flap. */
static void test_down_is_live(void **state)
{
	struct world *w = *state;

	world_backend(w, 1, 1, TR_BACKEND_DOWN);
	assert_true(lives(w, TR_TIER_TCP, false, T_LINGER));
}

static void test_purge(void **state)
{
	struct world *w = *state;
	uint64_t keys[] = { key_of(BUCKET, 0), key_of(BUCKET, 1), key_of(BUCKET, 2) };

	start_from(w, TR_TCP, fading);
	world_tick(w, 0);		/* off for no tick yet */
	world_record(w, TR_TIER_TCP, keys[0], 9, 1);
	world_record(w, TR_TIER_SYN, keys[1], 9, 1);
	world_record(w, TR_TIER_UDP, keys[2], 9, 1);	/* of UDP's word, which is plain */
	world_tick(w, 1);
	assert_non_null(world_find(w, TR_TIER_SYN, keys[1]));
	world_tick(w, SWEEP - 1);
	assert_null(world_find(w, TR_TIER_SYN, keys[1]));
	assert_null(world_find(w, TR_TIER_UDP, keys[2]));
	assert_non_null(world_find(w, TR_TIER_TCP, keys[0]));
	assert_true(looks(w, TR_TCP));
	world_tick(w, 1);
	assert_non_null(world_find(w, TR_TIER_TCP, keys[0]));
	world_tick(w, 1);
	assert_null(world_find(w, TR_TIER_TCP, keys[0]));
	assert_false(looks(w, TR_TCP));
	for (enum tr_tier tier = 0; tier < TR_TIER_COUNT; tier++)
		assert_int_equal(w->v.flow_state->used[tier], 0);
	assert_int_equal(world_tick(w, 1), AFFINITY_NEVER);
}

static void test_differing_record_holds(void **state)
{
	struct world *w = *state;
	uint64_t same = key_of(BUCKET, 0), other = key_of(BUCKET, 1), elsewhere = key_of(BUCKET + 1, 0);

	start_from(w, TR_TCP, fading);
	world_record(w, TR_TIER_TCP, same, 9, 1);
	world_record(w, TR_TIER_TCP, other, 1, 1);
	world_record(w, TR_TIER_TCP, elsewhere, 1, 1);	/* a word that does not look: left over */
	world_pass(w, T_LIFE);
	assert_non_null(world_find(w, TR_TIER_TCP, same));
	assert_non_null(world_find(w, TR_TIER_TCP, other));
	assert_null(world_find(w, TR_TIER_TCP, elsewhere));
	assert_true(looks(w, TR_TCP));
	world_settle(w, 20 * SWEEP);
	assert_null(world_find(w, TR_TIER_TCP, other));
	assert_false(looks(w, TR_TCP));
}

/* A record that differs, in a tier of its own, seen in either half of the purge. */
static void test_differing_in_each_tier(void **state)
{
	struct world *w = *state;

	for (int late = 0; late < 2; late++) {
		start_from(w, TR_TCP, fading);
		world_tick(w, late ? SWEEP : 0);
		world_record(w, TR_TIER_SYN, key_of(BUCKET, 0), 1, 1);
		world_pass(w, T_SETTLE - 1);
		assert_true(looks(w, TR_TCP));
		world_settle(w, 20 * SWEEP);
		assert_false(looks(w, TR_TCP));
	}
	start_from(w, TR_UDP, fading);
	world_record(w, TR_TIER_UDP, key_of(BUCKET, 0), 1, 1);
	world_pass(w, T_UDP - 1);
	assert_true(looks(w, TR_UDP));
	world_settle(w, 20 * SWEEP);
	assert_false(looks(w, TR_UDP));
}

/* A flow may go from SYN to TCP between two sweeps; it must not slip through the purge. */
static void test_established_between_sweeps(void **state)
{
	struct world *w = *state;

	start_from(w, TR_TCP, fading);
	world_tick(w, SWEEP);
	world_record(w, TR_TIER_TCP, key_of(BUCKET, 0), 1, 1);
	world_tick(w, SWEEP);
	assert_true(looks(w, TR_TCP));
	assert_non_null(world_find(w, TR_TIER_TCP, key_of(BUCKET, 0)));
}

/* A change in the middle of the purge begins it anew. */
static void test_change_between_sweeps(void **state)
{
	struct world *w = *state;

	start_from(w, TR_TCP, fading);
	world_tick(w, SWEEP);
	world_target(w, 1, 9, 2, BUCKET);
	world_target(w, 1, 9, 9, BUCKET);
	world_record(w, TR_TIER_SYN, key_of(BUCKET, 0), 9, 1);
	world_record(w, TR_TIER_TCP, key_of(BUCKET, 1), 9, 1);
	world_tick(w, 1);
	assert_true(looks(w, TR_TCP));
	world_tick(w, SWEEP - 1);
	assert_true(looks(w, TR_TCP));
	assert_non_null(world_find(w, TR_TIER_TCP, key_of(BUCKET, 1)));
	world_tick(w, SWEEP);
	assert_false(looks(w, TR_TCP));
}

/* A record of TRACK holds no word, and stays. */
static void test_track_holds_nothing(void **state)
{
	struct world *w = *state;

	start_from(w, TR_TCP, fading);
	world_record(w, TR_TIER_TRACK, key_of(BUCKET, 0), 1, 1);
	world_settle(w, 20 * SWEEP);
	assert_false(looks(w, TR_TCP));
	assert_non_null(world_find(w, TR_TIER_TRACK, key_of(BUCKET, 0)));
}

static void test_unsettled_keeps_records(void **state)
{
	struct world *w = *state;

	start_from(w, TR_TCP, unsettled);
	world_record(w, TR_TIER_SYN, key_of(BUCKET, 0), 1, 1);
	world_pass(w, T_SETTLE - 1);
	assert_non_null(world_find(w, TR_TIER_SYN, key_of(BUCKET, 0)));
}

/* Leftovers go, though no ring needs a sweep; then there is rest. */
static void test_leftovers(void **state)
{
	struct world *w = *state;

	world_record(w, TR_TIER_TCP, key_of(BUCKET, 0), 1, 1);
	world_settle(w, 100);
	assert_null(world_find(w, TR_TIER_TCP, key_of(BUCKET, 0)));
	assert_int_equal(w->v.flow_state->used[TR_TIER_TCP], 0);
}

static void test_counts_are_mended(void **state)
{
	struct world *w = *state;
	static const int32_t wrong[] = { -1, 3 };

	for (int i = 0; i < 2; i++) {
		world_record(w, TR_TIER_TCP, key_of(BUCKET, i), 1, 1);
		start_from(w, TR_TCP, unsettled);
		w->v.flow_state->used[TR_TIER_TCP] += wrong[i];
		world_tick(w, SWEEP);
		world_tick(w, SWEEP);
		assert_int_equal(w->v.flow_state->used[TR_TIER_TCP], i + 1);
	}
}

/* A record that came behind the sweep is in `used` and not in what it counted: once alone, that is no drift. */
static void test_late_record_is_no_drift(void **state)
{
	struct world *w = *state;

	start_from(w, TR_TCP, unsettled);
	world_tick(w, SWEEP);
	w->v.flow_state->used[TR_TIER_TCP]++;
	world_tick(w, SWEEP);
	assert_int_equal(w->v.flow_state->used[TR_TIER_TCP], 1);
}

/* Killed between the two stores of a deletion, or before the count. */
static void test_restart_mends_slots(void **state)
{
	struct world *w = *state;
	struct tr_record *record = world_record(w, TR_TIER_SYN, key_of(BUCKET, 0), 1, 1);

	record->value = 0;
	start_from(w, TR_TCP, unsettled);
	w->v.flow_state->used[TR_TIER_TCP] = 7;
	world_restart(w);
	world_pass(w, 4 * SWEEP);
	assert_int_equal(record->key, 0);
	assert_int_equal(w->v.flow_state->used[TR_TIER_SYN], 0);
	assert_int_equal(w->v.flow_state->used[TR_TIER_TCP], 0);
}

/* A program that has taken a slot, and comes to write its value when the controller has just started. */
static void test_restart_leaves_a_taker(void **state)
{
	struct world *w = *state;
	struct tr_record *record = world_record(w, TR_TIER_TCP, key_of(BUCKET, 0), 1, 1);
	uint64_t value = record->value;

	record->value = 0;
	start_from(w, TR_TCP, unsettled);
	record->value = value;
	world_pass(w, 4 * SWEEP);
	assert_ptr_equal(world_find(w, TR_TIER_TCP, key_of(BUCKET, 0)), record);
	assert_int_equal(w->v.flow_state->used[TR_TIER_TCP], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_age), TEST(test_age_wraps), TEST(test_touched_in_the_next_tick), TEST(test_not_live),
		TEST(test_down_is_live), TEST(test_purge), TEST(test_differing_record_holds),
		TEST(test_differing_in_each_tier),
		TEST(test_established_between_sweeps), TEST(test_change_between_sweeps),
		TEST(test_track_holds_nothing),
		TEST(test_unsettled_keeps_records), TEST(test_leftovers), TEST(test_counts_are_mended),
		TEST(test_late_record_is_no_drift), TEST(test_restart_mends_slots), TEST(test_restart_leaves_a_taker),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sweeps of the flow records", tests, NULL, NULL);
}
