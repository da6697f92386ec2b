/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Configurations for unit tests, as structures, without a file; and what such a configuration means, evaluated naively
 * from the order of preference as the documentation states it. A word that is wrong here ends the program.
 */
#ifndef TAILRACE_TEST_MAKE_CONFIG_H
#define TAILRACE_TEST_MAKE_CONFIG_H

#include "config.h"

/* Without pools and VIPs; small limits. For config_free(). */
struct config *make_config(void);
/*
 * backends: "10.0.0.1 10.0.0.2=50 2001:db8::3! 10.0.0.4~": of weight CONFIG_WEIGHT, 50, down, and draining. Times are the
 * defaults, for the caller to change in config->pools[config->n_pools - 1].
 */
void make_pool(struct config *config, const char *name, uint32_t ring_size, const char *backends);
/*
 * pool: its name, it is there already; "web client" is with a mode, as the file has it. addresses: "192.0.2.1
 * 2001:db8::/32"; services: "tcp/80 udp/0".
 */
void make_vip(struct config *config, const char *name, const char *pool, const char *addresses, const char *services);

struct tr_addr make_addr(const char *text);
struct tr_prefix make_prefix(const char *text);

/* Index into config.vips + 1 of the VIP that serves; 0: none. */
uint32_t naive_find_vip(const struct config *config, const struct tr_addr *address, enum tr_l4 l4, uint16_t port);
/* The same for the addresses of a prefix that lie in no longer one. */
uint32_t naive_find_vip_at(const struct config *config, const struct tr_prefix *prefix, enum tr_l4 l4, uint16_t port);
bool naive_contains(const struct tr_prefix *prefix, const struct tr_addr *address);

#endif
