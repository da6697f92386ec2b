/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often the balancer answers for itself: a token bucket for each source and one for all, filled by ticks. Plain loads and
 * stores: CPUs that meet give an answer more, an atomic operation would cost every answer 5 ns.
 */
#ifndef TAILRACE_TOKENS_BPF_H
#define TAILRACE_TOKENS_BPF_H

#include "clock.bpf.h"
#include "hash.bpf.h"
#include "maps.bpf.h"

/* 1: an answer may be given, and is taken from the bucket. */
static __always_inline int tokens_take(const struct tr_rate_limit *rate, __u32 index, __u32 now)
{
	struct tr_tokens *found = bpf_map_lookup_elem(&tokens, &index);
	union {
		__u64 word;
		struct tr_tokens tokens;
	} bucket;
	__u64 level;

	if (!found)
		return 0;
	bucket.word = *(volatile __u64 *)found;
	level = rate->burst;
	if (bucket.tokens.tick) {
		level = bucket.tokens.level + (__u64)(now - bucket.tokens.tick) * rate->per_tick;
		level = level < rate->burst ? level : rate->burst;
	}
	bucket.tokens.tick = now ? now : 1;
	bucket.tokens.level = level < TR_TOKEN ? level : level - TR_TOKEN;
	*(volatile __u64 *)found = bucket.word;
	return level >= TR_TOKEN;
}

/* kind: 0 for echo, 1 for what does not fit; rates by source and for all follow each other. */
static __always_inline int may_answer(const struct tr_settings *set, __u32 kind, __u64 source_high, __u64 source_low)
{
	__u64 hash = mix(mix(set->hash_key[1], source_high, MIX_1), source_low, MIX_2);
	__u32 slot = TR_RATE_COUNT / 2 + kind * TR_TOKEN_SLOTS + (hash >> 32) % TR_TOKEN_SLOTS;
	__u32 now = clock_tick(set);

	return tokens_take(&set->rates[2 * kind], slot, now) && tokens_take(&set->rates[2 * kind + 1], kind, now);
}

#endif
