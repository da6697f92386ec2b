// SPDX-License-Identifier: GPL-2.0-only
/* See model_control.h: what the judge knows, and in which order it looks. */
#include "model_control.h"

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool control_differ(struct model_control *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->why, sizeof(c->why), format, args);
	va_end(args);
	return false;
}

static void *must_new(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		errx(1, "out of memory");
	return p;
}

struct model_control *model_control_new(const struct affinity_view *real, const struct affinity_view *shadow, __u32 n_sets)
{
	struct model_control *c = must_new(1, sizeof(*c));

	c->real = real;
	c->shadow = shadow;
	c->n_sets = n_sets;
	c->words = must_new(real->n_words, sizeof(*c->words));
	c->roles = must_new(real->n_words, sizeof(*c->roles));
	c->vips = must_new(real->n_vips, sizeof(*c->vips));
	return c;
}

void model_control_free(struct model_control *c)
{
	free(c->words);
	free(c->roles);
	free(c->vips);
	free(c);
}

/* By the rules of a restart: nothing that was only in the controller's mind is left. */
static void forget(struct model_control *c, __u32 now)
{
	__u32 i;

	for (i = 0; i < c->real->n_words; i++)
		c->words[i] = (struct word_past){ .t0 = now, .rec_off = now };
	for (i = 0; i < c->real->n_vips; i++)
		c->vips[i] = (struct vip_past){ .moving_since = now, .changed = now };
	c->has_hash_key = false;
}

void model_control_reset(struct model_control *c, __u32 now)
{
	memory_copy(c->shadow, c->real, c->n_sets);
	forget(c, now);
	c->broken_off = false;
}

void model_control_target(struct model_control *c, __u32 pool, const __u32 *members)
{
	const struct tr_pool_info *info = &c->real->pools[pool];
	struct word_past *past = &c->words[info->ring];
	__u32 i;

	for (i = 0; i < 2 * info->ring_size; i++) {
		past[i].target = members[i % info->ring_size];
		past[i].has_target = true;
	}
}

void model_control_vip(struct model_control *c, __u32 vip, const struct tr_vip *wanted, __u32 now)
{
	struct vip_past *past = &c->vips[vip];

	past->wanted = control_place(*wanted);
	past->rest = *wanted;
	past->wanted_since = now;
	past->has_wanted = true;
}

void model_control_hash_key(struct model_control *c, const __u64 key[2])
{
	memcpy(c->hash_key, key, sizeof(c->hash_key));
	c->has_hash_key = true;
}

/* What a ring is to those who name it. */
struct naming {
	__u32 ring, size;
	__u16 pool;
	bool is_pools, is_old, is_moving;
	bool after;
};

static void add_role(struct model_control *c, const struct naming *n)
{
	__u32 i;

	for (i = 0; i < 2 * n->size && n->ring + i < c->real->n_words; i++) {
		struct word_role *role = &c->roles[n->ring + i];

		role->l4 = i >= n->size;
		if (!role->pool || n->is_pools)
			role->pool = n->pool;
		role->is_pools |= n->is_pools && n->after;
		role->is_named |= n->after;
		role->was_old |= n->is_old && !n->after;
		role->was_moving |= n->is_moving && !n->after;
		role->moves |= n->is_moving && n->after;
		role->is_old |= n->is_old && n->after && role->was_old;
		role->is_moving |= n->is_moving && n->after && role->was_moving;
	}
}

static void leave_role(struct model_control *c, const struct tr_pool_info *pool)
{
	__u32 i;

	for (i = pool->ring; i < pool->ring + 2 * pool->ring_size; i++)
		c->roles[i].is_left = !c->roles[i].pool;
}

/* The ring of a pool that leaves is one only to VIPs. */
static void add_roles(struct model_control *c, const struct affinity_view *m, bool after)
{
	__u32 i;

	for (i = 1; i < m->n_pools; i++)
		if (m->pools[i].name[0] && !m->pools[i].leaving)
			add_role(c, &(struct naming){ m->pools[i].ring, m->pools[i].ring_size, i, true, false, false, after });
	for (i = 1; i < m->n_vips; i++) {
		const struct tr_vip *v = &m->vips[i];
		const struct tr_vip_old *old = &m->vip_old[i];
		bool moving = v->how & TR_HOW_MOVING;

		if (!v->ring_size)
			continue;
		add_role(c, &(struct naming){ v->ring, v->ring_size, v->pool, false, false, moving, after });
		if (moving)
			add_role(c, &(struct naming){ old->ring, old->ring_size, old->pool, false, true, true, after });
	}
}

void control_roles(struct model_control *c)
{
	__u32 i;

	memset(c->roles, 0, c->real->n_words * sizeof(*c->roles));
	add_roles(c, c->shadow, false);
	add_roles(c, c->real, true);
	for (i = 1; i < c->real->n_pools; i++)
		if (c->shadow->pools[i].name[0] && c->shadow->pools[i].leaving)
			leave_role(c, &c->shadow->pools[i]);
}

__u32 control_refused_ago(const struct model_control *c, __u32 pool, enum tr_l4 l4)
{
	const struct tr_pool_flows *flows = &c->shadow->pool_flows[pool];
	__u32 refused = l4 == TR_UDP ? flows->refused_udp : flows->refused;

	return refused ? c->now - refused : UINT32_MAX;
}

/* A call for the sake of a change touches nothing that packets write but records, and no settings but the hash key. */
static bool check_rest(struct model_control *c)
{
	const struct tr_settings *before = c->shadow->settings, *after = c->real->settings;
	struct tr_settings expected = *before;
	__u32 i;

	memcpy(expected.hash_key, after->hash_key, sizeof(expected.hash_key));
	expected.generation = after->generation;
	if (memcmp(&expected, after, sizeof(expected)))
		return control_differ(c, "settings changed");
	if (memcmp(c->shadow->vips, c->real->vips, c->real->n_vips * sizeof(*c->real->vips)) &&
	    before->generation == after->generation && !c->broken_off)
		return control_differ(c, "VIPs changed, and the caches were not told");
	if (c->shadow->flow_state->syn_window != c->real->flow_state->syn_window)
		return control_differ(c, "the budget's window changed");
	for (i = 1; i < c->real->n_pools; i++)
		if (c->real->pools[i].name[0] &&
		    memcmp(&c->shadow->pool_flows[i], &c->real->pool_flows[i], sizeof(*c->real->pool_flows)))
			return control_differ(c, "pool_flows of pool %u changed", i);
	return true;
}

bool model_control_check(struct model_control *c, enum core_call call, __u32 now)
{
	bool good;

	c->call = call;
	c->now = now;
	c->why[0] = 0;
	if (call == CORE_NEW)
		forget(c, now);
	control_roles(c);
	good = check_rest(c) && control_check_records(c) && control_check_words(c) && control_check_vips(c) &&
	       control_check_backends(c);
	memory_copy(c->shadow, c->real, c->n_sets);
	return good;
}
