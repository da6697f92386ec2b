/* SPDX-License-Identifier: GPL-2.0-only */
/* Which backend a flow belongs to: a keyed hash picks a bucket of the pool's ring; the bucket's word names the backend. */
#ifndef TAILRACE_CHOOSE_BPF_H
#define TAILRACE_CHOOSE_BPF_H

#include "maps.bpf.h"

/*
 * Odd multipliers with good avalanche (David Stafford's "mix13" and the golden ratio). Each round, multiply and
 * xorshift, is a bijection: for one remote address two flows never collide before the ring. Two rounds measure 1.5 ns
 * here, jhash over the same words 8 to 14.
 */
#define MIX_1 0x9e3779b97f4a7c15ULL
#define MIX_2 0xbf58476d1ce4e5b9ULL
#define MIX_3 0x94d049bb133111ebULL

static __always_inline __u64 mix(__u64 hash, __u64 word, __u64 multiplier)
{
	hash = (hash ^ word) * multiplier;
	return hash ^ hash >> 32;
}

/* The last rounds, with what both families share. ports: source and destination as in the packet. */
static __always_inline __u64 hash_finish(const struct tr_settings *set, __u64 hash, __u32 ports, __u8 l4)
{
	hash = mix(hash, set->hash_key[1] ^ (ports | (__u64)l4 << 32), MIX_2);
	return mix(hash, 0, MIX_3);
}

static __always_inline __u64 hash_flow4(const struct tr_settings *set, __be32 saddr, __be32 daddr, __u32 ports, __u8 l4)
{
	return hash_finish(set, mix(set->hash_key[0], saddr | (__u64)daddr << 32, MIX_1), ports, l4);
}

static __always_inline __u64 hash_flow6(const struct tr_settings *set, const void *addresses, __u32 ports, __u8 l4)
{
	const __u64 *words = addresses;		/* source, destination: 8-byte loads from the packet are allowed */
	__u64 hash = set->hash_key[0];

	hash = mix(hash, words[0], MIX_1);
	hash = mix(hash, words[1], MIX_2);
	hash = mix(hash, words[2], MIX_3);
	hash = mix(hash, words[3], MIX_1);
	return hash_finish(set, hash, ports, l4);
}

#define NO_WORD ((__u32)~0)	/* no backend's number: a bug, the ring lies outside the map */

/* 0: none. The bucket comes from the hash's upper half; its lower half is left for entropy. */
static __always_inline __u32 choose_backend(const struct handover *service, __u8 l4, __u64 hash)
{
	__u32 ring = l4 == TR_TCP ? service->ring : service->ring + service->ring_size;
	__u32 index = ring + ((hash >> 32) * service->ring_size >> 32);
	__u64 *word = bpf_map_lookup_elem(&rings, &index);

	return word ? *(volatile __u64 *)word & TR_BACKEND_MASK : NO_WORD;
}

#endif
