/* SPDX-License-Identifier: GPL-2.0-only */
/* The Internet checksum (RFC 1071) and its correction (RFC 1624). Words as they lie in the packet: the sum is the same in any byte order. */
#ifndef TAILRACE_CSUM_BPF_H
#define TAILRACE_CSUM_BPF_H

#include <linux/types.h>

static __always_inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Equation 3 of RFC 1624, for one word. */
static __always_inline __u16 csum_replace(__u16 check, __u16 from, __u16 to)
{
	return ~csum_fold((__u64)(__u16)~check + (__u16)~from + to);
}

#endif
