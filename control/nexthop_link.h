/* SPDX-License-Identifier: GPL-2.0-only */
/* The interfaces, as far as next hops depend on them. */
#ifndef TAILRACE_NEXTHOP_LINK_H
#define TAILRACE_NEXTHOP_LINK_H

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

/* NULL: there is none. */
const struct link *links_get(const struct links *links, uint32_t ifindex);

#endif
