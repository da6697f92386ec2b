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

/* The transport header, behind whatever is in front of it; protocol 0: a later fragment, or none. */
struct transport {
	size_t at;
	__u8 protocol;
};

static struct transport find_transport4(const struct packet *p, size_t ip)
{
	const __u8 *header = p->data + ip;

	if ((header[6] & 0x1f) || header[7])
		return (struct transport){};
	return (struct transport){ ip + (header[0] & 15) * 4, header[9] };
}

static struct transport find_transport6(const struct packet *p, size_t ip)
{
	struct transport t = { ip + IP6_LEN, p->data[ip + 6] };

	while (t.at + 8 <= p->len && (t.protocol == 0 || t.protocol == 43 || t.protocol == 44 || t.protocol == 51 ||
				      t.protocol == 60)) {
		const __u8 *ext = p->data + t.at;

		if (t.protocol == 44 && (ext[2] || ext[3] & 0xf8))
			return (struct transport){};
		t.at += t.protocol == 44 ? 8 : t.protocol == 51 ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		t.protocol = ext[0];
	}
	return t;
}

/* Of the header at `at`, or NULL; UDP's 0 says that there is none. */
static __u8 *find_check(struct packet *p, struct transport t)
{
	size_t offset = t.protocol == IPPROTO_TCP ? 16 : t.protocol == IPPROTO_UDP ? 6 : 2;
	__u8 *check = p->data + t.at + offset;

	if (t.protocol != IPPROTO_TCP && t.protocol != IPPROTO_UDP && t.protocol != IPPROTO_ICMPV6 &&
	    t.protocol != IPPROTO_ICMP)
		return NULL;
	if (t.at + offset + 2 > p->len || (t.protocol == IPPROTO_UDP && !check[0] && !check[1]))
		return NULL;
	return check;
}

/* A quoted packet comes from where the error goes, and from a port that a service may have. */
static void readdress_quoted(struct packet *p, struct transport error, const struct tr_addr *vip, __be16 port)
{
	bool v4 = error.protocol == IPPROTO_ICMP;
	size_t ip = error.at + 8;
	__u8 *icmp = find_check(p, error), *header = p->data + ip;
	struct transport t;

	if (!icmp || ip + (v4 ? IP4_LEN : IP6_LEN) > p->len)
		return;
	/* With its own checksum, the sum over an IPv4 header stays as it is. */
	if (v4)
		put_words(header + 12, &vip->w[3], 4, (__u8 *[2]){ header + 10 });
	else
		put_words(header + 8, vip, 16, (__u8 *[2]){ icmp });
	t = v4 ? find_transport4(p, ip) : find_transport6(p, ip);
	if (port && (t.protocol == IPPROTO_TCP || t.protocol == IPPROTO_UDP) && t.at + 4 <= p->len && !(t.at & 1))
		put_words(p->data + t.at, &port, 2, (__u8 *[2]){ icmp });
}

static bool is_error(const struct packet *p, struct transport t)
{
	if (t.at + 8 > p->len)
		return false;
	return t.protocol == IPPROTO_ICMP ? p->data[t.at] != 8 && p->data[t.at] : t.protocol == IPPROTO_ICMPV6 && p->data[t.at] < 128;
}

void readdress(struct rng *rng, struct packet *p)
{
	size_t ip = ip_offset(p);
	bool v4 = ip < p->len && p->data[ip] >> 4 == 4;
	struct tr_addr dst, src;
	struct transport t;
	__u8 *checks[2];
	__be16 port;

	if (p->len < ip + (v4 ? IP4_LEN : IP6_LEN))
		return;
	do
		dst = PICK(rng, universe);
	while (addr_v4(&dst) != v4);
	src = random_client(rng, v4);
	port = rng_chance(rng, 70) ? htons(PICK(rng, some_ports)) : 0;
	t = v4 ? find_transport4(p, ip) : find_transport6(p, ip);
	checks[0] = t.protocol == IPPROTO_ICMP ? NULL : find_check(p, t);	/* without addresses in it */
	checks[1] = v4 ? p->data + ip + 10 : NULL;
	put_words(p->data + ip + (v4 ? 12 : 8), v4 ? (void *)&src.w[3] : &src, v4 ? 4 : 16, checks);
	put_words(p->data + ip + (v4 ? 16 : 24), v4 ? (void *)&dst.w[3] : &dst, v4 ? 4 : 16, checks);
	checks[1] = NULL;
	if (is_error(p, t))
		readdress_quoted(p, t, &dst, port);
	else if (port && (t.protocol == IPPROTO_TCP || t.protocol == IPPROTO_UDP) && t.at + 4 <= p->len)
		put_words(p->data + t.at + 2, &port, 2, checks);
}
