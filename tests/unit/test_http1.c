#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/http1.h"
#include "common/base/check.h"
#include "common/base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What became of some bytes. */
struct verdict {
    enum http1_outcome outcome;
    size_t consumed;
    enum failure failure; /* of HTTP1_FAILED */
    uint16_t status;      /* these two of HTTP1_DONE */
    bool reusable;
};

static struct verdict verdict_of(const struct http1_response *response, enum http1_outcome outcome,
                                 size_t consumed, enum failure failure)
{
    struct verdict verdict = {.outcome = outcome, .consumed = consumed};
    if (outcome == HTTP1_FAILED)
        verdict.failure = failure;
    if (outcome == HTTP1_DONE) {
        verdict.status = response->status;
        verdict.reusable = http1_reusable(response);
    }
    return verdict;
}

/* Feeds `bytes` in pieces of `first`, then `piece` bytes, each in a heap block of its own size, so
 * that the sanitizer sees a byte read past its end. */
static struct verdict feed(const char *bytes, size_t count, size_t first, size_t piece, bool head)
{
    struct http1_response response;
    enum http1_outcome outcome = HTTP1_MORE;
    enum failure failure = FAILURE_COUNT;
    size_t consumed = 0;
    http1_begin(&response, head);
    for (size_t size = first; consumed < count && outcome == HTTP1_MORE; size = piece) {
        if (size > count - consumed)
            size = count - consumed;
        uint8_t *copy = malloc(size > 0 ? size : 1);
        assert_non_null(copy);
        memcpy(copy, bytes + consumed, size);
        size_t used = 0;
        outcome = http1_feed(&response, copy, size, &used, &failure);
        free(copy);
        assert_true(used <= size);
        assert_true(outcome != HTTP1_MORE || used == size);
        consumed += used;
    }
    return verdict_of(&response, outcome, consumed, failure);
}

static void assert_same(const struct verdict *split, const struct verdict *whole, size_t at)
{
    if (split->outcome != whole->outcome || split->consumed != whole->consumed ||
        split->failure != whole->failure || split->status != whole->status ||
        split->reusable != whole->reusable) {
        fail_msg("split at %zu: outcome %d after %zu bytes, failure %d; whole: %d, %zu, %d", at,
                 split->outcome, split->consumed, split->failure, whole->outcome, whole->consumed,
                 whole->failure);
    }
}

struct response_case {
    const char *name;
    const char *bytes;
    bool head;       /* the request was a HEAD */
    bool waits;      /* the answer is not whole */
    bool malformed;  /* it cannot be */
    uint16_t status; /* it is whole, with this status; these two as well */
    bool reusable;
    uint16_t spare; /* bytes behind the answer that are not its own */
};

