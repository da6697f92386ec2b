/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP's header and the types that matter here. */
#ifndef TAILRACE_ICMP_BPF_H
#define TAILRACE_ICMP_BPF_H

#include <linux/types.h>

#define ICMP_MIN 8

/* RFC 792 and RFC 4443, by hand: <linux/icmp.h> draws in headers of libc that do not stand for the BPF target. */
enum {
	ICMP_ECHOREPLY = 0, ICMP_DEST_UNREACH = 3, ICMP_ECHO = 8, ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETERPROB = 12,
	ICMP_FRAG_NEEDED = 4,	/* a code of ICMP_DEST_UNREACH */
};
enum {
	ICMPV6_DEST_UNREACH = 1, ICMPV6_PKT_TOOBIG = 2, ICMPV6_PARAMPROB = 4, ICMPV6_ECHO_REQUEST = 128, ICMPV6_ECHO_REPLY = 129,
};
struct icmp {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 rest;		/* echo: id and sequence; frag-needed and packet-too-big: the MTU */
};

#endif
