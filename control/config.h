/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration file as structures: what the operator wrote, checked, with defaults filled in. Reading it touches
 * nothing but the file. Pure: no libbpf.
 */
#ifndef TAILRACE_CONFIG_H
#define TAILRACE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tailrace.h"

#define CONFIG_FILE_MAX (16 << 20)	/* bytes */
#define CONFIG_INSTANCE "default"
#define CONFIG_SOURCE4 "172.16.0.0/16"
#define CONFIG_SOURCE6 "100::/64"	/* discard-only, RFC 6666: an answer to it goes nowhere */
#define CONFIG_TTL 64
/* Every balancer that is told no other has this one, so that all of a site choose alike. Not a secret. */
#define CONFIG_HASH_KEY "9e1c6fb2d0473a85c3f15d28e97ab046"
#define CONFIG_RING_SIZE 65537		/* buckets of a pool's ring unless it says otherwise */
#define CONFIG_RING_SIZE_MIN 251
#define CONFIG_RING_SIZE_MAX 16777213	/* the largest prime under 2^24: 256 MiB of words */
#define CONFIG_RING_SHARE_MIN 10	/* buckets for each backend, at least */
#define CONFIG_WEIGHT 100
#define CONFIG_WEIGHT_MAX 1000

enum config_state {
	CONFIG_UP,
	CONFIG_DRAIN,			/* no new flows; those that it has may end, until the pool's drain time is over */
	CONFIG_DOWN,			/* nothing: its flows go elsewhere at once */
};

/* Of a pool, in seconds; docs/affinity.md says how to choose them. */
struct config_times {
	uint32_t settle;		/* a TCP flow that says nothing for longer may be lost by a change */
	uint32_t udp;			/* the same for UDP */
	uint32_t syn;			/* how long SYNs are recorded before a change */
	uint32_t record;		/* life of an idle flow's record; at least settle */
	uint32_t linger;		/* of one that has sent a FIN */
	uint32_t drain;			/* how long a backend that drains, or was removed, keeps its flows */
};
#define CONFIG_SETTLE 900
#define CONFIG_UDP 30
#define CONFIG_SYN 4
#define CONFIG_RECORD 7200
#define CONFIG_LINGER 60
#define CONFIG_DRAIN_TIME 3600
#define CONFIG_TIME_MAX 36000		/* a record's tick has 20 bits, 11 hours with the longest ticks a second */
#define CONFIG_SYN_MAX 60
#define CONFIG_DRAIN_MAX 604800

/* Answers a second that a balancer gives for itself. */
#define CONFIG_ECHO_PER_SOURCE 10
#define CONFIG_ECHO_TOTAL 10000
#define CONFIG_TOO_BIG_PER_SOURCE 10
#define CONFIG_TOO_BIG_TOTAL 1000
#define CONFIG_RATE_MAX 60000

#define CONFIG_MSS_MIN 256
#define CONFIG_MSS_MAX 65495		/* of the largest IPv4 packet */

struct config_backend {
	struct tr_addr address;
	uint32_t weight;		/* 1 to CONFIG_WEIGHT_MAX */
	enum config_state state;
};

struct config_pool {
	char *name;			/* first: plan_number_names() */
	uint32_t ring_size;
	struct config_times times;
	struct config_backend *backends;
	size_t n_backends;
};

struct config_service {
	enum tr_l4 l4;
	uint16_t port;			/* host order; 0: all ports */
};

struct config_vip {
	char *name;			/* first: plan_number_names() */
	struct tr_prefix *addresses;	/* a full length (128) is a single address */
	size_t n_addresses;
	struct config_service *services;
	size_t n_services;
	size_t pool;			/* index into config.pools */
	enum tr_mode mode;
	bool echo;			/* its addresses answer echo requests */
	bool by_addresses;		/* `fragments: addresses`: its flows are told apart by addresses alone */
	bool oversize;			/* `oversize: fragment`: IPv4 that does not fit is the host's to fragment */
	uint16_t mss;			/* largest that a SYN may announce; 0: any */
};

/*
 * Sizes of maps, fixed when an instance's maps are made. Entries unless it says otherwise. Of VIPs, pools and backends,
 * as many as there may be at a time: their maps are indexed by numbers from 1, and so have one element more.
 */
struct config_limits {
	uint32_t vips;
	uint32_t addresses;		/* single VIP addresses */
	uint32_t prefixes;
	uint32_t services;		/* (address, protocol, port) */
	uint32_t pools;
	uint32_t backends;
	uint32_t ring_words;		/* of all pools; a pool takes two for each bucket, TCP's and UDP's */
	uint32_t fragments;		/* first fragments that are remembered */
	uint32_t cache;			/* VIP cache, entries for each CPU; a power of two */
	uint32_t flows[TR_TIER_COUNT];	/* records: tcp_flows, syn_flows, udp_flows, tracked_flows */
};

struct config {
	char *path;			/* where it was read from */
	char *instance;
	char *device;			/* NULL: none named; `load` needs none, `run` does */
	uint64_t hash_key[2];		/* of its 32 hex digits, the first 16 and the last 16 */
	struct tr_prefix source4;	/* outer sources; len counts of 128: 96 + 8 to 96 + 32 */
	struct tr_prefix source6;	/* len 16 to 128 */
	uint8_t ttl;
	uint32_t rates[TR_RATE_COUNT];	/* `icmp`: answers a second; 0: never */
	char *metrics_host;		/* an address, IPv6 without brackets; NULL: no metrics server */
	uint16_t metrics_port;
	struct config_limits limits;
	struct config_pool *pools;
	size_t n_pools;
	struct config_vip *vips;
	size_t n_vips;
};

/*
 * Reads and checks the file. On failure *ret is untouched, and *ret_message (freed by the caller) is the whole error:
 * "FILE:LINE: PATH.OF.FIELD: what was found; what is allowed". -ENOENT and the like where the file cannot be read,
 * -EINVAL where it is wrong, -ENOMEM.
 */
int config_load(const char *path, struct config **ret, char **ret_message);
void config_free(struct config *config);

#endif
