// SPDX-License-Identifier: GPL-2.0-only
/* See mutate.h. */
#include "mutate.h"

#include <string.h>
#include <arpa/inet.h>

#include "util.h"

#define VIPS 8
#define BACKENDS 10
#define PICK(rng, array) ((array)[rng_below(rng, ARRAY_SIZE(array))])

/* Few addresses and ports, so that worlds, packets and cached answers meet. */
static const struct tr_addr universe[] = {
	ADDR4(192, 0, 2, 1), ADDR4(192, 0, 2, 2), ADDR4(192, 0, 2, 3), ADDR4(192, 0, 2, 130), ADDR4(192, 0, 3, 1),
	ADDR4(198, 51, 100, 1), ADDR4(198, 51, 100, 64), ADDR4(203, 0, 113, 255), ADDR4(0, 0, 0, 0),
	ADDR4(1, 2, 192, 0),
	ADDR6(0x20010db8, 0, 0, 1), ADDR6(0x20010db8, 0, 0, 2), ADDR6(0x20010db8, 0, 1, 1),
	ADDR6(0x20010db8, 1, 0, 1),
	ADDR6(0x20010db9, 0, 0, 1), ADDR6(0x20010db8, 0, 0, 0xc0000201), ADDR6(0, 0, 0, 1),
	ADDR6(0xfe800000, 0, 0xffff, 0xc0000201),
};
static const __u16 ports[] = { 0, 1, 53, 80, 81, 443, 0x5000, 0x3500, 8080, 65535 };
static const __u32 masks[] = { 0, 0xff, 0xffff, 0xfffff };

const struct world_limits world_random = {
	.addresses = ARRAY_SIZE(universe), .prefixes = ARRAY_SIZE(universe), .services = 1024, .vips = VIPS + 1,
	.words = VIPS * 2 * (31 + 1) + 1, .backends = BACKENDS + 1,
};

struct rng rng_new(__u64 seed)
{
	return (struct rng){ seed * 0x9e3779b97f4a7c15 | 1 };
}

/* xorshift64*, of which the high half is good. */
static __u32 rng_next(struct rng *rng)
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

static void random_backend(struct rng *rng, struct tr_backend *b)
{
	static const __u16 mtus[] = { 0, 80, 100, 576, 1500, 1500, 1500, 1500, 1500, 9000, 65535 };

	b->mtu = PICK(rng, mtus);
	if (rng_chance(rng, 8))
		b->encap = TR_ENCAP_NONE;
	if (b->encap == TR_ENCAP_IPV4) {
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
		random_backend(rng, &world->backends[world_add_backend(world, addr, STANDARD_MTU)]);
	}
}

