// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of plan.c and plan_pools.c: pools, backends, their numbers and rings. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"
#include "plan_world.h"
#include "util.h"

#define SIZE 251

/* One pool and one VIP: what most tests start from. */
static struct config *web(uint32_t ring_size, const char *backends)
{
	struct config *config = make_config();

	make_pool(config, "pool", ring_size, backends);
	make_vip(config, "web", "pool", "192.0.2.1 2001:db8::1", "tcp/80 udp/53");
	return config;
}

static int setup(void **state)
{
	struct config *config = make_config();

	*state = plan_world_new(&config->limits);
	config_free(config);
	return 0;
}

static int teardown(void **state)
{
	plan_world_free(*state);
	return 0;
}

/* Applies the change and checks its steps. */
static struct plan *change(struct plan_world *world, struct config *config, const char *steps)
{
	struct plan *plan = plan_world_change(world, config);
	_cleanup_free_ char *text = plan_steps_text(plan);

	assert_string_equal(text, steps);
	return plan;
}

static void change_only(struct plan_world *world, struct config *config, const char *steps)
{
	plan_free(change(world, config, steps));
}

#define FIRST_FILL "settings backend*3 ring vip service*4 address*2 flush pool key"
#define THREE "10.0.0.1 10.0.0.2 2001:db8:b::3"

static void fill(struct plan_world *world)
{
	change_only(world, web(SIZE, THREE), FIRST_FILL);
}

static uint64_t word_of(const struct plan_world *world, const char *pool, enum tr_l4 l4, uint32_t bucket)
{
	return world->maps->rings[world->maps->pools[find_pool_number(world->maps, pool)].ring + l4 * SIZE + bucket];
}

static uint64_t make_word(uint64_t number, uint64_t prev)
{
	return number | number << TR_WORD_BASE_SHIFT | prev << TR_WORD_PREV_SHIFT;
}

static const struct tr_backend_info *info_of(const struct plan_world *world, const char *address)
{
	return &world->maps->backend_info[find_backend_number(world->maps, "pool", address)];
}

static void test_first_fill(void **state)
{
	struct plan_world *world = *state;
	const struct tr_pool_info *pool = &world->maps->pools[1];
	uint32_t counts[4] = {};

	fill(world);
	assert_string_equal(pool->name, "pool");
	assert_int_equal(pool->ring_size, SIZE);
	assert_int_equal(pool->ring_changes, 1);
	assert_int_equal(pool->words_changed, SIZE);
	for (uint32_t b = 0; b < SIZE; b++) {
		uint64_t number = word_of(world, "pool", TR_TCP, b) & TR_BACKEND_MASK;

		assert_in_range(number, 1, 3);
		assert_int_equal(word_of(world, "pool", TR_TCP, b), make_word(number, number));
		assert_int_equal(word_of(world, "pool", TR_UDP, b), make_word(number, number));
		counts[number]++;
	}
	for (uint32_t n = 1; n <= 3; n++) {
		const struct tr_backend_info *info = &world->maps->backend_info[n];

		assert_int_equal(info->buckets, counts[n]);
		assert_in_range(counts[n], SIZE / 3 - 3, SIZE / 3 + 3);
		assert_int_equal(info->state, TR_BACKEND_UP);
		assert_int_equal(info->generation, 1);
	}
	assert_memory_equal(&world->maps->vips[1].ring, &pool->ring, sizeof(pool->ring));
	assert_int_equal(world->maps->vips[1].ring_size, SIZE);
	assert_int_not_equal(world->maps->settings.generation, 0);
}

static void test_idempotent(void **state)
{
	struct plan_world *world = *state;

	fill(world);
	world->now += 100 * WORLD_SECOND;
	change_only(world, web(SIZE, THREE), "");
	change_only(world, web(SIZE, "2001:db8:b::3 10.0.0.2 10.0.0.1"), "");
}

/*
 * Every word is as before, or changed in place and settled: prev is what it named, unless that number is free now. Returns
 * how many buckets changed.
 */
static uint32_t check_words(const struct plan_world *world, const uint64_t *before)
{
	uint32_t changed = 0;

	for (uint32_t i = 0; i < 2 * SIZE; i++) {
		uint64_t old = before[i] & TR_BACKEND_MASK, now = world->maps->rings[i] & TR_BACKEND_MASK;
		bool gone = world->maps->backend_info[old].state == TR_BACKEND_FREE && old;

		assert_int_equal(world->maps->rings[i], now == old ? before[i] : make_word(now, gone ? now : old));
		changed += now != old && i < SIZE;
	}
	return changed;
}

