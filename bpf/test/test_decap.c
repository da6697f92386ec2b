// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decapsulator's programs, one packet at a time through BPF_PROG_TEST_RUN. Every run asserts the output bytes,
 * the program's answer, and that exactly one verdict, the expected one, was counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "addr.h"
#include "decap.skel.h"
#include "decap_verdicts.h"
#include "util.h"

#define PAYLOAD 32		/* bytes behind the inner header: fewer than the longest IPv4 options */
#define FRAME_MAX 256
#define TESTS_MAX 600

static struct decap_bpf *skel;

static const char *const verdict_names[] = {
#define X(NAME, name, action, help) [TR_D_##NAME] = #name,
	TR_DECAP_VERDICTS(X)
#undef X
};

enum hook { XDP, TC, HOOKS };

static const char *const hook_names[] = { [XDP] = "xdp", [TC] = "tc" };

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len, outer, inner;	/* offsets of the IP headers */
};

struct tcase {
	const char *name;
	int outer, inner;		/* IP versions; 0: both */
	unsigned int tags;
	uint8_t outer_tos, inner_tos, becomes;
	enum tr_decap_verdict verdict;
	void (*edit)(struct frame *f);
	bool only[HOOKS];		/* neither: both */
	enum hook hook;			/* set for each test */
};

static uint16_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static void seal_ipv4(struct iphdr *ip)
{
	ip->check = 0;
	ip->check = checksum(ip, sizeof(*ip));
}

static void put_ip(struct frame *f, int version, uint8_t tos, uint8_t protocol, uint16_t payload, const char *from,
		   const char *to)
{
	struct iphdr *ip4 = (void *)&f->bytes[f->len];
	struct ipv6hdr *ip6 = (void *)&f->bytes[f->len];

	if (version == 4) {
		*ip4 = (struct iphdr){ .version = 4, .ihl = 5, .tos = tos, .tot_len = htons(20 + payload), .ttl = 64,
				       .protocol = protocol };
		assert_int_equal(inet_pton(AF_INET, from, &ip4->saddr), 1);
		assert_int_equal(inet_pton(AF_INET, to, &ip4->daddr), 1);
		seal_ipv4(ip4);
		f->len += sizeof(*ip4);
	} else {
		*(uint32_t *)ip6 = htonl(6u << 28 | tos << 20 | 0xabcde);
		ip6->payload_len = htons(payload);
		ip6->nexthdr = protocol;
		ip6->hop_limit = 64;
		assert_int_equal(inet_pton(AF_INET6, from, &ip6->saddr), 1);
		assert_int_equal(inet_pton(AF_INET6, to, &ip6->daddr), 1);
		f->len += sizeof(*ip6);
	}
}

static void put_link(struct frame *f, unsigned int tags, int version)
{
	static const uint8_t macs[12] = { 2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2 };
	uint16_t type = htons(version == 4 ? ETH_P_IP : ETH_P_IPV6);

	memcpy(f->bytes, macs, sizeof(macs));
	f->len = sizeof(macs);
	for (unsigned int i = 0; i < tags; i++) {
		uint16_t tag[2] = { htons(i + 1 < tags ? ETH_P_8021AD : ETH_P_8021Q), htons(100 + i) };

		memcpy(&f->bytes[f->len], tag, sizeof(tag));
		f->len += sizeof(tag);
	}
	memcpy(&f->bytes[f->len], &type, sizeof(type));
	f->len += sizeof(type);
}

static void put_inner(struct frame *f, int version, uint8_t tos)
{
	f->inner = f->len;
	if (version == 4)
		put_ip(f, 4, tos, IPPROTO_UDP, PAYLOAD, "198.51.100.7", "203.0.113.10");
	else
		put_ip(f, 6, tos, IPPROTO_UDP, PAYLOAD, "2001:db8:c::7", "2001:db8:f::10");
	for (int i = 0; i < PAYLOAD; i++)
		f->bytes[f->len++] = 0x80 + i;
}

