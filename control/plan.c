// SPDX-License-Identifier: GPL-2.0-only
/*
 * The difference between running and desired, as ordered steps; see plan.h. Numbers are given here: an object keeps the
 * number it has in the pinned maps, a new one gets a free one. Pools, rings and backends are in plan_pools.c, plan_rings.c
 * and plan_backends.c, VIPs and their addresses in plan_vips.c.
 */
#include "plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_internal.h"
#include "util.h"

#define SYN_BUDGET_MIN 16

struct step *plan_add(struct planning *p, enum step_kind kind, uint32_t number)
{
	struct plan *plan = p->plan;
	struct step *more;

	if (plan->n == plan->room) {
		plan->room = plan->room ? plan->room * 2 : 64;
		more = reallocarray(plan->steps, plan->room, sizeof(*more));
		if (!more)
			return NULL;
		plan->steps = more;
	}
	plan->steps[plan->n] = (struct step){ .kind = kind, .number = number };
	return &plan->steps[plan->n++];
}

int plan_fail(struct planning *p, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&p->message, fmt, args) < 0)
		p->message = NULL;
	va_end(args);
	return err;
}

uint32_t plan_free_number(const bool *used, uint32_t *from, uint32_t size)
{
	for (uint32_t n = *from ? *from : 1; n < size; n++) {
		if (!used[n]) {
			*from = n + 1;
			return n;
		}
	}
	return 0;
}

uint32_t plan_ticks(const struct planning *p, uint32_t seconds)
{
	return (seconds * 1000000000ULL + p->desired->tick_ns - 1) / p->desired->tick_ns;
}

static int compare_names(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* All running names, sorted; each lies in its structure, and so tells its number. */
static const char **sort_names(const struct plan_names *names, bool *used, size_t *ret_n)
{
	const char **sorted = calloc(names->max, sizeof(*sorted));
	size_t n = 0;

	for (uint32_t i = 1; sorted && i < names->max; i++) {
		const char *name = (const char *)names->running + i * names->running_size;

		used[i] = *name;
		if (*name)
			sorted[n++] = name;
	}
	if (sorted)
		qsort(sorted, n, sizeof(*sorted), compare_names);
	*ret_n = n;
	return sorted;
}

static const char *wanted_name(const struct plan_names *names, size_t i)
{
	return *(const char *const *)((const char *)names->wanted + i * names->wanted_size);
}

int plan_number_names(const struct plan_names *names, uint32_t *numbers, bool *used, const char **ret_left)
{
	size_t n = 0;
	_cleanup_free_ const char **sorted = sort_names(names, used, &n);
	uint32_t from = 1;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++) {
		const char *name = wanted_name(names, i);
		const char **found = n ? bsearch(&name, sorted, n, sizeof(*sorted), compare_names) : NULL;

		numbers[i] = found ? (*found - (const char *)names->running) / names->running_size :
				     plan_free_number(used, &from, names->max);
		if (!numbers[i]) {
			*ret_left = name;
			return -ENOSPC;
		}
		used[numbers[i]] = true;
	}
	return 0;
}

static uint32_t low_bits(uint32_t count)
{
	return count >= 32 ? UINT32_MAX : (1u << count) - 1;
}

/* For status and JSON, which is UTF-8 and may meet any bytes in a path, or one that is cut within a letter. */
static void copy_path(char *to, size_t size, const char *path)
{
	memset(to, 0, size);
	snprintf(to, size, "%s", path);
	for (; *to; to++)
		if (*to < ' ' || *to > '~')
			*to = '?';
}

/* For each window, what the SYN tier can hold for half as long again as SYNs are recorded before a change. */
static uint32_t syn_budget(const struct planning *p)
{
	const struct config *config = p->desired->config;
	uint64_t slots = (uint64_t)p->running->settings->tiers[TR_TIER_SYN].sets * TR_SET_SLOTS, budget;
	uint32_t ticks = 1;

	for (size_t i = 0; i < config->n_pools; i++) {
		uint32_t syn = plan_ticks(p, config->pools[i].times.syn);

		ticks = syn > ticks ? syn : ticks;
	}
	budget = (slots << TR_WINDOW_SHIFT) * 2 / (ticks * 3ULL);
	return budget < SYN_BUDGET_MIN ? SYN_BUDGET_MIN : budget > UINT32_MAX ? UINT32_MAX : budget;
}

/* A bucket holds what one second brings, so that a limit of 1 is one answer a second and not none. */
static void set_rates(const struct planning *p, struct tr_settings *settings)
{
	for (int i = 0; i < TR_RATE_COUNT; i++) {
		uint32_t burst = p->desired->config->rates[i] * TR_TOKEN;
		uint32_t per_tick = burst * p->desired->tick_ns / 1000000000;

		settings->rates[i] = (struct tr_rate_limit){ burst && !per_tick ? 1 : per_tick, burst };
	}
}