struct ring_case {
	const char *name, *backends, *steps;
	uint32_t changed_min, changed_max;
};

/* From THREE. What is left of a third of the buckets is where a backend's own go; little else moves. */
static const struct ring_case ring_cases[] = {
	{ "a backend more", THREE " 10.0.0.4", "backend*4 ring", SIZE / 4 - 3, SIZE / 4 + 25 },
	{ "a backend less", "10.0.0.1 2001:db8:b::3", "backend*3 ring", SIZE / 3 - 3, SIZE / 3 + 25 },
	{ "one replaced by another", "10.0.0.1 10.0.0.9 2001:db8:b::3", "backend*2 ring", SIZE / 3 - 3,
	  SIZE / 3 + 50 },
	{ "a weight halved", "10.0.0.1=50 10.0.0.2 2001:db8:b::3", "backend*3 ring", SIZE / 3 - SIZE / 5 - 3,
	  SIZE / 3 - SIZE / 5 + 25 },
	{ "a backend down", "10.0.0.1 10.0.0.2! 2001:db8:b::3", "backend*3 ring", SIZE / 3 - 3, SIZE / 3 + 25 },
	{ "all down", "10.0.0.1! 10.0.0.2! 2001:db8:b::3!", "backend*3 ring", SIZE, SIZE },
};

static void run_ring_case(void **state)
{
	const struct ring_case *c = *state;
	_cleanup_free_ uint64_t *before = calloc(2 * SIZE, sizeof(*before));
	uint32_t changed, numbers[2];
	struct plan_world *world;
	struct plan *plan;
	void *fresh;

	setup(&fresh);
	world = fresh;
	fill(world);
	for (uint32_t n = 1; n <= 3; n++)
		world->maps->backend_packets[n] = n;
	numbers[0] = find_backend_number(world->maps, "pool", "10.0.0.1");
	numbers[1] = find_backend_number(world->maps, "pool", "2001:db8:b::3");
	memcpy(before, world->maps->rings, 2 * SIZE * sizeof(*before));
	plan = change(world, web(SIZE, c->backends), c->steps);
	changed = check_words(world, before);
	assert_in_range(changed, c->changed_min, c->changed_max);
	assert_true(plan_find(plan, STEP_RING, 0)->ring.in_place);
	assert_int_equal(plan_find(plan, STEP_RING, 0)->ring.changed, changed);
	assert_int_equal(world->maps->pools[1].words_changed, SIZE + changed);
	assert_int_equal(world->maps->pools[1].ring_changes, 2);
	assert_int_equal(find_backend_number(world->maps, "pool", "10.0.0.1"), numbers[0]);
	assert_int_equal(find_backend_number(world->maps, "pool", "2001:db8:b::3"), numbers[1]);
	for (uint32_t n = 1; n <= 3; n++)
		assert_int_equal(world->maps->backend_packets[n], n);
	plan_free(plan);
	plan_world_free(world);
}

static void test_down_keeps_record(void **state)
{
	struct plan_world *world = *state;
	const struct tr_backend_info *info;

	fill(world);
	change_only(world, web(SIZE, "10.0.0.1 10.0.0.2! 2001:db8:b::3"), "backend*3 ring");
	info = info_of(world, "10.0.0.2");
	assert_int_equal(info->state, TR_BACKEND_DOWN);
	assert_int_equal(info->buckets, 0);
	assert_int_equal(world->maps->backends[info - world->maps->backend_info].encap, TR_ENCAP_IPV4);
	change_only(world, web(SIZE, THREE), "backend*3 ring");
	assert_int_equal(info_of(world, "10.0.0.2")->generation, 1);
}

