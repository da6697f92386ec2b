// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nanoseconds that a packet costs in tailrace's XDP path, as multiples of the least that any balancer must do; see
 * docs/performance.md for the method. Figures are information: only a packet that comes out wrong is a failure.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "log.h"
#include "measure/scenario.h"
#include "measure/summary.h"
#include "measure/worker.h"
#include "util.h"

#define ROUNDS 7
#define ROUNDS_MAX 1000
#define TRIES 3
#define FLOOR_SPREAD_MAX 0.25

struct options {
	struct worker_job job;
	const struct scenario *chosen[64];
	size_t rounds;
	const char *json;
};

static const char usage[] =
	"usage: bench [options]\n"
	"  --scenario NAME,...   only these\n"
	"  --rounds N            processes (7)\n"
	"  --quick               shorter samples: under 30 seconds\n"
	"  --json FILE           where the figures go (build/bench.json)\n"
	"  --object FILE         measure this build of tailrace.bpf.o, not the built-in one\n"
	"  --against FILE        measure a second build in the same processes and print the difference\n"
	"  --list                names of scenarios\n";

enum { OPT_SCENARIO = 1, OPT_ROUNDS, OPT_QUICK, OPT_JSON, OPT_OBJECT, OPT_AGAINST, OPT_LIST, OPT_HELP };

static const struct option long_options[] = {
	{ "scenario", required_argument, NULL, OPT_SCENARIO },
	{ "rounds", required_argument, NULL, OPT_ROUNDS },
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "object", required_argument, NULL, OPT_OBJECT },
	{ "against", required_argument, NULL, OPT_AGAINST },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "help", no_argument, NULL, OPT_HELP },
	{},
};

static int choose(struct options *options, const char *names)
{
	while (*names) {
		size_t len = strcspn(names, ",");
		const struct scenario *scenario = scenario_find(names, len);

		if (!scenario)
			return log_err(-EINVAL, "no scenario %.*s (--list names them)", (int)len, names);
		if (options->job.n == ARRAY_SIZE(options->chosen))
			return log_err(-E2BIG, "scenarios");
		options->chosen[options->job.n++] = scenario;
		names += len + (names[len] == ',');
	}
	return 0;
}

static int parse_rounds(struct options *options, const char *text)
{
	char *end;
	long rounds = strtol(text, &end, 10);

	if (end == text || *end || rounds < 1 || rounds > ROUNDS_MAX)
		return log_err(-EINVAL, "--rounds %s: 1 to %d", text, ROUNDS_MAX);
	options->rounds = rounds;
	return 0;
}

static int list(void)
{
	for (size_t i = 0; i < n_scenarios; i++)
		puts(scenarios[i].name);
	return 1;
}

/* 0; 1: nothing left to do; a negative errno, the reason on standard error. */
static int take_option(struct options *options, int option)
{
	switch (option) {
	case OPT_SCENARIO:
		return choose(options, optarg);
	case OPT_ROUNDS:
		return parse_rounds(options, optarg);
	case OPT_QUICK:
		options->job.samples = 5;
		options->job.packets = 100000;
		return 0;
	case OPT_JSON:
		options->json = optarg;
		return 0;
	case OPT_OBJECT:
		options->job.objects[WORKER_TARGET] = optarg;
		return 0;
	case OPT_AGAINST:
		options->job.objects[WORKER_AGAINST] = optarg;
		options->job.against = true;
		return 0;
	case OPT_LIST:
		return list();
	case OPT_HELP:
		fputs(usage, stdout);
		return 1;
	default:
		fputs(usage, stderr);
		return -EINVAL;
	}
}

static int parse(struct options *options, int argc, char **argv)
{
	int option, err = 0;

	while (!err && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		err = take_option(options, option);
	if (!err && optind < argc) {
		fputs(usage, stderr);
		return -EINVAL;
	}
	for (size_t i = 0; !options->job.n && i < n_scenarios; i++)
		options->chosen[i] = &scenarios[i];
	options->job.n = options->job.n ?: n_scenarios;
	options->job.scenarios = options->chosen;
	return err;
}

static int run_rounds(const struct options *options, struct summary *ret_summary)
{
	_cleanup_free_ struct worker_result *results = calloc(options->rounds * options->job.n, sizeof(*results));
	struct worker_job job = options->job;
	char label[64];
	int err = results ? 0 : -ENOMEM;

	for (size_t round = 0; round < options->rounds && !err; round++) {
		snprintf(label, sizeof(label), "process %zu of %zu", round + 1, options->rounds);
		job.label = isatty(STDERR_FILENO) ? label : NULL;
		err = worker_run(&job, &results[round * job.n]);
	}
	return err ?: summary_make(&options->job, results, options->rounds, ret_summary);
}

/* A noisy run is measured again; of several noisy ones the quietest is reported. */
static int run(const struct options *options, struct summary *ret_summary)
{
	struct summary best = {}, summary;
	int err;

	for (int try = 0; try < TRIES; try++) {
		err = run_rounds(options, &summary);
		if (err) {
			free(best.rows);
			return err;
		}
		if (!best.rows || summary.floor_spread < best.floor_spread) {
			free(best.rows);
			best = summary;
		} else {
			free(summary.rows);
		}
		if (best.floor_spread <= FLOOR_SPREAD_MAX)
			break;
		log_warning("the floor spreads over %.0f%%: a noisy machine%s", summary.floor_spread * 100,
			    try + 1 < TRIES ? "; measuring again" : "; reporting the quietest run");
	}
	*ret_summary = best;
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {
		.job = { .samples = 9, .packets = 250000 }, .rounds = ROUNDS, .json = "build/bench.json",
	};
	struct summary summary;
	struct utsname host;
	int err = parse(&options, argc, argv);

	if (err)
		return err < 0 ? 2 : EXIT_SUCCESS;
	if (geteuid()) {
		log_error("measuring needs root");
		return EXIT_FAILURE;
	}
	uname(&host);
	err = run(&options, &summary);
	if (err)
		return EXIT_FAILURE;
	printf("ns for a packet above a bare XDP_TX; median of %zu processes; Linux %s; floor spread %.0f%%\n",
	       options.rounds, host.release, summary.floor_spread * 100);
	summary_print(&options.job, &summary);
	err = summary_write_json(&options.job, &summary, options.json);
	free(summary.rows);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
