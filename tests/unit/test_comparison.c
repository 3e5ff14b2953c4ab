#include "coordinator/comparison.h"

#include "common/base/units.h"
#include "common/control/random.h"
#include "tests/unit/near.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECONDS 55u

static const struct comparison_options usual = {
    .tolerance = 0.03, .errors_tolerance = 0.001, .draws = 400, .seed = 1};

/* What each metric is around, and how much of it a second is off. */
static const struct {
    double level, scatter;
} habits[COMPARISON_METRICS] = {
    [COMPARISON_THROUGHPUT] = {5000.0, 0.01}, [COMPARISON_RESPONSE_P50] = {16.64, 0.02},
    [COMPARISON_RESPONSE_P90] = {17.0, 0.05}, [COMPARISON_RESPONSE_P99] = {17.3, 0.1},
    [COMPARISON_SERVICE_P50] = {16.6, 0.02},  [COMPARISON_SERVICE_P99] = {17.2, 0.1},
    [COMPARISON_ERRORS] = {0.001, 0.0002},    [COMPARISON_WORKERS] = {98.0, 0.02},
};

static bool is_latency(enum comparison_metric metric)
{
    return metric >= COMPARISON_RESPONSE_P50 && metric <= COMPARISON_SERVICE_P99;
}

/* A run of so many seconds of which each remembers the share `memory` of the one before it. */
static void make_side(struct comparison_side *side, uint32_t seconds, double memory, uint64_t seed)
{
    struct random random = {seed};
    *side = (struct comparison_side){.width_s = 1, .ended = 5000 * seconds};
    for (enum comparison_metric metric = 0; metric < COMPARISON_METRICS; metric++) {
        double noise = random_normal(&random);
        for (uint32_t i = 0; i < seconds; i++) {
            noise = memory * noise + sqrt(1.0 - memory * memory) * random_normal(&random);
            double off = habits[metric].scatter * noise;
            bool adds = is_latency(metric) || metric == COMPARISON_ERRORS;
            side->values[metric][side->counts[metric]++] =
                adds ? habits[metric].level + off : habits[metric].level * (1.0 + off);
        }
    }
}

static void shift(struct comparison_side *side, enum comparison_metric metric, double times)
{
    for (uint32_t i = 0; i < side->counts[metric]; i++) {
        if (is_latency(metric))
            side->values[metric][i] += log(times);
        else
            side->values[metric][i] *= times;
    }
}

struct pair {
    struct comparison_side a, b;
    struct comparison comparison;
};

static int made(void **state)
{
    struct pair *pair = malloc(sizeof *pair);
    assert_non_null(pair);
    make_side(&pair->a, SECONDS, 0.5, 1);
    make_side(&pair->b, SECONDS, 0.5, 2);
    *state = pair;
    return 0;
}

static int unmade(void **state)
{
    free(*state);
    return 0;
}

static void equal_runs_are_the_same_and_say_what_would_have_been_found(void **state)
{
    struct pair *pair = *state;

    comparison_make(&pair->comparison, &pair->a, &pair->b, &usual);

    assert_int_equal(pair->comparison.word, COMPARISON_SAME);
    const struct comparison_row *row = &pair->comparison.rows[COMPARISON_THROUGHPUT];
    assert_near(row->a, 5000.0, 50.0);
    assert_true(row->detectable > 0.002 && row->detectable < 0.02);
    assert_true(row->corrected.low < row->of_95.low && row->of_95.low < row->difference);
    assert_true(row->difference < row->of_95.high && row->of_95.high < row->corrected.high);
    assert_in_range(row->block_s, 2, 13);
}

