// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values against each other: see config_check_conflicts(). Everything is found by sorting, so that ten thousand
 * backends are checked as fast as they are read.
 */
#include <errno.h>
#include <string.h>

#include "addr.h"
#include "config_check.h"
#include "model.h"
#include "util.h"

/* A service of an address of a VIP: no two may have the same prefix, l4 and port. */
struct claim {
	struct tr_prefix prefix;
	enum tr_l4 l4;
	uint16_t port;
	size_t vip, address, service;
};

struct location {
	struct tr_addr address;
	size_t pool, backend;
};

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_locations(const void *a, const void *b)
{
	const struct location *x = a, *y = b;

	return addr_compare(&x->address, &y->address) ?: COMPARE(x->pool, y->pool) ?: COMPARE(x->backend, y->backend);
}

static int compare_target(const struct claim *x, const struct claim *y)
{
	return memcmp(&x->prefix, &y->prefix, sizeof(x->prefix)) ?: COMPARE(x->l4, y->l4) ?: COMPARE(x->port, y->port);
}

/* Equal targets in the order of the file: it is the later one that is reported. */
static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return compare_target(x, y) ?: COMPARE(x->vip, y->vip) ?: COMPARE(x->address, y->address) ?:
	       COMPARE(x->service, y->service);
}

static struct path address_path(size_t vip, size_t address)
{
	return path_of("vips[%zu].addresses[%zu]", vip, address);
}

/* raw: the limit as it was written; NULL: it was not, and the list is the place to look at. */
static int check_demand(struct check *check, const char *limit, const char *raw, uint32_t allowed, uint64_t demand,
			const char *what, const char *list)
{
	if (demand <= allowed)
		return 0;
	if (raw)
		return places_wrong(check->places, path_of("limits.%s", limit).text,
				    "%u; this file needs at least %llu %s", allowed, (unsigned long long)demand, what);
	return places_wrong(check->places, list, "%llu %s; limits.%s is %u, its default", (unsigned long long)demand,
			    what, limit, allowed);
}

#define DEMAND(check, name, demand, what, list)                                                                    \
	check_demand(check, #name, (check)->raw->limits ? (check)->raw->limits->name : NULL,                        \
		     (check)->config->limits.name, demand, what, list)

static int check_pool_demands(struct check *check)
{
	const struct config *config = check->config;
	uint64_t backends = 0, words = 0;
	int err;

	for (size_t p = 0; p < config->n_pools; p++) {
		backends += config->pools[p].n_backends;
		words += (uint64_t)TR_L4_COUNT * config->pools[p].ring_size;
	}
	err = DEMAND(check, pools, config->n_pools, "pools", "pools");
	if (!err)
		err = DEMAND(check, backends, backends, "backends", "pools");
	return err ?: DEMAND(check, ring_words, words, "ring words, two for each bucket", "pools");
}

static int compare_services(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return COMPARE(x->l4, y->l4) ?: COMPARE(x->port, y->port) ?: COMPARE(x->service, y->service);
}

/* A service twice in one VIP; without one, *exact + 2 bounds the VIP's services. */
static int check_services(struct check *check, size_t v, size_t *exact)
{
	const struct config_vip *vip = &check->config->vips[v];
	_cleanup_free_ struct claim *claims = calloc(vip->n_services, sizeof(*claims));

	if (!claims)
		return -ENOMEM;
	*exact = 0;
	for (size_t s = 0; s < vip->n_services; s++) {
		claims[s] = (struct claim){ .l4 = vip->services[s].l4, .port = vip->services[s].port, .service = s };
		*exact += vip->services[s].port != 0;
	}
	qsort(claims, vip->n_services, sizeof(*claims), compare_services);
	for (size_t i = 1; i < vip->n_services; i++) {
		const struct claim *first = &claims[i - 1], *again = &claims[i];

		if (first->l4 == again->l4 && first->port == again->port)
			return places_wrong(check->places, path_of("vips[%zu].services[%zu]", v, again->service).text,
					    "%s is in this list twice (line %zu); once is enough",
					    check->raw->vips[v].services[again->service],
					    places_line(check->places,
							path_of("vips[%zu].services[%zu]", v, first->service).text));
	}
	return 0;
}

/* Before any list of addresses times services is made: in a hostile file that product has no bound. */
static int check_service_demand(struct check *check, size_t *ret_claims)
{
	uint64_t exact = 0, claims = 0;
	size_t of_vip;
	int err;

	for (size_t v = 0; v < check->config->n_vips; v++) {
		const struct config_vip *vip = &check->config->vips[v];

		err = check_services(check, v, &of_vip);
		if (err)
			return err;
		exact += (uint64_t)vip->n_addresses * of_vip;
		claims += (uint64_t)vip->n_addresses * vip->n_services;
	}
	err = DEMAND(check, services, exact, "services, addresses times their ports", "vips");
	if (err)
		return err;
	*ret_claims = claims;
	return 0;
}

static struct claim *collect_claims(const struct config *config, size_t n)
{
	struct claim *claims = calloc(n + 1, sizeof(*claims)), *claim = claims;

	if (!claims)
		return NULL;
	for (size_t v = 0; v < config->n_vips; v++) {
		const struct config_vip *vip = &config->vips[v];

		for (size_t a = 0; a < vip->n_addresses; a++)
			for (size_t s = 0; s < vip->n_services; s++)
				*claim++ = (struct claim){ vip->addresses[a], vip->services[s].l4,
							   vip->services[s].port, v, a, s };
	}
	qsort(claims, n, sizeof(*claims), compare_claims);
	return claims;
}

