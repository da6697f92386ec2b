/* SPDX-License-Identifier: GPL-2.0-only */
/* From the results of all processes to a row for each scenario, and rows onto the screen and into a file. */
#ifndef BENCH_SUMMARY_H
#define BENCH_SUMMARY_H

#include "worker.h"

struct summary_row {
	const struct scenario *scenario;
	double ns, floor_ns, ratio;	/* NAN, and so what follows from it: the build lacks the stage */
	double spread;			/* of ns, as a share of it */
	double against_ns;
	double difference;		/* ns - against_ns, paired within each process */
	double difference_spread;	/* in ns: half of the processes lie within so much */
};

struct summary {
	struct summary_row *rows;	/* job->n of them */
	double floor_spread;		/* the larger of the two families' */
};

/* results: job->n of each of the rounds, one round after the other. 0 or -ENOMEM; free summary->rows. */
int summary_make(const struct worker_job *job, const struct worker_result *results, size_t rounds,
		struct summary *ret_summary);
void summary_print(const struct worker_job *job, const struct summary *summary);
/* -errno; the reason has been logged. */
int summary_write_json(const struct worker_job *job, const struct summary *summary, const char *path);

#endif
