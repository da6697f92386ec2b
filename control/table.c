// SPDX-License-Identifier: GPL-2.0-only
/* Aligned columns; see table.h. */
#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define GAP 2

struct table {
	char **cells;			/* the titles are the first row */
	size_t n, room;
	size_t columns;
	bool failed;
};

static void append(struct table *table, char *text)
{
	char **more;

	if (table->n == table->room) {
		size_t room = table->room ? table->room * 2 : 64;

		more = reallocarray(table->cells, room, sizeof(*more));
		if (!more) {
			free(text);
			table->failed = true;
			return;
		}
		table->cells = more;
		table->room = room;
	}
	table->cells[table->n++] = text;
}

void table_cell(struct table *table, const char *fmt, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		table->failed = true;
	else
		append(table, text);
}

struct table *table_new(const char *const *titles)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	for (; titles[table->columns]; table->columns++)
		table_cell(table, "%s", titles[table->columns]);
	if (table->failed) {
		table_free(table);
		return NULL;
	}
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

/* Characters, not bytes: names may be UTF-8. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static bool to_the_right(const struct table *table, size_t column)
{
	return table->cells[column][0] == '>';
}

static const char *cell_at(const struct table *table, size_t i)
{
	return i < table->columns && to_the_right(table, i) ? table->cells[i] + 1 : table->cells[i];
}

static void print_row(const struct table *table, size_t first, const int *widths, FILE *to)
{
	size_t last = table->columns;
	int gap = 0;

	while (last > 0 && !*cell_at(table, first + last - 1))
		last--;
	for (size_t c = 0; c < last; c++) {
		const char *text = cell_at(table, first + c);
		int pad = widths[c] - width_of(text);
		bool right = to_the_right(table, c);

		fprintf(to, "%*s%s", gap + (right ? pad : 0), "", text);
		gap = GAP + (right ? 0 : pad);
	}
	fputc('\n', to);
}

int table_print(const struct table *table, FILE *to)
{
	_cleanup_free_ int *widths = calloc(table->columns + 1, sizeof(*widths));

	if (!widths || table->failed)
		return -ENOMEM;
	if (!table->columns || table->n % table->columns)
		return -EINVAL;
	for (size_t i = 0; i < table->n; i++) {
		int width = width_of(cell_at(table, i));

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t i = 0; i < table->n; i += table->columns)
		print_row(table, i, widths, to);
	return 0;
}
