// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot, `stats` and `status` against an instance of real pinned maps, filled by hand. Runs in a network namespace of
 * its own, which ends with the process.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "addr.h"
#include "bpffs.h"
#include "cmd.h"
#include "metrics.h"
#include "paths.h"
#include "snapshot.h"
#include "tailrace.skel.h"
#include "util.h"

#define BACKENDS 16
#define VIPS 8
#define POOLS 4
#define RING 251

static struct tailrace_bpf *skel;
static char instance[32], dir[PATH_MAX];

static struct tr_addr addr(const char *text)
{
	struct tr_addr ret;

	assert_int_equal(addr_parse(text, &ret), 0);
	return ret;
}

static void put(struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

static void put_at(struct bpf_map *map, uint32_t i, const void *value)
{
	put(map, &i, value);
}

/* CPU c counts c + 1 times what it is given. The sum of that: */
static uint64_t over_cpus(uint64_t n)
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
	put_at(map, i, values);
}

static void put_verdict(enum tr_verdict verdict, uint64_t packets)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = calloc(cpus, sizeof(*values));

	for (int c = 0; c < cpus; c++)
		values[c] = packets * (c + 1);
	put_at(skel->maps.verdicts, verdict, values);
}

static void put_instance(uint64_t layout)
{
	struct tr_instance value = { .layout = layout, .applied_at = 1700000000ULL * 1000000000, .reloads = 3,
				     .reloads_failed = 1, .config = "/etc/tailrace.yaml" };

	put_at(skel->maps.instance, 0, &value);
}

static void put_backend(uint32_t number, struct tr_backend_info info, const char *address, const char *gateway)
{
	info.address = addr(address);
	if (gateway)
		info.gateway = addr(gateway);
	put_at(skel->maps.backend_info, number, &info);
}

/* Pools "b-pool" (1) and "a-pool" (2): sorted they are the other way round. */
static void fill(void)
{
	struct tr_pool_info b_pool = { .name = "b-pool", .ring_size = RING, .ring_changes = 5, .words_changed = 600 };
	struct tr_pool_info a_pool = { .name = "a-pool", .ring_size = 13, .ring_changes = 1, .words_changed = 13 };
	struct tr_vip_info web = { .name = "web", .pool = 1 }, dns = { .name = "dns", .pool = 2 };
	struct tr_backend record = { .mtu = 1500, .dmac = { 2, 0, 0, 0, 0, 0xfe }, .ifindex = 1, .encap = TR_ENCAP_IPV4 };
	struct tr_vip_address one = { .id = 10, .all_ports = { 0, 3 }, .has_exact = { 1, 0 } };
	struct tr_vip_address net = { .id = 11, .has_exact = { 1, 0 } };
	struct tr_prefix prefix = { .len = 48, .addr = addr("2001:db8:1::") };
	struct tr_service_key key = { .address = 10, .port = htons(80), .l4 = TR_TCP };
	struct tr_addr single = addr("192.0.2.1");
	uint32_t vip = 1;

	put_instance(TR_LAYOUT);
	put_at(skel->maps.pool_info, 1, &b_pool);
	put_at(skel->maps.pool_info, 2, &a_pool);
	put_at(skel->maps.vip_info, 1, &web);
	put_at(skel->maps.vip_info, 3, &dns);
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
	put_at(skel->maps.backends, 1, &record);
	put(skel->maps.vip_addresses, &single, &one);
	put(skel->maps.vip_prefixes, &prefix, &net);
	put(skel->maps.services, &key, &vip);
	key.address = 11;
	key.port = htons(443);
	put(skel->maps.services, &key, &vip);
	put_traffic(skel->maps.vip_traffic, 1, 1000, 64000, 10);
	put_traffic(skel->maps.backend_traffic, 1, 700, 44000, 6);
	put_traffic(skel->maps.backend_traffic, 2, 300, 20000, 2);
	put_verdict(TR_V_FORWARDED, 1000);
	put_verdict(TR_V_INTERNAL, 3);
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

	bpf_object__for_each_map(map, skel->obj) {
		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, bpf_map__name(map));
		if (bpf_map__pin(map, path))
			fail_setup(path);
	}
	snprintf(path, sizeof(path), "%s/" TR_PIN_ENTRY, dir);
	if (bpf_program__pin(skel->progs.tr_entry, path))
		fail_setup(path);
}

