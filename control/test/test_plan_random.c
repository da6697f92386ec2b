// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plans under random changes of configurations and next hops, one step at a time, with packets that watch, most before the
 * last change has settled; some broken off in the middle, as by a crash, and planned anew. Whenever all has settled, the maps
 * are those of a first fill. SEED and ROUNDS (sequences, a seed each) in the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"
#include "random_change.h"
#include "util.h"
#include "watch.h"

#define ROUNDS 20
#define CHANGES 25		/* in a sequence */

struct sequence {
	struct change_state state, reached;	/* where it goes, where it last was as a whole */
	struct plan_world *world;
	struct watch *watch;
	bool crashes, crashed;
	bool unreached;			/* the last change was broken off */
	/* By backend number: the pool that it was given out for. */
	char (*owners)[TR_NAME_MAX];
};

__attribute__((format(printf, 2, 3)))
static void violation(struct sequence *s, const char *fmt, ...)
{
	char what[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	fail_msg("%s%s", s->world->context, what);
}

/* A pool's name as it will be: while the plan runs it may not be written yet. */
static const char *pool_name(const struct sequence *s, const struct plan *plan, uint32_t number)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->steps[i].kind == STEP_POOL && plan->steps[i].number == number)
			return plan->steps[i].pool.name;
	return s->world->maps->pools[number].name;
}

/* A number stays its backend's; a new owner comes when affinity has freed it, with a higher generation. */
static void check_owner(struct sequence *s, const struct plan *plan, const struct step *step)
{
	const struct tr_backend_info *old = &s->world->maps->backend_info[step->number], *now = &step->backend_info;
	const char *owner = pool_name(s, plan, now->pool);

	if (step->fresh) {
		if (now->generation != (uint16_t)(old->generation + 1))
			violation(s, "number %u changes hands without a new generation", step->number);
		if (old->state != TR_BACKEND_FREE)
			violation(s, "number %u changes hands too early", step->number);
	} else {
		if (now->generation != old->generation || addr_compare(&now->address, &old->address))
			violation(s, "number %u changes hands unnoticed", step->number);
		/* A pool whose ring was written and that then never got its name may become another's. */
		if (!s->crashed && strcmp(s->owners[step->number], owner))
			violation(s, "number %u goes from pool %s to %s unnoticed", step->number,
				  s->owners[step->number], owner);
	}
	strcpy(s->owners[step->number], owner);
}

static void observe(struct sequence *s, const struct plan *plan, size_t i)
{
	if (!watch_observe(s->watch))
		violation(s, "after step %zu of %zu, %s %u: %s", i, plan->n, step_kind_name(plan->steps[i].kind),
			  plan->steps[i].number, s->watch->why);
}

static void apply_step(struct sequence *s, const struct plan *plan, size_t i)
{
	const struct step *step = &plan->steps[i];
	int err;

	if (step->kind == STEP_BACKEND)
		check_owner(s, plan, step);
	err = fake_maps_apply(s->world->maps, step, s->world->now);
	if (err)
		violation(s, "step %zu of %zu, %s %u: %s", i, plan->n, step_kind_name(step->kind), step->number,
			  strerror(-err));
	observe(s, plan, i);
}

/* Some steps of the plan, the last ring only in part. */
static void break_off(struct sequence *s, const struct plan *plan)
{
	size_t stop = random_below(&s->state.seed, plan->n);

	for (size_t i = 0; i < stop; i++)
		apply_step(s, plan, i);
	if (plan->steps[stop].kind == STEP_RING) {
		fake_maps_apply_ring(s->world->maps, &plan->steps[stop],
				     random_below(&s->state.seed, 2 * plan->steps[stop].ring.size), s->world->now);
		observe(s, plan, stop);
	}
	s->crashed = true;
	plan_world_restart(s->world);
	observe(s, plan, stop);
}

static bool wants_crash(struct sequence *s, const struct plan *plan)
{
	return s->crashes && plan->n && s->watch->n_targets + 2 < WATCH_TARGETS_MAX && !random_below(&s->state.seed, 3);
}

/* Planned anew towards the same configuration, towards the one after it, or back. */
static void turn_after_crash(struct sequence *s)
{
	uint32_t seed = s->state.seed;

	switch (random_below(&seed, 3)) {
	case 0:
		s->state = s->reached;
		break;
	case 1:
		random_change(&s->state, s->world);
		seed = s->state.seed;
	}
	s->state.seed = seed;
}

/* All that is unsettled settles: what the configuration says is what the maps hold. */
static void settle(struct sequence *s)
{
	struct config *config = s->watch->targets[s->watch->n_targets - 1].config;

	plan_world_settle(s->world);
	if (!watch_settled(s->watch))
		violation(s, "when all has settled: %s", s->watch->why);
	plan_world_check(s->world, config);
}

/* Time goes on in steps that need not be those in which something is due. */
static void pass(struct sequence *s, uint32_t ticks)
{
	while (ticks) {
		uint32_t step = 1 + random_below(&s->state.seed, ticks < 200 ? ticks : 200);

		plan_world_pass(s->world, step);
		ticks -= step;
		if (!watch_observe(s->watch))
			violation(s, "%u ticks before the next change: %s", ticks, s->watch->why);
	}
}

/* All of the plan. The config is the watch's. */
static void apply_all(struct sequence *s, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		apply_step(s, plan, i);
	plan_world_pass(s->world, 0);
	if (!watch_end(s->watch))
		violation(s, "at the end: %s", s->watch->why);
}

