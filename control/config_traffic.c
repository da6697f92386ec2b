// SPDX-License-Identifier: GPL-2.0-only
/* Pools and VIPs, each by itself: see config_check.h. */
#include <errno.h>
#include <string.h>

#include "addr.h"
#include "config_check.h"
#include "ring.h"
#include "util.h"

struct named {
	const char *name;
	size_t index;
};

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ?: (x->index > y->index) - (x->index < y->index);
}

static int compare_name(const void *name, const void *named)
{
	return strcmp(name, ((const struct named *)named)->name);
}

/* names: n of them, sorted here. list: "pools" or "vips". */
static int check_unique(struct check *check, const char *list, struct named *names, size_t n)
{
	qsort(names, n, sizeof(*names), compare_named);
	for (size_t i = 1; i < n; i++) {
		struct path first = path_of("%s[%zu].name", list, names[i - 1].index);

		if (!strcmp(names[i - 1].name, names[i].name))
			return places_wrong(check->places, path_of("%s[%zu].name", list, names[i].index).text,
					    "%s is %s[%zu]'s name too (line %zu); names differ", names[i].name, list,
					    names[i - 1].index, places_line(check->places, first.text));
	}
	return 0;
}

/* A sorted array of names, the caller's to free. */
static int sort_pools(struct check *check, struct named **ret)
{
	const struct config *config = check->config;
	_cleanup_free_ struct named *names = calloc(config->n_pools + 1, sizeof(*names));
	int err;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_pools; i++)
		names[i] = (struct named){ config->pools[i].name, i };
	err = check_unique(check, "pools", names, config->n_pools);
	if (err)
		return err;
	*ret = TAKE_PTR(names);
	return 0;
}

static uint32_t next_prime(uint32_t from)
{
	while (from < CONFIG_RING_SIZE_MAX && !ring_size_is_prime(from))
		from++;
	return from;
}

static int check_ring_size(struct check *check, size_t p)
{
	const struct raw_pool *raw = &check->raw->pools[p];
	struct config_pool *pool = &check->config->pools[p];
	struct path path = path_of("pools[%zu].ring_size", p);
	uint64_t least = (uint64_t)CONFIG_RING_SHARE_MIN * raw->backends_count;
	int err;

	pool->ring_size = CONFIG_RING_SIZE;
	if (raw->ring_size) {
		err = config_check_number(check, path.text, raw->ring_size, "a ring size, a prime,",
					  CONFIG_RING_SIZE_MIN, CONFIG_RING_SIZE_MAX, &pool->ring_size);
		if (err)
			return err;
	}
	if (!ring_size_is_prime(pool->ring_size))
		return places_wrong(check->places, path.text, "%u is no prime; %u is the next one", pool->ring_size,
				    next_prime(pool->ring_size));
	if (pool->ring_size >= least)
		return 0;
	if (least > CONFIG_RING_SIZE_MAX)
		return places_wrong(check->places, path_of("pools[%zu].backends", p).text,
				    "%u backends; a pool has at most %u", raw->backends_count,
				    CONFIG_RING_SIZE_MAX / CONFIG_RING_SHARE_MIN);
	return places_wrong(check->places, path.text, "%u%s for %u backends; at least %d for each, a prime, such as %u",
			    pool->ring_size, raw->ring_size ? "" : " (the default)", raw->backends_count,
			    CONFIG_RING_SHARE_MIN, next_prime(least));
}

/* Without a life of its own, a record lives as long as settling takes where that is longer than it usually lives. */
static int check_record(struct check *check, size_t p, const struct raw_times *raw, struct config_times *times)
{
	if (times->record >= times->settle)
		return 0;
	if (!raw->record) {
		times->record = times->settle;
		return 0;
	}
	return places_wrong(check->places, path_of("pools[%zu].times.record", p).text, "%u; at least settle, %u%s",
			    times->record, times->settle, raw->settle ? "" : " (the default)");
}

static int check_times(struct check *check, size_t p)
{
	static const struct time {
		const char *name;
		size_t raw;
		size_t config;
		uint32_t normal, min, max;
	} fields[] = {
#define TIME(name, ...) \
	{ #name, offsetof(struct raw_times, name), offsetof(struct config_times, name), __VA_ARGS__ }
		TIME(settle, CONFIG_SETTLE, 1, CONFIG_TIME_MAX),
		TIME(udp, CONFIG_UDP, 1, CONFIG_TIME_MAX),
		TIME(syn, CONFIG_SYN, 0, CONFIG_SYN_MAX),
		TIME(record, CONFIG_RECORD, 1, CONFIG_TIME_MAX),
		TIME(linger, CONFIG_LINGER, 1, CONFIG_TIME_MAX),
		TIME(drain, CONFIG_DRAIN_TIME, 0, CONFIG_DRAIN_MAX),
#undef TIME
	};
	const struct raw_times none = {}, *raw = check->raw->pools[p].times ?: &none;
	struct config_times *times = &check->config->pools[p].times;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *text = *(char *const *)((const char *)raw + fields[i].raw);
		uint32_t *value = (uint32_t *)((char *)times + fields[i].config);
		int err;

		*value = fields[i].normal;
		if (!text)
			continue;
		err = config_check_number(check, path_of("pools[%zu].times.%s", p, fields[i].name).text, text,
					  "this time, in seconds,", fields[i].min, fields[i].max, value);
		if (err)
			return err;
	}
	return check_record(check, p, raw, times);
}

