// SPDX-License-Identifier: GPL-2.0-only
/* Where the tiers of flow records lie in the map `flows`: laid down once, when an instance's maps are made. */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "dataplane_internal.h"
#include "log.h"

#define FULL_TENTHS 9			/* of limits.tcp_flows: above it new flows take no part in filling the tier */

static const char *const tier_limits[TR_TIER_COUNT] = {
	[TR_TIER_TCP] = "tcp_flows",
	[TR_TIER_SYN] = "syn_flows",
	[TR_TIER_UDP] = "udp_flows",
	[TR_TIER_TRACK] = "tracked_flows",
};

static uint32_t tier_sets(const struct config_limits *limits, enum tr_tier tier)
{
	return ((uint64_t)limits->flows[tier] * TR_TIER_ROOM(tier) + TR_SET_SLOTS - 1) / TR_SET_SLOTS;
}

uint32_t dataplane_flow_sets(const struct config_limits *limits)
{
	uint32_t sets = 0;

	for (enum tr_tier tier = 0; tier < TR_TIER_COUNT; tier++)
		sets += tier_sets(limits, tier);
	return sets;
}

void dataplane_place_tiers(struct dataplane *dp, const struct config_limits *limits)
{
	struct tr_settings settings = *dp->settings;
	uint32_t start = 0;

	if (settings.tiers[TR_TIER_TCP].sets)
		return;
	for (enum tr_tier tier = 0; tier < TR_TIER_COUNT; tier++) {
		settings.tiers[tier] = (struct tr_tier_place){ start, tier_sets(limits, tier) };
		start += settings.tiers[tier].sets;
	}
	settings.tcp_full = (uint64_t)limits->flows[TR_TIER_TCP] * FULL_TENTHS / 10;
	dataplane_store_words(dp->settings, &settings, sizeof(settings));
}

int dataplane_check_tiers(const struct dataplane *dp, const struct config_limits *limits)
{
	struct tr_settings settings = {};
	__u32 zero = 0;

	if (dp->fds[MAP_settings] < 0)
		return 0;
	if (bpf_map_lookup_elem(dp->fds[MAP_settings], &zero, &settings))
		return log_err(-errno, "%s/settings: cannot read it", dp->dir);
	for (enum tr_tier tier = 0; tier < TR_TIER_COUNT && settings.tiers[0].sets; tier++) {
		if (tier_sets(limits, tier) <= settings.tiers[tier].sets)
			continue;
		log_error("limits.%s: %u, but the instance's map %s/flows was made for %u and cannot grow while it forwards; "
			  "lower the limit, or stop forwarding with `tailrace unload` and start anew", tier_limits[tier],
			  limits->flows[tier], dp->dir, settings.tiers[tier].sets * TR_SET_SLOTS / TR_TIER_ROOM(tier));
		return -EINVAL;
	}
	return 0;
}