/* The next hops as they are now, and the configuration that is there. */
static void follow(struct sequence *s)
{
	struct config *config = change_config(&s->reached);
	struct plan *plan = plan_world_plan(s->world, config);

	watch_begin(s->watch, config);
	apply_all(s, plan);
	plan_free(plan);
}

/* Numbers that rest and VIPs that move may be in the way; only until all has settled. False: put the one before back. */
static bool plan_now_or_later(struct sequence *s, const struct config *config, struct plan **ret)
{
	_cleanup_free_ char *message = NULL, *later = NULL;

	if (!plan_world_try(s->world, config, ret, &message))
		return true;
	if (!strstr(message, "limits.backends") && !strstr(message, "hash_key"))
		violation(s, "%s", message);
	if (s->unreached)
		return false;
	follow(s);
	settle(s);
	if (plan_world_try(s->world, config, ret, &later))
		violation(s, "also when all has settled: %s", later);
	return true;
}

static void run_change(struct sequence *s)
{
	struct config *config = change_config(&s->state);
	struct plan *plan;

	if (!plan_now_or_later(s, config, &plan)) {
		config_free(config);
		s->reached.seed = s->state.seed;
		s->state = s->reached;
		config = change_config(&s->state);
		plan = plan_world_plan(s->world, config);
	}
	watch_begin(s->watch, config);
	s->unreached = wants_crash(s, plan);
	if (s->unreached)
		break_off(s, plan);
	else
		apply_all(s, plan);
	plan_free(plan);
	if (s->unreached) {
		turn_after_crash(s);
		run_change(s);
	} else {
		s->reached = s->state;
	}
}

static void start_sequence(struct sequence *s, uint32_t seed)
{
	struct tr_addr addresses[32];
	size_t n = change_addresses(addresses, ARRAY_SIZE(addresses));
	struct config *config = make_config();
	struct config_limits limits = config->limits;

	limits.backends = 40;
	random_start(&s->state, seed);
	s->reached = s->state;
	s->world = plan_world_new(&limits);
	s->watch = watch_new(s->world, addresses, n, change_ports, change_n_ports);
	s->owners = calloc(limits.backends + 1, sizeof(*s->owners));
	assert_non_null(s->owners);
	watch_begin(s->watch, config);
}

static void end_sequence(struct sequence *s)
{
	free(s->owners);
	watch_free(s->watch);
	plan_world_free(s->world);
}

static void run_sequence(uint32_t seed, bool crashes)
{
	struct sequence s = { .crashes = crashes };

	start_sequence(&s, seed);
	for (int c = 0; c < CHANGES; c++) {
		snprintf(s.world->context, sizeof(s.world->context), "SEED=%u ROUNDS=1, change %d: ", seed, c);
		if (c)
			random_change(&s.state, s.world);
		run_change(&s);
		pass(&s, random_time(&s.state));
		if (!random_below(&s.state.seed, 8) || s.watch->n_targets > WATCH_TARGETS_MAX / 2)
			settle(&s);
	}
	settle(&s);
	end_sequence(&s);
}

static void run_sequences(bool crashes)
{
	unsigned long first = number_from_env("SEED", 1), rounds = number_from_env("ROUNDS", ROUNDS);

	print_message("# SEED=%lu ROUNDS=%lu\n", first, rounds);
	for (unsigned long seed = first; seed < first + rounds; seed++)
		run_sequence(seed, crashes);
}

static void test_changes(void **state)
{
	run_sequences(false);
}

static void test_crashes(void **state)
{
	run_sequences(true);
}

/* What a first fill or a change of ring sizes leaves behind, wherever it ends, is not for another to write over. */
static void break_rings_off(struct sequence *s, const char *const pools[3], const uint32_t sizes[3], size_t stop)
{
	for (int turn = 0; turn < 3; turn++) {
		struct config *config = make_config();
		struct plan *plan;

		make_pool(config, turn == 2 ? "other" : "mine", turn == 2 ? 37 : 11, "10.0.0.7 10.0.0.8");
		make_pool(config, pools[turn], sizes[turn], turn == 2 ? "10.0.0.5" : "10.0.0.1 10.0.0.2");
		make_vip(config, "web", turn == 2 ? "other" : "mine", "192.0.2.1", "tcp/80");
		make_vip(config, "dns", pools[turn], "192.0.2.2", "udp/53");
		snprintf(s->world->context, sizeof(s->world->context), "stop %zu, turn %d: ", stop, turn);
		plan = plan_world_plan(s->world, config);
		watch_begin(s->watch, config);
		for (size_t i = 0; i < plan->n && (turn != 1 || i < stop); i++)
			apply_step(s, plan, i);
		plan_free(plan);
		s->crashed = true;
		if (turn == 1) {
			plan_world_restart(s->world);
			continue;
		}
		plan_world_pass(s->world, 0);
		if (!watch_end(s->watch))
			violation(s, "at the end: %s", s->watch->why);
		settle(s);
	}
}

static void test_crash_at_every_step(void **state)
{
	static const char *const same[3] = { "red", "red", "red" }, *const renamed[3] = { "red", "blue", "green" };
	static const uint32_t sizes[3] = { 13, 23, 37 };

	for (size_t stop = 0; stop < 40; stop++)
		for (int i = 0; i < 2; i++) {
			struct sequence s = {};

			start_sequence(&s, 1);
			break_rings_off(&s, i ? same : renamed, sizes, stop);
			end_sequence(&s);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_crash_at_every_step),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("plan under random changes", tests, NULL, NULL);
}