#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct response_case response_cases[] = {
    /* Good ones */
    {"http1_takes_a_body_of_known_length", OK "Content-Length: 5\r\n\r\nhello", .status = 200,
     .reusable = true},
    {"http1_takes_an_empty_body", OK "Content-Length: 0\r\n\r\n", .status = 200, .reusable = true},
    {"http1_knows_names_in_any_case", OK "cOnTeNt-LeNgTh:3\r\n\r\nabc", .status = 200,
     .reusable = true},
    {"http1_takes_blanks_around_a_length", OK "Content-Length:\t 3 \t\r\n\r\nabc", .status = 200,
     .reusable = true},
    {"http1_leaves_what_follows", OK "Content-Length: 2\r\n\r\nokHTTP/1.1", .status = 200,
     .reusable = true, .spare = 8},
    {"http1_takes_many_headers",
     OK "Server: x\r\nDate: Mon, 24 Nov 2025 09:00:00 GMT\r\nContent-Type: text/plain\r\nConnect: "
        "no\r\nContents: 7\r\n"
        "Content-Length: 1\r\nX-Empty:\r\nT: 1\r\nC: 2\r\nETag: \"\xc3\xa9\ta\"\r\n\r\n.",
     .status = 200, .reusable = true},
    {"http1_takes_a_status_without_reason", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
     .status = 404, .reusable = true},
    {"http1_takes_an_empty_reason", "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n", .status = 599,
     .reusable = true},
    {"http1_takes_bare_lf_in_headers", "HTTP/1.1 200 OK\nContent-Length: 2\nX: y\n\nok",
     .status = 200, .reusable = true},
    {"http1_takes_equal_lengths", OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
     .status = 200, .reusable = true},
    {"http1_takes_no_body_with_204", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", .status = 204,
     .reusable = true},
    {"http1_takes_no_body_with_304", "HTTP/1.1 304 No\r\n" CHUNKED "\r\n", .status = 304,
     .reusable = true},
    {"http1_takes_no_body_after_head", OK "Content-Length: 500\r\n\r\n", .status = 200,
     .reusable = true, .head = true},
    {"http1_takes_no_chunks_after_head", OK CHUNKED "\r\n", .status = 200, .reusable = true,
     .head = true},
    {"http1_skips_interim_answers",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nContent-Length: 9\r\nConnection: "
     "close\r\n\r\n" OK "Content-Length: 1\r\n\r\n!",
     .status = 200, .reusable = true},
    /* Chunks */
    {"http1_takes_chunks", OK CHUNKED "\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
     .status = 200, .reusable = true},
    {"http1_takes_no_chunk_but_the_last", OK CHUNKED "\r\n0\r\n\r\n", .status = 200,
     .reusable = true},
    {"http1_takes_chunk_extensions", OK CHUNKED "\r\n2;a=b;c=\"d\"\r\nok\r\n00 ;x\r\n\r\n",
     .status = 200, .reusable = true},
    {"http1_takes_blanks_behind_a_chunk_size", OK CHUNKED "\r\n2   \r\nok\r\n0\r\n\r\n",
     .status = 200, .reusable = true},
    {"http1_takes_trailers_and_does_not_believe_them",
     OK CHUNKED "\r\n0\r\nContent-Length: 77\r\nConnection: close\r\nX: y\r\n\r\n", .status = 200,
     .reusable = true},
    {"http1_takes_another_coding_before_chunked",
     OK "Transfer-Encoding: gzip, Chunked\r\n\r\n0\r\n\r\n", .status = 200, .reusable = true},
    {"http1_joins_two_coding_lines", OK "Transfer-Encoding: gzip\r\n" CHUNKED "\r\n0\r\n\r\n",
     .status = 200, .reusable = true},
    {"http1_believes_chunked_over_a_length_but_closes",
     OK "Content-Length: 99\r\n" CHUNKED "\r\n1\r\n.\r\n0\r\n\r\n", .status = 200},
    /* Whether the connection lives on */
    {"http1_hears_close", OK "Connection: Close\r\nContent-Length: 0\r\n\r\n", .status = 200},
    {"http1_hears_close_in_a_list", OK "Connection: te, , close ,x\r\nContent-Length: 0\r\n\r\n",
     .status = 200},
    {"http1_does_not_hear_words_like_close",
     OK "Connection: closed, clos, clo se, close x\r\nContent-Length: 0\r\n\r\n", .status = 200,
     .reusable = true},
    {"http1_closes_after_http_1_0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", .status = 200},
    {"http1_keeps_http_1_0_when_told",
     "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", .status = 200,
     .reusable = true},
    {"http1_lets_close_win",
     "HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 0\r\n\r\n",
     .status = 200},
    {"http1_does_not_trust_chunks_of_http_1_0",
     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" CHUNKED "\r\n0\r\n\r\n", .status = 200},
    /* Unfinished */
    {"http1_waits_for_the_close_without_length", OK "\r\nabc", .waits = true},
    {"http1_waits_for_the_close_with_an_unknown_coding",
     OK "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nabc", .waits = true},
    {"http1_waits_for_the_final_answer", "HTTP/1.1 100 Continue\r\n\r\n", .waits = true},
    {"http1_waits_for_the_largest_length", OK "Content-Length: 18446744073709551615\r\n\r\nabc",
     .waits = true},
    {"http1_waits_for_the_largest_chunk", OK CHUNKED "\r\nfFffFFffffffffff\r\nabc", .waits = true},
    /* Bad ones */
    {"http1_refuses_another_protocol", "SSH-2.0-x\r\n", .malformed = true},
    {"http1_refuses_a_blank_line_first", "\r\n" OK "\r\n", .malformed = true},
    {"http1_refuses_http_2", "HTTP/2.0 200 OK\r\n\r\n", .malformed = true},
    {"http1_refuses_a_version_without_digit", "HTTP/1.x 200 OK\r\n\r\n", .malformed = true},
    {"http1_refuses_two_blanks_before_the_status", "HTTP/1.1  200 OK\r\n\r\n", .malformed = true},
    {"http1_refuses_a_status_of_two_digits", "HTTP/1.1 20 OK\r\n\r\n", .malformed = true},
    {"http1_refuses_a_status_of_four_digits", "HTTP/1.1 2000 OK\r\n\r\n", .malformed = true},
    {"http1_refuses_status_099", "HTTP/1.1 099 OK\r\n\r\n", .malformed = true},
    {"http1_refuses_status_600", "HTTP/1.1 600 OK\r\n\r\n", .malformed = true},
    {"http1_refuses_switching_protocols", "HTTP/1.1 101 Switch\r\n\r\n", .malformed = true},
    {"http1_refuses_a_cr_alone", "HTTP/1.1 200 OK\r\rX: y\r\n\r\n", .malformed = true},
    {"http1_refuses_a_control_byte_in_a_reason", "HTTP/1.1 200 O\001K\r\n\r\n", .malformed = true},
    {"http1_refuses_del_in_a_value", OK "X: 0123456\177\r\n\r\n", .malformed = true},
    {"http1_refuses_a_cr_in_a_value", OK "X: a\rb\r\n\r\n", .malformed = true},
    {"http1_refuses_folded_lines", OK "X: a\r\n b\r\n\r\n", .malformed = true},
    {"http1_refuses_a_line_without_colon", OK "X\r\n\r\n", .malformed = true},
    {"http1_refuses_a_line_without_name", OK ": x\r\n\r\n", .malformed = true},
    {"http1_refuses_a_blank_before_the_colon", OK "Content-Length : 1\r\n\r\n.", .malformed = true},
    {"http1_refuses_a_name_outside_ascii", OK "\xc3\xa9: 1\r\n\r\n", .malformed = true},
    {"http1_refuses_different_lengths", OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
     .malformed = true},
    {"http1_refuses_a_list_of_lengths", OK "Content-Length: 2, 2\r\n\r\n", .malformed = true},
    {"http1_refuses_an_empty_length", OK "Content-Length: \r\n\r\n", .malformed = true},
    {"http1_refuses_a_negative_length", OK "Content-Length: -1\r\n\r\n", .malformed = true},
    {"http1_refuses_a_signed_length", OK "Content-Length: +1\r\n\r\n", .malformed = true},
    {"http1_refuses_a_length_in_two_words", OK "Content-Length: 1 2\r\n\r\n", .malformed = true},
    {"http1_refuses_a_hexadecimal_length", OK "Content-Length: 0x1\r\n\r\n", .malformed = true},
    {"http1_refuses_a_length_one_too_large", OK "Content-Length: 18446744073709551616\r\n\r\n",
     .malformed = true},
    {"http1_refuses_chunked_twice", OK "Transfer-Encoding: chunked, chunked\r\n\r\n",
     .malformed = true},
    {"http1_refuses_chunked_before_another_coding", OK CHUNKED "Transfer-Encoding: gzip\r\n\r\n",
     .malformed = true},
    {"http1_refuses_a_control_byte_in_a_list", OK "Connection: clo\001se\r\n\r\n",
     .malformed = true},
    {"http1_refuses_a_chunk_size_that_overflows", OK CHUNKED "\r\n10000000000000000\r\n",
     .malformed = true},
    {"http1_refuses_an_empty_chunk_size", OK CHUNKED "\r\n\r\n", .malformed = true},
    {"http1_refuses_a_chunk_size_of_letters", OK CHUNKED "\r\ng\r\n", .malformed = true},
    {"http1_refuses_a_blank_before_a_chunk_size", OK CHUNKED "\r\n 1\r\n", .malformed = true},
    {"http1_refuses_a_chunk_size_in_two_words", OK CHUNKED "\r\n1 1\r\n", .malformed = true},
    {"http1_refuses_bare_lf_behind_a_chunk_size", OK CHUNKED "\r\n1\n.\r\n", .malformed = true},
    {"http1_refuses_bare_lf_behind_a_chunk", OK CHUNKED "\r\n1\r\n.\n", .malformed = true},
    {"http1_refuses_a_chunk_longer_than_it_said", OK CHUNKED "\r\n1\r\n..\r\n", .malformed = true},
    {"http1_refuses_a_bare_lf_in_an_extension", OK CHUNKED "\r\n1;x\n.\r\n", .malformed = true},
    {"http1_refuses_a_trailer_without_colon", OK CHUNKED "\r\n0\r\nX\r\n\r\n", .malformed = true},
};

