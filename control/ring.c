// SPDX-License-Identifier: GPL-2.0-only
/* Maglev rings with weights. Pure; see ring.h. */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "addr.h"
#include "util.h"

/* Every balancer of a site must agree on the rings: a change of these moves flows, and changes the golden test. */
#define SEED_OFFSET 0x7461696c72616365ULL
#define SEED_SKIP 0x6d61676c65763136ULL
#define SEED_HASH 0x72696e6768617368ULL

/* A backend's place in its permutation of the ring, and its credit towards the next turn. */
struct turn {
	uint32_t next;
	uint32_t skip;			/* 1 to size - 1: prime to size, so the permutation visits every bucket */
	uint32_t weight;
	uint32_t credit;		/* below the largest weight */
	uint32_t number;
};

bool ring_size_is_prime(uint32_t size)
{
	if (size < 2)
		return false;
	for (uint32_t d = 2; d <= size / d; d++)
		if (size % d == 0)
			return false;
	return true;
}

static int compare_members(const void *a, const void *b)
{
	return addr_compare(&((const struct ring_member *)a)->address, &((const struct ring_member *)b)->address);
}

/* The order of turns decides ties, so it must come from the addresses alone. */
static int sort_members(const struct ring_member *members, size_t n, struct ring_member **ret)
{
	struct ring_member *sorted = malloc(n * sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, members, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_members);
	for (size_t i = 0; i < n; i++) {
		if (!sorted[i].weight || (i && !compare_members(&sorted[i - 1], &sorted[i]))) {
			free(sorted);
			return -EINVAL;
		}
	}
	*ret = sorted;
	return 0;
}

static struct turn turn_of(const struct ring_member *member, uint32_t size)
{
	return (struct turn){
		.next = XXH64(&member->address, sizeof(member->address), SEED_OFFSET) % size,
		.skip = XXH64(&member->address, sizeof(member->address), SEED_SKIP) % (size - 1) + 1,
		.weight = member->weight,
		.number = member->number,
	};
}

/* (pos + skip) mod size, without a division and without overflow. */
static uint32_t advance(uint32_t pos, uint32_t skip, uint32_t size)
{
	return pos >= size - skip ? pos - (size - skip) : pos + skip;
}

/* The next bucket of the turn's permutation that is free; there must be one. taken is a bitmap: it stays in L1. */
static uint32_t take_bucket(struct turn *turn, uint64_t *taken, uint32_t size)
{
	uint32_t pos = turn->next, skip = turn->skip;

	while (taken[pos / 64] >> pos % 64 & 1)
		pos = advance(pos, skip, size);
	taken[pos / 64] |= 1ULL << pos % 64;
	turn->next = advance(pos, skip, size);
	return pos;
}

/* Rounds in which the heaviest take one bucket each and the others as often as their weight is worth. */
static void fill(struct turn *turns, size_t n, uint32_t heaviest, uint64_t *taken, uint32_t *ring, uint32_t size)
{
	for (uint32_t left = size;;) {
		for (size_t i = 0; i < n; i++) {
			struct turn *turn = &turns[i];

			if (turn->credit < heaviest - turn->weight) {
				turn->credit += turn->weight;
				continue;
			}
			turn->credit -= heaviest - turn->weight;
			ring[take_bucket(turn, taken, size)] = turn->number;
			if (!--left)
				return;
		}
	}
}

int ring_build(const struct ring_member *members, size_t n, uint32_t *ring, uint32_t size)
{
	_cleanup_free_ struct ring_member *sorted = NULL;
	_cleanup_free_ struct turn *turns = NULL;
	_cleanup_free_ uint64_t *taken = NULL;
	uint32_t heaviest = 0;
	int err;

	if (!ring_size_is_prime(size) || n > size)
		return -EINVAL;
	if (!n) {
		memset(ring, 0, size * sizeof(*ring));
		return 0;
	}
	err = sort_members(members, n, &sorted);
	if (err)
		return err;
	turns = malloc(n * sizeof(*turns));
	taken = calloc(size / 64 + 1, sizeof(*taken));
	if (!turns || !taken)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		turns[i] = turn_of(&sorted[i], size);
		if (sorted[i].weight > heaviest)
			heaviest = sorted[i].weight;
	}
	fill(turns, n, heaviest, taken, ring, size);
	return 0;
}

uint64_t ring_hash(const struct ring_member *members, size_t n, uint32_t size)
{
	struct {
		uint64_t sum;		/* of the members' hashes: their order does not matter */
		uint64_t n;
		uint64_t size;
	} all = { .n = n, .size = size };
	uint64_t hash;

	_Static_assert(sizeof(*members) == 24, "hashed as bytes: no padding");
	for (size_t i = 0; i < n; i++)
		all.sum += XXH64(&members[i], sizeof(members[i]), SEED_HASH);
	hash = XXH64(&all, sizeof(all), SEED_HASH);
	return hash ? hash : 1;
}
