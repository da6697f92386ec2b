/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hash of `vip_filter`, shared by the programs and the controller: the one piece of code that both must compute
 * alike. An address that is no VIP's is told by it without asking a map; a set bit only means "maybe", so one
 * multiplication is good enough.
 */
#ifndef TAILRACE_FILTER_H
#define TAILRACE_FILTER_H

#include "tailrace.h"

/* high, low: the masked address's two halves as they lie in memory; len: of the prefix, 128 for an address. */
static inline __u32 tr_filter_bit(__u64 high, __u64 low, __u32 len)
{
	return (high ^ low ^ len) * 0x9e3779b97f4a7c15ULL >> (64 - TR_FILTER_BITS);
}

/*
 * The bit of tr_settings.sources for a source, by its first bytes: of IPv4 the first one, of IPv6 a hash of the first
 * TR_SOURCE_BITS6 bits. first: the address from its first byte on, as it lies in memory.
 */
#define TR_SOURCE_BITS6 48
static inline __u32 tr_source_bit(__u64 first, __u32 family)
{
	return family == TR_IPV4 ? first & 0xff : (first << (64 - TR_SOURCE_BITS6)) * 0x9e3779b97f4a7c15ULL >> 56;
}

#endif
