// SPDX-License-Identifier: GPL-2.0-only
/* Pools, their backends and their rings; see plan.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "plan_internal.h"
#include "ring.h"
#include "util.h"

/* A backend number in use, sorted by what it stands for. */
struct numbered {
	uint32_t pool;
	struct tr_addr address;
	uint32_t number;
};

static int compare_numbered(const void *x, const void *y)
{
	const struct numbered *a = x, *b = y;

	if (a->pool != b->pool)
		return a->pool < b->pool ? -1 : 1;
	return addr_compare(&a->address, &b->address);
}

int plan_number_pools(struct planning *p)
{
	const struct config *config = p->desired->config;
	uint32_t max = p->running->limits.pools;
	const struct plan_names names = { p->running->pools, sizeof(*p->running->pools), max,
					  config->pools, sizeof(*config->pools), config->n_pools };
	const char *left;
	int err;

	p->pool_numbers = calloc(config->n_pools + 1, sizeof(*p->pool_numbers));
	p->rings = calloc(config->n_pools + 1, sizeof(*p->rings));
	p->pool_used = calloc(max, sizeof(*p->pool_used));
	if (!p->pool_numbers || !p->rings || !p->pool_used)
		return -ENOMEM;
	err = plan_number_names(&names, p->pool_numbers, p->pool_used, &left);
	if (err == -ENOSPC)
		return plan_fail(p, err, "pool %s: all %u pool numbers are taken; raise limits.pools", left, max - 1);
	return err;
}

/* Ring words in use; those of pools that go too: their VIPs may still read them. */
struct region {
	uint32_t start, size;
};

