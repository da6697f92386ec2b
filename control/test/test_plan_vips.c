// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of plan.c and plan_vips.c: settings, VIPs, their addresses and services, and the limits of all maps. */
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

static struct config *pools(void)
{
	struct config *config = make_config();

	make_pool(config, "one", SIZE, "10.0.0.1 fd00::1");
	make_pool(config, "two", SIZE, "10.0.0.2");
	return config;
}

static struct config *web(const char *addresses, const char *services)
{
	struct config *config = pools();

	make_vip(config, "web", "one", addresses, services);
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

static void fill(struct plan_world *world, struct config *config)
{
	plan_free(plan_world_change(world, config));
}

static void change(struct plan_world *world, struct config *config, const char *steps)
{
	uint32_t generation = world->maps->settings.generation;
	struct plan *plan = plan_world_change(world, config);
	_cleanup_free_ char *text = plan_steps_text(plan);

	plan_free(plan);
	assert_string_equal(text, steps);
	assert_int_equal(world->maps->settings.generation != generation, strstr(steps, "flush") != NULL);
}

/* "web", or "none". */
static const char *served_by(const struct plan_world *world, const char *address, enum tr_l4 l4, uint16_t port)
{
	struct tr_addr addr = make_addr(address);
	const struct tr_vip_address *found = fake_maps_find_address(world->maps, &addr);
	uint32_t vip = found ? fake_maps_find_vip(world->maps, found, l4, port) : 0;

	return vip ? world->maps->vip_info[vip].name : "none";
}

struct change_case {
	const char *name;
	const char *from[2], *to[2];		/* addresses, services */
	const char *steps;
};

static const struct change_case changes[] = {
	{ "nothing", { "192.0.2.1", "tcp/80" }, { "192.0.2.1", "tcp/80" }, "" },
	{ "an address more", { "192.0.2.1", "tcp/80" }, { "192.0.2.1 192.0.2.2", "tcp/80" }, "service address flush" },
	{ "an address less", { "192.0.2.1 192.0.2.2", "tcp/80" }, { "192.0.2.2", "tcp/80" },
	  "flush -address -service" },
	{ "an address for another", { "192.0.2.1", "tcp/80" }, { "2001:db8::1", "tcp/80" },
	  "service address flush -address -service" },
	{ "a port more", { "192.0.2.1", "tcp/80" }, { "192.0.2.1", "tcp/80 tcp/443" }, "service flush" },
	{ "the first port of a protocol", { "192.0.2.1", "tcp/80" }, { "192.0.2.1", "tcp/80 udp/443" },
	  "service address flush" },
	{ "a port less", { "192.0.2.1", "tcp/80 tcp/443" }, { "192.0.2.1", "tcp/443" }, "flush -service" },
	{ "a port's last protocol", { "192.0.2.1", "tcp/80 udp/443" }, { "192.0.2.1", "tcp/80" },
	  "address flush -service" },
	{ "all ports for one", { "192.0.2.1", "tcp/80" }, { "192.0.2.1", "tcp/0" }, "address flush -service" },
	{ "one for all ports", { "192.0.2.1", "tcp/0" }, { "192.0.2.1", "tcp/80" }, "service address flush" },
	{ "the first prefix", { "192.0.2.1", "tcp/80" }, { "192.0.2.1 198.51.100.0/24", "tcp/80" },
	  "prefixes service address flush" },
	{ "the last prefix", { "192.0.2.1 198.51.100.0/24", "tcp/80" }, { "192.0.2.1", "tcp/80" },
	  "prefixes flush -address -service" },
	{ "a prefix for another", { "198.51.100.0/24", "tcp/80" }, { "198.51.100.0/25", "tcp/80" },
	  "service address flush -address -service" },
	{ "a prefix around an address", { "192.0.2.1", "tcp/80" }, { "192.0.2.0/24 192.0.2.1", "tcp/80" },
	  "prefixes service address flush" },
	{ "a second prefix", { "2001:db8::/48", "tcp/0" }, { "2001:db8::/48 2001:db8::/64", "tcp/0" },
	  "prefixes address*2 flush" },
};

static void run_change(void **state)
{
	const struct change_case *c = *state;
	struct plan_world *world;
	void *fresh;

	setup(&fresh);
	world = fresh;
	fill(world, web(c->from[0], c->from[1]));
	change(world, web(c->to[0], c->to[1]), c->steps);
	change(world, web(c->to[0], c->to[1]), "");
	plan_world_free(world);
}

static void test_removed_and_added(void **state)
{
	struct plan_world *world = *state;
	uint32_t number;

	fill(world, web("192.0.2.1 192.0.2.0/24", "tcp/80 udp/0"));
	number = find_vip_number(world->maps, "web");
	world->maps->vip_packets[number] = 5;
	change(world, pools(), "prefixes flush -address*2 -service*2 -vip");
	assert_int_equal(world->maps->vips[number].ring_size, 0);
	assert_string_equal(served_by(world, "192.0.2.1", TR_TCP, 80), "none");
	change(world, web("192.0.2.1", "tcp/80"), "vip service address flush");
	assert_int_equal(find_vip_number(world->maps, "web"), number);
	assert_int_equal(world->maps->vip_packets[number], 0);
}

static void test_renamed(void **state)
{
	struct plan_world *world = *state;
	struct config *config = pools();
	uint32_t number;

	fill(world, web("192.0.2.1 192.0.2.0/24", "tcp/80 udp/0"));
	number = find_vip_number(world->maps, "web");
	make_vip(config, "www", "one", "192.0.2.1 192.0.2.0/24", "tcp/80 udp/0");
	change(world, config, "vip service*2 address*2 flush -vip");
	assert_int_not_equal(find_vip_number(world->maps, "www"), number);
	assert_int_equal(find_vip_number(world->maps, "web"), 0);
	assert_string_equal(served_by(world, "192.0.2.1", TR_TCP, 80), "www");
	assert_string_equal(served_by(world, "192.0.2.9", TR_UDP, 53), "www");
}

static void test_moved_to_another_pool(void **state)
{
	struct plan_world *world = *state;
	struct config *config = pools();
	uint32_t number;

	fill(world, web("192.0.2.1", "tcp/80"));
	number = find_vip_number(world->maps, "web");
	world->maps->vip_packets[number] = 5;
	make_vip(config, "web", "two", "192.0.2.1", "tcp/80");
	change(world, config, "vip flush");
	assert_int_equal(find_vip_number(world->maps, "web"), number);
	assert_int_equal(world->maps->vip_packets[number], 5);
	assert_int_equal(world->maps->vip_info[number].pool, find_pool_number(world->maps, "two"));
	assert_int_equal(world->maps->vips[number].pool, find_pool_number(world->maps, "two"));
	assert_int_equal(world->maps->vips[number].ring,
			 world->maps->pools[find_pool_number(world->maps, "two")].ring);
}

static void test_service_goes_to_another_vip(void **state)
{
	struct plan_world *world = *state;
	struct config *config = web("192.0.2.1", "tcp/80 tcp/443");

	make_vip(config, "api", "two", "192.0.2.1", "tcp/8080");
	fill(world, config);
	config = web("192.0.2.1", "tcp/80");
	make_vip(config, "api", "two", "192.0.2.1", "tcp/443 tcp/8080");
	change(world, config, "service flush");
	assert_string_equal(served_by(world, "192.0.2.1", TR_TCP, 443), "api");
	assert_string_equal(served_by(world, "192.0.2.1", TR_TCP, 80), "web");
}

/* A prefix's service is a step for each address that inherits it. */
static void test_inherited(void **state)
{
	struct plan_world *world = *state;
	struct config *config = web("192.0.2.0/24", "tcp/80");

	make_vip(config, "one", "two", "192.0.2.1 192.0.2.128/25", "tcp/443");
	fill(world, config);
	config = web("192.0.2.0/24", "tcp/80 tcp/81");
	make_vip(config, "one", "two", "192.0.2.1 192.0.2.128/25", "tcp/443");
	change(world, config, "service*3 flush");
	assert_string_equal(served_by(world, "192.0.2.1", TR_TCP, 81), "web");
	assert_string_equal(served_by(world, "192.0.2.129", TR_TCP, 443), "one");
	assert_string_equal(served_by(world, "192.0.2.2", TR_TCP, 443), "none");
}

static void test_settings(void **state)
{
	struct plan_world *world = *state;
	struct config *config = web("192.0.2.1", "tcp/80");
	const struct tr_settings *settings = &world->maps->settings;
	const struct tr_instance *instance = &world->maps->instance;
	static const uint8_t low16[4] = { 0, 0, 0xff, 0xff }, low12[4] = { 0, 0, 0x0f, 0xff };
	static const uint8_t all[4] = { 255, 255, 255, 255 };

	fill(world, config);
	assert_memory_equal(&settings->entropy4, low16, 4);
	assert_memory_equal(&settings->entropy6, all, 4);
	assert_int_equal(settings->hash_key[0], 0x9e1c6fb2d0473a85);
	assert_int_equal(instance->source4_len, 16);
	assert_int_equal(instance->source6_len, 64);
	assert_int_equal(instance->ttl, 64);
	assert_int_equal(instance->devices[0], 7);
	assert_string_equal(instance->config, "test.yaml");
	world->maps->instance.reloads = 3;
	config = web("192.0.2.1", "tcp/80");
	config->source4 = make_prefix("10.9.16.0/20");
	config->source6 = make_prefix("fd00:9::/128");
	change(world, config, "settings backend*3");
	assert_memory_equal(&settings->entropy4, low12, 4);
	assert_int_equal(settings->entropy6, 0);
	assert_int_equal(instance->reloads, 3);
}

static void test_ttl_rewrites_records(void **state)
{
	struct plan_world *world = *state;
	struct config *config = web("192.0.2.1", "tcp/80");

	fill(world, web("192.0.2.1", "tcp/80"));
	config->ttl = 9;
	change(world, config, "settings backend*3");
	assert_int_equal(world->maps->backends[find_backend_number(world->maps, "two", "10.0.0.2")].v4.ttl, 9);
	assert_int_equal(world->maps->backends[find_backend_number(world->maps, "one", "fd00::1")].v6.hop_limit, 9);
}

static void test_full_length_source(void **state)
{
	struct plan_world *world = *state;
	struct config *config = web("192.0.2.1", "tcp/80");

	config->source4 = make_prefix("10.9.16.1/32");
	fill(world, config);
	assert_int_equal(world->maps->settings.entropy4, 0);
}

static void test_device(void **state)
{
	struct plan_world *world = *state;

	fill(world, web("192.0.2.1", "tcp/80"));
	world->ifindex = 8;
	change(world, web("192.0.2.1", "tcp/80"), "settings");
	assert_int_equal(world->maps->instance.devices[0], 8);
}

/* The plan is refused, by a message that names what is to be changed, and nothing is. */
static void refused(struct plan_world *world, struct config *config, int err, const char *says)
{
	_cleanup_free_ char *before = plan_dump(world->maps), *message = NULL, *after = NULL;
	struct plan *untouched = (struct plan *)world, *plan = untouched;

	assert_int_equal(plan_world_try(world, config, &plan, &message), err);
	assert_ptr_equal(plan, untouched);
	assert_non_null(message);
	if (!strstr(message, says))
		fail_msg("\"%s\" does not say \"%s\"", message, says);
	after = plan_dump(world->maps);
	assert_string_equal(after, before);
	config_free(config);
}

static struct config *keyed(uint64_t key)
{
	struct config *config = web("192.0.2.1", "tcp/80");

