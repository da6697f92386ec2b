// SPDX-License-Identifier: GPL-2.0-only
/* See world.h. */
#include "world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "packet.h"

const struct world_limits world_small = {
	.addresses = 64, .prefixes = 64, .services = 128, .vips = 32, .words = 8192, .backends = 64,
};

const struct tr_addr standard_vip4 = ADDR4(192, 0, 2, 10), standard_vip6 = ADDR6(0x20010db8, 0, 0, 0x10);
const struct tr_addr client4 = ADDR4(203, 0, 113, 7), client6 = ADDR6(0x20010db8, 0xffff, 0, 7);
const struct tr_addr stranger4 = ADDR4(192, 0, 2, 11), stranger6 = ADDR6(0x20010db8, 0, 0, 0x11);

static void *array_new(size_t n, size_t size)
{
	void *array = calloc(n, size);

	assert(array);
	return array;
}

struct world *world_new(const struct world_limits *limits)
{
	struct world *world = array_new(1, sizeof(*world));
	int i;

	world->limits = *limits;
	world->addresses = array_new(limits->addresses, sizeof(*world->addresses));
	world->prefixes = array_new(limits->prefixes, sizeof(*world->prefixes));
	world->services = array_new(limits->services, sizeof(*world->services));
	world->vips = array_new(limits->vips, sizeof(*world->vips));
	world->words = array_new(limits->words, sizeof(*world->words));
	world->backends = array_new(limits->backends, sizeof(*world->backends));
	world->tags = array_new(limits->backends, sizeof(*world->tags));
	world->n_vips = world->n_backends = world->next_id = 1;
	world->settings.hash_key[0] = 0x0706050403020100;
	world->settings.hash_key[1] = 0x0f0e0d0c0b0a0908;
	world->settings.entropy4 = htonl(0xffff);
	world->settings.entropy6 = htonl(0xffffffff);
	for (i = 0; i < TR_RATE_COUNT; i++)
		world->settings.rates[i] = (struct tr_rate_limit)UNLIMITED;
	return world;
}

void world_free(struct world *world)
{
	free(world->addresses);
	free(world->prefixes);
	free(world->services);
	free(world->vips);
	free(world->words);
	free(world->backends);
	free(world->tags);
	free(world);
}

struct tr_vip_address *world_add_address(struct world *world, struct tr_addr addr)
{
	struct world_address *a = &world->addresses[world->n_addresses++];
	__u32 i;

	for (i = 0; i + 1 < world->n_addresses; i++)
		assert(memcmp(&world->addresses[i].addr, &addr, sizeof(addr)));
	assert(world->n_addresses <= world->limits.addresses);
	*a = (struct world_address){ .addr = addr, .value.id = world->next_id++ };
	return &a->value;
}

struct tr_vip_address *world_add_prefix(struct world *world, struct tr_addr addr, unsigned int len)
{
	struct world_prefix *p = &world->prefixes[world->n_prefixes++];

	assert(world->n_prefixes <= world->limits.prefixes && len <= 128);
	*p = (struct world_prefix){ { len, addr }, { .id = world->next_id++ } };
	world->settings.prefixes = world->n_prefixes;
	return &p->value;
}

void world_add_service(struct world *world, struct tr_vip_address *at, enum tr_l4 l4, __u16 port, __u32 vip)
{
	struct world_service *s = &world->services[world->n_services++];

	assert(world->n_services <= world->limits.services);
	s->key = (struct tr_service_key){ .address = at->id, .port = htons(port), .l4 = l4 };
	s->vip = vip;
	at->has_exact[l4] = 1;
}

/* base and prev name backends that no flow may reach: only `current` chooses while no flag is set. */
static __u64 word(__u32 current)
{
	return current | 7ULL << TR_WORD_BASE_SHIFT | 9ULL << TR_WORD_PREV_SHIFT;
}

void world_spread(struct world *world, __u32 vip, enum tr_l4 l4, const __u32 *among, __u32 count)
{
	const struct tr_vip *v = &world->vips[vip];
	__u32 i;

	for (i = 0; i < v->ring_size; i++)
		world->words[v->ring + l4 * v->ring_size + i] = word(among[i % count]);
}

/* The words between two rings are no ring's: they name a backend beyond the map, which no packet may meet. */
static __u32 add_ring(struct world *world, __u32 size)
{
	__u32 first;

	world->words[world->n_words++] = TR_BACKEND_MASK;
	first = world->n_words;
	world->n_words += size;
	assert(world->n_words + 1 <= world->limits.words);
	world->words[world->n_words] = TR_BACKEND_MASK;
	return first;
}

