#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/control/controller.h"
#include "tests/unit/near.h"

#define TICK_NS UINT64_C(100000000)

static const struct controller_config open_hold = {
    .goal = GOAL_HOLD, .arrivals = ARRIVALS_OPEN, .interval_ns = TICK_NS, .concurrency_max = 10000};
static const struct controller_config closed_hold = {.goal = GOAL_HOLD,
                                                     .arrivals = ARRIVALS_CLOSED,
                                                     .interval_ns = TICK_NS,
                                                     .concurrency_max = 10000};
static const struct controller_config fixed = {
    .goal = GOAL_CONCURRENCY, .interval_ns = TICK_NS, .concurrency_max = 100};

static struct observation answered(double rate_per_s, double latency_ms)
{
    double load = rate_per_s * latency_ms / 1e3;
    return (struct observation){.interval_ns = TICK_NS,
                                .parts_expected = 2,
                                .parts_reported = 2,
                                .generators = 2,
                                .completed = (uint64_t)(rate_per_s / 10),
                                .throughput_per_s = rate_per_s,
                                .in_flight_mean = load,
                                .latency_ns_mean = latency_ms * 1e6,
                                .in_flight_end = load,
                                .generator_load = -1.0};
}

static struct control_advice run(const struct controller_config *config, struct controller *state,
                                 double goal, struct observation seen, int ticks)
{
    struct control_advice advice = {0};
    for (int i = 0; i < ticks; i++)
        advice = controller_step(config, state, goal, 2, &seen);
    return advice;
}

static struct controller started(const struct controller_config *config, double goal)
{
    struct controller state = {0};
    controller_step(config, &state, goal, 2, NULL);
    return state;
}

static void every_status_has_its_word(void **state)
{
    (void)state;
    for (int status = CONTROL_RAMPING; status <= CONTROL_NO_DATA; status++)
        assert_non_null(control_status_word((enum control_status)status));
    assert_string_equal(control_status_word(CONTROL_GENERATOR_BOUND), "generator_bound");
}

static void a_held_rate_becomes_steady(void **state)
{
    (void)state;
    struct controller controller = started(&open_hold, 5000);

    assert_int_equal(run(&open_hold, &controller, 5000, answered(5000, 5), 1).status,
                     CONTROL_RAMPING);
    struct control_advice advice = run(&open_hold, &controller, 5000, answered(5000, 5), 30);

    assert_int_equal(advice.status, CONTROL_STEADY);
    assert_true(advice.floor >= 25 && advice.floor < advice.concurrency);
    assert_int_equal(advice.drop_age_ns, 1000000000);
    assert_near(advice.ceiling_per_s, 0, 0);
}

static void a_rate_that_is_left_ramps_again(void **state)
{
    (void)state;
    struct controller controller = started(&open_hold, 5000);
    run(&open_hold, &controller, 5000, answered(5000, 5), 30);

    assert_int_equal(run(&open_hold, &controller, 8000, answered(5000, 5), 1).status,
                     CONTROL_RAMPING);
}

static void closed_arrivals_get_a_floor_equal_to_the_cap(void **state)
{
    (void)state;
    struct controller controller = started(&closed_hold, 5000);

    struct control_advice advice = run(&closed_hold, &controller, 5000, answered(5000, 5), 30);

    assert_near(advice.floor, advice.concurrency, 0);
    assert_near(advice.concurrency, 25, 0.5);
}

static void a_goal_of_0_runs_nothing_and_is_met(void **state)
{
    (void)state;
    struct controller controller = started(&closed_hold, 0);
    struct observation quiet = answered(0, 0);

    struct control_advice advice = run(&closed_hold, &controller, 0, quiet, 50);

    assert_near(advice.concurrency, 0, 0);
    assert_int_equal(advice.status, CONTROL_STEADY);
}

static void a_partial_tick_changes_nothing(void **state)
{
    (void)state;
    struct controller controller = started(&open_hold, 5000);
    struct control_advice before = run(&open_hold, &controller, 5000, answered(5000, 5), 30);
    struct observation half = answered(2500, 5);
    half.parts_reported = 1;

    struct control_advice after = run(&open_hold, &controller, 5000, half, 5);

    assert_near(after.concurrency, before.concurrency, 0);
    assert_near(after.floor, before.floor, 0);
    assert_int_equal(after.status, before.status);
}

