// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of plan_backends.c: what backends become by configuration, in time, and why their rings change. */
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
#define THREE "10.0.0.1 10.0.0.2 2001:db8:b::3"
#define DRAIN 60			/* seconds */
#define IN_DRAIN (DRAIN * WORLD_SECOND)

static struct config *web(const char *backends)
{
	struct config *config = make_config();

	make_pool(config, "pool", SIZE, backends);
	make_vip(config, "web", "pool", "192.0.2.1", "tcp/80 udp/53");
	config->pools[0].times.drain = DRAIN;
	return config;
}

static int setup(void **state)
{
	struct config *config = make_config();

	*state = plan_world_new(&config->limits);
	plan_free(plan_world_change(*state, web(THREE)));
	config_free(config);
	return 0;
}

static int teardown(void **state)
{
	plan_world_free(*state);
	return 0;
}

static void start(struct plan_world *world, const char *backends)
{
	plan_free(plan_world_start(world, web(backends)));
}

static void change(struct plan_world *world, const char *backends)
{
	plan_free(plan_world_change(world, web(backends)));
}

/* Of 10.0.0.2, which most happens to: number 2. */
static void is_now(const struct plan_world *world, enum tr_backend_state state, enum tr_serves serves, uint32_t since,
		   uint32_t deadline)
{
	const struct tr_backend_info *info = &world->maps->backend_info[2];

	assert_int_equal(info->state, state);
	assert_int_equal(world->maps->backends[2].serves, serves);
	assert_int_equal(info->since, since);
	assert_int_equal(info->deadline, deadline);
	assert_int_equal(info->generation, 1);
}

static uint32_t count_words(const struct plan_world *world, uint32_t number, unsigned int shift)
{
	uint32_t n = 0;

	for (uint32_t b = 0; b < 2 * SIZE; b++)
		n += (world->maps->rings[b] >> shift & TR_BACKEND_MASK) == number;
	return n;
}

static void test_draining(void **state)
{
	struct plan_world *world = *state;
	uint32_t begun;

	world->now += 7;
	begun = world->now;
	start(world, "10.0.0.1 10.0.0.2~ 2001:db8:b::3");
	is_now(world, TR_BACKEND_DRAINING, TR_SERVES_OLD, begun, begun + IN_DRAIN);
	assert_int_equal(world->maps->backend_info[2].buckets, 0);
	plan_world_pass(world, 10 * WORLD_SECOND);
	start(world, "10.0.0.1 10.0.0.2~ 2001:db8:b::3 10.0.0.4");
	is_now(world, TR_BACKEND_DRAINING, TR_SERVES_OLD, begun, begun + IN_DRAIN);
	assert_int_equal(count_words(world, 2, 0), 0);
	plan_world_pass(world, IN_DRAIN);
	assert_int_equal(world->maps->backend_info[2].state, TR_BACKEND_DRAINED);
	assert_int_equal(world->maps->backends[2].serves, TR_SERVES_NONE);
	assert_int_equal(count_words(world, 2, TR_WORD_BASE_SHIFT), 0);
	/* It stays so while the configuration says drain, whatever else changes. */
	start(world, "10.0.0.1 10.0.0.2=7~ 2001:db8:b::3");
	assert_int_equal(world->maps->backend_info[2].state, TR_BACKEND_DRAINED);
	assert_int_equal(world->maps->backends[2].serves, TR_SERVES_NONE);
	begun = world->now;
	start(world, THREE);
	is_now(world, TR_BACKEND_UP, TR_SERVES_ALL, begun, 0);
	change(world, THREE);
	assert_int_equal(count_words(world, 2, 0), 2 * world->maps->backend_info[2].buckets);
}

static void test_draining_without_nexthop(void **state)
{
	struct plan_world *world = *state;
	const char *drains = "10.0.0.1 10.0.0.2~ 2001:db8:b::3";
	uint32_t begun = world->now;

	start(world, drains);
	plan_world_pass(world, WORLD_SECOND);
	plan_world_set_hop(world, "10.0.0.2", TR_NH_FAILED);
	start(world, drains);
	is_now(world, TR_BACKEND_DRAINING, TR_SERVES_NONE, begun, begun + IN_DRAIN);
	assert_int_equal(count_words(world, 2, TR_WORD_BASE_SHIFT), 0);
	plan_world_set_hop(world, "10.0.0.2", TR_NH_OK);
	start(world, drains);
	is_now(world, TR_BACKEND_DRAINING, TR_SERVES_OLD, begun, begun + IN_DRAIN);
}

