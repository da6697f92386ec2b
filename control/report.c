// SPDX-License-Identifier: GPL-2.0-only
/* A snapshot in words and in JSON; see report.h. */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "nexthop.h"
#include "util.h"

const char *report_state(const struct snapshot_backend *backend)
{
	return backend->info.state == TR_BACKEND_UP ? "up" : "down";
}

const char *report_why_not(const struct snapshot_backend *backend)
{
	static const char *const reasons[] = {
		[TR_NH_UNKNOWN] = "next hop not looked up yet",
		[TR_NH_OK] = "not in the ring yet",
		[TR_NH_NO_ROUTE] = "no route",
		[TR_NH_OTHER_DEVICE] = "its route leaves through another device",
		[TR_NH_LOCAL] = "the address is this host's own",
		[TR_NH_RESOLVING] = "next hop has not answered yet",
		[TR_NH_FAILED] = "next hop does not answer",
	};

	if (backend->info.buckets)
		return NULL;
	if (backend->info.state == TR_BACKEND_DOWN)
		return "down by configuration";
	return backend->info.nexthop < ARRAY_SIZE(reasons) ? reasons[backend->info.nexthop] : "next hop unknown";
}

double report_share_of_weight(const struct snapshot_backend *backend)
{
	return backend->info.buckets && backend->pool->weight ? (double)backend->info.weight / backend->pool->weight : 0;
}

double report_share_of_flows(const struct snapshot_backend *backend)
{
	return backend->pool->new_flows ? (double)backend->traffic.new_flows / backend->pool->new_flows : 0;
}

const char *report_service(const struct snapshot_service *service, char *buf)
{
	const char *l4 = service->l4 == TR_TCP ? "tcp" : "udp";

	if (service->port)
		snprintf(buf, REPORT_SERVICE_MAX, "%u/%s", service->port, l4);
	else
		snprintf(buf, REPORT_SERVICE_MAX, "all/%s", l4);
	return buf;
}

bool report_has_gateway(const struct snapshot_backend *backend)
{
	static const struct tr_addr none;

	return memcmp(&backend->info.gateway, &none, sizeof(none));
}

static json_t *json_addr(const struct tr_addr *addr)
{
	char text[ADDR_TEXT_MAX];

	return json_string(addr_format(addr, text));
}

/* jansson's integers are signed; a counter that passes 2^63 is not met. */
static json_t *stats_vip(const struct snapshot_vip *vip)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", vip->name, "pool", vip->pool->info.name,
			 "packets", (json_int_t)vip->traffic.packets, "bytes", (json_int_t)vip->traffic.bytes,
			 "new_flows", (json_int_t)vip->traffic.new_flows);
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
	json_t *verdicts = json_object(), *vips = json_array(), *backends = json_array();
	int err = 0;

	for (size_t i = 0; i < TR_V_COUNT; i++)
		err |= json_object_set_new(verdicts, snapshot_verdict_names[i],
					   json_integer((json_int_t)snapshot->verdicts[i]));
	for (size_t i = 0; i < snapshot->n_vips; i++)
		err |= json_array_append_new(vips, stats_vip(&snapshot->vips[i]));
	for (size_t i = 0; i < snapshot->n_backends; i++)
		err |= json_array_append_new(backends, stats_backend(&snapshot->backends[i]));
	if (err) {
		json_decref(verdicts);
		json_decref(vips);
		json_decref(backends);
		return NULL;
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "instance", snapshot->name, "verdicts", verdicts,
			 "vips", vips, "backends", backends);
}

static json_t *status_backend(const struct snapshot_backend *backend)
{
	const uint8_t *mac = backend->dmac;
	char mac_text[18];

	snprintf(mac_text, sizeof(mac_text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return json_pack("{s:o, s:i, s:s, s:s, s:o?, s:s?, s:s?, s:i, s:i, s:b, s:s?}",
			 "address", json_addr(&backend->info.address), "weight", backend->info.weight,
			 "state", report_state(backend), "nexthop", nexthop_state_name(backend->info.nexthop),
			 "gateway", report_has_gateway(backend) ? json_addr(&backend->info.gateway) : NULL,
			 "mac", backend->device[0] ? mac_text : NULL,
			 "device", backend->device[0] ? backend->device : NULL,
			 "mtu", backend->mtu, "buckets", backend->info.buckets,
			 "takes_flows", backend->info.buckets > 0, "why_not", report_why_not(backend));
}

static json_t *status_pool(const struct snapshot *s, const struct snapshot_pool *pool)
{
	json_t *backends = json_array();
	int err = 0;

	for (size_t i = 0; i < s->n_backends; i++)
		if (s->backends[i].pool == pool)
			err |= json_array_append_new(backends, status_backend(&s->backends[i]));
	if (err) {
		json_decref(backends);
		return NULL;
	}
	return json_pack("{s:s, s:i, s:I, s:I, s:o}", "name", pool->info.name, "ring_size", pool->info.ring_size,
			 "ring_changes", (json_int_t)pool->info.ring_changes,
			 "words_changed", (json_int_t)pool->info.words_changed, "backends", backends);
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
	return json_pack("{s:s, s:s, s:o, s:o}", "name", vip->name, "pool", vip->pool->info.name,
			 "addresses", addresses, "services", services);
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
	return json_pack("{s:s, s:{s:b}, s:{s:s, s:I, s:I, s:I}, s:o, s:o, s:o, s:o}", "instance", s->name,
			 "controller", "running", s->controller,
			 "configuration", "path", s->instance.config,
			 "applied_at", (json_int_t)(s->instance.applied_at / 1000000000),
			 "reloads", (json_int_t)s->instance.reloads,
			 "reloads_failed", (json_int_t)s->instance.reloads_failed,
			 "attached", attached, "pools", pools, "vips", vips, "maps", maps);
}