static void three_silent_ticks_are_no_data_and_hold_the_output(void **state)
{
    (void)state;
    struct controller controller = started(&open_hold, 5000);
    struct control_advice before = run(&open_hold, &controller, 5000, answered(5000, 5), 30);
    struct observation silence = {.interval_ns = TICK_NS, .parts_expected = 2};

    assert_int_equal(run(&open_hold, &controller, 5000, silence, 2).status, CONTROL_STEADY);
    struct control_advice after = run(&open_hold, &controller, 5000, silence, 1);

    assert_int_equal(after.status, CONTROL_NO_DATA);
    assert_near(after.concurrency, before.concurrency, 0);
    assert_int_equal(run(&open_hold, &controller, 5000, answered(5000, 5), 1).status,
                     CONTROL_STEADY);
}

static void thirty_ticks_without_an_answer_are_no_data(void **state)
{
    (void)state;
    struct controller controller = started(&open_hold, 5000);
    run(&open_hold, &controller, 5000, answered(5000, 5), 30);
    struct observation nothing = answered(0, 0);
    nothing.in_flight_end = nothing.in_flight_mean = 1000;

    assert_int_not_equal(run(&open_hold, &controller, 5000, nothing, 29).status, CONTROL_NO_DATA);
    assert_int_equal(run(&open_hold, &controller, 5000, nothing, 1).status, CONTROL_NO_DATA);
}

static void a_rate_of_one_in_ten_seconds_may_be_quiet(void **state)
{
    (void)state;
    struct controller controller = started(&open_hold, 0.1);
    struct observation nothing = answered(0, 0);

    assert_int_not_equal(run(&open_hold, &controller, 0.1, nothing, 100).status, CONTROL_NO_DATA);
    assert_int_equal(run(&open_hold, &controller, 0.1, nothing, 210).status, CONTROL_NO_DATA);
}

static void a_busy_generator_is_named_after_five_ticks_with_what_it_gives(void **state)
{
    (void)state;
    struct controller controller = started(&open_hold, 5000);
    run(&open_hold, &controller, 5000, answered(4000, 5), 30);
    struct observation busy = answered(4000, 5);
    busy.generator_load = 0.95;

    assert_int_not_equal(run(&open_hold, &controller, 5000, busy, 4).status,
                         CONTROL_GENERATOR_BOUND);
    struct control_advice advice = run(&open_hold, &controller, 5000, busy, 1);
    assert_int_equal(advice.status, CONTROL_GENERATOR_BOUND);
    assert_near(advice.ceiling_per_s, 4000, 10);
    assert_near(advice.ceiling_concurrency, 20, 0.1);

    busy.generator_load = 0.85;
    assert_int_equal(run(&open_hold, &controller, 5000, busy, 10).status, CONTROL_GENERATOR_BOUND);
    busy.generator_load = 0.75;
    assert_int_not_equal(run(&open_hold, &controller, 5000, busy, 1).status,
                         CONTROL_GENERATOR_BOUND);
}

static void advice_never_exceeds_the_ceiling(void **state)
{
    (void)state;
    struct controller_config config = open_hold;
    config.concurrency_max = 12;
    struct controller controller = started(&config, 5000);

    struct control_advice advice = run(&config, &controller, 5000, answered(2400, 5), 30);

    assert_near(advice.concurrency, 12, 0);
    assert_true(advice.floor <= 12);
    assert_int_equal(advice.status, CONTROL_AT_MAXIMUM);
}

static void a_ceiling_that_does_not_hurt_is_not_mentioned(void **state)
{
    (void)state;
    struct controller_config config = open_hold;
    config.concurrency_max = 60;
    struct controller controller = started(&config, 5000);

    struct control_advice advice = run(&config, &controller, 5000, answered(5000, 5), 30);

    assert_int_equal(advice.status, CONTROL_STEADY);
}

static void saturation_is_named_with_its_rate_and_drops_sooner(void **state)
{
    (void)state;
    struct controller controller = started(&open_hold, 4000);
    run(&open_hold, &controller, 4000, answered(4000, 5), 20);
    struct observation seen = answered(4000, 5);
    struct control_advice advice = {0};
    for (int i = 0; i < 12 && advice.status != CONTROL_SATURATED; i++) {
        double in_flight = seen.in_flight_end + 200;
        seen = answered(2000, in_flight / 2000 * 1e3);
        advice = controller_step(&open_hold, &controller, 4000, 2, &seen);
    }
    assert_int_equal(advice.status, CONTROL_SATURATED);
    assert_near(advice.ceiling_per_s, 2000, 1);
    assert_near(advice.ceiling_concurrency, 8.5, 0.1);
    assert_int_equal(advice.drop_age_ns, 20000000);
}

