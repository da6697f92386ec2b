// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sweeps of the flow table: records die of age, and a bucket forgets the last of them when none differs from its base any
 * more. Programs insert, change and delete at the same time.
 */
#include <string.h>

#include "affinity_internal.h"

#define SWEEP_TICKS_MIN 2
#define SWEEP_TICKS_MAX 80

bool records_exist(const struct affinity *a)
{
	for (enum tr_tier tier = 0; tier < TR_TIER_COUNT; tier++)
		if (tier != TR_TIER_TRACK && __atomic_load_n(&a->view.flow_state->used[tier], __ATOMIC_RELAXED))
			return true;
	return false;
}

static uint32_t min(uint32_t x, uint32_t y)
{
	return x < y ? x : y;
}

uint32_t records_interval(const struct affinity *a)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t p = 1; p < a->view.n_pools; p++) {
		const struct tr_pool_times *times = &a->view.pools[p].times;

		if (a->view.pools[p].name[0])
			least = min(least, min(times->udp, min(times->settle, times->linger)));
	}
	least /= 8;
	return least < SWEEP_TICKS_MIN ? SWEEP_TICKS_MIN : min(least, SWEEP_TICKS_MAX);
}

static void record_delete(struct affinity *a, enum tr_tier tier, struct tr_record *record, uint64_t value)
{
	if (!__atomic_compare_exchange_n(&record->value, &value, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	__atomic_store_n(&record->key, 0, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&a->view.flow_state->used[tier], 1, __ATOMIC_SEQ_CST);
}

static bool is_live(const struct affinity *a, enum tr_tier tier, uint64_t value, uint32_t now)
{
	uint32_t backend = value & TR_BACKEND_MASK, age = tr_record_age(value, now);
	const struct tr_pool_info *pool = &a->view.pools[tr_record_pool(value)];

	if (!backend || backend >= a->view.n_backends || tr_record_pool(value) >= a->view.n_pools || !pool->name[0])
		return false;
	if (tr_record_generation(value) != (a->view.backends[backend].generation & TR_RECORD_GENERATION_MASK))
		return false;
	if (a->view.backend_info[backend].state == TR_BACKEND_FREE ||
	    a->view.backend_info[backend].state == TR_BACKEND_RETIRED)
		return false;
	switch (tier) {
	case TR_TIER_TCP:
		return age <= (value & TR_RECORD_CLOSED ? min(pool->times.life, pool->times.linger) : pool->times.life);
	case TR_TIER_SYN:
		return age <= pool->times.settle;
	case TR_TIER_UDP:
		return age < pool->times.udp;
	default:			/* nothing asks for it any more, and nothing else ends it */
		return !a->deserted[tr_record_pool(value)];
	}
}

/* The word that the record's flow asks, by the pool's ring; *ret_ring NULL: the ring is plain words. */
static uint32_t word_of(const struct affinity *a, enum tr_tier tier, const struct tr_record *record, uint64_t value,
			struct ring_state **ret_ring)
{
	uint32_t pool = tr_record_pool(value);
	struct ring_state *ring = a->rings[pool];
	uint32_t size = a->view.pools[pool].ring_size;

	if (ring && (ring->start != a->view.pools[pool].ring || ring->size != size))
		ring = NULL;
	*ret_ring = ring;
	return (tier == TR_TIER_UDP ? size : 0) + ((record->key >> 32) * size >> 32);
}

typedef void (*record_fn)(struct affinity *a, enum tr_tier tier, struct tr_record *record, uint64_t value, uint32_t now);

static void each_record(struct affinity *a, enum tr_tier tier, record_fn fn, uint32_t now)
{
	const struct tr_tier_place *place = &a->view.settings->tiers[tier];

	for (uint32_t i = place->start; i < place->start + place->sets; i++)
		for (int slot = 0; slot < TR_SET_SLOTS; slot++) {
			struct tr_record *record = &a->view.flows[i].slots[slot];
			uint64_t value = __atomic_load_n(&record->value, __ATOMIC_ACQUIRE);

			if (__atomic_load_n(&record->key, __ATOMIC_RELAXED))
				fn(a, tier, record, value, now);
		}
}

/*
 * Its taker is about to write the value, or a controller was killed while it deleted: then it is the same at the next sweep. One is
 * remembered; a controller that is killed leaves no more.
 */
static void look_at_half(struct affinity *a, enum tr_tier tier, struct tr_record *record, uint32_t now)
{
	uint64_t key = __atomic_load_n(&record->key, __ATOMIC_RELAXED);

	if (record == a->half && key == a->half_key && a->half_at == a->swept &&
	    __atomic_compare_exchange_n(&record->key, &key, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		__atomic_sub_fetch(&a->view.flow_state->used[tier], 1, __ATOMIC_SEQ_CST);
		return;
	}
	a->drift[tier]++;
	if (a->half && a->half_at == now)
		return;
	a->half = record;
	a->half_key = key;
	a->half_at = now;
}

/* Nothing asks the table for a record whose word does not look, so it is left over; but for VIPs on the move. */
static void look_at(struct affinity *a, enum tr_tier tier, struct tr_record *record, uint64_t value, uint32_t now)
{
	uint32_t backend = value & TR_BACKEND_MASK, pool = tr_record_pool(value), word;
	struct ring_state *ring;

	if (!value) {
		look_at_half(a, tier, record, now);
		return;
	}
	if (!is_live(a, tier, value, now)) {
		record_delete(a, tier, record, value);
		return;
	}
	if (tier != TR_TIER_TRACK) {
		word = word_of(a, tier, record, value, &ring);
		if (!a->kept[pool] && (!ring || !bucket_read(a, ring->start + word).look)) {
			record_delete(a, tier, record, value);
			return;
		}
		if (ring && backend != bucket_read(a, ring->start + word).base)
			ring->fade[word] |= FADE_DIFFERS;
	}
	a->backend_records[backend]++;
	a->pool_records[pool]++;
	a->drift[tier]++;		/* here the count; count_again() makes the drift of it */
}

static bool fades(const struct ring_state *ring, uint32_t word)
{
	return (ring->fade[word] & (FADE_MAY | FADE_DIFFERS)) == FADE_MAY;
}

static void forget(struct affinity *a, enum tr_tier tier, struct tr_record *record, uint64_t value, uint32_t now)
{
	struct ring_state *ring;
	uint32_t word = word_of(a, tier, record, value, &ring);

	if (value && ring && !a->kept[tr_record_pool(value)] && fades(ring, word) &&
	    (tier == TR_TIER_SYN || ring->fade[word] & FADE_SYN_GONE))
		record_delete(a, tier, record, value);
}

/* True: some bucket may forget. */
static bool begin_fading(struct affinity *a, uint32_t pool, uint32_t now)
{
	struct ring_state *ring = a->rings[pool];
	bool any = false;

	for (uint32_t word = 0; word < TR_L4_COUNT * ring->size; word++) {
		struct bucket b = bucket_read(a, ring->start + word);
		bool may = b.look && !b.rec && b.current == b.base && !a->kept[pool] &&
			   now - ring->since[word] >= IN_FLIGHT_TICKS;

		ring->fade[word] = may ? (ring->fade[word] & FADE_SYN_GONE) | FADE_MAY : 0;
		any |= may;
	}
	return any;
}

static void end_fading(struct affinity *a, uint32_t pool)
{
	struct ring_state *ring = a->rings[pool];

	for (uint32_t word = 0; word < TR_L4_COUNT * ring->size; word++) {
		if (!fades(ring, word))
			ring->fade[word] = 0;
		else if (ring->fade[word] & FADE_SYN_GONE)
			ring_look_off(a, ring, word);
		else
			ring->fade[word] |= FADE_SYN_GONE;
	}
}

/*
 * Counters drift where a program or a controller died between two stores. A count that is too low is mended at once; one
 * that is too high may be records that came behind the sweep, so only what two sweeps found alike.
 */
static void count_again(struct affinity *a, const int32_t *before)
{
	for (enum tr_tier tier = 0; tier < TR_TIER_COUNT; tier++) {
		uint32_t *used = &a->view.flow_state->used[tier];
		int32_t drift = a->drift[tier] - (int32_t)__atomic_load_n(used, __ATOMIC_SEQ_CST), mend = 0;

		if (drift > 0)
			mend = drift;
		else if (drift < 0 && before[tier] < 0)
			mend = drift > before[tier] ? drift : before[tier];
		if (mend)
			__atomic_add_fetch(used, mend, __ATOMIC_SEQ_CST);
		a->drift[tier] = drift - mend;
	}
}

void records_restart(struct affinity *a)
{
	for (enum tr_tier tier = 0; tier < TR_TIER_COUNT; tier++) {
		const struct tr_tier_place *place = &a->view.settings->tiers[tier];
		uint32_t *used = &a->view.flow_state->used[tier], count = 0;

		for (uint32_t i = place->start; i < place->start + place->sets; i++)
			for (int slot = 0; slot < TR_SET_SLOTS; slot++)
				count += !!__atomic_load_n(&a->view.flows[i].slots[slot].key, __ATOMIC_RELAXED);
		__atomic_add_fetch(used, count - __atomic_load_n(used, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
	}
}

static bool any_ring(struct affinity *a, bool (*begin)(struct affinity *, uint32_t, uint32_t), uint32_t now)
{
	bool any = false;

	for (uint32_t p = 1; p < a->view.n_pools; p++)
		if (a->rings[p])
			any |= begin(a, p, now);
	return any;
}

void records_sweep(struct affinity *a, uint32_t now)
{
	int32_t before[TR_TIER_COUNT];
	bool fading;

	vips_freeze(a);
	fading = any_ring(a, begin_fading, now);
	for (uint32_t p = 1; p < a->view.n_pools; p++)
		a->deserted[p] = a->view.pools[p].leaving && !pool_has_vips(a, p);

	memcpy(before, a->drift, sizeof(before));
	memset(a->drift, 0, sizeof(a->drift));
	memset(a->backend_records, 0, a->view.n_backends * sizeof(*a->backend_records));
	memset(a->pool_records, 0, a->view.n_pools * sizeof(*a->pool_records));
	for (enum tr_tier tier = 0; tier < TR_TIER_COUNT; tier++)
		each_record(a, tier, look_at, now);
	count_again(a, before);
	a->swept = now;
	a->has_swept = true;
	if (!fading)
		return;
	each_record(a, TR_TIER_SYN, forget, now);
	each_record(a, TR_TIER_TCP, forget, now);
	each_record(a, TR_TIER_UDP, forget, now);
	for (uint32_t p = 1; p < a->view.n_pools; p++)
		if (a->rings[p])
			end_fading(a, p);
}
