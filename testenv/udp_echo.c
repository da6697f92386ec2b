// SPDX-License-Identifier: GPL-2.0-only
/*
 * A UDP echo server, and a client that checks every echo. The demo's and the tests' traffic.
 *
 *   udp_echo server NAME PORT...                        answers with what came and its own name behind
 *   udp_echo client [OPTIONS] ADDRESS PORT COUNT [FIRST_PORT]
 *                                                       COUNT flows, each from a port of its own, one datagram each
 *     -s SIZE     bytes of each datagram (any, up to 1400)
 *     -a ADDRESS  to send from
 *     -w FLOWS    at a time (32)
 *     -m MS       to wait for an answer (3000)
 *     -f          without DF: routers may fragment
 *     -p          with DF, whatever MTU is known
 *     -d          deaf: no socket takes the answers
 *
 * The client takes an answer for good that comes from the address and port that it asked, and begins with what it sent.
 * With FIRST_PORT its ports are that and those after it. It prints a line "PORT NAME" for each flow, NAME "-" without a
 * good answer, and ends with 1 if there is one.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS_MAX 16
#define WINDOW 32			/* flows at a time: a receive buffer holds all of them */
#define DATAGRAM_SMALL 1400		/* where no size is asked for */
#define DATAGRAM_MAX 65000
#define NAME_SIZE 64
#define BUFFER (8 << 20)

struct options {
	size_t size;			/* 0: any */
	struct addrinfo *from;		/* NULL: any */
	int window, wait_ms;
	int discover;			/* IP_PMTUDISC_... */
	bool deaf;
};

static struct options options = { .window = WINDOW, .wait_ms = 3000, .discover = IP_PMTUDISC_WANT };

static int open_server(int family, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool is_v4 = family == AF_INET;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	/* An answer comes from the address that was asked, be it one of a whole prefix that is routed to lo (freebind). */
	if (is_v4)
		err = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	else
		err = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) ||
		      setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) ||
		      setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ BUFFER }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){ BUFFER }, sizeof(int));
	if (!err)
		err = is_v4 ? bind(fd, (struct sockaddr *)&v4, sizeof(v4)) : bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	if (err) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* The route back is the routing table's to choose, not the interface of the question. */
static void forget_interface(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex = 0;
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_ifindex = 0;
	}
}

static void answer(int fd, const char *name)
{
	_Alignas(struct cmsghdr) char control[256];
	static char data[DATAGRAM_MAX + NAME_SIZE];
	struct sockaddr_storage peer;
	struct iovec part = { data, DATAGRAM_MAX };
	struct msghdr msg = {
		.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (len < 0)
		return;
	forget_interface(&msg);
	memcpy(data + len, name, strlen(name));
	part.iov_len = len + strlen(name);
	if (sendmsg(fd, &msg, 0) < 0)
		perror("udp_echo: sendmsg");
}

static int serve(const char *name, char **ports, int n_ports)
{
	struct pollfd fds[2 * PORTS_MAX];
	int n = 0;

	for (int i = 0; i < n_ports; i++) {
		for (int v6 = 0; v6 < 2; v6++, n++) {
			fds[n].events = POLLIN;
			fds[n].fd = open_server(v6 ? AF_INET6 : AF_INET, atoi(ports[i]));
			if (fds[n].fd < 0) {
				fprintf(stderr, "udp_echo: port %s: %s\n", ports[i], strerror(-fds[n].fd));
				return 1;
			}
		}
	}
	for (;;) {
		if (poll(fds, n, -1) < 0)
			return 1;
		for (int i = 0; i < n; i++)
			if (fds[i].revents)
				answer(fds[i].fd, name);
	}
}

struct flow {
	char sent[DATAGRAM_MAX];
	size_t len;
	uint16_t port;			/* ours */
	char name[NAME_SIZE];		/* who answered; empty: nobody yet */
};

/* port 0: any. */
static int bind_own(int fd, int family, uint16_t port)
{
	struct sockaddr_in6 own = { .sin6_family = family };

	if (options.from)
		memcpy(&own, options.from->ai_addr, options.from->ai_addrlen);
	own.sin6_port = htons(port);	/* at the same place in both families */
	return bind(fd, (struct sockaddr *)&own, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(own));
}

/* A connected socket takes answers from where it is connected to and no others. A deaf one is connected to the next port. */
static int connect_flow(int fd, const struct addrinfo *to)
{
	struct sockaddr_in6 peer = {};

	memcpy(&peer, to->ai_addr, to->ai_addrlen);
	if (options.deaf)
		peer.sin6_port = htons(ntohs(peer.sin6_port) + 1);
	return connect(fd, (struct sockaddr *)&peer, to->ai_addrlen);
}

static void open_flow(int fd, const struct addrinfo *to, uint16_t port)
{
	bool is_v4 = to->ai_family == AF_INET;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ BUFFER }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){ BUFFER }, sizeof(int));
	if (setsockopt(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &options.discover,
		       sizeof(options.discover)) ||
	    ((port || options.from) && bind_own(fd, to->ai_family, port)) || connect_flow(fd, to)) {
		perror("udp_echo");
		exit(2);
	}
}

