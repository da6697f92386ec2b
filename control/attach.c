// SPDX-License-Identifier: GPL-2.0-only
/* The entry program on interfaces; see attach.h. */
#include "attach.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "log.h"
#include "paths.h"
#include "util.h"

/* What an interface has: at most one program in the driver, one in the stack, one in the NIC. */
struct attached {
	__u32 native, generic, offloaded;
};

int attach_parse_mode(const char *text, enum attach_mode *ret)
{
	if (!strcmp(text, "native"))
		*ret = ATTACH_NATIVE;
	else if (!strcmp(text, "generic"))
		*ret = ATTACH_GENERIC;
	else if (!strcmp(text, "auto"))
		*ret = ATTACH_AUTO;
	else
		return -EINVAL;
	return 0;
}

static const char *pin_path(const char *dir, const char *name, char *buf)
{
	snprintf(buf, PATH_MAX, "%s/%s", dir, name);
	return buf;
}

static int query(int ifindex, struct attached *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int err = bpf_xdp_query(ifindex, 0, &opts);

	if (err)
		return err;
	*ret = (struct attached){ opts.drv_prog_id, opts.skb_prog_id, opts.hw_prog_id };
	return 0;
}

static __u32 any_program(const struct attached *attached)
{
	if (attached->native)
		return attached->native;
	return attached->generic ? attached->generic : attached->offloaded;
}

static __u32 program_id(int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) ? info.id : 0;
}

static const char *program_name(__u32 id, char *buf, size_t size)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || !info.name[0])
		snprintf(buf, size, "program id %u", id);
	else
		snprintf(buf, size, "program '%s', id %u", info.name, id);
	return buf;
}

/* Its index, or -ENODEV. */
static int find_device(const char *device)
{
	int ifindex = if_nametoindex(device);

	return ifindex ? ifindex : log_err(-ENODEV, "%s: no such interface in this network namespace", device);
}

/* The pinned link's interface; 0: no link, or one whose interface is gone. */
static int link_ifindex(const char *dir)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = bpf_obj_get(pin_path(dir, TR_PIN_LINK, path));
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	return info.xdp.ifindex;
}

static int make_link(const char *dir, int program, int ifindex, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	_cleanup_close_ int fd = bpf_link_create(program, ifindex, BPF_XDP, &opts);
	char path[PATH_MAX];

	if (fd < 0)
		return fd;
	unlink(pin_path(dir, TR_PIN_LINK, path));	/* of an interface that is gone */
	if (bpf_obj_pin(fd, path))
		return -errno;
	return 0;
}

static int attach_in_mode(const char *dir, const char *device, int ifindex, int program, enum attach_mode mode)
{
	int err = make_link(dir, program, ifindex, mode == ATTACH_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);

	if (!err) {
		log_info("%s: attached, %s mode", device, mode == ATTACH_GENERIC ? "generic" : "native");
		return 0;
	}
	if (mode == ATTACH_AUTO && (err == -EOPNOTSUPP || err == -EINVAL || err == -ERANGE)) {
		log_warning("%s: its driver takes no native XDP (%s): falling back to generic mode, which is slow", device,
			    strerror(-err));
		return attach_in_mode(dir, device, ifindex, program, ATTACH_GENERIC);
	}
	if (mode == ATTACH_NATIVE && err == -EOPNOTSUPP)
		return log_err(err, "%s: its driver has no native XDP; --mode generic works on every driver, slowly",
			       device);
	if (err == -ERANGE)
		return log_err(err, "%s: cannot attach: its MTU is too large for native XDP in one buffer; lower it, or "
				    "use --mode generic", device);
	return log_err(err, "%s: cannot attach", device);
}

int attach_device(const char *dir, const char *device, enum attach_mode mode)
{
	struct attached attached;
	char path[PATH_MAX], name[64];
	_cleanup_close_ int program = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	int ifindex, err, other;

	if (program < 0)
		return log_err(-errno, "%s: no program is loaded there; `tailrace load` does that", path);
	ifindex = find_device(device);
	if (ifindex < 0)
		return ifindex;
	err = query(ifindex, &attached);
	if (err)
		return log_err(err, "%s: cannot ask for its XDP program", device);
	if (any_program(&attached) == program_id(program)) {
		log_info("%s: is attached already", device);
		return 0;
	}
	if (any_program(&attached)) {
		log_error("%s: has an XDP program already, which is not this instance's: %s. It is left alone; take it off first "
			  "(`ip link set dev %s xdp off`, or whatever put it there)",
			  device, program_name(any_program(&attached), name, sizeof(name)), device);
		return -EBUSY;
	}
	other = link_ifindex(dir);
	if (other) {
		char other_name[IF_NAMESIZE] = "?";

		if_indextoname(other, other_name);
		log_error("%s: the instance is attached to %s (interface %d) and can have one interface; `tailrace detach %s` first",
			  device, other_name, other, other_name);
		return -EBUSY;
	}
	return attach_in_mode(dir, device, ifindex, program, mode);
}

