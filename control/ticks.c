// SPDX-License-Identifier: GPL-2.0-only
/* See ticks.h. */
#include "ticks.h"

#include <time.h>

#include <bpf/bpf.h>

#define TICKS_A_SECOND_MIN 12

/* The coarse clock's resolution is the length of a jiffy: the one place where a kernel tells its HZ without its config. */
static uint64_t jiffy_ns(void)
{
	struct timespec resolution;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) || !resolution.tv_nsec)
		return 4000000;
	return resolution.tv_sec * 1000000000ULL + resolution.tv_nsec;
}

uint32_t ticks_shift(void)
{
	uint64_t hz = 1000000000 / jiffy_ns();
	uint32_t shift = 0;

	while (hz >> (shift + 1) >= TICKS_A_SECOND_MIN)
		shift++;
	return shift;
}

uint64_t ticks_ns(void)
{
	return jiffy_ns() << ticks_shift();
}

int ticks_now(int clock_prog_fd, uint32_t *ret)
{
	unsigned char frame[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));
	int err = bpf_prog_test_run_opts(clock_prog_fd, &opts);

	if (err)
		return err;
	*ret = opts.retval;
	return 0;
}
