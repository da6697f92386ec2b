// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is ours and what is not: link layer, VLAN tags, which addresses are VIPs, which service of theirs a packet is
 * for, and stages that are missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"
#include "util.h"

#define SRC4 .src = ADDR4(203, 0, 113, 7), .sport = 40000
#define SRC6 .src = ADDR6(0x20010db8, 0xffff, 0, 7), .sport = 40000
#define TO4 SRC4, .dst = ADDR4(192, 0, 2, 10), .dport = PORT_TO4
#define TO6 SRC6, .dst = ADDR6(0x20010db8, 0, 0, 0x10), .dport = PORT_TO4
#define PAST4 SRC4, .dst = ADDR4(192, 0, 2, 11), .dport = PORT_TO4
#define PAST6 SRC6, .dst = ADDR6(0x20010db8, 0, 0, 0x11), .dport = PORT_TO4

struct entry_case {
	const char *name;
	struct packet_shape shape;
	enum tr_verdict verdict;
};

static const struct entry_case link_cases[] = {
	{ "TCP/IPv4 to a VIP", { TO4, .proto = IPPROTO_TCP }, TR_V_FORWARDED },
	{ "UDP/IPv6 to a VIP", { TO6, .proto = IPPROTO_UDP }, TR_V_FORWARDED },
	{ "Ethernet padding", { TO4, .proto = IPPROTO_UDP, .padding = 18 }, TR_V_FORWARDED },
	{ "one tag, IPv4", { TO4, .proto = IPPROTO_TCP, .tags = 1 }, TR_V_VLAN },
	{ "one tag, IPv6", { TO6, .proto = IPPROTO_TCP, .tags = 1 }, TR_V_VLAN },
	{ "one 802.1ad tag", { TO4, .proto = IPPROTO_TCP, .tags = 1, .tpid = { 0x88a8 } }, TR_V_VLAN },
	{ "QinQ, IPv4", { TO4, .proto = IPPROTO_UDP, .tags = 2, .tpid = { 0x88a8 } }, TR_V_VLAN },
	{ "QinQ, IPv6", { TO6, .proto = IPPROTO_UDP, .tags = 2, .tpid = { 0x88a8 } }, TR_V_VLAN },
	{ "two 802.1Q tags", { TO4, .proto = IPPROTO_TCP, .tags = 2 }, TR_V_VLAN },
	{ "two 802.1ad tags", { TO4, .proto = IPPROTO_TCP, .tags = 2, .tpid = { 0x88a8, 0x88a8 } }, TR_V_VLAN },
	{ "802.1Q around 802.1ad", { TO4, .proto = IPPROTO_TCP, .tags = 2, .tpid = { 0x8100, 0x88a8 } }, TR_V_VLAN },
	{ "three tags", { TO4, .proto = IPPROTO_TCP, .tags = 3 }, TR_V_NOT_IP },
	{ "three 802.1ad tags, IPv6", { TO6, .proto = IPPROTO_TCP, .tags = 3, .tpid = { 0x88a8, 0x88a8, 0x88a8 } },
	  TR_V_NOT_IP },
	{ "old QinQ type 0x9100", { TO4, .proto = IPPROTO_TCP, .tags = 1, .tpid = { 0x9100 } }, TR_V_NOT_IP },
	{ "tag, not a VIP, IPv4", { PAST4, .proto = IPPROTO_TCP, .tags = 1 }, TR_V_NOT_VIP },
	{ "two tags, not a VIP, IPv6", { PAST6, .proto = IPPROTO_TCP, .tags = 2 }, TR_V_NOT_VIP },
	{ "tag, unused port", { SRC4, .dst = ADDR4(192, 0, 2, 10), .dport = PORT_UNUSED, .proto = IPPROTO_TCP,
	  .tags = 1 }, TR_V_NO_SERVICE },
	{ "tag, ICMP", { TO4, .proto = IPPROTO_ICMP, .tags = 1 }, TR_V_ECHO },
	{ "two tags, ICMPv6", { TO6, .proto = IPPROTO_ICMPV6, .tags = 2 }, TR_V_ECHO },
	{ "tag, fragment", { TO4, .proto = IPPROTO_TCP, .frag = 0x2000, .payload = 4, .tags = 1 }, TR_V_FRAGMENT },
	{ "tag, options", { TO4, .proto = IPPROTO_TCP, .options = 8, .tags = 1 }, TR_V_IP_OPTIONS },
	{ "tag, extension header", { TO6, .proto = IPPROTO_TCP, .ext_count = 1, .ext = { 60 }, .tags = 2 },
	  TR_V_EXT_HEADER },
	{ "tag, version 9", { TO4, .proto = IPPROTO_TCP, .version = LIE(9), .tags = 1 }, TR_V_BAD_IP },
	{ "tag, ihl 15", { TO4, .proto = IPPROTO_TCP, .ihl = LIE(15), .tags = 1 }, TR_V_BAD_IP },
	{ "tag, length lies", { TO6, .proto = IPPROTO_TCP, .ip_len = LIE(9999), .tags = 1 }, TR_V_BAD_IP },
	{ "tag cut at 14 bytes", { TO4, .proto = IPPROTO_TCP, .tags = 1, .cut = LIE(14) }, TR_V_TRUNCATED },
	{ "tag cut at 17 bytes", { TO4, .proto = IPPROTO_TCP, .tags = 1, .cut = LIE(17) }, TR_V_TRUNCATED },
	{ "nothing behind a tag", { TO4, .proto = IPPROTO_TCP, .tags = 1, .cut = LIE(18) }, TR_V_TRUNCATED },
	{ "second tag cut", { TO4, .proto = IPPROTO_TCP, .tags = 2, .cut = LIE(21) }, TR_V_TRUNCATED },
	{ "nothing behind two tags", { TO6, .proto = IPPROTO_TCP, .tags = 2, .cut = LIE(22) }, TR_V_TRUNCATED },
	{ "third tag cut", { TO4, .proto = IPPROTO_TCP, .tags = 3, .cut = LIE(22) }, TR_V_NOT_IP },
	{ "tag, IPv4 header one byte short", { TO4, .proto = IPPROTO_TCP, .tags = 1, .cut = LIE(37) },
	  TR_V_TRUNCATED },
	{ "tag, IPv4 header alone", { TO4, .proto = IPPROTO_TCP, .tags = 1, .cut = LIE(38) }, TR_V_BAD_IP },
	{ "two tags, IPv6 header one byte short", { TO6, .proto = IPPROTO_TCP, .tags = 2, .cut = LIE(61) },
	  TR_V_TRUNCATED },
	{ "two tags, IPv6 header alone", { TO6, .proto = IPPROTO_TCP, .tags = 2, .cut = LIE(62) }, TR_V_BAD_IP },
	{ "tag around ARP", { TO4, .tags = 1, .ethertype = LIE(0x0806) }, TR_V_NOT_IP },
	{ "two tags around PPPoE", { TO4, .tags = 2, .ethertype = LIE(0x8864) }, TR_V_NOT_IP },
	{ "ethertype 0", { TO4, .ethertype = LIE(0) }, TR_V_NOT_IP },
	{ "802.3 length", { TO4, .ethertype = LIE(0x0026) }, TR_V_NOT_IP },
	{ "MPLS", { TO4, .ethertype = LIE(0x8847) }, TR_V_NOT_IP },
	{ "EAPOL", { TO4, .ethertype = LIE(0x888e) }, TR_V_NOT_IP },
	{ "ethertype 0x0008", { TO4, .ethertype = LIE(0x0008) }, TR_V_NOT_IP },
	{ "ethertype 0xdd86", { TO6, .ethertype = LIE(0xdd86) }, TR_V_NOT_IP },
	{ "ethertype 0xffff", { TO6, .ethertype = LIE(0xffff) }, TR_V_NOT_IP },
	{ "IPv6 under IPv4's ethertype", { TO6, .proto = IPPROTO_TCP, .ethertype = LIE(0x0800) }, TR_V_NOT_VIP },
	{ "IPv4 under IPv6's ethertype", { TO4, .proto = IPPROTO_TCP, .payload = 40, .ethertype = LIE(0x86dd) },
	  TR_V_NOT_VIP },
};

