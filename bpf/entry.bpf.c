// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first program that a packet meets: link layer, IP header, is it for a VIP, which one; then the protocol's stage.
 * Whatever is not for a VIP's address goes up the stack untouched, whatever its shape: it is the host's own business.
 */
#include "lookup.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "verdict.bpf.h"

#define VLAN_DEPTH 2

const volatile __u32 vip_cache_size = TR_CACHE_DEFAULT;
const volatile __u32 several_devices;	/* 1: a next hop may lie on another interface than the packet came in by */
const volatile __u32 xdp_has_frags;	/* 1: loaded with BPF_F_XDP_HAS_FRAGS, the frame may go on behind data_end */

struct vlan_tag {		/* IEEE 802.1Q, behind the TPID */
	__be16 tci;
	__be16 ethertype;
};

/* By a constant index: a variable one costs a retpoline. Returns only where the stage is missing. */
static __always_inline int enter_stage(struct xdp_md *ctx, __u8 l4)
{
	if (l4 == TR_TCP)
		bpf_tail_call_static(ctx, &stages, TR_STAGE_TCP);
	else
		bpf_tail_call_static(ctx, &stages, TR_STAGE_UDP);
	return finish(TR_V_STAGE_MISSING);
}

/* By hand in two words: clang would copy the fields one by one. */
static __always_inline int hand_over(struct xdp_md *ctx, const struct handover *service, __u8 l4)
{
	__u32 zero = 0;
	void *scratch_line = bpf_map_lookup_elem(&scratch, &zero);

	if (!service->vip)
		return finish(TR_V_NO_SERVICE);
	if (!scratch_line)
		return finish(TR_V_INTERNAL);
	((__u64 *)scratch_line)[0] = ((const __u64 *)service)[0];
	((__u64 *)scratch_line)[1] = ((const __u64 *)service)[1];
	return enter_stage(ctx, l4);
}

/*
 * Behind a miss of the line of (address, protocol, port). An answer for all ports stands in the address's own line, and
 * one for an address in a prefix that is cached as a whole is kept for the prefix: packets to many ports, or to many
 * addresses of a prefix, would only push other answers out.
 */
static __always_inline int enter_service(struct xdp_md *ctx, const struct shape *shape, const struct cached_vip *address,
					 __u32 generation)
{
	struct tr_service_key key = { .address = address->id, .port = shape->port, .l4 = shape->l4 };
	const struct handover *all_ports = shape->l4 == TR_TCP ? &address->service[TR_TCP] : &address->service[TR_UDP];
	struct handover service;
	__u8 has_exact = shape->l4 == TR_TCP ? address->has_exact[TR_TCP] : address->has_exact[TR_UDP];
	struct addr_words held = addr_words(&address->addr);
	__u32 what = CACHED_SERVICE(shape->l4, shape->port), *exact;
	struct cached_vip *line;

	if (!has_exact)
		return hand_over(ctx, all_ports, shape->l4);
	line = cache_slot(held, what);
	if (!line)
		return finish(TR_V_INTERNAL);
	if (cache_holds(line, held, what, generation))
		return hand_over(ctx, &line->service[0], shape->l4);
	exact = bpf_map_lookup_elem(&services, &key);
	service = *all_ports;
	if (exact && find_vip(*exact, &service))
		return finish(TR_V_INTERNAL);
	line->service[0] = service;
	cache_claim(line, held, what, generation);
	return hand_over(ctx, &service, shape->l4);
}

/* The service's line first: the filter would cost every packet to a VIP 4 ns, and spares another one 4. */
static __always_inline int entry_ip(struct xdp_md *ctx, const struct tr_addr *dst, __u32 family,
				    const struct shape *shape)
{
	__u32 zero = 0, what = CACHED_SERVICE(shape->l4, shape->port), generation;
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	const struct tr_filter *filter = bpf_map_lookup_elem(&vip_filter, &zero);
	const struct tr_lengths *lengths;
	const struct cached_vip *line;

	if (!set || !filter)
		return finish(TR_V_INTERNAL);
	generation = set->generation;
	barrier();
	if (shape->verdict == SHAPE_SERVICE) {
		line = cache_slot(addr_words(dst), what);
		if (line && cache_holds(line, addr_words(dst), what, generation))
			return hand_over(ctx, &line->service[0], shape->l4);
	}
	if (!generation)		/* nobody has filled these maps: all is the host's own */
		return finish(TR_V_NOT_VIP);
	lengths = &filter->lengths[set->lengths & 1][family];
	if (!may_be_vip(filter, lengths, addr_words(dst)))
		return finish(TR_V_NOT_VIP);
	line = lookup_address(set, lengths, dst, generation);
	if (!line)
		return finish(TR_V_INTERNAL);
	if (!line->id)
		return finish(TR_V_NOT_VIP);
	if (shape->verdict != SHAPE_SERVICE)
		return finish(shape->verdict);
	return enter_service(ctx, shape, line, generation);
}

