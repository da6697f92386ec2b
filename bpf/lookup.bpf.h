/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is the destination a VIP's address, and which VIP serves (protocol, port) there? A direct-mapped cache of each CPU
 * answers first. The generation is read before the maps, so an answer that a change has overtaken carries the old
 * generation and is never believed after it.
 */
#ifndef TAILRACE_LOOKUP_BPF_H
#define TAILRACE_LOOKUP_BPF_H

#include "maps.bpf.h"

extern const volatile __u32 vip_cache_size;	/* entries for each CPU, a power of two; the controller sets it */

/* cached_vip.what: the whole address, or protocol and port. A fresh line's 0 is neither. */
#define CACHED_ADDRESS 1
#define CACHED_SERVICE(l4, port) (2 | (l4) << 8 | (__u32)(port) << 16)

static __always_inline int addr_equal(const struct tr_addr *a, const struct tr_addr *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[1] == y[1] && x[0] == y[0];
}

/* The slot that this answer belongs in, whatever stands there. NULL cannot happen. */
static __always_inline struct cached_vip *cache_slot(const struct tr_addr *addr, __u32 what)
{
	const __u64 *words = (const __u64 *)addr;
	__u64 hash = (words[0] ^ words[1] ^ what) * 0x9e3779b97f4a7c15ULL;
	__u32 size = vip_cache_size;
	__u32 slot = bpf_get_smp_processor_id() * size + ((hash >> 40) & (size - 1));

	return bpf_map_lookup_elem(&vip_cache, &slot);
}

static __always_inline int cache_holds(const struct cached_vip *line, const struct tr_addr *addr, __u32 what,
				       __u32 generation)
{
	return line->what == what && line->generation == generation && addr_equal(&line->addr, addr);
}

static __always_inline void cache_claim(struct cached_vip *line, const struct tr_addr *addr, __u32 what, __u32 generation)
{
	line->addr = *addr;
	line->what = what;
	line->generation = generation;
}

static __noinline int find_address(const struct tr_settings *set, const struct tr_addr *addr, struct cached_vip *line)
{
	struct tr_prefix prefix = { .len = 128 };
	struct tr_vip_address *found = bpf_map_lookup_elem(&vip_addresses, addr);

	if (!found && set->prefixes) {
		prefix.addr = *addr;
		found = bpf_map_lookup_elem(&vip_prefixes, &prefix);
	}
	if (found)
		line->address = *found;
	else
		line->address.id = 0;
	return 0;
}

/* NULL: a bug; id 0: no VIP's address. */
static __always_inline const struct tr_vip_address *lookup_address(const struct tr_settings *set,
								   const struct tr_addr *addr, __u32 generation)
{
	struct cached_vip *line = cache_slot(addr, CACHED_ADDRESS);

	if (!line)
		return NULL;
	if (!cache_holds(line, addr, CACHED_ADDRESS, generation)) {
		find_address(set, addr, line);
		cache_claim(line, addr, CACHED_ADDRESS, generation);
	}
	return &line->address;
}

/*
 * Fills *service; vip 0: none. 1: the answer is for this port, 0: for every port that the address has no exact service
 * of, and it has none of this protocol. -1: a bug, a number that no VIP has.
 */
static __always_inline int find_service(const struct tr_vip_address *address, __u8 l4, __be16 port,
					struct handover *service)
{
	struct tr_service_key key = { .address = address->id, .port = port, .l4 = l4 };
	__u32 number = l4 == TR_TCP ? address->all_ports[TR_TCP] : address->all_ports[TR_UDP];
	__u8 has_exact = l4 == TR_TCP ? address->has_exact[TR_TCP] : address->has_exact[TR_UDP];
	union {			/* the first word of struct tr_vip, in one load */
		__u64 word;
		struct {
			__u32 ring, ring_size;
		};
	} place;
	struct tr_vip *vip;
	__u32 *exact;

	if (has_exact) {
		exact = bpf_map_lookup_elem(&services, &key);
		if (exact)
			number = *exact;
	}
	service->vip = number;
	service->ring = service->ring_size = 0;
	if (number) {
		vip = bpf_map_lookup_elem(&vips, &number);
		if (!vip)
			return -1;
		place.word = *(const volatile __u64 *)vip;
		service->ring = place.ring;
		service->ring_size = place.ring_size;
	}
	return has_exact;
}

#endif
