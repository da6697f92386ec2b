// SPDX-License-Identifier: GPL-2.0-only
/* Addresses and prefixes between text and struct tr_addr. Pure; see addr.h. */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96

bool addr_is_v4(const struct tr_addr *addr)
{
	return !addr->w[0] && !addr->w[1] && addr->w[2] == htonl(0xffff);
}

int addr_family(const struct tr_addr *addr)
{
	return addr_is_v4(addr) ? AF_INET : AF_INET6;
}

const void *addr_wire(const struct tr_addr *addr)
{
	return addr_is_v4(addr) ? &addr->w[3] : &addr->w[0];
}

size_t addr_wire_len(const struct tr_addr *addr)
{
	return addr_is_v4(addr) ? 4 : 16;
}

struct tr_addr addr_from_wire(int family, const void *wire)
{
	struct tr_addr addr = {};

	if (family == AF_INET) {
		addr.w[2] = htonl(0xffff);
		memcpy(&addr.w[3], wire, 4);
	} else {
		memcpy(&addr, wire, sizeof(addr));
	}
	return addr;
}

int addr_compare(const struct tr_addr *a, const struct tr_addr *b)
{
	return memcmp(a, b, sizeof(*a));
}

int addr_parse(const char *text, struct tr_addr *ret)
{
	struct tr_addr addr;
	unsigned char wire[16];

	if (inet_pton(AF_INET, text, wire) == 1) {
		*ret = addr_from_wire(AF_INET, wire);
		return 0;
	}
	if (inet_pton(AF_INET6, text, wire) != 1)
		return -EINVAL;
	addr = addr_from_wire(AF_INET6, wire);
	if (addr_is_v4(&addr))
		return -EINVAL;
	*ret = addr;
	return 0;
}

static bool bits_behind(const struct tr_prefix *p)
{
	const unsigned char *bytes = (const unsigned char *)&p->addr;

	for (unsigned int bit = p->len; bit < 128; bit++)
		if (bytes[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

static int parse_length(const char *text, unsigned int max, unsigned int *ret)
{
	char *end;
	unsigned long len;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	len = strtoul(text, &end, 10);
	if (*end || len > max)
		return -EINVAL;
	*ret = len;
	return 0;
}

int addr_parse_prefix(const char *text, struct tr_prefix *ret)
{
	struct tr_prefix prefix = { .len = 128 };
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN];
	unsigned int base, len;
	int err;

	if (snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text) >=
	    (int)sizeof(host))
		return -EINVAL;
	err = addr_parse(host, &prefix.addr);
	if (err)
		return err;
	if (slash) {
		base = addr_is_v4(&prefix.addr) ? MAPPED_BITS : 0;
		err = parse_length(slash + 1, 128 - base, &len);
		if (err)
			return err;
		prefix.len = base + len;
	}
	if (bits_behind(&prefix))
		return -ERANGE;
	*ret = prefix;
	return 0;
}

bool addr_in_prefix(const struct tr_addr *addr, const struct tr_prefix *prefix)
{
	const unsigned char *a = (const unsigned char *)addr, *b = (const unsigned char *)&prefix->addr;
	unsigned int bytes = prefix->len / 8, bits = prefix->len % 8;

	return !memcmp(a, b, bytes) && (!bits || !((a[bytes] ^ b[bytes]) >> (8 - bits)));
}

const char *addr_format(const struct tr_addr *addr, char *buf)
{
	inet_ntop(addr_family(addr), addr_wire(addr), buf, ADDR_TEXT_MAX);
	return buf;
}

const char *addr_format_prefix(const struct tr_prefix *prefix, char *buf)
{
	unsigned int base = addr_is_v4(&prefix->addr) ? MAPPED_BITS : 0;
	size_t len;

	addr_format(&prefix->addr, buf);
	if (prefix->len == 128)
		return buf;
	len = strlen(buf);
	snprintf(buf + len, ADDR_TEXT_MAX - len, "/%u", prefix->len - base);
	return buf;
}
