// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of ring.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "addr.h"
#include "ring.h"
#include "util.h"

#define SIZE 65537
#define GOLDEN 0x4b57688ccf287825ULL	/* XXH64 of the ring of test_golden() */
#define GOLDEN_HASH 0x21f7ddda6e77aa7cULL

/* n backends 10.0.x.y of weight 100, with numbers from 1. */
static struct ring_member *make_members(size_t n)
{
	struct ring_member *members = calloc(n, sizeof(*members));

	assert_non_null(members);
	for (size_t i = 0; i < n; i++) {
		uint8_t wire[4] = { 10, 0, (i + 1) >> 8, i + 1 };

		members[i].address = addr_from_wire(AF_INET, wire);
		members[i].weight = 100;
		members[i].number = i + 1;
	}
	return members;
}

static uint32_t *build(const struct ring_member *members, size_t n, uint32_t size)
{
	uint32_t *ring = malloc(size * sizeof(*ring));

	assert_non_null(ring);
	memset(ring, 0xff, size * sizeof(*ring));
	assert_int_equal(ring_build(members, n, ring, size), 0);
	return ring;
}

/* counts[number] of n numbers from 1; a foreign number fails. */
static uint32_t *count(const uint32_t *ring, uint32_t size, size_t n)
{
	uint32_t *counts = calloc(n + 1, sizeof(*counts));

	assert_non_null(counts);
	for (uint32_t i = 0; i < size; i++) {
		assert_in_range(ring[i], 1, n);
		counts[ring[i]]++;
	}
	return counts;
}

static double moved_percent(const uint32_t *a, const uint32_t *b)
{
	uint32_t moved = 0;

	for (uint32_t i = 0; i < SIZE; i++)
		moved += a[i] != b[i];
	return 100.0 * moved / SIZE;
}

static void shuffle(struct ring_member *members, size_t n)
{
	uint32_t random = 12345;

	for (size_t i = n - 1; i > 0; i--) {
		struct ring_member swap = members[i];
		size_t j;

		random = random * 1664525 + 1013904223;
		j = (random >> 8) % (i + 1);
		members[i] = members[j];
		members[j] = swap;
	}
}

/* Balancers of different builds share a site: a change of the algorithm moves flows and must be noticed. */
static void test_golden(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(5);
	_cleanup_free_ uint32_t *ring = NULL;

	members[1].weight = 50;
	members[3].weight = 7;
	assert_int_equal(addr_parse("2001:db8::5", &members[4].address), 0);
	ring = build(members, 5, SIZE);
	assert_int_equal(XXH64(ring, SIZE * sizeof(*ring), 0), GOLDEN);
	assert_int_equal(ring_hash(members, 5, SIZE), GOLDEN_HASH);
}

static void test_order_does_not_matter(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(300);
	_cleanup_free_ uint32_t *ring = NULL, *shuffled = NULL;
	uint64_t hash;

	for (size_t i = 0; i < 300; i++)
		members[i].weight = 1 + i % 7;
	ring = build(members, 300, SIZE);
	hash = ring_hash(members, 300, SIZE);
	shuffle(members, 300);
	assert_int_not_equal(members[0].number, 1);
	shuffled = build(members, 300, SIZE);
	assert_memory_equal(ring, shuffled, SIZE * sizeof(*ring));
	assert_int_equal(ring_hash(members, 300, SIZE), hash);
}

static void test_equal_weights_differ_by_one(void **state)
{
	static const size_t sizes[] = { 2, 3, 10, 1000 };

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		_cleanup_free_ struct ring_member *members = make_members(sizes[s]);
		_cleanup_free_ uint32_t *ring = build(members, sizes[s], SIZE);
		_cleanup_free_ uint32_t *counts = count(ring, SIZE, sizes[s]);

		for (size_t i = 1; i <= sizes[s]; i++)
			assert_in_range(counts[i], SIZE / sizes[s], SIZE / sizes[s] + 1);
	}
}

static void test_weights_are_proportional(void **state)
{
	static const uint32_t weights[] = { 1, 2, 3, 50, 99, 100, 777, 1000 };
	size_t n = ARRAY_SIZE(weights);
	_cleanup_free_ struct ring_member *members = make_members(n);
	_cleanup_free_ uint32_t *ring = NULL, *counts = NULL;
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += members[i].weight = weights[i];
	ring = build(members, n, SIZE);
	counts = count(ring, SIZE, n);
	for (size_t i = 0; i < n; i++) {
		double share = SIZE * weights[i] / sum;

		/* Rounding alone; the round in progress when the ring was full adds at most one. */
		assert_in_range(counts[i + 1], share - 2, share + 2);
	}
}

static void test_very_unequal_weights(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(2);
	_cleanup_free_ uint32_t *ring = NULL, *counts = NULL;

	members[0].weight = UINT32_MAX;
	members[1].weight = UINT32_MAX / 2 + 1;
	ring = build(members, 2, 101);
	counts = count(ring, 101, 2);
	assert_in_range(counts[1], 67, 68);
}

