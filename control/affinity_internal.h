/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files affinity*.c share among themselves. */
#ifndef TAILRACE_AFFINITY_INTERNAL_H
#define TAILRACE_AFFINITY_INTERNAL_H

#include "affinity.h"
#include "flow_table.h"

#define IN_FLIGHT_TICKS 2	/* a packet that began before a store has ended: at least 40 ms */

/* A bucket's word, taken apart. */
struct bucket {
	uint32_t current, base, prev;
	bool look, rec;
};

/* On its way to forget its records; of struct ring_state.fade. */
#define FADE_MAY 1		/* nothing new is recorded any more: it may fade if no record differs */
#define FADE_DIFFERS 2		/* one does */
#define FADE_SYN_GONE 4		/* its records in tier SYN were deleted by a sweep before this one */

/* Of a pool whose ring is not plain words. Arrays go by word: TCP's size buckets, then UDP's. */
struct ring_state {
	uint32_t start, size;		/* of the ring that this is about */
	uint32_t *targets;		/* by bucket; NULL: every word has its target */
	uint64_t hash;			/* of the targets */
	uint32_t *since;		/* tick: prepared, or unsettled, or nothing new recorded any more */
	uint8_t *fade;
};

enum vip_phase {
	VIP_STAYS,
	VIP_PREPARES,			/* looks where it did, and everything is recorded */
	VIP_MOVES,			/* looks elsewhere; waits until all has been recorded */
};

struct vip_state {
	struct tr_vip wanted;
	uint32_t since;
	enum vip_phase phase;
};

struct affinity {
	struct affinity_view view;
	struct ring_state **rings;	/* by pool; NULL: plain words */
	struct vip_state *vips;
	uint32_t n_moving;		/* VIPs that do not stay */
	bool *frozen;			/* by pool: a VIP moves from or to its ring, so that none of its words settles */
	bool *kept;			/* by pool: a VIP of it looks elsewhere than at its ring, so that no record is forgotten */
	bool thaw;			/* frozen and kept are to be found out anew */
	struct ring_visit {
		uint32_t start, size;
	} *visits;			/* room for every ring that there may be */
	struct ring_answer {		/* by pool: the ring that its VIPs look at, as one of them found it in this tick */
		uint32_t start, size;
		bool lacks;
	} *answers;
	uint64_t key[2];		/* wanted, while key_pending */
	bool key_pending;

	uint32_t swept;			/* tick at which the last sweep began */
	bool has_swept;
	uint32_t *backend_records;	/* live ones, by that sweep */
	uint32_t *pool_records;
	bool *deserted;			/* by pool, when that sweep began: it leaves, and no VIP is of it */
	int32_t drift[TR_TIER_COUNT];	/* used[] against what that sweep counted */
	const struct tr_record *half;	/* a slot with a key and no value, as the sweep of half_at found it */
	uint64_t half_key;
	uint32_t half_at;
	uint8_t *named;			/* by backend: a word names it */
	uint32_t named_at;		/* tick at which that was asked last */
};

/* affinity_words.c */
struct bucket bucket_read(const struct affinity *a, uint32_t index);
bool backend_is_ok(const struct affinity *a, uint32_t number);
/* The pool's state, made where there is none; NULL: no memory. One of another ring than the pool's is dropped. */
struct ring_state *ring_open(struct affinity *a, uint32_t pool, uint32_t now);
void ring_free(struct ring_state *ring);
/* Brings every word as near to its target as time allows, settles what is due, and says so in pool_info. */
void ring_advance(struct affinity *a, uint32_t pool, uint32_t now);
/*
 * Of a ring that has no targets any more: what named a dead backend as base never does again, should it come back. By then
 * its flows have gone elsewhere.
 */
void ring_bury(struct affinity *a, uint32_t start, uint32_t size);
void ring_look_off(struct affinity *a, struct ring_state *ring, uint32_t word);
/* In every word of a ring of the pool, be it one that it has left: its VIPs leave that too. 0 or -ENOMEM. */
int ring_look_on(struct affinity *a, uint32_t pool, uint32_t start, uint32_t size, uint32_t now);
/* By the rules of a restart. 0 or -ENOMEM. */
int ring_restart(struct affinity *a, uint32_t pool, uint32_t now);
/* Each of the first n visits once, in any order. */
void rings_visit(struct affinity *a, size_t n, void (*visit)(struct affinity *a, uint32_t start, uint32_t size));
/* No word names a number that is NAMED_ENDS as the base before any more. */
#define NAMED_ENDS 4
void ring_forget_prev(struct affinity *a, uint32_t pool);

/* affinity_records.c */
bool records_exist(const struct affinity *a);
/* Ticks from one sweep to the next. */
uint32_t records_interval(const struct affinity *a);
void records_sweep(struct affinity *a, uint32_t now);
/* Counts anew what a controller that was killed may have miscounted. */
void records_restart(struct affinity *a);

/* affinity_vips.c */
void vips_restart(struct affinity *a, uint32_t now);
void vips_advance(struct affinity *a, uint32_t now);
/* Brings frozen and kept up to date. */
void vips_freeze(struct affinity *a);
/* After backends went: in the rings that moving VIPs come from. */
void vips_bury(struct affinity *a);
bool vips_are_pending(const struct affinity *a);
/* A VIP looks at the pool, or did before it moved. */
bool pool_has_vips(const struct affinity *a, uint32_t pool);

/* affinity_numbers.c */
void numbers_end_drains(struct affinity *a, uint32_t now);
void numbers_after_sweep(struct affinity *a, uint32_t now);
bool numbers_wait(const struct affinity *a);	/* some number is on its way to become free */

void store_words(void *to, const void *from, size_t bytes);

#endif
