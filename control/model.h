/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a configuration means for the maps: its VIPs' addresses and services, with the order of preference (exact port,
 * all ports, prefix) flattened so that the longest prefix alone decides. Pure.
 */
#ifndef TAILRACE_MODEL_H
#define TAILRACE_MODEL_H

#include "config.h"

struct model_address {
	struct tr_prefix prefix;		/* len 128: a single address */
	uint32_t all_ports[TR_L4_COUNT];	/* index into config.vips + 1; 0: none */
	uint32_t first_service;			/* its exact services stand together in model.services */
	uint32_t n_services;
	uint32_t early[TR_L4_COUNT];		/* as tr_vip_address; index into config.vips + 1 */
	bool echo;				/* a VIP of it answers echo requests */
	bool alone;				/* no longer prefix or address of a VIP lies inside */
};

struct model_service {
	uint32_t address;			/* index into model.addresses */
	enum tr_l4 l4;
	uint16_t port;				/* host order, not 0 */
	uint32_t vip;				/* index into config.vips */
};

struct model {
	struct model_address *addresses;	/* sorted: a prefix before the longer ones inside it */
	size_t n_addresses;
	struct model_service *services;		/* sorted by address, l4, port */
	size_t n_services;
	size_t n_prefixes;			/* of the addresses, those with len < 128 */
};

/* The config is only read. 0 or -ENOMEM. */
int model_build(const struct config *config, struct model **ret);

/*
 * Two VIPs of an address that both have services of the protocol there and take fragments by addresses alone: nothing would
 * tell whose a fragment is. A checked configuration has none. False: there are none.
 */
struct model_clash {
	struct tr_prefix prefix;
	enum tr_l4 l4;
	uint32_t vips[2];			/* indexes into config.vips, the lower first */
};
bool model_find_clash(const struct config *config, const struct model *model, struct model_clash *ret);
void model_free(struct model *model);

#endif
