// SPDX-License-Identifier: GPL-2.0-only
/*
 * Follows next hops and prints a line for each change: the test's view of control/nexthop.h.
 *
 *   nexthop_probe SECONDS DEVICE[,DEVICE...]|any ADDRESS...      ends after SECONDS; ADDRESS may be FIRST+COUNT (IPv4)
 *
 * Prints "settled MS RESULT" once, and "ADDRESS STATE IFINDEX MTU DMAC SMAC GATEWAY[ TAGS]" for each change before and after,
 * spaces of the state as underscores; TAGS are "untagged" where the device has VLANs, or such as 8100.100,8100.7. "-ADDRESS" is watched too, and unwatched from within the first change to "ok".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "log.h"
#include "nexthop.h"

#define SETTLE_MS 4000

struct probe {
	struct nexthops *nexthops;
	struct tr_addr once[16];
	unsigned int n_once;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void print_mac(const uint8_t *mac)
{
	printf(" %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void print_tags(const struct tr_tags *tags)
{
	if (!tags->n)
		printf(" untagged");
	for (unsigned int i = 0; i < tags->n && tags->n <= TR_TAGS_MAX; i++)
		printf("%c%x.%u", i ? ',' : ' ', ntohs(tags->tpid[i]), ntohs(tags->vid[i]));
	putchar('\n');
}

static void on_change(const struct tr_addr *address, const struct nexthop *nexthop, void *arg)
{
	struct probe *probe = arg;
	char text[ADDR_TEXT_MAX], state[32];

	snprintf(state, sizeof(state), "%s", nexthop_state_name(nexthop->state));
	for (char *c = state; *c; c++)
		*c = *c == ' ' ? '_' : *c;
	printf("%s %s %u %u", addr_format(address, text), state, nexthop->ifindex, nexthop->mtu);
	print_mac(nexthop->dmac);
	print_mac(nexthop->smac);
	printf(" %s", addr_format(&nexthop->gateway, text));
	print_tags(&nexthop->tags);
	for (unsigned int i = 0; i < probe->n_once; i++)
		if (nexthop->state == TR_NH_OK && !addr_compare(address, &probe->once[i]))
			nexthops_unwatch(probe->nexthops, address);
}

static int watch(struct probe *probe, const char *text)
{
	char host[ADDR_TEXT_MAX];
	struct tr_addr address;
	unsigned int count = 1;
	bool once = *text == '-';
	int err = 0;

	if (sscanf(text + once, "%51[^+]+%u", host, &count) < 1 || addr_parse(host, &address))
		return log_err(-EINVAL, "%s", text);
	if (once && probe->n_once < 16)
		probe->once[probe->n_once++] = address;
	while (!err && count--) {
		err = nexthops_watch(probe->nexthops, &address);
		address.w[3] = htonl(ntohl(address.w[3]) + 1);
	}
	return err;
}

static int follow(struct probe *probe, uint64_t until)
{
	struct pollfd poll_fd = { .fd = nexthops_fd(probe->nexthops), .events = POLLIN };
	uint64_t now = now_ms(), tick = now + 1000;
	int err = 0;

	while (!err && now < until) {
		if (poll(&poll_fd, 1, tick > now ? tick - now : 0) > 0)
			err = nexthops_process(probe->nexthops);
		now = now_ms();
		if (!err && now >= tick) {
			err = nexthops_tick(probe->nexthops);
			tick = now + 1000;
		}
	}
	return err;
}

static int find_devices(char *list, struct devices *ret)
{
	for (char *name = strtok(list, ","); name && ret->n < TR_DEVICES_MAX; name = strtok(NULL, ",")) {
		ret->ifindexes[ret->n] = if_nametoindex(name);
		if (!ret->ifindexes[ret->n++])
			return -ENODEV;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct probe probe = {};
	uint64_t start = now_ms();
	bool any = argc > 2 && !strcmp(argv[2], "any");
	struct devices devices = {};
	int err = argc > 2 && !any ? find_devices(argv[2], &devices) : 0;

	if (argc < 3 || err) {
		log_error("nexthop_probe SECONDS DEVICE[,DEVICE...]|any ADDRESS...");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	err = nexthops_open(&devices, on_change, &probe, &probe.nexthops);
	if (err) {
		log_err(err, "cannot open");
		return 1;
	}
	for (int i = 3; i < argc && !err; i++)
		err = watch(&probe, argv[i]);
	if (!err) {
		err = nexthops_settle(probe.nexthops, SETTLE_MS);
		printf("settled %lu %s\n", (unsigned long)(now_ms() - start), strerror(-err));
		err = follow(&probe, start + 1000 * strtoul(argv[1], NULL, 10));
	}
	nexthops_close(probe.nexthops);
	if (err)
		log_err(err, "cannot follow");
	return err ? 1 : 0;
}
