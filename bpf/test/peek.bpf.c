// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice without writes, for tests: programs to be put in the place of a stage, on that stage's maps. What they return is the
 * backend's number.
 */
#include "../maps.bpf.c"

#include "affinity_tcp.bpf.h"
#include "affinity_udp.bpf.h"

const volatile __u32 tick_shift = 4;
const volatile __u32 test_clock = 1;

static __always_inline __u64 flow_hash(struct xdp_md *ctx, const struct tr_settings *set, __u8 l4)
{
	return packet_key(ctx, set->hash_key, TR_MODE_CHANGES, l4);
}

SEC("xdp")
int peek_tcp(struct xdp_md *ctx)
{
	__u32 zero = 0, number;
	const struct handover *service = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	__u64 hash;

	if (!service || !set)
		return NO_WORD;
	hash = flow_hash(ctx, set, TR_TCP);
	number = choose_steady(service, TR_TCP, hash);
	return number == ASK_TABLE ? rules_tcp(ctx, set, service, hash, 0, 0) : number;
}

SEC("xdp")
int peek_udp(struct xdp_md *ctx)
{
	__u32 zero = 0, number;
	const struct handover *service = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	__u64 hash;

	if (!service || !set)
		return NO_WORD;
	hash = flow_hash(ctx, set, TR_UDP);
	number = choose_steady(service, TR_UDP, hash);
	return number == ASK_TABLE ? rules_udp(ctx, set, service, hash, 0) : number;
}
