// SPDX-License-Identifier: GPL-2.0-only
/* TCP's stage: entered by a tail call from the entry, which has left VIP and ring in `scratch`. */
#include "affinity_tcp.bpf.h"
#include "stage.bpf.h"

/* Not inlined: its stack and its registers are no burden on the packets that never come here. */
static __noinline __u32 choose_tcp(struct xdp_md *ctx, const struct tr_settings *set, const struct handover *service,
				   __u64 hash, __be32 flags)
{
	struct tuple tuple = {};

	if (tuple_plain(ctx, &tuple, TR_TCP))
		return NO_WORD;
	return rules_tcp(&tuple, set, service, hash, tcp_packet(flags), 1);
}

/*
 * The commonest answer of the table, inlined since a call costs as much as the search: mode `changes`, a record in the
 * established tier, and neither a first nor a last packet. ASK_TABLE: it is not so simple.
 */
static __always_inline __u32 choose_recorded(const struct tr_settings *set, const struct handover *service, __u64 hash,
					     __be32 flags)
{
	struct choice c = { .set = set, .pool = service->pool };
	struct flow flow;

	if (service->how & ~TR_HOW_MSS || flags & (TCP_FLAG_SYN | TCP_FLAG_FIN))
		return ASK_TABLE;
	flow = find(&c, TR_TIER_TCP, tr_flow_key(hash), 0);
	if (!flow.record || !flow.serves)
		return ASK_TABLE;
	c.now = clock_tick(set);
	flow_change(&flow, touched(&c, flow.value));
	return record_backend(flow.value);
}

SEC("xdp")
int tr_tcp(struct xdp_md *ctx)
{
	__u32 zero = 0, payload, number;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	const struct handover *service;
	struct inner inner;
	struct tcphdr *tcp;
	__be32 flags;

	if (!line || !set)
		return finish(TR_V_INTERNAL);
	service = &line->service;
	tcp = stage_parse(ctx, set, TR_TCP, sizeof(*tcp), &inner, &payload);
	if (!tcp || tcp->doff * 4 < sizeof(*tcp) || tcp->doff * 4 > payload)
		return finish(TR_V_BAD_L4);
	flags = tcp_flag_word(tcp);
	OPAQUE(flags);		/* else clang keeps the header's address instead, in a register that the hash needs */
	inner.syn = tcp_packet(flags) & PACKET_SYN;
	if (inner.syn && service->how & TR_HOW_MSS) {
		place_plain(&line->place, &inner, TR_TCP, TR_V_FORWARDED);
		bpf_tail_call_static(ctx, &stages, TR_STAGE_ANY);
		return finish(TR_V_STAGE_MISSING);
	}
	number = choose_steady(service, TR_TCP, inner.hash);
	if (number == ASK_TABLE)
		number = choose_recorded(set, service, inner.hash, flags);
	if (number == ASK_TABLE)
		number = choose_tcp(ctx, set, service, inner.hash, flags);
	return forward(ctx, set, line, TR_TCP, number, &inner);
}