	config->hash_key[1] = key;
	return config;
}

static void start(struct plan_world *world, struct config *config)
{
	plan_free(plan_world_start(world, config));
}

/* At once as long as there are no VIPs; then VIPs move from one to the other, and only when they have settled to a third. */
static void test_hash_key(void **state)
{
	struct plan_world *world = *state;
	const uint64_t *key = (const uint64_t *)world->maps->settings.hash_key;
	struct config *config = pools();

	config->hash_key[1] = 1;
	start(world, config);
	assert_int_equal(key[1], 1);
	config = pools();
	config->hash_key[1] = 2;
	change(world, config, "key");
	assert_int_equal(key[1], 2);
	start(world, keyed(2));
	start(world, keyed(3));
	assert_int_equal(key[1], 2);
	plan_world_pass(world, 5 * WORLD_SECOND);
	assert_int_equal(key[1], 3);
	assert_int_equal(world->maps->vip_old[1].hash_key[1], 2);
	start(world, keyed(4));
	plan_world_pass(world, 5 * WORLD_SECOND);
	assert_int_equal(key[1], 3);
	plan_world_settle(world);
	assert_int_equal(key[1], 4);
	change(world, keyed(4), "");
}

/* Only prepared: then `settings` does not tell that another key is on its way. */
static void test_hash_key_put_back(void **state)
{
	struct plan_world *world = *state;
	const uint64_t *key = (const uint64_t *)world->maps->settings.hash_key;

	start(world, keyed(1));
	start(world, keyed(2));
	assert_int_equal(key[1], 1);
	start(world, keyed(1));
	plan_world_pass(world, 100 * WORLD_SECOND);
	assert_int_equal(key[1], 1);
	plan_world_settle(world);
	change(world, keyed(1), "");
}

static void test_budget_of_syns(void **state)
{
	struct plan_world *world = *state;
	const struct tr_settings *settings = &world->maps->settings;
	uint32_t slots = settings->tiers[TR_TIER_SYN].sets * TR_SET_SLOTS;
	struct config *config = pools();

	assert_int_equal(slots, 32);
	config->pools[0].times.syn = 1;
	config->pools[1].times.syn = 0;
	start(world, config);
	assert_int_equal(settings->syn_budget, slots * 16 * 2 / (3 * WORLD_SECOND));
	config = pools();
	config->pools[1].times.syn = CONFIG_SYN_MAX;
	change(world, config, "settings pool*2");
	assert_int_equal(settings->syn_budget, 16);
}

/* What the dataplane and affinity own is not the plan's to write. */
static void test_settings_of_others(void **state)
{
	struct plan_world *world = *state;
	struct tr_settings *settings = &world->maps->settings, before;
	struct config *config = web("192.0.2.1", "tcp/80");

	fill(world, web("192.0.2.1", "tcp/80"));
	settings->lengths = 1;
	settings->tick = 77;
	before = *settings;
	config->pools[0].times.syn = config->pools[1].times.syn = 60;
	config->source4 = make_prefix("10.9.16.0/20");
	start(world, config);
	before.entropy4 = settings->entropy4;
	before.syn_budget = settings->syn_budget;
	before.generation = settings->generation;
	assert_memory_equal(settings, &before, sizeof(before));
}

static struct config *in_pool(const char *pool_and_mode)
{
	struct config *config = pools();

