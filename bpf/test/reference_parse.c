// SPDX-License-Identifier: GPL-2.0-only
/* docs/packets.md, sections 1 to 3: link layer, VIP's address, IP header and what follows it. */
#include "reference_parts.h"

#include <string.h>
#include <arpa/inet.h>

#define CHAIN_HEADERS_MAX 6
#define CHAIN_BYTES_MAX 512

enum { EXT_HOP_BY_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AUTHENTICATION = 51, EXT_DESTINATION = 60 };

static bool is_tag(unsigned int ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8;
}

static enum tr_verdict parse_link(struct parse *p)
{
	unsigned int ethertype = get16(p->frame + 12);

	p->ip = ETH_LEN;
	while (is_tag(ethertype) && p->tags < TR_TAGS_MAX) {
		if (p->len < p->ip + TAG_LEN)
			return TR_V_TRUNCATED;
		ethertype = get16(p->frame + p->ip + 2);
		p->ip += TAG_LEN;
		p->tags++;
	}
	if (ethertype != 0x0800 && ethertype != 0x86dd)
		return TR_V_NOT_IP;
	p->v4 = ethertype == 0x0800;
	return p->len < p->ip + (p->v4 ? IP4_LEN : IP6_LEN) ? TR_V_TRUNCATED : GO_ON;
}

static bool in_prefix(const struct tr_prefix *prefix, const struct tr_addr *addr)
{
	const __u8 *a = (const __u8 *)prefix->addr.w, *b = (const __u8 *)addr->w;
	unsigned int whole = prefix->len / 8, rest = prefix->len % 8;

	if (memcmp(a, b, whole))
		return false;
	return !rest || !((a[whole] ^ b[whole]) & (0xff00 >> rest));
}

const struct tr_vip_address *find_address(const struct world *w, const struct tr_addr *addr)
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
	static const struct tr_addr mapped = ADDR4(0, 0, 0, 0);
	const __u8 *ip = p->frame + p->ip;

	p->src = p->dst = mapped;
	if (p->v4) {
		memcpy(&p->src.w[3], ip + 12, 4);
		memcpy(&p->dst.w[3], ip + 16, 4);
	} else {
		memcpy(&p->src, ip + 8, 16);
		memcpy(&p->dst, ip + 24, 16);
	}
	if (!p->v4 && addr_v4(&p->dst))
		return TR_V_NOT_VIP;	/* a mapped address on the wire is no IPv4 VIP */
	p->at = find_address(p->world, &p->dst);
	return p->at ? GO_ON : TR_V_NOT_VIP;
}

static enum tr_verdict parse_ipv4(struct parse *p)
{
	const __u8 *ip = p->frame + p->ip;
	size_t present = p->len - p->ip, header = (ip[0] & 15) * 4, total = get16(ip + 2);
	unsigned int field = get16(ip + 6);

	if (ip[0] >> 4 != 4 || header < IP4_LEN || total < header || total > present)
		return TR_V_BAD_IP;
	p->extended = header > IP4_LEN;
	p->l4 = p->ip + header;
	p->l4_end = p->ip + total;
	p->protocol = ip[9];
	p->more = field & IP4_MF;
	p->offset = (field & IP4_OFFSET) * 8;
	if (p->offset || p->more)
		p->piece = p->offset ? PIECE_LATER : PIECE_FIRST;
	p->before = header;
	p->data = total - header;
	p->key = (struct fragment_key){ p->src, p->dst, get16(ip + 4), ip[9] };
	return GO_ON;
}

static bool is_chained(unsigned int next)
{
	return next == EXT_HOP_BY_HOP || next == EXT_ROUTING || next == EXT_FRAGMENT || next == EXT_AUTHENTICATION ||
	       next == EXT_DESTINATION;
}

static size_t header_len(unsigned int type, const __u8 *header)
{
	if (type == EXT_FRAGMENT)
		return 8;
	return type == EXT_AUTHENTICATION ? (header[1] + 2) * 4 : (header[1] + 1) * 8;
}

static void take_fragment_header(struct chain *c, const __u8 *header)
{
	c->fragment = true;
	c->behind = header[0];
	c->offset = get16(header + 2) & 0xfff8;
	c->more = header[3] & 1;
	c->id = (__u32)get16(header + 4) << 16 | get16(header + 6);
	c->before = c->at - IP6_LEN;
	c->data = c->at + 8;
}

/* One header; c->next is its type. */
static enum tr_verdict chain_step(struct chain *c)
{
	enum tr_verdict cut = c->fragment && c->more ? TR_V_TINY_FRAGMENT : TR_V_BAD_EXT;
	const __u8 *header = c->ip + c->at;
	unsigned int type = c->next;
	size_t len;

	if (++c->count > CHAIN_HEADERS_MAX)
		return TR_V_EXT_DEPTH;
	if ((type == EXT_HOP_BY_HOP && c->count > 1) || (type == EXT_FRAGMENT && c->fragment))
		return TR_V_BAD_EXT;
	if (c->at + 8 > c->end)
		return cut;
	len = header_len(type, header);
	if (c->at + len - IP6_LEN > CHAIN_BYTES_MAX)
		return TR_V_EXT_DEPTH;
	if (c->at + len > c->end)
		return cut;
	if (type == EXT_ROUTING && header[3])
		return TR_V_ROUTING_HEADER;
	if (type == EXT_FRAGMENT)
		take_fragment_header(c, header);
	c->next = header[0];
	c->at += len;
	return GO_ON;
}

enum tr_verdict chain_walk(struct chain *c)
{
	enum tr_verdict verdict = GO_ON;

	c->at = IP6_LEN;
	c->next = c->ip[6];
	while (verdict == GO_ON && is_chained(c->next) && !c->offset)
		verdict = chain_step(c);
	return verdict;
}

static enum tr_verdict parse_ipv6(struct parse *p)
{
	const __u8 *ip = p->frame + p->ip;
	size_t total = IP6_LEN + get16(ip + 4);
	struct chain c = { .ip = ip, .end = total };
	enum tr_verdict verdict;

	if (ip[0] >> 4 != 6 || total > p->len - p->ip)
		return TR_V_BAD_IP;
	verdict = chain_walk(&c);
	p->cut = verdict == TR_V_TINY_FRAGMENT;
	if (verdict != GO_ON && !p->cut)
		return verdict;
	p->extended = c.count > 0;
	p->l4 = p->ip + c.at;
	p->l4_end = p->ip + total;
	p->protocol = c.next;
	p->more = c.more;
	p->offset = c.offset;
	if (p->offset || p->more)
		p->piece = p->offset ? PIECE_LATER : PIECE_FIRST;
	p->before = c.before;
	p->data = c.fragment ? total - c.data : 0;
	p->key = (struct fragment_key){ p->src, p->dst, c.id, 0 };
	return GO_ON;
}

enum tr_verdict parse_packet(struct parse *p)
{
	enum tr_verdict verdict = parse_link(p);

	if (verdict == GO_ON)
		verdict = parse_address(p);
	if (verdict == GO_ON)
		verdict = p->v4 ? parse_ipv4(p) : parse_ipv6(p);
	return verdict;
}