/* The host's own packets may have any shape. */
static const struct entry_case stranger_cases[] = {
	{ "not a VIP, TCP/IPv4", { PAST4, .proto = IPPROTO_TCP }, TR_V_NOT_VIP },
	{ "not a VIP, UDP/IPv6", { PAST6, .proto = IPPROTO_UDP }, TR_V_NOT_VIP },
	{ "not a VIP, ICMP", { PAST4, .proto = IPPROTO_ICMP }, TR_V_NOT_VIP },
	{ "not a VIP, ICMPv6", { PAST6, .proto = IPPROTO_ICMPV6 }, TR_V_NOT_VIP },
	{ "not a VIP, fragment", { PAST4, .proto = IPPROTO_UDP, .frag = 0x2001 }, TR_V_NOT_VIP },
	{ "not a VIP, IPv6 fragment", { PAST6, .proto = IPPROTO_UDP, .ext_count = 1, .ext = { 44 } }, TR_V_NOT_VIP },
	{ "not a VIP, options", { PAST4, .proto = IPPROTO_TCP, .options = 24 }, TR_V_NOT_VIP },
	{ "not a VIP, hop-by-hop", { PAST6, .proto = IPPROTO_ICMPV6, .ext_count = 1, .ext = { 0 } }, TR_V_NOT_VIP },
	{ "not a VIP, version 0", { PAST4, .proto = IPPROTO_TCP, .version = LIE(0) }, TR_V_NOT_VIP },
	{ "not a VIP, version 4 in IPv6", { PAST6, .proto = IPPROTO_TCP, .version = LIE(4) }, TR_V_NOT_VIP },
	{ "not a VIP, ihl 0", { PAST4, .proto = IPPROTO_TCP, .ihl = LIE(0) }, TR_V_NOT_VIP },
	{ "not a VIP, ihl 15", { PAST4, .proto = IPPROTO_UDP, .ihl = LIE(15) }, TR_V_NOT_VIP },
	{ "not a VIP, total length 0", { PAST4, .proto = IPPROTO_TCP, .ip_len = LIE(0) }, TR_V_NOT_VIP },
	{ "not a VIP, total length 65535", { PAST4, .proto = IPPROTO_TCP, .ip_len = LIE(65535) }, TR_V_NOT_VIP },
	{ "not a VIP, payload length 65535", { PAST6, .proto = IPPROTO_UDP, .ip_len = LIE(65535) }, TR_V_NOT_VIP },
	{ "not a VIP, doff 0", { PAST4, .proto = IPPROTO_TCP, .doff = LIE(0) }, TR_V_NOT_VIP },
	{ "not a VIP, IPv4 header alone", { PAST4, .proto = IPPROTO_TCP, .cut = LIE(34) }, TR_V_NOT_VIP },
	{ "not a VIP, IPv6 header alone", { PAST6, .proto = IPPROTO_TCP, .cut = LIE(54) }, TR_V_NOT_VIP },
	{ "not a VIP, IPv4 header one byte short", { PAST4, .proto = IPPROTO_TCP, .cut = LIE(33) }, TR_V_TRUNCATED },
	{ "not a VIP, IPv6 header one byte short", { PAST6, .proto = IPPROTO_TCP, .cut = LIE(53) }, TR_V_TRUNCATED },
	{ "broadcast", { SRC4, .dst = ADDR4(255, 255, 255, 255), .dport = 67, .proto = IPPROTO_UDP }, TR_V_NOT_VIP },
	{ "multicast", { SRC6, .dst = ADDR6(0xff020000, 0, 0, 1), .dport = 5353, .proto = IPPROTO_UDP },
	  TR_V_NOT_VIP },
	{ "to ::", { SRC6, .dst = ADDR6(0, 0, 0, 0), .proto = IPPROTO_TCP }, TR_V_NOT_VIP },
	{ "to 0.0.0.0", { SRC4, .dst = ADDR4(0, 0, 0, 0), .proto = IPPROTO_TCP }, TR_V_NOT_VIP },
	{ "a VIP's low 32 bits in IPv6", { SRC6, .dst = ADDR6(0, 0, 0, 0xc000020a), .dport = PORT_TO4,
	  .proto = IPPROTO_TCP }, TR_V_NOT_VIP },
};

