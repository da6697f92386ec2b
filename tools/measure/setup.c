// SPDX-License-Identifier: GPL-2.0-only
/* Fills tailrace's maps as its controller would; see scenario.h and setup.h for what is there. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "addr.h"
#include "log.h"
#include "records.h"
#include "vip_filter.h"
#include "scenario.h"
#include "setup.h"
#include "target.h"

static const uint16_t exact_ports[TR_L4_COUNT][2] = { [TR_TCP] = { 80, 443 }, [TR_UDP] = { 53, 443 } };

static struct tr_addr address(const char *text, uint32_t add)
{
	struct tr_addr addr = {};

	addr_parse(text, &addr);
	addr.w[3] = htonl(ntohl(addr.w[3]) + add);
	return addr;
}

static uint32_t pool_of(uint32_t vip)
{
	if (vip == SETUP_VIP_SETTLING)
		return SETUP_POOL_SETTLING;
	if (vip == SETUP_VIP_FADING)
		return SETUP_POOL_FADING;
	if (vip > SETUP_ALL_PORTS_LAST)
		return 1;
	return vip <= SETUP_EXACT_LAST ? (vip - 1) % SETUP_POOLS + 1 : (vip - 1) % (SETUP_POOLS / 2) + 1;
}

static int update(const struct target *target, const char *name, const void *key, const void *value)
{
	struct bpf_map *map = target_map(target, name);

	if (!map)
		return -ENOENT;
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) ? log_err(-errno, "filling %s", name) : 0;
}

static int add_exact_services(const struct target *target, uint32_t id, uint32_t vip)
{
	int err = 0;

	for (int l4 = 0; l4 < TR_L4_COUNT; l4++)
		for (int i = 0; i < 2 && !err; i++) {
			struct tr_service_key key = { .address = id, .port = htons(exact_ports[l4][i]), .l4 = l4 };

			err = update(target, "services", &key, &vip);
		}
	return err;
}

static struct tr_vip_address vip_address(uint32_t id, uint32_t vip, uint32_t len)
{
	if (vip >= SETUP_ALL_PORTS_FIRST && vip <= SETUP_ALL_PORTS_LAST)
		return (struct tr_vip_address){ .id = id, .all_ports = { vip, vip }, .len = len, .alone = 1, .echo = 1 };
	return (struct tr_vip_address){ .id = id, .has_exact = { 1, 1 }, .len = len, .alone = 1, .echo = 1 };
}

static int fill_filter(const struct target *target, const struct vip_filter *wanted)
{
	struct tr_filter filter = {};
	uint32_t zero = 0;

	if (!bpf_object__find_map_by_name(target->object, "vip_filter"))
		return 0;	/* of an older build, to compare with */
	memcpy(filter.words, wanted->words, sizeof(filter.words));
	memcpy(filter.lengths[0], wanted->lengths, sizeof(filter.lengths[0]));
	return update(target, "vip_filter", &zero, &filter);
}

static int add_address(const struct target *target, struct vip_filter *filter, struct tr_addr addr, uint32_t id,
		       uint32_t vip)
{
	struct tr_vip_address value = vip_address(id, vip, 128);
	int err = update(target, "vip_addresses", &addr, &value);

	vip_filter_add(filter, &(struct tr_prefix){ 128, addr });
	if (!err && value.has_exact[TR_TCP])
		err = add_exact_services(target, id, vip);
	return err;
}

static int add_prefix(const struct target *target, struct vip_filter *filter, uint32_t number, uint32_t id)
{
	uint32_t vip = SETUP_PREFIX_FIRST + number % (SETUP_PREFIX_LAST - SETUP_PREFIX_FIRST + 1);
	struct tr_prefix key = { .len = 96 + 24, .addr = address(SETUP_PREFIXES, number * FRONT_PREFIX_STEP) };
	struct tr_vip_address value = vip_address(id, vip, key.len);
	int err = update(target, "vip_prefixes", &key, &value);

	vip_filter_add(filter, &key);
	return err ?: add_exact_services(target, id, vip);
}

static uint16_t mode_of(uint32_t vip)
{
	return vip == SETUP_VIP_TRACK ? TR_MODE_TRACK : vip == SETUP_VIP_CLIENT ? TR_MODE_CLIENT : TR_MODE_CHANGES;
}

static int add_vip(const struct target *target, uint32_t vip)
{
	uint32_t ring = (pool_of(vip) - 1) * TR_L4_COUNT * SETUP_RING_SIZE;
	struct tr_vip value = {
		.ring = ring, .ring_size = SETUP_RING_SIZE, .pool = pool_of(vip), .how = mode_of(vip),
	};

	return update(target, "vips", &vip, &value);
}

static int fill_vips(const struct target *target, struct tr_settings *settings)
{
	struct vip_filter filter;
	uint32_t id = 1;
	int err = 0;

	vip_filter_clear(&filter);
	for (uint32_t vip = 1; vip <= SETUP_VIP_LAST && !err; vip++) {
		err = add_vip(target, vip);
		if (err || (vip >= SETUP_PREFIX_FIRST && vip <= SETUP_PREFIX_LAST))
			continue;
		err = add_address(target, &filter, address(SETUP_VIP_ADDRESS4, vip), id++, vip);
		err = err ?: add_address(target, &filter, address(SETUP_VIP_ADDRESS6, vip), id++, vip);
	}
	for (uint32_t number = 0; number < FRONT_PREFIXES && !err; number++)
		err = add_prefix(target, &filter, number, id++);
	memcpy(settings->sources, filter.sources, sizeof(settings->sources));
	return err ?: fill_filter(target, &filter);
}