static uint16_t own_port(int fd)
{
	struct sockaddr_in6 own;
	socklen_t len = sizeof(own);

	return getsockname(fd, (struct sockaddr *)&own, &len) ? 0 : ntohs(own.sin6_port);
}

/* first_port: 0, any. The socket, or -1. */
static int send_flow(const struct addrinfo *to, uint16_t first_port, int number, struct flow *flow)
{
	int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		perror("udp_echo");
		exit(2);
	}
	open_flow(fd, to, first_port ? first_port + number : 0);
	flow->port = own_port(fd);
	flow->name[0] = '\0';
	flow->len = options.size ? options.size : 16 + (size_t)random() % (DATAGRAM_SMALL - 16);
	for (size_t i = 0; i < flow->len; i++)
		flow->sent[i] = random();
	if (sendto(fd, flow->sent, flow->len, 0, to->ai_addr, to->ai_addrlen) < 0)
		perror("udp_echo: send");
	return fd;
}

static void take_answer(int fd, struct flow *flow)
{
	static char data[DATAGRAM_MAX + NAME_SIZE];
	ssize_t len = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	ssize_t name_len = len - (ssize_t)flow->len;

	if (name_len <= 0 || name_len >= NAME_SIZE || memcmp(data, flow->sent, flow->len)) {
		fprintf(stderr, "udp_echo: port %u: %s\n", flow->port, len < 0 ? strerror(errno) : "another answer");
		return;
	}
	memcpy(flow->name, data + flow->len, name_len);
	flow->name[name_len] = '\0';
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Until each flow has an answer, good or not, or the time is over. */
static void wait_answers(struct pollfd *fds, struct flow *flows, int n)
{
	int64_t end = now_ms() + options.wait_ms, left;
	int waiting = n;

	while (waiting && (left = end - now_ms()) > 0 && poll(fds, n, left) > 0) {
		for (int i = 0; i < n; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			take_answer(fds[i].fd, &flows[i]);
			close(fds[i].fd);
			fds[i].fd = -1;
			waiting--;
		}
	}
	for (int i = 0; i < n; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
}

static int ask(const struct addrinfo *to, int count, uint16_t first_port)
{
	static struct flow flows[WINDOW];
	struct pollfd fds[WINDOW];
	int failed = 0;

	for (int done = 0; done < count; done += options.window) {
		int n = count - done < options.window ? count - done : options.window;

		for (int i = 0; i < n; i++) {
			fds[i].fd = send_flow(to, first_port, done + i, &flows[i]);
			fds[i].events = POLLIN;
		}
		wait_answers(fds, flows, n);
		for (int i = 0; i < n; i++) {
			printf("%u %s\n", flows[i].port, *flows[i].name ? flows[i].name : "-");
			failed += !*flows[i].name;
		}
	}
	return failed ? 1 : 0;
}

static struct addrinfo *resolve(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *ret;
	int err = getaddrinfo(address, port, &hints, &ret);

	if (!err)
		return ret;
	fprintf(stderr, "udp_echo: %s port %s: %s\n", address, port, gai_strerror(err));
	exit(2);
}

static int usage(void)
{
	fprintf(stderr, "usage: udp_echo server NAME PORT...\n"
			"       udp_echo client [-s SIZE] [-a ADDRESS] [-w FLOWS] [-m MS] [-f|-p] [-d] ADDRESS PORT COUNT [FIRST_PORT]\n");
	return 2;
}

static bool read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:a:w:m:fpd")) != -1) {
		if (option == 's')
			options.size = atoi(optarg);
		else if (option == 'a')
			options.from = resolve(optarg, "0");
		else if (option == 'w')
			options.window = atoi(optarg);
		else if (option == 'm')
			options.wait_ms = atoi(optarg);
		else if (option == 'f')
			options.discover = IP_PMTUDISC_DONT;
		else if (option == 'p')
			options.discover = IP_PMTUDISC_PROBE;
		else if (option == 'd')
			options.deaf = true;
		else
			return false;
	}
	return options.size <= DATAGRAM_MAX && options.window > 0 && options.window <= WINDOW;
}

static int run_client(int argc, char **argv)
{
	struct addrinfo *to;
	int err;

	if (!read_options(argc, argv) || argc - optind < 3 || argc - optind > 4)
		return usage();
	to = resolve(argv[optind], argv[optind + 1]);
	srandom(getpid());
	err = ask(to, atoi(argv[optind + 2]), argc - optind == 4 ? atoi(argv[optind + 3]) : 0);
	freeaddrinfo(to);
	return err;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && argc <= 3 + PORTS_MAX && !strcmp(argv[1], "server") && strlen(argv[2]) < NAME_SIZE)
		return serve(argv[2], argv + 3, argc - 3);
	if (argc > 1 && !strcmp(argv[1], "client"))
		return run_client(argc - 1, argv + 1);
	return usage();
}
