// SPDX-License-Identifier: GPL-2.0-only
/* A snapshot in Prometheus' text format; see metrics.h. */
#include <inttypes.h>
#include <stddef.h>

#include "addr.h"
#include "metrics.h"
#include "report.h"
#include "util.h"

#define LABELS 6			/* three names and values; those that are not needed are NULL */

static const char *const protocols[TR_L4_COUNT] = { "tcp", "udp" };

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

static void print_sample(FILE *to, const char *prefix, const char *name, const char *const labels[LABELS], uint64_t value)
{
	fprintf(to, "tailrace_%s%s{", prefix, name);
	for (size_t i = 0; i < LABELS && labels[i]; i += 2) {
		if (i)
			fputc(',', to);
		print_label(to, labels[i], labels[i + 1]);
	}
	fprintf(to, "} %" PRIu64 "\n", value);
}

static uint64_t counter_at(const void *counters, size_t offset)
{
	return *(const __u64 *)((const char *)counters + offset);
}

static void render_verdicts(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "packets_total", "counter", "Packets seen", " by what became of them");
	for (size_t i = 0; i < TR_V_COUNT; i++)
		print_sample(to, "", "packets_total",
			     (const char *const[LABELS]){ "verdict", snapshot_verdict_names[i] }, s->verdicts[i]);
}

static void render_vips(const struct snapshot *s, FILE *to)
{
	for (size_t c = 0; c < ARRAY_SIZE(traffic_counters); c++) {
		print_head(to, "vip_", traffic_counters[c].name, "counter", traffic_counters[c].what, " for the VIP");
		for (size_t i = 0; i < s->n_vips; i++) {
			const char *const labels[LABELS] = { "vip", s->vips[i].name, "pool", s->vips[i].pool->info.name };

			print_sample(to, "vip_", traffic_counters[c].name, labels,
				     counter_at(&s->vips[i].traffic, traffic_counters[c].offset));
		}
	}
	print_head(to, "vip_", "moving", "gauge", "Whether flows of the VIP may still follow where it comes from", "");
	for (size_t i = 0; i < s->n_vips; i++)
		print_sample(to, "vip_", "moving", (const char *const[LABELS]){ "vip", s->vips[i].name },
			     s->vips[i].moving);
}

static void render_backend(const struct snapshot_backend *backend, const char *name, uint64_t value, FILE *to)
{
	char address[ADDR_TEXT_MAX];
	const char *const labels[LABELS] = { "pool", backend->pool->info.name,
					"backend", addr_format(&backend->info.address, address) };

	print_sample(to, "backend_", name, labels, value);
}

static void render_backend_states(const struct snapshot *s, FILE *to)
{
	char address[ADDR_TEXT_MAX];

	print_head(to, "backend_", "state", "gauge", "1; the backend is up, down, draining, leaving or drained", "");
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct snapshot_backend *backend = &s->backends[i];
		const char *const labels[LABELS] = { "pool", backend->pool->info.name, "backend",
						     addr_format(&backend->info.address, address), "state",
						     report_state(backend) };

		print_sample(to, "backend_", "state", labels, 1);
	}
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
	render_backend_states(s, to);
}

static void render_pools(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "ring_changes_total", "counter", "Times that the pool's ring was changed", "");
	for (size_t i = 0; i < s->n_pools; i++)
		print_sample(to, "", "ring_changes_total",
			     (const char *const[LABELS]){ "pool", s->pools[i].info.name }, s->pools[i].info.ring_changes);
	print_head(to, "", "ring_words_changed_total", "counter", "Buckets of the pool's ring that changed hands", "");
	for (size_t i = 0; i < s->n_pools; i++)
		print_sample(to, "", "ring_words_changed_total",
			     (const char *const[LABELS]){ "pool", s->pools[i].info.name }, s->pools[i].info.words_changed);
}

/* One sample for each pool. */
static void render_pool_gauge(const struct snapshot *s, const char *name, const char *help,
			      uint64_t (*value)(const struct snapshot *s, const struct snapshot_pool *pool), FILE *to)
{
	print_head(to, "pool_", name, "gauge", help, "");
	for (size_t i = 0; i < s->n_pools; i++)
		print_sample(to, "pool_", name, (const char *const[LABELS]){ "pool", s->pools[i].info.name },
			     value(s, &s->pools[i]));
}

/* One sample for each pool and protocol. */
static void render_pool_buckets(const struct snapshot *s, const char *name, const char *help, size_t offset, FILE *to)
{
	print_head(to, "pool_", name, "gauge", help, "");
	for (size_t i = 0; i < s->n_pools * TR_L4_COUNT; i++) {
		const struct tr_pool_info *info = &s->pools[i / TR_L4_COUNT].info;
		enum tr_l4 l4 = i % TR_L4_COUNT;
		const __u32 *values = (const __u32 *)((const char *)info + offset);

		print_sample(to, "pool_", name, (const char *const[LABELS]){ "pool", info->name, "protocol",
									     protocols[l4] }, values[l4]);
	}
}

/* struct tr_pool_counts, a family of metrics of which each counter is a sample. */
struct pool_counter {
	const char *value;		/* of the label; NULL: there is none */
	size_t offset;
};

