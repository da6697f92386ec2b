// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <string.h>

#include "scenario.h"
#include "setup.h"
#include "util.h"

#define VIP4 "203.0.113.1"		/* number 1: IPv4 backends */
#define VIP6 "2001:db8:1::5"		/* number 5: IPv6 backends */
#define ALL_PORTS4 "203.0.113.61"	/* number 61 */
#define SETTLING4 "203.0.113.65"
#define FADING4 "203.0.113.66"
#define TRACK4 "203.0.113.67"
#define CLIENT4 "203.0.113.68"
#define FLOWS_4K (1ULL << 12)
#define FLOWS_64K (1ULL << 16)
#define FLOWS_1M (1ULL << 20)
#define FLOWS_ALL (1ULL << 32)		/* none comes twice in a run */
#define PAYLOAD 6			/* bytes behind TCP; a minimal Ethernet frame over IPv4 */
#define LONG 1500			/* bytes of an IP packet that fits no backend's next hop once encapsulated */
#define ICMP_LEN 8
#define CLIENT (10U << 24)		/* 10.0.0.0, which the front program counts up from; of an ICMP error the router */
#define CLIENT_PORT 0x8000
#define QUOTED_CLIENT (CLIENT + 77)
#define TAG_TCI 0x2064			/* priority 1, VLAN 100 */
#define IP_DF 0x4000
#define IP_MF 0x2000
#define FRAGMENT_ID 0x4711
#define FRAGMENT_OFFSET 1480
#define FRAGMENT_PORT 443		/* of the first fragment */

#define IPV4(protocol_, daddr_, port_, flows_)                                                     \
	.family = FRONT_IPV4, .protocol = (protocol_), .daddr = (daddr_), .port = (port_), .flows = (flows_)
#define IPV6(protocol_, daddr_, port_, flows_)                                                     \
	.family = FRONT_IPV6, .protocol = (protocol_), .daddr = (daddr_), .port = (port_), .flows = (flows_)
#define FILLS_SYN (8 * TR_SYN_FLOWS_DEFAULT)	/* SYNs after which no set of the tier has a free slot */
#define CURRENT 1			/* first backends of pools 1 and 2 */
#define BASE (1 + SETUP_POOL_SIZE)
#define TO(vip, backends_) .verdict = TR_V_FORWARDED, .vip_first = (vip), .vip_last = (vip), .backends = (backends_)
#define COUNTED(verdict_, first, last) .verdict = TR_V_##verdict_, .vip_first = (first), .vip_last = (last)

