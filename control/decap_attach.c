// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching a decapsulator: XDP by a pinned bpf_link, tc by a filter with a priority and a handle of its own. A place
 * that another program has is left to it.
 */
#include "decap.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "decap_pins.h"
#include "log.h"
#include "util.h"

#define TC_PRIORITY 100			/* before filters whose priority the kernel chose: from 49152 down */
#define TC_HANDLE 0x7472

static const char *const mode_names[] = {
	[DECAP_NATIVE] = "xdp", [DECAP_GENERIC] = "generic", [DECAP_TC] = "tc", [DECAP_DETACHED] = "detached",
};

const char *decap_mode_name(enum decap_mode mode)
{
	return mode_names[mode];
}

static int program_info(int fd, struct bpf_prog_info *ret)
{
	__u32 len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &len);
}

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info;

	return program_info(fd, &info) ? 0 : info.id;
}

static const char *program_name(uint32_t id, char buf[BPF_OBJ_NAME_LEN])
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info;

	snprintf(buf, BPF_OBJ_NAME_LEN, "%s", fd < 0 || program_info(fd, &info) ? "?" : info.name);
	return buf;
}

static void link_path(const struct decap *decap, char buf[PATH_MAX + 8])
{
	snprintf(buf, PATH_MAX + 8, "%s/link", decap->dir);
}

/* What has the device's XDP, ours or not. */
static int query_xdp(const struct decap *decap, struct decap_attachment *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int err = bpf_xdp_query(decap->ifindex, 0, &query);

	*ret = (struct decap_attachment){ .mode = DECAP_DETACHED };
	if (err)
		return err;
	if (query.skb_prog_id) {
		ret->mode = DECAP_GENERIC;
		ret->program_id = query.skb_prog_id;
	} else if (query.attach_mode != XDP_ATTACHED_NONE) {
		ret->mode = DECAP_NATIVE;
		ret->program_id = query.drv_prog_id ? query.drv_prog_id : query.prog_id;
	}
	return 0;
}

/* What stands at our priority and handle of the device's tc ingress, ours or not. */
static int query_tc(const struct decap *decap, struct decap_attachment *ret)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = decap->ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .priority = TC_PRIORITY, .handle = TC_HANDLE);
	int err = bpf_tc_query(&hook, &opts);

	*ret = (struct decap_attachment){ .mode = DECAP_DETACHED };
	if (!err)
		*ret = (struct decap_attachment){ .mode = DECAP_TC, .program_id = opts.prog_id };
	/* -EINVAL: no clsact; -ENOENT: no such filter. */
	return err == -ENOENT || err == -EINVAL ? 0 : err;
}

static bool is_our_tc(const struct decap_attachment *at)
{
	char name[BPF_OBJ_NAME_LEN];

	return at->mode == DECAP_TC && !strcmp(program_name(at->program_id, name), "tr_decap_tc");
}

/* The pinned link. *ret_fd -1: there is none, or its device is gone. -EEXIST: it belongs to another device. */
static int open_link(const struct decap *decap, const struct decap_attachment *xdp, int *ret_fd,
		     struct bpf_link_info *ret)
{
	__u32 len = sizeof(*ret);
	char path[PATH_MAX + 8];
	_cleanup_close_ int fd = -1;
	int err;

	link_path(decap, path);
	memset(ret, 0, sizeof(*ret));
	*ret_fd = -1;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : log_err(fd, "%s: cannot open %s", decap->device, path);
	err = bpf_obj_get_info_by_fd(fd, ret, &len);
	if (err)
		return log_err(err, "%s: cannot ask about %s", decap->device, path);
	if (ret->type == BPF_LINK_TYPE_XDP && !ret->xdp.ifindex)
		return 0;
	if (ret->type != BPF_LINK_TYPE_XDP || ret->xdp.ifindex != (__u32)decap->ifindex ||
	    ret->prog_id != xdp->program_id) {
		log_error("%s: %s holds a decapsulator of another device, in another network namespace perhaps; "
			  "--pin DIR gives this one a directory of its own", decap->device, path);
		return -EEXIST;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int decap_attached(const struct decap *decap, struct decap_attachment *ret_xdp, struct decap_attachment *ret_tc)
{
	struct bpf_link_info info;
	_cleanup_close_ int link = -1;
	int err;

	*ret_xdp = *ret_tc = (struct decap_attachment){ .mode = DECAP_DETACHED };
	if (decap->ifindex) {
		err = query_xdp(decap, ret_xdp);
		if (!err)
			err = query_tc(decap, ret_tc);
		if (err)
			return log_err(err, "%s: cannot ask what is attached", decap->device);
	}
	/* Without a device too: then the link may be that of one elsewhere. */
	err = open_link(decap, ret_xdp, &link, &info);
	if (err)
		return err;
	if (link >= 0)
		ret_xdp->link_id = info.id;
	else if (ret_xdp->program_id != program_id(decap->xdp_fd) &&
		 (!decap->replaced_xdp_id || ret_xdp->program_id != decap->replaced_xdp_id))
		*ret_xdp = (struct decap_attachment){ .mode = DECAP_DETACHED };
	if (!is_our_tc(ret_tc))
		*ret_tc = (struct decap_attachment){ .mode = DECAP_DETACHED };
	return 0;
}

static __u32 xdp_flags(enum decap_mode mode)
{
	return mode == DECAP_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

static int explain_xdp(const struct decap *decap, enum decap_mode mode, int err)
{
	struct decap_attachment other;
	char name[BPF_OBJ_NAME_LEN];

	if ((err == -EBUSY || err == -EEXIST) && !query_xdp(decap, &other) && other.program_id) {
		log_error("%s: XDP is taken by another program, %s (id %u), which stays; `--mode tc` attaches "
			  "beside it", decap->device, program_name(other.program_id, name), other.program_id);
		return -EBUSY;
	}
	if (err == -EOPNOTSUPP && mode == DECAP_NATIVE) {
		log_error("%s: its driver has no native XDP; `--mode generic` or `--mode tc` attach", decap->device);
		return err;
	}
	return log_err(err, "%s: cannot attach XDP, mode %s", decap->device, mode_names[mode]);
}

static int create_link(const struct decap *decap, enum decap_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = xdp_flags(mode));
	_cleanup_close_ int link = bpf_link_create(decap->xdp_fd, decap->ifindex, BPF_XDP, &opts);
	char path[PATH_MAX + 8];
	int err;

	if (link < 0)
		return explain_xdp(decap, mode, link);
	link_path(decap, path);
	unlink(path);		/* a link whose device is gone */
	err = bpf_obj_pin(link, path);
	return err ? log_err(err, "%s: cannot pin %s", decap->device, path) : 0;
}

static int detach_xdp(const struct decap *decap, const struct decap_attachment *xdp)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = decap->xdp_fd);
	_cleanup_close_ int link = -1;
	char path[PATH_MAX + 8];
	int err = 0;

