// SPDX-License-Identifier: GPL-2.0-only
/* The path of a change; see controller.h. */
#include "controller.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "attach.h"
#include "followed.h"
#include "log.h"
#include "paths.h"
#include "ticks.h"
#include "util.h"

#define ANNOUNCED 20			/* one gateway may be the next hop of thousands */
#define RETRY_NS 1000000000ULL
#define SETTLE_MS 2000			/* for a cold neighbour table; without an answer by then: no flows */

struct controller {
	struct config *config;
	struct model *model;
	struct dataplane *dataplane;
	struct nexthops *nexthops;
	struct followed followed;
	uint64_t due;			/* CLOCK_MONOTONIC, ns: when the data plane wants its next tick; or DATAPLANE_NEVER */
	uint32_t ifindex;
	bool behind;
	bool device_gone;		/* and it was said */
	unsigned int announced;		/* changes of next hops said since the last plan */
};

static void nexthop_changed(const struct tr_addr *address, const struct nexthop *nexthop, void *arg)
{
	struct controller *c = arg;
	char text[ADDR_TEXT_MAX];

	c->behind = true;
	if (c->announced++ < ANNOUNCED)
		log_info("next hop of %s: %s", addr_format(address, text), nexthop_state_name(nexthop->state));
	else if (c->announced == ANNOUNCED + 1)
		log_info("next hops of more backends have changed (`tailrace status` shows all)");
}

static const struct nexthop *ask_nexthop(const struct tr_addr *address, void *arg)
{
	const struct controller *c = arg;

	return nexthops_get(c->nexthops, address);
}

int controller_read(const char *path, struct config **ret_config, struct model **ret_model)
{
	_cleanup_free_ char *message = NULL;
	struct config *config;
	struct model *model = NULL;
	int err = config_load(path, &config, &message);

	if (err) {
		log_error("%s", message ? message : strerror(-err));
		return err;
	}
	err = model_build(config, &model);
	if (err) {
		log_err(err, "%s", path);
	} else if (model->n_services > config->limits.services) {
		log_error("%s: limits.services: %zu exact services are needed, with what addresses inherit from the prefixes "
			  "around them; the limit is %u", path, model->n_services, config->limits.services);
		err = -ENOSPC;
	}
	if (err) {
		model_free(model);
		config_free(config);
		return err;
	}
	*ret_config = config;
	*ret_model = model;
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static int follow(struct controller *c, const struct config *config, const struct config *other)
{
	const struct running *running = NULL;
	int err = c->dataplane ? dataplane_read(c->dataplane, &running) : 0;

	if (err)
		return err;
	err = followed_update(&c->followed, c->nexthops, config, other, running);
	return err ? log_err(err, "%s: cannot follow the next hops of its backends", config->path) : 0;
}

struct summary {
	unsigned int backends, rings, vips, removed;
	unsigned long buckets;
};

static void log_summary(const struct plan *plan)
{
	struct summary s = {};

	for (size_t i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];

		s.backends += step->kind == STEP_BACKEND;
		s.rings += step->kind == STEP_RING;
		s.buckets += step->kind == STEP_RING ? step->ring.changed : 0;
		s.vips += step->kind == STEP_VIP;
		s.removed += step->kind == STEP_DELETE_VIP || (step->kind == STEP_POOL && step->pool.leaving) ||
			     (step->kind == STEP_BACKEND && step->backend_info.state == TR_BACKEND_LEAVING);
	}
	if (!plan->n)
		log_info("nothing to change");
	else
		log_info("changed: %u backends, %u rings (%lu buckets), %u VIPs; removed: %u (%zu steps)", s.backends, s.rings,
			 s.buckets, s.vips, s.removed, plan->n);
}

