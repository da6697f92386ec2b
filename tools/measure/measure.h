/* SPDX-License-Identifier: GPL-2.0-only */
/* The front program of one scenario, and test runs of a program behind it: timed, or checked. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenario.h"
#include "target.h"

#define BENCH_FRAME_MAX (SCENARIO_FRAME_MAX + 64)

struct bench {
	struct bench_bpf *programs;
	const struct scenario *scenario;
	struct bpf_program *front;
	uint8_t frame[SCENARIO_FRAME_MAX], first[SCENARIO_FRAME_MAX];
	size_t len, first_len;
};

/* Whether this build has the stage that the scenario is about. */
bool bench_can_run(const struct scenario *scenario, const struct target *target);
/* seed: of the order in which the flows come. 0, or a negative errno that has been logged. */
int bench_open(struct bench *bench, const struct scenario *scenario, uint64_t seed);
void bench_close(struct bench *bench);

/* Nanoseconds of CPU time for each of repeat packets: the front program and the program under test. */
int bench_time_tx(struct bench *bench, uint32_t repeat, double *ret_ns);
int bench_time_floor(struct bench *bench, uint32_t repeat, double *ret_ns);
int bench_time_target(struct bench *bench, const struct target *target, uint32_t repeat, double *ret_ns);

/* Empties the flow table and lets through what the scenario says goes first. As bench_open(). */
int bench_prepare_target(struct bench *bench, const struct target *target);
/* Whether the packets of 1,000 repeats come out as they must; -EBADMSG with the reason logged where they do not. */
int bench_check_floor(struct bench *bench);
int bench_check_target(struct bench *bench, const struct target *target);

#endif
