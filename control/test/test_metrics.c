// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of metrics_render.c, and of metrics.c's server over the loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr.h"
#include "metrics.h"
#include "util.h"

#define PROMTOOL "build/unpacked/prometheus/usr/bin/promtool"
#define WAIT_MS 3000

static const struct snapshot_pool pool = {
	.info = { .name = "a \"b\"\\c\nd", .ring_changes = 2, .words_changed = 251, .unsettled = { 3, 4 },
		  .looking = { 5, 6 }, .unsettled_since = 1700000000999999999 },
	.flows = { .t_syn = 64, .pressure = 1000 },
	.counts = { 11, 12, 13, 14, 15, 16, 17, 18 },
};

static char *render(const struct snapshot *s)
{
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	metrics_render(s, to);
	assert_int_equal(fclose(to), 0);
	return text;
}

/* A copy of the lines that name the metric, HELP and TYPE among them. */
static char *lines_of(const char *text, const char *metric)
{
	char *lines = calloc(1, strlen(text) + 1);
	size_t len = strlen(metric);

	for (const char *line = text, *end; *line; line = end + 1) {
		const char *name = strncmp(line, "# ", 2) ? line : line + 7;

		end = strchr(line, '\n');
		assert_non_null(end);
		if (!strncmp(name, metric, len) && strchr(" {", name[len]))
			strncat(lines, line, end + 1 - line);
	}
	return lines;
}

static void assert_metric(const struct snapshot *s, const char *metric, const char *expected)
{
	_cleanup_free_ char *text = render(s), *lines = lines_of(text, metric);

	assert_string_equal(lines, expected);
}

static struct snapshot example(struct snapshot_backend backends[2], struct snapshot_vip *vip,
			       struct snapshot_device *device)
{
	struct snapshot s = { .name = "demo", .tick = 1063, .tick_ns = 64000000, .pools = (struct snapshot_pool *)&pool, .n_pools = 1,
			      .backends = backends, .n_backends = 2, .vips = vip, .n_vips = 1, .devices = device,
			      .n_devices = 1 };

	backends[0] = (struct snapshot_backend){ .number = 1, .pool = &pool, .traffic = { 10, 1000, 1 },
		.info = { .weight = 7, .buckets = 200, .state = TR_BACKEND_UP, .nexthop = TR_NH_OK } };
	backends[1] = (struct snapshot_backend){ .number = 2, .pool = &pool,
		.info = { .weight = 9, .state = TR_BACKEND_DOWN, .nexthop = TR_NH_FAILED } };
	*vip = (struct snapshot_vip){ .name = "web", .pool = &pool, .moving = true, .traffic = { 11, UINT64_MAX, 3 } };
	*device = (struct snapshot_device){ "eth0", "native", 42 };
	assert_int_equal(addr_parse("10.0.0.1", &backends[0].info.address), 0);
	assert_int_equal(addr_parse("2001:db8::1", &backends[1].info.address), 0);
	for (size_t i = 0; i < SNAPSHOT_MAPS; i++)
		s.maps[i] = (struct snapshot_map){ (const char *[]){ "a", "b", "c", "d", "e", "f", "g" }[i], i, 100 };
	for (enum tr_tier t = 0; t < TR_TIER_COUNT; t++)
		s.tiers[t] = (struct snapshot_tier){ t + 1, 100 * (t + 1) };
	s.verdicts[TR_V_FORWARDED] = 12345;
	s.instance.applied_at = 1700000000250000000;
	s.instance.reloads = 4;
	s.instance.reloads_failed = 1;
	return s;
}

#define P "pool=\"a \\\"b\\\"\\\\c\\nd\""

