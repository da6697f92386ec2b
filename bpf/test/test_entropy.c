// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flow's entropy in the outer source address, by which backends' NICs spread flows over their queues: equal for
 * the packets of a flow, spread over all bits of the mask for many flows, and nothing outside of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "check.h"
#include "mixes.h"
#include "util.h"

static __u64 entropy_of(struct scene *scene, const struct packet_shape *shape)
{
	struct check check;

	assert_shape(scene->harness, scene->world, shape, TR_V_FORWARDED, &check);
	return check.entropy;
}

static void test_entropy_of_a_flow(struct scene *scene)
{
	int flow, i;

	srand(3);
	for (flow = 0; flow < 50; flow++) {
		struct packet_shape shape = mix_shape(scene->arg, flow % 2 ? IPPROTO_TCP : IPPROTO_UDP);
		__u64 first;

		shape.sport = rand();
		first = entropy_of(scene, &shape);
		for (i = 0; i < 10; i++) {
			shape.payload = rand() % 300;
			shape.tos = rand();
			shape.tcp_flags = rand();
			shape.tcp_options = rand() % 5 * 4;
			shape.padding = rand() % 20;
			assert_true(entropy_of(scene, &shape) == first);
		}
	}
}

/* The source's part of the entropy, in the low bits; without the flow label, which is free to be anything. */
static __u32 source_entropy(struct scene *scene, const struct packet_shape *shape, bool to6)
{
	__u64 entropy = entropy_of(scene, shape);

	return ntohl(to6 ? entropy >> 32 : entropy);
}

static int compare_u32(const void *a, const void *b)
{
	__u32 x = *(const __u32 *)a, y = *(const __u32 *)b;

	return x < y ? -1 : x > y;
}

/* Backends' NICs spread by it: 1,024 flows of 16 or more bits hardly collide, and every bit is in use. */
static void test_entropy_of_many_flows(struct scene *scene)
{
	bool to6 = mixes[scene->arg].outer_len == 40;
	__u32 mask = ntohl(to6 ? scene->world->settings.entropy6 : scene->world->settings.entropy4);
	struct packet_shape shape = mix_shape(scene->arg, IPPROTO_TCP);
	__u32 values[1024], ones = 0, zeros = 0, distinct = 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		shape.sport = 1024 + i;
		values[i] = source_entropy(scene, &shape, to6);
		ones |= values[i];
		zeros |= ~values[i];
	}
	assert_int_equal(ones & mask, mask);
	assert_int_equal(zeros & mask, mask);
	qsort(values, ARRAY_SIZE(values), sizeof(values[0]), compare_u32);
	for (i = 1; i < ARRAY_SIZE(values); i++)
		distinct += values[i] != values[i - 1];
	assert_true(distinct >= (mask > 0xff ? 950 : 200));
}

static void add_entropy(struct cases *cases)
{
	static const struct {
		__u32 saddr4, mask4, mask6;
	} masks[] = {
		{ 0xac100000, 0xffff, 0xffffffff }, { 0xac100000, 0xfffff, 0xffff },
		{ 0x0a000000, 0xffffff, 0xffffff }, { 0xc0a83700, 0xff, 0xff },
	};
	size_t i, k, mix;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		struct world *world = world_standard();

		for (k = 1; k <= 2; k++) {
			world->backends[k].v4.saddr = htonl(masks[i].saddr4);
			backend_sum(&world->backends[k]);
		}
		world->settings.entropy4 = htonl(masks[i].mask4);
		world->settings.entropy6 = htonl(masks[i].mask6);
		cases_use(cases, world, 64);
		for (mix = 0; mix < MIXES; mix++) {
			__u32 mask = mixes[mix].outer_len == 40 ? masks[i].mask6 : masks[i].mask4;

			cases_add_function(cases, test_entropy_of_a_flow, mix, "%s, mask 0x%x, one flow's entropy",
					   mixes[mix].name, mask);
			cases_add_function(cases, test_entropy_of_many_flows, mix,
					   "%s, mask 0x%x, entropy of 1,024 flows", mixes[mix].name, mask);
		}
	}
}

int main(void)
{
	struct cases *cases = cases_new();
	int failed;

	add_entropy(cases);
	failed = cases_run(cases, "entropy");
	cases_free(cases);
	return failed != 0;
}
