/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF programs and the controller share: limits, map keys and values, stages. No code.
 *
 * Byte order: __be16 and __be32 fields and all addresses are in network order, everything else in the host's.
 * Number 0 is never given to a VIP, a backend, a pool or an address: in a map value it means "none".
 */
#ifndef TAILRACE_H
#define TAILRACE_H

#include <linux/types.h>

#define TR_ROOM 2		/* entries of a map for each of its limit */
#define TR_NAME_MAX 64		/* of an instance, a pool or a VIP, with its NUL */

/*
 * Defaults of the configuration's `limits`, and sizes of the maps as the BPF objects declare them: small, since tests
 * and `ip link set ... xdp obj` load those as they are.
 */
#define TR_VIPS_DEFAULT 1024
#define TR_ADDRESSES_DEFAULT 4096
#define TR_PREFIXES_DEFAULT 4096
#define TR_SERVICES_DEFAULT 16384
#define TR_POOLS_DEFAULT 256
#define TR_BACKENDS_DEFAULT 4096
#define TR_RING_WORDS_DEFAULT (2 * 65537 * 16)	/* 16 rings of the default size, for TCP and for UDP */
#define TR_TCP_FLOWS_DEFAULT 262144
#define TR_SYN_FLOWS_DEFAULT 65536
#define TR_UDP_FLOWS_DEFAULT 65536
#define TR_TRACKED_FLOWS_DEFAULT 65536
#define TR_CACHE_DEFAULT 4096
#define TR_FRAGMENTS_DEFAULT 16384
#define TR_DEVICES_MAX 8	/* that one instance is attached to */

/* An address of either family in 16 bytes; IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2). */
struct tr_addr {
	__be32 w[4];
};

/* Key of `vip_prefixes`, an LPM trie. A prefix length counts from the first of the 128 bits: 192.0.2.0/24 is 120. */
struct tr_prefix {
	__u32 len;
	struct tr_addr addr;
};

/* The protocols that have services; the index of arrays by protocol. */
enum tr_l4 { TR_TCP, TR_UDP, TR_L4_COUNT };

/* Slots of `stages`, the PROG_ARRAY. What each one does: docs/packets.md. */
enum tr_stage {
	TR_STAGE_TCP,			/* whole packets whose headers stand at fixed places */
	TR_STAGE_UDP,
	TR_STAGE_ANY,			/* TCP and UDP behind tags, options, extension headers; first fragments; SYNs to clamp */
	TR_STAGE_FRAGMENT,		/* later fragments */
	TR_STAGE_ICMP,			/* echo, and errors about flows */
	TR_STAGE_SEND,			/* to a next hop behind a VLAN tag */
	TR_STAGE_TOO_BIG,		/* what does not fit once encapsulated */
	TR_STAGE_COUNT
};

/*
 * Value of `vip_addresses` (hash: struct tr_addr) and of `vip_prefixes` (LPM: struct tr_prefix): an address that
 * belongs to a VIP. The controller has flattened the order of preference (exact port, all ports, prefix) into it:
 * the most specific entry alone decides, nothing falls through to a shorter prefix.
 */
struct tr_vip_address {
	__u32 id;			/* key of its exact services in `services` */
	__u32 all_ports[TR_L4_COUNT];	/* the VIP that takes every port without an exact service; 0: none */
	__u8 has_exact[TR_L4_COUNT];	/* `services` has entries for it */
	__u8 len;			/* of the prefix, as in struct tr_prefix; 128: a single address */
	__u8 alone;			/* no longer prefix or address lies inside: the answer for every address in it */
	__u32 early[TR_L4_COUNT];	/* the VIP that takes fragments whose first is not known (TR_HOW_ADDRESSES); 0: none */
	__u8 echo;			/* an echo request is answered: a VIP of this address asks for it */
	__u8 pad[3];
};

/*
 * Which lengths of prefixes there are at all, so that an address can be looked up in `vip_filter` under each, and as a
 * single address.
 */
#define TR_LENGTHS_MAX 6
struct tr_lengths {
	__u32 known;			/* 0: more than there is room for, or not filled yet: ask the maps */
	__u32 n;
	struct tr_length {
		struct tr_addr mask;
		__u32 len;
		__u32 pad;
	} lengths[TR_LENGTHS_MAX];
};

