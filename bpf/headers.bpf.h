/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a packet is that is not plain: options, extension headers, fragments, ICMP, all that behind VLAN tags or not. Finds where the
 * transport header stands and leaves it in a struct place. docs/packets.md, sections 3, 4 and 7. Reads only.
 */
#ifndef TAILRACE_HEADERS_BPF_H
#define TAILRACE_HEADERS_BPF_H

#include "chain.bpf.h"
#include "icmp.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

#define IP_BYTES_MAX 65535
#define TCP_MIN 20

/* A shape in one word, so that functions that are not inlined can return it. */
static __always_inline __u64 shape_pack(__u32 verdict, __u8 l4, __be16 port, __u8 zero_port)
{
	return verdict | (__u64)l4 << 16 | (__u64)zero_port << 24 | (__u64)port << 32;
}

static __always_inline struct shape shape_unpack(__u64 packed)
{
	return (struct shape){ .verdict = (__u16)packed, .l4 = packed >> 16, .zero_port = packed >> 24,
			       .port = packed >> 32, .odd = 1 };
}

/* place->l4 and l4_len are right. */
static __always_inline __u64 shape_ports(struct xdp_md *ctx, const struct place *p, __u8 l4)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = p->l4;
	__be16 *ports;

	if (at > HEADER_AT_MAX)
		return TR_V_INTERNAL;
	ports = data + at;
	if ((void *)ports + 4 > end || p->l4_len < 4)
		return p->flags & PLACE_FIRST ? TR_V_TINY_FRAGMENT : TR_V_BAD_L4;
	return shape_pack(SHAPE_SERVICE, l4, ports[1], !ports[0] || !ports[1]);
}

static __always_inline int is_icmp4_error(__u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

static __always_inline __u64 shape_icmp(struct xdp_md *ctx, const struct place *p, int plain)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = p->l4;
	__u8 *type;

	if (at > HEADER_AT_MAX)
		return TR_V_INTERNAL;
	type = data + at;
	if ((void *)type + ICMP_MIN > end || p->l4_len < ICMP_MIN)
		return TR_V_BAD_ICMP;
	if (*type == (p->family == TR_IPV4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST))
		return plain ? SHAPE_ECHO : TR_V_ICMP;
	if (p->family == TR_IPV4)
		return is_icmp4_error(*type) ? SHAPE_ERROR : TR_V_ICMP;
	return *type >= ICMPV6_DEST_UNREACH && *type <= ICMPV6_PARAMPROB ? SHAPE_ERROR : TR_V_ICMP;
}

struct fragment_facts {
	__u32 offset, data, before;	/* bytes; before: headers that are not part of what is put together */
	__u8 more;
};

static __always_inline int is_bad_fragment(const struct fragment_facts *f)
{
	return !f->data || (f->more && f->data & 7) || f->before + f->offset + f->data > IP_BYTES_MAX;
}

