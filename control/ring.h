/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maglev rings (Eisenbud et al., NSDI 2016, §3.4) with weights: a backend's share of the buckets is its share of the
 * weights, entry counts differ from it by at most a few, and one backend more or less moves little else. Pure: the
 * same backends with the same weights give the same ring on every machine, in whatever order they are named.
 */
#ifndef TAILRACE_RING_H
#define TAILRACE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tailrace.h"

struct ring_member {
	struct tr_addr address;		/* what the permutation is made from */
	uint32_t weight;		/* at least 1 */
	uint32_t number;		/* what stands in the ring */
};

bool ring_size_is_prime(uint32_t size);

/*
 * Fills ring[0..size) with members' numbers; with no members, with 0. Members' addresses differ; size is a prime of at
 * least n. 0, -EINVAL or -ENOMEM.
 */
int ring_build(const struct ring_member *members, size_t n, uint32_t *ring, uint32_t size);

/* A hash of all that ring_build() looks at: equal means that the ring would be equal. Never 0. */
uint64_t ring_hash(const struct ring_member *members, size_t n, uint32_t size);

#endif
