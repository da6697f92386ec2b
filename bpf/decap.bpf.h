/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decapsulator's maps, and how it tells the packets that it opens. Reads the packet only, so that XDP and tc
 * decide alike; what is then done to the packet stands in decap.bpf.c.
 */
#ifndef TAILRACE_DECAP_BPF_H
#define TAILRACE_DECAP_BPF_H

#include "decap_verdicts.h"
#include "parse.bpf.h"

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

#define DECAP_ADDRESSES 2048		/* twice what may be told: a change adds the new before it deletes the old */
#define DECAP_PREFIXES 8192

/* struct tr_addr -> nothing: outer destinations. `tailrace decap` writes; programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct tr_addr);
	__type(value, __u32);
	__uint(max_entries, DECAP_ADDRESSES);
} addresses SEC(".maps");

/* struct tr_prefix -> nothing: inner destinations. `tailrace decap` writes; programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct tr_prefix);
	__type(value, __u32);
	__uint(max_entries, DECAP_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} vips SEC(".maps");

/* struct tr_prefix -> nothing: outer sources. `tailrace decap` writes; programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct tr_prefix);
	__type(value, __u32);
	__uint(max_entries, DECAP_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} sources SEC(".maps");

/* enum tr_decap_verdict -> packets. Programs count; `tailrace decap --status` reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 64);	/* room to append: the map outlives programs */
} verdicts SEC(".maps");

enum ecn { ECN_NOT_ECT, ECN_ECT1, ECN_ECT0, ECN_CE };

struct vlan_tag {
	__be16 tpid;
	__be16 tci;
};

#define VLAN_TAGS_MAX 2
#define MACS_WORDS 3		/* two MAC addresses */

/* A packet, as far as it was understood. */
struct tunnel {
	__u32 macs[MACS_WORDS];
	struct vlan_tag tags[VLAN_TAGS_MAX];
	__u32 n_tags;
	__be16 outer_type;		/* Ethernet types */
	__be16 inner_type;
	__u32 outer_len;		/* of the outer header */
	__u32 payload;			/* bytes that the outer header says follow it */
	__u8 outer_protocol;		/* IPv6: the next header */
	__u8 outer_ecn;
	__be16 *inner;			/* the inner header; its fixed part was checked to be there */
	__u16 inner_head;		/* its first 16 bits as they have to become, host order: up to TOS or class */
};

static __always_inline int is_vlan(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

static __always_inline enum tr_decap_verdict parse_link(struct cursor *c, __u32 tags_max, struct tunnel *t)
{
	const struct ethhdr *eth = cursor_take(c, sizeof(*eth));
	const struct vlan_tag *tag;
	__be16 type;

	if (!eth)
		return TR_D_TRUNCATED;
	/* In words by hand: struct ethhdr is packed, and clang would copy it byte by byte. */
#pragma unroll
	for (__u32 i = 0; i < MACS_WORDS; i++)
		t->macs[i] = ((const __u32 *)eth)[i];
	type = eth->h_proto;
	t->n_tags = 0;
#pragma unroll
	for (__u32 i = 0; i < VLAN_TAGS_MAX; i++) {
		if (i >= tags_max || !is_vlan(type))
			break;
		/* On the wire a tag is its type, then its TCI: the type was the last two bytes that were read. */
		tag = cursor_take(c, sizeof(*tag));
		if (!tag)
			return TR_D_TRUNCATED;
		t->tags[i].tpid = type;
		t->tags[i].tci = tag->tpid;
		type = tag->tci;
		t->n_tags = i + 1;
	}
	t->outer_type = type;
	return is_vlan(type) ? TR_D_VLAN : TR_D_DECAPSULATED;
}

static __always_inline struct tr_prefix prefix_from_ipv4(__be32 addr)
{
	return (struct tr_prefix){ .len = 128, .addr.w = { 0, 0, bpf_htonl(0xffff), addr } };
}

static __always_inline struct tr_prefix prefix_from_ipv6(const struct in6_addr *addr)
{
	return (struct tr_prefix){ .len = 128, .addr.w = { addr->s6_addr32[0], addr->s6_addr32[1],
							   addr->s6_addr32[2], addr->s6_addr32[3] } };
}

/* left: bytes of the frame from the outer header on. */
static __always_inline enum tr_decap_verdict parse_outer_ipv4(struct cursor *c, __u32 left, struct tunnel *t)
{
	const struct iphdr *ip = cursor_take(c, sizeof(*ip));
	struct tr_prefix addr;
	__u32 total;

	if (!ip)
		return TR_D_TRUNCATED;
	if (ip->version != 4 || ip->ihl < 5)
		return TR_D_BAD_OUTER;
	if (ip->protocol != IPPROTO_IPIP && ip->protocol != IPPROTO_IPV6)
		return TR_D_NOT_TUNNEL;
	addr = prefix_from_ipv4(ip->daddr);
	if (!bpf_map_lookup_elem(&addresses, &addr.addr))
		return TR_D_NOT_FOR_US;
	if (ip->ihl > 5)
		return TR_D_OUTER_OPTIONS;
	if (ip->frag_off & bpf_htons(IPV4_MF_OFFSET))
		return TR_D_OUTER_FRAGMENT;
	total = bpf_ntohs(ip->tot_len);
	if (total < sizeof(*ip) || total > left)
		return TR_D_BAD_OUTER;
	addr = prefix_from_ipv4(ip->saddr);
	if (!bpf_map_lookup_elem(&sources, &addr))
		return TR_D_SOURCE_DENIED;
	t->outer_protocol = ip->protocol;
	t->outer_len = sizeof(*ip);
	t->outer_ecn = ip->tos & 3;
	t->payload = total - sizeof(*ip);
	return TR_D_DECAPSULATED;
}

static __always_inline enum tr_decap_verdict parse_outer_ipv6(struct cursor *c, __u32 left, struct tunnel *t)
{
	const struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));
	struct tr_prefix addr;
	__u32 payload;
	int other;

	if (!ip)
		return TR_D_TRUNCATED;
	if (ip->version != 6)
		return TR_D_BAD_OUTER;
	other = ip->nexthdr == IPPROTO_FRAGMENT || is_ext_header(ip->nexthdr);
	if (ip->nexthdr != IPPROTO_IPIP && ip->nexthdr != IPPROTO_IPV6 && !other)
		return TR_D_NOT_TUNNEL;
	addr = prefix_from_ipv6(&ip->daddr);
	if (!bpf_map_lookup_elem(&addresses, &addr.addr))
		return TR_D_NOT_FOR_US;
	if (other)
		return ip->nexthdr == IPPROTO_FRAGMENT ? TR_D_OUTER_FRAGMENT : TR_D_OUTER_EXT_HEADER;
	payload = bpf_ntohs(ip->payload_len);
	if (payload + sizeof(*ip) > left)
		return TR_D_BAD_OUTER;
	addr = prefix_from_ipv6(&ip->saddr);
	if (!bpf_map_lookup_elem(&sources, &addr))
		return TR_D_SOURCE_DENIED;
	t->outer_protocol = ip->nexthdr;
	t->outer_len = sizeof(*ip);
	t->outer_ecn = bpf_ntohs(*(const __be16 *)ip) >> 4 & 3;
	t->payload = payload;
	return TR_D_DECAPSULATED;
}

