// SPDX-License-Identifier: GPL-2.0-only
/* A sorted array of pointers; see sorted.h. Pure. */
#include "sorted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t sorted_find(const struct sorted *s, const void *key)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->compare(key, s->items[middle]) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *sorted_get(const struct sorted *s, const void *key)
{
	size_t at = sorted_find(s, key);

	return at < s->n && !s->compare(key, s->items[at]) ? s->items[at] : NULL;
}

int sorted_insert(struct sorted *s, const void *key, void *item)
{
	size_t at = sorted_find(s, key);

	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		void **items = reallocarray(s->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		s->items = items;
		s->room = room;
	}
	memmove(&s->items[at + 1], &s->items[at], (s->n - at) * sizeof(*s->items));
	s->items[at] = item;
	s->n++;
	return 0;
}

void sorted_remove(struct sorted *s, const void *key)
{
	size_t at = sorted_find(s, key);

	if (at == s->n || s->compare(key, s->items[at]))
		return;
	s->n--;
	memmove(&s->items[at], &s->items[at + 1], (s->n - at) * sizeof(*s->items));
}
