// SPDX-License-Identifier: GPL-2.0-only
/* docs/packets.md, section 7: echo requests, and errors about a VIP's flows. */
#include "reference_parts.h"

#include <string.h>

#include <linux/bpf.h>

enum icmp_kind { KIND_OTHER, KIND_ECHO, KIND_ERROR };

static enum icmp_kind kind_of(bool v4, unsigned int type)
{
	if (type == (v4 ? 8 : 128))
		return KIND_ECHO;
	if (v4)
		return type == 3 || type == 11 || type == 12 ? KIND_ERROR : KIND_OTHER;
	return type >= 1 && type <= 4 ? KIND_ERROR : KIND_OTHER;
}

static void swap(__u8 *a, __u8 *b, size_t len)
{
	__u8 saved[16];

	memcpy(saved, a, len);
	memcpy(a, b, len);
	memcpy(b, saved, len);
}

static void set_ttl(__u8 *ip, bool v4, __u8 ttl)
{
	__u8 was[2];

	if (!v4) {
		ip[7] = ttl;
		return;
	}
	memcpy(was, ip + 8, 2);
	ip[8] = ttl;
	correct_checksum(ip + 10, was, ip + 8);
}

static void answer_echo(const struct parse *p, struct answer *a)
{
	__u8 *ip = a->data + p->ip, *icmp = a->data + p->l4, was[2];

	answer_unchanged(a, p->frame, p->len);
	swap(a->data, a->data + 6, 6);
	swap(ip + (p->v4 ? 12 : 8), ip + (p->v4 ? 16 : 24), p->v4 ? 4 : 16);
	set_ttl(ip, p->v4, 64);
	memcpy(was, icmp, 2);
	icmp[0] = p->v4 ? 0 : 129;
	correct_checksum(icmp + 2, was, icmp);
}

static enum tr_verdict route_echo(const struct reference *r, const struct parse *p, struct answer *a)
{
	if (!p->at->echo)
		return TR_V_ECHO_OFF;
	a->limit = LIMIT_ECHO;
	a->limited = p->src;
	if (!limit_allows(r, p->world, LIMIT_ECHO, &p->src))
		return TR_V_ECHO_LIMITED;
	answer_echo(p, a);
	return TR_V_ECHO;
}

/* The quoted packet. */
struct inner {
	const __u8 *ip;
	size_t there;			/* bytes of it that are quoted */
	size_t l4;			/* offset from ip */
	struct tr_addr src, dst;
	unsigned int protocol;
	bool no_flow;			/* what its shape alone says */
};

static bool inner_ipv4(struct inner *in)
{
	static const struct tr_addr mapped = ADDR4(0, 0, 0, 0);
	const __u8 *ip = in->ip;
	size_t header, total;

	if (in->there < IP4_LEN || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15) * 4;
	total = get16(ip + 2);
	if (header < IP4_LEN || header + 8 > in->there || header + 8 > total)
		return false;
	in->l4 = header;
	in->src = in->dst = mapped;
	memcpy(&in->src.w[3], ip + 12, 4);
	memcpy(&in->dst.w[3], ip + 16, 4);
	in->protocol = ip[9];
	in->no_flow = get16(ip + 6) & IP4_OFFSET;
	return true;
}

static bool inner_ipv6(struct inner *in)
{
	struct chain c = { .ip = in->ip, .end = in->there };
	enum tr_verdict verdict;

	if (in->there < IP6_LEN || in->ip[0] >> 4 != 6)
		return false;
	if (c.end > IP6_LEN + get16(in->ip + 4))
		c.end = IP6_LEN + get16(in->ip + 4);
	verdict = chain_walk(&c);
	if (verdict != GO_ON && verdict != TR_V_ROUTING_HEADER)
		return false;
	if (verdict == GO_ON && c.at + 8 > c.end)
		return false;
	memcpy(&in->src, in->ip + 8, 16);
	memcpy(&in->dst, in->ip + 24, 16);
	in->l4 = c.at;
	in->protocol = c.next;
	in->no_flow = verdict == TR_V_ROUTING_HEADER || c.offset;
	return true;
}

static enum tr_verdict route_error(const struct reference *r, const struct parse *p, struct answer *a)
{
	struct inner in = { .ip = p->frame + p->l4 + ICMP_LEN, .there = p->l4_end - p->l4 - ICMP_LEN };
	__be16 vip_port, client_port;

	if (!(p->v4 ? inner_ipv4(&in) : inner_ipv6(&in)))
		return TR_V_BAD_ICMP;
	if (memcmp(&in.src, &p->dst, sizeof(in.src)) || is_martian(&in.dst))
		return TR_V_BAD_ICMP;
	if (in.no_flow || !l4_of(in.protocol, &a->l4))
		return TR_V_ICMP_NO_FLOW;
	memcpy(&vip_port, in.ip + in.l4, 2);
	memcpy(&client_port, in.ip + in.l4 + 2, 2);
	if (!vip_port || !client_port)
		return TR_V_BAD_ICMP;
	a->vip = find_service(p->world, p->at, a->l4, vip_port);
	if (!a->vip)
		return TR_V_ICMP_NO_FLOW;
	a->sent = TR_V_ICMP_ERROR;
	a->quiet = true;
	return route_to(r, p, a, &in.dst, client_port, vip_port);
}

enum tr_verdict route_icmp(const struct reference *r, const struct parse *p, struct answer *a)
{
	enum tr_verdict verdict;
	enum icmp_kind kind;

	if (p->l4_end - p->l4 < ICMP_LEN)
		return TR_V_BAD_ICMP;
	kind = kind_of(p->v4, p->frame[p->l4]);
	if (kind == KIND_OTHER || (kind == KIND_ECHO && p->extended))
		return TR_V_ICMP;
	verdict = check_source(p);
	if (verdict != GO_ON)
		return verdict;
	if (p->world->stage_missing[TR_STAGE_ICMP])
		return TR_V_STAGE_MISSING;
	return kind == KIND_ECHO ? route_echo(r, p, a) : route_error(r, p, a);
}
