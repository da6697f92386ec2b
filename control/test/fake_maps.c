// SPDX-License-Identifier: GPL-2.0-only
/* An instance's maps in plain memory; see fake_maps.h. */
#include "fake_maps.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "addr.h"
#include "make_config.h"
#include "util.h"

#define FAKE_SETS 8		/* of each tier */

static void *array(size_t n, size_t size)
{
	void *zeroed = calloc(n ? n : 1, size);

	assert(zeroed);
	return zeroed;
}

#define ARRAY_OF(n, member) (member) = array(n, sizeof(*(member)))

/* Small tiers: no packet comes here to fill them. */
static void place_tiers(struct fake_maps *maps)
{
	for (uint32_t t = 0; t < TR_TIER_COUNT; t++)
		maps->settings.tiers[t] = (struct tr_tier_place){ .start = t * FAKE_SETS, .sets = FAKE_SETS };
	maps->settings.tcp_full = FAKE_SETS * TR_SET_SLOTS * 9 / 10;
	ARRAY_OF(TR_TIER_COUNT * FAKE_SETS, maps->flows);
}

static void open_affinity(struct fake_maps *maps, uint32_t now)
{
	const struct affinity_view view = {
		.settings = &maps->settings,
		.rings = maps->rings,
		.backends = maps->backends,
		.backend_info = maps->backend_info,
		.pools = maps->pools,
		.pool_flows = maps->pool_flows,
		.vips = maps->vips,
		.vip_old = maps->vip_old,
		.flows = maps->flows,
		.flow_state = &maps->flow_state,
		.n_words = maps->running.limits.ring_words,
		.n_backends = maps->running.limits.backends,
		.n_pools = maps->running.limits.pools,
		.n_vips = maps->running.limits.vips,
	};
	int err = affinity_new(&view, now, &maps->affinity);

	assert(!err);
}

void fake_maps_restart(struct fake_maps *maps, uint32_t now)
{
	affinity_free(maps->affinity);
	open_affinity(maps, now);
	maps->settings.generation++;
}

struct fake_maps *fake_maps_new(const struct config_limits *limits, uint32_t now)
{
	struct fake_maps *maps = array(1, sizeof(*maps));
	struct config_limits *sizes = &maps->running.limits;

	*sizes = *limits;
	sizes->vips++;
	sizes->pools++;
	sizes->backends++;
	ARRAY_OF(sizes->ring_words, maps->rings);
	ARRAY_OF(sizes->backends, maps->backends);
	ARRAY_OF(sizes->backends, maps->backend_info);
	ARRAY_OF(sizes->backends, maps->backend_packets);
	ARRAY_OF(sizes->pools, maps->pools);
	ARRAY_OF(sizes->pools, maps->pool_flows);
	ARRAY_OF(sizes->pools, maps->pool_records);
	ARRAY_OF(sizes->vips, maps->vips);
	ARRAY_OF(sizes->vips, maps->vip_old);
	ARRAY_OF(sizes->vips, maps->vip_info);
	ARRAY_OF(sizes->vips, maps->vip_packets);
	ARRAY_OF(sizes->addresses + sizes->prefixes, maps->addresses);
	ARRAY_OF(sizes->services, maps->services);
	maps->running.settings = &maps->settings;
	maps->running.instance = &maps->instance;
	maps->running.rings = maps->rings;
	maps->running.backends = maps->backends;
	maps->running.backend_info = maps->backend_info;
	maps->running.pools = maps->pools;
	maps->running.vips = maps->vips;
	maps->running.vip_old = maps->vip_old;
	maps->running.vip_info = maps->vip_info;
	maps->running.addresses = maps->addresses;
	maps->running.services = maps->services;
	place_tiers(maps);
	open_affinity(maps, now);
	return maps;
}

void fake_maps_free(struct fake_maps *maps)
{
	if (!maps)
		return;
	affinity_free(maps->affinity);
	free(maps->rings);
	free(maps->backends);
	free(maps->backend_info);
	free(maps->backend_packets);
	free(maps->pools);
	free(maps->pool_flows);
	free(maps->pool_records);
	free(maps->flows);
	free(maps->vips);
	free(maps->vip_old);
	free(maps->vip_info);
	free(maps->vip_packets);
	free(maps->addresses);
	free(maps->services);
	free(maps);
}

static int apply_fresh_ring(struct fake_maps *maps, const struct step *step, uint32_t words)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < 2 * step->ring.size && done++ < words; i++) {
		uint64_t number = step->ring.members[i % step->ring.size];

		maps->rings[step->ring.start + i] = number | number << TR_WORD_BASE_SHIFT | number << TR_WORD_PREV_SHIFT;
	}
	return 0;
}

