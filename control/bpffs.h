/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF file system, where everything that outlives a command is pinned. */
#ifndef TAILRACE_BPFFS_H
#define TAILRACE_BPFFS_H

#include <stdbool.h>

#define BPFFS_ROOT "/sys/fs/bpf"

/*
 * Makes dir, an absolute path, ready to pin into: mounts the BPF file system on BPFFS_ROOT where dir is under it and
 * nothing is mounted yet, and makes the directory and its parents, mode 0700. Logs what it mounted, a warning
 * where that mount is private to a mount namespace, and its errors. 0 or -errno; -EINVAL: not on a BPF file system.
 */
int bpffs_prepare(const char *dir);

/*
 * Locks a directory of pins for as long as *ret_fd stays open. -EBUSY, not logged: another process has it. Waits a moment
 * first, since `tailrace status` takes the lock to ask whether it is free. Other errors are logged.
 */
int bpffs_lock(const char *dir, int *ret_fd);

/* Also where there is no such directory. */
bool bpffs_is_empty(const char *dir);

/* Removes every pin in dir, and dir. Logs nothing. 0, also when it is not there, or -errno. */
int bpffs_remove(const char *dir);

#endif
