// SPDX-License-Identifier: GPL-2.0-only
/* See check.h. */
#include "check.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NAME_MAX_LEN 120
#define SCENES_MAX 16

struct test_case {
	char name[NAME_MAX_LEN];
	struct scene scene;
	void (*function)(struct scene *scene);	/* or a frame: */
	struct packet_shape shape;
	struct packet *raw;		/* instead of the shape */
	enum tr_verdict verdict;
	__u32 vip;			/* 0: not asked */
};

struct cases {
	struct scene scenes[SCENES_MAX];
	size_t n_scenes;
	struct test_case *cases;
	size_t n, room;
};

static bool differ(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool differ(struct check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->why, sizeof(c->why), format, args);
	va_end(args);
	return false;
}

static bool same_bytes(struct check *c)
{
	const struct observed *o = &c->observed;
	const struct answer *a = &c->answer;
	size_t i;

	/* Dropped when all was done to it already: nobody sees it. */
	if (a->verdict == TR_V_NO_DEVICE || (o->len == a->len && !memcmp(o->data, a->data, o->len)))
		return true;
	for (i = 0; i < o->len && i < a->len; i++)
		if (o->data[i] != a->data[i])
			return differ(c, "%s: byte %zu is 0x%02x, expected 0x%02x", verdict_name(a->verdict), i,
				      o->data[i], a->data[i]);
	if (o->len != a->len)
		return differ(c, "%s: %zu bytes, expected %zu", verdict_name(a->verdict), o->len, a->len);
	return true;
}

static bool same_traffic(struct check *c, const char *what, const struct tr_traffic *real, __u32 n, __u32 number)
{
	static const struct tr_traffic none;
	__u32 i;

	for (i = 0; i < n; i++) {
		const struct tr_traffic *e = i == number ? &c->answer.traffic : &none, *r = &real[i];

		if (memcmp(e, r, sizeof(*e)))
			return differ(c, "%s %u counts %lld packets, %lld bytes, %lld new, expected %lld, %lld, %lld",
				      what, i, r->packets, r->bytes, r->new_flows, e->packets, e->bytes,
				      e->new_flows);
	}
	return true;
}

/* One of the answers that the reference has. */
static bool same(struct check *c, const struct world *world, __u32 verdict)
{
	if (verdict != TR_V_COUNT && verdict != c->answer.verdict)
		return differ(c, "verdict %s, expected %s", verdict_name(verdict), verdict_name(c->answer.verdict));
	if (c->observed.action != c->answer.action)
		return differ(c, "XDP action %u, expected %u (%s)", c->observed.action, c->answer.action,
			      verdict_name(c->answer.verdict));
	c->entropy = reference_adopt_entropy(world, &c->answer, c->observed.data, c->observed.len);
	return same_bytes(c);
}

/* Several backends may be right as far as can be seen. Those of the first verdict are kept as `maybe`. */
static bool same_as_some(struct check *c, const struct reference *r, const struct world *world, const __u8 *frame,
			 size_t len, __u32 verdict)
{
	struct answer routed = c->answer, right;
	bool found = false;
	unsigned int i;

	for (i = 0; i < routed.n_candidates; i++) {
		c->answer = routed;
		reference_send(r, world, frame, len, routed.candidates[i], &c->answer);
		if (!same(c, world, verdict))
			continue;
		c->unclear |= found && right.verdict != c->answer.verdict;
		if (!found)
			right = c->answer;
		if (right.verdict == c->answer.verdict)
			right.maybe[right.n_maybe++] = routed.candidates[i];
		found = true;
	}
	if (found)
		c->answer = right;
	return found;
}

bool check_observed(struct harness *harness, const struct world *world, const __u8 *frame, size_t len, __u32 verdict,
		    struct check *c)
{
	struct reference *r = harness_reference(harness);

	c->why[0] = 0;
	c->entropy = 0;
	c->unclear = false;
	c->verdict = verdict;
	reference_route(r, world, frame, len, &c->answer);
	if (c->answer.routed ? !same_as_some(c, r, world, frame, len, verdict) : !same(c, world, verdict))
		return false;
	if (c->unclear)
		return true;		/* to be asked again, with the verdict */
	reference_commit(r, world, &c->answer);
	return true;
}

bool check_frame(struct harness *harness, const struct world *world, const __u8 *frame, size_t len, struct check *c)
{
	const struct counted *counted;
	__u32 verdict;

	harness_run(harness, frame, len, &c->observed);
	counted = harness_count(harness);
	verdict = verdict_only(counted->verdicts);
	if (verdict == TR_V_COUNT) {
		c->verdict = verdict;
		return differ(c, "no verdict, or several");
	}
	return check_observed(harness, world, frame, len, verdict, c) &&
	       same_traffic(c, "VIP", counted->vips, world->limits.vips, c->answer.vip) &&
	       same_traffic(c, "backend", counted->backends, world->limits.backends, c->answer.backend);
}

void assert_frame(struct harness *harness, const struct world *world, const struct packet *packet,
		  enum tr_verdict verdict, struct check *ret)
{
	bool agree = check_frame(harness, world, packet->data, packet->len, ret);

	if (agree && ret->verdict == verdict)
		return;
	packet_print("packet", packet->data, packet->len);
	packet_print("result", ret->observed.data, ret->observed.len);
	if (!agree)
		fail_msg("programs and reference: %s (wanted: %s)", ret->why, verdict_name(verdict));
	fail_msg("programs and reference say %s, wanted %s", verdict_name(ret->verdict), verdict_name(verdict));
}

