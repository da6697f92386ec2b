/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules for TCP: docs/affinity.md. */
#ifndef TAILRACE_AFFINITY_TCP_BPF_H
#define TAILRACE_AFFINITY_TCP_BPF_H

#include "affinity.bpf.h"

#define PACKET_SYN 1		/* SYN without ACK */
#define PACKET_FIN 2

/* flags: tcp_flag_word(). */
static __always_inline __u32 tcp_packet(__be32 flags)
{
	return ((flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN ? PACKET_SYN : 0) |
	       (flags & TCP_FLAG_FIN ? PACKET_FIN : 0);
}

/* Takes one of the window's records of new flows: 1, or 0: none is left. Races cost a record more or less. */
static __always_inline int take_budget(const struct choice *c, struct tr_flow_state *state)
{
	__u64 window = c->now >> TR_WINDOW_SHIFT, old = *(volatile __u64 *)&state->syn_window;

	if (old >> 32 != window &&
	    __sync_val_compare_and_swap(&state->syn_window, old, window << 32 | 1) == old)
		return c->set->syn_budget > 0;
	old = __sync_fetch_and_add(&state->syn_window, 1);
	return (__u32)old < c->set->syn_budget;
}

static __always_inline int over_budget(const struct choice *c)
{
	__u32 zero = 0;
	struct tr_flow_state *state = bpf_map_lookup_elem(&flow_state, &zero);

	if (!state)
		return 1;
	return !take_budget(c, state) || *(volatile __u32 *)&state->used[TR_TIER_TCP] > c->set->tcp_full;
}

/* A SYN without a record, where new knowledge is being recorded. */
static __always_inline __u32 new_flow(const struct choice *c)
{
	int over = over_budget(c);
	struct tr_pool_flows *pool;

	if (c->doubt && backend_serves(c->base, NULL)) {
		pool = choice_pool(c);
		if (!pool)
			return NO_WORD;
		if (over) {
			*(volatile __u32 *)&pool->pressure = stamp(c);
			*(volatile __u32 *)&pool->refused = stamp(c);
			COUNT(c, pressed);
			return c->base;
		}
		if (tr_is_recent(*(volatile __u32 *)&pool->pressure, c->now, pool->t_syn)) {
			choice_insert(c, TR_TIER_SYN, c->base, 0);
			COUNT(c, recorded_new);
			*(volatile __u32 *)&pool->refused = stamp(c);
			return c->base;
		}
	}
	if (over)
		return c->current;
	choice_insert(c, TR_TIER_SYN, c->current, 0);
	COUNT(c, recorded_new);
	return c->current;
}

/* A SYN with a record: a retransmission stays where the first one went, a new flow on old ports does not follow the old one. */
static __always_inline __u32 syn_again(const struct choice *c, const struct flow *flow)
{
	if (flow->serves == TR_SERVES_ALL || (flow->serves == TR_SERVES_OLD && !(flow->value & TR_RECORD_CLOSED))) {
		flow_change(flow, touched(c, flow->value) & ~TR_RECORD_CLOSED);
		return record_backend(flow->value);
	}
	flow_change(flow, choice_value(c, c->current, 0));
	return c->current;
}

/* The flow has shown that it lives: into the tier where nothing is pushed out. Both hold it for a moment, never neither. */
static __always_inline void promote(const struct choice *c, const struct flow *flow, __u64 value)
{
	if (flow_insert(TR_TIER_TCP, c->key, value)) {
		flow_delete(flow);
		COUNT(c, recorded);
		return;
	}
	flow_change(flow, value);
}

static __always_inline __u32 known_flow(const struct choice *c, const struct flow *flow, __u64 closed, const int write)
{
	__u64 value = touched(c, flow->value) | closed;

	if (write && flow->tier == TR_TIER_SYN)
		promote(c, flow, value);
	else if (write)
		flow_change(flow, value);
	return record_backend(flow->value);
}

static __always_inline __u32 changes_tcp(const struct choice *c, const struct flow *flow, __u32 packet, const int write)
{
	__u64 closed = packet & PACKET_FIN ? TR_RECORD_CLOSED : 0;
	__u32 ok, base;

	if (write && packet & PACKET_SYN) {
		if (flow->record)
			return syn_again(c, flow);
		return c->rec ? new_flow(c) : c->current;
	}
	if (flow->record && flow->serves)
		return known_flow(c, flow, closed, write);
	/* Where no SYN says that a flow begins anew, the record has to follow to where its flows are from now on. */
	if (flow->record && c->shares && write)
		flow_change(flow, choice_value(c, c->current, 0));
	if (flow->record)
		return c->current;
	ok = backend_serves(c->base, NULL);
	base = ok ? c->base : c->current;
	if (!write || !c->rec || !c->doubt || !ok)
		return base;
	if (choice_insert(c, TR_TIER_TCP, base, closed))
		COUNT(c, recorded);
	else
		refuse_tcp(c);
	return base;
}

static __always_inline __u32 track_tcp(const struct choice *c, const struct flow *flow, __u32 packet, const int write)
{
	__u64 closed = packet & PACKET_FIN ? TR_RECORD_CLOSED : 0;
	__u32 number = c->current;

	if (flow->record && write && packet & PACKET_SYN)
		return syn_again(c, flow);
	if (flow->record && flow->serves)
		return known_flow(c, flow, closed, write);
	if (flow->record && write)
		flow_change(flow, choice_value(c, c->current, 0));
	if (flow->record)
		return c->current;
	if (c->moving && !(packet & PACKET_SYN))
		number = choice_base(c);
	if (write) {
		choice_insert(c, TR_TIER_TRACK, number, closed);
		COUNT(c, tracked);
	}
	return number;
}

static __always_inline __u32 rules_tcp(const struct tuple *t, const struct tr_settings *set, const struct handover *service,
				       __u64 hash, __u32 packet, const int write)
{
	struct choice c = {};
	struct flow flow;

	/* Flows between two addresses share a record: the first packet of one of them, or the last, says nothing of the others. */
	if (service->how & TR_HOW_ADDRESSES)
		packet = 0;
	if (choice_begin(t, set, service, hash, TR_TCP, &c))
		return NO_WORD;
	if (c.plain)
		return c.current;
	flow = find_tcp(&c, c.mode, c.key, write);
	if (!flow.record && looked_elsewhere(&c)) {
		flow = find_tcp(&c, c.old_mode, c.old_key, write);
		if (flow.record && c.shared)
			flow = come_from_shared(&c, flow, write);
		else if (flow.record)
			flow = take_along(&c, flow, c.mode == TR_MODE_TRACK ? TR_TIER_TRACK : TR_TIER_TCP, write);
	}
	return c.mode == TR_MODE_TRACK ? track_tcp(&c, &flow, packet, write) : changes_tcp(&c, &flow, packet, write);
}

#endif
