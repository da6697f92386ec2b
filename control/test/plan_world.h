/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of plans share: an instance in memory, next hops, a clock; plans made and applied, shown and checked. */
#ifndef TAILRACE_TEST_PLAN_WORLD_H
#define TAILRACE_TEST_PLAN_WORLD_H

#include "fake_maps.h"
#include "make_config.h"

#define HOPS_MAX 64
#define WORLD_SECOND 16		/* ticks */

struct plan_world {
	struct fake_maps *maps;
	uint32_t now;			/* tick */
	uint64_t tick_ns;
	struct devices devices;
	/* Of every other address: a neighbour with a MAC address made from it. */
	struct {
		struct tr_addr address;
		bool known;		/* else NULL is what plan_build() is told */
		struct nexthop nexthop;
	} hops[HOPS_MAX];
	size_t n_hops;
	struct nexthop answer;		/* the last one given out */
	char context[64];		/* goes in front of every failure's message */
};

struct plan_world *plan_world_new(const struct config_limits *limits);
void plan_world_free(struct plan_world *world);

/* As desired.nexthop; arg: the world. */
const struct nexthop *plan_world_ask(const struct tr_addr *address, void *arg);
/* May be changed for good. */
struct nexthop *plan_world_hop(struct plan_world *world, const struct tr_addr *address);
void plan_world_set_hop(struct plan_world *world, const char *address, enum tr_nexthop_state state);
void plan_world_forget_hop(struct plan_world *world, const char *address);

/* The result of plan_build(). */
int plan_world_try(struct plan_world *world, const struct config *config, struct plan **ret, char **ret_message);

/* The controller died here, and starts anew. */
void plan_world_restart(struct plan_world *world);

/* Time passes, and affinity does what is due. */
void plan_world_pass(struct plan_world *world, uint32_t ticks);
/* Until nothing is due any more; at most, and in the end, a few hours. Fails the running test where there is no end. */
void plan_world_settle(struct plan_world *world);

/*
 * These fail the running test. start and change take the configuration over (and free it) and return the plan, applied;
 * change goes on until all has settled and checks that nothing is left to do and that the maps are those of a first fill.
 */
struct plan *plan_world_plan(struct plan_world *world, const struct config *config);
void plan_world_apply(struct plan_world *world, const struct plan *plan);
struct plan *plan_world_start(struct plan_world *world, struct config *config);
struct plan *plan_world_change(struct plan_world *world, struct config *config);
/* After a plan was applied as a whole and has settled. */
void plan_world_check(struct plan_world *world, const struct config *config);

/* All that the maps hold, by names in place of numbers, but for what history alone explains. The caller frees it. */
char *plan_dump(const struct fake_maps *maps);

const char *step_kind_name(enum step_kind kind);
/*
 * How many steps of which kind, in the order of enum step_kind: "backend*3 ring vip flush pool". Flushes are not
 * counted. The caller frees it. (That the steps' own order is right is for packets to see: watch.h.)
 */
char *plan_steps_text(const struct plan *plan);
/* The n-th step of a kind, from 0; NULL: there is none. */
const struct step *plan_find(const struct plan *plan, enum step_kind kind, size_t n);

/* Numbers by name; 0: none. */
uint32_t find_pool_number(const struct fake_maps *maps, const char *name);
uint32_t find_vip_number(const struct fake_maps *maps, const char *name);
/* In whatever state but FREE. */
uint32_t find_backend_number(const struct fake_maps *maps, const char *pool, const char *address);

#endif
