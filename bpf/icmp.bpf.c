// SPDX-License-Identifier: GPL-2.0-only
/*
 * ICMP to a VIP's address: echo requests are answered, errors go to the backend of the flow that they are about. The entry has filled
 * `place`; service.vip says whether the address answers. docs/packets.md, section 7.
 */
#include "chain.bpf.h"
#include "choose_odd.bpf.h"
#include "csum.bpf.h"
#include "icmp.bpf.h"
#include "lookup.bpf.h"
#include "send.bpf.h"
#include "source.bpf.h"
#include "tokens.bpf.h"
#include "tuple.bpf.h"

#define ANSWER_TTL 64

static __always_inline int echo4(struct xdp_md *ctx, void *data, void *end, __u32 l3, const struct tr_settings *set)
{
	struct iphdr *ip = data + l3;
	struct icmp *icmp = (void *)(ip + 1);
	__be32 client;

	if ((void *)(icmp + 1) > end)
		return finish(TR_V_INTERNAL);
	client = ip->saddr;
	if (!may_answer(set, 0, 0, client))
		return finish(TR_V_ECHO_LIMITED);
	swap_macs(data);
	ip->saddr = ip->daddr;
	ip->daddr = client;
	ip->check = csum_replace(ip->check, ip->ttl | (__u16)ip->protocol << 8, ANSWER_TTL | (__u16)ip->protocol << 8);
	ip->ttl = ANSWER_TTL;
	icmp->check = csum_replace(icmp->check, ICMP_ECHO, ICMP_ECHOREPLY);
	icmp->type = ICMP_ECHOREPLY;
	return finish(TR_V_ECHO);
}

static __always_inline int echo6(struct xdp_md *ctx, void *data, void *end, __u32 l3, const struct tr_settings *set)
{
	struct ipv6hdr *ip = data + l3;
	struct icmp *icmp = (void *)(ip + 1);
	__u64 *words = (__u64 *)&ip->saddr, client[2];

	if ((void *)(icmp + 1) > end)
		return finish(TR_V_INTERNAL);
	client[0] = words[0];
	client[1] = words[1];
	if (!may_answer(set, 0, client[0], client[1]))
		return finish(TR_V_ECHO_LIMITED);
	swap_macs(data);
	words[0] = words[2];
	words[1] = words[3];
	words[2] = client[0];
	words[3] = client[1];
	ip->hop_limit = ANSWER_TTL;
	icmp->check = csum_replace(icmp->check, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY);
	icmp->type = ICMPV6_ECHO_REPLY;
	return finish(TR_V_ECHO);
}

static __always_inline int answer_echo(struct xdp_md *ctx, const struct scratch *line, const struct tr_settings *set)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 l3 = line->place.l3 & 0x1f;

	if (!line->service.vip)
		return finish(TR_V_ECHO_OFF);
	if (data + ETH_HLEN > end)
		return finish(TR_V_INTERNAL);
	return line->place.family == TR_IPV4 ? echo4(ctx, data, end, l3, set) : echo6(ctx, data, end, l3, set);
}

/* The flow that an error is about, turned round: from the client to the VIP. A verdict, or 0. */
WALKED_ONCE __u32 quoted_ipv4(struct xdp_md *ctx, const struct place *p, struct tuple *t)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at, left, header, total;
	struct iphdr *ip, *about;
	__u32 *ports;

	if (!p || !t)
		return TR_V_INTERNAL;
	at = p->l4 + ICMP_MIN;
	left = p->l4_len - ICMP_MIN;
	about = data + (p->l3 & 0x1f);
	if (at > HEADER_AT_MAX || (void *)(about + 1) > end)
		return TR_V_INTERNAL;
	ip = data + at;
	if ((void *)(ip + 1) > end || left < sizeof(*ip) || ip->version != 4)
		return TR_V_BAD_ICMP;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	ports = (void *)ip + header;
	if (header < sizeof(*ip) || header + 8 > left || header + 8 > total || (void *)(ports + 2) > end)
		return TR_V_BAD_ICMP;
	if (ip->saddr != about->daddr)
		return TR_V_BAD_ICMP;
	t->family = TR_IPV4;
	t->words[0] = ip->daddr;
	t->words[2] = ip->saddr;
	if (is_martian((struct addr_words){ 0, (__u64)ip->daddr << 32 }, TR_IPV4))
		return TR_V_BAD_ICMP;
	if (ip->frag_off & bpf_htons(0x1fff) || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return TR_V_ICMP_NO_FLOW;
	t->l4 = ip->protocol == IPPROTO_TCP ? TR_TCP : TR_UDP;
	t->ports = ports[0] >> 16 | ports[0] << 16;
	return 0;
}