__u32 world_add_vip(struct world *world, __u32 ring_size, __u32 tcp_backend, __u32 udp_backend)
{
	__u32 number = world->n_vips++;
	struct tr_vip *vip = &world->vips[number];

	assert(world->n_vips <= world->limits.vips);
	vip->ring_size = ring_size;
	vip->ring = add_ring(world, 2 * ring_size);
	vip->pool = number;
	world_spread(world, number, TR_TCP, &tcp_backend, 1);
	world_spread(world, number, TR_UDP, &udp_backend, 1);
	return number;
}

void backend_sum(struct tr_backend *backend)
{
	backend->v4.check = 0;
	backend->v4.check = sum_fold(&backend->v4, sizeof(backend->v4), 0);
}

static void backend_init4(struct tr_backend *b, struct tr_addr addr)
{
	b->encap = TR_ENCAP_IPV4;
	b->ethertype = htons(0x0800);
	b->v4.version_ihl = 0x45;
	b->v4.frag_off = htons(0x4000);
	b->v4.ttl = 64;
	b->v4.saddr = htonl(0xac100000);
	b->v4.daddr = addr.w[3];
	backend_sum(b);
}

static void backend_init6(struct tr_backend *b, struct tr_addr addr)
{
	b->encap = TR_ENCAP_IPV6;
	b->ethertype = htons(0x86dd);
	b->v6.version_class_flow = htonl(0x60000000);
	b->v6.hop_limit = 64;
	b->v6.saddr[0] = htonl(0x01000000);
	memcpy(b->v6.daddr, &addr, 16);
}

__u32 world_add_backend(struct world *world, struct tr_addr addr, __u16 mtu)
{
	__u32 number = world->n_backends++;
	struct tr_backend *b = &world->backends[number];

	assert(world->n_backends <= world->limits.backends);
	b->mtu = mtu;
	memcpy(b->dmac, (__u8[6]){ 0x06, 0xb0, 0, number >> 16, number >> 8, number }, 6);
	memcpy(b->smac, (__u8[6]){ 0x06, 0x50, 0, 0, 0, 1 }, 6);
	b->ifindex = 1;
	if (addr_v4(&addr))
		backend_init4(b, addr);
	else
		backend_init6(b, addr);
	return number;
}

void world_tag(struct world *world, __u32 backend, unsigned int n, const __u32 *tags)
{
	struct tr_tags *t = &world->tags[backend];
	unsigned int i;

	*t = (struct tr_tags){ .n = n };
	world->backends[backend].encap &= ~TR_ENCAP_TAGGED;
	if (!n || n == TR_TAGS_KEEP)
		return;
	world->backends[backend].encap |= TR_ENCAP_TAGGED;
	for (i = 0; i < n; i++) {
		t->tpid[i] = htons(tags[i] >> 16);
		t->vid[i] = htons(tags[i] & 0xfff);
	}
}

static void add_standard_services(struct world *world, struct tr_vip_address *at, const __u32 vips[4])
{
	static const __u16 ports[4] = { PORT_TO4, PORT_TO6, PORT_NO_WORD, PORT_NO_ENCAP };
	int l4, i;

	at->echo = 1;
	for (l4 = 0; l4 < TR_L4_COUNT; l4++)
		for (i = 0; i < 4; i++)
			world_add_service(world, at, l4, ports[i], vips[i]);
}

struct world *world_standard(void)
{
	struct world *world = world_new(&world_small);
	struct tr_addr b[5] = { ADDR4(10, 9, 0, 1), ADDR4(10, 9, 0, 2), ADDR6(0xfd000009, 0, 0, 1),
				ADDR6(0xfd000009, 0, 0, 2), ADDR4(10, 9, 0, 5) };
	__u32 vips[4];
	int i;

	for (i = 0; i < 5; i++)
		world_add_backend(world, b[i], STANDARD_MTU);
	world->backends[5].encap = TR_ENCAP_NONE;
	vips[0] = world_add_vip(world, 13, 1, 2);
	vips[1] = world_add_vip(world, 13, 3, 4);
	vips[2] = world_add_vip(world, 13, 0, 0);
	vips[3] = world_add_vip(world, 13, 5, 5);
	add_standard_services(world, world_add_address(world, standard_vip4), vips);
	add_standard_services(world, world_add_address(world, standard_vip6), vips);
	return world;
}
