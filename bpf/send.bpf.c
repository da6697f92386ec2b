// SPDX-License-Identifier: GPL-2.0-only
/* Where plain packets go whose next hop lies behind VLAN tags: their backend is chosen, place and sending are filled. */
#include "send.bpf.h"

SEC("xdp")
int tr_send(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);

	return line && set ? send(ctx, set, line, 0) : finish(TR_V_INTERNAL);
}
