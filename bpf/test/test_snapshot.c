// SPDX-License-Identifier: GPL-2.0-only
/* snapshot against an instance of real pinned maps. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr.h"
#include "instance.h"
#include "paths.h"
#include "snapshot.h"
#include "ticks.h"
#include "util.h"

static struct snapshot *read_it(void)
{
	struct snapshot *s = NULL;

	assert_int_equal(snapshot_read(instance_name, &s), 0);
	return s;
}

static void test_lists(void **state)
{
	struct snapshot *s = read_it();

	assert_string_equal(s->name, instance_name);
	assert_int_equal(s->instance.reloads, 3);
	assert_int_equal(s->n_pools, 3);
	assert_string_equal(s->pools[0].info.name, "a-pool");
	assert_string_equal(s->pools[1].info.name, "b-pool");
	assert_int_equal(s->pools[1].info.words_changed, 600);
	assert_int_equal(s->n_backends, 7);
	assert_int_equal(s->backends[0].number, 4);
	assert_ptr_equal(s->backends[0].pool, &s->pools[0]);
	assert_int_equal(s->backends[1].number, 2);
	assert_int_equal(s->backends[2].number, 1);
	assert_int_equal(s->backends[3].number, 3);
	assert_int_equal(s->backends[4].info.state, TR_BACKEND_DRAINING);
	assert_int_equal(s->backends[5].info.state, TR_BACKEND_DRAINED);
	assert_int_equal(s->backends[6].info.state, TR_BACKEND_LEAVING);
	assert_ptr_equal(s->backends[6].pool, &s->pools[2]);
	assert_int_equal(s->backends[2].mtu, 1500);
	assert_int_equal(s->backends[2].dmac[5], 0xfe);
	assert_string_equal(s->backends[2].device, "lo");
	assert_string_equal(s->backends[1].device, "");
	assert_int_equal(s->n_vips, 3);
	assert_string_equal(s->vips[0].name, "dns");
	assert_ptr_equal(s->vips[0].pool, &s->pools[0]);
	assert_string_equal(s->vips[1].name, "web");
	snapshot_free(s);
}

static void test_modes(void **state)
{
	struct snapshot *s = read_it();

	assert_int_equal(s->vips[0].mode, TR_MODE_CLIENT);
	assert_true(s->vips[0].moving);
	assert_ptr_equal(s->vips[0].old_pool, &s->pools[2]);
	assert_int_equal(s->vips[1].mode, TR_MODE_TRACK);
	assert_false(s->vips[1].moving);
	assert_null(s->vips[1].old_pool);
	assert_true(s->vips[2].moving);
	assert_ptr_equal(s->vips[2].old_pool, &s->pools[1]);
	snapshot_free(s);
}

static void test_flows(void **state)
{
	static const struct snapshot_tier tiers[TR_TIER_COUNT] = { { 100, 64 }, { 20, 64 }, { 3, 16 }, { 4, 32 } };
	struct snapshot *s = read_it();

	assert_memory_equal(s->tiers, tiers, sizeof(tiers));
	assert_int_equal(s->pools[1].counts.recorded_new, instance_over_cpus(4));
	assert_int_equal(s->pools[1].counts.moved, instance_over_cpus(11));
	assert_int_equal(s->pools[0].counts.moved, instance_over_cpus(21));
	assert_int_equal(s->pools[2].counts.moved, 0);
	assert_int_equal(s->pools[1].flows.pressure, INSTANCE_TICK - 60);
	assert_int_equal(s->pools[0].flows.t_udp, 77);
	assert_int_equal(s->pools[0].flows.pressure, 0);
	assert_int_equal(s->tick, INSTANCE_TICK);
	assert_int_equal(s->tick_ns, ticks_ns());
	snapshot_free(s);
}

/* What a change has not written yet, or has deleted already. */
static void test_loose_ends(void **state)
{
	struct tr_vip none = {}, dns = { 502, 13, 2, (TR_MODE_COUNT + 1) | TR_HOW_MOVING, 0, 0 };
	struct tr_vip_old old = { .ring = 528, .ring_size = 17, .pool = 7 };
	struct snapshot *s;

	instance_put_at(instance_skel->maps.vips, 1, &none);
	instance_put_at(instance_skel->maps.vips, 3, &dns);
	instance_put_at(instance_skel->maps.vip_old, 3, &old);
	instance_put_settings(17);	/* one set more than the map has */
	s = read_it();
	assert_int_equal(s->vips[1].mode, TR_MODE_COUNT);
	assert_false(s->vips[1].moving);
	assert_int_equal(s->vips[0].mode, TR_MODE_COUNT);
	assert_true(s->vips[0].moving);
	assert_null(s->vips[0].old_pool);
	assert_int_equal(s->tiers[TR_TIER_SYN].max, 64);
	assert_int_equal(s->tiers[TR_TIER_UDP].max, 0);
	assert_int_equal(s->tiers[TR_TIER_UDP].used, 0);
	snapshot_free(s);
	instance_fill_affinity();
}

