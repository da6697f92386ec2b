/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of docs/affinity.md once more, in plain C and from that text alone: what a packet finds, and what it leaves behind.
 * Works on memory laid out as the maps are. Slow, single-threaded, and exact to the slot.
 */
#ifndef TAILRACE_TEST_MODEL_H
#define TAILRACE_TEST_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "affinity.h"
#include "flow_table.h"

enum model_kind { MODEL_SYN, MODEL_DATA, MODEL_FIN, MODEL_DATAGRAM, MODEL_KINDS };

struct model_packet {
	struct tr_addr src, dst;
	__u16 sport, dport;		/* host order */
	__u32 vip;
	enum model_kind kind;
};

struct model_answer {
	__u32 backend;			/* 0: none */
	__u64 key;
	bool recorded;			/* the flow has a record under this key now */
	bool on_ring;			/* no record, and the base that it came from is dead: the VIP's own word has it */
	bool is_evicted;		/* a record of another flow was pushed out: */
	enum tr_tier evicted_tier;
	struct tr_record evicted;
};

/* The clauses of the rules, to know which ones a run has reached. */
#define MODEL_CLAUSES(X)                                                                                             \
	X(WORD_ALONE) X(HASH) X(MOVED_RECORD) X(MOVED_REFUSED) X(SYN_STAYS) X(SYN_STAYS_DRAINING) X(SYN_OLD_PORTS)    \
	X(SYN_UNRECORDED) X(SYN_OVER_BASE) X(SYN_OVER) X(SYN_PRESSED) X(SYN_RECORDED) X(TCP_BACKEND_DOWN)             \
	X(TCP_SHARED_DOWN) X(MOVED_SHARED)                                                                           \
	X(TCP_TO_TABLE) X(TCP_TO_TABLE_FAILED) X(TCP_RECORD) X(TCP_RECORDED) X(TCP_REFUSED) X(TCP_BASE)               \
	X(TCP_CURRENT) X(UDP_RECORD) X(UDP_RECORDED) X(UDP_REFUSED) X(UDP_DELETED) X(UDP_PLAIN) X(TRACK_SYN)          \
	X(TRACK_SYN_RECORD) X(TRACK_RECORD) X(TRACK_DOWN) X(TRACK_UDP) X(TRACK_INSERTED) X(EVICTED_SYN)               \
	X(EVICTED_TRACK)
enum model_clause {
#define X(name) MODEL_##name,
	MODEL_CLAUSES(X)
#undef X
	MODEL_CLAUSE_COUNT
};
extern __u64 model_reached[MODEL_CLAUSE_COUNT];
const char *model_clause_name(enum model_clause clause);

/* write false: rule "Without writes"; SYN and FIN are data then. */
void model_choose(const struct affinity_view *memory, const struct model_packet *packet, bool write,
		  struct model_answer *ret);

enum tr_l4 model_l4(enum model_kind kind);
bool model_ok(const struct affinity_view *memory, __u32 backend);
__u32 model_bucket(__u64 key, __u32 ring_size);

/* By a hash key, a mode and TR_HOW_ADDRESSES (tr_vip.how). */
__u64 model_key(const __u64 hash_key[2], __u16 how, const struct model_packet *packet);

static inline __u32 word_current(__u64 word)
{
	return word & TR_BACKEND_MASK;
}

static inline __u32 word_base(__u64 word)
{
	return word >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK;
}

static inline __u32 word_prev(__u64 word)
{
	return word >> TR_WORD_PREV_SHIFT & TR_BACKEND_MASK;
}

static inline __u32 record_backend(__u64 value)
{
	return value & TR_BACKEND_MASK;
}

/* A slot in a tier. */
struct model_slot {
	struct tr_record *record;	/* NULL: none */
	enum tr_tier tier;
};

bool model_is_record(const struct affinity_view *memory, const struct tr_record *record);
struct model_slot model_find(const struct affinity_view *memory, enum tr_tier tier, __u64 key);
void model_delete(const struct affinity_view *memory, struct model_slot slot);
/* The record's place; its value is the caller's to write. NULL: no room. *ret_evicted: what stood there, or key 0. */
struct tr_record *model_place(const struct affinity_view *memory, enum tr_tier tier, __u64 key, __u32 now,
			      struct tr_record *ret_evicted);

#endif
