// SPDX-License-Identifier: GPL-2.0-only
/* The words of a pool's ring over a change: prepare, set, settle; docs/affinity.md, "The controller". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "affinity_internal.h"

struct bucket bucket_read(const struct affinity *a, uint32_t index)
{
	uint64_t word = a->view.rings[index];

	return (struct bucket){
		.current = word & TR_BACKEND_MASK,
		.base = word >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK,
		.prev = word >> TR_WORD_PREV_SHIFT & TR_BACKEND_MASK,
		.look = word & TR_WORD_LOOK,
		.rec = word & TR_WORD_REC,
	};
}

static void bucket_write(struct affinity *a, uint32_t index, struct bucket b)
{
	uint64_t word = b.current | (uint64_t)b.base << TR_WORD_BASE_SHIFT | (uint64_t)b.prev << TR_WORD_PREV_SHIFT |
			(b.look ? TR_WORD_LOOK : 0) | (b.rec ? TR_WORD_REC : 0);

	if (a->view.rings[index] != word)
		__atomic_store_n(&a->view.rings[index], word, __ATOMIC_RELEASE);
}

bool backend_is_ok(const struct affinity *a, uint32_t number)
{
	return number && number < a->view.n_backends && a->view.backends[number].serves;
}

void ring_free(struct ring_state *ring)
{
	if (!ring)
		return;
	free(ring->targets);
	free(ring->since);
	free(ring->fade);
	free(ring);
}

static struct ring_state *ring_new(uint32_t start, uint32_t size, uint32_t now)
{
	struct ring_state *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->start = start;
	ring->size = size;
	ring->since = calloc(TR_L4_COUNT * size, sizeof(*ring->since));
	ring->fade = calloc(TR_L4_COUNT * size, sizeof(*ring->fade));
	if (!ring->since || !ring->fade) {
		ring_free(ring);
		return NULL;
	}
	for (uint32_t i = 0; i < TR_L4_COUNT * size; i++)
		ring->since[i] = now;
	return ring;
}

struct ring_state *ring_open(struct affinity *a, uint32_t pool, uint32_t now)
{
	const struct tr_pool_info *info = &a->view.pools[pool];
	struct ring_state *ring = a->rings[pool];

	if (ring && ring->start == info->ring && ring->size == info->ring_size)
		return ring;
	ring_free(ring);
	a->rings[pool] = ring_new(info->ring, info->ring_size, now);
	return a->rings[pool];
}

/* Writes a word whose flags or backends change. From here its time counts anew, unless it was and stays unsettled. */
static void change(struct affinity *a, struct ring_state *ring, uint32_t word, struct bucket b, uint32_t now)
{
	struct bucket old = bucket_read(a, ring->start + word);
	bool stays = old.current != old.base && b.current != b.base && old.base == b.base;

	if (!stays)
		ring->since[word] = now;
	ring->fade[word] = 0;
	bucket_write(a, ring->start + word, b);
}

static void set_base(struct bucket *b, uint32_t base)
{
	b->prev = b->base;
	b->base = base;
	b->rec = false;
}

static void set(struct affinity *a, struct ring_state *ring, uint32_t word, uint32_t x, uint32_t now)
{
	struct bucket b = bucket_read(a, ring->start + word);

	if (!backend_is_ok(a, b.base)) {
		if (b.current == b.base || !backend_is_ok(a, b.current)) {
			set_base(&b, x);
			b.current = x;
			change(a, ring, word, b, now);
			return;
		}
		set_base(&b, b.current);
	}
	b.current = x;
	b.rec = x != b.base;
	b.look |= b.rec;
	change(a, ring, word, b, now);
}

/* True: the word has its target. */
static bool approach(struct affinity *a, uint32_t pool, uint32_t word, uint32_t now)
{
	const struct tr_pool_times *times = &a->view.pools[pool].times;
	struct ring_state *ring = a->rings[pool];
	uint32_t x = ring->targets[word % ring->size];
	struct bucket b = bucket_read(a, ring->start + word);

	if (!backend_is_ok(a, b.current) || !backend_is_ok(a, b.base)) {
		if (b.current != x || b.base != x)
			set(a, ring, word, x, now);
		return true;
	}
	if (b.current == x) {
		if (b.rec && b.current == b.base)
			set(a, ring, word, x, now);
		return true;
	}
	if (word < ring->size && b.current == b.base && times->syn) {
		if (!b.rec) {
			b.rec = b.look = true;
			change(a, ring, word, b, now);
			return false;
		}
		if (now - ring->since[word] < times->syn)
			return false;
	}
	set(a, ring, word, x, now);
	return true;
}

static void approach_all(struct affinity *a, uint32_t pool, uint32_t now)
{
	struct tr_pool_info *info = &a->view.pools[pool];
	struct ring_state *ring = a->rings[pool];
	bool all = true;

	for (uint32_t word = 0; word < TR_L4_COUNT * ring->size; word++) {
		uint32_t before = a->view.rings[ring->start + word] & TR_BACKEND_MASK;

		all &= approach(a, pool, word, now);
		if (word < ring->size)
			info->words_changed += before != (a->view.rings[ring->start + word] & TR_BACKEND_MASK);
	}
	if (!all)
		return;
	__atomic_store_n(&info->ring_hash, ring->hash, __ATOMIC_RELEASE);
	free(ring->targets);
	ring->targets = NULL;
}

static bool has_passed(uint32_t now, uint32_t since, uint32_t stamp, uint32_t time)
{
	return now - since >= time && !tr_is_recent(stamp, now, time);
}

