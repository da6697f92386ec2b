// SPDX-License-Identifier: GPL-2.0-only
/* Configurations for unit tests; see make_config.h. */
#include "make_config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "util.h"

struct tr_addr make_addr(const char *text)
{
	struct tr_addr addr = {};
	int err = addr_parse(text, &addr);

	assert(!err);
	return addr;
}

struct tr_prefix make_prefix(const char *text)
{
	struct tr_prefix prefix = {};
	int err = addr_parse_prefix(text, &prefix);

	assert(!err);
	return prefix;
}

struct config *make_config(void)
{
	struct config *config = calloc(1, sizeof(*config));

	assert(config);
	config->path = strdup("test.yaml");
	config->instance = strdup(CONFIG_INSTANCE);
	config->hash_key[0] = 0x9e1c6fb2d0473a85;
	config->hash_key[1] = 0xc3f15d28e97ab046;
	config->source4 = make_prefix(CONFIG_SOURCE4);
	config->source6 = make_prefix(CONFIG_SOURCE6);
	config->ttl = CONFIG_TTL;
	config->rates[TR_RATE_ECHO_SOURCE] = CONFIG_ECHO_PER_SOURCE;
	config->rates[TR_RATE_ECHO_ALL] = CONFIG_ECHO_TOTAL;
	config->rates[TR_RATE_TOO_BIG_SOURCE] = CONFIG_TOO_BIG_PER_SOURCE;
	config->rates[TR_RATE_TOO_BIG_ALL] = CONFIG_TOO_BIG_TOTAL;
	config->limits = (struct config_limits){ .vips = 8, .addresses = 32, .prefixes = 32, .services = 512,
						 .pools = 8, .backends = 64, .ring_words = 16384, .cache = 16,
						 .flows = { 256, 256, 256, 256 } };
	return config;
}

/* The next word of a list, which it cuts; NULL at the end. */
static char *next_word(char **list)
{
	char *word;

	do
		word = strsep(list, " ");
	while (word && !*word);
	return word;
}

/* One zeroed element more. */
static void *grow(void *array, size_t *n, size_t size)
{
	char *more = reallocarray(array, *n + 1, size);

	assert(more);
	memset(more + *n * size, 0, size);
	++*n;
	return more;
}

static struct config_backend make_backend(char *word)
{
	struct config_backend backend = { .weight = CONFIG_WEIGHT, .state = CONFIG_UP };
	size_t len = strlen(word);
	char *weight;

	if (word[len - 1] == '!' || word[len - 1] == '~') {
		backend.state = word[len - 1] == '!' ? CONFIG_DOWN : CONFIG_DRAIN;
		word[len - 1] = '\0';
	}
	weight = strchr(word, '=');
	if (weight) {
		backend.weight = strtoul(weight + 1, NULL, 10);
		*weight = '\0';
	}
	backend.address = make_addr(word);
	return backend;
}

void make_pool(struct config *config, const char *name, uint32_t ring_size, const char *backends)
{
	_cleanup_free_ char *copy = strdup(backends);
	char *rest = copy, *word;
	struct config_pool *pool;

	config->pools = grow(config->pools, &config->n_pools, sizeof(*config->pools));
	pool = &config->pools[config->n_pools - 1];
	pool->name = strdup(name);
	pool->ring_size = ring_size;
	pool->times = (struct config_times){ .settle = CONFIG_SETTLE, .udp = CONFIG_UDP, .syn = CONFIG_SYN,
					     .record = CONFIG_RECORD, .linger = CONFIG_LINGER,
					     .drain = CONFIG_DRAIN_TIME };
	while ((word = next_word(&rest))) {
		pool->backends = grow(pool->backends, &pool->n_backends, sizeof(*pool->backends));
		pool->backends[pool->n_backends - 1] = make_backend(word);
	}
}

