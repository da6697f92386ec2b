// SPDX-License-Identifier: GPL-2.0-only
/* See model.h. The keyed hash of a flow, as bpf/hash.bpf.h describes it, from addresses instead of a packet. */
#include <string.h>
#include <arpa/inet.h>

#include "model.h"
#include "packet.h"

static const __u64 multipliers[3] = { 0x9e3779b97f4a7c15ULL, 0xbf58476d1ce4e5b9ULL, 0x94d049bb133111ebULL };

static __u64 round_of(__u64 hash, __u64 word, int i)
{
	hash = (hash ^ word) * multipliers[i % 3];
	return hash ^ hash >> 32;
}

static __u64 finish(const __u64 key[2], __u64 hash, __u64 ports_and_l4)
{
	return round_of(round_of(hash, key[1] ^ ports_and_l4, 1), 0, 2);
}

static __u64 words_hash(__u64 hash, const __u64 *words, int n)
{
	int i;

	for (i = 0; i < n; i++)
		hash = round_of(hash, words[i], i);
	return hash;
}

static __u64 flow_hash(const __u64 key[2], const struct model_packet *p, bool ports)
{
	__u64 words[4] = { p->src.w[3] | (__u64)p->dst.w[3] << 32 };
	__u64 both = ports ? htons(p->sport) | (__u32)htons(p->dport) << 16 : 0;
	bool v4 = addr_v4(&p->dst);

	if (!v4) {
		memcpy(words, &p->src, 16);
		memcpy(words + 2, &p->dst, 16);
	}
	return finish(key, words_hash(key[0], words, v4 ? 1 : 4), both | (__u64)model_l4(p->kind) << 32);
}

static __u64 client_hash(const __u64 key[2], const struct model_packet *p)
{
	__u64 words[2] = { p->src.w[3] };
	bool v4 = addr_v4(&p->dst);

	if (!v4)
		memcpy(words, &p->src, 16);
	return finish(key, words_hash(key[0], words, v4 ? 1 : 2), 0);
}

__u64 model_key(const __u64 hash_key[2], __u16 how, const struct model_packet *p)
{
	__u64 hash = flow_hash(hash_key, p, !(how & TR_HOW_ADDRESSES));

	if ((how & TR_HOW_MODE) == TR_MODE_CLIENT)
		hash = (client_hash(hash_key, p) >> 32) << 32 | (__u32)hash;
	return tr_flow_key(hash);
}

__u32 model_bucket(__u64 key, __u32 ring_size)
{
	return (key >> 32) * ring_size >> 32;
}
