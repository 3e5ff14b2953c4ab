#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/target_counts.h"
#include "agent/target_knobs.h"
#include "agent/target_model.h"
#include "agent/target_request.h"

#include "common/base/check.h"
#include "common/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct target_model *model_of(uint32_t tickets_max, struct target_knobs knobs)
{
    struct target_model *model = target_model_create(tickets_max, 1, NULL);
    assert_non_null(model);
    target_model_turn(model, &knobs, 0);
    return model;
}

static void arrives(struct target_model *model, uint32_t ticket, uint64_t now_ns)
{
    assert_int_equal(target_model_arrive(model, ticket, now_ns), TARGET_SERVED);
}

/* The next departure is `ticket`, done at `at_ns` exactly, when asked at `now_ns`. */
static void departs(struct target_model *model, uint64_t now_ns, uint32_t ticket, uint64_t at_ns)
{
    struct target_departure departure;
    assert_true(target_model_depart(model, now_ns, &departure));
    assert_int_equal(departure.ticket, ticket);
    assert_int_equal(departure.at_ns, at_ns);
}

static void nobody_departs(struct target_model *model, uint64_t now_ns)
{
    struct target_departure departure;
    assert_false(target_model_depart(model, now_ns, &departure));
}

static void model_serves_each_at_once_without_a_limit(void **state)
{
    (void)state;
    struct target_model *model = model_of(4, (struct target_knobs){.latency_ns = 100});

    for (uint32_t i = 0; i < 4; i++)
        arrives(model, i, 10 * i);

    assert_int_equal(target_model_in_service(model), 4);
    assert_int_equal(target_model_next_ns(model), 100);
    nobody_departs(model, 99);
    departs(model, 110, 0, 100);
    departs(model, 110, 1, 110);
    nobody_departs(model, 110);
    departs(model, 1000, 2, 120);
    departs(model, 1000, 3, 130);
    assert_int_equal(target_model_next_ns(model), 0);
    target_model_destroy(model);
}

static void model_is_done_at_once_without_latency(void **state)
{
    (void)state;
    struct target_model *model = model_of(1, (struct target_knobs){0});

    arrives(model, 0, 7);

    departs(model, 7, 0, 7);
    target_model_destroy(model);
}

static void model_serves_first_come_first_served(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(8, (struct target_knobs){.latency_ns = 100, .servers = 2});
    static const uint32_t tickets[] = {5, 3, 7, 0, 6};

    for (size_t i = 0; i < COUNT(tickets); i++)
        arrives(model, tickets[i], 0);

    assert_int_equal(target_model_in_service(model), 2);
    assert_int_equal(target_model_waiting(model), 3);
    departs(model, 500, 5, 100);
    departs(model, 500, 3, 100);
    departs(model, 500, 7, 200);
    departs(model, 500, 0, 200);
    departs(model, 500, 6, 300);
    nobody_departs(model, 500);
    target_model_destroy(model);
}

static void model_lets_equals_leave_in_the_order_they_came(void **state)
{
    (void)state;
    struct target_model *model = model_of(64, (struct target_knobs){.latency_ns = 100});

    for (uint32_t i = 0; i < 64; i++)
        arrives(model, 63 - i, 0);

    for (uint32_t i = 0; i < 64; i++)
        departs(model, 100, 63 - i, 100);
    target_model_destroy(model);
}

/* Workers that ask again as soon as they are answered, against a loop that looks only every
 * `look_ns`. */
static uint32_t served_in_a_second(struct target_model *model, uint32_t workers, uint64_t look_ns)
{
    struct target_departure departure;
    uint32_t served = 0;
    for (uint32_t i = 0; i < workers; i++)
        arrives(model, i, 0);
    for (uint64_t now_ns = look_ns; now_ns <= NS_PER_S; now_ns += look_ns) {
        while (target_model_depart(model, now_ns, &departure)) {
            served++;
            arrives(model, departure.ticket, now_ns);
        }
    }
    return served;
}

static void model_of_10_servers_and_5_ms_serves_2000_a_second(void **state)
{
    (void)state;
    const struct target_knobs knobs = {.latency_ns = 5 * NS_PER_MS, .servers = 10};
    struct target_model *model = model_of(64, knobs);
    struct target_model *looked_at_late = model_of(64, knobs);

    assert_int_equal(served_in_a_second(model, 64, 100000), 2000);
    assert_int_equal(served_in_a_second(looked_at_late, 64, 4 * NS_PER_MS), 2000);

    target_model_destroy(model);
    target_model_destroy(looked_at_late);
}