/*
 * Value of `vip_filter` (mmap'ed array of one: with a constant key, no index goes through memory between the packet and
 * the answer). Bit N of word N / 64 is set where some prefix has tr_filter_bit() N. Of lengths, a half that is in use is
 * never written: the controller writes the other one and then changes tr_settings.lengths.
 */
#define TR_FILTER_BITS 16
#define TR_FILTER_WORDS ((1 << TR_FILTER_BITS) / 64)
enum tr_family { TR_IPV4, TR_IPV6, TR_FAMILY_COUNT };
struct tr_filter {
	__u64 words[TR_FILTER_WORDS];
	struct tr_lengths lengths[2][TR_FAMILY_COUNT];	/* by half and family */
};

/* Key of `services` (hash), value: __u32, the VIP's number. */
struct tr_service_key {
	__u32 address;			/* tr_vip_address.id */
	__be16 port;
	__u8 l4;			/* enum tr_l4 */
	__u8 pad;
};

/* How a VIP's flows find their backend; docs/affinity.md. Order is an interface of the pinned maps. */
enum tr_mode {
	TR_MODE_CHANGES,		/* recorded where a change made them ambiguous */
	TR_MODE_TRACK,			/* every flow recorded, the oldest forgotten */
	TR_MODE_HASH,			/* none recorded */
	TR_MODE_CLIENT,			/* as changes; the bucket is the client address's, not the flow's */
	TR_MODE_COUNT
};
#define TR_HOW_MODE 0xff		/* of `how`: enum tr_mode */
#define TR_HOW_MOVING 0x100		/* of `how`: the VIP comes from elsewhere, `vip_old` says from where */
#define TR_HOW_ADDRESSES 0x200		/* of `how`: ports are left out of the flow's hash, so that all fragments meet */
#define TR_HOW_MSS 0x400		/* of `how`: tr_vip.mss is set */
/* What of `how` makes a flow's key and the way it is looked up; the rest changes without a move. */
#define TR_HOW_KEY (TR_HOW_MODE | TR_HOW_ADDRESSES)

/* Of tr_vip.flags. */
#define TR_VIP_OVERSIZE 1		/* IPv4 without DF that does not fit goes to the host's stack, to be fragmented */

/*
 * Value of `vips` (array by VIP number): where its pool's ring lies in `rings`. A ring is TCP's words and right behind
 * them as many for UDP, so that start and size are one 8-byte word, which a packet sees before or after a change. pool
 * and how are the other.
 */
struct tr_vip {
	__u32 ring;			/* index of TCP's first word; UDP's is ring + ring_size */
	__u32 ring_size;		/* words for one protocol, a prime; 0: the number is free */
	__u16 pool;			/* pool number */
	__u16 how;			/* enum tr_mode, and TR_HOW_* */
	__u16 mss;			/* largest that a SYN may announce, bytes; 0: any. TR_HOW_MSS goes with it */
	__u16 flags;			/* TR_VIP_* */
} __attribute__((aligned(8)));

/*
 * Value of `vip_old` (mmap'ed array by VIP number), good while the VIP has TR_HOW_MOVING: how its flows found their backend
 * before the change. Flows that have no record follow it.
 */
struct tr_vip_old {
	__u32 ring;			/* as in struct tr_vip; none of its words is settled meanwhile */
	__u32 ring_size;
	__u16 pool;
	__u16 how;			/* the bits of TR_HOW_KEY */
	__u32 pad;
	__u64 hash_key[2];		/* as in struct tr_settings */
};

/*
 * A bucket of a ring, one 64-bit word of `rings` (mmap'ed array), written by the controller with one atomic store:
 * 20 bits each of current, base, prev (backend numbers), then the flags. See docs/design.md, "Which backend".
 */
#define TR_BACKEND_BITS 20
#define TR_BACKEND_MASK ((1ULL << TR_BACKEND_BITS) - 1)
#define TR_WORD_BASE_SHIFT 20
#define TR_WORD_PREV_SHIFT 40
#define TR_WORD_LOOK (1ULL << 60)
#define TR_WORD_REC (1ULL << 61)

