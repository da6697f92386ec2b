// SPDX-License-Identifier: GPL-2.0-only
/* docs/packets.md, section 4: what is wrong with fragments, what is remembered of first ones, where later ones go. */
#include "reference_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define IP_MAX 65535
#define TCP_MIN 20
#define PORTS_LEN 4

static bool is_icmp(const struct parse *p)
{
	return p->protocol == (p->v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* Of a later fragment: the headers behind which TCP or UDP may follow in the first one. */
static bool may_hide(const struct parse *p)
{
	return !p->v4 && (p->protocol == 43 || p->protocol == 44 || p->protocol == 51 || p->protocol == 60);
}

enum tr_verdict check_fragment(const struct parse *p)
{
	enum tr_l4 l4;
	bool known = l4_of(p->protocol, &l4);

	if (!p->data || (p->more && p->data % 8) || p->before + p->offset + p->data > IP_MAX)
		return TR_V_BAD_FRAGMENT;
	if (p->cut)
		return TR_V_TINY_FRAGMENT;
	if (is_icmp(p))
		return TR_V_ICMP;
	if (!known && !(p->piece == PIECE_LATER && may_hide(p)))
		return TR_V_NO_SERVICE;
	if (p->piece == PIECE_LATER)
		return known && l4 == TR_TCP && p->offset < TCP_MIN ? TR_V_TINY_FRAGMENT : GO_ON;
	return p->l4_end - p->l4 < PORTS_LEN ? TR_V_TINY_FRAGMENT : GO_ON;
}

static bool is_same(const struct world *w, const struct fragment_record *record, unsigned int i)
{
	__u32 backend = record->maybe[i].backend;

	return !((w->backends[backend].generation ^ record->maybe[i].generation) & TR_RECORD_GENERATION_MASK);
}

/* It goes where its first one went; false: that number means another backend by now. */
static bool follow(const struct parse *p, const struct fragment_record *record, struct answer *a)
{
	unsigned int i;

	a->vip = record->vip;
	for (i = 0; i < record->n; i++)
		if (is_same(p->world, record, i))
			a->candidates[a->n_candidates++] = record->maybe[i].backend;
	return a->n_candidates > 0;
}

bool reference_is_doubtful(const struct reference *r, const struct world *world)
{
	unsigned int i, k, same;

	for (i = 0; i < FRAGMENTS_MAX; i++) {
		for (k = same = 0; k < r->fragments[i].n; k++)
			same += is_same(world, &r->fragments[i], k);
		if (r->fragments[i].used && same && same < r->fragments[i].n)
			return true;
	}
	return false;
}

enum tr_verdict route_later(const struct reference *r, const struct parse *p, struct answer *a)
{
	const struct fragment_record *record;
	bool known = l4_of(p->protocol, &a->l4);
	enum tr_verdict verdict;

	if (known && !p->at->has_exact[a->l4] && !p->at->all_ports[a->l4])
		return TR_V_NO_SERVICE;
	verdict = check_source(p);
	if (verdict != GO_ON)
		return verdict;
	if (p->world->stage_missing[TR_STAGE_FRAGMENT])
		return TR_V_STAGE_MISSING;
	a->sent = TR_V_FRAGMENT;
	a->quiet = true;
	record = find_fragment(r, p->world, &p->key);
	if (record && !record->n)
		return TR_V_NO_SERVICE;
	if (record && follow(p, record, a))
		return GO_ON;
	if (!known || !p->at->early[a->l4])
		return TR_V_FRAGMENT_EARLY;
	a->vip = p->at->early[a->l4];
	return route_to(r, p, a, &p->src, 0, 0);
}

/* The key's slot, or the free one where it would be. */
static __u32 slot_of(const struct reference *r, const struct fragment_key *key)
{
	__u32 i = reference_hash(key, sizeof(*key)) % FRAGMENTS_MAX;

	while (r->fragments[i].used && memcmp(&r->fragments[i].key, key, sizeof(*key)))
		i = (i + 1) % FRAGMENTS_MAX;
	return i;
}

const struct fragment_record *find_fragment(const struct reference *r, const struct world *w, const struct fragment_key *key)
{
	const struct fragment_record *record = &r->fragments[slot_of(r, key)];

	if (!record->used || w->settings.tick - record->tick >= TR_FRAGMENT_TICKS)
		return NULL;
	return record;
}

/* Leaves out those that nobody will find any more. */
static void forget_old(struct reference *r, __u32 now)
{
	struct fragment_record *old = malloc(sizeof(r->fragments));
	__u32 i;

	assert(old);
	memcpy(old, r->fragments, sizeof(r->fragments));
	memset(r->fragments, 0, sizeof(r->fragments));
	r->n_fragments = 0;
	for (i = 0; i < FRAGMENTS_MAX; i++)
		if (old[i].used && now - old[i].tick < TR_FRAGMENT_TICKS) {
			r->fragments[slot_of(r, &old[i].key)] = old[i];
			r->n_fragments++;
		}
	free(old);
	assert(r->n_fragments < FRAGMENTS_MAX / 2);
}

void remember_fragment(struct reference *r, const struct world *w, const struct answer *a)
{
	struct fragment_record *record;
	unsigned int i;

	if (r->n_fragments == FRAGMENTS_MAX / 2)
		forget_old(r, w->settings.tick);
	record = &r->fragments[slot_of(r, &a->fragment)];
	r->n_fragments += !record->used;
	*record = (struct fragment_record){ .key = a->fragment, .used = true, .tick = w->settings.tick, .vip = a->vip };
	for (i = 0; i < a->n_maybe && a->routed; i++) {
		record->maybe[record->n].backend = a->maybe[i];
		record->maybe[record->n++].generation = w->backends[a->maybe[i]].generation;
	}
}