static void test_down_at_once(void **state)
{
	struct plan_world *world = *state;

	start(world, "10.0.0.1 10.0.0.2! 2001:db8:b::3");
	is_now(world, TR_BACKEND_DOWN, TR_SERVES_NONE, world->now, 0);
	assert_int_equal(count_words(world, 2, 0), 0);
	assert_int_equal(count_words(world, 2, TR_WORD_BASE_SHIFT), 0);
}

static void test_leaving(void **state)
{
	struct plan_world *world = *state;
	uint32_t begun = world->now;

	start(world, "10.0.0.1 2001:db8:b::3");
	is_now(world, TR_BACKEND_LEAVING, TR_SERVES_OLD, begun, begun + IN_DRAIN);
	assert_int_equal(world->maps->backend_info[2].buckets, 0);
	plan_world_pass(world, 5 * WORLD_SECOND);
	assert_int_equal(count_words(world, 2, 0), 0);
	assert_int_not_equal(count_words(world, 2, TR_WORD_BASE_SHIFT), 0);
	start(world, "10.0.0.1 2001:db8:b::3 10.0.0.4");
	is_now(world, TR_BACKEND_LEAVING, TR_SERVES_OLD, begun, begun + IN_DRAIN);
	assert_int_equal(find_backend_number(world->maps, "pool", "10.0.0.4"), 4);
	plan_world_pass(world, IN_DRAIN);
	assert_true(world->maps->backend_info[2].state == TR_BACKEND_RETIRED ||
		    world->maps->backend_info[2].state == TR_BACKEND_FREE);
	assert_int_equal(count_words(world, 2, TR_WORD_BASE_SHIFT), 0);
	change(world, "10.0.0.1 2001:db8:b::3 10.0.0.4");
	assert_int_equal(world->maps->backend_info[2].state, TR_BACKEND_FREE);
}

/* The plan alone: affinity lets a backend go that nothing reaches any more. */
static void apply_only(struct plan_world *world, struct config *config)
{
	struct plan *plan = plan_world_plan(world, config);

	plan_world_apply(world, plan);
	plan_free(plan);
	config_free(config);
}

/* Its own next hop is still followed: flows that it has must reach it. */
static void test_leaving_is_kept_reachable(void **state)
{
	static const uint8_t mac[6] = { 2, 9, 9, 9, 9, 9 };
	struct plan_world *world = *state;
	struct tr_addr address = make_addr("10.0.0.2");
	const char *left = "10.0.0.1 2001:db8:b::3";
	struct config *config = web(left);
	uint32_t begun = world->now;

	start(world, left);
	memcpy(plan_world_hop(world, &address)->dmac, mac, sizeof(mac));
	start(world, left);
	assert_memory_equal(world->maps->backends[2].dmac, mac, sizeof(mac));
	plan_world_set_hop(world, "10.0.0.2", TR_NH_FAILED);
	apply_only(world, web(left));
	is_now(world, TR_BACKEND_LEAVING, TR_SERVES_NONE, begun, begun + IN_DRAIN);
	plan_world_set_hop(world, "10.0.0.2", TR_NH_OK);
	apply_only(world, web(left));
	is_now(world, TR_BACKEND_LEAVING, TR_SERVES_OLD, begun, begun + IN_DRAIN);
	/* Not known says nothing; but another source is another source. */
	plan_world_forget_hop(world, "10.0.0.2");
	config->ttl = 9;
	apply_only(world, config);
	is_now(world, TR_BACKEND_LEAVING, TR_SERVES_OLD, begun, begun + IN_DRAIN);
	assert_memory_equal(world->maps->backends[2].dmac, mac, sizeof(mac));
	assert_int_equal(world->maps->backends[2].v4.ttl, 9);
	assert_int_equal(world->maps->backend_info[2].nexthop, TR_NH_OK);
}

