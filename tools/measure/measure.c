// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "check.h"
#include "log.h"
#include "measure.h"
#include "tools/bench.skel.h"

#define CHECK_REPEATS 1000
#define LOOPBACK_IFINDEX 1

/*
 * A program that no device uses is put into the kernel's XDP dispatcher before every test run and taken out after it,
 * each with an RCU grace period: more time than the run itself. The loopback device is that of the process's own
 * network namespace, and down.
 */
static int hold(const struct bench_bpf *programs)
{
	int fd = bpf_program__fd(programs->progs.bench_front);
	int err = bpf_xdp_attach(LOOPBACK_IFINDEX, fd, XDP_FLAGS_SKB_MODE, NULL);

	return err ? log_err(err, "attaching the front program") : 0;
}

int bench_open(struct bench *bench, const struct scenario *scenario, uint64_t seed)
{
	struct bench_bpf *programs = bench_bpf__open();
	struct front front;
	int err;

	*bench = (struct bench){ .programs = programs, .scenario = scenario };
	if (!programs)
		return log_err(-errno, "opening the front program");
	bench->len = scenario_frame(scenario, seed, bench->frame, &front);
	memcpy((void *)&programs->rodata->front, &front, sizeof(front));
	programs->bss->state = seed;
	err = bench_bpf__load(programs);
	return err ? log_err(err, "loading the front program") : hold(programs);
}

void bench_close(struct bench *bench)
{
	bench_bpf__destroy(bench->programs);
	bench->programs = NULL;
}

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/*
 * The thread's own CPU time rather than the kernel's figure, which is in whole nanoseconds. The packet goes in with
 * as many bytes in front as the program under test adds: as it looks after every later run.
 */
static int run(struct bench *bench, int prog_fd, size_t added, uint32_t repeat, struct check_run *ret, double *ret_ns)
{
	uint8_t in[BENCH_FRAME_MAX] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = added + bench->len,
		    .data_out = ret->frame, .data_size_out = sizeof(ret->frame), .repeat = repeat);
	uint32_t zero = 0;
	double start;

	if (bpf_map_update_elem(bpf_map__fd(bench->programs->maps.target), &zero, &prog_fd, BPF_ANY))
		return log_err(-errno, "%s: placing the program under test", bench->scenario->name);
	memcpy(in + added, bench->frame, bench->len);
	bench->programs->bss->pull = added;
	start = cpu_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(bench->programs->progs.bench_front), &opts))
		return log_err(-errno, "%s: test run", bench->scenario->name);
	*ret_ns = (cpu_ns() - start) / repeat;
	ret->action = opts.retval;
	ret->len = opts.data_size_out;
	return 0;
}

static int time_run(struct bench *bench, int prog_fd, size_t added, uint32_t action, uint32_t repeat, double *ret_ns)
{
	struct check_run result;
	int err = run(bench, prog_fd, added, repeat, &result, ret_ns);

	if (!err && result.action != action)
		return log_err(-EBADMSG, "%s: XDP action %u instead of %u", bench->scenario->name, result.action,
			       action);
	return err;
}

static int floor_fd(const struct bench *bench)
{
	return bpf_program__fd(bench->scenario->family == FRONT_IPV6 ? bench->programs->progs.bench_floor6 :
								       bench->programs->progs.bench_floor4);
}

int bench_time_tx(struct bench *bench, uint32_t repeat, double *ret_ns)
{
	return time_run(bench, bpf_program__fd(bench->programs->progs.bench_tx), 0, XDP_TX, repeat, ret_ns);
}

int bench_time_floor(struct bench *bench, uint32_t repeat, double *ret_ns)
{
	return time_run(bench, floor_fd(bench), scenario_floor_added(bench->scenario), XDP_TX, repeat, ret_ns);
}

int bench_time_target(struct bench *bench, const struct target *target, uint32_t repeat, double *ret_ns)
{
	uint32_t action = bench->scenario->verdict == TR_V_FORWARDED ? XDP_TX : XDP_PASS;

	return time_run(bench, target->entry, scenario_added(bench->scenario), action, repeat, ret_ns);
}

int bench_check_floor(struct bench *bench)
{
	size_t added = scenario_floor_added(bench->scenario);
	struct check_run result;
	double ns;
	int err = run(bench, floor_fd(bench), added, CHECK_REPEATS, &result, &ns);

	return err ?: check_forwarded(bench->scenario, "floor", &result, added, bench->len);
}

int bench_prepare_target(struct bench *bench, const struct target *target)
{
	struct check_run result;
	int err = records_clear(target);
	double ns;

	if (err || !bench->scenario->before)
		return err;
	return run(bench, target->entry, scenario_added(bench->scenario), bench->scenario->before, &result, &ns);
}

int bench_check_target(struct bench *bench, const struct target *target)
{
	const struct scenario *scenario = bench->scenario;
	struct records_counts records_before, records_after;
	struct target_counts before, after;
	struct check_run result;
	double ns;
	int err = target_count(target, &before);

	err = err ?: records_count(target, &records_before);
	err = err ?: run(bench, target->entry, scenario_added(scenario), CHECK_REPEATS, &result, &ns);
	err = err ?: target_count(target, &after);
	err = err ?: records_count(target, &records_after);
	if (err)
		return err;
	if (scenario->verdict == TR_V_FORWARDED) {
		err = check_forwarded(scenario, "tailrace", &result, scenario_added(scenario), bench->len);
		err = err ?: check_backend(scenario, &result);
	} else {
		err = check_passed(scenario, &result, bench->frame, bench->len);
	}
	err = err ?: check_counts(scenario, &before, &after, CHECK_REPEATS);
	return err ?: check_records(scenario, &records_before, &records_after, CHECK_REPEATS);
}
