/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules for UDP, where nothing tells a new flow from an old one: docs/affinity.md. */
#ifndef TAILRACE_AFFINITY_UDP_BPF_H
#define TAILRACE_AFFINITY_UDP_BPF_H

#include "affinity.bpf.h"

static __always_inline int is_young(const struct choice *c, const struct flow *flow)
{
	const struct tr_pool_flows *pool = choice_pool(c);

	return flow->serves && pool && tr_record_age(flow->value, c->now) < pool->t_udp;
}

static __always_inline void record_udp(const struct choice *c, const struct flow *flow, __u32 number)
{
	if (c->mode == TR_MODE_TRACK) {
		choice_insert(c, TR_TIER_TRACK, number, 0);
		COUNT(c, tracked);
	} else if (!c->doubt) {
		if (flow->record)
			flow_delete(flow);
	} else if (choice_insert(c, TR_TIER_UDP, number, 0)) {
		COUNT(c, recorded_udp);
	} else {
		refuse_udp(c);
	}
}

static __always_inline __u32 rules_udp(const struct tuple *t, const struct tr_settings *set, const struct handover *service,
				       __u64 hash, const int write)
{
	struct choice c = {};
	struct flow flow;
	__u32 number;

	if (choice_begin(t, set, service, hash, TR_UDP, &c))
		return NO_WORD;
	if (c.plain)
		return c.current;
	flow = find_udp(&c, c.mode, c.key, write);
	if (!flow.record && looked_elsewhere(&c)) {
		flow = find_udp(&c, c.old_mode, c.old_key, write);
		if (flow.record && is_young(&c, &flow))
			flow = c.shared ? come_from_shared(&c, flow, write) :
				take_along(&c, flow, c.mode == TR_MODE_TRACK ? TR_TIER_TRACK : TR_TIER_UDP, write);
		else
			flow.record = NULL;
	}
	if (flow.record && is_young(&c, &flow)) {
		if (write)
			flow_change(&flow, touched(&c, flow.value));
		return record_backend(flow.value);
	}
	number = c.mode == TR_MODE_TRACK && !c.moving ? c.current : choice_base(&c);
	if (write)
		record_udp(&c, &flow, number);
	return number;
}

#endif