static void test_nexthop_lost_and_regained(void **state)
{
	struct plan_world *world = *state;
	struct tr_backend record;
	uint32_t number;

	fill(world);
	number = find_backend_number(world->maps, "pool", "10.0.0.2");
	record = world->maps->backends[number];
	plan_world_set_hop(world, "10.0.0.2", TR_NH_FAILED);
	change_only(world, web(SIZE, THREE), "backend*3 ring");
	assert_int_equal(info_of(world, "10.0.0.2")->buckets, 0);
	assert_int_equal(info_of(world, "10.0.0.2")->nexthop, TR_NH_FAILED);
	record.serves = TR_SERVES_NONE;
	assert_memory_equal(&world->maps->backends[number], &record, sizeof(record));
	plan_world_set_hop(world, "10.0.0.2", TR_NH_RESOLVING);
	change_only(world, web(SIZE, THREE), "backend");
	plan_world_forget_hop(world, "10.0.0.2");
	change_only(world, web(SIZE, THREE), "backend");
	assert_int_equal(info_of(world, "10.0.0.2")->nexthop, TR_NH_UNKNOWN);
	assert_memory_equal(&world->maps->backends[number], &record, sizeof(record));
	plan_world_set_hop(world, "10.0.0.2", TR_NH_OK);
	change_only(world, web(SIZE, THREE), "backend*3 ring");
	assert_int_equal(find_backend_number(world->maps, "pool", "10.0.0.2"), number);
	record.serves = TR_SERVES_ALL;
	assert_memory_equal(&world->maps->backends[number], &record, sizeof(record));
}

/* It is numbered, but no word names it and its record says that it is not complete. */
static void test_nexthop_never_known(void **state)
{
	struct plan_world *world = *state;
	uint32_t number;

	plan_world_forget_hop(world, "10.0.0.2");
	fill(world);
	number = find_backend_number(world->maps, "pool", "10.0.0.2");
	assert_int_not_equal(number, 0);
	assert_int_equal(world->maps->backends[number].encap, TR_ENCAP_NONE);
	assert_int_equal(info_of(world, "10.0.0.2")->buckets, 0);
	for (uint32_t i = 0; i < 2 * SIZE; i++)
		assert_int_not_equal(world->maps->rings[i] & TR_BACKEND_MASK, number);
	plan_world_set_hop(world, "10.0.0.2", TR_NH_OK);
	change_only(world, web(SIZE, THREE), "backend*3 ring");
	assert_int_equal(world->maps->backends[number].encap, TR_ENCAP_IPV4);
}

static void test_all_nexthops_lost(void **state)
{
	struct plan_world *world = *state;

	fill(world);
	plan_world_set_hop(world, "10.0.0.1", TR_NH_NO_ROUTE);
	plan_world_set_hop(world, "10.0.0.2", TR_NH_OTHER_DEVICE);
	plan_world_set_hop(world, "2001:db8:b::3", TR_NH_LOCAL);
	change_only(world, web(SIZE, THREE), "backend*3 ring");
	for (uint32_t i = 0; i < 2 * SIZE; i++)
		assert_int_equal(world->maps->rings[i] & TR_BACKEND_MASK, 0);
}

static void test_mac_changes(void **state)
{
	struct plan_world *world = *state;
	struct tr_addr address = make_addr("10.0.0.2");
	struct tr_backend before, *now;
	uint8_t mac[6] = { 2, 9, 9, 9, 9, 9 };

	fill(world);
	now = &world->maps->backends[find_backend_number(world->maps, "pool", "10.0.0.2")];
	before = *now;
	memcpy(plan_world_hop(world, &address)->dmac, mac, sizeof(mac));
	change_only(world, web(SIZE, THREE), "backend");
	memcpy(before.dmac, mac, sizeof(mac));
	assert_memory_equal(now, &before, sizeof(before));
}

static void test_gateway_and_mtu_change(void **state)
{
	struct plan_world *world = *state;
	struct tr_addr address = make_addr("10.0.0.2"), gateway = make_addr("fe80::1");

	fill(world);
	plan_world_hop(world, &address)->gateway = gateway;
	plan_world_hop(world, &address)->mtu = 9000;
	change_only(world, web(SIZE, THREE), "backend");
	assert_memory_equal(&info_of(world, "10.0.0.2")->gateway, &gateway, sizeof(gateway));
	assert_int_equal(world->maps->backends[find_backend_number(world->maps, "pool", "10.0.0.2")].mtu, 9000);
}

/* Two pools, a VIP each. */
static struct config *two(const char *first, const char *second)
{
	struct config *config = make_config();

	make_pool(config, "first", SIZE, first);
	make_pool(config, "second", SIZE, second);
	make_vip(config, "a", "first", "192.0.2.1", "tcp/80");
	make_vip(config, "b", "second", "192.0.2.2", "tcp/80");
	return config;
}

