// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache in front of the VIP lookups must not be seen: answers follow every change of the maps once the generation
 * was raised, the negative ones too, on every CPU, and however many answers share a slot. Each test runs with caches
 * of several sizes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <bpf/libbpf.h>

#include "check.h"
#include "util.h"

#define TWICE 2		/* once to fill the cache, once to hit it */
#define BACKENDS 12

static void expect(struct scene *scene, struct packet_shape *shape, enum tr_verdict verdict, __u32 vip)
{
	struct check check;
	int i;

	for (i = 0; i < TWICE; i++) {
		assert_shape(scene->harness, scene->world, shape, verdict, &check);
		if (vip)
			assert_int_equal(check.answer.vip, vip);
	}
}

static struct packet_shape to(struct tr_addr dst, __u8 proto, __u16 port)
{
	return (struct packet_shape){ .src = addr_v4(&dst) ? client4 : client6, .dst = dst, .proto = proto,
				      .sport = 40000, .dport = port };
}

/* VIPs 1 to BACKENDS, none of which has an address yet. */
static struct world *vips_world(void)
{
	struct world *world = world_new(&world_small);
	__u32 i;

	for (i = 1; i <= BACKENDS; i++) {
		struct tr_addr addr = ADDR4(10, 9, 0, 0);

		addr.w[3] |= htonl(i);
		world_add_backend(world, addr, STANDARD_MTU);
		world_add_vip(world, 7, i, i);
	}
	return world;
}

static void forget_addresses(struct scene *scene)
{
	struct world *world = scene->world;

	world->n_addresses = world->n_prefixes = world->n_services = world->settings.prefixes = 0;
	harness_apply(scene->harness, world);
}

static void test_address_added_and_removed(struct scene *scene)
{
	struct packet_shape shape = to(scene->arg == 4 ? stranger4 : stranger6, IPPROTO_TCP, 80);
	int round;

	for (round = 0; round < 3; round++) {
		expect(scene, &shape, TR_V_NOT_VIP, 0);
		world_add_service(scene->world, world_add_address(scene->world, shape.dst), TR_TCP, 80, 1 + round);
		harness_apply(scene->harness, scene->world);
		expect(scene, &shape, TR_V_FORWARDED, 1 + round);
		forget_addresses(scene);
	}
	expect(scene, &shape, TR_V_NOT_VIP, 0);
}

static void test_service_added_moved_removed(struct scene *scene)
{
	struct packet_shape shape = to(stranger4, scene->arg, 80), other = to(stranger4, scene->arg, 81);
	enum tr_l4 l4 = scene->arg == IPPROTO_TCP ? TR_TCP : TR_UDP;
	struct tr_vip_address *at = world_add_address(scene->world, stranger4);

	world_add_service(scene->world, at, l4, 81, 5);
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_NO_SERVICE, 0);
	expect(scene, &other, TR_V_FORWARDED, 5);
	world_add_service(scene->world, at, l4, 80, 1);
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 1);
	scene->world->services[1].vip = 2;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 2);
	scene->world->n_services--;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_NO_SERVICE, 0);
	expect(scene, &other, TR_V_FORWARDED, 5);
}

static void test_all_ports_and_exact_switch(struct scene *scene)
{
	struct packet_shape shape = to(stranger6, IPPROTO_UDP, 53);
	struct tr_vip_address *at = world_add_address(scene->world, stranger6);

	at->all_ports[TR_UDP] = 3;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 3);
	world_add_service(scene->world, at, TR_UDP, 53, 4);
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 4);
	at->has_exact[TR_UDP] = 0;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 3);
	at->all_ports[TR_UDP] = 0;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_NO_SERVICE, 0);
}

static void test_prefixes_added_and_removed(struct scene *scene)
{
	static const struct tr_addr net = ADDR4(192, 0, 2, 0);
	struct packet_shape shape = to(stranger4, IPPROTO_TCP, 80);

	expect(scene, &shape, TR_V_NOT_VIP, 0);
	world_add_prefix(scene->world, net, 120)->all_ports[TR_TCP] = 1;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 1);
	world_add_prefix(scene->world, net, 124)->all_ports[TR_TCP] = 2;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 2);
	world_add_address(scene->world, stranger4)->all_ports[TR_TCP] = 3;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 3);
	scene->world->n_addresses = 0;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_FORWARDED, 2);
	scene->world->settings.prefixes = 0;
	harness_apply(scene->harness, scene->world);
	expect(scene, &shape, TR_V_NOT_VIP, 0);
}

