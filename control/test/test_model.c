// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of model.c. SEED and ROUNDS in the environment choose the random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"
#include "make_config.h"
#include "model.h"
#include "random_change.h"
#include "util.h"

/* As the data plane: a single address first, then the longest prefix; whatever is found decides alone. */
static const struct model_address *find_address(const struct model *model, const struct tr_addr *address)
{
	const struct model_address *best = NULL;

	for (size_t i = 0; i < model->n_addresses; i++) {
		const struct model_address *at = &model->addresses[i];

		if (naive_contains(&at->prefix, address) && (!best || at->prefix.len > best->prefix.len))
			best = at;
	}
	return best;
}

static uint32_t find_vip(const struct model *model, const struct tr_addr *address, enum tr_l4 l4, uint16_t port)
{
	const struct model_address *at = find_address(model, address);

	if (!at)
		return 0;
	for (uint32_t s = 0; s < at->n_services; s++) {
		const struct model_service *service = &model->services[at->first_service + s];

		if (service->l4 == l4 && service->port == port)
			return service->vip + 1;
	}
	return at->all_ports[l4];
}

/* What model.h promises of every model. */
static void check_form(const struct model *model)
{
	size_t prefixes = 0, services = 0;

	for (size_t i = 0; i < model->n_addresses; i++) {
		const struct model_address *at = &model->addresses[i];

		if (i) {
			int order = memcmp(&at[-1].prefix.addr, &at->prefix.addr, sizeof(at->prefix.addr));

			assert_true(order < 0 || (!order && at[-1].prefix.len < at->prefix.len));
		}
		prefixes += at->prefix.len < 128;
		assert_int_equal(at->first_service, services);
		services += at->n_services;
		for (uint32_t s = 0; s < at->n_services; s++) {
			const struct model_service *service = &model->services[at->first_service + s];

			assert_int_equal(service->address, i);
			assert_int_not_equal(service->port, 0);
			if (s)
				assert_true(service[-1].l4 < service->l4 ||
					    (service[-1].l4 == service->l4 && service[-1].port < service->port));
		}
	}
	assert_int_equal(prefixes, model->n_prefixes);
	assert_int_equal(services, model->n_services);
}

static struct model *build(const struct config *config)
{
	struct model *model = NULL;

	assert_int_equal(model_build(config, &model), 0);
	check_form(model);
	return model;
}

#define VIPS_MAX 4
#define QUERIES_MAX 10

struct claim_case {
	const char *name;
	struct {
		const char *name, *addresses, *services;
	} vips[VIPS_MAX];
	struct {
		const char *address, *service;	/* "tcp/80" */
		const char *vip;		/* or "none" */
	} queries[QUERIES_MAX];
	size_t addresses, prefixes, services;	/* of the model */
};

