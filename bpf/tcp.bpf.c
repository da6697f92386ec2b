// SPDX-License-Identifier: GPL-2.0-only
/* TCP's stage: entered by a tail call from the entry, which has left VIP and ring in `scratch`. */
#include "stage.bpf.h"

SEC("xdp")
int tr_tcp(struct xdp_md *ctx)
{
	__u32 zero = 0, payload;
	const struct handover *service = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct inner inner;
	struct tcphdr *tcp;

	if (!service || !set)
		return finish(TR_V_INTERNAL);
	tcp = stage_parse(ctx, set, TR_TCP, sizeof(*tcp), &inner, &payload);
	if (!tcp || tcp->doff * 4 < sizeof(*tcp) || tcp->doff * 4 > payload)
		return finish(TR_V_BAD_L4);
	inner.syn = tcp->syn && !tcp->ack;
	return forward(ctx, set, service->vip, choose_backend(service, TR_TCP, inner.hash), &inner);
}
