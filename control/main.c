// SPDX-License-Identifier: GPL-2.0-only
/* The subcommand table: one file, cmd_NAME.c, for each. */
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "util.h"

static const struct command commands[] = {
	{ "run", cmd_run, "-c FILE", "load, attach, fill, serve counters, and stay" },
	{ "check", cmd_check, "-c FILE", "check a configuration file and say what it would make" },
	{ "load", cmd_load, "-c FILE", "load, fill and pin without attaching, and end" },
	{ "attach", cmd_attach, "DEV [--mode native|generic|auto]", "attach the loaded programs to an interface" },
	{ "detach", cmd_detach, "DEV", "take them off the interface" },
	{ "unload", cmd_unload, "", "remove everything that an instance pinned" },
	{ "status", cmd_status, "[--json]", "programs, attachment, pools, backends and their next hops" },
	{ "stats", cmd_stats, "[--json]", "verdicts, and traffic for each VIP and backend" },
	{ "decap", cmd_decap, "DEV --vip PREFIX ...", "the backend's side: open the balancers' tunnels" },
	{ "version", cmd_version, "", "print the version" },
	{ "help", cmd_help, "[COMMAND]", "print this" },
};

int cmd_version(int argc, char **argv)
{
	if (argc > 1)
		options_print_help("version", "", "Prints the version.\n");
	else
		printf("tailrace %s\n", TAILRACE_VERSION);
	return 0;
}

static void print_commands(FILE *to)
{
	fprintf(to, "usage: tailrace COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-8s %-34s %s\n", commands[i].name, commands[i].args, commands[i].help);
	fprintf(to, "\n`tailrace COMMAND --help` describes its options; the man page is tailrace(8).\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int cmd_help(int argc, char **argv)
{
	const struct command *command = argc > 1 ? find(argv[1]) : NULL;
	char *args[] = { argc > 1 ? argv[1] : NULL, "--help", NULL };

	if (command && command->run != cmd_help)
		return command->run(2, args);
	if (argc > 1 && !command) {
		fprintf(stderr, "tailrace: no command '%s'; `tailrace help` lists them\n", argv[1]);
		return -EINVAL;
	}
	print_commands(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name) {
		print_commands(stderr);
		return 2;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";
	command = find(name);
	if (!command) {
		fprintf(stderr, "tailrace: no command '%s'; `tailrace help` lists them\n", name);
		return 2;
	}
	return command->run(argc - 1, argv + 1) ? 1 : 0;
}