/* What affinity wrote when it was killed in the middle: the hash, which it takes away first, and some of its words. */
static int apply_ring_in_place(struct fake_maps *maps, const struct step *step, uint32_t words, uint32_t now)
{
	struct tr_pool_info *pool = &maps->pools[step->number];
	size_t size = 2 * step->ring.size * sizeof(*maps->rings);
	_cleanup_free_ uint64_t *before = array(1, size);
	uint64_t *ring = maps->rings + pool->ring;
	uint32_t done = 0;
	int err;

	if (pool->ring != step->ring.start || pool->ring_size != step->ring.size)
		return -EFAULT;
	memcpy(before, ring, size);
	err = affinity_target(maps->affinity, step->number, step->ring.members, step->ring.hash, step->ring.why, now);
	for (uint32_t i = 0; i < 2 * step->ring.size; i++)
		if (ring[i] != before[i] && done++ >= words)
			ring[i] = before[i];
	if (done > words)
		pool->ring_hash = 0;
	return err;
}

int fake_maps_apply_ring(struct fake_maps *maps, const struct step *step, uint32_t words, uint32_t now)
{
	if (!step->number || step->number >= maps->running.limits.pools ||
	    step->ring.start + 2 * step->ring.size > maps->running.limits.ring_words)
		return -EFAULT;
	if (step->ring.in_place)
		return apply_ring_in_place(maps, step, words, now);
	return apply_fresh_ring(maps, step, words);
}

static int apply_settings(struct fake_maps *maps, const struct step *step)
{
	struct tr_instance instance = step->instance;

	maps->settings.entropy4 = step->settings.entropy4;
	maps->settings.entropy6 = step->settings.entropy6;
	maps->settings.syn_budget = step->settings.syn_budget;
	memcpy(maps->settings.rates, step->settings.rates, sizeof(maps->settings.rates));
	instance.reloads = maps->instance.reloads;
	instance.reloads_failed = maps->instance.reloads_failed;
	maps->instance = instance;
	return 0;
}

static int apply_hash_key(struct fake_maps *maps, const struct step *step, uint32_t now)
{
	const uint64_t key[2] = { step->settings.hash_key[0], step->settings.hash_key[1] };

	affinity_hash_key(maps->affinity, key, now);
	return 0;
}

static int apply_backend(struct fake_maps *maps, const struct step *step)
{
	if (!step->number || step->number >= maps->running.limits.backends)
		return -EFAULT;
	maps->backends[step->number] = step->backend;
	maps->backend_info[step->number] = step->backend_info;
	if (step->fresh)
		maps->backend_packets[step->number] = 0;
	return 0;
}

static int apply_vip(struct fake_maps *maps, const struct step *step, uint32_t now)
{
	static const struct tr_vip_info no_info;
	static const struct tr_vip none;
	bool deletes = step->kind == STEP_DELETE_VIP;

	if (!step->number || step->number >= maps->running.limits.vips)
		return -EFAULT;
	if (deletes && !maps->vip_info[step->number].name[0])
		return -ENOENT;
	affinity_vip(maps->affinity, step->number, deletes ? &none : &step->vip, now);
	maps->vip_info[step->number] = deletes ? no_info : step->vip_info;
	if (!deletes && step->fresh)
		maps->vip_packets[step->number] = 0;
	return 0;
}

static int apply_pool(struct fake_maps *maps, const struct step *step)
{
	struct tr_pool_info *pool = &maps->pools[step->number];

	if (!step->number || step->number >= maps->running.limits.pools)
		return -EFAULT;
	if (step->pool.leaving) {
		pool->leaving = 1;
		return 0;
	}
	if (step->fresh) {
		maps->pool_flows[step->number] = (struct tr_pool_flows){};
		maps->pool_records[step->number] = 0;
		*pool = step->pool;
	} else if (pool->ring != step->pool.ring) {
		pool->ring_changes = step->pool.ring_changes;
		pool->words_changed = step->pool.words_changed;
		memcpy(pool->unsettled, step->pool.unsettled, sizeof(pool->unsettled));
		memcpy(pool->looking, step->pool.looking, sizeof(pool->looking));
		pool->unsettled_since = step->pool.unsettled_since;
	}
	maps->pool_flows[step->number].t_syn = step->pool.times.syn;
	maps->pool_flows[step->number].t_udp = step->pool.times.udp;
	maps->pool_flows[step->number].t_settle = step->pool.times.settle;
	pool->ring = step->pool.ring;
	pool->ring_size = step->pool.ring_size;
	pool->ring_hash = step->pool.ring_hash;
	pool->times = step->pool.times;
	pool->leaving = 0;
	return 0;
}

