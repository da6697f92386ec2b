// SPDX-License-Identifier: GPL-2.0-only
/*
 * See model_control.h: what the rules allow to happen to a word in one call, as a search over the rules' own actions, and what
 * must not be left undone.
 */
#include "model_control.h"

#define ACTIONS_MAX 4		/* more do not come together in a call */

/* A word on its way, with what the controller remembers of it. */
struct state {
	__u32 current, base, prev;
	bool look, rec, base_written;
	struct word_past past;
};

struct judged {
	struct model_control *c;
	const struct word_role *role;
	__u32 index;
	struct state after;		/* of which the past is not known yet */
	struct word_past found;
};

static struct state state_of(__u64 word, const struct word_past *past)
{
	return (struct state){ word_current(word), word_base(word), word_prev(word), word & TR_WORD_LOOK,
			       word & TR_WORD_REC, false, *past };
}

static const struct tr_pool_times *times_of(const struct judged *j)
{
	return &j->c->shadow->pools[j->role->pool].times;
}

static bool ok(const struct judged *j, __u32 backend)
{
	return model_ok(j->c->real, backend);
}

static void write_base(struct state *s, __u32 base)
{
	s->prev = s->base;
	s->base = base;
	s->base_written = true;
}

static void write_rec(const struct judged *j, struct state *s, bool rec)
{
	if (s->rec && !rec)
		s->past.rec_off = j->c->now;
	s->rec = rec;
}

static void set(const struct judged *j, struct state *s, __u32 x)
{
	s->past.is_prepared = false;
	if (!ok(j, s->base)) {
		write_rec(j, s, false);
		if (s->current == s->base || !ok(j, s->current)) {
			s->current = x;
			write_base(s, x);
			return;
		}
		write_base(s, s->current);
	}
	if (x != s->base && s->current == s->base)
		s->past.t0 = j->c->now;
	s->current = x;
	write_rec(j, s, x != s->base);
	s->look |= s->rec;
}

static bool is_prepared_for_long(const struct judged *j, const struct state *s)
{
	return s->past.is_prepared && j->c->now - s->past.prepared >= times_of(j)->syn;
}

/* The actions: false where the rules do not allow it, or it changes nothing. */
static bool plan(const struct judged *j, struct state *s)
{
	bool both_ok = ok(j, s->current) && ok(j, s->base);
	__u32 x = s->past.target;

	if (!s->past.has_target)
		return false;
	if (both_ok && !j->role->l4 && s->current == s->base && x != s->current && !is_prepared_for_long(j, s)) {
		if (s->past.is_prepared)
			return false;
		s->rec = s->look = s->past.is_prepared = true;
		s->past.prepared = j->c->now;
		return true;
	}
	if (both_ok && x == s->current && !s->past.is_prepared)
		return false;
	set(j, s, x);
	return true;
}

static bool is_settling_due(const struct judged *j, const struct state *s)
{
	__u32 since = j->c->now - s->past.t0, refused = control_refused_ago(j->c, j->role->pool, j->role->l4);
	__u32 w = j->role->l4 == TR_UDP ? times_of(j)->udp : times_of(j)->settle;

	return s->current != s->base && (since < refused ? since : refused) >= w;
}

static bool settle(const struct judged *j, struct state *s)
{
	if (j->role->is_old || s->current == s->base || (ok(j, s->base) && !is_settling_due(j, s)))
		return false;
	write_base(s, s->current);
	write_rec(j, s, false);
	return true;
}

static bool look_off(const struct judged *j, struct state *s)
{
	if (!s->look || s->rec || s->current != s->base || s->past.rec_off == j->c->now || j->role->is_moving ||
	    j->role->live_other || j->role->records_left)
		return false;
	s->look = false;
	return true;
}

/* VIPs move to the ring or from it, or are to: its words need not settle. */
static bool is_awaited(const struct judged *j)
{
	__u32 i;

	for (i = 1; i < j->c->real->n_vips; i++)
		if (j->c->vips[i].has_wanted && j->c->vips[i].wanted.pool == j->role->pool &&
		    j->c->real->vips[i].how & TR_HOW_MOVING)
			return true;
	return j->role->moves || j->role->was_moving;
}

/* Harmless at any time, and due at the end of a VIP's move, where it is judged with the VIP. */
static bool look_on(const struct judged *j, struct state *s)
{
	if (s->look)
		return false;
	s->look = true;
	return true;
}

/* No target is known: of a restart, of a ring that is left behind, of a pool that goes. */
static bool repair(const struct judged *j, struct state *s)
{
	if (j->c->call == CORE_NEW && s->current == s->base && s->rec) {
		write_rec(j, s, false);
		return true;
	}
	if (ok(j, s->base) || s->current == s->base)
		return false;
	if (ok(j, s->current)) {
		write_base(s, s->current);
		write_rec(j, s, false);
		return true;
	}
	return false;
}