static void add_table(struct cases *cases, const struct entry_case *table, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		cases_add(cases, &table[i].shape, table[i].verdict, "%s", table[i].name);
}

static void add_raw(struct cases *cases, const char *name, __u8 dmac0, __u16 type, const __u8 *body, size_t len)
{
	struct packet p = { .len = 14 + len };

	memset(p.data, 0x11, 12);
	p.data[0] = dmac0;
	p.data[12] = type >> 8;
	p.data[13] = type;
	memcpy(p.data + 14, body, len);
	cases_add_raw(cases, &p, TR_V_NOT_IP, name);
}

static void add_other_protocols(struct cases *cases)
{
	static const __u8 arp[28] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 203, 0, 113, 7, 0, 0, 0, 0, 0, 0,
				      192, 0, 2, 10 };
	static const __u8 lldp[] = { 2, 7, 4, 2, 0, 0, 0, 0, 1, 4, 2, 7, 'e', 6, 2, 0, 120, 0, 0 };
	static const __u8 nothing[46];

	add_raw(cases, "ARP request for a VIP", 0xff, 0x0806, arp, sizeof(arp));
	add_raw(cases, "ARP, cut", 0xff, 0x0806, arp, 3);
	add_raw(cases, "LLDP", 0x01, 0x88cc, lldp, sizeof(lldp));
	add_raw(cases, "spanning tree (802.3)", 0x01, 0x0026, nothing, sizeof(nothing));
	add_raw(cases, "flow control", 0x01, 0x8808, nothing, sizeof(nothing));
	add_raw(cases, "a header alone", 0x02, 0x1234, nothing, 0);
}