static int set_up(void **state)
{
	snprintf(instance, sizeof(instance), "test-%d", getpid());
	snprintf(dir, sizeof(dir), TR_PIN_ROOT "/%s", instance);
	if (unshare(CLONE_NEWNET))
		fail_setup("unshare");
	if (bpffs_prepare(dir))
		exit(1);
	skel = tailrace_bpf__open();
	if (!skel)
		fail_setup("open");
	bpf_map__set_max_entries(skel->maps.backends, BACKENDS * TR_ROOM + 1);
	bpf_map__set_max_entries(skel->maps.backend_info, BACKENDS * TR_ROOM + 1);
	bpf_map__set_max_entries(skel->maps.backend_traffic, BACKENDS * TR_ROOM + 1);
	bpf_map__set_max_entries(skel->maps.vips, VIPS * TR_ROOM + 1);
	bpf_map__set_max_entries(skel->maps.vip_info, VIPS * TR_ROOM + 1);
	bpf_map__set_max_entries(skel->maps.vip_traffic, VIPS * TR_ROOM + 1);
	bpf_map__set_max_entries(skel->maps.pool_info, POOLS * TR_ROOM + 1);
	bpf_map__set_max_entries(skel->maps.rings, 2 * RING * POOLS);
	if (tailrace_bpf__load(skel))
		fail_setup("load");
	pin_all();
	fill();
	return 0;
}

static int tear_down(void **state)
{
	tailrace_bpf__destroy(skel);
	return bpffs_remove(dir);
}

/* Runs it with the stream in a file, whose text is returned. */
static char *capture(int stream, int (*run)(int argc, char **argv), int argc, char **argv, int *ret)
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

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static struct snapshot *read_it(void)
{
	struct snapshot *s = NULL;

	assert_int_equal(snapshot_read(instance, &s), 0);
	return s;
}

static void test_lists(void **state)
{
	struct snapshot *s = read_it();

	assert_string_equal(s->name, instance);
	assert_int_equal(s->instance.reloads, 3);
	assert_int_equal(s->n_pools, 2);
	assert_string_equal(s->pools[0].info.name, "a-pool");
	assert_string_equal(s->pools[1].info.name, "b-pool");
	assert_int_equal(s->pools[1].info.words_changed, 600);
	assert_int_equal(s->n_backends, 4);
	assert_int_equal(s->backends[0].number, 4);
	assert_ptr_equal(s->backends[0].pool, &s->pools[0]);
	assert_int_equal(s->backends[1].number, 2);
	assert_int_equal(s->backends[2].number, 1);
	assert_int_equal(s->backends[3].number, 3);
	assert_int_equal(s->backends[2].mtu, 1500);
	assert_int_equal(s->backends[2].dmac[5], 0xfe);
	assert_string_equal(s->backends[2].device, "lo");
	assert_string_equal(s->backends[1].device, "");
	assert_int_equal(s->n_vips, 2);
	assert_string_equal(s->vips[0].name, "dns");
	assert_ptr_equal(s->vips[0].pool, &s->pools[0]);
	assert_string_equal(s->vips[1].name, "web");
	snapshot_free(s);
}

