// SPDX-License-Identifier: GPL-2.0-only
/* The directory of pins of a decapsulator; see decap_pins.h. */
#include "decap_pins.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpffs.h"
#include "log.h"
#include "paths.h"
#include "util.h"

#define LOCK_TRIES 3

static const char *const names[] = {
	"owner", "addresses", "vips", "sources", "verdicts", "xdp", "xdp_new", "tc", "tc_new", "link",
};

/* The value of the map `owner`. A name alone is not enough: each network namespace has its own eth0. */
struct owner {
	uint64_t netns_dev, netns_inode;
	uint32_t ifindex;
	char device[IF_NAMESIZE];
	uint32_t zero;
};

static bool join(char buf[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(buf, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

/* A directory of such a name is no pin. */
static bool is_pin(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return join(path, dir, name) && !lstat(path, &st) && S_ISREG(st.st_mode);
}

uint32_t decap_pins_found(const char *dir)
{
	uint32_t found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (is_pin(dir, names[i]))
			found |= 1u << i;
	return found;
}

int decap_pins_remove(const char *dir, uint32_t keep)
{
	uint32_t found = decap_pins_found(dir) & ~keep;
	char path[PATH_MAX];

	/* The owner goes last: until then the rest is known to be ours. */
	for (size_t i = ARRAY_SIZE(names); i--;)
		if ((found & 1u << i) && join(path, dir, names[i]) && unlink(path) && errno != ENOENT)
			return -errno;
	return rmdir(dir) && errno != ENOTEMPTY && errno != ENOENT ? -errno : 0;
}

static bool is_same_dir(const struct stat *st, const char *path)
{
	struct stat other;

	return !stat(path, &other) && st->st_dev == other.st_dev && st->st_ino == other.st_ino;
}

int decap_pins_check(const char *dir)
{
	struct stat st;

	if (stat(dir, &st))
		return 0;
	if (is_same_dir(&st, BPFFS_ROOT) || is_same_dir(&st, TR_PIN_ROOT)) {
		log_error("%s: holds everybody's pins; --pin takes a directory below it", dir);
		return -EINVAL;
	}
	if (is_pin(dir, "instance")) {
		log_error("%s: holds an instance of the load balancer; a decapsulator needs a directory of its own",
			  dir);
		return -EINVAL;
	}
	if (!bpffs_is_empty(dir) && !decap_pins_found(dir)) {
		log_error("%s: is not empty, and nothing in it is a decapsulator's", dir);
		return -EINVAL;
	}
	return 0;
}

/* *ret_same: dir is still what was locked; not removed, or made anew, by who had the lock before. */
static int lock_once(const char *dir, bool make, int *ret_fd, bool *ret_same)
{
	_cleanup_close_ int fd = -1;
	int err = make ? bpffs_prepare(dir) : 0;
	struct stat st;

	/* Before it is locked too: an instance's directory is locked for as long as its controller runs. */
	if (!err)
		err = decap_pins_check(dir);
	if (!err)
		err = bpffs_lock(dir, &fd);
	if (err == -EBUSY)
		log_error("%s: another command is at work there; try again when it has ended", dir);
	if (err)
		return err;
	if (fstat(fd, &st))
		return log_err(-errno, "%s: cannot ask about it", dir);
	*ret_same = is_same_dir(&st, dir);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int decap_pins_lock(const char *dir, bool make, int *ret_fd)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		_cleanup_close_ int fd = -1;
		bool same = false;
		int err = lock_once(dir, make, &fd, &same);

		if (!err && same)
			err = decap_pins_check(dir);
		if (err)
			return err;
		if (same) {
			*ret_fd = TAKE_FD(fd);
			return 0;
		}
	}
	log_error("%s: other commands make and remove it all the time", dir);
	return -EBUSY;
}

static int owner_of(const struct decap *decap, struct owner *ret)
{
	struct owner owner = { .ifindex = decap->ifindex };
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return log_err(-errno, "/proc/self/ns/net: cannot ask which network namespace this is");
	owner.netns_dev = st.st_dev;
	owner.netns_inode = st.st_ino;
	strcpy(owner.device, decap->device);
	*ret = owner;
	return 0;
}

static int open_owner(const struct decap *decap, int *ret_fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err;

	if (!join(path, decap->dir, "owner"))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return fd;
	err = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);
	if (!err && (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(struct owner)))
		err = -EINVAL;
	if (err)
		return log_err(err, "%s: cannot read whose decapsulator it is", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static bool device_is_gone(const struct decap *decap)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	_cleanup_close_ int link = -1;
	char path[PATH_MAX];

	if (join(path, decap->dir, "link"))
		link = bpf_obj_get(path);
	return link >= 0 && !bpf_obj_get_info_by_fd(link, &info, &len) && info.type == BPF_LINK_TYPE_XDP &&
	       !info.xdp.ifindex;
}

static bool is_owner(const struct owner *owner, const struct owner *self)
{
	char name[IF_NAMESIZE];

	if (owner->netns_dev != self->netns_dev || owner->netns_inode != self->netns_inode)
		return false;
	/* The same name under another index: made anew, unless the old one lives on, renamed. */
	return owner->ifindex == self->ifindex ||
	       (!strcmp(owner->device, self->device) && !if_indextoname(owner->ifindex, name));
}

int decap_owner_check(const struct decap *decap)
{
	struct owner owner, self;
	_cleanup_close_ int fd = -1;
	const uint32_t zero = 0;
	int err = open_owner(decap, &fd);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = owner_of(decap, &self);
	if (err)
		return err;
	err = bpf_map_lookup_elem(fd, &zero, &owner);
	if (err)
		return log_err(err, "%s/owner: cannot read whose decapsulator it is", decap->dir);
	owner.device[IF_NAMESIZE - 1] = '\0';
	if (is_owner(&owner, &self) || device_is_gone(decap))
		return 0;
	log_error("%s: %s holds a decapsulator of another device, %s (index %" PRIu32 ") in %s network namespace "
		  "(inode %" PRIu64 "); --pin DIR gives this one a directory of its own", decap->device, decap->dir,
		  owner.device, owner.ifindex, owner.netns_inode == self.netns_inode ? "this" : "another",
		  owner.netns_inode);
	return -EEXIST;
}

int decap_owner_write(const struct decap *decap)
{
	_cleanup_close_ int fd = -1;
	const uint32_t zero = 0;
	struct owner self;
	char path[PATH_MAX];
	bool fresh;
	int err = owner_of(decap, &self);

	if (err)
		return err;
	err = open_owner(decap, &fd);
	fresh = err == -ENOENT;
	if (err && !fresh)
		return err;
	if (fresh)
		fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tr_decap_owner", sizeof(zero), sizeof(self), 1, NULL);
	err = fd < 0 ? fd : bpf_map_update_elem(fd, &zero, &self, BPF_ANY);
	if (!err && fresh)
		err = join(path, decap->dir, "owner") ? bpf_obj_pin(fd, path) : -ENAMETOOLONG;
	return err ? log_err(err, "%s/owner: cannot write whose decapsulator it is", decap->dir) : 0;
}
