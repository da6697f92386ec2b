// SPDX-License-Identifier: GPL-2.0-only
/* See mutate.h: packets of every kind that docs/packets.md knows, mostly right. */
#include "mutate.h"

#include <string.h>
#include <arpa/inet.h>

#include "corpus.h"

static const struct tr_addr clients4[] = {
	ADDR4(100, 64, 0, 1), ADDR4(100, 64, 0, 2), ADDR4(20, 1, 2, 3), ADDR4(172, 16, 5, 6), ADDR4(223, 255, 255, 254),
	ADDR4(128, 0, 0, 1),
};
static const struct tr_addr clients6[] = {
	ADDR6(0x26000000, 0, 0, 1), ADDR6(0x26000000, 0, 0, 2), ADDR6(0x3fff0000, 1, 2, 3), ADDR6(0xfd120000, 0, 0, 9),
	ADDR6(0, 0x10000, 0, 1), ADDR6(0x64ff9b, 0, 0, 0x01020304),
};
static const struct tr_addr odd4[] = {
	ADDR4(0, 0, 0, 0), ADDR4(0, 1, 2, 3), ADDR4(127, 0, 0, 1), ADDR4(224, 0, 0, 1), ADDR4(255, 255, 255, 255),
	ADDR4(192, 0, 2, 1), ADDR4(198, 51, 100, 1), ADDR4(240, 0, 0, 1), ADDR4(192, 0, 2, 2), ADDR4(1, 2, 192, 0),
};
static const struct tr_addr odd6[] = {
	ADDR6(0, 0, 0, 0), ADDR6(0, 0, 0, 1), ADDR6(0xff020000, 0, 0, 1), ADDR6(0, 0, 0, 0xc0000201),
	ADDR6(0x20010db8, 0, 0, 1), ADDR6(0x20010db8, 1, 0, 1), ADDR4(192, 0, 2, 1), ADDR6(0x20010db8, 0, 0, 2),
	ADDR6(0xffff0000, 0, 0, 1), ADDR6(0, 0, 0xffff, 0x01020304),
};

struct tr_addr random_client(struct rng *rng, bool v4)
{
	if (rng_chance(rng, 8))
		return v4 ? PICK(rng, odd4) : PICK(rng, odd6);
	return v4 ? PICK(rng, clients4) : PICK(rng, clients6);
}

/* Options around a maximum segment size, at any place, and broken ones. */
static void random_tcp_options(struct rng *rng, struct packet_shape *s, __u8 *bytes)
{
	static const __u8 kinds[] = { 0, 1, 1, 2, 2, 2, 3, 4, 5, 8, 30, 254 };
	static const __u8 lengths[] = { 0, 1, 2, 3, 4, 4, 4, 6, 10, 40, 255 };
	__u32 i;

	s->tcp_options = 4 * rng_below(rng, 11);
	s->tcp_option_bytes = bytes;
	for (i = 0; i < s->tcp_options; i++)
		bytes[i] = rng_chance(rng, 50) ? 1 : rng_chance(rng, 60) ? PICK(rng, kinds) : PICK(rng, lengths);
	if (s->tcp_options && rng_chance(rng, 80)) {
		i = rng_below(rng, s->tcp_options - 3);
		memset(bytes, 1, i);
		memcpy(bytes + i, (__u8[]){ 2, 4, rng_below(rng, 8), rng_next(rng) }, 4);
	}
}

static void random_exts(struct rng *rng, struct packet_shape *s)
{
	static const __u8 exts[] = { 0, 43, 44, 51, 60, 60, 60, 43, 50, 59, 135 };
	unsigned int i;

	s->ext_count = 1 + rng_below(rng, rng_chance(rng, 80) ? 3 : EXT_MAX);
	for (i = 0; i < s->ext_count; i++) {
		s->ext[i] = rng_chance(rng, 96) ? exts[rng_below(rng, 8)] : PICK(rng, exts);
		if (s->ext[i] == 0 && i && rng_chance(rng, 90))
			s->ext[i] = 60;
		if (s->ext[i] != EXT_FRAGMENT_TYPE && rng_chance(rng, 20))
			s->ext_len[i] = 8 * (1 + rng_below(rng, i || rng_chance(rng, 60) ? 4 : 64));
		if (s->ext[i] == EXT_AUTHENTICATION_TYPE && rng_chance(rng, 50))
			s->ext_len[i] = 8 + 4 * rng_below(rng, 8);
	}
	s->segments_left = rng_chance(rng, 12);
	s->frag6 = rng_chance(rng, 70) ? 0 : rng_chance(rng, 50) ? 1 : rng_next(rng);
	s->id6 = rng_below(rng, 4);
}

