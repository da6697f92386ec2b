// SPDX-License-Identifier: GPL-2.0-only
/* See model.h. Read it beside docs/affinity.md: functions are the paragraphs there, in their order. */
#include "model.h"

__u64 model_reached[MODEL_CLAUSE_COUNT];

/* What the rules call by one letter or word, for the packet at hand. */
struct choice {
	const struct affinity_view *m;
	const struct model_packet *p;
	struct model_answer *answer;
	const struct tr_vip *vip;
	const struct tr_vip_old *old;	/* NULL: the VIP is not moving */
	struct tr_pool_flows *pool;
	bool write;
	__u32 now;
	__u64 key;
	__u32 base, current;
	bool rec, doubt;
	struct model_slot r;
};

const char *model_clause_name(enum model_clause clause)
{
	static const char *const names[] = {
#define X(name) #name,
		MODEL_CLAUSES(X)
#undef X
	};

	return names[clause];
}

static __u32 reach(const struct choice *c, enum model_clause clause, __u32 backend)
{
	model_reached[clause] += c->write;
	return backend;
}

enum tr_l4 model_l4(enum model_kind kind)
{
	return kind == MODEL_DATAGRAM ? TR_UDP : TR_TCP;
}

static __u8 serves(const struct affinity_view *m, __u32 n)
{
	return n && n < m->n_backends ? m->backends[n].serves : TR_SERVES_NONE;
}

bool model_ok(const struct affinity_view *m, __u32 n)
{
	return serves(m, n) != TR_SERVES_NONE;
}

static bool up(const struct choice *c, __u32 n)
{
	return serves(c->m, n) == TR_SERVES_ALL;
}

static bool ok(const struct choice *c, __u32 n)
{
	return model_ok(c->m, n);
}

static bool is_track(__u16 how)
{
	return (how & TR_HOW_MODE) == TR_MODE_TRACK;
}

static bool is_hash(__u16 how)
{
	return (how & TR_HOW_MODE) == TR_MODE_HASH;
}

static __u32 backend_of(struct model_slot r)
{
	return record_backend(r.record->value);
}

static bool is_young(const struct choice *c, struct model_slot r)
{
	return tr_record_age(r.record->value, c->now) < c->pool->t_udp;
}

static void write_record(struct choice *c, struct tr_record *record, __u32 backend, bool closed)
{
	record->key = c->key;
	record->value = tr_record_value(backend, c->vip->pool, c->m->backends[backend].generation, c->now) |
			(closed ? TR_RECORD_CLOSED : 0);
}

static void touch(struct choice *c)
{
	__u64 value = c->r.record->value, pool_and_tick = (__u64)0xffff << TR_RECORD_POOL_SHIFT |
							  (__u64)TR_RECORD_TICK_MASK << TR_RECORD_TICK_SHIFT;

	if (c->write)
		c->r.record->value = (value & ~pool_and_tick) | tr_record_value(0, c->vip->pool, 0, c->now);
}

static void set_closed(struct choice *c, bool closed)
{
	if (c->write)
		c->r.record->value = (c->r.record->value & ~TR_RECORD_CLOSED) | (closed ? TR_RECORD_CLOSED : 0);
}

/* r = (current, closed = 0), touch r. The key is the one under which it stands. */
static void rewrite(struct choice *c)
{
	__u64 key = c->key;

	if (!c->write)
		return;
	c->key = c->r.record->key;
	write_record(c, c->r.record, c->current, false);
	c->key = key;
}

static void note_evicted(struct choice *c, enum tr_tier tier, const struct tr_record *evicted)
{
	if (!evicted->key)
		return;
	reach(c, tier == TR_TIER_SYN ? MODEL_EVICTED_SYN : MODEL_EVICTED_TRACK, 0);
	c->answer->is_evicted = true;
	c->answer->evicted_tier = tier;
	c->answer->evicted = *evicted;
}

/* False: no room. */
static bool insert(struct choice *c, enum tr_tier tier, __u32 backend, bool closed)
{
	struct tr_record evicted, *place;

	if (!backend)
		return true;
	if (!c->write)
		return false;
	place = model_place(c->m, tier, c->key, c->now, &evicted);
	if (!place)
		return false;
	note_evicted(c, tier, &evicted);
	write_record(c, place, backend, closed);
	return true;
}

