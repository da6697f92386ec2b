// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watched addresses: their routes, and what follows from route, link and neighbour; see nexthop.h.
 *
 * An event only marks: a route event the addresses that its prefix covers, any other all of them. Marked addresses are
 * asked for together and at most every PAUSE_MS, so that a flapping routing table costs a bounded share of one CPU.
 */
#include "nexthop.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "addr.h"
#include "nexthop_find.h"
#include "nexthop_link.h"
#include "nexthop_neigh.h"
#include "nexthop_netlink.h"
#include "sorted.h"
#include "util.h"

#define PAUSE_MS 100
/* A link's event is sent before its routes have come or gone, and IPv4 says nothing of some of those at all. */
#define AFTER_LINK_MS 150
#define FULL_MS 30000			/* against whatever else changes without an event */
#define POLL_MS 1000

struct watch {
	struct tr_addr address;
	struct nexthop nexthop;		/* as last told */
	struct route route;
	struct neigh *neighs[ROUTE_LEGS_MAX];	/* of route.legs */
	bool answered;			/* route is the kernel's answer */
	bool marked;			/* to be asked for */
	bool incomplete;		/* to be asked for without RTM_F_FIB_MATCH */
};

struct nexthops {
	struct rtnl rtnl;
	struct sorted watches;		/* struct watch, by address */
	struct links links;
	struct neighs neighs;
	nexthop_changed_fn changed_fn;
	void *arg;
	struct devices devices;
	int epoll;			/* the events and the timer: one descriptor for the caller's loop */
	int timer;
	size_t marked;
	bool changed;			/* of routes or links: some next hop may be another */
	bool lost;			/* events */
	uint64_t ask_at;		/* ms; not before */
	uint64_t full_at;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static int compare_watch(const void *key, const void *item)
{
	return addr_compare(key, &((const struct watch *)item)->address);
}

static int arm_timer(struct nexthops *n)
{
	uint64_t at = (n->marked || n->lost) && n->ask_at < n->full_at ? n->ask_at : n->full_at;
	/* A time in the past fires at once, but 0 would disarm. */
	const struct itimerspec when = { .it_value = { .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 + 1 } };

	return timerfd_settime(n->timer, TFD_TIMER_ABSTIME, &when, NULL) ? -errno : 0;
}

static void mark(struct nexthops *n, struct watch *watch)
{
	n->marked += !watch->marked;
	watch->marked = true;
}

static void mark_all(struct nexthops *n)
{
	for (size_t i = 0; i < n->watches.n; i++)
		mark(n, n->watches.items[i]);
}

static bool prefix_covers(const struct tr_prefix *prefix, const struct tr_addr *address)
{
	const uint8_t *a = (const uint8_t *)&prefix->addr, *b = (const uint8_t *)address;
	unsigned int bytes = prefix->len / 8, bits = prefix->len % 8;

	return !memcmp(a, b, bytes) && (!bits || !((a[bytes] ^ b[bytes]) >> (8 - bits)));
}

static void mark_prefix(struct nexthops *n, const struct tr_prefix *prefix)
{
	for (size_t i = sorted_find(&n->watches, &prefix->addr); i < n->watches.n; i++) {
		struct watch *watch = n->watches.items[i];

		if (prefix->len > 128 || !prefix_covers(prefix, &watch->address))
			return;
		mark(n, watch);
	}
}

static void on_link(struct nexthops *n, const struct nlmsghdr *nlh)
{
	uint64_t again = now_ms() + AFTER_LINK_MS;

	if (!links_event(&n->links, nlh))
		return;
	n->changed = true;
	mark_all(n);
	if (n->full_at > again)
		n->full_at = again;
}

/* Routes. */

static void put_route(struct nlmsghdr *nlh, const void *item, void *arg)
{
	const struct watch *watch = item;

	rtnl_put_route(nlh, &watch->address, !watch->incomplete);
}

static void release_neighs(struct neigh **neighs, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		neighs_release(neighs[i]);
}

static int take_route(struct nexthops *n, struct watch *watch, const struct route *route)
{
	struct neigh *neighs[ROUTE_LEGS_MAX];
	int err;

	for (unsigned int i = 0; i < route->n_legs; i++) {
		err = neighs_hold(&n->neighs, &route->legs[i], &neighs[i]);
		if (err) {
			release_neighs(neighs, i);
			return err;
		}
	}
	release_neighs(watch->neighs, watch->route.n_legs);
	memcpy(watch->neighs, neighs, route->n_legs * sizeof(*neighs));
	watch->route = *route;
	return 0;
}

static bool is_ours(uint32_t ifindex, const void *arg)
{
	const struct nexthops *n = arg;
	struct way_out way;

	return links_find_way_out(&n->links, &n->devices, ifindex, &way);
}

/* An error is the kernel's way to say unreachable, prohibit, blackhole (-EINVAL) or that there is no route. */
static void take_answer(const struct nlmsghdr *nlh, void *item, void *arg)
{
	struct nexthops *n = arg;
	struct watch *watch = item;
	int err = rtnl_answer_err(nlh);
	struct route route = {};
	bool incomplete = false;

	if (err == -ENOMEM || err == -ENOBUFS || err == -EAGAIN)
		return;
	if (!err)
		rtnl_parse_route(nlh, &watch->address, is_ours, n, &route, &incomplete);
	if (incomplete && !watch->incomplete) {
		watch->incomplete = true;
		return;
	}
	watch->incomplete = false;
	if (take_route(n, watch, &route))
		return;
	watch->answered = true;
	watch->marked = false;
	n->marked--;
	n->changed = true;
}

static int ask_marked(struct nexthops *n, bool incomplete)
{
	_cleanup_free_ void **items = calloc(n->marked + 1, sizeof(*items));
	size_t count = 0;

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < n->watches.n; i++) {
		struct watch *watch = n->watches.items[i];

		if (watch->marked && watch->incomplete == incomplete)
			items[count++] = watch;
	}
	return rtnl_ask(&n->rtnl, items, count, put_route, take_answer, n);
}

