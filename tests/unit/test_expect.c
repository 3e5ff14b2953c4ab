/* What the http1 workload expects of whole answers, split anywhere: expect.c, header_line.c and the
 * sink of http1.c together, as a worker has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/expect.h"
#include "agent/http1.h"
#include "agent/workload.h"
#include "common/base/check.h"
#include "tests/support/guard.h"

#include <stdlib.h>
#include <string.h>

#define GET     "GET / HTTP/1.1\r\n\r\n"
#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
#define HELLO   OK "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const struct expectation_case {
    const char *name;
    struct assignment_expectation wanted[2]; /* of one request; without any text: of one less */
    uint32_t count;
    const char *answer;
    bool ok;
    enum failure failure;
    bool close; /* ends it */
} expectation_cases[] = {
    {"status_of_the_class_is_good",
     {{.kind = EXPECT_STATUS_CLASS, .least = 200, .most = 299}},
     1,
     OK "Content-Length: 0\r\n\r\n",
     .ok = true},
    {"status_of_a_second_class_is_good",
     {{.kind = EXPECT_STATUS_CLASS, .least = 404, .most = 404},
      {.kind = EXPECT_STATUS_CLASS, .least = 200, .most = 200}},
     2,
     OK "Content-Length: 0\r\n\r\n",
     .ok = true},
    {"status_of_no_class_is_not",
     {{.kind = EXPECT_STATUS_CLASS, .least = 201, .most = 299}},
     1,
     OK "Content-Length: 0\r\n\r\n",
     .failure = FAILURE_STATUS},
    {"status_is_told_rather_than_the_body",
     {{.kind = EXPECT_STATUS_CLASS, .least = 404, .most = 404},
      {.kind = EXPECT_BODY, .text = TEXT("x")}},
     2,
     HELLO,
     .failure = FAILURE_STATUS},
    {"header_is_there",
     {{.kind = EXPECT_HEADER, .name = TEXT("content-TYPE"), .text = TEXT("")}},
     1,
     HELLO,
     .ok = true},
    {"header_contains",
     {{.kind = EXPECT_HEADER, .name = TEXT("Content-Type"), .text = TEXT("xt/p")}},
     1,
     HELLO,
     .ok = true},
    {"header_contains_something_else",
     {{.kind = EXPECT_HEADER, .name = TEXT("Content-Type"), .text = TEXT("json")}},
     1,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"header_is_not_there",
     {{.kind = EXPECT_HEADER, .name = TEXT("ETag"), .text = TEXT("")}},
     1,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"header_of_a_longer_name_is_another",
     {{.kind = EXPECT_HEADER, .name = TEXT("Content"), .text = TEXT("")}},
     1,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"header_may_come_twice",
     {{.kind = EXPECT_HEADER, .name = TEXT("A"), .text = TEXT("2")}},
     1,
     OK "A: 1\r\nA: 2\r\nA: 3\r\nContent-Length: 0\r\n\r\n",
     .ok = true},
    {"header_of_an_interim_answer_is_not_its_own",
     {{.kind = EXPECT_HEADER, .name = TEXT("Link"), .text = TEXT("")}},
     1,
     "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" HELLO,
     .failure = FAILURE_EXPECTATION},
    {"trailer_is_no_header",
     {{.kind = EXPECT_HEADER, .name = TEXT("X"), .text = TEXT("")}},
     1,
     OK CHUNKED "0\r\nX: y\r\n\r\n",
     .failure = FAILURE_EXPECTATION},
    {"word_of_the_reason_is_no_header",
     {{.kind = EXPECT_HEADER, .name = TEXT("X"), .text = TEXT("")}},
     1,
     "HTTP/1.1 200 X: y\r\nContent-Length: 0\r\n\r\n",
     .failure = FAILURE_EXPECTATION},
    {"both_headers_must_be_there",
     {{.kind = EXPECT_HEADER, .name = TEXT("Content-Type"), .text = TEXT("")},
      {.kind = EXPECT_HEADER, .name = TEXT("ETag"), .text = TEXT("")}},
     2,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"body_contains", {{.kind = EXPECT_BODY, .text = TEXT("ell")}}, 1, HELLO, .ok = true},
    {"body_contains_its_end", {{.kind = EXPECT_BODY, .text = TEXT("lo")}}, 1, HELLO, .ok = true},
    {"body_does_not_contain",
     {{.kind = EXPECT_BODY, .text = TEXT("help")}},
     1,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"body_contains_after_a_false_start",
     {{.kind = EXPECT_BODY, .text = TEXT("aabaaac")}},
     1,
     OK "Content-Length: 13\r\n\r\naabaabaabaaac",
     .ok = true},
    {"body_contains_over_chunks",
     {{.kind = EXPECT_BODY, .text = TEXT("hello")}},
     1,
     OK CHUNKED "2\r\nhe\r\n1;x\r\nl\r\n2\r\nlo\r\n0\r\n\r\n",
     .ok = true},
    {"framing_of_chunks_is_no_body",
     {{.kind = EXPECT_BODY, .text = TEXT("x")}},
     1,
     OK CHUNKED "2;x\r\nhe\r\n0\r\nx: x\r\n\r\n",
     .failure = FAILURE_EXPECTATION},
    {"header_is_no_body",
     {{.kind = EXPECT_BODY, .text = TEXT("plain")}},
     1,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"body_until_the_close_contains",
     {{.kind = EXPECT_BODY, .text = TEXT("end")}},
     1,
     OK "\r\nthe end",
     .ok = true,
     .close = true},
    {"both_texts_must_be_there",
     {{.kind = EXPECT_BODY, .text = TEXT("he")}, {.kind = EXPECT_BODY, .text = TEXT("eh")}},
     2,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"body_is_as_large_as_it_should_be",
     {{.kind = EXPECT_BODY_BYTES, .least = 5, .most = 5}},
     1,
     HELLO,
     .ok = true},
    {"body_is_one_too_small",
     {{.kind = EXPECT_BODY_BYTES, .least = 6, .most = UINT64_MAX}},
     1,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"body_is_one_too_large",
     {{.kind = EXPECT_BODY_BYTES, .least = 0, .most = 4}},
     1,
     HELLO,
     .failure = FAILURE_EXPECTATION},
    {"body_of_chunks_is_counted_without_them",
     {{.kind = EXPECT_BODY_BYTES, .least = 3, .most = 3}},
     1,
     OK CHUNKED "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
     .ok = true},
    {"empty_body_has_no_bytes",
     {{.kind = EXPECT_BODY_BYTES, .least = 0, .most = 0}},
     1,
     "HTTP/1.1 204 x\r\n\r\n",
     .ok = true},
};

