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
#include "pinned.h"
#include "tailrace.h"
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

/* The pinned link's interface and program; zeros: no link, or one whose interface is gone. */
struct linked {
	int ifindex;
	__u32 program_id;
};

static struct linked read_link(const char *dir)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = bpf_obj_get(pin_path(dir, TR_PIN_LINK, path));
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || !info.xdp.ifindex)
		return (struct linked){};
	return (struct linked){ info.xdp.ifindex, info.prog_id };
}

static __u32 entry_id(const char *dir)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));

	return program_id(fd);
}

/* Is it our link that put the program on this interface? Its index alone may be that of one in another namespace. */
static bool is_linked(const struct linked *linked, int ifindex, const struct attached *attached)
{
	return linked->ifindex == ifindex && linked->program_id == any_program(attached);
}

static int refuse_elsewhere(const char *device, const struct linked *linked)
{
	log_error("%s: the instance is attached to interface %d, here or in another network namespace, and can have one; "
		  "`tailrace detach` it there first", device, linked->ifindex);
	return -EBUSY;
}

/* 1: is attached already, 0: could be. */
static int look(const char *dir, const char *device, int ifindex, struct attached *ret)
{
	struct linked linked = read_link(dir);
	char name[64];
	int err = query(ifindex, ret);
	__u32 id;

	if (err)
		return log_err(err, "%s: cannot ask for its XDP program", device);
	id = any_program(ret);
	if (id && (id == entry_id(dir) || is_linked(&linked, ifindex, ret)))
		return 1;
	if (id) {
		log_error("%s: has an XDP program already, which is not this instance's: %s. It is left alone; take it off first "
			  "(`ip link set dev %s xdp off`, or whatever put it there)", device,
			  program_name(id, name, sizeof(name)), device);
		return -EBUSY;
	}
	return linked.ifindex ? refuse_elsewhere(device, &linked) : 0;
}

int attach_check(const char *dir, const char *device)
{
	struct attached attached;
	int ifindex = find_device(device), err;

	if (ifindex < 0)
		return ifindex;
	err = look(dir, device, ifindex, &attached);
	return err < 0 ? err : 0;
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
		if (mode == ATTACH_GENERIC)
			log_warning("%s: generic mode sees packets after GRO, and merged ones are too big to send on: `ethtool -K "
				    "%s gro off lro off`", device, device);
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

/* Next hops are of one device, and its link-layer addresses stand in the backends' records: no other will do. */
static int check_filled_for(const char *dir, const char *device, int ifindex)
{
	__attribute__((cleanup(pinned_unmap))) struct pinned_array instance = {}, backends = {};
	const struct tr_instance *filled;
	char name[IF_NAMESIZE] = "?";
	__u32 other = 0;

	if (pinned_map_array(dir, "instance", sizeof(*filled), &instance) ||
	    pinned_map_array(dir, "backends", sizeof(struct tr_backend), &backends))
		return 0;
	filled = instance.data;
	other = filled->devices[0] != (__u32)ifindex ? filled->devices[0] : 0;
	for (__u32 i = 1; i < backends.max_entries && !filled->n_devices && !other; i++) {
		const struct tr_backend *backend = (const struct tr_backend *)backends.data + i;

		if (backend->encap != TR_ENCAP_NONE && backend->ifindex != (__u32)ifindex)
			other = backend->ifindex;
	}
	if (!other)
		return 0;
	if_indextoname(other, name);
	log_error("%s: the instance was filled for next hops on interface %s (%u); name %s in `devices` and load or run it anew",
		  device, name, other, device);
	return -EINVAL;
}

/* A controller may have replaced the program between its opening and the link: the link follows. */
static int follow_entry(const char *dir, int linked_program)
{
	char path[PATH_MAX];
	_cleanup_close_ int link = -1, entry = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));

	if (entry < 0 || program_id(entry) == program_id(linked_program))
		return 0;
	link = bpf_obj_get(pin_path(dir, TR_PIN_LINK, path));
	if (link < 0 || bpf_link_update(link, entry, NULL))
		return log_err(-errno, "%s: cannot put the newest program there", path);
	return 0;
}

int attach_device(const char *dir, const char *device, enum attach_mode mode)
{
	struct attached attached;
	char path[PATH_MAX];
	_cleanup_close_ int program = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	int ifindex, err;

	if (program < 0)
		return log_err(-errno, "%s: no program is loaded there; `tailrace load` does that", path);
	ifindex = find_device(device);
	if (ifindex < 0)
		return ifindex;
	err = check_filled_for(dir, device, ifindex);
	if (err)
		return err;
	err = look(dir, device, ifindex, &attached);
	if (err == 1) {
		log_info("%s: is attached already, %s mode%s", device, attached.native ? "native" : "generic",
			 (mode == ATTACH_NATIVE && !attached.native) || (mode == ATTACH_GENERIC && attached.native) ?
			 " (`tailrace detach` first to change that)" : "");
		return 0;
	}
	if (!err)
		err = attach_in_mode(dir, device, ifindex, program, mode);
	return err ? err : follow_entry(dir, program);
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
	struct linked linked = read_link(dir);
	struct attached attached;
	char path[PATH_MAX];
	_cleanup_close_ int program = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	int ifindex = find_device(device), err;

	if (ifindex < 0)
		return ifindex;
	err = query(ifindex, &attached);
	if (err)
		return log_err(err, "%s: cannot ask for its XDP program", device);
	if (any_program(&attached) && is_linked(&linked, ifindex, &attached)) {
		err = detach_link(dir);
	} else if (program >= 0 && any_program(&attached) == program_id(program)) {
		err = detach_by_netlink(ifindex, program, attached.native);
	} else {
		log_error("%s: this instance is not attached to it", device);
		return -ENOENT;
	}
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

int attach_replace(const char *dir, int new_fd)
{
	char path[PATH_MAX];
	_cleanup_close_ int link = bpf_obj_get(pin_path(dir, TR_PIN_LINK, path));
	_cleanup_close_ int old_fd = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));

	if (link >= 0 && read_link(dir).ifindex && bpf_link_update(link, new_fd, NULL))
		return log_err(-errno, "%s/%s: cannot replace the attached program", dir, TR_PIN_LINK);
	if (old_fd < 0 || program_id(old_fd) == program_id(new_fd))
		return 0;
	return for_each_attached(program_id(old_fd), replace_one, old_fd, new_fd);
}

static int found_one(const struct if_nameindex *device, bool native, int old_fd, int new_fd)
{
	return -EEXIST;
}

bool attach_runs(const char *dir, int program)
{
	__u32 id = program_id(program);

	return read_link(dir).program_id == id || for_each_attached(id, found_one, -1, -1) == -EEXIST;
}
