// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client of the churn test: thousands of flows that must stay with the server where they began, whatever changes.
 *
 *   churn_client OPTIONS ADDRESS...        `churn_client -h` lists them; testenv/churn is its user
 *
 * TCP connections talk, some of them seldom, and end with a FIN both ways; short ones come and go; datagrams are sent from
 * sockets that stay. What is broken is counted by kind: reset, timed out, answered by another. The control pipe tells, line
 * by line: `falling N` (server N is about to be taken down: what is on it may break), `down N` (it is: what begins on it
 * from now on may not), `note TEXT` (what changes now, for messages), `quit` (everything ends; the counts follow as JSON).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "churn.h"

#define ADDRESSES_MAX 256
#define SERVERS_MAX 256
#define FDS_MAX 20000
#define TICK_MS 10
#define STARTS_A_TICK 20		/* so that no listener's queue overflows */
#define ANSWER_MS 20000
#define AGAIN_MS 700			/* a datagram without an answer is sent again */
#define UDP_ANSWER_MS 8000
#define SAID_MAX 60			/* broken flows that are described one by one */
#define PROGRESS_MS 5000

enum kind { TALK, QUIET, SILENT, SHORT, UDP, KINDS };
enum state { OFF, CONNECTING, IDLE, ASKING, CLOSING };
enum fate { RESET, TIMEOUT, MOVED, DOWN, LATE, FATES };

static const char *const kind_names[] = { "talk", "quiet", "silent", "short", "udp" };
static const char *const fate_names[] = { "reset", "timeout", "moved", "down", "late" };

struct flow {
	enum kind kind;
	enum state state;
	int fd, target, source;
	bool was_served, late;		/* late: it was silent for longer than it may, the machine being slow */
	uint32_t server, sequence, left;	/* left: questions of a short one */
	uint64_t connection;
	size_t got, want;		/* bytes of the answer */
	struct churn_answer answer;
	int64_t begun, asked, sent, next;	/* ms; next: to begin, or to ask again */
	int64_t silence;		/* before the last packet */
};

static struct {
	uint32_t n[KINDS];
	int64_t settle, udp;		/* ms */
	uint16_t tcp_port, udp_port;
	const char *control;
} options = { .settle = 10000, .udp = 3000, .tcp_port = 80, .udp_port = 7 };

struct address {
	struct sockaddr_storage addr;
	socklen_t len;
};
static struct address targets[ADDRESSES_MAX], sources[ADDRESSES_MAX];
static int n_targets, n_sources;

static struct flow *flows, *by_fd[FDS_MAX];
static uint32_t n_flows, open_now, open_peak, served, said;
static uint64_t begun[KINDS], ended[KINDS], broken[KINDS][FATES];
static int64_t now, started, down_at[SERVERS_MAX];
static char note[100] = "no change yet";
static bool ending;
static int epoll;
static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) % n;
}

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int64_t pause_of(const struct flow *flow)
{
	switch (flow->kind) {
	case QUIET:
		return options.settle * (40 + random_below(41)) / 100;
	case SILENT:
		return options.settle * (120 + random_below(60)) / 100;
	case SHORT:
		return random_below(300);
	case UDP:
		return options.udp * (10 + random_below(55)) / 100;
	default:
		return 200 + random_below(options.settle / 2);
	}
}

static void stop(struct flow *flow)
{
	by_fd[flow->fd] = NULL;
	close(flow->fd);
	flow->fd = -1;
	flow->state = OFF;
	flow->next = now + 200 + random_below(1500);
	open_now--;
	served -= flow->was_served;
}

/* A server that is taken down takes its flows along. Of one that nobody has answered yet, it is not known whose it was. */
static bool may_break(const struct flow *flow)
{
	if (flow->was_served)
		return down_at[flow->server] >= flow->begun;
	for (int i = 0; i < SERVERS_MAX; i++)
		if (down_at[i] >= flow->begun)
			return true;
	return false;
}

static void say_broken(const struct flow *flow, const char *how)
{
	struct sockaddr_storage own;
	const struct sockaddr_storage *to = &targets[flow->target].addr;
	socklen_t len = sizeof(own);
	char text[INET6_ADDRSTRLEN] = "?";

	/* The ports stand at the same place in both families. */
	if (getsockname(flow->fd, (struct sockaddr *)&own, &len))
		return;
	inet_ntop(to->ss_family, to->ss_family == AF_INET ? (void *)&((struct sockaddr_in *)to)->sin_addr :
		  (void *)&((struct sockaddr_in6 *)to)->sin6_addr, text, sizeof(text));
	printf("%6.1f s: %s %s: port %u to %s, server %u since %.1f s, silent before for %.1f s, asked %.1f s ago; "
	       "last change: %s\n", (now - started) / 1e3, kind_names[flow->kind], how,
	       ntohs(((struct sockaddr_in6 *)&own)->sin6_port), text, flow->server, (flow->begun - started) / 1e3,
	       flow->silence / 1e3, (now - flow->asked) / 1e3, note);
	said++;
}

