// SPDX-License-Identifier: GPL-2.0-only
/*
 * VIPs on the move: to another pool, ring, mode, hash key, or from ports to addresses alone and back; docs/affinity.md, "A VIP
 * that moves". A VIP's caches are told by the generation, behind every store.
 */
#include <string.h>

#include "affinity_internal.h"

void store_words(void *to, const void *from, size_t bytes)
{
	const uint64_t *source = from;
	uint64_t *target = to;

	for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
		if (target[i] != source[i])
			__atomic_store_n(&target[i], source[i], __ATOMIC_RELEASE);
}

static void flush(struct affinity *a)
{
	if (!__atomic_add_fetch(&a->view.settings->generation, 1, __ATOMIC_RELEASE))
		__atomic_store_n(&a->view.settings->generation, 1, __ATOMIC_RELEASE);	/* 0 means not filled */
}

static uint16_t mode_of(const struct tr_vip *vip)
{
	return vip->how & TR_HOW_MODE;
}

static uint16_t key_bits(const struct tr_vip *vip)
{
	return vip->how & TR_HOW_KEY;
}

/* ring and size are the first word, the rest the second. */
static void store_first(struct affinity *a, uint32_t number, const struct tr_vip *vip)
{
	store_words(&a->view.vips[number], vip, sizeof(uint64_t));
}

static void store_second(struct affinity *a, uint32_t number, const struct tr_vip *vip)
{
	store_words((uint64_t *)&a->view.vips[number] + 1, (const uint64_t *)vip + 1, sizeof(uint64_t));
}

/* A ring is never there without its pool. */
static void store_vip(struct affinity *a, uint32_t number, const struct tr_vip *vip)
{
	if (!vip->ring_size)
		store_first(a, number, vip);
	store_second(a, number, vip);
	store_first(a, number, vip);
}

static bool same_place(const struct tr_vip *x, const struct tr_vip *y)
{
	return x->ring == y->ring && x->ring_size == y->ring_size && x->pool == y->pool && key_bits(x) == key_bits(y);
}

/* The pool may have another ring by now; its records are those of the VIP's flows all the same. */
static void freeze_ring(struct affinity *a, uint32_t pool, uint32_t ring)
{
	a->kept[pool] = true;
	a->frozen[pool] |= a->view.pools[pool].ring == ring;
}

void vips_freeze(struct affinity *a)
{
	if (!a->thaw)
		return;
	a->thaw = false;
	memset(a->kept, 0, a->view.n_pools * sizeof(*a->kept));
	memset(a->frozen, 0, a->view.n_pools * sizeof(*a->frozen));
	for (uint32_t v = 1; v < a->view.n_vips; v++) {
		const struct tr_vip *vip = &a->view.vips[v];
		const struct tr_pool_info *pool = &a->view.pools[vip->pool];

		/* Between the pool's fresh ring and the VIP's move there a change may be broken off. */
		a->kept[vip->pool] |= vip->ring_size && (vip->ring != pool->ring || vip->ring_size != pool->ring_size);
		if (a->vips[v].phase == VIP_STAYS)
			continue;
		freeze_ring(a, a->view.vips[v].pool, a->view.vips[v].ring);
		freeze_ring(a, a->view.vip_old[v].pool, a->view.vip_old[v].ring);
		freeze_ring(a, a->vips[v].wanted.pool, a->vips[v].wanted.ring);
	}
}

static void stay(struct affinity *a, uint32_t number)
{
	a->n_moving -= a->vips[number].phase != VIP_STAYS;
	a->vips[number] = (struct vip_state){};
	a->thaw = true;
}

static void begin_move(struct affinity *a, uint32_t number, const struct tr_vip *wanted, uint32_t now)
{
	struct tr_vip vip = a->view.vips[number];
	const struct tr_vip_old old = {
		.ring = vip.ring, .ring_size = vip.ring_size, .pool = vip.pool, .how = key_bits(&vip),
		.hash_key = { a->view.settings->hash_key[0], a->view.settings->hash_key[1] },
	};

	store_words(&a->view.vip_old[number], &old, sizeof(old));
	vip.how |= TR_HOW_MOVING;
	store_second(a, number, &vip);
	flush(a);
	a->vips[number] = (struct vip_state){ *wanted, now, VIP_PREPARES };
	a->n_moving++;
	a->thaw = true;
}

/* What says nothing of where flows are is in force at once, wherever the VIP is on its way. */
static void store_rest(struct affinity *a, uint32_t number, const struct tr_vip *wanted)
{
	const struct tr_vip *vip = &a->view.vips[number];
	const uint16_t moves = TR_HOW_KEY | TR_HOW_MOVING;
	struct tr_vip next = *wanted;

	next.pool = vip->pool;
	next.how = (vip->how & moves) | (wanted->how & ~moves);
	if (next.how == vip->how && next.mss == vip->mss && next.flags == vip->flags)
		return;
	store_second(a, number, &next);
	flush(a);
}

