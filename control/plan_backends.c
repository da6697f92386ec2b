// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backends: their numbers, states and records; see plan.h. States go on in time without a plan (DRAINING to DRAINED,
 * LEAVING to RETIRED to FREE): that is affinity's.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "plan_internal.h"
#include "util.h"

const struct nexthop *plan_ask_nexthop(const struct planning *p, const struct tr_addr *address)
{
	return p->desired->nexthop(address, p->desired->nexthop_arg);
}

bool plan_takes_flows(const struct planning *p, const struct config_backend *backend)
{
	const struct nexthop *nexthop = plan_ask_nexthop(p, &backend->address);

	return backend->state == CONFIG_UP && nexthop && nexthop->state == TR_NH_OK;
}

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
		p->backend_used[i] = true;
	}
	qsort(all, n, sizeof(*all), compare_numbered);
	*ret_n = n;
	return all;
}

/* Whatever the state of a known number is, its backend has it back: flows of before may still be recorded for it. */
static int give_numbers(struct planning *p)
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
			uint32_t number = found ? found->number : plan_free_number(p->backend_used, &from, max);

			if (!number)
				return plan_fail(p, -ENOSPC,
						 "pool %s: all %u backend numbers are taken (a removed backend keeps its own until "
						 "its drain time is over and nothing names it); raise limits.backends",
						 config->pools[i].name, max - 1);
			p->backend_numbers[k] = number;
			p->backend_used[number] = p->backend_kept[number] = true;
		}
	return 0;
}

int plan_number_backends(struct planning *p)
{
	const struct config *config = p->desired->config;
	uint32_t max = p->running->limits.backends;
	size_t total = 0;

	for (size_t i = 0; i < config->n_pools; i++)
		total += config->pools[i].n_backends;
	p->backend_numbers = calloc(total + 1, sizeof(*p->backend_numbers));
	p->backend_used = calloc(max, sizeof(*p->backend_used));
	p->backend_kept = calloc(max, sizeof(*p->backend_kept));
	p->whys = calloc(config->n_pools + 1, sizeof(*p->whys));
	if (!p->backend_numbers || !p->backend_used || !p->backend_kept || !p->whys)
		return -ENOMEM;
	return give_numbers(p);
}

__attribute__((format(printf, 4, 5)))
static void add_why(struct planning *p, size_t pool, const struct tr_addr *address, const char *fmt, ...)
{
	struct planned_why *why = &p->whys[pool];
	char name[ADDR_TEXT_MAX];
	int len = 0;
	va_list args;

	if (why->n++)
		return;
	if (address)
		len = snprintf(why->first, sizeof(why->first), "%s", addr_format(address, name));
	va_start(args, fmt);
	vsnprintf(why->first + len, sizeof(why->first) - len, fmt, args);
	va_end(args);
}

/* Of what a pool's targets are made from. same: the number was this backend's before. */
static void compare_member(struct planning *p, size_t pool, uint32_t number, bool same, const struct tr_backend *record,
			   const struct tr_backend_info *info)
{
	const struct tr_backend_info *old = &p->running->backend_info[number];
	bool was = same && p->running->backends[number].serves == TR_SERVES_ALL, is = record->serves == TR_SERVES_ALL;
	bool left = !same || old->state == TR_BACKEND_LEAVING || old->state == TR_BACKEND_RETIRED;

	if (is && !was) {
		add_why(p, pool, &info->address, left ? " added" : " up");
	} else if (was && !is) {
		add_why(p, pool, &info->address, "%s", info->state == TR_BACKEND_DOWN ? " down" :
						       info->state == TR_BACKEND_UP ? ": no next hop" :
						       info->state == TR_BACKEND_LEAVING ? " removed" : " draining");
	} else if (is && old->weight != info->weight && !p->whys[pool].weights) {
		p->whys[pool].weights = true;
		add_why(p, pool, NULL, "weights");
	}
}

static int add_backend(struct planning *p, uint32_t number, bool fresh, const struct tr_backend *record,
		       const struct tr_tags *tags, const struct tr_backend_info *info)
{
	struct step *step;

	if (!memcmp(record, &p->running->backends[number], sizeof(*record)) &&
	    !memcmp(tags, &p->running->backend_tags[number], sizeof(*tags)) && !memcmp(info, &p->running->backend_info[number], sizeof(*info)))
		return 0;
	step = plan_add(p, STEP_BACKEND, number);
	if (!step)
		return -ENOMEM;
	step->fresh = fresh;
	step->backend = *record;
	step->tags = *tags;
	step->backend_info = *info;
	return 0;
}

/* A drain that has begun goes on where the operator gives it another name, and ends but once. */
static void next_state(const struct planning *p, enum config_state wanted, const struct config_times *times,
		       const struct tr_backend_info *old, struct tr_backend_info *info)
{
	bool going = old && (old->state == TR_BACKEND_DRAINING || old->state == TR_BACKEND_LEAVING);
	bool drained = old && old->state == TR_BACKEND_DRAINED;

	if (wanted != CONFIG_DRAIN)
		info->state = wanted == CONFIG_UP ? TR_BACKEND_UP : TR_BACKEND_DOWN;
	else
		info->state = drained ? TR_BACKEND_DRAINED : TR_BACKEND_DRAINING;
	info->since = old && old->state == info->state ? old->since : p->desired->now;
	if (wanted == CONFIG_DRAIN)
		info->deadline = going || drained ? old->deadline : p->desired->now + plan_ticks(p, times->drain);
}

