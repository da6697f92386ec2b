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

#include "attach_links.h"
#include "devices.h"
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

static __u32 entry_id(const char *dir)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));

	return program_id(fd);
}

/* Its index alone may be that of an interface in another namespace. */
static bool is_here(const struct attach_link *link)
{
	struct attached attached;

	return !query(link->ifindex, &attached) && any_program(&attached) == link->program_id;
}

/* Is it one of our links that put the program on this interface? */
static bool find_link(const char *dir, int ifindex, struct attach_link *ret)
{
	struct attach_link links[ATTACH_LINKS_MAX];
	size_t n = attach_links_read(dir, links);

	for (size_t i = 0; i < n; i++)
		if (links[i].ifindex == ifindex && is_here(&links[i])) {
			*ret = links[i];
			return true;
		}
	return false;
}

/* Records are of these devices alone: attached to another one, packets would leave it for next hops that are not there. */
static int check_elsewhere(const char *dir, const char *device, const struct devices *devices)
{
	struct attach_link links[ATTACH_LINKS_MAX];
	size_t n = attach_links_read(dir, links);

	for (size_t i = 0; i < n; i++) {
		if (devices_have(devices, links[i].ifindex) && is_here(&links[i]))
			continue;
		log_error("%s: the instance is attached to interface %d, here or in another network namespace, which is not among its "
			  "devices; `tailrace detach` it there first", device, links[i].ifindex);
		return -EBUSY;
	}
	return 0;
}

/* 1: is attached already, 0: could be. */
static int look(const char *dir, const char *device, int ifindex, struct attached *ret)
{
	struct attach_link link;
	char name[64];
	int err = query(ifindex, ret);
	__u32 id;

	if (err)
		return log_err(err, "%s: cannot ask for its XDP program", device);
	id = any_program(ret);
	if (!id)
		return 0;
	if (id == entry_id(dir) || find_link(dir, ifindex, &link))
		return 1;
	log_error("%s: has an XDP program already, which is not this instance's: %s. It is left alone; take it off first "
		  "(`ip link set dev %s xdp off`, or whatever put it there)", device, program_name(id, name, sizeof(name)), device);
	return -EBUSY;
}

int attach_check(const char *dir, char *const *names, size_t n)
{
	struct devices devices = { .n = n };
	struct attached attached;
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		int ifindex = find_device(names[i]);

		if (ifindex < 0)
			return ifindex;
		devices.ifindexes[i] = ifindex;
	}
	for (size_t i = 0; i < n && err >= 0; i++)
		err = look(dir, names[i], devices.ifindexes[i], &attached);
	return err < 0 ? err : check_elsewhere(dir, names[0], &devices);
}

static int attach_in_mode(const char *dir, const char *device, int ifindex, int program, enum attach_mode mode)
{
	int err = attach_link_make(dir, program, ifindex, mode == ATTACH_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);

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
		return log_err(err, "%s: cannot attach: its MTU is too large for programs that take a packet in one "
				    "buffer; name it in `devices` and load or run anew, which loads others, lower the MTU, or use "
				    "--mode generic", device);
	return log_err(err, "%s: cannot attach", device);
}

/* Of an instance that was filled without devices: another interface that a next hop lies on; 0: none. */
static __u32 find_other_device(const struct pinned_array *backends, __u32 ifindex)
{
	for (__u32 i = 1; i < backends->max_entries; i++) {
		const struct tr_backend *backend = (const struct tr_backend *)backends->data + i;

		if (backend->encap != TR_ENCAP_NONE && backend->ifindex != ifindex)
			return backend->ifindex;
	}
	return 0;
}

/* The backends' records have next hops on certain devices, and the link-layer addresses of those: no other will do. */
static int check_filled_for(const char *dir, const char *device, int ifindex, struct devices *ret)
{
	_cleanup_array_ struct pinned_array instance = {}, backends = {};
	const struct tr_instance *filled;
	char name[IF_NAMESIZE] = "?";
	__u32 other = 0;

	*ret = (struct devices){ .n = 1, .ifindexes = { ifindex } };
	if (pinned_map_array(dir, "instance", sizeof(*filled), &instance) ||
	    pinned_map_array(dir, "backends", sizeof(struct tr_backend), &backends))
		return 0;
	filled = instance.data;
	if (filled->n_devices && filled->n_devices <= TR_DEVICES_MAX) {
		ret->n = filled->n_devices;
		memcpy(ret->ifindexes, filled->devices, sizeof(filled->devices));
		other = devices_have(ret, ifindex) ? 0 : filled->devices[0];
	} else {
		other = find_other_device(&backends, ifindex);
	}
	if (!other)
		return 0;
	if_indextoname(other, name);
	log_error("%s: the instance was filled for next hops on interface %s (%u)%s; name %s in `devices` and load or run it anew",
		  device, name, other, ret->n > 1 ? " and others" : "", device);
	return -EINVAL;
}

