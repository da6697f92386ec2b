// SPDX-License-Identifier: GPL-2.0-only
/* What subcommands' option parsing shares; see options.h. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "paths.h"

void options_print_help(const char *name, const char *args, const char *lines)
{
	printf("usage: tailrace %s%s%s\n\n%s", name, *args ? " " : "", args, lines);
}

int options_bad(const char *name, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_error("%s: %s; `tailrace %s --help` says what it takes", name, text, name);
	return -EINVAL;
}

int options_instance_dir(const char *name, const char *instance, char ret[static PATH_MAX])
{
	if (!paths_is_instance(instance))
		return options_bad(name, "'%s' is no instance's name", instance);
	paths_instance_dir(instance, ret, PATH_MAX);
	return 0;
}
