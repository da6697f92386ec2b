// SPDX-License-Identifier: GPL-2.0-only
/* An instance's maps, opened and mapped; see dataplane.h. Programs are in dataplane_load.c, writing in apply.c. */
#include "dataplane.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpffs.h"
#include "dataplane_internal.h"
#include "log.h"
#include "ticks.h"
#include "util.h"

#define END_OF_MAP (-ENOENT)
#define IN_FLIGHT_US 50000		/* far beyond what a packet stays in a program */

const char *const state_map_names[STATE_MAP_COUNT] = {
#define X(name) [MAP_##name] = #name,
	STATE_MAPS(X)
#undef X
};

static int take_lock(struct dataplane *dp)
{
	int err = bpffs_lock(dp->dir, &dp->lock);

	if (err == -EBUSY)
		log_error("%s: another tailrace controls this instance; stop it first, or choose another `instance`", dp->dir);
	return err;
}

static size_t map_bytes(const struct dataplane *dp, enum state_map map, size_t value_size)
{
	size_t page = sysconf(_SC_PAGESIZE), bytes = dp->max_entries[map] * value_size;

	return (bytes + page - 1) / page * page;
}

static int map_one(struct dataplane *dp, enum state_map map, size_t value_size, void **ret)
{
	void *memory = mmap(NULL, map_bytes(dp, map, value_size), PROT_READ | PROT_WRITE, MAP_SHARED, dp->fds[map], 0);

	if (memory == MAP_FAILED)
		return log_err(-errno, "%s/%s: cannot map it into memory", dp->dir, state_map_names[map]);
	*ret = memory;
	return 0;
}

#define MAPPED(X)                                                                                                    \
	X(settings, settings) X(instance, instance) X(rings, rings) X(backends, backends)                            \
	X(vip_filter, filter) X(backend_tags, backend_tags)                                                          \
	X(backend_info, backend_info) X(pool_info, pools) X(vips, vips) X(vip_old, vip_old) X(vip_info, vip_info)    \
	X(flows, flows) X(flow_state, flow_state) X(pool_flows, pool_flows)

static int map_all(struct dataplane *dp)
{
	int err = 0;

#define X(map, field)                                                                                   \
	if (!err)                                                                                       \
		err = map_one(dp, MAP_##map, sizeof(*dp->field), (void **)&dp->field);
	MAPPED(X)
#undef X
	return err;
}

static void unmap_all(struct dataplane *dp)
{
#define X(map, field)                                                                                   \
	if (dp->field)                                                                                  \
		munmap(dp->field, map_bytes(dp, MAP_##map, sizeof(*dp->field)));
	MAPPED(X)
#undef X
}

static void fill_running(struct dataplane *dp)
{
	dp->running = (struct running){
		.settings = dp->settings,
		.instance = dp->instance,
		.rings = dp->rings,
		.backends = dp->backends,
		.backend_info = dp->backend_info,
		.pools = dp->pools,
		.vips = dp->vips,
		.vip_old = dp->vip_old,
		.vip_info = dp->vip_info,
		.limits = {
			.vips = dp->max_entries[MAP_vips],
			.addresses = dp->max_entries[MAP_vip_addresses],
			.prefixes = dp->max_entries[MAP_vip_prefixes],
			.services = dp->max_entries[MAP_services],
			.pools = dp->max_entries[MAP_pool_info],
			.backends = dp->max_entries[MAP_backends],
			.ring_words = dp->max_entries[MAP_rings],
		},
	};
}

/* Words, moving VIPs and records are one module's, on the maps' memory. */
static int open_affinity(struct dataplane *dp)
{
	const struct affinity_view view = {
		.settings = dp->settings,
		.rings = dp->rings,
		.backends = dp->backends,
		.backend_info = dp->backend_info,
		.pools = dp->pools,
		.pool_flows = dp->pool_flows,
		.vips = dp->vips,
		.vip_old = dp->vip_old,
		.flows = dp->flows,
		.flow_state = dp->flow_state,
		.n_words = dp->max_entries[MAP_rings],
		.n_backends = dp->max_entries[MAP_backends],
		.n_pools = dp->max_entries[MAP_pool_info],
		.n_vips = dp->max_entries[MAP_vips],
	};
	uint32_t now = 0;
	int err = dataplane_now(dp, &now);

	if (err)
		return err;
	err = affinity_new(&view, now, &dp->affinity);
	return err ? log_err(err, "%s: cannot take over its rings", dp->dir) : 0;
}

int dataplane_open(const char *instance, const struct config_limits *limits, const struct dataplane_options *options,
		   struct dataplane **ret)
{
	struct dataplane *dp = calloc(1, sizeof(*dp));
	int err;

	if (!dp)
		return log_err(-ENOMEM, "instance %s", instance);
	dp->lock = dp->old_stages = dp->clock = -1;
	dp->addresses_stale = true;
	for (int i = 0; i < STATE_MAP_COUNT; i++)
		dp->fds[i] = -1;
	paths_instance_dir(instance, dp->dir, sizeof(dp->dir));
	err = bpffs_prepare(dp->dir);
	if (!err)
		err = take_lock(dp);
	if (!err)
		err = dataplane_load(dp, limits, options);
	if (!err)
		err = map_all(dp);
	if (err) {
		dataplane_close(dp);
		return err;
	}
	fill_running(dp);
	dataplane_place_tiers(dp, limits);
	err = dataplane_filter_build(dp);
	if (err)
		log_err(err, "%s/%s: cannot build the filter of VIP addresses", TR_PIN_ROOT, instance);
	else
		err = open_affinity(dp);
	if (err) {
		dataplane_close(dp);
		return err;
	}
	dataplane_flush(dp);	/* a controller that died may have changed VIPs and not come to its own flush */
	*ret = dp;
	return 0;
}

void dataplane_remove_fresh(struct dataplane *dp)
{
	if (dp->fresh)
		bpffs_remove(dp->dir);
}

void dataplane_close(struct dataplane *dp)
{
	if (!dp)
		return;
	affinity_free(dp->affinity);
	unmap_all(dp);
	for (int i = 0; i < STATE_MAP_COUNT; i++)
		cleanup_closep(&dp->fds[i]);
	if (dp->old_stages >= 0)
		usleep(IN_FLIGHT_US);	/* with the last reference its slots empty */
	cleanup_closep(&dp->old_stages);
	cleanup_closep(&dp->clock);
	cleanup_closep(&dp->lock);
	free(dp->addresses);
	free(dp->services);
	free(dp);
}

static int compare_addresses(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct tr_prefix));
}

static int compare_services(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct tr_service_key));
}