static void model_starts_nobody_before_they_came(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(2, (struct target_knobs){.latency_ns = 100, .servers = 1});

    arrives(model, 0, 0);
    arrives(model, 1, 150); /* the first is done since 100, but nobody has asked yet */

    departs(model, 250, 0, 100);
    departs(model, 250, 1, 250);
    target_model_destroy(model);
}

static void model_refuses_who_finds_the_line_full(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(8, (struct target_knobs){.latency_ns = 100, .servers = 1, .queue = 2});
    for (uint32_t i = 0; i < 3; i++)
        arrives(model, i, 0);

    assert_int_equal(target_model_arrive(model, 3, 0), TARGET_REFUSED);

    assert_int_equal(target_model_waiting(model), 2);
    departs(model, 100, 0, 100);
    arrives(model, 3, 100);
    target_model_destroy(model);
}

static void model_takes_from_the_line_when_servers_are_added(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(8, (struct target_knobs){.latency_ns = 100, .servers = 1});
    for (uint32_t i = 0; i < 5; i++)
        arrives(model, i, 0);

    target_model_turn(model, &(struct target_knobs){.latency_ns = 20, .servers = 3}, 50);

    assert_int_equal(target_model_in_service(model), 3);
    departs(model, 200, 1, 70);
    departs(model, 200, 2, 70);
    departs(model, 200, 3, 90);
    departs(model, 200, 4, 90);
    departs(model, 200, 0, 100); /* began under the old latency, and keeps it */
    target_model_destroy(model);
}

static void model_lets_servers_that_are_taken_away_finish(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(8, (struct target_knobs){.latency_ns = 100, .servers = 3});
    for (uint32_t i = 0; i < 5; i++)
        arrives(model, i, 0);

    target_model_turn(model, &(struct target_knobs){.latency_ns = 100, .servers = 1}, 50);

    departs(model, 100, 0, 100);
    departs(model, 100, 1, 100);
    assert_int_equal(target_model_in_service(model), 1);
    assert_int_equal(target_model_waiting(model), 2);
    departs(model, 100, 2, 100);
    departs(model, 300, 3, 200);
    departs(model, 300, 4, 300);
    target_model_destroy(model);
}

static void model_slows_down_for_each_one_beyond_the_servers(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(8, (struct target_knobs){.latency_ns = 100, .servers = 2, .retrograde = 0.5});
    for (uint32_t i = 0; i < 5; i++)
        arrives(model, i, 0);

    departs(model, 1000, 0, 100); /* alone */
    departs(model, 1000, 1, 100); /* two, but two servers */
    departs(model, 1000, 3, 250); /* began as one of three, one of them beyond the servers */
    departs(model, 1000, 2, 300); /* began as one of four */
    departs(model, 1000, 4, 350); /* began when the line was empty */
    target_model_destroy(model);
}

static void model_without_servers_slows_down_for_each_one_beyond_the_first(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(8, (struct target_knobs){.latency_ns = 100, .retrograde = 0.5});

    for (uint32_t i = 0; i < 3; i++)
        arrives(model, i, 0);

    departs(model, 1000, 0, 100);
    departs(model, 1000, 1, 150);
    departs(model, 1000, 2, 200);
    target_model_destroy(model);
}

static void model_gives_less_beyond_the_knee_when_retrograde(void **state)
{
    (void)state;
    const struct target_knobs knobs = {
        .latency_ns = 5 * NS_PER_MS, .servers = 10, .retrograde = 0.02};
    struct target_model *at_the_knee = model_of(64, knobs);
    struct target_model *beyond = model_of(64, knobs);

    uint32_t most = served_in_a_second(at_the_knee, 10, 100000);
    uint32_t less = served_in_a_second(beyond, 60, 100000);

    assert_int_equal(most, 2000);
    assert_in_range(less, 980, 1020); /* 50 in line make a service twice as long */
    target_model_destroy(at_the_knee);
    target_model_destroy(beyond);
}

