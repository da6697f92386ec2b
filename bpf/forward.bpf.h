/* SPDX-License-Identifier: GPL-2.0-only */
/* The last step of every stage that balances: the backend's header in front, counters, and out by the way it came. */
#ifndef TAILRACE_FORWARD_BPF_H
#define TAILRACE_FORWARD_BPF_H

#include "encap.bpf.h"
#include "maps.bpf.h"
#include "verdict.bpf.h"

static __always_inline void count_traffic(struct tr_traffic *traffic, const struct inner *inner)
{
	if (!traffic)
		return;
	traffic->packets++;
	traffic->bytes += inner->len;
	traffic->new_flows += inner->syn;
}

static __always_inline int forward_counted(__u32 vip, __u32 number, const struct inner *inner)
{
	count_traffic(bpf_map_lookup_elem(&vip_traffic, &vip), inner);
	count_traffic(bpf_map_lookup_elem(&backend_traffic, &number), inner);
	return finish(TR_V_FORWARDED);
}

/* 0, or the verdict that ends the packet. */
static __always_inline int push_ipv4(struct xdp_md *ctx, const struct tr_settings *set, const struct tr_backend *backend,
				     const struct inner *inner)
{
	void *data;

	if (inner->len + sizeof(struct tr_outer4) > backend->mtu)
		return TR_V_TOO_BIG;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct tr_outer4)))
		return TR_V_NO_HEADROOM;
	data = (void *)(long)ctx->data;
	if (data + ETH_HLEN + sizeof(struct tr_outer4) > (void *)(long)ctx->data_end)
		return TR_V_INTERNAL;
	encap_ethernet(data, backend);
	encap_ipv4(data + ETH_HLEN, &backend->v4, inner, (__u32)inner->hash & set->entropy4);
	return 0;
}

static __always_inline int push_ipv6(struct xdp_md *ctx, const struct tr_settings *set, const struct tr_backend *backend,
				     const struct inner *inner)
{
	void *data;

	if (inner->len + sizeof(struct tr_outer6) > backend->mtu)
		return TR_V_TOO_BIG;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct tr_outer6)))
		return TR_V_NO_HEADROOM;
	data = (void *)(long)ctx->data;
	if (data + ETH_HLEN + sizeof(struct tr_outer6) > (void *)(long)ctx->data_end)
		return TR_V_INTERNAL;
	encap_ethernet(data, backend);
	encap_ipv6(data + ETH_HLEN, &backend->v6, inner, (__u32)inner->hash & set->entropy6);
	return 0;
}

static __always_inline int forward(struct xdp_md *ctx, const struct tr_settings *set, __u32 vip, __u32 number,
				   const struct inner *inner)
{
	struct tr_backend *backend = bpf_map_lookup_elem(&backends, &number);
	int verdict;

	if (!backend)
		return finish(TR_V_INTERNAL);
	/* Number 0, none, has a record like any free number: without encapsulation. */
	if (backend->encap == TR_ENCAP_IPV4)
		verdict = push_ipv4(ctx, set, backend, inner);
	else if (backend->encap == TR_ENCAP_IPV6)
		verdict = push_ipv6(ctx, set, backend, inner);
	else
		verdict = TR_V_NO_BACKEND;
	return verdict ? finish(verdict) : forward_counted(vip, number, inner);
}

#endif
