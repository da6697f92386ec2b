// SPDX-License-Identifier: GPL-2.0-only
/* `tailrace decap`: the backend's side. Options, and what they do; decap_status.c prints the status. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "addr.h"
#include "decap.h"
#include "decap_pins.h"
#include "decap_status.h"
#include "log.h"
#include "util.h"

enum action { ACTION_ATTACH, ACTION_LOAD, ACTION_DETACH, ACTION_STATUS };

struct options {
	const char *device;
	const char *pin;		/* NULL: the device's own */
	enum action action;
	enum decap_mode mode;		/* DECAP_DETACHED: as it is attached now, else native */
	bool json;
	struct decap_list lists[DECAP_LISTS];
};

enum { OPT_VIP = 256, OPT_ADDRESS, OPT_SOURCE, OPT_MODE, OPT_LOAD_ONLY, OPT_DETACH, OPT_STATUS, OPT_JSON, OPT_PIN };

static const struct option long_options[] = {
	{ "vip", required_argument, NULL, OPT_VIP },
	{ "address", required_argument, NULL, OPT_ADDRESS },
	{ "source", required_argument, NULL, OPT_SOURCE },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "load-only", no_argument, NULL, OPT_LOAD_ONLY },
	{ "detach", no_argument, NULL, OPT_DETACH },
	{ "status", no_argument, NULL, OPT_STATUS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "help", no_argument, NULL, 'h' },
	{},
};

static const char usage[] =
	"usage: tailrace decap DEV --vip PREFIX ... [OPTIONS]\n"
	"       tailrace decap DEV --status [--json]\n"
	"       tailrace decap DEV --detach\n"
	"\n"
	"Opens the balancers' tunnels (IPIP, IP6IP6 and both mixed kinds) on DEV and ends; the programs stay.\n"
	"Run again, it replaces the lists without touching the attachment.\n"
	"\n"
	"  --vip PREFIX ...     inner destinations to accept\n"
	"  --address ADDR ...   outer destinations to accept; default: the addresses that DEV has now\n"
	"  --source PREFIX ...  outer sources to accept; default: 172.16.0.0/16 100::/64, the balancers' defaults\n"
	"  --mode MODE          xdp (native, the default), generic, or tc: clsact ingress, where XDP is taken\n"
	"  --load-only          pin the programs `xdp` and `tc`, attach neither: for ip link and tc filter\n"
	"  --detach             take the programs off DEV and remove the pins\n"
	"  --status             attachment, lists and counters; --json for machines\n"
	"  --pin DIR            where to pin; default: /sys/fs/bpf/tailrace/decap-DEV\n";

static int parse_mode(const char *text, enum decap_mode *ret)
{
	for (enum decap_mode mode = 0; mode < DECAP_DETACHED; mode++) {
		if (!strcmp(text, decap_mode_name(mode))) {
			*ret = mode;
			return 0;
		}
	}
	log_error("--mode %s: xdp, generic or tc", text);
	return -EINVAL;
}

static int parse_entry(enum decap_map map, const char *text, struct decap_list *list)
{
	struct tr_prefix entry;
	int err = addr_parse_prefix(text, &entry);

	if (err == -ERANGE) {
		log_error("'%s' has bits set behind the prefix length", text);
		return -EINVAL;
	}
	if (err) {
		log_error("'%s' is no %s (in %s; DEV goes first)", text,
			  map == DECAP_ADDRESSES ? "IP address" : "IP address or prefix", decap_map_name(map));
		return err;
	}
	if (map == DECAP_ADDRESSES && entry.len != 128) {
		log_error("--address '%s' is a prefix; an address stands alone", text);
		return -EINVAL;
	}
	return decap_list_add(list, &entry);
}

/* list: the list option that came last; words that follow it belong to it. */
static int parse_word(struct options *o, enum decap_map list, const char *word)
{
	if (list != DECAP_LISTS)
		return parse_entry(list, word, &o->lists[list]);
	if (o->device) {
		log_error("'%s' follows no option that takes a list, and DEV is '%s' already", word, o->device);
		return -EINVAL;
	}
	o->device = word;
	return 0;
}

static const char *const action_options[] = {
	[ACTION_LOAD] = "--load-only", [ACTION_DETACH] = "--detach", [ACTION_STATUS] = "--status",
};