/* next: of the fragment header, or IPv4's protocol. */
static __always_inline __u64 shape_later(struct place *p, __u8 next, __u32 offset)
{
	p->flags = PLACE_LATER | PLACE_QUIET;
	p->verdict = TR_V_FRAGMENT;
	if (next == (p->family == TR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return TR_V_ICMP;
	if (next == IPPROTO_TCP && offset < TCP_MIN)
		return TR_V_TINY_FRAGMENT;
	if (p->family == TR_IPV6 && is_gone_through(next) && next != IPPROTO_HOPOPTS)
		p->flags |= PLACE_UNKNOWN;
	else if (next != IPPROTO_TCP && next != IPPROTO_UDP)
		return TR_V_NO_SERVICE;
	p->l4_kind = next == IPPROTO_UDP ? TR_UDP : TR_TCP;
	return shape_pack(SHAPE_LATER, p->l4_kind, 0, 0);
}

/* What stands at place->l4: ICMP, ports, or what no service has. */
static __always_inline __u64 shape_end(struct xdp_md *ctx, struct place *p, __u8 next, int plain)
{
	if (next == (p->family == TR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return p->flags & PLACE_FIRST ? TR_V_ICMP : shape_icmp(ctx, p, plain);
	if (next != IPPROTO_TCP && next != IPPROTO_UDP)
		return TR_V_NO_SERVICE;
	p->l4_kind = next == IPPROTO_UDP ? TR_UDP : TR_TCP;
	return shape_ports(ctx, p, p->l4_kind);
}

static __always_inline __u8 sent_verdict(const struct place *p, int has_more, __u8 more_verdict)
{
	if (p->flags & PLACE_FIRST)
		return TR_V_FRAGMENT;
	if (has_more)
		return more_verdict;
	return p->l3 > ETH_HLEN ? TR_V_VLAN : TR_V_FORWARDED;
}

/* l3: offset of the IP header, whose fixed part is there. */
WALKED_ONCE __u64 shape_odd4(struct xdp_md *ctx, struct place *p, __u32 l3)
{
	struct cursor c = cursor_new(ctx);
	struct fragment_facts f;
	__u32 header, total;
	struct iphdr *ip;

	if (!p || !cursor_take(&c, l3 & 0x1f))
		return TR_V_INTERNAL;
	ip = cursor_take(&c, sizeof(*ip));
	if (!ip)
		return TR_V_INTERNAL;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || total < header || total > frame_left(ctx, &c, ip))
		return TR_V_BAD_IP;
	p->family = TR_IPV4;
	p->flags = 0;
	p->l3 = l3;
	p->l4 = l3 + header;
	p->l4_len = total - header;
	p->fragment_id = ip->id | (__u32)ip->protocol << 16;
	if (ip->frag_off & bpf_htons(IPV4_MF_OFFSET)) {
		f = (struct fragment_facts){ (bpf_ntohs(ip->frag_off) & 0x1fff) * 8, total - header, header,
					     !!(ip->frag_off & bpf_htons(0x2000)) };
		if (is_bad_fragment(&f))
			return TR_V_BAD_FRAGMENT;
		if (f.offset)
			return shape_later(p, ip->protocol, f.offset);
		p->flags = PLACE_FIRST;
	}
	p->verdict = sent_verdict(p, header > sizeof(*ip), TR_V_IP_OPTIONS);
	return shape_end(ctx, p, ip->protocol, header == sizeof(*ip));
}

static __always_inline __u64 shape_chain6(struct xdp_md *ctx, struct place *p, const struct chain *c, int end)
{
	const struct fragment_facts f = { c->offset, c->end - c->start - c->before - 8, c->before, c->more };

	if (end == CHAIN_DEEP)
		return TR_V_EXT_DEPTH;
	if (end == CHAIN_BAD || (end == CHAIN_CUT && !c->fragment))
		return TR_V_BAD_EXT;
	if (end == CHAIN_ROUTED)
		return TR_V_ROUTING_HEADER;
	if (c->fragment && is_bad_fragment(&f))
		return TR_V_BAD_FRAGMENT;
	if (end == CHAIN_CUT)
		return TR_V_TINY_FRAGMENT;
	if (c->fragment == CHAIN_LATER)
		return shape_later(p, c->next, c->offset);
	p->flags = c->fragment ? PLACE_FIRST : 0;
	p->verdict = sent_verdict(p, c->at > c->start, TR_V_EXT_HEADER);
	return shape_end(ctx, p, c->next, c->at == c->start);
}

WALKED_ONCE __u64 shape_odd6(struct xdp_md *ctx, struct place *p, __u32 l3)
{
	struct cursor c = cursor_new(ctx);
	struct chain chain = {};
	struct ipv6hdr *ip;
	__u32 payload;
	int end;

	if (!p || !cursor_take(&c, l3 & 0x1f))
		return TR_V_INTERNAL;
	ip = cursor_take(&c, sizeof(*ip));
	if (!ip)
		return TR_V_INTERNAL;
	payload = bpf_ntohs(ip->payload_len);
	if (ip->version != 6 || payload + sizeof(*ip) > frame_left(ctx, &c, ip))
		return TR_V_BAD_IP;
	chain.at = chain.start = l3 + sizeof(*ip);
	chain.end = chain.start + payload;
	chain.next = ip->nexthdr;
	end = chain_walk(ctx, &chain);
	p->family = TR_IPV6;
	p->flags = 0;
	p->l3 = l3;
	p->l4 = chain.at;
	p->l4_len = chain.end - chain.at;
	p->fragment_id = chain.id;
	return shape_chain6(ctx, p, &chain, end);
}

#endif
