#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "tests/sim/control/anchors.h"
#include "tests/sim/control/oracle.h"

#include <math.h>

/* The simplest target: a delay of 10 ms, then ten servers of 10 ms. It gives 1000/s, with 20
 * workers. */
#define RATE_MAX 1000.0
#define KNEE     20.0
#define LATENCY  0.020
#define PLANT                                                                                      \
    {                                                                                              \
        .delay_s = 0.010, .service_s = 0.010, .servers = 10, .spread = 0.1                         \
    }
#define LOOPS                                                                                      \
    {                                                                                              \
        .lanes = 1, .closed = true, .connect_s = 0.001, .quantile = 0.99, .plant = PLANT           \
    }

static const struct scenario half_the_rate = {.name = "half the rate",
                                              .kind = GOAL_HOLD,
                                              .fleet = LOOPS,
                                              .goal = {.value = 0.5 * RATE_MAX},
                                              .duration_s = 40,
                                              .tolerance = 0.02,
                                              .pieces = {{0, 0.5 * KNEE, 0, true}}};
static const struct scenario the_best = {.name = "the best",
                                         .kind = GOAL_MAXIMIZE,
                                         .fleet = LOOPS,
                                         .duration_s = 60,
                                         .tolerance = 0.03,
                                         .pieces = {{0, KNEE, RATE_MAX, true}}};
static const struct scenario the_best_below_40_ms = {.name = "the best below 40 ms",
                                                     .kind = GOAL_MAXIMIZE_WHILE,
                                                     .latency_bound_s = 0.040,
                                                     .fleet = LOOPS,
                                                     .duration_s = 60,
                                                     .tolerance = 0.03,
                                                     .pieces = {{0, KNEE, RATE_MAX, true}}};
static const struct scenario arrivals_that_halve = {
    .name = "arrivals that halve",
    .kind = GOAL_HOLD,
    .fleet = {.lanes = 1, .connect_s = 0.001, .plant = PLANT},
    .goal = {.stage_count = 4,
             .stages = {{0, 800.0},
                        {UINT64_C(20000000000), 800.0},
                        {0, 400.0},
                        {UINT64_C(20000000000), 400.0}}},
    .duration_s = 40,
    .pieces = {{0, 17, 0, true}, {20, 9, 0, false}}};

#define assert_between(low, value, high)                                                           \
    do {                                                                                           \
        double seen_ = (value);                                                                    \
        if (!(seen_ >= (low) && seen_ <= (high)))                                                  \
            fail_msg("%s is %g, not within %g and %g", #value, seen_, (double)(low),               \
                     (double)(high));                                                              \
    } while (0)

static void the_oracle_finds_a_knee_that_can_be_calculated(void **state)
{
    (void)state;

    struct piece best = oracle_search(&the_best, 0);
    struct piece bounded = oracle_search(&the_best_below_40_ms, 0);
    struct piece half = oracle_search(&half_the_rate, 0);

    /* A part of a worker less, for 98 % are enough; a part more, for the delay has a tail. */
    assert_between(0.98 * RATE_MAX, best.capacity_per_s, 1.01 * RATE_MAX);
    assert_between(KNEE - 1, best.ideal, KNEE + 2);
    assert_between(0.98 * RATE_MAX, bounded.capacity_per_s, 1.01 * RATE_MAX);
    assert_between(KNEE - 1, bounded.ideal, KNEE + 2);
    assert_between(0.5 * KNEE, half.ideal, 0.5 * KNEE + 1);
}

static void the_oracle_keeps_a_bound_that_costs_throughput(void **state)
{
    (void)state;
    struct scenario tight = the_best_below_40_ms;
    tight.latency_bound_s = 0.0001;

    struct fixed_run run = oracle_fixed(&tight, 0.0, 5);
    struct piece none = oracle_search(&tight, 0);

    assert_false(oracle_is_allowed(&tight, &run));
    assert_between(0.0, none.capacity_per_s, 0.0);
}

static void the_oracle_looks_at_the_middle_of_a_piece(void **state)
{
    (void)state;
    struct scenario halved = the_best;
    halved.fleet.plant.changes[0] = (struct plant_change){PLANT_SERVERS, 20, 40, 0.5, 0};
    halved.pieces[1] = (struct piece){20, 0.5 * KNEE, 0.5 * RATE_MAX, true};
    halved.pieces[2] = (struct piece){40, KNEE, RATE_MAX, true};

    assert_between(0.48 * RATE_MAX, oracle_search(&halved, 1).capacity_per_s, 0.51 * RATE_MAX);
    assert_between(0.98 * RATE_MAX, oracle_search(&halved, 2).capacity_per_s, 1.01 * RATE_MAX);
}

/** What is seen two ticks after it was ordered oscillates with four ticks, at the gain that makes
 * each swing as large as the last: one worker for what one worker brings. */
static void the_relay_finds_gain_and_period_of_a_delay(void **state)
{
    (void)state;

    struct pid_gains gains = pid_tune(&half_the_rate);

    double per_worker = RATE_MAX / KNEE;
    assert_between(0.7 / per_worker, gains.ultimate_gain, 2.0 / per_worker);
    assert_between(0.3, gains.ultimate_period_s, 0.9);
    assert_between(0.6 * gains.ultimate_gain, gains.proportional, 0.6 * gains.ultimate_gain);
}

static void pid_holds_a_rate_without_an_error_that_stays(void **state)
{
    (void)state;

    struct outcome outcome = scenario_run(&half_the_rate, &anchor_pid, 1);

    assert_between(0.0, outcome.error_percent, 1.0);
    assert_between(0.45 * KNEE, outcome.final_in_flight, 0.6 * KNEE);
}

