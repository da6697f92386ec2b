// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets to a VIP's service that are cut short, or lie about a length, a version or a header: every byte of every
 * kind. All end in a named verdict, and only those that are still whole are forwarded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include "util.h"

#define PAYLOAD 12

#define ENDS4 .src = ADDR4(203, 0, 113, 7), .dst = ADDR4(192, 0, 2, 10)
#define ENDS6 .src = ADDR6(0x20010db8, 0xffff, 0, 7), .dst = ADDR6(0x20010db8, 0, 0, 0x10)
#define TO4 ENDS4, .sport = 40000, .dport = PORT_TO4
#define TO6 ENDS6, .sport = 40000, .dport = PORT_TO4

static const struct packet_shape quoted4 = { .src = ADDR4(192, 0, 2, 10), .dst = ADDR4(203, 0, 113, 7), .sport = PORT_TO4,
					     .dport = 40000, .proto = IPPROTO_TCP };
static const struct packet_shape quoted6 = { .src = ADDR6(0x20010db8, 0, 0, 0x10), .dst = ADDR6(0x20010db8, 0xffff, 0, 7),
					     .sport = PORT_TO4, .dport = 40000, .proto = IPPROTO_UDP, .payload = 20 };

/* What a packet without all of its transport bytes ends in; `there` is how many it has. */
static enum tr_verdict cut_service(unsigned int there, unsigned int needed)
{
	return there < needed ? TR_V_BAD_L4 : TR_V_COUNT;
}

static enum tr_verdict cut_icmp(unsigned int there, unsigned int needed)
{
	return there < needed ? TR_V_BAD_ICMP : TR_V_COUNT;
}

static enum tr_verdict cut_first(unsigned int there, unsigned int needed)
{
	if (!there || there % 8)
		return TR_V_BAD_FRAGMENT;
	return there < needed ? TR_V_TINY_FRAGMENT : TR_V_COUNT;
}

static enum tr_verdict cut_later(unsigned int there, unsigned int needed)
{
	return there ? TR_V_COUNT : TR_V_BAD_FRAGMENT;
}

#define TCP(to) to, .proto = IPPROTO_TCP, .tcp_flags = TCP_ACK, .payload = PAYLOAD
#define UDP(to) to, .proto = IPPROTO_UDP, .payload = PAYLOAD
#define WHOLE_UDP (8 + PAYLOAD)