/* From a configuration and the next hops as they are to the maps. */
static int change_to(struct controller *c, const struct config *config, const struct model *model)
{
	struct desired desired = {
		.config = config,
		.model = model,
		.nexthop = ask_nexthop,
		.nexthop_arg = c,
		.ifindex = c->ifindex,
		.tick_ns = ticks_ns(),
	};
	_cleanup_free_ char *message = NULL;
	const struct running *running;
	struct plan *plan;
	int err = dataplane_read(c->dataplane, &running);

	if (!err)
		err = dataplane_now(c->dataplane, &desired.now);
	if (err)
		return err;
	err = plan_build(&desired, running, &plan, &message);
	if (err) {
		log_error("%s: %s", config->path, message ? message : strerror(-err));
		return err;
	}
	err = dataplane_apply(c->dataplane, plan);
	if (!err)
		log_summary(plan);
	plan_free(plan);
	if (err) {			/* half of a change: it is put back before time makes it final */
		c->due = now_ns() + RETRY_NS;
		return err;
	}
	return controller_tick(c);
}

static int open_nexthops(struct controller *c)
{
	int err = nexthops_open(c->ifindex, nexthop_changed, c, &c->nexthops);

	if (err)
		return log_err(err, "cannot follow the kernel's routes and neighbours");
	return follow(c, c->config, NULL);
}

static int find_device(struct controller *c, bool attach)
{
	char dir[256];

	if (!c->config->device && attach) {
		log_error("%s: devices: none is named; `run` attaches to one (`load` needs none)", c->config->path);
		return -EINVAL;
	}
	if (!c->config->device)
		return 0;
	c->ifindex = if_nametoindex(c->config->device);
	if (!c->ifindex)
		return log_err(-ENODEV, "%s: devices: %s is no interface in this network namespace", c->config->path,
			       c->config->device);
	paths_instance_dir(c->config->instance, dir, sizeof(dir));
	return attach ? attach_check(dir, c->config->device) : 0;
}

/* Without a device, whatever way routes take is taken; attached to one interface, the others' backends are lost. */
static void warn_of_many_devices(const struct controller *c)
{
	uint32_t first = 0;

	for (size_t i = 0; i < c->config->n_pools && !c->ifindex; i++)
		for (size_t b = 0; b < c->config->pools[i].n_backends; b++) {
			const struct nexthop *nexthop = nexthops_get(c->nexthops, &c->config->pools[i].backends[b].address);

			if (!nexthop || nexthop->state != TR_NH_OK)
				continue;
			if (first && nexthop->ifindex != first) {
				log_warning("%s: devices: none is named, and next hops are on several interfaces; packets leave by "
					    "the one that they came in by", c->config->path);
				return;
			}
			first = nexthop->ifindex;
		}
}

static int settle_and_change(struct controller *c)
{
	int err = nexthops_settle(c->nexthops, SETTLE_MS);

	if (err && err != -ETIMEDOUT)
		return log_err(err, "cannot follow the kernel's routes and neighbours");
	warn_of_many_devices(c);
	c->behind = false;
	return change_to(c, c->config, c->model);
}

static int first_change(struct controller *c)
{
	int err = settle_and_change(c);

	if (err)
		dataplane_remove_fresh(c->dataplane);
	else
		dataplane_count_reload(c->dataplane, true);
	return err;
}

int controller_open(const char *path, const struct controller_options *options, struct controller **ret)
{
	struct controller *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return log_err(-ENOMEM, "%s", path);
	c->due = DATAPLANE_NEVER;
	err = controller_read(path, &c->config, &c->model);
	if (!err)
		err = find_device(c, options->attach);
	if (!err)
		err = open_nexthops(c);
	if (!err)
		err = dataplane_open(c->config->instance, &c->config->limits, &(struct dataplane_options){}, &c->dataplane);
	if (!err)
		err = follow(c, c->config, NULL);	/* and who had left the configuration before */
	if (!err)
		err = first_change(c);
	if (err) {
		controller_close(c);
		return err;
	}
	*ret = c;
	return 0;
}

