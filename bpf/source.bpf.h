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

static __always_inline int is_doubtful(const struct tr_settings *set, struct addr_words src, __u32 family)
{
	__u32 bit = tr_source_bit(family == TR_IPV4 ? src.low >> 32 : src.high, family);

	if (family == TR_IPV6 && (__u8)(src.high + 1) < 2)	/* first byte 0 or 255 */
		return 1;
	return set->sources[family][bit / 64] >> (bit & 63) & 1;
}

/* Of a source that is doubtful. 0, or the verdict that ends the packet. */
WALKED_ONCE __u32 check_doubtful(__u64 high, __u64 low, __u32 family, __u32 generation)
{
	struct addr_words src = { high, low };
	const struct tr_lengths *lengths;
	const struct tr_filter *filter;
	const struct tr_settings *set;
	const struct cached_vip *line;
	struct tr_addr addr;
	__u32 zero = 0;

	set = bpf_map_lookup_elem(&settings, &zero);
	filter = bpf_map_lookup_elem(&vip_filter, &zero);
	if (!set || !filter)
		return TR_V_INTERNAL;
	if (is_martian(src, family))
		return TR_V_MARTIAN;
	lengths = &filter->lengths[set->lengths & 1][family & 1];
	if (!may_be_vip(filter, lengths, src))
		return 0;
	__builtin_memcpy(&addr, &src, sizeof(addr));
	line = lookup_address(set, lengths, &addr, generation);
	if (!line)
		return TR_V_INTERNAL;
	return line->id ? TR_V_VIP_SOURCE : 0;
}

/* One bit tells of most clients that they are neither martian nor a VIP: a look into the filter for every packet would cost 4 ns. */
static __always_inline __u32 check_source(const struct tr_settings *set, struct addr_words src, __u32 family,
					  __u32 generation)
{
	return is_doubtful(set, src, family) ? check_doubtful(src.high, src.low, family, generation) : 0;
}

#endif
