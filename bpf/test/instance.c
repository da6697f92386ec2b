// SPDX-License-Identifier: GPL-2.0-only
/* An instance made by hand; see instance.h. */
#include "instance.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr.h"
#include "bpffs.h"
#include "paths.h"
#include "ticks.h"
#include "util.h"

struct tailrace_bpf *instance_skel;
char instance_name[32], instance_dir[PATH_MAX];

static struct tr_addr addr(const char *text)
{
	struct tr_addr ret;

	assert_int_equal(addr_parse(text, &ret), 0);
	return ret;
}

void instance_put(struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

void instance_put_at(struct bpf_map *map, uint32_t i, const void *value)
{
	instance_put(map, &i, value);
}

/* CPU c counts c + 1 times what it is given. The sum of that: */
uint64_t instance_over_cpus(uint64_t n)
{
	uint64_t cpus = libbpf_num_possible_cpus();

	return n * cpus * (cpus + 1) / 2;
}

static void put_traffic(struct bpf_map *map, uint32_t i, uint64_t packets, uint64_t bytes, uint64_t new_flows)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct tr_traffic *values = calloc(cpus, sizeof(*values));

	for (int c = 0; c < cpus; c++)
		values[c] = (struct tr_traffic){ packets * (c + 1), bytes * (c + 1), new_flows * (c + 1) };
	instance_put_at(map, i, values);
}

void instance_put_verdict(enum tr_verdict verdict, uint64_t packets)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = calloc(cpus, sizeof(*values));

	for (int c = 0; c < cpus; c++)
		values[c] = packets * (c + 1);
	instance_put_at(instance_skel->maps.verdicts, verdict, values);
}

void instance_put_counts(uint32_t pool, struct tr_pool_counts counts)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct tr_pool_counts *values = calloc(cpus, sizeof(*values));

	for (int c = 0; c < cpus; c++)
		for (size_t i = 0; i < sizeof(counts) / sizeof(uint64_t); i++)
			((uint64_t *)&values[c])[i] = ((uint64_t *)&counts)[i] * (c + 1);
	instance_put_at(instance_skel->maps.pool_counts, pool, values);
}

void instance_put_settings(uint32_t udp_sets)
{
	struct tr_settings value = { .tick = INSTANCE_TICK,
				     .tiers = { { 0, 32 }, { 32, 16 }, { 48, udp_sets }, { 56, 8 } } };

	instance_put_at(instance_skel->maps.settings, 0, &value);
}

void instance_put_layout(uint64_t layout)
{
	struct tr_instance value = { .layout = layout, .applied_at = 1700000000ULL * 1000000000, .reloads = 3,
				     .reloads_failed = 1, .config = "/etc/tailrace.yaml" };

	instance_put_at(instance_skel->maps.instance, 0, &value);
}

static void put_backend(uint32_t number, struct tr_backend_info info, const char *address, const char *gateway)
{
	info.address = addr(address);
	if (gateway)
		info.gateway = addr(gateway);
	instance_put_at(instance_skel->maps.backend_info, number, &info);
}

/*
 * What changes have left: "dns" comes from the pool "c-gone" (3), which leaves; "www-resized" from another ring of its own
 * pool; backends of every state.
 */
