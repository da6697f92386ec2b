/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending what is not plain: a frame with or without tags, its IP packet anywhere in it, to a backend whose next hop may lie behind
 * tags. docs/packets.md, section 8.
 */
#ifndef TAILRACE_SEND_BPF_H
#define TAILRACE_SEND_BPF_H

#include "forward.bpf.h"
#include "mss.bpf.h"

#define TAG_LEN 4
#define PRIORITY_MASK bpf_htons(0xf000)		/* PCP and DEI of a TCI */

/* Destination and source, 6 bytes each, in two loads and two stores. */
static __always_inline void swap_macs(void *data)
{
	__u64 first = *(__u64 *)data;
	__u32 last = *(__u32 *)(data + 8);

	*(__u64 *)data = first >> 48 | (__u64)last << 16 | first << 48;
	*(__u32 *)(data + 8) = first >> 16;
}

struct tag {
	__be16 tpid;
	__be16 tci;
};

/* The link layer in front of the IP packet. */
struct link {
	__u32 n;			/* tags */
	struct tag tags[TR_TAGS_MAX] __attribute__((aligned(8)));
};
_Static_assert(sizeof(((struct link *)0)->tags) == 8, "the tags are read in one load");

/* What the frame came with, and the inner header's TOS or class. 0, or -1: a bug. */
static __always_inline int link_read(struct xdp_md *ctx, const struct place *p, struct link *ret, struct inner *inner)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 l3 = p->l3 & 0x1f;
	__u8 *ip = data + l3;

	if (data + ETH_HLEN + TR_TAGS_MAX * TAG_LEN > end || (void *)(ip + 2) > end)
		return -1;
	ret->n = (l3 - ETH_HLEN) / TAG_LEN;
	COPY(__u64, ret->tags, data + ETH_HLEN - 2, 0);
	inner->protocol = p->family == TR_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	inner->tos = p->family == TR_IPV4 ? ip[1] : ip[0] << 4 | ip[1] >> 4;
	return 0;
}

/* The tags that the backend's link wants in the place of the frame's own. 0, or -1: a bug. */
static __always_inline int link_change(struct link *link, __u32 number, int elsewhere)
{
	const struct tr_tags *tags = bpf_map_lookup_elem(&backend_tags, &number);
	__be16 priority = link->n ? link->tags[0].tci & PRIORITY_MASK : 0;

	if (!tags)
		return -1;
	if (tags->n == TR_TAGS_KEEP) {
		if (elsewhere)
			link->n = 0;
		return 0;
	}
	link->n = tags->n > TR_TAGS_MAX ? TR_TAGS_MAX : tags->n;
	for (__u32 i = 0; i < TR_TAGS_MAX; i++)
		link->tags[i] = (struct tag){ tags->tpid[i], tags->vid[i] | priority };
	return 0;
}

/* Room for them, and all in front of the outer IP header. NULL, *ret_verdict: why not. */
static __always_inline void *link_push(struct xdp_md *ctx, const struct place *p, const struct link *link,
				       const struct tr_backend *backend, __u32 outer_len, __u32 *ret_verdict)
{
	__u32 ethertype = ETH_HLEN - 2 + (link->n & 3) * TAG_LEN;	/* its offset */
	void *data, *end;

	*ret_verdict = TR_V_NO_HEADROOM;
	if (bpf_xdp_adjust_head(ctx, (int)(p->l3 & 0x1f) - (int)(ethertype + 2 + outer_len)))
		return NULL;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	*ret_verdict = TR_V_INTERNAL;
	if (data + ETH_HLEN + TR_TAGS_MAX * TAG_LEN + sizeof(struct tr_outer4) > end)
		return NULL;
	COPY(__u64, data, backend->dmac, 0);
	COPY(__u32, data, backend->dmac, 8);
	if (link->n > 0)
		COPY(__u32, data + ETH_HLEN - 2, &link->tags[0], 0);
	if (link->n > 1)
		COPY(__u32, data + ETH_HLEN - 2 + TAG_LEN, &link->tags[1], 0);
	data += ethertype;
	if (data + 2 + outer_len > end)
		return NULL;
	*(__be16 *)data = backend->ethertype;
	return data + 2;
}

/* line->place and line->sending are filled. clamps, a constant: there may be SYNs with PLACE_CLAMP. */
static __always_inline int send(struct xdp_md *ctx, const struct tr_settings *set, struct scratch *line, const int clamps)
{
	const struct sending *s = &line->sending;
	struct inner inner = { .len = s->len, .syn = s->syn, .hash = s->hash };
	__u32 number = s->number, outer_len, verdict;
	struct tr_backend *backend = bpf_map_lookup_elem(&backends, &number);
	int elsewhere;
	struct link link;
	void *outer;
	__u8 encap;

	if (!backend)
		return finish(TR_V_INTERNAL);
	encap = backend->encap & ~TR_ENCAP_TAGGED;
	if (encap != TR_ENCAP_IPV4 && encap != TR_ENCAP_IPV6)
		return finish(TR_V_NO_BACKEND);
	outer_len = encap == TR_ENCAP_IPV4 ? sizeof(struct tr_outer4) : sizeof(struct tr_outer6);
	if (inner.len + outer_len > backend->mtu) {
		bpf_tail_call_static(ctx, &stages, TR_STAGE_TOO_BIG);
		return finish(TR_V_TOO_BIG);
	}
	if (clamps && line->place.flags & PLACE_CLAMP)
		mss_clamp(ctx, &line->place, s->vip);
	elsewhere = leaves_elsewhere(ctx, backend);
	if (link_read(ctx, &line->place, &link, &inner) || link_change(&link, number, elsewhere))
		return finish(TR_V_INTERNAL);
	if (encap == TR_ENCAP_IPV4) {
		outer = link_push(ctx, &line->place, &link, backend, sizeof(struct tr_outer4), &verdict);
		if (!outer)
			return finish(verdict);
		encap_ipv4(outer, &backend->v4, &inner, (__u32)inner.hash & set->entropy4);
	} else {
		outer = link_push(ctx, &line->place, &link, backend, sizeof(struct tr_outer6), &verdict);
		if (!outer)
			return finish(verdict);
		encap_ipv6(outer, &backend->v6, &inner, (__u32)inner.hash & set->entropy6);
	}
	if (elsewhere)
		return forward_elsewhere(s->vip, number, backend->ifindex, &inner, line->place.verdict);
	return forward_counted(s->vip, number, &inner, line->place.verdict);
}

#endif
