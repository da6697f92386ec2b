// SPDX-License-Identifier: GPL-2.0-only
/* What does not fit. */
#include "verdict.bpf.h"

SEC("xdp")
int tr_too_big(struct xdp_md *ctx)
{
	return finish(TR_V_INTERNAL);
}