static void test_put_back_while_leaving(void **state)
{
	struct plan_world *world = *state;

	world->maps->backend_packets[2] = 5;
	start(world, "10.0.0.1 2001:db8:b::3");
	plan_world_pass(world, 20 * WORLD_SECOND);
	start(world, THREE);
	is_now(world, TR_BACKEND_UP, TR_SERVES_ALL, world->now, 0);
	change(world, THREE);
	assert_int_equal(world->maps->backend_packets[2], 5);
	assert_int_equal(find_backend_number(world->maps, "pool", "10.0.0.2"), 2);
}

/* Before the removal has reached a single word. */
static void test_put_back_at_once(void **state)
{
	struct plan_world *world = *state;
	_cleanup_free_ uint64_t *before = calloc(2 * SIZE, sizeof(*before));
	uint32_t begun = world->now;

	memcpy(before, world->maps->rings, 2 * SIZE * sizeof(*before));
	start(world, "10.0.0.1 2001:db8:b::3");
	change(world, THREE);
	for (uint32_t b = 0; b < 2 * SIZE; b++)
		assert_int_equal(world->maps->rings[b] & TR_BACKEND_MASK, before[b] & TR_BACKEND_MASK);
	is_now(world, TR_BACKEND_UP, TR_SERVES_ALL, begun, 0);
}

/* A drain that goes on is one drain. */
static void test_drain_then_removed_then_drain(void **state)
{
	struct plan_world *world = *state;
	uint32_t begun = world->now;

	start(world, "10.0.0.1 10.0.0.2~ 2001:db8:b::3");
	plan_world_pass(world, 10 * WORLD_SECOND);
	start(world, "10.0.0.1 2001:db8:b::3");
	is_now(world, TR_BACKEND_LEAVING, TR_SERVES_OLD, begun + 10 * WORLD_SECOND, begun + IN_DRAIN);
	plan_world_pass(world, 10 * WORLD_SECOND);
	start(world, "10.0.0.1 10.0.0.2~ 2001:db8:b::3");
	is_now(world, TR_BACKEND_DRAINING, TR_SERVES_OLD, begun + 20 * WORLD_SECOND, begun + IN_DRAIN);
}

struct removal_case {
	const char *name, *before;
	uint32_t pass;			/* seconds */
};

static const struct removal_case retires[] = {
	{ "down, then removed", "10.0.0.1 10.0.0.2! 2001:db8:b::3", 1 },
	{ "drained, then removed", "10.0.0.1 10.0.0.2~ 2001:db8:b::3", DRAIN + 1 },
};

/* Nothing is left to drain. */
static void run_removal(void **state)
{
	const struct removal_case *c = *state;
	struct plan_world *world;
	struct config *config;
	struct plan *plan;
	void *filled;

	setup(&filled);
	world = filled;
	start(world, c->before);
	plan_world_pass(world, c->pass * WORLD_SECOND);
	config = web("10.0.0.1 2001:db8:b::3");
	plan = plan_world_plan(world, config);
	plan_world_apply(world, plan);
	is_now(world, TR_BACKEND_RETIRED, TR_SERVES_NONE, world->now, 0);
	plan_free(plan);
	/* Not for another; but its own again, with all that is counted. */
	world->maps->backend_packets[2] = 5;
	start(world, "10.0.0.1 2001:db8:b::3 10.0.0.9");
	assert_int_equal(find_backend_number(world->maps, "pool", "10.0.0.9"), 4);
	start(world, "10.0.0.9 " THREE);
	is_now(world, TR_BACKEND_UP, TR_SERVES_ALL, world->now, 0);
	assert_int_equal(world->maps->backend_packets[2], 5);
	config_free(config);
	plan_world_free(world);
}

static void test_no_drain_time(void **state)
{
	struct plan_world *world = *state;
	struct config *config = web("10.0.0.1 2001:db8:b::3");

	config->pools[0].times.drain = 0;
	plan_free(plan_world_start(world, config));
	assert_int_equal(world->maps->backend_info[2].state, TR_BACKEND_RETIRED);
	assert_int_equal(world->maps->backends[2].serves, TR_SERVES_NONE);
	assert_int_equal(count_words(world, 2, 0), 0);
	assert_int_equal(count_words(world, 2, TR_WORD_BASE_SHIFT), 0);
}

