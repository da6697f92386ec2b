/* SPDX-License-Identifier: GPL-2.0-only */
/* The backends and pools behind the services of scenario.h, and what their outer headers say. */
#ifndef BENCH_SETUP_H
#define BENCH_SETUP_H

#define SETUP_POOLS 8			/* numbers 1 to 8: the first half has IPv4 backends, the second IPv6 */
#define SETUP_POOL_SETTLING 9		/* every bucket looks and records: current in pool 1's backends, base in pool 2's */
#define SETUP_POOL_FADING 10		/* every bucket looks: current and base are the same one of pool 1's backends */
#define SETUP_RINGS 10
#define SETUP_POOL_SIZE 8		/* backends of each pool, numbered through from 1 */
#define SETUP_BACKENDS (SETUP_POOLS * SETUP_POOL_SIZE)
#define SETUP_RING_SIZE 65537
#define SETUP_MTU 1500
#define SETUP_SOURCE4 "172.16.0.0"	/* low 16 bits: entropy */
#define SETUP_SOURCE6 "100::"		/* low 32 bits: entropy */
#define SETUP_BACKEND4 "198.51.100.0"	/* plus the backend's number */
#define SETUP_BACKEND6 "2001:db8:b::"	/* plus the backend's number */

#endif
