/* SPDX-License-Identifier: GPL-2.0-only */
/* kill -9 in the middle of a call: it ends before its n-th write to the maps' memory. x86-64. */
#ifndef TAILRACE_TEST_BROKEN_OFF_H
#define TAILRACE_TEST_BROKEN_OFF_H

#include <stdbool.h>

#include "affinity.h"

/* True: the call came to its end, with fewer writes. False: it was left; what it holds on the heap is lost. */
bool broken_off(const struct affinity_view *view, uint32_t n_sets, uint32_t writes, void (*call)(void *arg), void *arg);

#endif
