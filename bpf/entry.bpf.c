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

/* An IP packet that is not plain, on its way through the entry. */
struct packet {
	const struct tr_settings *set;
	struct addr_words src, dst;
	__u32 family;
	__u32 generation;
};

static __always_inline int no_service(struct xdp_md *ctx, struct scratch *line)
{
	if (line->place.flags & PLACE_FIRST) {
		line->service.vip = 0;	/* the stage remembers it for the rest of the packet */
		bpf_tail_call_static(ctx, &stages, TR_STAGE_ANY);
	}
	return finish(TR_V_NO_SERVICE);
}

/* In two words: clang would copy the fields one by one. */
static __always_inline int hand_over(struct xdp_md *ctx, const struct packet *p, const struct handover *service,
				     const struct shape *shape)
{
	__u32 zero = 0, verdict;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);

	if (!line)
		return finish(TR_V_INTERNAL);
	if (!service->vip)
		return no_service(ctx, line);
	if (shape->zero_port)
		return finish(TR_V_ZERO_PORT);
	((__u64 *)line)[0] = ((const __u64 *)service)[0];
	((__u64 *)line)[1] = ((const __u64 *)service)[1];
	/* From here on the service's line may be another's: the source is looked up in the same cache. */
	verdict = check_source(p->set, p->src, p->family, p->generation);
	if (verdict)
		return finish(verdict);
	bpf_tail_call_static(ctx, &stages, TR_STAGE_ANY);
	return finish(TR_V_STAGE_MISSING);
}

/* What is no TCP or UDP with ports: the stage looks for the rest itself. */
static __always_inline int enter_other(struct xdp_md *ctx, const struct packet *p, const struct shape *shape,
				       const struct cached_vip *address)
{
	__u32 zero = 0, verdict;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);

	if (!line)
		return finish(TR_V_INTERNAL);
	if (shape->verdict == SHAPE_LATER && !(line->place.flags & PLACE_UNKNOWN)) {
		const struct handover *all_ports =
			shape->l4 == TR_TCP ? &address->service[TR_TCP] : &address->service[TR_UDP];

		if (!all_ports->vip &&
		    !(shape->l4 == TR_TCP ? address->has_exact[TR_TCP] : address->has_exact[TR_UDP]))
			return finish(TR_V_NO_SERVICE);
	}
	line->service.vip = address->echo;
	verdict = check_source(p->set, p->src, p->family, p->generation);
	if (verdict)
		return finish(verdict);
	if (shape->verdict == SHAPE_LATER) {
		bpf_tail_call_static(ctx, &stages, TR_STAGE_FRAGMENT);
	} else {
		line->place.verdict = shape->verdict == SHAPE_ECHO ? TR_V_ECHO : TR_V_ICMP_ERROR;
		bpf_tail_call_static(ctx, &stages, TR_STAGE_ICMP);
	}
	return finish(TR_V_STAGE_MISSING);
}

#define NOT_A_VIP ((const struct cached_vip *)1)

/* The address's line; NOT_A_VIP, where the filter says so, or nobody has filled the maps: all is the host's own. NULL: a bug. */
static __always_inline const struct cached_vip *find_line(const struct tr_settings *set, struct addr_words dst, __u32 family,
							  __u32 generation)
{
	const struct tr_lengths *lengths;
	const struct tr_filter *filter;
	struct tr_addr addr;
	__u32 zero = 0;

	if (!generation)
		return NOT_A_VIP;
	filter = bpf_map_lookup_elem(&vip_filter, &zero);
	if (!filter)
		return NULL;
	lengths = &filter->lengths[set->lengths & 1][family];
	if (!may_be_vip(filter, lengths, dst))
		return NOT_A_VIP;
	__builtin_memcpy(&addr, &dst, sizeof(addr));
	return lookup_address(set, lengths, &addr, generation);
}

/*
 * Behind a miss of the line of (address, protocol, port). An answer for all ports stands in the address's own line, and
 * one for an address in a prefix that is cached as a whole is kept for the prefix: packets to many ports, or to many
 * addresses of a prefix, would only push other answers out. NULL: a bug.
 */
