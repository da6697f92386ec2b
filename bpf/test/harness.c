// SPDX-License-Identifier: GPL-2.0-only
/* See harness.h. */
#include "addr.h"
#include "harness.h"
#include "vip_filter.h"

#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/test/peek.skel.h"
#include "tailrace.skel.h"

/* A per-CPU map as the last count saw it: summed values, and room for one batch lookup. */
struct percpu {
	int fd;
	__u32 entries, words;		/* 64-bit words in a value */
	__u64 *sums;
	__u64 *diff;
	__u64 *raw;
	__u32 *keys;
};

#define VIEW_MAPS 10

struct harness {
	struct tailrace_bpf *skel;
	struct world_limits limits;
	__u32 generation;
	struct percpu verdicts, vips, backends;
	struct counted counted;
	struct tr_settings *settings;	/* the three are mmap'ed, as the controller has them */
	__u64 *words;
	struct tr_backend *backend;
	struct vip_filter filter;
	__u32 cache_size;
	struct {
		void *memory;
		size_t len;
	} mapped[VIEW_MAPS];		/* by harness_view() */
	size_t n_mapped;
	__u8 *fragments;			/* mmap'ed, for tests alone */
	__u8 *tokens;
	struct tr_tags *tags;			/* as they were written last */
	struct reference *reference;
	struct tailrace_bpf *peek_entry;	/* an entry on the same maps, whose stages are: */
	struct peek_bpf *peek;
};

static void must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
}

static void *must_new(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		errx(1, "out of memory");
	return p;
}

static void resize(struct bpf_map *map, __u32 entries)
{
	must(bpf_map__set_max_entries(map, entries ? entries : 1), bpf_map__name(map));
}

static void *map_memory(struct bpf_map *map, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (p == MAP_FAILED)
		err(1, "mmap of %s", bpf_map__name(map));
	return p;
}

static size_t map_bytes(const struct bpf_map *map)
{
	return (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);
}

static void percpu_init(struct percpu *p, struct bpf_map *map)
{
	int cpus = libbpf_num_possible_cpus();

	p->fd = bpf_map__fd(map);
	p->entries = bpf_map__max_entries(map);
	p->words = bpf_map__value_size(map) / sizeof(__u64);
	p->sums = must_new(p->entries * p->words, sizeof(__u64));
	p->diff = must_new(p->entries * p->words, sizeof(__u64));
	p->raw = must_new((size_t)p->entries * p->words * cpus, sizeof(__u64));
	p->keys = must_new(p->entries, sizeof(__u32));
}

static void percpu_free(struct percpu *p)
{
	free(p->sums);
	free(p->diff);
	free(p->raw);
	free(p->keys);
}

/* An array's batch comes in the order of its keys. */
static void percpu_count(struct percpu *p)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	__u32 count = p->entries, position, i, w;
	int r = bpf_map_lookup_batch(p->fd, NULL, &position, p->keys, p->raw, &count, NULL);

	if (r < 0 && r != -ENOENT)
		must(r, "counters");
	if (count != p->entries)
		errx(1, "counters: %u of %u entries", count, p->entries);
	for (i = 0; i < p->entries; i++)
		for (w = 0; w < p->words; w++) {
			__u64 sum = 0, *last = &p->sums[i * p->words + w];

			for (cpu = 0; cpu < cpus; cpu++)
				sum += p->raw[((size_t)i * cpus + cpu) * p->words + w];
			p->diff[i * p->words + w] = sum - *last;
			*last = sum;
		}
}

static void open_skel(struct harness *h, __u32 cache_size)
{
	const struct world_limits *l = &h->limits;

	h->skel = tailrace_bpf__open();
	if (!h->skel)
		err(1, "open skeleton");
	resize(h->skel->maps.vip_addresses, l->addresses);
	resize(h->skel->maps.vip_prefixes, l->prefixes);
	resize(h->skel->maps.services, l->services);
	resize(h->skel->maps.vips, l->vips);
	resize(h->skel->maps.vip_traffic, l->vips);
	resize(h->skel->maps.verdicts, TR_V_COUNT);
	resize(h->skel->maps.rings, l->words);
	resize(h->skel->maps.backends, l->backends);
	resize(h->skel->maps.backend_traffic, l->backends);
	resize(h->skel->maps.vip_cache, libbpf_num_possible_cpus() * cache_size);
	resize(h->skel->maps.vip_old, l->vips);
	if (l->pools) {
		resize(h->skel->maps.pool_info, l->pools);
		resize(h->skel->maps.pool_flows, l->pools);
		resize(h->skel->maps.pool_counts, l->pools);
		resize(h->skel->maps.backend_info, l->backends);
	}
	if (l->flow_sets)
		resize(h->skel->maps.flows, l->flow_sets);
	if (l->fragment_sets)
		resize(h->skel->maps.fragments, l->fragment_sets);
	resize(h->skel->maps.backend_tags, l->backends);
	must(bpf_map__set_map_flags(h->skel->maps.fragments, BPF_F_MMAPABLE), "fragments");
	must(bpf_map__set_map_flags(h->skel->maps.tokens, BPF_F_MMAPABLE), "tokens");
	h->skel->rodata->vip_cache_size = cache_size;
	h->skel->rodata->test_clock = l->test_clock;
	h->skel->rodata->several_devices = l->several_devices;
	must(tailrace_bpf__load(h->skel), "load skeleton");
}

