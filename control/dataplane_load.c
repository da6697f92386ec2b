// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps and programs of an instance: made, or taken over; see dataplane.h.
 *
 * State maps are pinned and reused. A load of the programs brings maps of its own (stages, scratch, vip_cache), so a
 * newer build may lay these out anew and its entry never meets the stages of another build. A replacement pins them as
 * NAME-new, entry-new last; switches the programs wherever the old entry is attached; then renames -new over the old
 * pins, the entry last. A start that finds entry-new knows from what runs, and from stages-new, how far that came, and
 * ends it or takes it back. (No dots: the BPF file system reserves names with dots.)
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xxhash.h>

#include "attach.h"
#include "bpffs.h"
#include "dataplane_internal.h"
#include "log.h"
#include "tailrace.skel.h"
#include "ticks.h"
#include "util.h"

/* Pinned for each load of the programs: the entry last, so that what it needs stands when it does. */
static const char *const own_pins[] = { "stages", "scratch", "vip_cache", "tokens", TR_PIN_CLOCK, "tcp", "udp", "any",
					 "fragment", "icmp", "send", "too_big", TR_PIN_ENTRY };

#define PATH_FMT "%s/%s%s"

static const char *pin_path(const struct dataplane *dp, const char *name, const char *suffix, char *buf)
{
	if (snprintf(buf, PATH_MAX, PATH_FMT, dp->dir, name, suffix) >= PATH_MAX)
		return "";		/* no such file: every use of it fails and says so */
	return buf;
}

/*
 * A change needs room for old and new at once, and a backend's number rests for a while: so twice the limit. Number 0
 * stands for none.
 */
uint32_t dataplane_wanted_entries(enum state_map map, const struct config_limits *limits)
{
	switch (map) {
	case MAP_vip_addresses:
		return limits->addresses * TR_ROOM;
	case MAP_vip_prefixes:
		return limits->prefixes * TR_ROOM;
	case MAP_services:
		return limits->services * TR_ROOM;
	case MAP_vips:
	case MAP_vip_old:
	case MAP_vip_info:
	case MAP_vip_traffic:
		return limits->vips * TR_ROOM + 1;
	case MAP_backends:
	case MAP_backend_tags:
	case MAP_backend_info:
	case MAP_backend_traffic:
		return limits->backends * TR_ROOM + 1;
	case MAP_fragments:
		return (limits->fragments + TR_SET_SLOTS - 1) / TR_SET_SLOTS;
	case MAP_pool_info:
	case MAP_pool_flows:
	case MAP_pool_counts:
		return limits->pools * TR_ROOM + 1;
	case MAP_flows:
		return dataplane_flow_sets(limits);
	case MAP_rings:
		return limits->ring_words;
	default:
		return 0;		/* as in the object */
	}
}

static const char *limit_name(enum state_map map)
{
	switch (map) {
	case MAP_vip_addresses:
		return "addresses";
	case MAP_vip_prefixes:
		return "prefixes";
	case MAP_services:
		return "services";
	case MAP_vips:
	case MAP_vip_old:
	case MAP_vip_info:
	case MAP_vip_traffic:
		return "vips";
	case MAP_pool_info:
	case MAP_pool_flows:
	case MAP_pool_counts:
		return "pools";
	case MAP_flows:
		return "*_flows";
	case MAP_rings:
		return "ring_words";
	case MAP_fragments:
		return "fragments";
	default:
		return "backends";
	}
}

/* Opens what is pinned already; what is not keeps fd -1. */
static int open_pinned(struct dataplane *dp)
{
	char path[PATH_MAX];

	for (int i = 0; i < STATE_MAP_COUNT; i++) {
		struct bpf_map_info info = {};
		__u32 len = sizeof(info);
		int fd = bpf_obj_get(pin_path(dp, state_map_names[i], "", path));

		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return log_err(fd, "%s: cannot open it", path);
		dp->fds[i] = fd;
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			return log_err(-errno, "%s: cannot ask what it is", path);
		dp->max_entries[i] = info.max_entries;
	}
	return 0;
}