/* One backend more than n; removing it again is the same difference. Measured figures, with room for the addresses. */
static void check_disruption(size_t n, double least, double most)
{
	_cleanup_free_ struct ring_member *members = make_members(n + 1);
	_cleanup_free_ uint32_t *before = build(members, n, SIZE);
	_cleanup_free_ uint32_t *after = build(members, n + 1, SIZE);
	double moved = moved_percent(before, after);

	assert_true(moved >= least);
	assert_true(moved <= most);
}

static void test_disruption(void **state)
{
	check_disruption(10, 9.09, 9.6);
	check_disruption(100, 0.99, 1.8);
	check_disruption(500, 0.20, 1.35);
}

static void test_removal_of_one_in_the_middle(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(100);
	_cleanup_free_ uint32_t *before = build(members, 100, SIZE), *after = NULL;
	uint32_t bystanders = 0;

	members[49] = members[99];
	after = build(members, 99, SIZE);
	for (uint32_t i = 0; i < SIZE; i++) {
		assert_int_not_equal(after[i], 50);
		bystanders += before[i] != 50 && before[i] != after[i];
	}
	assert_in_range(bystanders, 0, SIZE / 100);
}

static void test_no_members(void **state)
{
	_cleanup_free_ uint32_t *ring = build(NULL, 0, 251);

	for (size_t i = 0; i < 251; i++)
		assert_int_equal(ring[i], 0);
	assert_int_not_equal(ring_hash(NULL, 0, 251), 0);
}

static void test_one_member_takes_all(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(1);
	_cleanup_free_ uint32_t *ring = NULL;

	members[0].weight = 1;
	members[0].number = 4095;
	ring = build(members, 1, 251);
	for (size_t i = 0; i < 251; i++)
		assert_int_equal(ring[i], 4095);
}

static void test_as_many_members_as_buckets(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(252);
	_cleanup_free_ uint32_t *ring = build(members, 251, 251);
	_cleanup_free_ uint32_t *counts = count(ring, 251, 251);

	for (size_t i = 1; i <= 251; i++)
		assert_int_equal(counts[i], 1);
	assert_int_equal(ring_build(members, 252, ring, 251), -EINVAL);
}

static void test_smallest_ring(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(2);
	_cleanup_free_ uint32_t *ring = build(members, 2, 2);

	assert_int_equal(ring[0] + ring[1], 3);
}

static void test_bad_input_leaves_the_ring(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(3);
	uint32_t ring[251] = { 77, 78 };

	assert_int_equal(ring_build(members, 3, ring, 250), -EINVAL);
	members[1].weight = 0;
	assert_int_equal(ring_build(members, 3, ring, 251), -EINVAL);
	members[1].weight = 1;
	members[2].address = members[0].address;
	assert_int_equal(ring_build(members, 3, ring, 251), -EINVAL);
	assert_int_equal(ring[0], 77);
	assert_int_equal(ring[1], 78);
}

static void test_primes(void **state)
{
	static const uint32_t primes[] = { 2, 3, 5, 251, 65537, 16777213, 4294967291 };
	static const uint32_t others[] = { 0, 1, 4, 9, 65535, 65536, 64507 /* 251 * 257 */, 16777215, 4294836225 };

	for (size_t i = 0; i < ARRAY_SIZE(primes); i++)
		assert_true(ring_size_is_prime(primes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(ring_size_is_prime(others[i]));
}

static void test_hash_sees_every_input(void **state)
{
	_cleanup_free_ struct ring_member *members = make_members(3);
	uint64_t hash = ring_hash(members, 3, SIZE);
	struct ring_member saved = members[1];

	assert_int_equal(ring_hash(members, 3, SIZE), hash);
	assert_int_not_equal(ring_hash(members, 2, SIZE), hash);
	assert_int_not_equal(ring_hash(members, 3, 251), hash);
	members[1].weight++;
	assert_int_not_equal(ring_hash(members, 3, SIZE), hash);
	members[1] = saved;
	members[1].number++;
	assert_int_not_equal(ring_hash(members, 3, SIZE), hash);
	members[1] = saved;
	members[1].address.w[3]++;
	assert_int_not_equal(ring_hash(members, 3, SIZE), hash);
	/* Two members whose weights change places are another ring. */
	members[1] = saved;
	members[1].weight = 7;
	hash = ring_hash(members, 3, SIZE);
	members[1].weight = 100;
	members[0].weight = 7;
	assert_int_not_equal(ring_hash(members, 3, SIZE), hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_equal_weights_differ_by_one),
		cmocka_unit_test(test_weights_are_proportional),
		cmocka_unit_test(test_very_unequal_weights),
		cmocka_unit_test(test_disruption),
		cmocka_unit_test(test_removal_of_one_in_the_middle),
		cmocka_unit_test(test_no_members),
		cmocka_unit_test(test_one_member_takes_all),
		cmocka_unit_test(test_as_many_members_as_buckets),
		cmocka_unit_test(test_smallest_ring),
		cmocka_unit_test(test_bad_input_leaves_the_ring),
		cmocka_unit_test(test_primes),
		cmocka_unit_test(test_hash_sees_every_input),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
