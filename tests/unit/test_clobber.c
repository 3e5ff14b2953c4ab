#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clobber/clobber.h"
#include "common/base/check.h"
#include "tests/unit/near.h"

#include <math.h>
#include <string.h>

#define TICK_NS UINT64_C(100000000)
#define HOUR_NS UINT64_C(3600000000000)

static const struct clobber_options closed_hold = {.bytes = sizeof closed_hold,
                                                   .goal = CLOBBER_HOLD,
                                                   .target_per_s = 5000,
                                                   .concurrency_max = 1000,
                                                   .interval_ns = TICK_NS};
static const struct clobber_options open_hold = {.bytes = sizeof open_hold,
                                                 .goal = CLOBBER_HOLD,
                                                 .arrivals = CLOBBER_OPEN,
                                                 .target_per_s = 5000,
                                                 .concurrency_max = 10000,
                                                 .elastic = true,
                                                 .interval_ns = TICK_NS};
static const struct clobber_options maximize = {.bytes = sizeof maximize,
                                                .goal = CLOBBER_MAXIMIZE,
                                                .error_share_max = 1,
                                                .concurrency_max = 1000,
                                                .interval_ns = TICK_NS};

static struct clobber_tuner *made(const struct clobber_options *options)
{
    char message[256];
    struct clobber_tuner *tuner = clobber_tuner_create(options, message, sizeof message);
    if (tuner == NULL)
        fail_msg("refused: %s", message);
    return tuner;
}

/* A service without a limit: each of its `workers` ends a request every `latency_ms`. */
static struct clobber_sample served(double workers, double latency_ms)
{
    return (struct clobber_sample){.bytes = sizeof(struct clobber_sample),
                                   .interval_ns = TICK_NS,
                                   .completed = (uint64_t)lround(workers * 100 / latency_ms),
                                   .in_flight_mean = workers,
                                   .latency_ns_mean = latency_ms * 1e6,
                                   .in_flight_end = workers,
                                   .generator_load = -1,
                                   .parts_expected = 1,
                                   .parts_reported = 1};
}

static struct clobber_advice step(struct clobber_tuner *tuner, const struct clobber_sample *sample)
{
    struct clobber_advice advice = {.bytes = sizeof advice};
    clobber_tuner_step(tuner, sample, &advice);
    return advice;
}

/* Runs what is advised on a service of 10 ms. */
static struct clobber_advice run(struct clobber_tuner *tuner, int ticks)
{
    struct clobber_advice advice = step(tuner, NULL);
    for (int i = 0; i < ticks; i++) {
        struct clobber_sample sample = served(advice.concurrency, 10);
        advice = step(tuner, &sample);
    }
    return advice;
}

/* What is refused: one field of good options is changed. */

struct refusal_case {
    const char *name;
    const struct clobber_options *good;
    size_t offset, bytes; /* of the field */
    union {
        double real;
        uint64_t count;
        uint32_t word;
        bool truth;
    } value;
    const char *sentence;
};

#define FIELD(field)                                                                               \
    offsetof(struct clobber_options, field), sizeof(((struct clobber_options *)0)->field)
#define REAL(field, number)                                                                        \
    FIELD(field),                                                                                  \
    {                                                                                              \
        .real = (number)                                                                           \
    }
#define COUNTS(field, number)                                                                      \
    FIELD(field),                                                                                  \
    {                                                                                              \
        .count = (number)                                                                          \
    }
#define WORD(field, number)                                                                        \
    FIELD(field),                                                                                  \
    {                                                                                              \
        .word = (number)                                                                           \
    }
#define TRUTH(field)                                                                               \
    FIELD(field),                                                                                  \
    {                                                                                              \
        .truth = true                                                                              \
    }

