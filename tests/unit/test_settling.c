#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/settling.h"

#include <math.h>
#include <string.h>

#define TICK UINT64_C(100000000)
#define S    (10 * TICK)

static struct settling settling;

static int setup(void **state)
{
    (void)state;
    settling_init(&settling, 0.01, true);
    return 0;
}

static void assert_near(double value, double expected, double most)
{
    if (!(fabs(value - expected) <= most))
        fail_msg("%.9g is not within %g of %.9g", value, most, expected);
}

/* Ticks from `from` on at a goal of 1000/s, all after the warm-up; true when one of them settled
 * it. */
static bool run(uint32_t from, uint32_t ticks, double value, double workers)
{
    bool settled = false;
    for (uint32_t i = from; i < from + ticks; i++)
        settled = settling_take(&settling, &(struct settling_tick){.at_ns = i * TICK,
                                                                   .measured = true,
                                                                   .goal = 1000.0,
                                                                   .value = value,
                                                                   .throughput_per_s = value,
                                                                   .workers = workers,
                                                                   .ended = 100,
                                                                   .latency_ns_mean = 5e6}) ||
                  settled;
    return settled;
}

static struct report_control report(double throughput_per_s)
{
    struct report_control control = {0};
    settling_report(&settling, throughput_per_s, &control);
    return control;
}

static void it_settles_when_it_has_stayed_for_a_second_and_from_its_beginning(void **state)
{
    (void)state;
    run(1, 10, 500.0, 10.0); /* far off: the last second's mean holds some of it for a second */
    assert_false(run(11, 10, 1000.0, 20.0));
    assert_true(run(21, 10, 1000.0, 20.0));

    struct report_control control = report(1000.0);

    assert_true(control.settled);
    assert_int_equal(control.settle_ns,
                     10 * TICK); /* where the first whole second at the goal began */
}

static void what_leaves_the_band_at_once_has_not_settled(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        assert_false(run(10 * i + 1, 9, 1000.0, 20.0));
        run(10 * i + 10, 1, 1400.0, 20.0);
    }

    assert_false(report(1000.0).settled);
}

static void overshoot_is_of_the_second_above_the_goal_after_settling(void **state)
{
    (void)state;
    run(1, 5, 2000.0, 20.0); /* before it settles, so it is no overshoot */
    run(6, 30, 1000.0, 20.0);
    run(36, 10, 1100.0, 20.0);

    assert_near(report(1000.0).overshoot, 0.1, 1e-9);
}

static void a_whole_request_more_in_a_second_is_no_overshoot(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < 60;
         i++) /* 2 in one second, none in the next: 0.5/s at a goal of 0.5/s */
        settling_take(&settling, &(struct settling_tick){.at_ns = i * TICK,
                                                         .goal = 0.5,
                                                         .value = i % 40 < 2 ? 10.0 : 0.0});

    assert_true(report(0.5).settled);
    assert_near(report(0.5).overshoot, 0.0, 1e-9);
}

static void errors_and_workers_are_of_the_time_after_the_warm_up(void **state)
{
    (void)state;
    run(1, 90, 1000.0, 20.0);
    run(91, 10, 950.0, 64.0);

    struct report_control control = report(995.0);

    assert_near(control.concurrency_mean, 24.4, 1e-9);
    assert_near(control.concurrency_final, 64.0, 1e-9);
    assert_near(control.concurrency_p95, 64.0, 0.5);
    assert_near(control.error_mean, 0.05 * 5.5 / 91.0, 0.0005);
    assert_true(control.error_p95 > 0.02);
}

static void the_interval_is_of_the_seconds_means(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        run(10 * i + 1, 10, i % 2 == 0 ? 990.0 : 1010.0, 20.0);

    struct report_control control = report(1000.0);

    /* Ten means of deviation 10.54: 2.262 x 10.54 / sqrt(10). */
    assert_near(control.interval_low_per_s, 1000.0 - 7.54, 0.02);
    assert_near(control.interval_high_per_s, 1000.0 + 7.54, 0.02);
}

static void one_second_has_no_interval(void **state)
{
    (void)state;
    run(1, 10, 990.0, 20.0);

    struct report_control control = report(990.0);

    assert_true(isnan(control.interval_low_per_s));
    assert_true(isnan(control.interval_high_per_s));
}

static void a_low_rate_settles_though_whole_requests_flutter(void **state)
{
    (void)state;
    bool settled = false;
    for (uint32_t i = 1; i < 40; i++)
        settled =
            settling_take(&settling, &(struct settling_tick){.at_ns = i * TICK,
                                                             .goal = 5.0,
                                                             .value = i % 2 == 0 ? 10.0 : 0.0}) ||
            settled;

    assert_true(settled);
}

static void a_latency_that_stays_four_times_higher_is_told_once(void **state)
{
    (void)state;
    struct latency_change change;
    uint32_t told = 0;
    run(1, 30, 1000.0, 25.0);
    assert_false(settling_latency_changed(&settling, &change));
    for (uint32_t i = 31; i < 80; i++) {
        settling_take(&settling, &(struct settling_tick){.at_ns = i * TICK,
                                                         .goal = 1000.0,
                                                         .value = 1000.0,
                                                         .workers = 98.0,
                                                         .ended = 100,
                                                         .latency_ns_mean = 20e6});
        told += settling_latency_changed(&settling, &change);
    }

    assert_int_equal(told, 1);
    assert_near(change.before_ns, 5e6, 1.0);
    assert_near(change.after_ns, 20e6, 1.0);
    assert_near(change.workers_before, 25.0, 1e-9);
    assert_near(change.workers_after, 98.0, 1e-9);
}

static void a_pause_is_no_change_of_latency(void **state)
{
    (void)state;
    struct latency_change change;
    run(1, 30, 1000.0, 25.0);
    settling_latency_changed(&settling, &change);

    for (uint32_t i = 31; i < 80; i++) {
        settling_take(&settling, &(struct settling_tick){.at_ns = i * TICK,
                                                         .goal = 1000.0,
                                                         .value = 1000.0,
                                                         .workers = 25.0,
                                                         .ended = 100,
                                                         .latency_ns_mean = i < 33 ? 100e6 : 5e6});
        assert_false(settling_latency_changed(&settling, &change));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_settles_when_it_has_stayed_for_a_second_and_from_its_beginning,
                               setup),
        cmocka_unit_test_setup(what_leaves_the_band_at_once_has_not_settled, setup),
        cmocka_unit_test_setup(overshoot_is_of_the_second_above_the_goal_after_settling, setup),
        cmocka_unit_test_setup(a_whole_request_more_in_a_second_is_no_overshoot, setup),
        cmocka_unit_test_setup(errors_and_workers_are_of_the_time_after_the_warm_up, setup),
        cmocka_unit_test_setup(the_interval_is_of_the_seconds_means, setup),
        cmocka_unit_test_setup(one_second_has_no_interval, setup),
        cmocka_unit_test_setup(a_low_rate_settles_though_whole_requests_flutter, setup),
        cmocka_unit_test_setup(a_latency_that_stays_four_times_higher_is_told_once, setup),
        cmocka_unit_test_setup(a_pause_is_no_change_of_latency, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
