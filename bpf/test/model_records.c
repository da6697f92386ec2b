// SPDX-License-Identifier: GPL-2.0-only
/* See model_control.h: which records the controller may delete, and what is left of a bucket's. */
#include "model_control.h"

static const struct tr_pool_times no_times;

/* No VIP is of the pool, comes from it or is to go there. */
static bool is_without_vips(const struct model_control *c, __u32 pool)
{
	__u32 i;

	for (i = 1; i < c->real->n_vips; i++) {
		const struct tr_vip *vip = &c->real->vips[i];

		if (vip->ring_size && (vip->pool == pool || (vip->how & TR_HOW_MOVING &&
							     (c->real->vip_old[i].pool == pool || (c->vips[i].has_wanted &&
							      c->vips[i].wanted.pool == pool)))))
			return false;
	}
	return true;
}

static bool is_old(const struct model_control *c, enum tr_tier tier, __u64 value)
{
	const struct tr_pool_info *pool = &c->shadow->pools[tr_record_pool(value) % c->shadow->n_pools];
	const struct tr_pool_times *times = pool->name[0] ? &pool->times : &no_times;
	__u32 age = tr_record_age(value, c->now);

	switch (tier) {
	case TR_TIER_TCP:
		return age > times->life || (value & TR_RECORD_CLOSED && age > times->linger);
	case TR_TIER_SYN:
		return age > times->settle || (value & TR_RECORD_CLOSED && age > times->linger);
	case TR_TIER_UDP:
		return age >= times->udp;
	default:
		return pool->leaving && is_without_vips(c, tr_record_pool(value));
	}
}

bool control_is_live(const struct model_control *c, enum tr_tier tier, const struct tr_record *record)
{
	__u8 state;

	if (!model_is_record(c->shadow, record) || is_old(c, tier, record->value))
		return false;
	state = c->real->backend_info[record_backend(record->value)].state;
	return state != TR_BACKEND_RETIRED && state != TR_BACKEND_FREE;
}

/* The word of the record's bucket in its pool's ring; NULL: the pool has none. */
static struct word_role *role_of(const struct model_control *c, const struct affinity_view *m, enum tr_tier tier,
				 const struct tr_record *record, __u64 *ret_word)
{
	__u32 number = tr_record_pool(record->value), index;
	const struct tr_pool_info *pool;

	if (number >= m->n_pools || tier == TR_TIER_TRACK)
		return NULL;
	pool = &m->pools[number];
	if (!pool->name[0] || !pool->ring_size)
		return NULL;
	index = pool->ring + (tier == TR_TIER_UDP ? pool->ring_size : 0) + model_bucket(record->key, pool->ring_size);
	*ret_word = m->rings[index];
	return &c->roles[index];
}

static void note_before(const struct model_control *c, enum tr_tier tier, const struct tr_record *record)
{
	struct word_role *role;
	__u64 word;

	if (!record->key || !control_is_live(c, tier, record))
		return;
	role = role_of(c, c->shadow, tier, record, &word);
	if (!role)
		return;
	role->live_other |= record_backend(record->value) != word_base(word);
	role->live_in_syn |= tier == TR_TIER_SYN;
}

static void note_after(const struct model_control *c, enum tr_tier tier, const struct tr_record *record)
{
	struct word_role *role;
	__u64 word;

	if (!record->key || !model_is_record(c->real, record))
		return;
	role = role_of(c, c->real, tier, record, &word);
	if (role)
		role->records_left = true;
}

static bool may_purge(const struct model_control *c, enum tr_tier tier, const struct tr_record *record)
{
	__u64 word, word_after;
	const struct word_role *role = role_of(c, c->shadow, tier, record, &word);

	if (!role || role->is_moving)
		return false;
	if (!role->moves && !(word & TR_WORD_LOOK) && role_of(c, c->real, tier, record, &word_after) &&
	    !(word_after & TR_WORD_LOOK))
		return true;	/* nobody looks for it, and it must not be found later */
	return word_current(word) == word_base(word) && !(word & TR_WORD_REC) && !role->live_other &&
	       (tier == TR_TIER_SYN || !role->live_in_syn);
}

static bool check_slot(struct model_control *c, enum tr_tier tier, const struct tr_record *before,
		       const struct tr_record *after)
{
	if (before->key == after->key && before->value == after->value)
		return true;
	if (after->key && !(c->broken_off && after->key == before->key && !after->value))
		return control_differ(c, "record %016llx -> %016llx of tier %u is %016llx -> %016llx now", before->key,
				      before->value, tier, after->key, after->value);
	if (control_is_live(c, tier, before) && !may_purge(c, tier, before))
		return control_differ(c, "record %016llx of tier %u, backend %u, pool %u, age %u, is live and was deleted",
				      before->key, tier, record_backend(before->value), tr_record_pool(before->value),
				      tr_record_age(before->value, c->now));
	return true;
}

static bool check_tier(struct model_control *c, enum tr_tier tier)
{
	const struct tr_tier_place *place = &c->real->settings->tiers[tier];
	__u32 i, slot, used = 0;

	for (i = place->start; i < place->start + place->sets; i++)
		for (slot = 0; slot < TR_SET_SLOTS; slot++) {
			const struct tr_record *after = &c->real->flows[i].slots[slot];

			used += after->key != 0;
			note_after(c, tier, after);
			if (!check_slot(c, tier, &c->shadow->flows[i].slots[slot], after))
				return false;
		}
	if (used != c->real->flow_state->used[tier] && !c->broken_off)
		return control_differ(c, "tier %u has %u slots taken, and counts %u", tier, used,
				      c->real->flow_state->used[tier]);
	return true;
}

bool control_check_records(struct model_control *c)
{
	enum tr_tier tier;
	__u32 i, slot;

	for (tier = 0; tier < TR_TIER_COUNT; tier++) {
		const struct tr_tier_place *place = &c->shadow->settings->tiers[tier];

		for (i = place->start; i < place->start + place->sets; i++)
			for (slot = 0; slot < TR_SET_SLOTS; slot++)
				note_before(c, tier, &c->shadow->flows[i].slots[slot]);
	}
	for (tier = 0; tier < TR_TIER_COUNT; tier++)
		if (!check_tier(c, tier))
			return false;
	return true;
}
