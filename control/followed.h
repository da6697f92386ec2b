/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose next hops are followed: the backends of the configuration, and those that have left it and still have flows.
 */
#ifndef TAILRACE_FOLLOWED_H
#define TAILRACE_FOLLOWED_H

#include "config.h"
#include "nexthop.h"
#include "plan.h"

struct followed {
	struct tr_addr *addresses;	/* sorted */
	size_t n;
	size_t leaving;			/* backends that are no longer configured */
};

/*
 * Follows the backends of both configurations (either may be NULL) and the leaving ones of running (may be NULL), and no
 * others any more. 0 or -errno; after an error more may be followed than needed, never less than before.
 */
int followed_update(struct followed *followed, struct nexthops *nexthops, const struct config *config,
		    const struct config *other, const struct running *running);
/* Backends that have left the configuration and still have flows. */
size_t followed_count_leaving(const struct running *running);
void followed_forget(struct followed *followed);	/* next hops were closed */

#endif
