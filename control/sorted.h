/* SPDX-License-Identifier: GPL-2.0-only */
/* A sorted array of pointers: found by bisection, walked in order. What they point to is the caller's. */
#ifndef TAILRACE_SORTED_H
#define TAILRACE_SORTED_H

#include <stddef.h>

struct sorted {
	void **items;
	size_t n;
	size_t room;
	int (*compare)(const void *key, const void *item);	/* as bsearch(3) */
};

/* Where the key is, or would be: the first item that is not smaller. */
size_t sorted_find(const struct sorted *sorted, const void *key);
void *sorted_get(const struct sorted *sorted, const void *key);

/* The key must not be there yet; it is the item's own. 0 or -ENOMEM. */
int sorted_insert(struct sorted *sorted, const void *key, void *item);
/* Nothing happens where it is not. */
void sorted_remove(struct sorted *sorted, const void *key);

#endif