static void test_backend_moves(void **state)
{
	struct plan_world *world = *state;
	uint32_t number;

	change_only(world, two("10.0.0.1 10.0.0.2", "10.0.0.3"),
		    "settings backend*3 ring*2 vip*2 service*2 address*2 flush pool*2 key");
	number = find_backend_number(world->maps, "first", "10.0.0.2");
	change_only(world, two("10.0.0.1", "10.0.0.2 10.0.0.3"), "backend*4 ring*2");
	assert_int_equal(world->maps->backend_info[number].state, TR_BACKEND_FREE);
	assert_int_not_equal(find_backend_number(world->maps, "second", "10.0.0.2"), number);
	assert_int_equal(find_backend_number(world->maps, "first", "10.0.0.2"), 0);
}

/* The same backend in two pools has a number in each, with weight and counters of its own. */
static void test_backend_in_two_pools(void **state)
{
	struct plan_world *world = *state;

	change_only(world, two("10.0.0.1", "10.0.0.1=7"),
		    "settings backend*2 ring*2 vip*2 service*2 address*2 flush pool*2 key");
	assert_int_not_equal(find_backend_number(world->maps, "first", "10.0.0.1"),
			     find_backend_number(world->maps, "second", "10.0.0.1"));
	change_only(world, two("10.0.0.1", "10.0.0.1=8"), "backend ring");
}

static struct config *only_first(const char *pool, const char *vip, const char *backends)
{
	struct config *config = make_config();

	make_pool(config, pool, SIZE, backends);
	make_vip(config, vip, pool, "192.0.2.1", "tcp/80");
	return config;
}

static void test_pool_removed(void **state)
{
	struct plan_world *world = *state;
	uint32_t number, pool;

	plan_free(plan_world_change(world, two("10.0.0.1 10.0.0.2", "10.0.0.3")));
	number = find_backend_number(world->maps, "second", "10.0.0.3");
	pool = find_pool_number(world->maps, "second");
	world->maps->pool_records[pool] = 9;
	world->maps->pool_flows[pool].refused = 9;
	change_only(world, only_first("first", "a", "10.0.0.1 10.0.0.2"),
		    "backend flush pool -address -service -vip");
	assert_int_equal(world->maps->backend_info[number].state, TR_BACKEND_FREE);
	assert_int_equal(find_pool_number(world->maps, "second"), 0);
	/* Its number, its words and its VIP's number are free again; what was counted for it is forgotten. */
	change_only(world, two("10.0.0.1 10.0.0.2", "10.0.0.4"), "backend ring vip service address flush pool");
	assert_int_equal(find_backend_number(world->maps, "second", "10.0.0.4"), number);
	assert_int_equal(find_pool_number(world->maps, "second"), pool);
	assert_int_equal(world->maps->pool_records[pool], 0);
	assert_int_equal(world->maps->pool_flows[pool].refused, 0);
}

static void test_pool_renamed(void **state)
{
	struct plan_world *world = *state;
	uint32_t old[SIZE], number;

	plan_free(plan_world_change(world, only_first("old", "a", THREE)));
	number = find_pool_number(world->maps, "old");
	for (uint32_t b = 0; b < SIZE; b++)
		old[b] = word_of(world, "old", TR_TCP, b) & TR_BACKEND_MASK;
	change_only(world, only_first("new", "a", THREE), "backend*6 ring vip flush pool*2");
	assert_int_not_equal(find_pool_number(world->maps, "new"), number);
	assert_int_equal(find_pool_number(world->maps, "old"), 0);
	for (uint32_t b = 0; b < SIZE; b++) {
		uint32_t now = word_of(world, "new", TR_TCP, b) & TR_BACKEND_MASK;

		assert_memory_equal(&world->maps->backend_info[now].address, &world->maps->backend_info[old[b]].address,
				    sizeof(struct tr_addr));
	}
}

static void test_vip_without_flows_keeps_counters(void **state)
{
	struct plan_world *world = *state;
	uint32_t number;

	fill(world);
	number = find_vip_number(world->maps, "web");
	world->maps->vip_packets[number] = 5;
	change_only(world, web(503, THREE), "backend*3 ring vip flush pool");
	assert_int_equal(world->maps->vip_packets[number], 5);
}

