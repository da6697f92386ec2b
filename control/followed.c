// SPDX-License-Identifier: GPL-2.0-only
/* See followed.h. Configurations may be large: sort and search. */
#include "followed.h"

#include <errno.h>
#include <stdlib.h>

#include "addr.h"
#include "util.h"

static int compare(const void *x, const void *y)
{
	return addr_compare(x, y);
}

static size_t count_backends(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; config && i < config->n_pools; i++)
		n += config->pools[i].n_backends;
	return n;
}

static size_t add_backends(struct tr_addr *to, const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; config && i < config->n_pools; i++)
		for (size_t b = 0; b < config->pools[i].n_backends; b++)
			to[n++] = config->pools[i].backends[b].address;
	return n;
}

size_t followed_count_leaving(const struct running *running)
{
	size_t n = 0;

	for (uint32_t i = 1; running && i < running->limits.backends; i++)
		n += running->backend_info[i].state == TR_BACKEND_LEAVING;
	return n;
}

static size_t add_leaving(struct tr_addr *to, const struct running *running)
{
	size_t n = 0;

	for (uint32_t i = 1; running && i < running->limits.backends; i++)
		if (running->backend_info[i].state == TR_BACKEND_LEAVING)
			to[n++] = running->backend_info[i].address;
	return n;
}

static size_t drop_doubles(struct tr_addr *addresses, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!kept || addr_compare(&addresses[kept - 1], &addresses[i]))
			addresses[kept++] = addresses[i];
	return kept;
}

int followed_update(struct followed *followed, struct nexthops *nexthops, const struct config *config,
		    const struct config *other, const struct running *running)
{
	size_t leaving = followed_count_leaving(running), n = 0;
	size_t room = count_backends(config) + count_backends(other) + leaving;
	struct tr_addr *wanted = calloc(room + 1, sizeof(*wanted));
	int err = 0;

	if (!wanted)
		return -ENOMEM;
	n += add_backends(wanted, config);
	n += add_backends(wanted + n, other);
	n += add_leaving(wanted + n, running);
	qsort(wanted, n, sizeof(*wanted), compare);
	n = drop_doubles(wanted, n);
	for (size_t i = 0; i < n && !err; i++)
		err = nexthops_watch(nexthops, &wanted[i]);
	if (err) {
		free(wanted);
		return err;
	}
	for (size_t i = 0; i < followed->n; i++)
		if (!bsearch(&followed->addresses[i], wanted, n, sizeof(*wanted), compare))
			nexthops_unwatch(nexthops, &followed->addresses[i]);
	free(followed->addresses);
	*followed = (struct followed){ wanted, n, leaving };
	return 0;
}

void followed_forget(struct followed *followed)
{
	free(followed->addresses);
	*followed = (struct followed){};
}