static void delete_record(const struct choice *c, struct model_slot r)
{
	if (c->write)
		model_delete(c->m, r);
}

/* 0 stands for never. */
static __u32 tick_now(const struct choice *c)
{
	return c->now ? c->now : 1;
}

static void refuse(struct choice *c)
{
	if (!c->write)
		return;
	if (c->p->kind == MODEL_DATAGRAM)
		c->pool->refused_udp = tick_now(c);
	else
		c->pool->refused = tick_now(c);
}

static bool is_pools(const struct choice *c, __u64 value)
{
	__u32 pool = tr_record_pool(value);

	return pool == c->vip->pool || (c->old && pool == c->old->pool);
}

/* What counts as a record to this VIP; what does not is deleted where `deletes`. */
static struct model_slot find(const struct choice *c, enum tr_tier tier, __u64 key, bool deletes)
{
	struct model_slot r = model_find(c->m, tier, key);

	if (!r.record || (model_is_record(c->m, r.record) && is_pools(c, r.record->value) &&
			  (!c->old || tr_record_age(r.record->value, c->now) <
			      (c->p->kind == MODEL_DATAGRAM ? c->pool->t_udp : c->pool->t_settle))))
		return r;
	if (deletes)
		delete_record(c, r);
	r.record = NULL;
	return r;
}

static struct model_slot find_in_mode(const struct choice *c, __u16 how, __u64 key, bool deletes)
{
	struct model_slot r = {};

	if (is_hash(how))
		return r;
	if (is_track(how))
		return find(c, TR_TIER_TRACK, key, deletes);
	if (c->p->kind == MODEL_DATAGRAM)
		return find(c, TR_TIER_UDP, key, deletes);
	if (c->p->kind == MODEL_DATA && (how & TR_HOW_MODE) == TR_MODE_CHANGES && !c->old) {
		r = find(c, TR_TIER_TCP, key, false);
		if (r.record && ok(c, backend_of(r)))
			return r;
	}
	r = find(c, TR_TIER_SYN, key, deletes);
	return r.record ? r : find(c, TR_TIER_TCP, key, deletes);
}

/* One record for many flows, which will have one each. */
static bool is_shared_before(const struct choice *c)
{
	return c->old->how & ~c->vip->how & TR_HOW_ADDRESSES;
}

/* Touched, since it is all that a flow without room for its own has. */
static void come_from_shared(struct choice *c, struct model_slot r)
{
	if (!ok(c, backend_of(r)))
		return;
	c->r = r;
	touch(c);
	c->r.record = NULL;
	c->base = backend_of(r);
	c->answer->on_ring = false;
	reach(c, MODEL_MOVED_SHARED, 0);
}

/* A VIP that moves: a record under the old key is taken along. */
static void take_along(struct choice *c)
{
	__u64 key_old = model_key(c->old->hash_key, c->old->how, c->p);
	bool same_tiers = is_track(c->old->how) == is_track(c->vip->how), udp = c->p->kind == MODEL_DATAGRAM;
	enum tr_tier tier = is_track(c->vip->how) ? TR_TIER_TRACK : udp ? TR_TIER_UDP : TR_TIER_TCP;
	struct model_slot r;
	bool closed;

	if (key_old == c->key && same_tiers)
		return;
	r = find_in_mode(c, c->old->how, key_old, true);
	if (!r.record || (udp && !(is_young(c, r) && ok(c, backend_of(r)))))
		return;
	if (is_shared_before(c)) {
		come_from_shared(c, r);
		return;
	}
	c->r = r;
	closed = r.record->value & TR_RECORD_CLOSED && !(c->vip->how & TR_HOW_ADDRESSES);
	if (backend_of(r) && insert(c, tier, backend_of(r), closed)) {
		if (c->write && r.record->key == key_old)
			delete_record(c, r);	/* unless it was the oldest, and pushed out by itself */
		c->r = model_find(c->m, tier, c->key);
		reach(c, MODEL_MOVED_RECORD, 0);
	} else {
		refuse(c);
		reach(c, MODEL_MOVED_REFUSED, 0);
	}
}