/* The old ring stays as it is, until its VIP has left it for good; the pool knows the new one before any VIP does. */
static void test_ring_size_changes(void **state)
{
	struct plan_world *world = *state;
	_cleanup_free_ uint64_t *before = calloc(2 * SIZE, sizeof(*before));
	struct config *config = web(503, THREE);
	struct plan *plan;

	fill(world);
	memcpy(before, world->maps->rings, 2 * SIZE * sizeof(*before));
	plan = plan_world_plan(world, config);
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->steps[i].kind == STEP_RING) {
			assert_false(plan->steps[i].ring.in_place);
			assert_int_equal(plan->steps[i].ring.changed, 503);
			assert_true(plan->steps[i].ring.start >= 2 * SIZE);
		}
		if (plan->steps[i].kind == STEP_VIP)
			assert_int_equal(world->maps->pools[1].ring_size, 503);
		assert_int_equal(fake_maps_apply(world->maps, &plan->steps[i], world->now), 0);
		assert_memory_equal(world->maps->rings, before, 2 * SIZE * sizeof(*before));
	}
	plan_free(plan);
	assert_int_equal(world->maps->pools[1].ring_changes, 2);
	assert_int_equal(world->maps->pools[1].words_changed, SIZE + 503);
	plan_world_settle(world);
	plan_world_check(world, config);
	config_free(config);
	/* The old region is free now. */
	change_only(world, web(SIZE, THREE), "backend*3 ring vip flush pool");
	assert_int_equal(world->maps->pools[1].ring, 0);
}

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return a < b + 2 * b_size && b < a + 2 * a_size;
}

/* Sizes that follow one another faster than VIPs move: neither where they come from nor where they look is written over. */
static void test_ring_that_a_vip_comes_from(void **state)
{
	static const uint32_t sizes[] = { 503, 257, 1009, 251, 263, 503 };
	struct plan_world *world = *state;
	const struct tr_vip_old *old = &world->maps->vip_old[1];
	_cleanup_free_ uint64_t *before = calloc(2 * SIZE, sizeof(*before));

	fill(world);
	memcpy(before, world->maps->rings, 2 * SIZE * sizeof(*before));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct tr_pool_info *pool = &world->maps->pools[1];

		plan_free(plan_world_start(world, web(sizes[i], THREE)));
		assert_int_equal(pool->ring_size, sizes[i]);
		assert_true(world->maps->vips[1].how & TR_HOW_MOVING);
		assert_int_equal(old->ring, 0);
		assert_int_equal(old->ring_size, SIZE);
		assert_false(overlap(pool->ring, pool->ring_size, old->ring, old->ring_size));
		for (uint32_t b = 0; b < 2 * SIZE; b++)
			assert_int_equal(world->maps->rings[b] & TR_BACKEND_MASK, before[b] & TR_BACKEND_MASK);
		if (world->maps->vips[1].ring != pool->ring)
			assert_false(overlap(pool->ring, pool->ring_size, world->maps->vips[1].ring,
					     world->maps->vips[1].ring_size));
		plan_world_pass(world, 5 * WORLD_SECOND);
	}
	change_only(world, web(sizes[ARRAY_SIZE(sizes) - 1], THREE), "vip flush key");
}

static void test_regions_do_not_overlap(void **state)
{
	static const uint32_t sizes[] = { 251, 503, 257, 1009, 251, 263 };
	struct plan_world *world = *state;

	for (size_t i = 0; i + 2 < ARRAY_SIZE(sizes); i++) {
		struct config *config = make_config();

		make_pool(config, "a", sizes[i], "10.0.0.1");
		make_pool(config, "b", sizes[i + 1], "10.0.0.2");
		make_pool(config, i % 2 ? "c" : "d", sizes[i + 2], "10.0.0.3");
		make_vip(config, "a", "a", "192.0.2.1", "tcp/80");
		plan_free(plan_world_change(world, config));
	}
}

/* A number given to a backend without a next hop must not carry the record of its former owner. */
static void test_reused_number_has_no_old_record(void **state)
{
	struct plan_world *world = *state;
	uint32_t number;

	fill(world);
	number = find_backend_number(world->maps, "pool", "10.0.0.2");
	world->maps->backend_packets[number] = 9;
	plan_free(plan_world_change(world, web(SIZE, "10.0.0.1 2001:db8:b::3")));
	plan_world_set_hop(world, "10.0.0.8", TR_NH_RESOLVING);
	plan_free(plan_world_change(world, web(SIZE, "10.0.0.1 2001:db8:b::3 10.0.0.8")));
	assert_int_equal(find_backend_number(world->maps, "pool", "10.0.0.8"), number);
	assert_int_equal(world->maps->backends[number].encap, TR_ENCAP_NONE);
	assert_int_equal(world->maps->backend_info[number].generation, 2);
	assert_int_equal(world->maps->backend_packets[number], 0);
}