static void model_varies_evenly_within_the_jitter(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(1, (struct target_knobs){.latency_ns = 1000000, .jitter_ns = 500000});
    uint64_t sum_ns = 0, low_ns = UINT64_MAX, high_ns = 0;

    for (uint32_t i = 0; i < 10000; i++) {
        struct target_departure departure;
        arrives(model, 0, 0);
        assert_true(target_model_depart(model, UINT64_MAX, &departure));
        sum_ns += departure.at_ns;
        low_ns = departure.at_ns < low_ns ? departure.at_ns : low_ns;
        high_ns = departure.at_ns > high_ns ? departure.at_ns : high_ns;
    }

    assert_in_range(low_ns, 500000, 501000);
    assert_in_range(high_ns, 1499000, 1500000);
    assert_in_range(sum_ns / 10000, 985000, 1015000); /* five standard deviations */
    target_model_destroy(model);
}

static uint32_t failures_of_10000(double error_rate)
{
    struct target_model *model = model_of(1, (struct target_knobs){.error_rate = error_rate});
    uint32_t failures = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        struct target_departure departure;
        arrives(model, 0, 0);
        assert_true(target_model_depart(model, 0, &departure));
        failures += departure.failed;
    }
    target_model_destroy(model);
    return failures;
}

static void model_fails_the_share_that_was_asked_for(void **state)
{
    (void)state;
    assert_int_equal(failures_of_10000(0.0), 0);
    assert_in_range(failures_of_10000(0.1), 900, 1100);
    assert_int_equal(failures_of_10000(1.0), 10000);
}

static void model_never_wraps_under_the_largest_knobs(void **state)
{
    (void)state;
    struct target_model *model =
        model_of(2, (struct target_knobs){.latency_ns = TARGET_LATENCY_NS_MAX,
                                          .jitter_ns = TARGET_LATENCY_NS_MAX,
                                          .retrograde = TARGET_RETROGRADE_MAX});

    arrives(model, 0, 0);
    arrives(model, 1, 0);

    assert_in_range(target_model_next_ns(model), 0, (uint64_t)TARGET_SERVICE_NS_MAX);
    target_model_destroy(model);
}

struct form_case {
    const char *name;
    const char *form;
    const char *json; /* NULL: refused */
};

#define JSON(latency, jitter, servers, queue, error_rate, retrograde)                              \
    "{\"latency_ns\": " #latency ", \"jitter_ns\": " #jitter ", \"servers\": " #servers            \
    ", \"queue\": " #queue ", \"error_rate\": " #error_rate ", \"retrograde\": " #retrograde "}\n"

static const struct form_case form_cases[] = {
    {"knobs_stay_when_nothing_is_said", "", JSON(5000000, 1000000, 64, 0, 0, 0)},
    {"knobs_turn_one", "servers=10", JSON(5000000, 1000000, 10, 0, 0, 0)},
    {"knobs_turn_many", "latency=20ms&servers=10&error-rate=1%&queue=7&retrograde=2%",
     JSON(20000000, 1000000, 10, 7, 0.01, 0.02)},
    {"knobs_turn_with_empty_pieces", "&&servers=10&\r\n", JSON(5000000, 1000000, 10, 0, 0, 0)},
    {"knobs_read_percent_codes", "error%2Drate=1%25", JSON(5000000, 1000000, 64, 0, 0.01, 0)},
    {"knobs_read_a_percent_before_the_next", "error-rate=5%&servers=1",
     JSON(5000000, 1000000, 1, 0, 0.05, 0)},
    {"knobs_take_the_last_word", "servers=1&servers=2", JSON(5000000, 1000000, 2, 0, 0, 0)},
    {"knobs_check_after_all_are_turned", "jitter=8ms&latency=9ms",
     JSON(9000000, 8000000, 64, 0, 0, 0)},
    {"knobs_refuse_a_share_above_100_percent", "retrograde=200%", NULL},
    {"knobs_may_triple_the_service", "retrograde=2", JSON(5000000, 1000000, 64, 0, 0, 2)},
    {"knobs_take_an_hour", "latency=1h", JSON(3600000000000, 1000000, 64, 0, 0, 0)},
    {"knobs_refuse_more_than_an_hour", "latency=61m", NULL},
    {"knobs_refuse_jitter_above_latency", "jitter=6ms", NULL},
    {"knobs_refuse_latency_below_jitter", "latency=0", NULL},
    {"knobs_refuse_a_duration_without_unit", "latency=20", NULL},
    {"knobs_refuse_an_unknown_name", "speed=1", NULL},
    {"knobs_refuse_a_name_alone", "servers", NULL},
    {"knobs_refuse_a_sign", "servers=-1", NULL},
    {"knobs_refuse_too_many_servers", "servers=1000001", NULL},
    {"knobs_refuse_a_share_above_1", "error-rate=101%", NULL},
    {"knobs_refuse_too_much_retrograde", "retrograde=1001", NULL},
    {"knobs_refuse_a_hidden_end", "servers=1%00", NULL},
    {"knobs_refuse_all_when_one_is_bad", "servers=1&latency=x", NULL},
};