/* The verdict as the row has it, whole, byte by byte, and cut in two at every place. */
static void response_gets_its_verdict(void **state)
{
    const struct response_case *row = *state;
    size_t count = strlen(row->bytes);

    struct verdict whole = feed(row->bytes, count, count, count, row->head);

    if (row->waits) {
        assert_int_equal(whole.outcome, HTTP1_MORE);
    } else if (row->malformed) {
        assert_int_equal(whole.outcome, HTTP1_FAILED);
        assert_int_equal(whole.failure, FAILURE_MALFORMED);
    } else {
        assert_int_equal(whole.outcome, HTTP1_DONE);
        assert_int_equal(whole.status, row->status);
        assert_int_equal(whole.reusable, row->reusable);
        assert_int_equal(whole.consumed, count - row->spare);
    }
    for (size_t at = 1; at < count; at++) {
        struct verdict split = feed(row->bytes, count, at, count, row->head);
        assert_same(&split, &whole, at);
    }
    struct verdict bytewise = feed(row->bytes, count, 1, 1, row->head);
    assert_same(&bytewise, &whole, 1);
}

/* Feeds the bytes and compares the verdict with that of odd pieces. */
static struct verdict feed_large(const char *bytes, size_t count)
{
    struct verdict whole = feed(bytes, count, count, count, false);
    struct verdict pieces = feed(bytes, count, 7, 1009, false);
    assert_same(&pieces, &whole, 1009);
    return whole;
}