/** Between the cut and the bound: 0.9 of what doubles the latency, and as much more as is added
 * until that is seen. */
static void aimd_saws_below_its_bound(void **state)
{
    (void)state;

    struct outcome outcome = scenario_run(&the_best_below_40_ms, &anchor_aimd, 1);

    double bound = RATE_MAX * 0.040;
    assert_between(0.8 * bound, outcome.final_in_flight, 1.5 * bound);
    assert_between(2.0, outcome.chatter_percent, 30.0);
    assert_between(97.0, outcome.best_percent, 101.0);
}

static void aimd_never_settles_on_a_rate(void **state)
{
    (void)state;

    struct outcome outcome = scenario_run(&half_the_rate, &anchor_aimd, 1);

    assert_between(2.0, outcome.chatter_percent, 60.0);
}

/** Its law: the part of the workers that waits, N - X W0, is between alpha and beta, until it
 * forgets the latency that it had without a queue. */
static void vegas_keeps_its_queue_between_alpha_and_beta(void **state)
{
    (void)state;

    struct scenario first = the_best;
    first.duration_s = 15;

    struct outcome outcome = scenario_run(&first, &anchor_vegas, 1);

    double unit = log10(outcome.final_in_flight);
    double queue = outcome.final_in_flight - RATE_MAX * LATENCY;
    assert_between(3.0 * unit - 1.0, queue, 6.0 * unit + 1.0);
    assert_between(98.0, outcome.best_percent, 101.0);
}

static void gradient_pays_for_the_best_with_a_queue(void **state)
{
    (void)state;

    struct outcome outcome = scenario_run(&the_best, &anchor_gradient, 1);

    assert_between(98.0, outcome.best_percent, 101.0);
    assert_between(1.2 * KNEE, outcome.final_in_flight, 4.0 * KNEE);
}

/** With ten times the servers: at the knee of the small target one worker is a step of 5 %, and it
 * does not see what it does. */
static void hill_climbing_ends_near_the_knee(void **state)
{
    (void)state;
    struct scenario large = the_best;
    large.fleet.plant.servers *= 10;
    large.pieces[0] = (struct piece){0, 10.0 * KNEE, 10.0 * RATE_MAX, true};

    struct outcome outcome = scenario_run(&large, &anchor_hill, 1);

    assert_between(8.0 * KNEE, outcome.final_in_flight, 16.0 * KNEE);
    assert_between(90.0, outcome.best_percent, 101.0);
}

static void the_search_stops_at_the_fewest_that_are_enough(void **state)
{
    (void)state;

    struct outcome best = scenario_run(&the_best, &anchor_search, 1);
    struct outcome half = scenario_run(&half_the_rate, &anchor_search, 1);

    assert_between(KNEE - 1, best.final_in_flight, KNEE + 2);
    assert_between(0.0, best.chatter_percent, 0.0);
    assert_between(80.0, best.converged_ticks, 400.0);
    assert_between(0.5 * KNEE - 1, half.final_in_flight, 0.5 * KNEE + 1.5);
}

static void the_search_stops_at_the_most_that_are_allowed(void **state)
{
    (void)state;

    struct outcome outcome = scenario_run(&the_best_below_40_ms, &anchor_search, 1);

    assert_between(0.85 * RATE_MAX * 0.040, outcome.final_in_flight, RATE_MAX * 0.040);
}

static void a_worker_that_was_added_stays(void **state)
{
    (void)state;

    struct outcome adds = scenario_run(&arrivals_that_halve, &anchor_grow, 1);
    struct outcome gives_back = scenario_run(&arrivals_that_halve, &regulator_ours, 1);

    assert_between(0.8 * KNEE, adds.workers_max_late, 3.0 * KNEE);
    assert_true(gives_back.workers_max_late < adds.workers_max_late);
}

static void nobody_is_asked_for_what_it_cannot_do(void **state)
{
    (void)state;

    assert_true(regulator_suits(&anchor_vegas, &the_best));
    assert_false(regulator_suits(&anchor_vegas, &half_the_rate));
    assert_true(regulator_suits(&anchor_grow, &arrivals_that_halve));
    assert_false(regulator_suits(&anchor_grow, &half_the_rate));
    assert_false(regulator_suits(&anchor_pid, &the_best));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oracle_finds_a_knee_that_can_be_calculated),
        cmocka_unit_test(the_oracle_keeps_a_bound_that_costs_throughput),
        cmocka_unit_test(the_oracle_looks_at_the_middle_of_a_piece),
        cmocka_unit_test(the_relay_finds_gain_and_period_of_a_delay),
        cmocka_unit_test(pid_holds_a_rate_without_an_error_that_stays),
        cmocka_unit_test(aimd_saws_below_its_bound),
        cmocka_unit_test(aimd_never_settles_on_a_rate),
        cmocka_unit_test(vegas_keeps_its_queue_between_alpha_and_beta),
        cmocka_unit_test(gradient_pays_for_the_best_with_a_queue),
        cmocka_unit_test(hill_climbing_ends_near_the_knee),
        cmocka_unit_test(the_search_stops_at_the_fewest_that_are_enough),
        cmocka_unit_test(the_search_stops_at_the_most_that_are_allowed),
        cmocka_unit_test(a_worker_that_was_added_stays),
        cmocka_unit_test(nobody_is_asked_for_what_it_cannot_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