static const struct refusal_case refusal_cases[] = {
    {"no_goal_is_refused", &closed_hold, WORD(goal, 0),
     "goal is 0; give CLOBBER_HOLD or CLOBBER_MAXIMIZE"},
    {"arrivals_of_no_kind_are_refused", &closed_hold, WORD(arrivals, 2),
     "arrivals is 2; give CLOBBER_CLOSED or CLOBBER_OPEN"},
    {"a_target_of_0_is_refused", &closed_hold, REAL(target_per_s, 0),
     "target_per_s is 0; give a rate above 0 and at most 1e+12"},
    {"a_negative_target_is_refused", &closed_hold, REAL(target_per_s, -1),
     "target_per_s is -1; give a rate above 0 and at most 1e+12"},
    {"a_target_that_is_no_number_is_refused", &closed_hold, REAL(target_per_s, NAN),
     "target_per_s is nan; give a rate above 0 and at most 1e+12"},
    {"an_endless_target_is_refused", &closed_hold, REAL(target_per_s, INFINITY),
     "target_per_s is inf; give a rate above 0 and at most 1e+12"},
    {"a_latency_bound_on_a_hold_is_refused", &closed_hold, COUNTS(latency_bound_ns, 1),
     "a latency bound is given, but CLOBBER_HOLD has none; leave latency_quantile and "
     "latency_bound_ns 0, or give CLOBBER_MAXIMIZE"},
    {"an_error_bound_on_a_hold_is_refused", &closed_hold, REAL(error_share_max, 0.5),
     "error_share_max is 0.5, but CLOBBER_HOLD has no bound on errors; leave it 0"},
    {"elastic_workers_that_pace_nothing_are_refused", &closed_hold, TRUTH(elastic),
     "elastic is true, which is for CLOBBER_OPEN arrivals; leave it false"},
    {"no_maximum_is_refused", &closed_hold, REAL(concurrency_max, 0),
     "concurrency_max is 0; give the most that may run at once, above 0 and at most 1e+09"},
    {"an_endless_maximum_is_refused", &closed_hold, REAL(concurrency_max, INFINITY),
     "concurrency_max is inf; give the most that may run at once, above 0 and at most 1e+09"},
    {"a_negative_minimum_is_refused", &closed_hold, REAL(concurrency_min, -0.5),
     "concurrency_min is -0.5; give 0 to concurrency_max, which is 1000"},
    {"a_minimum_above_the_maximum_is_refused", &closed_hold, REAL(concurrency_min, 1001),
     "concurrency_min is 1001; give 0 to concurrency_max, which is 1000"},
    {"a_start_above_the_maximum_is_refused", &closed_hold, REAL(concurrency_start, 1001),
     "concurrency_start is 1001; give 0 to 1000, or 0 for the tuner's choice"},
    {"a_start_that_is_no_number_is_refused", &closed_hold, REAL(concurrency_start, NAN),
     "concurrency_start is nan; give 0 to 1000, or 0 for the tuner's choice"},
    {"a_search_that_paces_is_refused", &maximize, WORD(arrivals, 1),
     "arrivals is 1, but CLOBBER_MAXIMIZE paces nothing; give CLOBBER_CLOSED"},
    {"a_search_with_a_target_is_refused", &maximize, REAL(target_per_s, 5000),
     "target_per_s is 5000, but CLOBBER_MAXIMIZE has no target; leave it 0"},
    {"a_quantile_of_1_is_refused", &maximize, REAL(latency_quantile, 1),
     "latency_quantile is 1; give one above 0 and below 1, as 0.99, or 0 for no bound"},
    {"a_quantile_that_is_no_number_is_refused", &maximize, REAL(latency_quantile, NAN),
     "latency_quantile is nan; give one above 0 and below 1, as 0.99, or 0 for no bound"},
    {"a_quantile_without_a_bound_is_refused", &maximize, REAL(latency_quantile, 0.99),
     "latency_quantile is 0.99 and latency_bound_ns is 0; give both, or 0 for both"},
    {"a_bound_without_a_quantile_is_refused", &maximize, COUNTS(latency_bound_ns, 20000000),
     "latency_quantile is 0 and latency_bound_ns is 20000000; give both, or 0 for both"},
    {"a_bound_above_an_hour_is_refused", &maximize, COUNTS(latency_bound_ns, HOUR_NS + 1),
     "latency_bound_ns is 3600000000001; give at most an hour, 3600000000000, or 0 for no bound"},
    {"a_negative_share_of_errors_is_refused", &maximize, REAL(error_share_max, -0.1),
     "error_share_max is -0.1; give a share from 0 to 1, which is no bound"},
    {"more_errors_than_all_are_refused", &maximize, REAL(error_share_max, 1.1),
     "error_share_max is 1.1; give a share from 0 to 1, which is no bound"},
    {"an_elastic_search_is_refused", &maximize, TRUTH(elastic),
     "elastic is true, which is for CLOBBER_OPEN arrivals; leave it false"},
    {"too_many_parts_are_refused", &open_hold, WORD(parts, 1000001),
     "parts is 1000001; give at most 1000000, or 0 for one"},
    {"no_interval_is_refused", &closed_hold, COUNTS(interval_ns, 0),
     "interval_ns is 0; give the time between two steps, 1000 to 3600000000000"},
    {"an_interval_above_an_hour_is_refused", &closed_hold, COUNTS(interval_ns, HOUR_NS + 1),
     "interval_ns is 3600000000001; give the time between two steps, 1000 to 3600000000000"},
};

