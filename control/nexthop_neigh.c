// SPDX-License-Identifier: GPL-2.0-only
/*
 * The neighbours that are next hops; see nexthop_neigh.h. XDP sends past the kernel, so to the kernel a next hop looks
 * unused: it would let the entry go stale and drop it, and never notice that the neighbour is gone. NTF_EXT_MANAGED
 * (Linux 5.16) has the kernel probe by itself, each 5 s; where it is not to be had, NTF_USE is repeated from here.
 */
#include "nexthop_neigh.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "addr.h"
#include "log.h"
#include "util.h"

#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)
#define NUD_FIXED (NUD_PERMANENT | NUD_NOARP)

#define RESOLVE_MS 1000
#define FAILED_MS 2000
#define KEEP_MS 10000
#define WARN_MS 60000

static int compare(const void *key, const void *item)
{
	const struct leg *a = key, *b = &((const struct neigh *)item)->at;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return addr_compare(&a->gateway, &b->gateway);
}

void neighs_init(struct neighs *neighs, struct rtnl *rtnl)
{
	*neighs = (struct neighs){ .rtnl = rtnl, .all.compare = compare };
}

int neighs_hold(struct neighs *neighs, const struct leg *at, struct neigh **ret)
{
	struct neigh *neigh = sorted_get(&neighs->all, at);

	if (!neigh) {
		neigh = calloc(1, sizeof(*neigh));
		if (!neigh)
			return -ENOMEM;
		neigh->at = *at;
		neigh->state = TR_NH_RESOLVING;
		if (sorted_insert(&neighs->all, at, neigh)) {
			free(neigh);
			return -ENOMEM;
		}
	}
	neigh->users++;
	*ret = neigh;
	return 0;
}

void neighs_release(struct neigh *neigh)
{
	neigh->users--;
}

static void put_use(struct nlmsghdr *nlh, const struct neigh *neigh, bool managed, bool create)
{
	const struct neigh_entry entry = {
		.ifindex = neigh->at.ifindex,
		.address = neigh->at.gateway,
		.learned = neigh->learned,
	};

	rtnl_put_use_neigh(nlh, &entry, managed, create);
}

/*
 * Only an answer makes a neighbour good and only the kernel's verdict makes it failed. While the kernel resolves it
 * anew (incomplete, or dropped by garbage collection) it stays what it was, else every round would flap.
 */
static void take_entry(struct neighs *neighs, struct neigh *neigh, const struct neigh_entry *entry)
{
	enum tr_nexthop_state state = neigh->state;

	neigh->known = true;
	neigh->present = entry->nud != NUD_NONE;
	neigh->fixed = entry->nud & NUD_FIXED;
	neigh->managed = entry->managed;
	neigh->learned = entry->learned;
	if ((entry->nud & NUD_USABLE) && entry->has_mac) {
		state = TR_NH_OK;
		if (memcmp(neigh->mac, entry->mac, sizeof(neigh->mac))) {
			memcpy(neigh->mac, entry->mac, sizeof(neigh->mac));
			neighs->changed = true;
		}
	} else if (entry->nud & NUD_FAILED) {
		state = TR_NH_FAILED;
	}
	neighs->changed |= state != neigh->state;
	neigh->state = state;
}

void neighs_event(struct neighs *neighs, const struct neigh_entry *entry)
{
	const struct leg at = { entry->ifindex, entry->address };
	struct neigh *neigh = sorted_get(&neighs->all, &at);

	if (!neigh)
		return;
	/* `ip neigh del` and `flush` say "failed" before "gone" of those that answer, too: ask which one it is. */
	if ((entry->nud & NUD_FAILED) && neigh->state == TR_NH_OK)
		neigh->known = false;
	else
		take_entry(neighs, neigh, entry);
}

void neighs_resync(struct neighs *neighs)
{
	for (size_t i = 0; i < neighs->all.n; i++)
		((struct neigh *)neighs->all.items[i])->known = false;
}

static void put_get(struct nlmsghdr *nlh, const void *item, void *arg)
{
	const struct neigh *neigh = item;

	rtnl_put_get_neigh(nlh, neigh->at.ifindex, &neigh->at.gateway);
}