static void test_addresses_and_services(void **state)
{
	struct snapshot *s = read_it();
	const struct snapshot_vip *web = &s->vips[1];
	char text[ADDR_TEXT_MAX];

	assert_int_equal(web->n_addresses, 2);
	assert_string_equal(addr_format_prefix(&web->addresses[0], text), "192.0.2.1");
	assert_string_equal(addr_format_prefix(&web->addresses[1], text), "2001:db8:1::/48");
	assert_int_equal(web->n_services, 2);
	assert_int_equal(web->services[0].l4, TR_TCP);
	assert_int_equal(web->services[0].port, 80);
	assert_int_equal(web->services[1].port, 443);
	assert_int_equal(s->vips[0].n_addresses, 1);
	assert_int_equal(s->vips[0].n_services, 1);
	assert_int_equal(s->vips[0].services[0].l4, TR_UDP);
	assert_int_equal(s->vips[0].services[0].port, 0);
	snapshot_free(s);
}

static void test_counters_are_summed(void **state)
{
	struct snapshot *s = read_it();

	assert_int_equal(s->verdicts[TR_V_FORWARDED], over_cpus(1000));
	assert_int_equal(s->verdicts[TR_V_INTERNAL], over_cpus(3));
	assert_int_equal(s->verdicts[TR_V_NOT_IP], 0);
	assert_int_equal(s->vips[1].traffic.packets, over_cpus(1000));
	assert_int_equal(s->vips[1].traffic.bytes, over_cpus(64000));
	assert_int_equal(s->vips[1].traffic.new_flows, over_cpus(10));
	assert_int_equal(s->vips[0].traffic.packets, 0);
	assert_int_equal(s->backends[1].traffic.bytes, over_cpus(20000));
	assert_int_equal(s->backends[2].traffic.bytes, over_cpus(44000));
	snapshot_free(s);
}

static void assert_fill(const struct snapshot *s, const char *name, uint32_t used, uint32_t max)
{
	for (size_t i = 0; i < SNAPSHOT_MAPS; i++) {
		if (strcmp(s->maps[i].name, name))
			continue;
		assert_int_equal(s->maps[i].used, used);
		assert_int_equal(s->maps[i].max, max);
		return;
	}
	fail_msg("no fill of %s", name);
}

static void test_fill(void **state)
{
	struct snapshot *s = read_it();

	assert_fill(s, "backends", 4, BACKENDS);	/* without the retired one */
	assert_fill(s, "vips", 2, VIPS);
	assert_fill(s, "pool_info", 2, POOLS);
	assert_fill(s, "rings", 2 * (RING + 13), 2 * RING * POOLS);
	assert_fill(s, "vip_addresses", 1, bpf_map__max_entries(skel->maps.vip_addresses) / TR_ROOM);
	assert_fill(s, "vip_prefixes", 1, bpf_map__max_entries(skel->maps.vip_prefixes) / TR_ROOM);
	assert_fill(s, "services", 2, bpf_map__max_entries(skel->maps.services) / TR_ROOM);
	snapshot_free(s);
}

static void test_reads_full_maps(void **state)
{
	uint32_t max = bpf_map__max_entries(skel->maps.services), vip = 1;
	struct tr_service_key key = { .address = 10, .l4 = TR_TCP };
	struct snapshot *s;

	for (uint32_t i = 2; i < max; i++) {
		key.port = htons(1000 + i);
		put(skel->maps.services, &key, &vip);
	}
	s = read_it();
	assert_fill(s, "services", max, max / TR_ROOM);
	assert_int_equal(s->vips[1].n_services, max);
	snapshot_free(s);
	for (uint32_t i = 2; i < max; i++) {
		key.port = htons(1000 + i);
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(skel->maps.services), &key), 0);
	}
}

static void test_controller(void **state)
{
	_cleanup_close_ int lock = open(dir, O_RDONLY | O_DIRECTORY);
	struct snapshot *s = read_it();

	assert_false(s->controller);
	snapshot_free(s);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	s = read_it();
	assert_true(s->controller);
	snapshot_free(s);
	flock(lock, LOCK_UN);
	/* The probe leaves no lock behind. */
	s = read_it();
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	snapshot_free(s);
}

