// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of docs/affinity.md: random trials (trial.h) of the programs and the controller's core against a model that was written
 * from the same text. TAILRACE_SEED=n repeats a run (and is printed), TAILRACE_STEPS=n does more; a trial that fails is
 * printed with its own seed and with as few steps as it needs: TAILRACE_SEED=n TAILRACE_TRIALS=1 tells it again.
 * TAILRACE_MODEL=1: without the programs, the model in their place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/bpf.h>

#include "harness.h"
#include "shrink.h"

#define STEPS_DEFAULT 1200000
#define SEED_DEFAULT 1
#define TRIAL_STEPS 3000
#define GROUPS 20
#define CACHE_SIZE 16

static __u64 seed, trials;
static struct harness *harness;
static struct trial *trial;

static __u64 from_environment(const char *name, __u64 otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* The backend's number stands in the MAC address that world_add_backend() gave it. */
static int choose(void *arg, const __u8 *frame, size_t len)
{
	static struct observed observed;

	harness_run(arg, frame, len, &observed);
	if (observed.action == XDP_DROP)
		return 0;
	return observed.action == XDP_TX ? observed.data[3] << 16 | observed.data[4] << 8 | observed.data[5] : -1;
}

static int peek(void *arg, const __u8 *frame, size_t len)
{
	return harness_peek(arg, frame, len);
}

static struct trial_program program = { .choose = choose, .peek = peek };

/* Every VIP at both addresses, for both protocols, at its own port. */
static struct world *trial_world(void)
{
	static const struct tr_addr addresses[] = { ADDR4(192, 0, 2, 10), ADDR6(0x20010db8, 0, 0, 0x10) };
	static const struct tr_addr first = ADDR4(10, 9, 0, 0);
	const struct world_limits limits = {
		.addresses = 2, .prefixes = 1, .services = 4 * TRIAL_VIPS, .vips = TRIAL_VIPS, .words = TRIAL_WORDS,
		.backends = TRIAL_BACKENDS, .pools = TRIAL_POOLS, .flow_sets = TRIAL_SETS, .test_clock = true,
	};
	struct world *world = world_new(&limits);
	__u32 i, vip;

	for (i = 0; i < 2; i++) {
		struct tr_vip_address *at = world_add_address(world, addresses[i]);

		for (vip = 1; vip < TRIAL_VIPS; vip++) {
			world_add_service(world, at, TR_TCP, TRIAL_PORT + vip, vip);
			world_add_service(world, at, TR_UDP, TRIAL_PORT + vip, vip);
		}
	}
	for (i = 1; i < TRIAL_BACKENDS; i++) {
		struct tr_addr addr = first;

		addr.w[3] |= htonl(i);
		world_add_backend(world, addr, STANDARD_MTU);
	}
	return world;
}

static void setup(void)
{
	struct affinity_view view;
	struct world *world;

	if (getenv("TAILRACE_MODEL")) {
		trial = trial_new(NULL, NULL);
		return;
	}
	world = trial_world();
	harness = harness_new(&world->limits, CACHE_SIZE);
	harness_apply(harness, world);
	view = harness_view(harness);
	program.arg = harness;
	trial = trial_new(&program, &view);
	world_free(world);
}

static void report(struct story *story, __u64 number)
{
	size_t steps = story->n;

	fprintf(stderr, "# TAILRACE_SEED=%llu TAILRACE_TRIALS=1: step %zu: %s\n", number, steps, trial->why);
	if (getenv("TAILRACE_NO_SHRINK"))
		return;
	story_shrink(trial, story);
	fprintf(stderr, "# %zu of %zu steps are enough:\n", story->n, steps);
	story_print(story, trial->why);
}

static void test_trials(void **state)
{
	__u64 group = (uintptr_t)*state, i;
	struct story story;

	for (i = group * trials / GROUPS; i < (group + 1) * trials / GROUPS; i++) {
		if (story_random(trial, seed + i, TRIAL_STEPS, &story))
			continue;
		report(&story, seed + i);
		free(story.steps);
		fail_msg("%s", trial->why);
	}
}

/* A generator that reaches only some of the rules would let the rest rot unseen. */
static void test_clauses_reached(void **state)
{
	enum model_clause clause;
	bool all = true;

	for (clause = 0; clause < MODEL_CLAUSE_COUNT; clause++) {
		fprintf(stderr, "# %-20s %llu\n", model_clause_name(clause), model_reached[clause]);
		all &= model_reached[clause] >= trials / 8;
	}
	assert_true(all);
}

static void test_counts(void **state)
{
	static const char *const ends[END_COUNT] = {
#define X(name, text) text,
		TRIAL_ENDS(X)
#undef X
	};
	const struct trial_counts *c = &trial->counts;
	__u64 steps = 0;
	int i;

	for (i = 0; i < STEP_KINDS; i++) {
		fprintf(stderr, "# %-28s %llu\n", trial_kind_name(i), c->steps[i]);
		steps += c->steps[i];
	}
	fprintf(stderr, "# %llu steps, %llu packets (modes: changes %llu, track %llu, hash %llu, client %llu; of moving VIPs %llu, by addresses %llu)\n",
		steps, c->packets, c->modes[0], c->modes[1], c->modes[2], c->modes[3], c->moving,
		c->by_addresses);
	fprintf(stderr, "# flows: %llu begun, %llu packets to their backend, %llu strays, no backend for %llu\n", c->begun, c->kept,
		c->strays, c->refused_no_backend);
	fprintf(stderr, "# SYNs retried within T_syn: %llu, elsewhere %llu\n", c->retried, c->retried_elsewhere);
	for (i = 0; i < END_COUNT; i++)
		fprintf(stderr, "# flows that broke, %s: %llu\n", ends[i], c->ends[i]);
	fprintf(stderr, "# calls of the core: %llu, broken off %llu\n", c->core_calls, c->broken_off);
	assert_true(c->kept > c->packets / 4);
}

int main(void)
{
	struct CMUnitTest tests[GROUPS + 2] = {};
	char names[GROUPS][40];
	__u64 steps = from_environment("TAILRACE_STEPS", STEPS_DEFAULT);
	int i, failed;

	seed = from_environment("TAILRACE_SEED", SEED_DEFAULT);
	trials = from_environment("TAILRACE_TRIALS", (steps + TRIAL_STEPS - 1) / TRIAL_STEPS);
	fprintf(stderr, "# TAILRACE_SEED=%llu, %llu trials of %d steps\n", seed, trials, TRIAL_STEPS);
	setup();
	for (i = 0; i < GROUPS; i++) {
		snprintf(names[i], sizeof(names[i]), "affinity: trials, part %d of %d", i + 1, GROUPS);
		tests[i] = (struct CMUnitTest){ .name = names[i], .test_func = test_trials, .initial_state = (void *)(uintptr_t)i };
	}
	tests[GROUPS] = (struct CMUnitTest){ .name = "affinity: all rules were reached", .test_func = test_clauses_reached };
	tests[GROUPS + 1] = (struct CMUnitTest){ .name = "affinity: flows", .test_func = test_counts };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("affinity", tests, NULL, NULL);
	trial_free(trial);
	if (harness)
		harness_free(harness);
	return failed != 0;
}
