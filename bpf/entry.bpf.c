// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first program that a packet meets: link layer, IP header, is it for a VIP, which one; then the protocol's stage.
 * Whatever is not for a VIP's address goes up the stack untouched, whatever its shape: it is the host's own business.
 */
#include "headers.bpf.h"
#include "lookup.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "source.bpf.h"
#include "verdict.bpf.h"

const volatile __u32 vip_cache_size = TR_CACHE_DEFAULT;
const volatile __u32 fragment_sets = TR_FRAGMENTS_DEFAULT / TR_SET_SLOTS;	/* of the map `fragments` */
const volatile __u32 several_devices;	/* 1: a next hop may lie on another interface than the packet came in by */
const volatile __u32 xdp_has_frags;	/* 1: loaded with BPF_F_XDP_HAS_FRAGS, the frame may go on behind data_end */

struct vlan_tag {		/* IEEE 802.1Q, behind the TPID */
	__be16 tci;
	__be16 ethertype;
};

/* An IP packet on its way through the entry. */
struct packet {
	const struct tr_settings *set;
	const struct tr_filter *filter;
	struct scratch *scratch;
	struct addr_words src, dst;
	__u32 family;
	__u32 generation;
};

/* By a constant index: a variable one costs a retpoline. Returns only where the stage is missing. */
static __always_inline int enter_stage(struct xdp_md *ctx, const struct shape *shape)
{
	if (shape->odd)
		bpf_tail_call_static(ctx, &stages, TR_STAGE_ANY);
	else if (shape->l4 == TR_TCP)
		bpf_tail_call_static(ctx, &stages, TR_STAGE_TCP);
	else
		bpf_tail_call_static(ctx, &stages, TR_STAGE_UDP);
	return finish(TR_V_STAGE_MISSING);
}

static __always_inline int no_service(struct xdp_md *ctx, struct scratch *scratch, const struct shape *shape)
{
	if (shape->odd && shape->verdict == SHAPE_SERVICE && scratch->place.flags & PLACE_FIRST) {
		scratch->service.vip = 0;	/* the stage remembers it for the rest of the packet */
		bpf_tail_call_static(ctx, &stages, TR_STAGE_ANY);
	}
	return finish(TR_V_NO_SERVICE);
}

/* By hand in two words: clang would copy the fields one by one. */
static __always_inline int hand_over(struct xdp_md *ctx, const struct packet *p, const struct handover *service,
				     const struct shape *shape)
{
	__u32 verdict;

	if (!service->vip)
		return no_service(ctx, p->scratch, shape);
	if (shape->zero_port)
		return finish(TR_V_ZERO_PORT);
	((__u64 *)p->scratch)[0] = ((const __u64 *)service)[0];
	((__u64 *)p->scratch)[1] = ((const __u64 *)service)[1];
	/* From here on the service's line may be another's: the source is looked up in the same cache. */
	verdict = check_source(p->set, p->filter, p->src, p->family, p->generation);
	return verdict ? finish(verdict) : enter_stage(ctx, shape);
}

/* What is no TCP or UDP with ports: the stage looks for the rest itself. line: of the address. */
static __always_inline int enter_other(struct xdp_md *ctx, const struct packet *p, const struct shape *shape,
				       const struct cached_vip *line)
{
	__u32 verdict;

	if (shape->verdict == SHAPE_LATER && !(p->scratch->place.flags & PLACE_UNKNOWN)) {
		const struct handover *all_ports = shape->l4 == TR_TCP ? &line->service[TR_TCP] : &line->service[TR_UDP];

		if (!all_ports->vip && !(shape->l4 == TR_TCP ? line->has_exact[TR_TCP] : line->has_exact[TR_UDP]))
			return finish(TR_V_NO_SERVICE);
	}
	p->scratch->service.vip = line->echo;
	verdict = check_source(p->set, p->filter, p->src, p->family, p->generation);
	if (verdict)
		return finish(verdict);
	if (shape->verdict == SHAPE_LATER) {
		bpf_tail_call_static(ctx, &stages, TR_STAGE_FRAGMENT);
	} else {
		p->scratch->place.verdict = shape->verdict == SHAPE_ECHO ? TR_V_ECHO : TR_V_ICMP_ERROR;
		bpf_tail_call_static(ctx, &stages, TR_STAGE_ICMP);
	}
	return finish(TR_V_STAGE_MISSING);
}

/*
 * Behind a miss of the line of (address, protocol, port). An answer for all ports stands in the address's own line, and
 * one for an address in a prefix that is cached as a whole is kept for the prefix: packets to many ports, or to many
 * addresses of a prefix, would only push other answers out. NULL: a bug.
 */
static __always_inline const struct handover *find_service(const struct shape *shape, const struct cached_vip *address,
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
		return all_ports;
	line = cache_slot(held, what);
	if (!line || cache_holds(line, held, what, generation))
		return line ? &line->service[0] : NULL;
	exact = bpf_map_lookup_elem(&services, &key);
	service = *all_ports;
	if (exact && find_vip(*exact, &service))
		return NULL;
	line->service[0] = service;
	cache_claim(line, held, what, generation);
	return &line->service[0];
}

