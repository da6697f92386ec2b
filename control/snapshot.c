// SPDX-License-Identifier: GPL-2.0-only
/* Reading an instance's pinned maps; see snapshot.h. */
#include "snapshot.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "addr.h"
#include "log.h"
#include "paths.h"
#include "pinned.h"
#include "snapshot_affinity.h"
#include "snapshot_vips.h"
#include "util.h"

/* What the configuration's limit was, of a map that has room for old and new at once, and maybe a number 0. */
static uint32_t limit(uint32_t max_entries)
{
	return max_entries / TR_ROOM;
}

enum { FILL_VIPS, FILL_ADDRESSES, FILL_PREFIXES, FILL_SERVICES, FILL_POOLS, FILL_BACKENDS, FILL_RINGS };

const char *const snapshot_tier_names[TR_TIER_COUNT] = {
	[TR_TIER_TCP] = "tcp", [TR_TIER_SYN] = "syn", [TR_TIER_UDP] = "udp", [TR_TIER_TRACK] = "tracked",
};

#define X(NAME, name, action, help) [TR_V_##NAME] = #name,
const char *const snapshot_verdict_names[TR_V_COUNT] = { TR_VERDICTS(X) };
#undef X
#define X(NAME, name, action, help) [TR_V_##NAME] = help,
const char *const snapshot_verdict_helps[TR_V_COUNT] = { TR_VERDICTS(X) };
#undef X

static int read_instance(struct snapshot *s, const char *dir)
{
	_cleanup_array_ struct pinned_array array = {};
	int err = pinned_map_array(dir, "instance", sizeof(s->instance), &array);

	if (err)
		return err;
	memcpy(&s->instance, array.data, sizeof(s->instance));
	s->instance.config[sizeof(s->instance.config) - 1] = '\0';
	return s->instance.layout == TR_LAYOUT ? 0 : -EPROTO;
}

static int compare_pools(const void *a, const void *b)
{
	return strcmp(((const struct snapshot_pool *)a)->info.name, ((const struct snapshot_pool *)b)->info.name);
}

/* The lists are made with room for as many as the map can hold: pages that are never written cost nothing. */
static int read_pools(struct snapshot *s, const char *dir)
{
	_cleanup_array_ struct pinned_array array = {};
	const struct tr_pool_info *infos;
	int err = pinned_map_array(dir, "pool_info", sizeof(*infos), &array);

	if (err)
		return err;
	infos = array.data;
	s->pools = calloc(array.max_entries, sizeof(*s->pools));
	if (!s->pools)
		return -ENOMEM;
	for (uint32_t i = 1; i < array.max_entries; i++) {
		struct snapshot_pool *pool = &s->pools[s->n_pools];

		if (!infos[i].name[0])
			continue;
		*pool = (struct snapshot_pool){ .number = i, .info = infos[i] };
		pool->info.name[TR_NAME_MAX - 1] = '\0';
		pool->info.why[sizeof(pool->info.why) - 1] = '\0';
		s->n_pools++;
	}
	qsort(s->pools, s->n_pools, sizeof(*s->pools), compare_pools);
	s->maps[FILL_POOLS] = (struct snapshot_map){ "pool_info", s->n_pools, limit(array.max_entries) };
	return 0;
}

struct snapshot_pool *snapshot_find_pool(const struct snapshot *s, uint32_t number)
{
	for (size_t i = 0; i < s->n_pools; i++)
		if (s->pools[i].number == number)
			return &s->pools[i];
	return NULL;
}

static int compare_backends(const void *x, const void *y)
{
	const struct snapshot_backend *a = x, *b = y;

	if (a->pool != b->pool)
		return a->pool < b->pool ? -1 : 1;
	return addr_compare(&a->info.address, &b->info.address);
}

/* Nearly all of them leave by one device: its name is asked for once. */
struct device_name {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
};

