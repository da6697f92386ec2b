/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter in front of the VIPs' maps (bpf/lookup.bpf.h), as the prefixes that these maps hold ask for it. A bit or a
 * length that is missing would send a VIP's packets up the stack: both are written before an address is added, and
 * taken back only by building all anew. Pure.
 */
#ifndef TAILRACE_VIP_FILTER_H
#define TAILRACE_VIP_FILTER_H

#include <stdint.h>

#include "tailrace.h"

struct vip_filter {
	uint64_t words[TR_FILTER_WORDS];
	struct tr_lengths lengths[TR_FAMILY_COUNT];
	uint64_t sources[TR_FAMILY_COUNT][TR_SOURCE_WORDS];	/* tr_settings.sources */
};

/* As for no address at all: everything is known not to be a VIP's. */
void vip_filter_clear(struct vip_filter *filter);
/* More lengths than there is room for: that family's are not known any more, and the maps are asked. */
void vip_filter_add(struct vip_filter *filter, const struct tr_prefix *prefix);

#endif