static __u64 old_word(const struct choice *c)
{
	__u64 key_old = model_key(c->old->hash_key, c->old->how, c->p);
	__u32 first = c->old->ring + model_l4(c->p->kind) * c->old->ring_size;

	return c->m->rings[first + model_bucket(key_old, c->old->ring_size)];
}

static void come_from_old(struct choice *c)
{
	__u64 word = old_word(c);
	__u32 own_base = c->base;

	c->base = is_hash(c->old->how) || is_track(c->old->how) ? word_current(word) : word_base(word);
	if (!ok(c, c->base))
		c->base = word_current(word);
	c->answer->on_ring = !ok(c, c->base);
	if (c->answer->on_ring)
		c->base = own_base;
	c->rec = c->doubt = true;
	if (!c->r.record)
		take_along(c);
}

static bool over_budget(struct choice *c)
{
	struct tr_flow_state *state = c->m->flow_state;
	__u64 window = (__u64)(c->now >> TR_WINDOW_SHIFT) << 32;

	if (state->syn_window >> 32 << 32 != window)
		state->syn_window = window;
	state->syn_window++;
	return (__u32)state->syn_window > c->m->settings->syn_budget ||
	       state->used[TR_TIER_TCP] > c->m->settings->tcp_full;
}

static __u32 syn_known(struct choice *c)
{
	__u32 backend = backend_of(c->r);
	bool closed = c->r.record->value & TR_RECORD_CLOSED;

	if (!up(c, backend) && (!ok(c, backend) || closed)) {
		rewrite(c);
		return reach(c, MODEL_SYN_OLD_PORTS, c->current);
	}
	touch(c);
	set_closed(c, false);
	return reach(c, up(c, backend) ? MODEL_SYN_STAYS : MODEL_SYN_STAYS_DRAINING, backend);
}

static __u32 syn(struct choice *c)
{
	bool may_base = c->doubt && ok(c, c->base);

	if (c->r.record)
		return syn_known(c);
	if (!c->rec)
		return reach(c, MODEL_SYN_UNRECORDED, c->current);
	if (over_budget(c)) {
		if (!may_base)
			return reach(c, MODEL_SYN_OVER, c->current);
		c->pool->pressure = c->pool->refused = tick_now(c);
		return reach(c, MODEL_SYN_OVER_BASE, c->base);
	}
	if (may_base && c->pool->pressure && c->now - c->pool->pressure < c->pool->t_syn) {
		insert(c, TR_TIER_SYN, c->base, false);
		c->pool->refused = tick_now(c);
		return reach(c, MODEL_SYN_PRESSED, c->base);
	}
	insert(c, TR_TIER_SYN, c->current, false);
	return reach(c, MODEL_SYN_RECORDED, c->current);
}

static void to_table(struct choice *c)
{
	struct model_slot in_syn = c->r;

	if (!insert(c, TR_TIER_TCP, backend_of(in_syn), in_syn.record->value & TR_RECORD_CLOSED)) {
		reach(c, MODEL_TCP_TO_TABLE_FAILED, 0);
		return;
	}
	delete_record(c, in_syn);
	c->r = model_find(c->m, TR_TIER_TCP, c->key);
	reach(c, MODEL_TCP_TO_TABLE, 0);
}

static __u32 tcp(struct choice *c)
{
	bool fin = c->p->kind == MODEL_FIN, base_ok = ok(c, c->base);

	if (c->r.record && !ok(c, backend_of(c->r)) && c->vip->how & TR_HOW_ADDRESSES) {
		rewrite(c);
		return reach(c, MODEL_TCP_SHARED_DOWN, c->current);
	}
	if (c->r.record && !ok(c, backend_of(c->r)))
		return reach(c, MODEL_TCP_BACKEND_DOWN, c->current);
	if (c->r.record) {
		if (c->r.tier == TR_TIER_SYN)
			to_table(c);
		touch(c);
		if (fin)
			set_closed(c, true);
		return reach(c, MODEL_TCP_RECORD, backend_of(c->r));
	}
	if (c->rec && c->doubt && base_ok) {
		if (insert(c, TR_TIER_TCP, c->base, fin))
			return reach(c, MODEL_TCP_RECORDED, c->base);
		refuse(c);
		return reach(c, MODEL_TCP_REFUSED, c->base);
	}
	return base_ok ? reach(c, MODEL_TCP_BASE, c->base) : reach(c, MODEL_TCP_CURRENT, c->current);
}

