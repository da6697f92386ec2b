// SPDX-License-Identifier: GPL-2.0-only
/* rtnetlink's two sockets, how questions and events pass; see nexthop_netlink.h. Messages: nexthop_message.c. */
#include "nexthop_netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "util.h"

#define QUESTIONS_IN_FLIGHT 64		/* their answers fit the default receive buffer, 208 KiB */
#define QUESTION_MAX 128		/* bytes */
#define EVENTS_AT_ONCE 2000		/* so that a flood of events does not keep the caller from its other work */
#define EVENTS_BUFFER (4 << 20)
#define ANSWER_S 5

static const int groups[] = {
	RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_NEXTHOP, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,
};

static struct mnl_socket *open_socket(int flags)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);

	if (socket && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID)) {
		mnl_socket_close(socket);
		socket = NULL;
	}
	return socket;
}

static int set_up(struct rtnl *rtnl)
{
	const struct timeval timeout = { .tv_sec = ANSWER_S };
	int size = EVENTS_BUFFER;

	if (setsockopt(mnl_socket_get_fd(rtnl->questions), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		return -errno;
	/* Only root of the first user namespace may; else events are lost sooner, and everything is asked again. */
	setsockopt(rtnl_events_fd(rtnl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(rtnl->events, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
			return -errno;
	}
	return 0;
}

int rtnl_open(struct rtnl *ret)
{
	struct rtnl rtnl = {};
	int err;

	rtnl.questions = open_socket(0);
	if (!rtnl.questions)
		return -errno;
	rtnl.events = open_socket(SOCK_NONBLOCK);
	err = rtnl.events ? set_up(&rtnl) : -errno;
	if (err) {
		rtnl_close(&rtnl);
		return err;
	}
	*ret = rtnl;
	return 0;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (rtnl->events)
		mnl_socket_close(rtnl->events);
	if (rtnl->questions)
		mnl_socket_close(rtnl->questions);
}

int rtnl_events_fd(const struct rtnl *rtnl)
{
	return mnl_socket_get_fd(rtnl->events);
}

int rtnl_answer_err(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *message = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != NLMSG_ERROR)
		return 0;
	return mnl_nlmsg_get_payload_len(nlh) < sizeof(*message) ? -EBADMSG : message->error;
}

/* Takes the answers of n questions, the first of which has this sequence number. */
static int take_answers(struct rtnl *rtnl, uint32_t seq, void **items, size_t n, rtnl_answer_fn answer, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	size_t left = n;

	while (left) {
		int len = mnl_socket_recvfrom(rtnl->questions, buf, sizeof(buf));
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
			/* Late answers to what a failed call asked are not ours. */
			if (nlh->nlmsg_seq - seq >= n || !left)
				continue;
			answer(nlh, items[nlh->nlmsg_seq - seq], arg);
			left--;
		}
	}
	return 0;
}

static int ask_some(struct rtnl *rtnl, void **items, size_t n, rtnl_put_fn put, rtnl_answer_fn answer, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[QUESTIONS_IN_FLIGHT * QUESTION_MAX];
	uint32_t seq = rtnl->seq;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf + len);

		nlh->nlmsg_seq = rtnl->seq++;
		put(nlh, items[i], arg);
		len += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	if (mnl_socket_sendto(rtnl->questions, buf, len) < 0)
		return -errno;
	return take_answers(rtnl, seq, items, n, answer, arg);
}

int rtnl_ask(struct rtnl *rtnl, void **items, size_t n, rtnl_put_fn put, rtnl_answer_fn answer, void *arg)
{
	int err = 0;

	while (n && !err) {
		size_t some = n < QUESTIONS_IN_FLIGHT ? n : QUESTIONS_IN_FLIGHT;

		err = ask_some(rtnl, items, some, put, answer, arg);
		items += some;
		n -= some;
	}
	return err;
}

struct message_call {
	rtnl_message_fn message;
	void *arg;
};

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	const struct message_call *call = data;

	call->message(nlh, call->arg);
	return MNL_CB_OK;
}

int rtnl_dump_links(struct rtnl *rtnl, rtnl_message_fn message, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[65536];
	struct message_call call = { message, arg };
	unsigned int port = mnl_socket_get_portid(rtnl->questions);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	uint32_t seq = rtnl->seq++;
	int len, more = MNL_CB_OK;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (mnl_socket_sendto(rtnl->questions, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		len = mnl_socket_recvfrom(rtnl->questions, buf, sizeof(buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		/* A late answer to an earlier question: mnl_cb_run would take it for an error. */
		if (((struct nlmsghdr *)buf)->nlmsg_seq == seq)
			more = mnl_cb_run(buf, len, seq, port, on_message, &call);
	}
	return more < 0 ? -errno : 0;
}

/*
 * Once events are lost the kernel loses all that follow, without saying so again, until the queue is empty
 * (NETLINK_S_CONGESTED): so it is emptied before anyone asks for the state of things.
 */
static void drop_events(struct rtnl *rtnl, char *buf, size_t size)
{
	while (mnl_socket_recvfrom(rtnl->events, buf, size) >= 0 || errno == EINTR || errno == ENOBUFS ||
	       errno == ENOSPC)
		;
}

int rtnl_read_events(struct rtnl *rtnl, rtnl_message_fn message, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[65536];
	struct message_call call = { message, arg };

	for (unsigned int i = 0; i < EVENTS_AT_ONCE; i++) {
		int len = mnl_socket_recvfrom(rtnl->events, buf, sizeof(buf));

		if (len >= 0) {
			mnl_cb_run(buf, len, 0, 0, on_message, &call);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			break;
		if (errno != ENOBUFS && errno != ENOSPC)
			return -errno;
		/* ENOSPC is libmnl's for an event that did not fit: lost as well. */
		drop_events(rtnl, buf, sizeof(buf));
		return -ENOBUFS;
	}
	return 0;
}
