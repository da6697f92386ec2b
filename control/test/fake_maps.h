/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An instance's maps in plain memory, for tests of plans: steps are done on them as apply.c does them on the kernel's,
 * with the affinity that it uses, and a packet's lookups as the entry program does them. Times are ticks.
 */
#ifndef TAILRACE_TEST_FAKE_MAPS_H
#define TAILRACE_TEST_FAKE_MAPS_H

#include "affinity.h"
#include "plan.h"

struct fake_maps {
	struct running running;		/* what plan_build() reads: pointers to the rest, and the sizes */
	struct tr_settings settings;
	struct tr_instance instance;
	uint64_t *rings;
	struct tr_backend *backends;
	struct tr_tags *backend_tags;
	struct tr_backend_info *backend_info;
	struct tr_pool_info *pools;
	struct tr_pool_flows *pool_flows;
	struct tr_flow_set *flows;
	struct tr_flow_state flow_state;
	struct tr_vip *vips;
	struct tr_vip_old *vip_old;
	struct tr_vip_info *vip_info;
	struct running_address *addresses;
	struct running_service *services;
	uint64_t *vip_packets, *backend_packets, *pool_records;	/* by number, in place of the counters */
	struct affinity *affinity;
};

/* Empty, with room for what the limits of a configuration ask for. */
struct fake_maps *fake_maps_new(const struct config_limits *limits, uint32_t now);
void fake_maps_free(struct fake_maps *maps);

/* What opening the maps does to an instance that another process may have left in the middle of a change. */
void fake_maps_restart(struct fake_maps *maps, uint32_t now);

/*
 * 0; -E2BIG where a map is full, -ENOENT where what is deleted is not there, -EFAULT where a number or a ring is
 * outside its map.
 */
int fake_maps_apply(struct fake_maps *maps, const struct step *step, uint32_t now);
/* A STEP_RING of which only the first `words` stores are done: to be followed by a restart. */
int fake_maps_apply_ring(struct fake_maps *maps, const struct step *step, uint32_t words, uint32_t now);

/* What a packet to the address finds: the address itself, else the longest prefix; NULL: no VIP's address. */
const struct tr_vip_address *fake_maps_find_address(const struct fake_maps *maps, const struct tr_addr *address);
/* A VIP's number, 0: no service. */
uint32_t fake_maps_find_vip(const struct fake_maps *maps, const struct tr_vip_address *at, enum tr_l4 l4,
			    uint16_t port);

#endif
