// SPDX-License-Identifier: GPL-2.0-only
/* VIPs, their addresses and services; see plan.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "plan_internal.h"
#include "util.h"

static int number_vips(struct planning *p)
{
	const struct config *config = p->desired->config;
	uint32_t max = p->running->limits.vips;
	const struct plan_names names = { p->running->vip_info, sizeof(*p->running->vip_info), max,
					  config->vips, sizeof(*config->vips), config->n_vips };
	const char *left;
	int err;

	p->vip_numbers = calloc(config->n_vips + 1, sizeof(*p->vip_numbers));
	p->vip_used = calloc(max, sizeof(*p->vip_used));
	p->vip_kept = calloc(max, sizeof(*p->vip_kept));
	if (!p->vip_numbers || !p->vip_used || !p->vip_kept)
		return -ENOMEM;
	err = plan_number_names(&names, p->vip_numbers, p->vip_used, &left);
	if (err == -ENOSPC)
		return plan_fail(p, err, "vip %s: all %u VIP numbers are taken; raise limits.vips", left, max - 1);
	for (size_t i = 0; i < config->n_vips && !err; i++)
		p->vip_kept[p->vip_numbers[i]] = true;
	return err;
}

/* A VIP that moves may be on its way to what an earlier configuration said: only affinity knows, so it is told again. */
static int plan_vip(struct planning *p, size_t i)
{
	const struct config_vip *config = &p->desired->config->vips[i];
	uint32_t number = p->vip_numbers[i], pool = p->pool_numbers[config->pool];
	const struct tr_vip *old = &p->running->vips[number];
	const struct tr_vip_info *old_info = &p->running->vip_info[number];
	struct tr_vip_info info = { .pool = pool, .echo_off = !config->echo };
	struct tr_vip vip = { .ring = p->rings[config->pool].start,
			      .ring_size = p->desired->config->pools[config->pool].ring_size,
			      .pool = pool, .how = config->mode, .mss = config->mss };
	struct step *step;

	vip.how |= (config->by_addresses ? TR_HOW_ADDRESSES : 0) | (config->mss ? TR_HOW_MSS : 0);
	vip.flags = config->oversize ? TR_VIP_OVERSIZE : 0;
	strncpy(info.name, config->name, TR_NAME_MAX - 1);
	if (!memcmp(&vip, old, sizeof(vip)) && !memcmp(&info, old_info, sizeof(info)))
		return 0;
	step = plan_add(p, STEP_VIP, number);
	if (!step)
		return -ENOMEM;
	step->fresh = !old_info->name[0];
	step->vip = vip;
	step->vip_info = info;
	p->flush = true;
	return 0;
}

static int compare_running_addresses(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct tr_prefix));
}

static const struct running_address *find_address(const struct running *running, const struct tr_prefix *prefix)
{
	return bsearch(prefix, running->addresses, running->n_addresses, sizeof(*running->addresses),
		       compare_running_addresses);
}

static int compare_running_services(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct tr_service_key));
}

static const struct running_service *find_service(const struct running *running, const struct tr_service_key *key)
{
	return bsearch(key, running->services, running->n_services, sizeof(*running->services), compare_running_services);
}

/* ids[i]: of model.addresses[i]; the running one's where it has one. */
static int number_addresses(struct planning *p, uint32_t *ids)
{
	const struct model *model = p->desired->model;
	const struct running *r = p->running;
	uint32_t from = 1, max = r->limits.addresses + r->limits.prefixes + r->limits.services + 1;
	_cleanup_free_ bool *used = calloc(max, sizeof(*used));

	if (!used)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_addresses; i++)
		if (r->addresses[i].value.id < max)
			used[r->addresses[i].value.id] = true;
	/* A change that was broken off may have left services without their address. */
	for (size_t i = 0; i < r->n_services; i++)
		if (r->services[i].key.address < max)
			used[r->services[i].key.address] = true;
	for (size_t i = 0; i < model->n_addresses; i++) {
		const struct running_address *found = find_address(r, &model->addresses[i].prefix);

		ids[i] = found ? found->value.id : plan_free_number(used, &from, max);
		if (!ids[i])
			return plan_fail(p, -ENOSPC, "no room for one more VIP address; raise limits.addresses or "
						     "limits.prefixes");
	}
	return 0;
}