static int detach_by_netlink(int ifindex, int program, bool native)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = program);

	return bpf_xdp_detach(ifindex, XDP_FLAGS_REPLACE | (native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE), &opts);
}

/*
 * A link is detached, not only unpinned: another process may hold it open. The pin goes with it.
 */
static int detach_link(const char *dir)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = bpf_obj_get(pin_path(dir, TR_PIN_LINK, path));

	if (fd < 0)
		return -errno;
	if (bpf_link_detach(fd) && errno != ENOLINK)
		return -errno;
	return unlink(path) ? -errno : 0;
}

int attach_detach(const char *dir, const char *device)
{
	struct attached attached;
	char path[PATH_MAX];
	_cleanup_close_ int program = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	int ifindex = find_device(device), err;

	if (ifindex < 0)
		return ifindex;
	if (link_ifindex(dir) == ifindex) {
		err = detach_link(dir);
		if (err)
			return log_err(err, "%s: cannot detach", device);
		log_info("%s: detached", device);
		return 0;
	}
	err = query(ifindex, &attached);
	if (err)
		return log_err(err, "%s: cannot ask for its XDP program", device);
	if (program < 0 || any_program(&attached) != program_id(program)) {
		log_error("%s: this instance is not attached to it", device);
		return -ENOENT;
	}
	err = detach_by_netlink(ifindex, program, attached.native);
	if (err)
		return log_err(err, "%s: cannot detach", device);
	log_info("%s: detached", device);
	return 0;
}

/* Calls fn for each interface that has the program. */
static int for_each_attached(__u32 id, int (*fn)(const struct if_nameindex *device, bool native, int old_fd, int new_fd),
			     int old_fd, int new_fd)
{
	struct if_nameindex *all = if_nameindex();
	struct attached attached;
	int err = 0;

	if (!all)
		return log_err(-errno, "cannot list the interfaces");
	for (const struct if_nameindex *i = all; i->if_index && !err; i++)
		if (!query(i->if_index, &attached) && any_program(&attached) == id)
			err = fn(i, attached.native, old_fd, new_fd);
	if_freenameindex(all);
	return err;
}

static int detach_one(const struct if_nameindex *device, bool native, int old_fd, int new_fd)
{
	int err = detach_by_netlink(device->if_index, old_fd, native);

	if (err)
		return log_err(err, "%s: cannot detach", device->if_name);
	log_info("%s: detached", device->if_name);
	return 0;
}

int attach_detach_all(const char *dir)
{
	char path[PATH_MAX];
	_cleanup_close_ int program = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	int err = detach_link(dir);

	if (err && err != -ENOENT)
		return log_err(err, "%s/%s: cannot detach", dir, TR_PIN_LINK);
	return program < 0 ? 0 : for_each_attached(program_id(program), detach_one, program, -1);
}

static int replace_one(const struct if_nameindex *device, bool native, int old_fd, int new_fd)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_fd);
	int err = bpf_xdp_attach(device->if_index, new_fd,
				 XDP_FLAGS_REPLACE | (native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE), &opts);

	if (err)
		return log_err(err, "%s: cannot replace the program that the operator attached", device->if_name);
	log_info("%s: program replaced", device->if_name);
	return 0;
}

int attach_replace(const char *dir, unsigned int old_id, int new_fd)
{
	char path[PATH_MAX];
	_cleanup_close_ int link = bpf_obj_get(pin_path(dir, TR_PIN_LINK, path));
	_cleanup_close_ int old_fd = -1;

	if (link >= 0 && link_ifindex(dir)) {
		if (bpf_link_update(link, new_fd, NULL))
			return log_err(-errno, "%s: cannot replace the attached program", path);
		return 0;
	}
	old_fd = bpf_prog_get_fd_by_id(old_id);
	if (old_fd < 0)
		return log_err(-errno, "%s: cannot open the program that it replaces", dir);
	return for_each_attached(old_id, replace_one, old_fd, new_fd);
}
