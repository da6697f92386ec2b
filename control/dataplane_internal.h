/* SPDX-License-Identifier: GPL-2.0-only */
/* What dataplane*.c share among themselves. */
#ifndef TAILRACE_DATAPLANE_INTERNAL_H
#define TAILRACE_DATAPLANE_INTERNAL_H

#include <limits.h>

#include "affinity.h"
#include "dataplane.h"
#include "paths.h"
#include "vip_filter.h"

/* Maps that outlive programs, by the name they have in the object and in the directory of pins. */
#define STATE_MAPS(X)                                                                                                \
	X(vip_addresses) X(vip_prefixes) X(vip_filter) X(services) X(vips) X(vip_old) X(rings) X(backends)           \
	X(flows) X(flow_state) X(pool_flows) X(pool_counts) X(backend_tags) X(fragments) X(devices)                  \
	X(settings) X(verdicts) X(vip_traffic) X(backend_traffic) X(backend_info) X(pool_info) X(vip_info) X(instance)

enum state_map {
#define X(name) MAP_##name,
	STATE_MAPS(X)
#undef X
	STATE_MAP_COUNT
};

extern const char *const state_map_names[STATE_MAP_COUNT];

struct dataplane {
	char dir[256];
	int lock;			/* the directory, flock'ed as long as it is open */
	int old_stages;			/* a replaced PROG_ARRAY, which packets in flight may still read; or -1 */
	bool fresh;			/* the instance was made by this open, in an empty directory */
	int clock;			/* the pinned program `clock` */
	int fds[STATE_MAP_COUNT];
	uint32_t max_entries[STATE_MAP_COUNT];

	/* mmap'ed, live */
	struct tr_settings *settings;
	struct tr_instance *instance;
	uint64_t *rings;
	struct tr_filter *filter;
	struct tr_backend *backends;
	struct tr_tags *backend_tags;
	struct tr_backend_info *backend_info;
	struct tr_pool_info *pools;
	struct tr_vip *vips;
	struct tr_vip_old *vip_old;
	struct tr_vip_info *vip_info;
	struct tr_flow_set *flows;
	struct tr_flow_state *flow_state;
	struct tr_pool_flows *pool_flows;

	struct affinity *affinity;	/* on these */
	uint32_t now;			/* tick, of the last dataplane_now() */

	/* read from the maps when stale */
	bool addresses_stale;
	struct running_address *addresses;
	struct running_service *services;
	struct running running;
	struct vip_filter wanted;	/* what filter and lengths hold */
};

/* dataplane_load.c: makes or takes over maps and programs, fills fds and max_entries. Logs its errors. */
int dataplane_load(struct dataplane *dp, const struct config_limits *limits, const struct dataplane_options *options);
/* dataplane_filter.c. Before an address is written: lets it pass the filter. */
void dataplane_filter_add(struct dataplane *dp, const struct tr_prefix *prefix);
/* After addresses went, and at the start: the filter anew, from what the maps hold. 0 or -errno. */
int dataplane_filter_build(struct dataplane *dp);
/* Into an mmap'ed map, in 8-byte words, each one atomic store; equal ones are left alone. */
void dataplane_store_words(void *to, const void *from, size_t bytes);
/* Raises the generation: what the VIP caches hold is forgotten. */
void dataplane_flush(struct dataplane *dp);
/* dataplane_flows.c. The tiers of a fresh instance; what is there already is left. */
void dataplane_place_tiers(struct dataplane *dp, const struct config_limits *limits);
/* Can the tiers that the pinned settings tell take these limits? 0 or -EINVAL, logged. */
int dataplane_check_tiers(const struct dataplane *dp, const struct config_limits *limits);
uint32_t dataplane_flow_sets(const struct config_limits *limits);
/* The size of a state map that these limits ask for. */
uint32_t dataplane_wanted_entries(enum state_map map, const struct config_limits *limits);

#endif
