// SPDX-License-Identifier: GPL-2.0-only
/* `status`, `stats` and the metrics of an instance of real pinned maps. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cmd.h"
#include "instance.h"
#include "metrics.h"
#include "ticks.h"
#include "util.h"

static json_t *run_json(int (*run)(int argc, char **argv))
{
	char *argv[] = { "x", "-i", instance_name, "--json", NULL };
	int err;
	_cleanup_free_ char *text = instance_capture(STDOUT_FILENO, run, 4, argv, &err);
	json_t *json = json_loads(text, 0, NULL);

	assert_int_equal(err, 0);
	assert_non_null(json);
	return json;
}

static void test_stats_json(void **state)
{
	json_t *json = run_json(cmd_stats);
	json_int_t forwarded, packets, bytes, new_flows, weight, buckets, refused;
	const char *name, *pool, *address, *up, *nexthop, *tier;
	double of_weight, of_flows, share;
	int used, max;

	assert_int_equal(json_unpack(json, "{s:s, s:{s:I}, s:[{}, {s:s, s:s, s:I, s:I, s:I}, {}!]}", "instance", &name,
				     "verdicts", "forwarded", &forwarded, "vips", "name", &up, "pool", &pool,
				     "packets", &packets, "bytes", &bytes, "new_flows", &new_flows), 0);
	assert_string_equal(name, instance_name);
	assert_int_equal(forwarded, instance_over_cpus(1000));
	assert_string_equal(up, "web");
	assert_string_equal(pool, "b-pool");
	assert_int_equal(bytes, instance_over_cpus(64000));
	assert_int_equal(json_object_size(json_object_get(json, "verdicts")), TR_V_COUNT);
	assert_int_equal(json_array_size(json_object_get(json, "backends")), 7);
	assert_int_equal(json_unpack(json, "{s:[{}, {s:s, s:{s:I, s:F}}, {}!], s:[{}, {s:s, s:i, s:i}]}", "pools",
				     "name", &name, "flows", "refused_udp", &refused, "share_recorded", &share,
				     "flow_records", "tier", &tier, "used", &used, "max", &max), 0);
	assert_string_equal(name, "b-pool");
	assert_int_equal(refused, instance_over_cpus(8));
	assert_true(share == 0.5);
	assert_string_equal(tier, "syn");
	assert_int_equal(used, 20);
	assert_int_equal(max, 64);
	assert_int_equal(json_unpack(json_array_get(json_object_get(json, "backends"), 2),
				     "{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:F, s:F !}", "pool", &pool,
				     "address", &address, "weight", &weight, "state", &up, "nexthop", &nexthop,
				     "packets", &packets, "bytes", &bytes, "new_flows", &new_flows, "buckets", &buckets,
				     "share_of_weight", &of_weight, "share_of_flows", &of_flows), 0);
	assert_string_equal(address, "10.0.0.2");
	assert_string_equal(up, "up");
	assert_int_equal(new_flows, instance_over_cpus(6));
	assert_int_equal(buckets, 200);
	assert_true(of_weight == 0.8);
	assert_true(of_flows == 0.75);
	json_decref(json);
}

static void test_status_json(void **state)
{
	json_t *json = run_json(cmd_status), *backends;
	const char *address, *service, *gateway, *map;
	int running, takes, used;

	assert_int_equal(json_unpack(json, "{s:{s:b}, s:[{}, {s:[s, s], s:[s, s]}, {}!], s:[{s:s, s:i}]}", "controller",
				     "running", &running, "vips", "addresses", &address, &gateway, "services",
				     &service, &gateway, "maps", "name", &map, "used", &used), 0);
	assert_false(running);
	assert_string_equal(address, "192.0.2.1");
	assert_string_equal(service, "80/tcp");
	assert_string_equal(map, "vips");
	assert_int_equal(used, 3);
	assert_int_equal(json_unpack(json, "{s:[{s:[{s:b}]}, {s:o}, {}!]}", "pools", "backends", "takes_flows", &takes,
				     "backends", &backends), 0);
	assert_false(takes);
	assert_int_equal(json_unpack(backends, "[{}, {s:s, s:b}, {}, {}, {}!]", "gateway", &gateway, "takes_flows",
				     &takes), 0);
	assert_string_equal(gateway, "10.0.0.254");
	assert_true(takes);
	json_decref(json);
}

static void test_status_json_of_affinity(void **state)
{
	json_t *json = run_json(cmd_status);
	const char *mode, *from, *why, *backend, *tier;
	int moving, settled, unsettled, looking, leaving, left, used;
	json_int_t since, pressure, refused;
	json_t *never;

	assert_int_equal(json_unpack(json, "{s:[{s:s, s:b, s:s}], s:[{s:s, s:i}]}", "vips", "mode", &mode, "moving",
				     &moving, "moving_from", &from, "flow_records", "tier", &tier, "used", &used), 0);
	assert_string_equal(mode, "client");
	assert_true(moving);
	assert_string_equal(from, "c-gone");
	assert_string_equal(tier, "tcp");
	assert_int_equal(used, 100);
	assert_int_equal(json_unpack(json, "{s:[{}, {s:{s:b, s:{s:i}, s:{s:i}, s:I, s:s, s:I, s:I, s:o}}]}", "pools",
				     "affinity", "settled", &settled, "unsettled", "tcp", &unsettled, "looking", "udp",
				     &looking, "unsettled_since", &since, "why", &why, "pressure_seconds_ago",
				     &pressure, "refused_seconds_ago", &refused, "refused_udp_seconds_ago", &never), 0);
	assert_false(settled);
	assert_int_equal(unsettled, 51);
	assert_int_equal(looking, 2);
	assert_int_equal(since, 1600000000);
	assert_string_equal(why, "backend 10.0.0.4 drains");
	assert_int_equal(pressure, 60 * ticks_ns() / 1000000000);
	assert_int_equal(refused, 500 * ticks_ns() / 1000000000);
	assert_true(json_is_null(never));
	assert_int_equal(json_unpack(json, "{s:[{}, {s:[{}, {}, {}, {s:s, s:i}]}, {s:b, s:[{s:i}]}]}", "pools",
				     "backends", "state", &backend, "seconds_left", &left, "leaving", &leaving,
				     "backends", "seconds_left", &used), 0);
	assert_string_equal(backend, "draining");
	assert_int_equal(left, 90);
	assert_true(leaving);
	assert_int_equal(used, 0);
	json_decref(json);
}

/* The line of a table that starts with the words, its columns parted by one blank. */
static void assert_line(const char *text, const char *expected)
{
	char *line = calloc(1, strlen(text) + 1);
	bool found = false;

	for (const char *at = text; *at && !found; at++) {
		size_t len = 0;

		for (; *at && *at != '\n'; at++)
			if (*at != ' ' || (len && line[len - 1] != ' '))
				line[len++] = *at;
		line[len] = '\0';
		found = !strcmp(line, expected);
		if (!*at)
			break;
	}
	free(line);
	if (!found)
		fail_msg("no line '%s' in:\n%s", expected, text);
}

