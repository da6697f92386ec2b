// SPDX-License-Identifier: GPL-2.0-only
/* See corpus.h. */
#include "corpus.h"

#include <assert.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <pcap/pcap.h>

#include "check.h"
#include "util.h"

/* Table tests, built beside the program that runs. */
static const char *const tables[] = { "test_bad_packets", "test_entry", "test_forward", "test_headers", "test_fragments",
				      "test_icmp", "test_send", "test_too_big" };

static struct packet *add(struct corpus *c)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 1024;
		c->packets = realloc(c->packets, c->room * sizeof(*c->packets));
		assert(c->packets);
	}
	return &c->packets[c->n++];
}

/* A frame is padded to what BPF_PROG_TEST_RUN takes, and cut to it. */
static void add_frame(struct corpus *c, const __u8 *data, size_t len)
{
	struct packet *p = add(c);

	p->len = len < PACKET_MIN ? PACKET_MIN : len > PACKET_MAX ? PACKET_MAX : len;
	memset(p->data, 0, PACKET_MIN);
	memcpy(p->data, data, len < p->len ? len : p->len);
}

static void read_written(struct corpus *c, const char *path)
{
	FILE *file = fopen(path, "rb");
	__u8 data[PACKET_MAX];
	__u16 len;

	if (!file)
		err(1, "%s", path);
	while (fread(&len, sizeof(len), 1, file) == 1) {
		if (len > sizeof(data) || fread(data, 1, len, file) != len)
			errx(1, "%s is cut short", path);
		add_frame(c, data, len);
	}
	fclose(file);
}

static void run_table(const char *program, const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		setenv(CASES_WRITE, path, 1);
		execl(program, program, NULL);
		err(1, "%s", program);
	}
	if (waitpid(pid, &status, 0) < 0 || status)
		errx(1, "%s did not write its packets", program);
}

static void load_tables(struct corpus *c, const char *folder)
{
	char path[] = "/tmp/tailrace-corpus-XXXXXX", program[PATH_MAX];
	int fd = mkstemp(path);
	size_t i;

	if (fd < 0)
		err(1, "%s", path);
	close(fd);
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		snprintf(program, sizeof(program), "%s/%s", folder, tables[i]);
		run_table(program, path);
	}
	read_written(c, path);
	unlink(path);
	c->n_tables = c->n;
}

static void read_capture(struct corpus *c, const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *header;
	const u_char *data;

	if (!pcap)
		errx(1, "%s", why);
	if (pcap_datalink(pcap) != DLT_EN10MB)
		errx(1, "%s: not Ethernet", path);
	while (pcap_next_ex(pcap, &header, &data) == 1)
		add_frame(c, data, header->caplen);
	pcap_close(pcap);
}

/* Hex digits, any white space among them; a line that begins with # is a comment. */
static void read_hex(struct corpus *c, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[2 * PACKET_MAX + 2];
	__u8 data[PACKET_MAX];
	size_t len = 0;
	unsigned int byte;
	int n;

	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		const char *at = line;

		while (*at != '#' && len < sizeof(data) && sscanf(at, "%2x%n", &byte, &n) == 1) {
			data[len++] = byte;
			at += n;
		}
	}
	fclose(file);
	add_frame(c, data, len);
}

static void read_folder(struct corpus *c, const char *folder, const char *suffix,
			void (*read_one)(struct corpus *c, const char *path))
{
	struct dirent **names;
	char path[PATH_MAX];
	int n = scandir(folder, &names, NULL, alphasort), i;

	if (n < 0)
		err(1, "%s", folder);
	for (i = 0; i < n; i++) {
		const char *end = strrchr(names[i]->d_name, '.');

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (end && !strcmp(end, suffix))
			read_one(c, path);
		free(names[i]);
	}
	free(names);
}

static void up(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = 0;
}

struct corpus *corpus_load(void)
{
	struct corpus *c = calloc(1, sizeof(*c));
	char self[PATH_MAX] = "", folder[PATH_MAX + 32];

	assert(c);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(1, "/proc/self/exe");
	up(self);
	load_tables(c, self);
	up(self);
	up(self);
	up(self);
	snprintf(folder, sizeof(folder), "%s/bpf/test/corpus", self);
	read_folder(c, folder, ".pcap", read_capture);
	c->n_captured = c->n - c->n_tables;
	strcat(folder, "/failed");
	read_folder(c, folder, ".hex", read_hex);
	c->n_failed = c->n - c->n_tables - c->n_captured;
	return c;
}

void corpus_free(struct corpus *c)
{
	free(c->packets);
	free(c);
}

/* However many of each there are: those that failed, a few, would else be mutated again and again. */
void corpus_pick(const struct corpus *c, struct rng *rng, struct packet *ret)
{
	size_t first[4] = { 0, c->n_tables, c->n_tables + c->n_captured, c->n };
	__u32 twelfth = rng_below(rng, 12), kind = twelfth < 6 ? 0 : twelfth < 11 ? 1 : 2;
	const struct packet *p;

	if (first[kind] == first[kind + 1])
		kind = 0;
	p = &c->packets[first[kind] + rng_below(rng, first[kind + 1] - first[kind])];
	ret->len = p->len;
	memcpy(ret->data, p->data, p->len);
}

int corpus_save(const char *folder, const struct packet *packet, const char *why)
{
	__u32 hash = 0x811c9dc5;
	char path[PATH_MAX];
	FILE *file;
	size_t i;

	for (i = 0; i < packet->len; i++)
		hash = (hash ^ packet->data[i]) * 0x01000193;
	snprintf(path, sizeof(path), "%s/%08x.hex", folder, hash);
	file = fopen(path, "w");
	if (!file)
		return -errno;
	fprintf(file, "# %s\n", why);
	for (i = 0; i < packet->len; i++)
		fprintf(file, "%02x%s", packet->data[i], i % 32 == 31 || i + 1 == packet->len ? "\n" : "");
	fprintf(stderr, "# saved as %s\n", path);
	return fclose(file) ? -errno : 0;
}
