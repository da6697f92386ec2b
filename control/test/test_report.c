// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of report.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"
#include "report.h"
#include "util.h"

static const struct snapshot_pool pools[] = {
	{ .info.name = "one" },
	{ .info = { .name = "two", .leaving = 7, .unsettled = { 1, 2 }, .looking = { 3, 4 },
		    .unsettled_since = 1600000000999999999, .why = "reload" },
	  .flows = { .pressure = 900, .refused = 800 },
	  .counts = { 11, 12, 13, 14, 15, 16, 17, 18 }, .new_flows = 44 },
};
#define FLOWS "{\"new\":44,\"recorded_new\":11,\"recorded\":12,\"recorded_udp\":13,\"tracked\":17,\"moved\":18,"    \
	"\"refused\":14,\"refused_udp\":15,\"pressed\":16,\"share_recorded\":0.25}"

static const struct snapshot_tier tiers[TR_TIER_COUNT] = { { 1, 10 }, { 2, 20 }, { 3, 30 }, { 4, 40 } };
#define TIERS "\"flow_records\":[{\"tier\":\"tcp\",\"used\":1,\"max\":10},{\"tier\":\"syn\",\"used\":2,\"max\":20}," \
	"{\"tier\":\"udp\",\"used\":3,\"max\":30},{\"tier\":\"tracked\",\"used\":4,\"max\":40}]"

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
	assert_why(out, TR_BACKEND_DRAINING, TR_NH_OK, "no new ones by configuration");
	assert_why(in, TR_BACKEND_DRAINING, TR_NH_OK, NULL);	/* being prepared */
	assert_why(out, TR_BACKEND_LEAVING, TR_NH_OK, "no longer configured");
	assert_why(out, TR_BACKEND_DRAINED, TR_NH_OK, "its time to drain is over");
}

static void assert_left(enum tr_backend_state backend_state, uint32_t deadline, uint32_t tick, uint64_t tick_ns,
			int64_t seconds)
{
	struct snapshot_backend b = { .info = { .state = backend_state, .deadline = deadline } };
	struct snapshot s = { .tick = tick, .tick_ns = tick_ns };

	assert_int_equal(report_seconds_left(&s, &b), seconds);
}

static void test_time_left(void **state)
{
	assert_left(TR_BACKEND_DRAINING, 1000, 500, 64000000, 32);
	assert_left(TR_BACKEND_LEAVING, 1000, 999, 1000000000, 1);
	assert_left(TR_BACKEND_LEAVING, 1000, 1000, 1000000000, 0);
	assert_left(TR_BACKEND_DRAINING, 1000, 1001, 1000000000, 0);	/* the controller is late, or not there */
	assert_left(TR_BACKEND_DRAINING, 10, UINT32_MAX, 1000000000, 11);	/* ticks go round */
	assert_left(TR_BACKEND_DRAINING, 604800000, 0, 64000000, 38707200);
	assert_left(TR_BACKEND_DRAINING, 0, 5, 64000000, -1);
	assert_left(TR_BACKEND_DRAINING, 1000, 500, 0, -1);		/* no clock */
	assert_left(TR_BACKEND_UP, 1000, 500, 64000000, -1);
	assert_left(TR_BACKEND_DRAINED, 1000, 500, 64000000, -1);
}

static void test_times_past(void **state)
{
	struct snapshot s = { .tick = 10, .tick_ns = 1000000000, .time = 5000000000 };
	struct snapshot_pool pool = { .info = { .unsettled = { 0, 1 }, .unsettled_since = 2000000000 } };

	assert_int_equal(report_seconds_since(&s, 3), 7);
	assert_int_equal(report_seconds_since(&s, 10), 0);
	assert_int_equal(report_seconds_since(&s, UINT32_MAX - 1), 12);
	assert_int_equal(report_seconds_since(&s, 0), -1);
	s.tick_ns = 0;
	assert_int_equal(report_seconds_since(&s, 3), -1);
	assert_false(report_is_settled(&pool));
	assert_int_equal(report_unsettled_seconds(&s, &pool), 3);
	pool.info.unsettled_since = 6000000000;		/* the clock was set back */
	assert_int_equal(report_unsettled_seconds(&s, &pool), 0);
	pool.info.unsettled_since = 0;
	assert_int_equal(report_unsettled_seconds(&s, &pool), -1);
	pool.info = (struct tr_pool_info){ .unsettled_since = 1, .looking = { 9, 9 } };
	assert_true(report_is_settled(&pool));
	assert_int_equal(report_unsettled_seconds(&s, &pool), -1);
}