static void a_known_difference_is_found_in_the_metric_that_has_it(void **state)
{
    static const struct {
        enum comparison_metric metric;
        double times;
        enum comparison_word word;
        enum comparison_word of_all;
    } rows[] = {
        {COMPARISON_THROUGHPUT, 0.95, COMPARISON_WORSE, COMPARISON_WORSE},
        {COMPARISON_THROUGHPUT, 0.98, COMPARISON_WITHIN, COMPARISON_WITHIN},
        {COMPARISON_THROUGHPUT, 1.05, COMPARISON_BETTER, COMPARISON_BETTER},
        {COMPARISON_RESPONSE_P50, 1.05, COMPARISON_WORSE, COMPARISON_WORSE},
        {COMPARISON_SERVICE_P99, 0.80, COMPARISON_BETTER, COMPARISON_BETTER},
        {COMPARISON_ERRORS, 3.0, COMPARISON_WORSE, COMPARISON_WORSE},
        {COMPARISON_ERRORS, 1.5, COMPARISON_WITHIN, COMPARISON_WITHIN},
        {COMPARISON_WORKERS, 1.2, COMPARISON_MORE, COMPARISON_SAME},
        {COMPARISON_WORKERS, 0.8, COMPARISON_FEWER, COMPARISON_SAME},
    };
    struct pair *pair = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_side(&pair->b, SECONDS, 0.5, 2);
        shift(&pair->b, rows[i].metric, rows[i].times);

        comparison_make(&pair->comparison, &pair->a, &pair->b, &usual);

        const struct comparison_row *row = &pair->comparison.rows[rows[i].metric];
        if (row->word != rows[i].word || pair->comparison.word != rows[i].of_all)
            fail_msg("%s times %g: %s by %g, and %s in all", comparison_metric_name(rows[i].metric),
                     rows[i].times, comparison_word(row->word), row->difference,
                     comparison_word(pair->comparison.word));
    }
}

static void what_records_cannot_tell_apart_is_no_difference(void **state)
{
    struct pair *pair = *state;
    for (uint32_t i = 0; i < SECONDS; i++) {
        pair->a.values[COMPARISON_RESPONSE_P50][i] = log(5275647.0); /* one cell and the next */
        pair->b.values[COMPARISON_RESPONSE_P50][i] = log(5308415.0);
        pair->a.values[COMPARISON_WORKERS][i] = 20.0;
        pair->b.values[COMPARISON_WORKERS][i] = 21.0;
        pair->a.values[COMPARISON_ERRORS][i] = 0.0;
        pair->b.values[COMPARISON_ERRORS][i] = 0.0;
    }

    comparison_make(&pair->comparison, &pair->a, &pair->b, &usual);

    assert_int_equal(pair->comparison.rows[COMPARISON_RESPONSE_P50].word, COMPARISON_SAME);
    assert_int_equal(pair->comparison.rows[COMPARISON_WORKERS].word, COMPARISON_SAME);
    assert_int_equal(pair->comparison.rows[COMPARISON_ERRORS].word, COMPARISON_SAME);
    /* None of 275,000 failed: so few as 7 in as many may be the truth. */
    assert_near(pair->comparison.rows[COMPARISON_ERRORS].detectable, 6.685 / 275000.0, 1e-7);
}

static void a_figure_that_one_run_does_not_have_is_unknown(void **state)
{
    struct pair *pair = *state;
    pair->b.counts[COMPARISON_SERVICE_P99] = COMPARISON_SECONDS_MIN - 1;
    for (uint32_t i = 0; i < SECONDS; i++)
        pair->b.values[COMPARISON_THROUGHPUT][i] = 0.0;

    comparison_make(&pair->comparison, &pair->a, &pair->b, &usual);

    assert_int_equal(pair->comparison.rows[COMPARISON_SERVICE_P99].word, COMPARISON_UNKNOWN);
    assert_int_equal(pair->comparison.rows[COMPARISON_THROUGHPUT].word, COMPARISON_UNKNOWN);
    assert_int_equal(pair->comparison.word, COMPARISON_SAME);
}

