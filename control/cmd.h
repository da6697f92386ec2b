/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Subcommands. Each is given its own name as argv[0], parses its options with getopt_long, prints results on standard output
 * and messages through log.h, and returns 0 or -errno. Bad usage: -EINVAL after a message that says what would be right.
 */
#ifndef TAILRACE_CMD_H
#define TAILRACE_CMD_H

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *help;
};

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_unload(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_decap(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_help(int argc, char **argv);

#endif
