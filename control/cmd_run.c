// SPDX-License-Identifier: GPL-2.0-only
/*
 * `tailrace run`: the controller. Loads or takes over, attaches, fills, serves counters, follows next hops, reloads on
 * SIGHUP. Forwarding does not depend on it: it may be stopped, killed and started again.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "attach.h"
#include "cmd.h"
#include "controller.h"
#include "log.h"
#include "metrics.h"
#include "options.h"

#define TICK_US 1000000			/* next hops that are asked again */
#define SCRAPES_PAUSE_US 1000
#define PAUSE_US 50000			/* changes of next hops come in swarms: one plan for all of them */

static const char help[] =
	"  -c, --config FILE     the configuration (docs/configuration.md)\n"
	"  -m, --mode MODE       native (default), generic or auto, as for `tailrace attach`\n"
	"      --detach-on-exit  stop forwarding at SIGTERM or SIGINT; else it goes on\n"
	"  -v, --verbose         say more\n"
	"\n"
	"SIGHUP reads the file again and applies the difference.\n";

struct run {
	struct controller *controller;
	struct metrics *metrics;
	enum attach_mode mode;
	uint32_t detached;		/* bit i: device i was made anew and is not attached yet */
	sd_event *event;
	sd_event_source *nexthops;
	sd_event_source *follow;	/* a timer; armed while the controller is behind */
	sd_event_source *affinity;	/* a timer; armed while a change is being made or settles */
	sd_event_source *tick;
	sd_event_source *scrapes;	/* a timer; armed while metrics have work left */
};

struct arguments {
	const char *path;
	enum attach_mode mode;
	bool detach_on_exit, help;
};

