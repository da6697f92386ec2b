// SPDX-License-Identifier: GPL-2.0-only
/* See memory.h. */
#include "memory.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS(X, v, sets)                                                                                            \
	X(v, settings, 1) X(v, rings, (v)->n_words) X(v, backends, (v)->n_backends)                                   \
	X(v, backend_info, (v)->n_backends) X(v, pools, (v)->n_pools) X(v, pool_flows, (v)->n_pools)                   \
	X(v, vips, (v)->n_vips) X(v, vip_old, (v)->n_vips) X(v, flows, sets) X(v, flow_state, 1)

/* Pages of its own, as a map has. */
static void *pages_new(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE), len = (size + page - 1) / page * page;
	void *p = aligned_alloc(page, len);

	if (!p)
		errx(1, "out of memory");
	return memset(p, 0, len);
}

struct memory *memory_new(const struct affinity_view *sizes, uint32_t n_sets)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		errx(1, "out of memory");
	memory->view = *sizes;
	memory->n_sets = n_sets;
#define X(v, part, n) (v)->part = pages_new((n) * sizeof(*(v)->part));
	PARTS(X, &memory->view, n_sets)
#undef X
	return memory;
}

void memory_free(struct memory *memory)
{
#define X(v, part, n) free((v)->part);
	PARTS(X, &memory->view, 0)
#undef X
	free(memory);
}

void memory_copy(const struct affinity_view *to, const struct affinity_view *from, uint32_t n_sets)
{
#define X(v, part, n) memcpy((v)->part, from->part, (n) * sizeof(*(v)->part));
	PARTS(X, to, n_sets)
#undef X
}

void memory_clear(const struct affinity_view *view, uint32_t n_sets)
{
#define X(v, part, n) memset((v)->part, 0, (n) * sizeof(*(v)->part));
	PARTS(X, view, n_sets)
#undef X
}

const char *memory_differs(const struct affinity_view *a, const struct affinity_view *b, uint32_t n_sets)
{
	if (memcmp(a->flows, b->flows, n_sets * sizeof(*a->flows)))
		return "flows";
	if (memcmp(a->flow_state, b->flow_state, sizeof(*a->flow_state)))
		return "flow_state";
	if (memcmp(a->pool_flows, b->pool_flows, a->n_pools * sizeof(*a->pool_flows)))
		return "pool_flows";
	return NULL;
}
