/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An instance of real pinned maps, filled by hand, for tests of what shows one. It is in a network namespace of its own, which
 * ends with the process. Failures fail the test.
 */
#ifndef TAILRACE_INSTANCE_H
#define TAILRACE_INSTANCE_H

#include <limits.h>
#include <stdint.h>

#include "tailrace.h"
#include "tailrace.skel.h"
#include "verdicts.h"

#define INSTANCE_BACKENDS 16
#define INSTANCE_VIPS 8
#define INSTANCE_POOLS 4
#define INSTANCE_RING 251
#define INSTANCE_SETS 64		/* of flow records, for all tiers */
#define INSTANCE_TICK 100000		/* what its clock says */

extern struct tailrace_bpf *instance_skel;
extern char instance_name[32], instance_dir[PATH_MAX];

/* For cmocka's groups. */
int instance_set_up(void **state);
int instance_tear_down(void **state);

void instance_put(struct bpf_map *map, const void *key, const void *value);
void instance_put_at(struct bpf_map *map, uint32_t i, const void *value);

/* CPU c counts c + 1 times what it is given. The sum of that: */
uint64_t instance_over_cpus(uint64_t n);
void instance_put_verdict(enum tr_verdict verdict, uint64_t packets);
void instance_put_counts(uint32_t pool, struct tr_pool_counts counts);

void instance_put_layout(uint64_t layout);
void instance_put_settings(uint32_t udp_sets);
/* Puts back all that is about changes: VIPs, flow records, pools' counts. */
void instance_fill_affinity(void);

/* Runs it with the stream in a file, whose text is returned, the caller's to free. */
char *instance_capture(int stream, int (*run)(int argc, char **argv), int argc, char **argv, int *ret);
void instance_assert_has(const char *text, const char *part);

#endif
