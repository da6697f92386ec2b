// SPDX-License-Identifier: GPL-2.0-only
/*
 * See fuzz.h. What leaves is compared for every packet; counters cost a system call and are compared in sums, every
 * BATCH packets.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 500		/* until counters are compared and the world changes a little */
#define CACHE_SIZE 16

struct fuzz {
	struct harness *harness;
	struct world *world;
	struct rng rng;
	struct stream stream;
	__u64 raised[TR_V_COUNT];
	/* Since the last comparison, as the reference counts: */
	__u64 verdicts[TR_V_COUNT];
	struct tr_traffic *vips, *backends;
	/* Packet by packet: */
	bool slow;
	struct packet packet;
	struct check check;
};

struct fuzz *fuzz_new(const struct corpus *corpus, __u32 other_device)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	struct world_limits limits = world_random;

	if (!f)
		abort();
	limits.several_devices = other_device != 0;
	f->world = world_new(&limits);
	f->world->devices[0] = other_device;
	f->world->n_devices = other_device != 0;
	f->harness = harness_new(&limits, CACHE_SIZE);
	f->vips = calloc(limits.vips, sizeof(*f->vips));
	f->backends = calloc(limits.backends, sizeof(*f->backends));
	f->stream.rng = &f->rng;
	f->stream.corpus = corpus;
	return f;
}

void fuzz_free(struct fuzz *f)
{
	harness_free(f->harness);
	world_free(f->world);
	free(f->vips);
	free(f->backends);
	free(f);
}

const __u64 *fuzz_raised(const struct fuzz *f)
{
	return f->raised;
}

static void add_traffic(struct tr_traffic *sum, const struct tr_traffic *one)
{
	sum->packets += one->packets;
	sum->bytes += one->bytes;
	sum->new_flows += one->new_flows;
}

static void account(struct fuzz *f, const struct answer *a)
{
	f->raised[a->verdict]++;
	f->verdicts[a->verdict]++;
	if (!a->traffic.packets)
		return;
	add_traffic(&f->vips[a->vip], &a->traffic);
	add_traffic(&f->backends[a->backend], &a->traffic);
}

static bool same_sums(struct fuzz *f)
{
	const struct counted *counted = harness_count(f->harness);
	const struct world_limits *l = &f->world->limits;
	bool same = !memcmp(counted->verdicts, f->verdicts, sizeof(f->verdicts)) &&
		    !memcmp(counted->vips, f->vips, l->vips * sizeof(*f->vips)) &&
		    !memcmp(counted->backends, f->backends, l->backends * sizeof(*f->backends));

	memset(f->verdicts, 0, sizeof(f->verdicts));
	memset(f->vips, 0, l->vips * sizeof(*f->vips));
	memset(f->backends, 0, l->backends * sizeof(*f->backends));
	if (!same)
		snprintf(f->check.why, sizeof(f->check.why), "counters");
	return same;
}

/* Time passes now and then, by some ticks or by so many that fragments are forgotten. */
static void pass_time(struct fuzz *f)
{
	if (rng_chance(&f->rng, 2))
		f->world->settings.tick += 1 + rng_below(&f->rng, 20);
	else if (!rng_below(&f->rng, 500))
		f->world->settings.tick += 120 + rng_below(&f->rng, 16);
	else
		return;
	harness_tick(f->harness, f->world->settings.tick);
}

static void begin(struct fuzz *f, __u64 seed)
{
	f->rng = rng_new(seed);
	memset(f->stream.wholes, 0, sizeof(f->stream.wholes));
	f->stream.replay_left = 0;
	random_world(&f->rng, f->world);
	f->world->settings.tick = rng_below(&f->rng, 4) * 0x3fff0;
	harness_forget(f->harness);
	harness_apply(f->harness, f->world);
	harness_count(f->harness);
	memset(f->verdicts, 0, sizeof(f->verdicts));
	memset(f->vips, 0, f->world->limits.vips * sizeof(*f->vips));
	memset(f->backends, 0, f->world->limits.backends * sizeof(*f->backends));
}

/* Up to the packet itself; false: counters differ. */
static bool next_packet(struct fuzz *f, __u32 i)
{
	if (i && i % BATCH == 0) {
		if (!f->slow && !same_sums(f))
			return false;
		random_change(&f->rng, f->world);
		if (reference_is_doubtful(harness_reference(f->harness), f->world))
			harness_forget(f->harness);
		harness_apply(f->harness, f->world);
	}
	pass_time(f);
	stream_next(&f->stream, &f->packet);
	return true;
}

