// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP and UDP that are not plain: behind tags, options or extension headers, first fragments, SYNs whose MSS is to be clamped. The entry
 * has filled `place`; service.vip 0: a first fragment that no service has, which is remembered for the rest of its packet.
 */
#include "choose_odd.bpf.h"
#include "fragments.bpf.h"
#include "send.bpf.h"
#include "tuple.bpf.h"

/* 0, or the verdict. */
static __always_inline __u32 check_tcp(struct xdp_md *ctx, const struct place *p, __be32 *ret_flags)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = p->l4, cut = p->flags & PLACE_FIRST ? TR_V_TINY_FRAGMENT : TR_V_BAD_L4;
	struct tcphdr *tcp;

	if (at > HEADER_AT_MAX)
		return TR_V_INTERNAL;
	tcp = data + at;
	if ((void *)(tcp + 1) > end || p->l4_len < sizeof(*tcp))
		return cut;
	if (tcp->doff * 4 < sizeof(*tcp))
		return TR_V_BAD_L4;
	if (tcp->doff * 4 > p->l4_len)
		return cut;
	*ret_flags = tcp_flag_word(tcp);
	return 0;
}

static __always_inline __u32 check_udp(struct xdp_md *ctx, const struct place *p)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = p->l4, len;
	struct udphdr *udp;

	if (at > HEADER_AT_MAX)
		return TR_V_INTERNAL;
	udp = data + at;
	if ((void *)(udp + 1) > end || p->l4_len < sizeof(*udp))
		return p->flags & PLACE_FIRST ? TR_V_TINY_FRAGMENT : TR_V_BAD_L4;
	len = bpf_ntohs(udp->len);
	return len < sizeof(*udp) || (len > p->l4_len && !(p->flags & PLACE_FIRST)) ? TR_V_BAD_L4 : 0;
}

SEC("xdp")
int tr_any(struct xdp_md *ctx)
{
	__u32 zero = 0, verdict, number;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct tuple tuple = {};
	struct sending *s;
	struct place *p;
	__be32 flags = 0;

	if (!line || !set)
		return finish(TR_V_INTERNAL);
	p = &line->place;
	s = &line->sending;
	tuple.l4 = p->l4_kind;
	if (tuple_addresses(ctx, p->family, p->l3, &tuple) || tuple_ports(ctx, p->l4, &tuple))
		return finish(TR_V_INTERNAL);
	if (!line->service.vip) {
		fragment_remember(set, fragment_key(set, &tuple, p->fragment_id), 0, 0);
		return finish(TR_V_NO_SERVICE);
	}
	verdict = tuple.l4 == TR_TCP ? check_tcp(ctx, p, &flags) : check_udp(ctx, p);
	if (verdict)
		return finish(verdict);
	s->syn = tuple.l4 == TR_TCP && tcp_packet(flags) & PACKET_SYN;
	s->hash = tuple_hash(&tuple, set->hash_key, tuple.ports);
	s->vip = line->service.vip;
	s->len = p->l4 - p->l3 + p->l4_len;
	number = choose_steady(&line->service, tuple.l4, s->hash);
	if (number == ASK_TABLE)
		number = choose_writing(&tuple, &line->service, s->hash, tuple.l4 == TR_TCP ? tcp_packet(flags) : 0);
	s->number = number;
	if (p->flags & PLACE_FIRST && number && number <= TR_BACKEND_MASK)
		fragment_remember(set, fragment_key(set, &tuple, p->fragment_id), number, s->vip);
	if (s->syn && line->service.how & TR_HOW_MSS)
		p->flags |= PLACE_CLAMP;
	return send(ctx, set, line, 1);
}