static void test_attachment(void **state)
{
	int entry = bpf_program__fd(skel->progs.tr_entry), ours, other;
	struct snapshot *s = read_it();

	assert_int_equal(s->n_devices, 0);
	snapshot_free(s);
	assert_int_equal(system("ip link add tr-a type veth peer name tr-b"), 0);
	ours = if_nametoindex("tr-a");
	other = if_nametoindex("tr-b");
	assert_int_equal(bpf_xdp_attach(1, entry, XDP_FLAGS_SKB_MODE, NULL), 0);
	assert_int_equal(bpf_xdp_attach(ours, entry, XDP_FLAGS_DRV_MODE, NULL), 0);
	assert_int_equal(bpf_xdp_attach(other, bpf_program__fd(skel->progs.tr_tcp), XDP_FLAGS_DRV_MODE, NULL), 0);
	s = read_it();
	assert_int_equal(s->n_devices, 2);
	assert_string_equal(s->devices[0].name, "lo");
	assert_string_equal(s->devices[0].mode, "generic");
	assert_string_equal(s->devices[1].name, "tr-a");
	assert_string_equal(s->devices[1].mode, "native");
	assert_int_not_equal(s->devices[1].program_id, 0);
	snapshot_free(s);
	assert_int_equal(bpf_xdp_detach(1, XDP_FLAGS_SKB_MODE, NULL), 0);
	assert_int_equal(system("ip link del tr-a"), 0);
}

static int try_read(int argc, char **argv)
{
	struct snapshot *untouched = (struct snapshot *)&skel, *s = untouched;
	int err = snapshot_read(argv[0], &s);

	assert_ptr_equal(s, untouched);
	return err;
}

static void assert_refused(const char *name, int expected, const char *message)
{
	int err;
	_cleanup_free_ char *text = capture(STDERR_FILENO, try_read, 1, (char *[]){ (char *)name, NULL }, &err);

	assert_int_equal(err, expected);
	assert_has(text, message);
}

static void test_refusals(void **state)
{
	assert_refused("no-such", -ENOENT, "there is no " TR_PIN_ROOT "/no-such");
	assert_refused("no-such", -ENOENT, instance);
	assert_refused("no-such", -ENOENT, "`tailrace run -c FILE`");
	assert_refused("../x", -EINVAL, "'../x' is no name");
	assert_refused("", -EINVAL, "'' is no name");
	put_instance(TR_LAYOUT + 1);
	assert_refused(instance, -EPROTO, "another version of tailrace");
	put_instance(TR_LAYOUT);
	assert_int_equal(bpf_map__unpin(skel->maps.services, NULL), 0);
	assert_refused(instance, -ENOENT, "maps are missing");
	assert_int_equal(bpf_map__pin(skel->maps.services, NULL), 0);
}

static json_t *run_json(int (*run)(int argc, char **argv))
{
	char *argv[] = { "x", "-i", instance, "--json", NULL };
	int err;
	_cleanup_free_ char *text = capture(STDOUT_FILENO, run, 4, argv, &err);
	json_t *json = json_loads(text, 0, NULL);

	assert_int_equal(err, 0);
	assert_non_null(json);
	return json;
}

static void test_stats_json(void **state)
{
	json_t *json = run_json(cmd_stats);
	json_int_t forwarded, packets, bytes, new_flows, weight, buckets;
	const char *name, *pool, *address, *up, *nexthop;
	double of_weight, of_flows;

	assert_int_equal(json_unpack(json, "{s:s, s:{s:I}, s:[{}, {s:s, s:s, s:I, s:I, s:I}!]}", "instance", &name,
				     "verdicts", "forwarded", &forwarded, "vips", "name", &up, "pool", &pool,
				     "packets", &packets, "bytes", &bytes, "new_flows", &new_flows), 0);
	assert_string_equal(name, instance);
	assert_int_equal(forwarded, over_cpus(1000));
	assert_string_equal(up, "web");
	assert_string_equal(pool, "b-pool");
	assert_int_equal(bytes, over_cpus(64000));
	assert_int_equal(json_object_size(json_object_get(json, "verdicts")), TR_V_COUNT);
	assert_int_equal(json_array_size(json_object_get(json, "backends")), 4);
	assert_int_equal(json_unpack(json_array_get(json_object_get(json, "backends"), 2),
				     "{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:F, s:F !}", "pool", &pool,
				     "address", &address, "weight", &weight, "state", &up, "nexthop", &nexthop,
				     "packets", &packets, "bytes", &bytes, "new_flows", &new_flows, "buckets", &buckets,
				     "share_of_weight", &of_weight, "share_of_flows", &of_flows), 0);
	assert_string_equal(address, "10.0.0.2");
	assert_string_equal(up, "up");
	assert_int_equal(new_flows, over_cpus(6));
	assert_int_equal(buckets, 200);
	assert_true(of_weight == 0.8);
	assert_true(of_flows == 0.75);
	json_decref(json);
}