const struct scenario scenarios[] = {
	{ "tcp4-1", IPV4(IPPROTO_TCP, VIP4, 443, 1), COUNTED(FORWARDED, 1, 1), .reach = 5 },
	{ "tcp4-64k", IPV4(IPPROTO_TCP, VIP4, 443, FLOWS_64K), COUNTED(FORWARDED, 1, 1) },
	{ "tcp4-1m", IPV4(IPPROTO_TCP, VIP4, 443, FLOWS_1M), COUNTED(FORWARDED, 1, 1), .reach = 6 },
	{ "syn4", IPV4(IPPROTO_TCP, VIP4, 443, FLOWS_ALL), COUNTED(FORWARDED, 1, 1), .syn = true },
	{ "udp4-1", IPV4(IPPROTO_UDP, VIP4, 443, 1), COUNTED(FORWARDED, 1, 1) },
	{ "udp4-64k", IPV4(IPPROTO_UDP, VIP4, 443, FLOWS_64K), COUNTED(FORWARDED, 1, 1) },
	{ "tcp6-1", IPV6(IPPROTO_TCP, VIP6, 443, 1), COUNTED(FORWARDED, 5, 5) },
	{ "tcp6-64k", IPV6(IPPROTO_TCP, VIP6, 443, FLOWS_64K), COUNTED(FORWARDED, 5, 5) },
	/* odd ports: to port 0 nothing is sent */
	{ "allports4", IPV4(IPPROTO_TCP, ALL_PORTS4, 1, FLOWS_64K), COUNTED(FORWARDED, 61, 61),
	  .vary = FRONT_VARY_PORT },
	{ "prefix4", IPV4(IPPROTO_TCP, SETUP_PREFIXES, 443, FRONT_PREFIX_FLOWS),
	  COUNTED(FORWARDED, SETUP_PREFIX_FIRST, SETUP_PREFIX_LAST), .vary = FRONT_VARY_PREFIX },
	{ "notvip4", IPV4(IPPROTO_TCP, "192.168.0.1", 443, 1), COUNTED(NOT_VIP, 0, 0), .reach = 2 },
	{ "notvip4-64k", IPV4(IPPROTO_TCP, "192.168.0.0", 443, FLOWS_64K), COUNTED(NOT_VIP, 0, 0),
	  .vary = FRONT_VARY_ADDRESS },
	{ "unsettled4-recorded", IPV4(IPPROTO_TCP, SETTLING4, 443, FLOWS_4K), TO(SETUP_VIP_SETTLING, BASE),
	  .before = FLOWS_4K, .held = { [TR_TIER_TCP] = FLOWS_4K }, .reach = 8 },
	{ "unsettled4-recorded-64k", IPV4(IPPROTO_TCP, SETTLING4, 443, FLOWS_64K), TO(SETUP_VIP_SETTLING, BASE),
	  .before = FLOWS_64K, .held = { [TR_TIER_TCP] = FLOWS_64K } },
	{ "unsettled4-unrecorded", IPV4(IPPROTO_TCP, FADING4, 443, FLOWS_64K), TO(SETUP_VIP_FADING, CURRENT) },
	{ "unsettled4-syn", IPV4(IPPROTO_TCP, SETTLING4, 443, FLOWS_ALL), TO(SETUP_VIP_SETTLING, CURRENT),
	  .syn = true, .before = FILLS_SYN, .held = { [TR_TIER_SYN] = TR_SYN_FLOWS_DEFAULT }, .inserts = true },
	{ "track4-64k", IPV4(IPPROTO_TCP, TRACK4, 443, FLOWS_64K), TO(SETUP_VIP_TRACK, CURRENT),
	  .before = FLOWS_64K, .tracks = true },
	{ "client4-64k", IPV4(IPPROTO_TCP, CLIENT4, 443, FLOWS_64K), TO(SETUP_VIP_CLIENT, CURRENT) },
	{ "echo4", IPV4(IPPROTO_ICMP, VIP4, 0, 1), COUNTED(ECHO, 0, 0), .reach = 3.5 },
	{ "echo6", IPV6(IPPROTO_ICMPV6, VIP6, 0, 1), COUNTED(ECHO, 0, 0) },
	{ "icmperr4", IPV4(IPPROTO_ICMP, VIP4, 443, 1), COUNTED(ICMP_ERROR, 1, 1) },
	{ "frag4", IPV4(IPPROTO_UDP, VIP4, 0, 1), COUNTED(FRAGMENT, 1, 1), .reach = 8 },
	{ "ext6", IPV6(IPPROTO_TCP, VIP6, 443, 1), COUNTED(EXT_HEADER, 5, 5), .reach = 5 },
	{ "opt4", IPV4(IPPROTO_TCP, VIP4, 443, 1), COUNTED(IP_OPTIONS, 1, 1) },
	{ "vlan4", IPV4(IPPROTO_TCP, VIP4, 443, 1), COUNTED(VLAN, 1, 1), .reach = 4.5 },
	{ "vlan4-64k", IPV4(IPPROTO_TCP, VIP4, 443, FLOWS_64K), COUNTED(VLAN, 1, 1) },
	{ "toobig4", IPV4(IPPROTO_TCP, VIP4, 443, 1), COUNTED(TOO_BIG_ANSWERED, 0, 0) },
	{ "arp", .family = FRONT_ARP, .flows = 1, COUNTED(NOT_IP, 0, 0), .reach = 1.5 },
};
const size_t n_scenarios = ARRAY_SIZE(scenarios);

