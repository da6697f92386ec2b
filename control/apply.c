// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doing a plan's steps. Mmap'ed maps are written in 8-byte words, each one atomic store: a packet sees a word before or
 * after, never half. What a word refers to is written before it (release order; x86 and the kernel's readers, which
 * depend on the word's value for the address they read next, need no more). Ring words that packets read, VIPs and the hash
 * key change in time: that is affinity's, which is told here what is wanted.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "affinity.h"
#include "dataplane_internal.h"
#include "log.h"
#include "util.h"

void dataplane_store_words(void *to, const void *from, size_t bytes)
{
	const uint64_t *source = from;
	uint64_t *target = to;

	for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
		if (target[i] != source[i])
			__atomic_store_n(&target[i], source[i], __ATOMIC_RELEASE);
}

void dataplane_flush(struct dataplane *dp)
{
	if (!__atomic_add_fetch(&dp->settings->generation, 1, __ATOMIC_RELEASE))
		__atomic_store_n(&dp->settings->generation, 1, __ATOMIC_RELEASE);	/* 0 means not filled */
}

/* An element of a per-CPU map. */
static int zero_counters(struct dataplane *dp, enum state_map map, size_t value_size, uint32_t number)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ void *zero = calloc(cpus > 0 ? cpus : 1, value_size);

	if (!zero)
		return -ENOMEM;
	return bpf_map_update_elem(dp->fds[map], &number, zero, BPF_ANY) ? -errno : 0;
}

/* What others own stays: the hash key is affinity's, generation, prefixes, lengths and tiers the dataplane's. */
static void apply_settings(struct dataplane *dp, const struct step *step)
{
	struct tr_settings settings = *dp->settings;
	struct tr_instance instance = step->instance;

	settings.entropy4 = step->settings.entropy4;
	settings.entropy6 = step->settings.entropy6;
	settings.syn_budget = step->settings.syn_budget;
	memcpy(settings.rates, step->settings.rates, sizeof(settings.rates));
	instance.reloads = dp->instance->reloads;
	instance.reloads_failed = dp->instance->reloads_failed;
	dataplane_store_words(dp->settings, &settings, sizeof(settings));
	dataplane_store_words(dp->instance, &instance, sizeof(instance));
}

static int apply_hash_key(struct dataplane *dp, const struct step *step)
{
	const uint64_t key[2] = { step->settings.hash_key[0], step->settings.hash_key[1] };

	affinity_hash_key(dp->affinity, key, dp->now);
	return 0;
}

static void apply_entropy(struct dataplane *dp, const struct step *step)
{
	struct tr_settings settings = *dp->settings;

	settings.entropy4 = step->settings.entropy4;
	settings.entropy6 = step->settings.entropy6;
	dataplane_store_words(dp->settings, &settings, sizeof(settings));
}

static int apply_backend(struct dataplane *dp, const struct step *step)
{
	dataplane_store_words(&dp->backends[step->number], &step->backend, sizeof(step->backend));
	dataplane_store_words(&dp->backend_info[step->number], &step->backend_info, sizeof(step->backend_info));
	return step->fresh ? zero_counters(dp, MAP_backend_traffic, sizeof(struct tr_traffic), step->number) : 0;
}

