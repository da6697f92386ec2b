// SPDX-License-Identifier: GPL-2.0-only
/* See mutate.h: packets that are changed after they were built. */
#include "mutate.h"

#include <string.h>
#include <arpa/inet.h>

#define IP4_LEN 20
#define IP6_LEN 40

/* Values at which comparisons turn, near what the packet truly holds. */
static __u16 edge_value(struct rng *rng, const struct packet *p)
{
	static const __u16 edges[] = { 0, 1, 2, 7, 8, 19, 20, 21, 39, 40, 41, 0x2000, 0x7fff, 0x8000, 0xfff0, 0xffff };

	if (rng_chance(rng, 50))
		return PICK(rng, edges);
	return p->len - 60 + rng_below(rng, 64);
}

static void put_edge(struct rng *rng, struct packet *p, size_t at)
{
	__u16 value = htons(edge_value(rng, p));

	if (at + 2 <= p->len)
		memcpy(p->data + at, &value, 2);
}

static void remove_or_insert(struct rng *rng, struct packet *p)
{
	size_t at = rng_below(rng, p->len), n = 1 + rng_below(rng, 8);

	if (rng_chance(rng, 50) && at + n < p->len) {
		memmove(p->data + at, p->data + at + n, p->len - at - n);
		p->len -= n;
	} else if (p->len + n <= PACKET_MAX) {
		memmove(p->data + at + n, p->data + at, p->len - at);
		p->len += n;
	}
}

static size_t ip_offset(const struct packet *p)
{
	size_t at = 12;

	while (at < 20 && at + 6 <= p->len && ((p->data[at] == 0x81 && !p->data[at + 1]) ||
					       (p->data[at] == 0x88 && p->data[at + 1] == 0xa8)))
		at += 4;
	return at + 2;
}

/* Some header's first bytes: link, IP, what is behind it, a quoted packet's IP header and what is behind that. */
static size_t some_place(struct rng *rng, const struct packet *p)
{
	static const __u8 fields[] = { 0, 1, 2, 4, 6, 7, 8, 9, 12, 13, 14, 16, 20 };
	static const __u8 headers4[] = { 0, 0, 0, 20, 20, 28, 28, 48 }, headers6[] = { 0, 0, 0, 40, 40, 48, 48, 88 };
	size_t ip = ip_offset(p), at;

	if (ip >= p->len)
		return rng_below(rng, p->len);
	at = ip + (p->data[ip] >> 4 == 6 ? PICK(rng, headers6) : PICK(rng, headers4));
	at += rng_chance(rng, 70) ? PICK(rng, fields) : rng_below(rng, 24);
	return at < p->len ? at : rng_below(rng, p->len);
}

void mutate(struct rng *rng, struct packet *p)
{
	static const __u8 protocols[] = { 0, 1, 4, 6, 17, 43, 44, 50, 51, 58, 59, 60, 132 };
	size_t at = some_place(rng, p);

	switch (rng_below(rng, 8)) {
	case 0:
		p->data[at] ^= 1 << rng_below(rng, 8);
		break;
	case 1:
		p->data[at] = rng_next(rng);
		break;
	case 2:
		put_edge(rng, p, at);
		break;
	case 3:
		p->data[at] = PICK(rng, protocols);
		break;
	case 4:
		p->len = rng_below(rng, p->len);
		break;
	case 5:
		remove_or_insert(rng, p);
		break;
	case 6:
		p->data[at] += rng_chance(rng, 50) ? 1 : -1;
		break;
	default:
		p->data[rng_below(rng, p->len)] ^= 1 << rng_below(rng, 8);
	}
	if (p->len < PACKET_MIN) {
		memset(p->data + p->len, 0, PACKET_MIN - p->len);
		p->len = PACKET_MIN;
	}
}

/* One's complement: the checksum stays as right or wrong as it was. */
static void put_words(__u8 *at, const void *now, size_t len, __u8 *const checks[2])
{
	__u16 sum_was = sum_fold(at, len, 0), sum_now = sum_fold(now, len, 0), check;
	int i;

	memcpy(at, now, len);
	for (i = 0; i < 2; i++) {
		if (!checks[i])
			continue;
		memcpy(&check, checks[i], 2);
		check = ~sum_fold(NULL, 0, (__u16)~check + (__u16)~sum_was + sum_now);
		memcpy(checks[i], &check, 2);
	}
}

static size_t check_offset(unsigned int protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_ICMPV6:
		return 2;
	default:
		return 0;
	}
}

void readdress(struct rng *rng, struct packet *p)
{
	size_t ip = ip_offset(p), l4, check;
	bool v4 = ip < p->len && p->data[ip] >> 4 == 4;
	struct tr_addr dst, src;
	__u8 *checks[2] = {};

	if (p->len < ip + (v4 ? IP4_LEN : IP6_LEN))
		return;
	do
		dst = PICK(rng, universe);
	while (addr_v4(&dst) != v4);
	src = random_client(rng, v4);
	l4 = ip + (v4 ? (p->data[ip] & 15) * 4 : IP6_LEN);
	check = check_offset(p->data[ip + (v4 ? 9 : 6)]);
	if (check && l4 + check + 2 <= p->len)
		checks[0] = p->data + l4 + check;
	checks[1] = v4 ? p->data + ip + 10 : NULL;
	put_words(p->data + ip + (v4 ? 12 : 8), v4 ? (void *)&src.w[3] : &src, v4 ? 4 : 16, checks);
	put_words(p->data + ip + (v4 ? 16 : 24), v4 ? (void *)&dst.w[3] : &dst, v4 ? 4 : 16, checks);
	/* A quoted packet comes from where the error goes. */
	if (v4 && p->data[ip + 9] == IPPROTO_ICMP && l4 + 8 + IP4_LEN <= p->len)
		memcpy(p->data + l4 + 8 + 12, &dst.w[3], 4);
	if (!v4 && p->data[ip + 6] == IPPROTO_ICMPV6 && p->data[l4] < 128 && l4 + 8 + IP6_LEN <= p->len)
		memcpy(p->data + l4 + 8 + 8, &dst, 16);
	/* Ports that a service may have. */
	if (rng_chance(rng, 70) && check && l4 + 4 <= p->len) {
		__be16 port = htons(PICK(rng, some_ports));

		memcpy(p->data + l4 + 2, &port, 2);
	}
}
