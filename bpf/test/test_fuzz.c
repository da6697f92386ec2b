// SPDX-License-Identifier: GPL-2.0-only
/*
 * Millions of packets in random, changing worlds, each compared with the reference (fuzz.h): packets built at random, those of
 * the table tests, captures of real senders and every packet that ever failed, mutated. Two processes share the work;
 * in the second one's worlds there are several interfaces.
 * SEED=n repeats a run (and is printed), PACKETS=n runs more or fewer. A packet on which they differ is printed and made as
 * small as it goes; FUZZ_SAVE=folder keeps it (bpf/test/corpus/failed is replayed in each run).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "fuzz.h"

#define PACKETS_DEFAULT 5000000
#define SEED_DEFAULT 1
#define WORKERS 2
#define PROGRESS_SECONDS 5

/* Shared with the workers. */
static struct shared {
	struct worker {
		volatile __u64 done;
		__u64 raised[TR_V_COUNT];
		bool differs;
		pid_t pid;
	} workers[WORKERS];
} *shared;
static __u64 seed, packets;

/* An interface of no use but its number, in a network of our own. */
static __u32 other_device(void)
{
	if (unshare(CLONE_NEWNET))
		err(1, "unshare");
	if (system("ip link add other type veth peer name peer"))
		errx(1, "cannot make an interface");
	return if_nametoindex("other");
}

/* In a process of its own. Returns its exit status: 0, or 1 where there was a difference. */
static int work(struct worker *w, int number, const struct corpus *corpus)
{
	__u64 epochs = (packets + EPOCH_PACKETS - 1) / EPOCH_PACKETS, i;
	struct fuzz *f = fuzz_new(corpus, number ? other_device() : 0);

	harness_pin_cpu(number);
	for (i = number; i < epochs && !w->differs; i += WORKERS) {
		__u64 epoch_seed = seed * 1000003 + i;

		w->differs = !fuzz_epoch(f, epoch_seed, EPOCH_PACKETS, &w->done);
		if (w->differs)
			fuzz_explain(f, epoch_seed, EPOCH_PACKETS, getenv("FUZZ_SAVE"));
	}
	memcpy(w->raised, fuzz_raised(f), sizeof(w->raised));
	fuzz_free(f);
	return w->differs;
}

static void start(int number, const struct corpus *corpus)
{
	struct worker *w = &shared->workers[number];

	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid)
		_exit(work(w, number, corpus));
	w->pid = pid;		/* the memory is the child's too: it must not write it */
}

static __u64 done(void)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < WORKERS; i++)
		sum += shared->workers[i].done;
	return sum;
}

/* True when this one has ended. */
static bool has_ended(struct worker *w)
{
	int status;

	if (!w->pid || waitpid(w->pid, &status, WNOHANG) != w->pid)
		return !w->pid;
	w->pid = 0;
	if (!WIFEXITED(status))
		fprintf(stderr, "# a worker died of signal %d\n", WTERMSIG(status));
	w->differs |= status != 0;
	return true;
}

static void watch(void)
{
	time_t began = time(NULL), told = began;
	int i, running;

	do {
		nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
		for (i = running = 0; i < WORKERS; i++)
			running += !has_ended(&shared->workers[i]);
		if (time(NULL) - told < PROGRESS_SECONDS && running)
			continue;
		told = time(NULL);
		fprintf(stderr, "# %5.2f of %.2f million packets, %ld s\n", done() / 1e6, packets / 1e6, told - began);
	} while (running);
}

static void test_worker(void **state)
{
	struct worker *w = *state;

	assert_false(w->differs);
	assert_true(w->done > 0);
}

/* A generator that reaches only some of the verdicts would let the rest rot unseen. */
static void test_verdict_reached(void **state)
{
	long verdict = (long)*state;
	__u64 sum = 0;
	int i;

	for (i = 0; i < WORKERS; i++)
		sum += shared->workers[i].raised[verdict];
	fprintf(stderr, "# %s: %llu packets\n", verdict_name(verdict), sum);
	assert_true(sum >= packets / 5000);
}

static int judge(void)
{
	struct CMUnitTest tests[WORKERS + TR_V_COUNT];
	char names[WORKERS + TR_V_COUNT][80];
	size_t n = 0;
	long i;

	for (i = 0; i < WORKERS; i++, n++) {
		snprintf(names[n], sizeof(names[n]), "programs and reference agree, %s",
			 i ? "several interfaces" : "one interface");
		tests[n] = (struct CMUnitTest){ .name = names[n], .test_func = test_worker,
						.initial_state = &shared->workers[i] };
	}
	for (i = 0; i < TR_V_COUNT; i++) {
		if (i == TR_V_NO_HEADROOM || i == TR_V_INTERNAL)
			continue;
		snprintf(names[n], sizeof(names[n]), "packets reach %s", verdict_name(i));
		tests[n] = (struct CMUnitTest){ .name = names[n], .test_func = test_verdict_reached,
						.initial_state = (void *)i };
		n++;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("fuzz", tests, n, NULL, NULL);
}

static __u64 from_environment(const char *name, __u64 otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int main(void)
{
	struct corpus *corpus = corpus_load();
	int i;

	seed = from_environment("SEED", SEED_DEFAULT);
	packets = from_environment("PACKETS", PACKETS_DEFAULT);
	fprintf(stderr, "# SEED=%llu PACKETS=%llu; corpus: %zu packets of tables, %zu captured, %zu that failed\n", seed, packets,
		corpus->n_tables, corpus->n_captured, corpus->n_failed);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	for (i = 0; i < WORKERS; i++)
		start(i, corpus);
	watch();
	i = judge();
	corpus_free(corpus);
	return i != 0;
}