enum tr_encap {
	TR_ENCAP_NONE,			/* the number is free, or its header is not complete */
	TR_ENCAP_IPV4,			/* outer IPv4: IPIP, IPv6-in-IPv4 */
	TR_ENCAP_IPV6,			/* outer IPv6: IP6IP6, IPv4-in-IPv6 */
};
#define TR_ENCAP_TAGGED 0x10		/* of tr_backend.encap, with one of these: `backend_tags` has tags to put on */

struct tr_outer4 {			/* an IPv4 header, RFC 791 */
	__u8 version_ihl;		/* 0x45 */
	__u8 tos;			/* 0 here; the inner packet's in the packet */
	__be16 total_len;		/* 0 here */
	__be16 id;			/* 0: never fragmented by us, RFC 6864 */
	__be16 frag_off;		/* DF */
	__u8 ttl;
	__u8 protocol;			/* 0 here */
	__u16 check;			/* here: folded one's complement sum of this header with check = 0, not inverted */
	__be32 saddr;			/* the prefix; its low bits are 0 here, the flow's entropy in the packet */
	__be32 daddr;
};

struct tr_outer6 {			/* an IPv6 header, RFC 8200 */
	__be32 version_class_flow;	/* 0x60000000 here; class copied and flow label set in the packet */
	__be16 payload_len;		/* 0 here */
	__u8 next_header;		/* 0 here */
	__u8 hop_limit;
	__be32 saddr[4];		/* the prefix; the low word's free bits are the flow's entropy in the packet */
	__be32 daddr[4];
};

/*
 * Value of `backends` (mmap'ed array by backend number), one cache line: the outer headers ready-made. Written in
 * whole 8-byte words, so that a next hop's MAC address changes atomically under traffic.
 */
struct tr_backend {
	__u16 mtu;			/* the largest outer IP packet that the next hop takes, bytes */
	__u8 dmac[6];			/* the next hop's */
	__u8 smac[6];			/* our interface's */
	__be16 ethertype;
	union {
		struct tr_outer4 v4;
		struct tr_outer6 v6;
	};
	__u32 ifindex;			/* the interface of the next hop */
	__u16 generation;		/* goes up whenever the number is given to another backend */
	__u8 encap;			/* enum tr_encap, and TR_ENCAP_TAGGED */
	__u8 serves;			/* enum tr_serves; read only where flows are recorded */
};

/*
 * Value of `backend_tags` (mmap'ed array by backend number): the VLAN tags of the next hop's link, outermost first. Of an
 * arriving tag the priority and DEI bits are kept (IEEE 802.1Q §9.6).
 */
#define TR_TAGS_MAX 2
#define TR_TAGS_KEEP 0xff		/* of `n`: whatever tags the packet came with, where it leaves as it came; else none */
struct tr_tags {
	__be16 tpid[TR_TAGS_MAX];
	__be16 vid[TR_TAGS_MAX];	/* the low 12 bits */
	__u8 n;				/* 0 to TR_TAGS_MAX, or TR_TAGS_KEEP */
	__u8 pad[7];
};

/* Which flows a backend may have: what docs/affinity.md calls UP and DRAINING. Anything but none is "ok". */
enum tr_serves {
	TR_SERVES_NONE,			/* down, retired, or no backend's number */
	TR_SERVES_ALL,			/* up */
	TR_SERVES_OLD,			/* draining: the flows that it has */
};

/* Value of `settings` (mmap'ed array of one): what every packet needs. */
struct tr_settings {
	__u64 hash_key[2];		/* the same on every balancer of a site */
	__u32 generation;		/* of the VIPs; every change to them raises it and so empties vip_cache; 0: not filled */
	__be32 entropy4;		/* mask of the outer IPv4 source's bits that carry the flow's entropy */
	__be32 entropy6;		/* the same for the low word of the outer IPv6 source */
	__u32 prefixes;			/* entries in `vip_prefixes`: 0 spares the lookup */
	__u32 lengths;			/* the half of the filter's lengths that counts: 0 or 1 */
	__u32 syn_budget;		/* records of new flows that may be made in one window of 2^TR_WINDOW_SHIFT ticks */
	struct tr_tier_place {		/* by enum tr_tier; fixed when the map is made */
		__u32 start;		/* index of its first set in `flows` */
		__u32 sets;
	} tiers[4];
	__u32 tcp_full;			/* records in TR_TIER_TCP above which no new flow takes part in filling it */
	__u32 tick;			/* the clock of tests; else time comes from jiffies */
	/*
	 * How often balancers answer for themselves, by enum tr_rate: token buckets, refilled by ticks. In 1/TR_TOKEN of an
	 * answer; burst 0: never.
	 */
	struct tr_rate_limit {
		__u32 per_tick;
		__u32 burst;
	} rates[4];
};

