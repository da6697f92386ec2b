// SPDX-License-Identifier: GPL-2.0-only
/* See mutate.h: worlds. */
#include "mutate.h"

#include <string.h>
#include <arpa/inet.h>

#include "reference.h"
#include "util.h"

#define VIPS 8
#define BACKENDS 10

/* Few addresses and ports, so that worlds, packets and cached answers meet. */
const struct tr_addr universe[UNIVERSE] = {
	ADDR4(192, 0, 2, 1), ADDR4(192, 0, 2, 2), ADDR4(192, 0, 2, 3), ADDR4(192, 0, 2, 130), ADDR4(192, 0, 3, 1),
	ADDR4(198, 51, 100, 1), ADDR4(198, 51, 100, 64), ADDR4(203, 0, 113, 255), ADDR4(0, 0, 0, 0),
	ADDR4(1, 2, 192, 0),
	ADDR6(0x20010db8, 0, 0, 1), ADDR6(0x20010db8, 0, 0, 2), ADDR6(0x20010db8, 0, 1, 1),
	ADDR6(0x20010db8, 1, 0, 1),
	ADDR6(0x20010db9, 0, 0, 1), ADDR6(0x20010db8, 0, 0, 0xc0000201), ADDR6(0, 0, 0, 1),
	ADDR6(0xfe800000, 0, 0xffff, 0xc0000201),
};
const __u16 some_ports[SOME_PORTS] = { 0, 1, 53, 80, 81, 443, 0x5000, 0x3500, 8080, 65535 };
static const __u32 masks[] = { 0, 0xff, 0xffff, 0xfffff };

const struct world_limits world_random = {
	.addresses = UNIVERSE, .prefixes = UNIVERSE, .services = 1024, .vips = VIPS + 1, .words = VIPS * 2 * (31 + 1) + 1,
	.backends = BACKENDS + 1, .fragment_sets = 8192, .test_clock = true,
};

struct rng rng_new(__u64 seed)
{
	return (struct rng){ seed * 0x9e3779b97f4a7c15 | 1 };
}

/* xorshift64*, of which the high half is good. */
__u32 rng_next(struct rng *rng)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return rng->state * 0x2545f4914f6cdd1d >> 32;
}

__u32 rng_below(struct rng *rng, __u32 n)
{
	return (__u64)rng_next(rng) * n >> 32;
}

bool rng_chance(struct rng *rng, __u32 percent)
{
	return rng_below(rng, 100) < percent;
}

/* Where devices count: the packet's own, another one, and one that is not in the map. */
static void random_way_out(struct rng *rng, struct world *world, __u32 number)
{
	static const __u32 tpids[] = { 0x8100, 0x88a8 };
	__u32 tags[TR_TAGS_MAX], i, n = 0;

	if (rng_chance(rng, 30))
		n = 1 + rng_below(rng, TR_TAGS_MAX);
	else if (rng_chance(rng, 40))
		n = TR_TAGS_KEEP;
	for (i = 0; i < TR_TAGS_MAX; i++)
		tags[i] = PICK(rng, tpids) << 16 | rng_below(rng, 4096);
	world_tag(world, number, n, tags);
	world->backends[number].ifindex = LOOPBACK;
	if (world->n_devices && rng_chance(rng, 40))
		world->backends[number].ifindex = rng_chance(rng, 70) ? world->devices[0] : 0x7001;
}

static void random_backend(struct rng *rng, struct world *world, __u32 number)
{
	static const __u16 mtus[] = { 68, 100, 300, 576, 1280, 1500, 1500, 1500, 1500, 9000, 65535 };
	struct tr_backend *b = &world->backends[number];

	b->mtu = PICK(rng, mtus);
	if (b->encap != TR_ENCAP_NONE)
		random_way_out(rng, world, number);
	if (rng_chance(rng, 6))
		b->encap = TR_ENCAP_NONE;
	if (rng_chance(rng, 30))
		b->generation += rng_below(rng, 130);
	if ((b->encap & ~TR_ENCAP_TAGGED) == TR_ENCAP_IPV4) {
		b->v4.ttl = 1 + rng_below(rng, 255);
		b->v4.frag_off = rng_chance(rng, 50) ? htons(0x4000) : 0;
		b->v4.saddr = htonl(rng_next(rng) & ~0xfffffU);
		backend_sum(b);
	}
}