static void test_no_clock(void **state)
{
	char path[PATH_MAX + 64];
	struct snapshot *s;

	snprintf(path, sizeof(path), "%s/" TR_PIN_CLOCK, instance_dir);
	assert_int_equal(bpf_program__unpin(instance_skel->progs.tr_clock, path), 0);
	s = read_it();
	assert_int_equal(s->tick_ns, 0);
	snapshot_free(s);
	assert_int_equal(bpf_program__pin(instance_skel->progs.tr_clock, path), 0);
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

	assert_int_equal(s->verdicts[TR_V_FORWARDED], instance_over_cpus(1000));
	assert_int_equal(s->verdicts[TR_V_INTERNAL], instance_over_cpus(3));
	assert_int_equal(s->verdicts[TR_V_NOT_IP], 0);
	assert_int_equal(s->vips[1].traffic.packets, instance_over_cpus(1000));
	assert_int_equal(s->vips[1].traffic.bytes, instance_over_cpus(64000));
	assert_int_equal(s->vips[1].traffic.new_flows, instance_over_cpus(10));
	assert_int_equal(s->vips[0].traffic.packets, 0);
	assert_int_equal(s->backends[1].traffic.bytes, instance_over_cpus(20000));
	assert_int_equal(s->backends[2].traffic.bytes, instance_over_cpus(44000));
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

	assert_fill(s, "backends", 7, INSTANCE_BACKENDS);	/* without the retired one */
	assert_fill(s, "vips", 3, INSTANCE_VIPS);
	assert_fill(s, "pool_info", 3, INSTANCE_POOLS);
	assert_fill(s, "rings", 2 * (INSTANCE_RING + 13 + 17 + 101), 2 * INSTANCE_RING * INSTANCE_POOLS);
	assert_fill(s, "vip_addresses", 1, bpf_map__max_entries(instance_skel->maps.vip_addresses) / TR_ROOM);
	assert_fill(s, "vip_prefixes", 1, bpf_map__max_entries(instance_skel->maps.vip_prefixes) / TR_ROOM);
	assert_fill(s, "services", 2, bpf_map__max_entries(instance_skel->maps.services) / TR_ROOM);
	snapshot_free(s);
}

static void test_reads_full_maps(void **state)
{
	uint32_t max = bpf_map__max_entries(instance_skel->maps.services), vip = 1;
	struct tr_service_key key = { .address = 10, .l4 = TR_TCP };
	struct snapshot *s;

	for (uint32_t i = 2; i < max; i++) {
		key.port = htons(1000 + i);
		instance_put(instance_skel->maps.services, &key, &vip);
	}
	s = read_it();
	assert_fill(s, "services", max, max / TR_ROOM);
	assert_int_equal(s->vips[1].n_services, max);
	snapshot_free(s);
	for (uint32_t i = 2; i < max; i++) {
		key.port = htons(1000 + i);
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(instance_skel->maps.services), &key), 0);
	}
}

static void test_controller(void **state)
{
	_cleanup_close_ int lock = open(instance_dir, O_RDONLY | O_DIRECTORY);
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
	int entry = bpf_program__fd(instance_skel->progs.tr_entry), ours, other;
	struct snapshot *s = read_it();

	assert_int_equal(s->n_devices, 0);
	snapshot_free(s);
	assert_int_equal(system("ip link add tr-a type veth peer name tr-b"), 0);
	ours = if_nametoindex("tr-a");
	other = if_nametoindex("tr-b");
	assert_int_equal(bpf_xdp_attach(1, entry, XDP_FLAGS_SKB_MODE, NULL), 0);
	assert_int_equal(bpf_xdp_attach(ours, entry, XDP_FLAGS_DRV_MODE, NULL), 0);
	assert_int_equal(bpf_xdp_attach(other, bpf_program__fd(instance_skel->progs.tr_tcp), XDP_FLAGS_DRV_MODE, NULL), 0);
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
	struct snapshot *untouched = (struct snapshot *)&instance_skel, *s = untouched;
	int err = snapshot_read(argv[0], &s);

	assert_ptr_equal(s, untouched);
	return err;
}

static void assert_refused(const char *name, int expected, const char *message)
{
	int err;
	_cleanup_free_ char *text = instance_capture(STDERR_FILENO, try_read, 1, (char *[]){ (char *)name, NULL }, &err);

	assert_int_equal(err, expected);
	instance_assert_has(text, message);
}

static void test_refusals(void **state)
{
	assert_refused("no-such", -ENOENT, "there is no " TR_PIN_ROOT "/no-such");
	assert_refused("no-such", -ENOENT, instance_name);
	assert_refused("no-such", -ENOENT, "`tailrace run -c FILE`");
	assert_refused("../x", -EINVAL, "'../x' is no name");
	assert_refused("", -EINVAL, "'' is no name");
	instance_put_layout(TR_LAYOUT + 1);
	assert_refused(instance_name, -EPROTO, "another version of tailrace");
	instance_put_layout(TR_LAYOUT);
	assert_int_equal(bpf_map__unpin(instance_skel->maps.services, NULL), 0);
	assert_refused(instance_name, -ENOENT, "maps are missing");
	assert_int_equal(bpf_map__pin(instance_skel->maps.services, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_loose_ends),
		cmocka_unit_test(test_no_clock),
		cmocka_unit_test(test_addresses_and_services),
		cmocka_unit_test(test_counters_are_summed),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_reads_full_maps),
		cmocka_unit_test(test_controller),
		cmocka_unit_test(test_attachment),
		cmocka_unit_test(test_refusals),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("snapshot", tests, instance_set_up, instance_tear_down);
}
