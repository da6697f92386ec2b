/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entry program on interfaces. Ours to replace is a program that is pinned in the instance's directory; anyone
 * else's is left where it is, and the error names it. Messages are logged here, since only here the programs are known.
 */
#ifndef TAILRACE_ATTACH_H
#define TAILRACE_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

enum attach_mode {
	ATTACH_NATIVE,			/* in the driver, or not at all */
	ATTACH_GENERIC,			/* in the stack: any driver, slow */
	ATTACH_AUTO,			/* native, and with a warning generic where the driver has no XDP */
};

/* -EINVAL: no such mode; "native", "generic" or "auto". */
int attach_parse_mode(const char *text, enum attach_mode *ret);

/*
 * Could DIR/entry be attached to all of these devices, or is it already? Also where there is no DIR yet. Touches nothing.
 * -EBUSY: one has somebody else's program, or the instance is attached elsewhere too; -ENODEV; logged.
 */
int attach_check(const char *dir, char *const *devices, size_t n);

/*
 * Attaches DIR/entry to a device that the instance was filled for: by a link pinned in DIR. A device that has it already, by
 * such a link or by the operator's own `ip link set dev X xdp pinned`, is left as it is. 0 or -errno.
 */
int attach_device(const char *dir, const char *device, enum attach_mode mode);
/* All of them; where one cannot be attached, those that this call has attached are detached again. 0 or -errno. */
int attach_devices(const char *dir, char *const *devices, size_t n, enum attach_mode mode);

/* Takes the instance's program off the device, however it came there. -ENOENT when it is not there. */
int attach_detach(const char *dir, const char *device);

/* Takes it off every interface of this network namespace. 0 or -errno. */
int attach_detach_all(const char *dir);

/*
 * Puts the program new_fd wherever DIR/entry is attached: through the pinned links, or where an operator attached it
 * himself by netlink, with the old program expected. Atomic for each device. 0 or -errno; then some may have it, and the same
 * call again goes on from there.
 */
int attach_replace(const char *dir, int new_fd);

/* Is this program attached, by a pinned link or to an interface of this network namespace? */
bool attach_runs(const char *dir, int program);

#endif