static void add_backends(struct rng *rng, struct world *world)
{
	static const struct tr_addr v4 = ADDR4(10, 9, 0, 0), v6 = ADDR6(0xfd000009, 0, 0, 0);
	int i;

	for (i = 0; i < BACKENDS; i++) {
		struct tr_addr addr = rng_chance(rng, 50) ? v4 : v6;

		addr.w[3] |= htonl(i + 1);
		random_backend(rng, world, world_add_backend(world, addr, STANDARD_MTU));
	}
}

/* A ring names no backend, or only some. */
static void random_ring(struct rng *rng, struct world *world, __u32 vip, enum tr_l4 l4)
{
	__u32 among[3], k;

	for (k = 0; k < 3; k++)
		among[k] = 1 + rng_below(rng, world->n_backends - 1);
	if (rng_chance(rng, 4))
		world_spread(world, vip, l4, (__u32[]){ 0 }, 1);
	else
		world_spread(world, vip, l4, among, 1 + rng_below(rng, 3));
}

/* Modes that record flows even when nothing changes have tests of their own. */
static void random_how(struct rng *rng, struct tr_vip *vip)
{
	static const __u16 modes[] = { TR_MODE_CHANGES, TR_MODE_CHANGES, TR_MODE_HASH, TR_MODE_CLIENT };
	static const __u16 sizes[] = { 536, 1220, 1360, 1400, 1460, 65535 };

	vip->how = PICK(rng, modes);
	if (rng_chance(rng, 30))
		vip->how |= TR_HOW_ADDRESSES;
	vip->mss = 0;
	if (rng_chance(rng, 40)) {
		vip->how |= TR_HOW_MSS;
		vip->mss = PICK(rng, sizes);
	}
	vip->flags = rng_chance(rng, 40) ? TR_VIP_OVERSIZE : 0;
}

static void add_vips(struct rng *rng, struct world *world)
{
	static const __u32 sizes[] = { 1, 2, 3, 5, 7, 13, 31 };
	int i, l4;

	for (i = 0; i < VIPS; i++) {
		__u32 vip = world_add_vip(world, PICK(rng, sizes), 0, 0);

		random_how(rng, &world->vips[vip]);
		for (l4 = 0; l4 < TR_L4_COUNT; l4++)
			random_ring(rng, world, vip, l4);
	}
}

static __u32 random_vip(struct rng *rng, const struct world *world)
{
	return 1 + rng_below(rng, world->n_vips - 1);
}

static void add_services(struct rng *rng, struct world *world, struct tr_vip_address *at)
{
	size_t i;
	int l4;

	for (l4 = 0; l4 < TR_L4_COUNT; l4++) {
		for (i = 0; i < SOME_PORTS && !rng_chance(rng, 8); i++)
			if (rng_chance(rng, 45))
				world_add_service(world, at, l4, some_ports[i], random_vip(rng, world));
		if (rng_chance(rng, 40))
			at->all_ports[l4] = random_vip(rng, world);
		if (rng_chance(rng, 40))
			at->early[l4] = random_vip(rng, world);
	}
	at->echo = rng_chance(rng, 65);
}

/* As a controller does it: only a VIP that hashes by addresses takes fragments without their first. */
static void settle_early(struct world *world, struct tr_vip_address *at)
{
	int l4;

	for (l4 = 0; l4 < TR_L4_COUNT; l4++)
		if (at->early[l4] && !(world->vips[at->early[l4]].how & TR_HOW_ADDRESSES))
			at->early[l4] = 0;
}