static void put_tunnel(struct frame *f, const struct tcase *c)
{
	uint16_t payload = (c->inner == 4 ? 20 : 40) + PAYLOAD;
	uint8_t protocol = c->inner == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	memset(f, 0, sizeof(*f));
	put_link(f, c->tags, c->outer);
	f->outer = f->len;
	if (c->outer == 4)
		put_ip(f, 4, c->outer_tos, protocol, payload, "172.16.33.44", "10.0.0.2");
	else
		put_ip(f, 6, c->outer_tos, protocol, payload, "100::1234:5678", "fd00::2");
	put_inner(f, c->inner, c->inner_tos);
}

/* What has to come out of put_tunnel()'s packet. */
static void put_opened(struct frame *f, const struct tcase *c)
{
	memset(f, 0, sizeof(*f));
	put_link(f, c->tags, c->inner);
	put_inner(f, c->inner, c->becomes);
}

static void read_verdicts(uint64_t ret[TR_D_COUNT])
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = calloc(cpus, sizeof(*values));

	assert_non_null(values);
	for (uint32_t v = 0; v < TR_D_COUNT; v++) {
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.verdicts), &v, values), 0);
		ret[v] = 0;
		for (int i = 0; i < cpus; i++)
			ret[v] += values[i];
	}
}

static uint32_t answer(enum hook hook, enum tr_decap_verdict verdict)
{
	bool drops = verdict == TR_D_ECN_LOST || verdict == TR_D_STRIP_FAILED;

	if (hook == XDP)
		return drops ? 1 /* XDP_DROP */ : 2 /* XDP_PASS */;
	return drops ? TC_ACT_SHOT : (uint32_t)TC_ACT_UNSPEC;
}

/* out NULL: as it went in. */
static void expect(enum hook hook, const struct frame *in, enum tr_decap_verdict verdict, const struct frame *out)
{
	uint64_t before[TR_D_COUNT], after[TR_D_COUNT];
	uint8_t bytes[FRAME_MAX * 2];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in->bytes, .data_size_in = in->len, .data_out = bytes,
		    .data_size_out = sizeof(bytes));
	struct bpf_program *prog = hook == XDP ? skel->progs.tr_decap_xdp : skel->progs.tr_decap_tc;

	read_verdicts(before);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &run), 0);
	read_verdicts(after);
	for (int v = 0; v < TR_D_COUNT; v++)
		if (after[v] - before[v] != (v == (int)verdict))
			fail_msg("%s: counted %lu times, expected %s", verdict_names[v], after[v] - before[v],
				 verdict_names[verdict]);
	assert_int_equal(run.retval, answer(hook, verdict));
	if (!out)
		out = in;
	assert_int_equal(run.data_size_out, out->len);
	assert_memory_equal(bytes, out->bytes, out->len);
}

static void test_case(void **state)
{
	const struct tcase *c = *state;
	struct frame in, out;

	put_tunnel(&in, c);
	if (c->edit)
		c->edit(&in);
	put_opened(&out, c);
	expect(c->hook, &in, c->verdict, c->verdict == TR_D_DECAPSULATED ? &out : NULL);
}

/*
 * A frame may end anywhere, its headers promising more. Newer kernels refuse to test tc programs with less than an IP
 * header; testenv/tests/decap.sh sends such frames.
 */
static void test_cut(void **state)
{
	const struct tcase *c = *state;
	struct frame in;
	size_t least;

	put_tunnel(&in, c);
	least = c->hook == TC ? in.inner : ETH_HLEN;
	while (--in.len >= least)
		expect(c->hook, &in, in.len < in.inner ? TR_D_TRUNCATED : TR_D_BAD_OUTER, NULL);
}

static void set_outer_payload(struct frame *f, uint16_t payload)
{
	struct iphdr *ip = (void *)&f->bytes[f->outer];

	if (ip->version == 4) {
		ip->tot_len = htons(20 + payload);
		seal_ipv4(ip);
	} else {
		((struct ipv6hdr *)ip)->payload_len = htons(payload);
	}
}