static const struct claim_case cases[] = {
	{ "an exact port",
	  { { "web", "192.0.2.1", "tcp/80" } },
	  { { "192.0.2.1", "tcp/80", "web" }, { "192.0.2.1", "tcp/81", "none" }, { "192.0.2.1", "udp/80", "none" },
	    { "192.0.2.2", "tcp/80", "none" } },
	  1, 0, 1 },
	{ "all ports",
	  { { "all", "192.0.2.1", "tcp/0" } },
	  { { "192.0.2.1", "tcp/80", "all" }, { "192.0.2.1", "tcp/65535", "all" }, { "192.0.2.1", "udp/80", "none" } },
	  1, 0, 0 },
	{ "an exact port before all ports",
	  { { "all", "192.0.2.1", "tcp/0 udp/0" }, { "web", "192.0.2.1", "tcp/80" } },
	  { { "192.0.2.1", "tcp/80", "web" }, { "192.0.2.1", "tcp/81", "all" }, { "192.0.2.1", "udp/80", "all" } },
	  1, 0, 1 },
	{ "an exact port before all ports, whatever the order of the file",
	  { { "web", "192.0.2.1", "tcp/80" }, { "all", "192.0.2.1", "tcp/0 udp/0" } },
	  { { "192.0.2.1", "tcp/80", "web" }, { "192.0.2.1", "tcp/81", "all" } },
	  1, 0, 1 },
	{ "all ports of an address before an exact port of its prefix",
	  { { "all", "192.0.2.1", "tcp/0" }, { "net", "192.0.2.0/24", "tcp/80" } },
	  { { "192.0.2.1", "tcp/80", "all" }, { "192.0.2.2", "tcp/80", "net" }, { "192.0.2.2", "tcp/81", "none" } },
	  2, 1, 1 },
	{ "an address without all ports inherits what it leaves open",
	  { { "web", "192.0.2.1", "tcp/80" }, { "net", "192.0.2.0/24", "tcp/80 tcp/443 udp/0" } },
	  { { "192.0.2.1", "tcp/80", "web" }, { "192.0.2.1", "tcp/443", "net" }, { "192.0.2.1", "udp/53", "net" },
	    { "192.0.2.1", "tcp/81", "none" }, { "192.0.2.9", "tcp/80", "net" } },
	  2, 1, 4 },
	{ "all ports stop inheritance for their protocol alone",
	  { { "all", "192.0.2.1", "udp/0" }, { "net", "192.0.2.0/24", "tcp/80 udp/53" } },
	  { { "192.0.2.1", "udp/53", "all" }, { "192.0.2.1", "tcp/80", "net" }, { "192.0.2.2", "udp/53", "net" } },
	  2, 1, 3 },
	{ "all ports are inherited behind an own exact port",
	  { { "web", "192.0.2.1", "tcp/80" }, { "net", "192.0.2.0/24", "tcp/0" } },
	  { { "192.0.2.1", "tcp/80", "web" }, { "192.0.2.1", "tcp/81", "net" }, { "192.0.2.1", "udp/80", "none" } },
	  2, 1, 1 },
	{ "nested prefixes, each inheriting from the one around it",
	  { { "wide", "192.0.0.0/16", "tcp/80 tcp/443" }, { "mid", "192.0.2.0/24", "tcp/443 tcp/22" },
	    { "inner", "192.0.2.128/25", "tcp/22" } },
	  { { "192.0.2.129", "tcp/22", "inner" }, { "192.0.2.129", "tcp/443", "mid" },
	    { "192.0.2.129", "tcp/80", "wide" },
	    { "192.0.2.1", "tcp/22", "mid" }, { "192.0.2.1", "tcp/80", "wide" }, { "192.0.3.1", "tcp/443", "wide" },
	    { "192.0.3.1", "tcp/22", "none" }, { "192.1.0.0", "tcp/80", "none" } },
	  3, 3, 8 },
	{ "nested prefixes where the middle one stops inheritance",
	  { { "wide", "192.0.0.0/16", "tcp/80 udp/53" }, { "mid", "192.0.2.0/24", "tcp/0" },
	    { "inner", "192.0.2.128/25", "tcp/22" } },
	  { { "192.0.2.129", "tcp/80", "mid" }, { "192.0.2.129", "tcp/22", "inner" },
	    { "192.0.2.129", "udp/53", "wide" },
	    { "192.0.3.1", "tcp/80", "wide" } },
	  3, 3, 5 },
	{ "siblings inherit from their parent, not from each other",
	  { { "net", "192.0.2.0/24", "tcp/1" }, { "left", "192.0.2.0/25", "tcp/2" },
	    { "right", "192.0.2.128/25", "tcp/3" } },
	  { { "192.0.2.1", "tcp/2", "left" }, { "192.0.2.1", "tcp/3", "none" }, { "192.0.2.129", "tcp/3", "right" },
	    { "192.0.2.129", "tcp/2", "none" }, { "192.0.2.1", "tcp/1", "net" }, { "192.0.2.129", "tcp/1", "net" } },
	  3, 3, 5 },
	{ "an uncle after deep nephews",
	  { { "net", "192.0.2.0/24", "tcp/1" }, { "deep", "192.0.2.0/26 192.0.2.0/28 192.0.2.3", "tcp/2" },
	    { "uncle", "192.0.2.64/26", "tcp/3" } },
	  { { "192.0.2.3", "tcp/1", "net" }, { "192.0.2.3", "tcp/2", "deep" }, { "192.0.2.65", "tcp/3", "uncle" },
	    { "192.0.2.65", "tcp/1", "net" }, { "192.0.2.65", "tcp/2", "none" }, { "192.0.2.200", "tcp/1", "net" } },
	  5, 4, 9 },
	{ "a prefix and the single address that it begins with",
	  { { "net", "192.0.2.0/24", "tcp/80 tcp/81" }, { "one", "192.0.2.0", "tcp/80" } },
	  { { "192.0.2.0", "tcp/80", "one" }, { "192.0.2.0", "tcp/81", "net" }, { "192.0.2.1", "tcp/80", "net" } },
	  2, 1, 4 },
	{ "a full length is a single address",
	  { { "a", "192.0.2.1/32", "tcp/80" }, { "b", "192.0.2.1", "tcp/81" }, { "c", "2001:db8::1/128", "tcp/80" } },
	  { { "192.0.2.1", "tcp/80", "a" }, { "192.0.2.1", "tcp/81", "b" }, { "2001:db8::1", "tcp/80", "c" } },
	  2, 0, 3 },
	{ "IPv6: nested, with lengths that are no whole bytes",
	  { { "wide", "2001:db8::/30", "udp/53" }, { "mid", "2001:db8::/33", "udp/54" },
	    { "one", "2001:db8::1", "udp/55" } },
	  { { "2001:db8::1", "udp/53", "wide" }, { "2001:db8::1", "udp/54", "mid" }, { "2001:db8::1", "udp/55", "one" },
	    { "2001:db8:8000::", "udp/54", "none" }, { "2001:db8:8000::", "udp/53", "wide" },
	    { "2001:dbb::", "udp/53", "wide" },
	    { "2001:dbc::", "udp/53", "none" } },
	  3, 2, 6 },
	{ "IPv6 all ports at every length",
	  { { "wide", "2001:db8::/32", "tcp/0" }, { "mid", "2001:db8:1::/48", "tcp/0" },
	    { "one", "2001:db8:1::1", "tcp/0" } },
	  { { "2001:db8::1", "tcp/1", "wide" }, { "2001:db8:1::2", "tcp/1", "mid" },
	    { "2001:db8:1::1", "tcp/1", "one" } },
	  3, 2, 0 },
	{ "the families do not meet",
	  { { "four", "0.0.0.0/0", "tcp/80" }, { "six", "2000::/3", "tcp/80" } },
	  { { "198.51.100.7", "tcp/80", "four" }, { "2001:db8::1", "tcp/80", "six" }, { "fe80::1", "tcp/80", "none" } },
	  2, 2, 2 },
	{ "one address of several VIPs, one VIP of several addresses",
	  { { "web", "192.0.2.1 192.0.2.2 2001:db8::1", "tcp/80 tcp/443" }, { "dns", "192.0.2.1", "udp/53 tcp/53" } },
	  { { "192.0.2.1", "tcp/53", "dns" }, { "192.0.2.2", "tcp/443", "web" }, { "192.0.2.2", "udp/53", "none" },
	    { "2001:db8::1", "tcp/80", "web" } },
	  3, 0, 8 },
	{ "a hole: the inner prefix's VIP is the outer one's too",
	  { { "net", "192.0.2.0/24 192.0.2.128/25", "tcp/80" }, { "other", "192.0.2.128/25", "tcp/81" } },
	  { { "192.0.2.129", "tcp/80", "net" }, { "192.0.2.129", "tcp/81", "other" },
	    { "192.0.2.1", "tcp/81", "none" } },
	  2, 2, 3 },
	{ "no VIPs", {}, { { "192.0.2.1", "tcp/80", "none" } }, 0, 0, 0 },
};

