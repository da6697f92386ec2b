/* SPDX-License-Identifier: GPL-2.0-only */
/* From an address's route, the neighbours on it and the links to its next hop. Pure. */
#ifndef TAILRACE_NEXTHOP_FIND_H
#define TAILRACE_NEXTHOP_FIND_H

#include "nexthop.h"
#include "nexthop_link.h"
#include "nexthop_neigh.h"
#include "nexthop_netlink.h"

/* neighs: one for each leg of the route. devices: those that frames may leave by; none: any. */
struct nexthop nexthop_find(const struct tr_addr *address, const struct route *route, struct neigh *const *neighs,
			    const struct links *links, const struct devices *devices);

#endif