/* Of 1,000 pairs that are equal but for their noise, how many are said to differ in any metric. */
static void equal_runs_are_said_to_differ_once_in_a_hundred_pairs(void **state)
{
    static const struct {
        uint32_t seconds;
        double memory;
        uint32_t most; /* 10 by design; so many happen by chance less often than once in 100 */
    } rows[] = {{55, 0.0, 18}, {55, 0.5, 18}, {8, 0.3, 18}};
    struct pair *pair = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t differ = 0;
        for (uint64_t seed = 1; seed <= 1000; seed++) {
            make_side(&pair->a, rows[i].seconds, rows[i].memory, 2 * seed);
            make_side(&pair->b, rows[i].seconds, rows[i].memory, 2 * seed + 1);
            struct comparison_options options = {.draws = 100, .seed = seed};
            comparison_make(&pair->comparison, &pair->a, &pair->b, &options);
            bool found = false;
            for (enum comparison_metric metric = 0; metric < COMPARISON_METRICS; metric++)
                found = found || pair->comparison.rows[metric].word > COMPARISON_SAME;
            differ += found;
        }
        print_message("%u seconds, memory %g: %u of 1000\n", rows[i].seconds, rows[i].memory,
                      differ);
        if (differ > rows[i].most)
            fail_msg("%u seconds, memory %g: %u of 1000 equal pairs differ", rows[i].seconds,
                     rows[i].memory, differ);
    }
}

static void an_interval_of_95_percent_holds_the_difference_as_often(void **state)
{
    struct pair *pair = *state;
    uint32_t held = 0, of = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        make_side(&pair->a, SECONDS, 0.5, 2 * seed);
        make_side(&pair->b, SECONDS, 0.5, 2 * seed + 1);
        shift(&pair->b, COMPARISON_RESPONSE_P99, 1.2);
        struct comparison_options options = {.draws = 400, .seed = seed};
        comparison_make(&pair->comparison, &pair->a, &pair->b, &options);
        const struct comparison_row *row = &pair->comparison.rows[COMPARISON_RESPONSE_P99];
        held += row->of_95.low <= 0.2 && row->of_95.high >= 0.2;
        of++;
    }
    print_message("held %u of %u\n", held, of);
    assert_in_range(held * 1000 / of, 920, 985); /* 950, give or take three standard errors */
}

static void only_whole_seconds_after_the_warm_up_count(void **state)
{
    struct pair *pair = *state;
    struct series series;
    assert_true(series_init(&series));
    struct series_latency latency = {.p50_ns = 100, .p90_ns = 200, .p99_ns = 300};
    for (uint64_t i = 0; i < 123; i++) { /* ticks of 0.1 s, one middle after the other */
        struct series_tick tick = {.span_ns = NS_PER_S / 10,
                                   .whole = true,
                                   .workers = 7,
                                   .ok = i < 25 ? 1 : 9,
                                   .timed_out = i < 25 ? 50 : 1};
        series_add_tick(&series, i * (NS_PER_S / 10) + NS_PER_S / 20, &tick);
        series_add_latency(&series, i * (NS_PER_S / 10), &latency, &latency);
    }

    comparison_side_take(&pair->a, &series, 2500 * NS_PER_MS, 12300 * NS_PER_MS, 1);

    assert_int_equal(pair->a.counts[COMPARISON_THROUGHPUT], 9);
    assert_true(comparison_side_is_enough(&pair->a));
    assert_near(pair->a.values[COMPARISON_THROUGHPUT][0], 90.0, 1e-9);
    assert_near(pair->a.values[COMPARISON_ERRORS][8], 0.1, 1e-9);
    assert_near(pair->a.values[COMPARISON_WORKERS][8], 7.0, 1e-9);
    assert_near(exp(pair->a.values[COMPARISON_RESPONSE_P99][3]), 300.0, 1e-6);
    comparison_side_take(&pair->a, &series, 2500 * NS_PER_MS, 12300 * NS_PER_MS, 2);
    assert_int_equal(pair->a.counts[COMPARISON_THROUGHPUT], 4);
    assert_false(comparison_side_is_enough(&pair->a));
    series_done(&series);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, made, unmade)
    const struct CMUnitTest tests[] = {
        TEST(equal_runs_are_the_same_and_say_what_would_have_been_found),
        TEST(a_known_difference_is_found_in_the_metric_that_has_it),
        TEST(what_records_cannot_tell_apart_is_no_difference),
        TEST(a_figure_that_one_run_does_not_have_is_unknown),
        TEST(equal_runs_are_said_to_differ_once_in_a_hundred_pairs),
        TEST(an_interval_of_95_percent_holds_the_difference_as_often),
        TEST(only_whole_seconds_after_the_warm_up_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