static void a_fixed_concurrency_is_given_as_it_is(void **state)
{
    (void)state;
    struct controller controller = started(&fixed, 40);

    struct control_advice advice = run(&fixed, &controller, 40, answered(5000, 8), 3);

    assert_near(advice.concurrency, 40, 0);
    assert_near(advice.floor, 40, 0);
    assert_int_equal(advice.status, CONTROL_STEADY);
}

static void a_fixed_concurrency_at_the_ceiling_fits_and_above_does_not(void **state)
{
    (void)state;
    struct controller controller = started(&fixed, 100);

    assert_int_equal(run(&fixed, &controller, 100, answered(5000, 8), 1).status, CONTROL_STEADY);
    struct control_advice advice = run(&fixed, &controller, 100.5, answered(5000, 8), 1);

    assert_near(advice.concurrency, 100, 0);
    assert_int_equal(advice.status, CONTROL_AT_MAXIMUM);
}

static const struct controller_config search = {.goal = GOAL_MAXIMIZE,
                                                .interval_ns = TICK_NS,
                                                .concurrency_max = 10000,
                                                .error_share_max = 1.0};

/** `workers` at a target of 10 ms and 5000/s. */
static struct observation searched(double workers)
{
    double rate_per_s = fmin(100.0 * workers, 5000.0);
    struct observation seen = answered(rate_per_s, workers / rate_per_s * 1e3);
    seen.latency_ns_quantile = seen.latency_ns_mean;
    return seen;
}

static struct control_advice run_search(const struct controller_config *config,
                                        struct controller *state, double load, int ticks)
{
    struct control_advice advice = controller_step(config, state, 0, 2, NULL);
    for (int i = 0; i < ticks; i++) {
        struct observation seen = searched(advice.concurrency);
        seen.generator_load = load;
        advice = controller_step(config, state, 0, 2, &seen);
    }
    return advice;
}

static void a_search_ramps_and_then_names_the_knee(void **state)
{
    (void)state;
    struct controller controller = {0};

    struct control_advice early = run_search(&search, &controller, -1, 10);
    assert_int_equal(early.status, CONTROL_RAMPING);
    assert_false(early.converged);

    struct control_advice late = run_search(&search, &controller, -1, 80);
    assert_int_equal(late.status, CONTROL_SATURATED);
    assert_true(late.converged);
    assert_near(late.ceiling_per_s, 5000, 50);
    assert_near(late.ceiling_concurrency, 51, 2.5);
}

static void a_search_with_busy_generators_never_ends(void **state)
{
    (void)state;
    struct controller controller = {0};

    struct control_advice advice = run_search(&search, &controller, 0.95, 100);

    assert_int_equal(advice.status, CONTROL_GENERATOR_BOUND);
    assert_false(advice.converged);
}

static void a_search_stopped_by_the_ceiling_says_so(void **state)
{
    (void)state;
    struct controller_config config = search;
    config.concurrency_max = 20;
    struct controller controller = {0};

    struct control_advice advice = run_search(&config, &controller, -1, 50);

    assert_int_equal(advice.status, CONTROL_AT_MAXIMUM);
    assert_near(advice.concurrency, 20, 0);
}

static void a_search_under_a_bound_stays_under_it_and_names_it(void **state)
{
    (void)state;
    struct controller_config config = search;
    config.goal = GOAL_MAXIMIZE_WHILE;
    config.latency_bound_ns = 10.2e6; /* of 10 ms without a queue */
    struct controller controller = {0};

    struct control_advice advice = run_search(&config, &controller, -1, 70);

    assert_int_equal(advice.status, CONTROL_BOUNDED);
    assert_int_equal(advice.bound, CONTROL_BY_LATENCY);
    assert_true(advice.concurrency <= 51);
}

static void a_search_under_a_bound_out_of_reach_ends_at_the_fewest(void **state)
{
    (void)state;
    struct controller_config config = search;
    config.goal = GOAL_MAXIMIZE_WHILE;
    config.latency_bound_ns = 5e6; /* of 10 ms without a queue */
    config.concurrency_min = 1;
    struct controller controller = {0};

    struct control_advice advice = run_search(&config, &controller, -1, 100);

    assert_int_equal(advice.status, CONTROL_BOUNDED);
    assert_near(advice.concurrency, 1, 0);
}

