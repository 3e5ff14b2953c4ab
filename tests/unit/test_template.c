/* From the text of a plan to the bytes of each request: taken apart by the coordinator, sent as an
 * assignment, filled in by the agent. */
#include "agent/template.h"

#include "agent/workload.h"
#include "common/base/check.h"
#include "coordinator/assign.h"
#include "coordinator/plan.h"
#include "tests/unit/shelf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD  "version: 1\ntarget: http://h\ngoal: {concurrency: 1}\nduration: 9s\n"
#define REDIS "version: 1\ntarget: redis://h\ngoal: {concurrency: 1}\nduration: 9s\n"
#define TCP   "version: 1\ntarget: tcp://h:1\ngoal: {concurrency: 1}\nduration: 9s\n"

static struct shelf_file shelf[] = {
    {"users.csv", "id,name,empty\n7,ann,\n8,b\xC3\xB6 b/&?,\n9,c,\n"},
    {"items.jsonl", "{\"sku\":\"A1\",\"price\":9.5}\n{\"sku\":\"B2\",\"price\":10}\n"},
    {"payload.json", "{\"user\":{{ users.id }},\"n\":\"{{ seq }}\"}\n"},
    {NULL, NULL},
};

/* A plan through all hands. */
struct passage {
    struct plan *plan;
    uint8_t bytes[ASSIGNMENT_BYTES_MAX];
    char texts[ASSIGNMENT_TEXT_BYTES];
    struct assignment assignment;
    struct templates *templates;
    uint8_t *room;
};

static struct plan *read_plan(const char *text)
{
    static struct plan_errors errors;
    struct plan_files files = {.context = shelf, .load = shelf_load};
    errors = (struct plan_errors){0};
    struct plan *plan = plan_read_with("p.yaml", text, strlen(text), &files, &errors);
    if (plan == NULL)
        fail_msg("%s", errors.items[0].message);
    return plan;
}

/* As an agent stands when the rows have come. */
static struct passage *begin(const char *text)
{
    struct passage *passage = calloc(1, sizeof *passage);
    struct error error = {0};
    size_t count = 0;
    assert_non_null(passage);
    passage->plan = read_plan(text);
    if (!assign_from_plan(passage->plan, passage->bytes, &count, &error) ||
        !assignment_decode(passage->bytes, count, passage->texts, &passage->assignment, &error))
        fail_msg("%s", error.message);
    for (uint32_t i = 0; i < passage->plan->data_count; i++)
        passage->assignment.data[i].block = passage->plan->data[i].block;
    passage->templates = templates_create(&passage->assignment, &error);
    if (passage->templates == NULL)
        fail_msg("%s", error.message);
    /* Not a byte more: what is written beyond it, a sanitizer sees. */
    passage->room = malloc(templates_room_bytes(passage->templates) + 1);
    assert_non_null(passage->room);
    return passage;
}

static void end(struct passage *passage)
{
    templates_destroy(passage->templates);
    plan_destroy(passage->plan);
    free(passage->room);
    free(passage);
}

static const char *request(const struct passage *passage, uint32_t kind, uint64_t index)
{
    static char text[4096];
    struct assignment_bytes whole =
        templates_render(passage->templates, kind, index, passage->room);
    CHECK(whole.count < sizeof text);
    memcpy(text, whole.bytes, whole.count);
    text[whole.count] = '\0';
    return text;
}

static const char *line_of(const char *whole, const char *begins)
{
    static char line[512];
    const char *at = strstr(whole, begins);
    if (at == NULL)
        return "";
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\r\n"), at);
    return line;
}

static const char *body_of(const char *whole)
{
    const char *at = strstr(whole, "\r\n\r\n");
    return at != NULL ? at + 4 : whole;
}