	link_path(decap, path);
	if (xdp->link_id) {
		link = bpf_obj_get(path);
		err = link < 0 ? link : bpf_link_detach(link);
	} else if (xdp->mode != DECAP_DETACHED) {
		err = bpf_xdp_detach(decap->ifindex, xdp_flags(xdp->mode) | XDP_FLAGS_REPLACE, &opts);
	}
	if (err)
		return log_err(err, "%s: cannot detach XDP", decap->device);
	unlink(path);
	return 0;
}

/* Brings the pinned program into an attachment that an older build has. */
static int refresh_xdp(const struct decap *decap, const struct decap_attachment *xdp)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	_cleanup_close_ int link = -1, old = -1;
	char path[PATH_MAX + 8];
	int err;

	if (xdp->program_id == program_id(decap->xdp_fd))
		return 0;
	link_path(decap, path);
	if (xdp->link_id) {
		link = bpf_obj_get(path);
		err = link < 0 ? link : bpf_link_update(link, decap->xdp_fd, NULL);
	} else {
		old = opts.old_prog_fd = bpf_prog_get_fd_by_id(xdp->program_id);
		err = old < 0 ? old : bpf_xdp_attach(decap->ifindex, decap->xdp_fd,
						     xdp_flags(xdp->mode) | XDP_FLAGS_REPLACE, &opts);
	}
	return err ? log_err(err, "%s: cannot replace the attached program", decap->device) : 0;
}

static int detach_tc(const struct decap *decap)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = decap->ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .priority = TC_PRIORITY, .handle = TC_HANDLE);
	int err = bpf_tc_detach(&hook, &opts);

	return err ? log_err(err, "%s: cannot remove the tc filter", decap->device) : 0;
}

/* An existing clsact stays, and ours stays on detaching: others may have put filters there since. */
static int attach_tc(const struct decap *decap)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = decap->ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = decap->tc_fd, .priority = TC_PRIORITY, .handle = TC_HANDLE,
		    .flags = BPF_TC_F_REPLACE);
	char name[BPF_OBJ_NAME_LEN];
	struct decap_attachment at;
	int err = query_tc(decap, &at);

	if (err)
		return log_err(err, "%s: cannot ask for tc filters", decap->device);
	if (at.mode == DECAP_TC && !is_our_tc(&at)) {
		log_error("%s: another program, %s (id %u), is at tc ingress priority %u handle 0x%x, and stays",
			  decap->device, program_name(at.program_id, name), at.program_id, TC_PRIORITY, TC_HANDLE);
		return -EBUSY;
	}
	if (at.program_id && at.program_id == program_id(decap->tc_fd))
		return 0;
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return log_err(err, "%s: cannot add the clsact qdisc", decap->device);
	err = bpf_tc_attach(&hook, &opts);
	return err ? log_err(err, "%s: cannot add the tc filter", decap->device) : 0;
}

int decap_attach(struct decap *decap, enum decap_mode mode)
{
	struct decap_attachment xdp, tc;
	int err = decap_attached(decap, &xdp, &tc);

	if (err)
		return err;
	if (mode == DECAP_TC) {
		err = attach_tc(decap);
		return err || xdp.mode == DECAP_DETACHED ? err : detach_xdp(decap, &xdp);
	}
	if (xdp.mode == mode) {
		err = refresh_xdp(decap, &xdp);
	} else {
		err = xdp.mode == DECAP_DETACHED ? 0 : detach_xdp(decap, &xdp);
		if (!err)
			err = create_link(decap, mode);
	}
	return err || tc.mode == DECAP_DETACHED ? err : detach_tc(decap);
}

int decap_detach(struct decap *decap)
{
	struct decap_attachment xdp, tc;
	int err = decap_attached(decap, &xdp, &tc);

	if (err)
		return err;
	err = detach_xdp(decap, &xdp);
	if (!err && tc.mode != DECAP_DETACHED)
		err = detach_tc(decap);
	if (err)
		return err;
	err = decap_pins_remove(decap->dir, 0);
	return err ? log_err(err, "%s: cannot remove %s", decap->device, decap->dir) : 0;
}