enum tr_rate {
	TR_RATE_ECHO_SOURCE,		/* answers to echo requests, each source address */
	TR_RATE_ECHO_ALL,
	TR_RATE_TOO_BIG_SOURCE,		/* frag-needed and packet-too-big */
	TR_RATE_TOO_BIG_ALL,
	TR_RATE_COUNT
};
#define TR_TOKEN 256

/*
 * Element of `tokens` (array; each load of the programs has its own): a bucket, as it was at a tick. Of a rate for all there is
 * one, of a rate by source TR_TOKEN_SLOTS, picked by a keyed hash of the address: sources that meet share it.
 */
struct tr_tokens {
	__u32 tick;			/* 0: never used, full */
	__u32 level;			/* in 1/TR_TOKEN */
};
#define TR_TOKEN_SLOTS 4096

/*
 * Fragments: `fragments`, an array of sets. What was decided for a first fragment is remembered for the rest of its packet. A
 * record's key is the keyed hash of source, destination, id and (IPv4) protocol, never 0. Written as flow records are. The value:
 * the backend's number in TR_BACKEND_BITS (0: the packet was passed to the host), then:
 */
#define TR_FRAGMENT_VIP_SHIFT 20	/* 17 bits: VIP number */
#define TR_FRAGMENT_VIP_MASK 0x1ffff
#define TR_FRAGMENT_GENERATION_SHIFT 37	/* 7 bits, as in a flow's record */
#define TR_FRAGMENT_TICK_SHIFT 44	/* 20 bits, as in a flow's record */
#define TR_FRAGMENT_TICKS 128		/* life of a record: 5 to 10 seconds. What arrives in pieces arrives at once */

/*
 * Flow records: `flows`, one array in which each tier has a region of sets. A record's key is the keyed hash that picks the
 * bucket, all 64 bits of it (mode client: the upper half is the client's); 0 stands for a free slot, so hash 0 counts as 1.
 * A record may stand in any slot of its two sets (flow_table.h).
 *
 * Who takes a slot writes the key over 0 (compare and swap), then the value; a value of 0 is no record. Who deletes swaps
 * the value for 0, then writes key 0. A value is changed by compare and swap alone.
 */
enum tr_tier {
	TR_TIER_TCP,			/* established: nothing is pushed out */
	TR_TIER_SYN,			/* began while it was ambiguous where; the oldest of the two sets is pushed out */
	TR_TIER_UDP,			/* nothing is pushed out */
	TR_TIER_TRACK,			/* of VIPs that track, both protocols; the oldest of the two sets is pushed out */
	TR_TIER_COUNT
};
/*
 * A record finds no room where both of its sets are full: the first one when half of all slots are taken, 4% of them at nine
 * tenths. A tier that refuses what finds no room, and puts settling off by it, has twice the limit's slots.
 */
#define TR_TIER_ROOM(tier) ((tier) == TR_TIER_TCP || (tier) == TR_TIER_UDP ? TR_ROOM : 1)
#define TR_SET_SLOTS 4
struct tr_record {
	__u64 key;
	__u64 value;
};
struct tr_flow_set {			/* one cache line */
	struct tr_record slots[TR_SET_SLOTS];
};
/* A record's value: the backend's number in TR_BACKEND_BITS, then: */
#define TR_RECORD_POOL_SHIFT 20		/* 16 bits: the pool whose ring the flow's last packet asked */
#define TR_RECORD_GENERATION_SHIFT 36	/* 7 bits: the lowest of tr_backend.generation; any other: no record */
#define TR_RECORD_GENERATION_MASK 0x7f
#define TR_RECORD_CLOSED (1ULL << 43)	/* a FIN was seen since the last SYN */
#define TR_RECORD_TICK_SHIFT 44		/* 20 bits: when the last packet came, the lowest bits of the tick */
#define TR_RECORD_TICK_MASK 0xfffff

