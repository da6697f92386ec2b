// SPDX-License-Identifier: GPL-2.0-only
/* See shrink.h. Steps are data, so that any part of them is a story too (Zeller's delta debugging, with halves only). */
#include "shrink.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELLINGS_MAX 4000

bool story_random(struct trial *t, __u64 seed, size_t steps, struct story *ret)
{
	struct story story = { .shape = trial_shape_of(seed) };
	struct rng rng = rng_new(~seed);
	bool good;
	size_t i;

	story.steps = calloc(steps + 1, sizeof(*story.steps));
	if (!story.steps)
		errx(1, "out of memory");
	good = trial_begin(t, &story.shape);
	for (i = 0; good && i <= steps; i++) {
		story.steps[i] = i < steps ? trial_next(t, &rng) : (struct trial_step){ .kind = STEP_CALM };
		good = trial_do(t, &story.steps[i]);
	}
	story.n = i;
	if (good)
		free(story.steps);
	else
		*ret = story;
	return good;
}

bool story_tell(struct trial *t, const struct story *story)
{
	size_t i;

	if (!trial_begin(t, &story->shape))
		return false;
	for (i = 0; i < story->n; i++)
		if (!trial_do(t, &story->steps[i]))
			return false;
	return true;
}

/* What stands ahead of the first colon and what follows: numbers differ, the kind does not. */
static void kind_of(const char *why, char ret[64])
{
	size_t n = 0;

	for (; *why && n < 63; why++)
		if (*why < '0' || *why > '9')
			ret[n++] = *why;
	ret[n] = 0;
	if (n > 24)
		ret[24] = 0;
}

static bool fails_alike(struct trial *t, const struct story *story, const char *kind)
{
	char other[64];

	if (story_tell(t, story))
		return false;
	kind_of(t->why, other);
	return !strcmp(kind, other);
}

static void without(const struct story *story, size_t at, size_t n, struct story *ret)
{
	memcpy(ret->steps, story->steps, at * sizeof(*ret->steps));
	memcpy(ret->steps + at, story->steps + at + n, (story->n - at - n) * sizeof(*ret->steps));
	ret->n = story->n - n;
}

/* One time instead of two that follow each other. */
static void merge_times(struct trial *t, struct story *story, const char *kind, size_t *told)
{
	struct trial_step was;
	size_t i, left;

	for (i = 0; i + 1 < story->n;) {
		was = story->steps[i];
		if (was.kind != STEP_TIME || story->steps[i + 1].kind != STEP_TIME || (*told)++ >= TELLINGS_MAX) {
			i++;
			continue;
		}
		left = story->n - i - 1;
		story->steps[i + 1].a += was.a;
		memmove(&story->steps[i], &story->steps[i + 1], left * sizeof(*story->steps));
		story->n--;
		if (fails_alike(t, story, kind))
			continue;
		memmove(&story->steps[i + 1], &story->steps[i], left * sizeof(*story->steps));
		story->n++;
		story->steps[i + 1].a -= was.a;
		story->steps[i++] = was;
	}
}

/* Shorter times, smaller floods: half, as often as it goes. */
static void make_smaller(struct trial *t, struct story *story, const char *kind, size_t *told)
{
	size_t i;

	for (i = 0; i < story->n; i++) {
		struct trial_step *s = &story->steps[i];
		__u32 *number = s->kind == STEP_TIME ? &s->a : s->kind == STEP_FLOOD ? &s->c : NULL, was;

		while (number && *number > 1 && (*told)++ < TELLINGS_MAX) {
			was = *number;
			*number /= 2;
			if (!fails_alike(t, story, kind)) {
				*number = was;
				break;
			}
		}
	}
}

void story_shrink(struct trial *t, struct story *story)
{
	struct story smaller = { .shape = story->shape };
	size_t part, at, before, told = 0;
	char kind[64];

	kind_of(t->why, kind);
	smaller.steps = calloc(story->n, sizeof(*smaller.steps));
	if (!smaller.steps)
		errx(1, "out of memory");
	do {
		before = story->n;
		for (part = (story->n + 1) / 2; part; part /= 2)
			for (at = 0; at + part <= story->n && told++ < TELLINGS_MAX;) {
				without(story, at, part, &smaller);
				if (!fails_alike(t, &smaller, kind)) {
					at += part;
					continue;
				}
				story->n = smaller.n;
				memcpy(story->steps, smaller.steps, smaller.n * sizeof(*smaller.steps));
			}
		merge_times(t, story, kind, &told);
	} while (story->n < before && told < TELLINGS_MAX);
	make_smaller(t, story, kind, &told);
	free(smaller.steps);
	t->trace = true;
	story_tell(t, story);
	t->trace = false;
}

void story_print(const struct story *story, const char *why)
{
	size_t i;

	trial_print_shape(&story->shape);
	fprintf(stderr, "# steps { kind, a, b, c, d }:\n");
	for (i = 0; i < story->n; i++)
		trial_print_step(&story->steps[i]);
	fprintf(stderr, "# %s\n", why);
}