/* clang-format off */
static const struct fill_case {
    const char *name, *text;
    uint64_t index;
    const char *line, *body; /* what a line of the head is, and the body; NULL: not looked at */
} fill_cases[] = {
    {"seq_is_the_index", HEAD "requests: [{get: '/p/{{ seq }}'}]\n", 0, "GET /p/0 HTTP/1.1", NULL},
    {"seq_is_as_large_as_an_index", HEAD "requests: [{get: '/{{seq}}'}]\n", UINT64_MAX, "GET /18446744073709551615 HTTP/1.1", NULL},
    {"a_variable_is_its_text", HEAD "vars: {v: abc}\nrequests: [{get: '/{{ v }}?{{v}}'}]\n", 0, "GET /abc?abc HTTP/1.1", NULL},
    {"a_variable_in_a_path_is_encoded", HEAD "vars: {v: \"a/b \xC3\xA4%~\"}\nrequests: [{get: '/{{ v }}'}]\n", 0,
     "GET /a%2Fb%20%C3%A4%25~ HTTP/1.1", NULL},
    {"rows_come_one_after_the_other", HEAD "data: {users: {file: users.csv}}\nrequests: [{get: '/{{ users.id }}'}]\n", 2, "GET /9 ", NULL},
    {"and_again_from_the_first", HEAD "data: {users: {file: users.csv}}\nrequests: [{get: '/{{ users.id }}'}]\n", 3, "GET /7 ", NULL},
    {"a_value_in_a_path_is_encoded", HEAD "data: {users: {file: users.csv}}\nrequests: [{get: '/{{ users.name }}'}]\n", 1,
     "GET /b%C3%B6%20b%2F%26%3F ", NULL},
    {"a_value_in_a_body_is_as_it_is", HEAD "data: {users: {file: users.csv}}\nrequests: [{post: /, body: '<{{ users.name }}>'}]\n", 1,
     "Content-Length: 10", "<b\xC3\xB6 b/&?>"},
    {"an_empty_value_is_nothing", HEAD "data: {users: {file: users.csv}}\nrequests: [{post: /, body: '{{ users.empty }}'}]\n", 0,
     "Content-Length: 0", ""},
    {"a_value_stands_in_a_header", HEAD "data: {items: {file: items.jsonl}}\nrequests: [{get: /, headers: {X-Sku: 'a{{ items.sku }}b'}}]\n", 1,
     "X-Sku: aB2b", NULL},
    {"a_header_of_all_is_filled_in_too", HEAD "http: {headers: {X: '{{ seq }}'}}\nrequests: [{get: /}]\n", 12, "X: 12", NULL},
    {"the_length_is_that_of_this_body", HEAD "requests: [{post: /, body: 'n={{ seq }}&m={{ seq }}'}]\n", 99999, "Content-Length: 15", "n=99999&m=99999"},
    {"the_length_is_short_when_the_body_is", HEAD "requests: [{post: /, body: 'n={{ seq }}&m={{ seq }}'}]\n", 9, "Content-Length: 7", "n=9&m=9"},
    {"a_body_of_variables_has_one_length", HEAD "vars: {v: abcd}\nrequests: [{post: /, body: '{{ v }}{{ v }}'}]\n", 5, "Content-Length: 8", "abcdabcd"},
    {"braces_stand_for_themselves_in_quotes", HEAD "requests: [{post: /, body: \"{{ '{{ x }}' }}{{ '' }}}}\"}]\n", 0, "Content-Length: 9", "{{ x }}}}"},
    {"a_body_may_stand_in_a_file", HEAD "data: {users: {file: users.csv}}\nrequests: [{post: /, body: {file: payload.json}}]\n", 10,
     "Content-Length: 20", "{\"user\":8,\"n\":\"10\"}\n"},
    {"a_range_of_one_is_that_number", HEAD "requests: [{get: '/{{ random(5, 5) }}'}]\n", 77, "GET /5 ", NULL},
    {"a_word_of_a_command_has_its_length", REDIS "requests: [{command: 'SET k{{ seq }} {{ users.name }}'}]\ndata: {users: {file: users.csv}}\n", 100,
     NULL, "*3\r\n$3\r\nSET\r\n$4\r\nk100\r\n$8\r\nb\xC3\xB6 b/&?\r\n"},
    {"words_of_a_list_and_quoted_ones_are_filled_in", REDIS "vars: {v: xy}\nrequests: [{command: [SET, '{{ v }}', 'a {{ seq }} b']}]\n", 7,
     NULL, "*3\r\n$3\r\nSET\r\n$2\r\nxy\r\n$5\r\na 7 b\r\n"},
    {"a_payload_of_tcp_is_filled_in", TCP "requests: [{send: \"GET k{{ seq }}\\r\\n\"}]\n", 3, NULL, "GET k3\r\n"},
    {"a_payload_of_tcp_may_be_nothing_else", TCP "requests: [{send: '{{ seq }}'}]\n", 41, NULL, "41"},
};
/* clang-format on */

