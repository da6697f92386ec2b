/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is the destination a VIP's address, and which VIP serves (protocol, port) there? A filter tells most addresses that are
 * no VIP's; a direct-mapped cache of each CPU has the answers for the others. The generation is read before the maps, so an
 * answer that a change has overtaken carries the old generation and is never believed after it.
 */
#ifndef TAILRACE_LOOKUP_BPF_H
#define TAILRACE_LOOKUP_BPF_H

#include <bpf/bpf_endian.h>

#include "filter.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

extern const volatile __u32 vip_cache_size;	/* entries for each CPU, a power of two; the controller sets it */

/* cached_vip.what: an address, a prefix that stands alone, or an address's protocol and port. A fresh line's 0: none. */
#define CACHED_ADDRESS 1
#define CACHED_SERVICE(l4, port) (2 | (l4) << 8 | (__u32)(port) << 16)
#define CACHED_PREFIX(len) (3 | (len) << 8)

/* An address as two words, in the order of memory: what masks, compares and hashes cheaply. */
struct addr_words {
	__u64 high, low;
};

static __always_inline struct addr_words addr_words(const struct tr_addr *addr)
{
	const __u64 *words = (const __u64 *)addr;

	return (struct addr_words){ words[0], words[1] };
}

/* The slot that this answer belongs in, whatever stands there. NULL cannot happen. */
static __always_inline struct cached_vip *cache_slot(struct addr_words addr, __u32 what)
{
	__u64 hash = (addr.high ^ addr.low ^ what) * 0x9e3779b97f4a7c15ULL;
	__u32 size = vip_cache_size;
	__u32 slot = bpf_get_smp_processor_id() * size + ((hash >> 40) & (size - 1));

	return bpf_map_lookup_elem(&vip_cache, &slot);
}

static __always_inline int cache_holds(const struct cached_vip *line, struct addr_words addr, __u32 what,
				       __u32 generation)
{
	struct addr_words held = addr_words(&line->addr);

	return line->what == what && line->generation == generation && held.low == addr.low && held.high == addr.high;
}

static __always_inline void cache_claim(struct cached_vip *line, struct addr_words addr, __u32 what, __u32 generation)
{
	__u64 *words = (__u64 *)&line->addr;

	words[0] = addr.high;
	words[1] = addr.low;
	line->what = what;
	line->generation = generation;
}

/* 0, or -1: a bug, a number that no VIP has. vip 0 is none. */
static __always_inline int find_vip(__u32 number, struct handover *ret)
{
	union {			/* struct tr_vip as two words, each in one load */
		__u64 words[2];
		struct tr_vip vip;
	} place = {};
	struct tr_vip *vip;

	if (number) {
		vip = bpf_map_lookup_elem(&vips, &number);
		if (!vip)
			return -1;
		place.words[0] = ((const volatile __u64 *)vip)[0];
		place.words[1] = ((const volatile __u64 *)vip)[1];
	}
	ret->vip = number;
	ret->ring = place.vip.ring;
	ret->ring_size = place.vip.ring_size;
	ret->pool = place.vip.pool;
	ret->how = place.vip.how;
	return 0;
}

struct found {
	struct tr_vip_address address;		/* id 0: no VIP's */
	struct handover service[TR_L4_COUNT];	/* of all ports */
};

/* Asks the maps. 0, or -1: a bug. */
WALKED_ONCE int find_address(const struct tr_addr *addr, struct found *ret)
{
	struct tr_prefix prefix = { .len = 128 };
	struct tr_vip_address *found;
	const struct tr_settings *set;
	struct tr_addr key;
	__u32 zero = 0;

	set = bpf_map_lookup_elem(&settings, &zero);
	if (!addr || !ret || !set)
		return -1;
	key = *addr;
	found = bpf_map_lookup_elem(&vip_addresses, &key);
	if (!found && set->prefixes) {
		prefix.addr = key;
		found = bpf_map_lookup_elem(&vip_prefixes, &prefix);
	}
	if (!found)
		return 0;
	ret->address = *found;
	if (find_vip(found->all_ports[TR_TCP], &ret->service[TR_TCP]))
		return -1;
	return find_vip(found->all_ports[TR_UDP], &ret->service[TR_UDP]);
}

