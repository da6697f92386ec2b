/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Next hops of backends, learnt from the kernel and followed: the route to each watched address, then the neighbour's
 * MAC address, over rtnetlink with libmnl. XDP forwarding does not tell the kernel that a neighbour is in use, so
 * this module asks the kernel to resolve and keep every neighbour that it needs. Knows nothing of BPF and maps.
 */
#ifndef TAILRACE_NEXTHOP_H
#define TAILRACE_NEXTHOP_H

#include <stdint.h>

#include "devices.h"
#include "tailrace.h"

/*
 * TR_NH_NO_ROUTE stands also for an interface that is down, has no carrier or is not Ethernet. Without a route, or
 * with one through another device, MAC addresses and MTU are zeros.
 */
struct nexthop {
	enum tr_nexthop_state state;
	uint32_t ifindex;		/* that the frame leaves by, below all VLAN devices; 0 until known */
	uint16_t mtu;			/* the smaller of the route's and the interface's; bytes of an IP packet */
	uint8_t dmac[6];		/* valid once a neighbour has answered, also while it is asked again */
	uint8_t smac[6];		/* the route's interface's, which may be a VLAN device */
	struct tr_tags tags;		/* of the VLAN devices; TR_TAGS_KEEP: ifindex has none at all */
	struct tr_addr gateway;		/* the address that was resolved: a gateway, or the backend itself */
};

struct nexthops;

/*
 * Called from nexthops_process(), nexthops_tick() and nexthops_settle() whenever something in an address's next hop has
 * changed. The address may be unwatched from within.
 */
typedef void (*nexthop_changed_fn)(const struct tr_addr *address, const struct nexthop *nexthop, void *arg);

/*
 * devices: the interfaces that XDP transmits on. None: any that routes lead to (no TR_NH_OTHER_DEVICE; for `tailrace load`).
 * One that is not there (any more) leads nowhere. 0 or -errno.
 */
int nexthops_open(const struct devices *devices, nexthop_changed_fn changed, void *arg, struct nexthops **ret);
void nexthops_close(struct nexthops *nexthops);

/* Watch one more address, or one less. Watching twice counts once. 0 or -errno. */
int nexthops_watch(struct nexthops *nexthops, const struct tr_addr *address);
void nexthops_unwatch(struct nexthops *nexthops, const struct tr_addr *address);

/* NULL when the address is not watched. Valid until the next call of this module. */
const struct nexthop *nexthops_get(const struct nexthops *nexthops, const struct tr_addr *address);

/*
 * For an event loop: readable means nexthops_process() has work, be it events or a time that has come; tick about
 * once a second. 0 or -errno: what failed is tried again with the next call.
 */
int nexthops_fd(const struct nexthops *nexthops);
int nexthops_process(struct nexthops *nexthops);
int nexthops_tick(struct nexthops *nexthops);

/* Processes events until no watched address is UNKNOWN or RESOLVING, or the time is over. 0, -ETIMEDOUT or -errno. */
int nexthops_settle(struct nexthops *nexthops, unsigned int timeout_ms);

/* "resolving", "no route", ...: for messages, status and metrics. */
const char *nexthop_state_name(enum tr_nexthop_state state);

#endif
