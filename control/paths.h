/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an instance's pins are. */
#ifndef TAILRACE_PATHS_H
#define TAILRACE_PATHS_H

#include <stdbool.h>
#include <stddef.h>

/* Below it one directory for each instance: its maps by their names, its programs and links. */
#define TR_PIN_ROOT "/sys/fs/bpf/tailrace"

#define TR_PIN_ENTRY "entry"		/* the program that is attached */
#define TR_PIN_CLOCK "clock"		/* the program that tells the time of flow records */
#define TR_PIN_LINK "link"		/* begins the names of links: attach_links.h */
#define TR_PIN_DECAP "decap-"		/* the backend's side has TR_PIN_ROOT/decap-DEVICE: no instance's name begins so */

/* Can this be an instance's name, and so that of its directory? No dot: the BPF file system takes none. */
bool paths_is_instance(const char *name);
/* The instance's directory, into buf. */
void paths_instance_dir(const char *name, char *buf, size_t size);

#endif