/* What a kind ends in when all of it is there, and when the frame ends early but the IP length says so. */
static const struct kind {
	const char *name;
	struct packet_shape shape;
	enum tr_verdict whole;
	enum tr_verdict (*cut)(unsigned int there, unsigned int needed);
	unsigned int l4_needed;		/* transport bytes */
} kinds[] = {
	{ "TCP/IPv4", { TCP(TO4) }, TR_V_FORWARDED, cut_service, 20 },
	{ "TCP/IPv6", { TCP(TO6) }, TR_V_FORWARDED, cut_service, 20 },
	{ "TCP with options/IPv4", { TO4, .proto = IPPROTO_TCP, .tcp_flags = TCP_SYN, .tcp_options = 12 },
	  TR_V_FORWARDED, cut_service, 32 },
	{ "TCP with options/IPv6", { TO6, .proto = IPPROTO_TCP, .tcp_flags = TCP_SYN, .tcp_options = 40 },
	  TR_V_FORWARDED, cut_service, 60 },
	{ "UDP/IPv4", { UDP(TO4) }, TR_V_FORWARDED, cut_service, WHOLE_UDP },
	{ "UDP/IPv6", { UDP(TO6) }, TR_V_FORWARDED, cut_service, WHOLE_UDP },
	{ "ICMP", { TO4, .proto = IPPROTO_ICMP, .payload = PAYLOAD }, TR_V_ECHO, cut_icmp, 8 },
	{ "ICMPv6", { TO6, .proto = IPPROTO_ICMPV6, .payload = PAYLOAD }, TR_V_ECHO, cut_icmp, 8 },
	{ "ICMP with options", { TO4, .proto = IPPROTO_ICMP, .options = 4 }, TR_V_ICMP, cut_icmp, 8 },
	{ "ICMPv6 behind a header", { TO6, .proto = IPPROTO_ICMPV6, .ext_count = 1, .ext = { 60 } }, TR_V_ICMP, cut_icmp,
	  8 },
	{ "ICMP error", { TO4, .proto = IPPROTO_ICMP, .icmp_type = LIE(3), .quoted = &quoted4 }, TR_V_ICMP_ERROR, cut_icmp,
	  8 + 28 },
	{ "ICMPv6 error", { TO6, .proto = IPPROTO_ICMPV6, .icmp_type = LIE(1), .quoted = &quoted6 }, TR_V_ICMP_ERROR,
	  cut_icmp, 8 + 48 },
	{ "tagged ICMP error", { TO4, .tags = 1, .proto = IPPROTO_ICMP, .icmp_type = LIE(11), .quoted = &quoted4 },
	  TR_V_ICMP_ERROR, cut_icmp, 8 + 28 },
	{ "first fragment/IPv4", { TCP(TO4), .frag = 0x2000 }, TR_V_FRAGMENT, cut_first, 20 },
	{ "first fragment/IPv4, TCP options", { TO4, .proto = IPPROTO_TCP, .tcp_options = 20, .frag = 0x2000 },
	  TR_V_FRAGMENT, cut_first, 40 },
	{ "first fragment/IPv6", { TO6, .proto = IPPROTO_UDP, .ext_count = 1, .ext = { 44 }, .frag6 = 1, .payload = 16 },
	  TR_V_FRAGMENT, cut_first, 8 },
	{ "later fragment/IPv4", { UDP(TO4), .frag = 0x0010, .id = 7 }, TR_V_FRAGMENT_EARLY, cut_later, 0 },
	{ "later fragment/IPv6", { UDP(TO6), .ext_count = 1, .ext = { 44 }, .frag6 = 0x80, .id6 = 7 }, TR_V_FRAGMENT_EARLY,
	  cut_later, 0 },
	{ "IPv4 options", { TCP(TO4), .options = 8 }, TR_V_IP_OPTIONS, cut_service, 20 },
	{ "hop-by-hop", { TCP(TO6), .ext_count = 1, .ext = { 0 } }, TR_V_EXT_HEADER, cut_service, 20 },
	{ "two extension headers", { UDP(TO6), .ext_count = 2, .ext = { 60, 43 } }, TR_V_EXT_HEADER, cut_service,
	  WHOLE_UDP },
	{ "authentication", { UDP(TO6), .ext_count = 1, .ext = { 51 } }, TR_V_EXT_HEADER, cut_service, WHOLE_UDP },
	{ "fragment header of a whole packet", { TCP(TO6), .ext_count = 1, .ext = { 44 } }, TR_V_EXT_HEADER, cut_service,
	  20 },
	{ "tag, TCP/IPv4", { TCP(TO4), .tags = 1 }, TR_V_VLAN, cut_service, 20 },
	{ "two tags, UDP/IPv6", { UDP(TO6), .tags = 2 }, TR_V_VLAN, cut_service, WHOLE_UDP },
	{ "tag and options", { UDP(TO4), .options = 40, .tags = 1 }, TR_V_IP_OPTIONS, cut_service, WHOLE_UDP },
};

/* The frame ends at every byte; the IP header still tells the old length. */
static void add_cut_frames(struct cases *cases, const struct kind *kind)
{
	size_t headers = shape_ip_offset(&kind->shape) + (addr_v4(&kind->shape.dst) ? 20 : 40), cut;
	struct packet whole;

	packet_build(&whole, &kind->shape);
	for (cut = PACKET_MIN; cut <= whole.len; cut++) {
		struct packet_shape shape = kind->shape;
		enum tr_verdict verdict = cut < headers ? TR_V_TRUNCATED : TR_V_BAD_IP;

		shape.cut = (struct lie)LIE(cut);
		cases_add(cases, &shape, cut == whole.len ? kind->whole : verdict, "%s cut to %zu bytes of %zu",
			  kind->name, cut, whole.len);
	}
}

