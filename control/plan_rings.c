// SPDX-License-Identifier: GPL-2.0-only
/* Rings: where they lie, what they are to name; see plan.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_internal.h"
#include "ring.h"
#include "util.h"

/* Ring words in use; those of pools that leave too: their VIPs may still read them. */
struct region {
	uint32_t start, size;
};

static int compare_regions(const void *x, const void *y)
{
	const struct region *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

/* The rings of all pools and VIPs, those that moving VIPs come from, and those that the first n pools are given here. */
static size_t find_regions(const struct planning *p, size_t n_pools, struct region *ret)
{
	const struct running *r = p->running;
	size_t n = 0;

	for (uint32_t i = 1; i < r->limits.pools; i++)
		if (r->pools[i].name[0])
			ret[n++] = (struct region){ r->pools[i].ring, 2 * r->pools[i].ring_size };
	for (uint32_t i = 1; i < r->limits.vips; i++) {
		if (r->vips[i].ring_size)
			ret[n++] = (struct region){ r->vips[i].ring, 2 * r->vips[i].ring_size };
		if (plan_is_moving(&r->vips[i]))
			ret[n++] = (struct region){ r->vip_old[i].ring, 2 * r->vip_old[i].ring_size };
	}
	for (size_t i = 0; i < n_pools; i++)
		ret[n++] = (struct region){ p->rings[i].start, 2 * p->desired->config->pools[i].ring_size };
	return n;
}

/* First fit. 0, -ENOSPC or -ENOMEM. */
static int find_room(const struct planning *p, size_t pool, uint32_t size, uint32_t *ret)
{
	const struct config_limits *limits = &p->running->limits;
	_cleanup_free_ struct region *regions = calloc(limits->pools + 2 * limits->vips + pool + 1, sizeof(*regions));
	uint32_t from = 0;
	size_t n;

	if (!regions)
		return -ENOMEM;
	n = find_regions(p, pool, regions);
	qsort(regions, n, sizeof(*regions), compare_regions);
	for (size_t i = 0; i < n && regions[i].start < from + size; i++)
		if (regions[i].start + regions[i].size > from)
			from = regions[i].start + regions[i].size;
	if (from + size > limits->ring_words)
		return -ENOSPC;
	*ret = from;
	return 0;
}

/*
 * A fresh ring gets its pool's info right behind it, before any VIP: where a change of ring size is broken off later,
 * the pool has the new ring already.
 */
static int place_ring(struct planning *p, size_t i)
{
	const struct config_pool *pool = &p->desired->config->pools[i];
	const struct tr_pool_info *old = &p->running->pools[p->pool_numbers[i]];
	struct planned_ring *ring = &p->rings[i];
	int err;

	if (old->name[0] && old->ring_size == pool->ring_size) {
		ring->in_place = true;
		ring->start = old->ring;
		return 0;
	}
	err = find_room(p, i, 2 * pool->ring_size, &ring->start);
	if (err == -ENOSPC)
		return plan_fail(p, err,
				 "pool %s: no room for a ring of %u buckets; raise limits.ring_words (%u; each bucket takes two, "
				 "and where a pool leaves, a ring's size changes or a VIP moves, the old ring stays until all "
				 "has settled)", pool->name, pool->ring_size, p->running->limits.ring_words);
	return err;
}

/* Words that name backends as they are to: pool_info's hash says so, and nobody has left meanwhile. */
static bool is_built(const struct planning *p, size_t i)
{
	const struct tr_pool_info *old = &p->running->pools[p->pool_numbers[i]];

	return p->rings[i].in_place && !old->leaving && old->ring_hash == p->rings[i].hash;
}

static int build_ring(struct planning *p, size_t i, const struct ring_member *members, size_t n)
{
	const struct config_pool *pool = &p->desired->config->pools[i];
	struct planned_ring *ring = &p->rings[i];
	_cleanup_free_ uint32_t *numbers = NULL;
	int err;

	ring->hash = ring_hash(members, n, pool->ring_size);
	if (is_built(p, i)) {
		for (uint32_t b = 0; b < pool->ring_size; b++)
			p->buckets[p->running->rings[ring->start + b] & TR_BACKEND_MASK]++;
		return 0;
	}
	numbers = calloc(pool->ring_size, sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	err = ring_build(members, n, numbers, pool->ring_size);
	if (err)
		return plan_fail(p, err, "pool %s: cannot build its ring: %s", pool->name, strerror(-err));
	for (uint32_t b = 0; b < pool->ring_size; b++)
		p->buckets[numbers[b]]++;
	ring->members = TAKE_PTR(numbers);
	return 0;
}

int plan_build_rings(struct planning *p)
{
	const struct config *config = p->desired->config;
	_cleanup_free_ struct ring_member *members = calloc(p->running->limits.backends, sizeof(*members));
	int err = 0;

	p->rings = calloc(config->n_pools + 1, sizeof(*p->rings));
	p->buckets = calloc(p->running->limits.backends, sizeof(*p->buckets));
	if (!members || !p->rings || !p->buckets)
		return -ENOMEM;
	for (size_t i = 0, k = 0; i < config->n_pools && !err; i++) {
		const struct config_pool *pool = &config->pools[i];
		size_t n = 0;

		for (size_t b = 0; b < pool->n_backends; b++, k++)
			if (plan_takes_flows(p, &pool->backends[b]))
				members[n++] = (struct ring_member){ pool->backends[b].address, pool->backends[b].weight,
								     p->backend_numbers[k] };
		err = place_ring(p, i);
		if (!err)
			err = build_ring(p, i, members, n);
	}
	return err;
}

static uint32_t count_changed(const struct planning *p, size_t i)
{
	const uint64_t *words = p->running->rings + p->rings[i].start;
	uint32_t size = p->desired->config->pools[i].ring_size, changed = 0;

	if (!p->rings[i].in_place)
		return size;
	for (uint32_t b = 0; b < size; b++)
		changed += (words[b] & TR_BACKEND_MASK) != p->rings[i].members[b];
	return changed;
}

static const char *why_ring(const struct planning *p, size_t i)
{
	const struct tr_pool_info *old = &p->running->pools[p->pool_numbers[i]];

	if (!old->name[0])
		return "new";
	if (!p->rings[i].in_place)
		return "ring size";
	if (old->leaving)
		return "put back";
	if (p->whys[i].n)
		return p->whys[i].first;
	/* A change goes on that was prepared, or broken off. */
	return !old->ring_hash && old->why[0] ? old->why : "a change that was cut short";
}

/* Zero-filled; cut where a long address leaves no room. */
static void write_why(const struct planning *p, size_t i, char ret[WHY_MAX])
{
	const struct planned_why *why = &p->whys[i];
	const char *first = why_ring(p, i);
	char text[2 * WHY_MAX] = "";
	int len = snprintf(text, sizeof(text), "%.*s", (int)WHY_MAX - 1, first);

	if (first == why->first && why->n > 1)
		snprintf(text + len, sizeof(text) - len, " and %u more change%s", why->n - 1, why->n > 2 ? "s" : "");
	memcpy(ret, text, WHY_MAX - 1);
}

int plan_rings(struct planning *p, bool in_place)
{
	for (size_t i = 0; i < p->desired->config->n_pools; i++) {
		struct planned_ring *ring = &p->rings[i];
		struct step *step;

		if (!ring->members || ring->in_place != in_place)
			continue;
		step = plan_add(p, STEP_RING, p->pool_numbers[i]);
		if (!step)
			return -ENOMEM;
		step->ring.in_place = in_place;
		step->ring.changed = count_changed(p, i);
		step->ring.size = p->desired->config->pools[i].ring_size;
		step->ring.start = ring->start;
		step->ring.hash = ring->hash;
		write_why(p, i, step->ring.why);
		step->ring.members = TAKE_PTR(ring->members);
	}
	return 0;
}

void plan_end_rings(struct planning *p)
{
	for (size_t i = 0; p->rings && i < p->desired->config->n_pools; i++)
		free(p->rings[i].members);
	free(p->rings);
	free(p->buckets);
}
