/* SPDX-License-Identifier: GPL-2.0-only */
/* Cleanup attributes and the few macros that C leaves out. */
#ifndef TAILRACE_UTIL_H
#define TAILRACE_UTIL_H

#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_ __attribute__((cleanup(cleanup_freep)))
#define _cleanup_close_ __attribute__((cleanup(cleanup_closep)))	/* start at -1 */

#define TAKE_PTR(p)                             \
	({                                      \
		__typeof__(p) take_ptr_ = (p);  \
		(p) = NULL;                     \
		take_ptr_;                      \
	})

#define TAKE_FD(fd)                     \
	({                              \
		int take_fd_ = (fd);    \
		(fd) = -1;              \
		take_fd_;               \
	})

#endif
