/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An instance in the kernel: its maps and programs, pinned under TR_PIN_ROOT/INSTANCE. The one module that loads BPF
 * objects. Opening takes over what is pinned, or makes it; forwarding goes on after closing.
 */
#ifndef TAILRACE_DATAPLANE_H
#define TAILRACE_DATAPLANE_H

#include <stdbool.h>

#include "plan.h"

struct dataplane;

/* What programs are loaded for: those of other options are replaced, as those of another build are. */
struct dataplane_options {
	bool several_devices;		/* a next hop may lie on another one than a packet came in by */
	bool frags;			/* a frame may lie in several pieces: an MTU beyond a page (Linux 5.18) */
};

/*
 * Takes the instance's lock, its maps (those pinned, made where there are none) and its programs (those pinned, if
 * this very build loaded them, with these options; else new ones, which replace the old ones at once wherever these are attached).
 * Logs its errors: -EBUSY another controller has the instance, -EINVAL the pinned maps are of another layout or size.
 */
int dataplane_open(const char *instance, const struct config_limits *limits, const struct dataplane_options *options,
		   struct dataplane **ret);
void dataplane_close(struct dataplane *dataplane);

/* Removes what dataplane_open() has just made, where it made the instance; nothing where it took one over. */
void dataplane_remove_fresh(struct dataplane *dataplane);

/* A view of the maps; the mmap'ed ones are live, the others read by this call. Ends with the next call. 0 or -errno. */
int dataplane_read(struct dataplane *dataplane, const struct running **ret);

/*
 * Does a plan's steps in their order; dataplane_now() before it. Logs its errors. After an error the steps before it stand; planning anew goes on
 * from there.
 */
int dataplane_apply(struct dataplane *dataplane, const struct plan *plan);

/* The clock of flow records, in ticks (ticks.h). 0 or -errno, logged. */
int dataplane_now(struct dataplane *dataplane, uint32_t *ret);

/*
 * What time brings: changes that were prepared are made, settled ones forgotten. To be called after dataplane_apply(), and again
 * after *ret_wait_ns; DATAPLANE_NEVER: not before the next change. 0 or -errno, logged.
 */
#define DATAPLANE_NEVER UINT64_MAX
int dataplane_tick(struct dataplane *dataplane, uint64_t *ret_wait_ns);

/* Some of what was applied waits to be made by a dataplane_tick(). */
bool dataplane_is_pending(const struct dataplane *dataplane);

/* No VIP moves, no bucket is unsettled, no backend drains or leaves; records may still live. */
bool dataplane_is_settled(const struct dataplane *dataplane);

/* A configuration was applied, or refused: for status and metrics. */
void dataplane_count_reload(struct dataplane *dataplane, bool applied);

const char *dataplane_dir(const struct dataplane *dataplane);

#endif
