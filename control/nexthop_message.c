// SPDX-License-Identifier: GPL-2.0-only
/* rtnetlink's messages, to and from plain structures; see nexthop_netlink.h. Pure. */
#include "nexthop_netlink.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "addr.h"

#define MAC_LEN 6

static void index_attr(const struct nlattr *attr, const struct nlattr **table, unsigned int max)
{
	if (mnl_attr_get_type(attr) <= max)
		table[mnl_attr_get_type(attr)] = attr;
}

static void index_attrs(const struct nlmsghdr *nlh, size_t header, const struct nlattr **table, unsigned int max)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, header)
		index_attr(attr, table, max);
}

static uint32_t get_u32(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) >= sizeof(uint32_t) ? mnl_attr_get_u32(attr) : 0;
}

static bool get_addr(const struct nlattr *attr, int family, struct tr_addr *ret)
{
	if (!attr || mnl_attr_get_payload_len(attr) < (family == AF_INET ? 4 : 16))
		return false;
	*ret = addr_from_wire(family, mnl_attr_get_payload(attr));
	return true;
}

static bool get_mac(const struct nlattr *attr, uint8_t *ret)
{
	if (!attr || mnl_attr_get_payload_len(attr) != MAC_LEN)
		return false;
	memcpy(ret, mnl_attr_get_payload(attr), MAC_LEN);
	return true;
}

static bool is_ip(int family)
{
	return family == AF_INET || family == AF_INET6;
}

static void put_addr(struct nlmsghdr *nlh, uint16_t type, const struct tr_addr *address)
{
	mnl_attr_put(nlh, type, addr_wire_len(address), addr_wire(address));
}

void rtnl_put_route(struct nlmsghdr *nlh, const struct tr_addr *address, bool fib_match)
{
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = addr_family(address);
	rtm->rtm_dst_len = 8 * addr_wire_len(address);
	rtm->rtm_flags = fib_match ? RTM_F_FIB_MATCH : 0;
	put_addr(nlh, RTA_DST, address);
}

static struct ndmsg *put_neigh(struct nlmsghdr *nlh, uint32_t ifindex, const struct tr_addr *address)
{
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = addr_family(address);
	ndm->ndm_ifindex = ifindex;
	put_addr(nlh, NDA_DST, address);
	return ndm;
}

void rtnl_put_get_neigh(struct nlmsghdr *nlh, uint32_t ifindex, const struct tr_addr *address)
{
	nlh->nlmsg_type = RTM_GETNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	put_neigh(nlh, ifindex, address);
}

void rtnl_put_use_neigh(struct nlmsghdr *nlh, const struct neigh_entry *entry, bool managed, bool create)
{
	struct ndmsg *ndm;

	nlh->nlmsg_type = RTM_NEWNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (create ? NLM_F_CREATE : 0);
	ndm = put_neigh(nlh, entry->ifindex, &entry->address);
	ndm->ndm_flags = NTF_USE | (entry->learned ? NTF_EXT_LEARNED : 0);
	/* Kernels before 5.16 take no notice of it. */
	if (managed)
		mnl_attr_put_u32(nlh, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
}

static void index_nested(const struct nlattr *nest, const struct nlattr **table, unsigned int max)
{
	const struct nlattr *attr;

	if (nest)
		mnl_attr_for_each_nested(attr, nest)
			index_attr(attr, table, max);
}

static uint16_t get_u16(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) >= sizeof(uint16_t) ? mnl_attr_get_u16(attr) : 0;
}

static bool is_text(const struct nlattr *attr, const char *text)
{
	return attr && mnl_attr_get_payload_len(attr) >= strlen(text) + 1 &&
	       !memcmp(mnl_attr_get_payload(attr), text, strlen(text) + 1);
}

/* IFLA_LINK with a namespace's number is an interface of that namespace. */
static void parse_vlan(const struct nlattr **table, struct link *link)
{
	const struct nlattr *info[IFLA_INFO_DATA + 1] = {}, *vlan[IFLA_VLAN_PROTOCOL + 1] = {};
	uint16_t tpid;

	index_nested(table[IFLA_LINKINFO], info, IFLA_INFO_DATA);
	if (!is_text(info[IFLA_INFO_KIND], "vlan") || table[IFLA_LINK_NETNSID])
		return;
	index_nested(info[IFLA_INFO_DATA], vlan, IFLA_VLAN_PROTOCOL);
	tpid = get_u16(vlan[IFLA_VLAN_PROTOCOL]);
	link->lower = get_u32(table[IFLA_LINK]);
	link->tpid = tpid ? tpid : htons(ETH_P_8021Q);
	link->vid = htons(get_u16(vlan[IFLA_VLAN_ID]));
}

