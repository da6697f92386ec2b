/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From what libcyaml read to struct config: each value by itself (config_check.c, config_traffic.c), then all of them
 * against each other (config_conflicts.c). All return 0; -EINVAL or -ENOMEM, the message in places. Internal to
 * config*.c.
 */
#ifndef TAILRACE_CONFIG_CHECK_H
#define TAILRACE_CONFIG_CHECK_H

#include "config.h"
#include "config_places.h"
#include "config_schema.h"

struct check {
	struct places *places;
	const struct raw_config *raw;
	struct config *config;		/* filled as far as the checks went; the caller's to free */
};

/* Everything but pools and VIPs. */
int config_check_settings(struct check *check);
int config_check_pools(struct check *check);
int config_check_vips(struct check *check);	/* after the pools */

/* What stands in each other's way: addresses, services, loops; and what the limits do not hold. */
int config_check_conflicts(struct check *check);

/* `what` begins the sentence: "WHAT is 1 to 1000". */
int config_check_number(struct check *check, const char *path, const char *text, const char *what, uint32_t min,
			uint32_t max, uint32_t *ret);
int config_check_name(struct check *check, const char *path, const char *text, char **ret);

/* NULL when packets may be sent to the address, else what kind of address it is: "a multicast address". */
const char *config_unusable(const struct tr_addr *address);

#endif
