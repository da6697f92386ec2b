// SPDX-License-Identifier: GPL-2.0-only
/* docs/packets.md, section 9: what does not fit the next hop's MTU. */
#include "reference_parts.h"

#include <string.h>
#include <arpa/inet.h>

#define QUOTE4_MAX 548
#define QUOTE6_MAX 1232
#define TTL 64

static void put_sum(__u8 *at, const __u8 *from, size_t len, __u32 sum)
{
	__u16 check = ~sum_fold(from, len, sum);

	memcpy(at, &check, 2);
}

/* Everything from the IP header on; the quoted packet is `ip`. Returns its length. */
static size_t put_frag_needed(__u8 *at, const __u8 *ip, size_t inner_len, __u16 mtu)
{
	size_t quoted = (inner_len < QUOTE4_MAX ? inner_len : QUOTE4_MAX) & ~(size_t)3;
	size_t icmp_len = ICMP_LEN + quoted;
	__u8 *icmp = at + IP4_LEN;

	memset(at, 0, IP4_LEN + ICMP_LEN);
	at[0] = 0x45;
	set16(at + 2, IP4_LEN + icmp_len);
	set16(at + 6, IP4_DF);
	at[8] = TTL;
	at[9] = IPPROTO_ICMP;
	memcpy(at + 12, ip + 16, 4);
	memcpy(at + 16, ip + 12, 4);
	put_sum(at + 10, at, IP4_LEN, 0);
	icmp[0] = 3;
	icmp[1] = 4;
	set16(icmp + 6, mtu);
	memcpy(icmp + ICMP_LEN, ip, quoted);
	put_sum(icmp + 2, icmp, icmp_len, 0);
	return IP4_LEN + icmp_len;
}

static size_t put_packet_too_big(__u8 *at, const __u8 *ip, size_t inner_len, __u16 mtu)
{
	size_t quoted = (inner_len < QUOTE6_MAX ? inner_len : QUOTE6_MAX) & ~(size_t)3;
	size_t icmp_len = ICMP_LEN + quoted;
	__u8 *icmp = at + IP6_LEN;

	memset(at, 0, IP6_LEN + ICMP_LEN);
	at[0] = 0x60;
	set16(at + 4, icmp_len);
	at[6] = IPPROTO_ICMPV6;
	at[7] = TTL;
	memcpy(at + 8, ip + 24, 16);
	memcpy(at + 24, ip + 8, 16);
	icmp[0] = 2;
	set16(icmp + 6, mtu);
	memcpy(icmp + ICMP_LEN, ip, quoted);
	put_sum(icmp + 2, icmp, icmp_len, sum_fold(at + 8, 32, htons(icmp_len) + htons(IPPROTO_ICMPV6)));
	return IP6_LEN + icmp_len;
}

static size_t outer_length(const struct tr_backend *b)
{
	return (b->encap & ~TR_ENCAP_TAGGED) == TR_ENCAP_IPV4 ? IP4_LEN : IP6_LEN;
}

static void put_answer(const struct tr_backend *b, const __u8 *frame, struct answer *a)
{
	const __u8 *ip = frame + a->ip_offset;
	bool inner4 = ip[0] >> 4 == 4;
	__u16 mtu = b->mtu - outer_length(b);
	__u8 *at = a->data + a->ip_offset;

	memcpy(a->data, frame + 6, 6);
	memcpy(a->data + 6, frame, 6);
	memcpy(a->data + 12, frame + 12, a->ip_offset - 12);
	a->len = a->ip_offset + (inner4 ? put_frag_needed(at, ip, a->inner_len, mtu) :
					  put_packet_too_big(at, ip, a->inner_len, mtu));
}

static struct tr_addr source_of(const __u8 *ip)
{
	struct tr_addr addr = ADDR4(0, 0, 0, 0);

	if (ip[0] >> 4 == 4)
		memcpy(&addr.w[3], ip + 12, 4);
	else
		memcpy(&addr, ip + 8, 16);
	return addr;
}

void answer_too_big(const struct reference *r, const struct world *world, const struct tr_backend *b, const __u8 *frame,
		    size_t len, struct answer *a)
{
	const __u8 *ip = frame + a->ip_offset;
	bool may_fragment = ip[0] >> 4 == 4 && !(get16(ip + 6) & IP4_DF);

	a->verdict = TR_V_OVERSIZE;
	if ((world->vips[a->vip].flags & TR_VIP_OVERSIZE) && may_fragment &&
	    (b->encap & ~TR_ENCAP_TAGGED) == TR_ENCAP_IPV4 && a->inner_len + IP4_LEN <= 65535) {
		encapsulate(world, b, frame, len, true, a);
		return;
	}
	a->verdict = TR_V_TOO_BIG;
	if (a->quiet || b->mtu < outer_length(b))
		return;
	a->limit = LIMIT_TOO_BIG;
	a->limited = source_of(ip);
	if (!limit_allows(r, world, LIMIT_TOO_BIG, &a->limited))
		return;
	a->verdict = TR_V_TOO_BIG_ANSWERED;
	put_answer(b, frame, a);
}
