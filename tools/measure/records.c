// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "log.h"
#include "records.h"
#include "setup.h"
#include "util.h"

#define T_SYN 64	/* ticks, about 4 s; T_u, 30 s; W, 900 s */
#define T_UDP 480
#define T_SETTLE 14400

static const uint32_t tier_flows[TR_TIER_COUNT] = {
	[TR_TIER_TCP] = TR_TCP_FLOWS_DEFAULT,
	[TR_TIER_SYN] = TR_SYN_FLOWS_DEFAULT,
	[TR_TIER_UDP] = TR_UDP_FLOWS_DEFAULT,
	[TR_TIER_TRACK] = TR_TRACKED_FLOWS_DEFAULT,
};

static bool has_records(const struct target *target)
{
	return bpf_object__find_map_by_name(target->object, "flows");
}

int records_size(const struct target *target)
{
	uint32_t sets = 0;

	if (!has_records(target))
		return 0;
	for (int tier = 0; tier < TR_TIER_COUNT; tier++)
		sets += tier_flows[tier] * TR_TIER_ROOM(tier) / TR_SET_SLOTS;
	return bpf_map__set_max_entries(target_map(target, "flows"), sets);
}

void records_place(struct tr_settings *settings)
{
	uint32_t start = 0;

	for (int tier = 0; tier < TR_TIER_COUNT; tier++) {
		settings->tiers[tier] = (struct tr_tier_place){ start, tier_flows[tier] * TR_TIER_ROOM(tier) / TR_SET_SLOTS };
		start += settings->tiers[tier].sets;
	}
	settings->tcp_full = (uint64_t)TR_TCP_FLOWS_DEFAULT * 9 / 10;
	settings->syn_budget = UINT32_MAX;
}

static int clear_map(const struct target *target, const char *name, size_t value_size)
{
	size_t size;
	void *memory = target_memory(target, name, value_size, &size);

	if (!memory)
		return -EIO;
	memset(memory, 0, size);
	munmap(memory, size);
	return 0;
}

static int fill_times(const struct target *target)
{
	size_t size;
	struct tr_pool_flows *pools = target_memory(target, "pool_flows", sizeof(*pools), &size);

	if (!pools)
		return -EIO;
	for (uint32_t pool = 1; pool <= SETUP_RINGS; pool++)
		pools[pool] = (struct tr_pool_flows){ .t_syn = T_SYN, .t_udp = T_UDP, .t_settle = T_SETTLE };
	munmap(pools, size);
	return 0;
}

int records_clear(const struct target *target)
{
	int err;

	if (!has_records(target))
		return 0;
	err = clear_map(target, "flows", sizeof(struct tr_flow_set));
	err = err ?: clear_map(target, "flow_state", sizeof(struct tr_flow_state));
	return err ?: fill_times(target);
}

/* Adds one pool's counts of all CPUs. values: room for them. */
static int add_made(const struct target *target, int fd, uint32_t pool, struct tr_pool_counts *values,
		    struct tr_pool_counts *made)
{
	if (bpf_map_lookup_elem(fd, &pool, values))
		return -errno;
	for (uint32_t cpu = 0; cpu < target->cpus; cpu++) {
		made->recorded_new += values[cpu].recorded_new;
		made->recorded += values[cpu].recorded;
		made->recorded_udp += values[cpu].recorded_udp;
		made->refused += values[cpu].refused;
		made->refused_udp += values[cpu].refused_udp;
		made->pressed += values[cpu].pressed;
		made->tracked += values[cpu].tracked;
		made->moved += values[cpu].moved;
	}
	return 0;
}

int records_count(const struct target *target, struct records_counts *ret_counts)
{
	_cleanup_free_ struct tr_pool_counts *values = calloc(target->cpus, sizeof(*values));
	struct records_counts counts = {};
	struct tr_flow_state state;
	uint32_t zero = 0;
	int err = values ? 0 : -ENOMEM;

	*ret_counts = counts;
	if (!has_records(target))
		return 0;
	for (uint32_t pool = 1; pool <= SETUP_RINGS && !err; pool++)
		err = add_made(target, bpf_map__fd(target_map(target, "pool_counts")), pool, values, &counts.made);
	if (!err && bpf_map_lookup_elem(bpf_map__fd(target_map(target, "flow_state")), &zero, &state))
		err = -errno;
	if (err)
		return log_err(err, "counting records");
	memcpy(counts.held, state.used, sizeof(counts.held));
	*ret_counts = counts;
	return 0;
}