/* A response whose second line is `line_bytes` long, its end included. */
static struct verdict feed_line_of(size_t line_bytes)
{
    size_t count = sizeof OK - 1 + line_bytes;
    char *bytes = malloc(count);
    assert_non_null(bytes);
    memcpy(bytes, OK, sizeof OK - 1);
    memset(bytes + sizeof OK - 1, 'x', line_bytes);
    bytes[sizeof OK] = ':';
    memcpy(bytes + count - 2, "\r\n", 2);
    struct verdict verdict = feed_large(bytes, count);
    free(bytes);
    return verdict;
}

static void http1_bounds_a_line(void **state)
{
    (void)state;
    assert_int_equal(feed_line_of(RESPONSE_LINE_BYTES_MAX).outcome, HTTP1_MORE);

    struct verdict verdict = feed_line_of(RESPONSE_LINE_BYTES_MAX + 1);

    assert_int_equal(verdict.outcome, HTTP1_FAILED);
    assert_int_equal(verdict.failure, FAILURE_TOO_LARGE);
}

/* Lines of 1,024 bytes, the status line filled up to one too, then the end of the block. */
static struct verdict feed_block_of(size_t block_bytes)
{
    char *bytes = malloc(block_bytes);
    assert_non_null(bytes);
    memset(bytes, 'x', block_bytes);
    for (size_t at = 0; at < block_bytes; at += 1024) {
        memcpy(bytes + at, at == 0 ? "HTTP/1.1 200 " : "name: value  ", 13);
        size_t end = at + 1024 < block_bytes - 2 ? at + 1024 : block_bytes - 2;
        memcpy(bytes + end - 2, "\r\n", 2);
    }
    memcpy(bytes + block_bytes - 2, "\r\n", 2);
    struct verdict verdict = feed_large(bytes, block_bytes);
    free(bytes);
    return verdict;
}

static void http1_bounds_a_header_block(void **state)
{
    (void)state;
    assert_int_equal(feed_block_of(RESPONSE_HEADER_BYTES_MAX).outcome, HTTP1_MORE);

    struct verdict verdict = feed_block_of(RESPONSE_HEADER_BYTES_MAX + 100);

    assert_int_equal(verdict.outcome, HTTP1_FAILED);
    assert_int_equal(verdict.failure, FAILURE_TOO_LARGE);
}

/* `head`, then `count` times `line`, then `tail`. */
static struct verdict feed_many(const char *head, const char *line, size_t count, const char *tail)
{
    size_t length = strlen(line);
    char *bytes = malloc(strlen(head) + count * length + strlen(tail) + 1);
    assert_non_null(bytes);
    char *at = stpcpy(bytes, head);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, line);
    at = stpcpy(at, tail);
    struct verdict verdict = feed_large(bytes, (size_t)(at - bytes));
    free(bytes);
    return verdict;
}

static void http1_bounds_the_header_lines(void **state)
{
    (void)state;
    struct verdict most = feed_many("HTTP/1.1 204 x\r\n", "X: y\r\n", RESPONSE_HEADERS_MAX, "\r\n");
    assert_int_equal(most.outcome, HTTP1_DONE);

    struct verdict verdict =
        feed_many("HTTP/1.1 204 x\r\n", "X: y\r\n", RESPONSE_HEADERS_MAX + 1, "\r\n");

    assert_int_equal(verdict.outcome, HTTP1_FAILED);
    assert_int_equal(verdict.failure, FAILURE_TOO_LARGE);
}