static enum fate count_broken(struct flow *flow, enum fate how)
{
	enum fate fate = may_break(flow) ? DOWN : flow->late ? LATE : how;

	broken[flow->kind][fate]++;
	if (fate < DOWN && flow->kind != SILENT && said < SAID_MAX)
		say_broken(flow, fate_names[how]);
	return fate;
}

static void broke(struct flow *flow, enum fate how)
{
	count_broken(flow, how);
	stop(flow);
}

static void broke_by(struct flow *flow, int err)
{
	broke(flow, err == ETIMEDOUT ? TIMEOUT : RESET);
}

static void watch(const struct flow *flow, int operation, uint32_t what)
{
	struct epoll_event event = { .events = what, .data.fd = flow->fd };

	epoll_ctl(epoll, operation, flow->fd, &event);
}

/* Where a flow was silent for longer than the balancer promises to remember it, it was the machine: not a fault. */
static void mark_sent(struct flow *flow)
{
	int64_t most = flow->kind == UDP ? options.udp : options.settle;

	now = clock_ms();
	flow->silence = now - flow->sent;
	flow->late |= flow->silence > most * 95 / 100;
	flow->sent = now;
}

static void ask(struct flow *flow, bool again)
{
	struct churn_question question = { .size = sizeof(struct churn_answer) };

	flow->sequence += !again;
	question.sequence = flow->sequence;
	if (flow->kind != UDP)
		question.size += random_below(random_below(8) ? 200 : CHURN_ANSWER_MAX - sizeof(struct churn_answer));
	if (flow->kind == SHORT && !--flow->left && flow->sequence % 2)
		question.end = CHURN_CLOSE;
	flow->state = question.end == CHURN_CLOSE ? CLOSING : ASKING;
	flow->got = 0;
	flow->want = question.size;
	if (!again)
		flow->asked = clock_ms();
	mark_sent(flow);
	if (send(flow->fd, &question, sizeof(question), MSG_NOSIGNAL) < 0 && flow->kind != UDP)
		broke_by(flow, errno);
}

static void begin_end(struct flow *flow)
{
	if (flow->kind == UDP) {
		ended[UDP]++;
		stop(flow);
		return;
	}
	flow->state = CLOSING;
	flow->got = 0;
	flow->want = sizeof(struct churn_answer);
	flow->sequence = CHURN_LAST;
	flow->asked = clock_ms();
	mark_sent(flow);
	if (shutdown(flow->fd, SHUT_WR))
		broke_by(flow, errno);
}

static int open_socket(struct flow *flow)
{
	const struct address *target = &targets[flow->target], *source = &sources[flow->source];
	int type = flow->kind == UDP ? SOCK_DGRAM : SOCK_STREAM, on = 1;
	int fd = socket(target->addr.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage to = target->addr;

	((struct sockaddr_in6 *)&to)->sin6_port = htons(flow->kind == UDP ? options.udp_port : options.tcp_port);
	/* The port is chosen by connect(), for this target: there are more flows than ports. */
	if (fd < 0 || fd >= FDS_MAX || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&source->addr, source->len) ||
	    (connect(fd, (struct sockaddr *)&to, target->len) && errno != EINPROGRESS)) {
		perror("churn_client: socket");
		exit(2);
	}
	return fd;
}

static void start(struct flow *flow)
{
	flow->target = random_below(n_targets);
	do
		flow->source = random_below(n_sources);
	while (sources[flow->source].addr.ss_family != targets[flow->target].addr.ss_family);
	now = clock_ms();
	flow->begun = flow->asked = flow->sent = now;
	flow->silence = 0;
	flow->was_served = flow->late = false;
	flow->server = flow->sequence = 0;
	flow->left = 1 + random_below(4);
	flow->fd = open_socket(flow);
	by_fd[flow->fd] = flow;
	flow->state = CONNECTING;
	begun[flow->kind]++;
	if (++open_now > open_peak)
		open_peak = open_now;
	watch(flow, EPOLL_CTL_ADD, flow->kind == UDP ? EPOLLIN : EPOLLOUT);
	if (flow->kind == UDP)
		ask(flow, false);
}