static void create_refuses(void **state)
{
    const struct refusal_case *row = *state;
    struct clobber_options options = *row->good;
    memcpy((char *)&options + row->offset, &row->value, row->bytes);
    char message[256] = "untouched";

    assert_null(clobber_tuner_create(&options, message, sizeof message));

    assert_string_equal(message, row->sentence);
}

static void options_at_every_border_are_taken(void **state)
{
    (void)state;
    struct clobber_options least = closed_hold;
    least.target_per_s = 5e-324;
    least.concurrency_max = least.concurrency_min = least.concurrency_start = 5e-324;
    least.interval_ns = 1000;
    struct clobber_options most = open_hold;
    most.target_per_s = 1e12;
    most.concurrency_max = most.concurrency_min = most.concurrency_start = 1e9;
    most.parts = 1000000;
    most.interval_ns = HOUR_NS;

    clobber_tuner_destroy(made(&least));
    clobber_tuner_destroy(made(&most));
}

static void a_message_is_cut_to_its_room_and_may_be_missing(void **state)
{
    (void)state;
    struct clobber_options options = closed_hold;
    options.target_per_s = -1;
    char message[16];

    assert_null(clobber_tuner_create(&options, message, sizeof message));
    assert_string_equal(message, "target_per_s is");
    assert_null(clobber_tuner_create(&options, NULL, 0));
    assert_null(clobber_tuner_create(&options, message, 0));
}

static void a_message_is_emptied_where_nothing_is_wrong(void **state)
{
    (void)state;
    char message[16] = "of before";

    clobber_tuner_destroy(clobber_tuner_create(&closed_hold, message, sizeof message));

    assert_string_equal(message, "");
}

static void a_missing_struct_is_refused(void **state)
{
    (void)state;
    char message[128];

    assert_null(clobber_tuner_create(NULL, message, sizeof message));

    assert_memory_equal(message, "bytes is 0; give sizeof(struct clobber_options)", 47);
    clobber_tuner_destroy(NULL);
}

/* Callers of other ages. */

struct newer_options {
    struct clobber_options known;
    double unknown[4];
};

static void options_below_the_first_version_or_without_end_are_refused(void **state)
{
    (void)state;
    size_t first = offsetof(struct clobber_options, interval_ns) + sizeof(uint64_t);
    const size_t wrong[] = {0, 1, first - 1, 4097, SIZE_MAX};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct clobber_options options = closed_hold;
        options.bytes = wrong[i];
        assert_null(clobber_tuner_create(&options, NULL, 0));
    }
}

static void newer_options_are_taken_while_what_is_new_is_0(void **state)
{
    (void)state;
    struct newer_options newer = {.known = closed_hold};
    newer.known.bytes = sizeof newer;
    char message[128];
    clobber_tuner_destroy(made(&newer.known));

    newer.unknown[3] = 1;

    assert_null(clobber_tuner_create(&newer.known, message, sizeof message));
    assert_memory_equal(message, "options newer than this library are set", 39);
}