static void test_render(void **state)
{
	struct snapshot_backend backends[2];
	struct snapshot_device device;
	struct snapshot_vip vip;
	struct snapshot s = example(backends, &vip, &device);

	assert_metric(&s, "tailrace_vip_bytes_total",
		      "# HELP tailrace_vip_bytes_total Bytes of the clients' IP packets forwarded for the VIP.\n"
		      "# TYPE tailrace_vip_bytes_total counter\n"
		      "tailrace_vip_bytes_total{vip=\"web\"," P "} 18446744073709551615\n");
	assert_metric(&s, "tailrace_vip_new_flows_total",
		      "# HELP tailrace_vip_new_flows_total TCP connection attempts (SYN) forwarded for the VIP.\n"
		      "# TYPE tailrace_vip_new_flows_total counter\n"
		      "tailrace_vip_new_flows_total{vip=\"web\"," P "} 3\n");
	assert_metric(&s, "tailrace_backend_packets_total",
		      "# HELP tailrace_backend_packets_total Packets forwarded to the backend.\n"
		      "# TYPE tailrace_backend_packets_total counter\n"
		      "tailrace_backend_packets_total{" P ",backend=\"10.0.0.1\"} 10\n"
		      "tailrace_backend_packets_total{" P ",backend=\"2001:db8::1\"} 0\n");
	assert_metric(&s, "tailrace_backend_up",
		      "# HELP tailrace_backend_up Whether the configuration has the backend up.\n"
		      "# TYPE tailrace_backend_up gauge\n"
		      "tailrace_backend_up{" P ",backend=\"10.0.0.1\"} 1\n"
		      "tailrace_backend_up{" P ",backend=\"2001:db8::1\"} 0\n");
	assert_metric(&s, "tailrace_backend_nexthop_ok",
		      "# HELP tailrace_backend_nexthop_ok Whether the backend's next hop is known and answers.\n"
		      "# TYPE tailrace_backend_nexthop_ok gauge\n"
		      "tailrace_backend_nexthop_ok{" P ",backend=\"10.0.0.1\"} 1\n"
		      "tailrace_backend_nexthop_ok{" P ",backend=\"2001:db8::1\"} 0\n");
	assert_metric(&s, "tailrace_ring_words_changed_total",
		      "# HELP tailrace_ring_words_changed_total Buckets of the pool's ring that changed hands.\n"
		      "# TYPE tailrace_ring_words_changed_total counter\n"
		      "tailrace_ring_words_changed_total{" P "} 251\n");
	assert_metric(&s, "tailrace_reloads_total",
		      "# HELP tailrace_reloads_total Configurations applied or refused.\n"
		      "# TYPE tailrace_reloads_total counter\n"
		      "tailrace_reloads_total{result=\"applied\"} 4\n"
		      "tailrace_reloads_total{result=\"refused\"} 1\n");
	assert_metric(&s, "tailrace_config_applied_timestamp_seconds",
		      "# HELP tailrace_config_applied_timestamp_seconds When the last configuration was applied, "
		      "since the epoch.\n# TYPE tailrace_config_applied_timestamp_seconds gauge\n"
		      "tailrace_config_applied_timestamp_seconds 1700000000.250\n");
	assert_metric(&s, "tailrace_attached",
		      "# HELP tailrace_attached 1 for each device that the balancer is attached to.\n"
		      "# TYPE tailrace_attached gauge\ntailrace_attached{device=\"eth0\",mode=\"native\"} 1\n");
	assert_metric(&s, "tailrace_build_info",
		      "# HELP tailrace_build_info 1; the controller's version and the instance's name.\n"
		      "# TYPE tailrace_build_info gauge\n"
		      "tailrace_build_info{version=\"" TAILRACE_VERSION "\",instance_name=\"demo\"} 1\n");
}

/* The samples alone, without HELP and TYPE. */
static void assert_samples(const struct snapshot *s, const char *metric, const char *expected)
{
	_cleanup_free_ char *text = render(s), *lines = lines_of(text, metric);
	const char *samples = lines;

	for (int i = 0; i < 2; i++)
		samples = strchr(samples, '\n') + 1;
	assert_string_equal(samples, expected);
}

