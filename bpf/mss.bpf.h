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

static __noinline int mss_clamp(struct xdp_md *ctx, const struct place *p, __u32 vip)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct tr_vip *v = bpf_map_lookup_elem(&vips, &vip);
	__u32 at = p->l4, offset = 0, len;
	struct tcphdr *tcp;
	__u8 *option;

	if (!v || !v->mss || at > HEADER_AT_MAX)
		return 0;
	tcp = data + at;
	if ((void *)(tcp + 1) > end)
		return 0;
	len = tcp->doff * 4 - sizeof(*tcp);
	for (int i = 0; i < TCP_OPTIONS_MAX; i++) {
		if (offset >= len || offset >= TCP_OPTIONS_MAX)
			return 0;
		option = (void *)(tcp + 1) + offset;
		if ((void *)(option + 1) > end || option[0] == TCPOPT_END)
			return 0;
		if (option[0] == TCPOPT_NOP) {
			offset++;
			continue;
		}
		if ((void *)(option + TCPOPT_MSS_LEN) > end) {
			if ((void *)(option + 2) > end)
				return 0;
		} else if (option[0] == TCPOPT_MSS && option[1] == TCPOPT_MSS_LEN && offset + TCPOPT_MSS_LEN <= len) {
			if ((option[2] << 8 | option[3]) > v->mss)
				mss_write(tcp, option + 2, offset & 1, v->mss);
			return 0;
		}
		if (option[1] < 2 || offset + option[1] > len)
			return 0;
		offset += option[1];
	}
	return 0;
}

#endif
