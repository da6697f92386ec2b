// SPDX-License-Identifier: GPL-2.0-only
/*
 * ICMP: echo requests and their answers, errors and where they go, byte by byte (docs/packets.md, section 7); and how often
 * an answer is given (section 10).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden.h"
#include "util.h"

static const struct golden echoes[] = {
	{ "echo, IPv4", {
		{ TR_V_ECHO, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45b8 003c 1234 4000 3901 30c3 cb00 7107 c000 020a  0800 5252 0007 0001 "
		  "5a*32", .out =
		  "0200 0000 0002 0200 0000 0001 0800  45b8 003c 1234 4000 4001 29c3 c000 020a cb00 7107  0000 5a52 0007 0001 "
		  "5a*32" },
	} },
	{ "echo, IPv6", {
		{ TR_V_ECHO, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6b8a bcde 0028 3a39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "8000 7e66 0007 0001 5a*32", .out =
		  "0200 0000 0002 0200 0000 0001 86dd "
		  "6b8a bcde 0028 3a40 2001 0db8 0000 0000 0000 0000 0000 0010 2001 0db8 ffff 0000 0000 0000 0000 0007 "
		  "8100 7d66 0007 0001 5a*32" },
	} },
	{ "echo, IPv4, wrong checksum stays wrong", {
		{ TR_V_ECHO, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45b8 003c 1234 4000 3901 30c3 cb00 7107 c000 020a  0800 1111 0007 0001 "
		  "5a*32", .out =
		  "0200 0000 0002 0200 0000 0001 0800  45b8 003c 1234 4000 4001 29c3 c000 020a cb00 7107  0000 1911 0007 0001 "
		  "5a*32" },
	} },
	{ "echo, IPv4, tag kept", {
		{ TR_V_ECHO, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 0800  45b8 003c 1234 4000 3901 30c3 cb00 7107 c000 020a "
		  "0800 5252 0007 0001  5a*32", .out =
		  "0200 0000 0002 0200 0000 0001 8100  b064 0800  45b8 003c 1234 4000 4001 29c3 c000 020a cb00 7107 "
		  "0000 5a52 0007 0001  5a*32" },
	} },
	{ "echo, IPv6, both tags kept", {
		{ TR_V_ECHO, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  e0c8 86dd "
		  "6b8a bcde 0028 3a39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "8000 7e66 0007 0001 5a*32", .out =
		  "0200 0000 0002 0200 0000 0001 88a8  6064 8100  e0c8 86dd "
		  "6b8a bcde 0028 3a40 2001 0db8 0000 0000 0000 0000 0000 0010 2001 0db8 ffff 0000 0000 0000 0000 0007 "
		  "8100 7d66 0007 0001 5a*32" },
	} },
	{ "echo, IPv4, padding kept", {
		{ TR_V_ECHO, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 001c 0001 0000 0101 bbce cb00 7107 c000 020a  0800 0000 f7fe 0001 "
		  "ee*18", .out =
		  "0200 0000 0002 0200 0000 0001 0800  4500 001c 0001 0000 4001 7cce c000 020a cb00 7107  0000 0800 f7fe 0001 "
		  "ee*18" },
	} },
};

static const struct golden errors[] = {
	{ "host unreachable, IPv4 to IPv4", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0301 606d 0000 0000 "
		  "4500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 0050 9c40 0000 0001", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  45c0 004c 0000 4000 4004 83d4 ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "port unreachable, UDP, IPv4 to IPv4", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0303 4dcc 0000 0000 "
		  "4500 001c 0009 4000 3c11 40b6 c000 020a cb00 7107 0050 9c40 006c 1234", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  45c0 004c 0000 4000 4004 83d3 ac10 0000 0a09 0002 "
		  "@14" },
	} },
	{ "frag-needed, IPv4 to IPv4", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0304 5b56 0000 0514 "
		  "4500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 0050 9c40 0000 0001", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  45c0 004c 0000 4000 4004 83d4 ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "time exceeded, IPv4 to IPv6", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0b00 586d 0000 0000 "
		  "4500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 0051 9c40 0000 0001", .out =
		  "06b0 0000 0003 0650 0000 0001 86dd "
		  "6c0? ???? 0038 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@14" },
	} },
	{ "frag-needed, UDP, IPv4 to IPv6", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0304 48b6 0000 0514 "
		  "4500 001c 0009 4000 3c11 40b6 c000 020a cb00 7107 0051 9c40 006c 1234", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "6c0? ???? 0038 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
	} },
	{ "packet-too-big, IPv6 to IPv4", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6c00 0000 0038 3a3d 2001 0db8 0099 0000 0000 0000 0000 0001 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0200 3d7a 0000 0514 "
		  "6000 0000 008c 063c 2001 0db8 0000 0000 0000 0000 0000 0010 2001 0db8 ffff 0000 0000 0000 0000 0007 "
		  "0050 9c40 0000 0001", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  45c0 0074 0000 4000 4029 8387 ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "packet-too-big, IPv6 to IPv6", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6c00 0000 0038 3a3d 2001 0db8 0099 0000 0000 0000 0000 0001 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0200 3d79 0000 0514 "
		  "6000 0000 008c 063c 2001 0db8 0000 0000 0000 0000 0000 0010 2001 0db8 ffff 0000 0000 0000 0000 0007 "
		  "0051 9c40 0000 0001", .out =
		  "06b0 0000 0003 0650 0000 0001 86dd "
		  "6c0? ???? 0060 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@14" },
	} },
	{ "unreachable, UDP, IPv6 to IPv6", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6c00 0000 0038 3a3d 2001 0db8 0099 0000 0000 0000 0000 0001 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0104 25ea 0000 0000 "
		  "6000 0000 008c 113c 2001 0db8 0000 0000 0000 0000 0000 0010 2001 0db8 ffff 0000 0000 0000 0000 0007 "
		  "0051 9c40 006c 1234", .out =
		  "06b0 0000 0004 0650 0000 0001 86dd "
		  "6c0? ???? 0060 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
	} },
	{ "parameter problem behind destination options, IPv6 to IPv4", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6c00 0000 0040 3a3d 2001 0db8 0099 0000 0000 0000 0000 0001 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0401 0359 0000 0028 "
		  "6000 0000 008c 3c3c 2001 0db8 0000 0000 0000 0000 0000 0010 2001 0db8 ffff 0000 0000 0000 0000 0007 "
		  "0600 0104 0000 0000 0050 9c40 0000 0001", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  45c0 007c 0000 4000 4029 837f ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "frag-needed behind a tag", {
		{ TR_V_ICMP_ERROR, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a "
		  "0304 5b56 0000 0514  4500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 0050 9c40 0000 0001", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  45c0 004c 0000 4000 4004 83d4 ac10 0000 0a09 0001 "
		  "@18" },
	} },
};

static const struct golden others[] = {
	{ "about an unused port", {
		{ TR_V_ICMP_NO_FLOW, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0301 5cd6 0000 0000 "
		  "4500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 03e7 9c40 0000 0001" },
	} },
	{ "about a later fragment", {
		{ TR_V_ICMP_NO_FLOW, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0301 a05d 0000 0000 "
		  "4500 0028 0009 0010 3c06 40b5 c000 020a cb00 7107 0050 9c40 0000 0001" },
	} },
	{ "about SCTP", {
		{ TR_V_ICMP_NO_FLOW, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0301 5fef 0000 0000 "
		  "4500 0028 0009 4000 3c84 40b5 c000 020a cb00 7107 0050 9c40 0000 0001" },
	} },
	{ "about another's packet", {
		{ TR_V_BAD_ICMP, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0301 606c 0000 0000 "
		  "4500 0028 0009 4000 3c06 40b5 c000 020b cb00 7107 0050 9c40 0000 0001" },
	} },
	{ "about IPv5", {
		{ TR_V_BAD_ICMP, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0301 506d 0000 0000 "
		  "5500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 0050 9c40 0000 0001" },
	} },
	{ "about a packet to port 0", {
		{ TR_V_BAD_ICMP, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0038 0003 0000 3d01 90c3 c633 6401 c000 020a  0301 fcad 0000 0000 "
		  "4500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 0050 0000 0000 0001" },
	} },
	{ "quotes 7 bytes behind the header", {
		{ TR_V_BAD_ICMP, .in =
		  "0200 0000 0001 0200 0000 0002 0800  45c0 0037 0003 0000 3d01 90c4 c633 6401 c000 020a  0301 606e 0000 0000 "
		  "4500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 0050 9c40 0000 00" },
	} },
	{ "quotes 7 bytes, IPv6", {
		{ TR_V_BAD_ICMP, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "6c00 0000 0037 3a3d 2001 0db8 0099 0000 0000 0000 0000 0001 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "0100 4390 0000 0000 "
		  "6000 0000 008c 063c 2001 0db8 0000 0000 0000 0000 0000 0010 2001 0db8 ffff 0000 0000 0000 0000 0007 "
		  "0050 9c40 0000 00" },
	} },
	{ "redirect", {
		{ TR_V_ICMP, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0038 0001 0000 4001 8e85 c633 6401 c000 020a  0501 3437 c633 6402 "
		  "4500 0028 0009 4000 3c06 40b5 c000 020a cb00 7107 0050 9c40 0000 0001" },
	} },
	{ "an answer nobody asked for", {
		{ TR_V_ICMP, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 003c 0001 0000 4001 7cae cb00 7107 c000 020a  0000 5a52 0007 0001 "
		  "5a*32" },
	} },
	{ "from 127.0.0.1", {
		{ TR_V_MARTIAN, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 003c 0001 0000 4001 39b5 7f00 0001 c000 020a  0800 5252 0007 0001 "
		  "5a*32" },
	} },
	{ "from a VIP", {
		{ TR_V_VIP_SOURCE, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 003c 0001 0000 4001 f6ab c000 020a c000 020a  0800 5252 0007 0001 "
		  "5a*32" },
	} },
};

static const char *const request[3] = {
	"0200 0000 0001 0200 0000 0002 0800  45b8 003c 1234 4000 3901 30c3 cb00 7107 c000 020a  0800 5252 0007 0001 5a*32 "
	"",
	"0200 0000 0001 0200 0000 0002 0800  4500 003c 1234 0000 3901 717a cb00 7108 c000 020a  0800 5252 0007 0001 5a*32 "
	"",
	"0200 0000 0001 0200 0000 0002 86dd 6b8a bcde 0028 3a39 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
	"8000 7e66 0007 0001 5a*32",
};

static void set_rates(struct scene *scene, struct tr_rate_limit source, struct tr_rate_limit all)
{
	scene->world->settings.rates[TR_RATE_ECHO_SOURCE] = source;
	scene->world->settings.rates[TR_RATE_ECHO_ALL] = all;
	harness_forget(scene->harness);
	harness_apply(scene->harness, scene->world);
}

static void pass(struct scene *scene, __u32 ticks)
{
	scene->world->settings.tick += ticks;
	harness_tick(scene->harness, scene->world->settings.tick);
}

/* How many of n requests of this source are answered; those come first. */
static int answered(struct scene *scene, int source, int n)
{
	struct packet packet;
	struct check check;
	int i, yes = 0;

	golden_read(request[source], &packet);
	for (i = 0; i < n; i++) {
		if (!check_frame(scene->harness, scene->world, packet.data, packet.len, &check))
			fail_msg("%s", check.why);
		assert_true(check.verdict == TR_V_ECHO || check.verdict == TR_V_ECHO_LIMITED);
		assert_false(check.verdict == TR_V_ECHO && yes != i);
		yes += check.verdict == TR_V_ECHO;
	}
	return yes;
}