static void settle(struct world *world)
{
	__u32 i;

	for (i = 0; i < world->n_addresses; i++)
		settle_early(world, &world->addresses[i].value);
	for (i = 0; i < world->n_prefixes; i++)
		settle_early(world, &world->prefixes[i].value);
}

static struct tr_addr masked(struct tr_addr addr, unsigned int len)
{
	unsigned int i;

	for (i = len; i < 128; i++)
		addr.w[i / 32] &= ~htonl(1U << (31 - i % 32));
	return addr;
}

/* Unless there is one already. */
static void add_random_prefix(struct rng *rng, struct world *world, const struct tr_addr *of)
{
	/* Mostly so long that clients are not inside. */
	unsigned int shortest = (addr_v4(of) ? 97 : 1) + (rng_chance(rng, 80) ? 15 : 0);
	unsigned int len = shortest + rng_below(rng, 129 - shortest);
	struct tr_addr net = masked(*of, len);
	__u32 i;

	for (i = 0; i < world->n_prefixes; i++)
		if (world->prefixes[i].prefix.len == len &&
		    !memcmp(&world->prefixes[i].prefix.addr, &net, sizeof(net)))
			return;
	add_services(rng, world, world_add_prefix(world, net, len));
}

void random_world(struct rng *rng, struct world *world)
{
	size_t i;

	world->n_addresses = world->n_prefixes = world->n_services = world->n_words = 0;
	world->n_vips = world->n_backends = 1;
	world->settings.prefixes = 0;
	memset(world->backends, 0, world->limits.backends * sizeof(*world->backends));
	memset(world->tags, 0, world->limits.backends * sizeof(*world->tags));
	add_backends(rng, world);
	add_vips(rng, world);
	for (i = 0; i < UNIVERSE; i++) {
		if (rng_chance(rng, 60))
			add_services(rng, world, world_add_address(world, universe[i]));
		if (rng_chance(rng, 25))
			add_random_prefix(rng, world, &universe[i]);
	}
	if (rng_chance(rng, 10))
		world->settings.prefixes = 0;
	world->settings.hash_key[0] ^= (__u64)rng_next(rng) << 17;
	world->settings.entropy4 = htonl(PICK(rng, masks));
	world->settings.entropy6 = htonl(PICK(rng, masks));
	for (i = 0; i < TR_STAGE_COUNT; i++)
		world->stage_missing[i] = i <= TR_STAGE_ICMP && rng_chance(rng, 2);
	for (i = 0; i < TR_RATE_COUNT; i++)
		world->settings.rates[i] = rng_chance(rng, 12) ? (struct tr_rate_limit){} : (struct tr_rate_limit)UNLIMITED;
	settle(world);
}

void random_change(struct rng *rng, struct world *world)
{
	__u32 i;

	switch (rng_below(rng, 9)) {
	case 0:
		if (world->n_addresses) {
			i = rng_below(rng, world->n_addresses);
			world->addresses[i] = world->addresses[--world->n_addresses];
		}
		break;
	case 1:
		if (world->n_services) {
			i = rng_below(rng, world->n_services);
			world->services[i] = world->services[--world->n_services];
		}
		break;
	case 2:
		if (world->n_services)
			world->services[rng_below(rng, world->n_services)].vip = random_vip(rng, world);
		break;
	case 3:
		if (world->n_addresses)
			world->addresses[rng_below(rng, world->n_addresses)].value.all_ports[rng_below(rng, 2)] =
				rng_chance(rng, 50) ? random_vip(rng, world) : 0;
		break;
	case 4:
		world->vips[random_vip(rng, world)] = world->vips[random_vip(rng, world)];
		break;
	case 5:
		random_how(rng, &world->vips[random_vip(rng, world)]);
		break;
	case 6:
		if (world->n_addresses)
			world->addresses[rng_below(rng, world->n_addresses)].value.echo ^= 1;
		break;
	default:
		random_backend(rng, world, 1 + rng_below(rng, world->n_backends - 1));
	}
	settle(world);
}
