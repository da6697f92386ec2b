// SPDX-License-Identifier: GPL-2.0-only
/* `tailrace unload`: the end of an instance. Takes its program off every interface and removes its pins. */
#include <errno.h>
#include <getopt.h>
#include <unistd.h>

#include "attach.h"
#include "bpffs.h"
#include "cmd.h"
#include "config.h"
#include "log.h"
#include "options.h"
#include "util.h"

static const char help[] =
	"  -i, --instance NAME   default: default\n"
	"\n"
	"Stops forwarding, takes the program off every interface of this network namespace, and removes maps, counters and\n"
	"programs. Refused while a controller runs.\n";

static int unload(const char *dir)
{
	_cleanup_close_ int lock = -1;
	int err;

	if (access(dir, F_OK))
		return log_err(-errno, "%s: no such instance", dir);
	err = bpffs_lock(dir, &lock);
	if (err == -EBUSY)
		log_error("%s: a controller runs; stop it first", dir);
	if (!err)
		err = attach_detach_all(dir);
	if (err)
		return err;
	err = bpffs_remove(dir);
	if (err)
		return log_err(err, "%s: cannot remove it", dir);
	log_info("%s: removed", dir);
	return 0;
}

int cmd_unload(int argc, char **argv)
{
	static const struct option options[] = {
		{ "instance", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	const char *instance = CONFIG_INSTANCE;
	char dir[PATH_MAX];
	int option, err;

	while ((option = getopt_long(argc, argv, "i:h", options, NULL)) != -1) {
		switch (option) {
		case 'i':
			instance = optarg;
			break;
		case 'h':
			options_print_help("unload", "[-i NAME]", help);
			return 0;
		default:
			return options_bad("unload", "bad option");
		}
	}
	if (optind != argc)
		return options_bad("unload", "unexpected argument '%s'", argv[optind]);
	err = options_instance_dir("unload", instance, dir);
	return err ? err : unload(dir);
}