struct harness *harness_new(const struct world_limits *limits, __u32 cache_size)
{
	struct harness *h = must_new(1, sizeof(*h));

	h->limits = *limits;
	h->cache_size = cache_size;
	open_skel(h, cache_size);
	percpu_init(&h->verdicts, h->skel->maps.verdicts);
	percpu_init(&h->vips, h->skel->maps.vip_traffic);
	percpu_init(&h->backends, h->skel->maps.backend_traffic);
	h->settings = map_memory(h->skel->maps.settings, sizeof(*h->settings));
	h->words = map_memory(h->skel->maps.rings, limits->words * sizeof(*h->words));
	h->backend = map_memory(h->skel->maps.backends, limits->backends * sizeof(*h->backend));
	h->fragments = map_memory(h->skel->maps.fragments, map_bytes(h->skel->maps.fragments));
	h->tokens = map_memory(h->skel->maps.tokens, map_bytes(h->skel->maps.tokens));
	h->tags = must_new(limits->backends, sizeof(*h->tags));
	h->reference = reference_new();
	return h;
}

void harness_free(struct harness *h)
{
	munmap(h->settings, sizeof(*h->settings));
	munmap(h->words, h->limits.words * sizeof(*h->words));
	munmap(h->backend, h->limits.backends * sizeof(*h->backend));
	munmap(h->fragments, map_bytes(h->skel->maps.fragments));
	munmap(h->tokens, map_bytes(h->skel->maps.tokens));
	reference_free(h->reference);
	free(h->tags);
	percpu_free(&h->verdicts);
	percpu_free(&h->vips);
	percpu_free(&h->backends);
	while (h->n_mapped--)
		munmap(h->mapped[h->n_mapped].memory, h->mapped[h->n_mapped].len);
	peek_bpf__destroy(h->peek);
	tailrace_bpf__destroy(h->peek_entry);
	tailrace_bpf__destroy(h->skel);
	free(h);
}

static void *view_map(struct harness *h, struct bpf_map *map)
{
	size_t len = (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);

	h->mapped[h->n_mapped].memory = map_memory(map, len);
	h->mapped[h->n_mapped].len = len;
	return h->mapped[h->n_mapped++].memory;
}

struct affinity_view harness_view(struct harness *h)
{
	return (struct affinity_view){
		.settings = view_map(h, h->skel->maps.settings),
		.rings = view_map(h, h->skel->maps.rings),
		.backends = view_map(h, h->skel->maps.backends),
		.backend_info = view_map(h, h->skel->maps.backend_info),
		.pools = view_map(h, h->skel->maps.pool_info),
		.pool_flows = view_map(h, h->skel->maps.pool_flows),
		.vips = view_map(h, h->skel->maps.vips),
		.vip_old = view_map(h, h->skel->maps.vip_old),
		.flows = view_map(h, h->skel->maps.flows),
		.flow_state = view_map(h, h->skel->maps.flow_state),
		.n_words = h->limits.words,
		.n_backends = h->limits.backends,
		.n_pools = h->limits.pools,
		.n_vips = h->limits.vips,
	};
}

static void map_empty(const struct bpf_map *map)
{
	char key[64];

	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		must(bpf_map_delete_elem(bpf_map__fd(map), key), bpf_map__name(map));
}

static void map_put(const struct bpf_map *map, const void *key, const void *value)
{
	must(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), bpf_map__name(map));
}

static void apply_stages(struct harness *h, const struct world *world)
{
	const struct bpf_program *stage[TR_STAGE_COUNT] = {
		[TR_STAGE_TCP] = h->skel->progs.tr_tcp,
		[TR_STAGE_UDP] = h->skel->progs.tr_udp,
		[TR_STAGE_ANY] = h->skel->progs.tr_any,
		[TR_STAGE_FRAGMENT] = h->skel->progs.tr_fragment,
		[TR_STAGE_ICMP] = h->skel->progs.tr_icmp,
		[TR_STAGE_SEND] = h->skel->progs.tr_send,
		[TR_STAGE_TOO_BIG] = h->skel->progs.tr_too_big,
	};
	__u32 i;

	for (i = 0; i < TR_STAGE_COUNT; i++) {
		int fd = bpf_program__fd(stage[i]);

		if (!world->stage_missing[i])
			map_put(h->skel->maps.stages, &i, &fd);
		else
			bpf_map_delete_elem(bpf_map__fd(h->skel->maps.stages), &i);
	}
}