static void read_nexthop(struct snapshot_backend *backend, const struct tr_backend *record, struct device_name *last)
{
	if (record->encap == TR_ENCAP_NONE)
		return;
	memcpy(backend->dmac, record->dmac, sizeof(backend->dmac));
	backend->mtu = record->mtu;
	if (record->ifindex != last->ifindex) {
		last->ifindex = record->ifindex;
		if (!if_indextoname(record->ifindex, last->name))
			last->name[0] = '\0';
	}
	memcpy(backend->device, last->name, sizeof(backend->device));
}

static int read_backends(struct snapshot *s, const char *dir)
{
	_cleanup_counters_ struct pinned_counters counters = { .fd = -1 };
	_cleanup_array_ struct pinned_array array = {}, records = {};
	const struct tr_backend_info *infos;
	struct device_name device = {};
	int err;

	err = pinned_map_array(dir, "backend_info", sizeof(*infos), &array);
	if (!err)
		err = pinned_map_array(dir, "backends", sizeof(struct tr_backend), &records);
	if (!err)
		err = pinned_open_counters(dir, "backend_traffic", sizeof(struct tr_traffic), &counters);
	if (!err && records.max_entries != array.max_entries)
		err = -EPROTO;
	if (err)
		return err;
	infos = array.data;
	s->backends = calloc(array.max_entries, sizeof(*s->backends));
	if (!s->backends)
		return -ENOMEM;
	for (uint32_t i = 1; i < array.max_entries && !err; i++) {
		struct snapshot_backend *backend = &s->backends[s->n_backends];
		struct snapshot_pool *pool;

		*backend = (struct snapshot_backend){ .number = i, .info = infos[i] };
		if (backend->info.state == TR_BACKEND_FREE || backend->info.state == TR_BACKEND_RETIRED)
			continue;
		backend->pool = pool = snapshot_find_pool(s, backend->info.pool);
		if (!pool)
			continue;
		read_nexthop(backend, (const struct tr_backend *)records.data + i, &device);
		err = pinned_sum(&counters, i, &backend->traffic);
		pool->weight += backend->info.buckets ? backend->info.weight : 0;
		pool->new_flows += backend->traffic.new_flows;
		s->n_backends++;
	}
	qsort(s->backends, s->n_backends, sizeof(*s->backends), compare_backends);
	s->maps[FILL_BACKENDS] = (struct snapshot_map){ "backends", s->n_backends, limit(array.max_entries) };
	return err;
}

static int compare_vips(const void *a, const void *b)
{
	return strcmp(((const struct snapshot_vip *)a)->name, ((const struct snapshot_vip *)b)->name);
}

static int read_vips(struct snapshot *s, const char *dir)
{
	_cleanup_counters_ struct pinned_counters counters = { .fd = -1 };
	_cleanup_array_ struct pinned_array array = {};
	const struct tr_vip_info *infos;
	uint32_t used = 0;
	int err;

	err = pinned_map_array(dir, "vip_info", sizeof(*infos), &array);
	if (!err)
		err = pinned_open_counters(dir, "vip_traffic", sizeof(struct tr_traffic), &counters);
	if (err)
		return err;
	infos = array.data;
	s->vips = calloc(array.max_entries, sizeof(*s->vips));
	if (!s->vips)
		return -ENOMEM;
	for (uint32_t i = 1; i < array.max_entries && !err; i++) {
		struct snapshot_vip *vip = &s->vips[s->n_vips];

		if (!infos[i].name[0])
			continue;
		used++;
		vip->pool = snapshot_find_pool(s, infos[i].pool);
		if (!vip->pool)
			continue;
		vip->number = i;
		memcpy(vip->name, infos[i].name, TR_NAME_MAX - 1);
		vip->echo = !infos[i].echo_off;
		err = pinned_sum(&counters, i, &vip->traffic);
		s->n_vips++;
	}
	qsort(s->vips, s->n_vips, sizeof(*s->vips), compare_vips);
	s->maps[FILL_VIPS] = (struct snapshot_map){ "vips", used, limit(array.max_entries) };
	return err;
}

