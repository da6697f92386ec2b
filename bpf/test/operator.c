// SPDX-License-Identifier: GPL-2.0-only
/*
 * See trial.h: the operator changes the configuration, and what the controller does of it outside of its core: it writes backends,
 * fresh rings and pools, and tells the core, in the order of a real reload. All of it may be broken off at any point.
 */
#include <stdio.h>
#include <string.h>

#include "trial.h"

const __u32 trial_ring_sizes[TRIAL_RING_SIZES] = { 7, 11, 13, 17, 23, 31 };

static __u64 scramble(__u64 x)
{
	x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 29) * 0x94d049bb133111ebULL;
	return x ^ x >> 32;
}

static __u32 region_start(__u32 region)
{
	return 1 + region * (2 * TRIAL_RING_MAX + 1);
}

/* A crash may come before each write and each call. */
static bool goes_on(struct trial *t)
{
	if (!t->stop_at || --t->stop_at)
		return t->core;
	core_crash(t);
	return false;
}

/* In the model's copy as well: the judge looks at what the core does. */
static void put(struct trial *t, void *real, void *shadow, const void *value, size_t len)
{
	memcpy(real, value, len);
	memcpy(shadow, value, len);
}
#define PUT(t, part, index, value) \
	put(t, &(t)->real.part[index], &(t)->shadow->view.part[index], value, sizeof((t)->real.part[index]))

static void write_state(struct trial *t, __u32 n, enum tr_backend_state state, enum tr_serves serves, __u32 deadline)
{
	struct tr_backend backend = t->real.backends[n];
	struct tr_backend_info info = t->real.backend_info[n];

	info.state = state;
	info.since = t->now;
	info.deadline = deadline;
	backend.serves = serves;
	PUT(t, backends, n, &backend);
	PUT(t, backend_info, n, &info);
	if (serves == TR_SERVES_NONE)
		flows_backend_down(t, n);
}

static __u32 new_number(struct trial *t, __u32 pool, __u32 weight)
{
	struct tr_backend_info info = { .pool = pool, .weight = weight, .state = TR_BACKEND_DOWN };
	__u32 n = 1;

	while (n < t->shape.n_backends && t->real.backend_info[n].state != TR_BACKEND_FREE)
		n++;
	if (n == t->shape.n_backends)
		return 0;
	struct tr_backend backend = t->backends[n];

	backend.generation = t->real.backends[n].generation + 1;
	info.generation = backend.generation;
	PUT(t, backends, n, &backend);
	PUT(t, backend_info, n, &info);
	return n;
}

/* The slot's number, as long as it stands for the slot's address. */
static bool has_number(const struct trial *t, __u32 pool, const struct wanted_backend *slot)
{
	const struct tr_backend_info *info = &t->real.backend_info[slot->number];
	const struct wanted_backend *other = t->pools[pool].slots;

	if (!slot->number || info->state == TR_BACKEND_FREE || info->pool != pool || info->address.w[0] != slot - other + 1U)
		return false;
	return true;
}

static void name_number(struct trial *t, __u32 pool, struct wanted_backend *slot)
{
	struct tr_backend_info info = t->real.backend_info[slot->number];

	info.address.w[0] = slot - t->pools[pool].slots + 1;
	PUT(t, backend_info, slot->number, &info);
}

static void slot_up(struct trial *t, __u32 pool, struct wanted_backend *slot)
{
	if (!has_number(t, pool, slot)) {
		slot->number = new_number(t, pool, slot->weight);
		if (!slot->number)
			return;
		name_number(t, pool, slot);
	}
	if (t->real.backend_info[slot->number].state != TR_BACKEND_UP)
		write_state(t, slot->number, TR_BACKEND_UP, TR_SERVES_ALL, 0);
}

