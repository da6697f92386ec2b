// SPDX-License-Identifier: GPL-2.0-only
/* The pinned links of an instance; see attach_links.h. */
#include "attach_links.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "paths.h"
#include "util.h"

static const char *pin_path(const char *dir, const char *name, char *buf)
{
	snprintf(buf, PATH_MAX, "%s/%s", dir, name);
	return buf;
}

/* A link without an interface is dead: that was deleted, or the link detached. */
static bool read_link(const char *dir, const char *name, struct attach_link *ret)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = bpf_obj_get(pin_path(dir, name, path));
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || !info.xdp.ifindex)
		return false;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->ifindex = info.xdp.ifindex;
	ret->program_id = info.prog_id;
	return true;
}

static bool is_link_name(const char *name)
{
	return !strncmp(name, TR_PIN_LINK, strlen(TR_PIN_LINK)) && strlen(name) < sizeof(((struct attach_link *)0)->name);
}

size_t attach_links_read(const char *dir, struct attach_link *ret)
{
	DIR *pins = opendir(dir);
	struct dirent *entry;
	size_t n = 0;

	while (pins && n < ATTACH_LINKS_MAX && (entry = readdir(pins)))
		n += is_link_name(entry->d_name) && read_link(dir, entry->d_name, &ret[n]);
	if (pins)
		closedir(pins);
	return n;
}

int attach_links_drop_dead(const char *dir)
{
	DIR *pins = opendir(dir);
	struct attach_link link;
	struct dirent *entry;
	int err = 0;

	if (!pins)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(pins)))
		if (is_link_name(entry->d_name) && !read_link(dir, entry->d_name, &link) &&
		    unlinkat(dirfd(pins), entry->d_name, 0) && errno != ENOENT)
			err = -errno;
	closedir(pins);
	return err;
}

int attach_link_make(const char *dir, int program, int ifindex, uint32_t xdp_flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = xdp_flags);
	_cleanup_close_ int fd = bpf_link_create(program, ifindex, BPF_XDP, &opts);
	char name[32], path[PATH_MAX];
	int err;

	if (fd < 0)
		return fd;
	/* Interfaces that are deleted and made anew would leave one each. */
	err = attach_links_drop_dead(dir);
	if (err)
		return err;
	snprintf(name, sizeof(name), TR_PIN_LINK "-%d", ifindex);
	return bpf_obj_pin(fd, pin_path(dir, name, path)) ? -errno : 0;
}

int attach_link_update(const char *dir, const struct attach_link *link, int program)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = bpf_obj_get(pin_path(dir, link->name, path));

	if (fd < 0)
		return -errno;
	return bpf_link_update(fd, program, NULL) && errno != ENOLINK ? -errno : 0;
}

/* Detached, not only unpinned: another process may hold it open. */
int attach_link_detach(const char *dir, const struct attach_link *link)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = bpf_obj_get(pin_path(dir, link->name, path));

	if (fd < 0)
		return -errno;
	if (bpf_link_detach(fd) && errno != ENOLINK)
		return -errno;
	return unlink(path) ? -errno : 0;
}
