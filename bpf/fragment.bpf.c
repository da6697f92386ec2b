// SPDX-License-Identifier: GPL-2.0-only
/* Later fragments. */
#include "verdict.bpf.h"

SEC("xdp")
int tr_fragment(struct xdp_md *ctx)
{
	return finish(TR_V_INTERNAL);
}
