/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One frame through the programs and through the reference: the same verdict and only that, the verdict's XDP action,
 * the same bytes, the same counters. And tables of such frames, each a test with a name.
 */
#ifndef TAILRACE_TEST_CHECK_H
#define TAILRACE_TEST_CHECK_H

#include "harness.h"
#include "reference.h"

struct check {
	struct observed observed;
	struct answer answer;		/* the reference's; of the backend that the programs chose */
	__u32 verdict;			/* the programs'; TR_V_COUNT: none, or several */
	__u64 entropy;			/* of a packet that was sent */
	bool unclear;			/* only the verdict can tell which answer of the reference it was */
	char why[512];			/* what differs */
};

/* True when they agree. The harness holds the world already. */
bool check_frame(struct harness *harness, const struct world *world, const __u8 *frame, size_t len,
		 struct check *ret);

/*
 * What has come back (check->observed) against the reference's answer, which is committed; verdict: TR_V_COUNT where nobody
 * has looked yet.
 */
bool check_observed(struct harness *harness, const struct world *world, const __u8 *frame, size_t len, __u32 verdict,
		    struct check *check);

/* Fails the running test unless they agree, and on this verdict. */
void assert_frame(struct harness *harness, const struct world *world, const struct packet *packet,
		  enum tr_verdict verdict, struct check *ret);
void assert_shape(struct harness *harness, const struct world *world, const struct packet_shape *shape,
		  enum tr_verdict verdict, struct check *ret);

/* In the environment: a file to which cases_run() appends the frames of all cases, instead of running any (corpus.c). */
#define CASES_WRITE "CASES_WRITE"

/*
 * A table of shapes and verdicts, every case a test of its own, and tests of other kinds in the same run: a test
 * program prints one TAP plan.
 */
struct cases;
struct cases *cases_new(void);
void cases_free(struct cases *cases);		/* and the worlds and harnesses that it was given */

/* A world and its harness: what a test that is a function works on, and may change. */
struct scene {
	struct harness *harness;
	struct world *world;
	void (*before)(struct scene *scene);	/* ahead of every function: undo what the last did, or NULL */
	long arg;
};

/* What is added from here on runs in this world, with a harness of its own. Frames do not call `before`. */
struct scene *cases_use(struct cases *cases, struct world *world, __u32 cache_size);
void cases_add(struct cases *cases, const struct packet_shape *shape, enum tr_verdict verdict, const char *name, ...)
	__attribute__((format(printf, 4, 5)));
/* Forwarded, and for this VIP. */
void cases_add_vip(struct cases *cases, const struct packet_shape *shape, __u32 vip, const char *name);
void cases_add_raw(struct cases *cases, const struct packet *packet, enum tr_verdict verdict, const char *name);

void cases_add_function(struct cases *cases, void (*function)(struct scene *scene), long arg, const char *name, ...)
	__attribute__((format(printf, 4, 5)));

int cases_run(struct cases *cases, const char *group);		/* failed tests */

#endif
