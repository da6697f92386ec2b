/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A snapshot in words and in JSON; the tables of `status` and `stats` and their --json say the same. The JSON's members are an
 * interface: add, do not rename. Pure.
 */
#ifndef TAILRACE_REPORT_H
#define TAILRACE_REPORT_H

#include <jansson.h>

#include "snapshot.h"

#define REPORT_SERVICE_MAX 16
#define REPORT_DURATION_MAX 32
#define REPORT_OPTIONS_MAX 80
#define REPORT_STATES (TR_BACKEND_DRAINED + 1)

/* Each a new reference, or NULL when there is no memory. */
json_t *report_stats(const struct snapshot *snapshot);
json_t *report_status(const struct snapshot *snapshot);

/* By enum tr_backend_state: "up", "draining"...; NULL: no state of a backend in a snapshot. */
extern const char *const report_states[REPORT_STATES];
const char *report_state(const struct snapshot_backend *backend);

/* "changes", "track"...; NULL: not known yet. */
const char *report_mode(const struct snapshot_vip *vip);

/* As the configuration has them. */
const char *report_fragments(const struct snapshot_vip *vip);
const char *report_oversize(const struct snapshot_vip *vip);
/* What of these, echo and mss is not the default: "echo off, mss 1400"; empty: nothing. Into buf of REPORT_OPTIONS_MAX bytes. */
const char *report_options(const struct snapshot_vip *vip, char *buf);

/* Why it takes no new flows; NULL: it does. */
const char *report_why_not(const struct snapshot_backend *backend);

/* 0 to 1: what it has of its pool's weight, counting those that take flows; what it took of its pool's new flows. */
double report_share_of_weight(const struct snapshot_backend *backend);
double report_share_of_flows(const struct snapshot_backend *backend);

/* 0 to 1: what was recorded of the pool's new flows. */
double report_share_recorded(const struct snapshot_pool *pool);

/* Until its deadline, 0 when that is over; -1: it neither drains nor leaves, or nobody knows. */
int64_t report_seconds_left(const struct snapshot *snapshot, const struct snapshot_backend *backend);
/* Since a tick of the past; -1: never, or nobody knows. */
int64_t report_seconds_since(const struct snapshot *snapshot, uint32_t tick);

/* No bucket's flows are in doubt; there may be records yet. */
bool report_is_settled(const struct snapshot_pool *pool);
int64_t report_unsettled_seconds(const struct snapshot *snapshot, const struct snapshot_pool *pool);	/* -1: it is settled */
/* New flows go by the pressure rule. */
bool report_is_pressed(const struct snapshot *snapshot, const struct snapshot_pool *pool);

/* "7s", "12m05s", "3h20m", "2d04h", into buf of REPORT_DURATION_MAX bytes; returns buf. */
const char *report_duration(int64_t seconds, char *buf);

/* "80/tcp", "all/udp", into buf of REPORT_SERVICE_MAX bytes; returns buf. */
const char *report_service(const struct snapshot_service *service, char *buf);

/* A next hop is known: it has a gateway address. */
bool report_has_gateway(const struct snapshot_backend *backend);

#endif