/* Tiers first: their map's size is the sum of four limits. */
static int check_sizes(const struct dataplane *dp, const struct config_limits *limits)
{
	int err = dataplane_check_tiers(dp, limits);

	for (int i = 0; i < STATE_MAP_COUNT && !err; i++) {
		uint32_t wanted = dataplane_wanted_entries(i, limits);

		if (dp->fds[i] < 0 || wanted <= dp->max_entries[i])
			continue;
		log_error("limits.%s: needs %u entries, but the instance's map %s/%s was made for %u and cannot grow while it "
			  "forwards; lower the limit, or stop forwarding with `tailrace unload` and start anew",
			  limit_name(i), wanted, dp->dir, state_map_names[i], dp->max_entries[i]);
		err = -EINVAL;
	}
	return err;
}

static int open_clock(struct dataplane *dp)
{
	char path[PATH_MAX];

	dp->clock = bpf_obj_get(pin_path(dp, TR_PIN_CLOCK, "", path));
	return dp->clock < 0 ? log_err(dp->clock, "%s: cannot open it", path) : 0;
}

static int read_instance(struct dataplane *dp, struct tr_instance *ret)
{
	__u32 zero = 0;

	memset(ret, 0, sizeof(*ret));
	if (dp->fds[MAP_instance] < 0)
		return 0;
	if (bpf_map_lookup_elem(dp->fds[MAP_instance], &zero, ret))
		return log_err(-errno, "%s/instance: cannot read it", dp->dir);
	if (ret->layout && ret->layout != TR_LAYOUT) {
		log_error("%s: its maps are of layout %llu, this tailrace knows layout %u; run the version that made "
			  "them, or stop forwarding with `tailrace unload` and start anew",
			  dp->dir, (unsigned long long)ret->layout, TR_LAYOUT);
		return -EINVAL;
	}
	return 0;
}

/* Of the programs as they would be loaded: the same value means that loading them again would change nothing. */
static uint64_t own_build(const struct config_limits *limits, const struct dataplane_options *options)
{
	uint64_t constants = limits->cache | (uint64_t)options->several_devices << 32 | (uint64_t)options->frags << 33;
	size_t size;
	const void *elf = tailrace_bpf__elf_bytes(&size);
	uint64_t build = XXH3_64bits_withSeed(elf, size, constants);

	return build ? build : 1;
}

static bool pin_exists(const struct dataplane *dp, const char *name, const char *suffix)
{
	char path[PATH_MAX];

	return !access(pin_path(dp, name, suffix, path), F_OK);
}

static bool own_are_pinned(const struct dataplane *dp)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_pins); i++)
		if (!pin_exists(dp, own_pins[i], ""))
			return false;
	return true;
}

/* All alike: the kernel lets no program with frags call one without, and the other way round. */
static int allow_frags(struct tailrace_bpf *skel)
{
	struct bpf_program *program;
	int err = 0;

	skel->rodata->xdp_has_frags = 1;
	bpf_object__for_each_program(program, skel->obj)
		err = err ?: bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);
	return err;
}

static int prepare_map(struct dataplane *dp, struct tailrace_bpf *skel, enum state_map i, const struct config_limits *limits)
{
	struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, state_map_names[i]);
	__u32 size = dp->max_entries[i] ? dp->max_entries[i] : dataplane_wanted_entries(i, limits);
	char path[PATH_MAX];
	int err = size ? bpf_map__set_max_entries(map, size) : 0;

	if (err)
		return err;
	/* The kernel gives a DEVMAP a flag of its own, and libbpf before 1.3 would take the pinned one for another map. */
	if (i == MAP_devices && dp->fds[i] >= 0)
		return bpf_map__reuse_fd(map, dp->fds[i]);
	return bpf_map__set_pin_path(map, pin_path(dp, state_map_names[i], "", path));
}