static void an_older_advice_is_not_written_beyond_and_a_newer_one_is_zeroed(void **state)
{
    (void)state;
    struct {
        struct clobber_advice known;
        unsigned char beyond[64];
    } newer;
    struct clobber_tuner *tuner = made(&closed_hold);
    memset(&newer, 0xaa, sizeof newer);
    newer.known.bytes = sizeof newer.known;

    clobber_tuner_step(tuner, NULL, &newer.known);
    assert_int_equal(newer.known.bytes, sizeof newer.known);
    assert_true(newer.known.concurrency > 0);
    assert_int_equal(newer.beyond[0], 0xaa);
    newer.known.bytes = sizeof newer;
    clobber_tuner_step(tuner, NULL, &newer.known);

    assert_int_equal(newer.known.bytes, sizeof newer);
    for (size_t i = 0; i < sizeof newer.beyond; i++)
        assert_int_equal(newer.beyond[i], 0);
    clobber_tuner_destroy(tuner);
}

static void an_advice_of_no_size_is_left_alone(void **state)
{
    (void)state;
    struct clobber_advice advice = {.bytes = 0, .concurrency = 7};
    struct clobber_tuner *tuner = made(&closed_hold);

    clobber_tuner_step(tuner, NULL, &advice);
    clobber_tuner_step(tuner, NULL, NULL);

    assert_near(advice.concurrency, 7, 0);
    clobber_tuner_destroy(tuner);
}

/* What is told. */

static void the_first_step_tells_where_to_start(void **state)
{
    (void)state;
    struct clobber_options options = closed_hold;
    options.concurrency_start = 40;
    struct clobber_tuner *tuner = made(&options);

    struct clobber_advice advice = step(tuner, NULL);

    assert_near(advice.concurrency, 40, 0);
    assert_near(advice.concurrency_floor, 40, 0);
    assert_int_equal(advice.status, CLOBBER_RAMPING);
    assert_int_equal(advice.bound, CLOBBER_UNBOUND);
    clobber_tuner_destroy(tuner);
}

static void elastic_workers_start_with_the_floor_that_was_asked_for(void **state)
{
    (void)state;
    struct clobber_options options = open_hold;
    options.concurrency_start = 400;
    struct clobber_tuner *tuner = made(&options);

    struct clobber_advice advice = step(tuner, NULL);

    assert_near(advice.concurrency_floor, 400, 0);
    assert_true(advice.concurrency > 400);
    clobber_tuner_destroy(tuner);
}

static void the_first_step_may_bring_a_sample(void **state)
{
    (void)state;
    struct clobber_tuner *with_start = made(&closed_hold);
    struct clobber_tuner *at_once = made(&closed_hold);
    struct clobber_sample sample = served(10, 10);
    step(with_start, NULL);

    struct clobber_advice told = step(with_start, &sample);
    struct clobber_advice told_at_once = step(at_once, &sample);

    assert_memory_equal(&told, &told_at_once, sizeof told);
    clobber_tuner_destroy(with_start);
    clobber_tuner_destroy(at_once);
}

static void a_rate_is_held_with_the_workers_that_it_takes(void **state)
{
    (void)state;
    struct clobber_tuner *tuner = made(&closed_hold);

    struct clobber_advice advice = run(tuner, 60);

    assert_near(advice.concurrency, 50, 1);
    assert_near(advice.concurrency_floor, advice.concurrency, 0);
    assert_int_equal(advice.status, CLOBBER_STEADY);
    assert_near(advice.ceiling_per_s, 0, 0);
    clobber_tuner_destroy(tuner);
}