static void add_link(struct cases *cases)
{
	cases_use(cases, world_standard(), 64);
	add_table(cases, link_cases, ARRAY_SIZE(link_cases));
	add_table(cases, stranger_cases, ARRAY_SIZE(stranger_cases));
	add_other_protocols(cases);
}

/*
 * The order of preference: exact address before prefix, longer prefix before shorter, exact port before all ports;
 * and the most specific address alone decides. VIP n's backend is n.
 */
#define CHOICE_VIPS 16

static void add_choices4(struct world *w)
{
	static const struct tr_addr ten8 = ADDR4(10, 0, 0, 0), net24 = ADDR4(198, 51, 100, 0),
		net25 = ADDR4(198, 51, 100, 128), host32 = ADDR4(198, 51, 100, 200), exact = ADDR4(198, 51, 100, 10),
		all = ADDR4(198, 51, 100, 20), bare = ADDR4(198, 51, 100, 30), hidden = ADDR4(198, 51, 100, 40);
	struct tr_vip_address *at = world_add_address(w, exact);

	world_add_service(w, at, TR_TCP, 80, 1);
	world_add_service(w, at, TR_UDP, 80, 2);
	at->all_ports[TR_TCP] = 3;
	at = world_add_address(w, all);
	at->all_ports[TR_TCP] = 4;
	at->all_ports[TR_UDP] = 5;
	world_add_address(w, bare);
	at = world_add_address(w, hidden);
	world_add_service(w, at, TR_TCP, 80, 6);
	world_add_service(w, at, TR_UDP, 80, 6);
	at->has_exact[TR_TCP] = 0;
	at = world_add_prefix(w, net24, 120);
	world_add_service(w, at, TR_TCP, 443, 7);
	at->all_ports[TR_UDP] = 8;
	world_add_prefix(w, net25, 121)->all_ports[TR_TCP] = 9;
	world_add_prefix(w, host32, 128)->all_ports[TR_TCP] = 10;
	world_add_prefix(w, ten8, 104)->all_ports[TR_TCP] = 11;
}

