// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice of a bucket. The hash itself is the programs' own, so what is tested is what it must do: the same bucket
 * for a flow whatever its packets look like, another one when a part of the flow or of the key changes, all buckets
 * alike, and never a word outside of the ring. One world's ring names a backend of its own in every bucket, so that
 * the chosen bucket shows in the destination MAC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/bpf.h>

#include "check.h"
#include "util.h"

#define RING 65537
#define FLOWS 64
#define MIN_CHANGED 62		/* of FLOWS: two by chance have odds of 1 in 2 million */

/*
 * A quarter of all addresses is a VIP's and takes all ports, another quarter is clients', so that any part of a flow but
 * the addresses' first two bits may change; a ring for each protocol.
 */
#define FIXED_BITS 2
static struct world *wide_world(__u32 size)
{
	static const struct tr_addr vips4 = ADDR4(64, 0, 0, 0), vips6 = ADDR6(0x40000000, 0, 0, 0);
	const struct world_limits limits = {
		.addresses = 1, .prefixes = 2, .services = 1, .vips = 2, .words = 2 * size + 4, .backends = size + 1,
	};
	struct world *world = world_new(&limits);
	struct tr_vip_address *at4 = world_add_prefix(world, vips4, 96 + FIXED_BITS);
	struct tr_vip_address *at6 = world_add_prefix(world, vips6, FIXED_BITS);
	struct tr_addr addr = ADDR4(10, 0, 0, 0);
	struct tr_vip *vip;
	__u32 i;

	for (i = 1; i <= size; i++) {
		addr.w[3] = htonl(0x0a000000 + i);
		world_add_backend(world, addr, STANDARD_MTU);
	}
	at4->all_ports[TR_TCP] = at4->all_ports[TR_UDP] = world_add_vip(world, size, 1, 1);
	memcpy(at6->all_ports, at4->all_ports, sizeof(at6->all_ports));
	vip = &world->vips[1];
	for (i = 0; i < size; i++)
		world->words[vip->ring + i] = world->words[vip->ring + size + i] = i + 1;
	return world;
}

static __u32 bucket_of(struct scene *scene, const struct packet_shape *shape)
{
	struct observed observed;
	struct packet packet;

	packet_build(&packet, shape);
	harness_run(scene->harness, packet.data, packet.len, &observed);
	assert_int_equal(observed.action, XDP_TX);
	return (observed.data[3] << 16 | observed.data[4] << 8 | observed.data[5]) - 1;
}

static struct packet_shape random_flow(bool v4, __u8 proto)
{
	/* Two bits at least: port 0 is none, whichever bit is flipped. */
	struct packet_shape shape = { .proto = proto, .sport = rand() | 0x0440, .dport = rand() | 0x0440, .payload = 4 };
	int first = v4 ? 3 : 0, i;

	for (i = 0; i < 4; i++) {
		shape.src.w[i] = rand() ^ (__u32)rand() << 8;
		shape.dst.w[i] = rand() ^ (__u32)rand() << 8;
	}
	if (v4) {
		shape.src.w[0] = shape.src.w[1] = shape.dst.w[0] = shape.dst.w[1] = 0;
		shape.src.w[2] = shape.dst.w[2] = htonl(0xffff);
	}
	shape.src.w[first] = (shape.src.w[first] & htonl(0x3fffffff)) | htonl(0x80000000);
	shape.dst.w[first] = (shape.dst.w[first] & htonl(0x3fffffff)) | htonl(0x40000000);
	return shape;
}

/* The tests below run for each family and protocol: */
#define ARG_V4(arg) (!((arg) & 1))
#define ARG_PROTO(arg) ((arg) & 2 ? IPPROTO_UDP : IPPROTO_TCP)
#define ARGS 4
static const char *const arg_names[ARGS] = { "TCP/IPv4", "TCP/IPv6", "UDP/IPv4", "UDP/IPv6" };

static void test_same_flow(struct scene *scene)
{
	int flow, i;

	srand(21);
	for (flow = 0; flow < FLOWS; flow++) {
		struct packet_shape shape = random_flow(ARG_V4(scene->arg), ARG_PROTO(scene->arg));
		__u32 bucket = bucket_of(scene, &shape);

		for (i = 0; i < 10; i++) {
			shape.payload = rand() % 500;
			shape.padding = rand() % 20;
			shape.tos = rand();
			shape.tcp_flags = rand();
			shape.tcp_options = rand() % 11 * 4;
			assert_int_equal(bucket_of(scene, &shape), bucket);
		}
		if (flow % 16 == 0)
			harness_apply(scene->harness, scene->world);
		assert_int_equal(bucket_of(scene, &shape), bucket);
	}
}