/* The service's line first: the filter would cost every packet to a VIP 4 ns, and spares another one 4. */
static __always_inline int entry_ip(struct xdp_md *ctx, struct packet *p, const struct shape *shape)
{
	__u32 what = CACHED_SERVICE(shape->l4, shape->port);
	const struct handover *service = NULL;
	const struct tr_lengths *lengths;
	const struct cached_vip *line;
	struct tr_addr dst;

	p->generation = p->set->generation;
	barrier();
	if (shape->verdict == SHAPE_SERVICE) {
		line = cache_slot(p->dst, what);
		if (line && cache_holds(line, p->dst, what, p->generation))
			return hand_over(ctx, p, &line->service[0], shape);
	}
	if (!p->generation)		/* nobody has filled these maps: all is the host's own */
		return finish(TR_V_NOT_VIP);
	lengths = &p->filter->lengths[p->set->lengths & 1][p->family];
	if (!may_be_vip(p->filter, lengths, p->dst))
		return finish(TR_V_NOT_VIP);
	__builtin_memcpy(&dst, &p->dst, sizeof(dst));
	line = lookup_address(p->set, lengths, &dst, p->generation);
	if (!line)
		return finish(TR_V_INTERNAL);
	if (!line->id)
		return finish(TR_V_NOT_VIP);
	if (shape->verdict < SHAPE_SERVICE)
		return finish(shape->verdict);
	if (shape->verdict != SHAPE_SERVICE)
		return enter_other(ctx, p, shape, line);
	service = find_service(shape, line, p->generation);
	return service ? hand_over(ctx, p, service, shape) : finish(TR_V_INTERNAL);
}

/* 0, or -1: a bug. */
static __always_inline int packet_begin(struct packet *p, __u32 family)
{
	__u32 zero = 0;

	p->set = bpf_map_lookup_elem(&settings, &zero);
	p->filter = bpf_map_lookup_elem(&vip_filter, &zero);
	p->scratch = bpf_map_lookup_elem(&scratch, &zero);
	p->family = family;
	return p->set && p->filter && p->scratch ? 0 : -1;
}

/* As in struct tr_addr, IPv4 mapped: the upper halves are the same for all. */
#define MAPPED_PREFIX bpf_htonl(0xffff)

static __always_inline struct addr_words words4(__be32 addr)
{
	return (struct addr_words){ 0, MAPPED_PREFIX | (__u64)addr << 32 };
}

static __always_inline struct addr_words words6(const void *addr)
{
	const __u64 *words = addr;

	return (struct addr_words){ words[0], words[1] };
}

/* A mapped address has no business on the wire (RFC 4291 §2.5.5.2), and as a key it would be an IPv4 VIP's. */
static __always_inline int is_mapped(struct addr_words addr)
{
	return !addr.high && (__u32)addr.low == MAPPED_PREFIX;
}

/* l3: of the IP header; behind tags nothing is plain. */
static __always_inline int entry_ipv4(struct xdp_md *ctx, struct cursor *c, __u32 l3)
{
	struct iphdr *ip = cursor_take(c, sizeof(*ip));
	struct shape shape = { .verdict = SHAPE_ODD };
	struct packet p = {};

	if (!ip)
		return finish(TR_V_TRUNCATED);
	if (packet_begin(&p, TR_IPV4))
		return finish(TR_V_INTERNAL);
	p.src = words4(ip->saddr);
	p.dst = words4(ip->daddr);
	if (l3 == ETH_HLEN)
		shape = shape_ipv4(ctx, c, ip);
	if (shape.verdict == SHAPE_ODD)
		shape = shape_unpack(shape_odd4(ctx, &p.scratch->place, l3));
	return entry_ip(ctx, &p, &shape);
}

static __always_inline int entry_ipv6(struct xdp_md *ctx, struct cursor *c, __u32 l3)
{
	struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));
	struct shape shape = { .verdict = SHAPE_ODD };
	struct packet p = {};

	if (!ip)
		return finish(TR_V_TRUNCATED);
	if (packet_begin(&p, TR_IPV6))
		return finish(TR_V_INTERNAL);
	p.src = words6(&ip->saddr);
	p.dst = words6(&ip->daddr);
	if (is_mapped(p.dst))
		return finish(TR_V_NOT_VIP);
	if (l3 == ETH_HLEN)
		shape = shape_ipv6(ctx, c, ip);
	if (shape.verdict == SHAPE_ODD)
		shape = shape_unpack(shape_odd6(ctx, &p.scratch->place, l3));
	return entry_ip(ctx, &p, &shape);
}

static __always_inline int is_tag(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

SEC("xdp")
int tr_entry(struct xdp_md *ctx)
{
	struct cursor c = cursor_new(ctx);
	struct ethhdr *eth = cursor_take(&c, sizeof(*eth));
	__u32 l3 = sizeof(*eth);
	struct vlan_tag *tag;
	__be16 proto;

	if (!eth)
		return finish(TR_V_TRUNCATED);
	proto = eth->h_proto;
#pragma unroll
	for (int i = 0; i < TR_TAGS_MAX && is_tag(proto); i++) {	/* where the NIC leaves them in */
		tag = cursor_take(&c, sizeof(*tag));
		if (!tag)
			return finish(TR_V_TRUNCATED);
		proto = tag->ethertype;
		l3 += sizeof(*tag);
	}
	if (proto == bpf_htons(ETH_P_IP))
		return entry_ipv4(ctx, &c, l3);
	if (proto == bpf_htons(ETH_P_IPV6))
		return entry_ipv6(ctx, &c, l3);
	return finish(TR_V_NOT_IP);
}