static void random_tags(struct rng *rng, struct packet_shape *s)
{
	int i;

	s->tags = 1 + rng_below(rng, rng_chance(rng, 90) ? 2 : TAGS_MAX);
	for (i = 0; i < s->tags; i++) {
		s->tpid[i] = rng_chance(rng, 30) ? 0x88a8 : 0x8100;
		s->tci[i] = rng_next(rng);
	}
}

static __u16 random_payload(struct rng *rng)
{
	if (rng_chance(rng, 88))
		return rng_below(rng, 64);
	return rng_below(rng, rng_chance(rng, 60) ? 600 : 2200);
}

static void set_ends(struct rng *rng, struct packet_shape *s)
{
	s->dst = PICK(rng, universe);
	s->src = random_client(rng, addr_v4(&s->dst));
	s->sport = rng_chance(rng, 97) ? 1024 + rng_below(rng, 64) : 0;
	s->dport = PICK(rng, some_ports);
}

struct packet_shape random_shape(struct rng *rng)
{
	static const __u8 protos4[] = { 6, 6, 6, 6, 17, 17, 17, 1, 58, 132, 4 };
	static const __u8 protos6[] = { 6, 6, 6, 6, 17, 17, 17, 58, 1, 132, 59 };
	static __u8 option_bytes[40];
	struct packet_shape s = { .tos = rng_next(rng), .tcp_flags = rng_next(rng) };
	bool v4;

	set_ends(rng, &s);
	v4 = addr_v4(&s.dst);
	s.proto = rng_chance(rng, 70) ? (rng_chance(rng, 60) ? 6 : 17) : v4 ? PICK(rng, protos4) : PICK(rng, protos6);
	s.payload = random_payload(rng);
	if (rng_chance(rng, 35))
		s.tcp_flags = TCP_SYN;
	if (s.proto == IPPROTO_TCP && rng_chance(rng, 40))
		random_tcp_options(rng, &s, option_bytes);
	s.padding = rng_chance(rng, 20) ? rng_below(rng, 40) : 0;
	if (rng_chance(rng, 12))
		random_tags(rng, &s);
	if (v4 && rng_chance(rng, 12))
		s.options = 4 * (1 + rng_below(rng, 10));
	if (v4 && rng_chance(rng, 40))
		s.frag = rng_chance(rng, 80) ? 0x4000 : rng_next(rng);
	if (!v4 && rng_chance(rng, 18))
		random_exts(rng, &s);
	if (rng_chance(rng, 4))
		s.l4_cut = (struct lie){ true, rng_below(rng, 24) };
	return s;
}

/* The packet that an error quotes: a VIP's answer, on its way to a client. */
static struct packet_shape random_quoted(struct rng *rng, const struct packet_shape *error)
{
	struct packet_shape s = random_shape(rng);
	bool v4 = addr_v4(&error->dst);

	s.tags = s.padding = 0;
	s.payload %= 1200;
	if (addr_v4(&s.dst) != v4) {
		s.options = s.ext_count = s.frag = 0;
		if (s.proto == IPPROTO_ICMP || s.proto == IPPROTO_ICMPV6)
			s.proto = IPPROTO_TCP;
	}
	s.src = rng_chance(rng, 97) ? error->dst : PICK(rng, universe);
	s.dst = random_client(rng, v4);
	if (addr_v4(&s.src) != addr_v4(&s.dst))
		s.src = error->dst;
	s.dport = s.sport;
	s.sport = PICK(rng, some_ports);
	return s;
}