/* The same with an outer length that fits: only the inner header promises more. */
static void test_cut_inner(void **state)
{
	const struct tcase *c = *state;
	size_t header = c->inner == 4 ? 20 : 40;
	struct frame in;

	put_tunnel(&in, c);
	while (--in.len >= in.inner) {
		set_outer_payload(&in, in.len - in.inner);
		expect(c->hook, &in, in.len < in.inner + header ? TR_D_TRUNCATED : TR_D_BAD_INNER, NULL);
	}
}

static enum tr_decap_verdict judge_outer_byte(int version, int byte)
{
	if (byte >> 4 != version || (version == 4 && (byte & 15) < 5))
		return TR_D_BAD_OUTER;
	return version == 4 && (byte & 15) > 5 ? TR_D_OUTER_OPTIONS : TR_D_DECAPSULATED;
}

/* All versions with all header lengths. */
static void test_outer_byte(void **state)
{
	const struct tcase *c = *state;
	struct frame in, out;

	put_opened(&out, c);
	for (int byte = 0; byte < 256; byte++) {
		enum tr_decap_verdict verdict = judge_outer_byte(c->outer, byte);

		put_tunnel(&in, c);
		in.bytes[in.outer] = byte;
		expect(c->hook, &in, verdict, verdict == TR_D_DECAPSULATED ? &out : NULL);
	}
}

static bool inner_byte_is_good(int version, int byte)
{
	int header = (byte & 15) * 4;

	return byte >> 4 == version && (version == 6 || (header >= 20 && header <= 20 + PAYLOAD));
}

static void test_inner_byte(void **state)
{
	const struct tcase *c = *state;
	struct frame in, out;

	for (int byte = 0; byte < 256; byte++) {
		bool good = inner_byte_is_good(c->inner, byte);

		put_tunnel(&in, c);
		put_opened(&out, c);
		in.bytes[in.inner] = out.bytes[out.inner] = byte;
		expect(c->hook, &in, good ? TR_D_DECAPSULATED : TR_D_BAD_INNER, good ? &out : NULL);
	}
}

/* Inner lengths that lie in either direction, each by one and by all. */
static void test_inner_length(void **state)
{
	const struct tcase *c = *state;
	uint16_t header = c->inner == 4 ? 20 : 40, base = c->inner == 4 ? 20 : 0;
	uint16_t at = c->inner == 4 ? 2 : 4;
	const uint16_t lengths[] = { 0, base, base + PAYLOAD - 1, base + PAYLOAD, base + PAYLOAD + 1, 0xffff };
	struct frame in, out;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint16_t length = htons(lengths[i]);
		bool good = lengths[i] >= base && lengths[i] - base <= PAYLOAD;

		put_tunnel(&in, c);
		put_opened(&out, c);
		memcpy(&in.bytes[in.inner + at], &length, 2);
		memcpy(&out.bytes[out.inner + at], &length, 2);
		assert_true(in.inner + header < in.len);
		expect(c->hook, &in, good ? TR_D_DECAPSULATED : TR_D_BAD_INNER, good ? &out : NULL);
	}
}

static void edit_type_arp(struct frame *f)
{
	f->bytes[f->outer - 2] = 0x08;
	f->bytes[f->outer - 1] = 0x06;
}

static void set_protocol(struct frame *f, uint8_t protocol)
{
	struct iphdr *ip = (void *)&f->bytes[f->outer];

	if (ip->version == 4) {
		ip->protocol = protocol;
		seal_ipv4(ip);
	} else {
		((struct ipv6hdr *)ip)->nexthdr = protocol;
	}
}

static void edit_tcp(struct frame *f)
{
	set_protocol(f, IPPROTO_TCP);
}

static void edit_gre(struct frame *f)
{
	set_protocol(f, IPPROTO_GRE);
}

static void edit_hop_by_hop(struct frame *f)
{
	set_protocol(f, IPPROTO_HOPOPTS);
}

static void edit_routing(struct frame *f)
{
	set_protocol(f, IPPROTO_ROUTING);
}

static void edit_fragment_header(struct frame *f)
{
	set_protocol(f, IPPROTO_FRAGMENT);
}

