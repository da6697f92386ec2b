// SPDX-License-Identifier: GPL-2.0-only
/* Values that stand by themselves: see config_check.h. docs/configuration.md names every range that is checked here. */
#include "config_check.h"
#include "paths.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "addr.h"
#include "util.h"

#define NUMBER_DIGITS 10
#define PREFIX4(len) (96 + (len))
#define FLOWS_MIN 64
#define FLOWS_MAX (1 << 27)	/* 4 GiB of slots in a tier that has twice its limit */

/* Decimal digits alone: 010 is 8 to some readers of YAML and 10 to others. */
static bool parse_number(const char *text, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t value = 0;

	if (!digits || digits > NUMBER_DIGITS || text[digits] || (text[0] == '0' && digits > 1))
		return false;
	while (*text)
		value = value * 10 + (*text++ - '0');
	*ret = value;
	return true;
}

int config_check_number(struct check *check, const char *path, const char *text, const char *what, uint32_t min,
			uint32_t max, uint32_t *ret)
{
	uint64_t value;

	if (!parse_number(text, &value) || value < min || value > max)
		return places_wrong(check->places, path, "%s; %s is %u to %u", shown(text).text, what, min, max);
	*ret = value;
	return 0;
}

int config_check_name(struct check *check, const char *path, const char *text, char **ret)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

	if (!*text || *text == '.' || text[strspn(text, allowed)] || strlen(text) >= TR_NAME_MAX)
		return places_wrong(check->places, path,
				    "%s; a name is 1 to %d of A-Z a-z 0-9 _ . - and does not start with a dot",
				    shown(text).text, TR_NAME_MAX - 1);
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

const char *config_unusable(const struct tr_addr *address)
{
	uint32_t first = ntohl(address->w[0]), v4 = ntohl(address->w[3]);

	if (addr_is_v4(address)) {
		if (v4 == INADDR_ANY)
			return "the unspecified address";
		if (v4 >> 24 == 0)
			return "an address of \"this network\"";
		if (v4 >> 24 == 127)
			return "a loopback address";
		if (v4 >> 28 == 14)
			return "a multicast address";
		return v4 == INADDR_BROADCAST ? "the broadcast address" : NULL;
	}
	/* ::/80 holds :: and ::1, and what IPv4 addresses are mapped to: a prefix in it could catch all of IPv4 */
	if (!address->w[0] && !address->w[1] && !(ntohl(address->w[2]) >> 16)) {
		if (!address->w[2] && !v4)
			return "the unspecified address";
		return !address->w[2] && v4 == 1 ? "the loopback address" : "an address of the reserved ::/80";
	}
	if (first >> 22 == 0xfe80 >> 6)
		return "a link-local address";
	return first >> 24 == 0xff ? "a multicast address" : NULL;
}

static int check_devices(struct check *check)
{
	const struct raw_config *raw = check->raw;
	const char *name;

	if (!raw->devices_count)
		return 0;
	name = raw->devices[0];
	if (raw->devices_count > 1)
		return places_wrong(check->places, "devices[1]", "%s is a second device; one device is supported",
				    shown(raw->devices[1]).text);
	if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/: \t\n\r\v\f") || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return places_wrong(check->places, "devices[0]",
				    "%s; an interface's name is 1 to %d characters without spaces, slashes and colons",
				    shown(name).text, IFNAMSIZ - 1);
	check->config->device = strdup(name);
	return check->config->device ? 0 : -ENOMEM;
}

static int check_hash_key(struct check *check)
{
	const char *text = check->raw->hash_key ?: CONFIG_HASH_KEY;
	uint64_t *key = check->config->hash_key;

	if (strlen(text) != 32 || text[strspn(text, "0123456789abcdefABCDEF")])
		return places_wrong(check->places, "hash_key", "%s; a key is 32 hexadecimal digits", shown(text).text);
	for (size_t i = 0; i < 32; i++)
		key[i / 16] = key[i / 16] << 4 | (isdigit(text[i]) ? text[i] - '0' : tolower(text[i]) - 'a' + 10);
	return 0;
}

