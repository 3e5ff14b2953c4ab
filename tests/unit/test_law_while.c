#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/control/controller.h"
#include "common/control/law_while.h"
#include "tests/unit/near.h"

#define TICK_NS UINT64_C(100000000)

static const struct while_bounds by_latency = {.latency_s = 0.020, .error_share_max = 1.0};
static const struct while_bounds by_errors = {.latency_s = 0.0, .error_share_max = 0.01};

/** 50 servers of 10 ms: from 50 workers on each waits for all others. */
static struct observation answered(double workers, double slower, uint64_t failed)
{
    double rate_per_s = fmin(workers, 50.0) / 0.010 / slower;
    double latency_s = workers / rate_per_s;
    uint64_t ended = (uint64_t)(rate_per_s / 10.0);
    return (struct observation){.interval_ns = TICK_NS,
                                .parts_expected = 1,
                                .parts_reported = 1,
                                .generators = 1,
                                .completed = ended - failed,
                                .failed = failed,
                                .throughput_per_s = rate_per_s,
                                .in_flight_mean = workers,
                                .latency_ns_mean = latency_s * 1e9,
                                .latency_ns_quantile = latency_s * 1e9,
                                .in_flight_end = workers,
                                .generator_load = -1.0};
}

/** Runs as many as the cap allows, and returns the cap. */
static double follow(struct law_while *law, struct while_bounds bounds, double workers,
                     double slower, int ticks)
{
    for (int i = 0; i < ticks; i++) {
        struct observation seen = answered(workers, slower, 0);
        law_while_step(law, bounds, 1.0, false, &seen);
        workers = law_while_cap(law, 1.0, 10000.0);
    }
    return workers;
}

static void a_zeroed_one_allows_all(void **state)
{
    (void)state;
    struct law_while law = {0};

    assert_near(law_while_cap(&law, 1, 300), 300, 0);
}

static void the_cap_goes_where_the_bound_is_nearly_used(void **state)
{
    (void)state;
    struct law_while law = {0};

    double workers = follow(&law, by_latency, 10, 1.0, 200);

    assert_near(workers, 95, 1); /* 19 ms x 5000/s */
    assert_near(follow(&law, by_latency, workers, 1.0, 50), workers, 0.5);
    assert_false(law_while_is_by_errors(&law));
}

static void a_target_that_gets_slower_pulls_it_down_within_a_second(void **state)
{
    (void)state;
    struct law_while law = {0};
    double workers = follow(&law, by_latency, 10, 1.0, 200);

    workers = follow(&law, by_latency, workers, 1.5, 10);

    assert_true(workers <= 67); /* 20 ms x 3333/s */
    assert_true(workers >= 40);
}

static void one_slow_tick_hardly_moves_it(void **state)
{
    (void)state;
    struct law_while law = {0};
    double workers = follow(&law, by_latency, 10, 1.0, 200);
    struct observation pause = answered(workers, 10.0, 0);

    law_while_step(&law, by_latency, 1.0, false, &pause);

    assert_near(law_while_cap(&law, 1, 10000), workers, 0.05 * workers);
}

static void too_many_errors_pull_it_down_and_few_let_it_up_again(void **state)
{
    (void)state;
    struct law_while law = {0};
    struct observation bad = answered(60, 1.0, 20);

    law_while_step(&law, by_errors, 1.0, false, &bad);
    assert_near(law_while_cap(&law, 1, 10000), 57, 0.1);
    assert_true(law_while_is_by_errors(&law));

    double workers = follow(&law, by_errors, 57, 1.0, 100);
    assert_near(workers, 0.98 * 60, 1); /* near where they were it goes on with care */
    assert_true(follow(&law, by_errors, workers, 1.0, 200) > 60);
}

static void a_bound_that_even_the_fewest_break_is_counted(void **state)
{
    (void)state;
    struct law_while law = {0};

    follow(&law, by_latency, 1, 3.0, 60);

    assert_near(law_while_cap(&law, 1, 10000), 1, 0);
    assert_true(law.violated_ticks >= 50);
}

static void nothing_that_ends_moves_nothing(void **state)
{
    (void)state;
    struct law_while law = {0};
    double workers = follow(&law, by_latency, 10, 1.0, 200);
    struct observation nothing = {.interval_ns = TICK_NS, .in_flight_mean = workers};

    for (int i = 0; i < 100; i++)
        law_while_step(&law, by_latency, 1.0, false, &nothing);

    assert_near(law_while_cap(&law, 1, 10000), workers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_one_allows_all),
        cmocka_unit_test(the_cap_goes_where_the_bound_is_nearly_used),
        cmocka_unit_test(a_target_that_gets_slower_pulls_it_down_within_a_second),
        cmocka_unit_test(one_slow_tick_hardly_moves_it),
        cmocka_unit_test(too_many_errors_pull_it_down_and_few_let_it_up_again),
        cmocka_unit_test(a_bound_that_even_the_fewest_break_is_counted),
        cmocka_unit_test(nothing_that_ends_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
