/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The neighbours that are next hops, each once however many backends are behind it: what the kernel knows of them, and
 * the asking that makes the kernel resolve them and keep them.
 */
#ifndef TAILRACE_NEXTHOP_NEIGH_H
#define TAILRACE_NEXTHOP_NEIGH_H

#include "nexthop_netlink.h"
#include "sorted.h"

struct neigh {
	struct leg at;			/* the key: interface and address */
	enum tr_nexthop_state state;	/* TR_NH_RESOLVING, TR_NH_OK or TR_NH_FAILED */
	uint8_t mac[6];			/* the last that it had; zeros before the first */

	unsigned int users;
	uint64_t asked_at;		/* ms; 0: never */
	bool known;			/* what follows has been asked for, and is followed since */
	bool present;			/* the kernel has an entry */
	bool fixed;			/* NUD_PERMANENT or NUD_NOARP: nothing to resolve */
	bool managed;
	bool learned;
	bool ours;			/* it is managed because we said so */
};

struct neighs {
	struct rtnl *rtnl;		/* the caller's */
	struct sorted all;
	bool changed;			/* a state or a MAC address has; the caller takes it back */
	uint64_t now;
	uint64_t warned_at;
};

void neighs_init(struct neighs *neighs, struct rtnl *rtnl);
void neighs_destroy(struct neighs *neighs);

/* One more user of this neighbour, or one less. Without users it goes with the next neighs_work(). 0 or -ENOMEM. */
int neighs_hold(struct neighs *neighs, const struct leg *at, struct neigh **ret);
void neighs_release(struct neigh *neigh);

void neighs_event(struct neighs *neighs, const struct neigh_entry *entry);
/* Events were lost: the next neighs_work() asks for every entry. */
void neighs_resync(struct neighs *neighs);
/*
 * Lets the kernel forget what has no users, asks for the entries that are new here, and has the kernel resolve those
 * that are due. Now in ms. 0 or -errno.
 */
int neighs_work(struct neighs *neighs, uint64_t now);

#endif