static int check_backend_address(struct check *check, const char *path, const char *text, struct tr_addr *ret)
{
	struct tr_addr address;
	const char *unusable;

	if (addr_parse(text, &address))
		return places_wrong(check->places, path, "%s; an IPv4 or IPv6 address is expected", shown(text).text);
	unusable = config_unusable(&address);
	if (unusable)
		return places_wrong(check->places, path, "%s is %s; a backend has a unicast address", text, unusable);
	*ret = address;
	return 0;
}

/* NULL: not given, which is value 0. */
static int check_word(struct check *check, const char *path, const char *text, const char *const words[], size_t n,
		      const char *rule, unsigned int *ret)
{
	for (size_t i = 0; i < n; i++)
		if (!text || !strcmp(text, words[i])) {
			*ret = i;
			return 0;
		}
	return places_wrong(check->places, path, "%s; %s", shown(text).text, rule);
}

static int check_backend(struct check *check, size_t p, size_t b)
{
	static const char *const states[] = { [CONFIG_UP] = "up", [CONFIG_DRAIN] = "drain", [CONFIG_DOWN] = "down" };
	const struct raw_backend *raw = &check->raw->pools[p].backends[b];
	struct config_backend *backend = &check->config->pools[p].backends[b];
	struct path path = path_of("pools[%zu].backends[%zu].address", p, b);
	int err = check_backend_address(check, path.text, raw->address, &backend->address);

	if (err)
		return err;
	backend->weight = CONFIG_WEIGHT;
	if (raw->weight)
		err = config_check_number(check, path_of("pools[%zu].backends[%zu].weight", p, b).text, raw->weight,
					  "a weight", 1, CONFIG_WEIGHT_MAX, &backend->weight);
	return err ?: check_word(check, path_of("pools[%zu].backends[%zu].state", p, b).text, raw->state, states,
				 ARRAY_SIZE(states), "a state is up, drain or down", &backend->state);
}

static int check_pool(struct check *check, size_t p)
{
	const struct raw_pool *raw = &check->raw->pools[p];
	struct config_pool *pool = &check->config->pools[p];
	int err = config_check_name(check, path_of("pools[%zu].name", p).text, raw->name, &pool->name);

	if (err)
		return err;
	if (!raw->backends_count)
		return places_wrong(check->places, path_of("pools[%zu].backends", p).text,
				    "empty; a pool has at least one backend");
	err = check_ring_size(check, p);
	if (!err)
		err = check_times(check, p);
	if (err)
		return err;
	pool->backends = calloc(raw->backends_count, sizeof(*pool->backends));
	if (!pool->backends)
		return -ENOMEM;
	pool->n_backends = raw->backends_count;
	for (size_t b = 0; !err && b < pool->n_backends; b++)
		err = check_backend(check, p, b);
	return err;
}

int config_check_pools(struct check *check)
{
	struct config *config = check->config;
	int err = 0;

	config->pools = calloc(check->raw->pools_count + 1, sizeof(*config->pools));
	if (!config->pools)
		return -ENOMEM;
	config->n_pools = check->raw->pools_count;
	for (size_t p = 0; !err && p < config->n_pools; p++)
		err = check_pool(check, p);
	return err;
}

static int check_vip_address(struct check *check, const char *path, const char *text, struct tr_prefix *ret)
{
	struct tr_prefix prefix;
	const char *unusable;
	int err = addr_parse_prefix(text, &prefix);

	if (err == -ERANGE)
		return places_wrong(check->places, path,
				    "%s has bits set behind its length; a prefix's first address, or an address without "
				    "a length, is expected", shown(text).text);
	if (err)
		return places_wrong(check->places, path, "%s; an IPv4 or IPv6 address or prefix is expected",
				    shown(text).text);
	if (prefix.len < (addr_is_v4(&prefix.addr) ? 96 + 8 : 16))
		return places_wrong(check->places, path, "%s; a prefix is at least %s bits long", text,
				    addr_is_v4(&prefix.addr) ? "8" : "16");
	unusable = config_unusable(&prefix.addr);
	if (unusable)
		return places_wrong(check->places, path, "%s %s %s; a VIP has unicast addresses", text,
				    prefix.len < 128 ? "starts with" : "is", unusable);
	*ret = prefix;
	return 0;
}

/* "443/tcp", "all/udp" */
static bool parse_service(const char *text, struct config_service *ret)
{
	struct config_service service = {};
	size_t len = strcspn(text, "/"), digits = strspn(text, "0123456789");

	if (!strcmp(text + len, "/tcp"))
		service.l4 = TR_TCP;
	else if (!strcmp(text + len, "/udp"))
		service.l4 = TR_UDP;
	else
		return false;
	if (len != 3 || memcmp(text, "all", 3)) {
		unsigned long port = strtoul(text, NULL, 10);

		if (digits != len || *text == '0' || !len || len > 5 || port > UINT16_MAX)
			return false;
		service.port = port;
	}
	*ret = service;
	return true;
}

