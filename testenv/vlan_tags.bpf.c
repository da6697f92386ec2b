// SPDX-License-Identifier: GPL-2.0-only
/*
 * VLAN tags without VLAN devices, as tc programs on the router's end of the balancer's link: what goes to a VIP leaves with tags,
 * and tags of what comes are taken off. All else (ARP, the balancer's own traffic) stays as it is.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define OUTER_TCI (3 << 13 | 5)		/* priority 3, VLAN 5 */
#define INNER_TCI (2 << 13 | 7)		/* priority 2, VLAN 7 */

char LICENSE[] SEC("license") = "GPL";

/* 192.0.2.0/24 and 2001:db8::/32. */
static __always_inline int is_for_vip(struct __sk_buff *skb)
{
	__be32 word = 0;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		return !bpf_skb_load_bytes(skb, ETH_HLEN + __builtin_offsetof(struct iphdr, daddr), &word, 4) &&
		       (word & bpf_htonl(0xffffff00)) == bpf_htonl(0xc0000200);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return !bpf_skb_load_bytes(skb, ETH_HLEN + __builtin_offsetof(struct ipv6hdr, daddr), &word, 4) &&
		       word == bpf_htonl(0x20010db8);
	return 0;
}

SEC("tc/push_tag")
int push_tag(struct __sk_buff *skb)
{
	if (is_for_vip(skb) && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), OUTER_TCI))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

SEC("tc/push_tags")
int push_tags(struct __sk_buff *skb)
{
	if (is_for_vip(skb) && (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), INNER_TCI) ||
				bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), OUTER_TCI)))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

SEC("tc/pop_tags")
int pop_tags(struct __sk_buff *skb)
{
#pragma unroll
	for (int i = 0; i < 2; i++)
		if (skb->vlan_present && bpf_skb_vlan_pop(skb))
			return TC_ACT_SHOT;
	return TC_ACT_OK;
}