static void edit_wrong_family(struct frame *f)
{
	struct iphdr *ip = (void *)&f->bytes[f->inner];

	set_protocol(f, ip->version == 4 ? IPPROTO_IPV6 : IPPROTO_IPIP);
}

static void set_fragment(struct frame *f, uint16_t field)
{
	struct iphdr *ip = (void *)&f->bytes[f->outer];

	ip->frag_off = htons(field);
	seal_ipv4(ip);
}

static void edit_first_fragment(struct frame *f)
{
	set_fragment(f, 0x2000);
}

static void edit_later_fragment(struct frame *f)
{
	set_fragment(f, 185);
}

static void edit_dont_fragment(struct frame *f)
{
	set_fragment(f, 0x4000);
}

/* The last byte of an address, or the last of its network part. */
static void flip(struct frame *f, size_t header, bool destination, int byte4, int byte6)
{
	bool v4 = f->bytes[header] >> 4 == 4;

	f->bytes[header + (v4 ? 12 + 4 * destination + byte4 : 8 + 16 * destination + byte6)] ^= 1;
}

static void edit_outer_destination(struct frame *f)
{
	flip(f, f->outer, true, 3, 15);
}

static void edit_outer_source(struct frame *f)
{
	flip(f, f->outer, false, 1, 7);
}

static void edit_inner_destination(struct frame *f)
{
	flip(f, f->inner, true, 2, 5);
}

static void edit_outer_length_zero(struct frame *f)
{
	struct iphdr *ip = (void *)&f->bytes[f->outer];

	if (ip->version == 4)
		ip->tot_len = 0;
	else
		set_outer_payload(f, 0);
}

static void edit_outer_options_not_us(struct frame *f)
{
	f->bytes[f->outer] = 0x46;
	edit_outer_destination(f);
}

#define OPENED .verdict = TR_D_DECAPSULATED
#define XDP_ONLY .only = { [XDP] = true }
#define TC_ONLY .only = { [TC] = true }
/* Inner and outer ECN, and what RFC 6040 figure 4 makes of them; 0xb8 is a DSCP that has to stay. */
#define ECN(in_, out_, becomes_) \
	{ "ecn inner " #in_ " outer " #out_, .outer_tos = out_, .inner_tos = 0xb8 | in_,  \
	  .becomes = 0xb8 | becomes_, OPENED }

static const struct tcase cases[] = {
	{ "opened", OPENED },
	{ "opened, one tag", .tags = 1, OPENED, XDP_ONLY },
	{ "opened, two tags", .tags = 2, OPENED, XDP_ONLY },
	{ "three tags", .tags = 3, .verdict = TR_D_VLAN, XDP_ONLY },
	{ "a tag in the packet", .tags = 1, .verdict = TR_D_VLAN, TC_ONLY },
	{ "opened, don't fragment", .outer = 4, OPENED, .edit = edit_dont_fragment },
	{ "not IP", .verdict = TR_D_NOT_TUNNEL, .edit = edit_type_arp },
	{ "TCP", .verdict = TR_D_NOT_TUNNEL, .edit = edit_tcp },
	{ "GRE", .verdict = TR_D_NOT_TUNNEL, .edit = edit_gre },
	{ "to another address", .verdict = TR_D_NOT_FOR_US, .edit = edit_outer_destination },
	{ "options to another address", .outer = 4, .verdict = TR_D_NOT_FOR_US, .edit = edit_outer_options_not_us },
	{ "from another source", .verdict = TR_D_SOURCE_DENIED, .edit = edit_outer_source },
	{ "to no VIP", .verdict = TR_D_INNER_NOT_VIP, .edit = edit_inner_destination },
	{ "first fragment", .outer = 4, .verdict = TR_D_OUTER_FRAGMENT, .edit = edit_first_fragment },
	{ "later fragment", .outer = 4, .verdict = TR_D_OUTER_FRAGMENT, .edit = edit_later_fragment },
	{ "fragment header", .outer = 6, .verdict = TR_D_OUTER_FRAGMENT, .edit = edit_fragment_header },
	{ "hop-by-hop options", .outer = 6, .verdict = TR_D_OUTER_EXT_HEADER, .edit = edit_hop_by_hop },
	{ "routing header", .outer = 6, .verdict = TR_D_OUTER_EXT_HEADER, .edit = edit_routing },
	{ "inner of the other family", .verdict = TR_D_BAD_INNER, .edit = edit_wrong_family },
	{ "outer length 0", .outer = 4, .verdict = TR_D_BAD_OUTER, .edit = edit_outer_length_zero },
	{ "outer length 0", .outer = 6, .verdict = TR_D_BAD_INNER, .edit = edit_outer_length_zero },
	ECN(0, 0, 0), ECN(0, 1, 0), ECN(0, 2, 0),
	ECN(1, 0, 1), ECN(1, 1, 1), ECN(1, 2, 1), ECN(1, 3, 3),
	ECN(2, 0, 2), ECN(2, 1, 1), ECN(2, 2, 2), ECN(2, 3, 3),
	ECN(3, 0, 3), ECN(3, 1, 3), ECN(3, 2, 3), ECN(3, 3, 3),
	{ "ecn inner 0 outer 3", .outer_tos = 3, .verdict = TR_D_ECN_LOST },
};

