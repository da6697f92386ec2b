/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an instance is and has counted, read from its pinned maps: `status`, `stats` and the metrics show it. Needs no
 * controller. The maps may change while they are read: what does not fit together yet is left out.
 */
#ifndef TAILRACE_SNAPSHOT_H
#define TAILRACE_SNAPSHOT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tailrace.h"
#include "verdicts.h"

struct snapshot_device {
	char name[IF_NAMESIZE];
	const char *mode;		/* native, generic or offload */
	uint32_t program_id;
};

struct snapshot_pool {
	uint32_t number;
	struct tr_pool_info info;
	struct tr_pool_flows flows;
	struct tr_pool_counts counts;
	uint64_t weight;		/* of its backends that take flows, together */
	uint64_t new_flows;		/* of all its backends together */
};

struct snapshot_backend {
	uint32_t number;
	const struct snapshot_pool *pool;
	struct tr_backend_info info;	/* state is neither free nor retired; buckets > 0: it takes new flows */
	struct tr_traffic traffic;
	uint8_t dmac[6];		/* of the next hop, these three once it has been known */
	uint16_t mtu;
	char device[IF_NAMESIZE];	/* empty: not known */
};

struct snapshot_service {
	enum tr_l4 l4;
	uint16_t port;			/* host order; 0: all ports */
};

struct snapshot_vip {
	uint32_t number;
	char name[TR_NAME_MAX];
	const struct snapshot_pool *pool;
	enum tr_mode mode;		/* TR_MODE_COUNT: packets do not find its ring yet */
	bool moving;
	bool echo, by_addresses, oversize;	/* as in struct config_vip; what packets meet, as mode is */
	uint16_t mss;			/* 0: any */
	const struct snapshot_pool *old_pool;	/* while it moves: from there, maybe from the same; NULL: no such pool */
	struct tr_traffic traffic;
	struct tr_prefix *addresses;	/* sorted; IPv4 comes first */
	size_t n_addresses;
	struct snapshot_service *services;	/* sorted; of any of the addresses */
	size_t n_services;
};

struct snapshot_map {
	const char *name;
	uint32_t used;
	uint32_t max;			/* the configuration's limit; the map itself has room for old and new at once */
};

struct snapshot_tier {			/* of flow records */
	uint32_t used;
	uint32_t max;
};

#define SNAPSHOT_MAPS 7

struct snapshot {
	char name[TR_NAME_MAX];
	struct tr_instance instance;
	uint64_t taken_at;		/* CLOCK_MONOTONIC, ns */
	uint64_t time;			/* CLOCK_REALTIME, ns */
	uint32_t tick;			/* not before any that the maps tell of as past */
	uint64_t tick_ns;		/* a tick's length; 0: the instance has no clock, and tick says nothing */
	bool controller;		/* one runs */
	struct snapshot_device *devices;	/* that have the entry program, in this network namespace */
	size_t n_devices;
	struct snapshot_pool *pools;	/* by name */
	size_t n_pools;
	struct snapshot_backend *backends;	/* by pool, then address */
	size_t n_backends;
	struct snapshot_vip *vips;	/* by name */
	size_t n_vips;
	uint64_t verdicts[TR_V_COUNT];	/* packets */
	struct snapshot_map maps[SNAPSHOT_MAPS];
	struct snapshot_tier tiers[TR_TIER_COUNT];
};

/*
 * Reads an instance of this machine. Logs its errors: -ENOENT no such instance, -EPROTO its maps are of another layout,
 * -EACCES, -EINVAL no name of an instance, -ENOMEM.
 */
int snapshot_read(const char *instance, struct snapshot **ret);
void snapshot_free(struct snapshot *snapshot);

extern const char *const snapshot_verdict_names[TR_V_COUNT];
extern const char *const snapshot_verdict_helps[TR_V_COUNT];
extern const char *const snapshot_tier_names[TR_TIER_COUNT];

#endif
