// SPDX-License-Identifier: GPL-2.0-only
/* A backend's record: the outer headers that the data plane only has to complete. Pure; see plan.h. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

#include "addr.h"
#include "plan.h"

#define IPV4_DF 0x4000

/* Native byte order throughout: a one's complement sum may be taken in any (RFC 1071 §2 B). */
static uint16_t header_sum(const struct tr_outer4 *header)
{
	const uint16_t *words = (const uint16_t *)header;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*header) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void outer_ipv4(const struct config *config, const struct tr_addr *address, struct tr_outer4 *ret)
{
	*ret = (struct tr_outer4){
		.version_ihl = 0x45,
		.frag_off = htons(IPV4_DF),
		.ttl = config->ttl,
		.saddr = config->source4.addr.w[3],
		.daddr = address->w[3],
	};
	ret->check = header_sum(ret);
}

static void outer_ipv6(const struct config *config, const struct tr_addr *address, struct tr_outer6 *ret)
{
	*ret = (struct tr_outer6){ .version_class_flow = htonl(6u << 28), .hop_limit = config->ttl };
	memcpy(ret->saddr, &config->source6.addr, sizeof(ret->saddr));
	memcpy(ret->daddr, address, sizeof(ret->daddr));
}

void plan_backend_record(const struct config *config, const struct tr_addr *address, const struct nexthop *nexthop,
			 uint16_t generation, struct tr_backend *ret)
{
	struct tr_backend record = { .mtu = nexthop->mtu, .ifindex = nexthop->ifindex, .generation = generation };

	memcpy(record.dmac, nexthop->dmac, sizeof(record.dmac));
	memcpy(record.smac, nexthop->smac, sizeof(record.smac));
	if (addr_is_v4(address)) {
		record.encap = TR_ENCAP_IPV4;
		record.ethertype = htons(ETH_P_IP);
		outer_ipv4(config, address, &record.v4);
	} else {
		record.encap = TR_ENCAP_IPV6;
		record.ethertype = htons(ETH_P_IPV6);
		outer_ipv6(config, address, &record.v6);
	}
	if (nexthop->tags.n >= 1 && nexthop->tags.n <= TR_TAGS_MAX)
		record.encap |= TR_ENCAP_TAGGED;
	*ret = record;
}