/* A VIP moves to another pool: the same number, another ring. */
static void test_ring_moved(struct scene *scene)
{
	struct packet_shape shape = to(stranger4, IPPROTO_TCP, 80);
	const struct tr_vip was = scene->world->vips[1];
	struct check check;

	world_add_address(scene->world, stranger4)->all_ports[TR_TCP] = 1;
	harness_apply(scene->harness, scene->world);
	assert_shape(scene->harness, scene->world, &shape, TR_V_FORWARDED, &check);
	assert_int_equal(check.answer.backend, 1);
	scene->world->vips[1] = scene->world->vips[9];
	harness_apply(scene->harness, scene->world);
	assert_shape(scene->harness, scene->world, &shape, TR_V_FORWARDED, &check);
	assert_int_equal(check.answer.backend, 9);
	scene->world->vips[1] = was;
}

/* One bit of the address apart, which a short comparison would not see. */
static void test_neighbours_are_not_the_vip(struct scene *scene)
{
	struct tr_addr vip = scene->arg == 4 ? stranger4 : stranger6;
	struct packet_shape shape = to(vip, IPPROTO_TCP, 80);
	int bit;

	world_add_service(scene->world, world_add_address(scene->world, vip), TR_TCP, 80, 1);
	harness_apply(scene->harness, scene->world);
	for (bit = scene->arg == 4 ? 96 : 0; bit < 128; bit++) {
		struct packet_shape neighbour = shape;

		neighbour.dst.w[bit / 32] ^= htonl(0x80000000 >> bit % 32);
		expect(scene, &shape, TR_V_FORWARDED, 1);
		expect(scene, &neighbour, TR_V_NOT_VIP, 0);
		expect(scene, &shape, TR_V_FORWARDED, 1);
	}
}

/* One bit of the port apart, and the other protocol. */
static void test_neighbouring_ports(struct scene *scene)
{
	struct tr_vip_address *at = world_add_address(scene->world, stranger4);
	struct packet_shape tcp = to(stranger4, IPPROTO_TCP, 80), udp = to(stranger4, IPPROTO_UDP, 80);
	int bit;

	world_add_service(scene->world, at, TR_TCP, 80, 1);
	world_add_service(scene->world, at, TR_UDP, 80, 2);
	harness_apply(scene->harness, scene->world);
	for (bit = 0; bit < 16; bit++) {
		struct packet_shape neighbour = tcp;

		neighbour.dport ^= 1 << bit;
		expect(scene, &tcp, TR_V_FORWARDED, 1);
		expect(scene, &neighbour, TR_V_NO_SERVICE, 0);
		expect(scene, &udp, TR_V_FORWARDED, 2);
		neighbour.proto = IPPROTO_UDP;
		expect(scene, &neighbour, TR_V_NO_SERVICE, 0);
	}
}

/* What is asked of an address as a whole, between questions for its ports. */
static void test_address_and_its_ports_interleaved(struct scene *scene)
{
	struct tr_addr vip = scene->arg == 4 ? stranger4 : stranger6;
	struct packet_shape icmp = to(vip, scene->arg == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 0);
	struct packet_shape sctp = to(vip, IPPROTO_SCTP, 0), tagged = to(vip, IPPROTO_TCP, 80);
	struct packet_shape tcp0 = to(vip, IPPROTO_TCP, 0), udp0 = to(vip, IPPROTO_UDP, 0);
	struct packet_shape tcp = to(vip, IPPROTO_TCP, 80), tcp9 = to(vip, IPPROTO_TCP, 9);
	struct tr_vip_address *at = world_add_address(scene->world, vip);
	int i;

	at->all_ports[TR_TCP] = 2;
	world_add_service(scene->world, at, TR_TCP, 80, 1);
	harness_apply(scene->harness, scene->world);
	tagged.tags = 1;
	for (i = 0; i < 4; i++) {
		expect(scene, &icmp, TR_V_ECHO_OFF, 0);
		expect(scene, &tcp0, TR_V_ZERO_PORT, 0);
		expect(scene, &tcp9, TR_V_FORWARDED, 2);
		expect(scene, &sctp, TR_V_NO_SERVICE, 0);
		expect(scene, &udp0, TR_V_NO_SERVICE, 0);
		expect(scene, &tcp, TR_V_FORWARDED, 1);
		expect(scene, &tagged, TR_V_VLAN, 1);
	}
	forget_addresses(scene);
	expect(scene, &icmp, TR_V_NOT_VIP, 0);
	expect(scene, &tcp0, TR_V_NOT_VIP, 0);
}

