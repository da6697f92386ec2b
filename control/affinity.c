// SPDX-License-Identifier: GPL-2.0-only
/* Affinity over time; see affinity.h. Rings are in affinity_words.c, records, VIPs and numbers in files of their own. */
#include "affinity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "affinity_internal.h"

#define TICKS_PENDING 2			/* between two looks at what is being prepared */
#define TICKS_UNSETTLED 8
#define TICKS_IDLE 16			/* about a second */

static int allocate(struct affinity *a, uint32_t now)
{
	const struct affinity_view *view = &a->view;

	a->rings = calloc(view->n_pools, sizeof(*a->rings));
	a->vips = calloc(view->n_vips, sizeof(*a->vips));
	a->frozen = calloc(view->n_pools, sizeof(*a->frozen));
	a->kept = calloc(view->n_pools, sizeof(*a->kept));
	a->backend_records = calloc(view->n_backends, sizeof(*a->backend_records));
	a->pool_records = calloc(view->n_pools, sizeof(*a->pool_records));
	a->named = malloc(view->n_backends);
	a->deserted = calloc(view->n_pools, sizeof(*a->deserted));
	a->answers = calloc(view->n_pools, sizeof(*a->answers));
	a->visits = calloc(view->n_pools + 2 * (size_t)view->n_vips, sizeof(*a->visits));
	if (!a->rings || !a->vips || !a->frozen || !a->kept || !a->backend_records || !a->pool_records || !a->named || !a->deserted ||
	    !a->answers || !a->visits)
		return -ENOMEM;
	memset(a->named, 1, view->n_backends);	/* nothing is known yet */
	a->named_at = now;
	return 0;
}

int affinity_new(const struct affinity_view *view, uint32_t now, struct affinity **ret)
{
	struct affinity *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->view = *view;
	err = allocate(a, now);
	for (uint32_t p = 1; p < view->n_pools && !err; p++)
		if (view->pools[p].name[0])
			err = ring_restart(a, p, now);
	if (err) {
		affinity_free(a);
		return err;
	}
	vips_restart(a, now);
	records_restart(a);
	*ret = a;
	return 0;
}

void affinity_free(struct affinity *a)
{
	if (!a)
		return;
	for (uint32_t p = 0; a->rings && p < a->view.n_pools; p++)
		ring_free(a->rings[p]);
	free(a->rings);
	free(a->vips);
	free(a->frozen);
	free(a->kept);
	free(a->backend_records);
	free(a->pool_records);
	free(a->named);
	free(a->deserted);
	free(a->answers);
	free(a->visits);
	free(a);
}

int affinity_target(struct affinity *a, uint32_t pool, const uint32_t *members, uint64_t hash, const char *why,
		    uint32_t now)
{
	struct tr_pool_info *info = &a->view.pools[pool];
	struct ring_state *ring = ring_open(a, pool, now);
	uint32_t *targets = malloc(info->ring_size * sizeof(*targets));

	if (!ring || !targets) {
		free(targets);
		return -ENOMEM;
	}
	memcpy(targets, members, info->ring_size * sizeof(*targets));
	free(ring->targets);
	ring->targets = targets;
	ring->hash = hash;
	__atomic_store_n(&info->ring_hash, 0, __ATOMIC_RELEASE);
	info->ring_changes++;
	memset(info->why, 0, sizeof(info->why));
	memcpy(info->why, why, strnlen(why, sizeof(info->why) - 1));
	ring_advance(a, pool, now);
	return 0;
}

static bool rings_are(const struct affinity *a, bool pending)
{
	for (uint32_t p = 1; p < a->view.n_pools; p++)
		if (a->rings[p] && (!pending || a->rings[p]->targets))
			return true;
	return false;
}

bool affinity_is_pending(const struct affinity *a)
{
	return rings_are(a, true) || vips_are_pending(a);
}

bool affinity_is_settled(const struct affinity *a)
{
	for (uint32_t p = 1; p < a->view.n_pools; p++) {
		const struct tr_pool_info *info = &a->view.pools[p];

		if (a->rings[p] && (a->rings[p]->targets || info->unsettled[TR_TCP] || info->unsettled[TR_UDP]))
			return false;
	}
	return !a->n_moving && !a->key_pending && !numbers_wait(a);
}

uint32_t affinity_tick(struct affinity *a, uint32_t now)
{
	bool waits;

	numbers_end_drains(a, now);
	vips_advance(a, now);
	for (uint32_t p = 1; p < a->view.n_pools; p++)
		if (a->rings[p])
			ring_advance(a, p, now);
	vips_bury(a);
	waits = numbers_wait(a);
	if ((waits || rings_are(a, false) || records_exist(a)) && (!a->has_swept || now - a->swept >= records_interval(a))) {
		records_sweep(a, now);
		numbers_after_sweep(a, now);
		for (uint32_t p = 1; p < a->view.n_pools; p++)
			if (a->rings[p])
				ring_advance(a, p, now);
	}
	if (affinity_is_pending(a))
		return TICKS_PENDING;
	if (a->n_moving || rings_are(a, false))
		return TICKS_UNSETTLED;
	return numbers_wait(a) || records_exist(a) ? TICKS_IDLE : AFFINITY_NEVER;
}
