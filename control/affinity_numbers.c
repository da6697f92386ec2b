// SPDX-License-Identifier: GPL-2.0-only
/* What comes to an end: drains at their deadline, numbers of backends and pools when nothing names them any more. */
#include <string.h>

#include "affinity_internal.h"

#define GRACE_TICKS 160			/* about 10 s from retirement to a free number */

static void set_serves(struct affinity *a, uint32_t number, enum tr_serves serves, bool forget)
{
	struct tr_backend record = a->view.backends[number];

	record.serves = serves;
	if (forget)
		record.encap = TR_ENCAP_NONE;
	store_words(&a->view.backends[number], &record, sizeof(record));
}

/* What it does no more is written before what it is. */
static void end_service(struct affinity *a, uint32_t number, enum tr_backend_state state, uint32_t now)
{
	struct tr_backend_info info = a->view.backend_info[number];

	set_serves(a, number, TR_SERVES_NONE, false);
	info.state = state;
	info.since = now;
	store_words(&a->view.backend_info[number], &info, sizeof(info));
	if (!a->rings[info.pool] && a->view.pools[info.pool].name[0])
		ring_open(a, info.pool, now);	/* its words are settled by this tick; without memory by the next */
}

void numbers_end_drains(struct affinity *a, uint32_t now)
{
	for (uint32_t n = 1; n < a->view.n_backends; n++) {
		const struct tr_backend_info *info = &a->view.backend_info[n];

		if (info->state != TR_BACKEND_DRAINING && info->state != TR_BACKEND_LEAVING)
			continue;
		if ((int32_t)(now - info->deadline) >= 0)
			end_service(a, n, info->state == TR_BACKEND_DRAINING ? TR_BACKEND_DRAINED : TR_BACKEND_RETIRED, now);
	}
}

static bool is_ending(const struct tr_backend_info *info)
{
	return info->state == TR_BACKEND_LEAVING || info->state == TR_BACKEND_RETIRED;
}

static void name_backends(struct affinity *a, uint32_t start, uint32_t size)
{
	for (uint32_t word = 0; word < TR_L4_COUNT * size; word++) {
		struct bucket b = bucket_read(a, start + word);

		if (b.current < a->view.n_backends)
			a->named[b.current] |= 1;
		if (b.base < a->view.n_backends)
			a->named[b.base] |= 1;
	}
}

/* In the rings that packets may ask, and in targets. named[]: bit 0 now, bit 1 when this was asked last. */
static void name_all(struct affinity *a)
{
	size_t n = 0;

	for (uint32_t i = 0; i < a->view.n_backends; i++)
		a->named[i] = (a->named[i] & 1) << 1;
	for (uint32_t p = 1; p < a->view.n_pools; p++) {
		const struct tr_pool_info *info = &a->view.pools[p];
		const struct ring_state *ring = a->rings[p];

		if (!info->name[0] || a->deserted[p])
			continue;
		a->visits[n++] = (struct ring_visit){ info->ring, info->ring_size };
		for (uint32_t b = 0; ring && ring->targets && b < ring->size; b++)
			a->named[ring->targets[b]] |= 1;
	}
	for (uint32_t v = 1; v < a->view.n_vips; v++) {
		const struct tr_vip *vip = &a->view.vips[v];
		const struct tr_vip_old *old = &a->view.vip_old[v];

		if (a->vips[v].phase == VIP_STAYS && vip->ring == a->view.pools[vip->pool].ring)
			continue;
		if (a->vips[v].phase != VIP_STAYS)
			a->visits[n++] = (struct ring_visit){ old->ring, old->ring_size };
		a->visits[n++] = (struct ring_visit){ vip->ring, vip->ring_size };
	}
	rings_visit(a, n, name_backends);
}

static void free_backend(struct affinity *a, uint32_t number)
{
	struct tr_backend_info info = a->view.backend_info[number];

	set_serves(a, number, TR_SERVES_NONE, true);
	info.state = TR_BACKEND_FREE;
	info.buckets = 0;
	store_words(&a->view.backend_info[number], &info, sizeof(info));
}

/* The sweep that has just ended began after nothing named the number any more, and saw what records were left. */
static void end_backend(struct affinity *a, uint32_t n, uint32_t now)
{
	const struct tr_backend_info *info = &a->view.backend_info[n];

	if (info->state == TR_BACKEND_LEAVING && !a->backend_records[n])
		end_service(a, n, TR_BACKEND_RETIRED, now);
	else if (info->state == TR_BACKEND_RETIRED && now - info->since >= GRACE_TICKS)
		a->named[n] |= NAMED_ENDS;
}

static void free_backends(struct affinity *a)
{
	bool any = false;

	for (uint32_t n = 1; n < a->view.n_backends; n++)
		any |= a->named[n] & NAMED_ENDS;
	for (uint32_t p = 1; p < a->view.n_pools && any; p++)
		if (a->view.pools[p].name[0])
			ring_forget_prev(a, p);
	for (uint32_t n = 1; n < a->view.n_backends; n++)
		if (a->named[n] & NAMED_ENDS)
			free_backend(a, n);
}

static bool has_backends(const struct affinity *a, uint32_t pool)
{
	for (uint32_t n = 1; n < a->view.n_backends; n++)
		if (a->view.backend_info[n].state != TR_BACKEND_FREE && a->view.backend_info[n].pool == pool)
			return true;
	return false;
}

static void free_pool(struct affinity *a, uint32_t pool)
{
	static const struct tr_pool_flows no_flows;
	static const struct tr_pool_info none;

	ring_free(a->rings[pool]);
	a->rings[pool] = NULL;
	store_words(&a->view.pools[pool], &none, sizeof(none));
	store_words(&a->view.pool_flows[pool], &no_flows, sizeof(no_flows));
}

/*
 * What is ending and was not named at the sweep before has no packet in flight any more that could have recorded it behind
 * this one.
 */
void numbers_after_sweep(struct affinity *a, uint32_t now)
{
	name_all(a);
	for (uint32_t n = 1; n < a->view.n_backends; n++)
		if (is_ending(&a->view.backend_info[n]) && !a->named[n] &&
		    (int32_t)(a->named_at - a->view.backend_info[n].since) >= 0)
			end_backend(a, n, now);
	free_backends(a);
	a->named_at = now;
	for (uint32_t p = 1; p < a->view.n_pools; p++)
		if (a->view.pools[p].leaving && !a->pool_records[p] && !pool_has_vips(a, p) && !has_backends(a, p))
			free_pool(a, p);
}

bool numbers_wait(const struct affinity *a)
{
	for (uint32_t n = 1; n < a->view.n_backends; n++)
		if (is_ending(&a->view.backend_info[n]) || a->view.backend_info[n].state == TR_BACKEND_DRAINING)
			return true;
	for (uint32_t p = 1; p < a->view.n_pools; p++)
		if (a->view.pools[p].leaving)
			return true;
	return false;
}