static int prepare_object(struct dataplane *dp, struct tailrace_bpf *skel, const struct config_limits *limits,
			  const struct dataplane_options *options)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;

	if (cpus < 0)
		return log_err(cpus, "cannot count the CPUs");
	for (enum state_map i = 0; i < STATE_MAP_COUNT && !err; i++)
		err = prepare_map(dp, skel, i, limits);
	skel->rodata->vip_cache_size = limits->cache;
	skel->rodata->tick_shift = ticks_shift();
	skel->rodata->fragment_sets = bpf_map__max_entries(skel->maps.fragments);
	skel->rodata->several_devices = options->several_devices;
	if (!err && options->frags)
		err = allow_frags(skel);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.vip_cache, cpus * limits->cache);
	return err ? log_err(err, "%s: cannot prepare maps and programs", dp->dir) : 0;
}

static int fill_stages(const struct tailrace_bpf *skel)
{
	const struct bpf_program *programs[TR_STAGE_COUNT] = {
		[TR_STAGE_TCP] = skel->progs.tr_tcp,
		[TR_STAGE_UDP] = skel->progs.tr_udp,
		[TR_STAGE_ANY] = skel->progs.tr_any,
		[TR_STAGE_FRAGMENT] = skel->progs.tr_fragment,
		[TR_STAGE_ICMP] = skel->progs.tr_icmp,
		[TR_STAGE_SEND] = skel->progs.tr_send,
		[TR_STAGE_TOO_BIG] = skel->progs.tr_too_big,
	};
	int stages = bpf_map__fd(skel->maps.stages);

	for (__u32 i = 0; i < TR_STAGE_COUNT; i++) {
		int fd = bpf_program__fd(programs[i]);

		if (bpf_map_update_elem(stages, &i, &fd, BPF_ANY))
			return log_err(-errno, "cannot put program %s in its place", bpf_program__name(programs[i]));
	}
	return 0;
}

static int pin_new(struct dataplane *dp, const struct tailrace_bpf *skel)
{
	const int fds[ARRAY_SIZE(own_pins)] = {
		bpf_map__fd(skel->maps.stages), bpf_map__fd(skel->maps.scratch), bpf_map__fd(skel->maps.vip_cache),
		bpf_map__fd(skel->maps.tokens), bpf_program__fd(skel->progs.tr_clock),
		bpf_program__fd(skel->progs.tr_tcp), bpf_program__fd(skel->progs.tr_udp),
		bpf_program__fd(skel->progs.tr_any), bpf_program__fd(skel->progs.tr_fragment),
		bpf_program__fd(skel->progs.tr_icmp), bpf_program__fd(skel->progs.tr_send),
		bpf_program__fd(skel->progs.tr_too_big), bpf_program__fd(skel->progs.tr_entry),
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(own_pins); i++)
		if (bpf_obj_pin(fds[i], pin_path(dp, own_pins[i], "-new", path)))
			return log_err(-errno, "%s: cannot pin it", path);
	return 0;
}

static void unpin_new(const struct dataplane *dp)
{
	char path[PATH_MAX];

	for (size_t i = ARRAY_SIZE(own_pins); i > 0; i--)
		unlink(pin_path(dp, own_pins[i - 1], "-new", path));
}

/* Renames what has not been renamed yet. */
static int publish_new(struct dataplane *dp)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (dp->old_stages < 0)
		dp->old_stages = bpf_obj_get(pin_path(dp, "stages", "", to));
	for (size_t i = 0; i < ARRAY_SIZE(own_pins); i++) {
		pin_path(dp, own_pins[i], "-new", from);
		if (rename(from, pin_path(dp, own_pins[i], "", to)) && errno != ENOENT)
			return log_err(-errno, "%s: cannot rename it to %s", from, to);
	}
	return 0;
}

