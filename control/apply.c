// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doing a plan's steps. Mmap'ed maps are written in 8-byte words, each one atomic store: a packet sees a word before or
 * after, never half. What a word refers to is written before it (release order; x86 and the kernel's readers, which
 * depend on the word's value for the address they read next, need no more).
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "addr.h"
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

static int zero_traffic(struct dataplane *dp, enum state_map map, uint32_t number)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct tr_traffic *zero = calloc(cpus > 0 ? cpus : 1, sizeof(*zero));

	if (!zero)
		return -ENOMEM;
	return bpf_map_update_elem(dp->fds[map], &number, zero, BPF_ANY) ? -errno : 0;
}

static void apply_settings(struct dataplane *dp, const struct step *step)
{
	struct tr_settings settings = step->settings;
	struct tr_instance instance = step->instance;

	settings.generation = dp->settings->generation;
	settings.prefixes = dp->settings->prefixes;
	settings.lengths = dp->settings->lengths;
	instance.reloads = dp->instance->reloads;
	instance.reloads_failed = dp->instance->reloads_failed;
	dataplane_store_words(dp->settings, &settings, sizeof(settings));
	dataplane_store_words(dp->instance, &instance, sizeof(instance));
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
	return step->fresh ? zero_traffic(dp, MAP_backend_traffic, step->number) : 0;
}

/* The hash goes first: a ring that was left half written must not look like the one that it was. */
static void apply_ring(struct dataplane *dp, const struct step *step)
{
	if (step->ring.in_place)
		__atomic_store_n(&dp->pools[step->number].ring_hash, 0, __ATOMIC_RELEASE);
	for (int l4 = 0; l4 < TR_L4_COUNT; l4++) {
		uint64_t *words = dp->rings + step->ring.start + l4 * step->ring.size;

		for (uint32_t b = 0; b < step->ring.size; b++) {
			uint64_t number = step->ring.members[b], old = words[b] & TR_BACKEND_MASK;
			uint64_t prev = step->ring.in_place ? old : number;

			if (step->ring.in_place && old == number)
				continue;
			__atomic_store_n(&words[b], number | number << TR_WORD_BASE_SHIFT | prev << TR_WORD_PREV_SHIFT,
					 __ATOMIC_RELEASE);
		}
	}
}

static int apply_vip(struct dataplane *dp, const struct step *step)
{
	dataplane_store_words(&dp->vips[step->number], &step->vip, sizeof(step->vip));
	dataplane_store_words(&dp->vip_info[step->number], &step->vip_info, sizeof(step->vip_info));
	return step->fresh ? zero_traffic(dp, MAP_vip_traffic, step->number) : 0;
}

static void delete_vip(struct dataplane *dp, uint32_t number)
{
	static const struct tr_vip_info no_info;
	static const struct tr_vip none;

	dataplane_store_words(&dp->vips[number], &none, sizeof(none));
	dataplane_store_words(&dp->vip_info[number], &no_info, sizeof(no_info));
}

static void delete_pool(struct dataplane *dp, uint32_t number)
{
	static const struct tr_pool_info none;

	dataplane_store_words(&dp->pools[number], &none, sizeof(none));
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
	case STEP_ENTROPY:
		apply_entropy(dp, step);
		return 0;
	case STEP_BACKEND:
		return apply_backend(dp, step);
	case STEP_RING:
		apply_ring(dp, step);
		return 0;
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
		dataplane_store_words(&dp->pools[step->number], &step->pool, sizeof(step->pool));
		return 0;
	case STEP_DELETE_ADDRESS:
		return delete_address(dp, step);
	case STEP_DELETE_SERVICE:
		dp->addresses_stale = true;
		return bpf_map_delete_elem(dp->fds[MAP_services], &step->service.key);
	case STEP_DELETE_VIP:
		delete_vip(dp, step->number);
		return 0;
	case STEP_DELETE_POOL:
		delete_pool(dp, step->number);
		return 0;
	case STEP_RETIRE_BACKEND:
		dataplane_store_words(&dp->backend_info[step->number], &step->backend_info, sizeof(step->backend_info));
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
		[STEP_DELETE_POOL] = "removal of a pool", [STEP_RETIRE_BACKEND] = "retirement of a backend",
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