static enum tr_serves next_serves(const struct tr_backend_info *info)
{
	if (info->nexthop != TR_NH_OK)
		return TR_SERVES_NONE;
	if (info->state == TR_BACKEND_UP)
		return TR_SERVES_ALL;
	return info->state == TR_BACKEND_DRAINING || info->state == TR_BACKEND_LEAVING ? TR_SERVES_OLD : TR_SERVES_NONE;
}

static int plan_configured(struct planning *p, size_t i, const struct config_backend *backend, uint32_t number)
{
	const struct tr_backend_info *old_info = &p->running->backend_info[number];
	const struct nexthop *nexthop = plan_ask_nexthop(p, &backend->address);
	bool same = old_info->state != TR_BACKEND_FREE;
	struct tr_backend_info info = {
		.address = backend->address,
		.gateway = nexthop ? nexthop->gateway : (struct tr_addr){},
		.pool = p->pool_numbers[i],
		.weight = backend->weight,
		.buckets = p->buckets[number],
		.generation = same ? old_info->generation : old_info->generation + 1,
		.nexthop = nexthop ? nexthop->state : TR_NH_UNKNOWN,
	};
	struct tr_backend record = {};
	struct tr_tags tags = {};

	next_state(p, backend->state, &p->desired->config->pools[i].times, same ? old_info : NULL, &info);
	/* An answer lost for a while leaves the record as it is: packets on their way may still read it. */
	if (nexthop && nexthop->state == TR_NH_OK) {
		plan_backend_record(p->desired->config, &backend->address, nexthop, info.generation, &record);
		tags = nexthop->tags;
	} else if (same) {
		record = p->running->backends[number];
		tags = p->running->backend_tags[number];
	}
	record.serves = next_serves(&info);
	compare_member(p, i, number, same, &record, &info);
	return add_backend(p, number, !same, &record, &tags, &info);
}

static void leave(const struct planning *p, const struct tr_backend_info *old, struct tr_backend_info *info)
{
	const struct config *config = p->desired->config;
	uint32_t index = p->pool_index[old->pool];

	info->buckets = 0;
	if (old->state == TR_BACKEND_LEAVING)
		return;
	info->since = p->desired->now;
	info->state = TR_BACKEND_LEAVING;
	if (old->state == TR_BACKEND_UP) {
		info->deadline = p->desired->now + (index ? plan_ticks(p, config->pools[index - 1].times.drain) :
							    p->running->pools[old->pool].times.drain);
	} else if (old->state != TR_BACKEND_DRAINING) {
		info->state = TR_BACKEND_RETIRED;
		info->deadline = 0;
	}
}

/*
 * A backend that keeps flows is kept reachable, also from a new source. Where its next hop is not known, which after a
 * restart need not mean anything, the record says whether it had one.
 */
static void keep_reachable(const struct planning *p, const struct tr_backend *old, struct tr_backend_info *info,
			   struct tr_backend *record, struct tr_tags *tags)
{
	const struct nexthop *nexthop = plan_ask_nexthop(p, &info->address);
	struct nexthop before = { .state = old->serves ? TR_NH_OK : info->nexthop, .ifindex = old->ifindex, .mtu = old->mtu,
				  .tags = *tags, .gateway = info->gateway };

	memcpy(before.dmac, old->dmac, sizeof(before.dmac));
	memcpy(before.smac, old->smac, sizeof(before.smac));
	if (!nexthop)
		nexthop = &before;
	info->nexthop = nexthop->state;
	info->gateway = nexthop->gateway;
	if (nexthop->state == TR_NH_OK) {
		plan_backend_record(p->desired->config, &info->address, nexthop, info->generation, record);
		*tags = nexthop->tags;
	}
}

static int plan_removed(struct planning *p, uint32_t number)
{
	const struct tr_backend_info *old_info = &p->running->backend_info[number];
	struct tr_backend_info info = *old_info;
	struct tr_backend record = p->running->backends[number];
	struct tr_tags tags = p->running->backend_tags[number];

	if (old_info->state == TR_BACKEND_FREE || old_info->state == TR_BACKEND_RETIRED)
		return 0;
	leave(p, old_info, &info);
	if (info.state == TR_BACKEND_LEAVING)
		keep_reachable(p, &p->running->backends[number], &info, &record, &tags);
	record.serves = next_serves(&info);
	if (p->pool_index[info.pool])
		compare_member(p, p->pool_index[info.pool] - 1, number, true, &record, &info);
	return add_backend(p, number, false, &record, &tags, &info);
}

/* All before rings: new ones before a word names them, and what serves nothing any more before affinity looks for it. */
int plan_backends(struct planning *p)
{
	const struct config *config = p->desired->config;
	int err = 0;

	for (size_t i = 0, k = 0; i < config->n_pools; i++)
		for (size_t b = 0; b < config->pools[i].n_backends && !err; b++, k++)
			err = plan_configured(p, i, &config->pools[i].backends[b], p->backend_numbers[k]);
	for (uint32_t n = 1; n < p->running->limits.backends && !err; n++)
		if (!p->backend_kept[n])
			err = plan_removed(p, n);
	return err;
}

void plan_end_backends(struct planning *p)
{
	free(p->backend_numbers);
	free(p->backend_used);
	free(p->backend_kept);
	free(p->whys);
}