/* A replacement that was cut short: ended where the new program runs or pins were renamed already, else taken back. */
static int settle_replacement(struct dataplane *dp)
{
	char path[PATH_MAX];
	_cleanup_close_ int new_entry = bpf_obj_get(pin_path(dp, TR_PIN_ENTRY, "-new", path));
	int err;

	if (new_entry < 0 || (pin_exists(dp, "stages", "-new") && !attach_runs(dp->dir, new_entry))) {
		unpin_new(dp);
		return 0;
	}
	log_info("%s: ending a replacement of programs that was cut short", dp->dir);
	err = attach_replace(dp->dir, new_entry);
	return err ? err : publish_new(dp);
}

static int write_instance(struct dataplane *dp, struct tr_instance *instance, uint64_t build)
{
	__u32 zero = 0;

	instance->layout = TR_LAYOUT;
	instance->build = build;
	if (bpf_map_update_elem(dp->fds[MAP_instance], &zero, instance, BPF_ANY))
		return log_err(-errno, "%s/instance: cannot write it", dp->dir);
	return 0;
}

static int take_fds(struct dataplane *dp, const struct tailrace_bpf *skel)
{
	for (int i = 0; i < STATE_MAP_COUNT; i++) {
		const struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, state_map_names[i]);

		if (dp->fds[i] >= 0)
			continue;
		dp->fds[i] = dup(bpf_map__fd(map));
		if (dp->fds[i] < 0)
			return log_err(-errno, "%s: cannot keep the map", state_map_names[i]);
		dp->max_entries[i] = bpf_map__max_entries(map);
	}
	return 0;
}

static int load_and_replace(struct dataplane *dp, struct tailrace_bpf *skel, const struct config_limits *limits,
			    const struct dataplane_options *options, struct tr_instance *instance)
{
	bool replaces = pin_exists(dp, TR_PIN_ENTRY, "");
	int err = prepare_object(dp, skel, limits, options);

	if (err)
		return err;
	err = tailrace_bpf__load(skel);
	if (err)
		return log_err(err, "%s: cannot load maps and programs (libbpf's messages are above)", dp->dir);
	err = take_fds(dp, skel);
	if (!err)
		err = fill_stages(skel);
	if (!err)
		err = write_instance(dp, instance, 0);	/* no build's, until the pins are one build's again */
	if (!err)
		err = pin_new(dp, skel);
	if (!err && replaces)
		err = attach_replace(dp->dir, bpf_program__fd(skel->progs.tr_entry));
	if (!err)
		err = publish_new(dp);
	if (!err)
		err = write_instance(dp, instance, own_build(limits, options));
	if (!err)
		log_info("%s: %s", dp->dir, replaces ? "programs replaced by this version's" : "programs and maps loaded");
	return err;
}

static int check_complete(const struct dataplane *dp)
{
	for (int i = 0; i < STATE_MAP_COUNT; i++)
		if (dp->fds[i] < 0) {
			log_error("%s/%s: the pin is missing, and with it what the instance must remember; stop forwarding "
				  "with `tailrace unload` and start anew", dp->dir, state_map_names[i]);
			return -EINVAL;
		}
	return 0;
}

int dataplane_load(struct dataplane *dp, const struct config_limits *limits, const struct dataplane_options *options)
{
	struct tr_instance instance;
	struct tailrace_bpf *skel;
	int err;

	dp->fresh = bpffs_is_empty(dp->dir);
	err = open_pinned(dp);
	if (!err)
		err = read_instance(dp, &instance);
	if (err)
		return err;
	if (instance.layout)
		err = check_complete(dp);
	if (!err)
		err = check_sizes(dp, limits);
	if (!err)
		err = settle_replacement(dp);
	if (err)
		return err;
	if (own_are_pinned(dp) && instance.build == own_build(limits, options)) {
		log_info("%s: maps and programs taken over", dp->dir);
		return open_clock(dp);
	}
	skel = tailrace_bpf__open();
	if (!skel)
		return log_err(-errno, "cannot open the BPF object");
	err = load_and_replace(dp, skel, limits, options, &instance);
	tailrace_bpf__destroy(skel);
	if (!err)
		err = open_clock(dp);
	if (err)
		dataplane_remove_fresh(dp);
	return err;
}
