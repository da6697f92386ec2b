// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration reader: files that are refused (config_cases.h) and what is said of them, files that are taken and
 * what they mean, files that cannot be read, a large one, and mutated ones. Works in a directory of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr.h"
#include "config.h"
#include "config_cases.h"
#include "util.h"

#define FILE_NAME "edge.yaml"
#define MUTATIONS 2000

static char directory[] = "/tmp/test_config.XXXXXX";
static char example[PATH_MAX];

static void write_bytes(const char *bytes, size_t len)
{
	FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static struct config *load_text(const char *yaml)
{
	struct config *config = NULL;
	char *message = NULL;
	int err;

	write_bytes(yaml, strlen(yaml));
	err = config_load(FILE_NAME, &config, &message);
	if (message)
		print_error("%s\n", message);
	assert_int_equal(err, 0);
	assert_null(message);
	return config;
}

static void assert_refused(int expected_err, const char *path, const char *expected)
{
	struct config untouched, *config = &untouched;
	char *message = NULL;

	assert_int_equal(config_load(path, &config, &message), expected_err);
	assert_ptr_equal(config, &untouched);
	assert_non_null(message);
	assert_string_equal(message, expected);
	free(message);
}

static void test_refused(void **state)
{
	const struct refused *c = *state;
	char *expected;

	write_bytes(c->yaml, strlen(c->yaml));
	assert_true(asprintf(&expected, "%s:%s", FILE_NAME, c->message) > 0);
	assert_refused(-EINVAL, FILE_NAME, expected);
	free(expected);
}

static void assert_address(const struct tr_addr *address, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	assert_string_equal(addr_format(address, buf), text);
}

static void assert_prefix(const struct tr_prefix *prefix, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	assert_string_equal(addr_format_prefix(prefix, buf), text);
}

static void assert_times(const struct config *config, size_t pool, uint32_t settle, uint32_t udp, uint32_t syn,
			 uint32_t record, uint32_t linger, uint32_t drain)
{
	const struct config_times *times = &config->pools[pool].times;

	assert_int_equal(times->settle, settle);
	assert_int_equal(times->udp, udp);
	assert_int_equal(times->syn, syn);
	assert_int_equal(times->record, record);
	assert_int_equal(times->linger, linger);
	assert_int_equal(times->drain, drain);
}

static void assert_treatment(const struct config *config, size_t vip, bool echo, bool by_addresses, bool oversize,
			     uint16_t mss)
{
	assert_int_equal(config->vips[vip].echo, echo);
	assert_int_equal(config->vips[vip].by_addresses, by_addresses);
	assert_int_equal(config->vips[vip].oversize, oversize);
	assert_int_equal(config->vips[vip].mss, mss);
}

static void assert_rates(const struct config *config, uint32_t echo_per_source, uint32_t echo_total,
			 uint32_t too_big_per_source, uint32_t too_big_total)
{
	assert_int_equal(config->rates[TR_RATE_ECHO_SOURCE], echo_per_source);
	assert_int_equal(config->rates[TR_RATE_ECHO_ALL], echo_total);
	assert_int_equal(config->rates[TR_RATE_TOO_BIG_SOURCE], too_big_per_source);
	assert_int_equal(config->rates[TR_RATE_TOO_BIG_ALL], too_big_total);
}

static void defaults(const struct config *config)
{
	const struct config_limits limits = { 1024, 4096, 4096, 16384, 256, 4096, 2 * 65537 * 16, 16384, 4096,
					      { 262144, 65536, 65536, 65536 } };

	assert_string_equal(config->path, FILE_NAME);
	assert_string_equal(config->instance, "default");
	assert_null(config->device);
	assert_int_equal(config->hash_key[0], 0x9e1c6fb2d0473a85);
	assert_int_equal(config->hash_key[1], 0xc3f15d28e97ab046);
	assert_prefix(&config->source4, "172.16.0.0/16");
	assert_prefix(&config->source6, "100::/64");
	assert_int_equal(config->ttl, 64);
	assert_null(config->metrics_host);
	assert_memory_equal(&config->limits, &limits, sizeof(limits));
	assert_int_equal(config->n_pools, 1);
	assert_int_equal(config->pools[0].ring_size, 65537);
	assert_int_equal(config->pools[0].n_backends, 1);
	assert_int_equal(config->pools[0].backends[0].weight, 100);
	assert_int_equal(config->pools[0].backends[0].state, CONFIG_UP);
	assert_times(config, 0, 900, 30, 4, 7200, 60, 3600);
	assert_int_equal(config->n_vips, 1);
	assert_int_equal(config->vips[0].mode, TR_MODE_CHANGES);
	assert_treatment(config, 0, true, false, false, 0);
	assert_rates(config, 10, 10000, 10, 1000);
}

static void settings(const struct config *config)
{
	const struct config_limits limits = { 65535, 1048576, 1, 4194304, 32767, 524287, 268435456, 16777216, 64,
					      { 134217728, 64, 66, 65 } };

	assert_string_equal(config->instance, "Edge-1_a");
	assert_string_equal(config->device, "eth0.100");
	assert_int_equal(config->hash_key[0], 0x0123456789abcdef);
	assert_int_equal(config->hash_key[1], 0xfedcba9876543210);
	assert_prefix(&config->source4, "10.9.8.7");
	assert_prefix(&config->source6, "2001:db8::/96");
	assert_int_equal(config->ttl, 255);
	assert_string_equal(config->metrics_host, "::1");
	assert_int_equal(config->metrics_port, 9564);
	assert_memory_equal(&config->limits, &limits, sizeof(limits));
}

static void pools(const struct config *config)
{
	const struct config_pool *pool = &config->pools[1];

	assert_int_equal(config->n_pools, 2);
	assert_string_equal(pool->name, "api");
	assert_int_equal(pool->ring_size, 251);
	assert_int_equal(pool->n_backends, 4);
	assert_address(&pool->backends[0].address, "10.0.0.1");
	assert_address(&pool->backends[1].address, "2001:db8::5");
	assert_address(&pool->backends[2].address, "10.0.0.2");
	assert_int_equal(pool->backends[0].weight, 1000);
	assert_int_equal(pool->backends[1].weight, 1);
	assert_int_equal(pool->backends[0].state, CONFIG_UP);
	assert_int_equal(pool->backends[1].state, CONFIG_DOWN);
	assert_int_equal(pool->backends[2].state, CONFIG_UP);
	assert_int_equal(pool->backends[3].state, CONFIG_DRAIN);
}

static void times(const struct config *config)
{
	assert_int_equal(config->n_pools, 6);
	assert_times(config, 0, 1, 1, 0, 1, 1, 0);
	assert_times(config, 1, 36000, 36000, 60, 36000, 36000, 604800);
	/* a record's life follows settle only where it must, and only where nobody said it */
	assert_times(config, 2, 7200, 30, 4, 7200, 60, 3600);
	assert_times(config, 3, 7201, 30, 4, 7201, 60, 3600);
	assert_times(config, 4, 900, 30, 4, 900, 60, 3600);
	assert_times(config, 5, 900, 30, 4, 7200, 60, 86400);
}

static void modes(const struct config *config)
{
	static const enum tr_mode expected[] = { TR_MODE_CHANGES, TR_MODE_TRACK, TR_MODE_HASH, TR_MODE_CLIENT,
						 TR_MODE_CHANGES };

	assert_int_equal(config->n_vips, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(config->vips[i].mode, expected[i]);
}

static void treatments(const struct config *config)
{
	assert_int_equal(config->n_vips, 4);
	assert_treatment(config, 0, true, false, false, 256);
	assert_treatment(config, 1, false, true, true, 65495);
	assert_treatment(config, 2, false, false, false, 0);
	assert_treatment(config, 3, true, true, false, 0);
	assert_rates(config, 10, 0, 60000, 1);
}

static void assert_service(const struct config_service *service, enum tr_l4 l4, uint16_t port)
{
	assert_int_equal(service->l4, l4);
	assert_int_equal(service->port, port);
}

static void vips(const struct config *config)
{
	const struct config_vip *vip = &config->vips[0];

	assert_int_equal(config->n_vips, 1);
	assert_string_equal(vip->name, "www");
	assert_string_equal(config->pools[vip->pool].name, "api");
	assert_int_equal(vip->n_addresses, 4);
	assert_prefix(&vip->addresses[0], "192.0.2.1");
	assert_int_equal(vip->addresses[0].len, 128);
	assert_prefix(&vip->addresses[1], "2001:db8::1");
	assert_prefix(&vip->addresses[2], "198.51.100.0/24");
	assert_int_equal(vip->addresses[2].len, 96 + 24);
	assert_prefix(&vip->addresses[3], "2001:db8:1::/48");
	assert_int_equal(vip->n_services, 4);
	assert_service(&vip->services[0], TR_TCP, 80);
	assert_service(&vip->services[1], TR_UDP, 65535);
	assert_service(&vip->services[2], TR_TCP, 0);
	assert_service(&vip->services[3], TR_UDP, 0);
}

static void empty_lists(const struct config *config)
{
	assert_int_equal(config->n_pools, 0);
	assert_int_equal(config->n_vips, 0);
	assert_null(config->device);
}

static void two_vips(const struct config *config)
{
	assert_int_equal(config->n_vips, 2);
	assert_string_equal(config->vips[1].name, "other");
	assert_int_equal(config->vips[1].pool, 0);
}

static void shared_lists(const struct config *config)
{
	assert_int_equal(config->n_pools, 2);
	assert_int_equal(config->pools[1].n_backends, 2);
	assert_address(&config->pools[1].backends[1].address, "10.0.0.2");
	assert_int_equal(config->pools[1].backends[1].weight, 7);
	assert_int_equal(config->vips[1].n_services, 2);
	assert_service(&config->vips[1].services[1], TR_UDP, 443);
}

#define TIMES(name, text) "  - { name: " name ", backends: [address: 10.0.0.1], times: {" text "} }\n"
#define MODE_OF(name, port, text) \
	"  - { name: " name ", addresses: [192.0.2.1], pool: web, services: [" port "/tcp]" text " }\n"
#define TAKEN_VIP \
	"vips:\n  - { name: www, pool: api, services: [80/tcp, 65535/udp, all/tcp, all/udp],\n      addresses: "

static const struct taken {
	const char *name;
	const char *yaml;
	void (*check)(const struct config *config);
} taken[] = {
	{ "defaults", REST, defaults },
	{ "fields in another order", VIPS POOLS, defaults },
	{ "carriage returns", "pools:\r\n  - name: web\r\n    backends: [ { address: 10.0.0.1 } ]\r\n" VIPS, defaults },
	{ "byte order mark", "\xef\xbb\xbf" REST, defaults },
	{ "document markers", "%YAML 1.1\n---\n" REST "...\n# the end\n", defaults },
	{ "JSON",
	  "{\"vips\": [{\"name\": \"www\", \"addresses\": [\"192.0.2.1\"], \"services\": [\"80/tcp\"],\n"
	  "\"pool\": \"web\"}],\n"
	  "\"pools\": [{\"name\": \"web\", \"backends\": [{\"address\": \"10.0.0.1\", \"weight\": 100}]}]}", defaults },
	{ "every setting",
	  "instance: Edge-1_a\ndevices:\n- eth0.100\nhash_key: 0123456789abcdefFEDCBA9876543210\n"
	  "encapsulation: { source4: 10.9.8.7/32, source6: 2001:db8::/96, ttl: \"255\" }\nmetrics: \"[::1]:9564\"\n"
	  "limits: { vips: 65535, addresses: 1048576, prefixes: 1, services: 4194304, pools: 32767, backends: 524287, "
	  "ring_words: 268435456, fragments: 16777216, cache: 64, "
	  "tcp_flows: 134217728, syn_flows: 64, udp_flows: 66, tracked_flows: 65 }\n" REST, settings },
	{ "pools",
	  "pools:\n  - { name: web, ring_size: 16777213, backends: [address: 10.0.0.1] }\n"
	  "  - name: api\n    ring_size: 251\n    backends:\n      - { address: 10.0.0.1, weight: 1000, state: up }\n"
	  "      - { address: 2001:db8::5, weight: 1, state: down }\n      - { address: 10.0.0.2 }\n"
	  "      - { address: 10.0.0.3, state: drain }\n"
	  "limits: { ring_words: 33554928 }\nvips: []\n", pools },
	{ "times",
	  "pools:\n" TIMES("a", "settle: 1, udp: 1, syn: 0, record: 1, linger: 1, drain: 0")
	  TIMES("b", "drain: 604800, linger: 36000, record: 36000, syn: 60, udp: 36000, settle: 36000")
	  TIMES("c", "settle: 7200") TIMES("d", "settle: 7201") TIMES("e", "record: 900") TIMES("f", "drain: 86400")
	  "vips: []\n", times },
	{ "times without fields",
	  "pools:\n  - { name: web, times: {}, backends: [address: 10.0.0.1] }\n" VIPS, defaults },
	{ "modes",
	  POOLS "vips:\n" MODE_OF("a", "1", ", mode: changes") MODE_OF("b", "2", ", mode: track")
	  MODE_OF("c", "3", ", mode: hash") MODE_OF("d", "4", ", mode: client") MODE_OF("e", "5", ""), modes },
	{ "treatments",
	  POOLS "icmp: { echo_total: 0, too_big_per_source: 60000, too_big_total: 1 }\nvips:\n"
	  MODE_OF("a", "1", ", echo: on, fragments: drop, oversize: answer, mss: 256")
	  MODE_OF("b", "2", ", mss: 65495, oversize: fragment, fragments: addresses, echo: off")
	  MODE_OF("c", "3", ", echo: \"off\"")
	  "  - { name: d, addresses: [192.0.2.2], pool: web, services: [4/tcp], fragments: addresses }\n", treatments },
	{ "icmp without fields", "icmp: {}\n" REST, defaults },
	{ "by addresses, other protocols", BOTH_BY_ADDRESSES("addresses: [192.0.2.1], services: [80/tcp]",
							      "addresses: [192.0.2.1], services: [80/udp]"), two_vips },
	{ "by addresses, other addresses", BOTH_BY_ADDRESSES("addresses: [192.0.2.1], services: [80/tcp]",
							      "addresses: [192.0.2.2], services: [80/tcp]"), two_vips },
	{ "by addresses, all ports inside another",
	  BOTH_BY_ADDRESSES("addresses: [192.0.2.0/24], services: [80/tcp, all/tcp]",
			    "addresses: [192.0.2.2], services: [all/tcp]"), two_vips },
	{ "by addresses, the same port inside another",
	  BOTH_BY_ADDRESSES("addresses: [192.0.2.0/24], services: [80/tcp]",
			    "addresses: [192.0.2.2], services: [80/tcp, 443/tcp]"), two_vips },
	{ "vips", "pools: [ { name: api, backends: [address: 10.0.0.1] } ]\n" TAKEN_VIP
	  "[192.0.2.1/32, \"2001:db8::1\", 198.51.100.0/24, 2001:db8:1::/48] }\n", vips },
	{ "no pools, no vips, no devices", "pools: []\nvips: []\ndevices: []\n", empty_lists },
	{ "one address, other port", SECOND_VIP("    addresses: [192.0.2.1]\n    services: [443/tcp]\n    pool: web\n"),
	  two_vips },
	{ "one address, other protocol",
	  SECOND_VIP("    addresses: [192.0.2.1]\n    services: [80/udp]\n    pool: web\n"), two_vips },
	{ "one address, its other ports",
	  SECOND_VIP("    addresses: [192.0.2.1]\n    services: [all/tcp]\n    pool: web\n"), two_vips },
	{ "prefix around an address",
	  SECOND_VIP("    addresses: [192.0.2.0/24]\n    services: [80/tcp]\n    pool: web\n"), two_vips },
	{ "prefix of 25 bits beside a backend",
	  "pools: [ { name: web, backends: [address: 192.0.2.200] } ]\nvips:\n  - name: www\n    services: [80/tcp]\n"
	  "    addresses: [192.0.2.0/25]\n    pool: web\n  - name: other\n    services: [80/tcp]\n    pool: web\n"
	  "    addresses: [192.0.2.1]\n", two_vips },
	{ "demand equal to the limits",
	  "limits: { vips: 2, addresses: 2, prefixes: 1, services: 4, pools: 1, backends: 1, ring_words: 131074 }\n"
	  SECOND_VIP("    addresses: [192.0.2.2, 192.0.2.0/24, 192.0.2.1]\n    services: [81/tcp]\n    pool: web\n"),
	  two_vips },
	{ "anchors and aliases",
	  "pools:\n  - name: a\n    backends: &backends\n      - address: 10.0.0.1\n"
	  "      - { address: 10.0.0.2, weight: 7 }\n"
	  "  - { name: b, backends: *backends }\nvips:\n  - name: v4\n    addresses: [192.0.2.1]\n"
	  "    services: &web [443/tcp, 443/udp]\n    pool: &pool a\n"
	  "  - { name: v6, addresses: [2001:db8::1], services: *web, pool: *pool }\n", shared_lists },
};

static void test_taken(void **state)
{
	const struct taken *c = *state;
	struct config *config = load_text(c->yaml);

	c->check(config);
	config_free(config);
}

static void test_example(void **state)
{
	struct config *config;
	char *message = NULL;
	int err = config_load(example, &config, &message);

	if (message)
		print_error("%s\n", message);
	assert_int_equal(err, 0);
	assert_string_equal(config->instance, "edge1");
	assert_string_equal(config->device, "eth0");
	assert_int_equal(config->n_pools, 2);
	assert_int_equal(config->n_vips, 3);
	config_free(config);
}

static void test_missing_file(void **state)
{
	assert_refused(-ENOENT, "nowhere.yaml", "nowhere.yaml: No such file or directory");
}

static void test_directory(void **state)
{
	assert_refused(-EISDIR, "/tmp", "/tmp: a directory; a regular file is expected");
}

static void test_fifo(void **state)
{
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_refused(-EINVAL, "fifo", "fifo: not a regular file; a regular file is expected");
}

/* A valid file, then a comment as far as the size. */
static char *padded(size_t size)
{
	char *text = malloc(size);

	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, REST "#", strlen(REST "#"));
	text[size - 1] = '\n';
	return text;
}

static void test_largest_file(void **state)
{
	_cleanup_free_ char *text = padded(CONFIG_FILE_MAX);
	struct config *config = NULL;
	char *message = NULL;

	write_bytes(text, CONFIG_FILE_MAX);
	assert_int_equal(config_load(FILE_NAME, &config, &message), 0);
	defaults(config);
	config_free(config);
}

static void test_file_too_large(void **state)
{
	_cleanup_free_ char *text = padded(CONFIG_FILE_MAX + 1);

	write_bytes(text, CONFIG_FILE_MAX + 1);
	assert_refused(-EFBIG, FILE_NAME, FILE_NAME ": larger than 16 MiB; a configuration is at most that");
}

static void test_nesting(void **state)
{
	char text[100000];

	memset(text, '[', sizeof(text));
	write_bytes(text, sizeof(text));
	assert_refused(-EINVAL, FILE_NAME,
		       FILE_NAME ":1: file: lists and mappings nest deeper than 32; fewer levels are expected");
}

static void test_anchors(void **state)
{
	FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	fprintf(file, "vips: []\npools:\n");
	for (int i = 0; i < 1001; i++)
		fprintf(file, "  - &a%d x\n", i);
	assert_int_equal(fclose(file), 0);
	assert_refused(-EINVAL, FILE_NAME, FILE_NAME ":1003: file: more than 1000 anchors; fewer are expected");
}

/* 3,000 lists of 3,000 aliases: 30 kB that stand for 18 million values. */
static void test_multiplied_aliases(void **state)
{
	FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	fprintf(file, "vips: []\npools:\n  - name: a\n    backends: &all\n      - &one { address: 10.0.0.1 }\n");
	for (int i = 0; i < 3000; i++)
		fprintf(file, "      - *one\n");
	for (int i = 0; i < 3000; i++)
		fprintf(file, "  - { name: p%d, backends: *all }\n", i);
	assert_int_equal(fclose(file), 0);
	assert_refused(-EINVAL, FILE_NAME, FILE_NAME ":5: pools[698].backends[1404]: "
		       "more than 4194304 values with aliases followed; fewer are expected");
}

static void write_large(void)
{
	FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	fprintf(file, "limits: { backends: 10000, ring_words: 13107400 }\npools:\n");
	for (int p = 0; p < 100; p++) {
		fprintf(file, "  - name: p%d\n    backends:\n", p);
		for (int b = 0; b < 100; b++)
			fprintf(file, "      - { address: 10.0.%d.%d, weight: %d, state: up }\n", p, b + 1, b + 1);
	}
	fprintf(file, "vips:\n");
	for (int v = 0; v < 1000; v++)
		fprintf(file, "  - name: v%d\n    addresses: [192.0.%d.%d, 2001:db8::%x]\n"
			"    services: [80/tcp, 443/udp]\n    pool: p%d\n", v, v / 250, v % 250 + 1, v + 1, v % 100);
	assert_int_equal(fclose(file), 0);
}

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void test_large(void **state)
{
	const char *preload = getenv("LD_PRELOAD");
	struct config *config = NULL;
	char *message = NULL;
	double start, taken_seconds;

	write_large();
	start = cpu_seconds();
	assert_int_equal(config_load(FILE_NAME, &config, &message), 0);
	taken_seconds = cpu_seconds() - start;
	assert_int_equal(config->n_vips, 1000);
	assert_string_equal(config->pools[config->vips[999].pool].name, "p99");
	assert_address(&config->pools[99].backends[99].address, "10.0.99.100");
	assert_int_equal(config->pools[99].backends[99].weight, 100);
	config_free(config);
	/* valgrind takes 30 times as long */
	if (!preload || !strstr(preload, "vgpreload"))
		assert_true(taken_seconds < 1.0);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* A byte replaced, removed, or put in; a piece repeated elsewhere; the end cut off. Returns the new length. */
static size_t mutate(char *text, size_t len, uint64_t *seed)
{
	static const char likely[] = "\t\n\r \"#%&'*,-./0:?@[]`{|}~\\\0\x7f\x80\xc2\xff<>!=a1";
	size_t at = next_random(seed) % len, from = next_random(seed) % len, n;
	char byte = likely[next_random(seed) % (sizeof(likely) - 1)];

	switch (next_random(seed) % 8) {
	case 0:
		text[at] = next_random(seed);
		return len;
	case 1: case 2:
		text[at] = byte;
		return len;
	case 3:
		memmove(text + at, text + at + 1, len - at - 1);
		return len > 1 ? len - 1 : len;
	case 4: case 5:
		memmove(text + at + 1, text + at, len - at);
		text[at] = byte;
		return len + 1;
	case 6:
		n = next_random(seed) % 64 % (len - (at > from ? at : from));
		memmove(text + at, text + from, n);
		return len;
	default:
		return next_random(seed) % 8 ? len : at + 1;
	}
}

/* "edge.yaml:LINE: PATH: WORDS", LINE within the text or just behind it. */
static void assert_message(const char *message, const char *text, size_t len)
{
	size_t lines = 2;
	unsigned int line;
	int after = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n' || text[i] == '\r' || text[i] == '\xc2' || text[i] == '\xe2';
	assert_int_equal(sscanf(message, FILE_NAME ":%u: %n", &line, &after), 1);
	assert_true(after > 0 && strstr(message + after, ": "));
	assert_in_range(line, 1, lines);
	for (const char *c = message; *c; c++)
		assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
	/* what libcyaml would refuse is refused before it, with a line */
	assert_null(strstr(message, "libcyaml"));
}

static void test_mutations(void **state)
{
	static const char original[] =
		"instance: edge1\ndevices: [eth0]\nhash_key: 0123456789abcdef0123456789abcdef\n"
		"encapsulation: { source4: 172.16.0.0/16, source6: \"0100::/64\", ttl: 64 }\nmetrics: \"[::1]:9564\"\n"
		"limits:\n  vips: 10\n  cache: 128\n  syn_flows: 64\npools:\n  - name: web\n    ring_size: 251\n"
		"    times: { settle: 60, record: 90 }\n    backends: &b\n"
		"      - { address: 10.0.0.1, weight: 5, state: drain }\n      - &x\n        address: fd00::1\n"
		"  - { name: 'api', backends: *b }\nvips:\n  - name: www\n    addresses: [192.0.2.1, \"2001:db8::1\"]\n"
		"    services: [80/tcp, all/udp]\n    pool: web\n    mode: client\n# the end\n";
	uint64_t seed = 0x9e3779b97f4a7c15;
	char text[sizeof(original) + 64];
	int results[2] = {};

	for (int i = 0; i < MUTATIONS; i++) {
		size_t len = strlen(original), changes = 1 + next_random(&seed) % 4;
		struct config *config = NULL;
		char *message = NULL;
		int err;

		memcpy(text, original, len);
		for (size_t c = 0; c < changes; c++)
			len = mutate(text, len, &seed);
		write_bytes(text, len);
		err = config_load(FILE_NAME, &config, &message);
		assert_true(err == 0 || err == -EINVAL);
		results[err != 0]++;
		if (err)
			assert_message(message, text, len);
		else
			assert_null(message);
		config_free(config);
		free(message);
	}
	/* neither answer always */
	assert_in_range(results[0], MUTATIONS / 50, MUTATIONS);
	assert_in_range(results[1], MUTATIONS / 4, MUTATIONS);
}

static int enter_directory(void **state)
{
	/* tests are run from the top of the source tree */
	if (!realpath("docs/example.yaml", example))
		return -1;
	return mkdtemp(directory) && !chdir(directory) ? 0 : -1;
}

static int leave_directory(void **state)
{
	unlink(FILE_NAME);
	unlink("fifo");
	return chdir("/") || rmdir(directory);
}

int main(void)
{
	static const struct CMUnitTest files[] = {
		cmocka_unit_test(test_example),	      cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_directory),     cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_largest_file),  cmocka_unit_test(test_file_too_large),
		cmocka_unit_test(test_nesting),	      cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_multiplied_aliases), cmocka_unit_test(test_large),
		cmocka_unit_test(test_mutations),
	};
	struct CMUnitTest tests[ARRAY_SIZE(refused) + ARRAY_SIZE(taken) + ARRAY_SIZE(files)];
	size_t n = 0;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		tests[n++] = (struct CMUnitTest){ taken[i].name, test_taken, NULL, NULL, (void *)&taken[i] };
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		tests[n++] = (struct CMUnitTest){ refused[i].name, test_refused, NULL, NULL, (void *)&refused[i] };
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		tests[n++] = files[i];
	return _cmocka_run_group_tests("config", tests, n, enter_directory, leave_directory);
}
