// SPDX-License-Identifier: GPL-2.0-only
/*
 * The benchmark's own programs. The kernel's test run repeats a program on one packet without resetting it, so the
 * front program makes it the packet of the next flow again, then tail-calls the program under test. The same front
 * before `bench_tx`, which does nothing, is what gets subtracted.
 *
 * All packet accesses are stores as wide as any load that follows: a load from two narrower stores cannot be
 * forwarded by the CPU and would stall for some 5 ns, which a packet written by a NIC does not.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "measure/front.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} target SEC(".maps");

const volatile struct front front = {};

__s32 pull;	/* bytes that the program under test put in front of the packet */
__s32 trim;	/* negative: bytes to be cut from a long frame's end, where the program under test does not do it */
__u64 state;	/* of the generator; packets run on one CPU, one after the other */

#define AT(type, base, offset) (*(type *)((void *)(base) + (offset)))
#define HEADER(type, offset) (*(const volatile type *)((const volatile void *)front.header + (offset)))
#define COPY(type, offset) (AT(type, data, offset) = HEADER(type, offset))

/* A number below the count of flows: each one once before any comes again, in an order without locality. */
static __always_inline __u64 next_flow(void)
{
	__u64 flow;

	state = state * front.multiplier + front.increment;
	flow = state & front.flow_mask;
	return flow ^ flow >> 8;	/* the generator's low bits alone would alternate */
}

/* Different for any two flows of the same 24-bit client address: the multiplier is odd. */
static __always_inline __u32 client_port(__u64 flow)
{
	return 0x8000 | (__u32)flow * 0x9e3779b1U >> 17;
}

/* both: those of the first flow, as in the packet. */
static __always_inline __u32 ports(__u64 flow, __u32 both)
{
	both |= bpf_htonl(client_port(flow) << 16);
	if (front.vary == FRONT_VARY_PORT)
		both |= bpf_htonl(flow & 0xffff ?: 1);	/* port 0 is nobody's */
	return both;
}

static __always_inline __be32 destination(__u64 flow)
{
	__be32 daddr = HEADER(__be32, FRONT_IP4_LEN - 4);

	if (front.vary == FRONT_VARY_ADDRESS)
		return daddr | bpf_htonl(flow & 0xffff);
	if (front.vary == FRONT_VARY_PREFIX)
		return bpf_htonl(bpf_ntohl(daddr) + (((flow >> 8) * FRONT_PREFIXES) >> 10) * FRONT_PREFIX_STEP +
				 (flow & 0xff));
	return daddr;
}

static __always_inline void write_ethernet(void *data)
{
	COPY(__u64, 0);
	COPY(__u32, 8);
	COPY(__u16, 12);
}

static __always_inline __u64 ipv4_check(__be32 saddr, __be32 daddr)
{
	__u64 sum = (__u64)front.sum + saddr + daddr;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static __always_inline void write_ipv4(void *data, __u64 flow)
{
	__be32 saddr = HEADER(__be32, FRONT_IP4_LEN - 8) | bpf_htonl(flow & 0xffffff), daddr = destination(flow);
	__u64 check = ipv4_check(saddr, daddr);

	COPY(__u64, FRONT_ETH_LEN);
	AT(__u32, data, FRONT_ETH_LEN + 8) = HEADER(__u32, FRONT_ETH_LEN + 8) | check << 16;
	AT(__u64, data, FRONT_IP4_LEN - 8) = saddr | (__u64)daddr << 32;
	AT(__u32, data, FRONT_IP4_LEN) = ports(flow, HEADER(__u32, FRONT_IP4_LEN));
}

static __always_inline void write_ipv6(void *data, __u64 flow)
{
	__u64 client = bpf_htonl(flow & 0xffffff);

	COPY(__u64, FRONT_ETH_LEN);
	COPY(__u64, FRONT_ETH_LEN + 8);
	AT(__u64, data, FRONT_ETH_LEN + 16) = HEADER(__u64, FRONT_ETH_LEN + 16) | client << 32;
	COPY(__u64, FRONT_ETH_LEN + 24);
	COPY(__u64, FRONT_ETH_LEN + 32);
	AT(__u32, data, FRONT_IP6_LEN) = ports(flow, HEADER(__u32, FRONT_IP6_LEN));
}

SEC("xdp")
int bench_front(struct xdp_md *ctx)
{
	__u64 flow = next_flow();
	void *data, *end;

	if (bpf_xdp_adjust_head(ctx, pull))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + (front.family == FRONT_IPV6 ? FRONT_LEN_MAX : FRONT_IP4_LEN + 4) > end)
		return XDP_ABORTED;
	write_ethernet(data);
	if (front.family == FRONT_IPV4)
		write_ipv4(data, flow);
	else if (front.family == FRONT_IPV6)
		write_ipv6(data, flow);
	bpf_tail_call_static(ctx, &target, 0);
	return XDP_ABORTED;
}

/* What is not plain. Of its link layer and what follows it the stages load 8 bytes at once, tags or not: so it is stored. */
static __always_inline void write_odd_link(void *data)
{
	COPY(__u64, 0);
	COPY(__u32, 8);
	COPY(__u64, 12);
}

static __always_inline void write_odd_ports(void *data, __u64 flow, const __u32 at)
{
	AT(__u32, data, at) = front.no_ports ? front.ports : ports(flow, front.ports);
}

