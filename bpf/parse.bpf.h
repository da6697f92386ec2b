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

#define IPV4_MF_OFFSET 0x3fff		/* more fragments, or an offset: RFC 791 */
#define SHAPE_SERVICE TR_V_COUNT	/* whole TCP or UDP: its service decides */

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

/* What the entry has to know of an IP packet. */
struct shape {
	__u32 verdict;		/* what becomes of it at a VIP's address; SHAPE_SERVICE: ask for the service */
	__be16 port;		/* destination */
	__u8 l4;		/* enum tr_l4 */
};

/* c stands behind the fixed IP header; payload: bytes that the header says follow, which the frame holds. */
static __always_inline struct shape shape_l4(struct cursor *c, __u8 protocol, __u32 payload)
{
	struct shape shape = { .verdict = TR_V_NO_SERVICE };
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
	shape.verdict = SHAPE_SERVICE;
	return shape;
}

static __always_inline struct shape shape_ipv4(struct cursor *c, const struct iphdr *ip)
{
	__u32 header = ip->ihl * 4, total = bpf_ntohs(ip->tot_len), left = cursor_left(c) + sizeof(*ip);

	if (ip->version != 4 || header < sizeof(*ip) || total < header || total > left)
		return (struct shape){ .verdict = TR_V_BAD_IP };
	if (header > sizeof(*ip))
		return (struct shape){ .verdict = TR_V_IP_OPTIONS };
	if (ip->frag_off & bpf_htons(IPV4_MF_OFFSET))
		return (struct shape){ .verdict = TR_V_FRAGMENT };
	if (ip->protocol == IPPROTO_ICMP)
		return (struct shape){ .verdict = TR_V_ICMP };
	return shape_l4(c, ip->protocol, total - sizeof(*ip));
}

/* The extension headers of RFC 8200 §4 and of IANA's registry, but for the fragment header. */
static __always_inline int is_ext_header(__u8 next_header)
{
	switch (next_header) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_AH:
	case IPPROTO_ESP:
	case IPPROTO_MH:
	case 139: /* Host Identity Protocol, RFC 7401 */
	case 140: /* Shim6, RFC 5533 */
	case 253: /* experiments, RFC 3692 */
	case 254:
		return 1;
	default:
		return 0;
	}
}

static __always_inline struct shape shape_ipv6(struct cursor *c, const struct ipv6hdr *ip)
{
	__u32 payload = bpf_ntohs(ip->payload_len);

	if (ip->version != 6 || payload > cursor_left(c))
		return (struct shape){ .verdict = TR_V_BAD_IP };
	if (ip->nexthdr == IPPROTO_FRAGMENT)
		return (struct shape){ .verdict = TR_V_FRAGMENT };
	if (ip->nexthdr == IPPROTO_ICMPV6)
		return (struct shape){ .verdict = TR_V_ICMP };
	if (is_ext_header(ip->nexthdr))
		return (struct shape){ .verdict = TR_V_EXT_HEADER };
	return shape_l4(c, ip->nexthdr, payload);
}

#endif