static void a_search_under_a_bound_out_of_reach_needs_no_minimum_to_say_so(void **state)
{
    (void)state;
    struct controller_config config = search;
    config.goal = GOAL_MAXIMIZE_WHILE;
    config.latency_bound_ns = 5e6; /* of 10 ms without a queue */
    struct controller controller = {0};

    struct control_advice advice = run_search(&config, &controller, -1, 100);

    assert_int_equal(advice.status, CONTROL_BOUNDED);
    assert_int_equal(advice.bound, CONTROL_BY_LATENCY);
    assert_near(advice.concurrency, 1, 0);
}

static void rigid_pools_get_one_number_near_the_load(void **state)
{
    (void)state;
    struct controller_config config = open_hold;
    config.rigid = true;
    struct controller controller = started(&config, 5000);

    struct control_advice advice = run(&config, &controller, 5000, answered(5000, 5), 60);

    assert_near(advice.floor, advice.concurrency, 0);
    assert_near(advice.concurrency, controller.open.floor, 0);
    assert_int_equal(advice.status, CONTROL_STEADY);
}

static void advice_is_never_below_the_least_concurrency(void **state)
{
    (void)state;
    static const struct controller_config *const configs[] = {&open_hold, &closed_hold, &fixed,
                                                              &search};
    for (size_t i = 0; i < COUNT(configs); i++) {
        struct controller_config config = *configs[i];
        config.concurrency_min = 80;
        struct controller controller = started(&config, 10);

        struct control_advice advice = run(&config, &controller, 10, answered(10, 5), 30);

        assert_true(advice.concurrency >= 80);
        assert_true(advice.floor >= 80 && advice.floor <= advice.concurrency);
    }
}

static void the_same_history_gives_the_same_advice(void **state)
{
    (void)state;
    struct controller left = started(&open_hold, 3000);
    struct controller right = started(&open_hold, 3000);
    for (int i = 0; i < 200; i++) {
        struct observation seen = answered(2500 + 7 * (i % 50), 3 + i % 11);
        struct control_advice a = controller_step(&open_hold, &left, 3000, 2, &seen);
        struct control_advice b = controller_step(&open_hold, &right, 3000, 2, &seen);
        assert_near(a.concurrency, b.concurrency, 0);
        assert_int_equal(a.status, b.status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_word),
        cmocka_unit_test(a_held_rate_becomes_steady),
        cmocka_unit_test(a_rate_that_is_left_ramps_again),
        cmocka_unit_test(closed_arrivals_get_a_floor_equal_to_the_cap),
        cmocka_unit_test(a_goal_of_0_runs_nothing_and_is_met),
        cmocka_unit_test(a_partial_tick_changes_nothing),
        cmocka_unit_test(three_silent_ticks_are_no_data_and_hold_the_output),
        cmocka_unit_test(thirty_ticks_without_an_answer_are_no_data),
        cmocka_unit_test(a_rate_of_one_in_ten_seconds_may_be_quiet),
        cmocka_unit_test(a_busy_generator_is_named_after_five_ticks_with_what_it_gives),
        cmocka_unit_test(advice_never_exceeds_the_ceiling),
        cmocka_unit_test(a_ceiling_that_does_not_hurt_is_not_mentioned),
        cmocka_unit_test(saturation_is_named_with_its_rate_and_drops_sooner),
        cmocka_unit_test(a_fixed_concurrency_is_given_as_it_is),
        cmocka_unit_test(a_fixed_concurrency_at_the_ceiling_fits_and_above_does_not),
        cmocka_unit_test(a_search_ramps_and_then_names_the_knee),
        cmocka_unit_test(a_search_with_busy_generators_never_ends),
        cmocka_unit_test(a_search_stopped_by_the_ceiling_says_so),
        cmocka_unit_test(a_search_under_a_bound_stays_under_it_and_names_it),
        cmocka_unit_test(a_search_under_a_bound_out_of_reach_ends_at_the_fewest),
        cmocka_unit_test(a_search_under_a_bound_out_of_reach_needs_no_minimum_to_say_so),
        cmocka_unit_test(rigid_pools_get_one_number_near_the_load),
        cmocka_unit_test(advice_is_never_below_the_least_concurrency),
        cmocka_unit_test(the_same_history_gives_the_same_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