WALKED_ONCE __u32 quoted_ipv6(struct xdp_md *ctx, const struct place *p, struct tuple *t)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip, *about;
	struct chain chain = {};
	__u32 at, left, payload;
	__u64 *from, *to;
	int how, lies;

	if (!p || !t)
		return TR_V_INTERNAL;
	at = p->l4 + ICMP_MIN;
	left = p->l4_len - ICMP_MIN;
	about = data + (p->l3 & 0x1f);
	if (at > HEADER_AT_MAX || (void *)(about + 1) > end)
		return TR_V_INTERNAL;
	ip = data + at;
	if ((void *)(ip + 1) > end || left < sizeof(*ip) || ip->version != 6)
		return TR_V_BAD_ICMP;
	payload = bpf_ntohs(ip->payload_len);
	left -= sizeof(*ip);
	chain.at = chain.start = at + sizeof(*ip);
	chain.end = chain.start + (payload < left ? payload : left);
	chain.next = ip->nexthdr;
	from = (__u64 *)&ip->saddr;
	to = (__u64 *)&about->daddr;
	t->family = TR_IPV6;
	t->words[0] = from[2];
	t->words[1] = from[3];
	t->words[2] = from[0];
	t->words[3] = from[1];
	lies = from[0] != to[0] || from[1] != to[1] || is_martian((struct addr_words){ from[2], from[3] }, TR_IPV6);
	how = chain_walk(ctx, &chain);
	if (how != CHAIN_WHOLE && how != CHAIN_ROUTED)
		return TR_V_BAD_ICMP;
	if (lies || (how == CHAIN_WHOLE && chain.at + 8 > chain.end))
		return TR_V_BAD_ICMP;
	if (how == CHAIN_ROUTED || chain.fragment == CHAIN_LATER ||
	    (chain.next != IPPROTO_TCP && chain.next != IPPROTO_UDP))
		return TR_V_ICMP_NO_FLOW;
	t->l4 = chain.next == IPPROTO_TCP ? TR_TCP : TR_UDP;
	if (tuple_ports(ctx, chain.at, t))
		return TR_V_BAD_ICMP;
	t->ports = t->ports >> 16 | t->ports << 16;
	return 0;
}

/* The service of the flow's VIP end, into *ret; ret->vip 0: none. -1: a bug. */
static __always_inline int find_flow_service(const struct tuple *t, struct handover *ret)
{
	struct tr_addr addr = { { 0, 0, bpf_htonl(0xffff), t->words[2] } };
	struct tr_service_key key = { .port = t->ports >> 16, .l4 = t->l4 };
	struct found found = {};
	__u32 *exact;

	if (t->family == TR_IPV6)
		__builtin_memcpy(&addr, &t->words[2], sizeof(addr));
	if (find_address(&addr, &found))
		return -1;
	*ret = t->l4 == TR_TCP ? found.service[TR_TCP] : found.service[TR_UDP];
	if (!(t->l4 == TR_TCP ? found.address.has_exact[TR_TCP] : found.address.has_exact[TR_UDP]))
		return 0;
	key.address = found.address.id;
	exact = bpf_map_lookup_elem(&services, &key);
	return exact ? find_vip(*exact, ret) : 0;
}

static __always_inline int forward_error(struct xdp_md *ctx, struct scratch *line, const struct tr_settings *set)
{
	struct sending *s = &line->sending;
	struct place *p = &line->place;
	struct handover *service = &line->service;
	struct tuple tuple = {};
	__u32 verdict = p->family == TR_IPV4 ? quoted_ipv4(ctx, p, &tuple) : quoted_ipv6(ctx, p, &tuple);

	if (!verdict && (!(tuple.ports & 0xffff) || !(tuple.ports >> 16)))
		verdict = TR_V_BAD_ICMP;
	if (verdict)
		return finish(verdict);
	if (find_flow_service(&tuple, service))
		return finish(TR_V_INTERNAL);
	if (!service->vip)
		return finish(TR_V_ICMP_NO_FLOW);
	p->flags |= PLACE_QUIET;
	s->syn = 0;
	s->vip = service->vip;
	s->len = p->l4 - p->l3 + p->l4_len;
	s->hash = tuple_hash(&tuple, set->hash_key, tuple.ports);
	s->number = choose_steady(service, tuple.l4, s->hash);
	if (s->number == ASK_TABLE)
		s->number = choose_reading(&tuple, service, s->hash);
	return send(ctx, set, line, 0);
}

SEC("xdp")
int tr_icmp(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);

	if (!line || !set)
		return finish(TR_V_INTERNAL);
	return line->place.verdict == TR_V_ECHO ? answer_echo(ctx, line, set) : forward_error(ctx, line, set);
}
