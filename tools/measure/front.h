/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmark's front program is told of a scenario; shared by bench.bpf.c and user space. */
#ifndef BENCH_FRONT_H
#define BENCH_FRONT_H

#include <linux/types.h>

enum front_family { FRONT_IPV4, FRONT_IPV6, FRONT_ARP };

/* What besides the client's address and port differs from flow to flow. */
enum front_vary {
	FRONT_VARY_CLIENT,
	FRONT_VARY_PORT,		/* destination port */
	FRONT_VARY_ADDRESS,		/* low 16 bits of the IPv4 destination */
	FRONT_VARY_PREFIX,		/* IPv4 destination: any address of the FRONT_PREFIXES prefixes */
};

/* Prefix n is the /24 at daddr + n * FRONT_PREFIX_STEP (host order): scattered, not one solid block. */
#define FRONT_PREFIXES 1000
#define FRONT_PREFIX_STEP (13 << 8)
#define FRONT_PREFIX_FLOWS (1ULL << 18)	/* 10 bits choose the prefix, 8 the address */

#define FRONT_ETH_LEN 14
#define FRONT_IP4_LEN (FRONT_ETH_LEN + 20)
#define FRONT_IP6_LEN (FRONT_ETH_LEN + 40)
#define FRONT_LEN_MAX (FRONT_IP6_LEN + 4)

/* What a packet that is not plain has more. */
enum front_shape {
	FRONT_PLAIN,
	FRONT_ODD,			/* nothing, but another program than tr_tcp and tr_udp takes it */
	FRONT_TAGGED,			/* IPv4 behind one VLAN tag */
	FRONT_LONG,			/* IPv4 that the program under test cuts to FRONT_QUOTE bytes and puts headers in front of */
};
#define FRONT_TAG_LEN 4
#define FRONT_MORE_LEN 8		/* of IPv4 options, or of the extension header */
#define FRONT_QUOTE 548
#define FRONT_ODD_LEN (FRONT_IP6_LEN + FRONT_MORE_LEN + 4)

/* Read only once loaded, so that the verifier prunes what a scenario does not use. */
struct front {
	__u8 header[64];	/* Ethernet, IP, ports: what is written into every packet; IPv4 checksum 0 */
	__u32 family;		/* enum front_family */
	__u32 vary;		/* enum front_vary */
	__u64 flow_mask;	/* flows - 1; a power of two less one */
	__u64 multiplier;	/* 5 modulo 8, and the increment odd: the generator then has its full period */
	__u64 increment;
	__u32 sum;		/* one's complement sum over the IPv4 header in `header`, not folded */
	__u32 shape;		/* enum front_shape; from here on of what is not plain */
	__u32 more;		/* 1: FRONT_MORE_LEN bytes between the IP header and the ports */
	__u32 ports;		/* the four bytes where ports are, or would be */
	__u32 no_ports;		/* 1: they are the same for all flows */
	__u32 cut;		/* FRONT_LONG: bytes that are cut from the frame's end */
};

#endif
