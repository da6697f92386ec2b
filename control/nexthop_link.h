/* SPDX-License-Identifier: GPL-2.0-only */
/* The interfaces, as far as next hops depend on them. */
#ifndef TAILRACE_NEXTHOP_LINK_H
#define TAILRACE_NEXTHOP_LINK_H

#include "devices.h"
#include "nexthop_netlink.h"
#include "sorted.h"

struct links {
	struct sorted all;
	int err;			/* of the dump under way */
};

void links_init(struct links *links);
void links_destroy(struct links *links);

/* Asks for all of them anew. 0, or -errno and everything as it was. */
int links_dump(struct links *links, struct rtnl *rtnl);
/* RTM_NEWLINK or RTM_DELLINK. Whether it says something new. */
bool links_event(struct links *links, const struct nlmsghdr *nlh);

/*
 * From a route's interface down through VLAN devices to the one that a frame leaves by: the first of devices, or without any the
 * lowest. tags: what the VLAN devices on the way put on; TR_TAGS_KEEP where none is on the way and none on that interface.
 */
struct way_out {
	uint32_t ifindex;
	struct tr_tags tags;
};

/* false: it does not lead to one of the devices, or through more than TR_TAGS_MAX VLAN devices. */
bool links_find_way_out(const struct links *links, const struct devices *devices, uint32_t ifindex, struct way_out *ret);
/* After changes, before links_find_way_out() is believed about TR_TAGS_KEEP. */
void links_mark_carriers(struct links *links);

/* NULL: there is none. */
const struct link *links_get(const struct links *links, uint32_t ifindex);

#endif