static void add_choices6(struct world *w)
{
	static const struct tr_addr exact = ADDR6(0x20010db8, 0x10000, 0, 0x10),
		net48 = ADDR6(0x20010db8, 0x10000, 0, 0), net61 = ADDR6(0x20010db8, 0x10008, 0, 0),
		net127 = ADDR6(0x20010db8, 0x10008, 0, 0xfe);
	struct tr_vip_address *at;

	world_add_service(w, world_add_address(w, exact), TR_TCP, 80, 12);
	at = world_add_prefix(w, net48, 48);
	at->all_ports[TR_TCP] = 13;
	world_add_service(w, at, TR_TCP, 443, 14);
	world_add_prefix(w, net61, 61)->all_ports[TR_TCP] = 15;
	world_add_prefix(w, net127, 127)->all_ports[TR_UDP] = 16;
}

static struct world *choice_world(void)
{
	struct world *w = world_new(&world_small);
	struct tr_addr backend = ADDR4(10, 9, 0, 0);
	__u32 i;

	for (i = 1; i <= CHOICE_VIPS; i++) {
		backend.w[3] = htonl(0x0a090000 + i);
		world_add_backend(w, backend, STANDARD_MTU);
		world_add_vip(w, 7, i, i);
	}
	add_choices4(w);
	add_choices6(w);
	return w;
}

