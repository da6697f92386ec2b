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
	"Programs, attachment, pools, backends and why one takes no flows, VIPs, and how full the maps are.\n";

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
					      ">TAKE FLOWS", NULL };
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
					      "MAC", "DEVICE", ">MTU", "TAKES FLOWS", NULL };
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
		table_cell(table, "%s", report_state(backend));
		table_cell(table, "%u", backend->info.buckets);
		print_nexthop(table, backend);
		table_cell(table, "%s%s", why ? "no: " : "yes", why ? why : "");
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

/* A row for each address or service, whichever are more: long lists stay readable. */
static void print_vip(struct table *table, const struct snapshot_vip *vip)
{
	char address[ADDR_TEXT_MAX], service[REPORT_SERVICE_MAX];
	size_t rows = vip->n_addresses > vip->n_services ? vip->n_addresses : vip->n_services;

	for (size_t i = 0; i < rows || !i; i++) {
		table_cell(table, "%s", i ? "" : vip->name);
		table_cell(table, "%s", i ? "" : vip->pool->info.name);
		table_cell(table, "%s", i < vip->n_addresses ? addr_format_prefix(&vip->addresses[i], address) : "");
		table_cell(table, "%s", i < vip->n_services ? report_service(&vip->services[i], service) : "");
	}
}

static int print_vips(const struct snapshot *s)
{
	struct table *table = table_new((const char *const[]){ "VIP", "POOL", "ADDRESSES", "SERVICES", NULL });
	int err;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_vips; i++)
		print_vip(table, &s->vips[i]);
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
		table_cell(table, "%u", s->maps[i].used);
		table_cell(table, "%u", s->maps[i].max);
		table_cell(table, "%.1f", 100.0 * s->maps[i].used / s->maps[i].max);
	}
	err = table_print(table, stdout);
	table_free(table);
	return err;
}

static int print_tables(const struct snapshot *s)
{
	static int (*const parts[])(const struct snapshot *) = { print_pools, print_backends, print_vips, print_maps };
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