static void knobs_read_a_form(void **state)
{
    const struct form_case *row = *state;
    const struct target_knobs before = {
        .latency_ns = 5 * NS_PER_MS, .jitter_ns = NS_PER_MS, .servers = 64};
    struct target_knobs knobs = before;
    struct error error = {0};
    char text[TARGET_KNOBS_TEXT_BYTES];

    bool is_fine = target_knobs_read(&knobs, row->form, 1, &error);

    assert_int_equal(is_fine, row->json != NULL);
    if (is_fine)
        assert_string_equal(target_knobs_json(&knobs, text, sizeof text), row->json);
    else
        assert_memory_equal(&knobs, &before, sizeof knobs);
    assert_int_equal(error.kind, is_fine ? ERROR_NONE : ERROR_USAGE);
}

static void knobs_that_need_one_line_need_one_thread(void **state)
{
    (void)state;
    static const char *const alone[] = {"servers=1", "queue=1", "retrograde=1%"};
    struct target_knobs knobs = {0};

    for (size_t i = 0; i < COUNT(alone); i++)
        assert_false(target_knobs_read(&knobs, alone[i], 2, NULL));
    assert_true(target_knobs_read(&knobs, "latency=5ms&jitter=1ms&error-rate=1%", 2, NULL));
    assert_true(target_knobs_read(&knobs, "servers=1&queue=1&retrograde=1%", 1, NULL));
}

struct request_case {
    const char *name;
    const char *bytes;
    uint16_t status; /* 0: whole */
    uint8_t method, page;
    bool keep_alive;
    const char *form;
};

