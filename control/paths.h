/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an instance's pins are. */
#ifndef TAILRACE_PATHS_H
#define TAILRACE_PATHS_H

/* Below it one directory for each instance: its maps by their names, its programs and `link`. */
#define TR_PIN_ROOT "/sys/fs/bpf/tailrace"

#define TR_PIN_ENTRY "entry"		/* the program that is attached */
#define TR_PIN_LINK "link"

#endif