static int check_source(struct check *check, const char *path, const char *text, bool v4, struct tr_prefix *ret)
{
	uint32_t min = v4 ? PREFIX4(8) : 16;
	const char *unusable, *allowed = v4 ? "an IPv4 prefix of 8 to 32 bits is expected, such as " CONFIG_SOURCE4
					    : "an IPv6 prefix of 16 to 128 bits is expected, such as " CONFIG_SOURCE6;
	struct tr_prefix prefix;
	int err = addr_parse_prefix(text, &prefix);

	if (err == -ERANGE)
		return places_wrong(check->places, path, "%s has bits set behind its length; %s",
				    shown(text).text, allowed);
	if (err || addr_is_v4(&prefix.addr) != v4 || prefix.len < min)
		return places_wrong(check->places, path, "%s; %s", shown(text).text, allowed);
	unusable = config_unusable(&prefix.addr);
	if (unusable)
		return places_wrong(check->places, path, "%s starts with %s; a unicast prefix is expected",
				    shown(text).text, unusable);
	*ret = prefix;
	return 0;
}

static int check_encapsulation(struct check *check)
{
	const struct raw_encapsulation none = {}, *raw = check->raw->encapsulation ?: &none;
	struct config *config = check->config;
	uint32_t ttl = CONFIG_TTL;
	int err;

	err = check_source(check, "encapsulation.source4", raw->source4 ?: CONFIG_SOURCE4, true, &config->source4);
	if (!err)
		err = check_source(check, "encapsulation.source6", raw->source6 ?: CONFIG_SOURCE6, false,
				   &config->source6);
	if (!err && raw->ttl)
		err = config_check_number(check, "encapsulation.ttl", raw->ttl, "a TTL", 1, 255, &ttl);
	config->ttl = ttl;
	return err;
}

static int check_icmp(struct check *check)
{
	static const struct rate {
		const char *path;
		size_t raw;
		uint32_t normal;
	} rates[TR_RATE_COUNT] = {
#define RATE(name, normal) { "icmp." #name, offsetof(struct raw_icmp, name), normal }
		[TR_RATE_ECHO_SOURCE] = RATE(echo_per_source, CONFIG_ECHO_PER_SOURCE),
		[TR_RATE_ECHO_ALL] = RATE(echo_total, CONFIG_ECHO_TOTAL),
		[TR_RATE_TOO_BIG_SOURCE] = RATE(too_big_per_source, CONFIG_TOO_BIG_PER_SOURCE),
		[TR_RATE_TOO_BIG_ALL] = RATE(too_big_total, CONFIG_TOO_BIG_TOTAL),
#undef RATE
	};
	const struct raw_icmp none = {}, *raw = check->raw->icmp ?: &none;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rates) && !err; i++) {
		const char *text = *(char *const *)((const char *)raw + rates[i].raw);
		uint32_t *value = &check->config->rates[i];

		*value = rates[i].normal;
		if (text)
			err = config_check_number(check, rates[i].path, text, "this limit, in answers a second,", 0,
						  CONFIG_RATE_MAX, value);
	}
	return err;
}

/* "ADDRESS:PORT", an IPv6 address in brackets: which colon is the port's would be a guess without them. */
static bool parse_endpoint(const char *text, char *host, size_t size, uint16_t *ret_port)
{
	bool bracket = *text == '[';
	const char *end = bracket ? strchr(text, ']') : strchr(text, ':');
	struct tr_addr address;
	uint64_t port;

	if (!end || end[bracket] != ':' || !parse_number(end + bracket + 1, &port) || port < 1 || port > UINT16_MAX)
		return false;
	text += bracket;
	if ((size_t)(end - text) >= size)
		return false;
	memcpy(host, text, end - text);
	host[end - text] = '\0';
	if (addr_parse(host, &address) || addr_is_v4(&address) == bracket)
		return false;
	*ret_port = port;
	return true;
}