static const struct request_case request_cases[] = {
    {"reads_a_get", "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n", .keep_alive = true},
    {"reads_a_head", "HEAD / HTTP/1.1\r\n\r\n", .method = TARGET_HEAD, .keep_alive = true},
    {"reads_any_method", "BREW /pot HTTP/1.1\r\n\r\n", .method = TARGET_OTHER, .keep_alive = true},
    {"reads_bare_line_feeds", "GET / HTTP/1.1\nHost: x\n\n", .keep_alive = true},
    {"reads_after_an_empty_line", "\r\nGET / HTTP/1.1\r\n\r\n", .keep_alive = true},
    {"reads_a_post", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", .method = TARGET_POST,
     .keep_alive = true},
    {"reads_a_body_that_looks_like_a_request",
     "POST / HTTP/1.1\r\ncontent-length:18\r\n\r\nGET / HTTP/1.1\r\n\r\n", .method = TARGET_POST,
     .keep_alive = true},
    {"reads_an_empty_body", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", .method = TARGET_POST,
     .keep_alive = true},
    {"reads_a_post_without_length", "POST / HTTP/1.1\r\n\r\n", .method = TARGET_POST,
     .keep_alive = true},
    {"reads_one_length_said_twice",
     "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", .method = TARGET_POST,
     .keep_alive = true},
    {"reads_chunks",
     "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1F;x=y\r\n"
     "0123456789012345678901234567890\r\n0\r\n\r\n",
     .method = TARGET_POST, .keep_alive = true},
    {"reads_chunks_with_a_trailer",
     "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\n\n\r\n00\r\nSum: 1\r\n\r\n",
     .method = TARGET_POST, .keep_alive = true},
    {"ends_when_told_to_close", "GET / HTTP/1.1\r\nConnection: x , Close\r\n\r\n",
     .keep_alive = false},
    {"ends_after_http_1_0", "GET / HTTP/1.0\r\n\r\n", .keep_alive = false},
    {"goes_on_when_http_1_0_asks", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     .keep_alive = true},
    {"knows_stats", "GET /stats?x HTTP/1.1\r\n\r\n", .page = TARGET_PAGE_STATS, .keep_alive = true},
    {"knows_no_page_below_stats", "GET /stats/ HTTP/1.1\r\n\r\n", .keep_alive = true},
    {"keeps_the_query_of_knobs", "POST /knobs?a=1&b=2 HTTP/1.1\r\n\r\n", .method = TARGET_POST,
     .page = TARGET_PAGE_KNOBS, .keep_alive = true, .form = "a=1&b=2&"},
    {"keeps_the_body_of_knobs", "POST /knobs HTTP/1.1\r\nContent-Length: 3\r\n\r\nc=3",
     .method = TARGET_POST, .page = TARGET_PAGE_KNOBS, .keep_alive = true, .form = "&c=3"},
    {"keeps_the_chunks_of_knobs",
     "POST /knobs?a=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nc=\r\n1\r\n3\r\n0\r\n\r\n",
     .method = TARGET_POST, .page = TARGET_PAGE_KNOBS, .keep_alive = true, .form = "a=1&c=3"},

    {"refuses_a_word", "hello\r\n\r\n", .status = 400},
    {"refuses_no_path", "GET  HTTP/1.1\r\n\r\n", .status = 400},
    {"refuses_http_0_9", "GET /\r\n\r\n", .status = 400},
    {"refuses_blanks_after_the_version", "GET / HTTP/1.1 \r\n\r\n", .status = 400},
    {"refuses_http_2", "PRI * HTTP/2.0\r\n\r\n", .status = 505},
    {"refuses_a_signed_length", "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n", .status = 400},
    {"refuses_no_number_as_length", "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", .status = 400},
    {"refuses_two_lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     .status = 400},
    {"refuses_length_0_then_5", "POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
     .status = 400},
    {"refuses_a_length_and_chunks",
     "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .status = 400},
    {"refuses_a_length_of_19_digits",
     "POST / HTTP/1.1\r\nContent-Length: 1000000000000000000\r\n\r\n", .status = 413},
    {"refuses_another_encoding", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
     .status = 501},
    {"refuses_a_chunk_without_size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
     .status = 400},
    {"refuses_a_chunk_size_of_words", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1g\r\n",
     .status = 400},
    {"refuses_a_chunk_size_of_16_digits",
     "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n", .status = 413},
    {"refuses_a_chunk_longer_than_it_said",
     "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", .status = 400},
};

/* Feeds `bytes` in two pieces as a server would: what was not consumed comes again, from a block of
 * just its size, so that a byte read beyond it is found. `*used`: how many were consumed. */
static enum target_request_outcome feed_split(struct target_request *request, const char *bytes,
                                              size_t count, size_t split, size_t *used)
{
    const size_t ends[] = {split, count};
    enum target_request_outcome outcome = TARGET_REQUEST_MORE;
    target_request_begin(request);
    *used = 0;
    for (size_t i = 0; i < COUNT(ends) && outcome == TARGET_REQUEST_MORE; i++) {
        size_t length = ends[i] - *used, consumed;
        char *piece = malloc(length > 0 ? length : 1);
        assert_non_null(piece);
        memcpy(piece, bytes + *used, length);
        outcome = target_request_feed(request, piece, length, &consumed);
        assert_true(consumed <= length);
        *used += consumed;
        free(piece);
    }
    return outcome;
}

static void assert_request(const struct request_case *row, const struct target_request *request,
                           enum target_request_outcome outcome)
{
    assert_int_equal(request->status, row->status);
    assert_int_equal(outcome, row->status == 0 ? TARGET_REQUEST_WHOLE : TARGET_REQUEST_BAD);
    if (row->status != 0)
        return;
    assert_int_equal(request->method, row->method);
    assert_int_equal(request->page, row->page);
    assert_int_equal(request->keep_alive, row->keep_alive);
    assert_string_equal(request->form, row->form != NULL ? row->form : "");
}

static void request_is_the_same_split_at_every_byte(void **state)
{
    const struct request_case *row = *state;
    size_t count = strlen(row->bytes);
    for (size_t split = 0; split <= count; split++) {
        struct target_request request;
        size_t used;
        enum target_request_outcome outcome = feed_split(&request, row->bytes, count, split, &used);
        assert_request(row, &request, outcome);
        if (row->status == 0)
            assert_int_equal(used, count);
    }
}

static void request_leaves_the_next_one_alone(void **state)
{
    (void)state;
    static const char first[] = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok";
    char both[128];
    snprintf(both, sizeof both, "%s%s", first, "GET / HTTP/1.1\r\n\r\n");
    struct target_request request;
    size_t consumed;
    target_request_begin(&request);

    assert_int_equal(target_request_feed(&request, both, strlen(both), &consumed),
                     TARGET_REQUEST_WHOLE);

    assert_int_equal(consumed, strlen(first));
}

static void request_waits_for_continue_once_its_head_is_whole(void **state)
{
    (void)state;
    static const char head[] =
        "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    static const char empty[] =
        "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n";
    struct target_request request;
    size_t consumed;

    target_request_begin(&request);
    assert_int_equal(target_request_feed(&request, head, strlen(head), &consumed),
                     TARGET_REQUEST_MORE);
    assert_true(request.wants_continue);
    target_request_begin(&request);
    assert_int_equal(target_request_feed(&request, empty, strlen(empty), &consumed),
                     TARGET_REQUEST_WHOLE);
    assert_false(request.wants_continue);
}

/* A head of `count` bytes, with one long header. */
static enum target_request_outcome feed_long_head(size_t count, struct target_request *request)
{
    static const char begin[] = "GET / HTTP/1.1\r\nX: ", end[] = "\r\n\r\n";
    char *head = malloc(count);
    assert_non_null(head);
    memset(head, 'x', count);
    memcpy(head, begin, sizeof begin - 1);
    memcpy(head + count - (sizeof end - 1), end, sizeof end - 1);
    size_t consumed;
    target_request_begin(request);
    enum target_request_outcome outcome = target_request_feed(request, head, count, &consumed);
    free(head);
    return outcome;
}

static void request_head_ends_at_its_bound(void **state)
{
    (void)state;
    struct target_request request;

    assert_int_equal(feed_long_head(TARGET_HEAD_BYTES_MAX, &request), TARGET_REQUEST_WHOLE);
    assert_int_equal(feed_long_head(TARGET_HEAD_BYTES_MAX + 1, &request), TARGET_REQUEST_BAD);
    assert_int_equal(request.status, 431);
}

static void request_line_without_end_is_refused_at_the_bound(void **state)
{
    (void)state;
    char bytes[TARGET_HEAD_BYTES_MAX];
    memset(bytes, 'x', sizeof bytes);
    struct target_request request;
    size_t consumed;
    target_request_begin(&request);

    assert_int_equal(target_request_feed(&request, bytes, sizeof bytes - 1, &consumed),
                     TARGET_REQUEST_MORE);
    assert_int_equal(consumed, 0);
    assert_int_equal(target_request_feed(&request, bytes, sizeof bytes, &consumed),
                     TARGET_REQUEST_BAD);
    assert_int_equal(request.status, 431);
}

static void request_says_when_its_form_was_cut(void **state)
{
    (void)state;
    char bytes[64 + TARGET_KNOBS_TEXT_BYTES];
    struct target_request request;
    size_t consumed;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t length = TARGET_KNOBS_TEXT_BYTES - 2 + extra; /* '&' and NUL need room too */
        int head = snprintf(bytes, sizeof bytes,
                            "POST /knobs HTTP/1.1\r\nContent-Length: %zu\r\n\r\n", length);
        memset(bytes + head, 'x', length);
        target_request_begin(&request);

        enum target_request_outcome outcome =
            target_request_feed(&request, bytes, (size_t)head + length, &consumed);

        assert_int_equal(outcome, TARGET_REQUEST_WHOLE);
        assert_int_equal(request.form_is_cut, extra == 1);
        assert_int_equal(strlen(request.form), TARGET_KNOBS_TEXT_BYTES - 1);
    }
}

static void counts_add_up_over_threads_and_keep_the_newest_moment(void **state)
{
    (void)state;
    struct target_counts counts[2] = {0};
    const struct target_counts *const sets[] = {&counts[0], &counts[1]};
    char text[TARGET_COUNTS_TEXT_BYTES];

    target_counts_add(&counts[0], TARGET_REQUESTS, 3);
    target_counts_add(&counts[1], TARGET_REQUESTS, 4);
    target_counts_set(&counts[0], TARGET_LAST_REQUEST_NS, 20);
    target_counts_set(&counts[1], TARGET_LAST_REQUEST_NS, 10);
    target_counts_reach(&counts[1], TARGET_WAITING_MAX, 5);
    target_counts_reach(&counts[1], TARGET_WAITING_MAX, 2);
    target_counts_add(&counts[0], TARGET_CONNECTIONS, 1);
    target_counts_add(&counts[0], TARGET_CONNECTIONS, -1);

    assert_string_equal(target_counts_json(sets, 2, text, sizeof text),
                        "{\"requests\": 7, \"ok\": 0, \"errors\": 0, \"in_service\": 0, "
                        "\"waiting\": 0, \"in_service_max\": 0, \"waiting_max\": 5, "
                        "\"malformed\": 0, \"connections\": 0, \"accepted\": 0, "
                        "\"last_request_ns\": 20}\n");
}

static void counts_of_any_size_have_room(void **state)
{
    (void)state;
    struct target_counts counts;
    const struct target_counts *const sets[] = {&counts};
    char text[TARGET_COUNTS_TEXT_BYTES];
    for (enum target_count which = 0; which < TARGET_COUNTS; which++)
        target_counts_set(&counts, which, UINT64_MAX);

    target_counts_json(sets, 1, text, sizeof text);

    assert_int_equal(text[strlen(text) - 2], '}');
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(model_serves_each_at_once_without_a_limit),
        cmocka_unit_test(model_is_done_at_once_without_latency),
        cmocka_unit_test(model_serves_first_come_first_served),
        cmocka_unit_test(model_lets_equals_leave_in_the_order_they_came),
        cmocka_unit_test(model_of_10_servers_and_5_ms_serves_2000_a_second),
        cmocka_unit_test(model_starts_nobody_before_they_came),
        cmocka_unit_test(model_refuses_who_finds_the_line_full),
        cmocka_unit_test(model_takes_from_the_line_when_servers_are_added),
        cmocka_unit_test(model_lets_servers_that_are_taken_away_finish),
        cmocka_unit_test(model_slows_down_for_each_one_beyond_the_servers),
        cmocka_unit_test(model_without_servers_slows_down_for_each_one_beyond_the_first),
        cmocka_unit_test(model_gives_less_beyond_the_knee_when_retrograde),
        cmocka_unit_test(model_varies_evenly_within_the_jitter),
        cmocka_unit_test(model_fails_the_share_that_was_asked_for),
        cmocka_unit_test(model_never_wraps_under_the_largest_knobs),
        cmocka_unit_test(knobs_that_need_one_line_need_one_thread),
        cmocka_unit_test(request_leaves_the_next_one_alone),
        cmocka_unit_test(request_waits_for_continue_once_its_head_is_whole),
        cmocka_unit_test(request_head_ends_at_its_bound),
        cmocka_unit_test(request_line_without_end_is_refused_at_the_bound),
        cmocka_unit_test(request_says_when_its_form_was_cut),
        cmocka_unit_test(counts_add_up_over_threads_and_keep_the_newest_moment),
        cmocka_unit_test(counts_of_any_size_have_room),
    };
    struct CMUnitTest forms[COUNT(form_cases)], requests[COUNT(request_cases)];
    for (size_t i = 0; i < COUNT(form_cases); i++)
        forms[i] = (struct CMUnitTest){.name = form_cases[i].name,
                                       .test_func = knobs_read_a_form,
                                       .initial_state = (void *)(uintptr_t)&form_cases[i]};
    for (size_t i = 0; i < COUNT(request_cases); i++)
        requests[i] = (struct CMUnitTest){.name = request_cases[i].name,
                                          .test_func = request_is_the_same_split_at_every_byte,
                                          .initial_state = (void *)(uintptr_t)&request_cases[i]};
    int failed = cmocka_run_group_tests_name("target", plain, NULL, NULL);
    failed += cmocka_run_group_tests_name("target_knobs", forms, NULL, NULL);
    failed += cmocka_run_group_tests_name("target_request", requests, NULL, NULL);
    return failed == 0 ? 0 : 1;
}
