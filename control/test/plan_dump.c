// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps as sorted lines of text, by names in place of numbers: two instances that do the same give the same text,
 * however they came there, once all has settled; what has not, or has left and is still there, shows. Left out: generations,
 * counts of changes, times of states, prev of ring words, and the records that a lost next hop leaves.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "plan_world.h"
#include "ring.h"
#include "util.h"

static const char *text_of(const struct tr_addr *addr)
{
	static char text[ADDR_TEXT_MAX];

	return addr_format(addr, text);
}

static const char *vip_name(const struct fake_maps *maps, uint32_t number)
{
	if (!number)
		return "-";
	return maps->vip_info[number].name[0] ? maps->vip_info[number].name : "FREE";
}

static const char *pool_name(const struct fake_maps *maps, uint32_t number)
{
	return number && maps->pools[number].name[0] ? maps->pools[number].name : "FREE";
}

static void dump_settings(const struct fake_maps *maps, FILE *to)
{
	const struct tr_settings *s = &maps->settings;
	const struct tr_instance *i = &maps->instance;

	fprintf(to, "settings key=%llx,%llx entropy=%x,%x prefixes=%u syn_budget=%u\n", s->hash_key[0], s->hash_key[1],
		s->entropy4, s->entropy6, s->prefixes, s->syn_budget);
	for (int r = 0; r < TR_RATE_COUNT; r++)
		fprintf(to, "rate %d per_tick=%u burst=%u\n", r, s->rates[r].per_tick, s->rates[r].burst);
	fprintf(to, "instance source4=%s/%u", text_of(&i->source4), i->source4_len);
	fprintf(to, " source6=%s/%u ttl=%u devices=%u,%u config=%s\n", text_of(&i->source6), i->source6_len, i->ttl,
		i->n_devices, i->devices[0], i->config);
}

static bool hash_is_right(const struct fake_maps *maps, uint32_t pool)
{
	struct ring_member members[256];
	size_t n = 0;

	for (uint32_t b = 1; b < maps->running.limits.backends; b++) {
		const struct tr_backend_info *info = &maps->backend_info[b];

		assert(n < ARRAY_SIZE(members));
		if (info->pool == pool && info->state == TR_BACKEND_UP && info->nexthop == TR_NH_OK)
			members[n++] = (struct ring_member){ info->address, info->weight, b };
	}
	return ring_hash(members, n, maps->pools[pool].ring_size) == maps->pools[pool].ring_hash;
}

static void dump_pool(const struct fake_maps *maps, uint32_t number, FILE *to)
{
	const struct tr_pool_info *pool = &maps->pools[number];
	const struct tr_pool_flows *flows = &maps->pool_flows[number];
	const struct tr_pool_times *times = &pool->times;

	fprintf(to, "pool %s size=%u hash=%s unsettled=%u,%u looking=%u,%u%s%s\n", pool->name, pool->ring_size,
		hash_is_right(maps, number) ? "right" : "WRONG", pool->unsettled[TR_TCP], pool->unsettled[TR_UDP],
		pool->looking[TR_TCP], pool->looking[TR_UDP], pool->unsettled_since ? " UNSETTLED" : "",
		pool->leaving ? " LEAVING" : "");
	fprintf(to, "pool %s times=%u,%u,%u,%u,%u,%u flows=%u,%u\n", pool->name, times->settle, times->udp, times->syn,
		times->life, times->linger, times->drain, flows->t_syn, flows->t_udp);
	for (int l4 = 0; l4 < TR_L4_COUNT; l4++) {
		fprintf(to, "pool %s ring %d:", pool->name, l4);
		for (uint32_t b = 0; b < pool->ring_size; b++) {
			uint64_t word = maps->rings[pool->ring + l4 * pool->ring_size + b], current = word & TR_BACKEND_MASK;
			const struct tr_backend_info *info = &maps->backend_info[current];

			fprintf(to, " %s%s%s", current ? text_of(&info->address) : "-",
				current && info->pool != number ? "@OTHER-POOL" : "",
				(word >> TR_WORD_BASE_SHIFT & TR_BACKEND_MASK) != current || word >> 60 ? "!WORD" : "");
		}
		fprintf(to, "\n");
	}
}