void affinity_vip(struct affinity *a, uint32_t number, const struct tr_vip *wanted, uint32_t now)
{
	const struct tr_vip *vip = &a->view.vips[number];

	if (!vip->ring_size || !wanted->ring_size || mode_of(wanted) == TR_MODE_HASH) {
		if (!memcmp(vip, wanted, sizeof(*vip)))
			return;
		store_vip(a, number, wanted);
		flush(a);
		stay(a, number);
		return;
	}
	store_rest(a, number, wanted);
	if (a->vips[number].phase != VIP_STAYS) {
		a->vips[number].wanted = *wanted;
		a->thaw = true;
	} else if (!same_place(vip, wanted)) {
		begin_move(a, number, wanted, now);
	}
}

static bool is_used(const struct affinity *a, uint32_t number)
{
	return a->view.vips[number].ring_size && mode_of(&a->view.vips[number]) != TR_MODE_HASH;
}

static bool same_key(const void *x, const void *y)
{
	return !memcmp(x, y, 2 * sizeof(uint64_t));
}

/*
 * Two stores: a packet between them sees half of either key. It finds its backend by the old key, but what it records, or takes
 * along, in these nanoseconds stands where nobody will look.
 */
static void store_key(struct affinity *a, const uint64_t *key)
{
	store_words(a->view.settings->hash_key, key, 2 * sizeof(*key));
	a->key_pending = false;
}

/* From the key that is in force; those that came after the wish for another one too. */
static void move_all(struct affinity *a, uint32_t now)
{
	for (uint32_t v = 1; v < a->view.n_vips; v++)
		if (is_used(a, v) && a->vips[v].phase == VIP_STAYS)
			begin_move(a, v, &a->view.vips[v], now);
}

void affinity_hash_key(struct affinity *a, const uint64_t key[2], uint32_t now)
{
	bool any = false;

	if (same_key(a->view.settings->hash_key, key)) {
		a->key_pending = false;
		return;
	}
	for (uint32_t v = 1; v < a->view.n_vips; v++)
		any |= is_used(a, v) || a->vips[v].phase != VIP_STAYS;
	if (!any) {
		store_key(a, key);
		return;
	}
	memcpy(a->key, key, sizeof(a->key));
	a->key_pending = true;
	move_all(a, now);
}

static uint32_t max(uint32_t x, uint32_t y)
{
	return x > y ? x : y;
}

/* Everything that a moving VIP's flows may have said by now is recorded. */
static bool is_over(const struct affinity *a, uint32_t number, uint32_t now)
{
	uint32_t pools[2] = { a->view.vips[number].pool, a->view.vip_old[number].pool };

	for (int i = 0; i < 2; i++) {
		const struct tr_pool_times *times = &a->view.pools[pools[i]].times;
		const struct tr_pool_flows *flows = &a->view.pool_flows[pools[i]];
		uint32_t tcp = __atomic_load_n(&flows->refused, __ATOMIC_RELAXED);
		uint32_t udp = __atomic_load_n(&flows->refused_udp, __ATOMIC_RELAXED);

		if (now - a->vips[number].since < max(times->settle, times->udp) ||
		    tr_is_recent(tcp, now, times->settle) || tr_is_recent(udp, now, times->udp))
			return false;
	}
	return true;
}

/*
 * Some new flows have no backend: their pool has none, or one of a ring that its pool has left, and that nobody keeps up,
 * is gone. Then there is nothing to wait for.
 */
static bool lacks_a_backend(struct affinity *a, const struct tr_vip *vip)
{
	struct ring_answer *answer = &a->answers[vip->pool];

	if (answer->size == vip->ring_size && answer->start == vip->ring)
		return answer->lacks;
	*answer = (struct ring_answer){ vip->ring, vip->ring_size, false };
	for (uint32_t word = 0; word < TR_L4_COUNT * vip->ring_size && !answer->lacks; word++)
		answer->lacks = !backend_is_ok(a, bucket_read(a, vip->ring + word).current);
	return answer->lacks;
}

static void go_there(struct affinity *a, uint32_t number, uint32_t now)
{
	struct vip_state *state = &a->vips[number];
	struct tr_vip vip = state->wanted;

	vip.how |= TR_HOW_MOVING;
	store_vip(a, number, &vip);
	flush(a);
	state->phase = VIP_MOVES;
	state->since = now;
	a->thaw = true;
}

/* What was asked of the VIP meanwhile, and could not be done, is a move of its own. */
static void end_move(struct affinity *a, uint32_t number, uint32_t now)
{
	struct tr_vip vip = a->view.vips[number], wanted = a->vips[number].wanted;

	if (mode_of(&vip) != TR_MODE_TRACK && ring_look_on(a, vip.pool, vip.ring, vip.ring_size, now))
		return;			/* no memory: tried again with the next tick */
	vip.how &= ~TR_HOW_MOVING;
	store_second(a, number, &vip);
	flush(a);
	stay(a, number);
	if (a->key_pending || !same_place(&vip, &wanted))
		begin_move(a, number, &wanted, now);
}

