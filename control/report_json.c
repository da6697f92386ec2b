// SPDX-License-Identifier: GPL-2.0-only
/* A snapshot in JSON; see report.h. */
#include <stdio.h>

#include "addr.h"
#include "nexthop.h"
#include "report.h"
#include "util.h"

static json_t *json_addr(const struct tr_addr *addr)
{
	char text[ADDR_TEXT_MAX];

	return json_string(addr_format(addr, text));
}

/* -1 is null. */
static json_t *json_seconds(int64_t seconds)
{
	return seconds < 0 ? json_null() : json_integer(seconds);
}

static json_t *json_by_protocol(const __u32 values[TR_L4_COUNT])
{
	return json_pack("{s:I, s:I}", "tcp", (json_int_t)values[TR_TCP], "udp", (json_int_t)values[TR_UDP]);
}

static json_t *json_tiers(const struct snapshot *s)
{
	json_t *tiers = json_array();
	int err = 0;

	for (enum tr_tier t = 0; t < TR_TIER_COUNT; t++)
		err |= json_array_append_new(tiers, json_pack("{s:s, s:I, s:I}", "tier", snapshot_tier_names[t],
							      "used", (json_int_t)s->tiers[t].used,
							      "max", (json_int_t)s->tiers[t].max));
	if (err) {
		json_decref(tiers);
		return NULL;
	}
	return tiers;
}

/* jansson's integers are signed; a counter that passes 2^63 is not met. */
static json_t *stats_vip(const struct snapshot_vip *vip)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", vip->name, "pool", vip->pool->info.name,
			 "packets", (json_int_t)vip->traffic.packets, "bytes", (json_int_t)vip->traffic.bytes,
			 "new_flows", (json_int_t)vip->traffic.new_flows);
}

static json_t *json_flows(const struct snapshot_pool *pool)
{
	const struct tr_pool_counts *counts = &pool->counts;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "new", (json_int_t)pool->new_flows,
			 "recorded_new", (json_int_t)counts->recorded_new, "recorded", (json_int_t)counts->recorded,
			 "recorded_udp", (json_int_t)counts->recorded_udp, "tracked", (json_int_t)counts->tracked,
			 "moved", (json_int_t)counts->moved, "refused", (json_int_t)counts->refused,
			 "refused_udp", (json_int_t)counts->refused_udp, "pressed", (json_int_t)counts->pressed,
			 "share_recorded", report_share_recorded(pool));
}

static json_t *stats_backend(const struct snapshot_backend *backend)
{
	return json_pack("{s:s, s:o, s:i, s:s, s:s, s:I, s:I, s:I, s:i, s:f, s:f}",
			 "pool", backend->pool->info.name, "address", json_addr(&backend->info.address),
			 "weight", backend->info.weight, "state", report_state(backend),
			 "nexthop", nexthop_state_name(backend->info.nexthop),
			 "packets", (json_int_t)backend->traffic.packets,
			 "bytes", (json_int_t)backend->traffic.bytes,
			 "new_flows", (json_int_t)backend->traffic.new_flows, "buckets", backend->info.buckets,
			 "share_of_weight", report_share_of_weight(backend),
			 "share_of_flows", report_share_of_flows(backend));
}

json_t *report_stats(const struct snapshot *snapshot)
{
	json_t *verdicts = json_object(), *vips = json_array(), *backends = json_array(), *pools = json_array();
	int err = 0;

	for (size_t i = 0; i < TR_V_COUNT; i++)
		err |= json_object_set_new(verdicts, snapshot_verdict_names[i],
					   json_integer((json_int_t)snapshot->verdicts[i]));
	for (size_t i = 0; i < snapshot->n_vips; i++)
		err |= json_array_append_new(vips, stats_vip(&snapshot->vips[i]));
	for (size_t i = 0; i < snapshot->n_backends; i++)
		err |= json_array_append_new(backends, stats_backend(&snapshot->backends[i]));
	for (size_t i = 0; i < snapshot->n_pools; i++)
		err |= json_array_append_new(pools, json_pack("{s:s, s:o}", "name", snapshot->pools[i].info.name,
							      "flows", json_flows(&snapshot->pools[i])));
	if (err) {
		json_decref(verdicts);
		json_decref(vips);
		json_decref(backends);
		json_decref(pools);
		return NULL;
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "instance", snapshot->name, "verdicts", verdicts,
			 "vips", vips, "backends", backends, "pools", pools, "flow_records", json_tiers(snapshot));
}