bool rtnl_parse_link(const struct nlmsghdr *nlh, struct link *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table[IFLA_LINK_NETNSID + 1] = {};
	struct link link = {};

	/* Bridges and IPv6 have messages of their own of this type. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return false;
	index_attrs(nlh, sizeof(*ifi), table, IFLA_LINK_NETNSID);
	link.ifindex = ifi->ifi_index;
	link.up = (ifi->ifi_flags & IFF_UP) && (ifi->ifi_flags & IFF_RUNNING);
	link.mtu = get_u32(table[IFLA_MTU]);
	link.ethernet = get_mac(table[IFLA_ADDRESS], link.mac) && ifi->ifi_type == ARPHRD_ETHER;
	parse_vlan(table, &link);
	*ret = link;
	return true;
}

bool rtnl_parse_neigh(const struct nlmsghdr *nlh, struct neigh_entry *ret)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table[NDA_FLAGS_EXT + 1] = {};
	struct neigh_entry entry = {};

	/* A bridge's forwarding entries are AF_BRIDGE. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm) || !is_ip(ndm->ndm_family) || (ndm->ndm_flags & NTF_PROXY))
		return false;
	index_attrs(nlh, sizeof(*ndm), table, NDA_FLAGS_EXT);
	if (!get_addr(table[NDA_DST], ndm->ndm_family, &entry.address))
		return false;
	entry.ifindex = ndm->ndm_ifindex;
	entry.nud = nlh->nlmsg_type == RTM_DELNEIGH ? NUD_NONE : ndm->ndm_state;
	entry.learned = ndm->ndm_flags & NTF_EXT_LEARNED;
	entry.managed = get_u32(table[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED;
	entry.has_mac = get_mac(table[NDA_LLADDR], entry.mac);
	*ret = entry;
	return true;
}

bool rtnl_parse_route_prefix(const struct nlmsghdr *nlh, struct tr_prefix *ret)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table[RTA_DST + 1] = {};
	static const uint8_t any[16];
	struct tr_prefix prefix;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) || !is_ip(rtm->rtm_family))
		return false;
	index_attrs(nlh, sizeof(*rtm), table, RTA_DST);
	prefix.len = rtm->rtm_dst_len + (rtm->rtm_family == AF_INET ? 96 : 0);
	if (!get_addr(table[RTA_DST], rtm->rtm_family, &prefix.addr))
		prefix.addr = addr_from_wire(rtm->rtm_family, any);	/* a default route has no RTA_DST */
	*ret = prefix;
	return true;
}

static uint32_t parse_mtu(const struct nlattr *metrics)
{
	const struct nlattr *table[RTAX_MTU + 1] = {};

	index_nested(metrics, table, RTAX_MTU);
	return get_u32(table[RTAX_MTU]);
}

/* The gateway of a route or of one leg; RFC 8950 has IPv4 routes with IPv6 gateways: RTA_VIA. */
static struct tr_addr parse_gateway(const struct nlattr **table, const struct tr_addr *address)
{
	struct tr_addr gateway = *address;
	const struct rtvia *via;
	size_t len;

	get_addr(table[RTA_GATEWAY], addr_family(address), &gateway);
	if (table[RTA_VIA] && mnl_attr_get_payload_len(table[RTA_VIA]) > sizeof(*via)) {
		via = mnl_attr_get_payload(table[RTA_VIA]);
		len = mnl_attr_get_payload_len(table[RTA_VIA]) - sizeof(*via);
		if (is_ip(via->rtvia_family) && len >= (via->rtvia_family == AF_INET ? 4 : 16))
			gateway = addr_from_wire(via->rtvia_family, via->rtvia_addr);
	}
	return gateway;
}

struct leg_filter {
	const struct tr_addr *address;
	rtnl_is_ours_fn is_ours;
	const void *arg;
};

static void add_leg(struct route *route, const struct nlattr **table, uint32_t ifindex, unsigned int flags,
		    const struct leg_filter *filter)
{
	struct leg leg = { .ifindex = ifindex };

	if (!ifindex || (flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) || table[RTA_ENCAP])
		return;
	leg.gateway = parse_gateway(table, filter->address);
	if (!filter->is_ours(ifindex, filter->arg))
		route->other = leg;
	else if (route->n_legs < ROUTE_LEGS_MAX)
		route->legs[route->n_legs++] = leg;
}

static void add_legs(struct route *route, const struct nlattr *multipath, const struct leg_filter *filter)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	int len = mnl_attr_get_payload_len(multipath);

	for (; len >= (int)sizeof(*hop) && RTNH_OK(hop, len);
	     len -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		const struct nlattr *attr, *table[RTA_ENCAP + 1] = {};

		mnl_attr_for_each_payload((const void *)RTNH_DATA(hop), hop->rtnh_len - RTNH_LENGTH(0))
			index_attr(attr, table, RTA_ENCAP);
		add_leg(route, table, hop->rtnh_ifindex, hop->rtnh_flags, filter);
	}
}

void rtnl_parse_route(const struct nlmsghdr *nlh, const struct tr_addr *address, rtnl_is_ours_fn is_ours, const void *arg,
		      struct route *ret, bool *ret_incomplete)
{
	const struct leg_filter filter = { address, is_ours, arg };
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table[RTA_NH_ID + 1] = {};
	struct route route = {};

	*ret_incomplete = false;
	*ret = route;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return;
	route.local = rtm->rtm_type == RTN_LOCAL;
	index_attrs(nlh, sizeof(*rtm), table, RTA_NH_ID);
	if (rtm->rtm_type == RTN_UNICAST) {
		route.mtu = parse_mtu(table[RTA_METRICS]);
		if (table[RTA_MULTIPATH])
			add_legs(&route, table[RTA_MULTIPATH], &filter);
		else
			add_leg(&route, table, get_u32(table[RTA_OIF]), rtm->rtm_flags, &filter);
		/* net.ipv4.nexthop_compat_mode=0: a route says the object's number and nothing of its legs. */
		*ret_incomplete = table[RTA_NH_ID] && !table[RTA_MULTIPATH] && !table[RTA_OIF];
	}
	*ret = route;
}