static __u32 udp(struct choice *c)
{
	__u32 n = ok(c, c->base) ? c->base : c->current;

	if (c->r.record && is_young(c, c->r) && ok(c, backend_of(c->r))) {
		touch(c);
		return reach(c, MODEL_UDP_RECORD, backend_of(c->r));
	}
	if (c->doubt) {
		if (insert(c, TR_TIER_UDP, n, false))
			return reach(c, MODEL_UDP_RECORDED, n);
		refuse(c);
		return reach(c, MODEL_UDP_REFUSED, n);
	}
	if (!c->r.record)
		return reach(c, MODEL_UDP_PLAIN, n);
	delete_record(c, c->r);
	return reach(c, MODEL_UDP_DELETED, n);
}

static __u32 track_new(struct choice *c, __u32 backend, enum model_clause clause)
{
	insert(c, TR_TIER_TRACK, backend, c->p->kind == MODEL_FIN);
	return reach(c, clause, backend);
}

static __u32 track(struct choice *c)
{
	bool r_ok = c->r.record && ok(c, backend_of(c->r));

	if (c->p->kind == MODEL_SYN)
		return c->r.record ? reach(c, MODEL_TRACK_SYN_RECORD, syn_known(c)) :
				     track_new(c, c->current, MODEL_TRACK_SYN);
	if (c->p->kind == MODEL_DATAGRAM && r_ok && is_young(c, c->r)) {
		touch(c);
		return reach(c, MODEL_TRACK_UDP, backend_of(c->r));
	}
	if (c->p->kind != MODEL_DATAGRAM && r_ok) {
		touch(c);
		if (c->p->kind == MODEL_FIN)
			set_closed(c, true);
		return reach(c, MODEL_TRACK_RECORD, backend_of(c->r));
	}
	if (c->p->kind != MODEL_DATAGRAM && c->r.record) {
		rewrite(c);
		return reach(c, MODEL_TRACK_DOWN, c->current);
	}
	return track_new(c, c->old && ok(c, c->base) ? c->base : c->current, MODEL_TRACK_INSERTED);
}

static __u32 choose(struct choice *c)
{
	__u32 first = c->vip->ring + model_l4(c->p->kind) * c->vip->ring_size;
	__u64 word = c->m->rings[first + model_bucket(c->key, c->vip->ring_size)];

	c->current = word_current(word);
	if (is_hash(c->vip->how))
		return reach(c, MODEL_HASH, c->current);
	if (!c->old && !is_track(c->vip->how) && !(word & TR_WORD_LOOK))
		return reach(c, MODEL_WORD_ALONE, c->current);
	c->base = word_base(word);
	c->rec = word & TR_WORD_REC;
	c->doubt = c->current != c->base;
	c->r = find_in_mode(c, c->vip->how, c->key, true);
	if (c->old)
		come_from_old(c);
	if (is_track(c->vip->how))
		return track(c);
	switch (c->p->kind) {
	case MODEL_SYN:
		return syn(c);
	case MODEL_DATAGRAM:
		return udp(c);
	default:
		return tcp(c);
	}
}

void model_choose(const struct affinity_view *m, const struct model_packet *packet, bool write,
		  struct model_answer *ret)
{
	struct model_packet p = *packet;
	const struct tr_vip *vip = &m->vips[p.vip];
	struct choice c = {
		.m = m, .p = &p, .answer = ret, .vip = vip, .write = write, .now = m->settings->tick,
		.old = vip->how & TR_HOW_MOVING ? &m->vip_old[p.vip] : NULL,
		.pool = &m->pool_flows[vip->pool],
		.key = model_key(m->settings->hash_key, vip->how, &p),
	};

	*ret = (struct model_answer){ .key = c.key };
	if ((!write || vip->how & TR_HOW_ADDRESSES) && p.kind != MODEL_DATAGRAM)
		p.kind = MODEL_DATA;
	ret->backend = choose(&c);
	ret->recorded = find_in_mode(&c, vip->how, c.key, false).record;
	ret->on_ring &= !ret->recorded;
}
