/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builds the frames that the packet tests send: honest ones (every length and checksum right) from a short shape, and
 * liars by the shape's `lie` fields, which overwrite one field and repair nothing else.
 */
#ifndef TAILRACE_TEST_PACKET_H
#define TAILRACE_TEST_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <netinet/in.h>

#include <asm/byteorder.h>

#include "tailrace.h"

/* One page less XDP's headroom and the kernel's tailroom: more and BPF_PROG_TEST_RUN wants a program with frags. */
#define PACKET_MAX 3400
#define PACKET_MIN 14		/* BPF_PROG_TEST_RUN takes nothing shorter */
#define EXT_MAX 10
#define TAGS_MAX 3

#define ADDR4(a, b, c, d) \
	{ { 0, 0, __constant_htonl(0xffff), __constant_htonl((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d)) } }
#define ADDR6(a, b, c, d) \
	{ { __constant_htonl(a), __constant_htonl(b), __constant_htonl(c), __constant_htonl(d) } }

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10

#define EXT_AUTHENTICATION_TYPE 51
#define EXT_FRAGMENT_TYPE 44

struct packet {
	size_t len;
	__u8 data[PACKET_MAX];
};

/* A field that is not what it should be; left out of an initialiser: it is. */
struct lie {
	bool told;
	__u32 value;		/* host order */
};
#define LIE(v) { true, (v) }

struct packet_shape {
	struct tr_addr src, dst;	/* dst decides the family */
	__u16 sport, dport;		/* host order, as all numbers here */
	__u8 proto;
	__u8 tcp_flags;
	__u8 tos;			/* or traffic class */
	__u8 options;			/* bytes of IPv4 options, a multiple of 4 up to 40 */
	__u8 tcp_options;		/* the same of TCP */
	const __u8 *tcp_option_bytes;	/* what they are; NULL: no-operations */
	__u16 id;			/* of IPv4; 0: 0x1234 */
	__u16 frag;			/* the IPv4 field: flags and offset */
	__u16 payload;			/* bytes behind the transport header */
	__u16 padding;			/* bytes behind the IP packet */
	__u8 tags;
	__u16 tpid[TAGS_MAX];		/* 0: 0x8100 */
	__u16 tci[TAGS_MAX];		/* 0: VLANs 100, 101, 102 */
	__u8 ext_count;
	__u8 ext[EXT_MAX];		/* IPv6 extension headers */
	__u16 ext_len[EXT_MAX];		/* bytes of each; 0: 8, authentication 12 */
	__u16 frag6;			/* of a fragment header: offset and M */
	__u32 id6;
	__u8 segments_left;		/* of a routing header */
	struct lie icmp_type;		/* else echo request */
	__u8 icmp_code;
	__u32 icmp_rest;		/* bytes 4 to 7 */
	const struct packet_shape *quoted;	/* by an ICMP error, instead of payload; its IP packet */
	__u16 quoted_max;		/* bytes of it; 0: all */
	struct lie l4_cut;		/* transport bytes that are left; the IP length is honest about it */
	struct lie ethertype, version, ihl, ip_len /* total or payload length */, doff, udp_len;
	struct lie cut;			/* frame bytes that are left */
};

void packet_build(struct packet *p, const struct packet_shape *shape);

/*
 * One fragment of an IP packet that stands at `ip` in the frame: the bytes [from, from + len) of what can be fragmented,
 * which are those behind the IPv4 header, or behind `keep` bytes of IPv6 extension headers.
 */
struct cutting {
	size_t ip, keep;
	size_t from, len;		/* len beyond the end: up to the end */
	__u32 id;
};
void packet_cut(struct packet *p, const struct packet *whole, const struct cutting *cutting);

/* Where the IP header and what is behind it (fixed header, options and extension headers) start. */
size_t shape_ip_offset(const struct packet_shape *shape);
size_t shape_l4_offset(const struct packet_shape *shape);

bool addr_v4(const struct tr_addr *addr);

/* The folded one's complement sum of RFC 1071 over native 16-bit words, not inverted. */
__u16 sum_fold(const void *data, size_t len, __u32 sum);

void packet_print(const char *title, const __u8 *data, size_t len);	/* hex, to stderr */

#endif