/* A ring that is left behind has none any more, though it is not forbidden to follow the last one. */
static bool has_target(const struct judged *j, const struct state *s)
{
	return s->past.has_target && j->role->is_pools;
}

/* Neither current nor base takes anything, and there is no target: any backend will do, or none. */
static bool give_up(const struct judged *j, struct state *s)
{
	if (has_target(j, s) || ok(j, s->base) || ok(j, s->current) || (j->after.current && !ok(j, j->after.current)))
		return false;
	s->current = j->after.current;
	write_base(s, s->current);
	write_rec(j, s, false);
	return true;
}

/* A target that is not known: whoever was current takes nothing any more, and base still does. */
static bool without_current(const struct judged *j, struct state *s)
{
	if (has_target(j, s) || !ok(j, s->base) || ok(j, s->current))
		return false;
	set(j, s, s->base);
	return true;
}

/* A number that takes nothing is to be in no word; nobody reads prev yet. */
static bool forget_prev(const struct judged *j, struct state *s)
{
	if (ok(j, s->prev) || s->prev == s->base)
		return false;
	s->prev = s->base;
	return true;
}

static bool (*const actions[])(const struct judged *j, struct state *s) = {
	plan, settle, look_off, look_on, repair, give_up, without_current, forget_prev,
};
#define ACTIONS (sizeof(actions) / sizeof(*actions))

static bool is_reached(const struct judged *j, const struct state *s)
{
	return s->current == j->after.current && s->base == j->after.base && s->look == j->after.look &&
	       s->rec == j->after.rec && (s->base_written || s->prev == j->after.prev);
}

static bool search(struct judged *j, const struct state *from, int depth)
{
	unsigned int i;

	if (is_reached(j, from)) {
		j->found = from->past;
		return true;
	}
	for (i = 0; i < ACTIONS && depth; i++) {
		struct state next = *from;

		if (actions[i](j, &next) && search(j, &next, depth - 1))
			return true;
	}
	return false;
}

static bool differ(const struct judged *j, const struct state *s, const char *what)
{
	return control_differ(j->c, "word %u (%s, pool %u, %s%s): %s: current %u base %u prev %u%s%s -> %u %u %u%s%s, "
			      "target %s%u, t0 %d ago, prepared %s%d ago, now %u", j->index, j->role->l4 ? "UDP" : "TCP",
			      j->role->pool, j->role->is_pools ? "its ring" : "left", j->role->is_moving ? ", a VIP moves" : "",
			      what, s->current, s->base, s->prev, s->look ? " look" : "", s->rec ? " rec" : "",
			      j->after.current, j->after.base, j->after.prev, j->after.look ? " look" : "",
			      j->after.rec ? " rec" : "", s->past.has_target ? "" : "none ", s->past.target,
			      j->c->now - s->past.t0, s->past.is_prepared ? "" : "not ", j->c->now - s->past.prepared, j->c->now);
}

/* What no moment after a tick may show, which ends every change; `s` is the word as it stands, with its past. */
static const char *left_undone(const struct judged *j, const struct state *s)
{
	bool both_ok = ok(j, s->current) && ok(j, s->base), at_once = j->role->l4 || s->current != s->base;

	if (j->c->call != CORE_TICK || !j->role->is_pools || !s->past.has_target)
		return NULL;
	if ((!both_ok || at_once) && s->current != s->past.target)
		return "the target is due at once";
	if (!ok(j, s->base) && s->base != s->current)
		return "base is dead";
	if (s->current != s->past.target && !s->past.is_prepared)
		return "nobody has prepared it";
	if (j->c->call != CORE_TICK)
		return NULL;
	if (s->current != s->past.target && is_prepared_for_long(j, s))
		return "the target is due";
	if (s->past.is_prepared && s->current == s->past.target)
		return "prepared for nothing";
	return !is_awaited(j) && is_settling_due(j, s) ? "settling is due" : NULL;
}

static bool check_word(struct model_control *c, __u32 index)
{
	struct judged j = { .c = c, .role = &c->roles[index], .index = index };
	struct state before = state_of(c->shadow->rings[index], &c->words[index]), now;
	const char *undone;

	j.after = state_of(c->real->rings[index], &c->words[index]);
	if (c->call == CORE_NEW)
		before.past.is_prepared = false;
	if (!search(&j, &before, ACTIONS_MAX))
		return differ(&j, &before, j.role->pool ? "not by the rules" : "no ring's");
	c->words[index] = j.found;
	now = state_of(c->real->rings[index], &j.found);
	undone = c->broken_off ? NULL : left_undone(&j, &now);
	return !undone || differ(&j, &now, undone);
}

bool control_check_words(struct model_control *c)
{
	__u32 i;

	for (i = 0; i < c->real->n_words; i++) {
		if (c->roles[i].is_left || (!c->roles[i].pool && c->real->rings[i] == c->shadow->rings[i]))
			continue;
		if (!check_word(c, i))
			return false;
	}
	return true;
}