static void a_new_target_takes_other_workers(void **state)
{
    (void)state;
    struct clobber_tuner *tuner = made(&closed_hold);
    run(tuner, 60);

    clobber_tuner_retarget(tuner, 2000);
    struct clobber_advice advice = run(tuner, 60);
    assert_near(advice.concurrency, 20, 0.5);
    clobber_tuner_retarget(tuner, 0);
    advice = step(tuner, NULL);

    assert_near(advice.concurrency, 0, 0);
    clobber_tuner_destroy(tuner);
}

static void a_target_that_cannot_be_changes_nothing(void **state)
{
    (void)state;
    const double wrong[] = {-1, NAN, INFINITY, 1.1e12};
    struct clobber_tuner *tuner = made(&closed_hold);
    run(tuner, 60);

    for (size_t i = 0; i < COUNT(wrong); i++)
        clobber_tuner_retarget(tuner, wrong[i]);

    assert_near(run(tuner, 60).concurrency, 50, 1);
    clobber_tuner_destroy(tuner);
}

static void advice_stays_between_minimum_and_maximum(void **state)
{
    (void)state;
    struct clobber_options options = closed_hold;
    options.concurrency_min = 60;
    struct clobber_tuner *tuner = made(&options);
    assert_near(run(tuner, 60).concurrency, 60, 0);
    clobber_tuner_retarget(tuner, 0);
    assert_near(step(tuner, NULL).concurrency, 60, 0);
    clobber_tuner_destroy(tuner);

    options.concurrency_min = 0;
    options.concurrency_max = 30;
    tuner = made(&options);
    struct clobber_advice advice = run(tuner, 60);

    assert_near(advice.concurrency, 30, 0);
    assert_int_equal(advice.status, CLOBBER_AT_MAXIMUM);
    clobber_tuner_destroy(tuner);
}

static void elastic_workers_get_a_floor_below_the_most(void **state)
{
    (void)state;
    struct clobber_tuner *tuner = made(&open_hold);
    struct clobber_sample sample = served(50, 10);
    struct clobber_advice advice = {0};

    for (int i = 0; i < 60; i++)
        advice = step(tuner, &sample);

    assert_true(advice.concurrency_floor > 50 && advice.concurrency_floor < 100);
    assert_true(advice.concurrency >= 2 * advice.concurrency_floor);
    assert_int_equal(advice.status, CLOBBER_STEADY);
    clobber_tuner_destroy(tuner);
}

static void rigid_workers_get_one_number(void **state)
{
    (void)state;
    struct clobber_options options = open_hold;
    options.elastic = false;
    struct clobber_tuner *tuner = made(&options);
    struct clobber_sample sample = served(50, 10);

    struct clobber_advice advice = step(tuner, &sample);

    assert_near(advice.concurrency_floor, advice.concurrency, 0);
    clobber_tuner_destroy(tuner);
}

static void work_too_fast_for_the_clock_is_held(void **state)
{
    (void)state;
    struct clobber_tuner *tuner = made(&closed_hold);
    struct clobber_sample sample = served(10, 10);
    sample.completed = 500;
    sample.in_flight_mean = sample.latency_ns_mean = 0;
    struct clobber_advice advice = {0};

    for (int i = 0; i < 100; i++)
        advice = step(tuner, &sample);

    assert_int_equal(advice.status, CLOBBER_STEADY);
    assert_true(advice.concurrency > 0);
    clobber_tuner_destroy(tuner);
}

static void workers_that_were_not_counted_are_reckoned_from_the_latency(void **state)
{
    (void)state;
    struct clobber_tuner *counted = made(&closed_hold);
    struct clobber_tuner *uncounted = made(&closed_hold);
    struct clobber_sample sample = served(30, 10);
    for (int i = 0; i < 50; i++) {
        sample.in_flight_mean = 30;
        struct clobber_advice told = step(counted, &sample);
        sample.in_flight_mean = 0;
        struct clobber_advice same = step(uncounted, &sample);
        assert_near(same.concurrency, told.concurrency, 1e-6);
    }
    clobber_tuner_destroy(counted);
    clobber_tuner_destroy(uncounted);
}