/*
 * Time, wherever flows are concerned, in ticks: jiffies shifted so that there are 12 to 25 a second (64 ms with 250 or
 * 1000 Hz). 32 bits, compared by differences; 0 stands for never. `tr_clock` tells the controller.
 */
#define TR_WINDOW_SHIFT 4

/* Value of `flow_state` (mmap'ed array of one). */
struct tr_flow_state {
	__u64 syn_window;		/* tick >> TR_WINDOW_SHIFT in the upper half, records of new flows made in it below */
	__u32 used[TR_TIER_COUNT];	/* slots taken */
};

/* Value of `pool_flows` (mmap'ed array by pool number). */
struct tr_pool_flows {
	__u32 t_syn, t_udp;		/* ticks; these two words are the controller's, the rest is the programs' */
	__u32 t_settle, pad;
	__u32 refused;			/* tick at which a TCP flow last could not be recorded */
	__u32 refused_udp;
	__u32 pressure;			/* tick at which new flows last went to base for want of room */
	__u32 pad2;
};

/* Value of `pool_counts` (per-CPU array by pool number). */
struct tr_pool_counts {
	__u64 recorded_new;		/* TCP flows recorded at their SYN */
	__u64 recorded;			/* TCP flows recorded later, or for good */
	__u64 recorded_udp;
	__u64 refused;			/* no room for a record, TCP */
	__u64 refused_udp;
	__u64 pressed;			/* SYNs sent to base for want of room */
	__u64 tracked;			/* flows of VIPs that track, recorded */
	__u64 moved;			/* records taken along to where a moving VIP looks now */
};

/* Values of `vip_traffic` and `backend_traffic` (per-CPU arrays by number). */
struct tr_traffic {
	__u64 packets;
	__u64 bytes;			/* of the client's IP packets, without link layer and outer header */
	__u64 new_flows;		/* TCP SYNs (without ACK) */
};

/* From here on: what only the controller and the command line read; it outlives them in pinned maps. */

/* Why a backend takes flows or not. Order is an interface of the pinned maps: append only. */
enum tr_nexthop_state {
	TR_NH_UNKNOWN,			/* not asked yet */
	TR_NH_OK,
	TR_NH_NO_ROUTE,			/* the kernel has no route to the backend, or an unreachable/blackhole one */
	TR_NH_OTHER_DEVICE,		/* the route leaves through an interface that we are not attached to */
	TR_NH_LOCAL,			/* the address is this host's own */
	TR_NH_RESOLVING,		/* no answer from the neighbour yet */
	TR_NH_FAILED,			/* the neighbour does not answer */
};

enum tr_backend_state {
	TR_BACKEND_FREE,		/* the number may be given out */
	TR_BACKEND_UP,
	TR_BACKEND_DOWN,		/* the configuration says so */
	TR_BACKEND_RETIRED,		/* no longer configured, takes nothing; free once nothing names it */
	TR_BACKEND_DRAINING,		/* the configuration says so: no new flows, until its deadline */
	TR_BACKEND_LEAVING,		/* no longer configured: no new flows, until its deadline */
	TR_BACKEND_DRAINED,		/* the configuration says draining, and the deadline has passed: takes nothing */
};

/* Value of `backend_info` (array by backend number). */
struct tr_backend_info {
	struct tr_addr address;
	struct tr_addr gateway;		/* the next hop; the address itself when on the link */
	__u32 since;			/* tick at which it came into this state */
	__u32 deadline;			/* tick; while it is draining or leaving */
	__u32 pool;			/* pool number */
	__u32 weight;
	__u32 buckets;			/* ring words that name it, for one protocol */
	__u16 generation;
	__u8 state;			/* enum tr_backend_state */
	__u8 nexthop;			/* enum tr_nexthop_state */
};

