// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests of the backend's side alone: a balancer's encapsulation without a balancer, as tc egress programs on the
 * client's own device. What goes to a VIP of the test leaves in a tunnel to the backend, GSO packets unsplit.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* 203.0.113.0/24 or 2001:db8:f::/48: the inner protocol number; anything else: 0. */
static __always_inline __u8 inner_protocol(struct __sk_buff *skb)
{
	__be32 words[2];

	if (skb->protocol == bpf_htons(ETH_P_IP) &&
	    !bpf_skb_load_bytes(skb, ETH_HLEN + __builtin_offsetof(struct iphdr, daddr), words, 4) &&
	    (words[0] & bpf_htonl(0xffffff00)) == bpf_htonl(0xcb007100))
		return IPPROTO_IPIP;
	if (skb->protocol == bpf_htons(ETH_P_IPV6) &&
	    !bpf_skb_load_bytes(skb, ETH_HLEN + __builtin_offsetof(struct ipv6hdr, daddr), words, 8) &&
	    words[0] == bpf_htonl(0x20010db8) &&
	    (words[1] & bpf_htonl(0xffff0000)) == bpf_htonl(0x000f0000))
		return IPPROTO_IPV6;
	return 0;
}

static __always_inline int set_type(struct __sk_buff *skb, __u16 type)
{
	__be16 value = bpf_htons(type);

	return bpf_skb_store_bytes(skb, __builtin_offsetof(struct ethhdr, h_proto), &value, sizeof(value), 0);
}

SEC("tc")
int encap_ipv4(struct __sk_buff *skb)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = inner_protocol(skb) };
	__u16 *words = (__u16 *)&ip;
	__u32 sum = 0;

	if (!ip.protocol)
		return TC_ACT_OK;
	ip.tot_len = bpf_htons(skb->len - ETH_HLEN + sizeof(ip));
	ip.saddr = bpf_htonl(0xac100101);	/* 172.16.1.1 */
	ip.daddr = bpf_htonl(0x0a000002);	/* 10.0.0.2 */
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip.check = ~((sum & 0xffff) + (sum >> 16));
	if (bpf_skb_adjust_room(skb, sizeof(ip), BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), 0) || set_type(skb, ETH_P_IP))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

SEC("tc")
int encap_ipv6(struct __sk_buff *skb)
{
	struct ipv6hdr ip = { .version = 6, .hop_limit = 64, .nexthdr = inner_protocol(skb) };

	if (!ip.nexthdr)
		return TC_ACT_OK;
	ip.payload_len = bpf_htons(skb->len - ETH_HLEN);
	ip.saddr.s6_addr32[0] = bpf_htonl(0x01000000);	/* 100::1 */
	ip.saddr.s6_addr32[3] = bpf_htonl(1);
	ip.daddr.s6_addr32[0] = bpf_htonl(0xfd000000);	/* fd00::2 */
	ip.daddr.s6_addr32[3] = bpf_htonl(2);
	if (bpf_skb_adjust_room(skb, sizeof(ip), BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), 0) || set_type(skb, ETH_P_IPV6))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* Somebody else's XDP program. */
SEC("xdp")
int other_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}