/* Which of several answers it was, the verdict tells: what was counted and is not in the sums. */
static __u32 verdict_of_last(struct fuzz *f)
{
	const __u64 *counted = harness_count_verdicts(f->harness);
	__u64 more[TR_V_COUNT];
	__u32 i;

	for (i = 0; i < TR_V_COUNT; i++)
		more[i] = counted[i] - f->verdicts[i];
	memset(f->verdicts, 0, sizeof(f->verdicts));
	return verdict_only(more);
}

static bool fast_packet(struct fuzz *f)
{
	const struct packet *p = &f->packet;
	__u32 verdict;

	harness_run(f->harness, p->data, p->len, &f->check.observed);
	if (!check_observed(f->harness, f->world, p->data, p->len, TR_V_COUNT, &f->check))
		return false;
	if (f->check.unclear) {
		verdict = verdict_of_last(f);
		if (!check_observed(f->harness, f->world, p->data, p->len, verdict, &f->check) || verdict == TR_V_COUNT)
			return false;
		account(f, &f->check.answer);
		f->verdicts[f->check.answer.verdict]--;
		return true;
	}
	account(f, &f->check.answer);
	return true;
}

bool fuzz_epoch(struct fuzz *f, __u64 seed, __u32 packets, volatile __u64 *progress)
{
	__u32 i;

	begin(f, seed);
	f->slow = false;
	for (i = 0; i < packets; i++) {
		if (!next_packet(f, i) || !fast_packet(f))
			return false;
		if (progress)
			++*progress;
	}
	return same_sums(f);
}

static bool fails(struct fuzz *f, const struct remembered *before, const struct packet *p)
{
	harness_restore(f->harness, before);
	return !check_frame(f->harness, f->world, p->data, p->len, &f->check);
}

/* A smaller packet has to fail in the same way, not in another one. */
static bool fails_as(struct fuzz *f, const struct remembered *before, const struct packet *p, const struct check *as)
{
	return fails(f, before, p) && f->check.verdict == as->verdict && f->check.answer.verdict == as->answer.verdict;
}

/* Keeps what makes no difference out: first bytes at the end, then every byte that may as well be 0. */
static void shrink(struct fuzz *f, const struct remembered *before, struct packet *p)
{
	const struct check as = f->check;
	struct packet smaller;
	size_t step, i;

	for (step = p->len / 2; step; step /= 2)
		while (p->len >= PACKET_MIN + step) {
			smaller = *p;
			smaller.len -= step;
			if (!fails_as(f, before, &smaller, &as))
				break;
			*p = smaller;
		}
	for (i = 0; i < p->len; i++) {
		smaller = *p;
		smaller.data[i] = 0;
		if (smaller.data[i] != p->data[i] && fails_as(f, before, &smaller, &as))
			*p = smaller;
	}
}

static void report(struct fuzz *f, const struct packet *p, const char *title)
{
	fprintf(stderr, "# %s: %s\n", title, f->check.why);
	packet_print("packet", p->data, p->len);
	packet_print("result", f->check.observed.data, f->check.observed.len);
	if (f->check.answer.len)
		packet_print("expected", f->check.answer.data, f->check.answer.len);
}

/* Everything once more up to that packet, whose difference is known; then from there again and again. */
static void explain_packet(struct fuzz *f, __u64 seed, __u32 number, const char *save_to)
{
	struct remembered *before;
	struct packet small;
	__u32 i;

	begin(f, seed);
	for (i = 0; i < number; i++) {
		next_packet(f, i);
		check_frame(f->harness, f->world, f->packet.data, f->packet.len, &f->check);
	}
	next_packet(f, i);
	before = harness_save(f->harness);
	small = f->packet;
	if (!fails(f, before, &small)) {
		fprintf(stderr, "# packet %u again: no difference (a cached answer?)\n", number);
	} else {
		shrink(f, before, &small);
		fails(f, before, &small);
		report(f, &small, "smallest");
	}
	if (save_to)
		corpus_save(save_to, &small, f->check.why);
	harness_drop(before);
}

void fuzz_explain(struct fuzz *f, __u64 seed, __u32 packets, const char *save_to)
{
	__u32 i;

	fprintf(stderr, "# epoch with seed %llu\n", seed);
	report(f, &f->packet, "as it was found");
	begin(f, seed);
	f->slow = true;
	for (i = 0; i < packets; i++) {
		next_packet(f, i);
		if (check_frame(f->harness, f->world, f->packet.data, f->packet.len, &f->check))
			continue;
		fprintf(stderr, "# seed %llu, packet %u\n", seed, i);
		report(f, &f->packet, "first difference");
		explain_packet(f, seed, i, save_to);
		return;
	}
	fprintf(stderr, "# packet by packet there is no difference\n");
}
