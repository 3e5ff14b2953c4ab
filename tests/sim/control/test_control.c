#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "tests/sim/control/scenario.h"

#include <math.h>

#define SEEDS 3

/** What a scenario's median may be at most. A zero is a zero. */
struct bound {
    const char *scenario;
    double late_percent, workers_ratio, settle_ticks, recovery_ticks, error_percent;
};

static const struct bound bounds[] = {
    /* scenario                late  workers settle recover error */
    {"open steady", 0.1, 2.1, 0, 0, 2.0},
    {"open even arrivals", 0.1, 2.0, 0, 0, 0.1},
    {"open latency x4", 0.1, 1.9, 0, 2, 2.0},
    {"open pauses", 0.5, 1.5, 0, 0, 2.0},
    {"open agent lost", 0.3, 2.0, 0, 3, 2.0},
    {"open 5/s", 0.5, 1.1, 0, 0, 100.0},
    {"open 100 us", 0.1, 5.5, 0, 0, 2.0},
    {"open slow x3", 3.5, 1.3, 6, 18, 3.0},
    {"open stages", 0.1, 2.1, 0, 0, 2.0},
    {"open 5 ms to 20 ms, 1 lane", 0.1, 1.6, 0, 2, 0.1},
    {"open 5 ms to 20 ms, 4 lanes", 0.1, 1.9, 0, 2, 0.1},
    {"closed steady", 0, 1.1, 10, 0, 0.3},
    {"closed latency x4", 0, 1.1, 11, 20, 0.5},
    {"closed agent lost", 0, 1.1, 11, 8, 0.6},
    {"closed noisy", 0, 1.1, 13, 0, 2.0},
    {"closed slow x3", 0, 1.2, 20, 48, 1.5},
    {"closed steps", 0, 1.1, 11, 10, 0.5},
    {"closed 30/s", 0, 1.1, 2, 0, 3.0},
};

static const struct scenario *find(const char *name)
{
    const struct scenario *scenario = scenario_find(name);
    assert_non_null(scenario);
    return scenario;
}

#define assert_at_most(value, most)                                                                \
    do {                                                                                           \
        if (!((value) <= (most)))                                                                  \
            fail_msg("%s: %s is %g, more than %g", name, #value, (double)(value), (double)(most)); \
    } while (0)

static void a_rate_within_reach_is_held(void **state)
{
    const struct bound *bound = *state;
    const char *name = bound->scenario;

    struct outcome median = scenario_summary(find(name), &regulator_ours, SEEDS).median;

    /* What means nothing in the scenario is NaN, which fmax() passes over. */
    assert_at_most(fmax(0.0, median.late_percent), bound->late_percent);
    assert_at_most(fmax(0.0, median.not_started_percent), bound->late_percent);
    assert_at_most(fmax(0.0, median.workers_ratio), bound->workers_ratio);
    assert_at_most(fmax(0.0, median.settle_ticks), bound->settle_ticks);
    assert_at_most(fmax(0.0, median.recovery_ticks), bound->recovery_ticks);
    assert_at_most(fmax(0.0, median.error_percent), bound->error_percent);
    assert_at_most(median.false_saturated_ticks, 0);
    assert_int_equal(median.final_status, CONTROL_STEADY);
}

static const char *const unreachable[] = {
    "open unreachable, 1 lane",  "open unreachable, 2 lanes",   "open unreachable, 4 lanes",
    "open unreachable, 8 lanes", "open saturated, then slower", "closed unreachable, 1 lane",
    "closed unreachable"};

/** Every seed, for an answer that is right in most cases is no answer. */
static void a_rate_out_of_reach_is_recognised_and_the_knee_held(void **state)
{
    const char *name = *state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct outcome outcome = scenario_run(find(name), &regulator_ours, seed);

        assert_true(outcome.detect_ticks >= 0.0);
        assert_at_most(outcome.detect_ticks, 15);
        assert_at_most(outcome.saturated_ratio, 1.5);
        assert_at_most(97.0, outcome.saturated_percent);
        assert_int_equal(outcome.final_status, CONTROL_SATURATED);
    }
}

/** Final concurrency: at most half above the ten servers that there are. */
static void twice_the_capacity_ends_near_the_knee_on_any_number_of_lanes(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const char *name = unreachable[i];
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct outcome outcome = scenario_run(find(name), &regulator_ours, seed);
            assert_at_most(outcome.final_in_flight, 15.0);
            assert_at_most(outcome.workers_max_late, 15.0);
        }
    }
}

static void lost_capacity_is_noticed_at_once_and_its_return_too(void **state)
{
    (void)state;
    const char *name = "open capacity halved";

    struct outcome median = scenario_summary(find(name), &regulator_ours, SEEDS).median;

    assert_at_most(median.detect_ticks, 6);
    assert_at_most(median.saturated_ratio, 1.3);
    assert_at_most(98.5, median.saturated_percent);
    assert_at_most(median.peak_ratio, 6);
    assert_at_most(median.recovery_ticks, 14);
    assert_at_most(median.false_saturated_ticks, 0);
    assert_int_equal(median.final_status, CONTROL_STEADY);
}