static void connected(struct flow *flow)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &err, &len) || err) {
		broke_by(flow, err);
		return;
	}
	watch(flow, EPOLL_CTL_MOD, EPOLLIN);
	ask(flow, false);
}

static void whole_answer(struct flow *flow)
{
	const struct churn_answer *answer = &flow->answer;
	bool same = flow->server == answer->server && flow->connection == answer->connection;

	if (answer->server >= SERVERS_MAX || answer->sequence != flow->sequence ||
	    (flow->was_served && !same && flow->kind != UDP)) {
		broke(flow, MOVED);
		return;
	}
	if (flow->was_served && !same) {	/* there is no end to a flow of datagrams: another begins */
		count_broken(flow, MOVED);
		begun[UDP]++;
		flow->begun = now;
		flow->late = false;
	}
	served += !flow->was_served;
	flow->was_served = true;
	flow->server = answer->server;
	flow->connection = answer->connection;
	if (flow->state == CLOSING)
		return;			/* the server's FIN is to come */
	flow->state = IDLE;
	flow->next = now + pause_of(flow);
	if (flow->kind == SHORT && !flow->left)
		begin_end(flow);
}

static void take_datagrams(struct flow *flow)
{
	while (recv(flow->fd, &flow->answer, sizeof(flow->answer), 0) == sizeof(flow->answer))
		if (flow->state == ASKING && flow->answer.sequence == flow->sequence)
			whole_answer(flow);
}

/* false: nothing more to read, or the connection is no more. */
static bool take_bytes(struct flow *flow)
{
	char data[CHURN_ANSWER_MAX];
	ssize_t got = recv(flow->fd, data, sizeof(data), 0);

	if (got < 0) {
		if (errno != EAGAIN)
			broke_by(flow, errno);
		return false;
	}
	if (!got && flow->state == CLOSING && flow->got == flow->want) {
		ended[flow->kind]++;
		stop(flow);
		return false;
	}
	if (!got || flow->state < ASKING || flow->got + got > flow->want) {
		broke(flow, got ? MOVED : RESET);
		return false;
	}
	for (ssize_t i = 0; i < got && flow->got + i < sizeof(flow->answer); i++)
		((char *)&flow->answer)[flow->got + i] = data[i];
	flow->got += got;
	if (flow->got == flow->want)
		whole_answer(flow);
	return flow->fd >= 0;
}

static void handle(struct flow *flow)
{
	if (flow->kind == UDP)
		take_datagrams(flow);
	else if (flow->state == CONNECTING)
		connected(flow);
	else
		while (take_bytes(flow))
			;
}

static void tick_flow(struct flow *flow, int *starts)
{
	switch (flow->state) {
	case OFF:
		if (!ending && now >= flow->next && (*starts)++ < STARTS_A_TICK)
			start(flow);
		break;
	case IDLE:
		if (ending)
			begin_end(flow);
		else if (now >= flow->next)
			ask(flow, false);
		break;
	default:
		if (now - flow->asked > (flow->kind == UDP ? UDP_ANSWER_MS : ANSWER_MS))
			broke(flow, TIMEOUT);
		else if (flow->kind == UDP && now - flow->sent > AGAIN_MS)
			ask(flow, true);
	}
}

static void obey(char *line)
{
	if (!strncmp(line, "down ", 5) && atoi(line + 5) < SERVERS_MAX)
		down_at[atoi(line + 5)] = now;
	else if (!strncmp(line, "falling ", 8) && atoi(line + 8) < SERVERS_MAX)
		down_at[atoi(line + 8)] = INT64_MAX;
	else if (!strncmp(line, "note ", 5))
		snprintf(note, sizeof(note), "%s, at %.1f s", line + 5, (now - started) / 1e3);
	else if (!strcmp(line, "quit"))
		ending = true;
}

/* Lines are shorter than what a pipe takes at once: none comes in parts. */
static void obey_all(int control)
{
	char data[4096], *rest = data, *line;
	ssize_t got = read(control, data, sizeof(data) - 1);

	if (got <= 0)
		return;
	data[got] = '\0';
	while ((line = strsep(&rest, "\n")))
		obey(line);
}

static void say_progress(void)
{
	static int64_t last;
	static bool ready;
	uint64_t n[FATES] = {}, silent = 0;

	if (!ready && served >= n_flows - options.n[SHORT]) {
		ready = true;
		printf("ready: %u flows after %.1f s\n", served, (now - started) / 1e3);
		fflush(stdout);
	}
	if (now - last < PROGRESS_MS)
		return;
	last = now;
	for (int kind = 0; kind < KINDS; kind++)
		for (int fate = 0; fate < FATES; fate++)
			*(kind == SILENT ? &silent : &n[fate]) += broken[kind][fate];
	printf("%6.1f s: %u flows open; broken: %lu reset, %lu timed out, %lu moved; %lu of servers down; %lu silent\n",
	       (now - started) / 1e3, open_now, n[RESET], n[TIMEOUT], n[MOVED], n[DOWN], silent + n[LATE]);
	fflush(stdout);
}

