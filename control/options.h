/* SPDX-License-Identifier: GPL-2.0-only */
/* The few steps that subcommands' option parsing shares. */
#ifndef TAILRACE_OPTIONS_H
#define TAILRACE_OPTIONS_H

#include <limits.h>

/* The text after "usage: tailrace NAME " and the options' lines. Prints on standard output. */
void options_print_help(const char *name, const char *args, const char *lines);
/* Logs what is wrong and where help is; returns -EINVAL. */
__attribute__((format(printf, 2, 3))) int options_bad(const char *name, const char *fmt, ...);
/* Directory of an instance's pins. -EINVAL, logged, where the name cannot be one. */
int options_instance_dir(const char *name, const char *instance, char ret[static PATH_MAX]);

#endif
