// SPDX-License-Identifier: GPL-2.0-only
/* Where an instance's pins are; see paths.h. */
#include "paths.h"

#include <stdio.h>
#include <string.h>

#include "tailrace.h"

bool paths_is_instance(const char *name)
{
	return *name && !strpbrk(name, "./") && strlen(name) < TR_NAME_MAX &&
	       strncmp(name, TR_PIN_DECAP, strlen(TR_PIN_DECAP));
}

void paths_instance_dir(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", TR_PIN_ROOT, name);
}