static void test_share_recorded(void **state)
{
	struct snapshot_pool pool = { .counts.recorded_new = 1, .new_flows = 4 };

	assert_true(report_share_recorded(&pool) == 0.25);
	pool.counts.recorded_new = 5;
	assert_true(report_share_recorded(&pool) == 1);
	pool.new_flows = 0;
	assert_true(report_share_recorded(&pool) == 0);
}

static void test_durations(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = { { 0, "0s" }, { 59, "59s" }, { 60, "1m00s" }, { 3599, "59m59s" }, { 3600, "1h00m" },
		      { 86399, "23h59m" }, { 86400, "1d00h" }, { 604800, "7d00h" } };
	char buf[REPORT_DURATION_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(report_duration(cases[i].seconds, buf), cases[i].text);
}

static void test_options(void **state)
{
	static const struct {
		struct snapshot_vip vip;
		const char *text;
	} cases[] = {
		{ { .echo = true }, "" },
		{ { .echo = false }, "echo off" },
		{ { .echo = true, .by_addresses = true }, "fragments addresses" },
		{ { .echo = true, .oversize = true, .mss = 256 }, "oversize fragment, mss 256" },
		{ { .by_addresses = true, .oversize = true, .mss = 65495 },
		  "echo off, fragments addresses, oversize fragment, mss 65495" },
	};
	char buf[REPORT_OPTIONS_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(report_options(&cases[i].vip, buf), cases[i].text);
}

static void test_modes(void **state)
{
	static const char *const names[] = { "changes", "track", "hash", "client" };

	for (enum tr_mode mode = 0; mode < TR_MODE_COUNT; mode++)
		assert_string_equal(report_mode(&(struct snapshot_vip){ .mode = mode }), names[mode]);
	assert_null(report_mode(&(struct snapshot_vip){ .mode = TR_MODE_COUNT }));
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
	struct snapshot_vip vips[] = { { .name = "web", .pool = &pools[1], .mode = TR_MODE_CLIENT, .moving = true,
					 .old_pool = &pools[0], .echo = true },
				       { .name = "dns", .pool = &pools[1], .by_addresses = true, .oversize = true,
					 .mss = 1400 } };
	struct snapshot_backend both[2];
	struct snapshot s = { .name = "demo", .controller = true, .tick = 1000, .tick_ns = 64000000, .devices = &device, .n_devices = 1,
			      .pools = (struct snapshot_pool *)&pools[1], .n_pools = 1, .backends = both,
			      .n_backends = 2, .vips = vips, .n_vips = 2,
			      .instance = { .applied_at = 1700000000999999999, .reloads = 2, .config = "/x.yaml" } };

	for (size_t i = 0; i < SNAPSHOT_MAPS; i++)
		s.maps[i] = (struct snapshot_map){ "m", i, 9 };
	memcpy(s.tiers, tiers, sizeof(tiers));
	assert_int_equal(addr_parse("10.0.0.1", &b.info.address), 0);
	assert_int_equal(addr_parse("fe80::1", &b.info.gateway), 0);
	assert_int_equal(addr_parse("10.0.0.2", &lost.info.address), 0);
	b.dmac[0] = 2;
	b.dmac[5] = 0xab;
	b.mtu = 1480;
	b.device[0] = 'e';
	lost.info.nexthop = TR_NH_NO_ROUTE;
	lost.info.state = TR_BACKEND_LEAVING;
	lost.info.deadline = 2000;
	both[0] = b;
	both[1] = lost;
	assert_json(report_status(&s),
		    "{\"instance\":\"demo\",\"controller\":{\"running\":true},\"configuration\":{\"path\":\"/x.yaml\","
		    "\"applied_at\":1700000000,\"reloads\":2,\"reloads_failed\":0},"
		    "\"attached\":[{\"device\":\"eth0\",\"mode\":\"native\",\"program_id\":42}],"
		    "\"pools\":[{\"name\":\"two\",\"leaving\":true,\"ring_size\":0,\"ring_changes\":0,\"words_changed\":0,"
		    "\"affinity\":{\"settled\":false,\"unsettled\":{\"tcp\":1,\"udp\":2},"
		    "\"looking\":{\"tcp\":3,\"udp\":4},\"unsettled_since\":1600000000,\"why\":\"reload\","
		    "\"pressure_seconds_ago\":6,\"refused_seconds_ago\":12,\"refused_udp_seconds_ago\":null,"
		    "\"flows\":" FLOWS "},\"backends\":["
		    "{\"address\":\"10.0.0.1\",\"weight\":5,\"state\":\"up\",\"seconds_left\":null,\"nexthop\":\"ok\","
		    "\"gateway\":\"fe80::1\",\"mac\":\"02:00:00:00:00:ab\",\"device\":\"e\",\"mtu\":1480,"
		    "\"buckets\":13,\"takes_flows\":true,\"why_not\":null},"
		    "{\"address\":\"10.0.0.2\",\"weight\":5,\"state\":\"leaving\",\"seconds_left\":64,"
		    "\"nexthop\":\"no route\","
		    "\"gateway\":null,\"mac\":null,\"device\":null,\"mtu\":0,"
		    "\"buckets\":0,\"takes_flows\":false,\"why_not\":\"no longer configured\"}]}],"
		    "\"vips\":[{\"name\":\"web\",\"pool\":\"two\",\"mode\":\"client\",\"moving\":true,"
		    "\"moving_from\":\"one\",\"echo\":true,\"fragments\":\"drop\",\"oversize\":\"answer\",\"mss\":null,"
		    "\"addresses\":[],\"services\":[]},"
		    "{\"name\":\"dns\",\"pool\":\"two\",\"mode\":\"changes\",\"moving\":false,\"moving_from\":null,"
		    "\"echo\":false,\"fragments\":\"addresses\",\"oversize\":\"fragment\",\"mss\":1400,"
		    "\"addresses\":[],\"services\":[]}]," TIERS ","
		    "\"maps\":[{\"name\":\"m\",\"used\":0,\"max\":9},{\"name\":\"m\",\"used\":1,\"max\":9},"
		    "{\"name\":\"m\",\"used\":2,\"max\":9},{\"name\":\"m\",\"used\":3,\"max\":9},"
		    "{\"name\":\"m\",\"used\":4,\"max\":9},{\"name\":\"m\",\"used\":5,\"max\":9},"
		    "{\"name\":\"m\",\"used\":6,\"max\":9}]}");
}

/* What stats has of affinity; the rest is in test_status.c. */
static void test_stats_json(void **state)
{
	struct snapshot s = { .name = "demo", .pools = (struct snapshot_pool *)&pools[1], .n_pools = 1 };
	json_t *json;

	memcpy(s.tiers, tiers, sizeof(tiers));
	json = report_stats(&s);
	assert_non_null(json);
	json_object_del(json, "verdicts");
	assert_json(json, "{\"instance\":\"demo\",\"vips\":[],\"backends\":[],"
		    "\"pools\":[{\"name\":\"two\",\"flows\":" FLOWS "}]," TIERS "}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_why_not),
		cmocka_unit_test(test_time_left),
		cmocka_unit_test(test_times_past),
		cmocka_unit_test(test_share_recorded),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_status_json),
		cmocka_unit_test(test_stats_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
