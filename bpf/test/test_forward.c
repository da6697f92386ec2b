// SPDX-License-Identifier: GPL-2.0-only
/*
 * What leaves towards a backend: outer headers of all four mixes of families byte by byte, the limits of the MTU, and
 * what is counted.
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
#include "mixes.h"
#include "util.h"

#define TOS MIX_TOS
#define ETH_LEN 14

/* Link and outer header as they must be with no entropy bits; of the standard world's backends 1 to 4. */
static const struct golden {
	__u8 tcp[ETH_LEN + 40], udp[ETH_LEN + 40];
} golden[MIXES] = {
	{
		{ 6, 0xb0, 0, 0, 0, 1, 6, 0x50, 0, 0, 0, 1, 8, 0, 0x45, TOS, 0, 64, 0, 0, 0x40, 0, 64, 4,
		  0x83, 0xe7, 172, 16, 0, 0, 10, 9, 0, 1 },
		{ 6, 0xb0, 0, 0, 0, 2, 6, 0x50, 0, 0, 0, 1, 8, 0, 0x45, TOS, 0, 52, 0, 0, 0x40, 0, 64, 4,
		  0x83, 0xf2, 172, 16, 0, 0, 10, 9, 0, 2 },
	}, {
		{ 6, 0xb0, 0, 0, 0, 1, 6, 0x50, 0, 0, 0, 1, 8, 0, 0x45, TOS, 0, 84, 0, 0, 0x40, 0, 64, 41,
		  0x83, 0xae, 172, 16, 0, 0, 10, 9, 0, 1 },
		{ 6, 0xb0, 0, 0, 0, 2, 6, 0x50, 0, 0, 0, 1, 8, 0, 0x45, TOS, 0, 72, 0, 0, 0x40, 0, 64, 41,
		  0x83, 0xb9, 172, 16, 0, 0, 10, 9, 0, 2 },
	}, {
		{ 6, 0xb0, 0, 0, 0, 3, 6, 0x50, 0, 0, 0, 1, 0x86, 0xdd, 0x6b, 0x90, 0, 0, 0, 44, 4, 64,
		  1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
		{ 6, 0xb0, 0, 0, 0, 4, 6, 0x50, 0, 0, 0, 1, 0x86, 0xdd, 0x6b, 0x90, 0, 0, 0, 32, 4, 64,
		  1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 },
	}, {
		{ 6, 0xb0, 0, 0, 0, 3, 6, 0x50, 0, 0, 0, 1, 0x86, 0xdd, 0x6b, 0x90, 0, 0, 0, 64, 41, 64,
		  1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
		{ 6, 0xb0, 0, 0, 0, 4, 6, 0x50, 0, 0, 0, 1, 0x86, 0xdd, 0x6b, 0x90, 0, 0, 0, 52, 41, 64,
		  1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 },
	},
};

static void assert_golden(struct scene *scene, long mix, __u8 proto, const __u8 *expected)
{
	size_t front = ETH_LEN + mixes[mix].outer_len;
	struct packet_shape shape = mix_shape(mix, proto);
	struct observed observed;
	struct packet packet;

	packet_build(&packet, &shape);
	harness_run(scene->harness, packet.data, packet.len, &observed);
	assert_int_equal(observed.action, XDP_TX);
	assert_int_equal(verdict_only(harness_count_verdicts(scene->harness)), TR_V_FORWARDED);
	assert_int_equal(observed.len, packet.len + mixes[mix].outer_len);
	if (mixes[mix].outer_len == 40) {	/* the flow label may be anything */
		observed.data[ETH_LEN + 1] &= 0xf0;
		memset(observed.data + ETH_LEN + 2, 0, 2);
	}
	assert_memory_equal(observed.data, expected, front);
	assert_memory_equal(observed.data + front, packet.data + ETH_LEN, packet.len - ETH_LEN);
}

static void test_golden_tcp(struct scene *scene)
{
	assert_golden(scene, scene->arg, IPPROTO_TCP, golden[scene->arg].tcp);
}

static void test_golden_udp(struct scene *scene)
{
	assert_golden(scene, scene->arg, IPPROTO_UDP, golden[scene->arg].udp);
}

static void add_golden(struct cases *cases)
{
	struct world *world = world_standard();
	size_t i;

	world->settings.entropy4 = world->settings.entropy6 = 0;
	cases_use(cases, world, 64);
	for (i = 0; i < MIXES; i++) {
		cases_add_function(cases, test_golden_tcp, i, "bytes of %s, TCP", mixes[i].name);
		cases_add_function(cases, test_golden_udp, i, "bytes of %s, UDP", mixes[i].name);
	}
}

static void add_tos(struct cases *cases)
{
	static const __u8 all[] = { 0, 1, 2, 3, 4, 0x10, 0x80, 0xb8, 0xf0, 0xff };
	size_t mix, i;

	for (mix = 0; mix < MIXES; mix++)
		for (i = 0; i < ARRAY_SIZE(all); i++) {
			struct packet_shape shape = mix_shape(mix, IPPROTO_UDP);

			shape.tos = all[i];
			cases_add(cases, &shape, TR_V_FORWARDED, "%s, class 0x%02x", mixes[mix].name, all[i]);
		}
}

/* TCP's payload that makes the outer packet exactly `size` bytes. */
static struct packet_shape of_outer_size(size_t mix, __u16 size)
{
	struct packet_shape shape = mix_shape(mix, IPPROTO_TCP);

	shape.payload = size - mixes[mix].outer_len - mixes[mix].inner_fixed - 20;
	return shape;
}

static void add_mtu(struct cases *cases)
{
	size_t mix;
	int over;

	for (mix = 0; mix < MIXES; mix++) {
		struct packet_shape shape;

		for (over = -1; over <= 1; over++) {
			shape = of_outer_size(mix, STANDARD_MTU + over);
			cases_add(cases, &shape, over > 0 ? TR_V_TOO_BIG_ANSWERED : TR_V_FORWARDED, "%s, MTU %+d",
				  mixes[mix].name, over);
		}
		shape = of_outer_size(mix, STANDARD_MTU);
		shape.padding = 100;
		cases_add(cases, &shape, TR_V_FORWARDED, "%s, MTU and padding", mixes[mix].name);
		shape = of_outer_size(mix, STANDARD_MTU + 1);
		shape.ip_len = (struct lie)LIE(mixes[mix].inner_fixed == 40 ? 20 : 40);
		cases_add(cases, &shape, TR_V_FORWARDED, "%s, a short packet in a frame over the MTU",
			  mixes[mix].name);
		shape = of_outer_size(mix, STANDARD_MTU + 1);
		shape.dport = PORT_NO_ENCAP;
		cases_add(cases, &shape, TR_V_NO_BACKEND, "%s, no backend to be too big for", mixes[mix].name);
	}
}

static struct world *mtu_world(__u16 mtu)
{
	struct world *world = world_standard();
	__u32 i;

	for (i = 1; i < world->n_backends; i++)
		world->backends[i].mtu = mtu;
	return world;
}

static void add_sizes(struct cases *cases)
{
	static const __u16 payloads[] = { 0, 1, 2, 3, 5, 18, 19, 255, 256, 1000, 1461, 2047, 3000, 3200 };
	size_t mix, i;

	cases_use(cases, mtu_world(65535), 64);
	for (mix = 0; mix < MIXES; mix++)
		for (i = 0; i < ARRAY_SIZE(payloads); i++) {
			struct packet_shape shape = mix_shape(mix, i % 2 ? IPPROTO_UDP : IPPROTO_TCP);

			shape.payload = payloads[i];
			cases_add(cases, &shape, TR_V_FORWARDED, "%s, %u bytes of payload", mixes[mix].name,
				  payloads[i]);
			shape.padding = 7;
			cases_add(cases, &shape, TR_V_FORWARDED, "%s, %u bytes of payload, padding", mixes[mix].name,
				  payloads[i]);
		}
	cases_use(cases, mtu_world(0), 64);
	for (mix = 0; mix < MIXES; mix++) {
		struct packet_shape shape = mix_shape(mix, IPPROTO_UDP);

		cases_add(cases, &shape, TR_V_TOO_BIG, "%s, MTU 0", mixes[mix].name);
	}
}

static void add_no_backend(struct cases *cases)
{
	static const __u16 ports[] = { PORT_NO_WORD, PORT_NO_ENCAP };
	static const char *const whys[] = { "empty ring", "backend without header" };
	struct packet_shape shape;
	struct world *world;
	size_t i, mix;

	for (mix = 0; mix < MIXES; mix += 3)
		for (i = 0; i < ARRAY_SIZE(ports); i++) {
			shape = mix_shape(mix, IPPROTO_TCP);
			shape.dport = ports[i];
			cases_add(cases, &shape, TR_V_NO_BACKEND, "TCP, %s", whys[i]);
			shape.proto = IPPROTO_UDP;
			cases_add(cases, &shape, TR_V_NO_BACKEND, "UDP, %s", whys[i]);
		}
	/* A word may name a number that the map does not have: that is a bug, and says so. */
	world = world_standard();
	world_spread(world, 1, TR_TCP, &(__u32){ world->limits.backends }, 1);
	world_spread(world, 1, TR_UDP, &(__u32){ TR_BACKEND_MASK }, 1);
	cases_use(cases, world, 64);
	shape = mix_shape(0, IPPROTO_TCP);
	cases_add(cases, &shape, TR_V_INTERNAL, "backend number just beyond the map");
	shape.proto = IPPROTO_UDP;
	cases_add(cases, &shape, TR_V_INTERNAL, "highest backend number");
}

/* No flag and neither of the other two backends of a word changes the choice of this version. */
static void test_word_flags(struct scene *scene)
{
	struct packet_shape shape = mix_shape(0, IPPROTO_TCP);
	struct tr_vip *vip = &scene->world->vips[1];
	__u64 word = 2 | 3ULL << TR_WORD_BASE_SHIFT | 4ULL << TR_WORD_PREV_SHIFT | (__u64)scene->arg << 60;
	struct check check;
	__u32 i;

	for (i = 0; i < vip->ring_size; i++)
		scene->world->words[vip->ring + i] = word;
	harness_apply(scene->harness, scene->world);
	assert_shape(scene->harness, scene->world, &shape, TR_V_FORWARDED, &check);
	assert_int_equal(check.answer.backend, 2);
}

/* All of a record comes from the map: whatever the controller writes there is what leaves. */
static void test_header_from_record(struct scene *scene)
{
	struct tr_backend *b4 = &scene->world->backends[1], *b6 = &scene->world->backends[3];
	struct packet_shape to4 = mix_shape(1, IPPROTO_TCP), to6 = mix_shape(2, IPPROTO_TCP);
	struct check check;
	int i;

	srand(11);
	for (i = 0; i < 300; i++) {
		b4->v4.ttl = b6->v6.hop_limit = rand() % 255 + 1;
		b4->v4.frag_off = rand() % 2 ? htons(0x4000) : 0;
		b4->v4.saddr = htonl((__u32)rand() << 16);
		b4->v4.daddr = rand();
		b6->v6.saddr[0] = rand();
		b6->v6.saddr[2] = rand();
		b6->v6.daddr[i % 4] = rand();
		b4->dmac[i % 6] = b6->smac[i % 6] = rand();
		backend_sum(b4);
		harness_apply(scene->harness, scene->world);
		assert_shape(scene->harness, scene->world, &to4, TR_V_FORWARDED, &check);
		assert_shape(scene->harness, scene->world, &to6, TR_V_FORWARDED, &check);
	}
}

static void add_records(struct cases *cases)
{
	long flags;

	cases_use(cases, world_standard(), 64);
	for (flags = 0; flags < 4; flags++)
		cases_add_function(cases, test_word_flags, flags, "flags %ld of a word choose nothing", flags);
	cases_use(cases, world_standard(), 64);
	cases_add_function(cases, test_header_from_record, 0, "300 random records");
}

static const struct flags_case {
	const char *name;
	__u8 flags;
	__u64 new_flows;
} flag_cases[] = {
	{ "SYN", TCP_SYN, 1 },
	{ "SYN with ECE and CWR", TCP_SYN | 0xc0, 1 },
	{ "SYN with PSH and URG", TCP_SYN | TCP_PSH | 0x20, 1 },
	{ "SYN with FIN", TCP_SYN | TCP_FIN, 1 },
	{ "SYN with RST", TCP_SYN | TCP_RST, 1 },
	{ "SYN with ACK", TCP_SYN | TCP_ACK, 0 },
	{ "ACK", TCP_ACK, 0 },
	{ "FIN with ACK", TCP_FIN | TCP_ACK, 0 },
	{ "RST", TCP_RST, 0 },
	{ "no flags", 0, 0 },
	{ "all flags", 0xff, 0 },
	{ "all flags but SYN", 0xff & ~TCP_SYN, 0 },
	{ "all flags but ACK", 0xff & ~TCP_ACK, 1 },
};

static void count_one(struct scene *scene, const struct packet_shape *shape, __u32 vip, __u32 backend, __u64 bytes,
		      __u64 new_flows)
{
	const struct tr_traffic expected = { 1, bytes, new_flows };
	const struct counted *counted;
	struct observed observed;
	struct packet packet;

	packet_build(&packet, shape);
	harness_run(scene->harness, packet.data, packet.len, &observed);
	counted = harness_count(scene->harness);
	assert_int_equal(verdict_only(counted->verdicts), TR_V_FORWARDED);
	assert_memory_equal(&counted->vips[vip], &expected, sizeof(expected));
	assert_memory_equal(&counted->backends[backend], &expected, sizeof(expected));
}

static void test_tcp_flags(struct scene *scene)
{
	struct packet_shape shape = mix_shape(0, IPPROTO_TCP);

	shape.tcp_flags = flag_cases[scene->arg].flags;
	count_one(scene, &shape, 1, 1, 44, flag_cases[scene->arg].new_flows);
	shape = mix_shape(3, IPPROTO_TCP);
	shape.tcp_flags = flag_cases[scene->arg].flags;
	count_one(scene, &shape, 2, 3, 64, flag_cases[scene->arg].new_flows);
}

/* Byte 13 of UDP is payload, however much it looks like a SYN; padding and headers of ours are not the client's. */
static void test_udp_counts(struct scene *scene)
{
	struct packet_shape shape = mix_shape(scene->arg, IPPROTO_UDP);
	bool to6 = mixes[scene->arg].outer_len == 40;

	shape.payload = 200;
	shape.padding = 30;
	count_one(scene, &shape, to6 ? 2 : 1, to6 ? 4 : 2, mixes[scene->arg].inner_fixed + 208, 0);
}

static void test_udp_payload_of_a_syn(struct scene *scene)
{
	struct packet_shape shape = mix_shape(0, IPPROTO_UDP);
	struct observed observed;
	const struct counted *counted;
	struct packet packet;

	shape.payload = 12;
	packet_build(&packet, &shape);
	packet.data[shape_l4_offset(&shape) + 13] = TCP_SYN;
	harness_run(scene->harness, packet.data, packet.len, &observed);
	counted = harness_count(scene->harness);
	assert_int_equal(verdict_only(counted->verdicts), TR_V_FORWARDED);
	assert_int_equal(counted->vips[1].packets, 1);
	assert_int_equal(counted->vips[1].new_flows, 0);
}

static void test_sums_over_many(struct scene *scene)
{
	struct packet_shape shape = mix_shape(0, IPPROTO_TCP);
	const struct counted *counted;
	struct observed observed;
	struct packet packet;
	int i;

	shape.tcp_flags = TCP_SYN;
	for (i = 0; i < 1000; i++) {
		shape.sport = 1000 + i;
		shape.payload = i % 10;
		packet_build(&packet, &shape);
		harness_run(scene->harness, packet.data, packet.len, &observed);
	}
	counted = harness_count(scene->harness);
	assert_int_equal(counted->verdicts[TR_V_FORWARDED], 1000);
	assert_int_equal(counted->vips[1].packets, 1000);
	assert_int_equal(counted->vips[1].bytes, 1000 * 40 + 4500);
	assert_int_equal(counted->vips[1].new_flows, 1000);
	assert_int_equal(counted->backends[1].bytes, 1000 * 40 + 4500);
}

static void add_counters(struct cases *cases)
{
	size_t i;

	cases_use(cases, world_standard(), 64);
	for (i = 0; i < ARRAY_SIZE(flag_cases); i++)
		cases_add_function(cases, test_tcp_flags, i, "counts of %s", flag_cases[i].name);
	for (i = 0; i < MIXES; i++)
		cases_add_function(cases, test_udp_counts, i, "counts of UDP, %s", mixes[i].name);
	cases_add_function(cases, test_udp_payload_of_a_syn, 0, "UDP is no new flow");
	cases_add_function(cases, test_sums_over_many, 0, "sums over 1,000 packets");
}

int main(void)
{
	struct cases *cases = cases_new();
	int failed;

	add_golden(cases);
	add_tos(cases);
	add_mtu(cases);
	add_no_backend(cases);
	add_sizes(cases);
	add_records(cases);
	add_counters(cases);
	failed = cases_run(cases, "forward");
	cases_free(cases);
	return failed != 0;
}
