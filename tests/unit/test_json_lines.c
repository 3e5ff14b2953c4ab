#include "coordinator/json_lines.h"

#include "common/base/check.h"
#include "tests/support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct json_case {
    const char *name, *text, *wanted;
} json_cases[] = {
    {"an_object_a_line_is_a_row", "{\"id\": 1, \"name\": \"ann\"}\n{\"name\": \"bob\", \"id\": 2}\n", "id|name\n1|ann\n2|bob"},
    {"the_last_line_needs_no_end", "{\"id\":1}\n{\"id\":2}", "id\n1\n2"},
    {"lines_may_end_as_on_windows", "{\"id\":1}\r\n{\"id\":2}\r\n", "id\n1\n2"},
    {"empty_lines_are_passed_over", "\n  \n{\"id\":1}\n\n", "id\n1"},
    {"text_is_what_its_escapes_mean", "{\"a\":\"x\\n\\u00e4\\\"\"}\n", "a\nx\n\xC3\xA4\""},
    {"numbers_are_written_in_the_fewest_digits", "{\"a\":-9223372036854775808,\"b\":1.50,\"c\":1e3,\"d\":0.1}\n",
     "a|b|c|d\n-9223372036854775808|1.5|1e+03|0.1"},
    {"words_are_words_and_null_is_empty", "{\"a\":true,\"b\":false,\"c\":null,\"d\":\"\"}\n", "a|b|c|d\ntrue|false||"},
    {"an_empty_file_has_no_rows", "", ""},
    {"a_list_is_no_value", "{\"a\":[1]}\n", "u.jsonl:1:1: 'a' is a list or an object; give text, a number, true, false or null"},
    {"an_object_is_no_value", "{\"a\":1}\n{\"a\":{}}\n", "u.jsonl:2:1: 'a' is a list or an object; give text, a number, true, false or null"},
    {"a_line_is_an_object", "[1]\n", "u.jsonl:1:1: no object; give one a line, such as {\"id\": 1}"},
    {"an_object_has_members", "{}\n", "u.jsonl:1:1: the first object names no column"},
    {"a_member_may_not_be_missing", "{\"a\":1,\"b\":2}\n{\"a\":1}\n", "u.jsonl:2:1: 'b' is missing; every line has what the first one has"},
    {"a_member_may_not_be_new", "{\"a\":1}\n{\"a\":1,\"b\":2}\n", "u.jsonl:2:1: this object has more members than the first one; give each the same"},
    {"what_is_no_json_is_told_where", "{\"a\":1}\n{\"a\":}\n", "u.jsonl:2:6: no JSON: unexpected token near '}'"},
    {"a_member_comes_once", "{\"a\":1,\"a\":2}\n", "u.jsonl:1:10: no JSON: duplicate object key near '\"a\"'"},
    {"two_objects_do_not_share_a_line", "{\"a\":1}{\"a\":2}\n", "u.jsonl:1:8: no JSON: end of file expected near '{'"},
    {"a_number_too_large_to_keep_is_refused", "{\"a\":9223372036854775808}\n", "u.jsonl:1:24: no JSON: too big integer near '9223372036854775808'"},
    {"text_that_is_no_utf_8_is_refused", "{\"a\":\"\xFF\"}\n", "u.jsonl:1:6: no JSON: unable to decode byte 0xff near '\"'"},
    {"a_name_has_no_braces", "{\"a}\":1}\n", "u.jsonl:1:1: the name of a column is text of 1 to 255 bytes without control characters and braces"},
};
/* clang-format on */

static void json_is_read(void **state)
{
    const struct json_case *row = *state;
    char out[1024] = "";
    struct table table = {0};
    struct error error = {0};
    size_t text_bytes = strlen(row->text);
    struct guard guard = guard_open(text_bytes + 1);
    const char *text = (const char *)guard_copy(&guard, row->text, text_bytes);

    bool good = json_lines_read("u.jsonl", text, text_bytes, &table, &error);

    char *at = out;
    if (!good)
        error_text(&error, out, sizeof out);
    for (uint32_t i = 0; good && i < table.column_count; i++)
        at += sprintf(at, "%s%s", i > 0 ? "|" : "", table.columns[i]);
    for (size_t i = 0; good && i < table.cell_count; i++) {
        size_t bytes;
        const char *cell = table_cell(&table, i, &bytes);
        at += sprintf(at, "%s%.*s", i % table.column_count == 0 ? "\n" : "|", (int)bytes, cell);
    }
    assert_string_equal(out, row->wanted);
    table_done(&table);
    guard_close(&guard);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(json_cases)];
    for (size_t i = 0; i < COUNT(json_cases); i++)
        tests[i] = (struct CMUnitTest){.name = json_cases[i].name,
                                       .test_func = json_is_read,
                                       .initial_state = (void *)(uintptr_t)&json_cases[i]};
    return cmocka_run_group_tests_name("json_lines", tests, NULL, NULL);
}