static int parse_action(struct options *o, enum action action)
{
	if (o->action != ACTION_ATTACH && o->action != action) {
		log_error("decap: %s and %s do not go together", action_options[o->action], action_options[action]);
		return -EINVAL;
	}
	o->action = action;
	return 0;
}

static int parse_option(struct options *o, int option, enum decap_map *list)
{
	switch (option) {
	case 1:
		return parse_word(o, *list, optarg);
	case OPT_VIP:
	case OPT_ADDRESS:
	case OPT_SOURCE:
		*list = option == OPT_VIP ? DECAP_VIPS : option == OPT_ADDRESS ? DECAP_ADDRESSES : DECAP_SOURCES;
		return parse_entry(*list, optarg, &o->lists[*list]);
	case OPT_MODE:
		return parse_mode(optarg, &o->mode);
	case OPT_LOAD_ONLY:
		return parse_action(o, ACTION_LOAD);
	case OPT_DETACH:
		return parse_action(o, ACTION_DETACH);
	case OPT_STATUS:
		return parse_action(o, ACTION_STATUS);
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_PIN:
		o->pin = optarg;
		return 0;
	default:
		fputs(usage, option == 'h' ? stdout : stderr);
		return option == 'h' ? -ECANCELED : -EINVAL;
	}
}

static int check_options(const struct options *o)
{
	bool any_list = o->lists[DECAP_VIPS].n || o->lists[DECAP_ADDRESSES].n || o->lists[DECAP_SOURCES].n;

	if (!o->device) {
		log_error("decap: which device? tailrace decap DEV --vip PREFIX ...");
		return -EINVAL;
	}
	if (o->json && o->action != ACTION_STATUS) {
		log_error("decap: --json goes with --status alone");
		return -EINVAL;
	}
	if (o->mode != DECAP_DETACHED && o->action != ACTION_ATTACH) {
		log_error("decap: --mode says how to attach, and %s does not attach", action_options[o->action]);
		return -EINVAL;
	}
	if (o->action > ACTION_LOAD && any_list) {
		log_error("decap: %s takes none of --vip, --address, --source", action_options[o->action]);
		return -EINVAL;
	}
	if (o->action <= ACTION_LOAD && !o->lists[DECAP_VIPS].n) {
		log_error("decap: --vip PREFIX ... says which inner destinations to accept");
		return -EINVAL;
	}
	return 0;
}

/* -ECANCELED: the help was asked for and printed. */
static int parse_options(int argc, char **argv, struct options *o)
{
	enum decap_map list = DECAP_LISTS;
	int option, err;

	optind = 0;
	/* '-': words come in their place, so that an option may take several. */
	while ((option = getopt_long(argc, argv, "-h", long_options, NULL)) != -1) {
		if (option != 1)
			list = DECAP_LISTS;
		err = parse_option(o, option, &list);
		if (err)
			return err;
	}
	return check_options(o);
}

static int add_default_sources(struct decap_list *list)
{
	static const char *const defaults[] = { "172.16.0.0/16", "100::/64" };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(defaults) && !err; i++)
		err = parse_entry(DECAP_SOURCES, defaults[i], list);
	return err;
}

/* IPv4 addresses go by their labels: "eth0", "eth0:1". */
static bool is_on_device(const struct ifaddrs *ifa, const char *device)
{
	size_t len = strlen(device);

	return ifa->ifa_addr && !strncmp(ifa->ifa_name, device, len) &&
	       (!ifa->ifa_name[len] || ifa->ifa_name[len] == ':');
}

static int add_device_addresses(const char *device, struct decap_list *list)
{
	struct tr_prefix entry = { .len = 128 };
	struct ifaddrs *all, *ifa;
	int err = 0;

	if (getifaddrs(&all))
		return log_err(-errno, "%s: cannot read its addresses", device);
	for (ifa = all; ifa && !err; ifa = ifa->ifa_next) {
		if (!is_on_device(ifa, device))
			continue;
		if (ifa->ifa_addr->sa_family == AF_INET)
			entry.addr = addr_from_wire(AF_INET, &((struct sockaddr_in *)ifa->ifa_addr)->sin_addr);
		else if (ifa->ifa_addr->sa_family == AF_INET6)
			entry.addr = addr_from_wire(AF_INET6, &((struct sockaddr_in6 *)ifa->ifa_addr)->sin6_addr);
		else
			continue;
		err = decap_list_add(list, &entry);
	}
	freeifaddrs(all);
	if (!err && !list->n) {
		log_error("%s: has no address yet; --address ADDR ... names the outer destinations", device);
		err = -EADDRNOTAVAIL;
	}
	return err;
}

