#include "proto/counters.h"

#include "common/base/check.h"
#include "proto/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct counters example(void)
{
    return (struct counters){
        .planned = 100,
        .not_started = 10,
        .started = 90,
        .ok = 60,
        .failed = {[FAILURE_CONNECT_REFUSED] = 5, [FAILURE_SEND] = 7},
        .timed_out = 8,
        .unwritten = 5,
        .bytes_sent = 1000,
        .bytes_received = UINT64_MAX,
        .connections_opened = 3,
        .connections_reused = 87,
        .in_flight_ns = 4,
        .latency_sum_ns = 5,
        .send_lag_sum_ns = 6,
        .timed_out_connect = 2,
        .timed_out_first_byte = 3,
    };
}

static size_t encoded_count(const struct counters *counters)
{
    uint8_t bytes[512];
    struct wire_writer writer;
    wire_writer_init(&writer, bytes, sizeof bytes);
    counters_encode(counters, &writer);
    return writer.length;
}

static bool decodes(const struct counters *counters, struct counters *decoded, struct error *error)
{
    uint8_t bytes[512];
    struct wire_writer writer;
    wire_writer_init(&writer, bytes, sizeof bytes);
    counters_encode(counters, &writer);
    assert_false(writer.overflow);
    struct wire_reader reader;
    return wire_reader_init(&reader, bytes, writer.length, error) &&
           counters_decode(&reader, decoded, error) && wire_end(&reader, error);
}

static void failed_is_the_sum_of_all_classes(void **state)
{
    (void)state;
    struct counters counters = example();
    assert_int_equal(counters_failed(&counters), 12);
}

static void in_flight_is_what_started_and_did_not_end(void **state)
{
    (void)state;
    struct counters counters = example();
    assert_int_equal(counters_in_flight(&counters), 10);
}

static void since_undoes_add(void **state)
{
    (void)state;
    struct counters older = example();
    older.bytes_received = 9;
    struct counters more = example();
    more.bytes_received = 1;
    struct counters newer = older;

    counters_add(&newer, &more);
    struct counters difference = counters_since(&newer, &older);

    assert_int_equal(newer.failed[FAILURE_SEND], 14);
    assert_memory_equal(&difference, &more, sizeof more);
}

static void monotone_holds_for_equals_and_fails_for_any_field_that_falls(void **state)
{
    (void)state;
    struct counters older;
    memset(&older, 1, sizeof older);
    assert_true(counters_monotone(&older, &older));

    for (size_t i = 0; i < sizeof older / sizeof(uint64_t); i++) {
        struct counters newer = older;
        uint64_t fallen;
        memcpy(&fallen, (char *)&newer + i * sizeof fallen, sizeof fallen);
        fallen--;
        memcpy((char *)&newer + i * sizeof fallen, &fallen, sizeof fallen);
        assert_false(counters_monotone(&newer, &older));
        assert_true(counters_monotone(&older, &newer));
    }
}

static void decode_gives_back_every_field(void **state)
{
    (void)state;
    struct counters counters = example();
    struct counters decoded;
    struct error error = {0};

    bool decoded_well = decodes(&counters, &decoded, &error);

    assert_string_equal(error.message, "");
    assert_true(decoded_well);
    assert_memory_equal(&decoded, &counters, sizeof counters);
}

static void classes_that_grew_since_travel_only_when_they_count(void **state)
{
    (void)state;
    struct counters plain = example(), with_tls = example();
    plain.failed[FAILURE_SEND + 1] = 0;
    with_tls.started += 3, with_tls.planned += 3;
    with_tls.failed[FAILURE_TLS_EXPIRED] = 3;
    struct counters decoded;
    struct error error = {0};

    assert_true(decodes(&plain, &decoded, &error));
    size_t least = encoded_count(&plain);
    assert_true(decodes(&with_tls, &decoded, &error));

    assert_int_equal(decoded.failed[FAILURE_TLS_EXPIRED], 3);
    assert_int_equal(encoded_count(&with_tls), least + FAILURE_TLS_EXPIRED - FAILURE_SEND);
}