/* A pool's number means another pool later: a backend of the first is not the second's. */
static void test_number_of_another_pool(void **state)
{
	struct plan_world *world = *state;
	uint32_t number;

	plan_free(plan_world_change(world, only_first("old", "a", "10.0.0.1 10.0.0.2")));
	number = find_backend_number(world->maps, "old", "10.0.0.2");
	world->maps->backend_packets[number] = 9;
	plan_free(plan_world_change(world, only_first("old", "a", "10.0.0.1")));
	plan_free(plan_world_change(world, only_first("new", "a", "10.0.0.9")));
	plan_free(plan_world_change(world, only_first("newer", "a", "10.0.0.2")));
	assert_int_equal(find_pool_number(world->maps, "newer"), 1);
	assert_int_equal(world->maps->backend_packets[find_backend_number(world->maps, "newer", "10.0.0.2")], 0);
}

static struct config *with_times(const struct config_times *times)
{
	struct config *config = web(SIZE, THREE);

	config->pools[0].times = *times;
	return config;
}

static void test_times(void **state)
{
	static const struct config_times seconds = { .settle = 900, .udp = 30, .syn = 4, .record = 7200, .linger = 60,
						     .drain = 0 };
	struct plan_world *world = *state;
	const struct tr_pool_times *times = &world->maps->pools[1].times;

	change_only(world, with_times(&seconds), FIRST_FILL);
	assert_int_equal(times->settle, 900 * WORLD_SECOND);
	assert_int_equal(times->udp, 30 * WORLD_SECOND);
	assert_int_equal(times->syn, 4 * WORLD_SECOND);
	assert_int_equal(times->life, 7200 * WORLD_SECOND);
	assert_int_equal(times->linger, 60 * WORLD_SECOND);
	assert_int_equal(times->drain, 0);
	assert_int_equal(world->maps->pool_flows[1].t_syn, 4 * WORLD_SECOND);
	assert_int_equal(world->maps->pool_flows[1].t_udp, 30 * WORLD_SECOND);
	world->maps->pool_flows[1].refused = 77;
	change_only(world, with_times(&(struct config_times){ 901, 29, 4, 7201, 59, 1 }), "pool");
	assert_int_equal(times->settle, 901 * WORLD_SECOND);
	assert_int_equal(times->drain, WORLD_SECOND);
	assert_int_equal(world->maps->pool_flows[1].t_udp, 29 * WORLD_SECOND);
	assert_int_equal(world->maps->pool_flows[1].refused, 77);
}

/* Never shorter than was asked for; and not 0 where it was not. */
static void test_ticks_round_up(void **state)
{
	struct plan_world *world = *state;
	struct config *config = with_times(&(struct config_times){ 3, 2, 1, 4, 1, 0 });

	world->tick_ns = 1500000000;
	plan_free(plan_world_start(world, config));
	assert_int_equal(world->maps->pools[1].times.settle, 2);
	assert_int_equal(world->maps->pools[1].times.udp, 2);
	assert_int_equal(world->maps->pools[1].times.syn, 1);
	assert_int_equal(world->maps->pools[1].times.life, 3);
	assert_int_equal(world->maps->pools[1].times.drain, 0);
}

int main(void)
{
	struct CMUnitTest tests[64] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
		TEST(test_first_fill), TEST(test_idempotent), TEST(test_down_keeps_record),
		TEST(test_nexthop_lost_and_regained), TEST(test_nexthop_never_known), TEST(test_all_nexthops_lost),
		TEST(test_mac_changes), TEST(test_gateway_and_mtu_change), TEST(test_backend_moves),
		TEST(test_backend_in_two_pools), TEST(test_pool_removed), TEST(test_pool_renamed),
		TEST(test_vip_without_flows_keeps_counters), TEST(test_ring_size_changes),
		TEST(test_ring_that_a_vip_comes_from), TEST(test_regions_do_not_overlap),
		TEST(test_reused_number_has_no_old_record), TEST(test_number_of_another_pool), TEST(test_times),
		TEST(test_ticks_round_up),
	};
	size_t n = 0;

	while (tests[n].name)
		n++;
	for (size_t i = 0; i < ARRAY_SIZE(ring_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = ring_cases[i].name, .test_func = run_ring_case,
						  .initial_state = (void *)&ring_cases[i] };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("plan", tests, n, NULL, NULL);
}