static void http1_bounds_the_trailer_lines(void **state)
{
    (void)state;
    const char *head = OK CHUNKED "\r\n0\r\n";
    assert_int_equal(feed_many(head, "X: y\r\n", RESPONSE_HEADERS_MAX, "\r\n").outcome, HTTP1_DONE);

    struct verdict verdict = feed_many(head, "X: y\r\n", RESPONSE_HEADERS_MAX + 1, "\r\n");

    assert_int_equal(verdict.failure, FAILURE_TOO_LARGE);
}

static void http1_bounds_interim_answers(void **state)
{
    (void)state;
    const char *interim = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *final = "HTTP/1.1 204 x\r\n\r\n";
    assert_int_equal(feed_many("", interim, RESPONSE_INTERIM_MAX, final).outcome, HTTP1_DONE);

    struct verdict verdict = feed_many("", interim, RESPONSE_INTERIM_MAX + 1, final);

    assert_int_equal(verdict.outcome, HTTP1_FAILED);
    assert_int_equal(verdict.failure, FAILURE_TOO_LARGE);
}

static void http1_bounds_a_chunk_line(void **state)
{
    (void)state;
    const char *head = OK CHUNKED "\r\n1;";

    struct verdict verdict = feed_many(head, "x", RESPONSE_LINE_BYTES_MAX, "\r\n.\r\n0\r\n\r\n");

    assert_int_equal(verdict.outcome, HTTP1_FAILED);
    assert_int_equal(verdict.failure, FAILURE_TOO_LARGE);
}

static void http1_does_not_bound_the_number_of_chunks(void **state)
{
    (void)state;
    struct verdict verdict = feed_many(OK CHUNKED "\r\n", "1\r\n.\r\n", 20000, "0\r\n\r\n");

    assert_int_equal(verdict.outcome, HTTP1_DONE);
    assert_true(verdict.reusable);
}

static void http1_refuses_a_nul_in_a_value(void **state)
{
    (void)state;
    const char bytes[] = OK "X: a\0b\r\n\r\n";

    assert_int_equal(feed(bytes, sizeof bytes - 1, 100, 1, false).failure, FAILURE_MALFORMED);
}

/* Feeds all of `text`, then closes. */
static struct verdict feed_and_close(const char *text)
{
    struct http1_response response;
    enum failure failure = FAILURE_COUNT;
    size_t consumed = 0;
    http1_begin(&response, false);
    if (http1_feed(&response, (const uint8_t *)text, strlen(text), &consumed, &failure) !=
        HTTP1_MORE)
        fail_msg("it was over before the close");
    enum http1_outcome outcome = http1_end(&response, &failure);
    return verdict_of(&response, outcome, consumed, failure);
}

static void http1_is_done_when_the_close_ends_the_body(void **state)
{
    (void)state;
    struct verdict verdict = feed_and_close(OK "\r\nabc");

    assert_int_equal(verdict.outcome, HTTP1_DONE);
    assert_int_equal(verdict.status, 200);
    assert_false(verdict.reusable);
}

static void http1_fails_when_the_close_comes_too_early(void **state)
{
    (void)state;
    static const char *const early[] = {
        "",
        "HTTP/1.1 2",
        OK,
        OK "Content-Length: 4\r\n\r\nabc",
        OK CHUNKED "\r\n4\r\nabc",
        OK CHUNKED "\r\n0\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT(early); i++) {
        struct verdict verdict = feed_and_close(early[i]);
        assert_int_equal(verdict.outcome, HTTP1_FAILED);
        assert_int_equal(verdict.failure, FAILURE_CLOSED);
    }
}

int main(void)
{
    static struct CMUnitTest rows[COUNT(response_cases)];
    for (size_t i = 0; i < COUNT(response_cases); i++) {
        rows[i] = (struct CMUnitTest){.name = response_cases[i].name,
                                      .test_func = response_gets_its_verdict,
                                      .initial_state = (void *)(uintptr_t)&response_cases[i]};
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http1_bounds_a_line),
        cmocka_unit_test(http1_bounds_a_header_block),
        cmocka_unit_test(http1_bounds_the_header_lines),
        cmocka_unit_test(http1_bounds_the_trailer_lines),
        cmocka_unit_test(http1_bounds_interim_answers),
        cmocka_unit_test(http1_bounds_a_chunk_line),
        cmocka_unit_test(http1_does_not_bound_the_number_of_chunks),
        cmocka_unit_test(http1_refuses_a_nul_in_a_value),
        cmocka_unit_test(http1_is_done_when_the_close_ends_the_body),
        cmocka_unit_test(http1_fails_when_the_close_comes_too_early),
    };
    int failed = cmocka_run_group_tests_name("responses", rows, NULL, NULL);
    return failed + cmocka_run_group_tests_name("bounds and closes", tests, NULL, NULL);
}