/* What an older coordinator would not understand is not said to it: it asks for no such limits. */
static void limits_that_nobody_asked_for_take_no_field(void **state)
{
    (void)state;
    struct counters counters = example();
    counters.timed_out_connect = counters.timed_out_first_byte = 0;
    uint8_t bytes[512];
    struct wire_writer writer;
    wire_writer_init(&writer, bytes, sizeof bytes);

    counters_encode(&counters, &writer);

    assert_int_equal(bytes[0], 0x90 | 14);
    counters.timed_out_first_byte = 1;
    wire_writer_init(&writer, bytes, sizeof bytes);
    counters_encode(&counters, &writer);
    assert_int_equal(bytes[0], 0xdc);
    assert_int_equal(bytes[2], 16);
}

struct rule_case {
    const char *name;
    struct counters counters;
    const char *sentence; /* NULL: passes */
};

static const struct rule_case rule_cases[] = {
    {"decode_takes_nothing_at_all", {0}, NULL},
    {"decode_takes_all_planned_started", {.planned = 3, .started = 3}, NULL},
    {"decode_refuses_more_started_than_planned",
     {.planned = 3, .started = 4},
     "started + not_started is 4, more than planned, 3"},
    {"decode_refuses_more_taken_and_dropped_than_planned",
     {.planned = 3, .started = 3, .not_started = 1},
     "started + not_started is 4, more than planned, 3"},
    {"decode_takes_all_started_ended",
     {.planned = 3, .started = 3, .ok = 1, .failed = {[FAILURE_STATUS] = 1}, .timed_out = 1},
     NULL},
    {"decode_refuses_more_ended_than_started",
     {.planned = 9, .started = 3, .ok = 2, .failed = {[FAILURE_STATUS] = 1}, .timed_out = 1},
     "ok + failed + timed_out is 4, more than started, 3"},
    {"decode_refuses_more_unwritten_than_ended",
     {.planned = 9, .started = 9, .timed_out = 1, .unwritten = 2},
     "unwritten is 2, more than have ended, 1"},
    {"decode_takes_all_time_outs_of_one_kind",
     {.planned = 2, .started = 2, .timed_out = 2, .timed_out_connect = 2},
     NULL},
    {"decode_refuses_more_of_a_kind_than_timed_out",
     {.planned = 2,
      .started = 2,
      .timed_out = 1,
      .timed_out_connect = 1,
      .timed_out_first_byte = 1},
     "timed out for a connection or a first byte is 2, more than timed out, 1"},
    {"decode_takes_the_largest_count",
     {.planned = COUNTERS_COUNT_MAX, .started = COUNTERS_COUNT_MAX, .ok = COUNTERS_COUNT_MAX},
     NULL},
    {"decode_refuses_a_count_that_could_wrap_a_sum",
     {.planned = COUNTERS_COUNT_MAX + 1},
     "planned is 70368744177665; expected 0 to 70368744177664"},
    {"decode_names_the_class_that_is_too_large",
     {.failed = {[FAILURE_RESET] = UINT64_MAX}},
     "reset is 18446744073709551615; expected 0 to 70368744177664"},
};

static void rule_holds(void **state)
{
    const struct rule_case *row = *state;
    struct counters decoded = {.planned = 42};
    struct error error = {0};

    bool passes = decodes(&row->counters, &decoded, &error);

    assert_string_equal(error.message, row->sentence == NULL ? "" : row->sentence);
    assert_int_equal(passes, row->sentence == NULL);
    if (!passes)
        assert_int_equal(decoded.planned, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_is_the_sum_of_all_classes),
        cmocka_unit_test(in_flight_is_what_started_and_did_not_end),
        cmocka_unit_test(since_undoes_add),
        cmocka_unit_test(monotone_holds_for_equals_and_fails_for_any_field_that_falls),
        cmocka_unit_test(decode_gives_back_every_field),
        cmocka_unit_test(classes_that_grew_since_travel_only_when_they_count),
        cmocka_unit_test(limits_that_nobody_asked_for_take_no_field),
    };
    struct CMUnitTest rules[COUNT(rule_cases)];
    for (size_t i = 0; i < COUNT(rule_cases); i++) {
        rules[i] = (struct CMUnitTest){.name = rule_cases[i].name,
                                       .test_func = rule_holds,
                                       .initial_state = (void *)(uintptr_t)&rule_cases[i]};
    }
    int failed = cmocka_run_group_tests_name("counters", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("rules", rules, NULL, NULL);
}