static const struct {
	const char *name;
	CMUnitTestFunction run;
} sweeps[] = {
	{ "every frame length", test_cut },
	{ "every outer length", test_cut_inner },
	{ "every first outer byte", test_outer_byte },
	{ "every first inner byte", test_inner_byte },
	{ "inner lengths that lie", test_inner_length },
};

static struct CMUnitTest tests[TESTS_MAX];
static size_t n_tests;

static void add_test(const char *name, CMUnitTestFunction run, const struct tcase *from, int outer, int inner,
		     enum hook hook)
{
	struct tcase *c = malloc(sizeof(*c));
	char *full;

	assert_true(c && n_tests < TESTS_MAX);
	*c = *from;
	c->outer = outer;
	c->inner = inner;
	c->hook = hook;
	assert_true(asprintf(&full, "decap %s v%d in v%d: %s", hook_names[hook], inner, outer, name) > 0);
	tests[n_tests++] = (struct CMUnitTest){ .name = full, .test_func = run, .initial_state = c };
}

static void add_tests(enum hook hook, int outer, int inner)
{
	static const struct tcase plain = { OPENED };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct tcase *c = &cases[i];

		if ((!c->outer || c->outer == outer) && (!c->inner || c->inner == inner) && !c->only[!hook])
			add_test(c->name, test_case, c, outer, inner, hook);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sweeps); i++)
		add_test(sweeps[i].name, sweeps[i].run, &plain, outer, inner, hook);
}

static void put_prefix(struct bpf_map *map, const char *text)
{
	struct tr_prefix prefix;
	uint32_t one = 1;

	assert_int_equal(addr_parse_prefix(text, &prefix), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &prefix, &one, BPF_ANY), 0);
}

static void put_address(const char *text)
{
	struct tr_addr addr;
	uint32_t one = 1;

	assert_int_equal(addr_parse(text, &addr), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.addresses), &addr, &one, BPF_ANY), 0);
}

static int setup(void **state)
{
	skel = decap_bpf__open_and_load();
	assert_non_null(skel);
	put_address("10.0.0.2");
	put_address("fd00::2");
	put_prefix(skel->maps.sources, "172.16.0.0/16");
	put_prefix(skel->maps.sources, "100::/64");
	put_prefix(skel->maps.vips, "203.0.113.0/24");
	put_prefix(skel->maps.vips, "2001:db8:f::/48");
	return 0;
}

static int teardown(void **state)
{
	decap_bpf__destroy(skel);
	for (size_t i = 0; i < n_tests; i++) {
		free((void *)tests[i].name);
		free(tests[i].initial_state);
	}
	return 0;
}

int main(void)
{
	for (enum hook hook = XDP; hook < HOOKS; hook++)
		for (int outer = 4; outer <= 6; outer += 2)
			for (int inner = 4; inner <= 6; inner += 2)
				add_tests(hook, outer, inner);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("decap", tests, n_tests, setup, teardown);
}
