// SPDX-License-Identifier: GPL-2.0-only
/* Forwarding behind VLAN tags. */
#include "verdict.bpf.h"

SEC("xdp")
int tr_send(struct xdp_md *ctx)
{
	return finish(TR_V_INTERNAL);
}
