// SPDX-License-Identifier: GPL-2.0-only
/* See affinity_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "affinity_world.h"

#define N_WORDS 8192
#define N_BACKENDS 32
#define N_POOLS 6
#define N_VIPS 6

static const uint64_t first_key[2] = { 0x1111, 0x2222 };

static void *shared(size_t n, size_t size)
{
	void *memory = mmap(NULL, n * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

#define SHARED(n, pointer) ((pointer) = shared(n, sizeof(*(pointer))))
#define UNSHARED(n, pointer) munmap(pointer, (n) * sizeof(*(pointer)))

static void make_memory(struct affinity_view *v)
{
	v->n_words = N_WORDS;
	v->n_backends = N_BACKENDS;
	v->n_pools = N_POOLS;
	v->n_vips = N_VIPS;
	SHARED(1, v->settings);
	SHARED(N_WORDS, v->rings);
	SHARED(N_BACKENDS, v->backends);
	SHARED(N_BACKENDS, v->backend_info);
	SHARED(N_POOLS, v->pools);
	SHARED(N_POOLS, v->pool_flows);
	SHARED(N_VIPS, v->vips);
	SHARED(N_VIPS, v->vip_old);
	SHARED(TR_TIER_COUNT * SETS, v->flows);
	SHARED(1, v->flow_state);
	memcpy(v->settings->hash_key, first_key, sizeof(first_key));
	v->settings->generation = 1;
	for (uint32_t tier = 0; tier < TR_TIER_COUNT; tier++)
		v->settings->tiers[tier] = (struct tr_tier_place){ tier * SETS, SETS };
}

static void make_pool(struct world *w, uint32_t pool, uint32_t first)
{
	const struct tr_pool_times times = { T_SETTLE, T_UDP, T_SYN, T_LIFE, T_LINGER, T_DRAIN };
	struct tr_pool_info *info = &w->v.pools[pool];

	info->name[0] = 'a' + pool;
	info->ring = world_ring(w, RING_SIZE, first);
	info->ring_size = RING_SIZE;
	info->ring_hash = 1;
	info->times = times;
	w->v.pool_flows[pool] = (struct tr_pool_flows){ .t_syn = T_SYN, .t_udp = T_UDP, .t_settle = T_SETTLE };
	world_backend(w, first, pool, TR_BACKEND_UP);
	world_backend(w, first + 1, pool, TR_BACKEND_UP);
	for (uint32_t b = 1; b < RING_SIZE; b += 2)
		for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++)
			world_put(w, pool, l4, b, (struct word){ first + 1, first + 1, first + 1, false, false });
}

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_memory(&w->v);
	w->now = 5000;
	w->rings_used = 1;
	for (uint32_t pool = 1; pool <= 3; pool++)
		make_pool(w, pool, 10 * (pool - 1) + (pool == 1));
	world_backend(w, 9, 1, TR_BACKEND_UP);
	for (uint32_t vip = 1; vip <= 2; vip++)
		w->v.vips[vip] = (struct tr_vip){ w->v.pools[vip].ring, RING_SIZE, vip, TR_MODE_CHANGES, 0, 0 };
	assert_int_equal(affinity_new(&w->v, w->now, &w->a), 0);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;

	affinity_free(w->a);
	UNSHARED(1, w->v.settings);
	UNSHARED(N_WORDS, w->v.rings);
	UNSHARED(N_BACKENDS, w->v.backends);
	UNSHARED(N_BACKENDS, w->v.backend_info);
	UNSHARED(N_POOLS, w->v.pools);
	UNSHARED(N_POOLS, w->v.pool_flows);
	UNSHARED(N_VIPS, w->v.vips);
	UNSHARED(N_VIPS, w->v.vip_old);
	UNSHARED(TR_TIER_COUNT * SETS, w->v.flows);
	UNSHARED(1, w->v.flow_state);
	free(w);
	return 0;
}

void world_restart(struct world *w)
{
	affinity_free(w->a);
	w->a = NULL;
	assert_int_equal(affinity_new(&w->v, w->now, &w->a), 0);
}

uint32_t world_tick(struct world *w, uint32_t ticks)
{
	uint32_t next;

	w->now += ticks;
	next = affinity_tick(w->a, w->now);
	assert_int_not_equal(next, 0);
	return next;
}

void world_pass(struct world *w, uint32_t ticks)
{
	uint32_t end = w->now + ticks, next = affinity_tick(w->a, w->now);

	while (next < end - w->now)
		next = world_tick(w, next);
	world_tick(w, end - w->now);
}

void world_settle(struct world *w, uint32_t ticks)
{
	uint32_t end = w->now + ticks, next = affinity_tick(w->a, w->now);

	while (next != AFFINITY_NEVER) {
		if (next > end - w->now)
			fail_msg("not settled after %u ticks", ticks);
		next = world_tick(w, next);
	}
}

void world_backend(struct world *w, uint32_t number, uint32_t pool, enum tr_backend_state state)
{
	bool old = state == TR_BACKEND_DRAINING || state == TR_BACKEND_LEAVING;

	w->v.backends[number].encap = state == TR_BACKEND_FREE ? TR_ENCAP_NONE : TR_ENCAP_IPV4;
	w->v.backends[number].serves = state == TR_BACKEND_UP ? TR_SERVES_ALL : old ? TR_SERVES_OLD : TR_SERVES_NONE;
	w->v.backend_info[number].state = state;
	w->v.backend_info[number].pool = pool;
	w->v.backend_info[number].since = w->now;
	w->v.backend_info[number].deadline = w->now + T_DRAIN;
}

uint32_t world_ring(struct world *w, uint32_t size, uint32_t backend)
{
	uint32_t start = w->rings_used;
	uint64_t number = backend;

	w->rings_used += TR_L4_COUNT * size;
	assert_true(w->rings_used <= N_WORDS);
	for (uint32_t i = start; i < w->rings_used; i++)
		w->v.rings[i] = number | number << TR_WORD_BASE_SHIFT | number << TR_WORD_PREV_SHIFT;
	return start;
}

void world_target(struct world *w, uint32_t pool, uint32_t from, uint32_t to, int bucket)
{
	uint32_t members[N_WORDS / TR_L4_COUNT], size = w->v.pools[pool].ring_size;

	for (uint32_t b = 0; b < size; b++) {
		members[b] = world_word(w, pool, TR_TCP, b).current;
		if (members[b] == from && (bucket < 0 || (uint32_t)bucket == b))
			members[b] = to;
	}
	assert_int_equal(affinity_target(w->a, pool, members, 77, "a test", w->now), 0);
}

struct word world_word(const struct world *w, uint32_t pool, enum tr_l4 l4, uint32_t bucket)
{
	const struct tr_pool_info *info = &w->v.pools[pool];
	uint64_t word = w->v.rings[info->ring + l4 * info->ring_size + bucket];

	return (struct word){ word & TR_BACKEND_MASK, word >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK,
			      word >> TR_WORD_PREV_SHIFT & TR_BACKEND_MASK, word & TR_WORD_LOOK, word & TR_WORD_REC };
}

void world_put(struct world *w, uint32_t pool, enum tr_l4 l4, uint32_t bucket, struct word word)
{
	const struct tr_pool_info *info = &w->v.pools[pool];

	w->v.rings[info->ring + l4 * info->ring_size + bucket] =
		word.current | (uint64_t)word.base << TR_WORD_BASE_SHIFT | (uint64_t)word.prev << TR_WORD_PREV_SHIFT |
		(word.look ? TR_WORD_LOOK : 0) | (word.rec ? TR_WORD_REC : 0);
}

bool world_pool_is_plain(const struct world *w, uint32_t pool)
{
	for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++)
		for (uint32_t b = 0; b < w->v.pools[pool].ring_size; b++) {
			struct word word = world_word(w, pool, l4, b);

			if (word.current != word.base || word.look || word.rec)
				return false;
		}
	return true;
}

uint64_t key_of(uint32_t bucket, uint32_t n)
{
	return ((((uint64_t)bucket << 32) / RING_SIZE + 1 + n) << 32) | (n + 1);
}

struct tr_record *world_record(struct world *w, enum tr_tier tier, uint64_t key, uint32_t backend, uint32_t pool)
{
	for (uint32_t choice = 0; choice < 2; choice++) {
		struct tr_flow_set *set = &w->v.flows[tr_flow_set_index(&w->v.settings->tiers[tier], key, choice)];

		for (int slot = 0; slot < TR_SET_SLOTS; slot++) {
			if (set->slots[slot].key)
				continue;
			set->slots[slot].key = key;
			set->slots[slot].value = tr_record_value(backend, pool, 0, w->now);
			w->v.flow_state->used[tier]++;
			return &set->slots[slot];
		}
	}
	fail_msg("no room for a record");
	return NULL;
}

struct tr_record *world_find(const struct world *w, enum tr_tier tier, uint64_t key)
{
	for (uint32_t i = tier * SETS; i < (tier + 1) * SETS; i++)
		for (int slot = 0; slot < TR_SET_SLOTS; slot++)
			if (w->v.flows[i].slots[slot].key == key && w->v.flows[i].slots[slot].value)
				return &w->v.flows[i].slots[slot];
	return NULL;
}