static void test_status_tables_of_affinity(void **state)
{
	char *argv[] = { "status", "-i", instance_name, NULL };
	int err;
	_cleanup_free_ char *text = instance_capture(STDOUT_FILENO, cmd_status, 3, argv, &err);

	assert_int_equal(err, 0);
	assert_line(text, "a-pool settled none none - - 0 never");
	assert_line(text, "c-gone settled, leaving none none - - 0 never");
	instance_assert_has(text, "b-pool  unsettled ");
	instance_assert_has(text, " 51 tcp, 0 udp  60 tcp, 2 udp ");
	instance_assert_has(text, " ago    backend 10.0.0.4 drains\n");
	assert_line(text, "10.0.0.4 b-pool 100 draining, 1m30s left 0 ok - - - - no: no new ones by configuration");
	assert_line(text, "10.0.0.5 b-pool 100 drained 0 ok - - - - no: its time to drain is over");
	assert_line(text, "10.0.1.1 c-gone 100 leaving, 0s left 0 ok - - - - no: no longer configured");
	assert_line(text, "dns a-pool client, moving from c-gone 192.0.2.1 all/udp");
	assert_line(text, "www-resized b-pool changes, moving");
	assert_line(text, "tcp 100 64 156.2");
	assert_line(text, "tracked 4 32 12.5");
}

