/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was decided for the first fragment of a packet, for the rest of it. One set of four records for a key; keys and values are
 * written as in flow.bpf.h: a reader finds a whole record or none.
 */
#ifndef TAILRACE_FRAGMENTS_BPF_H
#define TAILRACE_FRAGMENTS_BPF_H

#include "flow.bpf.h"
#include "hash.bpf.h"

#define FRAGMENT_L4 0x80	/* in the place of a protocol: no flow hashes to a fragment's key */

extern const volatile __u32 fragment_sets;	/* of the map, a number that the controller sets */

/* id: place.fragment_id. */
static __always_inline __u64 fragment_key(const struct tr_settings *set, const struct tuple *t, __u32 id)
{
	struct tuple of_packet = *t;

	of_packet.l4 = FRAGMENT_L4;
	return tr_flow_key(tuple_hash(&of_packet, set->hash_key, id));
}

static __always_inline struct tr_flow_set *fragment_set(__u64 key)
{
	__u32 index = (key >> 32) * fragment_sets >> 32;

	return bpf_map_lookup_elem(&fragments, &index);
}

static __always_inline int fragment_is_young(__u64 value, __u32 now)
{
	return tr_record_age(value, now) < TR_FRAGMENT_TICKS;
}

/* The value of a record that counts, or 0. */
static __always_inline __u64 fragment_find(__u64 key, __u32 now)
{
	struct tr_flow_set *line = fragment_set(key);
	__u32 slot = line ? slot_of(line, key) : NO_SLOT, generation = 0, number;
	__u64 value;

	if (!line || slot >= TR_SET_SLOTS)
		return 0;
	value = *(volatile __u64 *)&line->slots[slot].value;
	if (!value || *(const volatile __u64 *)&line->slots[slot].key != key || !fragment_is_young(value, now))
		return 0;
	number = value & TR_BACKEND_MASK;
	if (!number)
		return value;
	backend_serves(number, &generation);
	return (value >> TR_FRAGMENT_GENERATION_SHIFT & TR_RECORD_GENERATION_MASK) ==
	       (generation & TR_RECORD_GENERATION_MASK) ? value : 0;
}

static __always_inline __u32 fragment_vip(__u64 value)
{
	return value >> TR_FRAGMENT_VIP_SHIFT & TR_FRAGMENT_VIP_MASK;
}

/* number 0 and vip 0: the packet is the host's. */
static __always_inline void fragment_remember(const struct tr_settings *set, __u64 key, __u32 number, __u32 vip)
{
	struct tr_flow_set *line = fragment_set(key);
	__u32 now = clock_tick(set), generation = 0;
	__u64 value;

	if (!line)
		return;
	if (number)
		backend_serves(number, &generation);
	value = number | (__u64)vip << TR_FRAGMENT_VIP_SHIFT |
		(__u64)(generation & TR_RECORD_GENERATION_MASK) << TR_FRAGMENT_GENERATION_SHIFT |
		(__u64)(now & TR_RECORD_TICK_MASK) << TR_FRAGMENT_TICK_SHIFT;
	if (!value)
		value = 1ULL << TR_FRAGMENT_GENERATION_SHIFT;	/* 0 would be no record */
	if (!write_over(line, key, value) && !take_free(line, key, value))
		push_out(line, line, key, value);
}

#endif
