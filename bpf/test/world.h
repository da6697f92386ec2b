/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A world: everything that the data plane is told, as plain memory. Tests build one; the harness writes it into the
 * maps and the reference answers from it.
 */
#ifndef TAILRACE_TEST_WORLD_H
#define TAILRACE_TEST_WORLD_H

#include <stdbool.h>

#include "tailrace.h"

struct world_limits {			/* of the world's arrays and of the maps alike */
	__u32 addresses, prefixes, services, vips, words, backends;
	/* Of the maps alone; 0: as the object declares them. */
	__u32 pools, flow_sets, fragment_sets;
	bool test_clock;		/* time is settings.tick */
	bool several_devices;		/* the programs look at tr_backend.ifindex */
};

struct world_address {
	struct tr_addr addr;
	struct tr_vip_address value;
};

struct world_prefix {
	struct tr_prefix prefix;
	struct tr_vip_address value;
};

struct world_service {
	struct tr_service_key key;
	__u32 vip;
};

struct world {
	struct world_limits limits;
	struct tr_settings settings;	/* the generation is the harness's */
	bool stage_missing[TR_STAGE_COUNT];
	__u32 devices[TR_DEVICES_MAX];	/* where packets may be redirected to */
	__u32 n_devices;
	bool lengths_unknown;		/* the filter of VIP addresses does not know their lengths: maps are asked */
	__u32 n_addresses, n_prefixes, n_services, n_words;
	__u32 n_vips, n_backends;	/* the next free numbers; from 1 */
	__u32 next_id;			/* of tr_vip_address */
	struct world_address *addresses;
	struct world_prefix *prefixes;
	struct world_service *services;
	struct tr_vip *vips;
	__u64 *words;
	struct tr_backend *backends;
	struct tr_tags *tags;		/* by backend */
};

extern const struct world_limits world_small;

struct world *world_new(const struct world_limits *limits);	/* empty; the caller frees it */
void world_free(struct world *world);

/* Entries without a service; the pointer is good until the world is freed. */
struct tr_vip_address *world_add_address(struct world *world, struct tr_addr addr);
struct tr_vip_address *world_add_prefix(struct world *world, struct tr_addr addr, unsigned int len);
void world_add_service(struct world *world, struct tr_vip_address *at, enum tr_l4 l4, __u16 port, __u32 vip);

/* A VIP number with rings of its own: every word names the one backend of its protocol. */
__u32 world_add_vip(struct world *world, __u32 ring_size, __u32 tcp_backend, __u32 udp_backend);
/* The ring of a protocol: word i names among[i % count]. */
void world_spread(struct world *world, __u32 vip, enum tr_l4 l4, const __u32 *among, __u32 count);

__u32 world_add_backend(struct world *world, struct tr_addr addr, __u16 mtu);
/* Its next hop lies behind tags: n of them, each (TPID << 16 | VID), outermost first; or TR_TAGS_KEEP. */
void world_tag(struct world *world, __u32 backend, unsigned int n, const __u32 *tags);
/* After a change to an outer IPv4 header: its `check` is a sum over the rest. */
void backend_sum(struct tr_backend *backend);

/*
 * What most tests use. Backends of either family, STANDARD_MTU; echo and other answers without a limit; at 192.0.2.10 and at 2001:db8::10, each protocol:
 */
#define STANDARD_MTU 1500
#define UNLIMITED { TR_TOKEN, 1U << 31 }	/* a rate that no test comes up to */
#define PORT_TO4 80		/* goes to backend 1 (TCP), 2 (UDP): outer IPv4 */
#define PORT_TO6 81		/* goes to backend 3 (TCP), 4 (UDP): outer IPv6 */
#define PORT_NO_WORD 82		/* the ring's words name no backend */
#define PORT_NO_ENCAP 83	/* they name backend 5, which has no header */
#define PORT_UNUSED 999
extern const struct tr_addr standard_vip4, standard_vip6, client4, client6, stranger4, stranger6;
struct world *world_standard(void);

#endif
