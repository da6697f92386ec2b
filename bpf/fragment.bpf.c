// SPDX-License-Identifier: GPL-2.0-only
/* Later fragments, which have no ports: where their first one went, or where the addresses say. docs/packets.md, section 4. */
#include "choose_odd.bpf.h"
#include "fragments.bpf.h"
#include "lookup.bpf.h"
#include "send.bpf.h"
#include "tuple.bpf.h"

/* The VIP that takes such fragments, from the maps: the cache has no room for what is so rarely asked. 0: none. */
static __always_inline __u32 early_vip(const struct tuple *t)
{
	struct tr_addr addr = { { 0, 0, bpf_htonl(0xffff), t->words[2] } };
	struct found found = {};

	if (t->family == TR_IPV6)
		__builtin_memcpy(&addr, &t->words[2], sizeof(addr));
	if (find_address(&addr, &found))
		return 0;
	return t->l4 == TR_TCP ? found.address.early[TR_TCP] : found.address.early[TR_UDP];
}

SEC("xdp")
int tr_fragment(struct xdp_md *ctx)
{
	__u32 zero = 0, early;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct tuple tuple = {};
	struct sending *s;
	struct place *p;
	__u64 value;

	if (!line || !set)
		return finish(TR_V_INTERNAL);
	p = &line->place;
	s = &line->sending;
	tuple.l4 = p->l4_kind;
	if (tuple_addresses(ctx, p->family, p->l3, &tuple))
		return finish(TR_V_INTERNAL);
	s->syn = 0;
	s->hash = tuple_hash(&tuple, set->hash_key, 0);
	s->len = p->l4 - p->l3 + p->l4_len;
	value = fragment_find(fragment_key(set, &tuple, p->fragment_id), clock_tick(set));
	if (value) {
		s->number = value & TR_BACKEND_MASK;
		s->vip = fragment_vip(value);
		return s->number ? send(ctx, set, line, 0) : finish(TR_V_NO_SERVICE);
	}
	early = p->flags & PLACE_UNKNOWN ? 0 : early_vip(&tuple);
	if (!early)
		return finish(TR_V_FRAGMENT_EARLY);
	if (find_vip(early, &line->service))
		return finish(TR_V_INTERNAL);
	s->vip = early;
	s->number = choose_reading(&tuple, &line->service, s->hash);
	return send(ctx, set, line, 0);
}
