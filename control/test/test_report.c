// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of report.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "addr.h"
#include "report.h"
#include "util.h"

static const struct snapshot_pool pools[] = { { .info.name = "one" }, { .info.name = "two" } };

static struct snapshot_backend backend(int pool, uint32_t weight, uint32_t buckets, uint64_t new_flows)
{
	return (struct snapshot_backend){
		.pool = &pools[pool],
		.info = { .weight = weight, .buckets = buckets, .state = TR_BACKEND_UP, .nexthop = TR_NH_OK },
		.traffic.new_flows = new_flows,
	};
}

static void test_shares(void **state)
{
	struct snapshot_pool busy = { .weight = 400, .new_flows = 40 }, idle = { .weight = 0 };
	struct snapshot_backend b = backend(0, 100, 50, 30), none = backend(0, 100, 0, 10);

	b.pool = none.pool = &busy;
	assert_true(report_share_of_weight(&b) == 0.25);
	assert_true(report_share_of_flows(&b) == 0.75);
	assert_true(report_share_of_weight(&none) == 0);
	assert_true(report_share_of_flows(&none) == 0.25);
	b.pool = &idle;
	assert_true(report_share_of_weight(&b) == 0);
	assert_true(report_share_of_flows(&b) == 0);
}

static void assert_why(struct snapshot_backend b, enum tr_backend_state s, enum tr_nexthop_state nexthop,
		       const char *why)
{
	b.info.state = s;
	b.info.nexthop = nexthop;
	if (why)
		assert_string_equal(report_why_not(&b), why);
	else
		assert_null(report_why_not(&b));
}

static void test_why_not(void **state)
{
	struct snapshot_backend in = backend(0, 1, 1, 0), out = backend(0, 1, 0, 0);

	assert_why(in, TR_BACKEND_UP, TR_NH_OK, NULL);
	assert_why(in, TR_BACKEND_UP, TR_NH_RESOLVING, NULL);	/* asked again: its MAC address still stands */
	assert_why(out, TR_BACKEND_DOWN, TR_NH_FAILED, "down by configuration");
	assert_why(out, TR_BACKEND_UP, TR_NH_NO_ROUTE, "no route");
	assert_why(out, TR_BACKEND_UP, TR_NH_FAILED, "next hop does not answer");
	assert_why(out, TR_BACKEND_UP, TR_NH_OTHER_DEVICE, "its route leaves through another device");
	assert_why(out, TR_BACKEND_UP, TR_NH_OK, "not in the ring yet");
	assert_why(out, TR_BACKEND_UP, 200, "next hop unknown");
}

static void assert_service(enum tr_l4 l4, uint16_t port, const char *text)
{
	struct snapshot_service service = { l4, port };
	char buf[REPORT_SERVICE_MAX];

	assert_string_equal(report_service(&service, buf), text);
}

static void test_services(void **state)
{
	assert_service(TR_TCP, 80, "80/tcp");
	assert_service(TR_UDP, 65535, "65535/udp");
	assert_service(TR_TCP, 0, "all/tcp");
}

static void assert_json(json_t *json, const char *expected)
{
	_cleanup_free_ char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	assert_non_null(text);
	assert_string_equal(text, expected);
}

/* Word for word: scripts depend on the members. */
static void test_status_json(void **state)
{
	struct snapshot_backend b = backend(1, 5, 13, 0), lost = backend(1, 5, 0, 0);
	struct snapshot_device device = { "eth0", "native", 42 };
	struct snapshot_vip vip = { .name = "web", .pool = &pools[1] };
	struct snapshot_backend both[2];
	struct snapshot s = { .name = "demo", .controller = true, .devices = &device, .n_devices = 1,
			      .pools = (struct snapshot_pool *)&pools[1], .n_pools = 1, .backends = both,
			      .n_backends = 2, .vips = &vip, .n_vips = 1,
			      .instance = { .applied_at = 1700000000999999999, .reloads = 2, .config = "/x.yaml" } };

	for (size_t i = 0; i < SNAPSHOT_MAPS; i++)
		s.maps[i] = (struct snapshot_map){ "m", i, 9 };
	assert_int_equal(addr_parse("10.0.0.1", &b.info.address), 0);
	assert_int_equal(addr_parse("fe80::1", &b.info.gateway), 0);
	assert_int_equal(addr_parse("10.0.0.2", &lost.info.address), 0);
	b.dmac[0] = 2;
	b.dmac[5] = 0xab;
	b.mtu = 1480;
	b.device[0] = 'e';
	lost.info.nexthop = TR_NH_NO_ROUTE;
	both[0] = b;
	both[1] = lost;
	assert_json(report_status(&s),
		    "{\"instance\":\"demo\",\"controller\":{\"running\":true},\"configuration\":{\"path\":\"/x.yaml\","
		    "\"applied_at\":1700000000,\"reloads\":2,\"reloads_failed\":0},"
		    "\"attached\":[{\"device\":\"eth0\",\"mode\":\"native\",\"program_id\":42}],"
		    "\"pools\":[{\"name\":\"two\",\"ring_size\":0,\"ring_changes\":0,\"words_changed\":0,\"backends\":["
		    "{\"address\":\"10.0.0.1\",\"weight\":5,\"state\":\"up\",\"nexthop\":\"ok\","
		    "\"gateway\":\"fe80::1\",\"mac\":\"02:00:00:00:00:ab\",\"device\":\"e\",\"mtu\":1480,"
		    "\"buckets\":13,\"takes_flows\":true,\"why_not\":null},"
		    "{\"address\":\"10.0.0.2\",\"weight\":5,\"state\":\"up\",\"nexthop\":\"no route\","
		    "\"gateway\":null,\"mac\":null,\"device\":null,\"mtu\":0,"
		    "\"buckets\":0,\"takes_flows\":false,\"why_not\":\"no route\"}]}],"
		    "\"vips\":[{\"name\":\"web\",\"pool\":\"two\",\"addresses\":[],\"services\":[]}],"
		    "\"maps\":[{\"name\":\"m\",\"used\":0,\"max\":9},{\"name\":\"m\",\"used\":1,\"max\":9},"
		    "{\"name\":\"m\",\"used\":2,\"max\":9},{\"name\":\"m\",\"used\":3,\"max\":9},"
		    "{\"name\":\"m\",\"used\":4,\"max\":9},{\"name\":\"m\",\"used\":5,\"max\":9},"
		    "{\"name\":\"m\",\"used\":6,\"max\":9}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_why_not),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_status_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
