// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ought not to happen: numbers in one map that another does not have, and a driver without headroom. Each is a
 * verdict, and the packet is as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "check.h"
#include "mixes.h"
#include "util.h"

static void assert_unchanged(struct scene *scene, int prog_fd, const struct packet *sent, const struct packet *back,
			     enum tr_verdict verdict)
{
	const struct tr_traffic none = {};
	const struct counted *counted;
	struct observed observed;
	__u32 i;

	harness_run_prog(prog_fd, sent->data, sent->len, &observed);
	counted = harness_count(scene->harness);
	assert_string_equal(verdict_name(verdict_only(counted->verdicts)), verdict_name(verdict));
	assert_int_equal(observed.action, verdict_action(verdict));
	assert_int_equal(observed.len, back->len);
	assert_memory_equal(observed.data, back->data, back->len);
	for (i = 0; i < scene->world->limits.vips; i++)
		assert_memory_equal(&counted->vips[i], &none, sizeof(none));
	for (i = 0; i < scene->world->limits.backends; i++)
		assert_memory_equal(&counted->backends[i], &none, sizeof(none));
}

static void assert_internal(struct scene *scene, __u8 proto)
{
	struct packet_shape shape = mix_shape(0, proto);
	struct packet packet;

	harness_apply(scene->harness, scene->world);
	packet_build(&packet, &shape);
	assert_unchanged(scene, harness_entry_fd(scene->harness), &packet, &packet, TR_V_INTERNAL);
	assert_unchanged(scene, harness_entry_fd(scene->harness), &packet, &packet, TR_V_INTERNAL);
}

static void test_not_filled(struct scene *scene)
{
	struct packet_shape shape = mix_shape(scene->arg, IPPROTO_TCP);
	struct packet packet;

	harness_apply(scene->harness, scene->world);
	harness_unfill(scene->harness);
	packet_build(&packet, &shape);
	assert_unchanged(scene, harness_entry_fd(scene->harness), &packet, &packet, TR_V_NOT_VIP);
}

static void test_vip_beyond_the_map(struct scene *scene)
{
	__u32 i;

	for (i = 0; i < scene->world->n_services; i++)
		scene->world->services[i].vip = scene->world->limits.vips + scene->arg;
	assert_internal(scene, IPPROTO_TCP);
	assert_internal(scene, IPPROTO_UDP);
}

static void test_ring_beyond_the_map(struct scene *scene)
{
	scene->world->vips[1].ring = scene->world->limits.words + scene->arg;
	assert_internal(scene, IPPROTO_TCP);
	assert_internal(scene, IPPROTO_UDP);
}

/*
 * BPF_PROG_TEST_RUN always leaves 256 bytes in front. This program takes BACK of them, copies the packet's headers to
 * its new front, and goes on to the entry.
 */
#define BACK 208
#define HEADERS 96

#define INSN(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV_REG(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define CALL(helper) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##helper)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define UNLESS_ZERO_EXIT() INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1, 0), EXIT()
#define LOAD_MAP(d, fd) INSN(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
#define COPY(helper, at)                                                                                             \
	MOV_REG(1, 6), MOV_IMM(2, at), MOV_REG(3, 10), ADD_IMM(3, -HEADERS), MOV_IMM(4, HEADERS), CALL(helper),      \
	UNLESS_ZERO_EXIT()

static int load_front(int next)
{
	const struct bpf_insn front[] = {
		MOV_REG(6, 1), MOV_IMM(2, -BACK), CALL(xdp_adjust_head), UNLESS_ZERO_EXIT(),
		COPY(xdp_load_bytes, BACK),
		COPY(xdp_store_bytes, 0),
		MOV_REG(1, 6), LOAD_MAP(2, next), MOV_IMM(3, 0), CALL(tail_call),
		MOV_IMM(0, XDP_ABORTED), EXIT(),
	};

	/* As libbpf loads SEC("xdp"): else the kernel refuses to tail-call from one to the other. */
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP);

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "front", "GPL", front, ARRAY_SIZE(front), &opts);
}

static void test_no_headroom(struct scene *scene)
{
	struct packet_shape shape = mix_shape(scene->arg, IPPROTO_TCP);
	struct packet packet, expected;
	int entry = harness_entry_fd(scene->harness), next, front;
	__u32 slot = 0;

	shape.payload = 60;
	packet_build(&packet, &shape);
	expected.len = packet.len + BACK;
	memset(expected.data, 0, BACK);
	memcpy(expected.data + BACK, packet.data, packet.len);
	memcpy(expected.data, packet.data, HEADERS);

	next = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "next", sizeof(__u32), sizeof(__u32), 1, NULL);
	assert_true(next >= 0);
	assert_int_equal(bpf_map_update_elem(next, &slot, &entry, BPF_ANY), 0);
	front = load_front(next);
	assert_true(front >= 0);
	assert_unchanged(scene, front, &packet, &expected, TR_V_NO_HEADROOM);
	close(front);
	close(next);
}

int main(void)
{
	struct cases *cases = cases_new();
	size_t i;
	int failed;

	for (i = 0; i < 2; i++) {
		cases_use(cases, world_standard(), 64);
		cases_add_function(cases, test_vip_beyond_the_map, i ? 100000 : 0, "VIP number %s", i ? "far beyond" :
				   "just beyond");
		cases_use(cases, world_standard(), 64);
		cases_add_function(cases, test_ring_beyond_the_map, i ? 0x70000000 : 0, "ring %s its map", i ?
				   "far beyond" : "just beyond");
	}
	cases_use(cases, world_standard(), 64);
	for (i = 0; i < MIXES; i++)
		cases_add_function(cases, test_not_filled, i, "maps that nobody has filled, %s", mixes[i].name);
	cases_use(cases, world_standard(), 64);
	for (i = 0; i < MIXES; i++)
		cases_add_function(cases, test_no_headroom, i, "no headroom, %s", mixes[i].name);
	failed = cases_run(cases, "limits");
	cases_free(cases);
	return failed != 0;
}