#define MAPPED_PREFIX bpf_htonl(0xffff)

static __always_inline struct tr_addr mapped(__be32 addr)
{
	return (struct tr_addr){ { 0, 0, MAPPED_PREFIX, addr } };
}

/* A mapped address has no business on the wire (RFC 4291 §2.5.5.2), and as a key it would be an IPv4 VIP's. */
static __always_inline int take_ipv6(struct tr_addr *to, const struct ipv6hdr *ip)
{
	__builtin_memcpy(to, &ip->daddr, sizeof(*to));
	return to->w[0] || to->w[1] || to->w[2] != MAPPED_PREFIX;
}

static __always_inline int entry_ipv4(struct xdp_md *ctx, struct cursor *c)
{
	struct iphdr *ip = cursor_take(c, sizeof(*ip));
	struct shape shape;
	struct tr_addr dst;

	if (!ip)
		return finish(TR_V_TRUNCATED);
	shape = shape_ipv4(c, ip);
	dst = mapped(ip->daddr);
	return entry_ip(ctx, &dst, TR_IPV4, &shape);
}

static __always_inline int entry_ipv6(struct xdp_md *ctx, struct cursor *c)
{
	struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));
	struct shape shape;
	struct tr_addr dst;

	if (!ip)
		return finish(TR_V_TRUNCATED);
	shape = shape_ipv6(c, ip);
	if (!take_ipv6(&dst, ip))
		return finish(TR_V_NOT_VIP);
	return entry_ip(ctx, &dst, TR_IPV6, &shape);
}

/* Tags reach XDP only where the NIC leaves them in. Nothing is balanced through them, but it is told apart. */
static __noinline int entry_vlan(struct xdp_md *ctx)
{
	struct shape shape = { .verdict = TR_V_VLAN };
	struct cursor c = cursor_new(ctx);
	struct ethhdr *eth = cursor_take(&c, sizeof(*eth));
	struct vlan_tag *tag;
	struct ipv6hdr *ip6;
	struct tr_addr dst;
	__u32 family = TR_IPV6;
	struct iphdr *ip;
	__be16 proto;

	if (!eth)
		return finish(TR_V_TRUNCATED);
	proto = eth->h_proto;
#pragma unroll
	for (int i = 0; i < VLAN_DEPTH; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		tag = cursor_take(&c, sizeof(*tag));
		if (!tag)
			return finish(TR_V_TRUNCATED);
		proto = tag->ethertype;
	}
	if (proto == bpf_htons(ETH_P_IP)) {
		ip = cursor_take(&c, sizeof(*ip));
		if (!ip)
			return finish(TR_V_TRUNCATED);
		dst = mapped(ip->daddr);
		family = TR_IPV4;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		ip6 = cursor_take(&c, sizeof(*ip6));
		if (!ip6)
			return finish(TR_V_TRUNCATED);
		if (!take_ipv6(&dst, ip6))
			return finish(TR_V_NOT_VIP);
	} else {
		return finish(TR_V_NOT_IP);
	}
	return entry_ip(ctx, &dst, family, &shape);
}

SEC("xdp")
int tr_entry(struct xdp_md *ctx)
{
	struct cursor c = cursor_new(ctx);
	struct ethhdr *eth = cursor_take(&c, sizeof(*eth));

	if (!eth)
		return finish(TR_V_TRUNCATED);
	switch (eth->h_proto) {
	case bpf_htons(ETH_P_IP):
		return entry_ipv4(ctx, &c);
	case bpf_htons(ETH_P_IPV6):
		return entry_ipv6(ctx, &c);
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		return entry_vlan(ctx);
	default:
		return finish(TR_V_NOT_IP);
	}
}