static void test_status_json(void **state)
{
	json_t *json = run_json(cmd_status), *backends;
	const char *address, *service, *gateway, *map;
	int running, takes, used;

	assert_int_equal(json_unpack(json, "{s:{s:b}, s:[{}, {s:[s, s], s:[s, s]}], s:[{s:s, s:i}]}", "controller",
				     "running", &running, "vips", "addresses", &address, &gateway, "services",
				     &service, &gateway, "maps", "name", &map, "used", &used), 0);
	assert_false(running);
	assert_string_equal(address, "192.0.2.1");
	assert_string_equal(service, "80/tcp");
	assert_string_equal(map, "vips");
	assert_int_equal(used, 2);
	assert_int_equal(json_unpack(json, "{s:[{s:[{s:b}]}, {s:o}]}", "pools", "backends", "takes_flows", &takes,
				     "backends", &backends), 0);
	assert_false(takes);
	assert_int_equal(json_unpack(backends, "[{}, {s:s, s:b}, {}!]", "gateway", &gateway, "takes_flows", &takes), 0);
	assert_string_equal(gateway, "10.0.0.254");
	assert_true(takes);
	json_decref(json);
}

static void test_status_says_why(void **state)
{
	char *argv[] = { "status", "-i", instance, NULL };
	int err;
	_cleanup_free_ char *text = capture(STDOUT_FILENO, cmd_status, 3, argv, &err);

	assert_int_equal(err, 0);
	assert_has(text, "controller     not running");
	assert_has(text, "configuration  /etc/tailrace.yaml, applied 2023-11-1");
	assert_has(text, "no: down by configuration\n");
	assert_has(text, "no: no route\n");
	assert_has(text, "on the link");
	assert_has(text, "02:00:00:00:00:fe  lo");
	assert_has(text, "all/udp");
	assert_has(text, "2001:db8:1::/48");
}

static void test_stats_tables(void **state)
{
	char *all[] = { "stats", "--instance", instance, "--all", NULL };
	int err;
	_cleanup_free_ char *text = capture(STDOUT_FILENO, cmd_stats, 3, all, &err), *longer = NULL;

	assert_int_equal(err, 0);
	assert_has(text, "VIP  POOL ");
	assert_has(text, "80.0");
	assert_has(text, "75.0");
	assert_has(text, "encapsulated and sent to a backend");
	assert_null(strstr(text, "too_big"));
	assert_null(strstr(text, "PACKETS/S"));
	longer = capture(STDOUT_FILENO, cmd_stats, 4, all, &err);
	assert_has(longer, "too_big");
}

static void test_usage_errors(void **state)
{
	static char *const bad[][2] = { { "stats", "x" }, { "stats", "--nonsense" }, { "stats", "--watch=0" } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *argv[] = { bad[i][0], bad[i][1], NULL };
		int err;
		_cleanup_free_ char *text = capture(STDERR_FILENO, cmd_stats, 2, argv, &err);

		assert_int_equal(err, -EINVAL);
		assert_has(text, "`tailrace stats --help`");
	}
}

