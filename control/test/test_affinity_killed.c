// SPDX-License-Identifier: GPL-2.0-only
/*
 * A controller that is killed before any of its stores: the next one, told the same configuration, brings
 * everything to the same end, and no record of a flow that goes on is lost on the way. affinity*.c is compiled in,
 * so that its stores can be counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "affinity_world.h"

static uint32_t stores_left;	/* 0: not counted */

static void one_more(void)
{
	if (stores_left && !--stores_left)
		_exit(1);
}

#define __atomic_store_n(to, value, order) (one_more(), __atomic_store_n(to, value, order))
#define __atomic_add_fetch(to, value, order) (one_more(), __atomic_add_fetch(to, value, order))
#define __atomic_sub_fetch(to, value, order) (one_more(), __atomic_sub_fetch(to, value, order))
#define __atomic_compare_exchange_n(to, old, value, weak, done, failed) \
	(one_more(), __atomic_compare_exchange_n(to, old, value, weak, done, failed))

#include "../affinity.c"
#include "../affinity_numbers.c"
#include "../affinity_records.c"
#include "../affinity_vips.c"
#include "../affinity_words.c"

static const uint64_t wanted_key[2] = { 0x3333, 0x4444 };
static uint32_t *shared_now;
static struct tr_record *flow;		/* of VIP 1, on backend 2 for as long as it lasts */

static struct tr_vip wanted_vip(const struct world *w, uint32_t number, uint16_t mss)
{
	static const uint16_t pools[] = { 0, 2, 2, 3 }, hows[] = { 0, TR_MODE_CHANGES | TR_HOW_ADDRESSES, TR_MODE_TRACK, TR_MODE_HASH };

	return (struct tr_vip){ w->v.pools[pools[number]].ring, RING_SIZE, pools[number],
				hows[number] | (mss ? TR_HOW_MSS : 0), mss, mss ? TR_VIP_OVERSIZE : 0 };
}

/*
 * As a plan would have it: backend 1 is gone from pool 1, backend 11 is down, VIP 1 in pool 2, VIP 2 tracks, VIP 3
 * is new; VIP 1 is by addresses then. Half of a hash key is a key as well, that flows were recorded by: the other half is another change.
 */
static void configure(struct world *w)
{
	const struct tr_pool_info *pools = w->v.pools;
	struct tr_vip vips[4];

	for (uint32_t v = 1; v <= 3; v++)
		vips[v] = wanted_vip(w, v, 1400);

	affinity_hash_key(w->a, wanted_key, w->now);
	if (w->v.backend_info[1].state == TR_BACKEND_UP)
		world_backend(w, 1, 1, TR_BACKEND_LEAVING);
	world_backend(w, 11, 2, TR_BACKEND_DOWN);
	if (pools[1].ring_hash != 77)
		world_target(w, 1, 1, 9, -1);
	if (pools[2].ring_hash != 77)
		world_target(w, 2, 11, 10, -1);
	for (uint32_t v = 1; v <= 3; v++)
		affinity_vip(w->a, v, &vips[v], w->now);
}

/* Another MSS now and then, or none: in force when the call is over, wherever the VIP is on its way. */
static void change_mss(struct world *w)
{
	uint16_t mss = w->now % 96 ? 1000 + w->now % 100 : 0;

	for (uint32_t v = 1; v <= 3; v++) {
		struct tr_vip wanted = wanted_vip(w, v, mss);

		affinity_vip(w->a, v, &wanted, w->now);
		if (w->v.vips[v].mss != mss)
			_exit(2);
	}
}

static void touch_flow(struct world *w)
{
	flow->value = tr_record_value(2, w->v.vips[1].pool, 0, w->now);
}

static void run(struct world *w, uint32_t ticks)
{
	uint32_t end = w->now + ticks;

	configure(w);
	while (w->now != end) {
		*shared_now = w->now += 2;
		if (flow->key)
			touch_flow(w);
		if (!(w->now % 32))
			change_mss(w);
		affinity_tick(w->a, w->now);
	}
}

