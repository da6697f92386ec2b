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

/* Read only once loaded, so that the verifier prunes what a scenario does not use. */
struct front {
	__u8 header[64];	/* Ethernet, IP, ports: what is written into every packet; IPv4 checksum 0 */
	__u32 family;		/* enum front_family */
	__u32 vary;		/* enum front_vary */
	__u64 flow_mask;	/* flows - 1; a power of two less one */
	__u64 multiplier;	/* 5 modulo 8, and the increment odd: the generator then has its full period */
	__u64 increment;
	__u32 sum;		/* one's complement sum over the IPv4 header in `header`, not folded */
	__u32 pad;
};

#endif
