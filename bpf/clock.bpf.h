/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock of flow records, in ticks (tailrace.h). Jiffies cost nothing to read; any other clock 17 ns and more. */
#ifndef TAILRACE_CLOCK_BPF_H
#define TAILRACE_CLOCK_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tailrace.h"

extern const volatile __u32 tick_shift;	/* jiffies to ticks; the controller sets it */
extern const volatile __u32 test_clock;	/* 1: tests set the time, in tr_settings.tick */

static __always_inline __u32 clock_tick(const struct tr_settings *set)
{
	return test_clock ? set->tick : bpf_jiffies64() >> tick_shift;
}

#endif
