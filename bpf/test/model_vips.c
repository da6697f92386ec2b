// SPDX-License-Identifier: GPL-2.0-only
/* See model_control.h: VIPs that move. */
#include "model_control.h"

#include <string.h>

#define LATE 600		/* ticks by which the end of a move may be late: nothing depends on it */

struct vip_state {
	struct tr_vip vip;
	struct tr_vip_old old;
	struct vip_past past;
};

static bool same_vip(const struct tr_vip *a, const struct tr_vip *b)
{
	return a->ring == b->ring && a->ring_size == b->ring_size && a->pool == b->pool && a->how == b->how;
}

static bool is_moving(const struct tr_vip *vip)
{
	return vip->how & TR_HOW_MOVING;
}

static struct tr_vip standing(struct tr_vip vip)
{
	vip.how &= TR_HOW_KEY;
	return vip;
}

static bool is_in_mode(const struct tr_vip *vip, enum tr_mode mode)
{
	return (vip->how & TR_HOW_MODE) == mode;
}

struct tr_vip control_place(struct tr_vip vip)
{
	vip.how &= TR_HOW_KEY | TR_HOW_MOVING;
	vip.mss = vip.flags = 0;
	return vip;
}

static bool same_rest(const struct tr_vip *a, const struct tr_vip *b)
{
	return (a->how & TR_HOW_MSS) == (b->how & TR_HOW_MSS) && a->mss == b->mss && a->flags == b->flags;
}

/* In force as soon as it is wanted, and whole. */
static bool rest_is_right(const struct model_control *c, __u32 number)
{
	const struct tr_vip *after = &c->real->vips[number], *before = &c->shadow->vips[number];
	const struct vip_past *past = &c->vips[number];

	if (!after->ring_size)
		return true;
	if (!past->has_wanted)
		return same_rest(after, before);
	return same_rest(after, &past->rest) || (c->broken_off && same_rest(after, before));
}

static const struct tr_pool_times *times_of(const struct model_control *c, const struct tr_vip *vip)
{
	return &c->shadow->pools[vip->pool].times;
}

static bool key_differs(const struct model_control *c, const struct tr_vip_old *old)
{
	return memcmp(old->hash_key, c->real->settings->hash_key, sizeof(old->hash_key));
}

/* Nothing has changed for the VIP yet. */
static bool is_prepared_only(const struct model_control *c, const struct vip_state *s)
{
	return s->vip.ring == s->old.ring && s->vip.ring_size == s->old.ring_size && s->vip.pool == s->old.pool &&
	       standing(s->vip).how == s->old.how && !key_differs(c, &s->old);
}

static bool some_current_not_ok(const struct model_control *c, const uint64_t *rings, const struct tr_vip *vip)
{
	__u32 i;

	for (i = 0; i < 2 * vip->ring_size; i++)
		if (!model_ok(c->real, word_current(rings[vip->ring + i])))
			return true;
	return false;
}

/*
 * At once, also while it moves: another ring that changes nothing else, and what comes while nothing but the ring has changed. Anything
 * else would leave records under a third key, in third tiers or of a third pool.
 */
static bool may_follow(const struct model_control *c, const struct vip_state *s)
{
	bool keeps = s->vip.pool == s->old.pool && standing(s->vip).how == s->old.how && !key_differs(c, &s->old);

	return keeps || (s->past.wanted.how == standing(s->vip).how && s->past.wanted.pool == s->vip.pool);
}

/* Prepared for T_syn. What differs from vip_old has been, before a restart too. */
static bool is_prepared(const struct model_control *c, const struct vip_state *s)
{
	return c->now - s->past.moving_since >= times_of(c, &s->vip)->syn || !is_prepared_only(c, s);
}

static bool lacks_current(const struct model_control *c, const struct vip_state *s)
{
	return some_current_not_ok(c, c->real->rings, &s->vip) || some_current_not_ok(c, c->shadow->rings, &s->vip);
}

static bool may_switch(const struct model_control *c, const struct vip_state *s)
{
	return is_prepared(c, s) || lacks_current(c, s);
}

/* Look on everywhere, and off again only where there is nothing to find. */
static bool looks_everywhere(const struct model_control *c, const struct tr_vip *vip)
{
	__u32 i;

	for (i = vip->ring; i < vip->ring + 2 * vip->ring_size; i++)
		if (!(c->real->rings[i] & TR_WORD_LOOK) && c->roles[i].records_left)
			return false;
	return true;
}

