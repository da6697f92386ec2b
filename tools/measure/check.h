/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether packets came out as they must. All return 0 or -EBADMSG, the reason logged. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include "records.h"
#include "scenario.h"
#include "target.h"

/* How the last of many repeats ended. */
struct check_run {
	uint32_t action;	/* XDP_* */
	uint32_t len;
	uint8_t frame[SCENARIO_FRAME_MAX + 64];
};

/*
 * Of what went in (frame, len bytes): sent back with an outer header whose lengths and checksum are right, and inside it a packet whose
 * own are, and whose rest is what it was. Every repeat added as much: any other sum would have left the frame longer or shorter.
 * The floor's outer header is a constant: its lengths are those of the plain frames.
 */
int check_floor(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len);
/* In addition: tags as they were, and to the MAC and IP address of one of the set-up's backends. */
int check_forwarded(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len);
/* Sent back to where it came from: echo, or word that it does not fit. */
int check_answered(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len);
/* Passed, and still what went in. */
int check_passed(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len);
/* Every packet is counted by the scenario's verdict, its VIP, and as many backends as its flows must have. */
int check_counts(const struct scenario *scenario, const struct target_counts *before,
		 const struct target_counts *after, uint64_t packets);
/* The tiers hold what the scenario says, none was refused, and the packets made as many records as it says. */
int check_records(const struct scenario *scenario, const struct records_counts *before,
		  const struct records_counts *after, uint64_t packets);

#endif
