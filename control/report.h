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

/* Each a new reference, or NULL when there is no memory. */
json_t *report_stats(const struct snapshot *snapshot);
json_t *report_status(const struct snapshot *snapshot);

/* "up" or "down". */
const char *report_state(const struct snapshot_backend *backend);

/* Why it takes no flows; NULL: it does. */
const char *report_why_not(const struct snapshot_backend *backend);

/* 0 to 1: what it has of its pool's weight, counting those that take flows; what it took of its pool's new flows. */
double report_share_of_weight(const struct snapshot_backend *backend);
double report_share_of_flows(const struct snapshot_backend *backend);

/* "80/tcp", "all/udp", into buf of REPORT_SERVICE_MAX bytes; returns buf. */
const char *report_service(const struct snapshot_service *service, char *buf);

/* A next hop is known: it has a gateway address. */
bool report_has_gateway(const struct snapshot_backend *backend);

#endif
