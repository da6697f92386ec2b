// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pools: their numbers and what `pool_info` says of them; see plan.h. Of a pool that is there already, affinity owns
 * ring_hash of its ring, counts, and all that is unsettled: a step carries them only where the ring is a fresh one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan_internal.h"

int plan_number_pools(struct planning *p)
{
	const struct config *config = p->desired->config;
	uint32_t max = p->running->limits.pools;
	const struct plan_names names = { p->running->pools, sizeof(*p->running->pools), max,
					  config->pools, sizeof(*config->pools), config->n_pools };
	const char *left;
	int err;

	p->pool_numbers = calloc(config->n_pools + 1, sizeof(*p->pool_numbers));
	p->pool_index = calloc(max, sizeof(*p->pool_index));
	p->pool_used = calloc(max, sizeof(*p->pool_used));
	if (!p->pool_numbers || !p->pool_index || !p->pool_used)
		return -ENOMEM;
	err = plan_number_names(&names, p->pool_numbers, p->pool_used, &left);
	if (err == -ENOSPC)
		return plan_fail(p, err,
				 "pool %s: all %u pool numbers are taken (a removed pool keeps its number until its backends "
				 "have drained); raise limits.pools", left, max - 1);
	for (size_t i = 0; i < config->n_pools && !err; i++)
		p->pool_index[p->pool_numbers[i]] = i + 1;
	return err;
}

static struct tr_pool_times times_in_ticks(const struct planning *p, const struct config_times *times)
{
	return (struct tr_pool_times){
		.settle = plan_ticks(p, times->settle),
		.udp = plan_ticks(p, times->udp),
		.syn = plan_ticks(p, times->syn),
		.life = plan_ticks(p, times->record),
		.linger = plan_ticks(p, times->linger),
		.drain = plan_ticks(p, times->drain),
	};
}

static struct tr_pool_info next_info(const struct planning *p, size_t i)
{
	const struct config_pool *pool = &p->desired->config->pools[i];
	const struct tr_pool_info *old = &p->running->pools[p->pool_numbers[i]];
	struct tr_pool_info info = {};

	if (old->name[0])
		info = *old;
	strncpy(info.name, pool->name, TR_NAME_MAX - 1);
	info.ring = p->rings[i].start;
	info.ring_size = pool->ring_size;
	info.times = times_in_ticks(p, &pool->times);
	info.leaving = 0;
	if (!p->rings[i].in_place) {
		info.ring_hash = p->rings[i].hash;
		info.ring_changes++;
		info.words_changed += pool->ring_size;
		memset(info.unsettled, 0, sizeof(info.unsettled));
		memset(info.looking, 0, sizeof(info.looking));
		info.unsettled_since = 0;
	} else if (old->leaving) {
		info.ring_hash = 0;	/* built again, also where this change is broken off behind this step */
	}
	return info;
}

int plan_pools(struct planning *p)
{
	for (size_t i = 0; i < p->desired->config->n_pools; i++) {
		const struct tr_pool_info *old = &p->running->pools[p->pool_numbers[i]];
		struct tr_pool_info info = next_info(p, i);
		struct step *step;

		if (!memcmp(&info, old, sizeof(info)))
			continue;
		step = plan_add(p, STEP_POOL, p->pool_numbers[i]);
		if (!step)
			return -ENOMEM;
		step->fresh = !old->name[0];
		step->pool = info;
	}
	return 0;
}

int plan_leaving_pools(struct planning *p)
{
	const struct running *r = p->running;
	struct step *step;

	for (uint32_t n = 1; n < r->limits.pools; n++) {
		if (!r->pools[n].name[0] || r->pools[n].leaving || p->pool_index[n])
			continue;
		step = plan_add(p, STEP_POOL, n);
		if (!step)
			return -ENOMEM;
		step->pool = r->pools[n];
		step->pool.leaving = 1;
	}
	return 0;
}

void plan_end_pools(struct planning *p)
{
	free(p->pool_numbers);
	free(p->pool_index);
	free(p->pool_used);
}
