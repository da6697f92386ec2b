// SPDX-License-Identifier: GPL-2.0-only
/* The shape of the configuration file; see config_schema.h. docs/configuration.md describes the fields. */
#include "config_schema.h"

#define REQUIRED CYAML_FLAG_POINTER
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

#define TEXT(key, flags, structure) CYAML_FIELD_STRING_PTR(#key, flags, structure, key, 0, CYAML_UNLIMITED)
#define LIST(key, flags, structure, entry) \
	CYAML_FIELD_SEQUENCE(#key, flags, structure, key, entry, 0, CYAML_UNLIMITED)

static const cyaml_schema_value_t text = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED) };

static const cyaml_schema_field_t backend_fields[] = {
	TEXT(address, REQUIRED, struct raw_backend),
	TEXT(weight, OPTIONAL, struct raw_backend),
	TEXT(state, OPTIONAL, struct raw_backend),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t backend = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_backend, backend_fields),
};

static const cyaml_schema_field_t times_fields[] = {
	TEXT(settle, OPTIONAL, struct raw_times),
	TEXT(udp, OPTIONAL, struct raw_times),
	TEXT(syn, OPTIONAL, struct raw_times),
	TEXT(record, OPTIONAL, struct raw_times),
	TEXT(linger, OPTIONAL, struct raw_times),
	TEXT(drain, OPTIONAL, struct raw_times),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t pool_fields[] = {
	TEXT(name, REQUIRED, struct raw_pool),
	TEXT(ring_size, OPTIONAL, struct raw_pool),
	CYAML_FIELD_MAPPING_PTR("times", OPTIONAL, struct raw_pool, times, times_fields),
	LIST(backends, REQUIRED, struct raw_pool, &backend),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t pool = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_pool, pool_fields),
};

static const cyaml_schema_field_t vip_fields[] = {
	TEXT(name, REQUIRED, struct raw_vip),
	LIST(addresses, REQUIRED, struct raw_vip, &text),
	LIST(services, REQUIRED, struct raw_vip, &text),
	TEXT(pool, REQUIRED, struct raw_vip),
	TEXT(mode, OPTIONAL, struct raw_vip),
	TEXT(echo, OPTIONAL, struct raw_vip),
	TEXT(fragments, OPTIONAL, struct raw_vip),
	TEXT(oversize, OPTIONAL, struct raw_vip),
	TEXT(mss, OPTIONAL, struct raw_vip),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t vip = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_vip, vip_fields),
};

static const cyaml_schema_field_t encapsulation_fields[] = {
	TEXT(source4, OPTIONAL, struct raw_encapsulation),
	TEXT(source6, OPTIONAL, struct raw_encapsulation),
	TEXT(ttl, OPTIONAL, struct raw_encapsulation),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t icmp_fields[] = {
	TEXT(echo_per_source, OPTIONAL, struct raw_icmp),
	TEXT(echo_total, OPTIONAL, struct raw_icmp),
	TEXT(too_big_per_source, OPTIONAL, struct raw_icmp),
	TEXT(too_big_total, OPTIONAL, struct raw_icmp),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	TEXT(vips, OPTIONAL, struct raw_limits),
	TEXT(addresses, OPTIONAL, struct raw_limits),
	TEXT(prefixes, OPTIONAL, struct raw_limits),
	TEXT(services, OPTIONAL, struct raw_limits),
	TEXT(pools, OPTIONAL, struct raw_limits),
	TEXT(backends, OPTIONAL, struct raw_limits),
	TEXT(ring_words, OPTIONAL, struct raw_limits),
	TEXT(cache, OPTIONAL, struct raw_limits),
	TEXT(tcp_flows, OPTIONAL, struct raw_limits),
	TEXT(syn_flows, OPTIONAL, struct raw_limits),
	TEXT(udp_flows, OPTIONAL, struct raw_limits),
	TEXT(tracked_flows, OPTIONAL, struct raw_limits),
	TEXT(fragments, OPTIONAL, struct raw_limits),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t config_fields[] = {
	TEXT(instance, OPTIONAL, struct raw_config),
	LIST(devices, OPTIONAL, struct raw_config, &text),
	TEXT(hash_key, OPTIONAL, struct raw_config),
	CYAML_FIELD_MAPPING_PTR("encapsulation", OPTIONAL, struct raw_config, encapsulation, encapsulation_fields),
	CYAML_FIELD_MAPPING_PTR("icmp", OPTIONAL, struct raw_config, icmp, icmp_fields),
	TEXT(metrics, OPTIONAL, struct raw_config),
	CYAML_FIELD_MAPPING_PTR("limits", OPTIONAL, struct raw_config, limits, limits_fields),
	LIST(pools, REQUIRED, struct raw_config, &pool),
	LIST(vips, REQUIRED, struct raw_config, &vip),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, config_fields),
};
