/* SPDX-License-Identifier: GPL-2.0-only */
/* Sources that nothing for a VIP can come from: docs/packets.md, section 6. Every packet that is balanced passes here. */
#ifndef TAILRACE_SOURCE_BPF_H
#define TAILRACE_SOURCE_BPF_H

#include "lookup.bpf.h"

/* IPv4: 0/8, 127/8, 224/3. IPv6: ::/64, ff00::/8. By the first bytes, as they lie in memory. */
static __always_inline int is_martian(struct addr_words addr, __u32 family)
{
	__u8 first;

	if (family == TR_IPV6)
		return !addr.high || (addr.high & 0xff) == 0xff;
	first = addr.low >> 32;
	return (__u8)(first - 1) >= 223 || first == 127;
}

/* Behind the filter's maybe: by the cache, as a destination is looked up. */
WALKED_ONCE int is_vip_source(__u64 high, __u64 low, __u32 family, __u32 generation)
{
	struct addr_words words = { high, low };
	const struct cached_vip *line;
	const struct tr_filter *filter;
	const struct tr_settings *set;
	struct tr_addr addr;
	__u32 zero = 0;

	set = bpf_map_lookup_elem(&settings, &zero);
	filter = bpf_map_lookup_elem(&vip_filter, &zero);
	if (!set || !filter)
		return 0;
	__builtin_memcpy(&addr, &words, sizeof(addr));
	line = lookup_address(set, &filter->lengths[set->lengths & 1][family & 1], &addr, generation);
	return line && line->id;
}

/* 0, or the verdict that ends the packet. */
static __always_inline __u32 check_source(const struct tr_settings *set, const struct tr_filter *filter,
					  struct addr_words src, __u32 family, __u32 generation)
{
	const struct tr_lengths *lengths = &filter->lengths[set->lengths & 1][family];

	if (is_martian(src, family))
		return TR_V_MARTIAN;
	if (may_be_vip(filter, lengths, src) && is_vip_source(src.high, src.low, family, generation))
		return TR_V_VIP_SOURCE;
	return 0;
}

#endif
