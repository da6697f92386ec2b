/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way from what an instance runs to what its configuration and next hops ask for: only the differences, as steps
 * in an order that leaves no packet without an answer at any moment, also where the last step done is not the last of the plan.
 * Pure: plan_build() reads the maps through struct running and writes nothing.
 */
#ifndef TAILRACE_PLAN_H
#define TAILRACE_PLAN_H

#include "model.h"
#include "nexthop.h"

struct running_address {
	struct tr_prefix prefix;
	struct tr_vip_address value;
};

struct running_service {
	struct tr_service_key key;
	uint32_t vip;
};

/* What the maps hold. The sizes are the maps' own; addresses are sorted by prefix, services by key, as memcmp does. */
struct running {
	const struct tr_settings *settings;
	const struct tr_instance *instance;
	const uint64_t *rings;
	const struct tr_backend *backends;
	const struct tr_tags *backend_tags;
	const struct tr_backend_info *backend_info;
	const struct tr_pool_info *pools;
	const struct tr_vip *vips;
	const struct tr_vip_old *vip_old;
	const struct tr_vip_info *vip_info;
	const struct running_address *addresses;
	const struct running_service *services;
	size_t n_addresses, n_services;
	struct config_limits limits;
};

struct desired {
	const struct config *config;
	const struct model *model;
	/* The next hop of a backend's address; NULL: not known yet. */
	const struct nexthop *(*nexthop)(const struct tr_addr *address, void *arg);
	void *nexthop_arg;
	const struct devices *devices;
	uint32_t now;			/* tick */
	uint64_t tick_ns;		/* how long a tick is */
};

enum step_kind {
	STEP_SETTINGS,			/* all but generation and prefixes; entropy that fits old and new sources */
	STEP_BACKEND,			/* before a ring names it */
	STEP_ENTROPY,			/* the new masks alone, after the backends' records */
	STEP_RING,			/* fresh: written where nothing reads it yet; else the ring's new targets */
	STEP_VIP,			/* what it is to be; affinity takes it there */
	STEP_PREFIXES,			/* before the first prefix comes, after the last one went */
	STEP_SERVICE,			/* before its address */
	STEP_ADDRESS,
	STEP_FLUSH,			/* raise the generation: caches forget */
	STEP_POOL,			/* a new one before its ring; one that leaves after the last VIP that names it */
	STEP_DELETE_ADDRESS,
	STEP_DELETE_SERVICE,
	STEP_DELETE_VIP,
	STEP_HASH_KEY,			/* first of all but settings: VIPs must be able to move from it */
};

struct step {
	enum step_kind kind;
	uint32_t number;		/* of the backend, pool or VIP; the count of prefixes */
	bool fresh;			/* the number is new to its object: counters start from 0 */
	union {
		struct {
			struct tr_settings settings;
			struct tr_instance instance;
		};
		struct {
			struct tr_backend backend;
			struct tr_tags tags;
			struct tr_backend_info backend_info;
		};
		struct {
			uint32_t *members;	/* size backend numbers; the plan's */
			uint32_t size;
			uint32_t start;	/* as tr_vip.ring */
			uint64_t hash;	/* tr_pool_info.ring_hash */
			uint32_t changed;	/* buckets whose target differs from `current` */
			bool in_place;	/* targets of the ring that the pool has; else a fresh one */
			char why[sizeof(((struct tr_pool_info *)0)->why)];
		} ring;
		struct tr_pool_info pool;
		struct {
			struct tr_vip vip;
			struct tr_vip_info vip_info;
		};
		struct {
			struct tr_prefix prefix;
			struct tr_vip_address value;
		} address;
		struct {
			struct tr_service_key key;
			uint32_t vip;
		} service;
	};
};

struct plan {
	struct step *steps;
	size_t n, room;
};

/*
 * 0; or a negative errno with a message (freed by the caller) and *ret untouched: -ENOSPC where a map is too small,
 * -ENOMEM.
 */
int plan_build(const struct desired *desired, const struct running *running, struct plan **ret, char **ret_message);
void plan_free(struct plan *plan);

/* Outer headers for a backend, ready-made; the next hop's tags are written apart. */
void plan_backend_record(const struct config *config, const struct tr_addr *address, const struct nexthop *nexthop,
			 uint16_t generation, struct tr_backend *ret);

#endif
