#include "coordinator/series.h"

#include "common/base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int made(void **state)
{
    static struct series series;
    assert_true(series_init(&series));
    *state = &series;
    return 0;
}

static int unmade(void **state)
{
    series_done(*state);
    return 0;
}

static void add(struct series *series, uint64_t at_s, double throughput_per_s)
{
    struct series_tick tick = {.span_ns = NS_PER_S,
                               .whole = true,
                               .throughput_per_s = throughput_per_s,
                               .workers = 7,
                               .ok = (uint64_t)throughput_per_s};
    series_add_tick(series, at_s * NS_PER_S, &tick);
}

static void a_bin_keeps_the_lowest_and_the_highest_beside_the_mean(void **state)
{
    struct series *series = *state;

    add(series, 3, 100);
    add(series, 3, 400);
    add(series, 3, 250);

    const struct series_bin *bin = &series->bins[3];
    assert_int_equal(series->count, 4);
    assert_true(series_throughput_per_s(bin) == 250.0);
    assert_true(bin->throughput.lowest == 100.0);
    assert_true(bin->throughput.highest == 400.0);
    assert_int_equal(series->bins[2].covered_ns, 0);
}

static void a_tick_with_an_agent_missing_counts_and_is_no_lowest(void **state)
{
    struct series *series = *state;
    struct series_tick tick = {.span_ns = NS_PER_S, .throughput_per_s = 1, .ok = 300};

    add(series, 0, 100);
    series_add_tick(series, 0, &tick);

    assert_true(series_throughput_per_s(&series->bins[0]) == 200.0);
    assert_true(series->bins[0].throughput.lowest == 100.0);
    assert_int_equal(series->bins[0].ticks, 1);
}

static void past_the_last_bin_two_become_one(void **state)
{
    struct series *series = *state;
    struct series_latency low = {.p50_ns = 1, .p99_ns = 10, .max_ns = 11};
    struct series_latency high = {.p50_ns = 2, .p99_ns = 20, .max_ns = 12};
    for (uint64_t at_s = 0; at_s < SERIES_BINS_MAX; at_s++)
        add(series, at_s, at_s % 2 == 0 ? 100 : 300);
    series_add_latency(series, 0, &low, &low);
    series_add_latency(series, NS_PER_S, &high, &low);
    series_add_errors(series, 0, "reset", 3);
    series_add_errors(series, NS_PER_S, "reset", 4);
    assert_int_equal(series->bin_s, 1);

    add(series, SERIES_BINS_MAX, 50);

    const struct series_bin *bin = &series->bins[0];
    assert_int_equal(series->bin_s, 2);
    assert_int_equal(series->count, SERIES_BINS_MAX / 2 + 1);
    assert_true(series_throughput_per_s(bin) == 200.0);
    assert_true(bin->throughput.lowest == 100.0);
    assert_true(bin->throughput.highest == 300.0);
    assert_int_equal(bin->response.p99_ns, 20);
    assert_int_equal(bin->response.max_ns, 12);
    assert_int_equal(bin->service.p99_ns, 10);
    assert_int_equal(bin->errors[0], 7);
    assert_true(series->bins[SERIES_BINS_MAX / 2].throughput.highest == 50.0);
}

static void the_longest_run_fits(void **state)
{
    struct series *series = *state;
    struct series_agent_tick agent = {.share = 0.25, .load = 0.5, .send_lag_us = 9};
    for (uint64_t at_s = 0; at_s < 24 * 3600; at_s++) {
        add(series, at_s, 1000);
        assert_true(series_add_agent(series, at_s * NS_PER_S, 0, "a1", &agent));
    }

    add(series, RUN_S_MAX - 1, 1000);

    assert_true(series->count <= SERIES_BINS_MAX);
    assert_true(series_throughput_per_s(&series->bins[0]) == 1000.0);
    const struct series_agent_bin *bin = &series->agents[0]->bins[0];
    assert_true(bin->share_sum / (float)bin->ticks == 0.25f);
    assert_int_equal(bin->send_lag_us, 9);
}

static void classes_past_the_last_share_it(void **state)
{
    struct series *series = *state;
    char name[16];
    for (uint32_t i = 0; i < SERIES_CLASSES_MAX + 3; i++) {
        snprintf(name, sizeof name, "class%u", i);
        series_add_errors(series, 0, name, 1);
    }

    assert_int_equal(series->class_count, SERIES_CLASSES_MAX);
    assert_string_equal(series->classes[0], "class0");
    assert_string_equal(series->classes[SERIES_CLASSES_MAX - 1], "other");
    assert_int_equal(series->bins[0].errors[SERIES_CLASSES_MAX - 1], 4);
}

static void an_agent_is_known_by_its_name_wherever_it_stands(void **state)
{
    struct series *series = *state;
    struct series_agent_tick tick = {.share = 1};

    assert_true(series_add_agent(series, 0, 0, "a", &tick));
    assert_true(series_add_agent(series, 0, 1, "b", &tick));
    assert_true(series_add_agent(series, NS_PER_S, 0, "b", &tick));
    assert_true(series_add_agent(series, 0, SERIES_AGENTS_MAX, "late", &tick));

    assert_int_equal(series->agent_count, 2);
    assert_int_equal(series->agents[0]->bins[1].ticks, 0);
    assert_int_equal(series->agents[1]->bins[1].ticks, 1);
}

#define CLAIM(claim) cmocka_unit_test_setup_teardown(claim, made, unmade)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_bin_keeps_the_lowest_and_the_highest_beside_the_mean),
        CLAIM(a_tick_with_an_agent_missing_counts_and_is_no_lowest),
        CLAIM(past_the_last_bin_two_become_one),
        CLAIM(the_longest_run_fits),
        CLAIM(classes_past_the_last_share_it),
        CLAIM(an_agent_is_known_by_its_name_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