static int check_metrics(struct check *check)
{
	char host[INET6_ADDRSTRLEN];

	if (!check->raw->metrics)
		return 0;
	if (!parse_endpoint(check->raw->metrics, host, sizeof(host), &check->config->metrics_port))
		return places_wrong(check->places, "metrics",
				    "%s; an address and a port are expected, such as 127.0.0.1:9564 or \"[::1]:9564\"",
				    shown(check->raw->metrics).text);
	check->config->metrics_host = strdup(host);
	return check->config->metrics_host ? 0 : -ENOMEM;
}

static int check_limits(struct check *check)
{
	static const struct limit {
		const char *path;
		size_t raw;
		size_t config;
		uint32_t normal, min, max;
	} limits[] = {
#define LIMIT_OF(name, field, ...)                                                                                   \
	{ "limits." #name, offsetof(struct raw_limits, name), offsetof(struct config_limits, field), __VA_ARGS__ }
#define LIMIT(name, ...) LIMIT_OF(name, name, __VA_ARGS__)
#define FLOWS(name, tier, normal) LIMIT_OF(name, flows[tier], normal, FLOWS_MIN, FLOWS_MAX)
		LIMIT(vips, TR_VIPS_DEFAULT, 1, UINT16_MAX),
		LIMIT(addresses, TR_ADDRESSES_DEFAULT, 1, 1 << 20),
		LIMIT(prefixes, TR_PREFIXES_DEFAULT, 1, 1 << 20),
		LIMIT(services, TR_SERVICES_DEFAULT, 1, 1 << 22),
		LIMIT(pools, TR_POOLS_DEFAULT, 1, UINT16_MAX / TR_ROOM),
		LIMIT(backends, TR_BACKENDS_DEFAULT, 1, TR_BACKEND_MASK / TR_ROOM),
		LIMIT(ring_words, TR_RING_WORDS_DEFAULT, 2 * CONFIG_RING_SIZE_MIN, 1 << 28),
		LIMIT(cache, TR_CACHE_DEFAULT, 64, 1 << 16),
		LIMIT(fragments, TR_FRAGMENTS_DEFAULT, 64, 1 << 24),
		FLOWS(tcp_flows, TR_TIER_TCP, TR_TCP_FLOWS_DEFAULT),
		FLOWS(syn_flows, TR_TIER_SYN, TR_SYN_FLOWS_DEFAULT),
		FLOWS(udp_flows, TR_TIER_UDP, TR_UDP_FLOWS_DEFAULT),
		FLOWS(tracked_flows, TR_TIER_TRACK, TR_TRACKED_FLOWS_DEFAULT),
#undef FLOWS
#undef LIMIT
#undef LIMIT_OF
	};
	const struct raw_limits none = {}, *raw = check->raw->limits ?: &none;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		const char *text = *(char *const *)((const char *)raw + limits[i].raw);
		uint32_t *value = (uint32_t *)((char *)&check->config->limits + limits[i].config);
		int err;

		*value = limits[i].normal;
		if (!text)
			continue;
		err = config_check_number(check, limits[i].path, text, "this limit", limits[i].min, limits[i].max,
					  value);
		if (err)
			return err;
	}
	if (check->config->limits.cache & (check->config->limits.cache - 1))
		return places_wrong(check->places, "limits.cache", "%u; a power of two from 64 to 65536 is expected",
				    check->config->limits.cache);
	return 0;
}

int config_check_settings(struct check *check)
{
	const char *instance = check->raw->instance ?: CONFIG_INSTANCE;
	int err = config_check_name(check, "instance", instance, &check->config->instance);

	if (!err && !paths_is_instance(instance))
		return places_wrong(check->places, "instance", "%s; an instance's name has no dot, which the BPF file system "
				    "takes in no directory's name, and does not begin with " TR_PIN_DECAP,
				    shown(instance).text);
	if (!err)
		err = check_devices(check);
	if (!err)
		err = check_hash_key(check);
	if (!err)
		err = check_encapsulation(check);
	if (!err)
		err = check_icmp(check);
	if (!err)
		err = check_metrics(check);
	return err ?: check_limits(check);
}
