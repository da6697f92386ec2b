// SPDX-License-Identifier: GPL-2.0-only
/* Reading pinned maps; see pinned.h. */
#include "pinned.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "util.h"

int pinned_open(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* An fd, or a negative errno. */
static int open_map(const char *dir, const char *name, size_t key_size, size_t value_size, struct bpf_map_info *ret)
{
	_cleanup_close_ int fd = pinned_open(dir, name);
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.key_size != key_size || info.value_size != value_size)
		return -EPROTO;
	*ret = info;
	return TAKE_FD(fd);
}

int pinned_map_array(const char *dir, const char *name, size_t value_size, struct pinned_array *ret)
{
	struct bpf_map_info info;
	_cleanup_close_ int fd = open_map(dir, name, sizeof(uint32_t), value_size, &info);
	size_t page = sysconf(_SC_PAGESIZE), size;
	void *data;

	if (fd < 0)
		return fd;
	if (!(info.map_flags & BPF_F_MMAPABLE) || info.type != BPF_MAP_TYPE_ARRAY || value_size % 8)
		return -EPROTO;
	size = (info.max_entries * value_size + page - 1) / page * page;
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	*ret = (struct pinned_array){ data, size, info.max_entries };
	return 0;
}

int pinned_max_entries(const char *dir, const char *name, size_t value_size, uint32_t *ret)
{
	struct bpf_map_info info;
	_cleanup_close_ int fd = open_map(dir, name, sizeof(uint32_t), value_size, &info);

	if (fd < 0)
		return fd;
	*ret = info.max_entries;
	return 0;
}

void pinned_unmap(struct pinned_array *array)
{
	if (array->data)
		munmap((void *)array->data, array->size);
}

int pinned_read_entries(const char *dir, const char *name, size_t key_size, size_t value_size,
			struct pinned_entries *ret)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	struct bpf_map_info info;
	_cleanup_close_ int fd = open_map(dir, name, key_size, value_size, &info);
	_cleanup_free_ void *keys = NULL, *values = NULL, *next = NULL;
	uint32_t n;

	if (fd < 0)
		return fd;
	n = info.max_entries;
	keys = malloc(n * key_size);
	values = malloc(n * value_size);
	next = malloc(key_size > sizeof(uint32_t) ? key_size : sizeof(uint32_t));	/* a hash writes a bucket number */
	if (!keys || !values || !next)
		return -ENOMEM;
	/* Room for all of them: one call reads to the end, which -ENOENT tells. */
	if (bpf_map_lookup_batch(fd, NULL, next, keys, values, &n, &opts) && errno != ENOENT)
		return -errno;
	*ret = (struct pinned_entries){ TAKE_PTR(keys), TAKE_PTR(values), n, info.max_entries };
	return 0;
}

void pinned_free_entries(struct pinned_entries *entries)
{
	free(entries->keys);
	free(entries->values);
}

int pinned_open_counters(const char *dir, const char *name, size_t value_size, struct pinned_counters *ret)
{
	int cpus = libbpf_num_possible_cpus();
	struct bpf_map_info info;
	_cleanup_close_ int fd = -1;
	uint64_t *values;

	if (cpus < 0)
		return cpus;
	fd = open_map(dir, name, sizeof(uint32_t), value_size, &info);
	if (fd < 0)
		return fd;
	if (info.type != BPF_MAP_TYPE_PERCPU_ARRAY || value_size % sizeof(*values))
		return -EPROTO;
	values = malloc(cpus * value_size);
	if (!values)
		return -ENOMEM;
	*ret = (struct pinned_counters){ .fd = TAKE_FD(fd), .cpus = cpus, .words = value_size / sizeof(*values),
					 .values = values, .max_entries = info.max_entries };
	return 0;
}

int pinned_sum(const struct pinned_counters *counters, uint32_t i, void *ret)
{
	uint64_t *sums = ret;

	if (bpf_map_lookup_elem(counters->fd, &i, counters->values))
		return -errno;
	for (size_t w = 0; w < counters->words; w++) {
		sums[w] = 0;
		for (int cpu = 0; cpu < counters->cpus; cpu++)
			sums[w] += counters->values[cpu * counters->words + w];
	}
	return 0;
}

void pinned_close_counters(struct pinned_counters *counters)
{
	if (counters->fd >= 0)
		close(counters->fd);
	free(counters->values);
}

int pinned_program_id(const char *dir, const char *name, uint32_t *ret)
{
	_cleanup_close_ int fd = pinned_open(dir, name);
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*ret = info.id;
	return 0;
}