/* Another pool, which the VIP goes to while the first leaves. */
static struct config *other(void)
{
	struct config *config = make_config();

	make_pool(config, "other", SIZE, "10.0.0.9");
	make_vip(config, "web", "other", "192.0.2.1", "tcp/80 udp/53");
	return config;
}

static void test_pool_leaves_and_comes_back(void **state)
{
	struct plan_world *world = *state;
	const struct tr_pool_info *pool = &world->maps->pools[1];
	uint32_t begun = world->now;

	plan_free(plan_world_start(world, other()));
	assert_int_equal(pool->leaving, 1);
	assert_string_equal(pool->name, "pool");
	is_now(world, TR_BACKEND_LEAVING, TR_SERVES_OLD, begun, begun + IN_DRAIN);
	plan_world_pass(world, 20 * WORLD_SECOND);
	assert_string_equal(pool->name, "pool");
	assert_int_equal(find_pool_number(world->maps, "other"), 2);
	start(world, THREE);
	assert_int_equal(pool->leaving, 0);
	is_now(world, TR_BACKEND_UP, TR_SERVES_ALL, world->now, 0);
	assert_int_equal(world->maps->pools[2].leaving, 1);
	change(world, THREE);
	assert_string_equal(world->maps->pools[2].name, "");
	assert_int_equal(pool->ring_size, SIZE);
}

static void test_pool_leaves_for_good(void **state)
{
	struct plan_world *world = *state;

	plan_free(plan_world_change(world, other()));
	assert_string_equal(world->maps->pools[1].name, "");
	for (uint32_t n = 1; n <= 3; n++)
		assert_int_equal(world->maps->backend_info[n].state, TR_BACKEND_FREE);
	/* The number and the words are another's now. */
	change(world, THREE);
	assert_int_equal(find_pool_number(world->maps, "pool"), 1);
	assert_int_equal(world->maps->pools[1].ring, 0);
}

/* Its words are not to be trusted; also where the change was broken off before they were written. */
static void test_pool_comes_back_in_two_tries(void **state)
{
	struct plan_world *world = *state;
	struct config *config = web(THREE);
	struct plan *plan;
	size_t i = 0;

	plan_free(plan_world_start(world, other()));
	plan = plan_world_plan(world, config);
	while (plan->steps[i].kind != STEP_RING)
		assert_int_equal(fake_maps_apply(world->maps, &plan->steps[i++], world->now), 0);
	plan_free(plan);
	assert_int_equal(world->maps->pools[1].leaving, 0);
	plan_world_restart(world);
	plan = plan_world_change(world, config);
	assert_non_null(plan_find(plan, STEP_RING, 0));
	plan_free(plan);
}

struct why_case {
	const char *name, *backends, *lost, *why;
};

static const struct why_case whys[] = {
	{ "added", THREE " 10.0.0.5", NULL, "10.0.0.5 added" },
	{ "removed", "10.0.0.1 2001:db8:b::3", NULL, "10.0.0.2 removed" },
	{ "down", "10.0.0.1 10.0.0.2! 2001:db8:b::3", NULL, "10.0.0.2 down" },
	{ "draining", "10.0.0.1 10.0.0.2~ 2001:db8:b::3", NULL, "10.0.0.2 draining" },
	{ "no next hop", THREE, "10.0.0.2", "10.0.0.2: no next hop" },
	{ "a weight", "10.0.0.1=7 10.0.0.2 2001:db8:b::3", NULL, "weights" },
	{ "weights", "10.0.0.1=7 10.0.0.2=9 2001:db8:b::3", NULL, "weights" },
	{ "two", "10.0.0.1 10.0.0.5 2001:db8:b::3", NULL, "10.0.0.5 added and 1 more change" },
	{ "several", "10.0.0.1=7 10.0.0.5 10.0.0.6", NULL, "weights and 4 more changes" },
};

