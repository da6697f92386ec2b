/* SPDX-License-Identifier: GPL-2.0-only */
/* The last step of the plain stages: the backend's header in front, counters, and out. */
#ifndef TAILRACE_FORWARD_BPF_H
#define TAILRACE_FORWARD_BPF_H

#include "encap.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "verdict.bpf.h"

extern const volatile __u32 several_devices;

static __always_inline void count_traffic(struct tr_traffic *traffic, const struct inner *inner)
{
	if (!traffic)
		return;
	traffic->packets++;
	traffic->bytes += inner->len;
	traffic->new_flows += inner->syn;
}

static __always_inline int forward_counted(__u32 vip, __u32 number, const struct inner *inner, enum tr_verdict verdict)
{
	count_traffic(bpf_map_lookup_elem(&vip_traffic, &vip), inner);
	count_traffic(bpf_map_lookup_elem(&backend_traffic, &number), inner);
	return finish(verdict);
}

/* By the way it came; or, where there are several interfaces, by the backend's. */
static __always_inline int leaves_elsewhere(struct xdp_md *ctx, const struct tr_backend *backend)
{
	return several_devices && backend->ifindex != ctx->ingress_ifindex;
}

static __always_inline int forward_elsewhere(__u32 vip, __u32 number, __u32 ifindex, const struct inner *inner,
					     enum tr_verdict verdict)
{
	if (bpf_redirect_map(&devices, ifindex, XDP_DROP) != XDP_REDIRECT)
		return finish(TR_V_NO_DEVICE);
	forward_counted(vip, number, inner, verdict);
	return XDP_REDIRECT;
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

/* Of a packet from a plain stage, for the stages that ask where things stand. */
static __always_inline void place_plain(struct place *p, const struct inner *inner, __u8 l4, __u8 verdict)
{
	__u32 header = inner->protocol == IPPROTO_IPIP ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	p->l3 = ETH_HLEN;
	p->l4 = ETH_HLEN + header;
	p->l4_len = inner->len - header;
	p->family = inner->protocol == IPPROTO_IPIP ? TR_IPV4 : TR_IPV6;
	p->l4_kind = l4;
	p->flags = 0;
	p->verdict = verdict;
}

static __always_inline void sending_fill(struct sending *s, __u32 vip, __u32 number, const struct inner *inner)
{
	s->number = number;
	s->vip = vip;
	s->hash = inner->hash;
	s->len = inner->len;
	s->syn = inner->syn;
}

/* What does not leave as most packets do: behind tags, or not at all as it is. */
static __always_inline int forward_oddly(struct xdp_md *ctx, struct scratch *line, __u8 l4, __u32 number,
					 const struct inner *inner, int too_big)
{
	place_plain(&line->place, inner, l4, TR_V_FORWARDED);
	sending_fill(&line->sending, line->service.vip, number, inner);
	if (too_big) {
		bpf_tail_call_static(ctx, &stages, TR_STAGE_TOO_BIG);
		return finish(TR_V_TOO_BIG);
	}
	bpf_tail_call_static(ctx, &stages, TR_STAGE_SEND);
	return finish(TR_V_STAGE_MISSING);
}

static __always_inline int forward(struct xdp_md *ctx, const struct tr_settings *set, struct scratch *line, __u8 l4,
				   __u32 number, const struct inner *inner)
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
		verdict = backend->encap & TR_ENCAP_TAGGED ? TR_V_VLAN : TR_V_NO_BACKEND;
	if (verdict == TR_V_TOO_BIG || verdict == TR_V_VLAN)
		return forward_oddly(ctx, line, l4, number, inner, verdict == TR_V_TOO_BIG);
	if (verdict)
		return finish(verdict);
	if (leaves_elsewhere(ctx, backend))
		return forward_elsewhere(line->service.vip, number, backend->ifindex, inner, TR_V_FORWARDED);
	return forward_counted(line->service.vip, number, inner, TR_V_FORWARDED);
}

#endif