	make_vip(config, "web", pool_and_mode, "192.0.2.1", "tcp/80");
	return config;
}

struct move_case {
	const char *name, *from, *to;
	bool at_once;
};

static const struct move_case moves[] = {
	{ "changes to track", "one changes", "one track", false },
	{ "track to changes", "one track", "one changes", false },
	{ "changes to client", "one changes", "one client", false },
	{ "hash to changes", "one hash", "one changes", false },
	{ "changes to hash", "one changes", "one hash", true },
	{ "changes to hash in another pool", "one changes", "two hash", true },
	{ "another pool and mode", "one changes", "two track", false },
};

static void run_move(void **state)
{
	const struct move_case *c = *state;
	const struct tr_vip *vip;
	struct plan_world *world;
	uint32_t ring, pool;
	void *fresh;

	setup(&fresh);
	world = fresh;
	vip = &world->maps->vips[1];
	fill(world, in_pool(c->from));
	ring = vip->ring;
	pool = vip->pool;
	start(world, in_pool(c->to));
	assert_int_equal(!!(vip->how & TR_HOW_MOVING), !c->at_once);
	if (!c->at_once) {
		assert_int_equal(world->maps->vip_old[1].ring, ring);
		assert_int_equal(world->maps->vip_old[1].pool, pool);
	}
	/* Told again while it moves, which changes nothing. */
	if (!c->at_once)
		change(world, in_pool(c->to), "vip flush key");
	change(world, in_pool(c->to), "");
	assert_int_equal(vip->how & TR_HOW_MOVING, 0);
	plan_world_free(world);
}

/* There and back, before the first step of it was made: what is prepared does not show in `vips`. */
static void test_move_put_back(void **state)
{
	static const char *const to[] = { "two", "one track", "two client" };
	struct plan_world *world = *state;
	const struct tr_vip *vip = &world->maps->vips[1];
	struct tr_vip before;

	fill(world, in_pool("one"));
	before = *vip;
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		start(world, in_pool(to[i]));
		assert_int_equal(vip->ring, before.ring);
		start(world, in_pool("one"));
		plan_world_pass(world, 100 * WORLD_SECOND);
		assert_int_equal(vip->ring, before.ring);
		assert_int_equal(vip->how & TR_HOW_MODE, before.how);
		plan_world_settle(world);
		change(world, in_pool("one"), "");
	}
}