static int parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "mode", required_argument, NULL, 'm' },
		{ "detach-on-exit", no_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	struct arguments args = {};
	int option;

	while ((option = getopt_long(argc, argv, "c:m:vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			args.path = optarg;
			break;
		case 'm':
			if (attach_parse_mode(optarg, &args.mode))
				return options_bad("run", "mode '%s'; native, generic or auto", optarg);
			break;
		case 'd':
			args.detach_on_exit = true;
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'h':
			args.help = true;
			break;
		default:
			return options_bad("run", "bad option");
		}
	}
	if (!args.help && (!args.path || optind != argc))
		return options_bad("run", args.path ? "unexpected argument '%s'" : "no configuration: -c FILE", argv[optind]);
	*ret = args;
	return 0;
}

/* At the time that the last change or tick asked for. */
static void arm_affinity(struct run *run)
{
	uint64_t due = controller_due_us(run->controller);

	if (due == UINT64_MAX) {
		sd_event_source_set_enabled(run->affinity, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time_relative(run->affinity, due);
	sd_event_source_set_enabled(run->affinity, SD_EVENT_ONESHOT);
}

/* Arms the follow timer where the controller is behind. After each event, so that no path forgets it. */
static void arm_timers(struct run *run, uint64_t pause_us)
{
	int enabled = SD_EVENT_OFF;

	arm_affinity(run);
	if (!controller_is_behind(run->controller))
		return;
	sd_event_source_get_enabled(run->follow, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(run->follow, pause_us);
	sd_event_source_set_enabled(run->follow, SD_EVENT_ONESHOT);
}

static int on_follow(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *run = arg;

	arm_timers(run, controller_follow(run->controller) ? TICK_US : PAUSE_US);
	return 0;
}

static int on_affinity(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *run = arg;

	controller_tick(run->controller);
	arm_affinity(run);
	return 0;
}

static int on_nexthops(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct run *run = arg;
	int err = nexthops_process(controller_nexthops(run->controller));

	if (err)
		log_err(err, "following the kernel's routes and neighbours");
	arm_timers(run, PAUSE_US);
	return 0;
}

/* Whoever scrapes, and however often: next hops, reloads and the end come first. */
static void serve_metrics(struct run *run)
{
	if (!run->metrics || !metrics_process(run->metrics))
		return;
	sd_event_source_set_time_relative(run->scrapes, SCRAPES_PAUSE_US);
	sd_event_source_set_enabled(run->scrapes, SD_EVENT_ONESHOT);
}

static int watch_nexthops(struct run *run)
{
	run->nexthops = sd_event_source_unref(run->nexthops);
	return sd_event_add_io(run->event, &run->nexthops, nexthops_fd(controller_nexthops(run->controller)), EPOLLIN,
			       on_nexthops, run);
}

static void attach_again(struct run *run)
{
	const struct config *config = controller_config(run->controller);
	const char *dir = dataplane_dir(controller_dataplane(run->controller));

	for (size_t i = 0; i < config->n_devices; i++)
		if (run->detached & 1u << i && !attach_device(dir, config->devices[i], run->mode))
			run->detached &= ~(1u << i);
}

/*
 * An interface that was deleted took its link along: the program has to be put on the new one. What hinders that may pass;
 * it is said, and tried again every second.
 */
static int follow_devices(struct run *run)
{
	uint32_t anew;
	int err = controller_check_devices(run->controller, &anew);

	if (err)
		return err;
	if (anew) {
		run->detached |= anew;
		err = watch_nexthops(run);
		if (err < 0)
			return log_err(err, "cannot set up the event loop");
	}
	attach_again(run);
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct run *run = arg;
	int err = follow_devices(run);

	if (err)
		return sd_event_exit(run->event, err);
	err = nexthops_tick(controller_nexthops(run->controller));
	if (err)
		log_err(err, "asking for neighbours");
	arm_timers(run, PAUSE_US);
	serve_metrics(run);	/* ends idle connections */
	sd_event_source_set_time_relative(source, TICK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int on_metrics(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	serve_metrics(arg);
	return 0;
}

static int on_scrapes(sd_event_source *source, uint64_t usec, void *arg)
{
	serve_metrics(arg);
	return 0;
}

static int on_hup(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct run *run = arg;

	sd_notify(0, "RELOADING=1");
	controller_reload(run->controller);
	arm_timers(run, PAUSE_US);
	sd_notify(0, "READY=1");
	return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int add_timers(struct run *run)
{
	int err = sd_event_add_time_relative(run->event, &run->tick, CLOCK_MONOTONIC, TICK_US, 0, on_tick, run);

	if (err >= 0)
		err = sd_event_add_time_relative(run->event, &run->follow, CLOCK_MONOTONIC, 0, 0, on_follow, run);
	if (err >= 0)
		err = sd_event_source_set_enabled(run->follow, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_add_time_relative(run->event, &run->affinity, CLOCK_MONOTONIC, 0, 1000, on_affinity, run);
	if (err >= 0)
		err = sd_event_add_time_relative(run->event, &run->scrapes, CLOCK_MONOTONIC, 0, 0, on_scrapes, run);
	if (err >= 0)
		err = sd_event_source_set_enabled(run->scrapes, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_source_set_priority(run->scrapes, SD_EVENT_PRIORITY_IDLE);
	return err;
}

static int add_metrics(struct run *run)
{
	sd_event_source *source;
	int err = sd_event_add_io(run->event, &source, metrics_fd(run->metrics), EPOLLIN, on_metrics, run);

	if (err < 0)
		return err;
	sd_event_source_set_floating(source, true);	/* the loop's */
	err = sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
	sd_event_source_unref(source);
	return err;
}

static int add_sources(struct run *run)
{
	int err = sd_event_add_signal(run->event, NULL, SIGTERM, on_stop, run);

	if (err >= 0)
		err = sd_event_add_signal(run->event, NULL, SIGINT, on_stop, run);
	if (err >= 0)
		err = sd_event_add_signal(run->event, NULL, SIGHUP, on_hup, run);
	if (err >= 0)
		err = watch_nexthops(run);
	if (err >= 0 && run->metrics)
		err = add_metrics(run);
	if (err >= 0)
		err = add_timers(run);
	return err < 0 ? log_err(err, "cannot set up the event loop") : 0;
}

static int loop(struct run *run)
{
	int err = add_sources(run);

	if (err)
		return err;
	arm_timers(run, PAUSE_US);
	sd_notify(0, "READY=1");
	log_info("ready");
	err = sd_event_loop(run->event);
	sd_notify(0, "STOPPING=1");
	return err < 0 ? log_err(err, "the event loop") : 0;
}

/* A reload frees the configuration: nothing of it is kept over the loop. */
static int end(struct run *run, bool detach)
{
	const struct config *config = controller_config(run->controller);

	if (detach)
		return attach_detach_all(dataplane_dir(controller_dataplane(run->controller)));
	log_info("stopped; what is attached goes on forwarding (`tailrace detach %s -i %s` ends that)",
		 config->n_devices == 1 ? config->devices[0] : "DEVICE", config->instance);
	return 0;
}

static int serve(struct run *run, bool detach_on_exit)
{
	const struct config *config = controller_config(run->controller);
	int err = 0, detach_err;

	if (config->metrics_host)
		err = metrics_start(config->metrics_host, config->metrics_port, config->instance, &run->metrics);
	if (!err)
		err = attach_devices(dataplane_dir(controller_dataplane(run->controller)), config->devices, config->n_devices,
				     run->mode);
	if (err) {
		metrics_stop(run->metrics);
		dataplane_remove_fresh(controller_dataplane(run->controller));
		return err;
	}
	err = loop(run);
	metrics_stop(run->metrics);
	detach_err = end(run, detach_on_exit);
	return err ? err : detach_err;
}

/* Blocked before anything is loaded: a signal that comes early is kept for the loop and kills nothing half done. */
static int block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	return sigprocmask(SIG_BLOCK, &signals, NULL) ? -errno : 0;
}

int cmd_run(int argc, char **argv)
{
	struct controller_options how = { .attach = true };
	struct arguments args = {};
	struct run run = {};
	int err = parse(argc, argv, &args);

	if (err)
		return err;
	if (args.help) {
		options_print_help("run", "-c FILE [--mode native|generic|auto] [--detach-on-exit]", help);
		return 0;
	}
	err = block_signals();
	if (!err)
		err = sd_event_default(&run.event);
	if (err < 0)
		return log_err(err, "cannot set up the event loop");
	run.mode = args.mode;
	err = controller_open(args.path, &how, &run.controller);
	if (!err)
		err = serve(&run, args.detach_on_exit);
	controller_close(run.controller);
	sd_event_source_unref(run.nexthops);
	sd_event_unref(run.event);
	return err;
}
