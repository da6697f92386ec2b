/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration file as libcyaml reads it: the same shape as the document, every value still text. Numbers too:
 * libcyaml takes 010 for 8 and 0x50 for 80, and after it nobody could say what had been written. NULL or 0 entries: not
 * given.
 * Internal to config*.c.
 */
#ifndef TAILRACE_CONFIG_SCHEMA_H
#define TAILRACE_CONFIG_SCHEMA_H

#include <stdint.h>

#include <cyaml/cyaml.h>

struct places;

struct raw_backend {
	char *address;
	char *weight;
	char *state;
};

struct raw_times {
	char *settle;
	char *udp;
	char *syn;
	char *record;
	char *linger;
	char *drain;
};

struct raw_pool {
	char *name;
	char *ring_size;
	struct raw_times *times;
	struct raw_backend *backends;
	uint32_t backends_count;
};

struct raw_vip {
	char *name;
	char **addresses;
	uint32_t addresses_count;
	char **services;
	uint32_t services_count;
	char *pool;
	char *mode;
	char *echo;
	char *fragments;
	char *oversize;
	char *mss;
};

struct raw_encapsulation {
	char *source4;
	char *source6;
	char *ttl;
};

struct raw_icmp {
	char *echo_per_source;
	char *echo_total;
	char *too_big_per_source;
	char *too_big_total;
};

struct raw_limits {
	char *vips;
	char *addresses;
	char *prefixes;
	char *services;
	char *pools;
	char *backends;
	char *ring_words;
	char *cache;
	char *tcp_flows;
	char *syn_flows;
	char *udp_flows;
	char *tracked_flows;
	char *fragments;
};

struct raw_config {
	char *instance;
	char **devices;
	uint32_t devices_count;
	char *hash_key;
	struct raw_encapsulation *encapsulation;
	struct raw_icmp *icmp;
	char *metrics;
	struct raw_limits *limits;
	struct raw_pool *pools;
	uint32_t pools_count;
	struct raw_vip *vips;
	uint32_t vips_count;
};

/* Of a document: a mapping, a struct raw_config. */
extern const cyaml_schema_value_t config_schema;

/*
 * Holds the document against the schema: kinds, unknown, missing and repeated fields, each with the line where it
 * stands (libcyaml names another one). 0; -EINVAL or -ENOMEM, the message in places.
 */
int config_shape_check(struct places *places, const cyaml_schema_value_t *schema);

#endif
