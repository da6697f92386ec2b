// SPDX-License-Identifier: GPL-2.0-only
/* The interfaces, as far as next hops depend on them; see nexthop_link.h. */
#include "nexthop_link.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "util.h"

static int compare(const void *key, const void *item)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct link *)item)->ifindex;

	return a < b ? -1 : a > b;
}

void links_init(struct links *links)
{
	*links = (struct links){ .all.compare = compare };
}

void links_destroy(struct links *links)
{
	for (size_t i = 0; i < links->all.n; i++)
		free(links->all.items[i]);
	free(links->all.items);
}

const struct link *links_get(const struct links *links, uint32_t ifindex)
{
	return sorted_get(&links->all, &ifindex);
}

static int add(struct links *links, const struct link *fresh)
{
	_cleanup_free_ struct link *link = malloc(sizeof(*link));
	int err;

	if (!link)
		return -ENOMEM;
	*link = *fresh;
	err = sorted_insert(&links->all, &link->ifindex, link);
	if (!err)
		TAKE_PTR(link);
	return err;
}

static void on_dumped(const struct nlmsghdr *nlh, void *arg)
{
	struct links *links = arg;
	struct link link;

	/* An interface that comes while the kernel dumps may come twice. */
	if (!links->err && rtnl_parse_link(nlh, &link) && !links_get(links, link.ifindex))
		links->err = add(links, &link);
}

int links_dump(struct links *links, struct rtnl *rtnl)
{
	struct links fresh;
	int err;

	links_init(&fresh);
	err = rtnl_dump_links(rtnl, on_dumped, &fresh);
	if (!err)
		err = fresh.err;
	if (err) {
		links_destroy(&fresh);
		return err;
	}
	links_destroy(links);
	*links = fresh;
	return 0;
}

static bool same_link(const struct link *a, const struct link *b)
{
	return a->mtu == b->mtu && a->up == b->up && a->ethernet == b->ethernet &&
	       !memcmp(a->mac, b->mac, sizeof(a->mac));
}

bool links_event(struct links *links, const struct nlmsghdr *nlh)
{
	struct link fresh, *link;

	if (!rtnl_parse_link(nlh, &fresh))
		return false;
	link = sorted_get(&links->all, &fresh.ifindex);
	if (nlh->nlmsg_type == RTM_DELLINK) {
		sorted_remove(&links->all, &fresh.ifindex);
		free(link);
		return link;
	}
	if (!link)
		return !add(links, &fresh);
	if (same_link(link, &fresh))
		return false;
	*link = fresh;
	return true;
}