/* Flips a bit: first the source address, then the destination, then the ports. False when there is no such bit. */
static bool flip(struct packet_shape *shape, int bit)
{
	int whole = addr_v4(&shape->dst) ? 32 : 128, width = whole - FIXED_BITS, first = 128 - width;

	if (bit < width) {
		shape->src.w[(first + bit) / 32] ^= htonl(1U << (31 - (first + bit) % 32));
	} else if (bit < 2 * width) {
		bit -= width;
		shape->dst.w[(first + bit) / 32] ^= htonl(1U << (31 - (first + bit) % 32));
	} else if (bit < 2 * width + 16) {
		shape->sport ^= 1 << (bit - 2 * width);
	} else if (bit < 2 * width + 32) {
		shape->dport ^= 1 << (bit - 2 * width - 16);
	} else {
		return false;
	}
	return true;
}

static void test_every_bit_counts(struct scene *scene)
{
	struct packet_shape probe = random_flow(ARG_V4(scene->arg), IPPROTO_TCP);
	int bit, flow, changed;

	srand(22);
	for (bit = 0; flip(&probe, bit); bit++) {
		for (flow = changed = 0; flow < FLOWS; flow++) {
			struct packet_shape shape = random_flow(ARG_V4(scene->arg), ARG_PROTO(scene->arg));
			__u32 bucket = bucket_of(scene, &shape);

			flip(&shape, bit);
			changed += bucket_of(scene, &shape) != bucket;
		}
		if (changed < MIN_CHANGED)
			fail_msg("bit %d of the flow: %d of %d flows moved", bit, changed, FLOWS);
	}
}

static void test_protocol_counts(struct scene *scene)
{
	int flow, changed = 0;

	srand(23);
	for (flow = 0; flow < FLOWS; flow++) {
		struct packet_shape shape = random_flow(ARG_V4(scene->arg), IPPROTO_TCP);
		__u32 bucket = bucket_of(scene, &shape);

		shape.proto = IPPROTO_UDP;
		changed += bucket_of(scene, &shape) != bucket;
	}
	assert_true(changed >= MIN_CHANGED);
}

static void test_every_key_bit_counts(struct scene *scene)
{
	__u64 *key = scene->world->settings.hash_key, key_was[2] = { key[0], key[1] };
	struct packet_shape flows[FLOWS];
	__u32 buckets[FLOWS];
	int bit, flow, changed;

	srand(24);
	for (flow = 0; flow < FLOWS; flow++) {
		flows[flow] = random_flow(ARG_V4(scene->arg), ARG_PROTO(scene->arg));
		buckets[flow] = bucket_of(scene, &flows[flow]);
	}
	for (bit = 0; bit < 128; bit++) {
		key[bit / 64] ^= 1ULL << bit % 64;
		harness_settings(scene->harness, &scene->world->settings);
		for (flow = changed = 0; flow < FLOWS; flow++)
			changed += bucket_of(scene, &flows[flow]) != buckets[flow];
		memcpy(key, key_was, sizeof(key_was));
		if (changed < MIN_CHANGED)
			fail_msg("bit %d of the key: %d of %d flows moved", bit, changed, FLOWS);
	}
}

/* The key as the controller found it: the same buckets as before. */
static void restore_key(struct scene *scene)
{
	struct world *world = wide_world(3);

	memcpy(scene->world->settings.hash_key, world->settings.hash_key, sizeof(world->settings.hash_key));
	world_free(world);
	harness_settings(scene->harness, &scene->world->settings);
	harness_count_verdicts(scene->harness);
}

/* How clients differ in practice; a weak hash shows in one of them. */
static const char *const patterns[] = { "random flows", "consecutive source ports", "consecutive clients",
					"clients and ports in step", "consecutive VIPs", "clients 65,536 apart" };

/* The i-th port from this one on, without 0; what is carried over is more than one client's. */
static __u16 port_after(__u16 port, __u32 i, __u32 *ret_carried)
{
	*ret_carried = (port + i) / 65535;
	return 1 + (port + i) % 65535;
}

static struct packet_shape pattern_flow(int pattern, const struct packet_shape *base, __u32 i)
{
	struct packet_shape shape = *base;
	__u32 carried;

	switch (pattern) {
	case 0:
		return random_flow(addr_v4(&base->dst), base->proto);
	case 1:
		shape.sport = port_after(shape.sport, i, &carried);
		shape.src.w[3] ^= htonl(carried);
		break;
	case 2:
		shape.src.w[3] = htonl(ntohl(shape.src.w[3]) + i);
		break;
	case 3:
		shape.src.w[3] = htonl(ntohl(shape.src.w[3]) + i);
		shape.sport = port_after(shape.sport, i, &carried);
		break;
	case 4:
		shape.dst.w[3] = htonl(ntohl(shape.dst.w[3]) + i);
		break;
	default:
		shape.src.w[3] ^= htonl((i & 0x3fff) << 16);
		shape.sport = port_after(shape.sport, i >> 14, &carried);
	}
	return shape;
}