static const struct choice {
	const char *name;
	struct tr_addr dst;
	__u8 proto;
	__u16 port;
	__u32 vip;			/* 0: the verdict */
	enum tr_verdict verdict;
} choices[] = {
	{ "exact port, TCP", ADDR4(198, 51, 100, 10), IPPROTO_TCP, 80, 1, 0 },
	{ "exact port, UDP", ADDR4(198, 51, 100, 10), IPPROTO_UDP, 80, 2, 0 },
	{ "all ports behind an exact one", ADDR4(198, 51, 100, 10), IPPROTO_TCP, 81, 3, 0 },
	{ "port with its bytes swapped", ADDR4(198, 51, 100, 10), IPPROTO_TCP, 80 << 8, 3, 0 },
	{ "port 0 where all are taken", ADDR4(198, 51, 100, 10), IPPROTO_TCP, 0, 0, TR_V_ZERO_PORT },
	{ "an address does not fall through to its prefix", ADDR4(198, 51, 100, 10), IPPROTO_UDP, 81, 0,
	  TR_V_NO_SERVICE },
	{ "all ports, TCP", ADDR4(198, 51, 100, 20), IPPROTO_TCP, 80, 4, 0 },
	{ "all ports, UDP", ADDR4(198, 51, 100, 20), IPPROTO_UDP, 80, 5, 0 },
	{ "port 0, all ports, UDP", ADDR4(198, 51, 100, 20), IPPROTO_UDP, 0, 0, TR_V_ZERO_PORT },
	{ "port 65535, all ports", ADDR4(198, 51, 100, 20), IPPROTO_TCP, 65535, 4, 0 },
	{ "no protocol of all ports", ADDR4(198, 51, 100, 20), IPPROTO_SCTP, 80, 0, TR_V_NO_SERVICE },
	{ "ICMP, all ports", ADDR4(198, 51, 100, 20), IPPROTO_ICMP, 0, 0, TR_V_ECHO_OFF },
	{ "an address without services", ADDR4(198, 51, 100, 30), IPPROTO_TCP, 443, 0, TR_V_NO_SERVICE },
	{ "entries without has_exact", ADDR4(198, 51, 100, 40), IPPROTO_TCP, 80, 0, TR_V_NO_SERVICE },
	{ "entries with has_exact", ADDR4(198, 51, 100, 40), IPPROTO_UDP, 80, 6, 0 },
	{ "/24, exact port", ADDR4(198, 51, 100, 1), IPPROTO_TCP, 443, 7, 0 },
	{ "/24, another port", ADDR4(198, 51, 100, 1), IPPROTO_TCP, 80, 0, TR_V_NO_SERVICE },
	{ "/24, all ports", ADDR4(198, 51, 100, 127), IPPROTO_UDP, 443, 8, 0 },
	{ "/24, its first address", ADDR4(198, 51, 100, 0), IPPROTO_UDP, 1, 8, 0 },
	{ "below the /24", ADDR4(198, 51, 99, 255), IPPROTO_UDP, 1, 0, TR_V_NOT_VIP },
	{ "above the /24", ADDR4(198, 51, 101, 0), IPPROTO_UDP, 1, 0, TR_V_NOT_VIP },
	{ "/25 in the /24", ADDR4(198, 51, 100, 128), IPPROTO_TCP, 443, 9, 0 },
	{ "/25 in the /24, its last", ADDR4(198, 51, 100, 255), IPPROTO_TCP, 443, 9, 0 },
	{ "/25 does not fall through to the /24", ADDR4(198, 51, 100, 128), IPPROTO_UDP, 443, 0, TR_V_NO_SERVICE },
	{ "/32 in the /25", ADDR4(198, 51, 100, 200), IPPROTO_TCP, 443, 10, 0 },
	{ "beside the /32", ADDR4(198, 51, 100, 201), IPPROTO_TCP, 443, 9, 0 },
	{ "/8", ADDR4(10, 255, 1, 2), IPPROTO_TCP, 22, 11, 0 },
	{ "above the /8", ADDR4(11, 0, 0, 0), IPPROTO_TCP, 22, 0, TR_V_NOT_VIP },
	{ "IPv6, exact port", ADDR6(0x20010db8, 0x10000, 0, 0x10), IPPROTO_TCP, 80, 12, 0 },
	{ "IPv6 address does not fall through", ADDR6(0x20010db8, 0x10000, 0, 0x10), IPPROTO_TCP, 443, 0,
	  TR_V_NO_SERVICE },
	{ "/48, exact port", ADDR6(0x20010db8, 0x1ffff, 5, 6), IPPROTO_TCP, 443, 14, 0 },
	{ "/48, all ports", ADDR6(0x20010db8, 0x1ffff, 5, 6), IPPROTO_TCP, 444, 13, 0 },
	{ "beside the /48", ADDR6(0x20010db8, 0x2ffff, 5, 6), IPPROTO_TCP, 444, 0, TR_V_NOT_VIP },
	{ "/61 in the /48", ADDR6(0x20010db8, 0x1000f, 5, 6), IPPROTO_TCP, 443, 15, 0 },
	{ "beside the /61", ADDR6(0x20010db8, 0x10010, 5, 6), IPPROTO_TCP, 444, 13, 0 },
	{ "/127 in the /61, even", ADDR6(0x20010db8, 0x10008, 0, 0xfe), IPPROTO_UDP, 9, 16, 0 },
	{ "/127 in the /61, odd", ADDR6(0x20010db8, 0x10008, 0, 0xff), IPPROTO_UDP, 9, 16, 0 },
	{ "beside the /127", ADDR6(0x20010db8, 0x10008, 0, 0x100), IPPROTO_TCP, 9, 15, 0 },
	{ "IPv6 ICMP in a prefix", ADDR6(0x20010db8, 0x10008, 0, 0xff), IPPROTO_ICMPV6, 0, 0, TR_V_ECHO_OFF },
};

static struct packet_shape choice_shape(const struct choice *choice)
{
	struct packet_shape shape = { .dst = choice->dst, .proto = choice->proto, .sport = 50000,
				      .dport = choice->port, .payload = 4 };

	shape.src = addr_v4(&choice->dst) ? client4 : client6;
	return shape;
}