static void closed_lost_capacity_is_noticed_and_its_return_too(void **state)
{
    (void)state;
    const char *name = "closed capacity halved";

    struct outcome median = scenario_summary(find(name), &regulator_ours, SEEDS).median;

    assert_at_most(median.detect_ticks, 15);
    assert_at_most(median.saturated_ratio, 1.35);
    assert_at_most(98.0, median.saturated_percent);
    assert_at_most(median.recovery_ticks, 10);
    assert_int_equal(median.final_status, CONTROL_STEADY);
}

/** R = rate x service time: 100 workers at 20 ms, 104 with the jitter of the delay. */
static void pools_stay_between_the_load_and_its_square_root_above(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double lanes;
    } cases[] = {{"open 5 ms to 20 ms, 1 lane", 1}, {"open 5 ms to 20 ms, 4 lanes", 4}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = cases[i].name;
        double load = 100.0;

        struct outcome outcome = scenario_run(find(name), &regulator_ours, 1);

        assert_at_most(load, outcome.workers_max_late);
        assert_at_most(outcome.workers_max_late, 1.04 * load +
                                                     3.0 * sqrt(1.04 * load * cases[i].lanes) +
                                                     2.0 * cases[i].lanes);
    }
}

static void a_target_that_starts_cold_gets_no_herd(void **state)
{
    (void)state;
    const char *name = "open warm-up";

    struct outcome median = scenario_summary(find(name), &regulator_ours, SEEDS).median;

    assert_at_most(median.peak_ratio, 10);
    assert_at_most(median.late_percent, 6);
    assert_int_equal(median.final_status, CONTROL_STEADY);
}

static void a_busy_generator_is_never_called_a_saturated_target(void **state)
{
    const char *name = *state;

    struct outcome outcome = scenario_run(find(name), &regulator_ours, 1);

    assert_at_most(outcome.false_saturated_ticks, 0);
    assert_int_equal(outcome.final_status, CONTROL_GENERATOR_BOUND);
}

static void a_ceiling_of_ours_is_never_called_a_saturated_target(void **state)
{
    const char *name = *state;

    struct outcome outcome = scenario_run(find(name), &regulator_ours, 1);

    assert_at_most(outcome.false_saturated_ticks, 0);
    assert_int_equal(outcome.final_status, CONTROL_AT_MAXIMUM);
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    const struct scenario *scenario = find("open capacity halved");

    struct outcome first = scenario_run(scenario, &regulator_ours, 7);
    struct outcome second = scenario_run(scenario, &regulator_ours, 7);

    /* All figures; the padding behind the last one may differ. */
    assert_memory_equal(&first, &second, offsetof(struct outcome, final_status));
    assert_int_equal(first.final_status, second.final_status);
}

int main(void)
{
    const struct CMUnitTest single[] = {
        cmocka_unit_test(twice_the_capacity_ends_near_the_knee_on_any_number_of_lanes),
        cmocka_unit_test(lost_capacity_is_noticed_at_once_and_its_return_too),
        cmocka_unit_test(closed_lost_capacity_is_noticed_and_its_return_too),
        cmocka_unit_test(pools_stay_between_the_load_and_its_square_root_above),
        cmocka_unit_test(a_target_that_starts_cold_gets_no_herd),
        cmocka_unit_test_prestate(a_busy_generator_is_never_called_a_saturated_target,
                                  "open generator bound"),
        cmocka_unit_test_prestate(a_busy_generator_is_never_called_a_saturated_target,
                                  "closed generator bound"),
        cmocka_unit_test_prestate(a_ceiling_of_ours_is_never_called_a_saturated_target,
                                  "open at the maximum"),
        cmocka_unit_test_prestate(a_ceiling_of_ours_is_never_called_a_saturated_target,
                                  "closed at the maximum"),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
    };
    struct CMUnitTest held[COUNT(bounds)];
    for (size_t i = 0; i < COUNT(bounds); i++)
        held[i] = (struct CMUnitTest){.name = bounds[i].scenario,
                                      .test_func = a_rate_within_reach_is_held,
                                      .initial_state = (void *)(uintptr_t)&bounds[i]};
    struct CMUnitTest knees[COUNT(unreachable)];
    for (size_t i = 0; i < COUNT(unreachable); i++)
        knees[i] =
            (struct CMUnitTest){.name = unreachable[i],
                                .test_func = a_rate_out_of_reach_is_recognised_and_the_knee_held,
                                .initial_state = (void *)(uintptr_t)unreachable[i]};
    return cmocka_run_group_tests_name("a rate within reach is held", held, NULL, NULL) +
           cmocka_run_group_tests_name("a rate out of reach is recognised", knees, NULL, NULL) +
           cmocka_run_group_tests_name("at the borders", single, NULL, NULL);
}
