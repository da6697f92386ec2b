// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the words of a ring over changes: docs/affinity.md, "The controller": set, planned, down, settle,
 * restart.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "affinity_world.h"

#define PLAIN false, false
#define LOOK true, false
#define REC true, true
#define BUCKET 4		/* backend 1 */

static void assert_word(const struct world *w, enum tr_l4 l4, uint32_t bucket, struct word want)
{
	struct word is = world_word(w, 1, l4, bucket);

	if (memcmp(&is, &want, sizeof(is)))
		fail_msg("protocol %d, bucket %u: current %u base %u prev %u look %d rec %d; not %u %u %u %d %d",
			 l4, bucket, is.current, is.base, is.prev, is.look, is.rec,
			 want.current, want.base, want.prev, want.look, want.rec);
}
#define WORD(l4, ...) assert_word(w, l4, BUCKET, (struct word){ __VA_ARGS__ })
#define TCP_WORD(...) WORD(TR_TCP, __VA_ARGS__)
#define UDP_WORD(...) WORD(TR_UDP, __VA_ARGS__)

/* Both words of the bucket; the controller takes them over. */
static void start_from(struct world *w, struct word word)
{
	world_put(w, 1, TR_TCP, BUCKET, word);
	world_put(w, 1, TR_UDP, BUCKET, word);
	world_restart(w);
}

static void to(struct world *w, uint32_t x)
{
	world_target(w, 1, world_word(w, 1, TR_TCP, BUCKET).current, x, BUCKET);
}

static void down(struct world *w, uint32_t number)
{
	w->v.backends[number].serves = TR_SERVES_NONE;
}

static void test_steady(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_tick(w, 1), AFFINITY_NEVER);
	assert_int_equal(world_tick(w, 1000000), AFFINITY_NEVER);
	assert_false(affinity_is_pending(w->a));
}

/*
 * What a change needs is given back, but for what is so small that malloc's caches keep it. The first change fills
 * those.
 */
static void test_memory(void **state)
{
	struct world *w = *state;
	size_t before = 0;

	w->v.pools[1].ring = world_ring(w, 2039, 1);
	w->v.pools[1].ring_size = 2039;
	w->v.vips[1].ring = w->v.pools[1].ring;
	w->v.vips[1].ring_size = 2039;
	for (int i = 0; i < 2; i++) {
		before = mallinfo2().uordblks;
		world_target(w, 1, i ? 9 : 1, i ? 1 : 9, -1);
		if (before)		/* 0: valgrind's */
			assert_true(mallinfo2().uordblks > before + 3 * 2039 * sizeof(uint32_t));
		world_settle(w, T_SYN + T_SETTLE + 50 * SWEEP);
	}
	assert_true(mallinfo2().uordblks <= before + 2039);
}

static void test_planned_life(void **state)
{
	struct world *w = *state;
	struct tr_pool_info *info = &w->v.pools[1];

	to(w, 9);
	TCP_WORD(1, 1, 1, REC);
	UDP_WORD(9, 1, 1, REC);
	assert_word(w, TR_TCP, BUCKET + 1, (struct word){ 2, 2, 2, PLAIN });
	assert_true(affinity_is_pending(w->a));
	assert_int_equal(info->ring_hash, 0);
	assert_string_equal(info->why, "a test");
	assert_int_equal(info->unsettled[TR_TCP], 1);
	assert_int_equal(info->unsettled[TR_UDP], 1);
	assert_int_equal(info->looking[TR_TCP], 1);
	assert_true(info->unsettled_since > 0);
	assert_true(world_tick(w, T_SYN - 1) <= 2);
	TCP_WORD(1, 1, 1, REC);
	assert_int_equal(info->words_changed, 0);
	world_tick(w, 1);
	TCP_WORD(9, 1, 1, REC);
	assert_int_equal(info->ring_hash, 77);
	assert_int_equal(info->words_changed, 1);
	assert_int_equal(info->ring_changes, 1);
	assert_false(affinity_is_pending(w->a));

	world_tick(w, T_UDP - T_SYN - 1);
	UDP_WORD(9, 1, 1, REC);
	world_tick(w, 1);
	UDP_WORD(9, 9, 1, LOOK);
	assert_int_equal(info->unsettled[TR_UDP], 0);
	world_tick(w, T_SETTLE - (T_UDP - T_SYN) - 1);
	TCP_WORD(9, 1, 1, REC);
	world_tick(w, 1);
	TCP_WORD(9, 9, 1, LOOK);
	assert_int_equal(info->unsettled_since, 0);
	assert_int_equal(info->looking[TR_TCP], 1);

	world_settle(w, 10 * SWEEP);
	TCP_WORD(9, 9, 1, PLAIN);
	UDP_WORD(9, 9, 1, PLAIN);
	assert_int_equal(info->looking[TR_TCP], 0);
}