const struct scenario *scenario_find(const char *name, size_t len)
{
	for (size_t i = 0; i < n_scenarios; i++)
		if (strlen(scenarios[i].name) == len && !memcmp(scenarios[i].name, name, len))
			return &scenarios[i];
	return NULL;
}

size_t scenario_floor_added(const struct scenario *scenario)
{
	return scenario->family == FRONT_IPV6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

bool scenario_is_forwarded(const struct scenario *scenario)
{
	switch (scenario->verdict) {
	case TR_V_FORWARDED:
	case TR_V_FRAGMENT:
	case TR_V_IP_OPTIONS:
	case TR_V_EXT_HEADER:
	case TR_V_VLAN:
	case TR_V_ICMP_ERROR:
		return true;
	default:
		return false;
	}
}

bool scenario_is_answered(const struct scenario *scenario)
{
	return scenario->verdict == TR_V_ECHO || scenario->verdict == TR_V_TOO_BIG_ANSWERED;
}

static bool is_plain(const struct scenario *scenario)
{
	return scenario->verdict == TR_V_FORWARDED || !(scenario_is_forwarded(scenario) || scenario_is_answered(scenario));
}

enum tr_stage scenario_stage(const struct scenario *scenario)
{
	if (is_plain(scenario))
		return TR_STAGE_COUNT;
	switch (scenario->verdict) {
	case TR_V_FRAGMENT:
		return TR_STAGE_FRAGMENT;
	case TR_V_ECHO:
	case TR_V_ICMP_ERROR:
		return TR_STAGE_ICMP;
	case TR_V_TOO_BIG_ANSWERED:
		return TR_STAGE_TOO_BIG;
	default:
		return TR_STAGE_ANY;
	}
}

size_t scenario_l3(const struct scenario *scenario)
{
	return FRONT_ETH_LEN + (scenario->verdict == TR_V_VLAN ? FRONT_TAG_LEN : 0);
}

size_t scenario_added(const struct scenario *scenario)
{
	if (scenario->verdict == TR_V_TOO_BIG_ANSWERED)
		return sizeof(struct iphdr) + ICMP_LEN;
	return scenario_is_forwarded(scenario) ? scenario_floor_added(scenario) : 0;
}

size_t scenario_cut(const struct scenario *scenario)
{
	return scenario->verdict == TR_V_TOO_BIG_ANSWERED ? LONG - FRONT_QUOTE : 0;
}

/* Folded, not inverted, of words as they lie in memory. */
static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* In 32 bits without folding: the front program adds the addresses and folds. */
static uint32_t sum_words(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

struct icmp {
	uint8_t type, code;
	uint16_t check;
	uint32_t rest;
};
_Static_assert(sizeof(struct icmp) == ICMP_LEN, "icmp");

/* What an ICMP error is about: a packet from the VIP to the client. */
static void write_quoted(const struct scenario *scenario, uint8_t *to)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .tot_len = htons(1400), .frag_off = htons(IP_DF), .ttl = 1, .protocol = IPPROTO_TCP,
	};
	struct tcphdr tcp = { .source = htons(scenario->port), .dest = htons(CLIENT_PORT) };

	inet_pton(AF_INET, scenario->daddr, &ip.saddr);
	ip.daddr = htonl(QUOTED_CLIENT);
	ip.check = ~fold(sum_words(&ip, sizeof(ip)));
	memcpy(to, &ip, sizeof(ip));
	memcpy(to + sizeof(ip), &tcp, 8);
}

