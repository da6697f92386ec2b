/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of a snapshot that docs/affinity.md is about. Internal to snapshot*.c; errors are those of pinned.h. */
#ifndef TAILRACE_SNAPSHOT_AFFINITY_H
#define TAILRACE_SNAPSHOT_AFFINITY_H

#include "snapshot.h"

/* NULL: there is none. */
struct snapshot_pool *snapshot_find_pool(const struct snapshot *snapshot, uint32_t number);

/* What pools have recorded; the snapshot has its pools. */
int snapshot_read_pool_flows(struct snapshot *snapshot, const char *dir);
/* VIPs' modes and moves; the snapshot has its pools and VIPs. */
int snapshot_read_modes(struct snapshot *snapshot, const char *dir);
/* Words in use, of pools and of rings that only VIPs still know. */
int snapshot_read_rings(const struct snapshot *snapshot, const char *dir, struct snapshot_map *ret);
int snapshot_read_tiers(struct snapshot *snapshot, const char *dir);
int snapshot_read_clock(struct snapshot *snapshot, const char *dir);

#endif