static struct config_service make_service(const char *word)
{
	struct config_service service;
	char l4[4] = "";
	int n = sscanf(word, "%3[a-z]/%hu", l4, &service.port);

	assert(n == 2 && (!strcmp(l4, "tcp") || !strcmp(l4, "udp")));
	service.l4 = !strcmp(l4, "tcp") ? TR_TCP : TR_UDP;
	return service;
}

static enum tr_mode find_mode(const char *word)
{
	static const char *const modes[] = { [TR_MODE_CHANGES] = "changes", [TR_MODE_TRACK] = "track",
					     [TR_MODE_HASH] = "hash", [TR_MODE_CLIENT] = "client" };
	size_t i = 0;

	while (i < ARRAY_SIZE(modes) && strcmp(modes[i], word))
		i++;
	assert(i < ARRAY_SIZE(modes));
	return i;
}

static size_t pool_index(const struct config *config, const char *name)
{
	size_t i = 0;

	while (i < config->n_pools && strcmp(config->pools[i].name, name))
		i++;
	assert(i < config->n_pools);
	return i;
}

void make_vip(struct config *config, const char *name, const char *pool, const char *addresses, const char *services)
{
	_cleanup_free_ char *address_list = strdup(addresses), *service_list = strdup(services);
	_cleanup_free_ char *pool_words = strdup(pool);
	char *rest = address_list, *word, *mode = pool_words;
	struct config_vip *vip;

	config->vips = grow(config->vips, &config->n_vips, sizeof(*config->vips));
	vip = &config->vips[config->n_vips - 1];
	vip->name = strdup(name);
	vip->pool = pool_index(config, next_word(&mode));
	vip->mode = mode ? find_mode(mode) : TR_MODE_CHANGES;
	vip->echo = true;
	while ((word = next_word(&rest))) {
		vip->addresses = grow(vip->addresses, &vip->n_addresses, sizeof(*vip->addresses));
		vip->addresses[vip->n_addresses - 1] = make_prefix(word);
	}
	rest = service_list;
	while ((word = next_word(&rest))) {
		vip->services = grow(vip->services, &vip->n_services, sizeof(*vip->services));
		vip->services[vip->n_services - 1] = make_service(word);
	}
}

bool naive_contains(const struct tr_prefix *prefix, const struct tr_addr *address)
{
	const uint8_t *a = (const uint8_t *)&prefix->addr, *b = (const uint8_t *)address;

	if (memcmp(a, b, prefix->len / 8))
		return false;
	for (uint32_t bit = prefix->len / 8 * 8; bit < prefix->len; bit++)
		if ((a[bit / 8] ^ b[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

/* The VIP that has this very (length, protocol, port) around the address. */
static uint32_t find_claim(const struct config *config, const struct tr_addr *address, uint32_t len, enum tr_l4 l4,
			   uint16_t port)
{
	for (size_t v = 0; v < config->n_vips; v++) {
		const struct config_vip *vip = &config->vips[v];

		for (size_t a = 0; a < vip->n_addresses; a++)
			for (size_t s = 0; s < vip->n_services; s++)
				if (vip->addresses[a].len == len && vip->services[s].l4 == l4 &&
				    vip->services[s].port == port && naive_contains(&vip->addresses[a], address))
					return v + 1;
	}
	return 0;
}

uint32_t naive_find_vip_at(const struct config *config, const struct tr_prefix *prefix, enum tr_l4 l4, uint16_t port)
{
	for (int len = prefix->len; len >= 0; len--) {
		uint32_t vip = find_claim(config, &prefix->addr, len, l4, port);

		if (!vip)
			vip = find_claim(config, &prefix->addr, len, l4, 0);
		if (vip)
			return vip;
	}
	return 0;
}

uint32_t naive_find_vip(const struct config *config, const struct tr_addr *address, enum tr_l4 l4, uint16_t port)
{
	const struct tr_prefix single = { 128, *address };

	return naive_find_vip_at(config, &single, l4, port);
}
