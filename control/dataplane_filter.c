// SPDX-License-Identifier: GPL-2.0-only
/*
 * The filter of VIP addresses in the maps; see vip_filter.h for what it holds. Bits are only set while addresses are
 * added; lengths are written into the half that no packet reads, which then is made the one that counts.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dataplane_internal.h"

#define IN_FLIGHT_US 1000		/* a packet's few loops over the half that counted before are long over */

static bool lengths_differ(const struct dataplane *dp)
{
	return memcmp(dp->filter->lengths[dp->settings->lengths], dp->wanted.lengths, sizeof(dp->wanted.lengths));
}

/* The pause comes first: the other half counted until the last change, which may be just now. */
static void write_lengths(struct dataplane *dp)
{
	struct tr_settings settings = *dp->settings;

	if (!lengths_differ(dp))
		return;
	usleep(IN_FLIGHT_US);
	settings.lengths = !settings.lengths;
	dataplane_store_words(dp->filter->lengths[settings.lengths], dp->wanted.lengths, sizeof(dp->wanted.lengths));
	dataplane_store_words(dp->settings, &settings, sizeof(settings));
}

static void write_bits(struct dataplane *dp)
{
	dataplane_store_words(dp->filter->words, dp->wanted.words, sizeof(dp->wanted.words));
	dataplane_store_words(dp->settings->sources, dp->wanted.sources, sizeof(dp->wanted.sources));
}

void dataplane_filter_add(struct dataplane *dp, const struct tr_prefix *prefix)
{
	vip_filter_add(&dp->wanted, prefix);
	write_bits(dp);
	write_lengths(dp);
}

int dataplane_filter_build(struct dataplane *dp)
{
	const struct running *running;
	int err = dataplane_read(dp, &running);

	if (err)
		return err;
	vip_filter_clear(&dp->wanted);
	for (size_t i = 0; i < running->n_addresses; i++)
		vip_filter_add(&dp->wanted, &running->addresses[i].prefix);
	write_bits(dp);
	write_lengths(dp);
	return 0;
}
