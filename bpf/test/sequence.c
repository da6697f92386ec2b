// SPDX-License-Identifier: GPL-2.0-only
/* See trial.h: random shapes and steps, and how they are told to people. */
#include <stdio.h>

#include "trial.h"

static __u32 between(struct rng *rng, __u32 low, __u32 high)
{
	return low + rng_below(rng, high - low + 1);
}

static struct tr_pool_times random_times(struct rng *rng)
{
	struct tr_pool_times times = { .settle = between(rng, 40, 500) };

	times.udp = between(rng, 20, times.settle);
	times.syn = between(rng, 3, 20);
	times.life = between(rng, times.settle, 3 * times.settle);
	times.linger = between(rng, 5, 60);
	times.drain = between(rng, 20, 3 * times.settle);
	return times;
}

struct trial_shape trial_shape_of(__u64 seed)
{
	static const __u32 starts[] = { 1000, (1 << 20) - 300, -400U, 0x7ffffe00, 123456789 };
	struct rng rng = rng_new(seed);
	struct trial_shape shape = { .seed = seed };
	bool tiny;
	__u32 i;

	rng_below(&rng, 2);
	shape.start = starts[rng_below(&rng, 5)];
	shape.calm = rng_chance(&rng, 40);
	tiny = !shape.calm && rng_chance(&rng, 50);
	shape.flows = between(&rng, 15, TRIAL_FLOWS);
	for (i = 0; i < TR_TIER_COUNT; i++)
		shape.sets[i] = tiny ? between(&rng, 1, 6) : shape.calm ? 64 : between(&rng, 8, 64);
	shape.tcp_full = shape.sets[TR_TIER_TCP] * TR_SET_SLOTS * (rng_chance(&rng, 70) ? 90 : 40) / 100;
	shape.syn_budget = shape.calm ? 1000 : between(&rng, 1, 40);
	shape.n_pools = between(&rng, 2, TRIAL_POOLS);
	shape.n_vips = between(&rng, 2, TRIAL_VIPS);
	shape.n_backends = between(&rng, 3 * (shape.n_pools - 1) + 3, TRIAL_BACKENDS);
	for (i = 1; i < TRIAL_POOLS; i++) {
		shape.times[i] = random_times(&rng);
		shape.ring[i] = rng_below(&rng, TRIAL_RING_SIZES);
	}
	for (i = 1; i < TRIAL_VIPS; i++)
		shape.modes[i] = rng_chance(&rng, 60) ? TR_MODE_CHANGES : rng_below(&rng, TR_MODE_COUNT);
	shape.by_addresses = rng_chance(&rng, 30);
	return shape;
}

static struct trial_step packet_step(const struct trial *t, struct rng *rng)
{
	struct trial_step s = { STEP_PACKET, rng_below(rng, t->shape.flows), MODEL_DATA, 0, 0 };
	const struct flow *f = &t->flows[s.a];

	if (f->packet.kind == MODEL_DATAGRAM) {
		s.c = rng_chance(rng, 2) ? between(rng, 1, 65535) : 0;
		return s;
	}
	if (rng_chance(rng, f->state == FLOW_CLOSED ? 85 : f->state == FLOW_BEGUN ? 10 : 3))
		s.b = MODEL_SYN;
	else if (rng_chance(rng, 6))
		s.b = MODEL_FIN;
	if (s.b == MODEL_SYN && f->state != FLOW_BEGUN && rng_chance(rng, 40))
		s.c = between(rng, 1, 65535);
	return s;
}

static struct trial_step change_step(const struct trial *t, struct rng *rng)
{
	struct trial_step s = { STEP_BACKEND, rng_below(rng, 16), rng_below(rng, 16), 0, 0 };
	__u32 which = rng_below(rng, 100);

	if (which < 55) {
		static const enum want wants[] = { WANT_UP, WANT_UP, WANT_UP, WANT_DRAINING, WANT_ABSENT, WANT_ABSENT, WANT_DOWN };

		s.c = wants[rng_below(rng, 7)];
	} else if (which < 67) {
		s.kind = STEP_WEIGHTS;
		s.b = rng_below(rng, 50);
	} else if (which < 75) {
		s.kind = STEP_VIP_POOL;
	} else if (which < 82) {
		s.kind = STEP_VIP_MODE;
		s.b = rng_chance(rng, 50) ? (__u32)TR_MODE_CHANGES : rng_below(rng, TR_MODE_COUNT);
	} else if (which < 85) {
		s.kind = STEP_VIP_GOES;
	} else if (which < 90) {
		s.kind = STEP_RING_SIZE;
	} else if (which < 93) {
		s.kind = STEP_HASH_KEY;
		s.a = rng_below(rng, 1000);
	} else if (which < 94) {
		s.kind = STEP_POOL_GOES;
	} else if (which < 97) {
		s.kind = rng_chance(rng, 60) ? STEP_VIP_JOINS : STEP_VIP_MSS;
	} else {
		s.kind = STEP_SEVERAL;
		s.a = between(rng, 1, 4);
	}
	return s;
}

