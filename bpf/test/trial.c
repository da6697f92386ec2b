// SPDX-License-Identifier: GPL-2.0-only
/* See trial.h: the beginning, the clock, and what a step is. */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trial.h"

#define SAME_TICK_MAX 50	/* calls of the core in one tick, before it goes round in circles */

bool trial_fail(struct trial *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->why, sizeof(t->why), format, args);
	va_end(args);
	return false;
}

struct trial *trial_new(const struct trial_program *program, const struct affinity_view *memory)
{
	static const struct affinity_view sizes = { .n_words = TRIAL_WORDS, .n_backends = TRIAL_BACKENDS,
						    .n_pools = TRIAL_POOLS, .n_vips = TRIAL_VIPS };
	struct trial *t = calloc(1, sizeof(*t));

	if (!t)
		errx(1, "out of memory");
	t->program = program;
	if (!program)
		t->own = memory_new(&sizes, TRIAL_SETS);
	t->real = program ? *memory : t->own->view;
	t->shadow = memory_new(&t->real, TRIAL_SETS);
	t->settings = *t->real.settings;
	memcpy(t->backends, t->real.backends, sizeof(t->backends));
	return t;
}

void trial_free(struct trial *t)
{
	core_crash(t);
	if (t->control)
		model_control_free(t->control);
	memory_free(t->shadow);
	if (t->own)
		memory_free(t->own);
	free(t);
}

static void set_clock(struct trial *t, __u32 now)
{
	t->now = now;
	t->real.settings->tick = t->shadow->view.settings->tick = now;
}

static void begin_settings(struct trial *t)
{
	struct tr_settings *s = t->real.settings;
	__u32 generation = s->generation, i, start = 0;

	*s = t->settings;
	s->generation = generation + 1;
	s->hash_key[0] = t->shape.seed * 0x9e3779b97f4a7c15;
	s->hash_key[1] = ~s->hash_key[0];
	s->syn_budget = t->shape.syn_budget;
	s->tcp_full = t->shape.tcp_full;
	for (i = 0; i < TR_TIER_COUNT; i++) {
		s->tiers[i] = (struct tr_tier_place){ start, t->shape.sets[i] };
		start += t->shape.sets[i];
	}
	t->n_sets = start;
}

/* Words of no ring name a backend beyond the map, which no packet may meet. */
static void begin_memory(struct trial *t)
{
	struct tr_settings settings = *t->real.settings;
	__u32 i;

	memory_clear(&t->real, TRIAL_SETS);
	*t->real.settings = settings;
	memcpy(t->real.backends, t->backends, sizeof(t->backends));
	for (i = 0; i < TRIAL_WORDS; i++)
		t->real.rings[i] = TR_BACKEND_MASK;
	begin_settings(t);
}

bool trial_begin(struct trial *t, const struct trial_shape *shape)
{
	core_crash(t);
	t->shape = *shape;
	t->why[0] = 0;
	t->stop_at = t->stop_write = t->several = 0;
	begin_memory(t);
	if (t->control)
		model_control_free(t->control);
	t->control = model_control_new(&t->real, &t->shadow->view, t->n_sets);
	model_control_reset(t->control, shape->start);
	set_clock(t, shape->start);
	flows_begin(t);
	operator_begin(t);
	return core_new(t) && operator_tell(t);
}

/* As the real controller: not later than the core has asked for. */
static bool advance(struct trial *t, __u32 ticks)
{
	__u32 end = t->now + ticks, calls = 0;

	while (t->core && !t->asked_never && (__s32)(t->asked - end) <= 0) {
		calls = (__s32)(t->asked - t->now) > 0 ? 0 : calls + 1;
		if (calls > SAME_TICK_MAX)
			return trial_fail(t, "core: asks to be called at once, again and again");
		if ((__s32)(t->asked - t->now) > 0)
			set_clock(t, t->asked);
		if (!core_tick(t))
			return false;
	}
	set_clock(t, end);
	return true;
}

static bool restart(struct trial *t)
{
	return t->core || (core_new(t) && (!t->core || operator_tell(t)));
}

/* What has not come to its end; NULL: all has. */
static const char *what_goes_on(const struct trial *t)
{
	const struct affinity_view *m = &t->real;
	__u32 i, b;

	for (i = 1; i < TRIAL_VIPS; i++)
		if (m->vips[i].how & TR_HOW_MOVING)
			return "a VIP moves";
	for (i = 1; i < TRIAL_POOLS; i++)
		for (b = 0; m->pools[i].name[0] && b < 2 * m->pools[i].ring_size; b++) {
			__u64 word = m->rings[m->pools[i].ring + b];

			if (!m->pools[i].leaving &&
			    (word_current(word) != word_base(word) || word & (TR_WORD_LOOK | TR_WORD_REC)))
				return "a word is unsettled or looks";
		}
	for (i = 1; i < TRIAL_BACKENDS; i++)
		if (m->backend_info[i].state == TR_BACKEND_RETIRED || m->backend_info[i].state == TR_BACKEND_LEAVING ||
		    m->backend_info[i].state == TR_BACKEND_DRAINING)
			return "a backend's number is not free";
	if (m->flow_state->used[TR_TIER_TCP] || m->flow_state->used[TR_TIER_SYN] || m->flow_state->used[TR_TIER_UDP])
		return "records are left";
	if (affinity_is_pending(t->core))
		return "a change is pending";
	return t->asked_never ? NULL : "the core wants another tick";
}

/* With nobody asking, all that was begun comes to an end. */
static bool calm(struct trial *t)
{
	__u32 longest = 0, i, round;

	t->several = t->stop_at = t->stop_write = 0;
	if (!restart(t) || !operator_tell(t))
		return false;
	for (i = 1; i < t->shape.n_pools; i++)
		longest += t->shape.times[i].life + t->shape.times[i].settle + t->shape.times[i].drain;
	for (round = 0; round < 12 && what_goes_on(t); round++)
		if (!advance(t, longest / 3) || !operator_tell(t))
			return false;
	return !what_goes_on(t) || trial_fail(t, "calm: %s, and nothing ends it", what_goes_on(t));
}

bool trial_do(struct trial *t, const struct trial_step *s)
{
	t->counts.steps[s->kind]++;
	switch (s->kind) {
	case STEP_PACKET:
		return flows_packet(t, s);
	case STEP_PEEK:
		return flows_peek(t, s);
	case STEP_FLOOD:
		return flows_flood(t, s);
	case STEP_TIME:
		return advance(t, s->a);
	case STEP_TICK:
		return !t->core || core_tick(t);
	case STEP_SEVERAL:
		t->several = s->a;
		return true;
	case STEP_CRASH:
		core_crash(t);
		return true;
	case STEP_CRASH_CHANGE:
		t->stop_at = s->a;
		return true;
	case STEP_CRASH_WRITE:
		t->stop_write = s->a;
		return true;
	case STEP_RESTART:
		return restart(t);
	case STEP_CALM:
		return calm(t);
	default:
		return operator_change(t, s);
	}
}
