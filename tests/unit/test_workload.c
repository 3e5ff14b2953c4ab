#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/workload.h"
#include "common/base/check.h"

#include <string.h>

/* An assignment with one request, made from text. */
static struct assignment assignment_of(const char *workload, const char *bytes, const char *prefix)
{
    struct assignment assignment = {
        .keep_alive = true,
        .request_count = 1,
        .requests = {{
            .name = "only",
            .weight = 1,
            .bytes = (const uint8_t *)bytes,
            .byte_count = strlen(bytes),
            .expect_prefix = (const uint8_t *)prefix,
            .expect_prefix_count = strlen(prefix),
        }},
    };
    strcpy(assignment.workload, workload);
    return assignment;
}

/* What a worker would see. */
struct outcome {
    enum feed_outcome outcome;
    struct feed_result result;
};

/* Begins the one request, feeds `answer` in pieces of `piece` bytes, then closes when `close`. */
static struct outcome play(const struct assignment *assignment, const char *answer, size_t piece,
                           bool close, struct workload_request *request)
{
    const struct workload *workload = workload_find(assignment->workload);
    struct error error = {0};
    struct workload_state state = {0};
    struct outcome seen = {.outcome = FEED_MORE};
    void *configuration = workload->configure(assignment, &error);
    assert_non_null(configuration);
    workload->begin(configuration, &(struct workload_turn){.kind = 0}, &state, request);
    size_t count = strlen(answer), fed = 0;
    while (fed < count && seen.outcome == FEED_MORE) {
        size_t now = piece < count - fed ? piece : count - fed;
        seen.outcome =
            workload->feed(configuration, &state, (const uint8_t *)answer + fed, now, &seen.result);
        fed += seen.result.consumed;
    }
    if (close)
        seen.outcome = workload->end(configuration, &state, &seen.result);
    seen.result.consumed = fed;
    workload->release(configuration);
    return seen;
}

#define PING "*1\r\n$4\r\nPING\r\n"
#define GET  "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

struct answer_case {
    const char *name;
    const char *workload, *sends, *prefix, *answer;
    enum feed_outcome outcome;
    bool ok, reusable;
    enum failure failure;
    uint16_t status, expect_status;
    bool close, keep_alive_off, reconnect, head;
};