/* New entries come before old ones go, so both need room for a moment. */
static int check_room(struct planning *p)
{
	const struct model *model = p->desired->model;
	const struct running *r = p->running;
	size_t single = 0, prefixes = 0;

	for (size_t i = 0; i < r->n_addresses; i++)
		*(r->addresses[i].prefix.len == 128 ? &single : &prefixes) += 1;
	for (size_t i = 0; i < model->n_addresses; i++)
		if (!find_address(r, &model->addresses[i].prefix))
			*(model->addresses[i].prefix.len == 128 ? &single : &prefixes) += 1;
	if (single > r->limits.addresses)
		return plan_fail(p, -ENOSPC, "%zu VIP addresses, old and new, and the map holds %u; raise limits.addresses",
				 single, r->limits.addresses);
	if (prefixes > r->limits.prefixes)
		return plan_fail(p, -ENOSPC, "%zu VIP prefixes, old and new, and the map holds %u; raise limits.prefixes",
				 prefixes, r->limits.prefixes);
	return 0;
}

static int plan_services(struct planning *p, const uint32_t *ids, const struct model_address *address)
{
	const struct model *model = p->desired->model;
	struct step *step;

	for (size_t i = address->first_service; i < address->first_service + address->n_services; i++) {
		const struct model_service *service = &model->services[i];
		struct tr_service_key key = { ids[service->address], htons(service->port), service->l4, 0 };
		const struct running_service *old = find_service(p->running, &key);
		uint32_t vip = p->vip_numbers[service->vip];

		if (old && old->vip == vip)
			continue;
		p->n_services += !old;
		step = plan_add(p, STEP_SERVICE, 0);
		if (!step)
			return -ENOMEM;
		step->service.key = key;
		step->service.vip = vip;
		p->flush = true;
	}
	return 0;
}

static struct tr_vip_address address_value(const struct planning *p, const struct model_address *address, uint32_t id)
{
	struct tr_vip_address value = { .id = id, .len = address->prefix.len, .alone = address->alone,
					.echo = address->echo };

	for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++) {
		if (address->all_ports[l4])
			value.all_ports[l4] = p->vip_numbers[address->all_ports[l4] - 1];
		if (address->early[l4])
			value.early[l4] = p->vip_numbers[address->early[l4] - 1];
	}
	for (uint32_t s = 0; s < address->n_services; s++)
		value.has_exact[p->desired->model->services[address->first_service + s].l4] = 1;
	return value;
}

/*
 * New ones, or those that are there already. The inner before the outer, so that no packet meets a prefix that is not
 * to be its own.
 */
static int plan_addresses(struct planning *p, const uint32_t *ids, bool fresh)
{
	const struct model *model = p->desired->model;
	struct step *step;
	int err;

	for (size_t i = model->n_addresses; i-- > 0;) {
		const struct model_address *address = &model->addresses[i];
		struct tr_vip_address value = address_value(p, address, ids[i]);
		const struct running_address *old = find_address(p->running, &address->prefix);

		if (fresh != !old)
			continue;
		err = plan_services(p, ids, address);
		if (err)
			return err;
		if (old && !memcmp(&old->value, &value, sizeof(value)))
			continue;
		step = plan_add(p, STEP_ADDRESS, 0);
		if (!step)
			return -ENOMEM;
		step->address.prefix = address->prefix;
		step->address.value = value;
		p->flush = true;
	}
	return 0;
}

static int add_flush(struct planning *p)
{
	if (!p->flush)
		return 0;
	p->flush = false;
	return plan_add(p, STEP_FLUSH, 0) ? 0 : -ENOMEM;
}

int plan_vips(struct planning *p)
{
	const struct model *model = p->desired->model;
	_cleanup_free_ uint32_t *ids = calloc(model->n_addresses + 1, sizeof(*ids));
	int err = ids ? number_vips(p) : -ENOMEM;

	if (!err)
		err = check_room(p);
	for (size_t i = 0; i < p->desired->config->n_vips && !err; i++)
		err = plan_vip(p, i);
	if (!err)
		err = number_addresses(p, ids);
	if (!err && model->n_prefixes > p->running->settings->prefixes)
		err = plan_add(p, STEP_PREFIXES, model->n_prefixes) ? 0 : -ENOMEM;
	p->n_services = p->running->n_services;
	if (!err)
		err = plan_addresses(p, ids, true);
	/* What a new address takes over from a prefix must be forgotten before the prefix changes. */
	if (!err)
		err = add_flush(p);
	if (!err)
		err = plan_addresses(p, ids, false);
	if (!err && p->n_services > p->running->limits.services)
		err = plan_fail(p, -ENOSPC,
				"%zu exact services, old and new (each port at each address, with what addresses inherit "
				"from the prefixes around them), and the map holds %u; raise limits.services",
				p->n_services, p->running->limits.services);
	return err ? err : add_flush(p);
}