static void test_cancelled(void **state)
{
	struct world *w = *state;

	to(w, 9);
	world_tick(w, T_SYN - 1);
	to(w, 1);
	TCP_WORD(1, 1, 1, LOOK);
	UDP_WORD(1, 1, 1, LOOK);
	assert_int_equal(w->v.pools[1].ring_hash, 77);
	world_settle(w, 10 * SWEEP);
	assert_true(world_pool_is_plain(w, 1));
}

/* What is being prepared goes to the latest target, T_syn after it was first prepared. */
static void test_latest_target(void **state)
{
	struct world *w = *state;

	to(w, 9);
	world_tick(w, T_SYN - 1);
	to(w, 2);
	TCP_WORD(1, 1, 1, REC);
	UDP_WORD(2, 1, 1, REC);
	world_tick(w, 1);
	TCP_WORD(2, 1, 1, REC);
}

static void test_unsettled_changes_at_once(void **state)
{
	struct world *w = *state;

	to(w, 9);
	world_tick(w, T_SYN);
	world_tick(w, 10);
	to(w, 2);
	TCP_WORD(2, 1, 1, REC);
	world_tick(w, T_SETTLE - 11);
	TCP_WORD(2, 1, 1, REC);		/* t0 is that of the first change, base has been the same since */
	world_tick(w, 1);
	TCP_WORD(2, 2, 1, LOOK);
}

static void test_back_to_base(void **state)
{
	struct world *w = *state;

	to(w, 9);
	world_tick(w, T_SYN);
	to(w, 1);
	TCP_WORD(1, 1, 1, LOOK);
	to(w, 9);			/* prepared anew, and t0 anew */
	TCP_WORD(1, 1, 1, REC);
	world_tick(w, T_SYN);
	TCP_WORD(9, 1, 1, REC);
	world_tick(w, T_SETTLE - 1);
	TCP_WORD(9, 1, 1, REC);
	world_tick(w, 1);
	TCP_WORD(9, 9, 1, LOOK);
}

static void test_no_prepare(void **state)
{
	struct world *w = *state;

	w->v.pools[1].times.syn = 0;
	to(w, 9);
	TCP_WORD(9, 1, 1, REC);
	assert_int_equal(w->v.pools[1].ring_hash, 77);
}

static void test_down_settled(void **state)
{
	struct world *w = *state;

	down(w, 1);
	to(w, 9);
	TCP_WORD(9, 9, 1, PLAIN);
	UDP_WORD(9, 9, 1, PLAIN);
}

static void test_down_base(void **state)
{
	struct world *w = *state;

	start_from(w, (struct word){ 9, 1, 1, REC });
	down(w, 1);
	to(w, 2);
	TCP_WORD(2, 9, 1, REC);
	UDP_WORD(2, 9, 1, REC);
	world_tick(w, T_SETTLE - 1);
	TCP_WORD(2, 9, 1, REC);
	world_tick(w, 1);
	TCP_WORD(2, 2, 9, LOOK);
}

static void test_down_base_stays(void **state)
{
	struct world *w = *state;

	start_from(w, (struct word){ 9, 1, 1, REC });
	down(w, 1);
	to(w, 9);
	TCP_WORD(9, 9, 1, LOOK);
}

