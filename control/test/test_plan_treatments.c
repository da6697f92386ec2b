// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of plans that change what becomes of a VIP's echo, fragments, oversized packets and SYNs, and limits of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan_world.h"
#include "util.h"

#define SIZE 251

struct treatment {
	bool echo_off, by_addresses, oversize;
	uint16_t mss;
	const char *mode;
};

/* VIP "web" is treated so, "dns" has other ports of its address; the prefix around it is another VIP's. */
static struct config *treated(const struct treatment *t)
{
	struct config *config = make_config();
	char pool[32] = "one ";
	struct config_vip *vip;

	make_pool(config, "one", SIZE, "10.0.0.1 fd00::1");
	make_vip(config, "web", strcat(pool, t->mode ?: "changes"), "192.0.2.1", "tcp/80");
	make_vip(config, "net", "one", "192.0.2.0/24", "tcp/443 udp/0");
	vip = &config->vips[0];
	vip->echo = !t->echo_off;
	vip->by_addresses = t->by_addresses;
	vip->oversize = t->oversize;
	vip->mss = t->mss;
	config->vips[1].echo = false;
	return config;
}

static void assert_treated(const struct plan_world *world, const struct treatment *t, bool moving)
{
	struct tr_addr addr = make_addr("192.0.2.1");
	const struct tr_vip_address *at = fake_maps_find_address(world->maps, &addr);
	uint32_t number = find_vip_number(world->maps, "web");
	const struct tr_vip *vip = &world->maps->vips[number];

	assert_int_equal(at->echo, !t->echo_off);
	assert_int_equal(at->early[TR_TCP], t->by_addresses ? number : 0);
	assert_int_equal(at->early[TR_UDP], 0);
	assert_int_equal(world->maps->vip_info[number].echo_off, t->echo_off);
	assert_int_equal(vip->mss, t->mss);
	assert_int_equal(vip->flags, t->oversize ? TR_VIP_OVERSIZE : 0);
	assert_int_equal(vip->how & TR_HOW_MSS, t->mss ? TR_HOW_MSS : 0);
	assert_int_equal(vip->how & TR_HOW_MOVING, moving ? TR_HOW_MOVING : 0);
	if (!moving)
		assert_int_equal(vip->how & TR_HOW_ADDRESSES, t->by_addresses ? TR_HOW_ADDRESSES : 0);
}

static const struct change_case {
	const char *name;
	struct treatment from, to;
	const char *steps;
	bool moves;
} changes[] = {
	{ "nothing", {}, {}, "", false },
	{ "nothing of all", { true, true, true, 1400, NULL }, { true, true, true, 1400, NULL }, "", false },
	{ "echo off", {}, { .echo_off = true }, "vip address flush", false },
	{ "echo on", { .echo_off = true }, {}, "vip address flush", false },
	{ "an MSS", {}, { .mss = 1400 }, "vip flush", false },
	{ "another MSS", { .mss = 1400 }, { .mss = 256 }, "vip flush", false },
	{ "no MSS", { .mss = 65495 }, {}, "vip flush", false },
	{ "what does not fit to the host", {}, { .oversize = true }, "vip flush", false },
	{ "what does not fit answered", { .oversize = true }, {}, "vip flush", false },
	{ "by addresses", {}, { .by_addresses = true }, "vip address flush", true },
	{ "by ports", { .by_addresses = true }, {}, "vip address flush", true },
	{ "by addresses, track", { .mode = "track" }, { .by_addresses = true, .mode = "track" }, "vip address flush", true },
	{ "by addresses, client", { .mode = "client" }, { .by_addresses = true, .mode = "client" }, "vip address flush", true },
	{ "by addresses, hash: nothing to move", { .mode = "hash" }, { .by_addresses = true, .mode = "hash" },
	  "vip address flush", false },
	{ "by addresses with another mode", {}, { .by_addresses = true, .mode = "client" }, "vip address flush", true },
	{ "another mode keeps the rest", { true, true, true, 1400, NULL }, { true, true, true, 1400, "track" }, "vip flush",
	  true },
	{ "all at once", {}, { true, true, true, 1400, NULL }, "vip address flush", true },
	{ "all back", { true, true, true, 1400, NULL }, {}, "vip address flush", true },
};

static void run_change(void **state)
{
	const struct change_case *c = *state;
	struct config *config = treated(&c->to);
	struct plan_world *world = plan_world_new(&config->limits);
	_cleanup_free_ char *steps = NULL;
	struct plan *plan;

	plan_free(plan_world_change(world, treated(&c->from)));
	assert_treated(world, &c->from, false);
	plan = plan_world_start(world, config);
	steps = plan_steps_text(plan);
	plan_free(plan);
	assert_string_equal(steps, c->steps);
	assert_treated(world, &c->to, c->moves);
	plan_free(plan_world_change(world, treated(&c->to)));
	assert_treated(world, &c->to, false);
	plan_world_free(world);
}

