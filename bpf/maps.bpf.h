/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map that the balancer's programs use, declared for the stages; maps.bpf.c defines them. The sizes there are
 * the defaults of the configuration's `limits`; the controller sets the real ones before loading.
 *
 * State maps are pinned and outlive programs. Those marked "program's own" belong to one load of the programs: a
 * newer build brings its own, so that their layout may change and the switch of programs is one link update.
 */
#ifndef TAILRACE_MAPS_BPF_H
#define TAILRACE_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tailrace.h"
#include "verdicts.h"

/* struct tr_addr -> struct tr_vip_address. Controller writes; entry reads. */
struct vip_addresses_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct tr_addr);
	__type(value, struct tr_vip_address);
	__uint(max_entries, TR_ADDRESSES_DEFAULT);
};

/* struct tr_prefix -> struct tr_vip_address, the longest prefix. Controller writes; entry reads. */
struct vip_prefixes_map {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct tr_prefix);
	__type(value, struct tr_vip_address);
	__uint(max_entries, TR_PREFIXES_DEFAULT);
	__uint(map_flags, BPF_F_NO_PREALLOC);	/* the trie knows no other way */
};

/* 0 -> what may be a VIP's address. Controller writes through mmap; entry reads. */
struct vip_filter_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_filter);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* struct tr_service_key -> VIP number. Controller writes; entry reads. */
struct services_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct tr_service_key);
	__type(value, __u32);
	__uint(max_entries, TR_SERVICES_DEFAULT);
};

/* VIP number -> where its ring is. Controller writes through mmap; entry reads. */
struct vips_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_vip);
	__uint(max_entries, TR_VIPS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* VIP number -> where a moving VIP comes from. Controller writes through mmap; stages read. */
struct vip_old_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_vip_old);
	__uint(max_entries, TR_VIPS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* Set index -> flow records. Stages write, where a change made flows ambiguous; the controller deletes through mmap. */
struct flows_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_flow_set);
	__uint(max_entries, 1024);	/* the controller makes it as large as the configuration's limits ask */
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* 0 -> how full the tiers are. Stages and controller write, atomically. */
struct flow_state_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_flow_state);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* Pool number -> its times for the stages; when they last could not record. Each its own words. */
struct pool_flows_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_pool_flows);
	__uint(max_entries, TR_POOLS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* Pool number -> what was recorded. Stages count; controller reads, and zeroes when it gives the number out. */
struct pool_counts_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_pool_counts);
	__uint(max_entries, TR_POOLS_DEFAULT);
};

/* Word index -> bucket word (tailrace.h). Controller writes through mmap; stages read. */
struct rings_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, TR_RING_WORDS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* Backend number -> outer headers. Controller writes through mmap; stages read. */
struct backends_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_backend);
	__uint(max_entries, TR_BACKENDS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* Backend number -> tags of its next hop's link. Controller writes through mmap; what is off the hot path reads. */
struct backend_tags_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_tags);
	__uint(max_entries, TR_BACKENDS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* Set index -> decisions about first fragments. Stages write and read. */
struct fragments_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_flow_set);
	__uint(max_entries, TR_FRAGMENTS_DEFAULT / TR_SET_SLOTS);
};

/* Interface number -> the same: where packets may be redirected to. Controller writes; the kernel reads. */
struct devices_map {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, TR_DEVICES_MAX * TR_ROOM);
};

/* 0 -> what every packet needs. Controller writes through mmap; all programs read. */
struct settings_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_settings);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* enum tr_verdict -> packets. Programs count; the controller and `tailrace stats` read. */
struct verdicts_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 64);	/* room to append: the map outlives programs */
};

/* VIP number -> traffic. Programs count; controller reads, and zeroes when it gives the number out. */
struct vip_traffic_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_traffic);
	__uint(max_entries, TR_VIPS_DEFAULT);
};

/* Backend number -> traffic, as vip_traffic. */
struct backend_traffic_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_traffic);
	__uint(max_entries, TR_BACKENDS_DEFAULT);
};

/* Number -> what the number stands for. Controller alone writes and reads: its memory across restarts. */
struct backend_info_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_backend_info);
	__uint(max_entries, TR_BACKENDS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};
struct pool_info_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_pool_info);
	__uint(max_entries, TR_POOLS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};
