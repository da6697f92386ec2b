// SPDX-License-Identifier: GPL-2.0-only
/* Random configurations that follow one another; see random_change.h. */
#include "random_change.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "util.h"

static const char *const pool_names[CHANGE_POOLS] = { "red", "green", "blue", "white" };
static const char *const vip_names[CHANGE_VIPS] = { "web", "mail", "dns", "game", "net" };
static const char *const backends[CHANGE_BACKENDS] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5",
						       "10.0.0.6", "fd00::1", "fd00::2", "fd00::3", "fd00::4" };
static const uint32_t ring_sizes[] = { 11, 13, 23, 37 };
static const char *const modes[TR_MODE_COUNT] = { "changes", "track", "hash", "client" };
static const struct config_times times[] = {
	{ CONFIG_SETTLE, CONFIG_UDP, CONFIG_SYN, CONFIG_RECORD, CONFIG_LINGER, CONFIG_DRAIN_TIME },
	{ 20, 5, 2, 60, 10, 30 },
	{ 900, 30, 4, 7200, 60, 0 },
};
static const char *const prefixes[] = { "192.0.0.0/16", "192.0.2.0/24", "192.0.2.0/26", "192.0.2.0/28", "192.0.2.1",
					"192.0.2.2", "192.0.2.40", "198.51.100.1", "2001:db8::/32", "2001:db8:1::/48",
					"2001:db8:1::1", "2001:db8:1::2", "203.0.113.7" };
static const char *const services[] = { "tcp/80", "tcp/443", "tcp/0", "udp/53", "udp/443", "udp/0" };

const uint16_t change_ports[] = { 80, 443, 53, 9 };
const size_t change_n_ports = ARRAY_SIZE(change_ports);

size_t change_addresses(struct tr_addr *ret, size_t max)
{
	static const char *const more[] = { "192.0.2.3", "192.0.2.41", "192.0.2.70", "192.0.9.9", "2001:db8:2::",
					    "2001:db8:1::3", "198.51.100.2" };
	size_t n = 0;

	assert(max >= ARRAY_SIZE(prefixes) + ARRAY_SIZE(more));
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		ret[n++] = make_prefix(prefixes[i]).addr;
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		ret[n++] = make_addr(more[i]);
	return n;
}

uint32_t random_below(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

unsigned long number_from_env(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

/* Each bit with a probability of one in n. */
static uint32_t random_bits(uint32_t *seed, uint32_t count, uint32_t n)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < count; i++)
		bits |= (uint32_t)!random_below(seed, n) << i;
	return bits;
}

static void random_pool(struct change_state *state, uint32_t p)
{
	uint32_t *seed = &state->seed;

	state->pools[p].there = random_below(seed, 3);
	state->pools[p].size = random_below(seed, ARRAY_SIZE(ring_sizes));
	state->pools[p].members = random_bits(seed, CHANGE_BACKENDS, 3);
	state->pools[p].down = random_bits(seed, CHANGE_BACKENDS, 8);
	state->pools[p].drain = random_bits(seed, CHANGE_BACKENDS, 8);
	state->pools[p].times = random_below(seed, ARRAY_SIZE(times));
	for (int b = 0; b < CHANGE_BACKENDS; b++)
		state->pools[p].weights[b] = 1 + random_below(seed, 4);
}

static void random_vip(struct change_state *state, uint32_t v)
{
	uint32_t *seed = &state->seed;

	state->vips[v].there = random_below(seed, 4);
	state->vips[v].pool = random_below(seed, CHANGE_POOLS);
	state->vips[v].addresses = random_bits(seed, ARRAY_SIZE(prefixes), 3);
	state->vips[v].services = random_bits(seed, ARRAY_SIZE(services), 3);
	state->vips[v].mode = random_below(seed, TR_MODE_COUNT);
	state->vips[v].treatment = random_below(seed, CHANGE_TREATMENTS);
}

static void random_all(struct change_state *state)
{
	for (uint32_t p = 0; p < CHANGE_POOLS; p++)
		random_pool(state, p);
	for (uint32_t v = 0; v < CHANGE_VIPS; v++)
		random_vip(state, v);
}

void random_start(struct change_state *state, uint32_t seed)
{
	*state = (struct change_state){ .seed = seed * 2654435761u, .ttl = CONFIG_TTL, .by_addresses = CHANGE_VIPS };
	random_all(state);
}

