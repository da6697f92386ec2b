// SPDX-License-Identifier: GPL-2.0-only
/* A snapshot in words; see report.h. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

const char *const report_states[REPORT_STATES] = {
	[TR_BACKEND_UP] = "up", [TR_BACKEND_DOWN] = "down", [TR_BACKEND_DRAINING] = "draining",
	[TR_BACKEND_LEAVING] = "leaving", [TR_BACKEND_DRAINED] = "drained",
};

const char *report_state(const struct snapshot_backend *backend)
{
	const char *name = backend->info.state < REPORT_STATES ? report_states[backend->info.state] : NULL;

	return name ? name : "unknown";
}

const char *report_mode(const struct snapshot_vip *vip)
{
	static const char *const names[] = {
		[TR_MODE_CHANGES] = "changes", [TR_MODE_TRACK] = "track", [TR_MODE_HASH] = "hash",
		[TR_MODE_CLIENT] = "client",
	};

	return vip->mode < ARRAY_SIZE(names) ? names[vip->mode] : NULL;
}

const char *report_fragments(const struct snapshot_vip *vip)
{
	return vip->by_addresses ? "addresses" : "drop";
}

const char *report_oversize(const struct snapshot_vip *vip)
{
	return vip->oversize ? "fragment" : "answer";
}

const char *report_options(const struct snapshot_vip *vip, char *buf)
{
	size_t len = 0;

	buf[0] = '\0';
	if (!vip->echo)
		len += snprintf(buf + len, REPORT_OPTIONS_MAX - len, ", echo off");
	if (vip->by_addresses)
		len += snprintf(buf + len, REPORT_OPTIONS_MAX - len, ", fragments %s", report_fragments(vip));
	if (vip->oversize)
		len += snprintf(buf + len, REPORT_OPTIONS_MAX - len, ", oversize %s", report_oversize(vip));
	if (vip->mss)
		len += snprintf(buf + len, REPORT_OPTIONS_MAX - len, ", mss %u", vip->mss);
	return len ? buf + strlen(", ") : buf;
}

const char *report_why_not(const struct snapshot_backend *backend)
{
	static const char *const by_state[] = {
		[TR_BACKEND_DOWN] = "down by configuration",
		[TR_BACKEND_DRAINING] = "no new ones by configuration",
		[TR_BACKEND_LEAVING] = "no longer configured",
		[TR_BACKEND_DRAINED] = "its time to drain is over",
	};
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
	if (backend->info.state < ARRAY_SIZE(by_state) && by_state[backend->info.state])
		return by_state[backend->info.state];
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

double report_share_recorded(const struct snapshot_pool *pool)
{
	/* Counters of backends that went are gone, those of their pool are not. */
	if (pool->counts.recorded_new >= pool->new_flows)
		return pool->new_flows ? 1 : 0;
	return (double)pool->counts.recorded_new / pool->new_flows;
}

static int64_t seconds(const struct snapshot *snapshot, uint32_t ticks)
{
	return ticks * snapshot->tick_ns / 1000000000;
}

int64_t report_seconds_left(const struct snapshot *snapshot, const struct snapshot_backend *backend)
{
	uint32_t left = backend->info.deadline - snapshot->tick;

	if (backend->info.state != TR_BACKEND_DRAINING && backend->info.state != TR_BACKEND_LEAVING)
		return -1;
	if (!backend->info.deadline || !snapshot->tick_ns)
		return -1;
	return (int32_t)left > 0 ? seconds(snapshot, left) : 0;
}

int64_t report_seconds_since(const struct snapshot *snapshot, uint32_t tick)
{
	return tick && snapshot->tick_ns ? seconds(snapshot, snapshot->tick - tick) : -1;
}

bool report_is_settled(const struct snapshot_pool *pool)
{
	return !pool->info.unsettled[TR_TCP] && !pool->info.unsettled[TR_UDP];
}

int64_t report_unsettled_seconds(const struct snapshot *snapshot, const struct snapshot_pool *pool)
{
	if (report_is_settled(pool) || !pool->info.unsettled_since)
		return -1;
	return snapshot->time > pool->info.unsettled_since ?
	       (snapshot->time - pool->info.unsettled_since) / 1000000000 : 0;
}

bool report_is_pressed(const struct snapshot *snapshot, const struct snapshot_pool *pool)
{
	return pool->flows.pressure && snapshot->tick_ns && snapshot->tick - pool->flows.pressure < pool->flows.t_syn;
}

const char *report_duration(int64_t s, char *buf)
{
	if (s >= 86400)
		snprintf(buf, REPORT_DURATION_MAX, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(buf, REPORT_DURATION_MAX, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buf, REPORT_DURATION_MAX, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else
		snprintf(buf, REPORT_DURATION_MAX, "%" PRId64 "s", s);
	return buf;
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
