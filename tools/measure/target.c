// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "log.h"
#include "records.h"
#include "tailrace.skel.h"
#include "target.h"
#include "ticks.h"
#include "util.h"

static const char *const stages[] = {
	[TR_STAGE_TCP] = "tr_tcp", [TR_STAGE_UDP] = "tr_udp", [TR_STAGE_ANY] = "tr_any", [TR_STAGE_FRAGMENT] = "tr_fragment",
	[TR_STAGE_ICMP] = "tr_icmp", [TR_STAGE_SEND] = "tr_send", [TR_STAGE_TOO_BIG] = "tr_too_big",
};
_Static_assert(ARRAY_SIZE(stages) == TR_STAGE_COUNT, "a stage without a program");

struct bpf_map *target_map(const struct target *target, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(target->object, name);

	if (!map)
		log_error("tailrace's object has no map %s", name);
	return map;
}

void *target_memory(const struct target *target, const char *name, size_t value_size, size_t *ret_size)
{
	size_t page = getpagesize();
	struct bpf_map *map = target_map(target, name);
	void *memory;

	if (!map)
		return NULL;
	*ret_size = (bpf_map__max_entries(map) * value_size + page - 1) & ~(page - 1);
	memory = mmap(NULL, *ret_size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (memory != MAP_FAILED)
		return memory;
	log_err(-errno, "mapping %s", name);
	return NULL;
}

/*
 * What the object's read-only variables are before it is loaded, and where this one lies in it: whichever build it is, BTF
 * tells. NULL: it has none.
 */
static const char *find_rodata(const struct bpf_object *object, const char *name, size_t *ret_offset, size_t *ret_size)
{
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, id);
	const char *data = map ? bpf_map__initial_value(map, ret_size) : NULL;

	if (!data || !section)
		return NULL;
	for (uint32_t i = 0; i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *var = &btf_var_secinfos(section)[i];
		const struct btf_type *type = btf__type_by_id(btf, var->type);

		*ret_offset = var->offset;
		if (!strcmp(btf__name_by_offset(btf, type->name_off), name) && var->offset + sizeof(uint32_t) <= *ret_size)
			return data;
	}
	return NULL;
}

static int read_rodata(const struct bpf_object *object, const char *name, uint32_t *ret)
{
	size_t offset, size;
	const char *data = find_rodata(object, name, &offset, &size);

	if (!data)
		return -ENOENT;
	memcpy(ret, data + offset, sizeof(*ret));
	return 0;
}

static int write_rodata(const struct bpf_object *object, const char *name, uint32_t value)
{
	size_t offset, size;
	const char *data = find_rodata(object, name, &offset, &size);
	_cleanup_free_ char *copy = data ? malloc(size) : NULL;

	if (!copy)
		return data ? -ENOMEM : -ENOENT;
	memcpy(copy, data, size);
	memcpy(copy + offset, &value, sizeof(value));
	return bpf_map__set_initial_value(bpf_object__find_map_by_name(object, ".rodata"), copy, size);
}

static int size_cache(const struct target *target)
{
	struct bpf_map *map = target_map(target, "vip_cache");
	uint32_t entries = 0;
	int err = read_rodata(target->object, "vip_cache_size", &entries);

	if (!err)
		err = map ? bpf_map__set_max_entries(map, entries * target->cpus) : -ENOENT;
	return err ? log_err(err, "sizing vip_cache") : 0;
}

/* An older build has no clock. */
static int set_clock(const struct target *target)
{
	int err = write_rodata(target->object, "tick_shift", ticks_shift());

	return err == -ENOENT ? 0 : err;
}

static int fill_stages(const struct target *target)
{
	struct bpf_map *map = target_map(target, "stages");
	int err = map ? 0 : -ENOENT;

	for (uint32_t i = 0; !err && i < ARRAY_SIZE(stages); i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(target->object, stages[i]);
		int prog_fd = prog ? bpf_program__fd(prog) : -1;

		if (!prog && i > TR_STAGE_UDP)	/* an older build */
			continue;
		err = prog ? bpf_map_update_elem(bpf_map__fd(map), &i, &prog_fd, BPF_ANY) : -ENOENT;
		if (err)
			log_err(err, "stage %s", stages[i]);
	}
	return err;
}

int target_open(struct target *target, const char *path)
{
	struct bpf_program *entry;
	const void *elf;
	size_t size;
	int err;

	*target = (struct target){ .cpus = libbpf_num_possible_cpus() };
	elf = tailrace_bpf__elf_bytes(&size);
	target->object = path ? bpf_object__open_file(path, NULL) : bpf_object__open_mem(elf, size, NULL);
	if (!target->object)
		return log_err(-errno, "opening %s", path ?: "the built-in object");
	err = set_clock(target);
	err = err ?: size_cache(target);
	err = err ?: records_size(target);
	if (err)
		return err;
	err = bpf_object__load(target->object);
	if (err)
		return log_err(err, "loading %s", path ?: "the built-in object");
	entry = bpf_object__find_program_by_name(target->object, "tr_entry");
	if (!entry)
		return log_err(-ENOENT, "program tr_entry in %s", path ?: "the built-in object");
	target->entry = bpf_program__fd(entry);
	return fill_stages(target);
}

void target_close(struct target *target)
{
	bpf_object__close(target->object);
	target->object = NULL;
}

/* One counter of a per-CPU array whose values are size bytes, the counter the first 8 of them. */
static int sum_cpus(const struct target *target, int fd, uint32_t key, size_t size, uint64_t *ret)
{
	_cleanup_free_ uint64_t *values = calloc(target->cpus, size);
	uint64_t sum = 0;

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &key, values))
		return -errno;
	for (uint32_t cpu = 0; cpu < target->cpus; cpu++)
		sum += values[cpu * size / sizeof(*values)];
	*ret = sum;
	return 0;
}

static int count_map(const struct target *target, const char *name, size_t size, uint64_t *counts, uint32_t n)
{
	struct bpf_map *map = target_map(target, name);
	int err = map ? 0 : -ENOENT;

	for (uint32_t key = 0; !err && key < n && key < bpf_map__max_entries(map); key++)
		err = sum_cpus(target, bpf_map__fd(map), key, size, &counts[key]);
	return err;
}

int target_count(const struct target *target, struct target_counts *ret_counts)
{
	struct target_counts counts = {};
	int err;

	err = count_map(target, "verdicts", sizeof(uint64_t), counts.verdicts, ARRAY_SIZE(counts.verdicts));
	err = err ?: count_map(target, "vip_traffic", sizeof(struct tr_traffic), counts.vips,
			       ARRAY_SIZE(counts.vips));
	err = err ?: count_map(target, "backend_traffic", sizeof(struct tr_traffic), counts.backends,
			       ARRAY_SIZE(counts.backends));
	if (err)
		return log_err(err, "reading counters");
	*ret_counts = counts;
	return 0;
}