/* What goes with the MSS is written with it, or not at all. */
static void assert_whole(const struct world *w, uint32_t cut)
{
	for (uint32_t v = 1; v <= 3; v++) {
		const struct tr_vip *vip = &w->v.vips[v];

		if (!vip->mss != !(vip->how & TR_HOW_MSS) || !vip->mss != !(vip->flags & TR_VIP_OVERSIZE))
			fail_msg("killed before store %u: VIP %u: how %x, mss %u, flags %x", cut, v, vip->how, vip->mss, vip->flags);
	}
}

static void assert_all_done(struct world *w, uint32_t cut)
{
	for (uint32_t pool = 1; pool <= 3; pool++)
		if (affinity_is_pending(w->a) || w->v.pools[pool].unsettled_since ||
		    (pool != 2 && !world_pool_is_plain(w, pool)))
			fail_msg("killed before store %u: pool %u has not settled", cut, pool);
	for (uint32_t v = 1; v <= 3; v++) {
		struct tr_vip wanted = wanted_vip(w, v, w->v.vips[v].mss);

		if (memcmp(&w->v.vips[v], &wanted, sizeof(wanted)))
			fail_msg("killed before store %u: VIP %u: pool %u, how %x", cut,
				 v, w->v.vips[v].pool, w->v.vips[v].how);
	}
	if (memcmp(w->v.settings->hash_key, wanted_key, sizeof(wanted_key)))
		fail_msg("killed before store %u: another hash key", cut);
	for (uint32_t b = 0; b < RING_SIZE; b++)
		if (world_word(w, 1, TR_TCP, b).current == 1 || world_word(w, 2, TR_UDP, b).current == 11)
			fail_msg("killed before store %u: bucket %u has its old backend", cut, b);
	if (w->v.backend_info[1].state != TR_BACKEND_FREE || w->v.backends[1].serves)
		fail_msg("killed before store %u: backend 1 is in state %u", cut, w->v.backend_info[1].state);
	if (!flow->key || !flow->value)
		fail_msg("killed before store %u: the flow's record is gone", cut);
	if (w->v.flow_state->used[TR_TIER_TCP] != 1 || w->v.flow_state->used[TR_TIER_SYN])
		fail_msg("killed before store %u: %u records, not 1", cut, w->v.flow_state->used[TR_TIER_TCP]);
}

static void start(struct world **w)
{
	world_setup((void **)w);
	for (uint32_t n = 0; n < 4; n++)
		world_record(*w, TR_TIER_SYN, key_of(3, n), 1, 1);
	flow = world_record(*w, TR_TIER_TCP, key_of(4, 0), 2, 1);
	world_put(*w, 1, TR_TCP, 3, (struct word){ 1, 1, 1, true, false });
	world_put(*w, 1, TR_TCP, 4, (struct word){ 1, 1, 1, true, false });
	*shared_now = (*w)->now;
	world_restart(*w);
}

/* True: the whole run has fewer stores. */
static bool killed_at(struct world *w, uint32_t cut, uint32_t ticks)
{
	pid_t child = fork();
	int status;

	if (!child) {
		stores_left = cut;
		run(w, ticks);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 2);
	assert_whole(w, cut);
	w->now = *shared_now;
	return !WEXITSTATUS(status);
}

static void test_killed(void **state)
{
	uint32_t cut = 0, ticks = 4 * (T_SYN + T_SETTLE) + 3 * T_DRAIN;
	bool ended = false;

	while (!ended) {
		struct world *w;

		start(&w);
		ended = killed_at(w, ++cut, ticks);
		world_restart(w);
		run(w, ticks);
		assert_all_done(w, cut);
		world_teardown((void **)&w);
	}
	print_message("# %u stores\n", cut - 1);
	assert_true(cut > 200);
}

/* And those that follow are killed too: time goes on, but not for what settles. */
static void test_killed_again_and_again(void **state)
{
	uint32_t ticks = 4 * (T_SYN + T_SETTLE) + 3 * T_DRAIN;
	struct world *w;

	start(&w);
	for (uint32_t cut = 1; cut < 60; cut++) {
		killed_at(w, cut, ticks);
		world_restart(w);
	}
	run(w, ticks);
	assert_all_done(w, 60);
	world_teardown((void **)&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed), cmocka_unit_test(test_killed_again_and_again),
	};

	shared_now = mmap(NULL, sizeof(*shared_now), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared_now == MAP_FAILED)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("a controller that is killed", tests, NULL, NULL);
}
