// SPDX-License-Identifier: GPL-2.0-only
/* The filter in front of the VIPs' maps: never a "no" for an address that has been added, whatever the lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "addr.h"
#include "filter.h"
#include "util.h"
#include "vip_filter.h"

static struct vip_filter filter;

static bool has(struct tr_addr addr, uint32_t len)
{
	uint64_t halves[2];
	uint32_t bit;

	memcpy(halves, &addr, sizeof(halves));
	bit = tr_filter_bit(halves[0], halves[1], len);
	return filter.words[bit / 64] >> bit % 64 & 1;
}

/* As the entry asks, but for its cache. */
static bool may_be_vip(const char *text)
{
	const struct tr_lengths *lengths;
	struct tr_addr addr, inside;

	assert_int_equal(addr_parse(text, &addr), 0);
	lengths = &filter.lengths[addr_is_v4(&addr) ? TR_IPV4 : TR_IPV6];
	if (has(addr, 128) || !lengths->known)
		return true;
	for (uint32_t i = 0; i < lengths->n; i++) {
		for (int w = 0; w < 4; w++)
			inside.w[w] = addr.w[w] & lengths->lengths[i].mask.w[w];
		if (has(inside, lengths->lengths[i].len))
			return true;
	}
	return false;
}

static void add(const char *text)
{
	struct tr_prefix prefix;

	assert_int_equal(addr_parse_prefix(text, &prefix), 0);
	vip_filter_add(&filter, &prefix);
}

static int clear(void **state)
{
	vip_filter_clear(&filter);
	return 0;
}

static bool is_doubtful(const char *text)
{
	struct tr_addr addr;
	uint32_t family, bit;

	assert_int_equal(addr_parse(text, &addr), 0);
	family = addr_is_v4(&addr) ? TR_IPV4 : TR_IPV6;
	bit = tr_source_bit(family == TR_IPV4 ? addr.w[3] : addr.w[0] | (uint64_t)addr.w[1] << 32, family);
	return filter.sources[family][bit / 64] >> bit % 64 & 1;
}

static void test_sources(void **state)
{
	static const char *const martians[] = { "0.0.0.1", "127.0.0.1", "224.0.0.1", "240.1.2.3", "255.255.255.255" };

	for (size_t i = 0; i < ARRAY_SIZE(martians); i++)
		assert_true(is_doubtful(martians[i]));
	assert_false(is_doubtful("192.0.2.1"));
	assert_false(is_doubtful("2001:db8::1"));
	add("192.0.2.0/24");
	add("2001:db8::1");
	assert_true(is_doubtful("192.0.2.1"));
	assert_true(is_doubtful("2001:db8:0:ffff::1"));
	assert_false(is_doubtful("2001:db8:1::1"));
	assert_false(is_doubtful("193.0.2.1"));
	assert_false(is_doubtful("126.0.0.1"));
	add("2400::/16");		/* shorter than what the bit comes from */
	assert_true(is_doubtful("2400:1234::1"));
	assert_true(is_doubtful("2a00::1"));
}

static void test_empty(void **state)
{
	assert_false(may_be_vip("192.0.2.1"));
	assert_false(may_be_vip("2001:db8::1"));
}

static void test_addresses(void **state)
{
	add("192.0.2.1");
	add("2001:db8::1");
	assert_true(may_be_vip("192.0.2.1"));
	assert_true(may_be_vip("2001:db8::1"));
	assert_false(may_be_vip("192.0.2.2"));
	assert_false(may_be_vip("2001:db8::2"));
	assert_int_equal(filter.lengths[TR_IPV4].n + filter.lengths[TR_IPV6].n, 0);
}

static void test_prefixes(void **state)
{
	add("198.51.100.0/24");
	add("203.0.113.128/25");
	add("2001:db8:1::/48");
	assert_true(may_be_vip("198.51.100.0"));
	assert_true(may_be_vip("198.51.100.255"));
	assert_false(may_be_vip("198.51.101.0"));
	assert_true(may_be_vip("203.0.113.200"));
	assert_false(may_be_vip("203.0.113.1"));
	assert_true(may_be_vip("2001:db8:1:ffff::9"));
	assert_false(may_be_vip("2001:db8:2::9"));
	assert_int_equal(filter.lengths[TR_IPV4].n, 2);
	assert_int_equal(filter.lengths[TR_IPV6].n, 1);
}

/* One more than there is room for: that family's maps are asked always, the other's still are not. */
static void test_too_many_lengths(void **state)
{
	static const char *const texts[] = { "10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/10", "10.0.0.0/11", "10.0.0.0/12",
					     "10.0.0.0/13", "10.0.0.0/14" };

	for (size_t i = 0; i < ARRAY_SIZE(texts) - 1; i++)
		add(texts[i]);
	assert_int_equal(filter.lengths[TR_IPV4].n, TR_LENGTHS_MAX);
	assert_false(may_be_vip("192.0.2.1"));
	add(texts[ARRAY_SIZE(texts) - 1]);
	assert_true(may_be_vip("192.0.2.1"));
	assert_false(may_be_vip("2001:db8::1"));
}

static void test_random(void **state)
{
	unsigned int seed = 1;

	for (int round = 0; round < 2000; round++) {
		unsigned char bytes[16];
		struct tr_prefix prefix = { .len = 16 + rand_r(&seed) % 113 };
		char text[ADDR_TEXT_MAX];

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = rand_r(&seed) >> 3;
		bytes[0] = 0x20;
		memcpy(&prefix.addr, bytes, sizeof(bytes));
		addr_format(&prefix.addr, text);
		for (uint32_t bit = prefix.len; bit < 128; bit++)
			bytes[bit / 8] &= ~(0x80 >> bit % 8);
		memcpy(&prefix.addr, bytes, sizeof(bytes));
		vip_filter_clear(&filter);
		vip_filter_add(&filter, &prefix);
		assert_true(may_be_vip(text));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, clear),
		cmocka_unit_test_setup(test_sources, clear),    cmocka_unit_test_setup(test_addresses, clear),
		cmocka_unit_test_setup(test_prefixes, clear), cmocka_unit_test_setup(test_too_many_lengths, clear),
		cmocka_unit_test_setup(test_random, clear),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("filter of VIP addresses", tests, NULL, NULL);
}