struct vip_info_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_vip_info);
	__uint(max_entries, TR_VIPS_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* 0 -> what the instance was last told. Controller alone. */
struct instance_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_instance);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
};

/* enum tr_stage -> program. Program's own. */
struct stages_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, TR_STAGE_COUNT);
};

/* What the entry found out, for the stage that it tail-calls. */
struct handover {
	__u32 vip;
	__u32 ring;			/* this and the rest as in struct tr_vip */
	__u32 ring_size;
	__u16 pool;
	__u16 how;
} __attribute__((aligned(8)));

/* Where things stand in a packet that is not plain: offsets are from the frame's first byte. */
struct place {
	__u16 l3;
	__u16 l4;			/* what follows the IP header and its extension headers */
	__u16 l4_len;			/* bytes from there on, by the IP header */
	__u8 family;			/* enum tr_family */
	__u8 l4_kind;			/* enum tr_l4 */
	__u8 flags;			/* PLACE_* */
	__u8 verdict;			/* what it ends in when it is sent */
	__u16 pad;
	__u32 fragment_id;		/* as in the packet */
};
#define PLACE_FIRST 1			/* a first fragment */
#define PLACE_LATER 2			/* a later one */
#define PLACE_QUIET 4			/* what does not fit is not answered */
#define PLACE_UNKNOWN 8			/* a later fragment, l4_kind unknown */
#define PLACE_CLAMP 16			/* a SYN of a VIP with an MSS; not before it is sure to be sent, an answer quotes it as it came */

/* What a stage that sends needs of a packet whose backend is chosen. */
struct sending {
	__u32 number;			/* backend */
	__u32 vip;
	__u64 hash;			/* of the flow */
	__u32 len;			/* of the IP packet */
	__u8 syn;
	__u8 pad[3];
};

/* 0 -> hand-over, to the plain stages `service` alone. Entry and stages write; the next stage reads. Program's own. */
struct scratch {
	struct handover service;
	struct place place;
	struct sending sending;
};
struct scratch_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct scratch);
	__uint(max_entries, 1);
};

/* Buckets of answers: TR_RATE_COUNT / 2 for all, then TR_TOKEN_SLOTS by source for each of them. Program's own. */
struct tokens_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct tr_tokens);
	__uint(max_entries, TR_RATE_COUNT / 2 * (1 + TR_TOKEN_SLOTS));
};

/*
 * A line of the VIP cache: the answer for one (address, protocol, port), for an address, or for a prefix as a whole. One
 * cache line, and written by its CPU alone.
 */
struct cached_vip {
	struct tr_addr addr;
	__u32 what;			/* CACHED_*: port, protocol and kind */
	__u32 generation;		/* of tr_settings when the answer was looked up; any other: stale */
	struct handover service[TR_L4_COUNT];	/* of (address, protocol, port) the first alone; else of all ports */
	__u32 id;			/* of an address or prefix, as in struct tr_vip_address; 0: no VIP's address */
	__u8 has_exact[TR_L4_COUNT];
	__u8 echo;			/* of an address or prefix, as in struct tr_vip_address */
	__u8 pad;
};
_Static_assert(sizeof(struct cached_vip) == 64, "cached_vip is one cache line");

/*
 * cpu * vip_cache_size + slot -> cached_vip. An array of its own rather than a per-CPU one: a per-CPU array costs a
 * second cache line for the element's address. The controller sizes it by the possible CPUs. Mmap'able only so that it starts on
 * a page and its elements on cache lines. Program's own.
 */
struct vip_cache_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct cached_vip);
	__uint(max_entries, TR_CACHE_DEFAULT);
	__uint(map_flags, BPF_F_MMAPABLE);
};

#define MAPS(X)                                                                                                      \
	X(vip_addresses) X(vip_prefixes) X(vip_filter) X(services) X(vips) X(vip_old) X(rings) X(backends)           \
	X(flows) X(flow_state) X(pool_flows) X(pool_counts) X(backend_tags) X(fragments) X(devices)                  \
	X(settings) X(verdicts) X(vip_traffic) X(backend_traffic) X(backend_info) X(pool_info) X(vip_info)           \
	X(instance) X(stages) X(scratch) X(vip_cache) X(tokens)

#define X(name) extern struct name##_map name SEC(".maps");
MAPS(X)
#undef X

#endif
