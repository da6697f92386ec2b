// SPDX-License-Identifier: GPL-2.0-only
/*
 * What does not fit its next hop's MTU once encapsulated: its sender is told, or the host's stack fragments it. docs/packets.md, section 9.
 * A stage that sends has left place and sending.
 */
#include "csum.bpf.h"
#include "icmp.bpf.h"
#include "send.bpf.h"
#include "tokens.bpf.h"
#include "tuple.bpf.h"

#define ANSWER_TTL 64
#define IP_BYTES_MAX 65535
#define DF bpf_htons(0x4000)
#define QUOTE4_MAX 548		/* with IPv4 and ICMP header 576 bytes: RFC 1812 §4.3.2.3 */
#define QUOTE6_MAX 1232		/* with IPv6 and ICMPv6 header 1280 bytes: RFC 4443 §2.4 */
#define LINK_MAX (ETH_HLEN + TR_TAGS_MAX * TAG_LEN)

/* The link layer, to be put elsewhere. Its last bytes are the packet's where there are fewer tags. */
struct link_bytes {
	__u64 words[2];
	__u32 half;
	__u16 quarter;
} __attribute__((packed));
_Static_assert(sizeof(struct link_bytes) == LINK_MAX, "link_bytes");

static __always_inline int link_save(struct xdp_md *ctx, struct link_bytes *ret)
{
	void *data = (void *)(long)ctx->data;

	if (data + LINK_MAX > (void *)(long)ctx->data_end)
		return -1;
	COPY(__u64, ret, data, 0);
	COPY(__u64, ret, data, 8);
	COPY(__u32, ret, data, 16);
	COPY(__u16, ret, data, 20);
	return 0;
}

/* To the frame's front; what follows l3 bytes of it is written later. */
static __always_inline void link_restore(void *data, const struct link_bytes *from)
{
	COPY(__u64, data, from, 0);
	COPY(__u64, data, from, 8);
	COPY(__u32, data, from, 16);
	COPY(__u16, data, from, 20);
}

/* IPv4 that may be fragmented, of a VIP that wants it so. */
static __always_inline int may_be_fragmented(struct xdp_md *ctx, const struct scratch *line, const struct tr_backend *backend)
{
	void *data = (void *)(long)ctx->data;
	__u32 vip = line->sending.vip;
	const struct tr_vip *v = bpf_map_lookup_elem(&vips, &vip);
	struct iphdr *ip = data + (line->place.l3 & 0x1f);

	if (!v || !(v->flags & TR_VIP_OVERSIZE) || line->place.family != TR_IPV4)
		return 0;
	if ((backend->encap & ~TR_ENCAP_TAGGED) != TR_ENCAP_IPV4 ||
	    line->sending.len + sizeof(struct tr_outer4) > IP_BYTES_MAX)
		return 0;
	return (void *)(ip + 1) <= (void *)(long)ctx->data_end && !(ip->frag_off & DF);
}

/* The outer header as ever, but for DF and id, which stand for themselves in the checksum. */
static __always_inline void outer_may_be_fragmented(struct tr_outer4 *outer)
{
	__be16 old = outer->frag_off, id = bpf_get_prandom_u32();

	id = id ? id : 1;
	outer->frag_off = 0;
	outer->id = id;
	outer->check = csum_replace(csum_replace(outer->check, old, 0), 0, id);
}

