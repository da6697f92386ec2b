/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The path of a change: configuration file → config → model → plan → apply, for `run`, which stays and follows next hops
 * and reloads, and for `load`, which ends.
 */
#ifndef TAILRACE_CONTROLLER_H
#define TAILRACE_CONTROLLER_H

#include <stdbool.h>

#include "config.h"
#include "dataplane.h"
#include "nexthop.h"

struct controller;

/*
 * Reads the file, opens the instance and the next hops of its device, waits a moment for them, and applies all. Logs its
 * errors. force: allow what moves flows.
 */
int controller_open(const char *path, bool force, struct controller **ret);
void controller_close(struct controller *controller);

/*
 * Reads the file again and applies the difference. On an error everything stays as it was: the error is logged and
 * counted. What cannot change while running (instance, device, limits, hash key, metrics address) is refused.
 */
int controller_reload(struct controller *controller);

/* After next hops have changed. Logs its errors. */
int controller_follow(struct controller *controller);
bool controller_is_behind(const struct controller *controller);	/* next hops have changed since */

const struct config *controller_config(const struct controller *controller);
struct dataplane *controller_dataplane(const struct controller *controller);
struct nexthops *controller_nexthops(const struct controller *controller);

#endif
