/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of every packet: one verdict, counted once, and the XDP action that belongs to it. */
#ifndef TAILRACE_VERDICT_BPF_H
#define TAILRACE_VERDICT_BPF_H

#include "maps.bpf.h"

static __always_inline int verdict_action(enum tr_verdict verdict)
{
	switch (verdict) {
#define X(NAME, name, action, help)     \
	case TR_V_##NAME:               \
		return XDP_##action;
		TR_VERDICTS(X)
#undef X
	default:
		return XDP_ABORTED;
	}
}

static __always_inline int finish(enum tr_verdict verdict)
{
	__u32 key = verdict;
	__u64 *packets = bpf_map_lookup_elem(&verdicts, &key);

	if (packets)
		(*packets)++;
	return verdict_action(verdict);
}

#endif