static int compare_model_prefix(const void *x, const void *y)
{
	const struct tr_prefix *a = x;
	const struct model_address *b = y;
	int order = addr_compare(&a->addr, &b->prefix.addr);

	return order ? order : (a->len > b->prefix.len) - (a->len < b->prefix.len);
}

static const struct model_address *find_model_address(const struct planning *p, const struct tr_prefix *prefix)
{
	const struct model *model = p->desired->model;

	return bsearch(prefix, model->addresses, model->n_addresses, sizeof(*model->addresses), compare_model_prefix);
}

struct kept_id {
	uint32_t id;
	const struct model_address *address;	/* NULL: the address goes */
};

static int compare_kept_ids(const void *x, const void *y)
{
	const struct kept_id *a = x, *b = y;

	return (a->id > b->id) - (a->id < b->id);
}

static const struct model_address *find_kept(const struct kept_id *kept, size_t n, uint32_t id)
{
	struct kept_id wanted = { .id = id };
	const struct kept_id *found = bsearch(&wanted, kept, n, sizeof(*kept), compare_kept_ids);

	return found ? found->address : NULL;
}

static bool service_kept(const struct planning *p, const struct model_address *address, const struct tr_service_key *key)
{
	for (uint32_t s = 0; address && s < address->n_services; s++) {
		const struct model_service *service = &p->desired->model->services[address->first_service + s];

		if (service->l4 == key->l4 && htons(service->port) == key->port)
			return true;
	}
	return false;
}

/* Of addresses that stay, or of those that go. */
static int delete_services(struct planning *p, const struct kept_id *kept, bool of_kept)
{
	const struct running *r = p->running;
	struct step *step;

	for (size_t i = 0; i < r->n_services; i++) {
		const struct model_address *address = find_kept(kept, r->n_addresses, r->services[i].key.address);

		if (of_kept != !!address || (address && service_kept(p, address, &r->services[i].key)))
			continue;
		step = plan_add(p, STEP_DELETE_SERVICE, 0);
		if (!step)
			return -ENOMEM;
		step->service.key = r->services[i].key;
		p->flush |= of_kept;	/* the others are out of reach by now */
	}
	return 0;
}

static void find_kept_ids(const struct planning *p, struct kept_id *kept)
{
	const struct running *r = p->running;

	for (size_t i = 0; i < r->n_addresses; i++) {
		kept[i].id = r->addresses[i].value.id;
		kept[i].address = find_model_address(p, &r->addresses[i].prefix);
	}
	qsort(kept, r->n_addresses, sizeof(*kept), compare_kept_ids);
}

static int delete_addresses(struct planning *p)
{
	const struct running *r = p->running;
	struct step *step;

	for (size_t i = 0; i < r->n_addresses; i++) {
		if (find_model_address(p, &r->addresses[i].prefix))
			continue;
		step = plan_add(p, STEP_DELETE_ADDRESS, 0);
		if (!step)
			return -ENOMEM;
		step->address.prefix = r->addresses[i].prefix;
		p->flush = true;
	}
	return 0;
}

/* Addresses go before their services, so that none is ever half there; then VIPs, once no cache names them. */
int plan_deletions_of_vips(struct planning *p)
{
	const struct running *r = p->running;
	_cleanup_free_ struct kept_id *kept = calloc(r->n_addresses + 1, sizeof(*kept));
	int err = -ENOMEM;

	if (!kept)
		return err;
	find_kept_ids(p, kept);
	err = delete_services(p, kept, true);	/* an address that goes uncovers them */
	if (!err)
		err = delete_addresses(p);
	if (!err)
		err = add_flush(p);	/* a cached address still looks for its services */
	if (!err)
		err = delete_services(p, kept, false);
	if (!err && p->desired->model->n_prefixes < r->settings->prefixes)
		err = plan_add(p, STEP_PREFIXES, p->desired->model->n_prefixes) ? 0 : -ENOMEM;
	if (!err)
		err = add_flush(p);
	for (uint32_t n = 1; n < r->limits.vips && !err; n++)
		if (r->vip_info[n].name[0] && !p->vip_kept[n] && !plan_add(p, STEP_DELETE_VIP, n))
			err = -ENOMEM;
	return err;
}

void plan_end_vips(struct planning *p)
{
	free(p->vip_numbers);
	free(p->vip_used);
	free(p->vip_kept);
}
