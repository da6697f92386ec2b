/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What TCP and UDP share of the rules in docs/affinity.md: what is known about a packet's flow before they decide. Behind
 * choose_steady(), off the way of ordinary packets. write is a constant: without it nothing is recorded or changed, for packets that
 * are only about a flow.
 */
#ifndef TAILRACE_AFFINITY_BPF_H
#define TAILRACE_AFFINITY_BPF_H

#include "choose.bpf.h"
#include "clock.bpf.h"
#include "flow.bpf.h"

/* A flow's key by a hash key and tr_vip.how. */
WALKED_ONCE __u64 tuple_key(const struct tuple *t, __u64 key0, __u64 key1, __u32 how)
{
	const __u64 hash_key[2] = { key0, key1 };
	__u64 flow, client;

	if (!t)
		return 1;
	flow = tuple_hash(t, hash_key, how & TR_HOW_ADDRESSES ? 0 : t->ports);
	if ((how & TR_HOW_MODE) != TR_MODE_CLIENT)
		return tr_flow_key(flow);
	client = t->family == TR_IPV4 ? hash_client4(hash_key, t->words[0]) : hash_client6(hash_key, t->words);
	return tr_flow_key(client_key(client, flow));
}

struct choice {
	const struct tr_settings *set;
	__u64 key;
	__u64 old_key;			/* moving: by the old hash key and mode */
	__u32 now;			/* tick */
	__u32 current;
	__u32 base;
	__u32 pool;			/* number */
	__u32 old_pool;			/* moving: where the VIP comes from */
	__u32 idle_max;			/* moving: ticks; a record that was not used for as long is of an earlier flow */
	__u8 mode;			/* enum tr_mode */
	__u8 old_mode;
	__u8 moving;
	__u8 rec;
	__u8 doubt;			/* unrecorded, the flow's backend is not just `current` */
	__u8 plain;			/* the word alone decides */
	__u8 shares;			/* by addresses: a record is of all flows between two of them */
	__u8 shared;			/* moving: a record from before was */
};

static __always_inline __u32 choice_base(const struct choice *c)
{
	return backend_serves(c->base, NULL) ? c->base : c->current;
}

static __always_inline struct tr_pool_flows *choice_pool(const struct choice *c)
{
	__u32 pool = c->pool;

	return bpf_map_lookup_elem(&pool_flows, &pool);
}

static __always_inline void choice_count(const struct choice *c, __u32 offset)
{
	__u32 pool = c->pool;
	struct tr_pool_counts *counts = bpf_map_lookup_elem(&pool_counts, &pool);

	if (counts)
		*(__u64 *)((void *)counts + offset) += 1;
}
#define COUNT(c, field) choice_count(c, offsetof(struct tr_pool_counts, field))

/* 32-bit stores, each the programs' own; 0 stands for never. */
static __always_inline __u32 stamp(const struct choice *c)
{
	return c->now ? c->now : 1;
}

static __always_inline void refuse_tcp(const struct choice *c)
{
	struct tr_pool_flows *pool = choice_pool(c);

	if (pool)
		*(volatile __u32 *)&pool->refused = stamp(c);
	COUNT(c, refused);
}

static __always_inline void refuse_udp(const struct choice *c)
{
	struct tr_pool_flows *pool = choice_pool(c);

	if (pool)
		*(volatile __u32 *)&pool->refused_udp = stamp(c);
	COUNT(c, refused_udp);
}

/* A value for a record of this packet's flow. */
static __always_inline __u64 choice_value(const struct choice *c, __u32 backend, __u64 closed)
{
	__u32 generation = 0;

	backend_serves(backend, &generation);
	return tr_record_value(backend, c->pool, generation, c->now) | closed;
}

/* The record's value after this packet: the flow's time and pool are new, all else is as it was. */
static __always_inline __u64 touched(const struct choice *c, __u64 value)
{
	value &= ~((__u64)TR_RECORD_TICK_MASK << TR_RECORD_TICK_SHIFT | 0xffffULL << TR_RECORD_POOL_SHIFT);
	return value | tr_record_value(0, c->pool, 0, c->now);
}

/* The same where it stands for other flows than before: a FIN was one flow's. */
static __always_inline __u64 taken(const struct choice *c, __u64 value)
{
	return touched(c, value) & ~(c->shares ? TR_RECORD_CLOSED : 0);
}

/* 1: recorded, or nothing to record. */
static __always_inline int choice_insert(const struct choice *c, __u32 tier, __u32 backend, __u64 closed)
{
	return !backend || flow_insert(tier, c->key, choice_value(c, backend, closed));
}

/*
 * Of a moving VIP's flow, a record from where the VIP looked before is taken along to tier `to`. found: there. Where there is no room it
 * stays, and is used where it is.
 */
static __always_inline struct flow take_along(const struct choice *c, struct flow found, __u32 to, const int write)
{
	struct flow old = found;

	if (!write)
		return found;
	if (!flow_insert(to, c->key, taken(c, found.value))) {
		if (to == TR_TIER_UDP)
			refuse_udp(c);
		else
			refuse_tcp(c);
		return found;
	}
	flow_delete(&old);
	COUNT(c, moved);
	found.record = record_of(c->set, to, c->key);
	found.value = taken(c, found.value);
	found.tier = to;
	return found;
}

