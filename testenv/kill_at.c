// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOAD: ends the process by SIGKILL right after a system call that the environment names, so that a test may look at
 * what a crash at this very point leaves behind.
 *
 *	KILL_BPF=COMMAND:N	after the N-th bpf(2) with this command (enum bpf_cmd); COMMAND "any": of all of them
 *	KILL_RENAME=N		after the N-th rename(2)
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYSCALL_ARGS 6

/* The symbol behind this library's own. */
static void *next(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	return symbol;
}

static void count_bpf(long command)
{
	const char *wanted = getenv("KILL_BPF"), *colon = wanted ? strchr(wanted, ':') : NULL;
	static long calls;

	if (!colon || (strncmp(wanted, "any:", 4) && atol(wanted) != command))
		return;
	if (++calls == atol(colon + 1))
		raise(SIGKILL);
}

/* libbpf makes its calls by this one, and libbpf has no other of its own: all six arguments are passed on, needed or not. */
long syscall(long number, ...)
{
	long (*real)(long number, ...) = next("syscall");
	long args[SYSCALL_ARGS], result;
	va_list list;

	va_start(list, number);
	for (int i = 0; i < SYSCALL_ARGS; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	result = real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (number == SYS_bpf)
		count_bpf(args[0]);
	return result;
}

int rename(const char *from, const char *to)
{
	int (*real)(const char *from, const char *to) = next("rename");
	const char *wanted = getenv("KILL_RENAME");
	int result = real(from, to);
	static long calls;

	if (wanted && ++calls == atol(wanted))
		raise(SIGKILL);
	return result;
}
