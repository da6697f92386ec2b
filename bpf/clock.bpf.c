// SPDX-License-Identifier: GPL-2.0-only
/* Not a packet's program: the controller runs it by BPF_PROG_TEST_RUN to read the clock that records are written by. */
#include "clock.bpf.h"
#include "maps.bpf.h"

const volatile __u32 tick_shift = 4;
const volatile __u32 test_clock = 0;

SEC("xdp")
int tr_clock(struct xdp_md *ctx)
{
	__u32 zero = 0;
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);

	return set ? clock_tick(set) : 0;
}
