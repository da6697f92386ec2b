// SPDX-License-Identifier: GPL-2.0-only
/* See trial.h: calls of the real controller core, each of them judged. */
#include <errno.h>
#include <string.h>

#include "broken_off.h"
#include "trial.h"

/* What the change of a VIP means for its flows beyond other times; END_COUNT: nothing. */
static enum trial_end end_of(const struct trial *t, __u32 vip, const struct tr_vip *before)
{
	const struct tr_vip *after = &t->real.vips[vip];
	const struct tr_vip_old *old = &t->real.vip_old[vip];
	bool both_move = before->how & after->how & TR_HOW_MOVING;

	if (!after->ring_size)
		return END_VIP_GONE;
	if ((after->how & TR_HOW_MODE) == TR_MODE_HASH)
		return END_HASH;
	if (both_move && (after->pool != before->pool || (after->how ^ before->how) & TR_HOW_KEY) &&
	    (before->pool != old->pool || (before->how & TR_HOW_KEY) != old->how ||
	     memcmp(old->hash_key, t->shadow->view.settings->hash_key, sizeof(old->hash_key))))
		return END_FORCED;
	return END_COUNT;
}

static bool same_place(const struct tr_vip *a, const struct tr_vip *b)
{
	const struct tr_vip x = control_place(*a), y = control_place(*b);

	return !memcmp(&x, &y, sizeof(x));
}

/* What the call has ended, the flows must know. */
static void tell_flows(struct trial *t, const __u8 *serves, const struct tr_vip *vips)
{
	__u32 i;

	for (i = 1; i < TRIAL_BACKENDS; i++)
		if (serves[i] != TR_SERVES_NONE && t->real.backends[i].serves == TR_SERVES_NONE)
			flows_backend_down(t, i);
	for (i = 1; i < TRIAL_VIPS; i++) {
		if (!same_place(&t->real.vips[i], &vips[i]))
			flows_vip_changed(t, i, end_of(t, i, &vips[i]));
		if (t->real.vips[i].how & ~vips[i].how & TR_HOW_ADDRESSES)
			flows_vip_joins(t, i);
	}
	if (memcmp(t->shadow->view.settings->hash_key, t->real.settings->hash_key, 16))
		for (i = 1; i < TRIAL_VIPS; i++)
			flows_vip_changed(t, i, (t->real.vips[i].how & TR_HOW_MODE) == TR_MODE_HASH ? END_HASH : END_COUNT);
}

struct call {
	struct trial *t;
	enum core_call kind;
	__u32 number;
	const __u32 *members;
	const struct tr_vip *vip;
	const __u64 *key;
	__u64 hash;
	int result;
};

static void do_call(void *arg)
{
	struct call *call = arg;
	struct trial *t = call->t;
	__u32 after;

	switch (call->kind) {
	case CORE_NEW:
		call->result = affinity_new(&t->real, t->now, &t->core);
		break;
	case CORE_TARGET:
		call->result = affinity_target(t->core, call->number, call->members, call->hash, "a trial", t->now);
		break;
	case CORE_VIP:
		affinity_vip(t->core, call->number, call->vip, t->now);
		break;
	case CORE_HASH_KEY:
		affinity_hash_key(t->core, (const uint64_t *)call->key, t->now);
		break;
	case CORE_TICK:
		after = affinity_tick(t->core, t->now);
		t->asked_never = after == AFFINITY_NEVER;
		t->asked = t->now + after;
		break;
	}
}

/*
 * Killed between "swaps the value for 0" and "writes key 0": the slot is nobody's until a restart. How programs go round it is not the
 * rules' business; the count is left wrong, as it is.
 */
static void finish_deletion(struct trial *t)
{
	__u32 i;

	for (i = 0; i < TR_SET_SLOTS * t->n_sets; i++) {
		struct tr_record *r = &t->real.flows[i / TR_SET_SLOTS].slots[i % TR_SET_SLOTS];

		if (!r->value)
			r->key = 0;
	}
}

static bool judged_call(struct trial *t, struct call *call)
{
	__u8 serves[TRIAL_BACKENDS];
	struct tr_vip vips[TRIAL_VIPS];
	bool good, finished = true;
	__u32 i;

	for (i = 0; i < TRIAL_BACKENDS; i++)
		serves[i] = t->real.backends[i].serves;
	memcpy(vips, t->real.vips, sizeof(vips));
	call->t = t;
	t->counts.core_calls++;
	if (t->stop_write)
		finished = broken_off(&t->real, t->n_sets, t->stop_write, do_call, call);
	else
		do_call(call);
	t->control->broken_off = !finished;
	if (!finished) {
		finish_deletion(t);
		t->real.settings->generation++;		/* or caches hold another VIP than the model sees, until a restart */
	}
	tell_flows(t, serves, vips);
	good = model_control_check(t->control, call->kind, t->now);
	t->control->broken_off = false;
	if (!finished) {
		t->counts.broken_off++;
		t->stop_write = 0;
		t->core = NULL;
	}
	return good || trial_fail(t, "core: %s", t->control->why);
}

bool core_new(struct trial *t)
{
	struct call call = { .kind = CORE_NEW };
	__u32 i;

	for (i = 0; i < TRIAL_POOLS; i++)
		t->pools[i].is_told = false;
	for (i = 0; i < TRIAL_VIPS; i++)
		t->vips[i].is_told = false;
	t->hash_key_told = false;
	if (!judged_call(t, &call))
		return false;
	return !call.result || trial_fail(t, "core: affinity_new: %d", call.result);
}

/* As kill -9: what only the core knew is gone. */
void core_crash(struct trial *t)
{
	if (t->core)
		affinity_free(t->core);
	t->core = NULL;
}

bool core_tick(struct trial *t)
{
	struct call call = { .kind = CORE_TICK };

	return judged_call(t, &call);
}

bool core_target(struct trial *t, __u32 pool, const __u32 *members, __u64 hash)
{
	struct call call = { .kind = CORE_TARGET, .number = pool, .members = members, .hash = hash };

	model_control_target(t->control, pool, members);
	if (!judged_call(t, &call))
		return false;
	return !call.result || trial_fail(t, "core: affinity_target: %d", call.result);
}

bool core_vip(struct trial *t, __u32 vip, const struct tr_vip *wanted)
{
	struct call call = { .kind = CORE_VIP, .number = vip, .vip = wanted };

	model_control_vip(t->control, vip, wanted, t->now);
	return judged_call(t, &call);
}

bool core_hash_key(struct trial *t, const __u64 key[2])
{
	struct call call = { .kind = CORE_HASH_KEY, .key = key };

	model_control_hash_key(t->control, key);
	if (!judged_call(t, &call))
		return false;
	t->hash_key_told = true;
	return true;
}
