// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the router's end of the balancer's veth: what one end sends with XDP_TX arrives only where the other end has an XDP
 * program too.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("xdp")
int xdp_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

/* The same for links whose frames need more than a page. */
SEC("xdp.frags")
int xdp_pass_frags(struct xdp_md *ctx)
{
	return XDP_PASS;
}
