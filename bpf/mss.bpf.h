/* SPDX-License-Identifier: GPL-2.0-only */
/* The MSS that a SYN announces, made smaller: docs/packets.md, section 6. */
#ifndef TAILRACE_MSS_BPF_H
#define TAILRACE_MSS_BPF_H

#include "csum.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

#define TCP_OPTIONS_MAX 40
#define TCPOPT_END 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOPT_MSS_LEN 4

/* A 16-bit field at an odd offset is summed with its bytes the other way round. */
static __always_inline void mss_write(struct tcphdr *tcp, __u8 *field, __u32 odd, __u16 mss)
{
	__be16 old = field[0] | field[1] << 8, new = bpf_htons(mss);

	field[0] = new & 0xff;
	field[1] = new >> 8;
	if (odd)
		tcp->check = csum_replace(tcp->check, bpf_ntohs(old), bpf_ntohs(new));
	else
		tcp->check = csum_replace(tcp->check, old, new);
}

/* A search through the options; the packet is looked at anew in each turn. */
struct mss_search {
	struct xdp_md *ctx;
	__u32 tcp;			/* offset of the header */
	__u32 offset;			/* among the options */
	__u32 len;			/* of all of them */
	__u32 mss;
};

#define DONE 1

/* By bpf_loop(), whose body the verifier walks once; unrolled, forty turns of it are 300,000 steps. */
static long mss_step(__u32 i, struct mss_search *s)
{
	void *data = (void *)(long)s->ctx->data, *end = (void *)(long)s->ctx->data_end;
	__u32 at = s->tcp, offset = s->offset;
	struct tcphdr *tcp;
	__u8 *option;

	if (at > HEADER_AT_MAX || offset >= TCP_OPTIONS_MAX || offset >= s->len)
		return DONE;
	tcp = data + at;
	if ((void *)(tcp + 1) > end)
		return DONE;
	option = (void *)(tcp + 1) + offset;
	if ((void *)(option + 1) > end || option[0] == TCPOPT_END)
		return DONE;
	if (option[0] == TCPOPT_NOP) {
		s->offset++;
		return 0;
	}
	if ((void *)(option + 2) > end || option[1] < 2 || offset + option[1] > s->len)
		return DONE;
	s->offset += option[1];		/* to the end: of several, Linux takes the last */
	if (option[0] != TCPOPT_MSS || option[1] != TCPOPT_MSS_LEN || (void *)(option + TCPOPT_MSS_LEN) > end)
		return 0;
	if ((__u32)(option[2] << 8 | option[3]) > s->mss)
		mss_write(tcp, option + 2, offset & 1, s->mss);
	return 0;
}

static __noinline int mss_clamp(struct xdp_md *ctx, const struct place *p, __u32 vip)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct tr_vip *v = bpf_map_lookup_elem(&vips, &vip);
	struct mss_search search = { .ctx = ctx, .tcp = p->l4 };
	__u32 at = p->l4;
	struct tcphdr *tcp;

	if (!v || !v->mss || at > HEADER_AT_MAX)
		return 0;
	tcp = data + at;
	if ((void *)(tcp + 1) > end)
		return 0;
	search.len = tcp->doff * 4 - sizeof(*tcp);
	search.mss = v->mss;
	bpf_loop(TCP_OPTIONS_MAX, mss_step, &search, 0);
	return 0;
}

#endif