/* To the host's stack, link layer as it came: it is addressed to us. */
static __always_inline int give_to_stack(struct xdp_md *ctx, const struct tr_settings *set, const struct scratch *line,
					 const struct tr_backend *backend)
{
	const struct sending *s = &line->sending;
	struct inner inner = { .len = s->len, .syn = s->syn, .hash = s->hash };
	__u32 l3 = line->place.l3 & 0x1f;
	struct tr_outer4 *outer;
	struct link_bytes bytes;
	struct link link;
	void *data;

	if (line->place.flags & PLACE_CLAMP)
		mss_clamp(ctx, &line->place, s->vip);
	if (link_read(ctx, &line->place, &link, &inner) || link_save(ctx, &bytes))
		return finish(TR_V_INTERNAL);
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*outer)))
		return finish(TR_V_NO_HEADROOM);
	data = (void *)(long)ctx->data;
	outer = data + l3;
	if (data + LINK_MAX > (void *)(long)ctx->data_end || (void *)(outer + 1) > (void *)(long)ctx->data_end)
		return finish(TR_V_INTERNAL);
	link_restore(data, &bytes);
	encap_ipv4(outer, &backend->v4, &inner, (__u32)inner.hash & set->entropy4);
	outer_may_be_fragmented(outer);
	return forward_counted(s->vip, s->number, &inner, TR_V_OVERSIZE);
}

/* Bytes of the IP packet that an answer quotes: as many as may be, and lie in the frame's first buffer. */
static __always_inline __u32 quote_len(struct xdp_md *ctx, __u32 l3, __u32 len, __u32 max)
{
	__u32 there = distance((void *)(long)ctx->data, (void *)(long)ctx->data_end) - l3;

	len = len < max ? len : max;
	return (len < there ? len : there) & ~3U;
}

#define BLOCK 32

/*
 * To the end of the frame, which is cut to a multiple of four bytes, and at most max of them. In blocks: a turn of the loop costs the
 * verifier as much as a block.
 */
static __always_inline __u64 sum_to_end(const void *from, const void *end, __u32 max)
{
	const __u32 *words = from;
	__u64 sum = 0;

	for (__u32 i = 0; i < max / BLOCK; i++, words += BLOCK / 4) {
		if ((const void *)(words + BLOCK / 4) > end)
			break;
#pragma unroll
		for (__u32 k = 0; k < BLOCK / 4; k++)
			sum += words[k];
	}
	for (__u32 i = 0; i < BLOCK / 4 && (const void *)(words + 1) <= end; i++, words++)
		sum += *words;
	return sum;
}

static __always_inline __u64 sum_header4(const struct iphdr *ip)
{
	const __u32 *words = (const __u32 *)ip;

	return (__u64)words[0] + words[1] + words[2] + words[3] + words[4];
}

/*
 * Cuts the frame behind what is quoted and makes room for two headers in front of it; the link layer stands at the front again, its
 * addresses swapped. 0, or the verdict.
 */