/* Reads until the text holds what is wanted, or the pipe ends. */
static void read_until(int fd, const char *wanted, char *text, size_t size)
{
	size_t len = strlen(text);
	ssize_t got = 1;

	while (!strstr(text, wanted) && got > 0) {
		got = read(fd, text + len, size - 1 - len);
		len += got > 0 ? got : 0;
		text[len] = '\0';
	}
	assert_has(text, wanted);
}

/* Two readings a good second apart: the first without rates. */
static void test_watch_shows_rates(void **state)
{
	char *argv[] = { "stats", "-i", instance, "--watch", "1", NULL };
	unsigned long packets = 0, rate = 0;
	char first[8192] = "", second[8192] = "";
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		_exit(cmd_stats(5, argv) ? 1 : 0);
	}
	close(fds[1]);
	read_until(fds[0], "a bug in tailrace", first, sizeof(first));
	put_verdict(TR_V_FORWARDED, 2000);
	read_until(fds[0], "a bug in tailrace", second, sizeof(second));
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	put_verdict(TR_V_FORWARDED, 1000);
	assert_null(strstr(first, "PACKETS/S"));
	assert_has(second, "PACKETS/S  MEANING");
	assert_has(second, "\nforwarded");
	assert_int_equal(sscanf(strstr(second, "\nforwarded"), "\nforwarded %lu %lu", &packets, &rate), 2);
	assert_int_equal(packets, over_cpus(2000));
	assert_in_range(rate, over_cpus(700), over_cpus(1000));
}

/* What curl prints while the server's loop runs. */
static void fetch(struct metrics *metrics, char *text, size_t size)
{
	struct pollfd fds[2] = { { .fd = metrics_fd(metrics), .events = POLLIN }, { .events = POLLIN } };
	char command[128];
	size_t len = 0;
	ssize_t got = 1;
	FILE *curl;

	snprintf(command, sizeof(command), "curl -sS -m 5 http://127.0.0.1:%u/metrics", metrics_port(metrics));
	curl = popen(command, "r");
	assert_non_null(curl);
	fds[1].fd = fileno(curl);
	while (got > 0) {
		assert_true(poll(fds, 2, -1) > 0);
		if (fds[0].revents)
			while (metrics_process(metrics))
				;
		if (!fds[1].revents)
			continue;
		got = read(fds[1].fd, text + len, size - 1 - len);
		len += got > 0 ? got : 0;
	}
	text[len] = '\0';
	assert_int_equal(pclose(curl), 0);
}

static void test_metrics(void **state)
{
	struct metrics *metrics;
	char text[65536], sample[128];

	assert_int_equal(system("ip link set lo up"), 0);
	assert_int_equal(metrics_start("127.0.0.1", 0, instance, &metrics), 0);
	fetch(metrics, text, sizeof(text));
	snprintf(sample, sizeof(sample), "\ntailrace_packets_total{verdict=\"forwarded\"} %llu\n",
		 (unsigned long long)over_cpus(1000));
	assert_has(text, sample);
	assert_has(text, "tailrace_backend_buckets{pool=\"b-pool\",backend=\"10.0.0.2\"} 200\n");
	assert_has(text, "tailrace_map_max_entries{map=\"vips\"} 8\n");
	/* Each time anew. */
	put_verdict(TR_V_TOO_BIG, 1);
	usleep(150000);		/* an answer serves for 100 ms */
	fetch(metrics, text, sizeof(text));
	put_verdict(TR_V_TOO_BIG, 0);
	snprintf(sample, sizeof(sample), "{verdict=\"too_big\"} %llu\n", (unsigned long long)over_cpus(1));
	assert_has(text, sample);
	metrics_stop(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_addresses_and_services),
		cmocka_unit_test(test_counters_are_summed),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_reads_full_maps),
		cmocka_unit_test(test_controller),
		cmocka_unit_test(test_attachment),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_stats_json),
		cmocka_unit_test(test_status_json),
		cmocka_unit_test(test_status_says_why),
		cmocka_unit_test(test_stats_tables),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_watch_shows_rates),
		cmocka_unit_test(test_metrics),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("snapshot", tests, set_up, tear_down);
}