/* The transport ends at every byte and the IP header knows; once with nothing behind, once with padding. */
static void add_cut_l4(struct cases *cases, const struct kind *kind)
{
	struct packet whole;
	size_t l4_len, cut;

	packet_build(&whole, &kind->shape);
	l4_len = whole.len - shape_l4_offset(&kind->shape);
	for (cut = 0; cut <= l4_len; cut++) {
		struct packet_shape shape = kind->shape;
		enum tr_verdict verdict = kind->cut(cut, kind->l4_needed);

		if (verdict == TR_V_COUNT)
			verdict = kind->whole;
		shape.l4_cut = (struct lie)LIE(cut);
		cases_add(cases, &shape, verdict, "%s with %zu transport bytes of %zu", kind->name, cut, l4_len);
		shape.padding = 64;
		cases_add(cases, &shape, verdict, "%s with %zu transport bytes of %zu and padding", kind->name, cut,
			  l4_len);
	}
}

/* The payload ends at every byte of the extension headers, and the IP header knows. */
static void add_cut_chain(struct cases *cases, const struct kind *kind)
{
	size_t ip = shape_ip_offset(&kind->shape), l4 = shape_l4_offset(&kind->shape), cut;

	for (cut = ip + 40; cut < l4; cut++) {
		struct packet_shape shape = kind->shape;

		shape.ip_len = (struct lie)LIE(cut - ip - 40);
		cases_add(cases, &shape, TR_V_BAD_EXT, "%s, payload of %zu bytes", kind->name, cut - ip - 40);
	}
}

static void add_ihl(struct cases *cases)
{
	struct packet_shape shape = { TO4, .proto = IPPROTO_TCP, .payload = 60 };
	unsigned int ihl;

	for (ihl = 0; ihl < 16; ihl++) {
		/* What comes to stand at the ports' place is no service's. */
		enum tr_verdict room = ihl < 5 ? TR_V_BAD_IP : ihl == 5 ? TR_V_FORWARDED : TR_V_NO_SERVICE;
		enum tr_verdict tight = ihl > 9 ? TR_V_BAD_IP : ihl == 5 || ihl == 9 ? TR_V_BAD_L4 : room;

		shape.ihl = (struct lie)LIE(ihl);
		shape.l4_cut = (struct lie){};
		shape.padding = 0;
		cases_add(cases, &shape, room, "ihl %u, room for it", ihl);
		/* Total length 36: all of ihl up to 9 is inside it. */
		shape.l4_cut = (struct lie)LIE(16);
		cases_add(cases, &shape, tight, "ihl %u, 36 bytes in the frame", ihl);
		shape.padding = 64;
		cases_add(cases, &shape, tight, "ihl %u, 36 bytes by its total length", ihl);
	}
}

static void add_doff(struct cases *cases, const struct packet_shape *base, const char *family)
{
	struct packet_shape shape = *base;
	unsigned int doff;

	shape.proto = IPPROTO_TCP;
	shape.payload = 40;
	for (doff = 0; doff < 16; doff++) {
		enum tr_verdict room = doff < 5 ? TR_V_BAD_L4 : TR_V_FORWARDED;
		enum tr_verdict tight = doff > 8 ? TR_V_BAD_L4 : room;

		shape.doff = (struct lie)LIE(doff);
		shape.l4_cut = (struct lie){};
		shape.padding = 0;
		cases_add(cases, &shape, room, "doff %u, room for it, %s", doff, family);
		shape.l4_cut = (struct lie)LIE(32);
		cases_add(cases, &shape, tight, "doff %u, 32 transport bytes, %s", doff, family);
		shape.padding = 64;
		cases_add(cases, &shape, tight, "doff %u, 32 transport bytes and padding, %s", doff, family);
	}
}