static void slot_not_up(struct trial *t, __u32 pool, struct wanted_backend *slot)
{
	const struct tr_backend_info *info = &t->real.backend_info[slot->number];
	__u32 n = slot->number, deadline = t->now + t->real.pools[pool].times.drain;
	bool leaves = slot->want == WANT_ABSENT;

	if (!has_number(t, pool, slot))
		return;
	switch (info->state) {
	case TR_BACKEND_UP:
		if (slot->want == WANT_DOWN)
			write_state(t, n, TR_BACKEND_DOWN, TR_SERVES_NONE, 0);
		else
			write_state(t, n, leaves ? TR_BACKEND_LEAVING : TR_BACKEND_DRAINING, TR_SERVES_OLD, deadline);
		break;
	case TR_BACKEND_DRAINING:
	case TR_BACKEND_LEAVING:
		if (slot->want == WANT_DOWN)
			write_state(t, n, TR_BACKEND_DOWN, TR_SERVES_NONE, 0);
		else if (leaves != (info->state == TR_BACKEND_LEAVING))
			write_state(t, n, leaves ? TR_BACKEND_LEAVING : TR_BACKEND_DRAINING, TR_SERVES_OLD, info->deadline);
		break;
	case TR_BACKEND_DOWN:
	case TR_BACKEND_DRAINED:
		if (leaves)
			write_state(t, n, TR_BACKEND_RETIRED, TR_SERVES_NONE, 0);
		break;
	default:
		break;
	}
}

static bool tell_backends(struct trial *t)
{
	__u32 p, i;

	for (p = 1; p < t->shape.n_pools; p++)
		for (i = 0; i < TRIAL_SLOTS; i++) {
			struct wanted_backend *slot = &t->pools[p].slots[i];

			if (!goes_on(t))
				return false;
			if (slot->want == WANT_UP && t->pools[p].is_there)
				slot_up(t, p, slot);
			else
				slot_not_up(t, p, slot);
		}
	return true;
}

/* The share of a backend follows its weight; another seed is another ring altogether. */
static __u64 target_members(const struct trial *t, __u32 pool, __u32 *ret_members)
{
	const struct wanted_pool *wanted = &t->pools[pool];
	__u64 hash = wanted->ring_size, score, best;
	__u32 b, i, w;

	for (b = 0; b < wanted->ring_size; b++) {
		ret_members[b] = 0;
		best = 0;
		for (i = 0; i < TRIAL_SLOTS; i++) {
			const struct wanted_backend *slot = &wanted->slots[i];

			if (slot->want != WANT_UP || !has_number(t, pool, slot))
				continue;
			for (w = 0; w < slot->weight; w++) {
				score = scramble((__u64)wanted->seed << 40 ^ b << 20 ^ slot->number << 8 ^ w) | 1;
				if (score > best) {
					best = score;
					ret_members[b] = slot->number;
				}
			}
		}
		hash = scramble(hash ^ ret_members[b]) | 1;
	}
	return hash;
}

static bool region_is_free(const struct trial *t, __u32 start)
{
	__u32 i;

	for (i = 1; i < TRIAL_POOLS; i++)
		if (t->real.pools[i].name[0] && t->real.pools[i].ring == start)
			return false;
	for (i = 1; i < TRIAL_VIPS; i++) {
		const struct tr_vip *vip = &t->real.vips[i];

		if ((vip->ring_size && vip->ring == start) || (t->vips[i].is_told && t->vips[i].told.ring == start) ||
		    (vip->how & TR_HOW_MOVING && t->real.vip_old[i].ring == start))
			return false;
	}
	return true;
}

static void fresh_words(struct trial *t, __u32 start, __u32 size, const __u32 *members)
{
	__u32 i;

	for (i = 0; i < 2 * size; i++) {
		__u64 backend = members[i % size], word = backend | backend << TR_WORD_BASE_SHIFT | backend << TR_WORD_PREV_SHIFT;

		PUT(t, rings, start + i, &word);
		t->control->words[start + i] = (struct word_past){ .target = backend, .has_target = true, .t0 = t->now,
								   .rec_off = t->now };
	}
}

/* A pool's first ring, or one of another size: nothing reads it yet. */
static void fresh_ring(struct trial *t, __u32 pool, const __u32 *members, __u64 hash)
{
	const struct wanted_pool *wanted = &t->pools[pool];
	struct tr_pool_info info = t->real.pools[pool];
	struct tr_pool_flows flows = { .t_syn = wanted->times.syn, .t_udp = wanted->times.udp,
				       .t_settle = wanted->times.settle };
	__u32 region = 0;

	while (region < TRIAL_REGIONS && !region_is_free(t, region_start(region)))
		region++;
	if (region == TRIAL_REGIONS)
		return;
	fresh_words(t, region_start(region), wanted->ring_size, members);
	if (!info.name[0])
		PUT(t, pool_flows, pool, &flows);
	snprintf(info.name, sizeof(info.name), "pool%u", pool);
	info.ring = region_start(region);
	info.ring_size = wanted->ring_size;
	info.times = wanted->times;
	info.ring_hash = hash;
	info.leaving = 0;
	PUT(t, pools, pool, &info);
}