static int claimed_twice(struct check *check, const struct claim *first, const struct claim *again)
{
	size_t line = places_line(check->places, address_path(first->vip, first->address).text);
	char text[ADDR_TEXT_MAX];

	addr_format_prefix(&again->prefix, text);
	if (first->vip == again->vip)
		return places_wrong(check->places, address_path(again->vip, again->address).text,
				    "%s is in this list twice (line %zu); once is enough", text, line);
	return places_wrong(check->places, address_path(again->vip, again->address).text,
			    "%s %s is a service of vips[%zu], %s, too (line %zu); one VIP can have it", text,
			    check->raw->vips[again->vip].services[again->service], first->vip,
			    check->config->vips[first->vip].name, line);
}

static int check_claims(struct check *check, const struct claim *claims, size_t n)
{
	uint64_t addresses = 0, prefixes = 0;
	int err;

	for (size_t i = 0; i < n; i++) {
		if (i && !compare_target(&claims[i - 1], &claims[i]))
			return claimed_twice(check, &claims[i - 1], &claims[i]);
		if (i && !memcmp(&claims[i - 1].prefix, &claims[i].prefix, sizeof(claims[i].prefix)))
			continue;
		if (claims[i].prefix.len == 128)
			addresses++;
		else
			prefixes++;
	}
	err = DEMAND(check, vips, check->config->n_vips, "VIPs", "vips");
	if (!err)
		err = DEMAND(check, addresses, addresses, "single addresses", "vips");
	return err ?: DEMAND(check, prefixes, prefixes, "prefixes", "vips");
}

static struct path location_path(const struct location *location)
{
	return path_of("pools[%zu].backends[%zu].address", location->pool, location->backend);
}

static struct location *collect_locations(const struct config *config, size_t *ret_n)
{
	struct location *locations, *location;
	size_t n = 0;

	for (size_t p = 0; p < config->n_pools; p++)
		n += config->pools[p].n_backends;
	locations = location = calloc(n + 1, sizeof(*locations));
	if (!locations)
		return NULL;
	for (size_t p = 0; p < config->n_pools; p++)
		for (size_t b = 0; b < config->pools[p].n_backends; b++)
			*location++ = (struct location){ config->pools[p].backends[b].address, p, b };
	qsort(locations, n, sizeof(*locations), compare_locations);
	*ret_n = n;
	return locations;
}

static int check_locations(struct check *check, const struct location *locations, size_t n)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 1; i < n; i++) {
		const struct location *first = &locations[i - 1], *again = &locations[i];

		if (first->pool == again->pool && !addr_compare(&first->address, &again->address))
			return places_wrong(check->places, location_path(again).text,
					    "%s is in this pool twice (line %zu); a backend is in a pool once",
					    addr_format(&again->address, text),
					    places_line(check->places, location_path(first).text));
	}
	return 0;
}

/* What goes to a backend must not be a balancer's to take: it would come back, or be balanced a second time. */
static int check_loop(struct check *check, size_t v, size_t a, const struct location *locations, size_t n)
{
	const struct tr_prefix *prefix = &check->config->vips[v].addresses[a];
	char text[ADDR_TEXT_MAX];
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr_compare(&locations[middle].address, &prefix->addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == n || !addr_in_prefix(&locations[low].address, prefix))
		return 0;
	return places_wrong(check->places, address_path(v, a).text,
			    "%s %s the address of pools[%zu].backends[%zu] (line %zu); a backend's address is no VIP's",
			    addr_format_prefix(prefix, text), prefix->len == 128 ? "is" : "holds", locations[low].pool,
			    locations[low].backend, places_line(check->places, location_path(&locations[low]).text));
}

static int check_loops(struct check *check, const struct location *locations, size_t n)
{
	for (size_t v = 0; v < check->config->n_vips; v++)
		for (size_t a = 0; a < check->config->vips[v].n_addresses; a++) {
			int err = check_loop(check, v, a, locations, n);

			if (err)
				return err;
		}
	return 0;
}

/* A fragment does not tell its ports, and so not whose it is. With one such VIP, or none, there is nothing to ask. */
static int check_by_addresses(struct check *check)
{
	const struct config *config = check->config;
	struct model_clash clash;
	struct model *model;
	char text[ADDR_TEXT_MAX];
	size_t n = 0;
	bool found;
	int err;

	for (size_t v = 0; v < config->n_vips; v++)
		n += config->vips[v].by_addresses;
	if (n < 2)
		return 0;
	err = model_build(config, &model);
	if (err)
		return err;
	found = model_find_clash(config, model, &clash);
	model_free(model);
	if (!found)
		return 0;
	return places_wrong(check->places, path_of("vips[%u].fragments", clash.vips[1]).text,
			    "addresses; vips[%u], %s, has it too (line %zu), and both have %s services at %s, where one VIP can "
			    "have it", clash.vips[0], config->vips[clash.vips[0]].name,
			    places_line(check->places, path_of("vips[%u].fragments", clash.vips[0]).text),
			    clash.l4 == TR_TCP ? "tcp" : "udp", addr_format_prefix(&clash.prefix, text));
}

int config_check_conflicts(struct check *check)
{
	_cleanup_free_ struct location *locations = NULL;
	_cleanup_free_ struct claim *claims = NULL;
	size_t n_locations = 0, n_claims = 0;
	int err;

	locations = collect_locations(check->config, &n_locations);
	if (!locations)
		return -ENOMEM;
	err = check_locations(check, locations, n_locations);
	if (!err)
		err = check_service_demand(check, &n_claims);
	if (err)
		return err;
	claims = collect_claims(check->config, n_claims);
	if (!claims)
		return -ENOMEM;
	err = check_claims(check, claims, n_claims);
	if (!err)
		err = check_loops(check, locations, n_locations);
	if (!err)
		err = check_pool_demands(check);
	return err ?: check_by_addresses(check);
}