static int check_lists(struct check *check, size_t v)
{
	const struct raw_vip *raw = &check->raw->vips[v];
	struct config_vip *vip = &check->config->vips[v];
	int err;

	if (!raw->addresses_count || !raw->services_count)
		return places_wrong(check->places,
				    path_of("vips[%zu].%s", v, raw->addresses_count ? "services" : "addresses").text,
				    "empty; a VIP has at least one");
	vip->addresses = calloc(raw->addresses_count, sizeof(*vip->addresses));
	vip->services = calloc(raw->services_count, sizeof(*vip->services));
	if (!vip->addresses || !vip->services)
		return -ENOMEM;
	vip->n_addresses = raw->addresses_count;
	vip->n_services = raw->services_count;
	for (size_t a = 0; a < vip->n_addresses; a++) {
		err = check_vip_address(check, path_of("vips[%zu].addresses[%zu]", v, a).text, raw->addresses[a],
					&vip->addresses[a]);
		if (err)
			return err;
	}
	for (size_t s = 0; s < vip->n_services; s++)
		if (!parse_service(raw->services[s], &vip->services[s]))
			return places_wrong(check->places, path_of("vips[%zu].services[%zu]", v, s).text,
					    "%s; a service is PORT/PROTOCOL: a port of 1 to 65535 or all, and tcp or "
					    "udp", shown(raw->services[s]).text);
	return 0;
}

/* What becomes of packets that are more than a flow's own: fragments, what does not fit, pings. */
static int check_treatment(struct check *check, size_t v)
{
	static const char *const echoes[] = { "on", "off" }, *const fragments[] = { "drop", "addresses" };
	static const char *const oversizes[] = { "answer", "fragment" };
	const struct raw_vip *raw = &check->raw->vips[v];
	struct config_vip *vip = &check->config->vips[v];
	unsigned int silent = 0, by_addresses = 0, oversize = 0;
	uint32_t mss = 0;
	int err = check_word(check, path_of("vips[%zu].echo", v).text, raw->echo, echoes, ARRAY_SIZE(echoes),
			     "echo is on or off", &silent);

	if (!err)
		err = check_word(check, path_of("vips[%zu].fragments", v).text, raw->fragments, fragments,
				 ARRAY_SIZE(fragments), "fragments is drop or addresses", &by_addresses);
	if (!err)
		err = check_word(check, path_of("vips[%zu].oversize", v).text, raw->oversize, oversizes,
				 ARRAY_SIZE(oversizes), "oversize is answer or fragment", &oversize);
	if (!err && raw->mss)
		err = config_check_number(check, path_of("vips[%zu].mss", v).text, raw->mss, "a maximum segment size",
					  CONFIG_MSS_MIN, CONFIG_MSS_MAX, &mss);
	if (err)
		return err;
	vip->echo = !silent;
	vip->by_addresses = by_addresses;
	vip->oversize = oversize;
	vip->mss = mss;
	return 0;
}

static int check_vip(struct check *check, size_t v, const struct named *pools)
{
	const struct raw_vip *raw = &check->raw->vips[v];
	static const char *const modes[] = { [TR_MODE_CHANGES] = "changes", [TR_MODE_TRACK] = "track",
					     [TR_MODE_HASH] = "hash", [TR_MODE_CLIENT] = "client" };
	struct config_vip *vip = &check->config->vips[v];
	const struct named *pool;
	int err = config_check_name(check, path_of("vips[%zu].name", v).text, raw->name, &vip->name);

	if (!err)
		err = check_lists(check, v);
	if (err)
		return err;
	pool = bsearch(raw->pool, pools, check->config->n_pools, sizeof(*pools), compare_name);
	if (!pool)
		return places_wrong(check->places, path_of("vips[%zu].pool", v).text, "%s; no pool has this name",
				    shown(raw->pool).text);
	vip->pool = pool->index;
	err = check_word(check, path_of("vips[%zu].mode", v).text, raw->mode, modes, ARRAY_SIZE(modes),
			 "a mode is changes, track, hash or client", &vip->mode);
	return err ?: check_treatment(check, v);
}

int config_check_vips(struct check *check)
{
	_cleanup_free_ struct named *names = calloc(check->raw->vips_count + 1, sizeof(*names));
	_cleanup_free_ struct named *pools = NULL;
	struct config *config = check->config;
	int err = sort_pools(check, &pools);

	if (err)
		return err;
	config->vips = calloc(check->raw->vips_count + 1, sizeof(*config->vips));
	if (!config->vips || !names)
		return -ENOMEM;
	config->n_vips = check->raw->vips_count;
	for (size_t v = 0; !err && v < config->n_vips; v++) {
		err = check_vip(check, v, pools);
		names[v] = (struct named){ config->vips[v].name, v };
	}
	return err ?: check_unique(check, "vips", names, config->n_vips);
}