static int complete_lists(struct options *o)
{
	int err = 0;

	if (!o->lists[DECAP_SOURCES].n)
		err = add_default_sources(&o->lists[DECAP_SOURCES]);
	if (!err && !o->lists[DECAP_ADDRESSES].n)
		err = add_device_addresses(o->device, &o->lists[DECAP_ADDRESSES]);
	return err;
}

static enum decap_mode present_mode(const struct decap_attachment *xdp, const struct decap_attachment *tc)
{
	if (xdp->mode != DECAP_DETACHED)
		return xdp->mode;
	return tc->mode != DECAP_DETACHED ? tc->mode : DECAP_NATIVE;
}

static int load_and_attach(struct options *o, struct decap *decap)
{
	struct decap_attachment xdp, tc;
	/* Before the lists are touched: the pins may be those of another device. */
	int err = decap_owner_check(decap);

	if (!err)
		err = decap_attached(decap, &xdp, &tc);
	if (!err)
		err = decap_owner_write(decap);
	if (!err)
		err = decap_load(decap, o->lists);
	if (err || o->action == ACTION_LOAD)
		return err;
	err = decap_attached(decap, &xdp, &tc);
	if (err)
		return err;
	return decap_attach(decap, o->mode == DECAP_DETACHED ? present_mode(&xdp, &tc) : o->mode);
}

static int run_load(struct options *o, struct decap *decap)
{
	_cleanup_close_ int lock = -1;
	uint32_t before;
	int err;

	if (!decap->ifindex) {
		log_error("%s: there is no such network device", o->device);
		return -ENODEV;
	}
	err = complete_lists(o);
	if (!err)
		err = decap_pins_lock(decap->dir, true, &lock);
	if (err)
		return err;
	before = decap_pins_found(decap->dir);
	err = load_and_attach(o, decap);
	if (err)
		decap_pins_remove(decap->dir, before);
	return err ? err : decap_print_summary(decap, stdout);
}

/* *ret_lock: -1 where the status is asked for, which changes nothing. */
static int find_pinned(const struct options *o, struct decap *decap, int *ret_lock)
{
	int err = decap_pins_check(decap->dir);

	if (!err && o->action == ACTION_DETACH && decap_pins_found(decap->dir))
		err = decap_pins_lock(decap->dir, false, ret_lock);
	if (!err)
		err = decap_owner_check(decap);
	if (err)
		return err;
	err = decap_find(decap);
	if (err == -ENOENT) {
		log_error("%s: no decapsulator is pinned in %s", o->device, decap->dir);
		return err;
	}
	return err ? log_err(err, "%s: cannot open the programs in %s", o->device, decap->dir) : 0;
}

static int run_action(struct options *o, struct decap *decap)
{
	_cleanup_close_ int lock = -1;
	int err;

	if (o->action <= ACTION_LOAD)
		return run_load(o, decap);
	err = find_pinned(o, decap, &lock);
	if (err)
		return err;
	if (o->action == ACTION_STATUS)
		return decap_print_status(decap, o->json, stdout);
	err = decap_detach(decap);
	if (!err)
		printf("%s: detached, its pins in %s removed\n", o->device, decap->dir);
	return err;
}

/* libbpf warns of what is no fault, such as a clsact that is there already. Loading shows its warnings: decap.c. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("%s", text);
	return 0;
}

int cmd_decap(int argc, char **argv)
{
	struct options o = { .mode = DECAP_DETACHED };
	struct decap decap;
	int err = parse_options(argc, argv, &o);

	libbpf_set_print(print_libbpf);
	if (!err)
		err = decap_init(&decap, o.device, o.pin);
	if (!err) {
		err = run_action(&o, &decap);
		decap_close(&decap);
	}
	for (enum decap_map map = 0; map < DECAP_LISTS; map++)
		decap_list_free(&o.lists[map]);
	return err == -ECANCELED ? 0 : err;
}