static void dump_backend(const struct fake_maps *maps, uint32_t number, FILE *to)
{
	const struct tr_backend_info *info = &maps->backend_info[number];
	struct tr_backend record = maps->backends[number];

	fprintf(to, "backend %s %s weight=%u buckets=%u state=%u nexthop=%u", pool_name(maps, info->pool),
		text_of(&info->address), info->weight, info->buckets, info->state, info->nexthop);
	fprintf(to, " gateway=%s serves=%u", text_of(&info->gateway), record.serves);
	if (info->nexthop == TR_NH_OK) {
		fprintf(to, "%s ", record.generation == info->generation ? "" : " GENERATION");
		record.generation = 0;
		for (size_t i = 0; i < sizeof(record); i++)
			fprintf(to, "%02x", ((const uint8_t *)&record)[i]);
	}
	fprintf(to, "\n");
}

static void dump_vip(const struct fake_maps *maps, uint32_t number, FILE *to)
{
	const struct tr_vip *vip = &maps->vips[number];
	const struct tr_pool_info *pool = &maps->pools[vip->pool];
	bool same = vip->ring_size == pool->ring_size && vip->pool == maps->vip_info[number].pool &&
		    vip->ring == pool->ring;

	fprintf(to, "vip %s pool=%s how=%x mss=%u flags=%x echo_off=%u ring=%s%s\n", vip_name(maps, number),
		pool_name(maps, vip->pool), vip->how, vip->mss, vip->flags, maps->vip_info[number].echo_off,
		same ? "its" : "OTHER", vip->how & TR_HOW_MOVING ? " MOVING" : "");
}

static void dump_address(const struct fake_maps *maps, const struct running_address *address, FILE *to)
{
	const struct tr_vip_address *value = &address->value;
	char text[ADDR_TEXT_MAX];

	addr_format_prefix(&address->prefix, text);
	fprintf(to, "address %s tcp=%s,%d udp=%s,%d%s", text, vip_name(maps, value->all_ports[TR_TCP]),
		value->has_exact[TR_TCP], vip_name(maps, value->all_ports[TR_UDP]), value->has_exact[TR_UDP],
		value->id ? "" : " NO-ID");
	fprintf(to, " early=%s", vip_name(maps, value->early[TR_TCP]));
	fprintf(to, ",%s echo=%u\n", vip_name(maps, value->early[TR_UDP]), value->echo);
	for (size_t i = 0; i < maps->running.n_services; i++)
		if (maps->services[i].key.address == value->id)
			fprintf(to, "service %s %u/%u %s\n", text, maps->services[i].key.l4,
				ntohs(maps->services[i].key.port), vip_name(maps, maps->services[i].vip));
}

/* Services whose id is of no address, and ids that two addresses share. */
static void dump_ids(const struct fake_maps *maps, FILE *to)
{
	for (size_t i = 0; i < maps->running.n_services; i++) {
		size_t owners = 0;

		for (size_t a = 0; a < maps->running.n_addresses; a++)
			owners += maps->addresses[a].value.id == maps->services[i].key.address;
		if (owners != 1)
			fprintf(to, "service OF %zu ADDRESSES\n", owners);
	}
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *sort_lines(char *text)
{
	size_t n = 0, len;
	char *sorted = NULL, *line, **lines = NULL;
	FILE *to = open_memstream(&sorted, &len);

	assert(to);
	while ((line = strsep(&text, "\n"))) {
		lines = reallocarray(lines, n + 1, sizeof(*lines));
		assert(lines);
		lines[n++] = line;
	}
	qsort(lines, n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%s\n", lines[i]);
	fclose(to);
	free(lines);
	return sorted;
}

char *plan_dump(const struct fake_maps *maps)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert(to);
	dump_settings(maps, to);
	for (uint32_t n = 1; n < maps->running.limits.pools; n++)
		if (maps->pools[n].name[0])
			dump_pool(maps, n, to);
	for (uint32_t n = 1; n < maps->running.limits.backends; n++)
		if (maps->backend_info[n].state != TR_BACKEND_FREE)
			dump_backend(maps, n, to);
	for (uint32_t n = 1; n < maps->running.limits.vips; n++)
		if (maps->vip_info[n].name[0])
			dump_vip(maps, n, to);
	for (size_t i = 0; i < maps->running.n_addresses; i++)
		dump_address(maps, &maps->addresses[i], to);
	dump_ids(maps, to);
	fclose(to);
	return sort_lines(text);
}
