// SPDX-License-Identifier: GPL-2.0-only
/* docs/packets.md, sections 8 and 9: what leaves towards a backend, and the answer to what does not fit. */
#include "reference_parts.h"

#include <string.h>
#include <arpa/inet.h>

#include <linux/bpf.h>

#define MSS_KIND 2
#define MSS_LEN 4

void correct_checksum(__u8 *check, const __u8 was[2], const __u8 now[2])
{
	__u32 sum = (__u16)~get16(check) + (__u16)~get16(was) + get16(now);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	set16(check, ~sum);
}

static void sum_outer4(struct tr_outer4 *outer)
{
	outer->check = 0;
	outer->check = ~sum_fold(outer, sizeof(*outer), 0);
}

static size_t put_outer(__u8 *at, const struct tr_backend *b, bool inner4, __u8 tos, bool oversize, size_t inner_len)
{
	__u8 next = inner4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	if ((b->encap & ~TR_ENCAP_TAGGED) == TR_ENCAP_IPV4) {
		struct tr_outer4 outer = b->v4;

		outer.tos = tos;
		outer.total_len = htons(sizeof(outer) + inner_len);
		outer.protocol = next;
		if (oversize)
			outer.frag_off = 0;
		sum_outer4(&outer);
		memcpy(at, &outer, sizeof(outer));
		return sizeof(outer);
	}
	struct tr_outer6 outer = b->v6;

	outer.version_class_flow |= htonl((__u32)tos << 20);
	outer.payload_len = htons(inner_len);
	outer.next_header = next;
	memcpy(at, &outer, sizeof(outer));
	return sizeof(outer);
}

/* Tags of the next hop's link; priority and DEI are the arriving frame's. Returns their length. */
static size_t put_tags(__u8 *at, const struct tr_tags *tags, const __u8 *frame, const struct answer *a)
{
	size_t came = a->ip_offset - ETH_LEN;
	unsigned int i, priority = came ? get16(frame + ETH_LEN) & 0xf000 : 0;

	if (tags->n == TR_TAGS_KEEP && a->action == XDP_REDIRECT)
		return 0;
	if (tags->n == TR_TAGS_KEEP) {
		memcpy(at, frame + ETH_LEN - 2, came);
		return came;
	}
	for (i = 0; i < tags->n; i++) {
		memcpy(at + TAG_LEN * i, &tags->tpid[i], 2);
		set16(at + TAG_LEN * i + 2, priority | (ntohs(tags->vid[i]) & 0xfff));
	}
	return TAG_LEN * tags->n;
}

/* The option's value stands at `at`; a value at an odd place lies in two of the words that are summed. */
static void set_mss(__u8 *tcp, size_t at, __u16 mss)
{
	__u8 was[4];
	size_t word = at & ~(size_t)1;

	memcpy(was, tcp + word, 4);
	set16(tcp + at, mss);
	correct_checksum(tcp + 16, was, tcp + word);
	if (at & 1)
		correct_checksum(tcp + 16, was + 2, tcp + word + 2);
}

static void clamp_mss(__u8 *tcp, __u16 mss)
{
	size_t end = (tcp[12] >> 4) * 4, at = 20, len;

	while (at < end && tcp[at] != 0) {
		if (tcp[at] == 1) {
			at++;
			continue;
		}
		if (at + 2 > end)
			return;
		len = tcp[at + 1];
		if (len < 2 || at + len > end)
			return;
		if (tcp[at] == MSS_KIND && len == MSS_LEN && get16(tcp + at + 2) > mss)
			set_mss(tcp, at + 2, mss);
		at += len;
	}
}

void encapsulate(const struct world *world, const struct tr_backend *b, const __u8 *frame, size_t len, bool oversize,
		 struct answer *a)
{
	const struct tr_vip *vip = &world->vips[a->vip];
	const __u8 *ip = frame + a->ip_offset;
	bool inner4 = ip[0] >> 4 == 4;
	__u8 tos = inner4 ? ip[1] : ip[0] << 4 | ip[1] >> 4;
	size_t at = ETH_LEN, inner;

	if (oversize) {
		at = a->ip_offset;
		memcpy(a->data, frame, at);
	} else {
		memcpy(a->data, b->dmac, 6);
		memcpy(a->data + 6, b->smac, 6);
		at += put_tags(a->data + 12, &world->tags[b - world->backends], frame, a);
		memcpy(a->data + at - 2, &b->ethertype, 2);
	}
	a->outer = at;
	a->outer4 = (b->encap & ~TR_ENCAP_TAGGED) == TR_ENCAP_IPV4;
	a->free_id = oversize;
	inner = at + put_outer(a->data + at, b, inner4, tos, oversize, a->inner_len);
	memcpy(a->data + inner, ip, len - a->ip_offset);
	a->len = inner + len - a->ip_offset;
	if (a->clamp)
		clamp_mss(a->data + inner + a->l4_offset - a->ip_offset, vip->mss);
}

static __u64 adopt4(struct tr_outer4 *ours, const struct tr_outer4 *real, __be32 mask, bool free_id)
{
	__be32 entropy = real->saddr & mask;

	ours->saddr |= entropy;
	if (free_id)
		ours->id = real->id;
	sum_outer4(ours);
	return entropy;
}

static __u64 adopt6(struct tr_outer6 *ours, const struct tr_outer6 *real, __be32 mask)
{
	__be32 label = real->version_class_flow & htonl(0xfffff), entropy = real->saddr[3] & mask;

	ours->version_class_flow |= label;
	ours->saddr[3] |= entropy;
	return (__u64)entropy << 32 | label;
}

__u64 reference_adopt_entropy(const struct world *world, struct answer *a, const __u8 *frame, size_t len)
{
	union {
		struct tr_outer4 v4;
		struct tr_outer6 v6;
	} ours, real;
	size_t outer_len = a->outer4 ? sizeof(ours.v4) : sizeof(ours.v6);
	__u64 entropy;

	if (!a->outer || len < a->outer + outer_len)
		return 0;
	memcpy(&ours, a->data + a->outer, outer_len);
	memcpy(&real, frame + a->outer, outer_len);
	entropy = a->outer4 ? adopt4(&ours.v4, &real.v4, world->settings.entropy4, a->free_id) :
			      adopt6(&ours.v6, &real.v6, world->settings.entropy6);
	memcpy(a->data + a->outer, &ours, outer_len);
	return entropy;
}
