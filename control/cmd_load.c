// SPDX-License-Identifier: GPL-2.0-only
/* `tailrace load`: loads, fills and pins, attaches nothing, and ends. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>

#include "cmd.h"
#include "controller.h"
#include "log.h"
#include "options.h"

static const char help[] =
	"  -c, --config FILE   the configuration (docs/configuration.md)\n"
	"  -w, --wait          until all has settled and no backend drains: times.settle and times.drain after a change\n"
	"\n"
	"Afterwards `tailrace attach DEV`, or `ip link set dev DEV xdp pinned /sys/fs/bpf/tailrace/INSTANCE/entry`.\n"
	"Next hops are looked up once; `tailrace run` follows them. A change of a running instance is made after its pools'\n"
	"times.syn. Then it has to settle (docs/affinity.md): until a `tailrace run`, or `load --wait`, does that, UDP flows of\n"
	"what changed stay with the backends from before, and removed backends drain without an end.\n";

int cmd_load(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "wait", no_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	const struct controller_options how = {};
	struct controller *controller;
	const char *path = NULL;
	bool wait = false;
	int option, err;

	while ((option = getopt_long(argc, argv, "c:wh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'w':
			wait = true;
			break;
		case 'h':
			options_print_help("load", "-c FILE [--wait]", help);
			return 0;
		default:
			return options_bad("load", "bad option");
		}
	}
	if (!path || optind != argc)
		return options_bad("load", path ? "unexpected argument '%s'" : "no configuration: -c FILE", argv[optind]);
	err = controller_open(path, &how, &controller);
	if (err)
		return err;
	if (dataplane_is_pending(controller_dataplane(controller)))
		log_info("a change is being prepared: SYNs in flight are recorded first");
	err = controller_finish(controller, wait);
	if (err) {
		controller_close(controller);
		return err;
	}
	log_info("%s is ready; attach it with `tailrace attach DEV -i %s`",
		 dataplane_dir(controller_dataplane(controller)), controller_config(controller)->instance);
	controller_close(controller);
	return 0;
}
