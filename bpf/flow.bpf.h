/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of flow records: find, insert, change, delete; tailrace.h has the layout and who writes what in which order. Several
 * CPUs and the controller write at once. What one of them overtakes is given up: the next packet of the flow tries again.
 */
#ifndef TAILRACE_FLOW_BPF_H
#define TAILRACE_FLOW_BPF_H

#include "flow_table.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

#define NO_SLOT TR_SET_SLOTS

/* A record in use, with its value when it was read. */
struct flow {
	struct tr_record *record;	/* NULL: none */
	__u64 value;
	__u32 tier;
	__u32 serves;			/* its backend's */
	__u32 is_other;			/* its backend's number has come to mean another backend */
};

static __always_inline __u32 record_backend(__u64 value)
{
	return value & TR_BACKEND_MASK;
}

/* enum tr_serves; a number that is no backend's: none. *ret_generation may be NULL. */
static __always_inline __u32 backend_serves(__u32 number, __u32 *ret_generation)
{
	const struct tr_backend *backend = bpf_map_lookup_elem(&backends, &number);

	if (!backend || !number)
		return TR_SERVES_NONE;
	if (ret_generation)
		*ret_generation = backend->generation;
	return backend->serves;
}

static __always_inline struct tr_flow_set *flow_set(const struct tr_settings *set, __u32 tier, __u64 key, __u32 choice)
{
	__u32 index = tr_flow_set_index(&set->tiers[tier & (TR_TIER_COUNT - 1)], key, choice);

	return bpf_map_lookup_elem(&flows, &index);
}

static __always_inline __u32 slot_of(const struct tr_flow_set *line, __u64 key)
{
	__u32 slot = NO_SLOT;

#pragma unroll
	for (int i = TR_SET_SLOTS - 1; i >= 0; i--)
		if (*(const volatile __u64 *)&line->slots[i].key == key)
			slot = i;
	OPAQUE(slot);
	return slot;
}

static __always_inline struct tr_record *record_of(const struct tr_settings *set, __u32 tier, __u64 key)
{
#pragma unroll
	for (__u32 choice = 0; choice < 2; choice++) {
		struct tr_flow_set *line = flow_set(set, tier, key, choice);
		__u32 slot = line ? slot_of(line, key) : NO_SLOT;

		if (line && slot < TR_SET_SLOTS)
			return &line->slots[slot];
	}
	return NULL;
}

static __always_inline struct flow flow_find(const struct tr_settings *set, __u32 tier, __u64 key)
{
	struct flow flow = { .record = record_of(set, tier, key), .tier = tier };
	__u32 generation = 0;

	if (!flow.record)
		return flow;
	flow.value = *(volatile __u64 *)&flow.record->value;
	flow.serves = backend_serves(record_backend(flow.value), &generation);
	flow.is_other = tr_record_generation(flow.value) != (generation & TR_RECORD_GENERATION_MASK);
	/* Coming or going, or another flow's by now. */
	if (!flow.value || *(const volatile __u64 *)&flow.record->key != key)
		flow.record = NULL;
	return flow;
}

static __always_inline void flow_change(const struct flow *flow, __u64 value)
{
	if (value != flow->value)
		__sync_val_compare_and_swap(&flow->record->value, flow->value, value);
}

static __always_inline void count_used(__u32 tier, __u32 by)
{
	__u32 zero = 0;
	struct tr_flow_state *state = bpf_map_lookup_elem(&flow_state, &zero);

	if (state)
		__sync_fetch_and_add(&state->used[tier & (TR_TIER_COUNT - 1)], by);
}

static __always_inline void flow_delete(const struct flow *flow)
{
	if (__sync_val_compare_and_swap(&flow->record->value, flow->value, 0) != flow->value)
		return;
	*(volatile __u64 *)&flow->record->key = 0;
	count_used(flow->tier, -1);
}

/* Without a branch for each slot: the verifier walks every combination of them. */
static __always_inline __u32 taken_slots(const struct tr_flow_set *line)
{
	__u64 taken = 0;

#pragma unroll
	for (int i = 0; i < TR_SET_SLOTS; i++) {
		__u64 key = *(const volatile __u64 *)&line->slots[i].key, negative = -key;

		OPAQUE(negative);
		taken += (key | negative) >> 63;
	}
	return taken;
}

/* A record of the same key, whoever's backend it named. One without a value is coming or going: not ours. */
static __always_inline int write_over(struct tr_flow_set *line, __u64 key, __u64 value)
{
	__u32 slot = slot_of(line, key);
	__u64 old;

	if (slot >= TR_SET_SLOTS)
		return 0;
	old = *(volatile __u64 *)&line->slots[slot].value;
	return old && __sync_val_compare_and_swap(&line->slots[slot].value, old, value) == old;
}

static __always_inline int take_free(struct tr_flow_set *line, __u64 key, __u64 value)
{
	__u32 slot = slot_of(line, 0);

	if (slot >= TR_SET_SLOTS || __sync_val_compare_and_swap(&line->slots[slot].key, 0, key))
		return 0;
	*(volatile __u64 *)&line->slots[slot].value = value;
	return 1;
}

/* Of two sets the slot whose record is oldest: 0 to 7; 8: all are coming or going. */
static __always_inline __u32 oldest_slot(const struct tr_flow_set *a, const struct tr_flow_set *b, __u32 now)
{
	__u32 oldest = 2 * TR_SET_SLOTS, age = 0;

#pragma unroll
	for (__u32 i = 0; i < 2 * TR_SET_SLOTS; i++) {
		__u64 value = *(const volatile __u64 *)&(i < TR_SET_SLOTS ? a : b)->slots[i % TR_SET_SLOTS].value;

		if (value && (oldest == 2 * TR_SET_SLOTS || tr_record_age(value, now) > age)) {
			oldest = i;
			age = tr_record_age(value, now);
		}
	}
	OPAQUE(oldest);
	return oldest;
}

static __always_inline int push_out(struct tr_flow_set *a, struct tr_flow_set *b, __u64 key, __u64 value)
{
	__u32 oldest = oldest_slot(a, b, value >> TR_RECORD_TICK_SHIFT);
	struct tr_flow_set *line = oldest < TR_SET_SLOTS ? a : b;
	struct tr_record *record = &line->slots[oldest & (TR_SET_SLOTS - 1)];
	__u64 old = *(volatile __u64 *)&record->value;

	if (oldest >= 2 * TR_SET_SLOTS || !old || __sync_val_compare_and_swap(&record->value, old, 0) != old)
		return 0;
	*(volatile __u64 *)&record->key = key;
	barrier();
	*(volatile __u64 *)&record->value = value;
	return 1;
}

/* 1: the record stands. 0: no room, or overtaken. */
WALKED_ONCE int flow_insert(__u32 tier, __u64 key, __u64 value)
{
	__u32 zero = 0;
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct tr_flow_set *a, *b;

	if (!set)
		return 0;
	a = flow_set(set, tier, key, 0);
	b = flow_set(set, tier, key, 1);
	if (!a || !b)
		return 0;
	if (write_over(a, key, value) || write_over(b, key, value))
		return 1;
	if ((taken_slots(b) < taken_slots(a) && take_free(b, key, value)) || take_free(a, key, value) ||
	    take_free(b, key, value)) {
		count_used(tier, 1);
		return 1;
	}
	return (tier == TR_TIER_SYN || tier == TR_TIER_TRACK) && push_out(a, b, key, value);
}

#endif