static void test_render_affinity(void **state)
{
	struct snapshot_backend backends[2];
	struct snapshot_device device;
	struct snapshot_vip vip;
	struct snapshot s = example(backends, &vip, &device);

	assert_metric(&s, "tailrace_pool_unsettled_buckets",
		      "# HELP tailrace_pool_unsettled_buckets Buckets whose new flows go elsewhere than flows without a "
		      "record.\n# TYPE tailrace_pool_unsettled_buckets gauge\n"
		      "tailrace_pool_unsettled_buckets{" P ",protocol=\"tcp\"} 3\n"
		      "tailrace_pool_unsettled_buckets{" P ",protocol=\"udp\"} 4\n");
	assert_samples(&s, "tailrace_pool_looking_buckets",
		       "tailrace_pool_looking_buckets{" P ",protocol=\"tcp\"} 5\n"
		       "tailrace_pool_looking_buckets{" P ",protocol=\"udp\"} 6\n");
	assert_samples(&s, "tailrace_pool_unsettled_since_seconds",
		       "tailrace_pool_unsettled_since_seconds{" P "} 1700000000\n");
	assert_metric(&s, "tailrace_pool_flows_recorded_total",
		      "# HELP tailrace_pool_flows_recorded_total Flows recorded, by how they came to it.\n"
		      "# TYPE tailrace_pool_flows_recorded_total counter\n"
		      "tailrace_pool_flows_recorded_total{" P ",kind=\"new\"} 11\n"
		      "tailrace_pool_flows_recorded_total{" P ",kind=\"established\"} 12\n"
		      "tailrace_pool_flows_recorded_total{" P ",kind=\"udp\"} 13\n"
		      "tailrace_pool_flows_recorded_total{" P ",kind=\"tracked\"} 17\n"
		      "tailrace_pool_flows_recorded_total{" P ",kind=\"moved\"} 18\n");
	assert_samples(&s, "tailrace_pool_flows_refused_total",
		       "tailrace_pool_flows_refused_total{" P ",protocol=\"tcp\"} 14\n"
		       "tailrace_pool_flows_refused_total{" P ",protocol=\"udp\"} 15\n");
	assert_samples(&s, "tailrace_pool_flows_pressed_total", "tailrace_pool_flows_pressed_total{" P "} 16\n");
	assert_samples(&s, "tailrace_vip_moving", "tailrace_vip_moving{vip=\"web\"} 1\n");
	assert_samples(&s, "tailrace_flow_records",
		       "tailrace_flow_records{tier=\"tcp\"} 1\ntailrace_flow_records{tier=\"syn\"} 2\n"
		       "tailrace_flow_records{tier=\"udp\"} 3\ntailrace_flow_records{tier=\"tracked\"} 4\n");
	assert_samples(&s, "tailrace_flow_records_limit",
		       "tailrace_flow_records_limit{tier=\"tcp\"} 100\ntailrace_flow_records_limit{tier=\"syn\"} 200\n"
		       "tailrace_flow_records_limit{tier=\"udp\"} 300\n"
		       "tailrace_flow_records_limit{tier=\"tracked\"} 400\n");
}

/* Younger than t_syn, and never where there was none. */
static void test_render_pressure(void **state)
{
	struct snapshot_backend backends[2];
	struct snapshot_device device;
	struct snapshot_vip vip;
	struct snapshot s = example(backends, &vip, &device);
	struct snapshot_pool calm = pool;

	assert_samples(&s, "tailrace_pool_pressure", "tailrace_pool_pressure{" P "} 1\n");
	s.tick++;
	assert_samples(&s, "tailrace_pool_pressure", "tailrace_pool_pressure{" P "} 0\n");
	calm.flows.pressure = 0;
	s.pools = &calm;
	s.tick = 10;
	assert_samples(&s, "tailrace_pool_pressure", "tailrace_pool_pressure{" P "} 0\n");
}