static void run_why(void **state)
{
	const struct why_case *c = *state;
	struct plan_world *world;
	struct plan *plan;
	void *filled;

	setup(&filled);
	world = filled;
	if (c->lost)
		plan_world_set_hop(world, c->lost, TR_NH_FAILED);
	plan = plan_world_start(world, web(c->backends));
	assert_string_equal(plan_find(plan, STEP_RING, 0)->ring.why, c->why);
	assert_string_equal(world->maps->pools[1].why, c->why);
	plan_free(plan);
	plan_world_free(world);
}

static const char *why_of(struct plan_world *world, struct config *config)
{
	static char why[64];
	struct plan *plan = plan_world_start(world, config);

	strcpy(why, plan_find(plan, STEP_RING, 0)->ring.why);
	plan_free(plan);
	return why;
}

static void test_why_it_is_back(void **state)
{
	struct plan_world *world = *state;

	start(world, "10.0.0.1 10.0.0.2! 2001:db8:b::3");
	assert_string_equal(why_of(world, web(THREE)), "10.0.0.2 up");
	start(world, "10.0.0.1 2001:db8:b::3");
	assert_string_equal(why_of(world, web(THREE)), "10.0.0.2 added");
	start(world, "10.0.0.1 10.0.0.2~ 2001:db8:b::3");
	assert_string_equal(why_of(world, web(THREE)), "10.0.0.2 up");
	/* What does not change the ring is no reason, and a change that waits keeps its own. */
	assert_string_equal(why_of(world, web(THREE " 10.0.0.5")), "10.0.0.5 added");
	assert_string_equal(why_of(world, web(THREE " 10.0.0.5 10.0.0.6!")), "10.0.0.5 added");
}

static void test_why_it_is_cut(void **state)
{
	static const char longest[] = "2001:db8:1111:2222:3333:4444:5555:6666";
	struct plan_world *world = *state;
	char wanted[128];

	snprintf(wanted, sizeof(wanted), "%s added and 3 more changes", longest);
	wanted[63] = '\0';
	assert_string_equal(why_of(world, web("2001:db8:1111:2222:3333:4444:5555:6666")), wanted);
}

/* Broken off between the backends and their ring: what differed is gone. */
static void test_why_after_a_crash(void **state)
{
	struct plan_world *world = *state;
	struct config *config = web(THREE " 10.0.0.5");
	struct plan *plan = plan_world_plan(world, config);

	for (size_t i = 0; plan->steps[i].kind != STEP_RING; i++)
		assert_int_equal(fake_maps_apply(world->maps, &plan->steps[i], world->now), 0);
	plan_free(plan);
	plan_world_restart(world);
	assert_string_equal(why_of(world, config), "a change that was cut short");
}

int main(void)
{
	struct CMUnitTest tests[64] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
		TEST(test_draining), TEST(test_draining_without_nexthop), TEST(test_down_at_once), TEST(test_leaving),
		TEST(test_leaving_is_kept_reachable), TEST(test_put_back_while_leaving), TEST(test_put_back_at_once),
		TEST(test_drain_then_removed_then_drain), TEST(test_no_drain_time),
		TEST(test_pool_leaves_and_comes_back), TEST(test_pool_leaves_for_good),
		TEST(test_pool_comes_back_in_two_tries), TEST(test_why_it_is_back),
		TEST(test_why_it_is_cut), TEST(test_why_after_a_crash),
	};
	static char names[ARRAY_SIZE(whys)][64];
	size_t n = 0;

	while (tests[n].name)
		n++;
	for (size_t i = 0; i < ARRAY_SIZE(retires); i++)
		tests[n++] = (struct CMUnitTest){ .name = retires[i].name, .test_func = run_removal,
						  .initial_state = (void *)&retires[i] };
	for (size_t i = 0; i < ARRAY_SIZE(whys); i++) {
		snprintf(names[i], sizeof(names[i]), "why: %s", whys[i].name);
		tests[n++] = (struct CMUnitTest){ .name = names[i], .test_func = run_why,
						  .initial_state = (void *)&whys[i] };
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("plan of states", tests, n, NULL, NULL);
}