#define PLENTY { TR_TOKEN, 1U << 30 }

static void test_burst(struct scene *scene)
{
	set_rates(scene, (struct tr_rate_limit){ 0, 3 * TR_TOKEN + TR_TOKEN - 1 }, (struct tr_rate_limit)PLENTY);
	assert_int_equal(answered(scene, 0, 6), 3);
	pass(scene, 1000000);
	assert_int_equal(answered(scene, 0, 2), 0);
}

/* A quarter of an answer each tick: the fourth tick brings one, and none is lost on the way. */
static void test_refill(struct scene *scene)
{
	int i;

	set_rates(scene, (struct tr_rate_limit){ TR_TOKEN / 4, 2 * TR_TOKEN }, (struct tr_rate_limit)PLENTY);
	assert_int_equal(answered(scene, 0, 3), 2);
	for (i = 1; i <= 12; i++) {
		pass(scene, 1);
		assert_int_equal(answered(scene, 0, 2), i % 4 == 0);
	}
	pass(scene, 7);
	assert_int_equal(answered(scene, 0, 3), 1);
	pass(scene, 1);
	assert_int_equal(answered(scene, 0, 3), 1);
}

static void test_refill_stops_at_the_burst(struct scene *scene)
{
	set_rates(scene, (struct tr_rate_limit){ TR_TOKEN, 4 * TR_TOKEN }, (struct tr_rate_limit)PLENTY);
	assert_int_equal(answered(scene, 0, 5), 4);
	pass(scene, 3);
	assert_int_equal(answered(scene, 0, 5), 3);
	pass(scene, 0xfffffff0);
	assert_int_equal(answered(scene, 0, 6), 4);
}