/* VIPs w, x, y and z: which have echo off and which are by addresses, as letters; what one address then is. */
struct sum_case {
	const char *name;
	const char *vips[VIPS_MAX][2];		/* addresses, services */
	const char *echo_off, *by_addresses;
	const char *prefix;
	bool echo;
	const char *early[TR_L4_COUNT];		/* a letter, or "" */
	const char *clash;			/* two letters, tcp or udp and the prefix; NULL: none */
};

static const struct sum_case sums[] = {
	{ "nothing special", { { "192.0.2.1", "tcp/80" } }, "", "", "192.0.2.1", true, { "", "" }, NULL },
	{ "no echo", { { "192.0.2.1", "tcp/80" } }, "w", "", "192.0.2.1", false, { "", "" }, NULL },
	{ "one of an address's VIPs with echo is enough", { { "192.0.2.1", "tcp/80" }, { "192.0.2.1", "udp/53" } },
	  "w", "", "192.0.2.1", true, { "", "" }, NULL },
	{ "echo of all ports", { { "192.0.2.1", "tcp/80" }, { "192.0.2.1", "udp/0" } }, "w", "", "192.0.2.1", true, { "", "" },
	  NULL },
	{ "echo inherited with an exact port", { { "192.0.2.1", "tcp/0" }, { "192.0.2.0/24", "udp/53" } }, "w", "",
	  "192.0.2.1", true, { "", "" }, NULL },
	{ "echo inherited with all ports", { { "192.0.2.1", "tcp/80" }, { "192.0.2.0/24", "tcp/0" } }, "w", "", "192.0.2.1",
	  true, { "", "" }, NULL },
	{ "echo of a prefix that leaves the address nothing", { { "192.0.2.1", "tcp/0 udp/53" }, { "192.0.2.0/24", "tcp/80 udp/53" } },
	  "w", "", "192.0.2.1", false, { "", "" }, NULL },
	{ "echo of an address says nothing of its prefix", { { "192.0.2.1", "tcp/80" }, { "192.0.2.0/24", "tcp/80" } },
	  "x", "", "192.0.2.0/24", false, { "", "" }, NULL },
	{ "early by protocol", { { "192.0.2.1", "tcp/80 tcp/443" } }, "", "w", "192.0.2.1", true, { "w", "" }, NULL },
	{ "early of both", { { "192.0.2.1", "tcp/0 udp/443" } }, "", "w", "192.0.2.1", true, { "w", "w" }, NULL },
	{ "early beside others", { { "192.0.2.1", "tcp/80" }, { "192.0.2.1", "tcp/0 udp/0" }, { "192.0.2.1", "udp/53" } },
	  "", "w", "192.0.2.1", true, { "w", "" }, NULL },
	{ "early inherited with an exact port", { { "2001:db8::1", "udp/9" }, { "2001:db8::/48", "tcp/1" },
						  { "2001:db8::/32", "udp/53" } }, "", "y", "2001:db8::1", true, { "", "y" }, NULL },
	{ "early inherited with all ports", { { "192.0.2.1", "tcp/80" }, { "192.0.2.0/24", "tcp/0" } }, "", "x", "192.0.2.1",
	  true, { "x", "" }, NULL },
	{ "early of a prefix whose port the address has", { { "192.0.2.1", "tcp/80" }, { "192.0.2.0/24", "tcp/80" } }, "", "x",
	  "192.0.2.1", true, { "", "" }, NULL },
	{ "early of a prefix, and the address has all ports", { { "192.0.2.1", "tcp/0" }, { "192.0.2.0/24", "tcp/80" } }, "",
	  "wx", "192.0.2.1", true, { "w", "" }, NULL },
	{ "early of the same VIP inside and around", { { "192.0.2.1 192.0.2.0/24", "tcp/80" }, { "192.0.2.1", "tcp/81" } }, "",
	  "w", "192.0.2.1", true, { "w", "" }, NULL },
	{ "two of an address", { { "192.0.2.1", "tcp/80" }, { "192.0.2.1", "tcp/0" } }, "", "wx", NULL, false, {},
	  "wx tcp 192.0.2.1" },
	{ "two exact ones of an address", { { "192.0.2.1", "udp/80" }, { "192.0.2.2", "udp/80" }, { "192.0.2.1", "udp/81" } },
	  "", "wxy", NULL, false, {}, "wy udp 192.0.2.1" },
	{ "one of an address, one inherited", { { "192.0.2.0/24", "udp/53" }, { "192.0.2.1", "udp/54" } }, "", "wx", NULL,
	  false, {}, "wx udp 192.0.2.1" },
	{ "both inherited", { { "192.0.0.0/16", "udp/53" }, { "192.0.2.0/24", "tcp/54" }, { "192.0.2.0/25", "udp/54" },
			      { "192.0.2.1", "tcp/9" } }, "", "wy", NULL, false, {}, "wy udp 192.0.2.0/25" },
};