static int give_services(struct snapshot *s, const struct pinned_entries *exact, const struct pinned_entries *prefixes,
			 const struct pinned_entries *services)
{
	size_t n = exact->n + prefixes->n;
	_cleanup_free_ struct snapshot_address *addresses = calloc(n + 1, sizeof(*addresses));

	if (!addresses)
		return -ENOMEM;
	for (uint32_t i = 0; i < exact->n; i++)
		addresses[i] = (struct snapshot_address){ { 128, ((struct tr_addr *)exact->keys)[i] },
							  ((struct tr_vip_address *)exact->values)[i] };
	for (uint32_t i = 0; i < prefixes->n; i++)
		addresses[exact->n + i] = (struct snapshot_address){ ((struct tr_prefix *)prefixes->keys)[i],
								     ((struct tr_vip_address *)prefixes->values)[i] };
	return snapshot_give_services(s, addresses, n, services->keys, services->values, services->n);
}

static int read_services(struct snapshot *s, const char *dir)
{
	_cleanup_entries_ struct pinned_entries exact = {}, prefixes = {}, services = {};
	int err;

	err = pinned_read_entries(dir, "vip_addresses", sizeof(struct tr_addr), sizeof(struct tr_vip_address), &exact);
	if (!err)
		err = pinned_read_entries(dir, "vip_prefixes", sizeof(struct tr_prefix),
					  sizeof(struct tr_vip_address), &prefixes);
	if (!err)
		err = pinned_read_entries(dir, "services", sizeof(struct tr_service_key), sizeof(uint32_t), &services);
	if (err)
		return err;
	s->maps[FILL_ADDRESSES] = (struct snapshot_map){ "vip_addresses", exact.n, limit(exact.max_entries) };
	s->maps[FILL_PREFIXES] = (struct snapshot_map){ "vip_prefixes", prefixes.n, limit(prefixes.max_entries) };
	s->maps[FILL_SERVICES] = (struct snapshot_map){ "services", services.n, limit(services.max_entries) };
	return give_services(s, &exact, &prefixes, &services);
}

static int read_verdicts(struct snapshot *s, const char *dir)
{
	_cleanup_counters_ struct pinned_counters counters = { .fd = -1 };
	int err = pinned_open_counters(dir, "verdicts", sizeof(uint64_t), &counters);

	for (uint32_t i = 0; i < TR_V_COUNT && !err; i++)
		err = pinned_sum(&counters, i, &s->verdicts[i]);
	return err;
}

/* The mode in which the program is on the interface, or NULL. */
static const char *attached_mode(int ifindex, uint32_t program)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	if (bpf_xdp_query(ifindex, 0, &opts))
		return NULL;
	if (opts.drv_prog_id == program)
		return "native";
	if (opts.skb_prog_id == program)
		return "generic";
	return opts.hw_prog_id == program ? "offload" : NULL;
}

static int read_devices(struct snapshot *s, const char *dir)
{
	struct if_nameindex *interfaces;
	uint32_t program;
	size_t n = 0;
	int err = pinned_program_id(dir, TR_PIN_ENTRY, &program);

	if (err)
		return err == -ENOENT ? 0 : err;
	interfaces = if_nameindex();
	if (!interfaces)
		return -errno;
	while (interfaces[n].if_index)
		n++;
	s->devices = calloc(n + 1, sizeof(*s->devices));
	for (size_t i = 0; i < n && s->devices; i++) {
		const char *mode = attached_mode(interfaces[i].if_index, program);
		struct snapshot_device *device = &s->devices[s->n_devices];

		if (!mode)
			continue;
		snprintf(device->name, sizeof(device->name), "%s", interfaces[i].if_name);
		device->mode = mode;
		device->program_id = program;
		s->n_devices++;
	}
	if_freenameindex(interfaces);
	return s->devices ? 0 : -ENOMEM;
}