static bool is_over(const struct model_control *c, const struct vip_state *s, __u32 w)
{
	return c->now - s->past.changed >= w && control_refused_ago(c, s->vip.pool, TR_TCP) >= w &&
	       control_refused_ago(c, s->vip.pool, TR_UDP) >= times_of(c, &s->vip)->udp;
}

static bool may_finish(const struct model_control *c, const struct vip_state *s)
{
	return is_over(c, s, times_of(c, &s->vip)->settle);
}

/* The pool that it comes from may have promised more. */
static bool must_finish(const struct model_control *c, const struct vip_state *s)
{
	__u32 w = times_of(c, &s->vip)->settle, old = c->shadow->pools[s->old.pool].times.settle;

	return is_over(c, s, (w > old ? w : old) + LATE) && control_refused_ago(c, s->vip.pool, TR_UDP) >= w;
}

static bool differ(struct model_control *c, __u32 number, const struct vip_state *s, const char *what)
{
	const struct tr_vip *now = &c->real->vips[number], *wanted = &s->past.wanted;

	return control_differ(c, "VIP %u: %s: ring %u pool %u how %x -> ring %u pool %u how %x, wanted%s ring %u pool %u how %x, "
			      "moving since %d ago, changed %d ago, refused %d, %d ago", number, what, s->vip.ring, s->vip.pool,
			      s->vip.how, now->ring, now->pool, now->how, s->past.has_wanted ? "" : " (not known)", wanted->ring,
			      wanted->pool, wanted->how, c->now - s->past.moving_since, c->now - s->past.changed,
			      control_refused_ago(c, s->vip.pool, TR_TCP), control_refused_ago(c, s->vip.pool, TR_UDP));
}

static bool wants_change(const struct model_control *c, const struct vip_state *s)
{
	struct tr_vip has = standing(s->vip);

	return s->past.has_wanted && !same_vip(&has, &s->past.wanted);
}

/* Killed between the two words of a VIP: each of them is the old one or the new one. */
static bool is_torn(const struct tr_vip *before, const struct tr_vip *after, const struct tr_vip *wanted)
{
	bool old_ring = after->ring == before->ring && after->ring_size == before->ring_size;
	bool new_ring = after->ring == wanted->ring && after->ring_size == wanted->ring_size;
	bool old_how = after->pool == before->pool && after->how == before->how;
	bool new_how = after->pool == wanted->pool && standing(*after).how == wanted->how;

	return (old_ring && new_how) || (new_ring && old_how);
}