static void next_instance(const struct planning *p, struct tr_instance *now)
{
	const struct config *config = p->desired->config;

	now->source4 = config->source4.addr;
	now->source6 = config->source6.addr;
	now->source4_len = config->source4.len - 96;
	now->source6_len = config->source6.len;
	now->ttl = config->ttl;
	now->n_devices = !!p->desired->ifindex;
	now->devices[0] = p->desired->ifindex;
	copy_path(now->config, sizeof(now->config), config->path);
}

static int plan_settings(struct planning *p)
{
	const struct config *config = p->desired->config;
	const struct tr_settings *old = p->running->settings;
	const struct tr_instance *instance = p->running->instance;
	struct tr_settings settings = *old;
	struct tr_instance now = *instance;
	struct step *step;

	settings.entropy4 = htonl(low_bits(128 - config->source4.len));
	settings.entropy6 = htonl(low_bits(128 - config->source6.len));
	settings.syn_budget = syn_budget(p);
	set_rates(p, &settings);
	next_instance(p, &now);
	p->settings = settings;
	/* As long as records are of either source, entropy only where neither has bits of its own. */
	if (instance->applied_at) {
		settings.entropy4 &= old->entropy4;
		settings.entropy6 &= old->entropy6;
	}
	if (!memcmp(&settings, old, sizeof(settings)) && !memcmp(&now, instance, sizeof(now)))
		return 0;
	step = plan_add(p, STEP_SETTINGS, 0);
	if (!step)
		return -ENOMEM;
	step->settings = settings;
	step->instance = now;
	return 0;
}

/*
 * While a VIP moves, another key may be prepared that `settings` does not show yet: affinity is told the latest, be it
 * the one that it has.
 */
static int plan_hash_key(struct planning *p)
{
	const struct running *r = p->running;
	const void *old = r->settings->hash_key, *wanted = p->desired->config->hash_key;
	size_t size = sizeof(r->settings->hash_key);
	bool other = memcmp(wanted, old, size), moving = false;
	struct step *step;

	for (uint32_t n = 1; n < r->limits.vips && !moving; n++)
		moving = plan_is_moving(&r->vips[n]);
	if (!other && !moving)
		return 0;
	step = plan_add(p, STEP_HASH_KEY, 0);
	if (!step)
		return -ENOMEM;
	memcpy(step->settings.hash_key, wanted, size);
	return 0;
}

int plan_last_settings(struct planning *p)
{
	const struct tr_settings *old = p->running->settings;
	struct step *step;

	if (!p->running->instance->applied_at || ((p->settings.entropy4 & old->entropy4) == p->settings.entropy4 &&
						  (p->settings.entropy6 & old->entropy6) == p->settings.entropy6))
		return 0;
	step = plan_add(p, STEP_ENTROPY, 0);
	if (!step)
		return -ENOMEM;
	step->settings = p->settings;
	return 0;
}

static int plan_all(struct planning *p)
{
	int err = plan_settings(p);

	if (!err)
		err = plan_hash_key(p);
	if (!err)
		err = plan_number_pools(p);
	if (!err)
		err = plan_number_backends(p);
	if (!err)
		err = plan_build_rings(p);
	if (!err)
		err = plan_backends(p);
	if (!err)
		err = plan_last_settings(p);
	if (!err)
		err = plan_rings(p, false);
	if (!err)
		err = plan_pools(p);
	if (!err)
		err = plan_rings(p, true);
	if (!err)
		err = plan_vips(p);
	if (!err)
		err = plan_deletions_of_vips(p);
	if (!err)
		err = plan_leaving_pools(p);
	return err;
}

int plan_build(const struct desired *desired, const struct running *running, struct plan **ret, char **ret_message)
{
	struct planning p = { .desired = desired, .running = running, .plan = calloc(1, sizeof(struct plan)) };
	int err = p.plan ? plan_all(&p) : -ENOMEM;

	plan_end_rings(&p);
	plan_end_backends(&p);
	plan_end_pools(&p);
	plan_end_vips(&p);
	if (err) {
		plan_free(p.plan);
		if (!p.message)
			plan_fail(&p, err, "planning the change: %s", strerror(-err));
		*ret_message = p.message;
		return err;
	}
	*ret = p.plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n; i++)
		if (plan->steps[i].kind == STEP_RING)
			free(plan->steps[i].ring.members);
	free(plan->steps);
	free(plan);
}
