// SPDX-License-Identifier: GPL-2.0-only
/* What tests of plans share; see plan_world.h. */
#include "plan_world.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"
#include "util.h"

#define SETTLE_TICKS_MAX 50000

struct plan_world *plan_world_new(const struct config_limits *limits)
{
	struct plan_world *world = calloc(1, sizeof(*world));

	assert(world);
	world->now = 1000 * WORLD_SECOND;
	world->tick_ns = 1000000000 / WORLD_SECOND;
	world->maps = fake_maps_new(limits, world->now);
	world->devices = (struct devices){ .n = 1, .ifindexes = { 7 } };
	return world;
}

void plan_world_free(struct plan_world *world)
{
	fake_maps_free(world->maps);
	free(world);
}

static struct nexthop usual_hop(const struct tr_addr *address)
{
	const uint8_t *bytes = (const uint8_t *)address;
	struct nexthop hop = { .state = TR_NH_OK, .ifindex = 7, .mtu = 1500, .gateway = *address,
			       .dmac = { 2, 1, bytes[12], bytes[13], bytes[14], bytes[15] },
			       .smac = { 2, 0, 0, 0, 0, 7 } };

	return hop;
}

static size_t find_hop(const struct plan_world *world, const struct tr_addr *address)
{
	size_t i = 0;

	while (i < world->n_hops && addr_compare(&world->hops[i].address, address))
		i++;
	return i;
}

const struct nexthop *plan_world_ask(const struct tr_addr *address, void *arg)
{
	struct plan_world *world = arg;
	size_t i = find_hop(world, address);

	if (i < world->n_hops && !world->hops[i].known)
		return NULL;
	world->answer = i < world->n_hops ? world->hops[i].nexthop : usual_hop(address);
	return &world->answer;
}

struct nexthop *plan_world_hop(struct plan_world *world, const struct tr_addr *address)
{
	size_t i = find_hop(world, address);

	assert(i < HOPS_MAX);
	if (i == world->n_hops) {
		world->hops[i].address = *address;
		world->hops[i].nexthop = usual_hop(address);
		world->n_hops++;
	}
	world->hops[i].known = true;
	return &world->hops[i].nexthop;
}

void plan_world_set_hop(struct plan_world *world, const char *address, enum tr_nexthop_state state)
{
	struct tr_addr addr = make_addr(address);

	plan_world_hop(world, &addr)->state = state;
}

void plan_world_forget_hop(struct plan_world *world, const char *address)
{
	struct tr_addr addr = make_addr(address);

	plan_world_hop(world, &addr);
	world->hops[find_hop(world, &addr)].known = false;
}

int plan_world_try(struct plan_world *world, const struct config *config, struct plan **ret, char **ret_message)
{
	struct desired desired = { .config = config, .nexthop = plan_world_ask, .nexthop_arg = world,
				   .devices = &world->devices, .now = world->now,
				   .tick_ns = world->tick_ns };
	struct model *model = NULL;
	int err = model_build(config, &model);

	assert(!err);
	desired.model = model;
	err = plan_build(&desired, &world->maps->running, ret, ret_message);
	model_free(model);
	return err;
}

void plan_world_restart(struct plan_world *world)
{
	fake_maps_restart(world->maps, world->now);
}

void plan_world_pass(struct plan_world *world, uint32_t ticks)
{
	uint32_t wait = affinity_tick(world->maps->affinity, world->now);

	while (wait <= ticks && ticks) {
		wait = wait ? wait : 1;
		world->now += wait;
		ticks -= wait;
		wait = affinity_tick(world->maps->affinity, world->now);
	}
	world->now += ticks;
}

void plan_world_settle(struct plan_world *world)
{
	uint32_t wait = affinity_tick(world->maps->affinity, world->now);

	for (int i = 0; wait != AFFINITY_NEVER; i++) {
		if (i == SETTLE_TICKS_MAX)
			fail_msg("%snot settled after %d ticks", world->context, i);
		world->now += wait ? wait : 1;
		wait = affinity_tick(world->maps->affinity, world->now);
	}
}

struct plan *plan_world_plan(struct plan_world *world, const struct config *config)
{
	_cleanup_free_ char *message = NULL;
	struct plan *plan = NULL;

	if (plan_world_try(world, config, &plan, &message))
		fail_msg("%s%s", world->context, message);
	return plan;
}

void plan_world_apply(struct plan_world *world, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		int err = fake_maps_apply(world->maps, &plan->steps[i], world->now);

		if (err)
			fail_msg("%sstep %zu of %zu, %s %u: %s", world->context, i, plan->n,
				 step_kind_name(plan->steps[i].kind), plan->steps[i].number, strerror(-err));
	}
}

static struct plan *plan_and_apply(struct plan_world *world, const struct config *config)
{
	struct plan *plan = plan_world_plan(world, config);

