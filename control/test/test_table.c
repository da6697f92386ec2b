// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of table.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "table.h"
#include "util.h"

static void check(struct table *table, const char *expected)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	assert_int_equal(table_print(table, to), 0);
	fclose(to);
	assert_string_equal(text, expected);
	table_free(table);
}

static void test_aligns(void **state)
{
	struct table *table = table_new((const char *const[]){ "VIP", ">PACKETS", "POOL", NULL });

	table_cell(table, "%s", "web");
	table_cell(table, "%d", 7);
	table_cell(table, "a");
	table_cell(table, "a-long-name");
	table_cell(table, "%llu", 12345678901ULL);
	table_cell(table, "bb");
	check(table, "VIP              PACKETS  POOL\n"
		     "web                    7  a\n"
		     "a-long-name  12345678901  bb\n");
}

static void test_titles_alone(void **state)
{
	check(table_new((const char *const[]){ "A", ">B", NULL }), "A  B\n");
}

static void test_no_trailing_blanks(void **state)
{
	struct table *table = table_new((const char *const[]){ "A", "B", ">C", NULL });

	for (int i = 0; i < 2; i++) {
		table_cell(table, "x");
		table_cell(table, "%s", i ? "long" : "");
		table_cell(table, "%s", "");
	}
	check(table, "A  B     C\nx\nx  long\n");
}

/* A '>' in a row is text. */
static void test_marks_only_titles(void **state)
{
	struct table *table = table_new((const char *const[]){ ">A", NULL });

	table_cell(table, ">1");
	check(table, " A\n>1\n");
}

static void test_counts_characters(void **state)
{
	struct table *table = table_new((const char *const[]){ "A", ">B", NULL });

	table_cell(table, "gr\xc3\xbc\xc3\x9f");
	table_cell(table, "1");
	table_cell(table, "vier");
	table_cell(table, "2");
	check(table, "A     B\ngr\xc3\xbc\xc3\x9f  1\nvier  2\n");
}

static void test_many_rows(void **state)
{
	struct table *table = table_new((const char *const[]){ ">N", NULL });
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	for (int i = 0; i < 1000; i++)
		table_cell(table, "%d", i);
	assert_int_equal(table_print(table, to), 0);
	fclose(to);
	assert_int_equal(len, 1001 * 4);
	table_free(table);
}

static void test_refuses_half_a_row(void **state)
{
	struct table *table = table_new((const char *const[]){ "A", "B", NULL });

	table_cell(table, "x");
	assert_int_equal(table_print(table, stdout), -EINVAL);
	table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aligns),
		cmocka_unit_test(test_titles_alone),
		cmocka_unit_test(test_no_trailing_blanks),
		cmocka_unit_test(test_marks_only_titles),
		cmocka_unit_test(test_counts_characters),
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_refuses_half_a_row),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