static size_t letter(const char *letters)
{
	return *letters - 'w';
}

static void assert_clash(const struct sum_case *c, const struct config *config, const struct model *model)
{
	char text[ADDR_TEXT_MAX], all[ADDR_TEXT_MAX + 16];
	struct model_clash clash;
	bool found = model_find_clash(config, model, &clash);

	assert_int_equal(found, c->clash != NULL);
	if (!found)
		return;
	snprintf(all, sizeof(all), "%c%c %s %s", 'w' + clash.vips[0], 'w' + clash.vips[1], clash.l4 == TR_TCP ? "tcp" : "udp",
		 addr_format_prefix(&clash.prefix, text));
	assert_string_equal(all, c->clash);
}

static void run_sum(void **state)
{
	const struct sum_case *c = *state;
	struct config *config = make_config();
	struct model *model;

	make_pool(config, "pool", 251, "10.0.0.1");
	for (size_t v = 0; v < VIPS_MAX && c->vips[v][0]; v++)
		make_vip(config, "vip", "pool", c->vips[v][0], c->vips[v][1]);
	for (const char *at = c->echo_off; *at; at++)
		config->vips[letter(at)].echo = false;
	for (const char *at = c->by_addresses; *at; at++)
		config->vips[letter(at)].by_addresses = true;
	model = build(config);
	for (size_t i = 0; i < model->n_addresses && c->prefix; i++) {
		const struct model_address *at = &model->addresses[i];
		char text[ADDR_TEXT_MAX];

		if (strcmp(addr_format_prefix(&at->prefix, text), c->prefix))
			continue;
		assert_int_equal(at->echo, c->echo);
		for (enum tr_l4 l4 = 0; l4 < TR_L4_COUNT; l4++)
			assert_int_equal(at->early[l4], *c->early[l4] ? letter(c->early[l4]) + 1 : 0);
	}
	assert_clash(c, config, model);
	model_free(model);
	config_free(config);
}

