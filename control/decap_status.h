/* SPDX-License-Identifier: GPL-2.0-only */
/* What `tailrace decap` prints. */
#ifndef TAILRACE_DECAP_STATUS_H
#define TAILRACE_DECAP_STATUS_H

#include <stdio.h>

#include "decap.h"

/* How it is attached, and its lists. 0 or -errno. */
int decap_print_summary(const struct decap *decap, FILE *to);
/* The same and the counters. */
int decap_print_status(const struct decap *decap, bool json, FILE *to);

#endif