static const struct answer_case answer_cases[] = {
    {"http1_below_400_is_ok", "http1", GET, "", "HTTP/1.1 399 x\r\nContent-Length: 1\r\n\r\n.",
     .outcome = FEED_DONE, .ok = true, .reusable = true, .status = 399},
    {"http1_from_400_is_not", "http1", GET, "", "HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n",
     .outcome = FEED_DONE, .failure = FAILURE_STATUS, .reusable = true, .status = 400},
    {"http1_the_expected_status_is_ok", "http1", GET, "",
     "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", .outcome = FEED_DONE, .ok = true,
     .reusable = true, .status = 404, .expect_status = 404},
    {"http1_another_status_is_not", "http1", GET, "", "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n",
     .outcome = FEED_DONE, .failure = FAILURE_STATUS, .reusable = true, .status = 200,
     .expect_status = 404},
    {"http1_a_head_has_no_body", "http1", "HEAD / HTTP/1.1\r\n\r\n", "",
     "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n", .outcome = FEED_DONE, .ok = true,
     .reusable = true, .status = 200, .head = true},
    {"http1_broken_bytes_fail", "http1", GET, "", "HTTP/3", .outcome = FEED_FAILED,
     .failure = FAILURE_MALFORMED},
    {"http1_a_close_may_end_an_answer", "http1", GET, "", "HTTP/1.1 200 x\r\n\r\nabc",
     .outcome = FEED_DONE, .ok = true, .status = 200, .close = true},
    {"http1_a_close_may_break_an_answer", "http1", GET, "", "HTTP/1.1 200 x\r\n",
     .outcome = FEED_FAILED, .failure = FAILURE_CLOSED, .close = true},
    {"http1_without_keep_alive_nothing_is_reused", "http1", GET, "", "HTTP/1.1 204 x\r\n\r\n",
     .outcome = FEED_DONE, .ok = true, .status = 204, .keep_alive_off = true},
    {"tcp_a_line_answers_a_line", "tcp", "PING\r\n", "", "+PONG\r\n", .outcome = FEED_DONE,
     .ok = true, .reusable = true},
    {"tcp_a_line_begins_with_the_prefix", "tcp", "PING\r\n", "+PONG", "+PONG\r\n",
     .outcome = FEED_DONE, .ok = true, .reusable = true},
    {"tcp_the_prefix_may_be_the_line", "tcp", "PING\r\n", "+PONG\r\n", "+PONG\r\n",
     .outcome = FEED_DONE, .ok = true, .reusable = true},
    {"tcp_the_prefix_may_hold_lines", "tcp", "GET a\r\n", "$1\r\nx", "$1\r\nx\r\n",
     .outcome = FEED_DONE, .ok = true, .reusable = true},
    {"tcp_another_line_is_not_expected", "tcp", "PING\r\n", "+PONG", "-ERR\r\n",
     .outcome = FEED_DONE, .failure = FAILURE_EXPECTATION, .reusable = true},
    {"tcp_a_shorter_line_is_not_expected", "tcp", "PING\r\n", "+PONG", "+\r\n",
     .outcome = FEED_DONE, .failure = FAILURE_EXPECTATION, .reusable = true},
    {"tcp_an_answer_is_as_long_as_the_prefix", "tcp", "ab", "xyz", "xyz", .outcome = FEED_DONE,
     .ok = true, .reusable = true},
    {"tcp_another_answer_is_not_expected", "tcp", "ab", "xyz", "x.z", .outcome = FEED_DONE,
     .failure = FAILURE_EXPECTATION, .reusable = true},
    {"tcp_an_echo_is_as_long_as_the_payload", "tcp", "abc", "", "abc", .outcome = FEED_DONE,
     .ok = true, .reusable = true},
    {"tcp_half_an_echo_is_waited_for", "tcp", "abc", "", "ab", .outcome = FEED_MORE},
    {"tcp_a_close_breaks_an_answer", "tcp", "abc", "", "ab", .outcome = FEED_FAILED,
     .failure = FAILURE_CLOSED, .close = true},
    {"redis_a_line_is_an_answer", "redis", PING, "", "+PONG\r\n", .outcome = FEED_DONE, .ok = true,
     .reusable = true},
    {"redis_a_list_is_one_answer", "redis", PING, "", "*2\r\n$1\r\na\r\n:1\r\n",
     .outcome = FEED_DONE, .ok = true, .reusable = true},
    {"redis_an_error_fails_its_request_alone", "redis", PING, "", "-ERR x\r\n",
     .outcome = FEED_DONE, .failure = FAILURE_EXPECTATION, .reusable = true},
    {"redis_an_error_may_be_expected", "redis", PING, "-WRONGTYPE", "-WRONGTYPE x\r\n",
     .outcome = FEED_DONE, .ok = true, .reusable = true},
    {"redis_an_answer_begins_with_the_prefix", "redis", PING, "$1\r\nx", "$1\r\nx\r\n",
     .outcome = FEED_DONE, .ok = true, .reusable = true},
    {"redis_another_answer_is_not_expected", "redis", PING, "$1\r\nx", "$1\r\ny\r\n",
     .outcome = FEED_DONE, .failure = FAILURE_EXPECTATION, .reusable = true},
    {"redis_a_shorter_answer_is_not_expected", "redis", PING, "+PONG\r\n.", "+PONG\r\n",
     .outcome = FEED_DONE, .failure = FAILURE_EXPECTATION, .reusable = true},
    {"redis_half_an_answer_is_waited_for", "redis", PING, "", "$2\r\na", .outcome = FEED_MORE},
    {"redis_broken_bytes_fail", "redis", PING, "", "HTTP/1.1", .outcome = FEED_FAILED,
     .failure = FAILURE_MALFORMED},
    {"redis_a_close_breaks_an_answer", "redis", PING, "", "$2\r\na", .outcome = FEED_FAILED,
     .failure = FAILURE_CLOSED, .close = true},
    {"redis_reconnect_reuses_nothing", "redis", PING, "", "+PONG\r\n", .outcome = FEED_DONE,
     .ok = true, .reconnect = true},
    {"tcp_reconnect_reuses_nothing", "tcp", "abc", "", "abc", .outcome = FEED_DONE, .ok = true,
     .reconnect = true},
};

