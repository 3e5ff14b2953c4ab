#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "tests/sim/control/judge.h"

#include <math.h>
#include <stdlib.h>

#define TICKS 200
#define BEST  1000.0
#define IDEAL 20.0

static const struct scenario the_best = {.name = "the best",
                                         .kind = GOAL_MAXIMIZE,
                                         .fleet = {.lanes = 1, .closed = true},
                                         .duration_s = 20,
                                         .tolerance = 0.03,
                                         .pieces = {{0, IDEAL, BEST, true}}};
static const struct scenario twice = {
    .name = "the best, which halves",
    .kind = GOAL_MAXIMIZE,
    .fleet = {.lanes = 1, .closed = true},
    .duration_s = 20,
    .tolerance = 0.03,
    .pieces = {{0, IDEAL, BEST, true}, {10, 0.5 * IDEAL, 0.5 * BEST, true}}};
static const struct scenario bounded = {.name = "the best below 20 ms",
                                        .kind = GOAL_MAXIMIZE_WHILE,
                                        .latency_bound_s = 0.020,
                                        .error_share_max = 0.1,
                                        .fleet = {.lanes = 1, .closed = true},
                                        .duration_s = 20,
                                        .tolerance = 0.03,
                                        .pieces = {{0, IDEAL, BEST, true}}};
static const struct scenario held = {.name = "half the best",
                                     .kind = GOAL_HOLD,
                                     .fleet = {.lanes = 1, .closed = true},
                                     .goal = {.value = 0.5 * BEST},
                                     .duration_s = 20,
                                     .tolerance = 0.02,
                                     .pieces = {{0, 0.5 * IDEAL, 0, true}}};
static const struct scenario out_of_reach = {.name = "twice the best",
                                             .kind = GOAL_HOLD,
                                             .fleet = {.lanes = 1, .closed = true},
                                             .goal = {.value = 2.0 * BEST},
                                             .duration_s = 20,
                                             .tolerance = 0.02,
                                             .pieces = {{0, IDEAL, BEST, true}}};

