// SPDX-License-Identifier: GPL-2.0-only
/* See packet.h. Written front to back: each layer appends itself, then goes back for its lengths and checksum. */
#include "packet.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define IP4_LEN 20
#define IP6_LEN 40
#define TTL 57		/* neither of the defaults of the outer header */

static __u8 *append(struct packet *p, size_t len)
{
	__u8 *at = p->data + p->len;

	assert(p->len + len <= PACKET_MAX);
	memset(at, 0, len);
	p->len += len;
	return at;
}

static void put16(__u8 *at, __u16 value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static __u32 told(const struct lie *lie, __u32 truth)
{
	return lie->told ? lie->value : truth;
}

bool addr_v4(const struct tr_addr *addr)
{
	return !addr->w[0] && !addr->w[1] && addr->w[2] == htonl(0xffff);
}

__u16 sum_fold(const void *data, size_t len, __u32 sum)
{
	const __u8 *byte = data;
	__u16 word;
	size_t i;

	for (i = 0; i + 1 < len; i += 2) {
		memcpy(&word, byte + i, 2);
		sum += word;
	}
	if (len & 1) {
		word = 0;
		memcpy(&word, byte + len - 1, 1);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put_checksum(__u8 *at, __u16 sum)
{
	sum = ~sum;
	memcpy(at, &sum, 2);
}

size_t shape_ip_offset(const struct packet_shape *shape)
{
	return 14 + 4 * shape->tags;
}

static size_t ext_len(const struct packet_shape *shape, unsigned int i)
{
	if (shape->ext_len[i])
		return shape->ext_len[i];
	return shape->ext[i] == EXT_AUTHENTICATION_TYPE ? 12 : 8;
}

static size_t exts_len(const struct packet_shape *shape)
{
	size_t sum = 0;
	unsigned int i;

	for (i = 0; i < shape->ext_count; i++)
		sum += ext_len(shape, i);
	return sum;
}

size_t shape_l4_offset(const struct packet_shape *shape)
{
	size_t fixed = addr_v4(&shape->dst) ? IP4_LEN : IP6_LEN;

	return shape_ip_offset(shape) + fixed + shape->options + exts_len(shape);
}

static void put_link(struct packet *p, const struct packet_shape *shape, bool v4)
{
	static const __u8 macs[12] = { 0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02 };
	unsigned int i;

	memcpy(append(p, sizeof(macs)), macs, sizeof(macs));
	for (i = 0; i < shape->tags; i++) {
		__u8 *tag = append(p, 4);

		put16(tag, shape->tpid[i] ? shape->tpid[i] : 0x8100);
		put16(tag + 2, shape->tci[i] ? shape->tci[i] : 100 + i);
	}
	put16(append(p, 2), told(&shape->ethertype, v4 ? 0x0800 : 0x86dd));
}

static void put_ipv4(struct packet *p, const struct packet_shape *shape, size_t l4_len)
{
	__u8 *ip = append(p, IP4_LEN + shape->options);
	size_t header_len = IP4_LEN + shape->options;

	ip[0] = told(&shape->version, 4) << 4 | told(&shape->ihl, header_len / 4);
	ip[1] = shape->tos;
	put16(ip + 2, told(&shape->ip_len, header_len + l4_len));
	put16(ip + 4, shape->id ? shape->id : 0x1234);
	put16(ip + 6, shape->frag);
	ip[8] = TTL;
	ip[9] = shape->proto;
	memcpy(ip + 12, &shape->src.w[3], 4);
	memcpy(ip + 16, &shape->dst.w[3], 4);
	memset(ip + IP4_LEN, 1, shape->options);	/* no-operation, RFC 791 §3.1 */
	put_checksum(ip + 10, sum_fold(ip, header_len, 0));
}

static void put_ext(struct packet *p, const struct packet_shape *shape, unsigned int i)
{
	size_t len = ext_len(shape, i);
	__u8 *ext = append(p, len);

	ext[0] = i + 1 < shape->ext_count ? shape->ext[i + 1] : shape->proto;
	if (shape->ext[i] == EXT_FRAGMENT_TYPE) {
		put16(ext + 2, shape->frag6);
		put16(ext + 4, shape->id6 >> 16);
		put16(ext + 6, shape->id6);
		return;
	}
	ext[1] = shape->ext[i] == EXT_AUTHENTICATION_TYPE ? len / 4 - 2 : len / 8 - 1;
	if (shape->ext[i] == IPPROTO_ROUTING)
		ext[3] = shape->segments_left;
	else if (shape->ext[i] == IPPROTO_HOPOPTS || shape->ext[i] == IPPROTO_DSTOPTS)
		put16(ext + 2, 0x0100 | (len - 4 < 256 ? len - 4 : 255));	/* PadN */
}

static void put_ipv6(struct packet *p, const struct packet_shape *shape, size_t l4_len)
{
	__u8 *ip = append(p, IP6_LEN);
	unsigned int i;

	ip[0] = told(&shape->version, 6) << 4 | shape->tos >> 4;
	ip[1] = shape->tos << 4 | 0x0a;			/* and some flow label */
	ip[2] = 0xbc;
	ip[3] = 0xde;
	put16(ip + 4, told(&shape->ip_len, exts_len(shape) + l4_len));
	ip[6] = shape->ext_count ? shape->ext[0] : shape->proto;
	ip[7] = TTL;
	memcpy(ip + 8, &shape->src, 16);
	memcpy(ip + 24, &shape->dst, 16);
	for (i = 0; i < shape->ext_count; i++)
		put_ext(p, shape, i);
}

static __u16 pseudo_sum(const struct packet_shape *shape, bool v4, size_t len)
{
	__u32 sum = htons(shape->proto) + htons(len);

	if (v4)
		return sum_fold(&shape->src.w[3], 4, sum_fold(&shape->dst.w[3], 4, sum));
	return sum_fold(&shape->src, 16, sum_fold(&shape->dst, 16, sum));
}

static size_t l4_header_len(const struct packet_shape *shape)
{
	switch (shape->proto) {
	case IPPROTO_TCP:
		return 20 + shape->tcp_options;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 8;
	default:
		return 0;
	}
}

static void fill_tcp(__u8 *tcp, const struct packet_shape *shape, size_t header_len)
{
	tcp[7] = 1;
	tcp[12] = told(&shape->doff, header_len / 4) << 4;
	tcp[13] = shape->tcp_flags;
	put16(tcp + 14, 0x7210);
	if (shape->tcp_option_bytes)
		memcpy(tcp + 20, shape->tcp_option_bytes, shape->tcp_options);
	else
		memset(tcp + 20, 1, shape->tcp_options);
}

static void fill_icmp(__u8 *icmp, const struct packet_shape *shape)
{
	icmp[0] = told(&shape->icmp_type, shape->proto == IPPROTO_ICMP ? 8 : 128);
	icmp[1] = shape->icmp_code;
	put16(icmp + 4, shape->icmp_rest >> 16);
	put16(icmp + 6, shape->icmp_rest);
}

static void fill_l4(__u8 *l4, const struct packet_shape *shape, size_t len, const struct packet *quoted)
{
	size_t header_len = l4_header_len(shape);

	if (shape->proto == IPPROTO_ICMP || shape->proto == IPPROTO_ICMPV6) {
		fill_icmp(l4, shape);
	} else if (header_len) {
		put16(l4, shape->sport);
		put16(l4 + 2, shape->dport);
	}
	if (shape->proto == IPPROTO_TCP)
		fill_tcp(l4, shape, header_len);
	if (shape->proto == IPPROTO_UDP)
		put16(l4 + 4, told(&shape->udp_len, len));
	if (quoted) {
		memcpy(l4 + header_len, quoted->data, quoted->len);
		return;
	}
	for (; header_len < len; header_len++)
		l4[header_len] = header_len * 7 + 3;
}

static void sum_l4(__u8 *l4, const struct packet_shape *shape, bool v4, size_t len)
{
	if (shape->proto == IPPROTO_TCP)
		put_checksum(l4 + 16, sum_fold(l4, len, pseudo_sum(shape, v4, len)));
	else if (shape->proto == IPPROTO_UDP)
		put_checksum(l4 + 6, sum_fold(l4, len, pseudo_sum(shape, v4, len)));
	else if (shape->proto == IPPROTO_ICMP)
		put_checksum(l4 + 2, sum_fold(l4, len, 0));
	else if (shape->proto == IPPROTO_ICMPV6)
		put_checksum(l4 + 2, sum_fold(l4, len, pseudo_sum(shape, v4, len)));
}

static void put_l4(struct packet *p, const struct packet_shape *shape, bool v4, const struct packet *quoted)
{
	size_t len = l4_header_len(shape) + (quoted ? quoted->len : shape->payload);
	__u8 *l4 = append(p, len);

	fill_l4(l4, shape, len, quoted);
	sum_l4(l4, shape, v4, len);
	if (shape->l4_cut.told && shape->l4_cut.value < len)
		p->len -= len - shape->l4_cut.value;
}

/* The IP packet that an error is about, or as much of it as it quotes. */
static void quote(struct packet *p, const struct packet_shape *shape)
{
	size_t ip = shape_ip_offset(shape->quoted);

	packet_build(p, shape->quoted);
	p->len -= ip;
	memmove(p->data, p->data + ip, p->len);
	if (shape->quoted_max && shape->quoted_max < p->len)
		p->len = shape->quoted_max;
}

void packet_build(struct packet *p, const struct packet_shape *shape)
{
	size_t l4_len = l4_header_len(shape) + shape->payload;
	bool v4 = addr_v4(&shape->dst);
	struct packet quoted;

	if (shape->quoted) {
		quote(&quoted, shape);
		l4_len = l4_header_len(shape) + quoted.len;
	}

	if (shape->l4_cut.told && shape->l4_cut.value < l4_len)
		l4_len = shape->l4_cut.value;
	p->len = 0;
	put_link(p, shape, v4);
	if (v4)
		put_ipv4(p, shape, l4_len);
	else
		put_ipv6(p, shape, l4_len);
	put_l4(p, shape, v4, shape->quoted ? &quoted : NULL);
	memset(append(p, shape->padding), 0xee, shape->padding);
	if (shape->cut.told && shape->cut.value < p->len)
		p->len = shape->cut.value;
}

static void cut_ipv4(struct packet *p, const struct packet *whole, const struct cutting *cutting, size_t header, size_t len)
{
	const __u8 *from = whole->data + cutting->ip;
	bool more = cutting->from + len < (size_t)(from[2] << 8 | from[3]) - header;
	__u8 *ip = append(p, header);

	memcpy(ip, from, header);
	put16(ip + 2, header + len);
	put16(ip + 4, cutting->id);
	put16(ip + 6, (more ? 0x2000 : 0) | cutting->from / 8);
	put16(ip + 10, 0);
	put_checksum(ip + 10, sum_fold(ip, header, 0));
}

static void cut_ipv6(struct packet *p, const struct packet *whole, const struct cutting *cutting, size_t header, size_t len)
{
	const __u8 *from = whole->data + cutting->ip;
	bool more = cutting->from + len + header < IP6_LEN + (size_t)(from[4] << 8 | from[5]);
	__u8 *ip = append(p, header), *ext = append(p, 8);
	size_t next = 6, at = IP6_LEN;

	memcpy(ip, from, header);
	for (; at < header; next = at, at += 8 * (ip[at + 1] + 1))
		;
	ext[0] = ip[next];
	ip[next] = EXT_FRAGMENT_TYPE;
	put16(ext + 2, cutting->from | more);
	put16(ext + 4, cutting->id >> 16);
	put16(ext + 6, cutting->id);
	put16(ip + 4, header - IP6_LEN + 8 + len);
}

void packet_cut(struct packet *p, const struct packet *whole, const struct cutting *cutting)
{
	const __u8 *ip = whole->data + cutting->ip;
	bool v4 = ip[0] >> 4 == 4;
	size_t header = v4 ? (ip[0] & 15) * 4 : IP6_LEN + cutting->keep, len = cutting->len;
	size_t rest = (v4 ? ip[2] << 8 | ip[3] : IP6_LEN + (ip[4] << 8 | ip[5])) - header;

	assert(cutting->from <= rest);
	if (len > rest - cutting->from)
		len = rest - cutting->from;
	p->len = 0;
	memcpy(append(p, cutting->ip), whole->data, cutting->ip);
	if (v4)
		cut_ipv4(p, whole, cutting, header, len);
	else
		cut_ipv6(p, whole, cutting, header, len);
	memcpy(append(p, len), ip + header + cutting->from, len);
}

void packet_print(const char *title, const __u8 *data, size_t len)
{
	size_t i;

	fprintf(stderr, "# %s, %zu bytes:", title, len);
	for (i = 0; i < len; i++)
		fprintf(stderr, "%s%02x", i % 32 ? (i % 4 ? "" : " ") : "\n#   ", data[i]);
	fprintf(stderr, "\n");
}