/* NULL, with the state as the call has left it; or what is wrong. */
static const char *follow(struct model_control *c, __u32 number, struct vip_state *s)
{
	const struct tr_vip place = control_place(c->real->vips[number]), *after = &place;
	const struct tr_vip_old *old_after = &c->real->vip_old[number];
	bool old_written = memcmp(old_after, &s->old, sizeof(s->old));
	bool key_changed = memcmp(c->real->settings->hash_key, c->shadow->settings->hash_key, 16);
	struct tr_vip has;
	bool in_time;

	if (c->broken_off && is_torn(&s->vip, after, &s->past.wanted)) {
		s->vip = *after;
		return NULL;
	}
	if (s->past.has_wanted && same_vip(after, &s->past.wanted) && !is_moving(after) &&
	    (!s->vip.ring_size || !after->ring_size || is_in_mode(after, TR_MODE_HASH))) {
		s->vip = *after;
		return NULL;
	}
	if (is_moving(&s->vip) && is_moving(after) && old_written && (is_prepared_only(c, s) || may_finish(c, s))) {
		s->vip = standing(s->vip);	/* and away again at once */
		s->old = *old_after;
	}
	if (!is_moving(&s->vip) && is_moving(after)) {
		struct tr_vip_old old = { s->vip.ring, s->vip.ring_size, s->vip.pool, s->vip.how, 0,
					  { c->shadow->settings->hash_key[0], c->shadow->settings->hash_key[1] } };

		if (memcmp(&old, old_after, sizeof(old)))
			return "vip_old is not what it had";
		s->past.moving_since = s->past.changed = c->now;
		s->vip.how |= TR_HOW_MOVING;
		s->old = old;
	} else if (is_moving(&s->vip) && is_moving(after) && old_written) {
		return "vip_old changed while it moves";
	}
	in_time = is_moving(&s->vip) && may_switch(c, s);
	has = standing(*after);
	if (is_moving(&s->vip) && s->past.has_wanted && !same_vip(&has, &(struct tr_vip){ s->vip.ring, s->vip.ring_size,
	    s->vip.pool, standing(s->vip).how, 0, 0 })) {
		if (!same_vip(&has, &s->past.wanted))
			return "not what is wanted";
		if (!in_time)
			return "too early";
		if (!may_follow(c, s) && !lacks_current(c, s))
			return "another pool or mode while it moves from one already";
		s->vip = has;
		s->vip.how |= TR_HOW_MOVING;
		s->past.changed = c->now;
	}
	if (is_moving(&s->vip) && key_changed) {
		if (memcmp(s->old.hash_key, c->shadow->settings->hash_key, 16) || standing(s->vip).how != s->old.how)
			return "another hash key while it moves from one, or from another mode";
		if (!in_time)
			return "too early for another hash key";
		s->past.changed = c->now;
	}
	if (is_moving(&s->vip) && !is_moving(after)) {
		if (!is_prepared_only(c, s) && (!may_finish(c, s) || (wants_change(c, s) && may_follow(c, s) && !lacks_current(c, s))))
			return "still moves";
		if (!looks_everywhere(c, &s->vip) && !is_prepared_only(c, s) && !is_in_mode(after, TR_MODE_TRACK))
			return "ends its move, and not all of its words look";
		s->vip = standing(s->vip);
	}
	return same_vip(after, &s->vip) ? NULL : "not by the rules";
}

static const char *left_undone(const struct model_control *c, __u32 number, const struct vip_state *s)
{
	const struct tr_pool_times *times = times_of(c, &s->vip);
	bool key_waits = c->has_hash_key && memcmp(c->hash_key, c->real->settings->hash_key, 16);

	if (c->broken_off || !s->past.has_wanted)
		return NULL;
	if (wants_change(c, s) && !is_moving(&s->vip) && !is_moving(&c->shadow->vips[number]))
		return "a change waits, and it does not move";
	if (c->call != CORE_TICK || !is_moving(&s->vip))
		return NULL;
	if (wants_change(c, s) && is_prepared_only(c, s) && !key_waits && c->now - s->past.moving_since >= times->syn &&
	    c->now - s->past.wanted_since >= times->syn)
		return "the change is due";
	if (!wants_change(c, s) && !key_waits && must_finish(c, s))
		return "the end of its move is due";
	return NULL;
}

/* Killed between the two words of a hash key. */
static bool is_half(const __u64 *before, const __u64 *after, const __u64 *wanted)
{
	return (after[0] == before[0] || after[0] == wanted[0]) && (after[1] == before[1] || after[1] == wanted[1]);
}

static bool check_hash_key(struct model_control *c)
{
	const __u64 *before = c->shadow->settings->hash_key, *after = c->real->settings->hash_key;
	__u32 i;

	if (!memcmp(before, after, 16))
		return true;
	if (!c->has_hash_key || (memcmp(after, c->hash_key, 16) && !(c->broken_off && is_half(before, after, c->hash_key))))
		return control_differ(c, "another hash key than wanted");
	for (i = 1; i < c->real->n_vips; i++) {
		const struct tr_vip *vip = &c->shadow->vips[i];

		if (vip->ring_size && !is_in_mode(vip, TR_MODE_HASH) && !is_moving(&c->real->vips[i]))
			return control_differ(c, "another hash key, and VIP %u is not moving", i);
	}
	return true;
}

bool control_check_vips(struct model_control *c)
{
	const char *wrong;
	__u32 i;

	if (!check_hash_key(c))
		return false;
	for (i = 1; i < c->real->n_vips; i++) {
		struct vip_state s = { control_place(c->shadow->vips[i]), c->shadow->vip_old[i], c->vips[i] };

		wrong = rest_is_right(c, i) ? follow(c, i, &s) : "another mss or flags than wanted";
		if (!wrong) {
			c->vips[i] = s.past;
			wrong = left_undone(c, i, &s);
		}
		if (wrong)
			return differ(c, i, &s, wrong);
	}
	return true;
}