static __always_inline void write_odd4(void *data, __u64 flow)
{
	__be32 saddr = HEADER(__be32, FRONT_IP4_LEN - 8) | bpf_htonl(flow & 0xffffff);
	__be32 daddr = HEADER(__be32, FRONT_IP4_LEN - 4);

	write_odd_link(data);
	AT(__u64, data, 20) = HEADER(__u64, 20) | ipv4_check(saddr, daddr) << 32;
	AT(__u64, data, FRONT_IP4_LEN - 8) = saddr | (__u64)daddr << 32;
	if (front.more)
		write_odd_ports(data, flow, FRONT_IP4_LEN + FRONT_MORE_LEN);
	else
		write_odd_ports(data, flow, FRONT_IP4_LEN);
}

static __always_inline void write_tagged4(void *data, __u64 flow)
{
	__be32 saddr = HEADER(__be32, FRONT_TAG_LEN + FRONT_IP4_LEN - 8) | bpf_htonl(flow & 0xffffff);
	__be32 daddr = HEADER(__be32, FRONT_TAG_LEN + FRONT_IP4_LEN - 4);

	write_odd_link(data);
	COPY(__u64, 20);
	AT(__u32, data, 28) = HEADER(__u32, 28) | ipv4_check(saddr, daddr);
	AT(__u64, data, FRONT_TAG_LEN + FRONT_IP4_LEN - 8) = saddr | (__u64)daddr << 32;
	write_odd_ports(data, flow, FRONT_TAG_LEN + FRONT_IP4_LEN);
}

static __always_inline void write_odd6(void *data, __u64 flow)
{
	__u64 client = bpf_htonl(flow & 0xffffff);

	write_odd_link(data);
	COPY(__u16, 20);
	COPY(__u64, 22);
	AT(__u64, data, 30) = HEADER(__u64, 30) | client << 32;
	COPY(__u64, 38);
	COPY(__u64, 46);
	if (front.more)
		write_odd_ports(data, flow, FRONT_IP6_LEN + FRONT_MORE_LEN);
	else
		write_odd_ports(data, flow, FRONT_IP6_LEN);
}

/* A plain packet, but that what answers it copies the link layer in words of 8 bytes. */
static __always_inline void write_long(void *data, __u64 flow)
{
	write_ipv4(data, flow);
	COPY(__u64, 0);
	COPY(__u64, 8);
}

/*
 * The front of what is not plain, by itself, so that the plain one's is not touched. A long frame's end is cut twice: by nothing here
 * where the program under test has cut it, and then made whole again (what comes back is zeroes); so both cost the same.
 */
SEC("xdp")
int bench_front_odd(struct xdp_md *ctx)
{
	__u64 flow = next_flow();
	void *data, *end;

	if (bpf_xdp_adjust_head(ctx, pull))
		return XDP_ABORTED;
	if (front.shape == FRONT_LONG && (bpf_xdp_adjust_tail(ctx, trim) || bpf_xdp_adjust_tail(ctx, front.cut)))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + (front.family == FRONT_IPV6 ? FRONT_ODD_LEN : FRONT_IP4_LEN + FRONT_MORE_LEN + 4) > end)
		return XDP_ABORTED;
	if (front.family == FRONT_IPV6)
		write_odd6(data, flow);
	else if (front.shape == FRONT_TAGGED)
		write_tagged4(data, flow);
	else if (front.shape == FRONT_LONG)
		write_long(data, flow);
	else
		write_odd4(data, flow);
	bpf_tail_call_static(ctx, &target, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int bench_tx(struct xdp_md *ctx)
{
	return XDP_TX;
}

/*
 * The floors: the least that any IPIP balancer must do to a packet, and the unit of every ratio. FROZEN: a change may
 * only make them faster, else figures of different days no longer compare.
 */
SEC("xdp")
int bench_floor4(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + FRONT_IP4_LEN > end)
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -20))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + FRONT_IP4_LEN > end)
		return XDP_DROP;
	AT(__be64, data, 0) = bpf_cpu_to_be64(0x0200000000fe0200);
	AT(__be64, data, 8) = bpf_cpu_to_be64(0x000000fd08004500);
	AT(__be64, data, 16) = bpf_cpu_to_be64(0x0042000040004004);	/* DF, TTL 64, IPIP */
	AT(__be64, data, 24) = bpf_cpu_to_be64(0xae90c6120001c612);	/* 198.18.0.1 to 198.18.0.2 */
	AT(__be16, data, 32) = bpf_htons(0x0002);
	return XDP_TX;
}

SEC("xdp")
int bench_floor6(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + FRONT_IP6_LEN > end)
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -40))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + FRONT_IP6_LEN > end)
		return XDP_DROP;
	AT(__be64, data, 0) = bpf_cpu_to_be64(0x0200000000fe0200);
	AT(__be64, data, 8) = bpf_cpu_to_be64(0x000000fd86dd6000);
	AT(__be64, data, 16) = bpf_cpu_to_be64(0x0000004229400100);	/* payload 66, IPv6 inside, hop limit 64 */
	AT(__be64, data, 24) = bpf_cpu_to_be64(0x0000000000000000);
	AT(__be64, data, 32) = bpf_cpu_to_be64(0x0000000000012001);	/* 100::1 to 2001:db8::2 */
	AT(__be64, data, 40) = bpf_cpu_to_be64(0x0db8000000000000);
	AT(__be32, data, 48) = bpf_htonl(0x00000000);
	AT(__be16, data, 52) = bpf_htons(0x0002);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