/* The outcome as the row has it, with pieces of every size. */
static void answer_is_judged(void **state)
{
    const struct answer_case *row = *state;
    struct assignment assignment = assignment_of(row->workload, row->sends, row->prefix);
    assignment.keep_alive = !row->keep_alive_off;
    assignment.requests[0].expect_status = row->expect_status;
    assignment.requests[0].reconnect = row->reconnect;
    assignment.requests[0].head = row->head;

    for (size_t piece = 1; piece <= strlen(row->answer); piece++) {
        struct workload_request request;
        struct outcome seen = play(&assignment, row->answer, piece, row->close, &request);

        assert_int_equal(seen.outcome, row->outcome);
        assert_int_equal(seen.result.ok, row->ok);
        assert_int_equal(seen.result.failure, row->failure);
        assert_int_equal(seen.result.status, row->status);
        assert_int_equal(seen.result.reusable, row->reusable);
        assert_true(request.expects_answer);
        assert_int_equal(request.close_after, row->keep_alive_off || row->reconnect);
        assert_string_equal((const char *)request.bytes, row->sends);
    }
}

static void workload_find_knows_its_rows_and_no_other(void **state)
{
    (void)state;
    assert_ptr_equal(workload_find("http1"), &workload_http1);
    assert_ptr_equal(workload_find("tcp"), &workload_tcp);
    assert_ptr_equal(workload_find("redis"), &workload_redis);
    assert_null(workload_find("http"));
    assert_null(workload_find(""));
}

static void workload_leaves_what_follows_an_answer(void **state)
{
    (void)state;
    struct workload_request request;
    struct assignment http = assignment_of("http1", GET, "");
    struct assignment tcp = assignment_of("tcp", "PING\r\n", "+PONG");
    const char *two = "HTTP/1.1 204 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n";

    assert_int_equal(play(&http, two, 100, false, &request).result.consumed, strlen(two) / 2);
    assert_int_equal(play(&tcp, "+PONG\r\n+PONG\r\n", 100, false, &request).result.consumed, 7);
}

static void tcp_connects_and_closes_when_there_is_nothing_to_send(void **state)
{
    (void)state;
    struct assignment assignment = assignment_of("tcp", "", "");
    struct workload_request request;

    play(&assignment, "", 1, false, &request);

    assert_int_equal(request.byte_count, 0);
    assert_false(request.expects_answer);
    assert_true(request.close_after);
}

static void tcp_bounds_a_line_that_does_not_end(void **state)
{
    (void)state;
    static char endless[ASSIGNMENT_BYTES_MAX + 2];
    struct assignment assignment = assignment_of("tcp", "PING\r\n", "");
    struct workload_request request;
    memset(endless, 'x', sizeof endless - 1);

    struct outcome seen = play(&assignment, endless, 4096, false, &request);

    assert_int_equal(seen.outcome, FEED_FAILED);
    assert_int_equal(seen.result.failure, FAILURE_TOO_LARGE);
}

static void workload_configure_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    struct error error = {0};
    struct assignment http = assignment_of("http1", "", "");
    struct assignment tcp = assignment_of("tcp", "", "+PONG");

    assert_null(workload_http1.configure(&http, &error));
    assert_int_equal(error.kind, ERROR_PLAN);
    error = (struct error){0};
    assert_null(workload_tcp.configure(&tcp, &error));
    assert_int_equal(error.kind, ERROR_PLAN);
}

int main(void)
{
    static struct CMUnitTest rows[COUNT(answer_cases)];
    for (size_t i = 0; i < COUNT(answer_cases); i++) {
        rows[i] = (struct CMUnitTest){.name = answer_cases[i].name,
                                      .test_func = answer_is_judged,
                                      .initial_state = (void *)(uintptr_t)&answer_cases[i]};
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workload_find_knows_its_rows_and_no_other),
        cmocka_unit_test(workload_leaves_what_follows_an_answer),
        cmocka_unit_test(tcp_connects_and_closes_when_there_is_nothing_to_send),
        cmocka_unit_test(tcp_bounds_a_line_that_does_not_end),
        cmocka_unit_test(workload_configure_refuses_what_makes_no_sense),
    };
    int failed = cmocka_run_group_tests_name("answers", rows, NULL, NULL);
    return failed + cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
