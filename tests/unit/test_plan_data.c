#include "coordinator/plan.h"

#include "common/base/check.h"
#include "proto/dataset.h"
#include "tests/unit/shelf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "version: 1\ntarget: http://h\ngoal: {concurrency: 1}\nduration: 9s\n"

static struct shelf_file shelf[] = {
    {"users.csv", "id,name\n7,ann\n8,bob\n"},
    {"split.csv", "id,agent\n7,ok\n8,\"x\r\nHost: evil\"\n"},
    {"none.csv", "id\n"},
    {"bad.csv", "id\n\"x\n"},
    {"bad.jsonl", "{\"a\":1}\n{}\n"},
    {"rows.ndjson", "{\"a\":\"x\"}\n"},
    {"users.txt", "id\n7\n"},
    {"empty", ""},
    {NULL, NULL},
};

static struct plan_errors errors;

static struct plan *read_plan(const char *text)
{
    struct plan_files files = {.context = shelf, .load = shelf_load};
    errors = (struct plan_errors){0};
    return plan_read_with("p.yaml", text, strlen(text), &files, &errors);
}

static const char *first_error(void)
{
    static char text[ERROR_MESSAGE_BYTES + 64];
    return errors.count > 0 ? error_text(&errors.items[0], text, sizeof text) : "";
}

static void rows_come_with_the_plan(void **state)
{
    (void)state;
    struct plan *plan = read_plan(
        HEAD "data: {users: {file: users.csv, order: unique}, more: {file: rows.ndjson}}\n"
             "requests: [{get: '/{{ users.id }}/{{ more.a }}'}]\n");

    assert_string_equal(first_error(), "");
    assert_int_equal(plan->data_count, 2);
    const struct plan_data *data = &plan->data[0];
    assert_string_equal(data->name, "users");
    assert_int_equal(data->order, DATA_UNIQUE);
    assert_int_equal(plan->data[1].order, DATA_SEQUENCE);
    assert_int_equal(data->rows, 2);
    assert_int_equal(data->column_count, 2);
    assert_string_equal(data->columns[1], "name");
    assert_int_equal(plan->slot_count, 2);
    assert_int_equal(plan->requests_total, 2); /* as many as there are unique rows */
    struct dataset dataset;
    assert_true(dataset_open(data->block, data->block_bytes, &dataset, NULL));
    assert_memory_equal(dataset_cell(&dataset, 1, 1).bytes, "bob", 3);
    plan_destroy(plan);
}

static void a_body_that_is_filled_in_takes_one_slot_for_its_length(void **state)
{
    (void)state;
    struct plan *plan =
        read_plan(HEAD "vars: {v: x}\nhttp: {headers: {A: '{{ seq }}', B: '{{ v }}'}}\n"
                       "requests: [{post: '/{{ uuid }}', body: '{{ seq }}{{ seq }}'}, {get: /}]\n");

    assert_string_equal(first_error(), "");
    assert_int_equal(plan->slot_count, 1 + 1 + 2 + 1 + 1);
    plan_destroy(plan);
}

/* clang-format off */
static const struct bad_case {
    const char *name, *text, *wanted;
} bad_cases[] = {
    {"a_file_that_is_not_there_is_told_where_it_is_named", "data: {u: {file: no.csv}}\n",
     "p.yaml:5:18: data.file: no.csv: not on the shelf"},
    {"a_file_without_rows_is_refused", "data: {u: {file: none.csv}}\n",
     "p.yaml:5:18: data.file: none.csv has no rows"},
    {"a_mistake_in_csv_has_both_places", "data: {u: {file: bad.csv}}\n",
     "p.yaml:5:18: data.file: bad.csv:2:1: the quote that begins here has no end"},
    {"a_mistake_in_json_has_both_places", "data: {u: {file: bad.jsonl}}\n",
     "p.yaml:5:18: data.file: bad.jsonl:2:1: 'a' is missing; every line has what the first one has"},
    {"a_file_of_another_kind_is_refused", "data: {u: {file: users.txt}}\n",
     "p.yaml:5:18: data.file: users.txt is no known kind of file; give one that ends with .csv, .jsonl or .ndjson"},
    {"a_column_that_is_not_there_is_told_with_the_nearest", "data: {users: {file: users.csv}}\nrequests: [{get: '/{{ users.nam }}'}]\n",
     "p.yaml:6:18: requests.get: {{ users.nam }} names no column of that file; did you mean 'name'?"},
    {"a_column_that_is_nowhere_near_is_told_with_all", "data: {users: {file: users.csv}}\nrequests: [{get: '/{{ users.email }}'}]\n",
     "p.yaml:6:18: requests.get: {{ users.email }} names no column of that file; there are id, name"},
    {"a_file_is_told_with_the_nearest", "data: {users: {file: users.csv}}\nrequests: [{get: '/{{ user.id }}'}]\n",
     "p.yaml:6:18: requests.get: {{ user.id }} names no data file; did you mean 'users'?"},
    {"no_row_breaks_out_of_a_header", "data: {u: {file: split.csv}}\nrequests: [{get: /, headers: {User-Agent: '{{ u.agent }}'}}]\n",
     "p.yaml:6:43: requests.headers: {{ u.agent }} stands in a header, and its value in row 2 holds a control character; give one line of text"},
    {"rows_that_come_once_are_enough_for_all_requests", "requests_total: 3\ndata: {users: {file: users.csv, order: unique}}\n",
     "p.yaml:5:17: requests_total is 3, and data.users gives each of its 2 rows once; give at most 2"},
    {"a_range_has_its_smaller_end_first", "requests: [{get: '/{{ random(2, 1) }}'}]\n",
     "p.yaml:5:18: requests.get: {{ random(2, 1) }} is no range; give two whole numbers, the smaller one first, as in random(1, 100)"},
    {"a_range_has_two_ends", "requests: [{get: '/{{ random(2) }}'}]\n",
     "p.yaml:5:18: requests.get: {{ random(2) }} is no range; give two whole numbers, the smaller one first, as in random(1, 100)"},
    {"a_range_is_of_numbers", "requests: [{get: '/{{ random(a, b) }}'}]\n",
     "p.yaml:5:18: requests.get: {{ random(a, b) }} is no range; give two whole numbers, the smaller one first, as in random(1, 100)"},
    {"a_range_is_closed", "requests: [{get: '/{{ random(1, 2 }}'}]\n",
     "p.yaml:5:18: requests.get: {{ random(1, 2 }} is no range; give two whole numbers, the smaller one first, as in random(1, 100)"},
    {"a_template_is_not_empty", "requests: [{get: '/{{ }}'}]\n",
     "p.yaml:5:18: requests.get: {{  }} is empty; give a name, or {{ '{{' }} for the braces"},
    {"a_quoted_text_has_an_end", "requests: [{post: /, body: \"{{ '{{ }}\"}]\n",
     "p.yaml:5:28: requests.body: {{ ' has no ' }} behind it; a text between quotes ends so"},
    {"a_bad_name_cannot_drive_a_terminal", "requests: [{post: /, body: \"{{ \\e[2J }}\"}]\n",
     "p.yaml:5:28: requests.body: {{ \\x1B[2J }} names no variable; there are seq, uuid, random"},
};
/* clang-format on */