void controller_close(struct controller *c)
{
	if (!c)
		return;
	if (c->nexthops)
		nexthops_close(c->nexthops);
	followed_forget(&c->followed);
	dataplane_close(c->dataplane);
	model_free(c->model);
	config_free(c->config);
	free(c);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* What is fixed while the controller runs, so that a changed line is not silently without effect. */
static int check_fixed(const struct config *old, const struct config *new)
{
	const char *field = NULL;

	if (!same_text(old->instance, new->instance))
		field = "instance";
	else if (!same_text(old->device, new->device))
		field = "devices";
	else if (!same_text(old->metrics_host, new->metrics_host) || old->metrics_port != new->metrics_port)
		field = "metrics";
	else if (memcmp(&old->limits, &new->limits, sizeof(old->limits)))
		field = "limits";
	if (!field)
		return 0;
	log_error("%s: %s: cannot change by a reload; put it back, or restart tailrace with the new file (forwarding goes on "
		  "meanwhile)", new->path, field);
	return -EINVAL;
}

/* What was written of the new one is taken back; where even that fails, it is tried again. */
static void put_back(struct controller *c)
{
	if (!change_to(c, c->config, c->model))
		return;
	log_error("%s: cannot put back the configuration before; trying again", c->config->path);
	c->behind = true;
}

static int reload_to(struct controller *c, struct config *config, struct model *model)
{
	int err = check_fixed(c->config, config);

	if (err)
		return err;
	err = follow(c, config, c->config);
	if (!err) {
		err = nexthops_settle(c->nexthops, SETTLE_MS);
		if (err == -ETIMEDOUT)
			err = 0;
	}
	if (!err) {
		c->behind = false;
		err = change_to(c, config, model);
		if (err)
			put_back(c);
	}
	follow(c, err ? c->config : config, NULL);	/* where it fails, too many are followed */
	return err;
}

int controller_reload(struct controller *c)
{
	struct config *config;
	struct model *model;
	int err = controller_read(c->config->path, &config, &model);

	if (!err) {
		err = reload_to(c, config, model);
		model_free(err ? model : c->model);
		config_free(err ? config : c->config);
		if (!err) {
			c->model = model;
			c->config = config;
		}
	}
	dataplane_count_reload(c->dataplane, !err);
	if (err)
		log_error("%s: not applied: everything stays as it was", c->config->path);
	else
		log_info("%s: applied", c->config->path);
	return err;
}

int controller_follow(struct controller *c)
{
	int err;

	c->behind = false;
	c->announced = 0;
	err = change_to(c, c->config, c->model);
	if (err)
		c->behind = true;
	return err;
}

int controller_tick(struct controller *c)
{
	const struct running *running;
	uint64_t wait;
	int err = dataplane_tick(c->dataplane, &wait);

	if (err) {
		c->due = now_ns() + RETRY_NS;
		return err;
	}
	c->due = wait == DATAPLANE_NEVER ? DATAPLANE_NEVER : now_ns() + wait;
	if (!c->followed.leaving)
		return 0;
	err = dataplane_read(c->dataplane, &running);
	if (!err && followed_count_leaving(running) < c->followed.leaving)
		follow(c, c->config, NULL);
	return err;
}

int controller_finish(struct controller *c, bool settle)
{
	int err = 0;

	while (!err && (settle ? !dataplane_is_settled(c->dataplane) : dataplane_is_pending(c->dataplane))) {
		usleep(controller_due_us(c));
		err = controller_tick(c);
	}
	return err;
}

uint64_t controller_due_us(const struct controller *c)
{
	uint64_t now = now_ns();

	if (c->due == DATAPLANE_NEVER)
		return UINT64_MAX;
	return c->due > now ? (c->due - now) / 1000 : 0;
}

bool controller_is_behind(const struct controller *c)
{
	return c->behind;
}

int controller_check_device(struct controller *c)
{
	uint32_t ifindex = if_nametoindex(c->config->device);
	int err;

	if (ifindex == c->ifindex) {
		c->device_gone = false;
		return 0;
	}
	if (!ifindex) {
		if (!c->device_gone)
			log_error("%s: the interface is gone (or has another name now); waiting for it", c->config->device);
		c->device_gone = true;
		return 0;
	}
	log_info("%s: the interface was made anew; starting on it", c->config->device);
	c->device_gone = false;
	c->ifindex = ifindex;
	nexthops_close(c->nexthops);
	c->nexthops = NULL;
	followed_forget(&c->followed);
	err = open_nexthops(c);
	if (!err)
		err = settle_and_change(c);
	return err ? err : 1;
}

const struct config *controller_config(const struct controller *c)
{
	return c->config;
}

struct dataplane *controller_dataplane(const struct controller *c)
{
	return c->dataplane;
}

struct nexthops *controller_nexthops(const struct controller *c)
{
	return c->nexthops;
}
