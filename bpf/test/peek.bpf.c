// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice without writes, for tests: programs to be put in the place of a stage, on that stage's maps. What they return is the
 * backend's number.
 */
#include "../maps.bpf.c"

#include "affinity_tcp.bpf.h"
#include "affinity_udp.bpf.h"
#include "stage.bpf.h"

const volatile __u32 tick_shift = 4;
const volatile __u32 test_clock = 1;
const volatile __u32 several_devices;
const volatile __u32 xdp_has_frags;

static __always_inline __u32 peek(struct xdp_md *ctx, __u8 l4)
{
	__u32 zero = 0, number;
	const struct handover *service = bpf_map_lookup_elem(&scratch, &zero);
	struct tuple tuple = {};
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	__u64 hash;

	if (!service || !set || tuple_plain(ctx, &tuple, l4))
		return NO_WORD;
	hash = tuple_hash(&tuple, set->hash_key, tuple.ports);
	number = choose_steady(service, l4, hash);
	if (number != ASK_TABLE)
		return number;
	return l4 == TR_TCP ? rules_tcp(&tuple, set, service, hash, 0, 0) :
			      rules_udp(&tuple, set, service, hash, 0);
}

SEC("xdp")
int peek_tcp(struct xdp_md *ctx)
{
	return peek(ctx, TR_TCP);
}

SEC("xdp")
int peek_udp(struct xdp_md *ctx)
{
	return peek(ctx, TR_UDP);
}
