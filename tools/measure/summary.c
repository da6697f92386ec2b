// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "summary.h"
#include "stats.h"
#include "util.h"

#define BAR_WIDTH 24

/* The families' floors: over all processes and scenarios, else a ratio's denominator would be noise. */
static bool is_ipv6(const struct scenario *scenario)
{
	return scenario->family == FRONT_IPV6;
}

static void take_floor(const struct worker_job *job, const struct worker_result *results, size_t rounds, bool ipv6,
		       double *values, struct summary *summary)
{
	double floor, spread;
	size_t n = 0;

	for (size_t i = 0; i < rounds * job->n; i++)
		if (is_ipv6(job->scenarios[i % job->n]) == ipv6)
			values[n++] = results[i].floor;
	if (!n)
		return;
	floor = stats_median(values, n);
	spread = stats_spread(values, n);
	summary->floor_spread = fmax(summary->floor_spread, spread);
	for (size_t i = 0; i < job->n; i++)
		if (is_ipv6(job->scenarios[i]) == ipv6)
			summary->rows[i].floor_ns = floor;
}

static void take_row(const struct worker_job *job, const struct worker_result *results, size_t rounds, size_t i,
		     double *values, struct summary_row *row)
{
	row->scenario = job->scenarios[i];
	for (size_t round = 0; round < rounds; round++)
		values[round] = results[round * job->n + i].ns[WORKER_TARGET];
	row->ns = stats_median(values, rounds);
	row->spread = stats_spread(values, rounds);
	row->ratio = row->ns / row->floor_ns;
	for (size_t round = 0; round < rounds; round++)
		values[round] = results[round * job->n + i].ns[WORKER_AGAINST];
	row->against_ns = stats_median(values, rounds);
	for (size_t round = 0; round < rounds; round++)
		values[round] = results[round * job->n + i].ns[WORKER_TARGET] -
				results[round * job->n + i].ns[WORKER_AGAINST];
	row->difference = stats_median(values, rounds);
	row->difference_spread = fabs(stats_spread(values, rounds) * row->difference);
}

int summary_make(const struct worker_job *job, const struct worker_result *results, size_t rounds,
		struct summary *ret_summary)
{
	_cleanup_free_ double *values = calloc(rounds * job->n, sizeof(*values));
	struct summary summary = { .rows = calloc(job->n, sizeof(*summary.rows)) };

	if (!values || !summary.rows) {
		free(summary.rows);
		return -ENOMEM;
	}
	take_floor(job, results, rounds, false, values, &summary);
	take_floor(job, results, rounds, true, values, &summary);
	for (size_t i = 0; i < job->n; i++)
		take_row(job, results, rounds, i, values, &summary.rows[i]);
	*ret_summary = summary;
	return 0;
}

static void print_bar(double ratio, double longest)
{
	int cells = ratio > 0 ? lround(ratio / longest * BAR_WIDTH) : 0;

	for (int i = 0; i < cells; i++)
		fputs("█", stdout);
	putchar('\n');
}

static void print_row(const struct worker_job *job, const struct summary_row *row, double longest)
{
	if (isnan(row->ns)) {
		printf("%-24s not measured: this build lacks the stage\n", row->scenario->name);
		return;
	}
	printf("%-24s %7.1f %7.1f %6.2f %6.0f%%", row->scenario->name, row->ns, row->floor_ns, row->ratio,
	       row->spread * 100);
	if (job->against && isnan(row->against_ns)) {
		puts("        -  lacks the stage");
		return;
	}
	if (job->against) {
		printf(" %8.1f %+7.1f ± %.1f\n", row->against_ns, row->difference, row->difference_spread / 2);
		return;
	}
	if (row->scenario->reach > 0)
		printf(" %6.1f  ", row->scenario->reach);
	else
		printf("         ");
	print_bar(row->ratio, longest);
}

void summary_print(const struct worker_job *job, const struct summary *summary)
{
	double longest = 1;

	for (size_t i = 0; i < job->n; i++)
		longest = fmax(longest, summary->rows[i].ratio);
	printf("%-24s %7s %7s %6s %7s", "scenario", "ns", "floor", "ratio", "spread");
	printf(job->against ? " %8s  difference\n" : " %6s\n", job->against ? "against" : "reach");
	for (size_t i = 0; i < job->n; i++)
		print_row(job, &summary->rows[i], longest);
}

static json_t *row_json(const struct worker_job *job, const struct summary_row *row)
{
	json_t *object = json_pack("{s:s, s:f, s:f, s:f, s:f}", "scenario", row->scenario->name, "ns", row->ns,
				   "floor_ns", row->floor_ns, "ratio", row->ratio, "spread", row->spread);

	if (object && job->against && !isnan(row->against_ns))
		json_object_set_new(object, "against_ns", json_real(row->against_ns));
	return object;
}

int summary_write_json(const struct worker_job *job, const struct summary *summary, const char *path)
{
	json_t *list = json_array();
	int err;

	for (size_t i = 0; i < job->n; i++)
		if (!isnan(summary->rows[i].ns))
			json_array_append_new(list, row_json(job, &summary->rows[i]));
	errno = 0;
	err = json_dump_file(list, path, JSON_INDENT(2) | JSON_REAL_PRECISION(4)) ? -(errno ?: EIO) : 0;
	json_decref(list);
	return err ? log_err(err, "writing %s", path) : 0;
}
