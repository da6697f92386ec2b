// SPDX-License-Identifier: GPL-2.0-only
/* See golden.h. */
#include "golden.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/bpf.h>

/* Bytes, and which of their bits count. */
struct pattern {
	size_t len;
	__u8 bytes[PACKET_MAX + 512], mask[PACKET_MAX + 512];
};

static int digit(char c)
{
	return isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put(struct pattern *p, __u8 byte, __u8 mask)
{
	if (p->len == sizeof(p->bytes))
		fail_msg("a frame that is too long");
	p->bytes[p->len] = byte;
	p->mask[p->len++] = mask;
}

/* Two digits, and how often. Returns what follows. */
static const char *read_byte(const char *text, struct pattern *p)
{
	int high = digit(text[0]), low = text[0] ? digit(text[1]) : -1;
	unsigned long n = 1;
	char *end = (char *)text + 2;

	if ((high < 0 && text[0] != '?') || (low < 0 && text[1] != '?'))
		fail_msg("no hex: %.20s", text);
	if (*end == '*')
		n = strtoul(end + 1, &end, 10);
	while (n--)
		put(p, (high < 0 ? 0 : high << 4) | (low < 0 ? 0 : low), (high < 0 ? 0 : 0xf0) | (low < 0 ? 0 : 0x0f));
	return end;
}

/* sent: what @ stands for, or NULL. */
static void read_pattern(const char *text, const struct packet *sent, struct pattern *p)
{
	char *end;
	size_t i;

	p->len = 0;
	while (*text) {
		if (isspace(*text)) {
			text++;
		} else if (*text == '@' && sent) {
			for (i = strtoul(text + 1, &end, 10); i < sent->len; i++)
				put(p, sent->data[i], 0xff);
			text = end;
		} else {
			text = read_byte(text, p);
		}
	}
}

void golden_read(const char *text, struct packet *packet)
{
	struct pattern p;

	read_pattern(text, NULL, &p);
	assert_true(p.len >= PACKET_MIN && p.len <= PACKET_MAX);
	packet->len = p.len;
	memcpy(packet->data, p.bytes, p.len);
}

static void assert_pattern(const struct observed *o, const struct pattern *p)
{
	size_t i;

	for (i = 0; i < o->len && i < p->len; i++)
		if ((o->data[i] ^ p->bytes[i]) & p->mask[i]) {
			packet_print("result", o->data, o->len);
			packet_print("expected", p->bytes, p->len);
			fail_msg("byte %zu is 0x%02x, expected 0x%02x", i, o->data[i], p->bytes[i]);
		}
	assert_int_equal(o->len, p->len);
}

void golden_step(struct scene *scene, const struct golden_step *step)
{
	struct pattern expected;
	struct packet packet;
	struct check check;

	golden_read(step->in, &packet);
	assert_frame(scene->harness, scene->world, &packet, step->verdict, &check);
	assert_int_equal(check.observed.action, step->action ? step->action : verdict_action(step->verdict));
	if (step->out && !*step->out)
		return;
	read_pattern(step->out ? step->out : "@0", &packet, &expected);
	assert_pattern(&check.observed, &expected);
}

static void run_golden(struct scene *scene)
{
	const struct golden *g = (const struct golden *)scene->arg;
	int i;

	harness_forget(scene->harness);
	for (i = 0; i < GOLDEN_STEPS && g->steps[i].in; i++)
		golden_step(scene, &g->steps[i]);
}

static void add_inputs(struct cases *cases, const struct golden *g)
{
	struct packet packet;
	int i;

	for (i = 0; i < GOLDEN_STEPS && g->steps[i].in; i++) {
		golden_read(g->steps[i].in, &packet);
		cases_add_raw(cases, &packet, g->steps[i].verdict, g->name);
	}
}

void golden_add(struct cases *cases, const struct golden *golden, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (getenv(CASES_WRITE))
			add_inputs(cases, &golden[i]);
		else
			cases_add_function(cases, run_golden, (long)&golden[i], "%s: %s", golden[i].name,
					   verdict_name(golden[i].steps[0].verdict));
	}
}

struct world *golden_world(void)
{
	struct world *world = world_standard();

	world->settings.entropy4 = world->settings.entropy6 = 0;
	world->limits.test_clock = true;
	world->settings.tick = 1000;
	return world;
}
