// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "stats.h"

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Between the two nearest values, in proportion; values sorted. */
static double quantile(const double *values, size_t n, double share)
{
	double place = share * (n - 1);
	size_t below = place;

	if (below + 1 >= n)
		return values[n - 1];
	return values[below] + (place - below) * (values[below + 1] - values[below]);
}

double stats_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return quantile(values, n, 0.5);
}

double stats_spread(double *values, size_t n)
{
	double median = stats_median(values, n);

	return (quantile(values, n, 0.75) - quantile(values, n, 0.25)) / median;
}
