// SPDX-License-Identifier: GPL-2.0-only
/* `tailrace attach` and `tailrace detach`: an instance's loaded program on an interface, or off it. */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>

#include "attach.h"
#include "cmd.h"
#include "config.h"
#include "options.h"

static const char attach_help[] =
	"  -i, --instance NAME   default: default\n"
	"  -m, --mode MODE       native (default): in the driver, or an error\n"
	"                        generic: in the stack, on any driver, slow\n"
	"                        auto: native, and generic with a warning where the driver has no XDP\n";
static const char detach_help[] =
	"  -i, --instance NAME   default: default\n"
	"\n"
	"Forwarding stops; maps and programs stay loaded (`tailrace unload` removes them).\n";

struct arguments {
	const char *device, *instance;
	enum attach_mode mode;
	int help;
};

static int parse(const char *name, int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{ "instance", required_argument, NULL, 'i' },
		{ "mode", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	struct arguments args = { .instance = CONFIG_INSTANCE };
	int option;

	while ((option = getopt_long(argc, argv, "i:m:h", options, NULL)) != -1) {
		switch (option) {
		case 'i':
			args.instance = optarg;
			break;
		case 'm':
			if (attach_parse_mode(optarg, &args.mode))
				return options_bad(name, "mode '%s'; native, generic or auto", optarg);
			break;
		case 'h':
			args.help = 1;
			break;
		default:
			return options_bad(name, "bad option");
		}
	}
	if (!args.help && optind + 1 != argc)
		return options_bad(name, "one interface is needed, found %d", argc - optind);
	args.device = argv[optind];
	*ret = args;
	return 0;
}

int cmd_attach(int argc, char **argv)
{
	struct arguments args = {};
	char dir[PATH_MAX];
	int err = parse("attach", argc, argv, &args);

	if (err)
		return err;
	if (args.help) {
		options_print_help("attach", "DEV [-i NAME] [--mode native|generic|auto]", attach_help);
		return 0;
	}
	err = options_instance_dir("attach", args.instance, dir);
	return err ? err : attach_device(dir, args.device, args.mode);
}

int cmd_detach(int argc, char **argv)
{
	struct arguments args = {};
	char dir[PATH_MAX];
	int err = parse("detach", argc, argv, &args);

	if (err)
		return err;
	if (args.help) {
		options_print_help("detach", "DEV [-i NAME]", detach_help);
		return 0;
	}
	err = options_instance_dir("detach", args.instance, dir);
	return err ? err : attach_detach(dir, args.device);
}
