/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a record may stand in its tier, shared by the programs and by whoever has to find a record in `flows`. Two sets: with
 * one, some set of four would be full long before the tier.
 */
#ifndef TAILRACE_FLOW_TABLE_H
#define TAILRACE_FLOW_TABLE_H

#include "tailrace.h"

/* choice: 0 or 1, in the order in which the sets are searched and filled; they may be the same set. */
static inline __u32 tr_flow_set_index(const struct tr_tier_place *tier, __u64 key, __u32 choice)
{
	__u64 spread = key * (choice ? 0xd6e8feb86659fd93ULL : 0x9e3779b97f4a7c15ULL) >> 32;

	return tier->start + (__u32)(spread * tier->sets >> 32);
}

/* A free slot has key 0. */
static inline __u64 tr_flow_key(__u64 hash)
{
	return hash ? hash : 1;
}

static inline __u64 tr_record_value(__u32 backend, __u32 pool, __u32 generation, __u32 tick)
{
	return backend | (__u64)pool << TR_RECORD_POOL_SHIFT |
	       (__u64)(generation & TR_RECORD_GENERATION_MASK) << TR_RECORD_GENERATION_SHIFT |
	       (__u64)(tick & TR_RECORD_TICK_MASK) << TR_RECORD_TICK_SHIFT;
}

/*
 * Ticks since its last packet, right up to 983,039 of them (11 hours with 25 a second). What lies beyond is a tick later than
 * this one: another CPU, or a program beside a sweep, has read the clock since.
 */
#define TR_RECORD_AGE_MAX 0xeffff
static inline __u32 tr_record_age(__u64 value, __u32 tick)
{
	__u32 age = (tick - (__u32)(value >> TR_RECORD_TICK_SHIFT)) & TR_RECORD_TICK_MASK;

	return age > TR_RECORD_AGE_MAX ? 0 : age;
}

/* Is a stamp (a tick; 0: never) younger than that many ticks? One that is later than now is. */
static inline int tr_is_recent(__u32 stamp, __u32 tick, __u32 ticks)
{
	return stamp && (__s32)(tick - stamp) < (__s32)ticks;
}

static inline __u32 tr_record_generation(__u64 value)
{
	return value >> TR_RECORD_GENERATION_SHIFT & TR_RECORD_GENERATION_MASK;
}

static inline __u32 tr_record_pool(__u64 value)
{
	return value >> TR_RECORD_POOL_SHIFT & 0xffff;
}

#endif
