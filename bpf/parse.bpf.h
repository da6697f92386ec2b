/* SPDX-License-Identifier: GPL-2.0-only */
/* A bounds-checked cursor over the packet, and the shape of IP headers. Reads only. */
#ifndef TAILRACE_PARSE_BPF_H
#define TAILRACE_PARSE_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tailrace.h"
#include "verdicts.h"

#define HEADER_AT_MAX 2047		/* offset of a header in a frame: for the verifier, beyond what chain.bpf.h goes through twice */
#define IPV4_MF_OFFSET 0x3fff		/* more fragments, or an offset: RFC 791 */

extern const volatile __u32 xdp_has_frags;	/* 1: the frame may go on behind data_end */

/*
 * A function that the verifier walks once, by itself, and not again for all that each of its callers knows. Weak, since more than one
 * object has it. Pointers that it gets are to whole structures, and may be NULL for all that the verifier believes.
 */
#define WALKED_ONCE __weak __noinline

/* Hides from the compiler where a number comes from: it would make one path for each of its values, and the verifier walks all. */
#define OPAQUE(x) asm volatile("" : "+r"(x))

/*
 * Between two pointers, in 64 bits: of a difference that is cut to 32, clang 14 makes two cut pointers, and the verifier takes what it
 * then makes of those for numbers.
 */
static __always_inline __u64 distance(const void *from, const void *to)
{
	__u64 bytes = to - from;

	OPAQUE(bytes);
	return bytes;
}

struct cursor {
	void *pos;
	void *end;
};

static __always_inline struct cursor cursor_new(struct xdp_md *ctx)
{
	return (struct cursor){ (void *)(long)ctx->data, (void *)(long)ctx->data_end };
}

static __always_inline void *cursor_take(struct cursor *c, __u32 len)
{
	void *p = c->pos;

	if (p + len > c->end)
		return NULL;
	c->pos = p + len;
	return p;
}

static __always_inline __u32 cursor_left(const struct cursor *c)
{
	return c->end - c->pos;
}

/* Bytes of the frame from this offset on that are there, wherever they lie. */
static __always_inline __u32 frame_left(struct xdp_md *ctx, const struct cursor *c, const void *from)
{
	if (xdp_has_frags)
		return bpf_xdp_get_buff_len(ctx) - distance((void *)(long)ctx->data, from);
	return distance(from, c->end);
}

/* What the entry has to know of an IP packet. */
struct shape {
	__u32 verdict;		/* what becomes of it at a VIP's address, or SHAPE_* */
	__be16 port;		/* destination */
	__u8 l4;		/* enum tr_l4 */
	__u8 odd;		/* not for the plain stages: `place` in the scratch line is filled */
	__u8 zero_port;
};
#define SHAPE_SERVICE TR_V_COUNT	/* whole TCP or UDP, or a first fragment: its service decides */
#define SHAPE_ODD (TR_V_COUNT + 1)	/* not plain: headers.bpf.h tells what it is */
#define SHAPE_LATER (TR_V_COUNT + 2)	/* a later fragment */
#define SHAPE_ECHO (TR_V_COUNT + 3)
#define SHAPE_ERROR (TR_V_COUNT + 4)	/* of ICMP */

/* c stands behind the fixed IP header; payload: bytes that the header says follow, which the frame holds. */
static __always_inline struct shape shape_l4(struct cursor *c, __u8 protocol, __u32 payload)
{
	struct shape shape = { .verdict = SHAPE_ODD };
	__be16 *ports;

	if (protocol == IPPROTO_TCP)
		shape.l4 = TR_TCP;
	else if (protocol == IPPROTO_UDP)
		shape.l4 = TR_UDP;
	else
		return shape;
	ports = cursor_take(c, 4);
	if (!ports || payload < 4) {
		shape.verdict = TR_V_BAD_L4;
		return shape;
	}
	shape.port = ports[1];
	shape.zero_port = !ports[0] || !ports[1];
	shape.verdict = SHAPE_SERVICE;
	return shape;
}

static __always_inline struct shape shape_ipv4(struct xdp_md *ctx, struct cursor *c, const struct iphdr *ip)
{
	__u32 header = ip->ihl * 4, total = bpf_ntohs(ip->tot_len);

	if (ip->version != 4 || header < sizeof(*ip) || total < header || total > frame_left(ctx, c, ip))
		return (struct shape){ .verdict = TR_V_BAD_IP };
	if (header > sizeof(*ip) || ip->frag_off & bpf_htons(IPV4_MF_OFFSET))
		return (struct shape){ .verdict = SHAPE_ODD };
	return shape_l4(c, ip->protocol, total - sizeof(*ip));
}

static __always_inline struct shape shape_ipv6(struct xdp_md *ctx, struct cursor *c, const struct ipv6hdr *ip)
{
	__u32 payload = bpf_ntohs(ip->payload_len);

	if (ip->version != 6 || payload + sizeof(*ip) > frame_left(ctx, c, ip))
		return (struct shape){ .verdict = TR_V_BAD_IP };
	return shape_l4(c, ip->nexthdr, payload);
}

#endif
