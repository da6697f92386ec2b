/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow table of a target: tiers of the default sizes, as the controller would lay them down. */
#ifndef BENCH_RECORDS_H
#define BENCH_RECORDS_H

#include "target.h"

struct records_counts {
	uint32_t held[TR_TIER_COUNT];	/* records in each tier */
	struct tr_pool_counts made;	/* of all pools */
};

/* Before the object is loaded: makes room for all tiers. 0 or -errno. */
int records_size(const struct target *target);
/* Writes where the tiers lie, and limits that no scenario reaches. */
void records_place(struct tr_settings *settings);
/* Writes the pools' times and forgets all records. 0, or a negative errno that has been logged. */
int records_clear(const struct target *target);
/* As records_clear(). An older build, which has no such maps, counts nothing. */
int records_count(const struct target *target, struct records_counts *ret_counts);

#endif