/* Records are made by the key and in the tiers that the VIP has now; vip_old knows those from before the move. */
static bool records_stand_elsewhere(const struct affinity *a, uint32_t number)
{
	const struct tr_vip_old *old = &a->view.vip_old[number];
	const struct tr_vip *vip = &a->view.vips[number];

	return vip->pool != old->pool || key_bits(vip) != old->how || !same_key(old->hash_key, a->view.settings->hash_key);
}

/* Only the ring is another one: records are what they were. */
static bool another_ring(const struct tr_vip *vip, const struct tr_vip *wanted)
{
	return vip->pool == wanted->pool && key_bits(vip) == key_bits(wanted) && !same_place(vip, wanted);
}

/*
 * A later change of pool or mode waits until the move is over: records of a third place or tier would leave those of the second
 * behind. But for a ring that has nothing for new flows.
 */
static void vip_advance(struct affinity *a, uint32_t number, uint32_t now)
{
	struct vip_state *state = &a->vips[number];
	const struct tr_vip *vip = &a->view.vips[number];
	uint32_t syn = a->view.pools[a->view.vip_old[number].pool].times.syn;

	if (state->phase == VIP_PREPARES && now - state->since >= syn)
		go_there(a, number, now);
	else if (state->phase == VIP_MOVES && !same_place(vip, &state->wanted) &&
		 (another_ring(vip, &state->wanted) || !records_stand_elsewhere(a, number)))
		go_there(a, number, now);
	else if (!same_place(vip, &state->wanted) && lacks_a_backend(a, vip))
		go_there(a, number, now);
	else if (state->phase == VIP_MOVES && (!a->key_pending || records_stand_elsewhere(a, number)) && is_over(a, number, now))
		end_move(a, number, now);
}

/* Every VIP records all of its flows, and where the key before says. One that is about to leave mode hash may do so first. */
static bool key_is_prepared(const struct affinity *a)
{
	for (uint32_t v = 1; v < a->view.n_vips; v++)
		if (a->vips[v].phase == VIP_PREPARES ||
		    (is_used(a, v) && (a->vips[v].phase != VIP_MOVES || records_stand_elsewhere(a, v))))
			return false;
	return true;
}

static void key_advance(struct affinity *a, uint32_t now)
{
	move_all(a, now);
	if (!key_is_prepared(a))
		return;
	store_key(a, a->key);
	for (uint32_t v = 1; v < a->view.n_vips; v++)
		if (a->vips[v].phase == VIP_MOVES)
			a->vips[v].since = now;
}

void vips_advance(struct affinity *a, uint32_t now)
{
	a->thaw = true;			/* pools may have other rings by now */
	if (a->n_moving)
		memset(a->answers, 0, a->view.n_pools * sizeof(*a->answers));
	for (uint32_t v = 1; v < a->view.n_vips && a->n_moving; v++)
		if (a->vips[v].phase != VIP_STAYS)
			vip_advance(a, v, now);
	if (a->key_pending)
		key_advance(a, now);
}

static bool has_targets(const struct affinity *a, uint32_t pool, uint32_t ring)
{
	return a->view.pools[pool].ring == ring && !a->view.pools[pool].leaving;
}

void vips_bury(struct affinity *a)
{
	size_t n = 0;

	for (uint32_t v = 1; v < a->view.n_vips && a->n_moving; v++) {
		const struct tr_vip_old *old = &a->view.vip_old[v];
		const struct tr_vip *vip = &a->view.vips[v];

		if (a->vips[v].phase == VIP_STAYS)
			continue;
		if (!has_targets(a, vip->pool, vip->ring))
			a->visits[n++] = (struct ring_visit){ vip->ring, vip->ring_size };
		if (!has_targets(a, old->pool, old->ring))
			a->visits[n++] = (struct ring_visit){ old->ring, old->ring_size };
	}
	rings_visit(a, n, ring_bury);
}

bool vips_are_pending(const struct affinity *a)
{
	for (uint32_t v = 1; v < a->view.n_vips && a->n_moving; v++)
		if (a->vips[v].phase == VIP_PREPARES)
			return true;
	return false;
}

/* Where it is, is where it wants to be, until the configuration says more; whether it was prepared long enough, nobody knows. */
void vips_restart(struct affinity *a, uint32_t now)
{
	for (uint32_t v = 1; v < a->view.n_vips; v++) {
		if (!(a->view.vips[v].how & TR_HOW_MOVING))
			continue;
		a->vips[v] = (struct vip_state){ a->view.vips[v], now,
						 records_stand_elsewhere(a, v) ? VIP_MOVES : VIP_PREPARES };
		a->n_moving++;
	}
	a->thaw = true;
	if (a->view.settings->generation)
		flush(a);		/* what was killed between a VIP and its flush */
}

bool pool_has_vips(const struct affinity *a, uint32_t pool)
{
	for (uint32_t v = 1; v < a->view.n_vips; v++) {
		if (!a->view.vips[v].ring_size)
			continue;
		if (a->view.vips[v].pool == pool)
			return true;
		if (a->vips[v].phase != VIP_STAYS && (a->view.vip_old[v].pool == pool || a->vips[v].wanted.pool == pool))
			return true;
	}
	return false;
}
