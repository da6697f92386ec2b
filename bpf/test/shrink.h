/* SPDX-License-Identifier: GPL-2.0-only */
/* Random trials, and a failing one with as few steps as it needs. */
#ifndef TAILRACE_TEST_SHRINK_H
#define TAILRACE_TEST_SHRINK_H

#include "trial.h"

struct story {
	struct trial_shape shape;
	struct trial_step *steps;
	size_t n;
};

/* steps random steps of this seed, and the calm behind them. False: *ret_story is the way to the failure, freed by the caller. */
bool story_random(struct trial *trial, __u64 seed, size_t steps, struct story *ret_story);
/* True when nothing fails. */
bool story_tell(struct trial *trial, const struct story *story);
/* Leaves steps out as long as what fails is of the same kind. */
void story_shrink(struct trial *trial, struct story *story);
void story_print(const struct story *story, const char *why);

#endif