static bool same_nexthop(const struct nexthop *a, const struct nexthop *b)
{
	return a->state == b->state && a->ifindex == b->ifindex && a->mtu == b->mtu &&
	       !memcmp(a->dmac, b->dmac, sizeof(a->dmac)) && !memcmp(a->smac, b->smac, sizeof(a->smac)) &&
	       !memcmp(&a->tags, &b->tags, sizeof(a->tags)) && !addr_compare(&a->gateway, &b->gateway);
}

/* IPv6 passes over a default router that does not answer, and sends no event of it. */
static bool may_have_moved(const struct nexthop *old, const struct nexthop *fresh)
{
	return fresh->state == TR_NH_FAILED && old->state != TR_NH_FAILED;
}

static void tell_changes(struct nexthops *n)
{
	n->changed = n->neighs.changed = false;
	links_mark_carriers(&n->links);
	for (size_t i = 0; i < n->watches.n;) {
		struct watch *watch = n->watches.items[i];
		struct nexthop fresh = nexthop_find(&watch->address, &watch->route, watch->neighs, &n->links,
						    &n->devices);
		struct tr_addr address = watch->address;

		i++;
		if (!watch->answered || same_nexthop(&watch->nexthop, &fresh))
			continue;
		if (may_have_moved(&watch->nexthop, &fresh))
			mark(n, watch);
		watch->nexthop = fresh;
		n->changed_fn(&address, &fresh, n->arg);
		/* It may have unwatched this address, or others. */
		i = sorted_find(&n->watches, &address);
		i += i < n->watches.n && !compare_watch(&address, n->watches.items[i]);
	}
}

/* Work. */

static int ask_routes(struct nexthops *n, uint64_t now)
{
	int err = 0;

	if (now >= n->full_at) {
		mark_all(n);
		n->full_at = now + FULL_MS;
	}
	if ((!n->marked && !n->lost) || now < n->ask_at)
		return 0;
	n->ask_at = now + PAUSE_MS;
	if (n->lost) {
		err = links_dump(&n->links, &n->rtnl);
		n->lost = err != 0;
		n->changed = true;
		neighs_resync(&n->neighs);
		mark_all(n);
	}
	if (!err)
		err = ask_marked(n, false);
	return err ? err : ask_marked(n, true);
}

static int work(struct nexthops *n)
{
	uint64_t now = now_ms();
	int err = ask_routes(n, now);

	if (!err)
		err = neighs_work(&n->neighs, now);
	if (n->changed || n->neighs.changed)
		tell_changes(n);
	return err ? err : arm_timer(n);
}

static void on_event(const struct nlmsghdr *nlh, void *arg)
{
	struct nexthops *n = arg;
	struct neigh_entry entry;
	struct tr_prefix prefix;

	switch (nlh->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (rtnl_parse_neigh(nlh, &entry))
			neighs_event(&n->neighs, &entry);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (rtnl_parse_route_prefix(nlh, &prefix))
			mark_prefix(n, &prefix);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		on_link(n, nlh);
		break;
	default:			/* addresses, rules, nexthop objects */
		mark_all(n);
	}
}