static struct trial_step time_step(const struct trial *t, struct rng *rng)
{
	const struct tr_pool_times *times = &t->shape.times[between(rng, 1, t->shape.n_pools - 1)];
	struct trial_step s = { STEP_TIME, between(rng, 1, 4), 0, 0, 0 };
	__u32 which = rng_below(rng, 400);

	if (which < 12)
		s.a = times->syn;
	else if (which < 14)
		s.a = between(rng, times->udp / 2, times->udp);
	else if (which < 16)
		s.a = between(rng, times->settle / 4, times->settle);
	else if (which < 17)
		s.a = between(rng, times->settle, times->life);
	return s;
}

static struct trial_step crash_step(struct rng *rng)
{
	struct trial_step s = { .kind = STEP_CRASH };
	__u32 which = rng_below(rng, 100);

	if (which < 40) {
		s.kind = STEP_CRASH_CHANGE;
		s.a = between(rng, 1, 40);
	} else if (which < 75) {
		s.kind = STEP_CRASH_WRITE;
		s.a = rng_chance(rng, 50) ? between(rng, 1, 8) : between(rng, 1, 120);
	}
	return s;
}

struct trial_step trial_next(struct trial *t, struct rng *rng)
{
	__u32 which = rng_below(rng, 1000);

	if (!t->core && rng_chance(rng, 3))
		return (struct trial_step){ .kind = STEP_RESTART };
	if (which < 130)
		return time_step(t, rng);
	if (which < 145)
		return (struct trial_step){ .kind = STEP_TICK };
	if (which < 157)
		return change_step(t, rng);
	if (which < 160)
		return crash_step(rng);
	if (which < 200)
		return (struct trial_step){ STEP_PEEK, rng_below(rng, t->shape.flows), rng_below(rng, 3), 0, 0 };
	if (which < 204 && !t->shape.calm)
		return (struct trial_step){ STEP_FLOOD, rng_below(rng, 3), rng_below(rng, 16), between(rng, 1, 60),
					    rng_below(rng, 1 << 30) };
	return packet_step(t, rng);
}

static const char *const kinds[STEP_KINDS] = {
	"packet", "peek", "time passes", "tick", "backend", "weights", "VIP to pool", "VIP to mode", "VIP goes or comes",
	"VIP by addresses or ports", "MSS and flags",
	"ring size", "hash key", "pool goes or comes", "several changes at once", "flood", "crash", "crash in the next change",
	"crash in the next call", "restart", "calm",
};
static const char *const modes[TR_MODE_COUNT] = { "changes", "track", "hash", "client" };

const char *trial_kind_name(enum trial_kind kind)
{
	return kinds[kind];
}

void trial_print_shape(const struct trial_shape *s)
{
	__u32 i;

	fprintf(stderr, "# start %u, %u flows, sets TCP %u SYN %u UDP %u TRACK %u, tcp_full %u, syn_budget %u, %u backends\n",
		s->start, s->flows, s->sets[0], s->sets[1], s->sets[2], s->sets[3], s->tcp_full, s->syn_budget,
		s->n_backends - 1);
	for (i = 1; i < s->n_pools; i++)
		fprintf(stderr, "# pool %u: W %u, T_u %u, T_syn %u, life %u, linger %u, drain %u, ring %u\n", i, s->times[i].settle,
			s->times[i].udp, s->times[i].syn, s->times[i].life, s->times[i].linger, s->times[i].drain,
			trial_ring_sizes[s->ring[i]]);
	for (i = 1; i < s->n_vips; i++)
		fprintf(stderr, "# VIP %u: pool %u, mode %s%s\n", i, 1 + i % (s->n_pools - 1), modes[s->modes[i]],
			i == TRIAL_JOINER && s->by_addresses ? ", by addresses" : "");
}

void trial_print_step(const struct trial_step *s)
{
	static const char *const packets[] = { "SYN", "data", "FIN" }, *const floods[] = { "SYNs", "SYN+ACKs", "UDP" };
	static const char *const wants[] = { "absent", "up", "draining", "down" };

	fprintf(stderr, "#   { %d, %u, %u, %u, %u } %s", s->kind, s->a, s->b, s->c, s->d, kinds[s->kind]);
	switch (s->kind) {
	case STEP_PACKET:
	case STEP_PEEK:
		fprintf(stderr, ": flow %u, %s%s", s->a, packets[s->b % 3], s->c ? ", from a new port" : "");
		break;
	case STEP_TIME:
		fprintf(stderr, ": %u ticks", s->a);
		break;
	case STEP_BACKEND:
		fprintf(stderr, ": slot %u %s", s->b % TRIAL_SLOTS, wants[s->c % WANT_COUNT]);
		break;
	case STEP_VIP_MODE:
		fprintf(stderr, ": %s", modes[s->b % TR_MODE_COUNT]);
		break;
	case STEP_FLOOD:
		fprintf(stderr, ": %u %s", s->c, floods[s->a % 3]);
		break;
	default:
		break;
	}
	fprintf(stderr, "\n");
}
