/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

/* Both sort the values. */
double stats_median(double *values, size_t n);
/* The range of the middle half, as a share of the median: one disturbed process in seven does not show in it. */
double stats_spread(double *values, size_t n);

#endif