/*
 * The record of all flows between two addresses, where each of them is to have one of its own from now on: it stays for the others,
 * and this flow is one that has not been recorded, of the backend that it names.
 */
static __always_inline struct flow come_from_shared(struct choice *c, struct flow found, const int write)
{
	if (found.serves) {
		c->base = record_backend(found.value);
		if (write)
			flow_change(&found, touched(c, found.value));
	}
	found.record = NULL;
	return found;
}

/* Fills in what a moving VIP's past says; own: the base of its own word. 0, or -1: a bug. */
static __always_inline int choice_of_moving(const struct tuple *t, __u32 vip, __u8 l4, __u32 own, struct choice *c)
{
	const struct tr_vip_old *old = bpf_map_lookup_elem(&vip_old, &vip);
	const volatile __u64 *word;
	const struct tr_pool_flows *pool = choice_pool(c);
	__u64 bucket;

	if (!old || !pool)
		return -1;
	c->old_pool = old->pool;
	c->idle_max = l4 == TR_UDP ? pool->t_udp : pool->t_settle;
	c->old_mode = old->how & TR_HOW_MODE;
	c->shared = old->how & TR_HOW_ADDRESSES && !c->shares;
	c->old_key = tuple_key(t, old->hash_key[0], old->hash_key[1], old->how);
	word = bucket_word(old->ring, old->ring_size, l4, c->old_key);
	if (!word)
		return -1;
	bucket = *word;
	c->base = bucket >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK;
	if (c->old_mode == TR_MODE_HASH || c->old_mode == TR_MODE_TRACK || !backend_serves(c->base, NULL))
		c->base = bucket & TR_BACKEND_MASK;
	if (!backend_serves(c->base, NULL))
		c->base = own;
	c->rec = c->doubt = 1;
	return 0;
}

/* 0, or -1: a bug. */
static __always_inline int choice_begin(const struct tuple *t, const struct tr_settings *set, const struct handover *service,
					__u64 hash, __u8 l4, struct choice *c)
{
	const volatile __u64 *word;
	__u64 bucket;

	c->set = set;
	c->mode = service->how & TR_HOW_MODE;
	c->moving = !!(service->how & TR_HOW_MOVING);
	c->shares = !!(service->how & TR_HOW_ADDRESSES);
	c->pool = service->pool;
	if (c->mode == TR_MODE_CLIENT || service->how & TR_HOW_ADDRESSES)
		c->key = tuple_key(t, set->hash_key[0], set->hash_key[1], service->how);
	else
		c->key = tr_flow_key(hash);
	word = bucket_word(service->ring, service->ring_size, l4, c->key);
	if (!word)
		return -1;
	bucket = *word;
	c->current = bucket & TR_BACKEND_MASK;
	c->plain = c->mode == TR_MODE_HASH || (!c->moving && c->mode != TR_MODE_TRACK && !(bucket & TR_WORD_LOOK));
	if (c->plain)
		return 0;
	c->now = clock_tick(set);
	c->base = bucket >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK;
	if (c->moving)
		return choice_of_moving(t, service->vip, l4, c->base, c);
	c->rec = !!(bucket & TR_WORD_REC);
	c->doubt = c->current != c->base;
	return 0;
}

/*
 * A record that was last used through another pool is left over from before the VIP came here, and names what an earlier flow of the
 * same ports had.
 */
static __always_inline int is_ours(const struct choice *c, const struct flow *flow)
{
	__u32 pool = tr_record_pool(flow->value);

	if (!c->moving)
		return pool == c->pool;
	return (pool == c->pool || pool == c->old_pool) && tr_record_age(flow->value, c->now) < c->idle_max;
}

/* What is no record is deleted where a packet of its flow meets it: it would come to count as one later. */
static __always_inline struct flow find(const struct choice *c, __u32 tier, __u64 key, const int write)
{
	struct flow flow = flow_find(c->set, tier, key);

	if (!flow.record || (!flow.is_other && is_ours(c, &flow)))
		return flow;
	if (write)
		flow_delete(&flow);
	flow.record = NULL;
	return flow;
}

static __always_inline struct flow find_tcp(const struct choice *c, __u32 mode, __u64 key, const int write)
{
	struct flow flow = { .record = NULL };

	if (mode == TR_MODE_HASH)
		return flow;
	if (mode == TR_MODE_TRACK)
		return find(c, TR_TIER_TRACK, key, write);
	/* SYN first: a record that another CPU takes from there is in the other tier before it leaves this one. */
	flow = find(c, TR_TIER_SYN, key, write);
	return flow.record ? flow : find(c, TR_TIER_TCP, key, write);
}

static __always_inline struct flow find_udp(const struct choice *c, __u32 mode, __u64 key, const int write)
{
	struct flow flow = { .record = NULL };

	if (mode == TR_MODE_HASH)
		return flow;
	return find(c, mode == TR_MODE_TRACK ? TR_TIER_TRACK : TR_TIER_UDP, key, write);
}

/* Is the place where a moving VIP looked another one than where it looks now? */
static __always_inline int looked_elsewhere(const struct choice *c)
{
	return c->moving && (c->key != c->old_key || (c->mode == TR_MODE_TRACK) != (c->old_mode == TR_MODE_TRACK));
}

#endif
