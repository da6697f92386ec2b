/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs frames through the real programs with BPF_PROG_TEST_RUN. Each harness loads programs and maps of its own, so
 * tests may run side by side. Whatever the machine refuses (load, map update) ends the process with a message: there
 * is nothing to test then.
 */
#ifndef TAILRACE_TEST_HARNESS_H
#define TAILRACE_TEST_HARNESS_H

#include "affinity.h"
#include "packet.h"
#include "reference.h"
#include "verdicts.h"
#include "world.h"

struct harness;

/* Shrinks the maps to the limits; cache_size: lines of vip_cache for each CPU, a power of two. */
struct harness *harness_new(const struct world_limits *limits, __u32 cache_size);
void harness_free(struct harness *harness);

/* Writes the world into the maps and raises settings.generation. */
void harness_apply(struct harness *harness, const struct world *world);

/* As a program that `ip` has loaded from the object, and no controller has filled: no generation yet. */
void harness_unfill(struct harness *harness);

/* Time moves; nothing else of the settings changes. For limits.test_clock. */
void harness_tick(struct harness *harness, __u32 tick);
/* Fragments and buckets of answers as after a load, in the maps and in the reference. */
void harness_forget(struct harness *harness);
/* What was remembered of packets so far, by the maps and by the reference: to try one packet again. */
struct remembered *harness_save(const struct harness *harness);
void harness_restore(struct harness *harness, const struct remembered *from);
void harness_drop(struct remembered *remembered);

/* The reference's state that goes with these maps. The harness's. */
struct reference *harness_reference(struct harness *harness);

/* The settings alone, as harness_apply() writes them: cheap however large the world. */
void harness_settings(struct harness *harness, const struct tr_settings *settings);

/* The memory that programs and the controller's affinity share, for limits with pools and flow_sets. The harness's. */
struct affinity_view harness_view(struct harness *harness);

/*
 * What the programs would choose for the packet's flow, nothing written: the backend's number, or what the entry answers
 * before a stage is asked. Its programs are loaded by the first call.
 */
__u32 harness_peek(struct harness *harness, const __u8 *frame, size_t len);

#define OBSERVED_GUARD 32	/* bytes behind a packet that nobody may write */
struct observed {
	__u32 action;			/* XDP_* */
	size_t len;
	__u8 data[PACKET_MAX + 512 + OBSERVED_GUARD];
};
void harness_run(struct harness *harness, const __u8 *frame, size_t len, struct observed *ret);
/* The same from another program: one that tail-calls the entry through a map of its own. */
void harness_run_prog(int prog_fd, const __u8 *frame, size_t len, struct observed *ret);
int harness_entry_fd(const struct harness *harness);

/* All CPUs' counters summed, as differences to the last call (or to harness_new). Owned by the harness. */
struct counted {
	__u64 verdicts[TR_V_COUNT];
	struct tr_traffic *vips;	/* by number, limits.vips of them */
	struct tr_traffic *backends;	/* limits.backends */
};
const struct counted *harness_count(struct harness *harness);
/* The verdicts alone: cheap however many backends the maps hold. */
const __u64 *harness_count_verdicts(struct harness *harness);

const char *verdict_name(__u32 verdict);
__u32 verdict_action(__u32 verdict);	/* XDP_* */
/* The one verdict that was raised; TR_V_COUNT when it was none, or more than one. */
__u32 verdict_only(const __u64 *verdicts);

/* Pins the thread to a CPU; -errno when it may not run there. The VIP cache is per CPU. */
int harness_pin_cpu(int cpu);

#endif