void instance_fill_affinity(void)
{
	struct tr_pool_info gone = { .name = "c-gone", .ring = 528, .ring_size = 17, .leaving = 1 };
	struct tr_vip_info resized = { .name = "www-resized", .pool = 1 };
	struct tr_vip web = { 0, INSTANCE_RING, 1, TR_MODE_TRACK, 0, 0 };
	struct tr_vip dns = { 502, 13, 2, TR_MODE_CLIENT | TR_HOW_MOVING, 0, 0 };
	struct tr_vip www = { 0, INSTANCE_RING, 1, TR_MODE_CHANGES | TR_HOW_MOVING, 0, 0 };
	struct tr_vip_old dns_old = { .ring = 528, .ring_size = 17, .pool = 3 };
	struct tr_vip_old www_old = { .ring = 600, .ring_size = 101, .pool = 1 };
	struct tr_pool_flows flows = { .t_syn = 64, .t_udp = 500, .refused = INSTANCE_TICK - 500,
				       .pressure = INSTANCE_TICK - 60 };
	struct tr_pool_flows other = { .t_udp = 77 };
	struct tr_flow_state state = { .used = { 100, 20, 3, 4 } };
	uint32_t left = 90000000000 / ticks_ns() + 1;

	instance_put_at(instance_skel->maps.pool_info, 3, &gone);
	instance_put_at(instance_skel->maps.vip_info, 4, &resized);
	instance_put_at(instance_skel->maps.vips, 1, &web);
	instance_put_at(instance_skel->maps.vips, 3, &dns);
	instance_put_at(instance_skel->maps.vips, 4, &www);
	instance_put_at(instance_skel->maps.vip_old, 3, &dns_old);
	instance_put_at(instance_skel->maps.vip_old, 4, &www_old);
	instance_put_at(instance_skel->maps.pool_flows, 1, &flows);
	instance_put_at(instance_skel->maps.pool_flows, 2, &other);
	instance_put_at(instance_skel->maps.flow_state, 0, &state);
	instance_put_settings(8);
	instance_put_counts(1, (struct tr_pool_counts){ 4, 5, 6, 7, 8, 9, 10, 11 });
	instance_put_counts(2, (struct tr_pool_counts){ .moved = 21 });
	put_backend(6, (struct tr_backend_info){ .pool = 1, .weight = 100, .state = TR_BACKEND_DRAINING,
						 .nexthop = TR_NH_OK, .deadline = INSTANCE_TICK + left }, "10.0.0.4", NULL);
	put_backend(7, (struct tr_backend_info){ .pool = 1, .weight = 100, .state = TR_BACKEND_DRAINED,
						 .nexthop = TR_NH_OK, .deadline = INSTANCE_TICK - 1 }, "10.0.0.5", NULL);
	put_backend(8, (struct tr_backend_info){ .pool = 3, .weight = 100, .state = TR_BACKEND_LEAVING,
						 .nexthop = TR_NH_OK, .deadline = INSTANCE_TICK - 1 }, "10.0.1.1", NULL);
}

/* Pools "b-pool" (1) and "a-pool" (2): sorted they are the other way round. */
static void fill(void)
{
	struct tr_pool_info b_pool = { .name = "b-pool", .ring_size = INSTANCE_RING, .ring_changes = 5, .words_changed = 600,
				       .unsettled = { 51, 0 }, .looking = { 60, 2 },
				       .unsettled_since = 1600000000999999999, .why = "backend 10.0.0.4 drains" };
	struct tr_pool_info a_pool = { .name = "a-pool", .ring = 502, .ring_size = 13, .ring_changes = 1,
				       .words_changed = 13, .why = "long ago" };
	struct tr_vip_info web = { .name = "web", .pool = 1 }, dns = { .name = "dns", .pool = 2 };
	struct tr_backend record = { .mtu = 1500, .dmac = { 2, 0, 0, 0, 0, 0xfe }, .ifindex = 1, .encap = TR_ENCAP_IPV4 };
	struct tr_vip_address one = { .id = 10, .all_ports = { 0, 3 }, .has_exact = { 1, 0 } };
	struct tr_vip_address net = { .id = 11, .has_exact = { 1, 0 } };
	struct tr_prefix prefix = { .len = 48, .addr = addr("2001:db8:1::") };
	struct tr_service_key key = { .address = 10, .port = htons(80), .l4 = TR_TCP };
	struct tr_addr single = addr("192.0.2.1");
	uint32_t vip = 1;

	instance_put_layout(TR_LAYOUT);
	instance_put_at(instance_skel->maps.pool_info, 1, &b_pool);
	instance_put_at(instance_skel->maps.pool_info, 2, &a_pool);
	instance_put_at(instance_skel->maps.vip_info, 1, &web);
	instance_put_at(instance_skel->maps.vip_info, 3, &dns);
	put_backend(1, (struct tr_backend_info){ .pool = 1, .weight = 100, .buckets = 200, .state = TR_BACKEND_UP,
						 .nexthop = TR_NH_OK }, "10.0.0.2", "10.0.0.254");
	put_backend(2, (struct tr_backend_info){ .pool = 1, .weight = 25, .buckets = 51, .state = TR_BACKEND_UP,
						 .nexthop = TR_NH_OK }, "10.0.0.1", "10.0.0.1");
	put_backend(3, (struct tr_backend_info){ .pool = 1, .weight = 100, .state = TR_BACKEND_DOWN,
						 .nexthop = TR_NH_OK }, "10.0.0.3", NULL);
	put_backend(4, (struct tr_backend_info){ .pool = 2, .weight = 100, .state = TR_BACKEND_UP,
						 .nexthop = TR_NH_NO_ROUTE }, "2001:db8::9", NULL);
	put_backend(5, (struct tr_backend_info){ .pool = 1, .weight = 100, .state = TR_BACKEND_RETIRED },
		    "10.0.0.9", NULL);
	instance_put_at(instance_skel->maps.backends, 1, &record);
	instance_put(instance_skel->maps.vip_addresses, &single, &one);
	instance_put(instance_skel->maps.vip_prefixes, &prefix, &net);
	instance_put(instance_skel->maps.services, &key, &vip);
	key.address = 11;
	key.port = htons(443);
	instance_put(instance_skel->maps.services, &key, &vip);
	put_traffic(instance_skel->maps.vip_traffic, 1, 1000, 64000, 10);
	put_traffic(instance_skel->maps.backend_traffic, 1, 700, 44000, 6);
	put_traffic(instance_skel->maps.backend_traffic, 2, 300, 20000, 2);
	instance_put_verdict(TR_V_FORWARDED, 1000);
	instance_put_verdict(TR_V_INTERNAL, 3);
	instance_fill_affinity();
}

