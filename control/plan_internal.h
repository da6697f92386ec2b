/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files plan*.c share among themselves. */
#ifndef TAILRACE_PLAN_INTERNAL_H
#define TAILRACE_PLAN_INTERNAL_H

#include "plan.h"

struct planned_ring {
	uint32_t start;
	uint64_t hash;
	uint32_t changed;
	bool in_place, written;
};

struct planning {
	const struct desired *desired;
	const struct running *running;
	struct plan *plan;
	char *message;
	struct tr_settings settings;	/* as they are to be in the end */

	/* plan_pools.c */
	uint32_t *pool_numbers;		/* by index into config.pools */
	bool *pool_used;		/* by number: has a name, or is given out here */
	struct planned_ring *rings;	/* by index into config.pools */
	bool *backend_used;		/* by number */
	bool *backend_kept;		/* by number: still configured */
	/* plan_vips.c */
	uint32_t *vip_numbers;		/* by index into config.vips */
	bool *vip_used, *vip_kept;	/* by number */
	size_t n_services;		/* once the new ones are there and the old ones not gone */
	bool flush;			/* a step changed what caches hold */
};

/* The caller fills in the step; NULL: no memory. */
struct step *plan_add(struct planning *p, enum step_kind kind, uint32_t number);
__attribute__((format(printf, 3, 4))) int plan_fail(struct planning *p, int err, const char *fmt, ...);
/* The lowest unused number of 1 to size - 1 from *from on, which it moves behind; 0: none. The caller marks it used. */
uint32_t plan_free_number(const bool *used, uint32_t *from, uint32_t size);

/* Objects with names: the numbers that they have, and free ones for the new. */
struct plan_names {
	const void *running;		/* max structures that begin with char name[TR_NAME_MAX] */
	size_t running_size;
	uint32_t max;
	const void *wanted;		/* n structures that begin with char *name */
	size_t wanted_size;
	size_t n;
};

/*
 * numbers: n of them, by index into wanted. used: max flags, by number: has a name, or is given out here.
 * 0, -ENOMEM, or -ENOSPC with *ret_left, the first name for which no number was left.
 */
int plan_number_names(const struct plan_names *names, uint32_t *numbers, bool *used, const char **ret_left);

/* Once every record is of the new source. */
int plan_last_settings(struct planning *p);
int plan_number_pools(struct planning *p);
int plan_backends_and_rings(struct planning *p);
int plan_vips(struct planning *p);
int plan_pools(struct planning *p, bool fresh);
int plan_deletions_of_vips(struct planning *p);
int plan_deletions_of_pools(struct planning *p);
void plan_end_pools(struct planning *p);
void plan_end_vips(struct planning *p);

#endif