/* More answers than slots, asked for in random order while services come and go. */
static void test_many_vips(struct scene *scene)
{
	struct world *world = scene->world;
	struct tr_addr addr = ADDR6(0x20010db8, 0, 0, 0);
	struct check check;
	struct packet packet;
	int i;

	srand(7);
	for (i = 0; i < 40; i++) {
		struct tr_addr one = addr;

		one.w[i % 4] ^= htonl(1 + i);
		world_add_service(world, world_add_address(world, one), TR_TCP, 80 + i % 3, 1 + i % BACKENDS);
	}
	harness_apply(scene->harness, world);
	for (i = 0; i < 4000; i++) {
		struct packet_shape shape = to(world->addresses[rand() % 40].addr, IPPROTO_TCP, 80 + rand() % 3);

		if (rand() % 8 == 0)
			shape.dst.w[rand() % 4] ^= htonl(1);
		if (rand() % 200 == 0) {
			world->services[rand() % 40].vip = 1 + rand() % BACKENDS;
			harness_apply(scene->harness, world);
		}
		packet_build(&packet, &shape);
		if (!check_frame(scene->harness, world, packet.data, packet.len, &check))
			fail_msg("packet %d: %s", i, check.why);
	}
}

/* A change while another CPU has the old answer in its part of the cache. */
static void test_change_seen_by_every_cpu(struct scene *scene)
{
	struct packet_shape shape = to(stranger4, IPPROTO_TCP, 80), past = to(client4, IPPROTO_TCP, 80);
	int cpus = libbpf_num_possible_cpus(), cpu, ran = 0;
	__u32 round;

	world_add_service(scene->world, world_add_address(scene->world, stranger4), TR_TCP, 80, 1);
	for (round = 1; round <= 4; round++) {
		scene->world->services[0].vip = round;
		harness_apply(scene->harness, scene->world);
		for (cpu = 0; cpu < cpus; cpu++) {
			if (harness_pin_cpu(cpu) < 0)
				continue;
			expect(scene, &shape, TR_V_FORWARDED, round);
			expect(scene, &past, TR_V_NOT_VIP, 0);
			ran++;
		}
	}
	assert_true(ran > 0);
}

static void add_all(struct cases *cases, __u32 size)
{
	cases_use(cases, vips_world(), size)->before = forget_addresses;
	cases_add_function(cases, test_address_added_and_removed, 4, "IPv4 address added and removed, %u lines",
			   size);
	cases_add_function(cases, test_address_added_and_removed, 6, "IPv6 address added and removed, %u lines",
			   size);
	cases_add_function(cases, test_service_added_moved_removed, IPPROTO_TCP,
			   "TCP service added, moved, removed, %u lines", size);
	cases_add_function(cases, test_service_added_moved_removed, IPPROTO_UDP,
			   "UDP service added, moved, removed, %u lines", size);
	cases_add_function(cases, test_all_ports_and_exact_switch, 0, "all ports and exact port switch, %u lines",
			   size);
	cases_add_function(cases, test_prefixes_added_and_removed, 0, "prefixes added and removed, %u lines", size);
	cases_add_function(cases, test_ring_moved, 0, "a VIP's ring moves, %u lines", size);
	cases_add_function(cases, test_neighbours_are_not_the_vip, 4, "IPv4 addresses one bit apart, %u lines", size);
	cases_add_function(cases, test_neighbours_are_not_the_vip, 6, "IPv6 addresses one bit apart, %u lines", size);
	cases_add_function(cases, test_neighbouring_ports, 0, "ports one bit apart, %u lines", size);
	cases_add_function(cases, test_address_and_its_ports_interleaved, 4, "IPv4 address and its ports, %u lines",
			   size);
	cases_add_function(cases, test_address_and_its_ports_interleaved, 6, "IPv6 address and its ports, %u lines",
			   size);
	cases_add_function(cases, test_many_vips, 0, "40 VIPs in random order, %u lines", size);
	cases_add_function(cases, test_change_seen_by_every_cpu, 0, "changes on every CPU, %u lines", size);
}

int main(void)
{
	static const __u32 sizes[] = { 1, 2, 16, 4096 };
	struct cases *cases = cases_new();
	size_t i;
	int failed;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		add_all(cases, sizes[i]);
	failed = cases_run(cases, "VIP cache");
	cases_free(cases);
	return failed != 0;
}
