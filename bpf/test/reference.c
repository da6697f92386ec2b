// SPDX-License-Identifier: GPL-2.0-only
/*
 * See reference.h. docs/packets.md, sections 5 and 6, and the order of all: the order of the checks is the order in
 * which verdicts win; it is part of the description.
 */
#include "reference_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include <linux/bpf.h>

#define PORTS_LEN 4
#define TCP_MIN 20
#define UDP_MIN 8

bool l4_of(unsigned int protocol, enum tr_l4 *ret)
{
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return false;
	*ret = protocol == IPPROTO_TCP ? TR_TCP : TR_UDP;
	return true;
}

bool is_martian(const struct tr_addr *addr)
{
	const __u8 *byte = (const __u8 *)addr->w;

	if (addr_v4(addr))
		return byte[12] == 0 || byte[12] == 127 || byte[12] >= 224;
	return (!addr->w[0] && !addr->w[1]) || byte[0] == 0xff;
}

enum tr_verdict check_source(const struct parse *p)
{
	if (!p->v4 && addr_v4(&p->src))
		return TR_V_MARTIAN;	/* on the wire a mapped address is nobody's */
	if (is_martian(&p->src))
		return TR_V_MARTIAN;
	return find_address(p->world, &p->src) ? TR_V_VIP_SOURCE : GO_ON;
}

__u32 find_service(const struct world *w, const struct tr_vip_address *at, enum tr_l4 l4, __be16 port)
{
	__u32 vip = at->all_ports[l4], i;

	for (i = 0; i < w->n_services && at->has_exact[l4]; i++)
		if (w->services[i].key.address == at->id && w->services[i].key.port == port &&
		    w->services[i].key.l4 == l4)
			vip = w->services[i].vip;
	return vip;
}

/* Which word of the ring the flow's bucket is, nobody here can tell. */
static void add_words(const struct world *w, const struct tr_vip *vip, struct answer *a)
{
	const __u64 *words = &w->words[vip->ring + a->l4 * vip->ring_size];
	__u32 i, k, backend;

	for (i = 0; i < vip->ring_size; i++) {
		backend = words[i] & TR_BACKEND_MASK;
		for (k = 0; k < a->n_candidates && a->candidates[k] != backend; k++)
			;
		if (k < a->n_candidates)
			continue;
		assert(a->n_candidates < CANDIDATES_MAX);
		a->candidates[a->n_candidates++] = backend;
	}
}

enum tr_verdict route_to(const struct reference *r, const struct parse *p, struct answer *a, const struct tr_addr *client,
			 __be16 sport, __be16 dport)
{
	const struct tr_vip *vip = &p->world->vips[a->vip];
	bool by_client = (vip->how & TR_HOW_MODE) == TR_MODE_CLIENT;
	const struct flow_record *flow;

	a->flow = (struct flow_key){ .src = *client, .ring = vip->ring + a->l4 * vip->ring_size };
	if (!by_client)
		a->flow.dst = p->dst;
	if (!by_client && !(vip->how & TR_HOW_ADDRESSES)) {
		a->flow.sport = sport;
		a->flow.dport = dport;
	}
	a->chosen = true;
	flow = find_flow(r, &a->flow);
	if (flow)
		a->candidates[a->n_candidates++] = flow->backend;
	else
		add_words(p->world, vip, a);
	return GO_ON;
}

/* Which stage ends it; those that a tail call leads on to are not asked for here. */
static enum tr_stage stage_of(const struct parse *p, enum tr_l4 l4)
{
	if (p->tags || p->extended || p->piece != PIECE_WHOLE)
		return TR_STAGE_ANY;
	return l4 == TR_TCP ? TR_STAGE_TCP : TR_STAGE_UDP;
}

static enum tr_verdict check_l4(const struct parse *p, enum tr_l4 l4)
{
	size_t there = p->l4_end - p->l4, need = l4 == TR_TCP ? TCP_MIN : UDP_MIN, claimed;
	enum tr_verdict cut = p->piece == PIECE_FIRST ? TR_V_TINY_FRAGMENT : TR_V_BAD_L4;
	const __u8 *header = p->frame + p->l4;

	if (there < need)
		return cut;
	claimed = l4 == TR_TCP ? (header[12] >> 4) * 4 : get16(header + 4);
	if (claimed < need)
		return TR_V_BAD_L4;
	if (l4 == TR_UDP && p->piece == PIECE_FIRST)
		return GO_ON;		/* it is the length of all fragments together */
	return claimed > there ? cut : GO_ON;
}

/* Section 6. */
static enum tr_verdict check_headers(const struct parse *p, enum tr_l4 l4)
{
	const __u8 *header = p->frame + p->l4;
	enum tr_verdict verdict;

	if (!get16(header) || !get16(header + 2))
		return TR_V_ZERO_PORT;
	verdict = check_source(p);
	if (verdict != GO_ON)
		return verdict;
	if (p->world->stage_missing[stage_of(p, l4)])
		return TR_V_STAGE_MISSING;
	return check_l4(p, l4);
}

static enum tr_verdict sent_as(const struct parse *p)
{
	if (p->piece == PIECE_FIRST)
		return TR_V_FRAGMENT;
	if (p->extended)
		return p->v4 ? TR_V_IP_OPTIONS : TR_V_EXT_HEADER;
	return p->tags ? TR_V_VLAN : TR_V_FORWARDED;
}