static int compare_regions(const void *x, const void *y)
{
	const struct region *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

/* First fit among the regions of all pools, running and planned. 0 or -ENOSPC. */
static int find_room(struct planning *p, size_t pool, uint32_t size, uint32_t *ret)
{
	const struct running *r = p->running;
	_cleanup_free_ struct region *regions = calloc(r->limits.pools + r->limits.vips + pool + 1, sizeof(*regions));
	uint32_t from = 0;
	size_t n = 0;

	if (!regions)
		return -ENOMEM;
	for (uint32_t i = 1; i < r->limits.pools; i++)
		if (r->pools[i].name[0])
			regions[n++] = (struct region){ r->pools[i].ring, 2 * r->pools[i].ring_size };
	/* A change that was broken off may have moved VIPs to a ring that their pool does not know yet. */
	for (uint32_t i = 1; i < r->limits.vips; i++)
		if (r->vips[i].ring_size)
			regions[n++] = (struct region){ r->vips[i].ring, 2 * r->vips[i].ring_size };
	for (size_t i = 0; i < pool; i++)
		regions[n++] = (struct region){ p->rings[i].start, 2 * p->desired->config->pools[i].ring_size };
	qsort(regions, n, sizeof(*regions), compare_regions);
	for (size_t i = 0; i < n && regions[i].start < from + size; i++)
		if (regions[i].start + regions[i].size > from)
			from = regions[i].start + regions[i].size;
	if (from + size > r->limits.ring_words)
		return -ENOSPC;
	*ret = from;
	return 0;
}

static bool takes_flows(const struct config_backend *backend, const struct nexthop *nexthop)
{
	return backend->up && nexthop && nexthop->state == TR_NH_OK;
}

static const struct nexthop *ask_nexthop(const struct planning *p, const struct config_backend *backend)
{
	return p->desired->nexthop(&backend->address, p->desired->nexthop_arg);
}

/* The ring that a change of the pool's ring size had written and given to VIPs when it was broken off; or NULL. */
static const struct tr_vip *find_moved_vip(const struct planning *p, uint32_t pool, uint32_t ring_size)
{
	for (uint32_t n = 1; n < p->running->limits.vips; n++)
		if (p->running->vips[n].pool == pool && p->running->vips[n].ring_size == ring_size)
			return &p->running->vips[n];
	return NULL;
}

static int place_ring(struct planning *p, size_t i)
{
	const struct config_pool *pool = &p->desired->config->pools[i];
	const struct tr_pool_info *old = &p->running->pools[p->pool_numbers[i]];
	const struct tr_vip *moved = find_moved_vip(p, p->pool_numbers[i], pool->ring_size);
	struct planned_ring *ring = &p->rings[i];
	uint32_t start;
	int err;

	ring->in_place = true;
	if (old->name[0] && old->ring_size == pool->ring_size) {
		ring->start = old->ring;
		return 0;
	}
	if (old->name[0] && moved) {
		ring->start = moved->ring;
		return 0;
	}
	ring->in_place = false;
	err = find_room(p, i, 2 * pool->ring_size, &start);
	if (err == -ENOSPC)
		return plan_fail(p, err,
				 "pool %s: no room for a ring of %u buckets; raise limits.ring_words (%u; each bucket "
				 "takes two, and a change of ring size needs both rings for a moment)",
				 pool->name, pool->ring_size, p->running->limits.ring_words);
	if (err)
		return err;
	ring->start = start;
	return 0;
}

static uint32_t count_changed(const struct planning *p, size_t i, const uint32_t *members)
{
	const uint64_t *words = p->running->rings + p->rings[i].start;
	uint32_t changed = 0;

	for (uint32_t b = 0; b < p->desired->config->pools[i].ring_size; b++)
		changed += (words[b] & TR_BACKEND_MASK) != members[b];
	return changed;
}

static int add_ring(struct planning *p, size_t i, const struct ring_member *members, size_t n, uint32_t *counts)
{
	const struct config_pool *pool = &p->desired->config->pools[i];
	const struct tr_pool_info *old = &p->running->pools[p->pool_numbers[i]];
	struct planned_ring *ring = &p->rings[i];
	_cleanup_free_ uint32_t *numbers = NULL;
	struct step *step;
	int err;

	ring->hash = ring_hash(members, n, pool->ring_size);
	if (old->name[0] && old->ring_size == pool->ring_size && old->ring_hash == ring->hash) {
		for (uint32_t b = 0; b < pool->ring_size; b++)
			counts[p->running->rings[ring->start + b] & TR_BACKEND_MASK]++;
		return 0;
	}
	numbers = calloc(pool->ring_size, sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	err = ring_build(members, n, numbers, pool->ring_size);
	if (err)
		return plan_fail(p, err, "pool %s: cannot build its ring: %s", pool->name, strerror(-err));
	for (uint32_t b = 0; b < pool->ring_size; b++)
		counts[numbers[b]]++;
	step = plan_add(p, STEP_RING, p->pool_numbers[i]);
	if (!step)
		return -ENOMEM;
	step->ring.in_place = ring->in_place;
	step->ring.changed = step->ring.in_place ? count_changed(p, i, numbers) : pool->ring_size;
	step->ring.size = pool->ring_size;
	step->ring.start = ring->start;
	step->ring.members = TAKE_PTR(numbers);
	ring->changed = step->ring.changed;
	ring->written = true;
	return 0;
}

static int add_backend(struct planning *p, uint32_t number, uint32_t pool, const struct config_backend *backend,
		       uint32_t buckets)
{
	const struct tr_backend_info *old_info = &p->running->backend_info[number];
	const struct tr_backend *old = &p->running->backends[number];
	const struct nexthop *nexthop = ask_nexthop(p, backend);
	bool same = old_info->state != TR_BACKEND_FREE && old_info->pool == pool &&
		    !addr_compare(&old_info->address, &backend->address);
	struct tr_backend_info info = {
		.address = backend->address,
		.gateway = nexthop ? nexthop->gateway : (struct tr_addr){},
		.pool = pool,
		.weight = backend->weight,
		.buckets = buckets,
		.generation = same ? old_info->generation : old_info->generation + 1,
		.state = backend->up ? TR_BACKEND_UP : TR_BACKEND_DOWN,
		.nexthop = nexthop ? nexthop->state : TR_NH_UNKNOWN,
	};
	struct tr_backend record = {};
	struct step *step;

	/* An answer lost for a while leaves the record as it is: packets on their way may still read it. */
	if (nexthop && nexthop->state == TR_NH_OK)
		plan_backend_record(p->desired->config, &backend->address, nexthop, info.generation, &record);
	else if (same)
		record = *old;
	if (!memcmp(&record, old, sizeof(record)) && !memcmp(&info, old_info, sizeof(info)))
		return 0;
	step = plan_add(p, STEP_BACKEND, number);
	if (!step)
		return -ENOMEM;
	step->fresh = !same;
	step->backend = record;
	step->backend_info = info;
	return 0;
}

static struct numbered *sort_numbers(struct planning *p, size_t *ret_n)
{
	const struct running *r = p->running;
	struct numbered *all = calloc(r->limits.backends, sizeof(*all));
	size_t n = 0;

	if (!all)
		return NULL;
	for (uint32_t i = 1; i < r->limits.backends; i++) {
		const struct tr_backend_info *info = &r->backend_info[i];

		if (info->state == TR_BACKEND_FREE)
			continue;
		all[n++] = (struct numbered){ info->pool, info->address, i };
		p->backend_used[i] = info->state != TR_BACKEND_RETIRED ||
				     p->desired->now - info->retired_at < PLAN_GRACE_NS;
	}
	qsort(all, n, sizeof(*all), compare_numbered);
	*ret_n = n;
	return all;
}

/*
 * Known numbers first, for every pool, and only then new ones: a retired number past its grace may be wanted back by
 * its own backend.
 */
static int number_backends(struct planning *p, uint32_t *numbers)
{
	const struct config *config = p->desired->config;
	size_t n = 0, k = 0;
	_cleanup_free_ struct numbered *known = sort_numbers(p, &n);
	uint32_t from = 1, max = p->running->limits.backends;

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_pools; i++)
		for (size_t b = 0; b < config->pools[i].n_backends; b++, k++) {
			struct numbered key = { p->pool_numbers[i], config->pools[i].backends[b].address, 0 };
			struct numbered *found = bsearch(&key, known, n, sizeof(key), compare_numbered);

			if (!found)
				continue;
			numbers[k] = found->number;
			p->backend_used[found->number] = p->backend_kept[found->number] = true;
		}
	k = 0;
	for (size_t i = 0; i < config->n_pools; i++)
		for (size_t b = 0; b < config->pools[i].n_backends; b++, k++) {
			if (numbers[k])
				continue;
			numbers[k] = plan_free_number(p->backend_used, &from, max);
			if (!numbers[k])
				return plan_fail(p, -ENOSPC,
						 "pool %s: all %u backend numbers are taken (a removed one is kept for %llu s); "
						 "raise limits.backends", config->pools[i].name, max - 1,
						 PLAN_GRACE_NS / 1000000000);
			p->backend_used[numbers[k]] = p->backend_kept[numbers[k]] = true;
		}
	return 0;
}

/* Rings are computed first, since a backend's info counts its buckets, but their steps come after the backends'. */
static int plan_rings(struct planning *p, const uint32_t *numbers, size_t total, uint32_t *counts)
{
	const struct config *config = p->desired->config;
	_cleanup_free_ struct ring_member *members = calloc(total ? total : 1, sizeof(*members));
	int err;

	if (!members)
		return -ENOMEM;
	for (size_t i = 0, k = 0; i < config->n_pools; i++) {
		const struct config_pool *pool = &config->pools[i];
		size_t n = 0;

		for (size_t b = 0; b < pool->n_backends; b++, k++)
			if (takes_flows(&pool->backends[b], ask_nexthop(p, &pool->backends[b])))
				members[n++] = (struct ring_member){ pool->backends[b].address,
								     pool->backends[b].weight, numbers[k] };
		err = place_ring(p, i);
		if (!err)
			err = add_ring(p, i, members, n, counts);
		if (err)
			return err;
	}
	return 0;
}

static int plan_backends(struct planning *p, const uint32_t *numbers, const uint32_t *counts)
{
	const struct config *config = p->desired->config;
	int err = 0;

	for (size_t i = 0, k = 0; i < config->n_pools; i++)
		for (size_t b = 0; b < config->pools[i].n_backends && !err; b++, k++)
			err = add_backend(p, numbers[k], p->pool_numbers[i], &config->pools[i].backends[b],
					  counts[numbers[k]]);
	return err;
}

/* Moves the steps from `from` to the end behind the steps that were added after `middle`. */
static int rotate_steps(struct plan *plan, size_t from, size_t middle)
{
	size_t n = middle - from;
	_cleanup_free_ struct step *rings = calloc(n ? n : 1, sizeof(*rings));

	if (!rings)
		return -ENOMEM;
	if (!n)
		return 0;
	memcpy(rings, plan->steps + from, n * sizeof(*rings));
	memmove(plan->steps + from, plan->steps + middle, (plan->n - middle) * sizeof(*rings));
	memcpy(plan->steps + plan->n - n, rings, n * sizeof(*rings));
	return 0;
}

int plan_backends_and_rings(struct planning *p)
{
	const struct config *config = p->desired->config;
	uint32_t max = p->running->limits.backends;
	_cleanup_free_ uint32_t *counts = calloc(max, sizeof(*counts));
	_cleanup_free_ uint32_t *numbers = NULL;
	size_t total = 0, from, middle;
	int err;

	for (size_t i = 0; i < config->n_pools; i++)
		total += config->pools[i].n_backends;
	numbers = calloc(total ? total : 1, sizeof(*numbers));
	p->backend_used = calloc(max, sizeof(*p->backend_used));
	p->backend_kept = calloc(max, sizeof(*p->backend_kept));
	if (!counts || !numbers || !p->backend_used || !p->backend_kept)
		return -ENOMEM;
	err = number_backends(p, numbers);
	from = p->plan->n;
	if (!err)
		err = plan_rings(p, numbers, total, counts);
	middle = p->plan->n;
	if (!err)
		err = plan_backends(p, numbers, counts);
	if (!err)
		err = plan_last_settings(p);
	return err ? err : rotate_steps(p->plan, from, middle);
}

int plan_pools(struct planning *p, bool fresh)
{
	const struct config *config = p->desired->config;

	for (size_t i = 0; i < config->n_pools; i++) {
		const struct tr_pool_info *old = &p->running->pools[p->pool_numbers[i]];
		struct tr_pool_info info = {
			.ring_hash = p->rings[i].hash,
			.ring_changes = old->name[0] ? old->ring_changes : 0,
			.words_changed = old->name[0] ? old->words_changed : 0,
			.ring_size = config->pools[i].ring_size,
		};
		struct step *step;

		strncpy(info.name, config->pools[i].name, TR_NAME_MAX - 1);
		info.ring = p->rings[i].start;
		info.ring_changes += p->rings[i].written;
		info.words_changed += p->rings[i].changed;
		if (fresh != !old->name[0] || !memcmp(&info, old, sizeof(info)))
			continue;
		step = plan_add(p, STEP_POOL, p->pool_numbers[i]);
		if (!step)
			return -ENOMEM;
		step->fresh = !old->name[0];
		step->pool = info;
	}
	return 0;
}

static bool pool_kept(const struct planning *p, uint32_t number)
{
	for (size_t i = 0; i < p->desired->config->n_pools; i++)
		if (p->pool_numbers[i] == number)
			return true;
	return false;
}

int plan_deletions_of_pools(struct planning *p)
{
	const struct running *r = p->running;
	struct step *step;

	for (uint32_t n = 1; n < r->limits.backends; n++) {
		bool retired = r->backend_info[n].state == TR_BACKEND_RETIRED;

		if (p->backend_kept[n] || r->backend_info[n].state == TR_BACKEND_FREE ||
		    (retired && (!r->backend_info[n].pool || pool_kept(p, r->backend_info[n].pool))))
			continue;
		step = plan_add(p, STEP_RETIRE_BACKEND, n);
		if (!step)
			return -ENOMEM;
		step->backend_info = r->backend_info[n];
		step->backend_info.state = TR_BACKEND_RETIRED;
		if (!pool_kept(p, r->backend_info[n].pool))
			step->backend_info.pool = 0;	/* the pool's number may come to mean another */
		step->backend_info.buckets = 0;
		if (!retired)
			step->backend_info.retired_at = p->desired->now;
	}
	for (uint32_t n = 1; n < r->limits.pools; n++)
		if (r->pools[n].name[0] && !pool_kept(p, n) && !plan_add(p, STEP_DELETE_POOL, n))
			return -ENOMEM;
	return 0;
}

void plan_end_pools(struct planning *p)
{
	free(p->pool_numbers);
	free(p->rings);
	free(p->pool_used);
	free(p->backend_used);
	free(p->backend_kept);
}
