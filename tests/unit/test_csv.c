#include "coordinator/csv.h"

#include "common/base/check.h"
#include "tests/support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* What was read, as "a|b" for the names and for each row; or the error. */
static const char *shown(const char *text, size_t text_bytes)
{
    static char out[2048];
    struct table table = {0};
    struct error error = {0};
    struct guard guard = guard_open(text_bytes);
    const char *guarded = (const char *)guard_copy(&guard, text, text_bytes);
    char *at = out;
    if (!csv_read("u.csv", guarded, text_bytes, &table, &error)) {
        error_text(&error, out, sizeof out);
    } else {
        for (uint32_t i = 0; i < table.column_count; i++)
            at += sprintf(at, "%s%s", i > 0 ? "|" : "", table.columns[i]);
        for (size_t i = 0; i < table.cell_count; i++) {
            size_t bytes;
            const char *cell = table_cell(&table, i, &bytes);
            at += sprintf(at, "%s%.*s", i % table.column_count == 0 ? "\n" : "|", (int)bytes, cell);
        }
    }
    table_done(&table);
    guard_close(&guard);
    return out;
}

/* clang-format off */
static const struct csv_case {
    const char *name, *text, *wanted;
} csv_cases[] = {
    {"the_first_line_names_the_columns", "id,name\n1,ann\n2,bob\n", "id|name\n1|ann\n2|bob"},
    {"the_last_line_needs_no_end", "id\n1\n2", "id\n1\n2"},
    {"lines_may_end_as_on_windows", "id,name\r\n1,ann\r\n", "id|name\n1|ann"},
    {"a_byte_order_mark_is_passed_over", "\xEF\xBB\xBFid\n1\n", "id\n1"},
    {"empty_lines_are_passed_over", "\n\r\nid\n\n1\n\n\n2\n\n", "id\n1\n2"},
    {"values_may_be_empty", "a,b,c\n,,\n\"\",x,\n", "a|b|c\n||\n|x|"},
    {"blanks_belong_to_values", "a,b\n x , y\n", "a|b\n x | y"},
    {"a_quoted_value_holds_commas_and_line_ends", "a,b\n\"x,\r\ny\",z\n", "a|b\nx,\r\ny|z"},
    {"a_doubled_quote_is_one", "a\n\"say \"\"hi\"\"\"\n\"\"\"\"\n", "a\nsay \"hi\"\n\""},
    {"names_may_be_quoted", "\"first name\",\"x,y\"\n1,2\n", "first name|x,y\n1|2"},
    {"names_alone_are_no_rows", "a,b\n", "a|b"},
    {"an_empty_file_is_refused", "", "u.csv:1:1: it is empty; give a line with the names of the columns"},
    {"empty_lines_alone_are_refused", "\n\n", "u.csv:3:1: it is empty; give a line with the names of the columns"},
    {"a_line_with_too_few_values_is_refused", "a,b\n1,2\n3\n", "u.csv:3:1: this line has 1 value; the first line names 2 columns"},
    {"a_line_with_too_many_values_is_refused", "a\n1,2\n", "u.csv:2:1: this line has 2 values; the first line names 1 column"},
    {"a_quote_without_an_end_is_told_where_it_begins", "a,b\n1,\"x\n2,3\n", "u.csv:2:3: the quote that begins here has no end"},
    {"a_quote_inside_a_value_is_refused", "a\n5\" disk\n", "u.csv:2:2: a quote inside a value; put the whole value into quotes, and each quote inside it twice"},
    {"text_behind_a_quoted_value_is_refused", "a\n\"x\"y\n", "u.csv:2:4: text behind a quote that ends a value; give a comma"},
    {"lines_within_a_value_are_counted", "a\n\"x\ny\"\n\"z\"1\n", "u.csv:4:4: text behind a quote that ends a value; give a comma"},
    {"a_lone_carriage_return_is_refused", "a\nx\ry\n", "u.csv:2:2: a CR without LF; put the value into quotes"},
    {"a_carriage_return_at_the_very_end_is_refused", "a\nx\r", "u.csv:2:2: a CR without LF; put the value into quotes"},
    {"a_column_needs_a_name", "a,,c\n1,2,3\n", "u.csv:1:1: the name of a column is text of 1 to 255 bytes without control characters and braces"},
    {"not_all_names_are_empty", ",\n1,2\n", "u.csv:1:1: the name of a column is text of 1 to 255 bytes without control characters and braces"},
    {"a_name_has_no_line_end", "\"a\nb\"\n1\n", "u.csv:1:1: the name of a column is text of 1 to 255 bytes without control characters and braces"},
    {"a_name_is_utf_8", "a\xFF\n1\n", "u.csv:1:1: the name of a column is text of 1 to 255 bytes without control characters and braces"},
    {"two_columns_have_two_names", "a,b,a\n1,2,3\n", "u.csv:1:1: a second column is called 'a'"},
};
/* clang-format on */

static void csv_is_read(void **state)
{
    const struct csv_case *row = *state;
    assert_string_equal(shown(row->text, strlen(row->text)), row->wanted);
}

/* Cut anywhere, an example is read or refused, and nothing behind it is touched. */
static void every_truncation_is_survived(void **state)
{
    (void)state;
    static const char text[] = "\xEF\xBB\xBF\"a\",b\r\n\"x\"\"y\",z\r\n1,\"\r\n\"\n";
    for (size_t count = 0; count < sizeof text; count++)
        assert_non_null(shown(text, count));
}

static void a_value_has_as_many_bytes_as_the_limit_and_no_more(void **state)
{
    (void)state;
    static char text[DATA_CELL_BYTES_MAX + 8] = "a\n";
    for (size_t more = 0; more <= 1; more++) {
        struct table table = {0};
        struct error error = {0};
        memset(text + 2, 'x', DATA_CELL_BYTES_MAX + more);
        assert_int_equal(csv_read("u", text, 2 + DATA_CELL_BYTES_MAX + more, &table, &error),
                         more == 0);
        assert_int_equal(error.kind, more == 0 ? ERROR_NONE : ERROR_LIMIT);
        table_done(&table);
    }
}

static void there_are_as_many_columns_as_the_limit_and_no_more(void **state)
{
    (void)state;
    char text[1024];
    for (uint32_t columns = DATA_COLUMNS_MAX; columns <= DATA_COLUMNS_MAX + 1; columns++) {
        struct table table = {0};
        struct error error = {0};
        char *at = text;
        for (uint32_t i = 0; i < columns; i++)
            at += sprintf(at, "%sc%u", i > 0 ? "," : "", i);
        assert_int_equal(csv_read("u", text, (size_t)(at - text), &table, &error),
                         columns == DATA_COLUMNS_MAX);
        assert_int_equal(error.kind, columns == DATA_COLUMNS_MAX ? ERROR_NONE : ERROR_LIMIT);
        table_done(&table);
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(csv_cases)];
    for (size_t i = 0; i < COUNT(csv_cases); i++)
        tests[i] = (struct CMUnitTest){.name = csv_cases[i].name,
                                       .test_func = csv_is_read,
                                       .initial_state = (void *)(uintptr_t)&csv_cases[i]};
    const struct CMUnitTest others[] = {
        cmocka_unit_test(every_truncation_is_survived),
        cmocka_unit_test(a_value_has_as_many_bytes_as_the_limit_and_no_more),
        cmocka_unit_test(there_are_as_many_columns_as_the_limit_and_no_more),
    };
    int failed = cmocka_run_group_tests_name("cases", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("others", others, NULL, NULL);
}
