// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random packets in random, changing worlds, each compared with the reference: verdict, bytes and counters.
 * SEED=n repeats a run (and is printed), PACKETS=n runs more; a packet on which they differ is printed, and made as
 * small as it goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"
#include "mutate.h"

#define PACKETS_DEFAULT 320000
#define SEED_DEFAULT 1
#define RUNS 20
#define WORLD_PACKETS 2000	/* until another world */
#define CHANGE_PACKETS 100	/* until the world changes a little */

static __u64 seed, packets;
static __u64 raised[TR_V_COUNT + 1];

static bool fails(struct scene *scene, const struct packet *p, struct check *check)
{
	return !check_frame(scene->harness, scene->world, p->data, p->len, check);
}

/* Keeps what makes no difference out: first bytes at the end, then every byte that may as well be 0. */
static void shrink(struct scene *scene, struct packet *p)
{
	struct packet smaller;
	struct check check;
	size_t step, i;

	for (step = p->len / 2; step; step /= 2)
		while (p->len >= PACKET_MIN + step) {
			smaller = *p;
			smaller.len -= step;
			if (!fails(scene, &smaller, &check))
				break;
			*p = smaller;
		}
	for (i = 0; i < p->len; i++) {
		smaller = *p;
		smaller.data[i] = 0;
		if (fails(scene, &smaller, &check))
			*p = smaller;
	}
}

static void report(struct scene *scene, const struct packet *p, const struct check *found, __u64 number)
{
	struct packet small = *p;
	struct check check;

	fprintf(stderr, "# SEED=%llu run %ld packet %llu: %s\n", seed, scene->arg, number, found->why);
	packet_print("packet", p->data, p->len);
	packet_print("result", found->observed.data, found->observed.len);
	if (!fails(scene, &small, &check)) {
		fprintf(stderr, "# the same packet again: no difference (a cached answer?)\n");
		return;
	}
	shrink(scene, &small);
	fails(scene, &small, &check);
	fprintf(stderr, "# smallest: %s\n", check.why);
	packet_print("smallest packet", small.data, small.len);
	packet_print("its result", check.observed.data, check.observed.len);
}

static void test_random_packets(struct scene *scene)
{
	struct rng rng = rng_new(seed * RUNS + scene->arg);
	struct packet packet;
	struct check check;
	__u64 i;

	for (i = 0; i < packets / RUNS; i++) {
		if (i % WORLD_PACKETS == 0)
			random_world(&rng, scene->world);
		else if (i % CHANGE_PACKETS == 0)
			random_change(&rng, scene->world);
		if (i % CHANGE_PACKETS == 0)
			harness_apply(scene->harness, scene->world);
		random_packet(&rng, &packet);
		if (fails(scene, &packet, &check)) {
			report(scene, &packet, &check, i);
			fail_msg("%s", check.why);
		}
		raised[check.verdict]++;
	}
}

/* A generator that reaches only some of the verdicts would let the rest rot unseen. */
static void test_verdict_reached(struct scene *scene)
{
	fprintf(stderr, "# %s: %llu packets\n", verdict_name(scene->arg), raised[scene->arg]);
	assert_true(raised[scene->arg] >= packets / 2000);
}

static __u64 from_environment(const char *name, __u64 otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int main(void)
{
	struct cases *cases = cases_new();
	long i;
	int failed;

	seed = from_environment("SEED", SEED_DEFAULT);
	packets = from_environment("PACKETS", PACKETS_DEFAULT);
	fprintf(stderr, "# SEED=%llu PACKETS=%llu\n", seed, packets);
	cases_use(cases, world_new(&world_random), 16);
	for (i = 0; i < RUNS; i++)
		cases_add_function(cases, test_random_packets, i, "random packets, run %ld of seed %llu", i, seed);
	for (i = 0; i < TR_V_COUNT; i++)
		if (i != TR_V_NO_HEADROOM && i != TR_V_INTERNAL)
			cases_add_function(cases, test_verdict_reached, i, "random packets reach %s",
					   verdict_name(i));
	failed = cases_run(cases, "random");
	cases_free(cases);
	return failed != 0;
}