static struct feed_result play(const struct expectation_case *row, size_t first, size_t piece)
{
    static struct assignment assignment;
    assignment = (struct assignment){
        .keep_alive = true,
        .request_count = 1,
        .requests = {{.name = "only",
                      .weight = 1,
                      .bytes = (const uint8_t *)GET,
                      .byte_count = sizeof GET - 1}},
        .expectation_count = row->count,
        .expectations = {row->wanted[0], row->wanted[1]},
    };
    struct error error = {0};
    struct workload_state state = {0};
    struct workload_request request;
    struct feed_result result = {0};
    enum feed_outcome outcome = FEED_MORE;
    void *configuration = workload_http1.configure(&assignment, &error);
    assert_non_null(configuration);
    void *room = calloc(1, workload_http1.room_bytes(configuration) + 1);
    struct workload_turn turn = {.room = room};
    workload_http1.begin(configuration, &turn, &state, &request);
    size_t count = strlen(row->answer);
    struct guard guard = guard_open(1024);
    for (size_t fed = 0, size = first; fed < count && outcome == FEED_MORE; size = piece) {
        size_t now = size < count - fed ? size : count - fed;
        outcome = workload_http1.feed(configuration, &state,
                                      guard_copy(&guard, row->answer + fed, now), now, &result);
        fed += now;
    }
    if (row->close)
        outcome = workload_http1.end(configuration, &state, &result);
    assert_int_equal(outcome, FEED_DONE);
    guard_close(&guard);
    free(room);
    workload_http1.release(configuration);
    return result;
}

static void answer_is_as_expected_or_not(void **state)
{
    const struct expectation_case *row = *state;
    size_t count = strlen(row->answer);
    for (size_t at = 1; at <= count; at++) {
        struct feed_result result = play(row, at, count);
        assert_int_equal(result.ok, row->ok);
        if (!row->ok)
            assert_int_equal(result.failure, row->failure);
    }
    assert_int_equal(play(row, 1, 1).ok, row->ok);
}

/* A header of so many bytes that is split in its middle. */
static bool long_header_is_seen(size_t bytes)
{
    static char line[HEADER_LINE_BYTES_MAX + 64];
    memset(line, 'x', sizeof line);
    memcpy(line, "A:", 2);
    line[bytes - 1] = '\n';
    static struct header_line kept;
    kept = (struct header_line){0};
    struct header_field field;
    assert_false(header_line_take(&kept, (const uint8_t *)line, bytes / 2, false, &field));
    return header_line_take(&kept, (const uint8_t *)line + bytes / 2, bytes - bytes / 2, true,
                            &field);
}

static void header_that_is_too_long_to_keep_is_not_looked_at(void **state)
{
    (void)state;
    assert_true(long_header_is_seen(HEADER_LINE_BYTES_MAX));
    assert_false(long_header_is_seen(HEADER_LINE_BYTES_MAX + 1));
}

static void refuses(const struct assignment *assignment)
{
    struct error error = {0};
    assert_null(expect_create(assignment, &error));
    assert_int_equal(error.kind, ERROR_PLAN);
}

static void more_expectations_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    static struct assignment assignment = {.request_count = 1};
    for (uint32_t i = 0; i <= EXPECT_ITEMS_MAX; i++)
        assignment.expectations[i] = (struct assignment_expectation){
            .kind = EXPECT_HEADER, .name = TEXT("A"), .text = TEXT("")};
    struct error error = {0};

    assignment.expectation_count = EXPECT_ITEMS_MAX;
    struct expect *expect = expect_create(&assignment, &error);
    assert_non_null(expect);
    expect_destroy(expect);

    assignment.expectation_count = EXPECT_ITEMS_MAX + 1;
    refuses(&assignment);
}

static void expectation_of_nothing_is_refused(void **state)
{
    (void)state;
    static struct assignment assignment = {
        .request_count = 1, .expectation_count = 1, .expectations = {{.kind = EXPECT_BODY}}};
    refuses(&assignment);
    assignment.expectations[0].kind = EXPECT_HEADER;
    refuses(&assignment);
}

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(header_that_is_too_long_to_keep_is_not_looked_at),
        cmocka_unit_test(more_expectations_than_there_is_room_for_are_refused),
        cmocka_unit_test(expectation_of_nothing_is_refused),
    };
    struct CMUnitTest tests[COUNT(expectation_cases) + COUNT(plain)];
    for (size_t i = 0; i < COUNT(expectation_cases); i++)
        tests[i] = (struct CMUnitTest){.name = expectation_cases[i].name,
                                       .test_func = answer_is_as_expected_or_not,
                                       .initial_state = (void *)(uintptr_t)&expectation_cases[i]};
    memcpy(tests + COUNT(expectation_cases), plain, sizeof plain);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
