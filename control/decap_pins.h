/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A decapsulator's directory of pins: whose it is, and removing what is in it, which is never more than our own. Errors
 * are logged here, in full.
 */
#ifndef TAILRACE_DECAP_PINS_H
#define TAILRACE_DECAP_PINS_H

#include <stdint.h>

#include "decap.h"

/* Which of our names are pinned in dir, as a bit mask; 0 where there is no such directory. */
uint32_t decap_pins_found(const char *dir);

/* Removes our names, those of the mask `keep` excepted, and dir if it is empty then. 0 or -errno, not logged. */
int decap_pins_remove(const char *dir, uint32_t keep);

/* Can dir be a decapsulator's? -EINVAL: it is an instance's, somebody else's, or one that all share. */
int decap_pins_check(const char *dir);

/* Makes dir if `make`, checks and locks it. -EBUSY: another command is at work there. */
int decap_pins_lock(const char *dir, bool make, int *ret_fd);

/*
 * Is the decapsulator there this device's? One without a record is anybody's. So is one whose link says that the device
 * is gone: a namespace that ended cannot tidy up. -EEXIST: it is another device's.
 */
int decap_owner_check(const struct decap *decap);
/* Records this device, in this network namespace, as the owner. */
int decap_owner_write(const struct decap *decap);

#endif
