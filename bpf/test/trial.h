/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trial: a small balancer with flows, an operator, a clock and the real controller core, driven by steps that are plain data, so
 * that a trial can be told again without some of them. After each step: did the program choose what the model chooses, leave the
 * same records, did the core write only what it may, and did every live flow reach its backend?
 */
#ifndef TAILRACE_TEST_TRIAL_H
#define TAILRACE_TEST_TRIAL_H

#include "memory.h"
#include "model_control.h"
#include "mutate.h"
#include "packet.h"

#define TRIAL_POOLS 5		/* with number 0 */
#define TRIAL_VIPS 7
#define TRIAL_BACKENDS 25
#define TRIAL_SLOTS 6		/* backends that a pool may have at a time */
#define TRIAL_FLOWS 240
#define TRIAL_RING_MAX 31
#define TRIAL_REGIONS 16
#define TRIAL_WORDS (1 + TRIAL_REGIONS * (2 * TRIAL_RING_MAX + 1))
#define TRIAL_SETS 256
#define TRIAL_JOINER 1		/* the VIP that may be by addresses: of an address and protocol there is one */
#define TRIAL_PORT 1000		/* a VIP's is TRIAL_PORT + its number, at both addresses */

/* What a trial is made from; all of it follows from the seed. */
struct trial_shape {
	__u64 seed;
	__u32 start;			/* tick */
	__u32 flows;
	__u32 sets[TR_TIER_COUNT];
	__u32 tcp_full, syn_budget;
	__u32 n_pools, n_vips, n_backends;
	struct tr_pool_times times[TRIAL_POOLS];
	__u8 modes[TRIAL_VIPS];
	__u8 ring[TRIAL_POOLS];		/* index of a ring size */
	bool by_addresses;		/* VIP TRIAL_JOINER, at first */
	bool calm;			/* nothing beyond what the rules promise to bear: large tiers, no floods */
};

enum trial_kind {
	STEP_PACKET,			/* flow, enum model_kind, its new port or 0 */
	STEP_PEEK,			/* flow */
	STEP_TIME,			/* ticks */
	STEP_TICK,
	STEP_BACKEND,			/* pool, slot, enum want */
	STEP_WEIGHTS,			/* pool, seed */
	STEP_VIP_POOL,			/* VIP, pool */
	STEP_VIP_MODE,			/* VIP, mode */
	STEP_VIP_GOES,			/* VIP; again: it comes */
	STEP_VIP_JOINS,			/* VIP TRIAL_JOINER is by addresses; again: by ports */
	STEP_VIP_MSS,			/* VIP, mss and flags */
	STEP_RING_SIZE,			/* pool, index */
	STEP_HASH_KEY,			/* seed */
	STEP_POOL_GOES,			/* pool; again: it comes */
	STEP_SEVERAL,			/* how many of the next changes are told to the controller at once */
	STEP_FLOOD,			/* kind, VIP, count, seed */
	STEP_CRASH,			/* now */
	STEP_CRASH_CHANGE,		/* behind so many writes and calls of the next change */
	STEP_CRASH_WRITE,		/* before so many writes of the next call of the core */
	STEP_RESTART,
	STEP_CALM,			/* time passes until nothing is left to do */
	STEP_KINDS
};

struct trial_step {
	enum trial_kind kind;
	__u32 a, b, c, d;
};

enum want { WANT_ABSENT, WANT_UP, WANT_DRAINING, WANT_DOWN, WANT_COUNT };

/* The configuration, as the operator has it at the moment. */
struct wanted_pool {
	bool is_there;
	__u32 ring_size, seed;
	struct tr_pool_times times;
	struct wanted_backend {
		enum want want;
		__u32 weight;
		__u32 number;		/* the last that it had */
	} slots[TRIAL_SLOTS];
	/* What the core was told last: */
	bool is_told;
	__u32 told[TRIAL_RING_MAX];
};

struct wanted_vip {
	bool is_there;
	bool was_there;			/* and went at gone_at */
	__u32 gone_at;
	__u32 pool;
	__u8 mode;
	bool by_addresses;
	__u16 mss, flags;
	bool is_told;
	struct tr_vip told;
};

/* Why a flow did not reach its backend, or ended. */
#define TRIAL_ENDS(X)                                                                                                \
	X(SILENT, "silent for too long") X(BACKEND_DOWN, "their backend takes nothing any more")                      \
	X(HASH, "their VIP is in mode hash, or was until now") X(EVICTED_SYN, "pushed out of tier SYN")               \
	X(EVICTED_TRACK, "pushed out of tier TRACK") X(VIP_GONE, "their VIP is gone")                     \
	X(FORCED, "another pool or mode came in the middle of a move, since a backend of its ring was dead")           \
	X(RING, "no room for their record, and the base before the move dead")                                          \
	X(JOINED, "their VIP is by addresses, and another flow of the two addresses came first")
