// SPDX-License-Identifier: GPL-2.0-only
/* Configuration to addresses and services, flattened; see model.h. */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "util.h"

/* One (prefix, protocol, port) of the configuration. */
struct claim {
	struct tr_prefix prefix;
	enum tr_l4 l4;
	uint16_t port;
	uint32_t vip;
};

static int compare_prefixes(const struct tr_prefix *a, const struct tr_prefix *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_claims(const void *x, const void *y)
{
	const struct claim *a = x, *b = y;
	int order = compare_prefixes(&a->prefix, &b->prefix);

	if (!order)
		order = (int)a->l4 - (int)b->l4;
	return order ? order : (int)a->port - (int)b->port;
}

static struct claim *collect_claims(const struct config *config, size_t *ret_n)
{
	struct claim *claims;
	size_t n = 0;

	for (size_t v = 0; v < config->n_vips; v++)
		n += config->vips[v].n_addresses * config->vips[v].n_services;
	claims = calloc(n ? n : 1, sizeof(*claims));
	if (!claims)
		return NULL;
	n = 0;
	for (size_t v = 0; v < config->n_vips; v++) {
		const struct config_vip *vip = &config->vips[v];

		for (size_t a = 0; a < vip->n_addresses; a++)
			for (size_t s = 0; s < vip->n_services; s++)
				claims[n++] = (struct claim){ vip->addresses[a], vip->services[s].l4,
							      vip->services[s].port, v };
	}
	qsort(claims, n, sizeof(*claims), compare_claims);
	*ret_n = n;
	return claims;
}

/* The longest shorter prefix around addresses[i], or NULL. Parents are kept in *stack, outermost first. */
static struct model_address *find_parent(const struct model *model, uint32_t i, uint32_t *stack, size_t *depth)
{
	struct model_address *parent;

	while (*depth > 0) {
		parent = &model->addresses[stack[*depth - 1]];
		if (addr_in_prefix(&model->addresses[i].prefix.addr, &parent->prefix))
			return parent;
		--*depth;
	}
	return NULL;
}

static int append_service(struct model *model, size_t *room, struct model_service service)
{
	struct model_service *more;

	if (model->n_services == *room) {
		*room = *room ? *room * 2 : 64;
		more = reallocarray(model->services, *room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		model->services = more;
	}
	model->services[model->n_services++] = service;
	return 0;
}

static bool has_service(const struct model *model, const struct model_address *address, enum tr_l4 l4, uint16_t port)
{
	for (size_t s = address->first_service; s < model->n_services; s++)
		if (model->services[s].l4 == l4 && model->services[s].port == port)
			return true;
	return false;
}

/* What the address leaves open it takes from the prefix around it; its own all-ports service leaves nothing open. */
static int inherit(struct model *model, size_t *room, uint32_t i, const struct model_address *parent)
{
	struct model_address *address = &model->addresses[i];

	for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++) {
		if (address->all_ports[l4])
			continue;
		for (uint32_t s = 0; s < parent->n_services; s++) {
			struct model_service service = model->services[parent->first_service + s];

			if (service.l4 != l4 || has_service(model, address, l4, service.port))
				continue;
			service.address = i;
			if (append_service(model, room, service))
				return -ENOMEM;
		}
		address->all_ports[l4] = parent->all_ports[l4];
	}
	return 0;
}

static int compare_services(const void *x, const void *y)
{
	const struct model_service *a = x, *b = y;

	if (a->l4 != b->l4)
		return (int)a->l4 - (int)b->l4;
	return (int)a->port - (int)b->port;
}

static int add_address(struct model *model, size_t *room, const struct claim *claims, size_t n,
		       const struct model_address *parent)
{
	uint32_t i = model->n_addresses - 1;
	struct model_address *address = &model->addresses[i];
	int err;

	for (size_t c = 0; c < n; c++) {
		struct model_service service = { i, claims[c].l4, claims[c].port, claims[c].vip };

		if (!claims[c].port)
			address->all_ports[claims[c].l4] = claims[c].vip + 1;
		else if (append_service(model, room, service))
			return -ENOMEM;
	}
	err = parent ? inherit(model, room, i, parent) : 0;
	address->n_services = model->n_services - address->first_service;
	if (address->n_services)
		qsort(model->services + address->first_service, address->n_services, sizeof(*model->services),
		      compare_services);
	model->n_prefixes += address->prefix.len < 128;
	return err;
}

static int add_addresses(struct model *model, const struct claim *claims, size_t n)
{
	_cleanup_free_ uint32_t *stack = calloc(n ? n : 1, sizeof(*stack));
	size_t depth = 0, room = 0, end;
	int err;

	if (!stack)
		return -ENOMEM;
	for (size_t c = 0; c < n; c = end) {
		struct model_address *parent;

		for (end = c + 1; end < n && !compare_prefixes(&claims[c].prefix, &claims[end].prefix);)
			end++;
		model->addresses[model->n_addresses++] = (struct model_address){
			.prefix = claims[c].prefix, .first_service = model->n_services, .alone = true };
		parent = find_parent(model, model->n_addresses - 1, stack, &depth);
		if (parent)
			parent->alone = false;
		err = add_address(model, &room, claims + c, end - c, parent);
		if (err)
			return err;
		stack[depth++] = model->n_addresses - 1;
	}
	return 0;
}

/* Of the n-th service of an address, those of all ports first: its protocol, and its VIP's index + 1; 0: there is none. */
static uint32_t nth_vip(const struct model *model, const struct model_address *address, uint32_t n, enum tr_l4 *ret_l4)
{
	const struct model_service *service;

	if (n < TR_L4_COUNT) {
		*ret_l4 = n;
		return address->all_ports[n];
	}
	service = &model->services[address->first_service + n - TR_L4_COUNT];
	*ret_l4 = service->l4;
	return service->vip + 1;
}

/* What the VIPs of an address say of it as a whole, those that it inherits too. */
static void sum_up(const struct config *config, const struct model *model, struct model_address *address)
{
	for (uint32_t n = 0; n < TR_L4_COUNT + address->n_services; n++) {
		enum tr_l4 l4;
		uint32_t vip = nth_vip(model, address, n, &l4);

		if (!vip)
			continue;
		address->echo |= config->vips[vip - 1].echo;
		if (config->vips[vip - 1].by_addresses)
			address->early[l4] = vip;
	}
}

static bool clashes(const struct config *config, const struct model *model, const struct model_address *address,
		    struct model_clash *ret)
{
	for (uint32_t n = 0; n < TR_L4_COUNT + address->n_services; n++) {
		enum tr_l4 l4;
		uint32_t vip = nth_vip(model, address, n, &l4), other = address->early[l4];

		if (!vip || vip == other || !config->vips[vip - 1].by_addresses)
			continue;
		*ret = (struct model_clash){ address->prefix, l4,
					     { (vip < other ? vip : other) - 1, (vip < other ? other : vip) - 1 } };
		return true;
	}
	return false;
}

bool model_find_clash(const struct config *config, const struct model *model, struct model_clash *ret)
{
	for (size_t i = 0; i < model->n_addresses; i++)
		if (clashes(config, model, &model->addresses[i], ret))
			return true;
	return false;
}

int model_build(const struct config *config, struct model **ret)
{
	struct model *model = calloc(1, sizeof(*model));
	_cleanup_free_ struct claim *claims = NULL;
	size_t n = 0;
	int err = -ENOMEM;

	if (!model)
		return -ENOMEM;
	claims = collect_claims(config, &n);
	model->addresses = calloc(n ? n : 1, sizeof(*model->addresses));
	if (claims && model->addresses)
		err = add_addresses(model, claims, n);
	if (err) {
		model_free(model);
		return err;
	}
	for (size_t i = 0; i < model->n_addresses; i++)
		sum_up(config, model, &model->addresses[i]);
	*ret = model;
	return 0;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	free(model->addresses);
	free(model->services);
	free(model);
}
