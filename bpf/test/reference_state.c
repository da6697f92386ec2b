// SPDX-License-Identifier: GPL-2.0-only
/* What the reference remembers from packet to packet: chosen backends, and section 10 of docs/packets.md. */
#include "reference_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a */
__u32 reference_hash(const void *key, size_t len)
{
	const __u8 *byte = key;
	__u32 hash = 0x811c9dc5;

	while (len--)
		hash = (hash ^ *byte++) * 0x01000193;
	return hash ^ hash >> 15;
}

struct reference *reference_new(void)
{
	struct reference *r = calloc(1, sizeof(*r));

	assert(r);
	r->epoch = 1;
	return r;
}

void reference_free(struct reference *r)
{
	free(r);
}

void reference_forget(struct reference *r)
{
	memset(r, 0, sizeof(*r));
	r->epoch = 1;
}

void reference_forget_flows(struct reference *r)
{
	r->epoch++;
	r->n_flows = 0;
}

void reference_copy(struct reference *to, const struct reference *from)
{
	*to = *from;
}

static __u32 slot_of(const struct reference *r, const struct flow_key *key)
{
	__u32 i = reference_hash(key, sizeof(*key)) % FLOWS_MAX;

	while (r->flows[i].epoch == r->epoch && memcmp(&r->flows[i].key, key, sizeof(*key)))
		i = (i + 1) % FLOWS_MAX;
	return i;
}

const struct flow_record *find_flow(const struct reference *r, const struct flow_key *key)
{
	const struct flow_record *flow = &r->flows[slot_of(r, key)];

	return flow->epoch == r->epoch ? flow : NULL;
}

void remember_flow(struct reference *r, const struct flow_key *key, __u32 backend)
{
	struct flow_record *flow;

	if (r->n_flows >= FLOWS_MAX / 2)
		reference_forget_flows(r);
	flow = &r->flows[slot_of(r, key)];
	r->n_flows += flow->epoch != r->epoch;
	*flow = (struct flow_record){ *key, r->epoch, backend };
}

/* The bucket as it is now, by the settings as they are now. */
static struct tr_tokens filled(struct tr_tokens bucket, const struct tr_rate_limit *rate, __u32 now)
{
	__u64 level = bucket.level + (__u64)(now - bucket.tick) * rate->per_tick;

	if (!bucket.tick || level > rate->burst)
		level = rate->burst;
	return (struct tr_tokens){ now ? now : 1, level };
}

static bool take(struct tr_tokens *bucket, const struct tr_rate_limit *rate, __u32 now)
{
	*bucket = filled(*bucket, rate, now);
	if (bucket->level < TR_TOKEN)
		return false;
	bucket->level -= TR_TOKEN;
	return true;
}

static enum tr_rate rate_of(enum limit limit)
{
	return limit == LIMIT_ECHO ? TR_RATE_ECHO_SOURCE : TR_RATE_TOO_BIG_SOURCE;
}

static __u32 source_slot(const struct reference *r, enum limit limit, const struct tr_addr *addr)
{
	__u32 i = reference_hash(addr, sizeof(*addr)) % SOURCES_MAX, n;

	for (n = 0; r->sources[i].limit != LIMIT_NONE; n++, i = (i + 1) % SOURCES_MAX) {
		assert(n < SOURCES_MAX);
		if (r->sources[i].limit == limit && !memcmp(&r->sources[i].addr, addr, sizeof(*addr)))
			break;
	}
	return i;
}

bool limit_allows(const struct reference *r, const struct world *w, enum limit limit, const struct tr_addr *source)
{
	struct tr_tokens one = r->sources[source_slot(r, limit, source)].tokens, all = r->all[limit];
	enum tr_rate rate = rate_of(limit);
	__u32 now = w->settings.tick;

	return take(&one, &w->settings.rates[rate], now) && take(&all, &w->settings.rates[rate + 1], now);
}

void limit_take(struct reference *r, const struct world *w, enum limit limit, const struct tr_addr *source)
{
	struct source_record *record = &r->sources[source_slot(r, limit, source)];
	enum tr_rate rate = rate_of(limit);
	__u32 now = w->settings.tick;

	record->addr = *source;
	record->limit = limit;
	if (take(&record->tokens, &w->settings.rates[rate], now))
		take(&r->all[limit], &w->settings.rates[rate + 1], now);
}
