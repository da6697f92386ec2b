// SPDX-License-Identifier: GPL-2.0-only
/*
 * See broken_off.h. The maps' pages are made read-only; a write faults, is let through and single-stepped, and the pages are
 * closed again behind it.
 */
#include "broken_off.h"

#include <err.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define AREAS 10
#define TRAP_FLAG 0x100		/* of EFLAGS: a trap after the next instruction */

static struct area {
	char *start;
	size_t len;
} areas[AREAS];
static uint32_t left;
static sigjmp_buf out;

static void protect(int how)
{
	int i;

	for (i = 0; i < AREAS; i++)
		if (mprotect(areas[i].start, areas[i].len, how))
			err(1, "mprotect");
}

static bool is_ours(const char *at)
{
	int i;

	for (i = 0; i < AREAS; i++)
		if (at >= areas[i].start && at < areas[i].start + areas[i].len)
			return true;
	return false;
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	if (!is_ours(info->si_addr)) {
		signal(signo, SIG_DFL);
		return;
	}
	protect(PROT_READ | PROT_WRITE);
	if (!--left)
		siglongjmp(out, 1);
	at->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int signo, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	protect(PROT_READ);
}

static void area_set(int i, void *start, size_t len)
{
	size_t page = sysconf(_SC_PAGESIZE), before = (uintptr_t)start % page;

	areas[i].start = (char *)start - before;
	areas[i].len = (before + len + page - 1) / page * page;
}

static void areas_set(const struct affinity_view *v, uint32_t n_sets)
{
	area_set(0, v->settings, sizeof(*v->settings));
	area_set(1, v->rings, v->n_words * sizeof(*v->rings));
	area_set(2, v->backends, v->n_backends * sizeof(*v->backends));
	area_set(3, v->backend_info, v->n_backends * sizeof(*v->backend_info));
	area_set(4, v->pools, v->n_pools * sizeof(*v->pools));
	area_set(5, v->pool_flows, v->n_pools * sizeof(*v->pool_flows));
	area_set(6, v->vips, v->n_vips * sizeof(*v->vips));
	area_set(7, v->vip_old, v->n_vips * sizeof(*v->vip_old));
	area_set(8, v->flows, n_sets * sizeof(*v->flows));
	area_set(9, v->flow_state, sizeof(*v->flow_state));
}

bool broken_off(const struct affinity_view *view, uint32_t n_sets, uint32_t writes, void (*call)(void *arg), void *arg)
{
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct sigaction step = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
	struct sigaction old_fault, old_step;
	volatile bool finished = false;

	areas_set(view, n_sets);
	left = writes;
	sigaction(SIGSEGV, &fault, &old_fault);
	sigaction(SIGTRAP, &step, &old_step);
	if (!sigsetjmp(out, 1)) {
		protect(PROT_READ);
		call(arg);
		finished = true;
	}
	protect(PROT_READ | PROT_WRITE);
	sigaction(SIGSEGV, &old_fault, NULL);
	sigaction(SIGTRAP, &old_step, NULL);
	return finished;
}
