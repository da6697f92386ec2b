// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of snapshot_vips.c. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"
#include "snapshot_vips.h"
#include "util.h"

#define VIPS 3

static struct snapshot_address address(const char *text, uint32_t id, uint32_t all_tcp, uint32_t all_udp)
{
	struct snapshot_address a = { .value = { .id = id, .all_ports = { all_tcp, all_udp } } };

	assert_int_equal(addr_parse_prefix(text, &a.prefix), 0);
	return a;
}

static struct tr_service_key service(uint32_t id, enum tr_l4 l4, uint16_t port)
{
	return (struct tr_service_key){ .address = id, .port = htons(port), .l4 = l4 };
}

/* "ADDRESS ADDRESS: tcp/80 udp/0" of VIP number v. */
static void assert_vip(const struct snapshot *s, uint32_t v, const char *expected)
{
	const struct snapshot_vip *vip = &s->vips[v - 1];
	char text[512] = "", one[ADDR_TEXT_MAX];
	size_t len = 0;

	for (size_t i = 0; i < vip->n_addresses; i++)
		len += sprintf(text + len, "%s%s", i ? " " : "", addr_format_prefix(&vip->addresses[i], one));
	len += sprintf(text + len, ":");
	for (size_t i = 0; i < vip->n_services; i++)
		len += sprintf(text + len, " %s/%u", vip->services[i].l4 == TR_TCP ? "tcp" : "udp",
			       vip->services[i].port);
	assert_string_equal(text, expected);
}

static struct snapshot make_snapshot(void)
{
	struct snapshot s = { .vips = calloc(VIPS, sizeof(*s.vips)), .n_vips = VIPS };

	assert_non_null(s.vips);
	for (uint32_t i = 0; i < VIPS; i++)
		s.vips[i].number = i + 1;
	return s;
}

static void drop(struct snapshot *s)
{
	for (uint32_t i = 0; i < VIPS; i++) {
		free(s->vips[i].addresses);
		free(s->vips[i].services);
	}
	free(s->vips);
}

static void test_nothing(void **state)
{
	struct snapshot s = make_snapshot();

	assert_int_equal(snapshot_give_services(&s, NULL, 0, NULL, NULL, 0), 0);
	assert_vip(&s, 1, ":");
	drop(&s);
}

static void test_each_to_its_vip(void **state)
{
	struct snapshot s = make_snapshot();
	struct snapshot_address addresses[] = { address("2001:db8::1", 9, 0, 0), address("192.0.2.7", 7, 0, 3),
						address("192.0.2.1", 3, 0, 0) };
	struct tr_service_key keys[] = { service(3, TR_UDP, 53), service(9, TR_TCP, 443), service(3, TR_TCP, 443),
					 service(3, TR_TCP, 80), service(9, TR_TCP, 80), service(7, TR_TCP, 22) };
	uint32_t vips[] = { 3, 1, 1, 1, 1, 2 };

	assert_int_equal(snapshot_give_services(&s, addresses, 3, keys, vips, 6), 0);
	assert_vip(&s, 1, "192.0.2.1 2001:db8::1: tcp/80 tcp/443");
	assert_vip(&s, 2, "192.0.2.7: tcp/22");
	assert_vip(&s, 3, "192.0.2.1 192.0.2.7: udp/0 udp/53");
	drop(&s);
}

/* VIP 1 has a /24; VIP 2 an address in it, whose other services are flattened into it from VIP 1. */
static void test_flattened_addresses_are_not_repeated(void **state)
{
	struct snapshot s = make_snapshot();
	struct snapshot_address addresses[] = { address("192.0.2.5", 2, 1, 0), address("192.0.2.0/24", 1, 1, 0),
						address("192.0.3.0", 3, 1, 0), address("192.0.2.0/25", 4, 1, 2) };
	struct tr_service_key key = service(2, TR_TCP, 80);

	assert_int_equal(snapshot_give_services(&s, addresses, 4, &key, &(uint32_t){ 2 }, 1), 0);
	assert_vip(&s, 1, "192.0.2.0/24 192.0.3.0: tcp/0");
	assert_vip(&s, 2, "192.0.2.0/25: tcp/80 udp/0");
	drop(&s);
}

static void test_prefixes_of_odd_lengths(void **state)
{
	struct snapshot s = make_snapshot();
	struct snapshot_address addresses[] = { address("2001:db8::/33", 1, 1, 0), address("2001:db8:7fff::1", 2, 1, 0),
						address("2001:db8:8000::1", 3, 1, 0), address("::/0", 4, 2, 0),
						address("10.0.0.0/8", 5, 2, 0) };

	assert_int_equal(snapshot_give_services(&s, addresses, 5, NULL, NULL, 0), 0);
	assert_vip(&s, 1, "2001:db8::/33 2001:db8:8000::1: tcp/0");
	assert_vip(&s, 2, "::/0: tcp/0");
	drop(&s);
}

/* What a change has written in part: a service before its address, an address whose VIP is not listed. */
static void test_loose_ends_are_left_out(void **state)
{
	struct snapshot s = make_snapshot();
	struct snapshot_address addresses[] = { address("192.0.2.1", 1, 77, 0) };
	struct tr_service_key keys[] = { service(1, TR_TCP, 80), service(5, TR_TCP, 81) };
	uint32_t vips[] = { 1, 1 };

	assert_int_equal(snapshot_give_services(&s, addresses, 1, keys, vips, 2), 0);
	assert_vip(&s, 1, "192.0.2.1: tcp/80");
	drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_each_to_its_vip),
		cmocka_unit_test(test_flattened_addresses_are_not_repeated),
		cmocka_unit_test(test_prefixes_of_odd_lengths),
		cmocka_unit_test(test_loose_ends_are_left_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("snapshot_vips", tests, NULL, NULL);
}
