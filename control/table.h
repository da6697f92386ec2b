/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables in aligned columns for a terminal. Knows nothing of what stands in them. */
#ifndef TAILRACE_TABLE_H
#define TAILRACE_TABLE_H

#include <stdio.h>

struct table;

/*
 * titles: NULL-terminated; a leading '>' (not printed) aligns the column to the right, as numbers want it. They are copied.
 * NULL when there is no memory.
 */
struct table *table_new(const char *const *titles);
void table_free(struct table *table);

/* The next cell, row by row. A failure for want of memory is kept and returned by table_print(). */
__attribute__((format(printf, 2, 3))) void table_cell(struct table *table, const char *fmt, ...);

/* Titles and rows. No line ends in blanks. 0, -ENOMEM, or -EINVAL when the last row is not complete. */
int table_print(const struct table *table, FILE *to);

#endif