/* A VIP that goes while it moves gives back both rings, and its number. */
static void test_removed_while_it_moves(void **state)
{
	struct plan_world *world = *state;

	fill(world, in_pool("one"));
	start(world, in_pool("two"));
	change(world, pools(), "flush -address -service -vip key");
	assert_int_equal(world->maps->vips[1].ring_size, 0);
	assert_int_equal(world->maps->vips[1].how, 0);
	change(world, in_pool("two"), "vip service address flush");
	assert_int_equal(find_vip_number(world->maps, "web"), 1);
}

/* How much a configuration takes of each limit, exactly: limit by limit, one less is refused. */
struct limit_case {
	const char *name;
	size_t offset;				/* of the limit in struct config_limits */
	uint32_t enough;
	const char *says;
	bool from_another;			/* something else runs already, and leaves when this comes */
};

#define LIMIT(limit) #limit, offsetof(struct config_limits, limit)
static const struct limit_case limits[] = {
	{ LIMIT(vips), 2, "limits.vips", false },
	{ LIMIT(addresses), 2, "limits.addresses", false },
	{ LIMIT(prefixes), 1, "limits.prefixes", false },
	{ LIMIT(services), 6, "limits.services", false },
	{ LIMIT(pools), 2, "limits.pools", false },
	{ LIMIT(backends), 3, "limits.backends", false },
	{ LIMIT(ring_words), 4 * SIZE, "limits.ring_words", false },
	{ LIMIT(vips), 2 + 1, "limits.vips", true },
	{ LIMIT(addresses), 2 + 1, "limits.addresses", true },
	{ LIMIT(prefixes), 1 + 1, "limits.prefixes", true },
	{ LIMIT(services), 6 + 4, "limits.services", true },
	{ LIMIT(pools), 2 + 1, "limits.pools", true },
	{ LIMIT(backends), 3 + 1, "limits.backends", true },
	{ LIMIT(ring_words), 4 * SIZE + 2 * SIZE, "limits.ring_words", true },
};