/* Nothing reads a fresh ring yet. */
static void write_fresh_ring(struct dataplane *dp, const struct step *step)
{
	for (int l4 = 0; l4 < TR_L4_COUNT; l4++) {
		uint64_t *words = dp->rings + step->ring.start + l4 * step->ring.size;

		for (uint32_t b = 0; b < step->ring.size; b++) {
			uint64_t number = step->ring.members[b];

			words[b] = number | number << TR_WORD_BASE_SHIFT | number << TR_WORD_PREV_SHIFT;
		}
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static int apply_ring(struct dataplane *dp, const struct step *step)
{
	if (step->ring.in_place)
		return affinity_target(dp->affinity, step->number, step->ring.members, step->ring.hash, step->ring.why, dp->now);
	write_fresh_ring(dp, step);
	return 0;
}

/* The programs' times before the controller's, so that a plan finds what was broken off between; stamps are theirs. */
static void write_pool_times(struct dataplane *dp, const struct step *step)
{
	struct tr_pool_flows flows = { .t_syn = step->pool.times.syn, .t_udp = step->pool.times.udp,
				       .t_settle = step->pool.times.settle };
	size_t bytes = step->fresh ? sizeof(flows) : offsetof(struct tr_pool_flows, refused);

	dataplane_store_words(&dp->pool_flows[step->number], &flows, bytes);
}

/* A new ring without its hash would be built again; one with the hash of another never. */
static void write_pool_ring(struct tr_pool_info *pool, const struct tr_pool_info *wanted)
{
	if (pool->ring != wanted->ring || pool->ring_size != wanted->ring_size) {
		__atomic_store_n(&pool->ring_hash, 0, __ATOMIC_RELEASE);
		dataplane_store_words(&pool->ring, &wanted->ring, sizeof(pool->ring) + sizeof(pool->ring_size));
		pool->ring_changes = wanted->ring_changes;
		pool->words_changed = wanted->words_changed;
		memcpy(pool->unsettled, wanted->unsettled, sizeof(pool->unsettled));
		memcpy(pool->looking, wanted->looking, sizeof(pool->looking));
		pool->unsettled_since = wanted->unsettled_since;
	}
	__atomic_store_n(&pool->ring_hash, wanted->ring_hash, __ATOMIC_RELEASE);
}

static int apply_pool(struct dataplane *dp, const struct step *step)
{
	struct tr_pool_info *pool = &dp->pools[step->number];
	int err = 0;

	if (step->pool.leaving) {	/* the rest may have changed on the way here: VIPs left it */
		__atomic_store_n(&pool->leaving, 1, __ATOMIC_RELEASE);
		return 0;
	}
	write_pool_times(dp, step);
	if (step->fresh) {
		/* Its name, which comes first, is what makes the number its own: written last. */
		dataplane_store_words(&pool->ring_hash, &step->pool.ring_hash,
				      sizeof(*pool) - offsetof(struct tr_pool_info, ring_hash));
		err = zero_counters(dp, MAP_pool_counts, sizeof(struct tr_pool_counts), step->number);
	} else {
		write_pool_ring(pool, &step->pool);
		pool->times = step->pool.times;
		__atomic_store_n(&pool->leaving, 0, __ATOMIC_RELEASE);
	}
	dataplane_store_words(pool->name, step->pool.name, sizeof(pool->name));
	return err;
}

/* The name first: a number with a ring and no name would be taken for free. */
static int apply_vip(struct dataplane *dp, const struct step *step)
{
	int err = step->fresh ? zero_counters(dp, MAP_vip_traffic, sizeof(struct tr_traffic), step->number) : 0;

	dataplane_store_words(&dp->vip_info[step->number], &step->vip_info, sizeof(step->vip_info));
	affinity_vip(dp->affinity, step->number, &step->vip, dp->now);
	return err;
}

static void delete_vip(struct dataplane *dp, uint32_t number)
{
	static const struct tr_vip_info no_info;
	static const struct tr_vip none;

	affinity_vip(dp->affinity, number, &none, dp->now);
	dataplane_store_words(&dp->vip_info[number], &no_info, sizeof(no_info));
}

static int apply_address(struct dataplane *dp, const struct step *step)
{
	const struct tr_prefix *prefix = &step->address.prefix;
	int err;

	dp->addresses_stale = true;
	dataplane_filter_add(dp, prefix);
	if (prefix->len == 128)
		err = bpf_map_update_elem(dp->fds[MAP_vip_addresses], &prefix->addr, &step->address.value, BPF_ANY);
	else
		err = bpf_map_update_elem(dp->fds[MAP_vip_prefixes], prefix, &step->address.value, BPF_ANY);
	return err;
}

static int delete_address(struct dataplane *dp, const struct step *step)
{
	const struct tr_prefix *prefix = &step->address.prefix;

	dp->addresses_stale = true;
	if (prefix->len == 128)
		return bpf_map_delete_elem(dp->fds[MAP_vip_addresses], &prefix->addr);
	return bpf_map_delete_elem(dp->fds[MAP_vip_prefixes], prefix);
}

static int apply_step(struct dataplane *dp, const struct step *step)
{
	switch (step->kind) {
	case STEP_SETTINGS:
		apply_settings(dp, step);
		return 0;
	case STEP_HASH_KEY:
		return apply_hash_key(dp, step);
	case STEP_ENTROPY:
		apply_entropy(dp, step);
		return 0;
	case STEP_BACKEND:
		return apply_backend(dp, step);
	case STEP_RING:
		return apply_ring(dp, step);
	case STEP_VIP:
		return apply_vip(dp, step);
	case STEP_PREFIXES:
		__atomic_store_n(&dp->settings->prefixes, step->number, __ATOMIC_RELEASE);
		return 0;
	case STEP_SERVICE:
		dp->addresses_stale = true;
		return bpf_map_update_elem(dp->fds[MAP_services], &step->service.key, &step->service.vip, BPF_ANY);
	case STEP_ADDRESS:
		return apply_address(dp, step);
	case STEP_FLUSH:
		dataplane_flush(dp);
		return 0;
	case STEP_POOL:
		return apply_pool(dp, step);
	case STEP_DELETE_ADDRESS:
		return delete_address(dp, step);
	case STEP_DELETE_SERVICE:
		dp->addresses_stale = true;
		return bpf_map_delete_elem(dp->fds[MAP_services], &step->service.key);
	case STEP_DELETE_VIP:
		delete_vip(dp, step->number);
		return 0;
	}
	return -EINVAL;
}

static const char *step_name(enum step_kind kind)
{
	static const char *const names[] = {
		[STEP_SETTINGS] = "settings", [STEP_ENTROPY] = "entropy masks", [STEP_BACKEND] = "backend",
		[STEP_RING] = "ring", [STEP_VIP] = "VIP",
		[STEP_PREFIXES] = "prefix count", [STEP_SERVICE] = "service", [STEP_ADDRESS] = "VIP address",
		[STEP_FLUSH] = "generation", [STEP_POOL] = "pool", [STEP_DELETE_ADDRESS] = "removal of a VIP address",
		[STEP_DELETE_SERVICE] = "removal of a service", [STEP_DELETE_VIP] = "removal of a VIP",
		[STEP_HASH_KEY] = "hash key",
	};

	return names[kind];
}

/* Nothing is wrong with a filter that lets too much pass; it is built anew by the next change. */
static void shrink_filter(struct dataplane *dp, const struct plan *plan)
{
	bool shrinks = false;

	for (size_t i = 0; i < plan->n; i++)
		shrinks = shrinks || plan->steps[i].kind == STEP_DELETE_ADDRESS;
	if (shrinks && dataplane_filter_build(dp))
		log_warning("%s: the filter of VIP addresses keeps what is gone", dp->dir);
}

int dataplane_apply(struct dataplane *dp, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		int err = apply_step(dp, &plan->steps[i]);

		log_debug("step %zu of %zu: %s %u", i + 1, plan->n, step_name(plan->steps[i].kind), plan->steps[i].number);

		if (!err)
			continue;
		dataplane_flush(dp);	/* the flush of what was done may be among the steps that were not */
		return log_err(err, "%s: cannot write %s (step %zu of %zu); the steps before it stand", dp->dir,
				       step_name(plan->steps[i].kind), i + 1, plan->n);
	}
	shrink_filter(dp, plan);
	return 0;
}
