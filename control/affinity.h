/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Affinity in time: the only writer of ring words that packets read, of moving VIPs, and of what comes to an end (drains,
 * numbers, records). The rules are in docs/affinity.md, "The controller". Works on the maps' live memory alone: pure, no
 * libbpf, no clock of its own. Time is the tick of tailrace.h.
 *
 * Killed at any moment: affinity_new() goes on from what the memory holds.
 */
#ifndef TAILRACE_AFFINITY_H
#define TAILRACE_AFFINITY_H

#include <stdbool.h>
#include <stdint.h>

#include "tailrace.h"

#define AFFINITY_NEVER UINT32_MAX

/* The maps' memory, live: programs read and write it at the same time. Counts are of elements, number 0 included. */
struct affinity_view {
	struct tr_settings *settings;
	uint64_t *rings;
	struct tr_backend *backends;
	struct tr_backend_info *backend_info;
	struct tr_pool_info *pools;
	struct tr_pool_flows *pool_flows;
	struct tr_vip *vips;
	struct tr_vip_old *vip_old;
	struct tr_flow_set *flows;
	struct tr_flow_state *flow_state;
	uint32_t n_words, n_backends, n_pools, n_vips;
};

struct affinity;

/*
 * Takes the memory over, by the rules of a restart: whatever is unsettled begins its time anew. The view is copied; its
 * memory must outlive the affinity. 0 or -ENOMEM.
 */
int affinity_new(const struct affinity_view *view, uint32_t now, struct affinity **ret);
void affinity_free(struct affinity *affinity);

/*
 * The latest targets of a pool's ring: members[b] is to be `current` of bucket b, of both protocols; pools[pool].ring_size of
 * them, copied. Their backends' records stand. hash: pool_info.ring_hash once every word has its target. why: for the
 * operator, copied and cut to fit. A backend that went down has its record written (serves) before this call, and what names it
 * is changed by it at once; the rest is prepared and set by later ticks. 0 or -ENOMEM.
 */
int affinity_target(struct affinity *affinity, uint32_t pool, const uint32_t *members, uint64_t hash, const char *why,
		    uint32_t now);

/*
 * A VIP is to be as wanted says (how without TR_HOW_MOVING). A number that was free (ring_size 0) is written at once, as is
 * mode hash, and whatever is not place or TR_HOW_KEY (mss, flags); else the VIP moves, over several ticks. Wanted as it is, or is
 * becoming already: nothing. wanted.ring_size 0: the VIP goes, at once.
 */
void affinity_vip(struct affinity *affinity, uint32_t vip, const struct tr_vip *wanted, uint32_t now);

/*
 * Another hash key: all VIPs but those in mode hash move; it waits until none moves from a key or mode before. Before any VIP is
 * there, at once. The key that is in force: no other is wanted any more.
 */
void affinity_hash_key(struct affinity *affinity, const uint64_t key[2], uint32_t now);

/*
 * Whatever is due: prepared words and VIPs are set, settled, purged; drains end, numbers and leaving pools become free. To be
 * called after every change, and again after as many ticks as it returns (AFFINITY_NEVER: not before the next change).
 */
uint32_t affinity_tick(struct affinity *affinity, uint32_t now);

/* Some planned change has not reached the words or VIPs yet. */
bool affinity_is_pending(const struct affinity *affinity);

/* No VIP moves, no bucket is unsettled, no number is on its way to become free. Records may still live. */
bool affinity_is_settled(const struct affinity *affinity);

#endif
