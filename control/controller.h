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
#include "model.h"
#include "nexthop.h"

struct controller;

struct controller_options {
	bool attach;			/* it is going to be attached: refuse, before anything is written, where it cannot be */
};

/* The file as configuration and model, both the caller's. Logs its errors. */
int controller_read(const char *path, struct config **ret_config, struct model **ret_model);

/*
 * Reads the file, opens the instance and the next hops of its devices, waits a moment for them, and applies all. Logs its
 * errors. An instance that was made by this very call and could not be filled is removed again.
 */
int controller_open(const char *path, const struct controller_options *options, struct controller **ret);
void controller_close(struct controller *controller);

/*
 * Reads the file again and applies the difference. On an error everything stays as it was, or is put back: the error is
 * logged and counted. What cannot change while running (instance, devices, limits, metrics address) is refused.
 */
int controller_reload(struct controller *controller);

/* After next hops have changed. Logs its errors, and is behind still after one. */
int controller_follow(struct controller *controller);
bool controller_is_behind(const struct controller *controller);	/* next hops have changed since */

/*
 * What time brings to the flows' affinity (affinity.h); every change does it too. Due again in controller_due_us()
 * microseconds; UINT64_MAX: not before the next change. 0 or -errno, logged, and due again soon.
 */
int controller_tick(struct controller *controller);
uint64_t controller_due_us(const struct controller *controller);

/*
 * For `load`, which does not stay: waits until a change that has to be prepared is made, or until all has settled and no
 * backend drains or leaves. 0 or -errno, logged.
 */
int controller_finish(struct controller *controller, bool settle);

/*
 * Are the devices still those that the next hops are asked for? *ret_anew has bit i set: device i of the configuration was made
 * anew. Then next hops are followed on the new ones (controller_nexthops() is another), and the maps are filled for them;
 * attaching is the caller's. One that is away is logged once. 0 or -errno, logged.
 */
int controller_check_devices(struct controller *controller, uint32_t *ret_anew);

const struct config *controller_config(const struct controller *controller);
struct dataplane *controller_dataplane(const struct controller *controller);
struct nexthops *controller_nexthops(const struct controller *controller);

#endif