/* Where the key stands in the sorted array, or would; *ret_found tells which. Keys come first in their elements. */
static size_t find_key(const void *elements, size_t n, size_t size, const void *key, size_t key_size, bool *ret_found)
{
	size_t i = 0;
	int order = -1;

	while (i < n && (order = memcmp((const char *)elements + i * size, key, key_size)) < 0)
		i++;
	*ret_found = i < n && !order;
	return i;
}

static int update(void *elements, size_t *n, size_t size, const void *element, size_t key_size, bool full)
{
	bool found;
	size_t i = find_key(elements, *n, size, element, key_size, &found);
	char *at = (char *)elements + i * size;

	if (!found && full)
		return -E2BIG;
	if (!found)
		memmove(at + size, at, (*n)++ * size - i * size);
	memcpy(at, element, size);
	return 0;
}

static int delete(void *elements, size_t *n, size_t size, const void *key, size_t key_size)
{
	bool found;
	size_t i = find_key(elements, *n, size, key, key_size, &found);
	char *at = (char *)elements + i * size;

	if (!found)
		return -ENOENT;
	memmove(at, at + size, --*n * size - i * size);
	return 0;
}

static int apply_address(struct fake_maps *maps, const struct step *step)
{
	struct running_address element = { step->address.prefix, step->address.value };
	size_t *n = &maps->running.n_addresses, same = 0;
	bool single = element.prefix.len == 128;

	if (step->kind == STEP_DELETE_ADDRESS)
		return delete(maps->addresses, n, sizeof(element), &element, sizeof(element.prefix));
	for (size_t i = 0; i < *n; i++)
		same += (maps->addresses[i].prefix.len == 128) == single;
	return update(maps->addresses, n, sizeof(element), &element, sizeof(element.prefix),
		      same == (single ? maps->running.limits.addresses : maps->running.limits.prefixes));
}

static int apply_service(struct fake_maps *maps, const struct step *step)
{
	struct running_service element = { step->service.key, step->service.vip };
	size_t *n = &maps->running.n_services;

	if (step->kind == STEP_DELETE_SERVICE)
		return delete(maps->services, n, sizeof(element), &element, sizeof(element.key));
	return update(maps->services, n, sizeof(element), &element, sizeof(element.key),
		      *n == maps->running.limits.services);
}

int fake_maps_apply(struct fake_maps *maps, const struct step *step, uint32_t now)
{
	switch (step->kind) {
	case STEP_HASH_KEY:
		return apply_hash_key(maps, step, now);
	case STEP_SETTINGS:
		return apply_settings(maps, step);
	case STEP_ENTROPY:
		maps->settings.entropy4 = step->settings.entropy4;
		maps->settings.entropy6 = step->settings.entropy6;
		return 0;
	case STEP_BACKEND:
		return apply_backend(maps, step);
	case STEP_RING:
		return fake_maps_apply_ring(maps, step, UINT32_MAX, now);
	case STEP_VIP:
	case STEP_DELETE_VIP:
		return apply_vip(maps, step, now);
	case STEP_POOL:
		return apply_pool(maps, step);
	case STEP_ADDRESS:
	case STEP_DELETE_ADDRESS:
		return apply_address(maps, step);
	case STEP_SERVICE:
	case STEP_DELETE_SERVICE:
		return apply_service(maps, step);
	case STEP_PREFIXES:
		maps->settings.prefixes = step->number;
		return 0;
	case STEP_FLUSH:
		maps->settings.generation++;
		return 0;
	}
	return -EINVAL;
}

const struct tr_vip_address *fake_maps_find_address(const struct fake_maps *maps, const struct tr_addr *address)
{
	const struct running_address *best = NULL;

	/* The longest stand last where a length's low byte comes first; either way the longest wins. */
	for (size_t i = maps->running.n_addresses; i-- > 0;) {
		const struct running_address *at = &maps->addresses[i];

		if ((at->prefix.len == 128 || maps->settings.prefixes) &&
		    (!best || at->prefix.len > best->prefix.len) && naive_contains(&at->prefix, address))
			best = at;
	}
	return best ? &best->value : NULL;
}

uint32_t fake_maps_find_vip(const struct fake_maps *maps, const struct tr_vip_address *at, enum tr_l4 l4, uint16_t port)
{
	struct tr_service_key key = { .address = at->id, .port = htons(port), .l4 = l4 };
	bool found = false;
	size_t i = 0;

	if (at->has_exact[l4])
		i = find_key(maps->services, maps->running.n_services, sizeof(*maps->services), &key, sizeof(key),
			     &found);
	return found ? maps->services[i].vip : at->all_ports[l4];
}