static struct config *full(void)
{
	struct config *config = web("192.0.2.1 192.0.2.2 192.0.2.0/24", "tcp/80 udp/0");

	make_vip(config, "dns", "two", "192.0.2.0/24", "tcp/53");
	return config;
}

static struct config *another(void)
{
	struct config *config = make_config();

	make_pool(config, "other", SIZE, "10.0.0.9");
	make_vip(config, "other", "other", "198.51.100.1 198.51.100.0/24", "tcp/1 tcp/2");
	return config;
}

static void run_limit(void **state)
{
	const struct limit_case *c = *state;

	for (int less = 0; less < 2; less++) {
		struct config *config = full();
		struct config_limits room = config->limits;
		struct plan_world *world;

		*(uint32_t *)((char *)&room + c->offset) = c->enough - less;
		world = plan_world_new(&room);
		if (c->from_another)
			fill(world, another());
		if (less)
			refused(world, config, -ENOSPC, c->says);
		else
			fill(world, config);
		plan_world_free(world);
	}
}

static struct config *pool_of(const char *backends)
{
	struct config *config = make_config();

	make_pool(config, "one", SIZE, backends);
	make_vip(config, "web", "one", "192.0.2.1", "tcp/80");
	return config;
}

static void test_leaving_backends_take_room(void **state)
{
	struct config *config = pool_of("10.0.0.1 10.0.0.2 10.0.0.3");
	struct config_limits room = config->limits;
	struct plan_world *world;

	room.backends = 3;
	world = plan_world_new(&room);
	fill(world, config);
	start(world, pool_of("10.0.0.1"));
	refused(world, pool_of("10.0.0.1 10.0.0.7 10.0.0.8"), -ENOSPC, "limits.backends");
	plan_world_settle(world);
	fill(world, pool_of("10.0.0.1 10.0.0.7 10.0.0.8"));
	plan_world_free(world);
}