static void apply_ways_out(struct harness *h, const struct world *world)
{
	__u32 i;

	map_empty(h->skel->maps.devices);
	for (i = 0; i < world->n_devices; i++)
		map_put(h->skel->maps.devices, &world->devices[i], &world->devices[i]);
	for (i = 0; i < world->limits.backends; i++)
		if (memcmp(&h->tags[i], &world->tags[i], sizeof(h->tags[i])))
			map_put(h->skel->maps.backend_tags, &i, &world->tags[i]);
	memcpy(h->tags, world->tags, world->limits.backends * sizeof(*h->tags));
}

/* Does another VIP address or prefix lie inside this one? */
static bool is_alone(const struct world *world, const struct tr_prefix *prefix)
{
	__u32 i;

	for (i = 0; i < world->n_addresses; i++)
		if (prefix->len < 128 && addr_in_prefix(&world->addresses[i].addr, prefix))
			return false;
	for (i = 0; i < world->n_prefixes; i++)
		if (world->prefixes[i].prefix.len > prefix->len &&
		    addr_in_prefix(&world->prefixes[i].prefix.addr, prefix))
			return false;
	return true;
}

/* map: the addresses' or the prefixes', which may hold one of full length too. */
static void put_address(struct harness *h, const struct world *world, struct bpf_map *map, const struct tr_prefix *prefix,
			struct tr_vip_address value)
{
	value.len = prefix->len;
	value.alone = is_alone(world, prefix);
	vip_filter_add(&h->filter, prefix);
	map_put(map, map == h->skel->maps.vip_addresses ? (const void *)&prefix->addr : prefix, &value);
}

static void apply_filter(struct harness *h, const struct world *world)
{
	struct tr_filter filter = {};
	__u32 zero = 0, i;

	memcpy(filter.words, h->filter.words, sizeof(filter.words));
	for (i = 0; i < TR_FAMILY_COUNT; i++) {
		filter.lengths[0][i] = h->filter.lengths[i];
		filter.lengths[0][i].known &= !world->lengths_unknown;
	}
	map_put(h->skel->maps.vip_filter, &zero, &filter);
}

static void apply_lookups(struct harness *h, const struct world *world)
{
	__u32 i;

	vip_filter_clear(&h->filter);
	map_empty(h->skel->maps.vip_addresses);
	map_empty(h->skel->maps.vip_prefixes);
	map_empty(h->skel->maps.services);
	for (i = 0; i < world->n_addresses; i++)
		put_address(h, world, h->skel->maps.vip_addresses,
			    &(struct tr_prefix){ 128, world->addresses[i].addr }, world->addresses[i].value);
	for (i = 0; i < world->n_prefixes; i++)
		put_address(h, world, h->skel->maps.vip_prefixes, &world->prefixes[i].prefix,
			    world->prefixes[i].value);
	apply_filter(h, world);
	for (i = 0; i < world->n_services; i++)
		map_put(h->skel->maps.services, &world->services[i].key, &world->services[i].vip);
	for (i = 0; i < world->limits.vips; i++)
		map_put(h->skel->maps.vips, &i, &world->vips[i]);
}

void harness_settings(struct harness *h, const struct tr_settings *settings)
{
	*h->settings = *settings;
	memcpy(h->settings->sources, h->filter.sources, sizeof(h->settings->sources));
	h->settings->generation = ++h->generation;
	reference_forget_flows(h->reference);
}

void harness_tick(struct harness *h, __u32 tick)
{
	h->settings->tick = tick;
}

struct reference *harness_reference(struct harness *h)
{
	return h->reference;
}

void harness_forget(struct harness *h)
{
	memset(h->fragments, 0, map_bytes(h->skel->maps.fragments));
	memset(h->tokens, 0, map_bytes(h->skel->maps.tokens));
	reference_forget(h->reference);
}

struct remembered {
	struct reference *reference;
	__u8 maps[];
};

struct remembered *harness_save(const struct harness *h)
{
	size_t fragments = map_bytes(h->skel->maps.fragments), tokens = map_bytes(h->skel->maps.tokens);
	struct remembered *to = must_new(1, sizeof(*to) + fragments + tokens);

	to->reference = reference_new();
	reference_copy(to->reference, h->reference);
	memcpy(to->maps, h->fragments, fragments);
	memcpy(to->maps + fragments, h->tokens, tokens);
	return to;
}

void harness_restore(struct harness *h, const struct remembered *from)
{
	size_t fragments = map_bytes(h->skel->maps.fragments), tokens = map_bytes(h->skel->maps.tokens);

	reference_copy(h->reference, from->reference);
	memcpy(h->fragments, from->maps, fragments);
	memcpy(h->tokens, from->maps + fragments, tokens);
}