/* Value of `pool_info` (array by pool number). */
struct tr_pool_info {
	char name[TR_NAME_MAX];		/* empty: the number is free */
	__u64 ring_hash;		/* of what the ring was built from; equal: no need to build it again */
	__u64 ring_changes;		/* times that the ring was written */
	__u64 words_changed;		/* buckets written in all of them, for one protocol */
	__u32 ring;			/* as in struct tr_vip */
	__u32 ring_size;
	struct tr_pool_times {		/* ticks; see docs/configuration.md */
		__u32 settle;		/* W */
		__u32 udp;		/* T_u */
		__u32 syn;		/* T_syn */
		__u32 life;		/* of an idle record */
		__u32 linger;		/* of one whose flow has sent a FIN */
		__u32 drain;
	} times;
	__u32 leaving;			/* no longer configured; VIPs, backends or records still name it */
	__u32 unsettled[2];		/* by enum tr_l4: buckets where current and base differ, or are about to */
	__u32 looking[2];		/* by enum tr_l4: buckets that ask the flow table */
	__u32 pad;
	__u64 unsettled_since;		/* CLOCK_REALTIME, ns; 0: all is settled */
	char why[64];			/* the last change, for the operator */
};

/* Value of `vip_info` (array by VIP number). */
struct tr_vip_info {
	char name[TR_NAME_MAX];		/* empty: the number is free */
	__u32 pool;			/* pool number */
	__u32 echo_off;			/* its addresses answer no echo request for its sake; tr_vip_address.echo is what counts */
};

/* Value of `instance` (array of one): what the instance was last told. */
struct tr_instance {
	__u64 layout;			/* TR_LAYOUT of whoever made the maps; another layout is refused */
	__u64 build;			/* of the BPF object whose programs are pinned */
	__u64 applied_at;		/* CLOCK_REALTIME, ns: the last configuration that was applied */
	__u64 reloads;			/* configurations applied since the maps were made */
	__u64 reloads_failed;		/* configurations refused since then */
	struct tr_addr source4;		/* outer source prefixes; v4 mapped as ever */
	struct tr_addr source6;
	__u32 source4_len;		/* 0 to 32 */
	__u32 source6_len;		/* 0 to 128 */
	__u32 ttl;
	__u32 n_devices;
	__u32 devices[TR_DEVICES_MAX];	/* interface numbers: next hops in the backends' records lie on these; 0 of them: on any */
	char config[256];		/* path of that configuration */
};

#define TR_LAYOUT 3			/* goes up with every change of a pinned map's key or value */

_Static_assert(sizeof(struct tr_addr) == 16, "tr_addr");
_Static_assert(sizeof(struct tr_prefix) == 20, "tr_prefix is an LPM key: no padding");
_Static_assert(sizeof(struct tr_vip_address) == 28, "tr_vip_address");
_Static_assert(sizeof(struct tr_service_key) == 8, "tr_service_key is a hash key: no padding");
_Static_assert(sizeof(struct tr_vip) == 16, "tr_vip");
_Static_assert(sizeof(struct tr_vip_old) == 32, "tr_vip_old");
_Static_assert(sizeof(struct tr_flow_set) == 64, "tr_flow_set is one cache line");
_Static_assert(sizeof(struct tr_flow_state) == 24, "tr_flow_state");
_Static_assert(sizeof(struct tr_pool_flows) == 32, "tr_pool_flows");
_Static_assert(sizeof(struct tr_pool_counts) == 64, "tr_pool_counts");
_Static_assert(sizeof(struct tr_tags) == 16, "tr_tags");
_Static_assert(sizeof(struct tr_tokens) == 8, "tr_tokens is one 8-byte word");
_Static_assert(sizeof(struct tr_outer4) == 20, "tr_outer4");
_Static_assert(sizeof(struct tr_outer6) == 40, "tr_outer6");
_Static_assert(sizeof(struct tr_backend) == 64, "tr_backend is one cache line");
_Static_assert(sizeof(struct tr_settings) == 112, "tr_settings");
_Static_assert(sizeof(struct tr_lengths) == 152, "tr_lengths");
_Static_assert(sizeof(struct tr_traffic) == 24, "tr_traffic");
_Static_assert(sizeof(struct tr_backend_info) == 56, "tr_backend_info");
_Static_assert(sizeof(struct tr_pool_info) == 216, "tr_pool_info");
_Static_assert(sizeof(struct tr_instance) == 376, "tr_instance");

#endif