static struct config *ring_of(uint32_t size)
{
	struct config *config = make_config();

	make_pool(config, "pool", size, "10.0.0.1 10.0.0.2");
	make_vip(config, "a", "pool", "192.0.2.1", "tcp/80");
	make_vip(config, "b", "pool", "192.0.2.2", "tcp/80");
	return config;
}

/* From a ring of the first size (0: from nothing) to one of the second, broken off before a step; then again. */
static bool break_off_between_rings(uint32_t from, uint32_t to, size_t stop)
{
	struct config *config = ring_of(to);
	struct config_limits room = config->limits;
	struct plan_world *world;
	struct plan *plan;
	size_t steps;

	room.ring_words = 2 * (from + to);
	world = plan_world_new(&room);
	if (from)
		fill(world, ring_of(from));
	plan = plan_world_plan(world, config);
	steps = plan->n;
	for (size_t i = 0; i < steps && i < stop; i++)
		assert_int_equal(fake_maps_apply(world->maps, &plan->steps[i], world->now), 0);
	plan_free(plan);
	plan_world_restart(world);
	fill(world, config);
	plan_world_free(world);
	return stop < steps;
}

/* There is room for the old ring and the new one, not for a third: what was broken off is found again. */
static void test_crash_without_spare_room(void **state)
{
	size_t stop = 0;

	while (break_off_between_rings(0, SIZE, stop))
		stop++;
	assert_true(stop > 5);
	stop = 0;
	while (break_off_between_rings(SIZE, 257, stop))
		stop++;
	assert_true(stop > 5);
}

int main(void)
{
	struct CMUnitTest tests[64] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
		TEST(test_removed_and_added), TEST(test_renamed), TEST(test_moved_to_another_pool),
		TEST(test_service_goes_to_another_vip), TEST(test_inherited), TEST(test_settings),
		TEST(test_ttl_rewrites_records), TEST(test_full_length_source), TEST(test_device), TEST(test_hash_key),
		TEST(test_hash_key_put_back), TEST(test_budget_of_syns), TEST(test_settings_of_others),
		TEST(test_move_put_back), TEST(test_removed_while_it_moves),
		cmocka_unit_test(test_leaving_backends_take_room), cmocka_unit_test(test_crash_without_spare_room),
	};
	static char names[ARRAY_SIZE(limits)][64];
	size_t n = 0;

	while (tests[n].name)
		n++;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		tests[n++] = (struct CMUnitTest){ .name = changes[i].name, .test_func = run_change,
						  .initial_state = (void *)&changes[i] };
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		tests[n++] = (struct CMUnitTest){ .name = moves[i].name, .test_func = run_move,
						  .initial_state = (void *)&moves[i] };
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		snprintf(names[i], sizeof(names[i]), "limits.%s%s", limits[i].name,
			 limits[i].from_another ? " while another configuration leaves" : "");
		tests[n++] = (struct CMUnitTest){ .name = names[i], .test_func = run_limit,
						  .initial_state = (void *)&limits[i] };
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("plan of VIPs", tests, n, NULL, NULL);
}