static void change_something(struct change_state *state)
{
	uint32_t *seed = &state->seed;
	uint32_t p = random_below(seed, CHANGE_POOLS), v = random_below(seed, CHANGE_VIPS);

	switch (random_below(seed, 21)) {
	case 0:
		random_pool(state, p);
		break;
	case 1:
		random_vip(state, v);
		break;
	case 2:
		state->pools[p].there = !state->pools[p].there;
		break;
	case 3:
		state->vips[v].there = !state->vips[v].there;
		break;
	case 4:
		state->pools[p].size = random_below(seed, ARRAY_SIZE(ring_sizes));
		break;
	case 5:
		state->vips[v].pool = p;
		break;
	case 6:
		state->vips[v].addresses ^= 1u << random_below(seed, ARRAY_SIZE(prefixes));
		break;
	case 7:
		state->vips[v].services ^= 1u << random_below(seed, ARRAY_SIZE(services));
		break;
	case 8:
		state->pools[p].down ^= 1u << random_below(seed, CHANGE_BACKENDS);
		break;
	case 9:
		state->pools[p].weights[random_below(seed, CHANGE_BACKENDS)] = 1 + random_below(seed, 4);
		break;
	case 10:
		state->ttl = 60 + random_below(seed, 3);
		break;
	case 11:
		state->other_source = !state->other_source;
		break;
	case 12:
		state->pools[p].drain ^= 1u << random_below(seed, CHANGE_BACKENDS);
		break;
	case 13:
		state->vips[v].mode = random_below(seed, TR_MODE_COUNT);
		break;
	case 14:
		state->hash_key = random_below(seed, 3);
		break;
	case 15:
		state->pools[p].times = random_below(seed, ARRAY_SIZE(times));
		break;
	case 16:
		state->vips[v].treatment = random_below(seed, CHANGE_TREATMENTS);
		break;
	case 17:
		state->by_addresses = random_below(seed, CHANGE_VIPS + 1);
		break;
	case 18:
		state->rate = random_below(seed, 3);
		break;
	default:
		state->pools[p].members ^= 1u << random_below(seed, CHANGE_BACKENDS);
	}
}

static void change_hop(struct change_state *state, struct plan_world *world)
{
	const char *address = backends[random_below(&state->seed, CHANGE_BACKENDS)];
	struct tr_addr addr = make_addr(address);

	switch (random_below(&state->seed, 4)) {
	case 0:
		plan_world_forget_hop(world, address);
		break;
	case 1:
		plan_world_set_hop(world, address, TR_NH_OK + random_below(&state->seed, TR_NH_FAILED));
		break;
	case 2:
		plan_world_hop(world, &addr)->dmac[0] = 2 * random_below(&state->seed, 4);
		break;
	default:
		plan_world_set_hop(world, address, TR_NH_OK);
	}
}

void random_change(struct change_state *state, struct plan_world *world)
{
	int hops = random_below(&state->seed, 3);

	if (!random_below(&state->seed, 20))
		random_all(state);
	for (int i = random_below(&state->seed, 3); i >= 0; i--)
		change_something(state);
	for (int i = 0; i < hops; i++)
		change_hop(state, world);
}

uint32_t random_time(struct change_state *state)
{
	static const uint32_t seconds[] = { 0, 0, 1, 4, 5, 30, 900, 3600 };

	return seconds[random_below(&state->seed, ARRAY_SIZE(seconds))] * WORLD_SECOND;
}

static void add_pool(const struct change_state *state, struct config *config, size_t p)
{
	char list[512] = "";
	size_t len = 0;

	for (int b = 0; b < CHANGE_BACKENDS; b++)
		if (state->pools[p].members >> b & 1)
			len += snprintf(list + len, sizeof(list) - len, "%s=%u%s ", backends[b], state->pools[p].weights[b],
					state->pools[p].down >> b & 1 ? "!" : state->pools[p].drain >> b & 1 ? "~" : "");
	make_pool(config, pool_names[p], ring_sizes[state->pools[p].size], len ? list : "10.0.0.99");
	config->pools[config->n_pools - 1].times = times[state->pools[p].times];
}

/* A checked configuration never has the same service of the same prefix twice. */
static bool claimed(const struct change_state *state, size_t vip, size_t prefix)
{
	for (size_t v = 0; v < vip; v++)
		if (state->vips[v].there && state->vips[v].addresses >> prefix & 1 &&
		    state->vips[v].services & state->vips[vip].services)
			return true;
	return false;
}

static void add_vip(const struct change_state *state, struct config *config, size_t v)
{
	char addresses[512] = "", ports[128] = "", pool[32];
	struct config_vip *vip;
	size_t len = 0, n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (state->vips[v].addresses >> i & 1 && !claimed(state, v, i))
			len += snprintf(addresses + len, sizeof(addresses) - len, "%s ", prefixes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (state->vips[v].services >> i & 1)
			n += snprintf(ports + n, sizeof(ports) - n, "%s ", services[i]);
	snprintf(pool, sizeof(pool), "%s %s", state->pools[state->vips[v].pool].there ? pool_names[state->vips[v].pool] :
		 config->pools[0].name, modes[state->vips[v].mode]);
	if (!len || !n)
		return;
	make_vip(config, vip_names[v], pool, addresses, ports);
	vip = &config->vips[config->n_vips - 1];
	vip->echo = state->vips[v].treatment & 1;
	vip->oversize = state->vips[v].treatment & 2;
	vip->mss = state->vips[v].treatment & 4 ? 1000 + state->vips[v].treatment : 0;
	vip->by_addresses = v == state->by_addresses;	/* of several a checked configuration has none in each other's way */
}

struct config *change_config(const struct change_state *state)
{
	struct config *config = make_config();

	config->ttl = state->ttl;
	config->hash_key[0] += state->hash_key;
	config->rates[TR_RATE_ECHO_SOURCE] = state->rate;
	if (state->other_source) {
		config->source4 = make_prefix("10.99.0.0/20");
		config->source6 = make_prefix("fd00:99::/96");
	}
	for (size_t p = 0; p < CHANGE_POOLS; p++)
		if (state->pools[p].there)
			add_pool(state, config, p);
	if (!config->n_pools)
		add_pool(state, config, 0);
	for (size_t v = 0; v < CHANGE_VIPS; v++)
		if (state->vips[v].there)
			add_vip(state, config, v);
	return config;
}
