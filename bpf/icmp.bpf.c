// SPDX-License-Identifier: GPL-2.0-only
/* ICMP. */
#include "verdict.bpf.h"

SEC("xdp")
int tr_icmp(struct xdp_md *ctx)
{
	return finish(TR_V_INTERNAL);
}
