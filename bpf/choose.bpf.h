/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which backend a flow belongs to: a keyed hash picks a bucket of the pool's ring; the bucket's word names the backend. That
 * is all, unless the word says that the flow table may know better, or the VIP has a way of its own: then affinity*.bpf.h.
 */
#ifndef TAILRACE_CHOOSE_BPF_H
#define TAILRACE_CHOOSE_BPF_H

#include "hash.bpf.h"
#include "maps.bpf.h"

#define NO_WORD ((__u32)~0)	/* no backend's number: a bug, the ring lies outside the map */
#define ASK_TABLE ((__u32)~1)	/* no backend's number either */

/* NULL: the ring lies outside the map. The bucket comes from the hash's upper half; its lower half is left for entropy. */
static __always_inline const volatile __u64 *bucket_word(__u32 ring, __u32 ring_size, __u8 l4, __u64 hash)
{
	__u32 index = (l4 == TR_TCP ? ring : ring + ring_size) + ((hash >> 32) * ring_size >> 32);

	return bpf_map_lookup_elem(&rings, &index);
}

/* A backend's number, 0: none; or NO_WORD, or ASK_TABLE. */
static __always_inline __u32 choose_steady(const struct handover *service, __u8 l4, __u64 hash)
{
	const volatile __u64 *word;
	__u64 bucket;

	if (service->how & ~TR_HOW_MSS)
		return ASK_TABLE;
	word = bucket_word(service->ring, service->ring_size, l4, hash);
	if (!word)
		return NO_WORD;
	bucket = *word;
	return bucket & TR_WORD_LOOK ? ASK_TABLE : bucket & TR_BACKEND_MASK;
}

#endif
