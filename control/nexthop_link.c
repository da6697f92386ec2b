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

static bool is_end(const struct devices *devices, const struct link *link, uint32_t ifindex)
{
	return devices->n ? devices_have(devices, ifindex) : !link || !link->lower;
}

/* From the inside out: the device that is met last has the outermost tag. */
static void push_tag(struct tr_tags *tags, const struct link *vlan)
{
	for (unsigned int i = tags->n; i > 0; i--) {
		tags->tpid[i] = tags->tpid[i - 1];
		tags->vid[i] = tags->vid[i - 1];
	}
	tags->tpid[0] = vlan->tpid;
	tags->vid[0] = vlan->vid;
	tags->n++;
}

bool links_find_way_out(const struct links *links, const struct devices *devices, uint32_t ifindex, struct way_out *ret)
{
	const struct link *link = links_get(links, ifindex);
	struct way_out way = {};

	while (!is_end(devices, link, ifindex)) {
		if (!link || !link->lower || way.tags.n == TR_TAGS_MAX)
			return false;
		push_tag(&way.tags, link);
		ifindex = link->lower;
		link = links_get(links, ifindex);
	}
	way.ifindex = ifindex;
	if (!way.tags.n && (!link || !link->carries_vlans))
		way.tags.n = TR_TAGS_KEEP;
	*ret = way;
	return true;
}

void links_mark_carriers(struct links *links)
{
	for (size_t i = 0; i < links->all.n; i++)
		((struct link *)links->all.items[i])->carries_vlans = false;
	for (size_t i = 0; i < links->all.n; i++) {
		const struct link *vlan = links->all.items[i];
		struct link *lower = vlan->lower ? sorted_get(&links->all, &vlan->lower) : NULL;

		if (lower)
			lower->carries_vlans = true;
	}
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
	       a->lower == b->lower && a->tpid == b->tpid && a->vid == b->vid && !memcmp(a->mac, b->mac, sizeof(a->mac));
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