static void test_render_settled(void **state)
{
	struct snapshot_backend backends[2];
	struct snapshot_device device;
	struct snapshot_vip vip;
	struct snapshot s = example(backends, &vip, &device);
	struct snapshot_pool settled = pool;

	memset(settled.info.unsettled, 0, sizeof(settled.info.unsettled));
	s.pools = &settled;
	vip.moving = false;
	assert_samples(&s, "tailrace_pool_unsettled_since_seconds",
		       "tailrace_pool_unsettled_since_seconds{" P "} 0\n");
	assert_samples(&s, "tailrace_vip_moving", "tailrace_vip_moving{vip=\"web\"} 0\n");
}

static void test_render_states(void **state)
{
	static const char *const names[] = { [TR_BACKEND_UP] = "up", [TR_BACKEND_DOWN] = "down",
					     [TR_BACKEND_DRAINING] = "draining", [TR_BACKEND_LEAVING] = "leaving",
					     [TR_BACKEND_DRAINED] = "drained" };
	struct snapshot_backend backends[2];
	struct snapshot_device device;
	struct snapshot_vip vip;
	struct snapshot s = example(backends, &vip, &device);
	char expected[512];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i])
			continue;
		backends[1].info.state = i;
		snprintf(expected, sizeof(expected),
			 "tailrace_backend_state{" P ",backend=\"10.0.0.1\",state=\"up\"} 1\n"
			 "tailrace_backend_state{" P ",backend=\"2001:db8::1\",state=\"%s\"} 1\n", names[i]);
		assert_samples(&s, "tailrace_backend_state", expected);
	}
}

static void test_render_verdicts(void **state)
{
	struct snapshot_backend backends[2];
	struct snapshot_device device;
	struct snapshot_vip vip;
	struct snapshot s = example(backends, &vip, &device);
	_cleanup_free_ char *text = render(&s), *lines = lines_of(text, "tailrace_packets_total");
	size_t n = 0;

	assert_non_null(strstr(lines, "\ntailrace_packets_total{verdict=\"forwarded\"} 12345\n"));
	assert_non_null(strstr(lines, "\ntailrace_packets_total{verdict=\"internal\"} 0\n"));
	for (const char *c = lines; *c; c++)
		n += *c == '\n';
	assert_int_equal(n, 2 + TR_V_COUNT);
}

static void test_promtool(void **state)
{
	struct snapshot_backend backends[2];
	struct snapshot_device device;
	struct snapshot_vip vip;
	struct snapshot s = example(backends, &vip, &device);
	FILE *promtool;

	if (access(PROMTOOL, X_OK))
		skip();
	/* Lint's findings go to standard error and the exit status. */
	promtool = popen(PROMTOOL " check metrics", "w");
	assert_non_null(promtool);
	metrics_render(&s, promtool);
	assert_int_equal(pclose(promtool), 0);
}