/* lengths_unknown: more lengths of prefixes than the filter has room for; the maps are asked for every address. */
static void add_choices(struct cases *cases, bool lengths_unknown)
{
	const char *how = lengths_unknown ? "lengths unknown, " : "";
	struct world *world = choice_world();
	size_t i;

	world->lengths_unknown = lengths_unknown;
	cases_use(cases, world, 64);
	for (i = 0; i < ARRAY_SIZE(choices); i++) {
		struct packet_shape shape = choice_shape(&choices[i]);

		if (choices[i].vip)
			cases_add_vip(cases, &shape, choices[i].vip, choices[i].name);
		else
			cases_add(cases, &shape, choices[i].verdict, "%s%s", how, choices[i].name);
	}
}

/* The keys of IPv4 addresses are mapped IPv6 addresses: one that comes as such must not find them. */
static void add_mapped(struct cases *cases)
{
	static const struct tr_addr addresses[] = { ADDR4(192, 0, 2, 10), ADDR4(198, 51, 100, 9) };
	struct packet_shape shape = { TO6, .proto = IPPROTO_TCP };
	struct packet packet;

	cases_use(cases, choice_world(), 64);
	for (int tags = 0; tags < 2; tags++) {
		shape.tags = tags;
		for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
			packet_build(&packet, &shape);
			memcpy(packet.data + shape_ip_offset(&shape) + 24, &addresses[i], 16);
			cases_add_raw(cases, &packet, TR_V_NOT_VIP, tags ? "mapped VIP in IPv6, tagged" : "mapped VIP in IPv6");
		}
	}
}

/* The trie is full as before, but the settings say that it is empty. */
static void add_choices_without_prefixes(struct cases *cases)
{
	struct world *world = choice_world();
	struct reference *reference = reference_new();
	struct answer answer;
	struct packet packet;
	size_t i;

	world->settings.prefixes = 0;
	cases_use(cases, world, 64);
	for (i = 0; i < ARRAY_SIZE(choices); i++) {
		struct packet_shape shape = choice_shape(&choices[i]);

		packet_build(&packet, &shape);
		reference_route(reference, world, packet.data, packet.len, &answer);
		if (answer.verdict == TR_V_NOT_VIP && choices[i].verdict != TR_V_NOT_VIP)
			cases_add(cases, &shape, TR_V_NOT_VIP, "prefixes not consulted, %s", choices[i].name);
	}
	reference_free(reference);
}

static const struct packet_shape whole[TR_L4_COUNT][2] = {
	[TR_TCP] = { { TO4, .proto = IPPROTO_TCP }, { TO6, .proto = IPPROTO_TCP } },
	[TR_UDP] = { { TO4, .proto = IPPROTO_UDP }, { TO6, .proto = IPPROTO_UDP } },
};

static void add_missing(struct cases *cases, enum tr_l4 missing)
{
	static const char *const names[TR_L4_COUNT] = { "TCP", "UDP" };
	struct packet_shape unused = { SRC4, .dst = ADDR4(192, 0, 2, 10), .dport = PORT_UNUSED,
				       .proto = IPPROTO_TCP };
	struct world *world = world_standard();
	int l4, family;

	world->stage_missing[missing == TR_TCP ? TR_STAGE_TCP : TR_STAGE_UDP] = true;
	cases_use(cases, world, 64);
	for (l4 = 0; l4 < TR_L4_COUNT; l4++)
		for (family = 0; family < 2; family++)
			cases_add(cases, &whole[l4][family], l4 == (int)missing ? TR_V_STAGE_MISSING : TR_V_FORWARDED,
				  "no %s stage, %s/IPv%d", names[missing], names[l4], family ? 6 : 4);
	cases_add(cases, &unused, TR_V_NO_SERVICE, "no %s stage, unused port", names[missing]);
}

int main(void)
{
	struct cases *cases = cases_new();
	int failed;

	add_link(cases);
	add_choices(cases, false);
	add_choices(cases, true);
	add_mapped(cases);
	add_choices_without_prefixes(cases);
	add_missing(cases, TR_TCP);
	add_missing(cases, TR_UDP);
	failed = cases_run(cases, "entry");
	cases_free(cases);
	return failed != 0;
}