/* pseudo: the sum over what else the checksum takes in. */
static size_t write_icmp(const struct scenario *scenario, uint8_t *to, uint32_t pseudo)
{
	bool v6 = scenario->family == FRONT_IPV6, echo = scenario->verdict == TR_V_ECHO;
	struct icmp icmp = { .type = v6 ? 128 : echo ? 8 : 11, .rest = echo ? htonl(0x12340001) : 0 };
	size_t len = sizeof(icmp) + (echo ? sizeof(struct tcphdr) + PAYLOAD - sizeof(icmp) : sizeof(struct iphdr) + 8);

	memcpy(to, &icmp, sizeof(icmp));
	if (!echo)
		write_quoted(scenario, to + sizeof(icmp));
	icmp.check = ~fold((uint64_t)sum_words(to, len) + pseudo + (v6 ? htons(len) + htons(IPPROTO_ICMPV6) : 0));
	memcpy(to, &icmp, sizeof(icmp));
	return len;
}

static size_t write_l4(const struct scenario *scenario, uint8_t *to)
{
	struct tcphdr tcp = { .dest = htons(scenario->port), .doff = 5, .syn = scenario->syn, .ack = !scenario->syn };
	struct udphdr udp = { .dest = htons(scenario->port), .len = htons(sizeof(tcp) + PAYLOAD) };

	if (scenario->verdict == TR_V_FRAGMENT)		/* a later one: no header */
		memset(to, 0x5a, sizeof(tcp) + PAYLOAD);
	else if (scenario->protocol == IPPROTO_TCP)
		memcpy(to, &tcp, sizeof(tcp));
	else
		memcpy(to, &udp, sizeof(udp));
	return scenario->verdict == TR_V_TOO_BIG_ANSWERED ? LONG - sizeof(struct iphdr) : sizeof(tcp) + PAYLOAD;
}

static struct iphdr ipv4_header(const struct scenario *scenario)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .frag_off = htons(IP_DF), .ttl = 63, .protocol = scenario->protocol,
	};

	if (scenario->verdict == TR_V_FRAGMENT) {
		ip.frag_off = htons(FRAGMENT_OFFSET / 8);
		ip.id = htons(FRAGMENT_ID);
	}
	return ip;
}

/* *ret_sum: without the addresses. */
static size_t write_ipv4(const struct scenario *scenario, uint8_t *to, uint32_t *ret_sum)
{
	static const uint8_t options[FRONT_MORE_LEN] = { 0x94, 4, 0, 0, 1, 1, 1, 0 };	/* router alert, three times nothing, end */
	struct iphdr ip = ipv4_header(scenario);
	size_t header = sizeof(ip), payload;

	if (scenario->verdict == TR_V_IP_OPTIONS) {
		memcpy(to + sizeof(ip), options, sizeof(options));
		header += sizeof(options);
	}
	ip.ihl = header / 4;
	payload = scenario->protocol == IPPROTO_ICMP ? write_icmp(scenario, to + header, 0) : write_l4(scenario, to + header);
	ip.tot_len = htons(header + payload);
	*ret_sum = sum_words(&ip, sizeof(ip)) + sum_words(to + sizeof(ip), header - sizeof(ip));
	ip.saddr = htonl(CLIENT);
	inet_pton(AF_INET, scenario->daddr, &ip.daddr);
	memcpy(to, &ip, sizeof(ip));
	return header + payload;
}

static size_t write_ipv6(const struct scenario *scenario, uint8_t *to)
{
	static const uint8_t options[FRONT_MORE_LEN] = { IPPROTO_TCP, 0, 1, 4 };	/* of the destination: padding */
	struct ipv6hdr ip = { .version = 6, .nexthdr = scenario->protocol, .hop_limit = 63 };
	size_t header = sizeof(ip), payload;

	inet_pton(AF_INET6, "2001:db8:c::", &ip.saddr);
	inet_pton(AF_INET6, scenario->daddr, &ip.daddr);
	if (scenario->verdict == TR_V_EXT_HEADER) {
		ip.nexthdr = IPPROTO_DSTOPTS;
		memcpy(to + sizeof(ip), options, sizeof(options));
		header += sizeof(options);
	}
	if (scenario->protocol == IPPROTO_ICMPV6)
		payload = write_icmp(scenario, to + header, sum_words(&ip.saddr, 2 * sizeof(ip.saddr)));
	else
		payload = write_l4(scenario, to + header);
	ip.payload_len = htons(header - sizeof(ip) + payload);
	memcpy(to, &ip, sizeof(ip));
	return header + payload;
}

