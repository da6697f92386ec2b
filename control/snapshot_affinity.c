// SPDX-License-Identifier: GPL-2.0-only
/* Pools' records, moving VIPs, the flow table and the clock; see snapshot_affinity.h. */
#include "snapshot_affinity.h"

#include <errno.h>
#include <stdlib.h>

#include "paths.h"
#include "pinned.h"
#include "ticks.h"
#include "util.h"

int snapshot_read_pool_flows(struct snapshot *s, const char *dir)
{
	_cleanup_counters_ struct pinned_counters counts = { .fd = -1 };
	_cleanup_array_ struct pinned_array flows = {};
	int err;

	err = pinned_map_array(dir, "pool_flows", sizeof(struct tr_pool_flows), &flows);
	if (!err)
		err = pinned_open_counters(dir, "pool_counts", sizeof(struct tr_pool_counts), &counts);
	for (size_t i = 0; i < s->n_pools && !err; i++) {
		struct snapshot_pool *pool = &s->pools[i];

		if (pool->number >= flows.max_entries)
			return -EPROTO;
		pool->flows = ((const struct tr_pool_flows *)flows.data)[pool->number];
		err = pinned_sum(&counts, pool->number, &pool->counts);
	}
	return err;
}

/* Both arrays by VIP number. */
struct vip_maps {
	struct pinned_array vips, old;
};

static void close_vip_maps(struct vip_maps *maps)
{
	pinned_unmap(&maps->vips);
	pinned_unmap(&maps->old);
}

static int open_vip_maps(const char *dir, struct vip_maps *maps)
{
	int err = pinned_map_array(dir, "vips", sizeof(struct tr_vip), &maps->vips);

	if (!err)
		err = pinned_map_array(dir, "vip_old", sizeof(struct tr_vip_old), &maps->old);
	if (!err && maps->old.max_entries != maps->vips.max_entries)
		err = -EPROTO;
	return err;
}

#define _cleanup_vip_maps_ __attribute__((cleanup(close_vip_maps)))

int snapshot_read_modes(struct snapshot *s, const char *dir)
{
	_cleanup_vip_maps_ struct vip_maps maps = {};
	int err = open_vip_maps(dir, &maps);

	if (err)
		return err;
	for (size_t i = 0; i < s->n_vips; i++) {
		struct snapshot_vip *vip = &s->vips[i];
		struct tr_vip value = {};

		if (vip->number >= maps.vips.max_entries)
			return -EPROTO;
		value = ((const struct tr_vip *)maps.vips.data)[vip->number];
		vip->mode = TR_MODE_COUNT;
		if (!value.ring_size)
			continue;
		if ((value.how & TR_HOW_MODE) < TR_MODE_COUNT)
			vip->mode = value.how & TR_HOW_MODE;
		vip->by_addresses = value.how & TR_HOW_ADDRESSES;
		vip->oversize = value.flags & TR_VIP_OVERSIZE;
		vip->mss = value.how & TR_HOW_MSS ? value.mss : 0;
		vip->moving = value.how & TR_HOW_MOVING;
		if (vip->moving)
			vip->old_pool = snapshot_find_pool(s, ((const struct tr_vip_old *)maps.old.data)[vip->number].pool);
	}
	return 0;
}

struct region {
	uint32_t start, size;		/* words of one protocol; 0: no region */
};

static int compare_regions(const void *x, const void *y)
{
	const struct region *a = x, *b = y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->size > b->size) - (a->size < b->size);
}

static size_t collect_regions(const struct snapshot *s, const struct vip_maps *maps, struct region *regions)
{
	const struct tr_vip_old *old = maps->old.data;
	const struct tr_vip *vips = maps->vips.data;
	size_t n = 0;

	for (size_t i = 0; i < s->n_pools; i++)
		regions[n++] = (struct region){ s->pools[i].info.ring, s->pools[i].info.ring_size };
	for (uint32_t i = 1; i < maps->vips.max_entries; i++) {
		if (!vips[i].ring_size)
			continue;
		regions[n++] = (struct region){ vips[i].ring, vips[i].ring_size };
		if (vips[i].how & TR_HOW_MOVING)
			regions[n++] = (struct region){ old[i].ring, old[i].ring_size };
	}
	return n;
}

int snapshot_read_rings(const struct snapshot *s, const char *dir, struct snapshot_map *ret)
{
	_cleanup_vip_maps_ struct vip_maps maps = {};
	_cleanup_free_ struct region *regions = NULL;
	uint32_t max, words = 0;
	size_t n;
	int err = open_vip_maps(dir, &maps);

	if (!err)
		err = pinned_max_entries(dir, "rings", sizeof(uint64_t), &max);
	if (err)
		return err;
	regions = calloc(s->n_pools + 2 * maps.vips.max_entries + 1, sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	n = collect_regions(s, &maps, regions);
	qsort(regions, n, sizeof(*regions), compare_regions);
	for (size_t i = 0; i < n; i++)
		if (!i || compare_regions(&regions[i], &regions[i - 1]))
			words += regions[i].size * TR_L4_COUNT;
	*ret = (struct snapshot_map){ "rings", words, max };
	return 0;
}

int snapshot_read_tiers(struct snapshot *s, const char *dir)
{
	_cleanup_array_ struct pinned_array settings = {}, state = {};
	const struct tr_tier_place *places;
	uint32_t sets;
	int err;

	err = pinned_map_array(dir, "settings", sizeof(struct tr_settings), &settings);
	if (!err)
		err = pinned_map_array(dir, "flow_state", sizeof(struct tr_flow_state), &state);
	if (!err)
		err = pinned_max_entries(dir, "flows", sizeof(struct tr_flow_set), &sets);
	if (err)
		return err;
	places = ((const struct tr_settings *)settings.data)->tiers;
	for (enum tr_tier t = 0; t < TR_TIER_COUNT; t++) {
		if (places[t].start > sets || places[t].sets > sets - places[t].start)
			continue;
		s->tiers[t].used = ((const struct tr_flow_state *)state.data)->used[t];
		s->tiers[t].max = places[t].sets * TR_SET_SLOTS / TR_TIER_ROOM(t);
	}
	return 0;
}

/* An instance whose programs are not pinned yet has no clock either. */
int snapshot_read_clock(struct snapshot *s, const char *dir)
{
	_cleanup_close_ int clock = pinned_open(dir, TR_PIN_CLOCK);
	int err;

	if (clock < 0)
		return clock == -ENOENT ? 0 : clock;
	err = ticks_now(clock, &s->tick);
	if (!err)
		s->tick_ns = ticks_ns();
	return err;
}