/* Adds the entries of vip_addresses, then of vip_prefixes. Only the controller writes them: nothing moves meanwhile. */
static int read_addresses(struct dataplane *dp)
{
	size_t room = dp->max_entries[MAP_vip_addresses] + dp->max_entries[MAP_vip_prefixes], n = 0;
	struct running_address *all = calloc(room, sizeof(*all));
	struct tr_prefix prefix, *before = NULL;
	struct tr_addr addr, *previous = NULL;
	int err = 0;

	if (!all)
		return -ENOMEM;
	while (!err && n < room && !(err = bpf_map_get_next_key(dp->fds[MAP_vip_addresses], previous, &addr))) {
		all[n].prefix = (struct tr_prefix){ 128, addr };
		err = bpf_map_lookup_elem(dp->fds[MAP_vip_addresses], &addr, &all[n++].value);
		previous = &addr;
	}
	err = err == END_OF_MAP ? 0 : err;
	while (!err && n < room && !(err = bpf_map_get_next_key(dp->fds[MAP_vip_prefixes], before, &prefix))) {
		all[n].prefix = prefix;
		err = bpf_map_lookup_elem(dp->fds[MAP_vip_prefixes], &prefix, &all[n++].value);
		before = &prefix;
	}
	if (err && err != END_OF_MAP) {
		free(all);
		return err;
	}
	qsort(all, n, sizeof(*all), compare_addresses);
	free(dp->addresses);
	dp->running.addresses = dp->addresses = all;
	dp->running.n_addresses = n;
	return 0;
}

static int read_services(struct dataplane *dp)
{
	size_t room = dp->max_entries[MAP_services], n = 0;
	struct running_service *all = calloc(room, sizeof(*all));
	struct tr_service_key key, *before = NULL;
	int err = 0;

	if (!all)
		return -ENOMEM;
	while (!err && n < room && !(err = bpf_map_get_next_key(dp->fds[MAP_services], before, &key))) {
		all[n].key = key;
		err = bpf_map_lookup_elem(dp->fds[MAP_services], &key, &all[n++].vip);
		before = &key;
	}
	if (err && err != END_OF_MAP) {
		free(all);
		return err;
	}
	qsort(all, n, sizeof(*all), compare_services);
	free(dp->services);
	dp->running.services = dp->services = all;
	dp->running.n_services = n;
	return 0;
}

int dataplane_read(struct dataplane *dp, const struct running **ret)
{
	int err = 0;

	if (dp->addresses_stale) {
		err = read_addresses(dp);
		if (!err)
			err = read_services(dp);
		if (err)
			return log_err(err, "%s: cannot read its VIPs' addresses", dp->dir);
		dp->addresses_stale = false;
	}
	*ret = &dp->running;
	return 0;
}

int dataplane_now(struct dataplane *dp, uint32_t *ret)
{
	int err = ticks_now(dp->clock, &dp->now);

	if (err)
		return log_err(err, "%s: cannot read the clock of its flow records", dp->dir);
	*ret = dp->now;
	return 0;
}

int dataplane_tick(struct dataplane *dp, uint64_t *ret_wait_ns)
{
	uint32_t now = 0, wait;
	int err = dataplane_now(dp, &now);

	if (err)
		return err;
	wait = affinity_tick(dp->affinity, now);
	*ret_wait_ns = wait == AFFINITY_NEVER ? DATAPLANE_NEVER : wait * ticks_ns();
	return 0;
}

bool dataplane_is_pending(const struct dataplane *dp)
{
	return affinity_is_pending(dp->affinity);
}

bool dataplane_is_settled(const struct dataplane *dp)
{
	return affinity_is_settled(dp->affinity);
}

void dataplane_count_reload(struct dataplane *dp, bool applied)
{
	struct timespec now;

	if (!applied) {
		dp->instance->reloads_failed++;
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	dp->instance->applied_at = now.tv_sec * 1000000000ULL + now.tv_nsec;
	dp->instance->reloads++;
}

const char *dataplane_dir(const struct dataplane *dp)
{
	return dp->dir;
}