static void nothing_but_failures_has_a_latency_too(void **state)
{
    (void)state;
    struct clobber_tuner *tuner = made(&closed_hold);
    struct clobber_sample sample = served(10, 10);
    sample.failed = sample.completed;
    sample.completed = 0;
    sample.latency_ns_mean = 0;

    for (int i = 0; i < 300; i++) {
        struct clobber_advice advice = step(tuner, &sample);
        assert_true(advice.concurrency > 0 && advice.concurrency <= 1000);
    }
    clobber_tuner_destroy(tuner);
}

/* Twenty servers of 10 ms: more workers wait in line. From ten on the tail grows, and from sixteen
 * on there are errors. */
static struct clobber_advice search(struct clobber_tuner *tuner, int ticks)
{
    struct clobber_advice advice = step(tuner, NULL);
    for (int i = 0; i < ticks; i++) {
        double workers = advice.concurrency;
        struct clobber_sample sample = served(workers, fmax(10, workers / 2));
        sample.latency_ns_at_quantile = sample.latency_ns_mean * fmax(2, workers / 5);
        sample.failed = workers > 15 ? sample.completed / 10 : 0;
        advice = step(tuner, &sample);
    }
    return advice;
}

static void the_most_that_there_is_is_found_with_the_fewest_workers(void **state)
{
    (void)state;
    struct clobber_tuner *tuner = made(&maximize);

    struct clobber_advice advice = search(tuner, 300);

    assert_int_equal(advice.status, CLOBBER_SATURATED);
    assert_in_range(lround(advice.concurrency), 19, 23);
    assert_near(advice.concurrency_floor, advice.concurrency, 0);
    assert_true(advice.ceiling_per_s > 1900 && advice.ceiling_per_s < 2300);
    assert_in_range(lround(advice.ceiling_concurrency), 19, 23);
    clobber_tuner_retarget(tuner, 5000); /* has no meaning here */
    assert_int_equal(search(tuner, 300).status, CLOBBER_SATURATED);
    clobber_tuner_destroy(tuner);
}

static void a_bound_on_latency_ends_the_search(void **state)
{
    (void)state;
    struct clobber_options options = maximize;
    options.latency_quantile = 0.99;
    options.latency_bound_ns = 30000000; /* of fifteen workers */
    struct clobber_tuner *tuner = made(&options);

    struct clobber_advice advice = search(tuner, 600);

    assert_int_equal(advice.status, CLOBBER_BOUNDED);
    assert_int_equal(advice.bound, CLOBBER_BY_LATENCY);
    assert_true(advice.concurrency > 12 && advice.concurrency <= 15);
    clobber_tuner_destroy(tuner);
}

static void a_bound_that_the_fewest_workers_break_is_named_too(void **state)
{
    (void)state;
    struct clobber_options options = maximize;
    options.concurrency_min = 1;
    options.latency_quantile = 0.99;
    options.latency_bound_ns = 19000000; /* one alone has 20 ms */
    struct clobber_tuner *tuner = made(&options);

    struct clobber_advice advice = search(tuner, 600);

    assert_near(advice.concurrency, 1, 0);
    assert_int_equal(advice.status, CLOBBER_BOUNDED);
    assert_int_equal(advice.bound, CLOBBER_BY_LATENCY);
    clobber_tuner_destroy(tuner);
}

static void a_bound_on_errors_ends_the_search(void **state)
{
    (void)state;
    struct clobber_options options = maximize;
    options.error_share_max = 0.01;
    struct clobber_tuner *tuner = made(&options);

    struct clobber_advice advice = search(tuner, 600);

    assert_int_equal(advice.status, CLOBBER_BOUNDED);
    assert_int_equal(advice.bound, CLOBBER_BY_ERRORS);
    assert_true(advice.concurrency < 17);
    clobber_tuner_destroy(tuner);
}

/* Nonsense. */

struct nonsense_case {
    const char *name;
    struct clobber_sample sample;
};

#define SAMPLE(...)                                                                                \
    {                                                                                              \
        .bytes = sizeof(struct clobber_sample), .generator_load = -1, __VA_ARGS__                  \
    }