static __always_inline const struct handover *find_service(__u8 l4, __be16 port, const struct cached_vip *address,
							   __u32 generation)
{
	struct tr_service_key key = { .address = address->id, .port = port, .l4 = l4 };
	const struct handover *all_ports = l4 == TR_TCP ? &address->service[TR_TCP] : &address->service[TR_UDP];
	struct handover service;
	__u8 has_exact = l4 == TR_TCP ? address->has_exact[TR_TCP] : address->has_exact[TR_UDP];
	struct addr_words held = addr_words(&address->addr);
	__u32 what = CACHED_SERVICE(l4, port), *exact;
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

/* Of a packet that is not plain. The service's line first, as for plain ones. */
static __always_inline int entry_ip(struct xdp_md *ctx, struct packet *p, const struct shape *shape)
{
	__u32 what = CACHED_SERVICE(shape->l4, shape->port);
	const struct handover *service = NULL;
	const struct cached_vip *line;

	p->generation = p->set->generation;
	barrier();
	if (shape->verdict == SHAPE_SERVICE) {
		line = cache_slot(p->dst, what);
		if (line && cache_holds(line, p->dst, what, p->generation))
			return hand_over(ctx, p, &line->service[0], shape);
	}
	line = find_line(p->set, p->dst, p->family, p->generation);
	if (!line)
		return finish(TR_V_INTERNAL);
	if (line == NOT_A_VIP || !line->id)
		return finish(TR_V_NOT_VIP);
	if (shape->verdict < SHAPE_SERVICE)
		return finish(shape->verdict);
	if (shape->verdict != SHAPE_SERVICE)
		return enter_other(ctx, p, shape, line);
	service = find_service(shape->l4, shape->port, line, p->generation);
	return service ? hand_over(ctx, p, service, shape) : finish(TR_V_INTERNAL);
}

/* 0, or -1: a bug. */
static __always_inline int packet_begin(struct packet *p, __u32 family)
{
	__u32 zero = 0;

	p->set = bpf_map_lookup_elem(&settings, &zero);
	p->family = family;
	return p->set ? 0 : -1;
}

/* Of what is not plain. */
static __always_inline struct shape shape_odd(struct xdp_md *ctx, __u32 family, __u32 l3)
{
	__u32 zero = 0;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);

	if (!line)
		return (struct shape){ .verdict = TR_V_INTERNAL };
	return shape_unpack(family == TR_IPV4 ? shape_odd4(ctx, &line->place, l3) : shape_odd6(ctx, &line->place, l3));
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

/* l3: of the IP header. */
static __always_inline int entry_ipv4(struct xdp_md *ctx, struct cursor *c, __u32 l3)
{
	struct iphdr *ip = cursor_take(c, sizeof(*ip));
	struct packet p = {};
	struct shape shape;

	if (!ip)
		return finish(TR_V_TRUNCATED);
	if (packet_begin(&p, TR_IPV4))
		return finish(TR_V_INTERNAL);
	p.src = words4(ip->saddr);
	p.dst = words4(ip->daddr);
	shape = shape_odd(ctx, TR_IPV4, l3);
	return entry_ip(ctx, &p, &shape);
}

static __always_inline int entry_ipv6(struct xdp_md *ctx, struct cursor *c, __u32 l3)
{
	struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));
	struct packet p = {};
	struct shape shape;

	if (!ip)
		return finish(TR_V_TRUNCATED);
	if (packet_begin(&p, TR_IPV6))
		return finish(TR_V_INTERNAL);
	p.src = words6(&ip->saddr);
	p.dst = words6(&ip->daddr);
	if (is_mapped(p.dst))
		return finish(TR_V_NOT_VIP);
	shape = shape_odd(ctx, TR_IPV6, l3);
	return entry_ip(ctx, &p, &shape);
}

#define PLAIN_NOT (-1)

/*
 * Plain packets, which are nearly all, have a way of their own: where it met the others' the compiler would spill what it knows, and each
 * packet pay 4 ns.
 */
static __always_inline int enter_plain(struct xdp_md *ctx, const struct tr_settings *set, struct addr_words src,
				       struct addr_words dst, __u32 family, __u8 l4, __u32 ports)
{
	__u32 zero = 0, what = CACHED_SERVICE(l4, ports >> 16), generation = set->generation, verdict;
	const struct handover *service;
	const struct cached_vip *line;
	struct scratch *to;