static double chi_square(const __u32 *seen, __u32 n, double expected)
{
	double sum = 0;
	__u32 i;

	for (i = 0; i < n; i++)
		sum += (seen[i] - expected) * (seen[i] - expected) / expected;
	return sum;
}

/*
 * Eight backends interleaved: 7 degrees of freedom; over 40 comes by chance once in a million. And no bucket's share
 * of its own: n buckets, mean n, variance 2n.
 */
static void test_uniform(struct scene *scene)
{
	int pattern = scene->arg / ARGS;
	struct packet_shape base;
	__u32 *buckets = calloc(RING, sizeof(*buckets)), eight[8] = {}, i;
	double of_eight, of_all;

	assert_non_null(buckets);
	srand(25);
	base = random_flow(ARG_V4(scene->arg), ARG_PROTO(scene->arg));
	for (i = 0; i < RING; i++) {
		struct packet_shape shape = pattern_flow(pattern, &base, i);
		__u32 bucket = bucket_of(scene, &shape);

		assert_true(bucket < RING);
		buckets[bucket]++;
		eight[bucket % 8]++;
	}
	of_eight = chi_square(eight, 8, RING / 8.0);
	of_all = chi_square(buckets, RING, 1);
	free(buckets);
	assert_int_equal(harness_count_verdicts(scene->harness)[TR_V_FORWARDED], RING);
	if (of_eight > 40)
		fail_msg("chi-square over 8 backends %.1f", of_eight);
	if (of_all > RING + 6 * 362)	/* 362: the square root of 2 * RING */
		fail_msg("chi-square over %d buckets %.0f", RING, of_all);
}

/* The words around each ring name a backend that the map does not have: XDP_TX shows that none was read. */
static void test_ring_size(struct scene *scene)
{
	__u32 size = scene->arg, flows = size < 300 ? 40 * size : 8000, hit = 0, i;
	bool *seen = calloc(size, sizeof(*seen));

	assert_non_null(seen);
	srand(26);
	for (i = 0; i < flows; i++) {
		struct packet_shape shape = random_flow(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP);
		__u32 bucket = bucket_of(scene, &shape);

		assert_true(bucket < size);
		hit += !seen[bucket];
		seen[bucket] = true;
	}
	free(seen);
	assert_int_equal(harness_count_verdicts(scene->harness)[TR_V_FORWARDED], flows);
	assert_true(hit >= (size < 300 ? size : 2000));
}

static void test_rings_by_protocol(struct scene *scene)
{
	struct world *world = scene->world;
	__u32 tcp[2] = { 1, 2 }, udp[2] = { 3, 4 };
	int flow;

	srand(27);
	world_spread(world, 1, TR_TCP, tcp, 2);
	world_spread(world, 1, TR_UDP, udp, 2);
	harness_apply(scene->harness, world);
	for (flow = 0; flow < 200; flow++) {
		struct packet_shape shape = random_flow(flow & 1, IPPROTO_TCP);

		assert_true(bucket_of(scene, &shape) < 2);
		shape.proto = IPPROTO_UDP;
		assert_true(bucket_of(scene, &shape) >= 2);
	}
}

int main(void)
{
	static const __u32 sizes[] = { 1, 2, 3, 7, 13, 251, 4093, 131071 };
	struct cases *cases = cases_new();
	size_t i, pattern;
	int failed;

	cases_use(cases, wide_world(RING), 64)->before = restore_key;
	for (i = 0; i < ARGS; i++) {
		cases_add_function(cases, test_same_flow, i, "a flow's packets, %s", arg_names[i]);
		cases_add_function(cases, test_every_bit_counts, i, "every bit of a flow, %s", arg_names[i]);
		cases_add_function(cases, test_every_key_bit_counts, i, "every bit of the key, %s", arg_names[i]);
	}
	for (i = 0; i < 2; i++)
		cases_add_function(cases, test_protocol_counts, i, "the protocol, IPv%d", i ? 6 : 4);
	for (pattern = 0; pattern < ARRAY_SIZE(patterns); pattern++)
		for (i = pattern % 2; i < ARGS; i += 2)
			cases_add_function(cases, test_uniform, pattern * ARGS + i, "uniform over %s, %s",
					   patterns[pattern], arg_names[i]);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		cases_use(cases, wide_world(sizes[i]), 64);
		cases_add_function(cases, test_ring_size, sizes[i], "never outside a ring of %u", sizes[i]);
	}
	cases_use(cases, wide_world(13), 64);
	cases_add_function(cases, test_rings_by_protocol, 0, "rings by protocol");
	failed = cases_run(cases, "hash");
	cases_free(cases);
	return failed != 0;
}
