/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading the maps that are pinned in an instance's directory, which another process may be writing. Writes nothing. */
#ifndef TAILRACE_PINNED_H
#define TAILRACE_PINNED_H

#include <stddef.h>
#include <stdint.h>

/* All functions: -ENOENT no such pin, -EPROTO a map of another kind or size of values than ours, -EPERM, -ENOMEM. */

int pinned_open(const char *dir, const char *name);	/* an fd of a map or program */

/* An mmap'ed array: live, and read-only. */
struct pinned_array {
	const void *data;		/* element i at data + i * value_size: our values are multiples of 8 bytes */
	size_t size;			/* bytes mapped */
	uint32_t max_entries;
};

int pinned_map_array(const char *dir, const char *name, size_t value_size, struct pinned_array *ret);
void pinned_unmap(struct pinned_array *array);	/* for the cleanup attribute; nothing when it was never mapped */

/* How many values an array has room for, without looking at them. */
int pinned_max_entries(const char *dir, const char *name, size_t value_size, uint32_t *ret);

/* The entries of a hash or LPM trie at about one moment; both blocks are freed by the caller. */
struct pinned_entries {
	void *keys;
	void *values;
	uint32_t n;
	uint32_t max_entries;
};

int pinned_read_entries(const char *dir, const char *name, size_t key_size, size_t value_size,
			struct pinned_entries *ret);
void pinned_free_entries(struct pinned_entries *entries);	/* for the cleanup attribute */

/* A per-CPU array of structs of u64 counters. */
struct pinned_counters {
	int fd;				/* -1: none */
	int cpus;
	size_t words;			/* counters in a value */
	uint64_t *values;		/* room for one element of every CPU */
	uint32_t max_entries;
};

int pinned_open_counters(const char *dir, const char *name, size_t value_size, struct pinned_counters *ret);
/* Element i summed over all CPUs, into value_size bytes. */
int pinned_sum(const struct pinned_counters *counters, uint32_t i, void *ret);
void pinned_close_counters(struct pinned_counters *counters);	/* for the cleanup attribute */

/* The id of a pinned program. */
int pinned_program_id(const char *dir, const char *name, uint32_t *ret);

#define _cleanup_array_ __attribute__((cleanup(pinned_unmap)))
#define _cleanup_entries_ __attribute__((cleanup(pinned_free_entries)))
#define _cleanup_counters_ __attribute__((cleanup(pinned_close_counters)))	/* its fd starts at -1 */

#endif