enum trial_end {
#define X(name, text) END_##name,
	TRIAL_ENDS(X)
#undef X
	END_COUNT
};

enum flow_state { FLOW_CLOSED, FLOW_BEGUN, FLOW_OPEN };
struct flow {
	struct model_packet packet;
	struct flow_frame {
		__u16 len;
		__u8 data[94];
	} frames[MODEL_KINDS];
	enum flow_state state;
	__u32 backend;
	bool is_closed;			/* it has sent a FIN since its last SYN */
	__u32 last;			/* its last packet */
	__u32 silence;			/* ticks from which on nothing is promised */
	__u64 key;			/* of its last packet */
	bool on_ring;			/* as in struct model_answer, at its last packet */
	bool is_excused[END_COUNT];
};

struct trial_counts {
	__u64 steps[STEP_KINDS];
	__u64 packets, kept, begun, strays, renewed, retried, retried_elsewhere, refused_no_backend;
	__u64 ends[END_COUNT];
	__u64 core_calls, broken_off;
	__u64 modes[TR_MODE_COUNT], moving, by_addresses;
};

/* The program under test; NULL in trial_new(): the model against itself. */
struct trial_program {
	void *arg;
	/* The backend, 0: none. -1: another verdict. */
	int (*choose)(void *arg, const __u8 *frame, size_t len);
	int (*peek)(void *arg, const __u8 *frame, size_t len);
};

struct trial {
	struct trial_shape shape;
	struct affinity_view real;
	struct memory *own;		/* the real memory when there is no program */
	struct memory *shadow;
	struct model_control *control;
	const struct trial_program *program;
	struct affinity *core;		/* NULL: crashed */
	__u32 n_sets;
	struct tr_settings settings;	/* as they were handed over: what a trial does not set */
	struct tr_backend backends[TRIAL_BACKENDS];
	__u32 now, asked;
	bool asked_never;
	__u32 stop_at, stop_write;	/* crashes that wait; 0: none */
	__u32 several;
	struct wanted_pool pools[TRIAL_POOLS];
	struct wanted_vip vips[TRIAL_VIPS];
	__u64 hash_key[2];
	bool hash_key_told;
	struct flow flows[TRIAL_FLOWS];
	struct trial_counts counts;
	bool trace;			/* packets, to stderr */
	char why[1400];
};

/* program: with the memory that it works on; both outlive the trial. */
struct trial *trial_new(const struct trial_program *program, const struct affinity_view *memory);
void trial_free(struct trial *trial);

struct trial_shape trial_shape_of(__u64 seed);
/* From the beginning. False, and trial.why, when something is wrong, here as in every step. */
bool trial_begin(struct trial *trial, const struct trial_shape *shape);
bool trial_do(struct trial *trial, const struct trial_step *step);
/* The next random step of a trial in this state. */
struct trial_step trial_next(struct trial *trial, struct rng *rng);
void trial_print_shape(const struct trial_shape *shape);
void trial_print_step(const struct trial_step *step);
const char *trial_kind_name(enum trial_kind kind);

/* Parts of a step, by file: trial.c, operator.c, flows.c, core.c */
bool trial_fail(struct trial *trial, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool operator_change(struct trial *trial, const struct trial_step *step);
bool operator_tell(struct trial *trial);	/* the configuration to the maps and the core */
void operator_begin(struct trial *trial);
void flows_begin(struct trial *trial);
bool flows_packet(struct trial *trial, const struct trial_step *step);
bool flows_peek(struct trial *trial, const struct trial_step *step);
bool flows_flood(struct trial *trial, const struct trial_step *step);
void flows_backend_down(struct trial *trial, __u32 backend);
/* ends: for hash and gone; else nothing is excused and only the times are taken down. */
void flows_vip_changed(struct trial *trial, __u32 vip, enum trial_end end);
/* It is by addresses from now on: flows of the same two addresses come together. */
void flows_vip_joins(struct trial *trial, __u32 vip);

bool core_new(struct trial *trial);
void core_crash(struct trial *trial);
bool core_tick(struct trial *trial);
bool core_target(struct trial *trial, __u32 pool, const __u32 *members, __u64 hash);
bool core_vip(struct trial *trial, __u32 vip, const struct tr_vip *wanted);
bool core_hash_key(struct trial *trial, const __u64 key[2]);

extern const __u32 trial_ring_sizes[];
#define TRIAL_RING_SIZES 6

#endif