void assert_shape(struct harness *harness, const struct world *world, const struct packet_shape *shape,
		  enum tr_verdict verdict, struct check *ret)
{
	struct packet packet;

	packet_build(&packet, shape);
	assert_frame(harness, world, &packet, verdict, ret);
}

struct cases *cases_new(void)
{
	struct cases *cases = calloc(1, sizeof(*cases));

	assert(cases);
	return cases;
}

void cases_free(struct cases *cases)
{
	size_t i;

	for (i = 0; i < cases->n; i++)
		free(cases->cases[i].raw);
	for (i = 0; i < cases->n_scenes; i++) {
		if (cases->scenes[i].harness)
			harness_free(cases->scenes[i].harness);
		world_free(cases->scenes[i].world);
	}
	free(cases->cases);
	free(cases);
}

struct scene *cases_use(struct cases *cases, struct world *world, __u32 cache_size)
{
	struct scene *scene = &cases->scenes[cases->n_scenes++];

	assert(cases->n_scenes <= SCENES_MAX);
	scene->world = world;
	if (getenv(CASES_WRITE))
		return scene;		/* nothing is going to run */
	scene->harness = harness_new(&world->limits, cache_size);
	harness_apply(scene->harness, world);
	return scene;
}

static struct test_case *cases_next(struct cases *cases, enum tr_verdict verdict)
{
	struct test_case *c;

	if (cases->n == cases->room) {
		cases->room = cases->room ? 2 * cases->room : 64;
		cases->cases = realloc(cases->cases, cases->room * sizeof(*cases->cases));
		assert(cases->cases);
	}
	c = &cases->cases[cases->n++];
	*c = (struct test_case){ .verdict = verdict, .scene = cases->scenes[cases->n_scenes - 1] };
	return c;
}

void cases_add(struct cases *cases, const struct packet_shape *shape, enum tr_verdict verdict, const char *name, ...)
{
	struct test_case *c = cases_next(cases, verdict);
	va_list args;
	int len;

	c->shape = *shape;
	va_start(args, name);
	len = vsnprintf(c->name, sizeof(c->name), name, args);
	va_end(args);
	assert(len < NAME_MAX_LEN);
	snprintf(c->name + len, sizeof(c->name) - len, ": %s", verdict_name(verdict));
}

void cases_add_vip(struct cases *cases, const struct packet_shape *shape, __u32 vip, const char *name)
{
	struct test_case *c = cases_next(cases, TR_V_FORWARDED);

	c->shape = *shape;
	c->vip = vip;
	snprintf(c->name, sizeof(c->name), "%s: VIP %u", name, vip);
}

void cases_add_raw(struct cases *cases, const struct packet *packet, enum tr_verdict verdict, const char *name)
{
	struct test_case *c = cases_next(cases, verdict);

	c->raw = malloc(sizeof(*c->raw));
	assert(c->raw);
	*c->raw = *packet;
	snprintf(c->name, sizeof(c->name), "%s: %s", name, verdict_name(verdict));
}

void cases_add_function(struct cases *cases, void (*function)(struct scene *scene), long arg, const char *name, ...)
{
	struct test_case *c = cases_next(cases, TR_V_COUNT);
	va_list args;

	c->function = function;
	c->scene.arg = arg;
	va_start(args, name);
	vsnprintf(c->name, sizeof(c->name), name, args);
	va_end(args);
}

static void run_case(void **state)
{
	struct test_case *c = *state;
	struct check check;

	/* An earlier test may have failed between its packets and their count. */
	harness_count(c->scene.harness);
	if (c->function && c->scene.before)
		c->scene.before(&c->scene);
	if (c->function)
		c->function(&c->scene);
	else if (c->raw)
		assert_frame(c->scene.harness, c->scene.world, c->raw, c->verdict, &check);
	else
		assert_shape(c->scene.harness, c->scene.world, &c->shape, c->verdict, &check);
	if (c->vip)
		assert_int_equal(check.answer.vip, c->vip);
}

/* The packets of all cases, each its length in 2 bytes and its data. Returns 0 or 1, as cases_run(). */
static int cases_write(const struct cases *cases, const char *path)
{
	FILE *file = fopen(path, "ab");
	struct packet packet;
	size_t i;

	if (!file)
		return 1;
	for (i = 0; i < cases->n; i++) {
		const struct test_case *c = &cases->cases[i];
		__u16 len;

		if (c->function)
			continue;
		if (!c->raw)
			packet_build(&packet, &c->shape);
		else
			packet = *c->raw;
		len = packet.len;
		fwrite(&len, sizeof(len), 1, file);
		fwrite(packet.data, len, 1, file);
	}
	return fclose(file) != 0;
}

int cases_run(struct cases *cases, const char *group)
{
	struct CMUnitTest *tests = calloc(cases->n, sizeof(*tests));
	size_t i;
	int failed;

	if (getenv(CASES_WRITE)) {
		free(tests);
		return cases_write(cases, getenv(CASES_WRITE));
	}
	assert(tests);
	for (i = 0; i < cases->n; i++)
		tests[i] = (struct CMUnitTest){ .name = cases->cases[i].name, .test_func = run_case,
						.initial_state = &cases->cases[i] };
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests(group, tests, cases->n, NULL, NULL);
	free(tests);
	return failed;
}