static void request_is_filled_in(void **state)
{
    const struct fill_case *row = *state;
    struct passage *passage = begin(row->text);

    const char *whole = request(passage, 0, row->index);

    if (row->line != NULL)
        assert_memory_equal(line_of(whole, row->line), row->line, strlen(row->line));
    if (row->body != NULL)
        assert_string_equal(body_of(whole), row->body);
    end(passage);
}

static void a_request_without_templates_is_the_assignments_own(void **state)
{
    (void)state;
    struct passage *passage = begin(HEAD "requests: [{get: '/{{ seq }}'}, {get: /b}]\n");

    struct assignment_bytes whole = templates_render(passage->templates, 1, 9, NULL);

    assert_ptr_equal(whole.bytes, passage->assignment.requests[1].bytes);
    assert_true(templates_fill(passage->templates, 0));
    assert_false(templates_fill(passage->templates, 1));
    end(passage);
}

static void a_plan_without_templates_needs_no_room(void **state)
{
    (void)state;
    struct passage *passage = begin(HEAD);
    assert_int_equal(templates_room_bytes(passage->templates), 0);
    end(passage);
}

/* Every number of a range comes, and none beside it; another seed draws others. */
static void a_range_is_drawn_evenly_by_the_seed(void **state)
{
    (void)state;
    static const char text[] = HEAD "seed: %d\nrequests: [{get: '/{{ random(1, 10) }}'}]\n";
    uint32_t seen[2][11] = {{0}};
    char sequences[2][1000];
    for (int seed = 0; seed < 2; seed++) {
        char plan[256];
        snprintf(plan, sizeof plan, text, seed);
        struct passage *passage = begin(plan);
        for (uint64_t index = 0; index < 1000; index++) {
            unsigned long drawn = strtoul(request(passage, 0, index) + strlen("GET /"), NULL, 10);
            assert_in_range(drawn, 1, 10);
            seen[seed][drawn]++;
            sequences[seed][index] = (char)drawn;
        }
        end(passage);
    }
    /* 100 each; the standard deviation is 9.5, so five of them are 47. */
    for (uint32_t number = 1; number <= 10; number++)
        assert_in_range(seen[0][number], 100 - 47, 100 + 47);
    assert_memory_not_equal(sequences[0], sequences[1], sizeof sequences[0]);
}

static void a_range_may_be_all_numbers(void **state)
{
    (void)state;
    struct passage *passage =
        begin(HEAD "requests: [{get: '/{{ random(0, 18446744073709551615) }}'}]\n");
    assert_true(strtoull(request(passage, 0, 1) + 5, NULL, 10) !=
                strtoull(request(passage, 0, 2) + 5, NULL, 10));
    end(passage);
}

