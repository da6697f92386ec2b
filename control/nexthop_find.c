// SPDX-License-Identifier: GPL-2.0-only
/* From route, neighbours and links to a next hop; see nexthop_find.h. Pure. */
#include "nexthop_find.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_usable(const struct links *links, uint32_t ifindex)
{
	const struct link *link = links_get(links, ifindex);

	return link && link->up && link->ethernet;
}

/* A VLAN device may look up while the one below it is down (loose_binding). */
static bool leads_out(const struct links *links, const struct devices *devices, uint32_t ifindex)
{
	struct way_out way;

	return is_usable(links, ifindex) && links_find_way_out(links, devices, ifindex, &way) && is_usable(links, way.ifindex);
}

static int rank(enum tr_nexthop_state state)
{
	return state == TR_NH_OK ? 3 : state == TR_NH_RESOLVING ? 2 : 1;
}

/*
 * One of a multipath route's next hops: the addresses spread over those that answer. Neither weights nor the kernel's
 * hash are followed, since a backend has one next hop, not one for each flow. NULL: none can be used.
 */
static const struct neigh *choose(const struct tr_addr *address, const struct route *route, struct neigh *const *neighs,
				  const struct links *links, const struct devices *devices)
{
	unsigned int count = route->n_legs, first = count ? ntohl(address->w[3]) % count : 0;
	const struct neigh *best = NULL;

	for (unsigned int i = 0; i < count; i++) {
		const struct neigh *neigh = neighs[(first + i) % count];

		if (leads_out(links, devices, neigh->at.ifindex) && (!best || rank(neigh->state) > rank(best->state)))
			best = neigh;
	}
	return best;
}

static uint16_t route_mtu(const struct route *route, const struct link *link)
{
	uint32_t mtu = route->mtu && route->mtu < link->mtu ? route->mtu : link->mtu;

	return mtu < UINT16_MAX ? mtu : UINT16_MAX;
}

struct nexthop nexthop_find(const struct tr_addr *address, const struct route *route, struct neigh *const *neighs,
			    const struct links *links, const struct devices *devices)
{
	struct nexthop nexthop = { .state = TR_NH_NO_ROUTE };
	const struct neigh *neigh = choose(address, route, neighs, links, devices);
	const struct link *link;
	struct way_out way = {};

	if (route->local) {
		nexthop.state = TR_NH_LOCAL;
	} else if (neigh) {
		link = links_get(links, neigh->at.ifindex);
		nexthop.state = neigh->state;
		links_find_way_out(links, devices, link->ifindex, &way);
		nexthop.ifindex = way.ifindex;
		nexthop.tags = way.tags;
		nexthop.mtu = route_mtu(route, link);
		nexthop.gateway = neigh->at.gateway;
		memcpy(nexthop.dmac, neigh->mac, sizeof(nexthop.dmac));
		memcpy(nexthop.smac, link->mac, sizeof(nexthop.smac));
	} else if (route->other.ifindex) {
		nexthop.state = TR_NH_OTHER_DEVICE;
		nexthop.ifindex = route->other.ifindex;
		nexthop.gateway = route->other.gateway;
	}
	return nexthop;
}
