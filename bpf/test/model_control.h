/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules' controller, as a judge: after every call of the real core, each of its writes must be one that docs/affinity.md
 * allows at that time, and what is due must be done. What the core wrote is then taken over into the model's own copy.
 */
#ifndef TAILRACE_TEST_MODEL_CONTROL_H
#define TAILRACE_TEST_MODEL_CONTROL_H

#include "memory.h"
#include "model.h"

/* Of a word, what its 64 bits do not say. */
struct word_past {
	__u32 target;
	bool has_target;
	bool is_prepared;		/* since: */
	__u32 prepared;
	__u32 t0;
	__u32 rec_off;			/* rec is off since then */
};

struct vip_past {
	struct tr_vip wanted;		/* its place alone: of how TR_HOW_KEY, no mss, no flags */
	struct tr_vip rest;		/* as wanted, what is in force at once */
	bool has_wanted;
	__u32 wanted_since;
	__u32 moving_since;
	__u32 changed;
};

enum core_call { CORE_NEW, CORE_TARGET, CORE_VIP, CORE_HASH_KEY, CORE_TICK };

struct model_control {
	const struct affinity_view *real;
	const struct affinity_view *shadow;
	__u32 n_sets;
	struct word_past *words;
	struct word_role *roles;	/* by word; of the check at hand */
	struct vip_past *vips;
	__u64 hash_key[2];
	bool has_hash_key;		/* another one is wanted */
	bool broken_off;		/* the call was, in its middle */
	enum core_call call;
	__u32 now;
	char why[1024];
};

struct model_control *model_control_new(const struct affinity_view *real, const struct affinity_view *shadow, __u32 n_sets);
void model_control_free(struct model_control *control);
/* The real memory was filled from outside: a new beginning. */
void model_control_reset(struct model_control *control, __u32 now);

/* What the core is told: ahead of the call. */
void model_control_target(struct model_control *control, __u32 pool, const __u32 *members);
void model_control_vip(struct model_control *control, __u32 vip, const struct tr_vip *wanted, __u32 now);
void model_control_hash_key(struct model_control *control, const __u64 key[2]);

/* False, and why: the core did what it must not, or did not what it must. */
bool model_control_check(struct model_control *control, enum core_call call, __u32 now);

/* Between the parts of the judge: */
struct word_role {			/* of a word, in any ring that something names, before the call or after it */
	__u16 pool;			/* 0: no ring's */
	__u8 l4;
	bool is_pools;			/* the ring is the pool's: it has targets */
	bool is_old;			/* a VIP moves from the ring, before and after */
	bool is_moving;			/* a VIP moves to the ring or from it, before and after */
	bool is_left;			/* the ring of a pool that leaves: nobody reads it */
	bool is_named;			/* something names the ring after the call */
	bool was_old, was_moving, moves;
	bool live_other;		/* some live record of the bucket names another backend than base */
	bool live_in_syn;		/* some record of the bucket is live and in tier SYN */
	bool records_left;		/* after the call the bucket has records */
};
/* Of a VIP, what moves: without mss, flags and TR_HOW_MSS. */
struct tr_vip control_place(struct tr_vip vip);
bool control_differ(struct model_control *control, const char *format, ...) __attribute__((format(printf, 2, 3)));
void control_roles(struct model_control *control);
bool control_check_words(struct model_control *control);
bool control_check_records(struct model_control *control);
bool control_check_backends(struct model_control *control);
bool control_check_vips(struct model_control *control);
/* Records by the rules' "live", in the model's copy. */
bool control_is_live(const struct model_control *control, enum tr_tier tier, const struct tr_record *record);
/* Ticks since the pool last refused a record; UINT32_MAX: never. */
__u32 control_refused_ago(const struct model_control *control, __u32 pool, enum tr_l4 l4);

#endif
