/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A backend's decapsulator: loading its programs, telling them their lists, attaching them. All that it is stands in
 * a directory of pins: the programs `xdp` and `tc`, the maps by their names, `owner`, and `link` when XDP is attached.
 * Errors are logged here, in full.
 */
#ifndef TAILRACE_DECAP_H
#define TAILRACE_DECAP_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decap_verdicts.h"
#include "tailrace.h"

enum decap_mode { DECAP_NATIVE, DECAP_GENERIC, DECAP_TC, DECAP_DETACHED };

enum decap_map { DECAP_ADDRESSES, DECAP_VIPS, DECAP_SOURCES, DECAP_LISTS };

struct decap_list {
	struct tr_prefix *entries;	/* owned; addresses with length 128 */
	size_t n;
};

/* A decapsulator of one device. */
struct decap {
	char device[IF_NAMESIZE];
	char dir[PATH_MAX];		/* of the pins */
	int ifindex;			/* 0: there is no such device */
	int xdp_fd, tc_fd;		/* the pinned programs; -1 until decap_load() or decap_find() */
	uint32_t replaced_xdp_id;	/* the program that decap_load() has replaced; 0: none */
};

struct decap_attachment {
	enum decap_mode mode;		/* DECAP_DETACHED: not attached */
	uint32_t program_id;
	uint32_t link_id;		/* 0: attached through netlink, by us (tc) or by the operator (XDP) */
};

const char *decap_mode_name(enum decap_mode mode);
const char *decap_map_name(enum decap_map map);

/* dir NULL: the device's own below TR_PIN_ROOT. Touches nothing. -EINVAL: a name too long. */
int decap_init(struct decap *decap, const char *device, const char *dir);
void decap_close(struct decap *decap);
void decap_list_free(struct decap_list *list);
int decap_list_add(struct decap_list *list, const struct tr_prefix *entry);	/* 0 or -ENOMEM */

/*
 * Loads and pins what is not there yet or is of another build, then replaces the maps' contents: the new is added
 * before the old is deleted, so that what both lists hold is never missed. Needs decap->dir (bpffs_prepare()).
 */
int decap_load(struct decap *decap, const struct decap_list lists[DECAP_LISTS]);

/* Opens the pinned programs, as far as they are there. -ENOENT, not logged: nothing of ours is pinned there. */
int decap_find(struct decap *decap);

/* Entries in order. 0 or -errno. */
int decap_read_list(const struct decap *decap, enum decap_map map, struct decap_list *ret);
int decap_read_verdicts(const struct decap *decap, uint64_t ret[TR_D_COUNT]);

/* decap_attach.c. What is attached to the device now; *ret_tc, *ret_xdp: ours alone. 0 or -errno. */
int decap_attached(const struct decap *decap, struct decap_attachment *ret_xdp, struct decap_attachment *ret_tc);

/*
 * After decap_load(). An attachment of the same mode stays, with the new program if there is one; one of another
 * mode is replaced. -EBUSY: another program has the place. Native and generic cannot both be: between these two
 * there is a gap.
 */
int decap_attach(struct decap *decap, enum decap_mode mode);

/* Takes our programs off the device and removes our pins; filters of the operator's own making stay. */
int decap_detach(struct decap *decap);

#endif
