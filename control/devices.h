/* SPDX-License-Identifier: GPL-2.0-only */
/* The interfaces that an instance is attached to: the numbers that stand behind the configuration's names. Pure of BPF. */
#ifndef TAILRACE_DEVICES_H
#define TAILRACE_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "tailrace.h"

struct devices {
	uint32_t n;
	uint32_t ifindexes[TR_DEVICES_MAX];	/* in the configuration's order, as last seen */
	uint32_t missing;			/* bit i: is away, and it was said */
};

/* -ENODEV, logged: one of them is not there, and *ret is untouched. */
int devices_find(const struct config *config, struct devices *ret);

/*
 * Are they still there? What is away is said once, and keeps its number. Returns bits: device i was made anew, its number is
 * another one now.
 */
uint32_t devices_check(struct devices *devices, const struct config *config);

bool devices_have(const struct devices *devices, uint32_t ifindex);

/* Does one of them have packets that XDP takes only in several buffers? */
bool devices_need_frags(const struct config *config);

#endif