/* A row is one row for all of its columns; two templates draw apart. */
static void columns_of_a_random_row_belong_together(void **state)
{
    (void)state;
    struct passage *passage =
        begin(HEAD "data: {users: {file: users.csv, order: random}}\nrequests: [{post: /, body: "
                   "'{{ users.id }}{{ users.name }} {{ random(0, 99) }} {{ random(0, 99) }}'}]\n");
    uint32_t seen[3] = {0}, alike = 0;
    for (uint64_t index = 0; index < 300; index++) {
        const char *body = body_of(request(passage, 0, index));
        static const char *const rows[] = {"7ann ", "8b\xC3\xB6 b/&? ", "9c "};
        size_t row = (size_t)(body[0] - '7');
        assert_in_range(row, 0, 2);
        assert_memory_equal(body, rows[row], strlen(rows[row]));
        seen[row]++;
        char *second;
        unsigned long first = strtoul(body + strlen(rows[row]), &second, 10);
        alike += first == strtoul(second, NULL, 10);
    }
    /* 100 each; the standard deviation is 8.2. */
    for (size_t row = 0; row < 3; row++)
        assert_in_range(seen[row], 100 - 41, 100 + 41);
    assert_in_range(alike, 0, 15); /* 3 of 300 by chance */
    end(passage);
}

static void a_uuid_is_random_of_version_4_and_new_each_time(void **state)
{
    (void)state;
    struct passage *passage = begin(HEAD "requests: [{post: /, body: '{{ uuid }}{{ uuid }}'}]\n");
    char before[36] = "";
    for (uint64_t index = 0; index < 64; index++) {
        const char *uuid = body_of(request(passage, 0, index));
        for (int i = 0; i < 36; i++) {
            if (i == 8 || i == 13 || i == 18 || i == 23)
                assert_int_equal(uuid[i], '-');
            else
                assert_non_null(memchr("0123456789abcdef", uuid[i], 16));
        }
        assert_int_equal(uuid[14], '4');
        assert_non_null(memchr("89ab", uuid[19], 4));
        assert_memory_not_equal(uuid, uuid + 36, 36);
        assert_memory_not_equal(uuid, before, 36);
        memcpy(before, uuid, 36);
    }
    end(passage);
}

/* The same on every machine: a run of today is compared with one of next year. */
static void draws_are_those_of_all_time(void **state)
{
    (void)state;
    struct passage *passage = begin(
        HEAD "seed: 42\nrequests: [{post: /, body: '{{ random(1, 1000000) }} {{ uuid }}'}]\n");
    assert_string_equal(body_of(request(passage, 0, 0)),
                        "940319 dda71199-26b6-40a1-ba8e-7ea7dd5c4a92");
    assert_string_equal(body_of(request(passage, 0, 1000000007)),
                        "96723 f0a7cf0f-ca7c-4336-a626-077b275f0b9d");
    end(passage);
}

static void room_is_as_much_as_the_longest_request_takes(void **state)
{
    (void)state;
    struct passage *passage =
        begin(HEAD "data: {users: {file: users.csv}}\nrequests: [{get: '/{{ users.name }}'}]\n");
    /* What stays, and the longest name, of 8 bytes, all of them encoded. */
    assert_int_equal(templates_room_bytes(passage->templates),
                     passage->assignment.requests[0].byte_count + 3 * 8);
    end(passage);
}

/* What no coordinator of ours sends. */
static void a_broken_assignment_is_refused(void **state)
{
    (void)state;
    struct passage *passage =
        begin(HEAD "data: {users: {file: users.csv}}\nrequests: [{get: '/{{ users.name }}'}]\n");
    struct assignment *assignment = &passage->assignment;
    struct error error = {0};

    assignment->slots[0].column = 3;
    assert_null(templates_create(assignment, &error));
    assert_string_equal(error.message, "a request asks for column 3 of a data file that has 3");
    assignment->slots[0].column = 0;
    assignment->data[0].byte_count--;
    assert_null(templates_create(assignment, &error));
    assert_int_equal(error.kind, ERROR_PROTOCOL);
    assignment->data[0].block = NULL;
    assert_null(templates_create(assignment, &error));
    end(passage);
}

