// SPDX-License-Identifier: GPL-2.0-only
/* `tailrace check`: reads a configuration as `run` would, touches nothing, and says what it would make. */
#include <getopt.h>
#include <stdio.h>

#include "cmd.h"
#include "controller.h"
#include "log.h"
#include "options.h"
#include "util.h"

#define FEW_BUCKETS 100			/* a backend; below it shares differ by more than 1%, NSDI 2016 §3.4 */

static const char help[] =
	"  -c, --config FILE   the configuration (docs/configuration.md)\n"
	"  -q, --quiet         say nothing where all is well\n"
	"\n"
	"Exit status 0: `tailrace run` would take it, as far as the file goes (`run` needs a device, `load` does not). No root needed.\n";

static void print_summary(const struct config *config, const struct model *model)
{
	size_t backends = 0, words = 0;

	for (size_t i = 0; i < config->n_pools; i++) {
		backends += config->pools[i].n_backends;
		words += 2 * config->pools[i].ring_size;
	}
	printf("%s: good\n", config->path);
	printf("  instance %s on %s", config->instance, config->n_devices ? config->devices[0] : "no device (for `load` alone)");
	for (size_t i = 1; i < config->n_devices; i++)
		printf(", %s", config->devices[i]);
	putchar('\n');
	printf("  %zu VIPs of %u: %zu addresses of %u, %zu prefixes of %u, %zu exact services of %u\n", config->n_vips,
	       config->limits.vips, model->n_addresses - model->n_prefixes, config->limits.addresses, model->n_prefixes,
	       config->limits.prefixes, model->n_services, config->limits.services);
	printf("  %zu pools of %u: %zu backends of %u, %zu ring words of %u\n", config->n_pools, config->limits.pools,
	       backends, config->limits.backends, words, config->limits.ring_words);
}

static void warn_of_coarse_rings(const struct config *config)
{
	for (size_t i = 0; i < config->n_pools; i++) {
		const struct config_pool *pool = &config->pools[i];

		if (pool->ring_size / pool->n_backends < FEW_BUCKETS)
			log_warning("pool %s: %u buckets for %zu backends: shares differ by more than 1%% from the weights, "
				    "and a change moves more flows than it must; a ring_size of %zu or more is better",
				    pool->name, pool->ring_size, pool->n_backends, pool->n_backends * FEW_BUCKETS);
	}
}

static int check(const char *path, int quiet)
{
	struct config *config;
	struct model *model;
	int err = controller_read(path, &config, &model);

	if (err)
		return err;
	if (!quiet)
		print_summary(config, model);
	warn_of_coarse_rings(config);
	model_free(model);
	config_free(config);
	return 0;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	const char *path = NULL;
	int option, quiet = 0;

	while ((option = getopt_long(argc, argv, "c:qh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'q':
			quiet = 1;
			break;
		case 'h':
			options_print_help("check", "-c FILE [-q]", help);
			return 0;
		default:
			return options_bad("check", "bad option");
		}
	}
	if (!path || optind != argc)
		return options_bad("check", path ? "unexpected argument '%s'" : "no configuration: -c FILE", argv[optind]);
	return check(path, quiet);
}
