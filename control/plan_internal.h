/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files plan*.c share among themselves. */
#ifndef TAILRACE_PLAN_INTERNAL_H
#define TAILRACE_PLAN_INTERNAL_H

#include "plan.h"

#define WHY_MAX sizeof(((struct tr_pool_info *)0)->why)

struct planned_ring {
	uint32_t start;
	uint64_t hash;
	uint32_t *members;		/* to be written; NULL: it is as it is to be */
	bool in_place;			/* the one that the pool has */
};

/* What made a ring's targets change. */
struct planned_why {
	char first[WHY_MAX];
	uint32_t n;
	bool weights;			/* counted once, however many */
};

struct planning {
	const struct desired *desired;
	const struct running *running;
	struct plan *plan;
	char *message;
	struct tr_settings settings;	/* as they are to be in the end, but for the hash key */

	/* plan_pools.c */
	uint32_t *pool_numbers;		/* by index into config.pools */
	uint32_t *pool_index;		/* by number: index into config.pools + 1; 0: not configured */
	bool *pool_used;		/* by number: has a name, or is given out here */
	/* plan_rings.c */
	struct planned_ring *rings;	/* by index into config.pools */
	uint32_t *buckets;		/* by backend number: words that name it, for one protocol */
	/* plan_backends.c */
	uint32_t *backend_numbers;	/* of all config.pools' backends, pool after pool */
	bool *backend_used;		/* by number */
	bool *backend_kept;		/* by number: still configured */
	struct planned_why *whys;	/* by index into config.pools */
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
/* Rounded up: what is not 0 is a tick at least. */
uint32_t plan_ticks(const struct planning *p, uint32_t seconds);

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

const struct nexthop *plan_ask_nexthop(const struct planning *p, const struct tr_addr *address);
/* A backend that may have new flows, and so a share of the ring. */
bool plan_takes_flows(const struct planning *p, const struct config_backend *backend);
static inline bool plan_is_moving(const struct tr_vip *vip)
{
	return vip->ring_size && vip->how & TR_HOW_MOVING;
}

/* Once every record is of the new source. */
int plan_last_settings(struct planning *p);
int plan_number_pools(struct planning *p);
int plan_number_backends(struct planning *p);
int plan_build_rings(struct planning *p);	/* before backends, whose infos count buckets; no steps yet */
int plan_backends(struct planning *p);
int plan_rings(struct planning *p, bool in_place);
int plan_pools(struct planning *p);
int plan_vips(struct planning *p);
int plan_deletions_of_vips(struct planning *p);
int plan_leaving_pools(struct planning *p);
void plan_end_pools(struct planning *p);
void plan_end_rings(struct planning *p);
void plan_end_backends(struct planning *p);
void plan_end_vips(struct planning *p);

#endif
