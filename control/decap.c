// SPDX-License-Identifier: GPL-2.0-only
/* Loading, pinning and filling a decapsulator; see decap.h. */
#include "decap.h"

#include <errno.h>
#include <linux/bpf.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "addr.h"
#include "decap.skel.h"
#include "decap_pins.h"
#include "log.h"
#include "paths.h"
#include "util.h"

static const char *const map_names[] = {
	[DECAP_ADDRESSES] = "addresses", [DECAP_VIPS] = "vips", [DECAP_SOURCES] = "sources",
	[DECAP_LISTS] = "verdicts",
};

const char *decap_map_name(enum decap_map map)
{
	return map_names[map];
}

static int join(char buf[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(buf, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int decap_init(struct decap *decap, const char *device, const char *dir)
{
	*decap = (struct decap){ .xdp_fd = -1, .tc_fd = -1 };
	if (!*device || strlen(device) >= sizeof(decap->device)) {
		log_error("'%s' is no name of a network device", device);
		return -EINVAL;
	}
	strcpy(decap->device, device);
	decap->ifindex = if_nametoindex(device);
	if ((dir ? snprintf(decap->dir, PATH_MAX, "%s", dir) :
		   snprintf(decap->dir, PATH_MAX, TR_PIN_ROOT "/" TR_PIN_DECAP "%s", device)) < PATH_MAX) {
		/* eth0.100: the BPF file system takes no dots in names. */
		for (char *c = decap->dir; !dir && *c; c++)
			if (*c == '.')
				*c = '_';
		return 0;
	}
	log_error("%s: the path of the pins is too long", device);
	return -EINVAL;
}

void decap_close(struct decap *decap)
{
	cleanup_closep(&decap->xdp_fd);
	cleanup_closep(&decap->tc_fd);
	decap->xdp_fd = decap->tc_fd = -1;
}

void decap_list_free(struct decap_list *list)
{
	free(list->entries);
	*list = (struct decap_list){};
}

int decap_list_add(struct decap_list *list, const struct tr_prefix *entry)
{
	struct tr_prefix *entries = reallocarray(list->entries, list->n + 1, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	list->entries = entries;
	list->entries[list->n++] = *entry;
	return 0;
}

/* Keys of `addresses` are bare addresses. */
static const void *map_key(enum decap_map map, const struct tr_prefix *entry)
{
	return map == DECAP_ADDRESSES ? (const void *)&entry->addr : (const void *)entry;
}

static int compare_entries(const void *a, const void *b)
{
	const struct tr_prefix *x = a, *y = b;
	int order = addr_compare(&x->addr, &y->addr);

	return order ? order : (int)x->len - (int)y->len;
}

static int read_keys(int fd, enum decap_map map, struct decap_list *ret)
{
	struct tr_prefix entry = { .len = 128 };
	struct decap_list list = {};
	const void *previous = NULL;
	int err;

	while (!(err = bpf_map_get_next_key(fd, previous, (void *)map_key(map, &entry)))) {
		err = decap_list_add(&list, &entry);
		if (err)
			break;
		previous = map_key(map, &list.entries[list.n - 1]);
	}
	if (err != -ENOENT) {
		decap_list_free(&list);
		return err;
	}
	if (list.n)
		qsort(list.entries, list.n, sizeof(*list.entries), compare_entries);
	*ret = list;
	return 0;
}

static int replace_contents(int fd, enum decap_map map, const struct decap_list *list)
{
	struct decap_list all = {};
	const uint32_t one = 1;
	int err = 0;

	for (size_t i = 0; i < list->n && !err; i++)
		err = bpf_map_update_elem(fd, map_key(map, &list->entries[i]), &one, BPF_ANY);
	if (!err)
		err = read_keys(fd, map, &all);
	for (size_t i = 0; i < all.n && !err; i++) {
		size_t n = list->n;

		if (!lfind(&all.entries[i], list->entries, &n, sizeof(*list->entries), compare_entries))
			err = bpf_map_delete_elem(fd, map_key(map, &all.entries[i]));
	}
	decap_list_free(&all);
	return err;
}

/* Half of the map is for the old contents while a change is under way. */
static int fill(const struct decap *decap, struct decap_bpf *skel, const struct decap_list lists[DECAP_LISTS])
{
	struct bpf_map *maps[] = { skel->maps.addresses, skel->maps.vips, skel->maps.sources };
	int err;

	for (enum decap_map map = 0; map < DECAP_LISTS; map++) {
		size_t max = bpf_map__max_entries(maps[map]) / 2;

		if (lists[map].n > max) {
			log_error("%s: %zu %s, but no more than %zu fit", decap->device, lists[map].n, map_names[map],
				  max);
			return -E2BIG;
		}
	}
	for (enum decap_map map = 0; map < DECAP_LISTS; map++) {
		err = replace_contents(bpf_map__fd(maps[map]), map, &lists[map]);
		if (err)
			return log_err(err, "%s: cannot write the map %s/%s", decap->device, decap->dir,
				       map_names[map]);
	}
	return 0;
}

/* From 5.18: without it a device with jumbo frames refuses the program. */
static bool kernel_has_xdp_frags(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "tr_probe", "GPL", insns, ARRAY_SIZE(insns), &opts);

	return fd >= 0;
}

/* The verifier's log is many lines, and all of them count. */
static int print_warning(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

/* With a pin path libbpf takes the pinned map where there is one, and pins a new one where not. */
static int load_skeleton(const struct decap *decap, struct decap_bpf **ret)
{
	libbpf_print_fn_t print = libbpf_set_print(print_warning);
	struct decap_bpf *skel = decap_bpf__open();
	char path[PATH_MAX];
	int err = 0;

	if (!skel)
		return log_err(-errno, "cannot open the BPF object");
	for (size_t i = 0; i < ARRAY_SIZE(map_names) && !err; i++) {
		err = join(path, decap->dir, map_names[i]);
		if (!err)
			err = bpf_map__set_pin_path(bpf_object__find_map_by_name(skel->obj, map_names[i]), path);
	}
	if (!err && kernel_has_xdp_frags()) {
		skel->rodata->xdp_has_frags = 1;
		err = bpf_program__set_flags(skel->progs.tr_decap_xdp, BPF_F_XDP_HAS_FRAGS);
	}
	if (!err)
		err = decap_bpf__load(skel);
	libbpf_set_print(print);
	if (err) {
		decap_bpf__destroy(skel);
		return log_err(err, "%s: cannot load the decapsulator with the maps in %s", decap->device,
			       decap->dir);
	}
	*ret = skel;
	return 0;
}

static int program_info(int fd, struct bpf_prog_info *ret)
{
	__u32 len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &len);
}

/* Renaming over the old pin: there is always a program under the name. bpffs allows no dots in names. */
static int replace_pin(const char *path, int fd)
{
	char fresh[PATH_MAX + 4];
	int err;

	snprintf(fresh, sizeof(fresh), "%s_new", path);
	unlink(fresh);
	err = bpf_obj_pin(fd, fresh);
	if (err)
		return err;
	if (rename(fresh, path)) {
		err = -errno;
		unlink(fresh);
	}
	return err;
}

/* *ret_fd: the program under that name from now on; the pinned one if it is of the same build. */
static int pin_program(const struct decap *decap, const char *name, int fd, int *ret_fd, uint32_t *ret_replaced)
{
	struct bpf_prog_info new_info, old_info;
	_cleanup_close_ int old = -1;
	char path[PATH_MAX];
	int err = join(path, decap->dir, name);

	if (!err)
		err = program_info(fd, &new_info);
	if (err)
		return err;
	old = bpf_obj_get(path);
	if (old >= 0 && !program_info(old, &old_info)) {
		if (strcmp(new_info.name, old_info.name)) {
			log_error("%s: is another program, %s, which stays", path, old_info.name);
			return -EEXIST;
		}
		if (!memcmp(new_info.tag, old_info.tag, sizeof(new_info.tag))) {
			*ret_fd = TAKE_FD(old);
			return 0;
		}
		*ret_replaced = old_info.id;
	}
	err = replace_pin(path, fd);
	if (err)
		return err;
	*ret_fd = bpf_obj_get(path);
	return *ret_fd < 0 ? *ret_fd : 0;
}

static int pin_programs(struct decap *decap, struct decap_bpf *skel)
{
	uint32_t replaced_tc = 0;
	int err;

	err = pin_program(decap, "xdp", bpf_program__fd(skel->progs.tr_decap_xdp), &decap->xdp_fd,
			  &decap->replaced_xdp_id);
	if (!err)
		err = pin_program(decap, "tc", bpf_program__fd(skel->progs.tr_decap_tc), &decap->tc_fd, &replaced_tc);
	return err ? log_err(err, "%s: cannot pin the programs in %s", decap->device, decap->dir) : 0;
}

int decap_load(struct decap *decap, const struct decap_list lists[DECAP_LISTS])
{
	struct decap_bpf *skel = NULL;
	int err;

	err = load_skeleton(decap, &skel);
	if (!err)
		err = fill(decap, skel, lists);
	if (!err)
		err = pin_programs(decap, skel);
	decap_bpf__destroy(skel);
	return err;
}

static int open_pin(const struct decap *decap, const char *name)
{
	char path[PATH_MAX];
	int err = join(path, decap->dir, name);

	return err ? err : bpf_obj_get(path);
}

int decap_find(struct decap *decap)
{
	if (!decap_pins_found(decap->dir))
		return -ENOENT;
	decap->xdp_fd = open_pin(decap, "xdp");
	if (decap->xdp_fd < 0 && decap->xdp_fd != -ENOENT)
		return decap->xdp_fd;
	decap->tc_fd = open_pin(decap, "tc");
	return decap->tc_fd < 0 && decap->tc_fd != -ENOENT ? decap->tc_fd : 0;
}

int decap_read_list(const struct decap *decap, enum decap_map map, struct decap_list *ret)
{
	_cleanup_close_ int fd = open_pin(decap, map_names[map]);
	int err = fd < 0 ? fd : read_keys(fd, map, ret);

	return err ? log_err(err, "%s: cannot read the map %s/%s", decap->device, decap->dir, map_names[map]) : 0;
}

int decap_read_verdicts(const struct decap *decap, uint64_t ret[TR_D_COUNT])
{
	_cleanup_close_ int fd = open_pin(decap, map_names[DECAP_LISTS]);
	int err = fd < 0 ? fd : 0, cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *values = calloc(cpus > 0 ? cpus : 1, sizeof(*values));

	if (!err && (cpus < 0 || !values))
		err = cpus < 0 ? cpus : -ENOMEM;
	for (uint32_t verdict = 0; verdict < TR_D_COUNT && !err; verdict++) {
		err = bpf_map_lookup_elem(fd, &verdict, values);
		ret[verdict] = 0;
		for (int i = 0; i < cpus && !err; i++)
			ret[verdict] += values[i];
	}
	return err ? log_err(err, "%s: cannot read the map %s/verdicts", decap->device, decap->dir) : 0;
}
