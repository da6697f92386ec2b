/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow that a packet belongs to, read from it. */
#ifndef TAILRACE_TUPLE_BPF_H
#define TAILRACE_TUPLE_BPF_H

#include "hash.bpf.h"

/* The addresses of the IP header at this offset. 0, or -1: a bug. */
static __always_inline int tuple_addresses(struct xdp_md *ctx, __u32 family, __u32 l3, struct tuple *t)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u64 *words;
	struct iphdr *ip;

	if (l3 > HEADER_AT_MAX)
		return -1;
	t->family = family;
	if (family == TR_IPV4) {
		ip = data + l3;
		if ((void *)(ip + 1) > end)
			return -1;
		t->words[0] = ip->saddr;
		t->words[2] = ip->daddr;
		t->words[1] = t->words[3] = 0;
		return 0;
	}
	words = data + l3 + offsetof(struct ipv6hdr, saddr);
	if ((void *)(words + 4) > end)
		return -1;
	t->words[0] = words[0];
	t->words[1] = words[1];
	t->words[2] = words[2];
	t->words[3] = words[3];
	return 0;
}

static __always_inline int tuple_ports(struct xdp_md *ctx, __u32 l4, struct tuple *t)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 *ports;

	if (l4 > HEADER_AT_MAX)
		return -1;
	ports = data + l4;
	if ((void *)(ports + 1) > end)
		return -1;
	t->ports = *ports;
	return 0;
}

#endif