static void say_counts(void)
{
	printf("{\"peak\": %u", open_peak);
	for (int kind = 0; kind < KINDS; kind++) {
		printf(", \"%s\": {\"begun\": %lu, \"ended\": %lu", kind_names[kind], begun[kind], ended[kind]);
		for (int fate = 0; fate < FATES; fate++)
			printf(", \"%s\": %lu", fate_names[fate], broken[kind][fate]);
		printf("}");
	}
	printf("}\n");
}

static void loop(int control)
{
	struct epoll_event events[512], wake = { .events = EPOLLIN, .data.fd = control };
	int64_t ticked = 0;

	epoll_ctl(epoll, EPOLL_CTL_ADD, control, &wake);
	while (!ending || open_now) {
		int n = epoll_wait(epoll, events, 512, TICK_MS), starts = 0;

		now = clock_ms();
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == control)
				obey_all(control);
			else if (by_fd[events[i].data.fd])
				handle(by_fd[events[i].data.fd]);
		}
		now = clock_ms();
		if (now - ticked < TICK_MS)
			continue;
		ticked = now;
		for (uint32_t i = 0; i < n_flows; i++)
			tick_flow(&flows[i], &starts);
		say_progress();
	}
}

static void add_address(struct address *addresses, int *n, const char *text)
{
	struct address *address = &addresses[*n];
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->addr;

	if (*n < ADDRESSES_MAX && inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		address->addr.ss_family = AF_INET;
		address->len = sizeof(*v4);
	} else if (*n < ADDRESSES_MAX && inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		address->addr.ss_family = AF_INET6;
		address->len = sizeof(*v6);
	} else {
		fprintf(stderr, "churn_client: '%s' is no address, or one too many\n", text);
		exit(2);
	}
	(*n)++;
}

static void usage(void)
{
	fprintf(stderr, "usage: churn_client OPTIONS ADDRESS...\n"
			"  -f PIPE          control\n"
			"  -r SEED\n"
			"  -s ADDRESS       a source; more of them, both families that ADDRESS... has\n"
			"  -t, -q, -l N     connections that talk often, seldom (pauses up to 0.8 of -W), too seldom\n"
			"  -c, -u N         short connections at a time, UDP flows\n"
			"  -W, -U MS        how long a connection, a UDP flow may be silent\n"
			"  -p, -P PORT      TCP (80), UDP (7)\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const char counts[] = "tqlcu";	/* in the order of enum kind */
	int option;

	random_state = 1;
	while ((option = getopt(argc, argv, "f:r:s:t:q:l:c:u:W:U:p:P:h")) != -1) {
		if (strchr(counts, option))
			options.n[strchr(counts, option) - counts] = atoi(optarg);
		else if (option == 'f')
			options.control = optarg;
		else if (option == 'r')
			random_state = strtoull(optarg, NULL, 10) * 0x9e3779b97f4a7c15ULL + 1;
		else if (option == 's')
			add_address(sources, &n_sources, optarg);
		else if (option == 'W' || option == 'U')
			*(option == 'W' ? &options.settle : &options.udp) = atoi(optarg);
		else if (option == 'p' || option == 'P')
			*(option == 'p' ? &options.tcp_port : &options.udp_port) = atoi(optarg);
		else
			usage();
	}
	while (optind < argc)
		add_address(targets, &n_targets, argv[optind++]);
	if (!options.control || !n_targets || !n_sources)
		usage();
}

static void make_flows(void)
{
	for (int kind = 0; kind < KINDS; kind++)
		n_flows += options.n[kind];
	flows = calloc(n_flows + 1, sizeof(*flows));
	if (!flows)
		exit(2);
	for (uint32_t i = 0, kind = 0, left = options.n[0]; i < n_flows; i++, left--) {
		while (!left)
			left = options.n[++kind];
		flows[i] = (struct flow){ .kind = kind, .fd = -1 };
	}
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int control;

	parse(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < SERVERS_MAX; i++)
		down_at[i] = -1;
	control = open(options.control, O_RDWR | O_NONBLOCK | O_CLOEXEC);	/* writing, too: writers come and go */
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (control < 0 || epoll < 0) {
		perror("churn_client");
		return 2;
	}
	make_flows();
	started = clock_ms();
	loop(control);
	say_counts();
	return 0;
}
