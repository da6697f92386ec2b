// SPDX-License-Identifier: GPL-2.0-only
/*
 * The backend's side: takes off the outer header that a balancer put on, so that hosts whose kernel has no ipip or
 * ip6tnl device serve VIPs. One decision (decap.bpf.h) and two programs: XDP, and tc ingress for hosts whose XDP
 * is taken.
 */
#include <linux/pkt_cls.h>

#include "decap.bpf.h"

#define HEADERS_MAX (sizeof(struct ethhdr) + 2 * sizeof(struct ipv6hdr))

/* Loaded with BPF_F_XDP_HAS_FRAGS, 5.18 and later: the frame may go on behind data_end. */
const volatile __u32 xdp_has_frags;

char LICENSE[] SEC("license") = "GPL";

static __always_inline int verdict_drops(enum tr_decap_verdict verdict)
{
	enum { PASS, DROP };

	switch (verdict) {
#define X(NAME, name, action, help)     \
	case TR_D_##NAME:               \
		return action;
		TR_DECAP_VERDICTS(X)
#undef X
	default:
		return DROP;
	}
}

static __always_inline void count(enum tr_decap_verdict verdict)
{
	__u32 key = verdict;
	__u64 *packets = bpf_map_lookup_elem(&verdicts, &key);

	if (packets)
		(*packets)++;
}

/* RFC 1624 equation 3, for one 16-bit word; host order as good as network order while all three agree. */
static __always_inline __u16 checksum_replace(__u16 check, __u16 from, __u16 to)
{
	__u32 sum = (__u16)~check + (__u16)~from + to;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void xdp_mark_inner(const struct tunnel *t)
{
	struct iphdr *ip = (struct iphdr *)t->inner;
	__be16 head = bpf_htons(t->inner_head);

	if (head == t->inner[0])
		return;
	if (t->inner_type == bpf_htons(ETH_P_IP))
		ip->check = checksum_replace(ip->check, t->inner[0], head);
	t->inner[0] = head;
}

static __always_inline enum tr_decap_verdict xdp_strip(struct xdp_md *ctx, const struct tunnel *t)
{
	struct cursor c;
	__be16 *type;
	__u32 *link;

	xdp_mark_inner(t);
	if (bpf_xdp_adjust_head(ctx, t->outer_len))
		return TR_D_STRIP_FAILED;
	c = cursor_new(ctx);
	link = cursor_take(&c, sizeof(t->macs));
	if (!link)
		return TR_D_STRIP_FAILED;
#pragma unroll
	for (__u32 i = 0; i < MACS_WORDS; i++)
		link[i] = t->macs[i];
#pragma unroll
	for (__u32 i = 0; i < VLAN_TAGS_MAX; i++) {
		struct vlan_tag *tag;

		if (i >= t->n_tags)
			break;
		tag = cursor_take(&c, sizeof(*tag));
		if (!tag)
			return TR_D_STRIP_FAILED;
		*tag = t->tags[i];
	}
	type = cursor_take(&c, sizeof(*type));
	if (!type)
		return TR_D_STRIP_FAILED;
	*type = t->inner_type;
	return TR_D_DECAPSULATED;
}

SEC("xdp")
int tr_decap_xdp(struct xdp_md *ctx)
{
	struct cursor c = cursor_new(ctx);
	__u32 frame = xdp_has_frags ? bpf_xdp_get_buff_len(ctx) : cursor_left(&c);
	struct tunnel t = {};
	enum tr_decap_verdict verdict = classify(&c, frame, VLAN_TAGS_MAX, &t);

	if (verdict == TR_D_DECAPSULATED)
		verdict = xdp_strip(ctx, &t);
	count(verdict);
	return verdict_drops(verdict) ? XDP_DROP : XDP_PASS;
}

/* Through helpers that keep CHECKSUM_COMPLETE true, which a plain write to the packet would not. */
static __always_inline int tc_mark_inner(struct __sk_buff *skb, const struct tunnel *t)
{
	__u32 offset = sizeof(struct ethhdr) + t->outer_len;
	__be16 old = t->inner[0], head = bpf_htons(t->inner_head);
	int is_ipv4 = t->inner_type == bpf_htons(ETH_P_IP);
	__u16 check;

	if (old == head)
		return 0;
	check = checksum_replace(((const struct iphdr *)t->inner)->check, old, head);
	if (bpf_skb_store_bytes(skb, offset, &head, sizeof(head), BPF_F_RECOMPUTE_CSUM))
		return -1;
	if (!is_ipv4)
		return 0;
	return bpf_skb_store_bytes(skb, offset + __builtin_offsetof(struct iphdr, check), &check, sizeof(check),
				   BPF_F_RECOMPUTE_CSUM);
}

/*
 * skb->protocol has to follow the family. The flags of adjust_room that would see to that are 6.3's;
 * bpf_skb_change_proto does it on every kernel, and on the way makes the outer header as long as one of the inner
 * family. The checksum state stays: the first checksum behind either header is the inner packet's own. So does
 * gso_size: it counts the inner payload.
 */
static __always_inline enum tr_decap_verdict tc_strip(struct __sk_buff *skb, const struct tunnel *t)
{
	__s32 len = t->inner_type == bpf_htons(ETH_P_IP) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__be16 type = t->inner_type;

	if (tc_mark_inner(skb, t))
		return TR_D_STRIP_FAILED;
	if (t->outer_type != type && bpf_skb_change_proto(skb, type, 0))
		return TR_D_STRIP_FAILED;
	if (bpf_skb_adjust_room(skb, -len, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return TR_D_STRIP_FAILED;
	if (bpf_skb_store_bytes(skb, __builtin_offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0))
		return TR_D_STRIP_FAILED;
	return TR_D_DECAPSULATED;
}

/* TC_ACT_UNSPEC: the filters behind this one see the packet as if this one were not there. */
SEC("tc")
int tr_decap_tc(struct __sk_buff *skb)
{
	__u32 want = skb->len < HEADERS_MAX ? skb->len : HEADERS_MAX;
	enum tr_decap_verdict verdict;
	struct tunnel t = {};
	struct cursor c;

	/* Headers that are not linear: if that cannot be had, the packet is short and passes as truncated. */
	if ((void *)(long)skb->data + want > (void *)(long)skb->data_end)
		bpf_skb_pull_data(skb, want);
	c = (struct cursor){ (void *)(long)skb->data, (void *)(long)skb->data_end };
	/* The kernel has taken the outermost tag off already and keeps it beside the packet. */
	verdict = classify(&c, skb->len, 0, &t);
	if (verdict == TR_D_DECAPSULATED)
		verdict = tc_strip(skb, &t);
	count(verdict);
	return verdict_drops(verdict) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}
