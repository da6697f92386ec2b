// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of record.c, against bytes written out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "make_config.h"
#include "plan.h"
#include "util.h"

static const struct nexthop hop = {
	.state = TR_NH_OK, .ifindex = 0x01020304, .mtu = 1480,
	.dmac = { 0x02, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4 }, .smac = { 0x02, 0x50, 0x51, 0x52, 0x53, 0x54 },
};

static struct tr_backend record_of(const struct config *config, const char *address)
{
	struct tr_addr addr = make_addr(address);
	struct tr_backend record;

	memset(&record, 0xa5, sizeof(record));
	plan_backend_record(config, &addr, &hop, 0x0607, &record);
	return record;
}

static void check_link(const struct tr_backend *record)
{
	assert_int_equal(record->mtu, 1480);
	assert_memory_equal(record->dmac, hop.dmac, sizeof(hop.dmac));
	assert_memory_equal(record->smac, hop.smac, sizeof(hop.smac));
	assert_int_equal(record->ifindex, 0x01020304);
	assert_int_equal(record->generation, 0x0607);
	assert_int_equal(record->serves, TR_SERVES_NONE);
}

static void test_ipv4(void **state)
{
	/* 45 00 0000, 0000 DF, TTL 64, 0; 4500 + 4000 + 4000 + ac10 + 0a01 + 0203 = 17d14, with its carry 7d15 */
	static const uint8_t expected[20] = {0x45, 0,	 0,   0,  0, 0, 0x40, 0, 64, 0,
					     0x7d, 0x15, 172, 16, 0, 0, 10,   1, 2,  3};
	static const uint8_t ethertype[2] = { 0x08, 0x00 };
	struct config *config = make_config();
	struct tr_backend record = record_of(config, "10.1.2.3");

	check_link(&record);
	assert_int_equal(record.encap, TR_ENCAP_IPV4);
	assert_memory_equal(&record.ethertype, ethertype, sizeof(ethertype));
	assert_memory_equal(&record.v4, expected, sizeof(expected));
	for (size_t i = sizeof(expected); i < sizeof(record.v6); i++)
		assert_int_equal(((const uint8_t *)&record.v6)[i], 0);
	config_free(config);
}

static void test_ipv6(void **state)
{
	static const uint8_t expected[40] = {
		0x60, 0, 0, 0, 0, 0, 0, 64,
		0x01, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34,
	};
	static const uint8_t ethertype[2] = { 0x86, 0xdd };
	struct config *config = make_config();
	struct tr_backend record = record_of(config, "2001:db8::1234");

	check_link(&record);
	assert_int_equal(record.encap, TR_ENCAP_IPV6);
	assert_memory_equal(&record.ethertype, ethertype, sizeof(ethertype));
	assert_memory_equal(&record.v6, expected, sizeof(expected));
	config_free(config);
}

static void test_ttl_and_sources(void **state)
{
	static const uint8_t v4[20] = { 0x45, 0, 0, 0, 0, 0, 0x40, 0, 7, 0, 0xb2, 0x67, 10, 99, 16, 0, 10, 1, 2, 3 };
	struct config *config = make_config();
	struct tr_backend record;

	config->ttl = 7;
	config->source4 = make_prefix("10.99.16.0/20");
	config->source6 = make_prefix("fd00:99::/96");
	record = record_of(config, "10.1.2.3");
	assert_memory_equal(&record.v4, v4, sizeof(v4));
	record = record_of(config, "fd00::1");
	assert_int_equal(record.v6.hop_limit, 7);
	assert_memory_equal(record.v6.saddr, &config->source6.addr, sizeof(record.v6.saddr));
	config_free(config);
}

/* The sum of any header, byte by byte in network order, with the carries added one at a time. */
static void test_sums(void **state)
{
	struct config *config = make_config();
	uint32_t seed = 1;	/* so many that both carries come up */

	for (int i = 0; i < 300000; i++) {
		struct tr_addr address = make_addr("255.255.255.255");
		struct tr_backend record;
		const uint8_t *bytes = (const uint8_t *)&record.v4;
		uint32_t sum = 0;

		seed = seed * 1664525 + 1013904223;
		config->ttl = seed >> 24;
		config->source4.addr.w[3] = i % 3 ? seed * 2654435761u : 0xffffffff;
		address.w[3] = i % 5 ? seed : 0xffffffff;
		plan_backend_record(config, &address, &hop, 0, &record);
		for (size_t b = 0; b < sizeof(record.v4); b += 2) {
			if (b == offsetof(struct tr_outer4, check))
				continue;
			sum += bytes[b] << 8 | bytes[b + 1];
			if (sum > 0xffff)
				sum -= 0xffff;
		}
		assert_int_equal(bytes[offsetof(struct tr_outer4, check)] << 8 |
					 bytes[offsetof(struct tr_outer4, check) + 1],
				 sum);
	}
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_ttl_and_sources),
		cmocka_unit_test(test_sums),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