struct length_lie {
	unsigned int value, padding;
	enum tr_verdict verdict;
};

/* TCP with PAYLOAD bytes is 52 of IPv4. */
static void add_total_len(struct cases *cases)
{
	static const struct length_lie lies[] = {
		{ 0, 0, TR_V_BAD_IP }, { 1, 0, TR_V_BAD_IP }, { 19, 0, TR_V_BAD_IP }, { 20, 0, TR_V_BAD_L4 },
		{ 23, 0, TR_V_BAD_L4 }, { 24, 0, TR_V_BAD_L4 }, { 39, 0, TR_V_BAD_L4 }, { 40, 0, TR_V_FORWARDED },
		{ 51, 0, TR_V_FORWARDED }, { 52, 0, TR_V_FORWARDED }, { 53, 0, TR_V_BAD_IP },
		{ 0x3400, 0, TR_V_BAD_IP }, { 32767, 0, TR_V_BAD_IP }, { 32768, 0, TR_V_BAD_IP },
		{ 65516, 0, TR_V_BAD_IP }, { 65535, 0, TR_V_BAD_IP },
		{ 52, 10, TR_V_FORWARDED }, { 53, 10, TR_V_FORWARDED }, { 62, 10, TR_V_FORWARDED },
		{ 63, 10, TR_V_BAD_IP }, { 39, 10, TR_V_BAD_L4 },
	};
	struct packet_shape shape = { TO4, .proto = IPPROTO_TCP, .payload = PAYLOAD };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		shape.ip_len = (struct lie)LIE(lies[i].value);
		shape.padding = lies[i].padding;
		cases_add(cases, &shape, lies[i].verdict, "total length %u of 52, %u padding", lies[i].value,
			  lies[i].padding);
	}
}

/* And 32 of IPv6. */
static void add_payload_len(struct cases *cases)
{
	static const struct length_lie lies[] = {
		{ 0, 0, TR_V_BAD_L4 }, { 1, 0, TR_V_BAD_L4 }, { 3, 0, TR_V_BAD_L4 }, { 4, 0, TR_V_BAD_L4 },
		{ 19, 0, TR_V_BAD_L4 }, { 20, 0, TR_V_FORWARDED }, { 31, 0, TR_V_FORWARDED },
		{ 32, 0, TR_V_FORWARDED }, { 33, 0, TR_V_BAD_IP }, { 0x2000, 0, TR_V_BAD_IP },
		{ 32768, 0, TR_V_BAD_IP }, { 65495, 0, TR_V_BAD_IP }, { 65496, 0, TR_V_BAD_IP },
		{ 65535, 0, TR_V_BAD_IP },
		{ 32, 10, TR_V_FORWARDED }, { 33, 10, TR_V_FORWARDED }, { 42, 10, TR_V_FORWARDED },
		{ 43, 10, TR_V_BAD_IP }, { 19, 10, TR_V_BAD_L4 },
	};
	struct packet_shape shape = { TO6, .proto = IPPROTO_TCP, .payload = PAYLOAD };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		shape.ip_len = (struct lie)LIE(lies[i].value);
		shape.padding = lies[i].padding;
		cases_add(cases, &shape, lies[i].verdict, "payload length %u of 32, %u padding", lies[i].value,
			  lies[i].padding);
	}
	shape.ip_len = (struct lie)LIE(0);
	shape.padding = 0;
	shape.proto = IPPROTO_UDP;
	cases_add(cases, &shape, TR_V_BAD_L4, "payload length 0 with UDP");
	shape.proto = IPPROTO_ICMPV6;
	cases_add(cases, &shape, TR_V_BAD_ICMP, "payload length 0 with ICMPv6");
	shape.proto = IPPROTO_SCTP;
	cases_add(cases, &shape, TR_V_NO_SERVICE, "payload length 0 with SCTP");
}