int nexthops_process(struct nexthops *n)
{
	uint64_t expirations;
	int err;

	if (read(n->timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		return -errno;
	err = rtnl_read_events(&n->rtnl, on_event, n);
	if (err == -ENOBUFS)
		n->lost = true;
	else if (err)
		return err;
	return work(n);
}

int nexthops_tick(struct nexthops *n)
{
	return work(n);
}

static bool is_settled(const struct nexthops *n)
{
	for (size_t i = 0; i < n->watches.n; i++) {
		const struct watch *watch = n->watches.items[i];

		if (watch->nexthop.state == TR_NH_UNKNOWN || watch->nexthop.state == TR_NH_RESOLVING)
			return false;
	}
	return true;
}

int nexthops_settle(struct nexthops *n, unsigned int timeout_ms)
{
	uint64_t now = now_ms(), until = now + timeout_ms;
	struct pollfd poll_fd = { .fd = n->epoll, .events = POLLIN };
	int err;

	n->ask_at = now;
	for (;;) {
		err = nexthops_process(n);
		if (err || is_settled(n))
			return err;
		now = now_ms();
		if (now >= until)
			return -ETIMEDOUT;
		/* No longer than a tick: neighbours are asked again. */
		if (poll(&poll_fd, 1, until - now < POLL_MS ? until - now : POLL_MS) < 0 && errno != EINTR)
			return -errno;
	}
}

/* The set. */

int nexthops_watch(struct nexthops *n, const struct tr_addr *address)
{
	struct watch *watch;
	int err;

	if (sorted_get(&n->watches, address))
		return 0;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->address = *address;
	err = sorted_insert(&n->watches, address, watch);
	if (err) {
		free(watch);
		return err;
	}
	mark(n, watch);
	return n->marked == 1 ? arm_timer(n) : 0;
}

void nexthops_unwatch(struct nexthops *n, const struct tr_addr *address)
{
	struct watch *watch = sorted_get(&n->watches, address);

	if (!watch)
		return;
	release_neighs(watch->neighs, watch->route.n_legs);
	n->marked -= watch->marked;
	sorted_remove(&n->watches, &watch->address);
	free(watch);
}

const struct nexthop *nexthops_get(const struct nexthops *n, const struct tr_addr *address)
{
	const struct watch *watch = sorted_get(&n->watches, address);

	return watch ? &watch->nexthop : NULL;
}

static int open_loop(struct nexthops *n)
{
	struct epoll_event event = { .events = EPOLLIN };

	n->epoll = epoll_create1(EPOLL_CLOEXEC);
	n->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (n->epoll < 0 || n->timer < 0 || epoll_ctl(n->epoll, EPOLL_CTL_ADD, n->timer, &event) ||
	    epoll_ctl(n->epoll, EPOLL_CTL_ADD, rtnl_events_fd(&n->rtnl), &event))
		return -errno;
	return arm_timer(n);
}

int nexthops_open(const struct devices *devices, nexthop_changed_fn changed, void *arg, struct nexthops **ret)
{
	struct nexthops *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	n->devices = *devices;
	n->changed_fn = changed;
	n->arg = arg;
	n->epoll = n->timer = -1;
	n->full_at = now_ms() + FULL_MS;
	n->watches.compare = compare_watch;
	links_init(&n->links);
	neighs_init(&n->neighs, &n->rtnl);
	err = rtnl_open(&n->rtnl);
	if (!err)
		err = open_loop(n);
	/* Only now that events are followed: what happens in between comes as one. */
	if (!err)
		err = links_dump(&n->links, &n->rtnl);
	if (err) {
		nexthops_close(n);
		return err;
	}
	*ret = n;
	return 0;
}

void nexthops_close(struct nexthops *n)
{
	if (!n)
		return;
	neighs_destroy(&n->neighs);
	for (size_t i = 0; i < n->watches.n; i++)
		free(n->watches.items[i]);
	free(n->watches.items);
	links_destroy(&n->links);
	rtnl_close(&n->rtnl);
	if (n->timer >= 0)
		close(n->timer);
	if (n->epoll >= 0)
		close(n->epoll);
	free(n);
}

int nexthops_fd(const struct nexthops *n)
{
	return n->epoll;
}

const char *nexthop_state_name(enum tr_nexthop_state state)
{
	static const char *const names[] = {
		[TR_NH_UNKNOWN] = "unknown",
		[TR_NH_OK] = "ok",
		[TR_NH_NO_ROUTE] = "no route",
		[TR_NH_OTHER_DEVICE] = "other device",
		[TR_NH_LOCAL] = "local address",
		[TR_NH_RESOLVING] = "resolving",
		[TR_NH_FAILED] = "no answer",
	};

	return state < ARRAY_SIZE(names) ? names[state] : names[TR_NH_UNKNOWN];
}
