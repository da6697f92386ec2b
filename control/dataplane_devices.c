// SPDX-License-Identifier: GPL-2.0-only
/* The map of the devices that packets may be redirected to; see dataplane.h. */
#include <errno.h>

#include <bpf/bpf.h>

#include "dataplane_internal.h"
#include "log.h"

/* The kernel removes entries of interfaces that are deleted; those of ones that are no longer configured are ours to remove. */
static int remove_others(struct dataplane *dp, const struct devices *devices)
{
	int fd = dp->fds[MAP_devices];
	__u32 all[TR_DEVICES_MAX * TR_ROOM], n = 0, *before = NULL;

	while (n < TR_DEVICES_MAX * TR_ROOM && !bpf_map_get_next_key(fd, before, &all[n]))
		before = &all[n++];
	for (__u32 i = 0; i < n; i++)
		if (!devices_have(devices, all[i]) && bpf_map_delete_elem(fd, &all[i]) && errno != ENOENT)
			return -errno;
	return 0;
}

int dataplane_set_devices(struct dataplane *dp, const struct devices *devices)
{
	int err = remove_others(dp, devices);

	for (__u32 i = 0; i < devices->n && !err; i++) {
		__u32 ifindex = devices->ifindexes[i];

		/* -EINVAL: there is no such interface (any more); it comes again when it was made anew. */
		if (bpf_map_update_elem(dp->fds[MAP_devices], &ifindex, &ifindex, BPF_ANY) && errno != EINVAL)
			err = -errno;
	}
	return err ? log_err(err, "%s/devices: cannot write it", dp->dir) : 0;
}