/* A controller holds LOCK_EX for its life. The shared lock of this probe lasts a few microseconds. */
static bool controller_runs(int dir)
{
	if (flock(dir, LOCK_SH | LOCK_NB))
		return errno == EWOULDBLOCK;
	flock(dir, LOCK_UN);
	return false;
}

static int read_all(struct snapshot *s, const char *dir)
{
	struct timespec now;
	int err = read_instance(s, dir);

	clock_gettime(CLOCK_MONOTONIC, &now);
	s->taken_at = now.tv_sec * 1000000000ULL + now.tv_nsec;
	clock_gettime(CLOCK_REALTIME, &now);
	s->time = now.tv_sec * 1000000000ULL + now.tv_nsec;
	if (!err)
		err = read_pools(s, dir);
	if (!err)
		err = snapshot_read_pool_flows(s, dir);
	if (!err)
		err = read_backends(s, dir);
	if (!err)
		err = read_vips(s, dir);
	if (!err)
		err = snapshot_read_modes(s, dir);
	if (!err)
		err = snapshot_read_rings(s, dir, &s->maps[FILL_RINGS]);
	if (!err)
		err = snapshot_read_tiers(s, dir);
	if (!err)
		err = read_services(s, dir);
	if (!err)
		err = read_verdicts(s, dir);
	if (!err)
		err = read_devices(s, dir);
	/* Last: what the maps tell of is past by then. */
	if (!err)
		err = snapshot_read_clock(s, dir);
	return err;
}

static bool is_directory(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

/* " (there is: a b)", or nothing. */
static void list_instances(char *buf, size_t size)
{
	DIR *root = opendir(TR_PIN_ROOT);
	struct dirent *entry;
	size_t len = 0;

	buf[0] = '\0';
	while (root && (entry = readdir(root)))
		if (is_directory(entry) && paths_is_instance(entry->d_name) && len < size)
			len += snprintf(buf + len, size - len, "%s%s", len ? ", " : "; there is: ", entry->d_name);
	if (root)
		closedir(root);
}

static int open_directory(const char *instance, char *path, size_t size)
{
	char others[256];
	int fd;

	if (!paths_is_instance(instance)) {
		log_error("'%s' is no name of an instance", instance);
		return -EINVAL;
	}
	paths_instance_dir(instance, path, size);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		return log_err(-errno, "%s: it takes root's rights to look at an instance", path);
	if (errno != ENOENT)
		return log_err(-errno, "%s: cannot open it", path);
	list_instances(others, sizeof(others));
	log_error("no instance '%s': there is no %s%s; `tailrace run -c FILE` or `tailrace load -c FILE` makes it",
		  instance, path, others);
	return -ENOENT;
}

int snapshot_read(const char *instance, struct snapshot **ret)
{
	char path[PATH_MAX];
	_cleanup_close_ int dir = open_directory(instance, path, sizeof(path));
	struct snapshot *s;
	int err;

	if (dir < 0)
		return dir;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	snprintf(s->name, sizeof(s->name), "%s", instance);
	s->controller = controller_runs(dir);
	err = read_all(s, path);
	if (err) {
		snapshot_free(s);
		if (err == -EPROTO)
			log_error("%s: its maps were made by another version of tailrace (theirs is not layout %d); "
				  "use that version's binary", path, TR_LAYOUT);
		else if (err == -ENOENT)
			log_error("%s: maps are missing; `tailrace run` or `tailrace load` makes them", path);
		else
			log_err(err, "%s: cannot read the pinned maps", path);
		return err;
	}
	*ret = s;
	return 0;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->n_vips; i++) {
		free(snapshot->vips[i].addresses);
		free(snapshot->vips[i].services);
	}
	free(snapshot->devices);
	free(snapshot->pools);
	free(snapshot->backends);
	free(snapshot->vips);
	free(snapshot);
}