/* A controller may have replaced the program between its opening and the link: the link follows. */
static int follow_entry(const char *dir, const char *device, int ifindex, int linked_program)
{
	struct attach_link link;
	char path[PATH_MAX];
	_cleanup_close_ int entry = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	int err = 0;

	if (entry >= 0 && program_id(entry) != program_id(linked_program) && find_link(dir, ifindex, &link))
		err = attach_link_update(dir, &link, entry);
	return err ? log_err(err, "%s: cannot put the newest program there", device) : 0;
}

static void say_is_attached(const char *device, const struct attached *attached, enum attach_mode mode)
{
	bool other = (mode == ATTACH_NATIVE && !attached->native) || (mode == ATTACH_GENERIC && attached->native);

	log_info("%s: is attached already, %s mode%s", device, attached->native ? "native" : "generic",
		 other ? " (`tailrace detach` first to change that)" : "");
}

/* *ret_made: it was not there before. */
static int attach_one(const char *dir, const char *device, enum attach_mode mode, bool *ret_made)
{
	struct attached attached;
	struct devices filled;
	char path[PATH_MAX];
	_cleanup_close_ int program = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	int ifindex, err;

	if (program < 0)
		return log_err(-errno, "%s: no program is loaded there; `tailrace load` does that", path);
	ifindex = find_device(device);
	if (ifindex < 0)
		return ifindex;
	err = check_filled_for(dir, device, ifindex, &filled);
	if (err)
		return err;
	err = look(dir, device, ifindex, &attached);
	if (err == 1) {
		say_is_attached(device, &attached, mode);
		return 0;
	}
	if (!err)
		err = check_elsewhere(dir, device, &filled);
	if (!err)
		err = attach_in_mode(dir, device, ifindex, program, mode);
	if (err)
		return err;
	*ret_made = true;
	return follow_entry(dir, device, ifindex, program);
}

int attach_device(const char *dir, const char *device, enum attach_mode mode)
{
	bool made;

	return attach_one(dir, device, mode, &made);
}

int attach_devices(const char *dir, char *const *devices, size_t n, enum attach_mode mode)
{
	bool made[TR_DEVICES_MAX] = {};
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = attach_one(dir, devices[i], mode, &made[i]);
	for (size_t i = 0; i < n && err; i++)
		if (made[i])
			attach_detach(dir, devices[i]);
	return err;
}

static int detach_by_netlink(int ifindex, int program, bool native)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = program);

	return bpf_xdp_detach(ifindex, XDP_FLAGS_REPLACE | (native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE), &opts);
}

int attach_detach(const char *dir, const char *device)
{
	struct attach_link link;
	struct attached attached;
	char path[PATH_MAX];
	_cleanup_close_ int program = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	int ifindex = find_device(device), err;

	if (ifindex < 0)
		return ifindex;
	err = query(ifindex, &attached);
	if (err)
		return log_err(err, "%s: cannot ask for its XDP program", device);
	if (find_link(dir, ifindex, &link)) {
		err = attach_link_detach(dir, &link);
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
	struct attach_link links[ATTACH_LINKS_MAX];
	char path[PATH_MAX];
	_cleanup_close_ int program = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));
	size_t n = attach_links_read(dir, links);
	int err;

	for (size_t i = 0; i < n; i++) {
		err = attach_link_detach(dir, &links[i]);
		if (err)
			return log_err(err, "%s/%s: cannot detach", dir, links[i].name);
	}
	err = attach_links_drop_dead(dir);
	if (err)
		return log_err(err, "%s: cannot remove the pins of links", dir);
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
	struct attach_link links[ATTACH_LINKS_MAX];
	size_t n = attach_links_read(dir, links);
	char path[PATH_MAX];
	_cleanup_close_ int old_fd = bpf_obj_get(pin_path(dir, TR_PIN_ENTRY, path));

	for (size_t i = 0; i < n; i++) {
		int err = attach_link_update(dir, &links[i], new_fd);

		if (err)
			return log_err(err, "%s/%s: cannot replace the attached program", dir, links[i].name);
	}
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
	struct attach_link links[ATTACH_LINKS_MAX];
	size_t n = attach_links_read(dir, links);
	__u32 id = program_id(program);

	for (size_t i = 0; i < n; i++)
		if (links[i].program_id == id)
			return true;
	return for_each_attached(id, found_one, -1, -1) == -EEXIST;
}
