// SPDX-License-Identifier: GPL-2.0-only
/* Packets that watch a change; see watch.h. */
#include "watch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "util.h"

struct watch *watch_new(struct plan_world *world, const struct tr_addr *addresses, size_t n_addresses,
			const uint16_t *ports, size_t n_ports)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	assert(watch);
	watch->world = world;
	watch->queries = calloc(n_addresses * n_ports * TR_L4_COUNT, sizeof(*watch->queries));
	assert(watch->queries);
	for (size_t a = 0; a < n_addresses; a++)
		for (size_t p = 0; p < n_ports; p++)
			for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++)
				watch->queries[watch->n_queries++] = (struct watch_query){
					.address = addresses[a], .l4 = l4, .port = ports[p] };
	return watch;
}

static void forget_targets(struct watch *watch, size_t keep)
{
	for (size_t t = 0; t + keep < watch->n_targets; t++) {
		config_free(watch->targets[t].config);
		free(watch->targets[t].usable);
		free(watch->targets[t].vips);
	}
	if (keep)
		watch->targets[0] = watch->targets[watch->n_targets - 1];
	watch->n_targets = keep;
	watch->reached = 0;
}

void watch_free(struct watch *watch)
{
	forget_targets(watch, 0);
	free(watch->queries);
	free(watch);
}

void watch_begin(struct watch *watch, struct config *config)
{
	bool *usable = calloc(config->n_pools + 1, sizeof(*usable));
	uint32_t *vips = calloc(watch->n_queries + 1, sizeof(*vips));

	assert(usable && vips && watch->n_targets < WATCH_TARGETS_MAX);
	for (size_t p = 0; p < config->n_pools; p++)
		for (size_t b = 0; b < config->pools[p].n_backends; b++) {
			const struct config_backend *backend = &config->pools[p].backends[b];
			const struct nexthop *hop = plan_world_ask(&backend->address, watch->world);

			usable[p] |= backend->state == CONFIG_UP && hop && hop->state == TR_NH_OK;
		}
	for (size_t q = 0; q < watch->n_queries; q++) {
		const struct watch_query *query = &watch->queries[q];

		vips[q] = naive_find_vip(config, &query->address, query->l4, query->port);
	}
	watch->targets[watch->n_targets].config = config;
	watch->targets[watch->n_targets].vips = vips;
	watch->targets[watch->n_targets++].usable = usable;
}

