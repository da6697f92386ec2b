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
	{ "allports4", IPV4(IPPROTO_TCP, ALL_PORTS4, 0, FLOWS_64K), COUNTED(FORWARDED, 61, 61),
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

size_t scenario_added(const struct scenario *scenario)
{
	return scenario->verdict == TR_V_FORWARDED ? scenario_floor_added(scenario) : 0;
}

static size_t write_l4(const struct scenario *scenario, uint8_t *to)
{
	struct tcphdr tcp = { .dest = htons(scenario->port), .doff = 5, .syn = scenario->syn, .ack = !scenario->syn };
	struct udphdr udp = { .dest = htons(scenario->port) };

	if (scenario->protocol == IPPROTO_TCP) {
		memcpy(to, &tcp, sizeof(tcp));
	} else {
		udp.len = htons(sizeof(tcp) + PAYLOAD);
		memcpy(to, &udp, sizeof(udp));
	}
	return sizeof(tcp) + PAYLOAD;
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

static size_t write_ipv4(const struct scenario *scenario, uint8_t *to, uint32_t *ret_sum)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .frag_off = htons(0x4000), .ttl = 63, .protocol = scenario->protocol,
	};
	size_t payload = write_l4(scenario, to + sizeof(ip));

	ip.tot_len = htons(sizeof(ip) + payload);
	*ret_sum = sum_words(&ip, sizeof(ip));
	ip.saddr = htonl(10U << 24);
	inet_pton(AF_INET, scenario->daddr, &ip.daddr);
	memcpy(to, &ip, sizeof(ip));
	return sizeof(ip) + payload;
}

static size_t write_ipv6(const struct scenario *scenario, uint8_t *to)
{
	struct ipv6hdr ip = { .version = 6, .nexthdr = scenario->protocol, .hop_limit = 63 };
	size_t payload = write_l4(scenario, to + sizeof(ip));

	ip.payload_len = htons(payload);
	inet_pton(AF_INET6, "2001:db8:c::", &ip.saddr);
	inet_pton(AF_INET6, scenario->daddr, &ip.daddr);
	memcpy(to, &ip, sizeof(ip));
	return sizeof(ip) + payload;
}

static const uint16_t ethertypes[] = {
	[FRONT_IPV4] = ETH_P_IP,
	[FRONT_IPV6] = ETH_P_IPV6,
	[FRONT_ARP] = ETH_P_ARP,
};

size_t scenario_frame(const struct scenario *scenario, uint64_t seed, uint8_t *frame, struct front *ret_front)
{
	struct ethhdr eth = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 }, htons(ethertypes[scenario->family]) };
	size_t len = ETH_ZLEN;

	*ret_front = (struct front){
		.family = scenario->family,
		.vary = scenario->vary,
		.flow_mask = scenario->flows - 1,
		.multiplier = (seed & ~7ULL) | 5,
		.increment = (seed >> 32) | 1,
	};
	memset(frame, 0, SCENARIO_FRAME_MAX);
	memcpy(frame, &eth, sizeof(eth));
	if (scenario->family == FRONT_IPV4)
		len = sizeof(eth) + write_ipv4(scenario, frame + sizeof(eth), &ret_front->sum);
	else if (scenario->family == FRONT_IPV6)
		len = sizeof(eth) + write_ipv6(scenario, frame + sizeof(eth));
	memcpy(ret_front->header, frame, sizeof(ret_front->header));
	return len;
}
