/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is measured: the packets of each scenario and what has to become of them, and the services that every
 * scenario meets, all in one configuration.
 */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front.h"
#include "tailrace.h"
#include "verdicts.h"

/* VIP numbers: exact services on an IPv4 and an IPv6 address each; IPv4 prefixes; all ports, both families. */
#define SETUP_EXACT_FIRST 1
#define SETUP_EXACT_LAST 56
#define SETUP_PREFIX_FIRST 57
#define SETUP_PREFIX_LAST 60
#define SETUP_ALL_PORTS_FIRST 61
#define SETUP_ALL_PORTS_LAST 64
/* As the first ones, on IPv4 and IPv6; but every bucket of theirs asks the flow table, or they have another mode. */
#define SETUP_VIP_SETTLING 65
#define SETUP_VIP_FADING 66
#define SETUP_VIP_TRACK 67
#define SETUP_VIP_CLIENT 68
#define SETUP_VIP_LAST 68
#define SETUP_VIP_ADDRESS4 "203.0.113.0"	/* plus the VIP's number */
#define SETUP_VIP_ADDRESS6 "2001:db8:1::"	/* plus the VIP's number */
#define SETUP_PREFIXES "100.64.0.0"

#define SCENARIO_FRAME_MAX 1536

struct scenario {
	const char *name;
	enum front_family family;
	uint8_t protocol;		/* IPPROTO_* */
	const char *daddr;
	uint16_t port;			/* destination, host order */
	uint64_t flows;			/* a power of two */
	enum tr_verdict verdict;	/* of other verdicts than forwarded follows what the packet looks like, too */
	uint32_t vip_first, vip_last;	/* one of these numbers counts the packet; 0: none */
	enum front_vary vary;
	bool syn;			/* TCP: the first segment rather than a later one */
	uint32_t before;		/* packets that go through first, so that the flow table is as `held` says */
	uint32_t held[TR_TIER_COUNT];	/* records in each tier then, and from then on */
	uint32_t backends;		/* the first number of the pool of backends that gets all of it; 0: any */
	bool inserts;			/* every packet makes a record */
	bool tracks;			/* some of them may: it is not known which flows are forgotten */
	double reach;			/* the ratio to reach; 0: none set */
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

/* NULL: there is none of this name. */
const struct scenario *scenario_find(const char *name, size_t len);

/* Sent to a backend, under whichever verdict; or answered. All others are passed. */
bool scenario_is_forwarded(const struct scenario *scenario);
bool scenario_is_answered(const struct scenario *scenario);
/* The stage that its packets go through, which an older build may lack; TR_STAGE_COUNT: those that all builds have. */
enum tr_stage scenario_stage(const struct scenario *scenario);

/* Offset of the IP header in the frame. */
size_t scenario_l3(const struct scenario *scenario);
/* The length of what tailrace and the floor put in front of the IP packet. */
size_t scenario_added(const struct scenario *scenario);
size_t scenario_floor_added(const struct scenario *scenario);

/* Bytes that tailrace cuts from the frame's end. */
size_t scenario_cut(const struct scenario *scenario);

/* Writes one frame of at most SCENARIO_FRAME_MAX bytes and what the front program needs to make all others of it. */
size_t scenario_frame(const struct scenario *scenario, uint64_t seed, uint8_t *frame, struct front *ret_front);
/* The frame that has to go through before the others, again before its record expires. 0: there is none. */
size_t scenario_first_fragment(const struct scenario *scenario, uint8_t *frame);

#endif
