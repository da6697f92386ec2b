// SPDX-License-Identifier: GPL-2.0-only
/* See mixes.h. */
#include "mixes.h"

#include "world.h"

#define FROM4 .src = ADDR4(203, 0, 113, 7), .dst = ADDR4(192, 0, 2, 10), .sport = 40000
#define FROM6 .src = ADDR6(0x20010db8, 0xffff, 0, 7), .dst = ADDR6(0x20010db8, 0, 0, 0x10), .sport = 40000

const struct mix mixes[MIXES] = {
	{ "IPv4 in IPv4", { FROM4, .dport = PORT_TO4 }, 20, 20 },
	{ "IPv6 in IPv4", { FROM6, .dport = PORT_TO4 }, 40, 20 },
	{ "IPv4 in IPv6", { FROM4, .dport = PORT_TO6 }, 20, 40 },
	{ "IPv6 in IPv6", { FROM6, .dport = PORT_TO6 }, 40, 40 },
};

struct packet_shape mix_shape(unsigned int mix, __u8 proto)
{
	struct packet_shape shape = mixes[mix].shape;

	shape.proto = proto;
	shape.payload = 4;
	shape.tos = MIX_TOS;
	return shape;
}
