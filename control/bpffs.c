// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BPF file system: mounting it where the machine has not, and the directories of pins in it. Knows nothing of
 * programs and maps.
 */
#include "bpffs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define LOCK_TRIES 10
#define LOCK_PAUSE_US 20000

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static bool under_root(const char *path)
{
	size_t len = strlen(BPFFS_ROOT);

	return !strncmp(path, BPFFS_ROOT, len) && (!path[len] || path[len] == '/');
}

/* 0: none, or none to be seen from here. */
static int parent_of(int pid)
{
	char path[64], line[256];
	int parent = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	status = fopen(path, "re");
	if (!status)
		return 0;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	fclose(status);
	return parent;
}

/*
 * `ip netns exec`, unshare: what is mounted there ends with the last process inside. Asking process 1 alone would do,
 * but that needs CAP_SYS_PTRACE; the nearest ancestor from outside is as good.
 */
static bool mounts_are_private(void)
{
	struct stat own, other;
	char path[64];

	if (stat("/proc/self/ns/mnt", &own))
		return false;
	for (int pid = getppid(); pid > 0; pid = parent_of(pid)) {
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
		if (!stat(path, &other) && (own.st_ino != other.st_ino || own.st_dev != other.st_dev))
			return true;
	}
	return false;
}

static int mount_root(void)
{
	/* Two mounts at once would stack, and the upper hide the other's pins: the directory below is the lock. */
	_cleanup_close_ int lock = open(BPFFS_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock < 0)
		return log_err(-errno, "%s: cannot open it to mount the BPF file system there", BPFFS_ROOT);
	if (flock(lock, LOCK_EX))
		return log_err(-errno, "%s: cannot lock it", BPFFS_ROOT);
	if (is_bpffs(BPFFS_ROOT))
		return 0;
	if (mount("bpf", BPFFS_ROOT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return log_err(-errno, "%s: cannot mount the BPF file system", BPFFS_ROOT);
	log_info("mounted the BPF file system on %s", BPFFS_ROOT);
	if (mounts_are_private())
		log_warning("%s is mounted in this mount namespace alone: all pins vanish with it "
			    "(`nsenter --net=FILE` keeps the mounts, `ip netns exec` does not)", BPFFS_ROOT);
	return 0;
}

/* Makes the parents of path, and path itself; of what exists already, the deepest has to be on a BPF file system. */
static int make_directories(char *path)
{
	char *slash = strrchr(path, '/');
	int err;

	if (!access(path, F_OK))
		return is_bpffs(path) ? 0 : -EINVAL;
	if (slash && slash != path) {
		*slash = '\0';
		err = make_directories(path);
		*slash = '/';
		if (err)
			return err;
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int bpffs_prepare(const char *dir)
{
	_cleanup_free_ char *path = NULL;
	int err;

	if (dir[0] != '/') {
		log_error("%s: a directory of pins needs an absolute path, under %s", dir, BPFFS_ROOT);
		return -EINVAL;
	}
	if (under_root(dir) && !is_bpffs(BPFFS_ROOT)) {
		err = mount_root();
		if (err)
			return err;
	}
	path = strdup(dir);
	if (!path)
		return -ENOMEM;
	err = make_directories(path);
	if (err == -EINVAL)
		log_error("%s: not on a BPF file system; %s is one", dir, BPFFS_ROOT);
	else if (err)
		log_err(err, "%s: cannot make the directory", dir);
	return err;
}

int bpffs_lock(const char *dir, int *ret_fd)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return log_err(-errno, "%s: cannot open it", dir);
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB)) {
			*ret_fd = TAKE_FD(fd);
			return 0;
		}
		if (errno != EWOULDBLOCK)
			return log_err(-errno, "%s: cannot lock it", dir);
		usleep(LOCK_PAUSE_US);
	}
	return -EBUSY;
}

static bool is_self_or_parent(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

bool bpffs_is_empty(const char *dir)
{
	DIR *pins = opendir(dir);
	struct dirent *entry;
	bool empty = true;

	while (pins && (entry = readdir(pins)))
		empty = empty && is_self_or_parent(entry->d_name);
	if (pins)
		closedir(pins);
	return empty;
}

static int remove_pins(const char *dir)
{
	DIR *pins = opendir(dir);
	struct dirent *entry;
	int err = 0;

	if (!pins)
		return -errno;
	while (!err && (entry = readdir(pins)))
		if (!is_self_or_parent(entry->d_name) && unlinkat(dirfd(pins), entry->d_name, 0) && errno != ENOENT)
			err = -errno;
	closedir(pins);
	return err;
}

int bpffs_remove(const char *dir)
{
	int err = remove_pins(dir);

	if (err)
		return err == -ENOENT ? 0 : err;
	return rmdir(dir) ? -errno : 0;
}
