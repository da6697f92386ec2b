// SPDX-License-Identifier: GPL-2.0-only
/* A snapshot in Prometheus' text format; see metrics.h. */
#include <inttypes.h>
#include <stddef.h>

#include "addr.h"
#include "metrics.h"
#include "util.h"

/* struct tr_traffic, a family of metrics for each counter. */
static const struct {
	const char *name;
	const char *what;
	size_t offset;
} traffic_counters[] = {
	{ "packets_total", "Packets forwarded", offsetof(struct tr_traffic, packets) },
	{ "bytes_total", "Bytes of the clients' IP packets forwarded", offsetof(struct tr_traffic, bytes) },
	{ "new_flows_total", "TCP connection attempts (SYN) forwarded", offsetof(struct tr_traffic, new_flows) },
};

static uint64_t backend_up(const struct snapshot_backend *backend)
{
	return backend->info.state == TR_BACKEND_UP;
}

static uint64_t backend_nexthop_ok(const struct snapshot_backend *backend)
{
	return backend->info.nexthop == TR_NH_OK;
}

static uint64_t backend_buckets(const struct snapshot_backend *backend)
{
	return backend->info.buckets;
}

static uint64_t backend_weight(const struct snapshot_backend *backend)
{
	return backend->info.weight;
}

static const struct {
	const char *name;
	const char *help;
	uint64_t (*value)(const struct snapshot_backend *backend);
} backend_gauges[] = {
	{ "up", "Whether the configuration has the backend up", backend_up },
	{ "nexthop_ok", "Whether the backend's next hop is known and answers", backend_nexthop_ok },
	{ "buckets", "Buckets of its pool's ring that name the backend; 0: it takes no flows", backend_buckets },
	{ "weight", "The backend's weight in the configuration", backend_weight },
};

static void print_head(FILE *to, const char *prefix, const char *name, const char *type, const char *help,
		       const char *whose)
{
	fprintf(to, "# HELP tailrace_%s%s %s%s.\n# TYPE tailrace_%s%s %s\n", prefix, name, help, whose, prefix, name,
		type);
}

/* name="value", escaped as the format asks. */
static void print_label(FILE *to, const char *name, const char *value)
{
	fprintf(to, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", to);
		else if (*value == '"' || *value == '\\')
			fprintf(to, "\\%c", *value);
		else
			fputc(*value, to);
	}
	fputc('"', to);
}

/* One sample with one label or, where the second's name is not NULL, two. */
static void print_sample(FILE *to, const char *prefix, const char *name, const char *const labels[4], uint64_t value)
{
	fprintf(to, "tailrace_%s%s{", prefix, name);
	print_label(to, labels[0], labels[1]);
	if (labels[2]) {
		fputc(',', to);
		print_label(to, labels[2], labels[3]);
	}
	fprintf(to, "} %" PRIu64 "\n", value);
}

static uint64_t counter_at(const struct tr_traffic *traffic, size_t offset)
{
	return *(const __u64 *)((const char *)traffic + offset);
}

static void render_verdicts(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "packets_total", "counter", "Packets seen", " by what became of them");
	for (size_t i = 0; i < TR_V_COUNT; i++)
		print_sample(to, "", "packets_total",
			     (const char *const[4]){ "verdict", snapshot_verdict_names[i] }, s->verdicts[i]);
}

static void render_vips(const struct snapshot *s, FILE *to)
{
	for (size_t c = 0; c < ARRAY_SIZE(traffic_counters); c++) {
		print_head(to, "vip_", traffic_counters[c].name, "counter", traffic_counters[c].what, " for the VIP");
		for (size_t i = 0; i < s->n_vips; i++) {
			const char *const labels[4] = { "vip", s->vips[i].name, "pool", s->vips[i].pool->info.name };

			print_sample(to, "vip_", traffic_counters[c].name, labels,
				     counter_at(&s->vips[i].traffic, traffic_counters[c].offset));
		}
	}
}

