/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An instance's links: DIR/link-N each holds the program on one interface, N being the number that it had then. Logs nothing,
 * and decides nothing: attach.c does.
 */
#ifndef TAILRACE_ATTACH_LINKS_H
#define TAILRACE_ATTACH_LINKS_H

#include <stddef.h>
#include <stdint.h>

#include "tailrace.h"

#define ATTACH_LINKS_MAX (2 * TR_DEVICES_MAX)

struct attach_link {
	char name[32];			/* of the pin */
	int ifindex;			/* in the network namespace of its interface, whichever that is */
	uint32_t program_id;
};

/* Those whose interface is still there. How many; at most ATTACH_LINKS_MAX. */
size_t attach_links_read(const char *dir, struct attach_link *ret);

/* 0 or -errno, all of them. */
int attach_link_make(const char *dir, int program, int ifindex, uint32_t xdp_flags);
int attach_link_update(const char *dir, const struct attach_link *link, int program);	/* 0 too where the interface has just gone */
int attach_link_detach(const char *dir, const struct attach_link *link);	/* and removes the pin */
/* Removes the pins of links whose interface is gone, or that were detached. */
int attach_links_drop_dead(const char *dir);

#endif
