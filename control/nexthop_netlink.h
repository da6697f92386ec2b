/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rtnetlink as nexthop*.c speak it: one socket for questions, one for the kernel's events, and the messages between
 * libmnl's attributes and plain structures. Keeps no state of the network.
 */
#ifndef TAILRACE_NEXTHOP_NETLINK_H
#define TAILRACE_NEXTHOP_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tailrace.h"

#define ROUTE_LEGS_MAX 8		/* next hops of a multipath route that are made use of */

struct rtnl {
	struct mnl_socket *questions;
	struct mnl_socket *events;
	uint32_t seq;
};

struct link {
	uint32_t ifindex;
	uint32_t mtu;
	bool up;			/* and has a carrier */
	bool ethernet;			/* what XDP forwarding can write a header for */
	uint8_t mac[6];
	/* Of a VLAN device: the one that it is on. 0: no VLAN device, or one whose lower end is in another namespace. */
	uint32_t lower;
	__be16 tpid, vid;
	bool carries_vlans;		/* nexthop_link.c's */
};

struct leg {
	uint32_t ifindex;
	struct tr_addr gateway;		/* the destination itself when on the link */
};

/* A route to one address. Legs that the kernel calls dead, or that encapsulate (lwtunnel), are left out. */
struct route {
	bool local;
	uint32_t mtu;			/* 0: the route names none */
	struct leg other;		/* one through an interface that is not ours; ifindex 0: none */
	unsigned int n_legs;
	struct leg legs[ROUTE_LEGS_MAX];
};

struct neigh_entry {
	uint32_t ifindex;
	struct tr_addr address;
	uint16_t nud;			/* NUD_*; NUD_NONE: there is no such entry */
	bool managed;			/* NTF_EXT_MANAGED */
	bool learned;			/* NTF_EXT_LEARNED: a routing daemon's */
	bool has_mac;
	uint8_t mac[6];
};

/* 0 or -errno; *ret is whole or untouched. */
int rtnl_open(struct rtnl *ret);
void rtnl_close(struct rtnl *rtnl);
int rtnl_events_fd(const struct rtnl *rtnl);

/*
 * One question about each item, many in flight at a time. put() writes the item's message; answer() gets the one
 * message that the kernel gives to it: what was asked for, or NLMSG_ERROR (see rtnl_answer_err). 0 or -errno.
 */
typedef void (*rtnl_put_fn)(struct nlmsghdr *nlh, const void *item, void *arg);
typedef void (*rtnl_answer_fn)(const struct nlmsghdr *nlh, void *item, void *arg);
int rtnl_ask(struct rtnl *rtnl, void **items, size_t n, rtnl_put_fn put, rtnl_answer_fn answer, void *arg);
/* Of an answer: 0 or -errno. */
int rtnl_answer_err(const struct nlmsghdr *nlh);

typedef void (*rtnl_message_fn)(const struct nlmsghdr *nlh, void *arg);
int rtnl_dump_links(struct rtnl *rtnl, rtnl_message_fn message, void *arg);
/* Hands over the events that are pending (a bounded number). -ENOBUFS: some were lost, none is pending. 0 or -errno. */
int rtnl_read_events(struct rtnl *rtnl, rtnl_message_fn message, void *arg);

/* Messages to the kernel. */
void rtnl_put_route(struct nlmsghdr *nlh, const struct tr_addr *address, bool fib_match);
void rtnl_put_get_neigh(struct nlmsghdr *nlh, uint32_t ifindex, const struct tr_addr *address);
/*
 * Resolve and confirm this neighbour now; managed: and keep it so. Made where it is not there if `create`. Never of a
 * permanent entry: the kernel would take its permanence away. A flag that is left out is cleared.
 */
void rtnl_put_use_neigh(struct nlmsghdr *nlh, const struct neigh_entry *entry, bool managed, bool create);

/* Messages from the kernel. false: not one that matters here (another family, a proxy entry, malformed). */
bool rtnl_parse_link(const struct nlmsghdr *nlh, struct link *ret);
/* Tells legs through our interfaces from others. */
typedef bool (*rtnl_is_ours_fn)(uint32_t ifindex, const void *arg);
/* *ret_incomplete: a nexthop object without its legs, ask again without fib_match. */
void rtnl_parse_route(const struct nlmsghdr *nlh, const struct tr_addr *address, rtnl_is_ours_fn is_ours, const void *arg,
		      struct route *ret, bool *ret_incomplete);
bool rtnl_parse_route_prefix(const struct nlmsghdr *nlh, struct tr_prefix *ret);
bool rtnl_parse_neigh(const struct nlmsghdr *nlh, struct neigh_entry *ret);

#endif
