// SPDX-License-Identifier: GPL-2.0-only
/* UDP's stage: entered by a tail call from the entry, which has left VIP and ring in `scratch`. */
#include "stage.bpf.h"

SEC("xdp")
int tr_udp(struct xdp_md *ctx)
{
	__u32 zero = 0, payload, len;
	const struct handover *service = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct inner inner;
	struct udphdr *udp;

	if (!service || !set)
		return finish(TR_V_INTERNAL);
	udp = stage_parse(ctx, set, TR_UDP, sizeof(*udp), &inner, &payload);
	if (!udp)
		return finish(TR_V_BAD_L4);
	len = bpf_ntohs(udp->len);
	if (len < sizeof(*udp) || len > payload)
		return finish(TR_V_BAD_L4);
	inner.syn = 0;
	return forward(ctx, set, service->vip, choose_backend(service, TR_UDP, inner.hash), &inner);
}
