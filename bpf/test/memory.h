/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps' memory as the rules see it, without maps: for shadows of the real one, and in place of it. */
#ifndef TAILRACE_TEST_MEMORY_H
#define TAILRACE_TEST_MEMORY_H

#include "affinity.h"

struct memory {
	struct affinity_view view;
	uint32_t n_sets;
};

struct memory *memory_new(const struct affinity_view *sizes, uint32_t n_sets);
void memory_free(struct memory *memory);

/* Both of the same sizes. */
void memory_copy(const struct affinity_view *to, const struct affinity_view *from, uint32_t n_sets);
void memory_clear(const struct affinity_view *view, uint32_t n_sets);

/* What packets write, and only that; NULL: the same, else its name. */
const char *memory_differs(const struct affinity_view *a, const struct affinity_view *b, uint32_t n_sets);

#endif