static json_t *status_backend(const struct snapshot *s, const struct snapshot_backend *backend)
{
	const uint8_t *mac = backend->dmac;
	char mac_text[18];

	snprintf(mac_text, sizeof(mac_text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return json_pack("{s:o, s:i, s:s, s:o, s:s, s:o?, s:s?, s:s?, s:i, s:i, s:b, s:s?}",
			 "address", json_addr(&backend->info.address), "weight", backend->info.weight,
			 "state", report_state(backend), "seconds_left", json_seconds(report_seconds_left(s, backend)),
			 "nexthop", nexthop_state_name(backend->info.nexthop),
			 "gateway", report_has_gateway(backend) ? json_addr(&backend->info.gateway) : NULL,
			 "mac", backend->device[0] ? mac_text : NULL,
			 "device", backend->device[0] ? backend->device : NULL,
			 "mtu", backend->mtu, "buckets", backend->info.buckets,
			 "takes_flows", backend->info.buckets > 0, "why_not", report_why_not(backend));
}

/* unsettled_since: since the epoch. */
static json_t *status_affinity(const struct snapshot *s, const struct snapshot_pool *pool)
{
	int64_t since = report_is_settled(pool) || !pool->info.unsettled_since ? -1 :
			(int64_t)(pool->info.unsettled_since / 1000000000);

	return json_pack("{s:b, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "settled", report_is_settled(pool),
			 "unsettled", json_by_protocol(pool->info.unsettled),
			 "looking", json_by_protocol(pool->info.looking),
			 "unsettled_since", json_seconds(since), "why", pool->info.why,
			 "pressure_seconds_ago", json_seconds(report_seconds_since(s, pool->flows.pressure)),
			 "refused_seconds_ago", json_seconds(report_seconds_since(s, pool->flows.refused)),
			 "refused_udp_seconds_ago", json_seconds(report_seconds_since(s, pool->flows.refused_udp)),
			 "flows", json_flows(pool));
}

static json_t *status_pool(const struct snapshot *s, const struct snapshot_pool *pool)
{
	json_t *backends = json_array();
	int err = 0;

	for (size_t i = 0; i < s->n_backends; i++)
		if (s->backends[i].pool == pool)
			err |= json_array_append_new(backends, status_backend(s, &s->backends[i]));
	if (err) {
		json_decref(backends);
		return NULL;
	}
	return json_pack("{s:s, s:b, s:i, s:I, s:I, s:o, s:o}", "name", pool->info.name,
			 "leaving", pool->info.leaving, "ring_size", pool->info.ring_size,
			 "ring_changes", (json_int_t)pool->info.ring_changes,
			 "words_changed", (json_int_t)pool->info.words_changed,
			 "affinity", status_affinity(s, pool), "backends", backends);
}

static json_t *status_vip(const struct snapshot_vip *vip)
{
	json_t *addresses = json_array(), *services = json_array();
	char service[REPORT_SERVICE_MAX], address[ADDR_TEXT_MAX];
	int err = 0;

	for (size_t i = 0; i < vip->n_addresses; i++)
		err |= json_array_append_new(addresses,
					     json_string(addr_format_prefix(&vip->addresses[i], address)));
	for (size_t i = 0; i < vip->n_services; i++)
		err |= json_array_append_new(services, json_string(report_service(&vip->services[i], service)));
	if (err) {
		json_decref(addresses);
		json_decref(services);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:s?, s:b, s:s?, s:b, s:s, s:s, s:o, s:o, s:o}", "name", vip->name, "pool", vip->pool->info.name,
			 "mode", report_mode(vip), "moving", vip->moving,
			 "moving_from", vip->old_pool ? vip->old_pool->info.name : NULL, "echo", vip->echo,
			 "fragments", report_fragments(vip), "oversize", report_oversize(vip),
			 "mss", vip->mss ? json_integer(vip->mss) : json_null(), "addresses", addresses, "services", services);
}

json_t *report_status(const struct snapshot *s)
{
	json_t *attached = json_array(), *pools = json_array(), *vips = json_array(), *maps = json_array();
	int err = 0;

	for (size_t i = 0; i < s->n_devices; i++)
		err |= json_array_append_new(attached, json_pack("{s:s, s:s, s:i}", "device", s->devices[i].name,
								 "mode", s->devices[i].mode,
								 "program_id", s->devices[i].program_id));
	for (size_t i = 0; i < s->n_pools; i++)
		err |= json_array_append_new(pools, status_pool(s, &s->pools[i]));
	for (size_t i = 0; i < s->n_vips; i++)
		err |= json_array_append_new(vips, status_vip(&s->vips[i]));
	for (size_t i = 0; i < SNAPSHOT_MAPS; i++)
		err |= json_array_append_new(maps, json_pack("{s:s, s:I, s:I}", "name", s->maps[i].name,
							     "used", (json_int_t)s->maps[i].used,
							     "max", (json_int_t)s->maps[i].max));
	if (err) {
		json_decref(attached);
		json_decref(pools);
		json_decref(vips);
		json_decref(maps);
		return NULL;
	}
	return json_pack("{s:s, s:{s:b}, s:{s:s, s:I, s:I, s:I}, s:o, s:o, s:o, s:o, s:o}", "instance", s->name,
			 "controller", "running", s->controller,
			 "configuration", "path", s->instance.config,
			 "applied_at", (json_int_t)(s->instance.applied_at / 1000000000),
			 "reloads", (json_int_t)s->instance.reloads,
			 "reloads_failed", (json_int_t)s->instance.reloads_failed,
			 "attached", attached, "pools", pools, "vips", vips,
			 "flow_records", json_tiers(s), "maps", maps);
}
