// SPDX-License-Identifier: GPL-2.0-only
/* Bits and lengths of the filter in front of the VIPs' maps; see vip_filter.h. */
#include "vip_filter.h"

#include <string.h>

#include "addr.h"
#include "filter.h"

void vip_filter_clear(struct vip_filter *filter)
{
	*filter = (struct vip_filter){ .lengths = { { .known = 1 }, { .known = 1 } } };
	/* 0/8, 127/8, 224/3: from where no packet can come. IPv6's are told by other means. */
	for (uint32_t octet = 0; octet < 256; octet++)
		if (octet == 0 || octet == 127 || octet >= 224)
			filter->sources[TR_IPV4][octet / 64] |= 1ULL << octet % 64;
}

/* bits: of the address that the prefix fixes; needed: those that the bit comes from. */
static void add_source(struct vip_filter *filter, uint32_t family, uint64_t first, uint32_t bits, uint32_t needed)
{
	uint32_t bit = tr_source_bit(first, family);

	if (bits < needed)
		memset(filter->sources[family], 0xff, sizeof(filter->sources[family]));
	else
		filter->sources[family][bit / 64] |= 1ULL << bit % 64;
}

static struct tr_addr mask_of(uint32_t len)
{
	unsigned char bytes[sizeof(struct tr_addr)] = {};
	struct tr_addr mask;

	for (uint32_t bit = 0; bit < len; bit++)
		bytes[bit / 8] |= 0x80 >> bit % 8;
	memcpy(&mask, bytes, sizeof(mask));
	return mask;
}

static void add_length(struct tr_lengths *lengths, uint32_t len)
{
	if (len == 128)
		return;		/* single addresses are asked for in any case */
	for (uint32_t i = 0; i < lengths->n; i++)
		if (lengths->lengths[i].len == len)
			return;
	if (lengths->n == TR_LENGTHS_MAX) {
		lengths->known = 0;
		return;
	}
	lengths->lengths[lengths->n++] = (struct tr_length){ .mask = mask_of(len), .len = len };
}

void vip_filter_add(struct vip_filter *filter, const struct tr_prefix *prefix)
{
	static const unsigned char zeros[4];
	const struct tr_addr first_v4 = addr_from_wire(AF_INET, zeros);
	uint64_t halves[2];
	uint32_t bit;

	memcpy(halves, &prefix->addr, sizeof(halves));
	bit = tr_filter_bit(halves[0], halves[1], prefix->len);
	filter->words[bit / 64] |= 1ULL << bit % 64;
	if (addr_is_v4(&prefix->addr) || addr_in_prefix(&first_v4, prefix)) {
		add_length(&filter->lengths[TR_IPV4], prefix->len);
		add_source(filter, TR_IPV4, prefix->addr.w[3], prefix->len < 96 ? 0 : prefix->len - 96, 8);
	}
	if (!addr_is_v4(&prefix->addr)) {
		add_length(&filter->lengths[TR_IPV6], prefix->len);
		add_source(filter, TR_IPV6, halves[0], prefix->len, TR_SOURCE_BITS6);
	}
}