static void render_pool_counters(const struct snapshot *s, const char *name, const char *help, const char *label,
				 const struct pool_counter *counters, size_t n, FILE *to)
{
	print_head(to, "pool_", name, "counter", help, "");
	for (size_t i = 0; i < s->n_pools; i++)
		for (size_t c = 0; c < n; c++)
			print_sample(to, "pool_", name,
				     (const char *const[LABELS]){ "pool", s->pools[i].info.name, label,
								  counters[c].value },
				     counter_at(&s->pools[i].counts, counters[c].offset));
}

static uint64_t pool_unsettled_since(const struct snapshot *s, const struct snapshot_pool *pool)
{
	return report_is_settled(pool) ? 0 : pool->info.unsettled_since / 1000000000;
}

static uint64_t pool_pressure(const struct snapshot *s, const struct snapshot_pool *pool)
{
	return report_is_pressed(s, pool);
}

#define AT(member) offsetof(struct tr_pool_counts, member)
static const struct pool_counter recorded[] = {
	{ "new", AT(recorded_new) }, { "established", AT(recorded) }, { "udp", AT(recorded_udp) },
	{ "tracked", AT(tracked) }, { "moved", AT(moved) },
};
static const struct pool_counter refused[] = { { "tcp", AT(refused) }, { "udp", AT(refused_udp) } };
static const struct pool_counter pressed[] = { { NULL, AT(pressed) } };
#undef AT

static void render_affinity(const struct snapshot *s, FILE *to)
{
	render_pool_buckets(s, "unsettled_buckets", "Buckets whose new flows go elsewhere than flows without a record",
			    offsetof(struct tr_pool_info, unsettled), to);
	render_pool_buckets(s, "looking_buckets", "Buckets whose packets ask the flow records",
			    offsetof(struct tr_pool_info, looking), to);
	render_pool_gauge(s, "unsettled_since_seconds",
			  "Since when there are unsettled buckets, since the epoch; 0: there are none",
			  pool_unsettled_since, to);
	render_pool_counters(s, "flows_recorded_total", "Flows recorded, by how they came to it", "kind", recorded,
			     ARRAY_SIZE(recorded), to);
	render_pool_counters(s, "flows_refused_total", "Flows that there was no room to record", "protocol", refused,
			     ARRAY_SIZE(refused), to);
	render_pool_counters(s, "flows_pressed_total", "New flows sent where they need no record, for want of room", NULL,
			     pressed, ARRAY_SIZE(pressed), to);
	render_pool_gauge(s, "pressure", "1 while new flows are sent where they need no record, for want of room",
			  pool_pressure, to);
}

static void render_tiers(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "flow_records", "gauge", "Flow records held in the tier", "");
	for (enum tr_tier t = 0; t < TR_TIER_COUNT; t++)
		print_sample(to, "", "flow_records", (const char *const[LABELS]){ "tier", snapshot_tier_names[t] },
			     s->tiers[t].used);
	print_head(to, "", "flow_records_limit", "gauge", "Flow records that the tier has room for", "");
	for (enum tr_tier t = 0; t < TR_TIER_COUNT; t++)
		print_sample(to, "", "flow_records_limit",
			     (const char *const[LABELS]){ "tier", snapshot_tier_names[t] }, s->tiers[t].max);
}

static void render_maps(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "map_entries", "gauge", "Entries in use of the map", "");
	for (size_t i = 0; i < SNAPSHOT_MAPS; i++)
		print_sample(to, "", "map_entries", (const char *const[LABELS]){ "map", s->maps[i].name }, s->maps[i].used);
	print_head(to, "", "map_max_entries", "gauge", "Entries that the map can hold", "");
	for (size_t i = 0; i < SNAPSHOT_MAPS; i++)
		print_sample(to, "", "map_max_entries",
			     (const char *const[LABELS]){ "map", s->maps[i].name }, s->maps[i].max);
}

static void render_instance(const struct snapshot *s, FILE *to)
{
	print_head(to, "", "attached", "gauge", "1 for each device that the balancer is attached to", "");
	for (size_t i = 0; i < s->n_devices; i++)
		print_sample(to, "", "attached", (const char *const[LABELS]){ "device", s->devices[i].name, "mode",
									 s->devices[i].mode }, 1);
	print_head(to, "", "reloads_total", "counter", "Configurations applied or refused", "");
	print_sample(to, "", "reloads_total", (const char *const[LABELS]){ "result", "applied" }, s->instance.reloads);
	print_sample(to, "", "reloads_total", (const char *const[LABELS]){ "result", "refused" },
		     s->instance.reloads_failed);
	print_head(to, "", "config_applied_timestamp_seconds", "gauge",
		   "When the last configuration was applied, since the epoch", "");
	fprintf(to, "tailrace_config_applied_timestamp_seconds %.3f\n", s->instance.applied_at / 1e9);
	print_head(to, "", "build_info", "gauge", "1; the controller's version and the instance's name", "");
	print_sample(to, "", "build_info", (const char *const[LABELS]){ "version", TAILRACE_VERSION, "instance_name",
								   s->name }, 1);
}

void metrics_render(const struct snapshot *snapshot, FILE *to)
{
	render_verdicts(snapshot, to);
	render_vips(snapshot, to);
	render_backends(snapshot, to);
	render_pools(snapshot, to);
	render_affinity(snapshot, to);
	render_tiers(snapshot, to);
	render_maps(snapshot, to);
	render_instance(snapshot, to);
}