/* UDP with PAYLOAD bytes is 20 long. RFC 2675's length 0 is a jumbogram, which nobody serves. */
static void add_udp_len(struct cases *cases, const struct packet_shape *base, const char *family)
{
	static const struct length_lie lies[] = {
		{ 0, 0, TR_V_BAD_L4 }, { 1, 0, TR_V_BAD_L4 }, { 7, 0, TR_V_BAD_L4 }, { 8, 0, TR_V_FORWARDED },
		{ 9, 0, TR_V_FORWARDED }, { 19, 0, TR_V_FORWARDED }, { 20, 0, TR_V_FORWARDED },
		{ 21, 0, TR_V_BAD_L4 }, { 0x1400, 0, TR_V_BAD_L4 }, { 65535, 0, TR_V_BAD_L4 },
		{ 20, 30, TR_V_FORWARDED }, { 21, 30, TR_V_BAD_L4 }, { 50, 30, TR_V_BAD_L4 }, { 7, 30, TR_V_BAD_L4 },
	};
	struct packet_shape shape = *base;
	size_t i;

	shape.proto = IPPROTO_UDP;
	shape.payload = PAYLOAD;
	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		shape.udp_len = (struct lie)LIE(lies[i].value);
		shape.padding = lies[i].padding;
		cases_add(cases, &shape, lies[i].verdict, "UDP length %u of 20, %u padding, %s", lies[i].value,
			  lies[i].padding, family);
	}
	shape.udp_len = (struct lie){};
	shape.padding = shape.payload = 0;
	cases_add(cases, &shape, TR_V_FORWARDED, "UDP without payload, %s", family);
}

static void add_versions(struct cases *cases)
{
	struct packet_shape shape4 = { TO4, .proto = IPPROTO_TCP, .payload = 60 };
	struct packet_shape shape6 = { TO6, .proto = IPPROTO_TCP, .payload = 60 };
	unsigned int version;

	for (version = 0; version < 16; version++) {
		shape4.version = shape6.version = (struct lie)LIE(version);
		cases_add(cases, &shape4, version == 4 ? TR_V_FORWARDED : TR_V_BAD_IP, "version %u in IPv4", version);
		cases_add(cases, &shape6, version == 6 ? TR_V_FORWARDED : TR_V_BAD_IP, "version %u in IPv6", version);
	}
}

