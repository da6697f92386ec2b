// SPDX-License-Identifier: GPL-2.0-only
/* UDP's stage: entered by a tail call from the entry, which has left VIP and ring in `scratch`. */
#include "affinity_udp.bpf.h"
#include "stage.bpf.h"

/* Not inlined: its stack and its registers are no burden on the packets that never come here. */
static __noinline __u32 choose_udp(struct xdp_md *ctx, const struct tr_settings *set, const struct handover *service,
				   __u64 hash)
{
	struct tuple tuple = {};

	if (tuple_plain(ctx, &tuple, TR_UDP))
		return NO_WORD;
	return rules_udp(&tuple, set, service, hash, 1);
}

SEC("xdp")
int tr_udp(struct xdp_md *ctx)
{
	__u32 zero = 0, payload, len, number;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	const struct handover *service;
	struct inner inner;
	struct udphdr *udp;

	if (!line || !set)
		return finish(TR_V_INTERNAL);
	service = &line->service;
	udp = stage_parse(ctx, set, TR_UDP, sizeof(*udp), &inner, &payload);
	if (!udp)
		return finish(TR_V_BAD_L4);
	len = bpf_ntohs(udp->len);
	if (len < sizeof(*udp) || len > payload)
		return finish(TR_V_BAD_L4);
	inner.syn = 0;
	number = choose_steady(service, TR_UDP, inner.hash);
	if (number == ASK_TABLE)
		number = choose_udp(ctx, set, service, inner.hash);
	return forward(ctx, set, line, TR_UDP, number, &inner);
}
