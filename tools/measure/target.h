/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tailrace as the benchmark measures it: the shipped object with its default sizes, filled with 64 VIPs over 8 pools
 * of 8 backends. Filled directly: no controller is needed to measure what a packet costs.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>

#include "tailrace.h"

struct target {
	struct bpf_object *object;
	int entry;			/* the program's file descriptor; the object owns it */
	uint32_t cpus;			/* possible ones */
	bool has_stage[TR_STAGE_COUNT + 1];	/* an older build lacks some; the last one stands for none, which all have */
};

/* What the counters say, summed over CPUs. */
struct target_counts {
	uint64_t verdicts[64];
	uint64_t vips[128];		/* packets by VIP number */
	uint64_t backends[128];		/* packets by backend number */
};

/* path: another build's object file; NULL: the one in this binary. 0, or a negative errno that has been logged. */
int target_open(struct target *target, const char *path);
void target_close(struct target *target);

int target_fill(const struct target *target);
int target_count(const struct target *target, struct target_counts *ret_counts);

/* NULL, the reason logged: it has no such map. */
struct bpf_map *target_map(const struct target *target, const char *name);
/* A whole map as memory, *ret_size bytes: munmap() it. NULL, the reason logged. */
void *target_memory(const struct target *target, const char *name, size_t value_size, size_t *ret_size);

#endif