static bool tell_pool(struct trial *t, __u32 pool)
{
	struct wanted_pool *wanted = &t->pools[pool];
	struct tr_pool_info info = t->real.pools[pool];
	__u32 members[TRIAL_RING_MAX];
	__u64 hash = target_members(t, pool, members);
	bool same;

	if (!wanted->is_there)
		return true;
	if (!info.name[0] || info.ring_size != wanted->ring_size) {
		fresh_ring(t, pool, members, hash);
		wanted->is_told = t->real.pools[pool].ring_size == wanted->ring_size;
		memcpy(wanted->told, members, sizeof(members));
		return true;
	}
	same = wanted->is_told ? !memcmp(wanted->told, members, wanted->ring_size * sizeof(*members)) : info.ring_hash == hash;
	if (info.leaving) {
		same = false;
		info.leaving = info.ring_hash = 0;
		PUT(t, pools, pool, &info);
	}
	wanted->is_told = true;
	memcpy(wanted->told, members, sizeof(members));
	return same || core_target(t, pool, members, hash);
}

static bool tell_vip(struct trial *t, __u32 number)
{
	struct wanted_vip *wanted = &t->vips[number];
	const struct tr_pool_info *pool = &t->real.pools[wanted->pool];
	struct tr_vip vip = {}, has = t->real.vips[number];

	has.how &= ~TR_HOW_MOVING;
	if (wanted->is_there && (!pool->name[0] || pool->leaving))
		return true;
	if (wanted->is_there)
		vip = (struct tr_vip){ pool->ring, pool->ring_size, wanted->pool, wanted->mode |
				       (wanted->by_addresses ? TR_HOW_ADDRESSES : 0) | (wanted->mss ? TR_HOW_MSS : 0),
				       wanted->mss, wanted->flags };
	if (!memcmp(wanted->is_told ? &wanted->told : &has, &vip, sizeof(vip)))
		return true;
	wanted->is_told = true;
	wanted->told = vip;
	return core_vip(t, number, &vip);
}

static bool tell_leaving(struct trial *t)
{
	struct tr_pool_info info;
	__u32 i;

	for (i = 1; i < t->shape.n_pools; i++) {
		info = t->real.pools[i];
		if (t->pools[i].is_there || !info.name[0] || info.leaving)
			continue;
		if (!goes_on(t))
			return false;
		info.leaving = 1;
		PUT(t, pools, i, &info);
		t->pools[i].is_told = false;
	}
	return true;
}

static bool tell_hash_key(struct trial *t)
{
	if (!memcmp(t->hash_key, t->real.settings->hash_key, 16) || t->hash_key_told)
		return true;
	return core_hash_key(t, t->hash_key);
}

/* False only when something is wrong; broken off, the core is gone. */
bool operator_tell(struct trial *t)
{
	__u32 i;

	if (!goes_on(t))
		return true;
	if (!tell_hash_key(t))
		return false;
	if (!goes_on(t) || !tell_backends(t))
		return true;
	for (i = 1; i < t->shape.n_pools; i++) {
		if (!goes_on(t))
			return true;
		if (!tell_pool(t, i))
			return false;
	}
	for (i = 1; i < t->shape.n_vips; i++) {
		if (!goes_on(t))
			return true;
		if (!tell_vip(t, i))
			return false;
	}
	if (!goes_on(t) || !tell_leaving(t) || !goes_on(t))
		return true;
	return core_tick(t);
}