static void test_down_current(void **state)
{
	struct world *w = *state;

	start_from(w, (struct word){ 9, 1, 1, REC });
	down(w, 9);
	to(w, 2);
	TCP_WORD(2, 1, 1, REC);
	UDP_WORD(2, 1, 1, REC);
	start_from(w, (struct word){ 9, 1, 1, REC });
	to(w, 1);
	TCP_WORD(1, 1, 1, LOOK);
}

static void test_down_both(void **state)
{
	struct world *w = *state;

	start_from(w, (struct word){ 9, 1, 7, REC });
	down(w, 9);
	down(w, 1);
	to(w, 2);
	TCP_WORD(2, 2, 1, LOOK);
	UDP_WORD(2, 2, 1, LOOK);
}

static void test_down_while_prepared(void **state)
{
	struct world *w = *state;

	to(w, 9);
	down(w, 1);
	world_tick(w, 1);
	TCP_WORD(9, 9, 1, LOOK);
}

/* A base that goes down settles the word at the next tick, without another target. */
static void test_settle_dead_base(void **state)
{
	struct world *w = *state;

	to(w, 9);
	world_tick(w, T_SYN);
	down(w, 1);
	world_tick(w, 1);
	TCP_WORD(9, 9, 1, LOOK);
	UDP_WORD(9, 9, 1, LOOK);
}

/* Draining serves its old flows: the base of those that have no record. */
static void test_draining_base(void **state)
{
	struct world *w = *state;

	w->v.backends[1].serves = TR_SERVES_OLD;
	to(w, 9);
	TCP_WORD(1, 1, 1, REC);
	world_tick(w, T_SYN);
	TCP_WORD(9, 1, 1, REC);
}

static void test_no_backend_left(void **state)
{
	struct world *w = *state;

	down(w, 1);
	down(w, 2);
	world_target(w, 1, 1, 0, -1);
	world_target(w, 1, 2, 0, -1);
	TCP_WORD(0, 0, 1, PLAIN);
	assert_int_equal(w->v.pools[1].ring_hash, 77);
	world_settle(w, 10 * SWEEP);
	world_target(w, 1, 0, 9, -1);
	TCP_WORD(9, 9, 0, PLAIN);
	UDP_WORD(9, 9, 0, PLAIN);
}

static void test_refused(void **state)
{
	struct world *w = *state;
	struct tr_pool_flows *flows = &w->v.pool_flows[1];

	to(w, 9);
	world_tick(w, T_SYN);
	flows->refused_udp = w->now;
	world_tick(w, T_UDP - 1);
	UDP_WORD(9, 1, 1, REC);
	world_tick(w, 1);
	UDP_WORD(9, 9, 1, LOOK);
	world_tick(w, T_SETTLE - T_UDP - 1);
	flows->refused = w->now;
	world_tick(w, T_SETTLE - 1);
	TCP_WORD(9, 1, 1, REC);
	world_tick(w, 1);
	TCP_WORD(9, 9, 1, LOOK);
}

/* A program's clock may have ticked while the controller's work goes on. */
static void test_refused_ahead(void **state)
{
	struct world *w = *state;

	to(w, 9);
	world_tick(w, T_SYN);
	w->v.pool_flows[1].refused = w->v.pool_flows[1].refused_udp = w->now + T_SETTLE + 1;
	world_tick(w, T_SETTLE);
	TCP_WORD(9, 1, 1, REC);
	UDP_WORD(9, 1, 1, REC);
}

static void test_restart(void **state)
{
	struct world *w = *state;

	start_from(w, (struct word){ 9, 1, 1, REC });
	w->v.pools[1].unsettled_since = 123;
	world_restart(w);
	TCP_WORD(9, 1, 1, REC);
	assert_int_equal(w->v.pools[1].unsettled_since, 123);
	assert_int_equal(w->v.pools[1].unsettled[TR_TCP], 1);
	world_tick(w, T_SETTLE - 1);
	TCP_WORD(9, 1, 1, REC);
	world_restart(w);		/* t0 is now */
	world_tick(w, T_SETTLE - 1);
	TCP_WORD(9, 1, 1, REC);
	world_tick(w, 1);
	TCP_WORD(9, 9, 1, LOOK);
	world_settle(w, 10 * SWEEP);
	TCP_WORD(9, 9, 1, PLAIN);
}

