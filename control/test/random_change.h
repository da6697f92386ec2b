/* SPDX-License-Identifier: GPL-2.0-only */
/* Random configurations that follow one another in small changes, and next hops that come and go; from a seed alone. */
#ifndef TAILRACE_TEST_RANDOM_CHANGE_H
#define TAILRACE_TEST_RANDOM_CHANGE_H

#include "plan_world.h"

#define CHANGE_POOLS 4
#define CHANGE_BACKENDS 10
#define CHANGE_VIPS 5
#define CHANGE_TREATMENTS 8

/* What a configuration is made from. Bits are indexes into the lists of random_change.c. */
struct change_state {
	uint32_t seed;
	struct {
		bool there;
		uint8_t size, times;
		uint32_t members, down, drain;	/* bits */
		uint32_t weights[CHANGE_BACKENDS];
	} pools[CHANGE_POOLS];
	struct {
		bool there;
		uint8_t pool, mode;
		uint8_t treatment;	/* bits: echo, oversize, mss */
		uint32_t addresses, services;	/* bits */
	} vips[CHANGE_VIPS];
	uint8_t ttl, hash_key, rate;
	uint8_t by_addresses;		/* the VIP that is; CHANGE_VIPS: none */
	bool other_source;
};

extern const uint16_t change_ports[];
extern const size_t change_n_ports;

/* All that VIPs may have, and neighbours of it. Returns how many. */
size_t change_addresses(struct tr_addr *ret, size_t max);

uint32_t random_below(uint32_t *seed, uint32_t n);
unsigned long number_from_env(const char *name, unsigned long otherwise);
void random_start(struct change_state *state, uint32_t seed);
/* One to three things change, seldom everything; next hops too. */
void random_change(struct change_state *state, struct plan_world *world);
/* How long the next one is in coming, in ticks: often not long enough for anything to settle. */
uint32_t random_time(struct change_state *state);
struct config *change_config(const struct change_state *state);

#endif
