// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of a next hop's VLAN tags. A packet reads a backend's record and its tags in several loads. Most of what it may meet
 * halfway is harmless: tags are written before the record that says that there are any, and a frame that has link-layer addresses
 * of before and a tag of after is for nobody on that VLAN, as in any change of a next hop. But half of the old tags with half of
 * the new ones may be a VLAN of somebody else's. So where more than one part of them changes, the backend's record first says
 * that there is no way to it, its packets are dropped, until none that has read the old one can be on its way any more.
 */
#include <stddef.h>
#include <unistd.h>

#include "dataplane_internal.h"

#define IN_FLIGHT_US 50000		/* far beyond what a packet stays in a program */

static bool is_tagged(const struct tr_tags *tags)
{
	return tags->n >= 1 && tags->n <= TR_TAGS_MAX;
}

static unsigned int count_differences(const struct tr_tags *a, const struct tr_tags *b)
{
	unsigned int n = a->n != b->n;

	for (int i = 0; i < TR_TAGS_MAX; i++)
		n += (a->tpid[i] != b->tpid[i]) + (a->vid[i] != b->vid[i]);
	return n;
}

static bool must_rest(const struct dataplane *dp, const struct step *step)
{
	const struct tr_tags *old = &dp->backend_tags[step->number];

	return step->kind == STEP_BACKEND && dp->backends[step->number].encap != TR_ENCAP_NONE && is_tagged(old) &&
	       count_differences(old, &step->tags) > 1;
}

void dataplane_rest_retagged(struct dataplane *dp, const struct plan *plan)
{
	bool rests = false;

	for (size_t i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];
		struct tr_backend record;

		if (!must_rest(dp, step))
			continue;
		record = dp->backends[step->number];
		record.encap = TR_ENCAP_NONE;
		dataplane_store_words(&dp->backends[step->number], &record, sizeof(record));
		rests = true;
	}
	if (rests)
		usleep(IN_FLIGHT_US);
}
