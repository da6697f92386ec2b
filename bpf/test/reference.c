// SPDX-License-Identifier: GPL-2.0-only
/* See reference.h. The order of the checks is the order in which verdicts win; it is part of the description. */
#include "reference.h"

#include <string.h>
#include <arpa/inet.h>

#define GO_ON TR_V_COUNT	/* no verdict yet */
#define ETH_LEN 14
#define TAG_LEN 4
#define VIP_TAGS_MAX 2

struct parse {
	const struct world *world;
	const __u8 *frame;
	size_t len;
	size_t ip;			/* offset of the IP header */
	bool tagged, v4;
	const struct tr_vip_address *at;
	size_t l4, l4_end;		/* offsets; the end is the IP packet's own, not the frame's */
};

static unsigned int get16(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

static bool is_tag(unsigned int ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8;
}

static enum tr_verdict parse_link(struct parse *p)
{
	unsigned int ethertype = get16(p->frame + 12), tags = 0;
	size_t fixed;

	p->ip = ETH_LEN;
	while (is_tag(ethertype) && tags++ < VIP_TAGS_MAX) {
		if (p->len < p->ip + TAG_LEN)
			return TR_V_TRUNCATED;
		ethertype = get16(p->frame + p->ip + 2);
		p->ip += TAG_LEN;
	}
	if (ethertype != 0x0800 && ethertype != 0x86dd)
		return TR_V_NOT_IP;
	p->tagged = tags > 0;
	p->v4 = ethertype == 0x0800;
	fixed = p->v4 ? 20 : 40;
	return p->len < p->ip + fixed ? TR_V_TRUNCATED : GO_ON;
}

static bool in_prefix(const struct tr_prefix *prefix, const struct tr_addr *addr)
{
	const __u8 *a = (const __u8 *)prefix->addr.w, *b = (const __u8 *)addr->w;
	unsigned int i;

	for (i = 0; i < prefix->len; i++)
		if ((a[i / 8] ^ b[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static const struct tr_vip_address *find_address(const struct world *w, const struct tr_addr *addr)
{
	const struct world_prefix *best = NULL;
	__u32 i;

	for (i = 0; i < w->n_addresses; i++)
		if (!memcmp(&w->addresses[i].addr, addr, sizeof(*addr)))
			return &w->addresses[i].value;
	for (i = 0; i < w->n_prefixes && w->settings.prefixes; i++)
		if (in_prefix(&w->prefixes[i].prefix, addr) &&
		    (!best || w->prefixes[i].prefix.len > best->prefix.len))
			best = &w->prefixes[i];
	return best ? &best->value : NULL;
}

static enum tr_verdict parse_address(struct parse *p)
{
	struct tr_addr dst = ADDR4(0, 0, 0, 0);

	if (p->v4)
		memcpy(&dst.w[3], p->frame + p->ip + 16, 4);
	else
		memcpy(&dst, p->frame + p->ip + 24, 16);
	if (!p->v4 && addr_v4(&dst))
		return TR_V_NOT_VIP;	/* a mapped address on the wire is no IPv4 VIP */
	p->at = find_address(p->world, &dst);
	if (!p->at)
		return TR_V_NOT_VIP;
	return p->tagged ? TR_V_VLAN : GO_ON;
}

/* *ret_l4 is set where it returns GO_ON. */
static enum tr_verdict classify(unsigned int protocol, unsigned int icmp, enum tr_l4 *ret_l4)
{
	if (protocol == icmp)
		return TR_V_ICMP;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return TR_V_NO_SERVICE;
	*ret_l4 = protocol == IPPROTO_TCP ? TR_TCP : TR_UDP;
	return GO_ON;
}

static enum tr_verdict parse_ipv4(struct parse *p, enum tr_l4 *ret_l4)
{
	const __u8 *ip = p->frame + p->ip;
	size_t present = p->len - p->ip, header = (ip[0] & 15) * 4, total = get16(ip + 2);

	if (ip[0] >> 4 != 4 || header < 20 || header > present || total < header || total > present)
		return TR_V_BAD_IP;
	if (header > 20)
		return TR_V_IP_OPTIONS;
	if (get16(ip + 6) & 0x3fff)	/* MF and the offset; DF and the reserved bit make no fragment */
		return TR_V_FRAGMENT;
	p->l4 = p->ip + header;
	p->l4_end = p->ip + total;
	return classify(ip[9], IPPROTO_ICMP, ret_l4);
}

static enum tr_verdict parse_ipv6(struct parse *p, enum tr_l4 *ret_l4)
{
	const __u8 *ip = p->frame + p->ip;
	size_t total = 40 + get16(ip + 4);

	if (ip[0] >> 4 != 6 || total > p->len - p->ip)
		return TR_V_BAD_IP;
	p->l4 = p->ip + 40;
	p->l4_end = p->ip + total;
	switch (ip[6]) {
	case 44:
		return TR_V_FRAGMENT;
	case 0: case 43: case 50: case 51: case 60: case 135: case 139: case 140: case 253: case 254:
		return TR_V_EXT_HEADER;
	default:
		return classify(ip[6], IPPROTO_ICMPV6, ret_l4);
	}
}

static enum tr_verdict find_service(const struct parse *p, enum tr_l4 l4, __u32 *ret_vip)
{
	const struct world *w = p->world;
	__u32 vip = p->at->all_ports[l4], i;
	__be16 port;

	if (p->l4_end - p->l4 < 4)
		return TR_V_BAD_L4;
	memcpy(&port, p->frame + p->l4 + 2, 2);
	for (i = 0; i < w->n_services && p->at->has_exact[l4]; i++)
		if (w->services[i].key.address == p->at->id && w->services[i].key.port == port &&
		    w->services[i].key.l4 == l4)
			vip = w->services[i].vip;
	if (!vip)
		return TR_V_NO_SERVICE;
	*ret_vip = vip;
	return GO_ON;
}

static enum tr_verdict check_l4(const struct parse *p, enum tr_l4 l4)
{
	size_t there = p->l4_end - p->l4, need, claimed;
	const __u8 *header = p->frame + p->l4;

	if (p->world->stage_missing[l4])
		return TR_V_STAGE_MISSING;
	need = l4 == TR_TCP ? 20 : 8;
	if (there < need)
		return TR_V_BAD_L4;
	claimed = l4 == TR_TCP ? (header[12] >> 4) * 4 : get16(header + 4);
	return claimed < need || claimed > there ? TR_V_BAD_L4 : GO_ON;
}

static enum tr_verdict route(struct parse *p, struct answer *a)
{
	enum tr_verdict verdict = parse_link(p);

	if (verdict == GO_ON)
		verdict = parse_address(p);
	if (verdict == GO_ON)
		verdict = p->v4 ? parse_ipv4(p, &a->l4) : parse_ipv6(p, &a->l4);
	if (verdict == GO_ON)
		verdict = find_service(p, a->l4, &a->vip);
	if (verdict == GO_ON)
		verdict = check_l4(p, a->l4);
	return verdict;
}

static void unchanged(struct answer *a, const __u8 *frame, size_t len)
{
	a->len = len;
	memcpy(a->data, frame, len);
	memset(&a->traffic, 0, sizeof(a->traffic));
}

void reference_route(const struct world *world, const __u8 *frame, size_t len, struct answer *ret)
{
	struct parse p = { .world = world, .frame = frame, .len = len };

	ret->backend = ret->vip = 0;
	unchanged(ret, frame, len);
	ret->verdict = route(&p, ret);
	ret->routed = ret->verdict == GO_ON;
	ret->ip_offset = p.ip;
	ret->inner_len = p.l4_end - p.ip;
	if (!ret->routed)
		return;
	/* SYN and ACK among the flags of byte 13. */
	ret->traffic.new_flows = ret->l4 == TR_TCP && (frame[p.l4 + 13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static void sum_outer4(struct tr_outer4 *outer)
{
	outer->check = 0;
	outer->check = ~sum_fold(outer, sizeof(*outer), 0);
}

static size_t put_outer(__u8 *at, const struct tr_backend *b, bool inner4, __u8 tos, size_t inner_len)
{
	__u8 next = inner4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	if (b->encap == TR_ENCAP_IPV4) {
		struct tr_outer4 outer = b->v4;

		outer.tos = tos;
		outer.total_len = htons(sizeof(outer) + inner_len);
		outer.protocol = next;
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

static void encapsulate(struct answer *a, const struct tr_backend *b, const __u8 *frame, size_t len)
{
	const __u8 *ip = frame + a->ip_offset;
	bool inner4 = ip[0] >> 4 == 4;
	__u8 tos = inner4 ? ip[1] : ip[0] << 4 | ip[1] >> 4;
	size_t outer_len;

	memcpy(a->data, b->dmac, 6);
	memcpy(a->data + 6, b->smac, 6);
	memcpy(a->data + 12, &b->ethertype, 2);
	outer_len = put_outer(a->data + ETH_LEN, b, inner4, tos, a->inner_len);
	memcpy(a->data + ETH_LEN + outer_len, ip, len - a->ip_offset);
	a->len = ETH_LEN + outer_len + len - a->ip_offset;
}

void reference_forward(const struct world *world, const __u8 *frame, size_t len, __u32 backend,
		       struct answer *answer)
{
	__u64 new_flows = answer->traffic.new_flows;
	const struct tr_backend *b;
	size_t outer_len;

	unchanged(answer, frame, len);
	answer->backend = backend;
	answer->verdict = TR_V_INTERNAL;
	if (backend >= world->limits.backends)
		return;
	b = &world->backends[backend];
	answer->verdict = TR_V_NO_BACKEND;
	if (!backend || b->encap == TR_ENCAP_NONE)
		return;
	outer_len = b->encap == TR_ENCAP_IPV4 ? sizeof(b->v4) : sizeof(b->v6);
	answer->verdict = TR_V_TOO_BIG;
	if (answer->inner_len + outer_len > b->mtu)
		return;
	encapsulate(answer, b, frame, len);
	answer->verdict = TR_V_FORWARDED;
	answer->traffic = (struct tr_traffic){ 1, answer->inner_len, new_flows };
}

static __u64 adopt4(struct tr_outer4 *ours, const struct tr_outer4 *real, __be32 mask)
{
	__be32 entropy = real->saddr & mask;

	ours->saddr |= entropy;
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

__u64 reference_adopt_entropy(const struct world *world, struct answer *answer, const __u8 *frame, size_t len)
{
	union {
		struct tr_outer4 v4;
		struct tr_outer6 v6;
	} ours, real;
	bool v4 = world->backends[answer->backend].encap == TR_ENCAP_IPV4;
	size_t outer_len = v4 ? sizeof(ours.v4) : sizeof(ours.v6);
	__u64 entropy;

	if (len < ETH_LEN + outer_len)
		return 0;
	memcpy(&ours, answer->data + ETH_LEN, outer_len);
	memcpy(&real, frame + ETH_LEN, outer_len);
	entropy = v4 ? adopt4(&ours.v4, &real.v4, world->settings.entropy4) :
		       adopt6(&ours.v6, &real.v6, world->settings.entropy6);
	memcpy(answer->data + ETH_LEN, &ours, outer_len);
	return entropy;
}