	plan_world_apply(world, plan);
	affinity_tick(world->maps->affinity, world->now);
	return plan;
}

struct plan *plan_world_start(struct plan_world *world, struct config *config)
{
	struct plan *plan = plan_and_apply(world, config);

	config_free(config);
	return plan;
}

struct plan *plan_world_change(struct plan_world *world, struct config *config)
{
	struct plan *plan = plan_and_apply(world, config);

	plan_world_settle(world);
	plan_world_check(world, config);
	config_free(config);
	return plan;
}

static void check_first_fill(struct plan_world *world, const struct config *config)
{
	struct plan_world fresh = *world;
	_cleanup_free_ char *ours = plan_dump(world->maps), *theirs = NULL;
	char *a = ours, *b, *line_a = "", *line_b = "";

	fresh.maps = fake_maps_new(&world->maps->running.limits, world->now);
	plan_free(plan_and_apply(&fresh, config));
	plan_world_settle(&fresh);
	theirs = b = plan_dump(fresh.maps);
	fake_maps_free(fresh.maps);
	while ((a || b) && !strcmp(line_a, line_b)) {
		line_a = a ? strsep(&a, "\n") : "";
		line_b = b ? strsep(&b, "\n") : "";
	}
	if (strcmp(line_a, line_b))
		fail_msg("%safter the change:\n  %s\na first fill gives:\n  %s", world->context, line_a, line_b);
}

void plan_world_check(struct plan_world *world, const struct config *config)
{
	struct plan *again = plan_world_plan(world, config);
	_cleanup_free_ char *text = plan_steps_text(again);
	struct tr_pool_info *pools = world->maps->pools;

	plan_free(again);
	if (*text)
		fail_msg("%snot done after the plan: %s", world->context, text);
	for (uint32_t i = 1; i < world->maps->running.limits.pools; i++)
		for (uint32_t j = 1; j < world->maps->running.limits.pools; j++)
			if (i != j && pools[i].name[0] && pools[j].name[0] &&
			    pools[i].ring <= pools[j].ring &&
			    pools[j].ring < pools[i].ring + 2 * pools[i].ring_size)
				fail_msg("%sthe rings of %s and %s overlap", world->context, pools[i].name,
					 pools[j].name);
	check_first_fill(world, config);
}

const char *step_kind_name(enum step_kind kind)
{
	static const char *const names[] = {
		[STEP_SETTINGS] = "settings", [STEP_ENTROPY] = "entropy", [STEP_BACKEND] = "backend",
		[STEP_RING] = "ring", [STEP_VIP] = "vip",
		[STEP_PREFIXES] = "prefixes", [STEP_SERVICE] = "service", [STEP_ADDRESS] = "address",
		[STEP_FLUSH] = "flush", [STEP_POOL] = "pool", [STEP_DELETE_ADDRESS] = "-address",
		[STEP_DELETE_SERVICE] = "-service", [STEP_DELETE_VIP] = "-vip", [STEP_HASH_KEY] = "key",
	};

	return names[kind];
}

char *plan_steps_text(const struct plan *plan)
{
	char *text = NULL;
	size_t len, n[STEP_HASH_KEY + 1] = {};
	FILE *to = open_memstream(&text, &len);
	const char *gap = "";

	assert(to);
	for (size_t i = 0; i < plan->n; i++)
		n[plan->steps[i].kind]++;
	for (enum step_kind kind = 0; kind < ARRAY_SIZE(n); kind++) {
		if (!n[kind])
			continue;
		fprintf(to, "%s%s", gap, step_kind_name(kind));
		if (n[kind] > 1 && kind != STEP_FLUSH)
			fprintf(to, "*%zu", n[kind]);
		gap = " ";
	}
	fclose(to);
	return text;
}

const struct step *plan_find(const struct plan *plan, enum step_kind kind, size_t n)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->steps[i].kind == kind && !n--)
			return &plan->steps[i];
	return NULL;
}

uint32_t find_pool_number(const struct fake_maps *maps, const char *name)
{
	for (uint32_t n = 1; n < maps->running.limits.pools; n++)
		if (!strcmp(maps->pools[n].name, name))
			return n;
	return 0;
}

uint32_t find_vip_number(const struct fake_maps *maps, const char *name)
{
	for (uint32_t n = 1; n < maps->running.limits.vips; n++)
		if (!strcmp(maps->vip_info[n].name, name))
			return n;
	return 0;
}

uint32_t find_backend_number(const struct fake_maps *maps, const char *pool, const char *address)
{
	struct tr_addr addr = make_addr(address);
	uint32_t in = find_pool_number(maps, pool);

	for (uint32_t n = 1; n < maps->running.limits.backends; n++) {
		const struct tr_backend_info *info = &maps->backend_info[n];

		if (info->pool == in && !addr_compare(&info->address, &addr) && info->state != TR_BACKEND_FREE)
			return n;
	}
	return 0;
}
