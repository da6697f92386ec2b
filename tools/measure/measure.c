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
static int hold(const struct bench *bench)
{
	int fd = bpf_program__fd(bench->front);
	int err = bpf_xdp_attach(LOOPBACK_IFINDEX, fd, XDP_FLAGS_SKB_MODE, NULL);

	return err ? log_err(err, "attaching the front program") : 0;
}

bool bench_can_run(const struct scenario *scenario, const struct target *target)
{
	return target->has_stage[scenario_stage(scenario)];
}

int bench_open(struct bench *bench, const struct scenario *scenario, uint64_t seed)
{
	struct bench_bpf *programs = bench_bpf__open();
	struct bpf_program *unused;
	struct front front;
	int err;

	*bench = (struct bench){ .programs = programs, .scenario = scenario };
	if (!programs)
		return log_err(-errno, "opening the front program");
	bench->len = scenario_frame(scenario, seed, bench->frame, &front);
	bench->first_len = scenario_first_fragment(scenario, bench->first);
	bench->front = front.shape ? programs->progs.bench_front_odd : programs->progs.bench_front;
	unused = front.shape ? programs->progs.bench_front : programs->progs.bench_front_odd;
	bpf_program__set_autoload(unused, false);
	memcpy((void *)&programs->rodata->front, &front, sizeof(front));
	programs->bss->state = seed;
	err = bench_bpf__load(programs);
	return err ? log_err(err, "loading the front program") : hold(bench);
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
 * as many bytes in front as the program under test adds, and as many less at its end as it cuts: as it looks after every later run.
 */
static int run(struct bench *bench, int prog_fd, size_t added, size_t cut, uint32_t repeat, struct check_run *ret, double *ret_ns)
{
	uint8_t in[BENCH_FRAME_MAX] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = added + bench->len - cut,
		    .data_out = ret->frame, .data_size_out = sizeof(ret->frame), .repeat = repeat);
	uint32_t zero = 0;
	double start;

	if (bpf_map_update_elem(bpf_map__fd(bench->programs->maps.target), &zero, &prog_fd, BPF_ANY))
		return log_err(-errno, "%s: placing the program under test", bench->scenario->name);
	memcpy(in + added, bench->frame, bench->len);
	bench->programs->bss->pull = added;
	bench->programs->bss->trim = (int)cut - (int)scenario_cut(bench->scenario);
	start = cpu_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(bench->front), &opts))
		return log_err(-errno, "%s: test run", bench->scenario->name);
	*ret_ns = (cpu_ns() - start) / repeat;
	ret->action = opts.retval;
	ret->len = opts.data_size_out;
	return 0;
}

static int run_target(struct bench *bench, const struct target *target, uint32_t repeat, struct check_run *ret, double *ret_ns)
{
	return run(bench, target->entry, scenario_added(bench->scenario), scenario_cut(bench->scenario), repeat, ret, ret_ns);
}

/* What becomes of a first fragment is remembered for seconds only: it goes through before every run. */
static int send_first(struct bench *bench, const struct target *target)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bench->first, .data_size_in = bench->first_len, .repeat = 1);

	if (!bench->first_len)
		return 0;
	if (bpf_prog_test_run_opts(target->entry, &opts))
		return log_err(-errno, "%s: first fragment", bench->scenario->name);
	return opts.retval == XDP_TX ? 0 : log_err(-EBADMSG, "%s: first fragment: XDP action %u", bench->scenario->name, opts.retval);
}

static int expect(const struct bench *bench, const struct check_run *result, uint32_t action)
{	if (result->action != action)
		return log_err(-EBADMSG, "%s: XDP action %u instead of %u", bench->scenario->name, result->action, action);
	return 0;
}

static int floor_fd(const struct bench *bench)
{
	return bpf_program__fd(bench->scenario->family == FRONT_IPV6 ? bench->programs->progs.bench_floor6 :
								       bench->programs->progs.bench_floor4);
}

int bench_time_tx(struct bench *bench, uint32_t repeat, double *ret_ns)
{
	struct check_run result;
	int err = run(bench, bpf_program__fd(bench->programs->progs.bench_tx), 0, 0, repeat, &result, ret_ns);

	return err ?: expect(bench, &result, XDP_TX);
}

int bench_time_floor(struct bench *bench, uint32_t repeat, double *ret_ns)
{
	struct check_run result;
	int err = run(bench, floor_fd(bench), scenario_floor_added(bench->scenario), 0, repeat, &result, ret_ns);

	return err ?: expect(bench, &result, XDP_TX);
}

int bench_time_target(struct bench *bench, const struct target *target, uint32_t repeat, double *ret_ns)
{
	bool leaves = scenario_is_forwarded(bench->scenario) || scenario_is_answered(bench->scenario);
	struct check_run result;
	int err = send_first(bench, target);

	err = err ?: run_target(bench, target, repeat, &result, ret_ns);
	return err ?: expect(bench, &result, leaves ? XDP_TX : XDP_PASS);
}

int bench_check_floor(struct bench *bench)
{
	size_t added = scenario_floor_added(bench->scenario);
	struct check_run result;
	double ns;
	int err = run(bench, floor_fd(bench), added, 0, CHECK_REPEATS, &result, &ns);

	return err ?: check_floor(bench->scenario, &result, bench->frame, bench->len);
}

int bench_prepare_target(struct bench *bench, const struct target *target)
{
	struct check_run result;
	int err = records_clear(target);
	double ns;

	if (err || !bench->scenario->before)
		return err;
	return run_target(bench, target, bench->scenario->before, &result, &ns);
}

static int check_packet(const struct bench *bench, const struct check_run *result)
{
	const struct scenario *scenario = bench->scenario;

	if (scenario_is_forwarded(scenario))
		return check_forwarded(scenario, result, bench->frame, bench->len);
	if (scenario_is_answered(scenario))
		return check_answered(scenario, result, bench->frame, bench->len);
	return check_passed(scenario, result, bench->frame, bench->len);
}

int bench_check_target(struct bench *bench, const struct target *target)
{
	const struct scenario *scenario = bench->scenario;
	struct records_counts records_before, records_after;
	struct target_counts before, after;
	struct check_run result;
	double ns;
	int err = send_first(bench, target);

	err = err ?: target_count(target, &before);
	err = err ?: records_count(target, &records_before);
	err = err ?: run_target(bench, target, CHECK_REPEATS, &result, &ns);
	err = err ?: target_count(target, &after);
	err = err ?: records_count(target, &records_after);
	if (err)
		return err;
	err = check_packet(bench, &result);
	err = err ?: check_counts(scenario, &before, &after, CHECK_REPEATS);
	return err ?: check_records(scenario, &records_before, &records_after, CHECK_REPEATS);
}
