/* SPDX-License-Identifier: GPL-2.0-only */
/* A walk along IPv6 extension headers: docs/packets.md, section 3. Reads only. */
#ifndef TAILRACE_CHAIN_BPF_H
#define TAILRACE_CHAIN_BPF_H

#include "parse.bpf.h"

#define EXT_HEADERS_MAX 6
#define EXT_BYTES_MAX 512

/* A walk along the headers of an IPv6 packet, of the frame's or of one that ICMP quotes. Offsets are of the frame. */
struct chain {
	__u32 at;			/* the next header; in the end what follows them */
	__u32 end;			/* of the packet */
	__u32 start;			/* of the first header */
	__u32 before;			/* bytes of headers in front of the fragment header */
	__u32 id;
	__u16 offset;			/* of a fragment, bytes */
	__u8 next;			/* protocol of what stands at `at` */
	__u8 fragment;			/* CHAIN_FIRST, CHAIN_LATER */
	__u8 more;			/* M */
	__u8 seen;			/* a fragment header */
	__u16 pad;
};
#define CHAIN_FIRST 1
#define CHAIN_LATER 2

enum chain_end { CHAIN_WHOLE, CHAIN_DEEP, CHAIN_BAD, CHAIN_CUT, CHAIN_ROUTED };

static __always_inline int is_gone_through(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT || next == IPPROTO_AH ||
	       next == IPPROTO_DSTOPTS;
}

static __always_inline __u32 ext_len(__u8 kind, __u8 len)
{
	if (kind == IPPROTO_FRAGMENT)
		return 8;
	return kind == IPPROTO_AH ? (len + 2) * 4 : (len + 1) * 8;
}

static __always_inline void chain_fragment(struct chain *c, const __u8 *header)
{
	__u16 field = bpf_ntohs(*(const __be16 *)(header + 2));

	c->seen = 1;
	c->more = field & 1;
	c->offset = field & 0xfff8;
	c->id = *(const __u32 *)(header + 4);
	c->before = c->at - c->start;
	if (c->offset)
		c->fragment = CHAIN_LATER;
	else if (c->more)
		c->fragment = CHAIN_FIRST;
}

/* One header. CHAIN_WHOLE: go on. */
static __always_inline enum chain_end chain_step(struct xdp_md *ctx, struct chain *c)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = c->at, len;
	const __u8 *header;

	if (c->next == IPPROTO_HOPOPTS && at != c->start)
		return CHAIN_BAD;
	if (c->next == IPPROTO_FRAGMENT && c->seen)
		return CHAIN_BAD;
	if (at > HEADER_AT_MAX || at + 8 > c->end)
		return CHAIN_CUT;
	header = data + at;
	if ((void *)header + 8 > end)
		return CHAIN_CUT;
	len = ext_len(c->next, header[1]);
	if (at + len - c->start > EXT_BYTES_MAX)
		return CHAIN_DEEP;
	if (at + len > c->end)
		return CHAIN_CUT;
	if (c->next == IPPROTO_ROUTING && header[3])
		return CHAIN_ROUTED;
	if (c->next == IPPROTO_FRAGMENT)
		chain_fragment(c, header);
	c->next = header[0];
	c->at = at + len;
	return CHAIN_WHOLE;
}

WALKED_ONCE int chain_walk(struct xdp_md *ctx, struct chain *c)
{
	enum chain_end end;

	if (!c)
		return CHAIN_BAD;
	for (int i = 0; i <= EXT_HEADERS_MAX; i++) {
		if (c->fragment == CHAIN_LATER || !is_gone_through(c->next))
			return CHAIN_WHOLE;
		if (i == EXT_HEADERS_MAX)
			break;
		end = chain_step(ctx, c);
		if (end != CHAIN_WHOLE)
			return end;
	}
	return CHAIN_DEEP;
}

#endif
