/* SPDX-License-Identifier: GPL-2.0-only */
/* One process of a run: loads everything afresh, pinned to one CPU, and measures every scenario once. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenario.h"

enum { WORKER_TARGET, WORKER_AGAINST, WORKER_TARGETS };

struct worker_job {
	const struct scenario *const *scenarios;
	size_t n;
	const char *objects[WORKER_TARGETS];	/* files; [WORKER_TARGET] NULL: the built-in object */
	bool against;				/* measure the second one, too */
	uint32_t samples;			/* of each program and scenario: their median counts */
	uint32_t packets;			/* of each sample */
	const char *label;			/* of progress on standard error; NULL: none */
};

/* Nanoseconds for a packet, those of the front program with `return XDP_TX` subtracted; NAN of a build without the scenario's stage. */
struct worker_result {
	double floor;
	double ns[WORKER_TARGETS];
};

/* Forks; ret_results is an array of job->n. 0, or a negative errno; the reason has been logged. */
int worker_run(const struct worker_job *job, struct worker_result *ret_results);

#endif