/* Section 5 and on. */
static enum tr_verdict route_l4(const struct reference *r, const struct parse *p, struct answer *a)
{
	const __u8 *header = p->frame + p->l4;
	enum tr_verdict verdict;
	__be16 sport, dport;
	bool syn;

	if (p->l4_end - p->l4 < PORTS_LEN)
		return TR_V_BAD_L4;
	memcpy(&sport, header, 2);
	memcpy(&dport, header + 2, 2);
	a->vip = find_service(p->world, p->at, a->l4, dport);
	a->first = p->piece == PIECE_FIRST && !p->world->stage_missing[TR_STAGE_ANY];
	a->fragment = p->key;
	if (!a->vip)
		return TR_V_NO_SERVICE;
	verdict = check_headers(p, a->l4);
	if (verdict != GO_ON) {
		a->first = false;
		return verdict;
	}
	syn = a->l4 == TR_TCP && (header[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	a->traffic.new_flows = syn;
	a->clamp = syn && (p->world->vips[a->vip].how & TR_HOW_MSS);
	if (a->clamp && p->world->stage_missing[TR_STAGE_ANY])
		return TR_V_STAGE_MISSING;
	a->sent = sent_as(p);
	return route_to(r, p, a, &p->src, sport, dport);
}

static enum tr_verdict route(const struct reference *r, struct parse *p, struct answer *a)
{
	enum tr_verdict verdict = parse_packet(p);

	if (verdict == GO_ON && p->piece != PIECE_WHOLE)
		verdict = check_fragment(p);
	if (verdict != GO_ON)
		return verdict;
	if (p->piece == PIECE_LATER)
		return route_later(r, p, a);
	if (p->protocol == (p->v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return route_icmp(r, p, a);
	return l4_of(p->protocol, &a->l4) ? route_l4(r, p, a) : TR_V_NO_SERVICE;
}

void answer_unchanged(struct answer *a, const __u8 *frame, size_t len)
{
	a->len = len;
	memcpy(a->data, frame, len);
}

static __u32 action_of(enum tr_verdict verdict)
{
	static const __u32 actions[TR_V_COUNT] = {
#define X(NAME, name, action, help) XDP_##action,
		TR_VERDICTS(X)
#undef X
	};

	return actions[verdict];
}

static void clear(struct answer *a)
{
	memset(a, 0, offsetof(struct answer, data));
	memset(&a->traffic, 0, sizeof(*a) - offsetof(struct answer, traffic));
}

void reference_route(const struct reference *r, const struct world *world, const __u8 *frame, size_t len,
		     struct answer *ret)
{
	struct parse p = { .world = world, .frame = frame, .len = len };
	enum tr_verdict verdict;

	clear(ret);
	verdict = route(r, &p, ret);
	ret->routed = verdict == GO_ON;
	ret->ip_offset = p.ip;
	ret->l4_offset = p.l4;
	ret->l4_end = p.l4_end;
	ret->inner_len = p.l4_end - p.ip;
	if (ret->routed)
		return;
	ret->verdict = verdict;
	ret->action = action_of(verdict);
	if (verdict != TR_V_ECHO)
		answer_unchanged(ret, frame, len);
	ret->traffic.new_flows = 0;
}

/* Section 8: the order in which what stands in the way counts. */
static enum tr_verdict send_to(const struct reference *r, const struct world *world, const __u8 *frame, size_t len,
			       __u32 backend, struct answer *a)
{
	const struct tr_backend *b;
	size_t outer_len;
	__u32 i;

	if (backend >= world->limits.backends)
		return TR_V_INTERNAL;
	b = &world->backends[backend];
	if (!backend || b->encap == TR_ENCAP_NONE)
		return TR_V_NO_BACKEND;
	outer_len = (b->encap & ~TR_ENCAP_TAGGED) == TR_ENCAP_IPV4 ? sizeof(b->v4) : sizeof(b->v6);
	if (a->inner_len + outer_len > b->mtu) {
		answer_too_big(r, world, b, frame, len, a);
		return a->verdict;
	}
	a->action = XDP_TX;
	if (world->limits.several_devices && b->ifindex != LOOPBACK) {
		for (i = 0; i < world->n_devices && world->devices[i] != b->ifindex; i++)
			;
		if (i == world->n_devices)
			return TR_V_NO_DEVICE;
		a->action = XDP_REDIRECT;
	}
	encapsulate(world, b, frame, len, false, a);
	return a->sent;
}

void reference_send(const struct reference *r, const struct world *world, const __u8 *frame, size_t len, __u32 backend,
		    struct answer *a)
{
	__u64 new_flows = a->traffic.new_flows;

	a->backend = backend;
	a->len = 0;
	a->verdict = send_to(r, world, frame, len, backend, a);
	if (!a->len)
		answer_unchanged(a, frame, len);
	if (a->action != XDP_REDIRECT || a->verdict == TR_V_NO_DEVICE)
		a->action = action_of(a->verdict);
	a->traffic = (struct tr_traffic){};
	if (a->outer)
		a->traffic = (struct tr_traffic){ 1, a->inner_len, new_flows };
}

void reference_commit(struct reference *r, const struct world *world, const struct answer *a)
{
	if (a->limit != LIMIT_NONE)
		limit_take(r, world, a->limit, &a->limited);
	if (a->routed && a->chosen && a->n_maybe == 1)
		remember_flow(r, &a->flow, a->backend);
	if (a->first && (!a->routed || (a->backend && a->verdict != TR_V_INTERNAL)))
		remember_fragment(r, world, a);
}
