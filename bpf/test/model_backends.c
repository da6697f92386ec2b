// SPDX-License-Identifier: GPL-2.0-only
/* See model_control.h: what comes to an end: drains, numbers, pools. */
#include "model_control.h"

#include <stdio.h>
#include <string.h>

static const char *const states[] = { "free", "up", "down", "retired", "draining", "leaving", "drained" };

static bool is_named(const struct model_control *c, __u32 number)
{
	__u32 i;

	for (i = 0; i < c->real->n_words; i++)
		if (c->roles[i].is_named && (word_current(c->real->rings[i]) == number || word_base(c->real->rings[i]) == number))
			return true;
	return false;
}

/* Any record of it, or only live ones. */
static bool is_recorded(const struct model_control *c, __u32 number, bool live)
{
	enum tr_tier tier;
	__u32 i, slot;

	for (tier = 0; tier < TR_TIER_COUNT; tier++) {
		const struct tr_tier_place *place = &c->real->settings->tiers[tier];

		for (i = place->start; i < place->start + place->sets; i++)
			for (slot = 0; slot < TR_SET_SLOTS; slot++) {
				const struct tr_record *r = &c->real->flows[i].slots[slot];

				if (record_backend(r->value) == number && model_is_record(c->real, r) &&
				    (!live || control_is_live(c, tier, r)))
					return true;
			}
	}
	return false;
}

static bool deadline_passed(const struct model_control *c, const struct tr_backend_info *info)
{
	return (__s32)(c->now - info->deadline) >= 0;
}

static const char *state_wrong(const struct model_control *c, __u32 n)
{
	const struct tr_backend_info *before = &c->shadow->backend_info[n], *after = &c->real->backend_info[n];

	if (before->state == after->state)
		return NULL;
	if (before->state == TR_BACKEND_DRAINING && after->state == TR_BACKEND_DRAINED)
		return deadline_passed(c, before) ? NULL : "before its deadline";
	if (before->state == TR_BACKEND_LEAVING && after->state == TR_BACKEND_RETIRED) {
		if (deadline_passed(c, before))
			return NULL;
		if (is_named(c, n))
			return "before its deadline, and a word names it";
		return is_recorded(c, n, true) ? "before its deadline, and it has live records" : NULL;
	}
	if (before->state == TR_BACKEND_RETIRED && after->state == TR_BACKEND_FREE) {
		if (is_named(c, n))
			return "a word names it";
		return is_recorded(c, n, false) ? "it has records" : NULL;
	}
	return "no such way";
}

static const char *backend_wrong(const struct model_control *c, __u32 n)
{
	const struct tr_backend_info *info = &c->real->backend_info[n];
	__u8 before = c->shadow->backends[n].serves, serves = c->real->backends[n].serves;
	bool ends = info->state == TR_BACKEND_RETIRED || info->state == TR_BACKEND_FREE || info->state == TR_BACKEND_DRAINED;
	const char *wrong = state_wrong(c, n);

	if (wrong)
		return wrong;
	if (serves != before && !(serves == TR_SERVES_NONE && (ends || c->broken_off)))
		return "what it serves changed";
	if (ends && serves != TR_SERVES_NONE && !c->broken_off)
		return "it serves";
	if (c->real->backends[n].generation != c->shadow->backends[n].generation)
		return "its generation changed";
	if (c->call == CORE_TICK && !c->broken_off &&
	    (info->state == TR_BACKEND_DRAINING || info->state == TR_BACKEND_LEAVING) && deadline_passed(c, info))
		return "its deadline has passed";
	return NULL;
}

static bool check_pool(struct model_control *c, __u32 p)
{
	const struct tr_pool_info *before = &c->shadow->pools[p], *after = &c->real->pools[p];
	__u32 i;

	if (!before->name[0])
		return !after->name[0] || control_differ(c, "pool %u has a name", p);
	if (after->name[0]) {
		if (after->ring != before->ring || after->ring_size != before->ring_size || after->leaving != before->leaving ||
		    memcmp(&after->times, &before->times, sizeof(after->times)))
			return control_differ(c, "pool %u: its ring or times changed", p);
		return true;
	}
	if (!before->leaving)
		return control_differ(c, "pool %u was freed and is not leaving", p);
	for (i = 1; i < c->real->n_vips; i++) {
		const struct tr_vip *vip = &c->real->vips[i];

		if (vip->ring_size && (vip->pool == p || (vip->how & TR_HOW_MOVING && c->real->vip_old[i].pool == p)))
			return control_differ(c, "pool %u was freed and VIP %u names it", p, i);
	}
	for (i = 1; i < c->real->n_backends; i++)
		if (c->real->backend_info[i].state != TR_BACKEND_FREE && c->real->backend_info[i].pool == p)
			return control_differ(c, "pool %u was freed and backend %u is its", p, i);
	return true;
}

bool control_check_backends(struct model_control *c)
{
	__u32 i;

	for (i = 1; i < c->real->n_backends; i++) {
		const char *wrong = backend_wrong(c, i);

		if (wrong)
			return control_differ(c, "backend %u, %s -> %s, deadline in %d: %s", i,
					      states[c->shadow->backend_info[i].state], states[c->real->backend_info[i].state],
					      c->shadow->backend_info[i].deadline - c->now, wrong);
	}
	for (i = 1; i < c->real->n_pools; i++)
		if (!check_pool(c, i))
			return false;
	return true;
}