/* The word as it is then. */
static struct bucket settle(struct affinity *a, uint32_t pool, uint32_t word, uint32_t now)
{
	const struct tr_pool_times *times = &a->view.pools[pool].times;
	const struct tr_pool_flows *flows = &a->view.pool_flows[pool];
	struct ring_state *ring = a->rings[pool];
	struct bucket b = bucket_read(a, ring->start + word);
	bool udp = word >= ring->size;
	uint32_t stamp = __atomic_load_n(udp ? &flows->refused_udp : &flows->refused, __ATOMIC_RELAXED);

	if (b.current == b.base)
		return b;
	if (backend_is_ok(a, b.base) &&
	    (a->frozen[pool] || !has_passed(now, ring->since[word], stamp, udp ? times->udp : times->settle)))
		return b;
	set_base(&b, b.current);
	change(a, ring, word, b, now);
	return b;
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Of a ring, by enum tr_l4. */
struct tally {
	uint32_t unsettled[TR_L4_COUNT], looking[TR_L4_COUNT];
};

static void count(struct tally *tally, bool udp, const struct bucket *b)
{
	tally->unsettled[udp] += b->rec || b->current != b->base;
	tally->looking[udp] += b->look;
}

/* For the operator. True: all words are plain. */
static bool tell(struct tr_pool_info *info, const struct tally *tally)
{
	bool settled = !tally->unsettled[TR_TCP] && !tally->unsettled[TR_UDP];

	memcpy(info->unsettled, tally->unsettled, sizeof(info->unsettled));
	memcpy(info->looking, tally->looking, sizeof(info->looking));
	if (settled)
		info->unsettled_since = 0;
	else if (!info->unsettled_since)
		info->unsettled_since = realtime_ns();
	return settled && !tally->looking[TR_TCP] && !tally->looking[TR_UDP];
}

void ring_advance(struct affinity *a, uint32_t pool, uint32_t now)
{
	struct ring_state *ring = ring_open(a, pool, now);	/* where the pool has a fresh ring, nobody sets the old one any more */
	struct tally tally = {};

	if (!ring)
		return;
	vips_freeze(a);
	if (ring->targets)
		approach_all(a, pool, now);
	for (uint32_t word = 0; word < TR_L4_COUNT * ring->size; word++) {
		struct bucket b = settle(a, pool, word, now);

		count(&tally, word >= ring->size, &b);
	}
	if (tell(&a->view.pools[pool], &tally) && !ring->targets) {
		ring_free(ring);
		a->rings[pool] = NULL;
	}
}

void ring_bury(struct affinity *a, uint32_t start, uint32_t size)
{
	for (uint32_t word = 0; word < TR_L4_COUNT * size; word++) {
		struct bucket b = bucket_read(a, start + word);

		if (!b.base || backend_is_ok(a, b.base))
			continue;
		if (!backend_is_ok(a, b.current))
			b.current = 0;
		set_base(&b, b.current);
		bucket_write(a, start + word, b);
	}
}

void ring_look_off(struct affinity *a, struct ring_state *ring, uint32_t word)
{
	struct bucket b = bucket_read(a, ring->start + word);

	b.look = false;
	bucket_write(a, ring->start + word, b);
	ring->fade[word] = 0;
}

int ring_look_on(struct affinity *a, uint32_t pool, uint32_t start, uint32_t size, uint32_t now)
{
	bool is_pools = a->view.pools[pool].ring == start;
	struct ring_state *ring = is_pools ? ring_open(a, pool, now) : NULL;

	if (is_pools && !ring)
		return -ENOMEM;
	for (uint32_t word = 0; word < TR_L4_COUNT * size; word++) {
		struct bucket b = bucket_read(a, start + word);

		if (ring)
			ring->fade[word] = 0;
		if (ring && !b.rec && b.current == b.base)
			ring->since[word] = now;
		b.look = true;
		bucket_write(a, start + word, b);
	}
	return 0;
}

static bool is_plain(const struct bucket *b)
{
	return b->current == b->base && !b->look && !b->rec;
}

int ring_restart(struct affinity *a, uint32_t pool, uint32_t now)
{
	struct tr_pool_info *info = &a->view.pools[pool];
	struct tally tally = {};

	for (uint32_t word = 0; word < TR_L4_COUNT * info->ring_size; word++) {
		struct bucket b = bucket_read(a, info->ring + word);

		if (is_plain(&b))
			continue;
		if (!ring_open(a, pool, now))
			return -ENOMEM;
		if (!backend_is_ok(a, b.base) && b.current != b.base && backend_is_ok(a, b.current))
			set_base(&b, b.current);
		if (b.current == b.base)
			b.rec = false;
		bucket_write(a, info->ring + word, b);
		count(&tally, word >= info->ring_size, &b);
	}
	tell(info, &tally);
	return 0;
}

static int compare_visits(const void *x, const void *y)
{
	const struct ring_visit *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

void rings_visit(struct affinity *a, size_t n, void (*visit)(struct affinity *a, uint32_t start, uint32_t size))
{
	if (n)
		qsort(a->visits, n, sizeof(*a->visits), compare_visits);
	for (size_t i = 0; i < n; i++)
		if (!i || a->visits[i].start != a->visits[i - 1].start)
			visit(a, a->visits[i].start, a->visits[i].size);
}

void ring_forget_prev(struct affinity *a, uint32_t pool)
{
	const struct tr_pool_info *info = &a->view.pools[pool];

	for (uint32_t word = 0; word < TR_L4_COUNT * info->ring_size; word++) {
		struct bucket b = bucket_read(a, info->ring + word);

		if (b.prev >= a->view.n_backends || !(a->named[b.prev] & NAMED_ENDS))
			continue;
		b.prev = b.base;
		bucket_write(a, info->ring + word, b);
	}
}