static void test_clock_turns(struct scene *scene)
{
	scene->world->settings.tick = 0xfffffffe;
	set_rates(scene, (struct tr_rate_limit){ TR_TOKEN, 8 * TR_TOKEN }, (struct tr_rate_limit)PLENTY);
	assert_int_equal(answered(scene, 0, 9), 8);
	pass(scene, 1);
	assert_int_equal(answered(scene, 0, 2), 1);
	pass(scene, 3);
	assert_int_equal(answered(scene, 0, 9), 3);
	scene->world->settings.tick = 1000;
}

static void test_each_source_its_own(struct scene *scene)
{
	set_rates(scene, (struct tr_rate_limit){ 0, 2 * TR_TOKEN }, (struct tr_rate_limit)PLENTY);
	assert_int_equal(answered(scene, 0, 3), 2);
	assert_int_equal(answered(scene, 1, 3), 2);
	assert_int_equal(answered(scene, 2, 3), 2);
}

/* What its source's bucket gave is gone, though that of all was empty. */
static void test_source_before_total(struct scene *scene)
{
	set_rates(scene, (struct tr_rate_limit){ 0, 3 * TR_TOKEN }, (struct tr_rate_limit){ TR_TOKEN, 2 * TR_TOKEN });
	assert_int_equal(answered(scene, 0, 3), 2);
	pass(scene, 5);
	assert_int_equal(answered(scene, 0, 1), 0);
	assert_int_equal(answered(scene, 1, 3), 2);
}

