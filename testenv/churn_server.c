// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server of the churn test: answers every question with its own number and the connection's, so that a client sees
 * who serves it, and that it is the same connection still. churn.h has the protocol.
 *
 *   churn_server NUMBER TCP_PORT UDP_PORT ADDRESS...
 *
 * Says "ready" when it listens on all addresses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "churn.h"

#define FDS_MAX 20000
#define BACKLOG 4096

enum role { ROLE_NONE, ROLE_LISTENER, ROLE_UDP, ROLE_CONNECTION };

struct peer {				/* by file descriptor */
	enum role role;
	uint64_t connection;
	size_t got;			/* bytes of the question that is coming */
	struct churn_question question;
};

static struct peer peers[FDS_MAX];
static uint64_t connections;
static uint32_t number;
static int epoll;

static int add(int fd, enum role role)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd >= FDS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
		close(fd);
		return -EMFILE;
	}
	peers[fd] = (struct peer){ .role = role };
	return 0;
}

static void end(int fd)
{
	peers[fd].role = ROLE_NONE;
	close(fd);
}

static int listen_on(const char *text, uint16_t port, int type)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool is_v6 = strchr(text, ':');
	int on = 1, fd = socket(is_v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

	if (fd < 0 || inet_pton(is_v6 ? AF_INET6 : AF_INET, text, is_v6 ? (void *)&v6.sin6_addr : &v4.sin_addr) != 1)
		return -EINVAL;
	err = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!err)
		err = is_v6 ? bind(fd, (struct sockaddr *)&v6, sizeof(v6)) : bind(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (!err && type == SOCK_STREAM)
		err = listen(fd, BACKLOG);
	return err ? -errno : add(fd, type == SOCK_STREAM ? ROLE_LISTENER : ROLE_UDP);
}

static void take_connections(int listener)
{
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (!add(fd, ROLE_CONNECTION))
			peers[fd].connection = ++connections;
	}
}

static void answer_datagrams(int fd)
{
	struct churn_question question;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	while (recvfrom(fd, &question, sizeof(question), 0, (struct sockaddr *)&peer, &len) == sizeof(question)) {
		struct churn_answer answer = { .sequence = question.sequence, .server = number };

		if (sendto(fd, &answer, sizeof(answer), 0, (struct sockaddr *)&peer, len) < 0)
			perror("churn_server: sendto");
		len = sizeof(peer);
	}
}

/* An answer always fits the socket's buffer: a client asks again only after it. */
static bool answer(int fd, uint32_t sequence, size_t size)
{
	static char data[CHURN_ANSWER_MAX];
	struct churn_answer answer = { sequence, number, peers[fd].connection };

	memcpy(data, &answer, sizeof(answer));
	return size >= sizeof(answer) && size <= sizeof(data) && send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void serve(int fd)
{
	struct peer *peer = &peers[fd];
	ssize_t got;

	for (;;) {
		got = recv(fd, (char *)&peer->question + peer->got, sizeof(peer->question) - peer->got, 0);
		if (got <= 0)
			break;
		peer->got += got;
		if (peer->got < sizeof(peer->question))
			continue;
		peer->got = 0;
		if (!answer(fd, peer->question.sequence, peer->question.size) || peer->question.end == CHURN_CLOSE) {
			end(fd);
			return;
		}
	}
	if (got < 0 && errno == EAGAIN)
		return;
	if (!got)
		answer(fd, CHURN_LAST, sizeof(struct churn_answer));
	end(fd);
}

static void loop(void)
{
	struct epoll_event events[256];
	int n;

	while ((n = epoll_wait(epoll, events, 256, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			switch (peers[fd].role) {
			case ROLE_NONE:
				break;
			case ROLE_LISTENER:
				take_connections(fd);
				break;
			case ROLE_UDP:
				answer_datagrams(fd);
				break;
			case ROLE_CONNECTION:
				serve(fd);
				break;
			}
		}
	}
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc < 5) {
		fprintf(stderr, "usage: churn_server NUMBER TCP_PORT UDP_PORT ADDRESS...\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	number = atoi(argv[1]);
	for (int i = 4; i < argc; i++) {
		int err = listen_on(argv[i], atoi(argv[2]), SOCK_STREAM);

		if (!err)
			err = listen_on(argv[i], atoi(argv[3]), SOCK_DGRAM);
		if (err) {
			fprintf(stderr, "churn_server: %s: %s\n", argv[i], strerror(-err));
			return 1;
		}
	}
	printf("ready\n");
	fflush(stdout);
	loop();
	return 1;
}