static size_t write_ethernet(const struct scenario *scenario, uint8_t *to)
{
	static const uint16_t ethertypes[] = {
		[FRONT_IPV4] = ETH_P_IP,
		[FRONT_IPV6] = ETH_P_IPV6,
		[FRONT_ARP] = ETH_P_ARP,
	};
	struct ethhdr eth = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 }, htons(ethertypes[scenario->family]) };
	uint16_t tag[2] = { htons(TAG_TCI), eth.h_proto };

	if (scenario->verdict == TR_V_VLAN)
		eth.h_proto = htons(ETH_P_8021Q);
	memcpy(to, &eth, sizeof(eth));
	memcpy(to + sizeof(eth), tag, sizeof(tag));
	return scenario_l3(scenario);
}

static size_t header_len(const struct scenario *scenario)
{
	size_t more = scenario->verdict == TR_V_IP_OPTIONS || scenario->verdict == TR_V_EXT_HEADER ? FRONT_MORE_LEN : 0;

	return scenario_floor_added(scenario) + more;
}

static enum front_shape front_shape(const struct scenario *scenario)
{
	if (is_plain(scenario))
		return FRONT_PLAIN;
	if (scenario->verdict == TR_V_TOO_BIG_ANSWERED)
		return FRONT_LONG;
	return scenario->verdict == TR_V_VLAN ? FRONT_TAGGED : FRONT_ODD;
}

size_t scenario_frame(const struct scenario *scenario, uint64_t seed, uint8_t *frame, struct front *ret_front)
{
	size_t len, l3;

	*ret_front = (struct front){
		.family = scenario->family,
		.vary = scenario->vary,
		.flow_mask = scenario->flows - 1,
		.multiplier = (seed & ~7ULL) | 5,
		.increment = (seed >> 32) | 1,
		.shape = front_shape(scenario),
		.more = scenario->verdict == TR_V_IP_OPTIONS || scenario->verdict == TR_V_EXT_HEADER,
		.no_ports = !scenario->port || scenario->verdict == TR_V_ICMP_ERROR,
		.cut = scenario_cut(scenario),
	};
	memset(frame, 0, SCENARIO_FRAME_MAX);
	len = l3 = write_ethernet(scenario, frame);
	if (scenario->family == FRONT_IPV4)
		len += write_ipv4(scenario, frame + l3, &ret_front->sum);
	else if (scenario->family == FRONT_IPV6)
		len += write_ipv6(scenario, frame + l3);
	else
		len = ETH_ZLEN;
	memcpy(ret_front->header, frame, sizeof(ret_front->header));
	memcpy(&ret_front->ports, frame + l3 + header_len(scenario), sizeof(ret_front->ports));
	return len;
}

size_t scenario_first_fragment(const struct scenario *scenario, uint8_t *frame)
{
	struct udphdr udp = { .source = htons(CLIENT_PORT), .len = htons(FRAGMENT_OFFSET + sizeof(struct tcphdr) + PAYLOAD) };
	struct iphdr ip = ipv4_header(scenario);
	size_t l3;

	if (scenario->verdict != TR_V_FRAGMENT)
		return 0;
	memset(frame, 0, SCENARIO_FRAME_MAX);
	l3 = write_ethernet(scenario, frame);
	udp.dest = htons(FRAGMENT_PORT);
	ip.frag_off = htons(IP_MF);
	ip.tot_len = htons(sizeof(ip) + FRAGMENT_OFFSET);
	ip.saddr = htonl(CLIENT);
	inet_pton(AF_INET, scenario->daddr, &ip.daddr);
	ip.check = ~fold(sum_words(&ip, sizeof(ip)));
	memcpy(frame + l3, &ip, sizeof(ip));
	memcpy(frame + l3 + sizeof(ip), &udp, sizeof(udp));
	return l3 + sizeof(ip) + FRAGMENT_OFFSET;
}