static void random_icmp(struct rng *rng, struct packet *p)
{
	static const __u8 types4[] = { 3, 3, 11, 12, 4, 5, 0, 13 }, types6[] = { 1, 2, 3, 4, 5, 129, 135, 100 };
	struct packet_shape s = random_shape(rng), quoted;
	bool v4 = addr_v4(&s.dst);

	s.proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	s.icmp_rest = rng_next(rng);
	if (rng_chance(rng, 65)) {
		s.icmp_type = (struct lie){ true, rng_chance(rng, 85) ? (v4 ? types4 : types6)[rng_below(rng, 4)] :
							       v4 ? PICK(rng, types4) : PICK(rng, types6) };
		s.icmp_code = rng_below(rng, 6);
		quoted = random_quoted(rng, &s);
		s.quoted = &quoted;
		s.quoted_max = rng_chance(rng, 60) ? 28 + 20 * !v4 + rng_below(rng, 80) : 0;
	}
	if (rng_chance(rng, 80))
		s.options = s.ext_count = s.frag = s.l4_cut.told = 0;
	packet_build(p, &s);
}

static void new_whole(struct stream *stream, struct whole *w)
{
	struct rng *rng = stream->rng;
	struct packet_shape s = random_shape(rng);
	size_t keep = 0, header;

	s.payload = 40 + rng_below(rng, 500);
	s.frag = 0;
	s.padding = 0;
	s.l4_cut.told = false;
	if (s.ext_count && rng_chance(rng, 50))
		s.ext_count = 0;
	if (s.ext_count && s.ext[0] == 60)
		keep = s.ext_len[0] ? s.ext_len[0] : 8;
	packet_build(&w->packet, &s);
	w->cutting = (struct cutting){ .ip = shape_ip_offset(&s), .keep = keep, .id = rng_below(rng, 3) };
	header = addr_v4(&s.dst) ? 20U + s.options : 40 + keep;
	w->rest = w->packet.len - w->cutting.ip - header;
	w->grid = 8 * (1 + rng_below(rng, 12));
}

/* The first half the time; pieces beside the grid overlap others. */
static void next_piece(struct stream *stream, struct packet *p)
{
	struct rng *rng = stream->rng;
	struct whole *w = &stream->wholes[rng_below(rng, STREAM_WHOLES)];
	size_t pieces;

	if (!w->rest || rng_chance(rng, 12))
		new_whole(stream, w);
	pieces = (w->rest + w->grid - 1) / w->grid;
	w->cutting.from = rng_chance(rng, 40) ? 0 : w->grid * rng_below(rng, pieces);
	w->cutting.len = w->grid;
	if (rng_chance(rng, 10))
		w->cutting.from = 8 * rng_below(rng, w->rest / 8);
	if (rng_chance(rng, 10))
		w->cutting.len = 8 * (1 + rng_below(rng, 40));
	packet_cut(p, &w->packet, &w->cutting);
}

static void next_of_corpus(struct stream *stream, struct packet *p)
{
	const struct corpus *c = stream->corpus;
	struct rng *rng = stream->rng, ends;

	if (!stream->replay_left && c->n_captured && rng_chance(rng, 10)) {
		stream->replay = rng_below(rng, c->n_captured);
		stream->replay_left = 1 + rng_below(rng, 20);
		stream->replay_ends = rng_new(rng_next(rng));
	}
	if (!stream->replay_left) {
		corpus_pick(c, rng, p);
		if (rng_chance(rng, 80))
			readdress(rng, p);
		return;
	}
	*p = c->packets[c->n_tables + stream->replay];
	ends = stream->replay_ends;
	readdress(&ends, p);
	stream->replay = (stream->replay + 1) % c->n_captured;
	stream->replay_left--;
}

void stream_next(struct stream *stream, struct packet *p)
{
	struct rng *rng = stream->rng;
	__u32 kind = rng_below(rng, 100);

	if (kind < 20) {
		next_piece(stream, p);
	} else if (kind < 38) {
		random_icmp(rng, p);
	} else if (kind < 60 && stream->corpus) {
		next_of_corpus(stream, p);
	} else {
		struct packet_shape shape = random_shape(rng);

		packet_build(p, &shape);
	}
	while (rng_chance(rng, 25))
		mutate(rng, p);
}