static void test_restart_prepared(void **state)
{
	struct world *w = *state;

	start_from(w, (struct word){ 1, 1, 1, REC });
	TCP_WORD(1, 1, 1, LOOK);
	world_settle(w, 10 * SWEEP);
	TCP_WORD(1, 1, 1, PLAIN);
}

static void test_restart_dead_base(void **state)
{
	struct world *w = *state;

	down(w, 1);
	start_from(w, (struct word){ 9, 1, 1, REC });
	TCP_WORD(9, 9, 1, LOOK);
	down(w, 9);
	start_from(w, (struct word){ 9, 1, 1, REC });
	TCP_WORD(9, 1, 1, REC);		/* neither is: nothing better is known */
	down(w, 2);
	start_from(w, (struct word){ 1, 1, 1, PLAIN });
	TCP_WORD(1, 1, 1, PLAIN);
}

static void test_restart_clears_counts(void **state)
{
	struct world *w = *state;

	w->v.pools[1].unsettled[TR_TCP] = w->v.pools[1].looking[TR_UDP] = 5;
	w->v.pools[1].unsettled_since = 123;
	world_restart(w);
	assert_int_equal(w->v.pools[1].unsettled[TR_TCP] + w->v.pools[1].looking[TR_UDP], 0);
	assert_int_equal(w->v.pools[1].unsettled_since, 0);
	assert_int_equal(world_tick(w, 1), AFFINITY_NEVER);
}

/* A pool that has a fresh ring elsewhere forgets what was about the old one. */
static void test_fresh_ring(void **state)
{
	struct world *w = *state;
	uint32_t old = w->v.pools[1].ring;

	to(w, 9);
	w->v.pools[1].ring = world_ring(w, 61, 2);
	w->v.pools[1].ring_size = 61;
	w->v.vips[1].ring = w->v.pools[1].ring;
	w->v.vips[1].ring_size = 61;
	world_tick(w, T_SYN);
	assert_int_equal(w->v.rings[old + BUCKET] & TR_BACKEND_MASK, 1);
	assert_true(world_pool_is_plain(w, 1));
	assert_false(affinity_is_pending(w->a));
	world_target(w, 1, 2, 9, BUCKET);
	TCP_WORD(2, 2, 2, REC);
	UDP_WORD(9, 2, 2, REC);
}

static void test_why_is_cut(void **state)
{
	struct world *w = *state;
	uint32_t members[RING_SIZE];
	char why[100];

	memset(why, 'x', sizeof(why) - 1);
	why[sizeof(why) - 1] = 0;
	for (uint32_t b = 0; b < RING_SIZE; b++)
		members[b] = 9;
	assert_int_equal(affinity_target(w->a, 1, members, 5, why, w->now), 0);
	assert_int_equal(strlen(w->v.pools[1].why), sizeof(w->v.pools[1].why) - 1);
	world_tick(w, T_SYN);
	assert_int_equal(w->v.pools[1].words_changed, RING_SIZE);
	assert_int_equal(w->v.pools[1].ring_hash, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_steady), TEST(test_memory), TEST(test_planned_life), TEST(test_cancelled),
		TEST(test_latest_target),
		TEST(test_unsettled_changes_at_once), TEST(test_back_to_base), TEST(test_no_prepare),
		TEST(test_down_settled),
		TEST(test_down_base), TEST(test_down_base_stays), TEST(test_down_current), TEST(test_down_both),
		TEST(test_down_while_prepared), TEST(test_settle_dead_base), TEST(test_draining_base),
		TEST(test_no_backend_left), TEST(test_refused), TEST(test_refused_ahead), TEST(test_restart),
		TEST(test_restart_prepared), TEST(test_restart_dead_base), TEST(test_restart_clears_counts),
		TEST(test_fresh_ring), TEST(test_why_is_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("words of a ring over changes", tests, NULL, NULL);
}
