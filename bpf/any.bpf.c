// SPDX-License-Identifier: GPL-2.0-only
/* TCP and UDP that are not plain. */
#include "verdict.bpf.h"

SEC("xdp")
int tr_any(struct xdp_md *ctx)
{
	return finish(TR_V_INTERNAL);
}
