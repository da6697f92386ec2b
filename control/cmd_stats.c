// SPDX-License-Identifier: GPL-2.0-only
/* tailrace stats: verdicts, traffic for each VIP and backend, and recorded flows, from the per-CPU counters. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "cmd.h"
#include "config.h"
#include "log.h"
#include "options.h"
#include "report.h"
#include "table.h"
#include "util.h"

#define WATCH_SECONDS "2"
#define WATCH_SECONDS_MAX 3600

struct options {
	const char *instance;
	bool json, all;
	unsigned int watch;		/* seconds; 0: once */
};

/* One reading, and the one before it for the rates. */
struct view {
	const struct snapshot *now, *before;	/* before: NULL, no rates */
	double seconds;
};

static const char help[] =
	"  -i, --instance NAME    default: " CONFIG_INSTANCE "\n"
	"  -a, --all              verdicts that no packet met, too\n"
	"      --json             as JSON; with --watch an object on a line each time\n"
	"  -w, --watch [SECONDS]  again and again (every " WATCH_SECONDS "), with rates\n"
	"\n"
	"Traffic for each VIP and backend, flows recorded for each pool, and what became of packets,\n"
	"since the instance was made; and how many flow records there are now.\n";

/* getopt's optional arguments stand behind a '='; an operator writes a blank. */
static int parse_seconds(int argc, char **argv, unsigned int *ret)
{
	const char *text = optarg;
	unsigned long seconds;
	char *end;

	if (!text && optind < argc && argv[optind][0] != '-')
		text = argv[optind++];
	if (!text)
		text = WATCH_SECONDS;
	seconds = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || !seconds || seconds > WATCH_SECONDS_MAX)
		return options_bad("stats", "--watch '%s': seconds from 1 to %d are expected", text, WATCH_SECONDS_MAX);
	*ret = seconds;
	return 0;
}

/* 0, 1: help was printed, or -EINVAL. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "instance", required_argument, NULL, 'i' }, { "json", no_argument, NULL, 'j' },
		{ "all", no_argument, NULL, 'a' }, { "watch", optional_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' }, {},
	};
	int c, err;

	optind = 0;		/* argv is not the process's own */
	while ((c = getopt_long(argc, argv, "i:aw::h", longs, NULL)) >= 0) {
		switch (c) {
		case 'i':
			options->instance = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'a':
			options->all = true;
			break;
		case 'w':
			err = parse_seconds(argc, argv, &options->watch);
			if (err)
				return err;
			break;
		case 'h':
			options_print_help("stats", "[-i NAME] [--all] [--json] [--watch [SECONDS]]", help);
			return 1;
		default:
			return options_bad("stats", "bad option");
		}
	}
	return optind == argc ? 0 : options_bad("stats", "unexpected argument '%s'", argv[optind]);
}

/* Counters start from 0 when a number is given out anew: never a negative rate. */
static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now > before && seconds > 0 ? (now - before) / seconds : 0;
}

/* before: NULL where there was none; then everything is new. */
static void print_traffic(struct table *table, const struct view *view, const struct tr_traffic *now,
			  const struct tr_traffic *before)
{
	static const struct tr_traffic none;

	table_cell(table, "%" PRIu64, (uint64_t)now->packets);
	table_cell(table, "%" PRIu64, (uint64_t)now->bytes);
	table_cell(table, "%" PRIu64, (uint64_t)now->new_flows);
	if (!view->before)
		return;
	if (!before)
		before = &none;
	table_cell(table, "%.0f", rate(now->packets, before->packets, view->seconds));
	table_cell(table, "%.0f", rate(now->bytes, before->bytes, view->seconds));
	table_cell(table, "%.1f", rate(now->new_flows, before->new_flows, view->seconds));
}

static const struct tr_traffic *vip_before(const struct view *view, const struct snapshot_vip *vip)
{
	for (size_t i = 0; view->before && i < view->before->n_vips; i++)
		if (view->before->vips[i].number == vip->number && !strcmp(view->before->vips[i].name, vip->name))
			return &view->before->vips[i].traffic;
	return NULL;
}

