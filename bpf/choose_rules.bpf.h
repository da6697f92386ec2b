/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The choice of a backend by the tuple of a flow, where the bucket's word alone does not decide. With writes for packets of a flow; without
 * for those that are only about one, or are a later part of one.
 */
#ifndef TAILRACE_CHOOSE_RULES_BPF_H
#define TAILRACE_CHOOSE_RULES_BPF_H

#include "affinity_tcp.bpf.h"
#include "affinity_udp.bpf.h"

/* packet: PACKET_* of TCP. */
WALKED_ONCE __u32 write_tcp(const struct tuple *t, const struct handover *service, __u64 hash, __u32 packet)
{
	__u32 zero = 0;
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);

	return set && t && service ? rules_tcp(t, set, service, hash, packet, 1) : NO_WORD;
}

WALKED_ONCE __u32 write_udp(const struct tuple *t, const struct handover *service, __u64 hash)
{
	__u32 zero = 0;
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);

	return set && t && service ? rules_udp(t, set, service, hash, 1) : NO_WORD;
}

WALKED_ONCE __u32 choose_reading(const struct tuple *t, const struct handover *service, __u64 hash)
{
	__u32 zero = 0;
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);

	if (!set || !t || !service)
		return NO_WORD;
	return t->l4 == TR_TCP ? rules_tcp(t, set, service, hash, 0, 0) : rules_udp(t, set, service, hash, 0);
}

#endif
