/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stages of TCP and UDP share. The entry has seen an untagged packet without options or extension headers,
 * whose IP lengths the frame holds and which has a service: so headers stand at fixed places.
 */
#ifndef TAILRACE_STAGE_BPF_H
#define TAILRACE_STAGE_BPF_H

#include "choose.bpf.h"
#include "forward.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "tuple.bpf.h"

/*
 * Reads the IP header, fills *inner but for syn, and returns the transport header, of which len bytes are there, or NULL.
 * *ret_payload: the bytes from there on, by the IP header.
 */
static __always_inline void *stage_parse(struct xdp_md *ctx, const struct tr_settings *set, __u8 l4, __u32 len,
					 struct inner *inner, __u32 *ret_payload)
{
	struct cursor c = cursor_new(ctx);
	struct ethhdr *eth = cursor_take(&c, sizeof(*eth));
	struct ipv6hdr *ip6;
	struct iphdr *ip;
	__u32 *ports;

	if (!eth)
		return NULL;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		ip = cursor_take(&c, sizeof(*ip));
		ports = cursor_take(&c, len);
		if (!ip || !ports)
			return NULL;
		inner->len = bpf_ntohs(ip->tot_len);
		inner->protocol = IPPROTO_IPIP;
		inner->tos = ip->tos;
		inner->hash = hash_flow4(set->hash_key, ip->saddr, ip->daddr, *ports, l4);
		*ret_payload = inner->len - sizeof(*ip);
	} else {
		ip6 = cursor_take(&c, sizeof(*ip6));
		ports = cursor_take(&c, len);
		if (!ip6 || !ports)
			return NULL;
		*ret_payload = bpf_ntohs(ip6->payload_len);
		inner->len = *ret_payload + sizeof(*ip6);
		inner->protocol = IPPROTO_IPV6;
		inner->tos = bpf_ntohs(*(__be16 *)ip6) >> 4;
		inner->hash = hash_flow6(set->hash_key, &ip6->saddr, *ports, l4);
	}
	return ports;
}

/* Of a packet of the plain stages, whose headers stand at fixed places. 0, or -1: a bug. */
static __noinline int tuple_plain(struct xdp_md *ctx, struct tuple *t, __u32 l4)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 family;

	if ((void *)(eth + 1) > end)
		return -1;
	family = eth->h_proto == bpf_htons(ETH_P_IP) ? TR_IPV4 : TR_IPV6;
	t->l4 = l4;
	if (tuple_addresses(ctx, family, ETH_HLEN, t))
		return -1;
	return tuple_ports(ctx, ETH_HLEN + (family == TR_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)), t);
}

#endif