static void render_backend(const struct snapshot_backend *backend, const char *name, uint64_t value, FILE *to)
{
	char address[ADDR_TEXT_MAX];
	const char *const labels[4] = { "pool", backend->pool->info.name,
					"backend", addr_format(&backend->info.address, address) };

	print_sample(to, "backend_", name, labels, value);
}

static void render_backends(const struct snapshot *s, FILE *to)
{
	for (size_t c = 0; c < ARRAY_SIZE(traffic_counters); c++) {
		print_head(to, "backend_", traffic_counters[c].name, "counter", traffic_counters[c].what,
			   " to the backend");
		for (size_t i = 0; i < s->n_backends; i++)
			render_backend(&s->backends[i], traffic_counters[c].name,
				       counter_at(&s->backends[i].traffic, traffic_counters[c].offset), to);
	}
	for (size_t g = 0; g < ARRAY_SIZE(backend_gauges); g++) {
		print_head(to, "backend_", backend_gauges[g].name, "gauge", backend_gauges[g].help, "");
		for (size_t i = 0; i < s->n_backends; i++)
			render_backend(&s->backends[i], backend_gauges[g].name,
				       backend_gauges[g].value(&s->backends[i]), to);
	}
}

static void render_pools(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "ring_changes_total", "counter", "Times that the pool's ring was changed", "");
	for (size_t i = 0; i < s->n_pools; i++)
		print_sample(to, "", "ring_changes_total",
			     (const char *const[4]){ "pool", s->pools[i].info.name }, s->pools[i].info.ring_changes);
	print_head(to, "", "ring_words_changed_total", "counter", "Buckets of the pool's ring that changed hands", "");
	for (size_t i = 0; i < s->n_pools; i++)
		print_sample(to, "", "ring_words_changed_total",
			     (const char *const[4]){ "pool", s->pools[i].info.name }, s->pools[i].info.words_changed);
}

static void render_maps(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "map_entries", "gauge", "Entries in use of the map", "");
	for (size_t i = 0; i < SNAPSHOT_MAPS; i++)
		print_sample(to, "", "map_entries", (const char *const[4]){ "map", s->maps[i].name }, s->maps[i].used);
	print_head(to, "", "map_max_entries", "gauge", "Entries that the map can hold", "");
	for (size_t i = 0; i < SNAPSHOT_MAPS; i++)
		print_sample(to, "", "map_max_entries",
			     (const char *const[4]){ "map", s->maps[i].name }, s->maps[i].max);
}

static void render_instance(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "attached", "gauge", "1 for each device that the balancer is attached to", "");
	for (size_t i = 0; i < s->n_devices; i++)
		print_sample(to, "", "attached", (const char *const[4]){ "device", s->devices[i].name, "mode",
									 s->devices[i].mode }, 1);
	print_head(to, "", "reloads_total", "counter", "Configurations applied or refused", "");
	print_sample(to, "", "reloads_total", (const char *const[4]){ "result", "applied" }, s->instance.reloads);
	print_sample(to, "", "reloads_total", (const char *const[4]){ "result", "refused" },
		     s->instance.reloads_failed);
	print_head(to, "", "config_applied_timestamp_seconds", "gauge",
		   "When the last configuration was applied, since the epoch", "");
	fprintf(to, "tailrace_config_applied_timestamp_seconds %.3f\n", s->instance.applied_at / 1e9);
	print_head(to, "", "build_info", "gauge", "1; the controller's version and the instance's name", "");
	print_sample(to, "", "build_info", (const char *const[4]){ "version", TAILRACE_VERSION, "instance_name",
								   s->name }, 1);
}

void metrics_render(const struct snapshot *snapshot, FILE *to)
{
	render_verdicts(snapshot, to);
	render_vips(snapshot, to);
	render_backends(snapshot, to);
	render_pools(snapshot, to);
	render_maps(snapshot, to);
	render_instance(snapshot, to);
}
