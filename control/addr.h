/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses and prefixes between text and struct tr_addr (IPv4 as ::ffff:a.b.c.d). Pure. */
#ifndef TAILRACE_ADDR_H
#define TAILRACE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "tailrace.h"

#define ADDR_TEXT_MAX 52	/* "xxxx:...:255.255.255.255/128" and its NUL */

bool addr_is_v4(const struct tr_addr *addr);
int addr_family(const struct tr_addr *addr);	/* AF_INET or AF_INET6 */
/* The 4 or 16 bytes that go on the wire. */
const void *addr_wire(const struct tr_addr *addr);
size_t addr_wire_len(const struct tr_addr *addr);
struct tr_addr addr_from_wire(int family, const void *wire);
int addr_compare(const struct tr_addr *a, const struct tr_addr *b);	/* as memcmp */

/* 0 or -EINVAL, outputs untouched. A mapped IPv6 text (::ffff:1.2.3.4) is refused: it would be taken for IPv4. */
int addr_parse(const char *text, struct tr_addr *ret);
/*
 * "ADDRESS" or "ADDRESS/LENGTH" in the family's own length (192.0.2.0/24); *ret_len counts of 128. -EINVAL when it
 * is no prefix, -ERANGE when bits are set behind the length.
 */
int addr_parse_prefix(const char *text, struct tr_prefix *ret);

bool addr_in_prefix(const struct tr_addr *addr, const struct tr_prefix *prefix);

/* Into buf of at least ADDR_TEXT_MAX bytes; returns buf. A full-length prefix is printed without its length. */
const char *addr_format(const struct tr_addr *addr, char *buf);
const char *addr_format_prefix(const struct tr_prefix *prefix, char *buf);

#endif