static void run_case(void **state)
{
	const struct claim_case *c = *state;
	struct config *config = make_config();
	struct model *model;

	make_pool(config, "pool", 251, "10.0.0.1");
	for (size_t v = 0; v < VIPS_MAX && c->vips[v].name; v++)
		make_vip(config, c->vips[v].name, "pool", c->vips[v].addresses, c->vips[v].services);
	model = build(config);
	for (size_t q = 0; q < QUERIES_MAX && c->queries[q].address; q++) {
		struct tr_addr address = make_addr(c->queries[q].address);
		enum tr_l4 l4 = strncmp(c->queries[q].service, "tcp", 3) ? TR_UDP : TR_TCP;
		uint16_t port = strtoul(c->queries[q].service + 4, NULL, 10);
		uint32_t vip = find_vip(model, &address, l4, port);
		const char *name = vip ? config->vips[vip - 1].name : "none";

		if (strcmp(name, c->queries[q].vip))
			fail_msg("%s %s: %s, not %s", c->queries[q].address, c->queries[q].service, name,
				 c->queries[q].vip);
	}
	assert_int_equal(model->n_addresses, c->addresses);
	assert_int_equal(model->n_prefixes, c->prefixes);
	assert_int_equal(model->n_services, c->services);
	model_free(model);
	config_free(config);
}

