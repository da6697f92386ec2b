// SPDX-License-Identifier: GPL-2.0-only
/*
 * The churn test's attacker: TCP packets from sources that it makes up, of both families, to every address in turn.
 *
 *   churn_flood [-p] COUNT RATE SEED PORT ADDRESS...
 *
 * COUNT SYNs, RATE a second; -p: each followed by the ACK that would end a handshake. Sources are of 198.18.0.0/15
 * (RFC 2544) and fd99::/16. Says how many packets it has sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST 50			/* SYNs, then their ACKs */
#define ADDRESSES_MAX 64

struct target {
	bool is_v6;
	struct in_addr v4;
	struct in6_addr v6;
};

static struct target targets[ADDRESSES_MAX];
static int raw4, raw6;
static uint16_t port;

static uint32_t sum(const void *data, size_t size, uint32_t from)
{
	const uint16_t *words = data;

	for (size_t i = 0; i < size / 2; i++)
		from += words[i];
	return from;
}

static uint16_t folded(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static struct tcphdr tcp_header(uint32_t flow, bool ack)
{
	return (struct tcphdr){
		.source = htons(1024 + flow % 64000),
		.dest = htons(port),
		.seq = htonl(flow + ack),
		.ack_seq = htonl(ack ? flow * 7 : 0),
		.doff = sizeof(struct tcphdr) / 4,
		.syn = !ack,
		.ack = ack,
		.window = htons(65535),
	};
}

static int send4(const struct target *target, uint32_t flow, bool ack)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = {
		.ip = {
			.version = 4,
			.ihl = 5,
			.tot_len = htons(sizeof(packet)),
			.ttl = 64,
			.protocol = IPPROTO_TCP,
			.saddr = htonl(0xc6120000 | (flow * 2654435761U) >> 15),
			.daddr = target->v4.s_addr,
		},
		.tcp = tcp_header(flow, ack),
	};
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = target->v4 };
	uint32_t pseudo = sum(&packet.ip.saddr, 8, htons(IPPROTO_TCP) + htons(sizeof(packet.tcp)));

	packet.tcp.check = folded(sum(&packet.tcp, sizeof(packet.tcp), pseudo));
	return sendto(raw4, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int send6(const struct target *target, uint32_t flow, bool ack)
{
	struct {
		struct ip6_hdr ip;
		struct tcphdr tcp;
	} packet = {
		.ip = {
			.ip6_flow = htonl(6U << 28),
			.ip6_plen = htons(sizeof(packet.tcp)),
			.ip6_nxt = IPPROTO_TCP,
			.ip6_hlim = 64,
			.ip6_src.s6_addr = { 0xfd, 0x99 },
			.ip6_dst = target->v6,
		},
		.tcp = tcp_header(flow, ack),
	};
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = target->v6 };
	uint32_t pseudo;

	packet.ip.ip6_src.s6_addr32[3] = htonl(flow * 2654435761U);
	pseudo = sum(&packet.ip.ip6_src, 32, htons(IPPROTO_TCP) + htons(sizeof(packet.tcp)));
	packet.tcp.check = folded(sum(&packet.tcp, sizeof(packet.tcp), pseudo));
	return sendto(raw6, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int send_one(int n_targets, uint32_t flow, bool ack)
{
	const struct target *target = &targets[flow % n_targets];

	return target->is_v6 ? send6(target, flow, ack) : send4(target, flow, ack);
}

static int flood(int n_targets, uint32_t count, uint32_t rate, uint32_t seed, bool pairs)
{
	struct timespec pause = { .tv_nsec = 1000000000L / (rate / BURST + 1) };
	unsigned long sent = 0;
	int err = 0;

	for (uint32_t done = 0; done < count; done += BURST) {
		for (int ack = 0; ack <= pairs; ack++)
			for (uint32_t i = done; i < done + BURST && i < count; i++, sent++) {
				err = send_one(n_targets, seed + i, ack);
				if (err && err != -ENOBUFS)
					return err;
			}
		nanosleep(&pause, NULL);
	}
	printf("%lu packets\n", sent);
	return 0;
}

int main(int argc, char **argv)
{
	bool pairs = argc > 1 && !strcmp(argv[1], "-p");
	char **arg = argv + 1 + pairs;
	int n = argc - 5 - pairs, err;

	if (n < 1 || n > ADDRESSES_MAX) {
		fprintf(stderr, "usage: churn_flood [-p] COUNT RATE SEED PORT ADDRESS...\n");
		return 2;
	}
	raw4 = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	raw6 = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);
	port = atoi(arg[3]);
	for (int i = 0; i < n; i++) {
		const char *text = arg[4 + i];

		targets[i].is_v6 = strchr(text, ':');
		if (inet_pton(targets[i].is_v6 ? AF_INET6 : AF_INET, text,
			      targets[i].is_v6 ? (void *)&targets[i].v6 : &targets[i].v4) != 1) {
			fprintf(stderr, "churn_flood: '%s' is no address\n", text);
			return 2;
		}
	}
	err = flood(n, atoi(arg[0]), atoi(arg[1]), strtoul(arg[2], NULL, 10), pairs);
	if (err)
		fprintf(stderr, "churn_flood: %s\n", strerror(-err));
	return err ? 1 : 0;
}
