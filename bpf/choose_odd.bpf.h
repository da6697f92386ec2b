/* SPDX-License-Identifier: GPL-2.0-only */
/* The choice of a backend for what is not plain: by the tuple of a flow, with or without writes. */
#ifndef TAILRACE_CHOOSE_ODD_BPF_H
#define TAILRACE_CHOOSE_ODD_BPF_H

#include "affinity_tcp.bpf.h"
#include "affinity_udp.bpf.h"

static __always_inline __u32 choose_odd(const struct tuple *t, const struct handover *service, __u64 hash, __u32 packet,
					const int write)
{
	__u32 zero = 0;
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);

	if (!set || !t || !service)
		return NO_WORD;
	return t->l4 == TR_TCP ? rules_tcp(t, set, service, hash, packet, write) : rules_udp(t, set, service, hash, write);
}

/* packet: PACKET_* of TCP. */
WALKED_ONCE __u32 choose_writing(const struct tuple *t, const struct handover *service, __u64 hash, __u32 packet)
{
	return choose_odd(t, service, hash, packet, 1);
}

/* For packets that are only about a flow, or a later part of one: nothing is recorded or changed. */
WALKED_ONCE __u32 choose_reading(const struct tuple *t, const struct handover *service, __u64 hash)
{
	return choose_odd(t, service, hash, 0, 0);
}

#endif