static const struct tr_traffic *backend_before(const struct view *view, const struct snapshot_backend *backend)
{
	for (size_t i = 0; view->before && i < view->before->n_backends; i++) {
		const struct snapshot_backend *before = &view->before->backends[i];

		if (before->number == backend->number && before->info.generation == backend->info.generation)
			return &before->traffic;
	}
	return NULL;
}

static int print_vips(const struct view *view)
{
	static const char *const once[] = { "VIP", "POOL", ">PACKETS", ">BYTES", ">NEW FLOWS", NULL };
	static const char *const again[] = { "VIP", "POOL", ">PACKETS", ">BYTES", ">NEW FLOWS", ">PACKETS/S",
					     ">BYTES/S", ">FLOWS/S", NULL };
	struct table *table = table_new(view->before ? again : once);
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < view->now->n_vips; i++) {
		const struct snapshot_vip *vip = &view->now->vips[i];

		table_cell(table, "%s", vip->name);
		table_cell(table, "%s", vip->pool->info.name);
		print_traffic(table, view, &vip->traffic, vip_before(view, vip));
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static int print_backends(const struct view *view)
{
	static const char *const once[] = { "BACKEND", "POOL", ">WEIGHT", ">% OF WEIGHT", ">% OF FLOWS", ">PACKETS",
					    ">BYTES", ">NEW FLOWS", NULL };
	static const char *const again[] = { "BACKEND", "POOL", ">WEIGHT", ">% OF WEIGHT", ">% OF FLOWS", ">PACKETS",
					     ">BYTES", ">NEW FLOWS", ">PACKETS/S", ">BYTES/S", ">FLOWS/S", NULL };
	struct table *table = table_new(view->before ? again : once);
	char address[ADDR_TEXT_MAX];
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < view->now->n_backends; i++) {
		const struct snapshot_backend *backend = &view->now->backends[i];

		table_cell(table, "%s", addr_format(&backend->info.address, address));
		table_cell(table, "%s", backend->pool->info.name);
		table_cell(table, "%u", backend->info.weight);
		table_cell(table, "%.1f", 100 * report_share_of_weight(backend));
		if (backend->pool->new_flows)
			table_cell(table, "%.1f", 100 * report_share_of_flows(backend));
		else
			table_cell(table, "-");	/* UDP alone: its flows are not counted */
		print_traffic(table, view, &backend->traffic, backend_before(view, backend));
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static const struct tr_pool_counts *pool_before(const struct view *view, const struct snapshot_pool *pool)
{
	static const struct tr_pool_counts none;

	for (size_t i = 0; view->before && i < view->before->n_pools; i++) {
		const struct snapshot_pool *before = &view->before->pools[i];

		if (before->number == pool->number && !strcmp(before->info.name, pool->info.name))
			return &before->counts;
	}
	return &none;
}

static uint64_t recorded(const struct tr_pool_counts *counts)
{
	return counts->recorded_new + counts->recorded + counts->recorded_udp + counts->tracked + counts->moved;
}

static uint64_t refused(const struct tr_pool_counts *counts)
{
	return counts->refused + counts->refused_udp;
}

static int print_pools(const struct view *view)
{
	static const char *const once[] = { "POOL", ">% OF NEW RECORDED", ">NEW", ">ESTABLISHED", ">UDP", ">TRACKED",
					    ">MOVED", ">REFUSED", ">PRESSED", NULL };
	static const char *const again[] = { "POOL", ">% OF NEW RECORDED", ">NEW", ">ESTABLISHED", ">UDP", ">TRACKED",
					     ">MOVED", ">REFUSED", ">PRESSED", ">RECORDED/S", ">REFUSED/S", NULL };
	struct table *table = table_new(view->before ? again : once);
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < view->now->n_pools; i++) {
		const struct snapshot_pool *pool = &view->now->pools[i];
		const struct tr_pool_counts *now = &pool->counts, *before = pool_before(view, pool);
		const uint64_t cells[] = { now->recorded_new, now->recorded, now->recorded_udp, now->tracked, now->moved,
					   refused(now), now->pressed };

		table_cell(table, "%s", pool->info.name);
		if (pool->new_flows)
			table_cell(table, "%.2f", 100 * report_share_recorded(pool));
		else
			table_cell(table, "-");
		for (size_t c = 0; c < ARRAY_SIZE(cells); c++)
			table_cell(table, "%" PRIu64, cells[c]);
		if (!view->before)
			continue;
		table_cell(table, "%.1f", rate(recorded(now), recorded(before), view->seconds));
		table_cell(table, "%.1f", rate(refused(now), refused(before), view->seconds));
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static int print_tiers(const struct view *view)
{
	struct table *table = table_new((const char *const[]){ "FLOW RECORDS", ">USED", ">MAX", NULL });
	int err;

	if (!table)
		return -ENOMEM;
	for (enum tr_tier t = 0; t < TR_TIER_COUNT; t++) {
		table_cell(table, "%s", snapshot_tier_names[t]);
		table_cell(table, "%u", view->now->tiers[t].used);
		table_cell(table, "%u", view->now->tiers[t].max);
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static int print_verdicts(const struct view *view, bool all)
{
	static const char *const once[] = { "VERDICT", ">PACKETS", "MEANING", NULL };
	static const char *const again[] = { "VERDICT", ">PACKETS", ">PACKETS/S", "MEANING", NULL };
	struct table *table = table_new(view->before ? again : once);
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < TR_V_COUNT; i++) {
		uint64_t packets = view->now->verdicts[i];

		if (!packets && !all)
			continue;
		table_cell(table, "%s", snapshot_verdict_names[i]);
		table_cell(table, "%" PRIu64, packets);
		if (view->before)
			table_cell(table, "%.0f", rate(packets, view->before->verdicts[i], view->seconds));
		table_cell(table, "%s", snapshot_verdict_helps[i]);
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static int print_tables(const struct view *view, bool all)
{
	static int (*const parts[])(const struct view *) = { print_vips, print_backends, print_pools, print_tiers };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts) && !err; i++) {
		err = parts[i](view);
		putchar('\n');
	}
	return err ? err : print_verdicts(view, all);
}

static int print_json(const struct snapshot *snapshot, bool on_one_line)
{
	json_t *json = report_stats(snapshot);
	int err = json ? json_dumpf(json, stdout, on_one_line ? JSON_COMPACT : JSON_INDENT(2)) : -1;

	json_decref(json);
	putchar('\n');
	return err ? -ENOMEM : 0;
}

static int print_once(const struct options *options, const struct snapshot *now, const struct snapshot *before)
{
	struct view view = { .now = now, .before = before };
	int err;

	if (before)
		view.seconds = (now->taken_at - before->taken_at) / 1e9;
	if (options->watch && !options->json)
		fputs(isatty(STDOUT_FILENO) ? "\033[H\033[2J" : before ? "\n" : "", stdout);
	err = options->json ? print_json(now, options->watch) : print_tables(&view, options->all);
	if (err)
		return log_err(err, "cannot print the counters");
	if (fflush(stdout))
		return log_err(-errno, "cannot write to standard output");
	return 0;
}

int cmd_stats(int argc, char **argv)
{
	struct options options = { .instance = CONFIG_INSTANCE };
	struct snapshot *now = NULL, *before = NULL;
	int err = parse_options(argc, argv, &options);

	if (err)
		return err < 0 ? err : 0;
	for (;;) {
		err = snapshot_read(options.instance, &now);
		if (err)
			break;
		err = print_once(&options, now, before);
		snapshot_free(before);
		before = TAKE_PTR(now);
		if (err || !options.watch)
			break;
		sleep(options.watch);
	}
	snapshot_free(before);
	return err;
}