static void a_request_that_can_be_too_long_is_refused(void **state)
{
    (void)state;
    static char text[DATA_CELL_BYTES_MAX + 3] = "v\n";
    memset(text + 2, ' ', DATA_CELL_BYTES_MAX);
    struct shelf_file before = shelf[0];
    shelf[0].text = text;
    struct plan *plan =
        read_plan(HEAD "data: {users: {file: users.csv}}\nrequests: [{get: "
                       "'/{{ users.v }}{{ users.v }}{{ users.v }}', name: long}]\n");
    shelf[0] = before;
    static uint8_t bytes[ASSIGNMENT_BYTES_MAX];
    static char texts[ASSIGNMENT_TEXT_BYTES];
    static struct assignment assignment;
    struct error error = {0};
    size_t count = 0;
    assert_true(assign_from_plan(plan, bytes, &count, &error));
    assert_true(assignment_decode(bytes, count, texts, &assignment, &error));
    assignment.data[0].block = plan->data[0].block;

    assert_null(templates_create(&assignment, &error));

    assert_int_equal(error.kind, ERROR_LIMIT);
    assert_non_null(strstr(error.message, "request 'long' can take 147"));
    plan_destroy(plan);
}

/* A payload ends its answer by what it is when it is filled in. */
static void the_answer_to_a_payload_of_tcp_is_as_long_as_this_payload(void **state)
{
    (void)state;
    struct passage *passage = begin(TCP "requests: [{send: 'n{{ seq }}'}]\n");
    struct error error = {0};
    void *configuration = workload_tcp.configure(&passage->assignment, &error);
    assert_non_null(configuration);
    assert_true(workload_tcp.reuses(configuration, 0));
    uint8_t *room = malloc(workload_tcp.room_bytes(configuration));
    struct workload_turn turn = {.kind = 0, .index = 4711, .room = room};
    struct workload_state answer = {0};
    struct workload_request out;
    struct feed_result result;

    workload_tcp.begin(configuration, &turn, &answer, &out);

    assert_int_equal(out.byte_count, 5);
    assert_memory_equal(out.bytes, "n4711", 5);
    assert_true(out.expects_answer);
    assert_int_equal(workload_tcp.feed(configuration, &answer, (const uint8_t *)"n471", 4, &result),
                     FEED_MORE);
    assert_int_equal(workload_tcp.feed(configuration, &answer, (const uint8_t *)"1", 1, &result),
                     FEED_DONE);
    workload_tcp.release(configuration);
    free(room);
    end(passage);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(fill_cases)];
    for (size_t i = 0; i < COUNT(fill_cases); i++)
        tests[i] = (struct CMUnitTest){.name = fill_cases[i].name,
                                       .test_func = request_is_filled_in,
                                       .initial_state = (void *)(uintptr_t)&fill_cases[i]};
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_request_without_templates_is_the_assignments_own),
        cmocka_unit_test(a_plan_without_templates_needs_no_room),
        cmocka_unit_test(a_range_is_drawn_evenly_by_the_seed),
        cmocka_unit_test(a_range_may_be_all_numbers),
        cmocka_unit_test(columns_of_a_random_row_belong_together),
        cmocka_unit_test(a_uuid_is_random_of_version_4_and_new_each_time),
        cmocka_unit_test(draws_are_those_of_all_time),
        cmocka_unit_test(room_is_as_much_as_the_longest_request_takes),
        cmocka_unit_test(a_broken_assignment_is_refused),
        cmocka_unit_test(a_request_that_can_be_too_long_is_refused),
        cmocka_unit_test(the_answer_to_a_payload_of_tcp_is_as_long_as_this_payload),
    };
    int failed = cmocka_run_group_tests_name("fills", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("others", others, NULL, NULL);
}
