// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "measure.h"
#include "stats.h"
#include "util.h"
#include "worker.h"

enum program { TX, FLOOR, TARGET, AGAINST, PROGRAMS };

#define SAMPLES_MAX 64

static int time_program(struct bench *bench, const struct target *targets, enum program program, uint32_t packets,
			double *ret_ns)
{
	if (program == TX)
		return bench_time_tx(bench, packets, ret_ns);
	if (program == FLOOR)
		return bench_time_floor(bench, packets, ret_ns);
	return bench_time_target(bench, &targets[program - TARGET], packets, ret_ns);
}

static bool has(const struct worker_job *job, const struct bench *bench, const struct target *targets, enum program program)
{
	if (program < TARGET)
		return true;
	return (program == TARGET || job->against) && bench_can_run(bench->scenario, &targets[program - TARGET]);
}

static int check(const struct worker_job *job, struct bench *bench, const struct target *targets)
{
	int err = bench_check_floor(bench);

	for (int i = 0; i < WORKER_TARGETS && !err; i++) {
		if (!has(job, bench, targets, TARGET + i))
			continue;
		err = bench_prepare_target(bench, &targets[i]);
		err = err ?: bench_check_target(bench, &targets[i]);
	}
	return err;
}

/* The programs take turns, each time another one first; the first round warms caches up and does not count. */
static int sample(const struct worker_job *job, struct bench *bench, const struct target *targets,
		  double ns[PROGRAMS][SAMPLES_MAX])
{
	int programs = 0, err = 0;
	enum program present[PROGRAMS];
	double ignored;

	for (enum program program = 0; program < PROGRAMS; program++)
		if (has(job, bench, targets, program))
			present[programs++] = program;
	for (int i = 0; i < programs && !err; i++)
		err = time_program(bench, targets, present[i], job->packets, &ignored);
	for (uint32_t i = 0; i < job->samples && !err; i++)
		for (int turn = 0; turn < programs && !err; turn++) {
			enum program program = present[(i + turn) % programs];

			err = time_program(bench, targets, program, job->packets, &ns[program][i]);
		}
	return err;
}

static int measure(const struct worker_job *job, const struct scenario *scenario, const struct target *targets,
		   struct worker_result *ret)
{
	double ns[PROGRAMS][SAMPLES_MAX], tx;
	struct bench bench;
	uint64_t seed;
	int err;

	*ret = (struct worker_result){ .ns = { NAN, NAN } };
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return log_err(-errno, "random seed");
	err = bench_open(&bench, scenario, seed);
	err = err ?: check(job, &bench, targets);
	err = err ?: sample(job, &bench, targets, ns);
	if (!err) {
		tx = stats_median(ns[TX], job->samples);
		ret->floor = stats_median(ns[FLOOR], job->samples) - tx;
	}
	for (int i = 0; i < WORKER_TARGETS && !err; i++)
		if (has(job, &bench, targets, TARGET + i))
			ret->ns[i] = stats_median(ns[TARGET + i], job->samples) - tx;
	bench_close(&bench);
	return err;
}

/* To the last CPU that it may use: the first one gets most interrupts. */
static int pin(void)
{
	cpu_set_t allowed, one;
	int last = -1;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return log_err(-errno, "reading the CPU affinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			last = cpu;
	CPU_ZERO(&one);
	CPU_SET(last, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return log_err(-errno, "pinning to CPU %d", last);
	return 0;
}

static int measure_all(const struct worker_job *job, struct target *targets, FILE *to)
{
	struct worker_result result;
	int err = pin();

	if (!err && unshare(CLONE_NEWNET))
		err = log_err(-errno, "making a network namespace");
	for (int i = 0; i < (job->against ? WORKER_TARGETS : WORKER_AGAINST) && !err; i++) {
		err = target_open(&targets[i], job->objects[i]);
		err = err ?: target_fill(&targets[i]);
	}
	for (size_t i = 0; i < job->n && !err; i++) {
		if (job->label)
			fprintf(stderr, "\r\033[K%s  %s", job->label, job->scenarios[i]->name);
		err = measure(job, job->scenarios[i], targets, &result);
		if (!err && fwrite(&result, sizeof(result), 1, to) != 1)
			err = log_err(-EIO, "passing results on");
	}
	if (job->label)
		fputs("\r\033[K", stderr);
	return err;
}

static void child(const struct worker_job *job, int fd)
{
	struct target targets[WORKER_TARGETS] = {};
	FILE *to = fdopen(fd, "w");
	int err = to ? measure_all(job, targets, to) : -errno;

	for (int i = 0; i < WORKER_TARGETS; i++)
		target_close(&targets[i]);
	if (to && fclose(to))
		err = -EIO;
	_exit(err ? EXIT_FAILURE : EXIT_SUCCESS);
}

int worker_run(const struct worker_job *job, struct worker_result *ret_results)
{
	int fds[2], status = 0;
	FILE *from;
	size_t n;
	pid_t pid;

	if (pipe(fds))
		return log_err(-errno, "pipe");
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return log_err(-errno, "fork");
	}
	if (!pid) {
		close(fds[0]);
		child(job, fds[1]);
	}
	close(fds[1]);
	from = fdopen(fds[0], "r");
	n = from ? fread(ret_results, sizeof(*ret_results), job->n, from) : 0;
	if (from)
		fclose(from);
	waitpid(pid, &status, 0);
	return n == job->n && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}
