// SPDX-License-Identifier: GPL-2.0-only
/* See model.h. The tiers: where a record stands, and which slot a new one takes. */
#include "model.h"

#define PLACES (2 * TR_SET_SLOTS)

/* The slots in which a record may stand, in the order of search; two of them may be the same. */
static struct tr_record *slot_at(const struct affinity_view *m, enum tr_tier tier, __u64 key, unsigned int i)
{
	__u32 set = tr_flow_set_index(&m->settings->tiers[tier], key, i / TR_SET_SLOTS);

	return &m->flows[set].slots[i % TR_SET_SLOTS];
}

bool model_is_record(const struct affinity_view *m, const struct tr_record *record)
{
	__u32 backend = record_backend(record->value);

	return record->key && record->value && backend < m->n_backends &&
	       tr_record_generation(record->value) ==
	       (m->backends[backend].generation & TR_RECORD_GENERATION_MASK);
}

struct model_slot model_find(const struct affinity_view *m, enum tr_tier tier, __u64 key)
{
	struct model_slot found = { .tier = tier };
	unsigned int i;

	for (i = 0; i < PLACES && !found.record; i++) {
		struct tr_record *r = slot_at(m, tier, key, i);

		if (r->key == key && r->value)
			found.record = r;
	}
	return found;
}

void model_delete(const struct affinity_view *m, struct model_slot slot)
{
	*slot.record = (struct tr_record){};
	m->flow_state->used[slot.tier]--;
}

struct tr_record *model_place(const struct affinity_view *m, enum tr_tier tier, __u64 key, __u32 now,
			      struct tr_record *ret_evicted)
{
	struct tr_record *oldest = slot_at(m, tier, key, 0);
	unsigned int taken[2] = {}, i;

	*ret_evicted = (struct tr_record){};
	for (i = 0; i < PLACES; i++)
		if (slot_at(m, tier, key, i)->key == key)
			return slot_at(m, tier, key, i);
	for (i = 0; i < PLACES; i++)
		taken[i / TR_SET_SLOTS] += !!slot_at(m, tier, key, i)->key;
	for (i = taken[1] < taken[0] ? TR_SET_SLOTS : 0; i < PLACES; i++)
		if (!slot_at(m, tier, key, i)->key) {
			m->flow_state->used[tier]++;
			return slot_at(m, tier, key, i);
		}
	if (tier == TR_TIER_TCP || tier == TR_TIER_UDP)
		return NULL;
	for (i = 1; i < PLACES; i++) {
		struct tr_record *r = slot_at(m, tier, key, i);

		if (tr_record_age(r->value, now) > tr_record_age(oldest->value, now))
			oldest = r;
	}
	*ret_evicted = *oldest;
	return oldest;
}