/* The inner ECN field as it becomes, RFC 6040 §4.2 figure 4; -1: the packet must be dropped. */
static __always_inline int ecn_decapsulate(__u8 outer, __u8 inner)
{
	if (outer == ECN_CE)
		return inner == ECN_NOT_ECT ? -1 : ECN_CE;
	if (outer == ECN_ECT1 && inner == ECN_ECT0)
		return ECN_ECT1;
	return inner;
}

/* ecn_shift: where the ECN field stands in the header's first 16 bits. */
static __always_inline enum tr_decap_verdict check_inner(struct tunnel *t, const struct tr_prefix *destination,
							 __u32 ecn_shift)
{
	__u16 head = bpf_ntohs(t->inner[0]);
	int ecn = ecn_decapsulate(t->outer_ecn, head >> ecn_shift & 3);

	if (!bpf_map_lookup_elem(&vips, destination))
		return TR_D_INNER_NOT_VIP;
	if (ecn < 0)
		return TR_D_ECN_LOST;
	t->inner_head = (head & ~(3 << ecn_shift)) | ecn << ecn_shift;
	return TR_D_DECAPSULATED;
}

static __always_inline enum tr_decap_verdict parse_inner_ipv4(struct cursor *c, struct tunnel *t)
{
	struct iphdr *ip = cursor_take(c, sizeof(*ip));
	struct tr_prefix addr;
	__u32 header, total;

	if (!ip)
		return TR_D_TRUNCATED;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || total < header || total > t->payload)
		return TR_D_BAD_INNER;
	t->inner = (__be16 *)ip;
	t->inner_type = bpf_htons(ETH_P_IP);
	addr = prefix_from_ipv4(ip->daddr);
	return check_inner(t, &addr, 0);
}

static __always_inline enum tr_decap_verdict parse_inner_ipv6(struct cursor *c, struct tunnel *t)
{
	struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));
	struct tr_prefix addr;

	if (!ip)
		return TR_D_TRUNCATED;
	if (ip->version != 6 || bpf_ntohs(ip->payload_len) + sizeof(*ip) > t->payload)
		return TR_D_BAD_INNER;
	t->inner = (__be16 *)ip;
	t->inner_type = bpf_htons(ETH_P_IPV6);
	addr = prefix_from_ipv6(&ip->daddr);
	return check_inner(t, &addr, 4);
}

/* frame: its bytes, also those behind c->end that are not linear. DECAPSULATED: *t is complete. */
static __always_inline enum tr_decap_verdict classify(struct cursor *c, __u32 frame, __u32 tags_max, struct tunnel *t)
{
	enum tr_decap_verdict verdict = parse_link(c, tags_max, t);
	__u32 left;

	if (verdict != TR_D_DECAPSULATED)
		return verdict;
	left = frame - sizeof(struct ethhdr) - t->n_tags * sizeof(struct vlan_tag);
	if (t->outer_type == bpf_htons(ETH_P_IP))
		verdict = parse_outer_ipv4(c, left, t);
	else if (t->outer_type == bpf_htons(ETH_P_IPV6))
		verdict = parse_outer_ipv6(c, left, t);
	else
		verdict = TR_D_NOT_TUNNEL;
	if (verdict != TR_D_DECAPSULATED)
		return verdict;
	return t->outer_protocol == IPPROTO_IPIP ? parse_inner_ipv4(c, t) : parse_inner_ipv6(c, t);
}

#endif
