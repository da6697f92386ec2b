/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clock of flow records: ticks as tailrace.h describes them. The programs shift jiffies, which no system call
 * tells; so the program `tr_clock`, pinned in the instance's directory, is run to read it.
 */
#ifndef TAILRACE_TICKS_H
#define TAILRACE_TICKS_H

#include <stdint.h>

uint32_t ticks_shift(void);	/* jiffies to ticks, for the programs */
uint64_t ticks_ns(void);	/* the length of a tick */
/* 0 or -errno. */
int ticks_now(int clock_prog_fd, uint32_t *ret);

#endif