static void test_status_says_why(void **state)
{
	char *argv[] = { "status", "-i", instance_name, NULL };
	int err;
	_cleanup_free_ char *text = instance_capture(STDOUT_FILENO, cmd_status, 3, argv, &err);

	assert_int_equal(err, 0);
	instance_assert_has(text, "controller     not running");
	instance_assert_has(text, "configuration  /etc/tailrace.yaml, applied 2023-11-1");
	instance_assert_has(text, "no: down by configuration\n");
	instance_assert_has(text, "no: no route\n");
	instance_assert_has(text, "on the link");
	instance_assert_has(text, "02:00:00:00:00:fe  lo");
	instance_assert_has(text, "all/udp");
	instance_assert_has(text, "2001:db8:1::/48");
}

static void test_stats_tables(void **state)
{
	char *all[] = { "stats", "--instance", instance_name, "--all", NULL };
	int err;
	_cleanup_free_ char *text = instance_capture(STDOUT_FILENO, cmd_stats, 3, all, &err), *longer = NULL;

	assert_int_equal(err, 0);
	instance_assert_has(text, "VIP          POOL ");
	instance_assert_has(text, "80.0");
	instance_assert_has(text, "75.0");
	instance_assert_has(text, "encapsulated and sent to a backend");
	instance_assert_has(text, "% OF NEW RECORDED");
	instance_assert_has(text, "FLOW RECORDS  USED  MAX\n");
	assert_line(text, "syn 20 64");
	assert_null(strstr(text, "RECORDED/S"));
	assert_null(strstr(text, "too_big"));
	assert_null(strstr(text, "PACKETS/S"));
	longer = instance_capture(STDOUT_FILENO, cmd_stats, 4, all, &err);
	instance_assert_has(longer, "too_big");
}

static void test_usage_errors(void **state)
{
	static char *const bad[][2] = { { "stats", "x" }, { "stats", "--nonsense" }, { "stats", "--watch=0" } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *argv[] = { bad[i][0], bad[i][1], NULL };
		int err;
		_cleanup_free_ char *text = instance_capture(STDERR_FILENO, cmd_stats, 2, argv, &err);

		assert_int_equal(err, -EINVAL);
		instance_assert_has(text, "`tailrace stats --help`");
	}
}

/* Reads until the text holds what is wanted, or the pipe ends. */
static void read_until(int fd, const char *wanted, char *text, size_t size)
{
	size_t len = strlen(text);
	ssize_t got = 1;

	while (!strstr(text, wanted) && got > 0) {
		got = read(fd, text + len, size - 1 - len);
		len += got > 0 ? got : 0;
		text[len] = '\0';
	}
	instance_assert_has(text, wanted);
}