/* A source that is refused takes nothing from the others. */
static void test_refused_takes_nothing(struct scene *scene)
{
	set_rates(scene, (struct tr_rate_limit){ 0, TR_TOKEN }, (struct tr_rate_limit){ 0, 3 * TR_TOKEN });
	assert_int_equal(answered(scene, 0, 100), 1);
	assert_int_equal(answered(scene, 1, 2), 1);
	assert_int_equal(answered(scene, 2, 2), 1);
	harness_forget(scene->harness);
	assert_int_equal(answered(scene, 1, 1), 1);
}

static void test_never(struct scene *scene)
{
	set_rates(scene, (struct tr_rate_limit){}, (struct tr_rate_limit)PLENTY);
	assert_int_equal(answered(scene, 0, 2), 0);
	set_rates(scene, (struct tr_rate_limit)PLENTY, (struct tr_rate_limit){ TR_TOKEN, TR_TOKEN - 1 });
	pass(scene, 100);
	assert_int_equal(answered(scene, 0, 2), 0);
}

static const struct {
	const char *name;
	void (*function)(struct scene *scene);
} rates[] = {
	{ "burst", test_burst }, { "refill", test_refill }, { "refill stops at the burst", test_refill_stops_at_the_burst },
	{ "the clock turns", test_clock_turns }, { "each source its own", test_each_source_its_own },
	{ "source before total", test_source_before_total }, { "who is refused takes nothing", test_refused_takes_nothing },
	{ "never", test_never },
};

static void test_echo_off(struct scene *scene)
{
	int i;

	for (i = 0; i < 2; i++)
		scene->world->addresses[i].value.echo = 0;
	harness_apply(scene->harness, scene->world);
	for (i = 0; i < 3; i++)
		golden_step(scene, &(struct golden_step){ TR_V_ECHO_OFF, .in = request[i] });
}

int main(void)
{
	struct cases *cases = cases_new();
	size_t i;
	int failed;

	cases_use(cases, golden_world(), 64);
	golden_add(cases, echoes, ARRAY_SIZE(echoes));
	golden_add(cases, errors, ARRAY_SIZE(errors));
	golden_add(cases, others, ARRAY_SIZE(others));
	cases_use(cases, golden_world(), 64);
	for (i = 0; i < ARRAY_SIZE(rates); i++)
		cases_add_function(cases, rates[i].function, 0, "limits of answers: %s", rates[i].name);
	cases_use(cases, golden_world(), 64);
	cases_add_function(cases, test_echo_off, 0, "an address that does not answer");
	failed = cases_run(cases, "icmp");
	cases_free(cases);
	return failed != 0;
}
