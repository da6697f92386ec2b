/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Outer headers, from the backend's ready-made ones. Copied in whole words by hand: clang 14 expands a memcpy
 * between pointers of alignment 2 into 2-byte moves, though packet and map values may be read unaligned.
 */
#ifndef TAILRACE_ENCAP_BPF_H
#define TAILRACE_ENCAP_BPF_H

#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>

#include "maps.bpf.h"

/* What the outer header takes over from the inner packet. */
struct inner {
	__u32 len;		/* bytes of the IP packet */
	__u8 protocol;		/* IPPROTO_IPIP or IPPROTO_IPV6: what it is inside the outer header */
	__u8 tos;		/* TOS or traffic class: DSCP and ECN, RFC 6040 §4.1 */
	__u8 syn;		/* TCP's first segment */
	__u64 hash;
};

#define COPY(type, to, from, offset) (*(type *)((void *)(to) + (offset)) = *(const type *)((const void *)(from) + (offset)))

static __always_inline void encap_ethernet(void *to, const struct tr_backend *backend)
{
	const void *from = backend->dmac;

	COPY(__u64, to, from, 0);
	COPY(__u32, to, from, 8);
	COPY(__u16, to, from, 12);
}

static __always_inline void encap_ipv4(struct tr_outer4 *to, const struct tr_outer4 *from, const struct inner *inner,
				       __be32 entropy)
{
	__be16 total_len = bpf_htons(inner->len + sizeof(*to));
	__u32 sum = from->check + total_len + bpf_htons(inner->tos) + bpf_htons(inner->protocol) + (entropy & 0xffff) +
		    (entropy >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	COPY(__u64, to, from, 0);
	COPY(__u64, to, from, 8);
	COPY(__u32, to, from, 16);
	to->tos = inner->tos;
	to->total_len = total_len;
	to->protocol = inner->protocol;
	to->check = ~sum;
	to->saddr = from->saddr | entropy;
}

/* The flow label carries the flow's entropy too, for routers that spread by it: RFC 6438. */
static __always_inline void encap_ipv6(struct tr_outer6 *to, const struct tr_outer6 *from, const struct inner *inner,
				       __be32 entropy)
{
	COPY(__u64, to, from, 0);
	COPY(__u64, to, from, 8);
	COPY(__u64, to, from, 16);
	COPY(__u64, to, from, 24);
	COPY(__u64, to, from, 32);
	to->version_class_flow = bpf_htonl(6 << 28 | inner->tos << 20 | ((__u32)inner->hash & 0xfffff));
	to->payload_len = bpf_htons(inner->len);
	to->next_header = inner->protocol;
	to->saddr[3] = from->saddr[3] | entropy;
}

#endif