static const struct nonsense_case nonsense_cases[] = {
    {"an_interval_of_0_is_no_report", SAMPLE(.completed = 5, .latency_ns_mean = 1e6)},
    {"an_interval_that_went_backwards_is_no_report",
     SAMPLE(.interval_ns = (uint64_t)-TICK_NS, .completed = 5)},
    {"more_answers_than_can_be_are_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = UINT64_MAX, .failed = UINT64_MAX)},
    {"workers_that_are_no_number_are_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .in_flight_mean = NAN)},
    {"negative_workers_are_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .in_flight_mean = -1)},
    {"endless_latency_is_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .latency_ns_mean = INFINITY)},
    {"a_negative_latency_is_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .latency_ns_mean = -1e6)},
    {"a_latency_above_a_day_is_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .latency_ns_mean = 8.7e13)},
    {"a_quantile_that_is_no_number_is_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .latency_ns_at_quantile = NAN)},
    {"an_endless_backlog_is_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .backlog = INFINITY)},
    {"a_peak_that_is_no_number_is_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .demand_peak = NAN)},
    {"an_endless_end_is_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .in_flight_end = INFINITY)},
    {"a_sample_without_a_part_is_no_report",
     SAMPLE(.interval_ns = TICK_NS, .completed = 5, .parts_expected = 2)},
    {"a_sample_of_no_size_is_no_report", {.interval_ns = TICK_NS, .completed = 5}},
};

static void a_sample_is_no_report(void **state)
{
    const struct nonsense_case *row = *state;
    struct clobber_tuner *fooled = made(&closed_hold);
    struct clobber_tuner *untold = made(&closed_hold);
    run(fooled, 60);
    run(untold, 60);

    for (int i = 0; i < 5; i++) {
        struct clobber_advice advice = step(fooled, &row->sample);
        struct clobber_advice wanted = step(untold, NULL);
        assert_memory_equal(&advice, &wanted, sizeof advice);
        assert_int_equal(advice.status == CLOBBER_NO_DATA, i >= 2);
    }
    clobber_tuner_destroy(fooled);
    clobber_tuner_destroy(untold);
}

static void a_part_that_is_missing_makes_no_measurement(void **state)
{
    (void)state;
    struct clobber_tuner *tuner = made(&closed_hold);
    struct clobber_advice before = run(tuner, 60);
    struct clobber_sample half = served(before.concurrency / 2, 10);
    half.parts_expected = 2;

    struct clobber_advice after = step(tuner, &half);

    assert_near(after.concurrency, before.concurrency, 0);
    clobber_tuner_destroy(tuner);
}

static void parts_that_are_not_counted_are_one_of_one(void **state)
{
    (void)state;
    struct clobber_tuner *counted = made(&closed_hold);
    struct clobber_tuner *uncounted = made(&closed_hold);
    struct clobber_sample sample = served(10, 10);
    struct clobber_advice wanted = step(counted, &sample);
    sample.parts_expected = sample.parts_reported = 0;

    struct clobber_advice advice = step(uncounted, &sample);

    assert_memory_equal(&advice, &wanted, sizeof advice);
    clobber_tuner_destroy(counted);
    clobber_tuner_destroy(uncounted);
}

static void a_load_that_is_no_number_is_unknown_and_one_above_1_is_full(void **state)
{
    (void)state;
    struct clobber_tuner *tuner = made(&closed_hold);
    struct clobber_sample sample = served(50, 10);
    struct clobber_advice advice = {0};
    sample.generator_load = NAN;
    for (int i = 0; i < 60; i++)
        advice = step(tuner, &sample);
    assert_int_equal(advice.status, CLOBBER_STEADY);

    sample.generator_load = INFINITY;
    for (int i = 0; i < 5; i++)
        advice = step(tuner, &sample);

    assert_int_equal(advice.status, CLOBBER_GENERATOR_BOUND);
    assert_near(advice.ceiling_per_s, 5000, 50);
    clobber_tuner_destroy(tuner);
}

static void the_same_samples_give_the_same_advice(void **state)
{
    (void)state;
    const struct clobber_options *goals[] = {&closed_hold, &open_hold, &maximize};
    for (size_t goal = 0; goal < COUNT(goals); goal++) {
        struct clobber_tuner *left = made(goals[goal]);
        struct clobber_tuner *right = made(goals[goal]);
        for (int i = 0; i < 2000; i++) {
            struct clobber_sample sample = served(20 + i * 37 % 61, 3 + i * 7 % 11);
            struct clobber_advice one = step(left, i % 97 == 0 ? NULL : &sample);
            struct clobber_advice other = step(right, i % 97 == 0 ? NULL : &sample);
            assert_memory_equal(&one, &other, sizeof one);
        }
        clobber_tuner_destroy(left);
        clobber_tuner_destroy(right);
    }
}

int main(void)
{
    struct CMUnitTest refusals[COUNT(refusal_cases)];
    for (size_t i = 0; i < COUNT(refusal_cases); i++)
        refusals[i] = (struct CMUnitTest){.name = refusal_cases[i].name,
                                          .test_func = create_refuses,
                                          .initial_state = (void *)(uintptr_t)&refusal_cases[i]};
    struct CMUnitTest nonsense[COUNT(nonsense_cases)];
    for (size_t i = 0; i < COUNT(nonsense_cases); i++)
        nonsense[i] = (struct CMUnitTest){.name = nonsense_cases[i].name,
                                          .test_func = a_sample_is_no_report,
                                          .initial_state = (void *)(uintptr_t)&nonsense_cases[i]};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_at_every_border_are_taken),
        cmocka_unit_test(a_message_is_cut_to_its_room_and_may_be_missing),
        cmocka_unit_test(a_message_is_emptied_where_nothing_is_wrong),
        cmocka_unit_test(a_missing_struct_is_refused),
        cmocka_unit_test(options_below_the_first_version_or_without_end_are_refused),
        cmocka_unit_test(newer_options_are_taken_while_what_is_new_is_0),
        cmocka_unit_test(an_older_advice_is_not_written_beyond_and_a_newer_one_is_zeroed),
        cmocka_unit_test(an_advice_of_no_size_is_left_alone),
        cmocka_unit_test(the_first_step_tells_where_to_start),
        cmocka_unit_test(elastic_workers_start_with_the_floor_that_was_asked_for),
        cmocka_unit_test(the_first_step_may_bring_a_sample),
        cmocka_unit_test(a_rate_is_held_with_the_workers_that_it_takes),
        cmocka_unit_test(a_new_target_takes_other_workers),
        cmocka_unit_test(a_target_that_cannot_be_changes_nothing),
        cmocka_unit_test(advice_stays_between_minimum_and_maximum),
        cmocka_unit_test(elastic_workers_get_a_floor_below_the_most),
        cmocka_unit_test(rigid_workers_get_one_number),
        cmocka_unit_test(work_too_fast_for_the_clock_is_held),
        cmocka_unit_test(workers_that_were_not_counted_are_reckoned_from_the_latency),
        cmocka_unit_test(nothing_but_failures_has_a_latency_too),
        cmocka_unit_test(the_most_that_there_is_is_found_with_the_fewest_workers),
        cmocka_unit_test(a_bound_on_latency_ends_the_search),
        cmocka_unit_test(a_bound_that_the_fewest_workers_break_is_named_too),
        cmocka_unit_test(a_bound_on_errors_ends_the_search),
        cmocka_unit_test(a_part_that_is_missing_makes_no_measurement),
        cmocka_unit_test(parts_that_are_not_counted_are_one_of_one),
        cmocka_unit_test(a_load_that_is_no_number_is_unknown_and_one_above_1_is_full),
        cmocka_unit_test(the_same_samples_give_the_same_advice),
    };
    int failed = cmocka_run_group_tests_name("refused", refusals, NULL, NULL);
    failed += cmocka_run_group_tests_name("nonsense", nonsense, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