static void test_sorted(void **state)
{
	static const char *const expected[] = { "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0", "10.0.0.1", "192.0.2.0/24",
						"2001:db8::/32", "2001:db8::/48", "2001:db8::" };
	struct config *config = make_config();
	struct model *model;
	char text[ADDR_TEXT_MAX];

	make_pool(config, "pool", 251, "10.9.0.1");
	make_vip(config, "b", "pool", "2001:db8:: 192.0.2.0/24 10.0.0.1 10.0.0.0/24 2001:db8::/48", "udp/9 tcp/9");
	make_vip(config, "a", "pool", "10.0.0.0 2001:db8::/32 10.0.0.0/8", "udp/7 tcp/8 udp/0 udp/3");
	model = build(config);
	assert_int_equal(model->n_addresses, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(addr_format_prefix(&model->addresses[i].prefix, text), expected[i]);
	model_free(model);
	config_free(config);
}

static void test_many_services(void **state)
{
	struct config *config = make_config();
	_cleanup_free_ char *services = NULL;
	struct model *model;
	size_t len;
	FILE *to = open_memstream(&services, &len);

	for (int port = 300; port > 0; port--)
		fprintf(to, "tcp/%d udp/%d ", port, port);
	fclose(to);
	make_pool(config, "pool", 251, "10.0.0.1");
	make_vip(config, "net", "pool", "192.0.2.0/24", services);
	make_vip(config, "one", "pool", "192.0.2.1", "tcp/100");
	model = build(config);
	assert_int_equal(model->n_services, 1200);
	for (uint16_t port = 1; port <= 300; port++) {
		struct tr_addr one = make_addr("192.0.2.1");

		assert_int_equal(find_vip(model, &one, TR_TCP, port), port == 100 ? 2 : 1);
		assert_int_equal(find_vip(model, &one, TR_UDP, port), 1);
	}
	model_free(model);
	config_free(config);
}

/* Few distinct bits, so that prefixes nest, meet and repeat. */
static struct tr_prefix random_prefix(uint32_t *seed)
{
	static const uint8_t lengths4[] = { 96, 104, 112, 119, 120, 121, 126, 127, 128, 128, 128 };
	static const uint8_t lengths6[] = { 16, 31, 32, 33, 64, 127, 128, 128 };
	struct tr_prefix prefix = { .addr = make_addr(random_below(seed, 2) ? "10.0.0.0" : "2001:db8::") };
	uint8_t *bytes = (uint8_t *)&prefix.addr;

	prefix.len = addr_is_v4(&prefix.addr) ? lengths4[random_below(seed, sizeof(lengths4))] :
						lengths6[random_below(seed, sizeof(lengths6))];
	bytes[15] = random_below(seed, 4) | random_below(seed, 2) << 7;
	bytes[addr_is_v4(&prefix.addr) ? 14 : 4] |= random_below(seed, 2) << 7;
	for (uint32_t bit = prefix.len; bit < 128; bit++)
		bytes[bit / 8] &= ~(0x80 >> bit % 8);
	return prefix;
}

/* No two VIPs may have the same service of the same prefix: the checked configuration promises that. */
static bool is_free(const struct config *config, size_t vip, const struct tr_prefix *prefix)
{
	for (size_t v = 0; v <= vip; v++)
		for (size_t a = 0; a < config->vips[v].n_addresses; a++) {
			if (memcmp(&config->vips[v].addresses[a], prefix, sizeof(*prefix)))
				continue;
			for (size_t s = 0; s < config->vips[v].n_services; s++)
				for (size_t t = 0; t < config->vips[vip].n_services; t++)
					if (config->vips[v].services[s].l4 == config->vips[vip].services[t].l4 &&
					    config->vips[v].services[s].port == config->vips[vip].services[t].port)
						return false;
		}
	return true;
}

static struct config *random_config(uint32_t *seed)
{
	static const uint16_t ports[] = { 0, 80, 443, 8080 };
	struct config *config = make_config();
	size_t vips = random_below(seed, 8);

	make_pool(config, "pool", 251, "10.9.0.1");
	for (size_t v = 0; v < vips; v++) {
		struct config_vip *vip;
		char services[64] = "";
		size_t len = 0;

		for (int l4 = 0; l4 < TR_L4_COUNT; l4++)
			for (size_t p = 0; p < ARRAY_SIZE(ports); p++)
				if (!random_below(seed, 3))
					len += sprintf(services + len, "%s/%d ", l4 == TR_TCP ? "tcp" : "udp",
						       ports[p]);
		make_vip(config, "vip", "pool", "", services);
		vip = &config->vips[v];
		vip->echo = random_below(seed, 2);
		vip->by_addresses = !random_below(seed, 3);
		vip->addresses = calloc(4, sizeof(*vip->addresses));
		for (int i = 0; i < 4; i++) {
			struct tr_prefix prefix = random_prefix(seed);

			if (is_free(config, v, &prefix))
				vip->addresses[vip->n_addresses++] = prefix;
		}
	}
	return config;
}

static const uint16_t random_ports[] = { 80, 443, 8080, 9 };

/* Of each address entry: any VIP's echo, the one by addresses, and whether there are two. */
static void check_sums(const struct config *config, const struct model *model, unsigned long seed)
{
	struct model_clash clash;
	bool two = false;

	for (size_t i = 0; i < model->n_addresses; i++) {
		const struct model_address *at = &model->addresses[i];
		uint32_t early[TR_L4_COUNT] = {};
		bool echo = false, here = false;

		for (size_t q = 0; q < TR_L4_COUNT * ARRAY_SIZE(random_ports); q++) {
			enum tr_l4 l4 = q % TR_L4_COUNT;
			uint32_t vip = naive_find_vip_at(config, &at->prefix, l4, random_ports[q / TR_L4_COUNT]);

			if (!vip)
				continue;
			echo |= config->vips[vip - 1].echo;
			if (!config->vips[vip - 1].by_addresses)
				continue;
			here |= early[l4] && early[l4] != vip;
			early[l4] = vip;
		}
		if (at->echo != echo || (!here && memcmp(at->early, early, sizeof(early))))
			fail_msg("SEED=%lu ROUNDS=1: address %zu: echo %d, early %u and %u, not %d, %u and %u", seed, i, at->echo,
				 at->early[TR_TCP], at->early[TR_UDP], echo, early[TR_TCP], early[TR_UDP]);
		two |= here;
	}
	if (model_find_clash(config, model, &clash) != two)
		fail_msg("SEED=%lu ROUNDS=1: two VIPs by addresses meet: %d", seed, two);
}

static void test_random(void **state)
{
	unsigned long first = number_from_env("SEED", 1), rounds = number_from_env("ROUNDS", 1000);

	print_message("# SEED=%lu ROUNDS=%lu\n", first, rounds);
	for (unsigned long s = first; s < first + rounds; s++) {
		uint32_t seed = s;
		struct config *config = random_config(&seed);
		struct model *model = build(config);

		check_sums(config, model, s);
		for (int q = 0; q < 100; q++) {
			struct tr_addr address = random_prefix(&seed).addr;
			uint16_t port = random_ports[random_below(&seed, ARRAY_SIZE(random_ports))];
			enum tr_l4 l4 = random_below(&seed, 2) ? TR_TCP : TR_UDP;
			uint32_t got = find_vip(model, &address, l4, port);
			uint32_t expected = naive_find_vip(config, &address, l4, port);
			char text[ADDR_TEXT_MAX];

			if (got != expected)
				fail_msg("SEED=%lu ROUNDS=1: %s %s/%u: VIP %u, not %u", s, addr_format(&address, text),
					 l4 == TR_TCP ? "tcp" : "udp", port, got, expected);
		}
		model_free(model);
		config_free(config);
	}
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(cases) + ARRAY_SIZE(sums) + 3];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = cases[i].name, .test_func = run_case,
						  .initial_state = (void *)&cases[i] };
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
		tests[n++] = (struct CMUnitTest){ .name = sums[i].name, .test_func = run_sum,
						  .initial_state = (void *)&sums[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_sorted);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_many_services);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_random);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("model", tests, n, NULL, NULL);
}