static __always_inline struct addr_words masked(struct addr_words addr, __u32 len)
{
	addr.high &= len >= 64 ? ~0ULL : bpf_cpu_to_be64(~(~0ULL >> len));
	addr.low &= len >= 128 ? ~0ULL : len <= 64 ? 0 : bpf_cpu_to_be64(~(~0ULL >> (len - 64)));
	return addr;
}

static __always_inline int filter_has(const struct tr_filter *filter, struct addr_words addr, __u32 len)
{
	__u32 bit = tr_filter_bit(addr.high, addr.low, len);

	return filter->words[bit / 64 & (TR_FILTER_WORDS - 1)] >> (bit & 63) & 1;
}

/* 0: it is no VIP's address for sure. */
static __always_inline int may_be_vip(const struct tr_filter *filter, const struct tr_lengths *lengths,
				      struct addr_words addr)
{
	if (filter_has(filter, addr, 128) || !lengths->known)
		return 1;
	for (__u32 i = 0; i < TR_LENGTHS_MAX && i < lengths->n; i++) {
		const struct tr_length *length = &lengths->lengths[i];
		struct addr_words mask = addr_words(&length->mask);

		if (filter_has(filter, (struct addr_words){ addr.high & mask.high, addr.low & mask.low }, length->len))
			return 1;
	}
	return 0;
}

/* Asks the maps, and keeps the answer: of a prefix that stands alone for all of it. NULL: a bug. */
static __always_inline struct cached_vip *fill_line(const struct tr_settings *set, const struct tr_addr *addr,
						    __u32 generation)
{
	struct addr_words key = addr_words(addr);
	struct found found = {};
	__u32 what = CACHED_ADDRESS;
	struct cached_vip *line;

	if (find_address(addr, &found))
		return NULL;
	if (found.address.alone && found.address.len < 128) {
		key = masked(key, found.address.len);
		what = CACHED_PREFIX(found.address.len);
	}
	line = cache_slot(key, what);
	if (!line)
		return NULL;
	line->id = found.address.id;
	line->has_exact[TR_TCP] = found.address.has_exact[TR_TCP];
	line->has_exact[TR_UDP] = found.address.has_exact[TR_UDP];
	line->service[TR_TCP] = found.service[TR_TCP];
	line->service[TR_UDP] = found.service[TR_UDP];
	line->echo = found.address.echo;
	cache_claim(line, key, what, generation);
	return line;
}

/*
 * The line of the address, or of the prefix around it; id 0: no VIP's address. The order of lengths does not matter: a
 * prefix is cached as a whole only where nothing longer lies in it. NULL: a bug.
 */
static __always_inline const struct cached_vip *lookup_address(const struct tr_settings *set,
							       const struct tr_lengths *lengths,
							       const struct tr_addr *addr, __u32 generation)
{
	struct addr_words words = addr_words(addr);
	struct cached_vip *line = cache_slot(words, CACHED_ADDRESS);

	if (line && cache_holds(line, words, CACHED_ADDRESS, generation))
		return line;
	for (__u32 i = 0; i < TR_LENGTHS_MAX && i < lengths->n; i++) {
		const struct tr_length *length = &lengths->lengths[i];
		struct addr_words mask = addr_words(&length->mask);
		struct addr_words inside = { words.high & mask.high, words.low & mask.low };

		line = cache_slot(inside, CACHED_PREFIX(length->len));
		if (line && cache_holds(line, inside, CACHED_PREFIX(length->len), generation))
			return line;
	}
	return fill_line(set, addr, generation);
}

#endif