/* Two readings a good second apart: the first without rates. */
static void test_watch_shows_rates(void **state)
{
	char *argv[] = { "stats", "-i", instance_name, "--watch", "1", NULL };
	unsigned long packets = 0, rate = 0;
	double recorded, refused;
	char first[8192] = "", second[8192] = "";
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		_exit(cmd_stats(5, argv) ? 1 : 0);
	}
	close(fds[1]);
	read_until(fds[0], "a bug in tailrace", first, sizeof(first));
	instance_put_verdict(TR_V_FORWARDED, 2000);
	instance_put_counts(1, (struct tr_pool_counts){ 104, 105, 106, 107, 8, 9, 110, 111 });
	read_until(fds[0], "a bug in tailrace", second, sizeof(second));
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	instance_put_verdict(TR_V_FORWARDED, 1000);
	instance_fill_affinity();
	instance_assert_has(second, "RECORDED/S  REFUSED/S\n");
	assert_int_equal(sscanf(strstr(strstr(second, "RECORDED/S"), "\nb-pool"),
				"\nb-pool %*f %*u %*u %*u %*u %*u %*u %*u %lf %lf", &recorded, &refused), 2);
	assert_in_range(refused, instance_over_cpus(70), instance_over_cpus(100));
	assert_in_range(recorded, 5 * refused - 1, 5 * refused + 1);
	assert_null(strstr(first, "PACKETS/S"));
	instance_assert_has(second, "PACKETS/S  MEANING");
	instance_assert_has(second, "\nforwarded");
	assert_int_equal(sscanf(strstr(second, "\nforwarded"), "\nforwarded %lu %lu", &packets, &rate), 2);
	assert_int_equal(packets, instance_over_cpus(2000));
	assert_in_range(rate, instance_over_cpus(700), instance_over_cpus(1000));
}

/* What curl prints while the server's loop runs. */
static void fetch(struct metrics *metrics, char *text, size_t size)
{
	struct pollfd fds[2] = { { .fd = metrics_fd(metrics), .events = POLLIN }, { .events = POLLIN } };
	char command[128];
	size_t len = 0;
	ssize_t got = 1;
	FILE *curl;

	snprintf(command, sizeof(command), "curl -sS -m 5 http://127.0.0.1:%u/metrics", metrics_port(metrics));
	curl = popen(command, "r");
	assert_non_null(curl);
	fds[1].fd = fileno(curl);
	while (got > 0) {
		assert_true(poll(fds, 2, -1) > 0);
		if (fds[0].revents)
			while (metrics_process(metrics))
				;
		if (!fds[1].revents)
			continue;
		got = read(fds[1].fd, text + len, size - 1 - len);
		len += got > 0 ? got : 0;
	}
	text[len] = '\0';
	assert_int_equal(pclose(curl), 0);
}

static void test_metrics(void **state)
{
	struct metrics *metrics;
	char text[65536], sample[128];

	assert_int_equal(system("ip link set lo up"), 0);
	assert_int_equal(metrics_start("127.0.0.1", 0, instance_name, &metrics), 0);
	fetch(metrics, text, sizeof(text));
	snprintf(sample, sizeof(sample), "\ntailrace_packets_total{verdict=\"forwarded\"} %llu\n",
		 (unsigned long long)instance_over_cpus(1000));
	instance_assert_has(text, sample);
	instance_assert_has(text, "tailrace_backend_buckets{pool=\"b-pool\",backend=\"10.0.0.2\"} 200\n");
	instance_assert_has(text, "tailrace_map_max_entries{map=\"vips\"} 8\n");
	instance_assert_has(text, "tailrace_pool_unsettled_buckets{pool=\"b-pool\",protocol=\"tcp\"} 51\n");
	instance_assert_has(text, "tailrace_pool_pressure{pool=\"b-pool\"} 1\n");
	instance_assert_has(text, "tailrace_flow_records{tier=\"tcp\"} 100\n");
	/* Each time anew. */
	instance_put_verdict(TR_V_TOO_BIG, 1);
	usleep(150000);		/* an answer serves for 100 ms */
	fetch(metrics, text, sizeof(text));
	instance_put_verdict(TR_V_TOO_BIG, 0);
	snprintf(sample, sizeof(sample), "{verdict=\"too_big\"} %llu\n", (unsigned long long)instance_over_cpus(1));
	instance_assert_has(text, sample);
	metrics_stop(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stats_json),
		cmocka_unit_test(test_status_json),
		cmocka_unit_test(test_status_json_of_affinity),
		cmocka_unit_test(test_status_tables_of_affinity),
		cmocka_unit_test(test_status_says_why),
		cmocka_unit_test(test_stats_tables),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_watch_shows_rates),
		cmocka_unit_test(test_metrics),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("status", tests, instance_set_up, instance_tear_down);
}
