/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An instance's counters for Prometheus: GET /metrics on an HTTP server that runs in the caller's event loop. The names
 * of metrics and labels are an interface: add, do not rename.
 */
#ifndef TAILRACE_METRICS_H
#define TAILRACE_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "snapshot.h"

struct metrics;

/*
 * Listens on host (an address; "::" for all of both families) and port (host order; 0: any that is free). An answer
 * is of a look at the maps that is at most 100 ms old. Logs its errors. 0 or -errno.
 */
int metrics_start(const char *host, uint16_t port, const char *instance, struct metrics **ret);
void metrics_stop(struct metrics *metrics);

/*
 * For an event loop: readable means metrics_process() has work; every few seconds it ends idle connections. It returns after
 * some milliseconds; true: it has work left, of which the descriptor says nothing.
 */
int metrics_fd(const struct metrics *metrics);
bool metrics_process(struct metrics *metrics);

uint16_t metrics_port(const struct metrics *metrics);	/* that it listens on, host order */

/* Prometheus' text format, version 0.0.4. Pure; errors are the stream's. */
void metrics_render(const struct snapshot *snapshot, FILE *to);

#endif
