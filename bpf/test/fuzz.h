/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random packets in a random, changing world, an epoch at a time: each begins with nothing remembered, and follows from
 * its seed alone, so that a difference found in a batch of packets can be sought again packet by packet.
 */
#ifndef TAILRACE_TEST_FUZZ_H
#define TAILRACE_TEST_FUZZ_H

#include "check.h"
#include "corpus.h"
#include "mutate.h"

#define EPOCH_PACKETS 20000

struct fuzz;
struct fuzz *fuzz_new(const struct corpus *corpus, __u32 other_device);	/* 0: devices do not count */
void fuzz_free(struct fuzz *fuzz);

/* Verdicts of the epochs so far. */
const __u64 *fuzz_raised(const struct fuzz *fuzz);

/* False where programs and reference differ. progress: packets done, for whoever watches; or NULL. */
bool fuzz_epoch(struct fuzz *fuzz, __u64 seed, __u32 packets, volatile __u64 *progress);

/* After fuzz_epoch() returned false: seeks the packet, prints it, and the smallest that still differs; saves that. */
void fuzz_explain(struct fuzz *fuzz, __u64 seed, __u32 packets, const char *save_to);

#endif