void operator_begin(struct trial *t)
{
	const struct trial_shape *shape = &t->shape;
	__u32 p, i;

	memset(t->pools, 0, sizeof(t->pools));
	memset(t->vips, 0, sizeof(t->vips));
	for (p = 1; p < shape->n_pools; p++) {
		struct wanted_pool *pool = &t->pools[p];

		pool->is_there = true;
		pool->ring_size = trial_ring_sizes[shape->ring[p]];
		pool->seed = p;
		pool->times = shape->times[p];
		for (i = 0; i < TRIAL_SLOTS; i++)
			pool->slots[i] = (struct wanted_backend){ i < 3 ? WANT_UP : WANT_ABSENT, 1 + i % 3, 0 };
	}
	for (i = 1; i < shape->n_vips; i++)
		t->vips[i] = (struct wanted_vip){ .is_there = true, .pool = 1 + i % (shape->n_pools - 1), .mode = shape->modes[i] };
	t->vips[TRIAL_JOINER].by_addresses = shape->by_addresses;
	memcpy(t->hash_key, t->real.settings->hash_key, sizeof(t->hash_key));
	t->hash_key_told = false;
}

static bool pool_has_vip(const struct trial *t, __u32 pool)
{
	__u32 i;

	for (i = 1; i < t->shape.n_vips; i++)
		if (t->vips[i].is_there && t->vips[i].pool == pool)
			return true;
	return false;
}

static void pool_goes(struct trial *t, struct wanted_pool *pool, __u32 number)
{
	__u32 i;

	if (pool->is_there && pool_has_vip(t, number))
		return;
	pool->is_there = !pool->is_there;
	for (i = 0; i < TRIAL_SLOTS; i++)
		pool->slots[i].want = pool->is_there && i < 3 ? WANT_UP : WANT_ABSENT;
}

/* It does not come back within W: its old records may stand until then, and a move would take them for those of new flows. */
static void vip_goes(struct trial *t, struct wanted_vip *vip)
{
	__u32 longest = 0, i;

	for (i = 1; i < t->shape.n_pools; i++)
		longest = t->shape.times[i].settle > longest ? t->shape.times[i].settle : longest;
	if (vip->is_there) {
		vip->is_there = false;
		vip->was_there = true;
		vip->gone_at = t->now;
	} else if (t->pools[vip->pool].is_there) {
		vip->is_there = !vip->was_there || t->now - vip->gone_at > longest;
	}
}

static void vip_mss(struct wanted_vip *vip, __u32 value)
{
	vip->mss = value % 4 ? 1000 + value : 0;
	vip->flags = value & 8 ? TR_VIP_OVERSIZE : 0;
}

static void vip_change(struct trial *t, const struct trial_step *step)
{
	struct wanted_vip *vip = &t->vips[1 + step->a % (t->shape.n_vips - 1)];
	__u32 pool = 1 + step->b % (t->shape.n_pools - 1);

	if (step->kind == STEP_VIP_MODE)
		vip->mode = step->b % TR_MODE_COUNT;
	else if (step->kind == STEP_VIP_POOL && t->pools[pool].is_there)
		vip->pool = pool;
	else if (step->kind == STEP_VIP_GOES)
		vip_goes(t, vip);
	else if (step->kind == STEP_VIP_JOINS)
		t->vips[TRIAL_JOINER].by_addresses = !t->vips[TRIAL_JOINER].by_addresses;
	else if (step->kind == STEP_VIP_MSS)
		vip_mss(vip, step->b);
}

bool operator_change(struct trial *t, const struct trial_step *step)
{
	__u32 number = 1 + step->a % (t->shape.n_pools - 1);
	struct wanted_pool *pool = &t->pools[number];

	switch (step->kind) {
	case STEP_BACKEND:
		if (pool->is_there)
			pool->slots[step->b % TRIAL_SLOTS].want = step->c % WANT_COUNT;
		break;
	case STEP_WEIGHTS:
		pool->seed = step->b;
		break;
	case STEP_RING_SIZE:
		pool->ring_size = trial_ring_sizes[step->b % TRIAL_RING_SIZES];
		break;
	case STEP_HASH_KEY:
		t->hash_key[0] = scramble(step->a);
		t->hash_key[1] = scramble(step->a + 1);
		t->hash_key_told = false;
		break;
	case STEP_POOL_GOES:
		pool_goes(t, pool, number);
		break;
	default:
		vip_change(t, step);
		break;
	}
	if (t->several) {
		t->several--;
		return true;
	}
	return !t->core || operator_tell(t);
}