static const struct named_case {
	const char *name;
	struct packet_shape shape;
	enum tr_verdict verdict;
} others[] = {
	{ "reserved flag alone", { TO4, .proto = IPPROTO_TCP, .frag = 0x8000 }, TR_V_FORWARDED },
	{ "DF", { TO4, .proto = IPPROTO_TCP, .frag = 0x4000 }, TR_V_FORWARDED },
	{ "options whose length lies", { TO4, .proto = IPPROTO_TCP, .options = 40, .ip_len = LIE(59) }, TR_V_BAD_IP },
	{ "40 bytes of options", { TO4, .proto = IPPROTO_TCP, .options = 40 }, TR_V_IP_OPTIONS },
	{ "ICMP whose length lies", { TO4, .proto = IPPROTO_ICMP, .ip_len = LIE(19) }, TR_V_BAD_IP },
	{ "fragment whose length lies", { TO4, .proto = IPPROTO_TCP, .frag = 0x2000, .ip_len = LIE(900) },
	  TR_V_BAD_IP },
	{ "IPv6 fragment whose length lies", { TO6, .proto = IPPROTO_TCP, .ext_count = 1, .ext = { 44 }, .frag6 = 1,
	  .ip_len = LIE(900) }, TR_V_BAD_IP },
	{ "extension header whose length lies", { TO6, .proto = IPPROTO_TCP, .ext_count = 1, .ext = { 60 },
	  .ip_len = LIE(900) }, TR_V_BAD_IP },
	{ "ICMPv6 whose length lies", { TO6, .proto = IPPROTO_ICMPV6, .ip_len = LIE(9) }, TR_V_BAD_IP },
	{ "from port 0, TCP", { ENDS4, .dport = PORT_TO4, .proto = IPPROTO_TCP }, TR_V_ZERO_PORT },
	{ "from port 0, UDP/IPv6", { ENDS6, .dport = PORT_TO6, .proto = IPPROTO_UDP }, TR_V_ZERO_PORT },
	{ "from port 0, options", { ENDS4, .dport = PORT_TO4, .proto = IPPROTO_TCP, .options = 4 }, TR_V_ZERO_PORT },
	{ "from port 0 and cut short", { ENDS4, .dport = PORT_TO4, .proto = IPPROTO_TCP, .l4_cut = LIE(4) },
	  TR_V_ZERO_PORT },
	{ "to port 0, TCP", { ENDS4, .sport = 4000, .proto = IPPROTO_TCP }, TR_V_NO_SERVICE },
	{ "to port 0, UDP/IPv6", { ENDS6, .sport = 4000, .proto = IPPROTO_UDP }, TR_V_NO_SERVICE },
	{ "unused port, 4 transport bytes", { ENDS4, .dport = PORT_UNUSED, .proto = IPPROTO_TCP, .l4_cut = LIE(4) },
	  TR_V_NO_SERVICE },
	{ "unused port, 3 transport bytes", { ENDS4, .dport = PORT_UNUSED, .proto = IPPROTO_UDP, .l4_cut = LIE(3) },
	  TR_V_BAD_L4 },
	{ "unused port, doff 0", { ENDS4, .dport = PORT_UNUSED, .proto = IPPROTO_TCP, .doff = LIE(0) },
	  TR_V_NO_SERVICE },
};

static enum tr_verdict protocol_verdict4(unsigned int protocol)
{
	switch (protocol) {
	case IPPROTO_ICMP:
		return TR_V_BAD_ICMP;	/* no bytes of theirs are there */
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return TR_V_BAD_L4;
	default:
		return TR_V_NO_SERVICE;
	}
}

static enum tr_verdict protocol_verdict6(unsigned int protocol)
{
	switch (protocol) {
	case 0: case 43: case 44: case 51: case 60:
		return TR_V_BAD_EXT;
	case IPPROTO_ICMPV6:
		return TR_V_BAD_ICMP;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return TR_V_BAD_L4;
	default:
		return TR_V_NO_SERVICE;
	}
}

static void add_protocols(struct cases *cases)
{
	struct packet_shape shape4 = { TO4, .l4_cut = LIE(0) }, shape6 = { TO6, .l4_cut = LIE(0) };
	unsigned int protocol;

	for (protocol = 0; protocol < 256; protocol++) {
		shape4.proto = shape6.proto = protocol;
		cases_add(cases, &shape4, protocol_verdict4(protocol), "IPv4 protocol %u", protocol);
		cases_add(cases, &shape6, protocol_verdict6(protocol), "IPv6 next header %u", protocol);
	}
}

static void add_all(struct cases *cases)
{
	static const struct packet_shape v4 = { TO4 }, v6 = { TO6 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		add_cut_frames(cases, &kinds[i]);
		add_cut_l4(cases, &kinds[i]);
		if (kinds[i].shape.ext_count)
			add_cut_chain(cases, &kinds[i]);
	}
	add_ihl(cases);
	add_doff(cases, &v4, "IPv4");
	add_doff(cases, &v6, "IPv6");
	add_total_len(cases);
	add_payload_len(cases);
	add_udp_len(cases, &v4, "IPv4");
	add_udp_len(cases, &v6, "IPv6");
	add_versions(cases);
	add_protocols(cases);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		cases_add(cases, &others[i].shape, others[i].verdict, "%s", others[i].name);
}

int main(void)
{
	struct cases *cases = cases_new();
	int failed;

	cases_use(cases, world_standard(), 64);
	add_all(cases);
	failed = cases_run(cases, "bad packets");
	cases_free(cases);
	return failed != 0;
}
