// SPDX-License-Identifier: GPL-2.0-only
/* A VIP's addresses and services out of the flattened maps; see snapshot_vips.h. */
#include "snapshot_vips.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "addr.h"
#include "util.h"

/* At this address this VIP has this service. */
struct claim {
	uint32_t vip;
	const struct tr_prefix *address;
	struct snapshot_service service;
};

static int compare_prefixes(const struct tr_prefix *a, const struct tr_prefix *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->len - (int)b->len;
}

static int compare_addresses(const void *x, const void *y)
{
	const struct snapshot_address *a = x, *b = y;

	return (a->value.id > b->value.id) - (a->value.id < b->value.id);
}

static int compare_claims(const void *x, const void *y)
{
	const struct claim *a = x, *b = y;

	if (a->vip != b->vip)
		return a->vip < b->vip ? -1 : 1;
	return compare_prefixes(a->address, b->address);
}

static int compare_services(const void *x, const void *y)
{
	const struct snapshot_service *a = x, *b = y;

	return a->l4 != b->l4 ? (int)a->l4 - (int)b->l4 : (int)a->port - (int)b->port;
}

static size_t collect_claims(const struct snapshot_address *addresses, size_t n_addresses,
			     const struct tr_service_key *keys, const uint32_t *vips, size_t n_services,
			     struct claim *claims)
{
	size_t n = 0;

	for (size_t i = 0; i < n_addresses; i++)
		for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++)
			if (addresses[i].value.all_ports[l4])
				claims[n++] = (struct claim){ addresses[i].value.all_ports[l4],
							      &addresses[i].prefix, { l4, 0 } };
	for (size_t i = 0; i < n_services; i++) {
		struct snapshot_address wanted = { .value.id = keys[i].address };
		const struct snapshot_address *address = n_addresses ?
			bsearch(&wanted, addresses, n_addresses, sizeof(*addresses), compare_addresses) : NULL;

		/* None: the controller writes services before their address. */
		if (address)
			claims[n++] = (struct claim){ vips[i], &address->prefix,
						      { keys[i].l4, ntohs(keys[i].port) } };
	}
	return n;
}

/* claims: all of this VIP's, by address. A prefix stands right before what it covers, so the last one kept tells. */
static int fill_vip(struct snapshot_vip *vip, const struct claim *claims, size_t n)
{
	vip->addresses = calloc(n, sizeof(*vip->addresses));
	vip->services = calloc(n, sizeof(*vip->services));
	if (!vip->addresses || !vip->services)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!vip->n_addresses || !addr_in_prefix(&claims[i].address->addr, &vip->addresses[vip->n_addresses - 1]))
			vip->addresses[vip->n_addresses++] = *claims[i].address;
		vip->services[i] = claims[i].service;
	}
	qsort(vip->services, n, sizeof(*vip->services), compare_services);
	for (size_t i = 0; i < n; i++)
		if (!i || compare_services(&vip->services[i], &vip->services[vip->n_services - 1]))
			vip->services[vip->n_services++] = vip->services[i];
	return 0;
}

/* The first of sorted claims whose VIP is number or more. */
static size_t find_claims(const struct claim *claims, size_t n, uint32_t number)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (claims[middle].vip < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int snapshot_give_services(struct snapshot *snapshot, struct snapshot_address *addresses, size_t n_addresses,
			   const struct tr_service_key *keys, const uint32_t *vips, size_t n_services)
{
	size_t n = n_addresses * TR_L4_COUNT + n_services;
	_cleanup_free_ struct claim *claims = calloc(n + 1, sizeof(*claims));
	int err = 0;

	if (!claims)
		return -ENOMEM;
	if (n_addresses)
		qsort(addresses, n_addresses, sizeof(*addresses), compare_addresses);
	n = collect_claims(addresses, n_addresses, keys, vips, n_services, claims);
	qsort(claims, n, sizeof(*claims), compare_claims);
	for (size_t v = 0; v < snapshot->n_vips && !err; v++) {
		size_t first = find_claims(claims, n, snapshot->vips[v].number), end = first;

		while (end < n && claims[end].vip == snapshot->vips[v].number)
			end++;
		if (end > first)
			err = fill_vip(&snapshot->vips[v], claims + first, end - first);
	}
	return err;
}