#define assert_near(value, expected, slack)                                                        \
    do {                                                                                           \
        if (!(fabs((value) - (expected)) <= (slack)))                                              \
            fail_msg("%s is %g, not %g", #value, (double)(value), (double)(expected));             \
    } while (0)

/** A run in which every tick is alike. The caller owns it. */
static struct record *record_of(const struct scenario *scenario, double per_s, double workers)
{
    struct record *record = calloc(1, sizeof *record);
    CHECK(record != NULL);
    record->scenario = scenario;
    record->tick_count = TICKS;
    for (int k = 0; k < TICKS; k++) {
        record->ticks[k].completed = per_s * FLEET_TICK_S;
        record->ticks[k].sent_per_s = per_s;
        record->ticks[k].concurrency = workers;
        record->ticks[k].workers = workers;
        record->ticks[k].seen.latency_ns_quantile = 10e6;
    }
    return record;
}

static struct outcome judge_and_free(struct record *record)
{
    struct outcome outcome = judge(record);
    free(record);
    return outcome;
}

static void a_run_at_the_best_from_the_start_is_flawless(void **state)
{
    (void)state;

    struct outcome outcome = judge_and_free(record_of(&the_best, BEST, IDEAL));

    assert_near(outcome.settle_ticks, 0.0, 0.0);
    assert_near(outcome.best_percent, 100.0, 1e-9);
    assert_near(outcome.workers_ratio, 1.0, 1e-9);
    assert_near(outcome.peak_ratio, 1.0, 1e-9);
    assert_near(outcome.chatter_percent, 0.0, 1e-4);
    assert_true(isinf(outcome.converged_ticks));
    assert_true(isnan(outcome.violated_percent)); /* there is no bound */
    assert_true(isnan(outcome.recovery_ticks));   /* and no change */
    assert_true(isnan(outcome.late_percent));     /* and no rate */
}

/** Within 3 % counts as there, and the mean of five ticks sees the rise two ticks before. */
static void settled_is_when_it_comes_within_the_tolerance_and_stays(void **state)
{
    (void)state;
    struct record *record = record_of(&the_best, 0.98 * BEST, IDEAL);
    for (int k = 0; k < 30; k++)
        record->ticks[k].completed = 0.5 * BEST * FLEET_TICK_S;
    for (int k = 10; k < 13; k++) /* there, but not to stay */
        record->ticks[k].completed = 1.5 * BEST * FLEET_TICK_S;

    struct outcome outcome = judge_and_free(record);

    assert_near(outcome.settle_ticks, 32.0, 0.0);
    assert_near(outcome.best_percent, 98.0, 1e-9);
}

static void what_never_comes_near_has_not_settled_at_the_end(void **state)
{
    (void)state;

    struct outcome outcome = judge_and_free(record_of(&the_best, 0.96 * BEST, IDEAL));

    assert_near(outcome.settle_ticks, TICKS, 0.0);
}

/** The old number of workers is no peak for a moment; the new one is measured by its own ideal. */
static void each_piece_has_its_own_ideal(void **state)
{
    (void)state;
    struct record *record = record_of(&twice, BEST, IDEAL);
    for (int k = 100; k < TICKS; k++) {
        record->ticks[k].completed = (k < 108 ? 0.2 : 0.5) * BEST * FLEET_TICK_S;
        record->ticks[k].concurrency = k < 110 ? IDEAL : 0.6 * IDEAL;
    }

    struct outcome outcome = judge_and_free(record);

    assert_near(outcome.settle_ticks, 0.0, 0.0);
    assert_near(outcome.recovery_ticks, 10.0, 1.0);
    assert_near(outcome.workers_ratio, 0.5 * (1.0 + 1.2), 1e-9);
    assert_near(outcome.peak_ratio, 1.2, 1e-9);
}

/** One tick above the bound is noise, and is counted only if it lifts the mean of three. */
static void a_bound_is_violated_by_the_mean_of_three_ticks(void **state)
{
    (void)state;
    struct record *little = record_of(&bounded, BEST, IDEAL);
    struct record *much = record_of(&bounded, BEST, IDEAL);
    little->ticks[150].seen.latency_ns_quantile = 39e6;
    much->ticks[150].seen.latency_ns_quantile = 41e6;

    struct outcome kept = judge_and_free(little);
    struct outcome broken = judge_and_free(much);

    assert_near(kept.violated_percent, 0.0, 0.0);
    assert_near(broken.violated_percent, 100.0 * 3 / TICKS, 1e-9);
    assert_near(broken.violated_settled_percent, 100.0 * 3 / (TICKS / 2), 1e-9);
}

static void errors_above_their_bound_are_violations(void **state)
{
    (void)state;
    struct record *record = record_of(&bounded, BEST, IDEAL);
    for (int k = 20; k < 40; k++)
        record->ticks[k].failed = 0.2 * BEST * FLEET_TICK_S;

    struct outcome outcome = judge_and_free(record);

    assert_near(outcome.violated_percent, 100.0 * 20 / TICKS, 1.01);
    assert_near(outcome.violated_settled_percent, 0.0, 0.0);
}

static void an_answer_may_be_taken_back_after_a_change_only(void **state)
{
    (void)state;
    struct record *record = record_of(&twice, BEST, IDEAL);
    for (int k = 40; k < TICKS; k++)
        record->converged[k] = true;
    record->converged[60] = false;
    record->converged[105] = false;

    struct outcome outcome = judge_and_free(record);

    assert_near(outcome.converged_ticks, 40.0, 0.0);
    assert_near(outcome.reopened, 1.0, 0.0);
}

static void saturated_within_reach_is_a_false_alarm(void **state)
{
    (void)state;
    struct record *record = record_of(&held, 0.5 * BEST, 0.5 * IDEAL);
    record->status[50] = record->status[51] = CONTROL_SATURATED;

    struct outcome outcome = judge_and_free(record);

    assert_near(outcome.false_saturated_ticks, 2.0, 0.0);
    assert_near(outcome.error_percent, 0.0, 1e-9);
    assert_true(isnan(outcome.detect_ticks));
}

static void a_rate_out_of_reach_counts_until_it_is_said(void **state)
{
    (void)state;
    struct record *silent = record_of(&out_of_reach, BEST, 1.2 * IDEAL);
    struct record *told = record_of(&out_of_reach, BEST, 1.2 * IDEAL);
    for (int k = 9; k < TICKS; k++)
        told->status[k] = CONTROL_SATURATED;

    struct outcome never = judge_and_free(silent);
    struct outcome ninth = judge_and_free(told);

    assert_true(isinf(never.detect_ticks));
    assert_near(ninth.detect_ticks, 9.0, 0.0);
    assert_near(ninth.false_saturated_ticks, 0.0, 0.0);
    assert_near(ninth.saturated_ratio, 1.2, 1e-9);
    assert_near(ninth.saturated_percent, 100.0, 1e-9);
    assert_true(isnan(ninth.settle_ticks));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_at_the_best_from_the_start_is_flawless),
        cmocka_unit_test(settled_is_when_it_comes_within_the_tolerance_and_stays),
        cmocka_unit_test(what_never_comes_near_has_not_settled_at_the_end),
        cmocka_unit_test(each_piece_has_its_own_ideal),
        cmocka_unit_test(a_bound_is_violated_by_the_mean_of_three_ticks),
        cmocka_unit_test(errors_above_their_bound_are_violations),
        cmocka_unit_test(an_answer_may_be_taken_back_after_a_change_only),
        cmocka_unit_test(saturated_within_reach_is_a_false_alarm),
        cmocka_unit_test(a_rate_out_of_reach_counts_until_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