void harness_drop(struct remembered *remembered)
{
	reference_free(remembered->reference);
	free(remembered);
}

void harness_unfill(struct harness *h)
{
	*h->settings = (struct tr_settings){};
}

void harness_apply(struct harness *h, const struct world *world)
{
	apply_lookups(h, world);
	apply_stages(h, world);
	apply_ways_out(h, world);
	memcpy(h->words, world->words, h->limits.words * sizeof(*h->words));
	memcpy(h->backend, world->backends, h->limits.backends * sizeof(*h->backend));
	harness_settings(h, &world->settings);
}

void harness_run_prog(int prog_fd, const __u8 *frame, size_t len, struct observed *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = ret->data,
		    .data_size_out = sizeof(ret->data) - OBSERVED_GUARD, .repeat = 1);

	must(bpf_prog_test_run_opts(prog_fd, &opts), "test run");
	ret->action = opts.retval;
	ret->len = opts.data_size_out;
}

void harness_run(struct harness *h, const __u8 *frame, size_t len, struct observed *ret)
{
	harness_run_prog(harness_entry_fd(h), frame, len, ret);
}

int harness_entry_fd(const struct harness *h)
{
	return bpf_program__fd(h->skel->progs.tr_entry);
}

/* All maps of the other object that this one names, but the few that are a program's own. */
static void share_maps(struct bpf_object *from, struct bpf_object *to, bool all)
{
	struct bpf_map *map, *other;

	bpf_object__for_each_map(map, to) {
		const char *name = bpf_map__name(map);

		if (bpf_map__is_internal(map) ||
		    (!all && (!strcmp(name, "stages") || !strcmp(name, "scratch") || !strcmp(name, "vip_cache"))))
			continue;
		other = bpf_object__find_map_by_name(from, name);
		if (other)
			must(bpf_map__reuse_fd(map, bpf_map__fd(other)), name);
	}
}

static void load_peek(struct harness *h)
{
	__u32 i;

	h->peek_entry = tailrace_bpf__open();
	h->peek = peek_bpf__open();
	if (!h->peek_entry || !h->peek)
		err(1, "open skeleton");
	share_maps(h->skel->obj, h->peek_entry->obj, false);
	resize(h->peek_entry->maps.vip_cache, libbpf_num_possible_cpus() * h->cache_size);
	h->peek_entry->rodata->vip_cache_size = h->cache_size;
	must(tailrace_bpf__load(h->peek_entry), "load skeleton");
	share_maps(h->peek_entry->obj, h->peek->obj, true);
	h->peek->rodata->test_clock = h->limits.test_clock;
	must(peek_bpf__load(h->peek), "load peek");
	for (i = 0; i < TR_STAGE_COUNT; i++) {
		int fd = bpf_program__fd(i == TR_STAGE_TCP ? h->peek->progs.peek_tcp : h->peek->progs.peek_udp);

		map_put(h->peek_entry->maps.stages, &i, &fd);
	}
}

__u32 harness_peek(struct harness *h, const __u8 *frame, size_t len)
{
	struct observed observed;

	if (!h->peek)
		load_peek(h);
	harness_run_prog(bpf_program__fd(h->peek_entry->progs.tr_entry), frame, len, &observed);
	return observed.action;
}

const __u64 *harness_count_verdicts(struct harness *h)
{
	percpu_count(&h->verdicts);
	return h->verdicts.diff;
}

const struct counted *harness_count(struct harness *h)
{
	memcpy(h->counted.verdicts, harness_count_verdicts(h), sizeof(h->counted.verdicts));
	percpu_count(&h->vips);
	percpu_count(&h->backends);
	h->counted.vips = (struct tr_traffic *)h->vips.diff;
	h->counted.backends = (struct tr_traffic *)h->backends.diff;
	return &h->counted;
}

static const struct {
	const char *name;
	__u32 action;
} verdicts[TR_V_COUNT] = {
#define X(NAME, text, act, help) { #text, XDP_##act },
	TR_VERDICTS(X)
#undef X
};

const char *verdict_name(__u32 verdict)
{
	return verdict < TR_V_COUNT ? verdicts[verdict].name : "none";
}

__u32 verdict_action(__u32 verdict)
{
	return verdict < TR_V_COUNT ? verdicts[verdict].action : ~0U;
}

__u32 verdict_only(const __u64 *raised)
{
	__u32 i, only = TR_V_COUNT, sum = 0;

	for (i = 0; i < TR_V_COUNT; i++) {
		sum += raised[i];
		if (raised[i])
			only = i;
	}
	return sum == 1 ? only : TR_V_COUNT;
}

int harness_pin_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}