	barrier();
	line = cache_slot(dst, what);
	if (!line)
		return finish(TR_V_INTERNAL);
	service = &line->service[0];
	if (!cache_holds(line, dst, what, generation)) {
		line = find_line(set, dst, family, generation);
		if (!line)
			return finish(TR_V_INTERNAL);
		if (line == NOT_A_VIP || !line->id)
			return finish(TR_V_NOT_VIP);
		service = find_service(l4, ports >> 16, line, generation);
	}
	to = bpf_map_lookup_elem(&scratch, &zero);
	if (!to || !service)
		return finish(TR_V_INTERNAL);
	if (!service->vip)
		return finish(TR_V_NO_SERVICE);
	if (!(__u16)ports || !(ports >> 16))
		return finish(TR_V_ZERO_PORT);
	((__u64 *)to)[0] = ((const __u64 *)service)[0];
	((__u64 *)to)[1] = ((const __u64 *)service)[1];
	/* From here on the service's line may be another's: a doubtful source is looked up in the same cache. */
	verdict = check_source(set, src, family, generation);
	if (verdict)
		return finish(verdict);
	if (l4 == TR_TCP)
		bpf_tail_call_static(ctx, &stages, TR_STAGE_TCP);
	else
		bpf_tail_call_static(ctx, &stages, TR_STAGE_UDP);
	return finish(TR_V_STAGE_MISSING);
}

#define IPV4_PLAIN 0x45		/* version 4, 20 bytes */

static __always_inline int enter_plain4(struct xdp_md *ctx, struct cursor c)
{
	struct iphdr *ip = cursor_take(&c, sizeof(*ip) + sizeof(__u32));
	const struct tr_settings *set;
	__u32 *ports, zero = 0, total;

	if (!ip)
		return PLAIN_NOT;
	ports = (void *)(ip + 1);
	set = bpf_map_lookup_elem(&settings, &zero);
	if (!set || *(__u8 *)ip != IPV4_PLAIN || ip->frag_off & bpf_htons(IPV4_MF_OFFSET))
		return PLAIN_NOT;
	total = bpf_ntohs(ip->tot_len);
	if (total < sizeof(*ip) + sizeof(*ports) || total > frame_left(ctx, &c, ip))
		return PLAIN_NOT;
	if (ip->protocol == IPPROTO_TCP)
		return enter_plain(ctx, set, words4(ip->saddr), words4(ip->daddr), TR_IPV4, TR_TCP, *ports);
	if (ip->protocol == IPPROTO_UDP)
		return enter_plain(ctx, set, words4(ip->saddr), words4(ip->daddr), TR_IPV4, TR_UDP, *ports);
	return PLAIN_NOT;
}

static __always_inline int enter_plain6(struct xdp_md *ctx, struct cursor c)
{
	struct ipv6hdr *ip = cursor_take(&c, sizeof(*ip) + sizeof(__u32));
	const struct tr_settings *set;
	__u32 *ports, zero = 0, payload;

	if (!ip)
		return PLAIN_NOT;
	ports = (void *)(ip + 1);
	set = bpf_map_lookup_elem(&settings, &zero);
	if (!set || ip->version != 6)
		return PLAIN_NOT;
	payload = bpf_ntohs(ip->payload_len);
	if (payload < sizeof(*ports) || payload + sizeof(*ip) > frame_left(ctx, &c, ip) || is_mapped(words6(&ip->daddr)))
		return PLAIN_NOT;
	if (ip->nexthdr == IPPROTO_TCP)
		return enter_plain(ctx, set, words6(&ip->saddr), words6(&ip->daddr), TR_IPV6, TR_TCP, *ports);
	if (ip->nexthdr == IPPROTO_UDP)
		return enter_plain(ctx, set, words6(&ip->saddr), words6(&ip->daddr), TR_IPV6, TR_UDP, *ports);
	return PLAIN_NOT;
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
	int action = PLAIN_NOT;
	__be16 proto;

	if (!eth)
		return finish(TR_V_TRUNCATED);
	proto = eth->h_proto;
	if (proto == bpf_htons(ETH_P_IP))
		action = enter_plain4(ctx, c);
	else if (proto == bpf_htons(ETH_P_IPV6))
		action = enter_plain6(ctx, c);
	if (action != PLAIN_NOT)
		return action;
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