static void add_vips(struct rng *rng, struct world *world)
{
	static const __u32 sizes[] = { 1, 2, 3, 5, 7, 13, 31 };
	int i, k, l4;

	for (i = 0; i < VIPS; i++) {
		__u32 vip = world_add_vip(world, PICK(rng, sizes), 0, 0);

		for (l4 = 0; l4 < TR_L4_COUNT; l4++) {
			__u32 among[3];

			for (k = 0; k < 3; k++)
				among[k] = rng_chance(rng, 4) ? 0 : 1 + rng_below(rng, world->n_backends - 1);
			world_spread(world, vip, l4, among, 1 + rng_below(rng, 3));
		}
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
		for (i = 0; i < ARRAY_SIZE(ports); i++)
			if (rng_chance(rng, 45))
				world_add_service(world, at, l4, ports[i], random_vip(rng, world));
		if (rng_chance(rng, 40))
			at->all_ports[l4] = random_vip(rng, world);
	}
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
	unsigned int len = addr_v4(of) ? 97 + rng_below(rng, 32) : 1 + rng_below(rng, 128);
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
	add_backends(rng, world);
	add_vips(rng, world);
	for (i = 0; i < ARRAY_SIZE(universe); i++) {
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
		world->stage_missing[i] = i <= TR_STAGE_ICMP && rng_chance(rng, 3);
}

void random_change(struct rng *rng, struct world *world)
{
	__u32 i;

	switch (rng_below(rng, 6)) {
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
	default:
		random_backend(rng, &world->backends[1 + rng_below(rng, world->n_backends - 1)]);
	}
}

static struct packet_shape random_shape(struct rng *rng)
{
	static const __u8 protos4[] = { 6, 6, 6, 6, 17, 17, 17, 1, 58, 132, 4 };
	static const __u8 protos6[] = { 6, 6, 6, 6, 17, 17, 17, 58, 1, 132, 59 };
	static const __u8 exts[] = { 0, 43, 44, 51, 60, 135, 50, 253 };
	struct packet_shape s = { .src = PICK(rng, universe), .dst = PICK(rng, universe), .sport = rng_next(rng),
				  .dport = PICK(rng, ports), .tos = rng_next(rng), .tcp_flags = rng_next(rng) };
	bool v4 = addr_v4(&s.dst);
	int i;

	if (addr_v4(&s.src) != v4)
		s.src = s.dst;
	s.proto = v4 ? PICK(rng, protos4) : PICK(rng, protos6);
	s.payload = rng_chance(rng, 95) ? rng_below(rng, 64) : rng_below(rng, 3000);
	s.tcp_options = rng_chance(rng, 30) ? 4 * rng_below(rng, 11) : 0;
	s.padding = rng_chance(rng, 20) ? rng_below(rng, 40) : 0;
	s.tags = rng_chance(rng, 4) ? 1 + rng_below(rng, TAGS_MAX) : 0;
	if (v4 && rng_chance(rng, 4))
		s.options = 4 * rng_below(rng, 11);
	if (v4 && rng_chance(rng, 5))
		s.frag = rng_next(rng);
	if (!v4 && rng_chance(rng, 5))
		for (i = s.ext_count = 1 + rng_below(rng, EXT_MAX); i > 0; i--)
			s.ext[i - 1] = PICK(rng, exts);
	if (rng_chance(rng, 4))
		s.l4_cut = (struct lie){ true, rng_below(rng, 24) };
	return s;
}

/* Values at which comparisons turn, near what the packet truly holds. */
static __u16 edge_value(struct rng *rng, const struct packet *p)
{
	static const __u16 edges[] = { 0, 1, 7, 8, 19, 20, 21, 39, 40, 41, 0x7fff, 0x8000, 0xfff0, 0xffff };

	if (rng_chance(rng, 50))
		return PICK(rng, edges);
	return p->len - 60 + rng_below(rng, 64);
}

static void put_edge(struct rng *rng, struct packet *p, size_t at)
{
	__u16 value = htons(edge_value(rng, p));

	if (at + 2 <= p->len)
		memcpy(p->data + at, &value, 2);
}

static void remove_or_insert(struct rng *rng, struct packet *p)
{
	size_t at = rng_below(rng, p->len), n = 1 + rng_below(rng, 8);

	if (rng_chance(rng, 50) && at + n < p->len) {
		memmove(p->data + at, p->data + at + n, p->len - at - n);
		p->len -= n;
	} else if (p->len + n <= PACKET_MAX) {
		memmove(p->data + at + n, p->data + at, p->len - at);
		p->len += n;
	}
}

static void mutate(struct rng *rng, struct packet *p)
{
	/* From the frame's front: lengths and protocols of IPv4, IPv6, TCP and UDP behind either. */
	static const __u8 fields16[] = { 12, 16, 20, 18, 38, 58, 36, 56 };
	static const __u8 fields8[] = { 14, 15, 20, 23, 46, 66, 67, 47 };
	size_t headers = p->len < 80 ? p->len : 80;

	switch (rng_below(rng, 7)) {
	case 0:
		p->data[rng_below(rng, headers)] ^= 1 << rng_below(rng, 8);
		break;
	case 1:
		p->data[rng_below(rng, headers)] = rng_next(rng);
		break;
	case 2:
		put_edge(rng, p, PICK(rng, fields16));
		break;
	case 3:
		p->data[PICK(rng, fields8) % p->len] = rng_next(rng);
		break;
	case 4:
		p->len = rng_below(rng, p->len);
		break;
	case 5:
		remove_or_insert(rng, p);
		break;
	default:
		p->data[14] = (p->data[14] & 0xf0) | rng_below(rng, 16);
	}
	if (p->len < PACKET_MIN) {
		memset(p->data + p->len, 0, PACKET_MIN - p->len);
		p->len = PACKET_MIN;
	}
}

void random_packet(struct rng *rng, struct packet *packet)
{
	struct packet_shape shape = random_shape(rng);

	packet_build(packet, &shape);
	while (rng_chance(rng, 30))
		mutate(rng, packet);
}