static void fail_setup(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void pin_all(void)
{
	struct bpf_map *map;
	char path[PATH_MAX + 64];

	bpf_object__for_each_map(map, instance_skel->obj) {
		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", instance_dir, bpf_map__name(map));
		if (bpf_map__pin(map, path))
			fail_setup(path);
	}
	snprintf(path, sizeof(path), "%s/" TR_PIN_ENTRY, instance_dir);
	if (bpf_program__pin(instance_skel->progs.tr_entry, path))
		fail_setup(path);
	snprintf(path, sizeof(path), "%s/" TR_PIN_CLOCK, instance_dir);
	if (bpf_program__pin(instance_skel->progs.tr_clock, path))
		fail_setup(path);
}

int instance_set_up(void **state)
{
	snprintf(instance_name, sizeof(instance_name), "test-%d", getpid());
	snprintf(instance_dir, sizeof(instance_dir), TR_PIN_ROOT "/%s", instance_name);
	if (unshare(CLONE_NEWNET))
		fail_setup("unshare");
	if (bpffs_prepare(instance_dir))
		exit(1);
	instance_skel = tailrace_bpf__open();
	if (!instance_skel)
		fail_setup("open");
	bpf_map__set_max_entries(instance_skel->maps.backends, INSTANCE_BACKENDS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.backend_info, INSTANCE_BACKENDS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.backend_traffic, INSTANCE_BACKENDS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.vips, INSTANCE_VIPS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.vip_info, INSTANCE_VIPS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.vip_traffic, INSTANCE_VIPS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.vip_old, INSTANCE_VIPS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.pool_info, INSTANCE_POOLS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.pool_flows, INSTANCE_POOLS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.pool_counts, INSTANCE_POOLS * TR_ROOM + 1);
	bpf_map__set_max_entries(instance_skel->maps.flows, INSTANCE_SETS);
	bpf_map__set_max_entries(instance_skel->maps.rings, 2 * INSTANCE_RING * INSTANCE_POOLS);
	instance_skel->rodata->test_clock = 1;
	if (tailrace_bpf__load(instance_skel))
		fail_setup("load");
	pin_all();
	fill();
	return 0;
}

int instance_tear_down(void **state)
{
	tailrace_bpf__destroy(instance_skel);
	return bpffs_remove(instance_dir);
}

/* Runs it with the stream in a file, whose text is returned. */
char *instance_capture(int stream, int (*run)(int argc, char **argv), int argc, char **argv, int *ret)
{
	_cleanup_close_ int saved = dup(stream);
	FILE *file = tmpfile();
	char *text = calloc(1, 65536);

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), stream);
	*ret = run(argc, argv);
	fflush(stdout);
	dup2(saved, stream);
	rewind(file);
	assert_true(fread(text, 1, 65535, file) < 65535);
	fclose(file);
	return text;
}

void instance_assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}