static void take_get(const struct nlmsghdr *nlh, void *item, void *arg)
{
	const struct neigh_entry none = {};
	struct neigh_entry entry;

	if (rtnl_answer_err(nlh) || !rtnl_parse_neigh(nlh, &entry))
		entry = none;
	take_entry(arg, item, &entry);
}

static void put_ask(struct nlmsghdr *nlh, const void *item, void *arg)
{
	put_use(nlh, item, true, true);
}

static void warn(struct neighs *neighs, const struct neigh *neigh, int err)
{
	char text[ADDR_TEXT_MAX];

	if (neighs->warned_at && neighs->now - neighs->warned_at < WARN_MS)
		return;
	neighs->warned_at = neighs->now;
	log_warning("the kernel refuses a neighbour entry for %s: %s%s", addr_format(&neigh->at.gateway, text),
		    strerror(-err), err == -ENOBUFS ? "; is its table full? See net.ipv4.neigh.default.gc_thresh3 (or "
		    "net.ipv6...)" : "");
}

/* Where the kernel refuses, what is known of a neighbour is still the best that there is. */
static void take_ask(const struct nlmsghdr *nlh, void *item, void *arg)
{
	int err = rtnl_answer_err(nlh);
	struct neighs *neighs = arg;
	struct neigh *neigh = item;

	neigh->asked_at = neighs->now;
	neigh->ours |= !err && !neigh->managed;
	if (!err)
		return;
	if (neigh->state == TR_NH_RESOLVING) {
		neigh->state = TR_NH_FAILED;
		neighs->changed = true;
	}
	if (err != -ENODEV)		/* it is down; its routes will go */
		warn(neighs, neigh, err);
}

static void put_unmanage(struct nlmsghdr *nlh, const void *item, void *arg)
{
	put_use(nlh, item, false, false);
}

/* An entry that is gone by now needs no unmanaging. */
static void ignore_answer(const struct nlmsghdr *nlh, void *item, void *arg)
{
}

static bool is_left(const struct neigh *neigh, uint64_t now)
{
	return !neigh->users && neigh->ours && !neigh->fixed;
}

static bool is_unknown(const struct neigh *neigh, uint64_t now)
{
	return !neigh->known;
}

static bool is_due(const struct neigh *neigh, uint64_t now)
{
	uint64_t pause = KEEP_MS;

	if (!neigh->known || neigh->fixed)
		return false;
	if (neigh->state == TR_NH_FAILED)
		pause = FAILED_MS;
	else if (neigh->state == TR_NH_RESOLVING || !neigh->present)
		pause = RESOLVE_MS;
	else if (neigh->managed)
		return false;
	return !neigh->asked_at || now - neigh->asked_at >= pause;
}

static int ask_those(struct neighs *neighs, bool (*which)(const struct neigh *neigh, uint64_t now), rtnl_put_fn put,
		     rtnl_answer_fn answer)
{
	_cleanup_free_ void **items = calloc(neighs->all.n + 1, sizeof(*items));
	size_t n = 0;

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < neighs->all.n; i++)
		if (which(neighs->all.items[i], neighs->now))
			items[n++] = neighs->all.items[i];
	return rtnl_ask(neighs->rtnl, items, n, put, answer, neighs);
}

/* The kernel may forget those that no one uses any more, unless it was told by another to keep them. */
static int drop_unused(struct neighs *neighs)
{
	int err = ask_those(neighs, is_left, put_unmanage, ignore_answer);
	size_t kept = 0;

	for (size_t i = 0; i < neighs->all.n; i++) {
		struct neigh *neigh = neighs->all.items[i];

		if (neigh->users)
			neighs->all.items[kept++] = neigh;
		else
			free(neigh);
	}
	neighs->all.n = kept;
	return err;
}

int neighs_work(struct neighs *neighs, uint64_t now)
{
	int err;

	neighs->now = now;
	err = drop_unused(neighs);
	if (!err)
		err = ask_those(neighs, is_unknown, put_get, take_get);
	/* A permanent entry must not be asked: so only those whose entry is known. */
	return err ? err : ask_those(neighs, is_due, put_ask, take_ask);
}

void neighs_destroy(struct neighs *neighs)
{
	for (size_t i = 0; i < neighs->all.n; i++)
		((struct neigh *)neighs->all.items[i])->users = 0;
	drop_unused(neighs);
	free(neighs->all.items);
}