static int connect_to(const char *host, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool is_v6 = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	if (!is_v6)
		assert_int_equal(inet_pton(AF_INET, host, &v4.sin_addr), 1);
	assert_int_equal(is_v6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6)) :
			 connect(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
	return fd;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/* Runs the server as an event loop would, on its fd alone, until the connection has sent text, or has closed (text NULL). */
static void converse(struct metrics *metrics, int fd, const char *text, char *buf, size_t size)
{
	uint64_t deadline = now_ms() + WAIT_MS;
	size_t len = 0;

	buf[0] = '\0';
	while (!text || !strstr(buf, text)) {
		struct pollfd fds[] = { { .fd = metrics_fd(metrics), .events = POLLIN }, { .fd = fd, .events = POLLIN } };
		ssize_t got;

		if (now_ms() > deadline)
			fail_msg("no '%s' in time, only:\n%s", text ? text : "end of connection", buf);
		assert_true(poll(fds, 2, 100) >= 0);
		if (fds[0].revents)
			while (metrics_process(metrics))
				;
		got = recv(fd, buf + len, size - 1 - len, MSG_DONTWAIT);
		if (!got || (got < 0 && errno != EAGAIN))
			break;
		if (got > 0)
			buf[len += got] = '\0';
	}
	if (text && !strstr(buf, text))
		fail_msg("no '%s' in:\n%s", text, buf);
}

static struct metrics *start(const char *host)
{
	struct metrics *metrics = NULL;

	assert_int_equal(metrics_start(host, 0, "no-such-instance", &metrics), 0);
	assert_true(metrics_port(metrics) > 0);
	return metrics;
}

/* One request of a connection of its own. */
static void ask(const char *host, const char *request, char *buf, size_t size)
{
	struct metrics *metrics = start(host);
	_cleanup_close_ int fd = connect_to(host, metrics_port(metrics));

	dprintf(fd, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", request);
	converse(metrics, fd, NULL, buf, size);
	metrics_stop(metrics);
}

static void assert_answer(const char *host, const char *request, const char *status, const char *part)
{
	char buf[4096];

	ask(host, request, buf, sizeof(buf));
	if (strncmp(buf, status, strlen(status)) || !strstr(buf, part))
		fail_msg("%s: not '%s' and '%s' but:\n%s", request, status, part, buf);
}

static void test_paths(void **state)
{
	assert_answer("127.0.0.1", "GET /", "HTTP/1.1 200 ", "/metrics\n");
	assert_answer("127.0.0.1", "GET /nonsense", "HTTP/1.1 404 ", "/metrics\n");
	assert_answer("127.0.0.1", "GET /metricsx", "HTTP/1.1 404 ", "");
	assert_answer("127.0.0.1", "GET /metrics", "HTTP/1.1 503 ", "cannot be read");
}

static void test_methods(void **state)
{
	char buf[4096];

	assert_answer("127.0.0.1", "DELETE /metrics", "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
	assert_answer("127.0.0.1", "POST /", "HTTP/1.1 405 ", "only GET and HEAD\n");
	ask("127.0.0.1", "HEAD /", buf, sizeof(buf));
	assert_memory_equal(buf, "HTTP/1.1 200 ", 13);
	assert_string_equal(strstr(buf, "\r\n\r\n"), "\r\n\r\n");
}

static void test_ipv6(void **state)
{
	assert_answer("::1", "GET /", "HTTP/1.1 200 ", "/metrics\n");
}

static void test_connection_is_kept(void **state)
{
	struct metrics *metrics = start("127.0.0.1");
	_cleanup_close_ int fd = connect_to("127.0.0.1", metrics_port(metrics));
	char buf[4096];

	for (int i = 0; i < 3; i++) {
		dprintf(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
		converse(metrics, fd, "/metrics\n", buf, sizeof(buf));
	}
	metrics_stop(metrics);
}

/* The second request is read with the first: no event on the socket tells of it. */
static void test_pipelined_requests(void **state)
{
	struct metrics *metrics = start("127.0.0.1");
	_cleanup_close_ int fd = connect_to("127.0.0.1", metrics_port(metrics));
	char buf[4096];

	dprintf(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n");
	converse(metrics, fd, "not found", buf, sizeof(buf));
	metrics_stop(metrics);
}

static void test_bind_failures(void **state)
{
	struct metrics *first = start("127.0.0.1"), *second = first;

	assert_int_equal(metrics_start("127.0.0.1", metrics_port(first), "x", &second), -EADDRINUSE);
	assert_int_equal(metrics_start("192.0.2.1", 0, "x", &second), -EADDRNOTAVAIL);
	assert_int_equal(metrics_start("no address", 0, "x", &second), -EADDRNOTAVAIL);
	assert_ptr_equal(second, first);
	metrics_stop(first);
	metrics_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_render_affinity),
		cmocka_unit_test(test_render_pressure),
		cmocka_unit_test(test_render_settled),
		cmocka_unit_test(test_render_states),
		cmocka_unit_test(test_render_verdicts),
		cmocka_unit_test(test_promtool),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_connection_is_kept),
		cmocka_unit_test(test_pipelined_requests),
		cmocka_unit_test(test_bind_failures),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
