// SPDX-License-Identifier: GPL-2.0-only
/* tailrace status: what an instance is: programs, attachment, pools, backends and their next hops, VIPs. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "cmd.h"
#include "config.h"
#include "log.h"
#include "options.h"
#include "nexthop.h"
#include "report.h"
#include "table.h"
#include "util.h"

static const char help[] =
	"  -i, --instance NAME  default: " CONFIG_INSTANCE "\n"
	"      --json           as JSON\n"
	"\n"
	"Programs, attachment, pools and what changes have left unsettled in them, backends and why one\n"
	"takes no new flows, VIPs, and how full flow records and maps are.\n";

/* 0, 1: help was printed, or -EINVAL. */
static int parse_options(int argc, char **argv, const char **ret_instance, bool *ret_json)
{
	static const struct option longs[] = {
		{ "instance", required_argument, NULL, 'i' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, {},
	};
	int c;

	optind = 0;		/* argv is not the process's own */
	while ((c = getopt_long(argc, argv, "i:h", longs, NULL)) >= 0) {
		switch (c) {
		case 'i':
			*ret_instance = optarg;
			break;
		case 'j':
			*ret_json = true;
			break;
		case 'h':
			options_print_help("status", "[-i NAME] [--json]", help);
			return 1;
		default:
			return options_bad("status", "bad option");
		}
	}
	return optind == argc ? 0 : options_bad("status", "unexpected argument '%s'", argv[optind]);
}

static void print_head(const struct snapshot *s)
{
	time_t applied = s->instance.applied_at / 1000000000;
	char when[64] = "never";
	struct tm tm;

	if (applied && localtime_r(&applied, &tm))
		strftime(when, sizeof(when), "%F %T %z", &tm);
	printf("instance       %s\n", s->name);
	printf("controller     %s\n", s->controller ? "running" :
	       s->n_devices ? "not running: forwarding goes on; next hops are as they were last seen" : "not running");
	for (size_t i = 0; i < s->n_devices; i++)
		printf("attached       %s, %s, program %u\n", s->devices[i].name, s->devices[i].mode,
		       s->devices[i].program_id);
	if (!s->n_devices)
		printf("attached       to no interface of this network namespace\n");
	printf("configuration  %s, applied %s (%" PRIu64 " applied, %" PRIu64 " refused)\n",
	       s->instance.config[0] ? s->instance.config : "none", when, (uint64_t)s->instance.reloads,
	       (uint64_t)s->instance.reloads_failed);
}

static int print_pools(const struct snapshot *s)
{
	static const char *const titles[] = { "POOL", ">RING", ">CHANGES", ">BUCKETS CHANGED", ">BACKENDS",
					      ">TAKE NEW FLOWS", NULL };
	struct table *table = table_new(titles);
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t p = 0; p < s->n_pools; p++) {
		const struct tr_pool_info *info = &s->pools[p].info;
		size_t all = 0, taking = 0;

		for (size_t b = 0; b < s->n_backends; b++) {
			all += s->backends[b].pool == &s->pools[p];
			taking += s->backends[b].pool == &s->pools[p] && !report_why_not(&s->backends[b]);
		}
		table_cell(table, "%s", info->name);
		table_cell(table, "%u", info->ring_size);
		table_cell(table, "%" PRIu64, (uint64_t)info->ring_changes);
		table_cell(table, "%" PRIu64, (uint64_t)info->words_changed);
		table_cell(table, "%zu", all);
		table_cell(table, "%zu", taking);
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

/* "none", or "3 tcp, 5 udp". */
static void print_by_protocol(struct table *table, const __u32 values[TR_L4_COUNT])
{
	if (values[TR_TCP] || values[TR_UDP])
		table_cell(table, "%u tcp, %u udp", values[TR_TCP], values[TR_UDP]);
	else
		table_cell(table, "none");
}

static void print_ago(struct table *table, int64_t seconds)
{
	char duration[REPORT_DURATION_MAX];

	if (seconds < 0)
		table_cell(table, "never");
	else
		table_cell(table, "%s ago", report_duration(seconds, duration));
}

static void print_pool_affinity(struct table *table, const struct snapshot *s, const struct snapshot_pool *pool)
{
	int64_t seconds = report_unsettled_seconds(s, pool);
	bool settled = report_is_settled(pool), looks = pool->info.looking[TR_TCP] || pool->info.looking[TR_UDP];
	char duration[REPORT_DURATION_MAX];

	table_cell(table, "%s", pool->info.name);
	table_cell(table, "%s%s", settled ? "settled" : "unsettled", pool->info.leaving ? ", leaving" : "");
	print_by_protocol(table, pool->info.unsettled);
	print_by_protocol(table, pool->info.looking);
	table_cell(table, "%s", seconds < 0 ? "-" : report_duration(seconds, duration));
	if (pool->new_flows)
		table_cell(table, "%.2f", 100 * report_share_recorded(pool));
	else
		table_cell(table, "-");
	table_cell(table, "%" PRIu64, (uint64_t)(pool->counts.refused + pool->counts.refused_udp));
	print_ago(table, report_seconds_since(s, pool->flows.pressure));
	table_cell(table, "%s", settled && !looks ? "" : pool->info.why);
}

static int print_affinity(const struct snapshot *s)
{
	static const char *const titles[] = { "POOL", "AFFINITY", "UNSETTLED", "LOOKING", ">FOR", ">% RECORDED", ">REFUSED",
					      "PRESSURE", "WHY", NULL };
	struct table *table = table_new(titles);
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_pools; i++)
		print_pool_affinity(table, s, &s->pools[i]);
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static void print_state(struct table *table, const struct snapshot *s, const struct snapshot_backend *backend)
{
	int64_t left = report_seconds_left(s, backend);
	char duration[REPORT_DURATION_MAX];

	if (left < 0)
		table_cell(table, "%s", report_state(backend));
	else
		table_cell(table, "%s, %s left", report_state(backend), report_duration(left, duration));
}

static void print_nexthop(struct table *table, const struct snapshot_backend *backend)
{
	const struct tr_backend_info *info = &backend->info;
	const uint8_t *mac = backend->dmac;
	char gateway[ADDR_TEXT_MAX];

	table_cell(table, "%s", nexthop_state_name(info->nexthop));
	if (!report_has_gateway(backend))
		table_cell(table, "-");
	else if (!addr_compare(&info->gateway, &info->address))
		table_cell(table, "on the link");
	else
		table_cell(table, "%s", addr_format(&info->gateway, gateway));
	if (!backend->device[0]) {
		for (int i = 0; i < 3; i++)
			table_cell(table, "-");
		return;
	}
	table_cell(table, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	table_cell(table, "%s", backend->device);
	table_cell(table, "%u", backend->mtu);
}

static int print_backends(const struct snapshot *s)
{
	static const char *const titles[] = { "BACKEND", "POOL", ">WEIGHT", "STATE", ">BUCKETS", "NEXT HOP", "GATEWAY",
					      "MAC", "DEVICE", ">MTU", "TAKES NEW FLOWS", NULL };
	struct table *table = table_new(titles);
	char address[ADDR_TEXT_MAX];
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct snapshot_backend *backend = &s->backends[i];
		const char *why = report_why_not(backend);

		table_cell(table, "%s", addr_format(&backend->info.address, address));
		table_cell(table, "%s", backend->pool->info.name);
		table_cell(table, "%u", backend->info.weight);
		print_state(table, s, backend);
		table_cell(table, "%u", backend->info.buckets);
		print_nexthop(table, backend);
		table_cell(table, "%s%s", why ? "no: " : "yes", why ? why : "");
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static void print_mode(struct table *table, const struct snapshot_vip *vip)
{
	const char *mode = report_mode(vip) ?: "-";

	if (vip->moving && vip->old_pool && vip->old_pool != vip->pool)
		table_cell(table, "%s, moving from %s", mode, vip->old_pool->info.name);
	else
		table_cell(table, "%s%s", mode, vip->moving ? ", moving" : "");
}

/* A row for each address or service, whichever are more: long lists stay readable. */
static void print_vip(struct table *table, const struct snapshot_vip *vip)
{
	char address[ADDR_TEXT_MAX], service[REPORT_SERVICE_MAX], others[REPORT_OPTIONS_MAX];
	size_t rows = vip->n_addresses > vip->n_services ? vip->n_addresses : vip->n_services;

	for (size_t i = 0; i < rows || !i; i++) {
		table_cell(table, "%s", i ? "" : vip->name);
		table_cell(table, "%s", i ? "" : vip->pool->info.name);
		if (i)
			table_cell(table, "%s", "");
		else
			print_mode(table, vip);
		table_cell(table, "%s", i < vip->n_addresses ? addr_format_prefix(&vip->addresses[i], address) : "");
		table_cell(table, "%s", i < vip->n_services ? report_service(&vip->services[i], service) : "");
		table_cell(table, "%s", i ? "" : report_options(vip, others));
	}
}

static int print_vips(const struct snapshot *s)
{
	struct table *table = table_new((const char *const[]){ "VIP", "POOL", "MODE", "ADDRESSES", "SERVICES", "OPTIONS", NULL });
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_vips; i++)
		print_vip(table, &s->vips[i]);
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

/* max 0: nobody has said yet how much there may be. */
static void print_fill(struct table *table, uint32_t used, uint32_t max)
{
	table_cell(table, "%u", used);
	table_cell(table, "%u", max);
	if (max)
		table_cell(table, "%.1f", 100.0 * used / max);
	else
		table_cell(table, "-");
}

static int print_tiers(const struct snapshot *s)
{
	struct table *table = table_new((const char *const[]){ "FLOW RECORDS", ">USED", ">MAX", ">%", NULL });
	int err;

	if (!table)
		return -ENOMEM;
	for (enum tr_tier t = 0; t < TR_TIER_COUNT; t++) {
		table_cell(table, "%s", snapshot_tier_names[t]);
		print_fill(table, s->tiers[t].used, s->tiers[t].max);
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static int print_maps(const struct snapshot *s)
{
	struct table *table = table_new((const char *const[]){ "MAP", ">USED", ">MAX", ">%", NULL });
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < SNAPSHOT_MAPS; i++) {
		table_cell(table, "%s", s->maps[i].name);
		print_fill(table, s->maps[i].used, s->maps[i].max);
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static int print_tables(const struct snapshot *s)
{
	static int (*const parts[])(const struct snapshot *) = { print_pools, print_affinity, print_backends, print_vips,
								 print_tiers, print_maps };
	int err = 0;

	print_head(s);
	for (size_t i = 0; i < ARRAY_SIZE(parts) && !err; i++) {
		putchar('\n');
		err = parts[i](s);
	}
	return err;
}

static int print_json(const struct snapshot *s)
{
	json_t *json = report_status(s);
	int err = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;

	json_decref(json);
	putchar('\n');
	return err ? -ENOMEM : 0;
}

int cmd_status(int argc, char **argv)
{
	const char *instance = CONFIG_INSTANCE;
	struct snapshot *snapshot;
	bool json = false;
	int err = parse_options(argc, argv, &instance, &json);

	if (err)
		return err < 0 ? err : 0;
	err = snapshot_read(instance, &snapshot);
	if (err)
		return err;
	err = json ? print_json(snapshot) : print_tables(snapshot);
	snapshot_free(snapshot);
	if (err)
		return log_err(err, "cannot print the status");
	return fflush(stdout) ? log_err(-errno, "cannot write to standard output") : 0;
}