__attribute__((format(printf, 3, 4)))
static bool wrong(struct watch *watch, const struct watch_query *query, const char *fmt, ...)
{
	char address[ADDR_TEXT_MAX], what[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(watch->why, sizeof(watch->why), "%s %s/%u: %s", addr_format(&query->address, address),
		 query->l4 == TR_TCP ? "tcp" : "udp", query->port, what);
	return false;
}

static void add_value(struct watch_query *query, const struct tr_vip_address *value)
{
	for (size_t i = 0; i < query->n_values; i++)
		if (!memcmp(&query->values[i], value, sizeof(*value)))
			return;
	assert(query->n_values < WATCH_KNOWN_MAX);
	query->values[query->n_values++] = *value;
}

static void add_answer(struct watch_query *query, const struct watch_answer *answer)
{
	for (size_t i = 0; i < query->n_answers; i++)
		if (!memcmp(&query->answers[i], answer, sizeof(*answer)))
			return;
	assert(query->n_answers < WATCH_KNOWN_MAX);
	query->answers[query->n_answers++] = *answer;
}

static struct watch_answer answer_now(const struct fake_maps *maps, const struct watch_query *query,
				      const struct tr_vip_address *value)
{
	struct watch_answer answer = {};

	if (value->id)
		answer.vip = fake_maps_find_vip(maps, value, query->l4, query->port);
	if (answer.vip)
		answer.ring = maps->vips[answer.vip];
	return answer;
}

static struct tr_vip_address value_now(const struct fake_maps *maps, const struct watch_query *query)
{
	const struct tr_vip_address *found = fake_maps_find_address(maps, &query->address);

	return found ? *found : (struct tr_vip_address){};
}

static bool pool_has(const struct config_pool *pool, const struct tr_addr *address)
{
	for (size_t b = 0; b < pool->n_backends; b++)
		if (!addr_compare(&pool->backends[b].address, address))
			return true;
	return false;
}

/* Whether a target, of the last one reached and later ones, gives the query to the VIP of this name; NULL: to none. */
static bool is_expected(const struct watch *watch, const struct watch_query *query, const char *name)
{
	for (size_t t = watch->reached; t < watch->n_targets; t++) {
		const struct config *config = watch->targets[t].config;
		uint32_t vip = watch->targets[t].vips[query - watch->queries];

		if (vip ? name && !strcmp(config->vips[vip - 1].name, name) : !name)
			return true;
	}
	return false;
}

/* Whether the pool of this name, in any target, may give this backend. */
static bool is_of_pool(const struct watch *watch, const char *name, const struct tr_addr *address)
{
	for (size_t t = 0; t < watch->n_targets; t++) {
		const struct config *config = watch->targets[t].config;

		for (size_t p = 0; p < config->n_pools; p++)
			if (!strcmp(config->pools[p].name, name) && pool_has(&config->pools[p], address))
				return true;
	}
	return false;
}

/* Whether the pool of this name may give no backend at all, or has none to give any more. */
static bool may_be_empty(const struct watch *watch, const char *name)
{
	bool there = false;

	for (size_t t = watch->reached; t < watch->n_targets; t++) {
		const struct config *config = watch->targets[t].config;

		for (size_t p = 0; p < config->n_pools; p++) {
			if (strcmp(config->pools[p].name, name))
				continue;
			there = true;
			if (!watch->targets[t].usable[p])
				return true;
		}
	}
	return !there;
}

static bool vip_had_pool(const struct watch *watch, const char *vip, const char *pool)
{
	for (size_t t = 0; t < watch->n_targets; t++) {
		const struct config *config = watch->targets[t].config;

		for (size_t v = 0; v < config->n_vips; v++)
			if (!strcmp(config->vips[v].name, vip) &&
			    !strcmp(config->pools[config->vips[v].pool].name, pool))
				return true;
	}
	return false;
}

/* field: current or base. A ring that a VIP comes from may outlive the last of its backends. */
static bool check_number(struct watch *watch, const struct watch_query *query, uint32_t pool, bool old, const char *field,
			 uint32_t number)
{
	const struct fake_maps *maps = watch->world->maps;
	const struct tr_backend_info *info = &maps->backend_info[number];
	const char *pool_name = maps->pools[pool].name;
	char text[ADDR_TEXT_MAX];

	if (!number)
		return old || may_be_empty(watch, pool_name) ||
		       wrong(watch, query, "%s is no backend, and pool %s has some", field, pool_name);
	if (maps->backends[number].encap == TR_ENCAP_NONE)
		return wrong(watch, query, "%s, backend %u, has no complete record", field, number);
	if ((info->state == TR_BACKEND_RETIRED && !old) || info->state == TR_BACKEND_FREE)
		return wrong(watch, query, "%s, backend %u, is retired or free", field, number);
	if (info->pool != pool || !is_of_pool(watch, pool_name, &info->address))
		return wrong(watch, query, "%s, backend %u, %s, is none of pool %s", field, number,
			     addr_format(&info->address, text), pool_name);
	return true;
}

static bool check_ring(struct watch *watch, const struct watch_query *query, const char *vip, const struct tr_vip *at,
		       bool old)
{
	const struct fake_maps *maps = watch->world->maps;
	uint32_t start = at->ring + query->l4 * at->ring_size, pool = at->pool;
	uint64_t last = 0;

	if (!at->ring_size || start + at->ring_size > maps->running.limits.ring_words)
		return wrong(watch, query, "VIP %s has no ring", vip);
	if (!maps->pools[pool].name[0] || !vip_had_pool(watch, vip, maps->pools[pool].name))
		return wrong(watch, query, "VIP %s looks into pool %u, %s, which is none of its own", vip, pool,
			     maps->pools[pool].name);
	for (uint32_t b = 0; b < at->ring_size; b++) {
		uint64_t word = maps->rings[start + b];

		if (b && word == last)
			continue;
		if (!check_number(watch, query, pool, old, "current", word & TR_BACKEND_MASK) ||
		    (word & TR_WORD_LOOK &&
		     !check_number(watch, query, pool, old, "base", word >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK)))
			return false;
		last = word;
	}
	return true;
}

static bool check_answer(struct watch *watch, const struct watch_query *query, const struct watch_answer *answer)
{
	const struct fake_maps *maps = watch->world->maps;
	const char *name = answer->vip ? maps->vip_info[answer->vip].name : NULL;
	const struct tr_vip_old *from = &maps->vip_old[answer->vip];
	const struct tr_vip old = { .ring = from->ring, .ring_size = from->ring_size, .pool = from->pool };

	if (name && !*name)
		return wrong(watch, query, "VIP %u is free", answer->vip);
	if (!is_expected(watch, query, name))
		return wrong(watch, query, "VIP %s is neither the one before nor the one after", name ? name : "none");
	if (!name)
		return true;
	if (answer->ring.how & TR_HOW_MOVING && maps->vips[answer->vip].how & TR_HOW_MOVING &&
	    !check_ring(watch, query, name, &old, true))
		return false;
	return check_ring(watch, query, name, &answer->ring, false);
}

static bool check_dangling(struct watch *watch)
{
	const struct fake_maps *maps = watch->world->maps;
	const struct watch_query nobody = {};

	for (size_t a = 0; a < maps->running.n_addresses; a++) {
		const struct tr_vip_address *value = &maps->addresses[a].value;

		for (int l4 = 0; l4 < TR_L4_COUNT; l4++)
			if (value->all_ports[l4] && !maps->vips[value->all_ports[l4]].ring_size)
				return wrong(watch, &nobody, "all ports of id %u are of VIP %u, which is free",
					     value->id, value->all_ports[l4]);
		for (size_t s = 0; s < maps->running.n_services; s++)
			if (maps->services[s].key.address == value->id && !maps->vips[maps->services[s].vip].ring_size)
				return wrong(watch, &nobody, "a service of id %u is of VIP %u, which is free",
					     value->id, maps->services[s].vip);
	}
	return true;
}

bool watch_observe(struct watch *watch)
{
	const struct fake_maps *maps = watch->world->maps;

	for (size_t q = 0; q < watch->n_queries; q++) {
		struct watch_query *query = &watch->queries[q];
		struct tr_vip_address value = value_now(maps, query);

		if (maps->settings.generation != watch->generation)
			query->n_values = query->n_answers = 0;
		add_value(query, &value);
		for (size_t v = 0; v < query->n_values; v++) {
			struct watch_answer answer = answer_now(maps, query, &query->values[v]);

			add_answer(query, &answer);
		}
		for (size_t a = 0; a < query->n_answers; a++)
			if (!check_answer(watch, query, &query->answers[a]))
				return false;
	}
	watch->generation = maps->settings.generation;
	return check_dangling(watch);
}

/* The last target's pool of that name has someone for new flows. */
static bool is_usable(const struct watch *watch, const char *name)
{
	size_t last = watch->n_targets - 1;
	const struct config *config = watch->targets[last].config;

	for (size_t p = 0; p < config->n_pools; p++)
		if (!strcmp(config->pools[p].name, name))
			return watch->targets[last].usable[p];
	return false;
}

static bool check_served(struct watch *watch, const struct watch_query *query)
{
	const struct fake_maps *maps = watch->world->maps;
	const struct tr_vip *ring = &query->answers[0].ring;

	if (!query->answers[0].vip || !is_usable(watch, maps->pools[ring->pool].name))
		return true;
	for (uint32_t b = 0; b < ring->ring_size; b++) {
		uint32_t number = maps->rings[ring->ring + query->l4 * ring->ring_size + b] & TR_BACKEND_MASK;

		if (maps->backends[number].serves == TR_SERVES_NONE)
			return wrong(watch, query, "new flows go to backend %u, which takes none", number);
	}
	return true;
}

bool watch_end(struct watch *watch)
{
	watch->reached = watch->n_targets - 1;
	if (!watch_observe(watch))
		return false;
	for (size_t q = 0; q < watch->n_queries; q++) {
		const struct watch_query *query = &watch->queries[q];

		if (query->n_values > 1 || query->n_answers > 1)
			return wrong(watch, query, "caches may still hold what was before the change");
		if (!check_served(watch, query))
			return false;
	}
	return true;
}

bool watch_settled(struct watch *watch)
{
	forget_targets(watch, 1);
	return watch_observe(watch);
}