static struct tr_outer4 outer4(uint32_t number)
{
	struct tr_addr source = address(SETUP_SOURCE4, 0), backend = address(SETUP_BACKEND4, number);
	struct tr_outer4 outer = {
		.version_ihl = 0x45, .frag_off = htons(0x4000), .ttl = 64,
		.saddr = source.w[3], .daddr = backend.w[3],
	};
	uint16_t words[sizeof(outer) / 2];
	uint32_t sum = 0;

	memcpy(words, &outer, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	outer.check = sum;
	return outer;
}

static struct tr_outer6 outer6(uint32_t number)
{
	struct tr_addr source = address(SETUP_SOURCE6, 0), backend = address(SETUP_BACKEND6, number);
	struct tr_outer6 outer = { .version_class_flow = htonl(6U << 28), .hop_limit = 64 };

	memcpy(outer.saddr, &source, sizeof(source));
	memcpy(outer.daddr, &backend, sizeof(backend));
	return outer;
}

static void fill_backends(struct tr_backend *backends)
{
	for (uint32_t number = 1; number <= SETUP_BACKENDS; number++) {
		struct tr_backend backend = {
			.mtu = SETUP_MTU, .dmac = { 2, 0, 0, 0, 1, number }, .smac = { 2, 0, 0, 0, 0, 1 },
			.ifindex = 1, .generation = 1, .serves = TR_SERVES_ALL,
		};

		if (number <= SETUP_BACKENDS / 2) {
			backend.encap = TR_ENCAP_IPV4;
			backend.ethertype = htons(ETH_P_IP);
			backend.v4 = outer4(number);
		} else {
			backend.encap = TR_ENCAP_IPV6;
			backend.ethertype = htons(ETH_P_IPV6);
			backend.v6 = outer6(number);
		}
		backends[number] = backend;
	}
}

/* No Maglev here: which of its backends a bucket names makes no difference to what reading it costs. */
static uint64_t bucket_word(uint32_t pool, uint64_t number)
{
	if (pool == SETUP_POOL_SETTLING)
		return number | (number + SETUP_POOL_SIZE) << TR_WORD_BASE_SHIFT | TR_WORD_LOOK | TR_WORD_REC;
	return number | number << TR_WORD_BASE_SHIFT | (pool == SETUP_POOL_FADING ? TR_WORD_LOOK : 0);
}

static void fill_rings(uint64_t *words)
{
	for (uint64_t i = 0; i < (uint64_t)SETUP_RINGS * TR_L4_COUNT * SETUP_RING_SIZE; i++) {
		uint64_t pool = i / (TR_L4_COUNT * SETUP_RING_SIZE) + 1;
		uint64_t first = pool <= SETUP_POOLS ? (pool - 1) * SETUP_POOL_SIZE + 1 : 1;

		words[i] = bucket_word(pool, first + (i * 0x9e3779b97f4a7c15ULL >> 61));
	}
}

static void fill_settings(struct tr_settings *settings)
{
	*settings = (struct tr_settings){
		.hash_key = { 0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL },
		.generation = 1,
		.entropy4 = htonl(0xffff),
		.entropy6 = htonl(0xffffffff),
		.prefixes = FRONT_PREFIXES,
	};
	for (int rate = 0; rate < TR_RATE_COUNT; rate++)
		settings->rates[rate] = (struct tr_rate_limit){ UINT32_MAX, UINT32_MAX };
	records_place(settings);
}

/* Frames leave with the tags that they came with. An older build has no such map. */
static int fill_tags(const struct target *target)
{
	struct tr_tags *tags;
	size_t size;

	if (!bpf_object__find_map_by_name(target->object, "backend_tags"))
		return 0;
	tags = target_memory(target, "backend_tags", sizeof(*tags), &size);
	if (!tags)
		return -EIO;
	for (uint32_t number = 1; number <= SETUP_BACKENDS; number++)
		tags[number].n = TR_TAGS_KEEP;
	munmap(tags, size);
	return 0;
}

int target_fill(const struct target *target)
{
	size_t backends_size = 0, rings_size = 0, settings_size = 0;
	struct tr_backend *backends = target_memory(target, "backends", sizeof(*backends), &backends_size);
	uint64_t *rings = target_memory(target, "rings", sizeof(*rings), &rings_size);
	struct tr_settings *settings = target_memory(target, "settings", sizeof(*settings), &settings_size);
	int err = backends && rings && settings ? 0 : -EIO;

	if (!err) {
		fill_backends(backends);
		fill_rings(rings);
		fill_settings(settings);
		err = fill_vips(target, settings);
		err = err ?: fill_tags(target);
	}
	if (backends)
		munmap(backends, backends_size);
	if (rings)
		munmap(rings, rings_size);
	if (settings)
		munmap(settings, settings_size);
	return err ?: records_clear(target);
}