static void bad_data_is_refused(void **state)
{
    const struct bad_case *row = *state;
    char text[1024];
    snprintf(text, sizeof text, HEAD "%s", row->text);

    assert_null(read_plan(text));

    assert_string_equal(first_error(), row->wanted);
    assert_int_equal(errors.count, 1);
}

static void a_payload_file_that_is_empty_sends_nothing(void **state)
{
    (void)state;
    struct plan *plan = read_plan(HEAD "requests: [{post: /, body: {file: empty}}]\n");
    assert_string_equal(first_error(), "");
    assert_int_equal(plan->requests[0].body_bytes, 0);
    plan_destroy(plan);
}

/* Each header of all counts for each request: 32 of them with 16 each are as many as there may be.
 */
static void there_are_as_many_templates_as_the_limit_and_no_more(void **state)
{
    (void)state;
    for (uint32_t more = 0; more <= 1; more++) {
        char text[4096], *at = text;
        at += sprintf(at, HEAD "http: {headers: {A: '");
        for (uint32_t i = 0; i < SLOTS_MAX / REQUEST_NAMES_MAX; i++)
            at += sprintf(at, "{{seq}}");
        at += sprintf(at, "'}}\nrequests: [{get: '/%s'}", more == 1 ? "{{seq}}" : "");
        for (uint32_t i = 1; i < REQUEST_NAMES_MAX; i++)
            at += sprintf(at, ", {get: /%u}", i);
        sprintf(at, "]\n");

        struct plan *plan = read_plan(text);

        assert_int_equal(plan != NULL, more == 0);
        if (more == 1)
            assert_string_equal(first_error(),
                                "p.yaml:6:11: requests have 513 templates together, each header of "
                                "http.headers counted for each request; give at most 512");
        plan_destroy(plan);
    }
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "we");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
}

/* Wherever the command runs. */
static void files_are_found_beside_the_plan(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_plan_data.XXXXXX";
    char path[512];
    assert_non_null(mkdtemp(folder));
    write_file(folder, "users.csv", "id\n1\n2\n3\n");
    write_file(folder, "body.txt", "hello");
    write_file(folder, "plan.yaml",
               HEAD "data: {u: {file: users.csv}}\nrequests: [{post: '/{{ u.id }}', "
                    "body: {file: body.txt}}]\n");
    snprintf(path, sizeof path, "%s/plan.yaml", folder);
    errors = (struct plan_errors){0};

    struct plan *plan = plan_load(path, &errors);

    assert_string_equal(first_error(), "");
    assert_int_equal(plan->data[0].rows, 3);
    assert_string_equal(plan->requests[0].body, "hello");
    plan_destroy(plan);

    snprintf(path, sizeof path, "%s/users.csv", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/plan.yaml", folder);
    assert_null(plan_load(path, &errors));
    assert_non_null(strstr(first_error(), "data.file: users.csv: No such file or directory"));
    unlink(path);
    snprintf(path, sizeof path, "%s/body.txt", folder);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(bad_cases)];
    for (size_t i = 0; i < COUNT(bad_cases); i++)
        tests[i] = (struct CMUnitTest){.name = bad_cases[i].name,
                                       .test_func = bad_data_is_refused,
                                       .initial_state = (void *)(uintptr_t)&bad_cases[i]};
    const struct CMUnitTest others[] = {
        cmocka_unit_test(rows_come_with_the_plan),
        cmocka_unit_test(a_body_that_is_filled_in_takes_one_slot_for_its_length),
        cmocka_unit_test(a_payload_file_that_is_empty_sends_nothing),
        cmocka_unit_test(there_are_as_many_templates_as_the_limit_and_no_more),
        cmocka_unit_test(files_are_found_beside_the_plan),
    };
    int failed = cmocka_run_group_tests_name("bad", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("others", others, NULL, NULL);
}
