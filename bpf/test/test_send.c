// SPDX-License-Identifier: GPL-2.0-only
/*
 * On its way to a backend, byte by byte: tags and other interfaces (docs/packets.md, section 8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <err.h>
#include <sched.h>
#include <stdlib.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <net/if.h>

#include "golden.h"
#include "util.h"

static const struct golden strip[] = {
	{ "one tag taken off, to IPv4", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 0800  4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0002 5010 2000 c92e 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0040 0000 4000 4004 84a0 ac10 0000 0a09 0001 "
		  "@18" },
	} },
	{ "two tags taken off, to IPv6", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  f0c8 86dd "
		  "600a bcde 0018 0639 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1388 0051 0000 0001 0000 0002 5010 2000 6bb7 0000  5a5a 5a5a", .out =
		  "06b0 0000 0003 0650 0000 0001 86dd "
		  "600? ???? 0040 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@22" },
	} },
	{ "two tags taken off, UDP", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  f0c8 86dd "
		  "600a bcde 0010 1139 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1388 0050 0010 2704  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0002 0650 0000 0001 0800  4500 004c 0000 4000 4029 846e ac10 0000 0a09 0002 "
		  "@22" },
	} },
	{ "three tags are none of ours", {
		{ TR_V_NOT_IP, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 88a8  6064 8100  f0c8 0800 "
		  "4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a  1388 0050 0000 0001 0000 0002 5010 2000 c92e 0000 "
		  "5a5a 5a5a" },
	} },
};

static const struct golden keep[] = {
	{ "one tag kept, to IPv4", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 0800  4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0002 5010 2000 c92e 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 8100 b064 0800  4500 0040 0000 4000 4004 84a0 ac10 0000 0a09 0001 "
		  "@18" },
	} },
	{ "one tag kept, to IPv6", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 0800  4500 0024 1234 0000 3911 7183 cb00 7107 c000 020a "
		  "1388 0051 0010 8479  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0004 0650 0000 0001 8100 b064 86dd "
		  "600? ???? 0024 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@18" },
	} },
	{ "two tags kept, to IPv4", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  f0c8 86dd "
		  "600a bcde 0018 0639 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1388 0050 0000 0001 0000 0002 5010 2000 6bb8 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 88a8 6064 8100 f0c8 0800 "
		  "4500 0054 0000 4000 4029 8467 ac10 0000 0a09 0001 "
		  "@22" },
	} },
	{ "two tags kept, to IPv6", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  f0c8 0800 "
		  "4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a  1388 0051 0000 0001 0000 0002 5010 2000 c92d 0000 "
		  "5a5a 5a5a", .out =
		  "06b0 0000 0003 0650 0000 0001 88a8 6064 8100 f0c8 86dd "
		  "600? ???? 002c 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@22" },
	} },
	{ "two tags of 802.1ad kept", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  0001 88a8  dfff 0800 "
		  "4500 0024 1234 0000 3911 7183 cb00 7107 c000 020a  1388 0050 0010 847a  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0002 0650 0000 0001 88a8 0001 88a8 dfff 0800 "
		  "4500 0038 0000 4000 4004 84a7 ac10 0000 0a09 0002 "
		  "@22" },
	} },
	{ "no tags, none put on", {
		{ TR_V_FORWARDED, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0002 5010 2000 c92e 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0040 0000 4000 4004 84a0 ac10 0000 0a09 0001 "
		  "@14" },
	} },
};

static const struct golden put_on[] = {
	{ "a tag put on, TCP to IPv4", {
		{ TR_V_FORWARDED, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0002 5010 2000 c92e 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 8100 012c 0800  4500 0040 0000 4000 4004 84a0 ac10 0000 0a09 0001 "
		  "@14" },
	} },
	{ "two tags put on, UDP to IPv4", {
		{ TR_V_FORWARDED, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "600a bcde 0010 1139 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1388 0050 0010 2704  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0002 0650 0000 0001 88a8 0064 8100 00c8 0800 "
		  "4500 004c 0000 4000 4029 846e ac10 0000 0a09 0002 "
		  "@14" },
	} },
	{ "a tag put on, TCP to IPv6", {
		{ TR_V_FORWARDED, .in =
		  "0200 0000 0001 0200 0000 0002 86dd "
		  "600a bcde 0018 0639 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1388 0051 0000 0001 0000 0002 5010 2000 6bb7 0000  5a5a 5a5a", .out =
		  "06b0 0000 0003 0650 0000 0001 88a8 0007 86dd "
		  "600? ???? 0040 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@14" },
	} },
	{ "two tags put on, UDP to IPv6", {
		{ TR_V_FORWARDED, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0024 1234 0000 3911 7183 cb00 7107 c000 020a  1388 0051 0010 8479 "
		  "5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0004 0650 0000 0001 8100 0001 8100 0002 86dd "
		  "600? ???? 0024 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@14" },
	} },
	{ "another tag, priority kept", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 0800  4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0002 5010 2000 c92e 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 8100 b12c 0800  4500 0040 0000 4000 4004 84a0 ac10 0000 0a09 0001 "
		  "@18" },
	} },
	{ "one tag for two, the outer one's priority", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  f0c8 0800 "
		  "4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a  1388 0051 0000 0001 0000 0002 5010 2000 c92d 0000 "
		  "5a5a 5a5a", .out =
		  "06b0 0000 0003 0650 0000 0001 88a8 6007 86dd "
		  "600? ???? 002c 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@22" },
	} },
	{ "two tags for one, its priority in both", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 0800  4500 0024 1234 0000 3911 7183 cb00 7107 c000 020a "
		  "1388 0050 0010 847a  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0002 0650 0000 0001 88a8 b064 8100 b0c8 0800 "
		  "4500 0038 0000 4000 4004 84a7 ac10 0000 0a09 0002 "
		  "@18" },
	} },
	{ "two tags for two, the outer one's priority", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  f0c8 86dd "
		  "600a bcde 0010 1139 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1388 0051 0010 2703  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0004 0650 0000 0001 8100 6001 8100 6002 86dd "
		  "600? ???? 0038 2940 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@22" },
	} },
	{ "a tag without a VLAN, its priority", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 8100  e000 86dd "
		  "600a bcde 0018 0639 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1388 0050 0000 0001 0000 0002 5010 2000 6bb8 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 8100 e12c 0800  4500 0054 0000 4000 4029 8467 ac10 0000 0a09 0001 "
		  "@18" },
	} },
	{ "behind a tag and with options", {
		{ TR_V_IP_OPTIONS, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 0800  4600 0020 0001 0000 4011 79b8 cb00 7107 c000 020a 0101 0101 "
		  "1388 0050 0008 edf3", .out =
		  "06b0 0000 0002 0650 0000 0001 88a8 b064 8100 b0c8 0800 "
		  "4500 0034 0000 4000 4004 84ab ac10 0000 0a09 0002 "
		  "@18" },
	} },
};

static const struct golden elsewhere[] = {
	{ "another interface", {
		{ TR_V_FORWARDED, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a "
		  "1388 0050 0000 0001 0000 0002 5010 2000 c92e 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0040 0000 4000 4004 84a0 ac10 0000 0a09 0001 "
		  "@14", .action = XDP_REDIRECT },
	} },
	{ "another interface, a tag taken off", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 8100  b064 86dd "
		  "600a bcde 0018 0639 2001 0db8 ffff 0000 0000 0000 0000 0007 2001 0db8 0000 0000 0000 0000 0000 0010 "
		  "1388 0050 0000 0001 0000 0002 5010 2000 6bb8 0000  5a5a 5a5a", .out =
		  "06b0 0000 0001 0650 0000 0001 0800  4500 0054 0000 4000 4029 8467 ac10 0000 0a09 0001 "
		  "@18", .action = XDP_REDIRECT },
	} },
	{ "an interface that is not in the map", {
		{ TR_V_NO_DEVICE, .in =
		  "0200 0000 0001 0200 0000 0002 0800  4500 0024 1234 0000 3911 7183 cb00 7107 c000 020a  1388 0050 0010 847a "
		  "5a5a 5a5a 5a5a 5a5a", .out =
		  "" },
	} },
	{ "another interface, no tags kept there", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  f0c8 0800 "
		  "4500 002c 1234 0000 3906 7186 cb00 7107 c000 020a  1388 0051 0000 0001 0000 0002 5010 2000 c92d 0000 "
		  "5a5a 5a5a", .out =
		  "06b0 0000 0003 0650 0000 0001 86dd "
		  "600? ???? 002c 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0001 "
		  "@22", .action = XDP_REDIRECT },
	} },
	{ "the same interface, tags kept", {
		{ TR_V_VLAN, .in =
		  "0200 0000 0001 0200 0000 0002 88a8  6064 8100  f0c8 0800 "
		  "4500 0024 1234 0000 3911 7183 cb00 7107 c000 020a  1388 0051 0010 8479  5a5a 5a5a 5a5a 5a5a", .out =
		  "06b0 0000 0004 0650 0000 0001 88a8 6064 8100 f0c8 86dd "
		  "600? ???? 0024 0440 0100 0000 0000 0000 0000 0000 0000 0000 fd00 0009 0000 0000 0000 0000 0000 0002 "
		  "@22" },
	} },
};

static struct world *keep_world(void)
{
	struct world *world = golden_world();
	__u32 i;

	for (i = 1; i < world->n_backends; i++)
		world_tag(world, i, TR_TAGS_KEEP, NULL);
	return world;
}

static struct world *put_on_world(void)
{
	static const __u32 tags[4][TR_TAGS_MAX] = {
		{ 0x8100 << 16 | 300 }, { 0x88a8U << 16 | 100, 0x8100 << 16 | 200 }, { 0x88a8U << 16 | 7 },
		{ 0x8100 << 16 | 1, 0x8100 << 16 | 2 },
	};
	struct world *world = golden_world();
	__u32 i;

	for (i = 0; i < 4; i++)
		world_tag(world, i + 1, 1 + i % 2, tags[i]);
	return world;
}

/* An interface of no use but its number, in a network of our own, where the other one is number 1. */
static __u32 other_device(void)
{
	if (unshare(CLONE_NEWNET))
		err(1, "unshare");
	if (system("ip link add other type veth peer name peer"))
		errx(1, "cannot make an interface");
	return if_nametoindex("other");
}

static struct world *elsewhere_world(void)
{
	struct world *world = golden_world();
	__u32 other = other_device();

	world->limits.several_devices = true;
	world->devices[world->n_devices++] = other;
	world->backends[1].ifindex = world->backends[3].ifindex = other;
	world->backends[2].ifindex = 0x7001;
	world_tag(world, 3, TR_TAGS_KEEP, NULL);
	world_tag(world, 4, TR_TAGS_KEEP, NULL);
	return world;
}

int main(void)
{
	struct cases *cases = cases_new();
	int failed;

	cases_use(cases, elsewhere_world(), 64);
	golden_add(cases, elsewhere, ARRAY_SIZE(elsewhere));
	cases_use(cases, golden_world(), 64);
	golden_add(cases, strip, ARRAY_SIZE(strip));
	cases_use(cases, keep_world(), 64);
	golden_add(cases, keep, ARRAY_SIZE(keep));
	cases_use(cases, put_on_world(), 64);
	golden_add(cases, put_on, ARRAY_SIZE(put_on));
	failed = cases_run(cases, "send");
	cases_free(cases);
	return failed != 0;
}
