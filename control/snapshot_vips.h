/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps hold addresses and services flattened; this gives each VIP its own again. An address that has come to a VIP by
 * flattening alone, out of a prefix of the same VIP around it, is not repeated. Pure; internal to snapshot*.c.
 */
#ifndef TAILRACE_SNAPSHOT_VIPS_H
#define TAILRACE_SNAPSHOT_VIPS_H

#include "snapshot.h"

struct snapshot_address {
	struct tr_prefix prefix;
	struct tr_vip_address value;
};

/* Sorts addresses. Fills the snapshot's VIPs, whose lists are empty. 0 or -ENOMEM. */
int snapshot_give_services(struct snapshot *snapshot, struct snapshot_address *addresses, size_t n_addresses,
			   const struct tr_service_key *keys, const uint32_t *vips, size_t n_services);

#endif