/* A later change of what needs no move holds at once, and does not begin the move anew. */
static void test_while_it_moves(void **state)
{
	const struct treatment first = { .by_addresses = true, .mss = 1400 }, then = { .by_addresses = true, .oversize = true };
	struct config *config = treated(&first);
	struct plan_world *world = plan_world_new(&config->limits);

	plan_free(plan_world_change(world, treated(&(struct treatment){})));
	plan_free(plan_world_start(world, config));
	assert_treated(world, &first, true);
	plan_world_pass(world, CONFIG_SYN * WORLD_SECOND - 1);
	plan_free(plan_world_start(world, treated(&then)));
	assert_treated(world, &then, true);
	plan_world_pass(world, 2);
	assert_int_equal(world->maps->vips[1].how,
			 TR_MODE_CHANGES | TR_HOW_ADDRESSES | TR_HOW_MOVING);
	assert_treated(world, &then, true);
	plan_free(plan_world_start(world, treated(&first)));
	assert_treated(world, &first, true);
	plan_world_pass(world, CONFIG_SETTLE * WORLD_SECOND);
	assert_treated(world, &first, false);
	plan_free(plan_world_change(world, treated(&first)));
	plan_world_free(world);
}

static struct config *limited(uint32_t first, uint32_t second)
{
	struct config *config = treated(&(struct treatment){});

	config->rates[TR_RATE_ECHO_SOURCE] = first;
	config->rates[TR_RATE_TOO_BIG_ALL] = second;
	return config;
}

static void assert_rate(const struct plan_world *world, enum tr_rate rate, uint32_t per_tick, uint32_t burst)
{
	assert_int_equal(world->maps->settings.rates[rate].per_tick, per_tick);
	assert_int_equal(world->maps->settings.rates[rate].burst, burst);
}

static void change_rates(struct plan_world *world, uint32_t first, uint32_t second, const char *expected)
{
	struct plan *plan = plan_world_change(world, limited(first, second));
	_cleanup_free_ char *steps = plan_steps_text(plan);

	plan_free(plan);
	assert_string_equal(steps, expected);
}

static void test_rates(void **state)
{
	struct config *config = limited(10, 1000);
	struct plan_world *world = plan_world_new(&config->limits);
	uint32_t generation;

	plan_free(plan_world_change(world, config));
	assert_rate(world, TR_RATE_ECHO_SOURCE, 10 * TR_TOKEN / WORLD_SECOND, 10 * TR_TOKEN);
	assert_rate(world, TR_RATE_ECHO_ALL, CONFIG_ECHO_TOTAL * TR_TOKEN / WORLD_SECOND, CONFIG_ECHO_TOTAL * TR_TOKEN);
	assert_rate(world, TR_RATE_TOO_BIG_SOURCE, CONFIG_TOO_BIG_PER_SOURCE * TR_TOKEN / WORLD_SECOND,
		    CONFIG_TOO_BIG_PER_SOURCE * TR_TOKEN);
	assert_rate(world, TR_RATE_TOO_BIG_ALL, 1000 * TR_TOKEN / WORLD_SECOND, 1000 * TR_TOKEN);
	generation = world->maps->settings.generation;
	change_rates(world, 10, 1000, "");
	change_rates(world, 1, CONFIG_RATE_MAX, "settings");
	assert_rate(world, TR_RATE_ECHO_SOURCE, 16, TR_TOKEN);
	assert_rate(world, TR_RATE_TOO_BIG_ALL, 960000, 15360000);
	change_rates(world, 0, CONFIG_RATE_MAX, "settings");
	assert_rate(world, TR_RATE_ECHO_SOURCE, 0, 0);
	assert_int_equal(world->maps->settings.generation, generation);
	world->tick_ns = 80000000;
	change_rates(world, 1, CONFIG_RATE_MAX, "settings pool");
	assert_rate(world, TR_RATE_ECHO_SOURCE, 20, TR_TOKEN);
	assert_rate(world, TR_RATE_TOO_BIG_ALL, 1228800, 15360000);
	plan_world_free(world);
}

/* Rounded down, but not to never. */
static void test_short_ticks(void **state)
{
	struct config *config = limited(1, 0);
	struct plan_world *world = plan_world_new(&config->limits);

	world->tick_ns = 1000000;
	plan_free(plan_world_start(world, config));
	assert_rate(world, TR_RATE_ECHO_SOURCE, 1, TR_TOKEN);
	assert_rate(world, TR_RATE_TOO_BIG_ALL, 0, 0);
	plan_world_free(world);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(changes) + 3];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		tests[n++] = (struct CMUnitTest){ .name = changes[i].name, .test_func = run_change,
						  .initial_state = (void *)&changes[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_while_it_moves);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_rates);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_short_ticks);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("plan of treatments", tests, n, NULL, NULL);
}