static __always_inline __u32 answer_begin(struct xdp_md *ctx, __u32 l3, __u32 quote, __u32 headers)
{
	__u32 frame = xdp_has_frags ? bpf_xdp_get_buff_len(ctx) :
				      distance((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	struct link_bytes bytes;
	void *data;

	if (link_save(ctx, &bytes))
		return TR_V_INTERNAL;
	if (bpf_xdp_adjust_tail(ctx, (int)(l3 + quote) - (int)frame))
		return TR_V_INTERNAL;
	if (bpf_xdp_adjust_head(ctx, -(int)headers))
		return TR_V_NO_HEADROOM;
	data = (void *)(long)ctx->data;
	if (data + LINK_MAX > (void *)(long)ctx->data_end)
		return TR_V_INTERNAL;
	link_restore(data, &bytes);
	swap_macs(data);
	return 0;
}

static __always_inline int answer4(struct xdp_md *ctx, const struct place *p, const struct tuple *t, __u32 len, __u32 mtu)
{
	__u32 l3 = p->l3 & 0x1f, quote = quote_len(ctx, l3, len, QUOTE4_MAX);
	__u32 verdict = answer_begin(ctx, l3, quote, sizeof(struct iphdr) + sizeof(struct icmp));
	struct iphdr *ip;
	struct icmp *icmp;
	void *end;

	if (verdict)
		return finish(verdict);
	end = (void *)(long)ctx->data_end;
	ip = (void *)(long)ctx->data + l3;
	icmp = (void *)(ip + 1);
	if ((void *)(icmp + 1) > end)
		return finish(TR_V_INTERNAL);
	*ip = (struct iphdr){ .version = 4, .ihl = 5, .tot_len = bpf_htons(sizeof(*ip) + sizeof(*icmp) + quote), .frag_off = DF,
			      .ttl = ANSWER_TTL, .protocol = IPPROTO_ICMP, .saddr = t->words[2], .daddr = t->words[0] };
	ip->check = ~csum_fold(sum_header4(ip));
	*icmp = (struct icmp){ .type = ICMP_DEST_UNREACH, .code = ICMP_FRAG_NEEDED, .rest = bpf_htonl(mtu & 0xffff) };
	icmp->check = ~csum_fold(sum_to_end(icmp, end, sizeof(*icmp) + QUOTE4_MAX));
	return finish(TR_V_TOO_BIG_ANSWERED);
}

static __always_inline int answer6(struct xdp_md *ctx, const struct place *p, const struct tuple *t, __u32 len, __u32 mtu)
{
	__u32 l3 = p->l3 & 0x1f, quote = quote_len(ctx, l3, len, QUOTE6_MAX), payload = sizeof(struct icmp) + quote;
	__u32 verdict = answer_begin(ctx, l3, quote, sizeof(struct ipv6hdr) + sizeof(struct icmp));
	struct ipv6hdr *ip;
	struct icmp *icmp;
	__u64 *addresses;
	void *end;

	if (verdict)
		return finish(verdict);
	end = (void *)(long)ctx->data_end;
	ip = (void *)(long)ctx->data + l3;
	icmp = (void *)(ip + 1);
	if ((void *)(icmp + 1) > end)
		return finish(TR_V_INTERNAL);
	*(__be32 *)ip = bpf_htonl(6U << 28);
	ip->payload_len = bpf_htons(payload);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = ANSWER_TTL;
	addresses = (__u64 *)&ip->saddr;
	addresses[0] = t->words[2];
	addresses[1] = t->words[3];
	addresses[2] = t->words[0];
	addresses[3] = t->words[1];
	*icmp = (struct icmp){ .type = ICMPV6_PKT_TOOBIG, .rest = bpf_htonl(mtu) };
	/* with the pseudo-header of RFC 8200 §8.1 */
	icmp->check = ~csum_fold(sum_to_end(addresses, end, 32 + sizeof(*icmp) + QUOTE6_MAX) + bpf_htonl(payload) +
				 bpf_htonl(IPPROTO_ICMPV6));
	return finish(TR_V_TOO_BIG_ANSWERED);
}

SEC("xdp")
int tr_too_big(struct xdp_md *ctx)
{
	__u32 zero = 0, number, overhead;
	struct scratch *line = bpf_map_lookup_elem(&scratch, &zero);
	const struct tr_settings *set = bpf_map_lookup_elem(&settings, &zero);
	const struct tr_backend *backend;
	struct tuple tuple = {};
	struct place *p;

	if (!line || !set)
		return finish(TR_V_INTERNAL);
	p = &line->place;
	number = line->sending.number;
	backend = bpf_map_lookup_elem(&backends, &number);
	if (!backend)
		return finish(TR_V_INTERNAL);
	if (may_be_fragmented(ctx, line, backend))
		return give_to_stack(ctx, set, line, backend);
	if (p->flags & PLACE_QUIET)
		return finish(TR_V_TOO_BIG);
	if (tuple_addresses(ctx, p->family, p->l3, &tuple))
		return finish(TR_V_INTERNAL);
	if (!may_answer(set, 1, tuple.words[0], tuple.words[1]))
		return finish(TR_V_TOO_BIG);
	overhead = (backend->encap & ~TR_ENCAP_TAGGED) == TR_ENCAP_IPV4 ? sizeof(struct tr_outer4) : sizeof(struct tr_outer6);
	if (backend->mtu < overhead)
		return finish(TR_V_TOO_BIG);
	return p->family == TR_IPV4 ? answer4(ctx, p, &tuple, line->sending.len, backend->mtu - overhead) :
				      answer6(ctx, p, &tuple, line->sending.len, backend->mtu - overhead);
}
