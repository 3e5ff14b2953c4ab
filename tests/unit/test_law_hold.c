#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/control/controller.h"
#include "common/control/law_hold.h"
#include "tests/unit/near.h"

#include <math.h>

#define TICK_NS UINT64_C(100000000)
#define MANY    1e6 /* no ceiling */

/** A tick in which `rate_per_s` was answered, each after `latency_ms`; demand is what Little's law
 * says. */
static struct observation answered(double rate_per_s, double latency_ms)
{
    double load = rate_per_s * latency_ms / 1e3;
    return (struct observation){.interval_ns = TICK_NS,
                                .parts_expected = 1,
                                .parts_reported = 1,
                                .generators = 1,
                                .completed = (uint64_t)(rate_per_s / 10),
                                .throughput_per_s = rate_per_s,
                                .in_flight_mean = load,
                                .latency_ns_mean = latency_ms * 1e6,
                                .in_flight_end = load,
                                .generator_load = 0.1};
}

static void open_run(struct law_hold_open *law, double rate_per_s, struct observation seen,
                     int ticks)
{
    for (int i = 0; i < ticks; i++)
        law_hold_open_step(law, rate_per_s, 1, MANY, &seen, false);
}

/** A law that has seen `rate_per_s` held at `latency_ms` for a while. */
static struct law_hold_open open_settled(double rate_per_s, double latency_ms)
{
    struct law_hold_open law = {0};
    law_hold_open_start(&law, rate_per_s, 1);
    open_run(&law, rate_per_s, answered(rate_per_s, latency_ms), 20);
    return law;
}

/** A target that gives `capacity_per_s` while `goal_per_s` falls due: one more tick of growing
 * demand. */
static struct observation overloaded(struct observation before, double goal_per_s,
                                     double capacity_per_s)
{
    struct observation seen = before;
    seen.completed = (uint64_t)(capacity_per_s / 10);
    seen.throughput_per_s = capacity_per_s;
    seen.in_flight_end += (goal_per_s - capacity_per_s) / 10;
    seen.in_flight_mean = seen.in_flight_end;
    seen.latency_ns_mean = seen.in_flight_end / capacity_per_s * 1e9;
    return seen;
}

static void open_starts_with_workers_for_3_ms(void **state)
{
    (void)state;
    struct law_hold_open law = {0};

    law_hold_open_start(&law, 4000, 4);

    assert_near(law.floor, 12 + 2.4 * sqrt(48) + 4, 1e-9);
    assert_near(law.cap, 20000, 1e-9); /* nothing speaks for a queue yet */
}

static void open_starts_with_one_worker_a_stream_at_rate_0(void **state)
{
    (void)state;
    struct law_hold_open law = {0};

    law_hold_open_start(&law, 0, 3);

    assert_near(law.floor, 3, 0);
    assert_near(law.cap, 6, 0);
}

static void open_keeps_the_square_root_above_the_load(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(5000, 5);

    assert_near(law.floor, 25 + 2.4 * 5 + 1, 0.01);
    assert_near(law.cap, 1250, 0.01);
    assert_false(law.saturated);
}

static void open_follows_a_latency_step(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(5000, 5);

    open_run(&law, 5000, answered(5000, 20), 8);

    assert_near(law.floor, 100 + 2.4 * 10 + 1, 1.0);
    assert_false(law.saturated);
}

static void open_follows_the_goal_at_once(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(5000, 5);

    open_run(&law, 10000, answered(5000, 5), 1);

    assert_near(law.load, 50, 0.01);
}

static void open_takes_growing_demand_with_flat_answers_for_saturation(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(4000, 5);
    struct observation seen = answered(4000, 5);
    int ticks = 0;
    while (!law.saturated && ticks < 20) {
        seen = overloaded(seen, 4000, 2000);
        open_run(&law, 4000, seen, 1);
        ticks++;
    }
    assert_in_range(ticks, 3, 4);
    assert_near(law.knee.throughput_per_s, 2000, 1);
    assert_near(law.cap, 0.85 * 2000 * 0.005, 0.01);
    assert_near(law.floor, law.cap, 0);
}

static void open_takes_a_pause_for_no_saturation(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(4000, 5);
    struct observation seen = answered(4000, 5);
    for (int i = 0; i < 10; i++) {
        seen = overloaded(seen, 4000, 2); /* hardly an answer for a second */
        open_run(&law, 4000, seen, 1);
    }
    assert_false(law.saturated);
    assert_int_equal(law.evidence, 0);
}

static void open_takes_a_busy_generator_for_no_saturation(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(4000, 5);
    struct observation seen = answered(4000, 5);
    for (int i = 0; i < 20; i++) {
        seen = overloaded(seen, 4000, 2000);
        seen.generator_load = 0.95;
        open_run(&law, 4000, seen, 1);
    }
    assert_false(law.saturated);
}

static void open_takes_a_ceiling_without_a_queue_for_no_saturation(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(4000, 5);
    struct observation seen = answered(2000, 5);
    seen.in_flight_end = 10;
    for (int i = 0; i < 20; i++) {
        seen.backlog += 200;
        law_hold_open_step(&law, 4000, 1, 10, &seen, false);
    }
    assert_false(law.saturated);
}

static void open_leaves_saturation_when_nothing_waits_and_the_rate_is_there(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(4000, 5);
    law.saturated = true;
    knee_start(&law.knee, 2000, 0.005);

    open_run(&law, 4000, answered(4000, 5), 2);
    assert_true(law.saturated);
    open_run(&law, 4000, answered(4000, 5), 1);
    assert_false(law.saturated);
}

static void open_leaves_saturation_when_the_goal_goes_to_0(void **state)
{
    (void)state;
    struct law_hold_open law = open_settled(4000, 5);
    law.saturated = true;
    knee_start(&law.knee, 2000, 0.005);
    struct observation quiet = {.interval_ns = TICK_NS, .generators = 1};

    open_run(&law, 0, quiet, 3);

    assert_false(law.saturated);
}

/** A closed target: `workers` in flight get at most `capacity_per_s`, each after `base_ms` at
 * least. */
static struct observation closed_target(double workers, double base_ms, double capacity_per_s)
{
    double rate_per_s = fmin(workers / base_ms * 1e3, capacity_per_s);
    struct observation seen = answered(rate_per_s, workers / rate_per_s * 1e3);
    return seen;
}

static void closed_run(struct law_hold_closed *law, double goal_per_s, double base_ms,
                       double capacity_per_s, int ticks)
{
    for (int i = 0; i < ticks; i++) {
        struct observation seen = closed_target(law->command, base_ms, capacity_per_s);
        law_hold_closed_step(law, goal_per_s, MANY, &seen, false);
    }
}

static void closed_finds_the_workers_that_the_rate_takes(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    assert_near(law.command, 4, 0);

    closed_run(&law, 10000, 10, 1e9, 30);

    assert_near(law.command, 100, 0.5);
    assert_false(law.saturated);
}

static void closed_runs_a_fraction_of_a_worker_for_a_small_rate(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 20, 4);
    assert_near(law.command, 0.2, 1e-9);
}

static void closed_goes_half_of_the_way_while_it_knows_little(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);

    closed_run(&law, 10000, 10, 1e9, 1);
    assert_near(law.command, 52, 1);
    closed_run(&law, 10000, 10, 1e9, 1);
    assert_near(law.command, 76, 1);
}

static void closed_follows_a_known_latency_to_a_new_goal_at_once(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    closed_run(&law, 10000, 10, 1e9, 30);

    closed_run(&law, 30000, 10, 1e9, 1);

    assert_near(law.command, 300, 3);
}

/** A stall shows as a latency that a hundred times the workers would answer. */
static void closed_never_more_than_quadruples_or_halves(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 1000, 4);
    closed_run(&law, 1000, 10, 1e9, 30);
    for (int i = 0; i < 40; i++) {
        double before = law.command;
        closed_run(&law, i < 20 ? 100000 : 100, 10, 1e9, 1);
        assert_true(law.command <= 4 * before + 8 + 1e-9);
        assert_true(law.command >= 0.5 * before - 1e-9);
    }
}

/** Workers between two requests are needed too, though they are not in flight. */
static void closed_adds_the_workers_that_are_not_in_flight(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    for (int i = 0; i < 400; i++) {
        struct observation seen = closed_target(0.97 * law.command, 10, 1e9);
        law_hold_closed_step(&law, 10000, MANY, &seen, false);
    }
    assert_near(0.97 * law.command, 100, 0.5);
}

/** What rests for want of a turn is not the target's doing. */
static void closed_takes_workers_that_rest_for_no_saturation(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    closed_run(&law, 10000, 10, 1e9, 30);
    for (int i = 0; i < 30; i++) {
        struct observation seen = closed_target(40, 10, 1e9);
        law_hold_closed_step(&law, 10000, MANY, &seen, false);
        assert_false(law.saturated);
    }
}

/** Orders that arrive at once, half of a tick before they are thought to. */
static void closed_takes_early_workers_for_no_saturation(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 3000, 1);
    for (int i = 0; i < 20; i++) {
        struct observation seen = closed_target(law.command, 5.2 + 0.2 * (i % 2), 1e9);
        law_hold_closed_step(&law, 3000, MANY, &seen, false);
        assert_false(law.saturated);
    }
}

static void closed_measures_on_after_a_missing_report(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    closed_run(&law, 10000, 10, 1e9, 30);

    law_hold_closed_miss(&law);
    struct observation seen = closed_target(law.command, 10, 1e9);
    seen.completed *= 2; /* of two ticks; rates are by each agent's own time */
    law_hold_closed_step(&law, 10000, MANY, &seen, false);

    assert_near(law.command, 100, 0.5);
}

static void closed_holds_an_unreachable_rate_at_the_knee(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 4000, 1);

    closed_run(&law, 4000, 5, 2000, 40);

    assert_true(law.saturated);
    assert_true(law.command <= 15);
    assert_true(law.command >= 8.5);
    assert_near(law.knee.latency_s, 0.005, 1e-4);
}

static void closed_leaves_the_knee_when_capacity_returns(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 4000, 1);
    closed_run(&law, 4000, 5, 2000, 60);
    assert_true(law.saturated);

    closed_run(&law, 4000, 5, 1e9, 30);

    assert_false(law.saturated);
    assert_near(law.command, 20, 0.5);
}

static void closed_takes_a_latency_step_for_no_saturation(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    closed_run(&law, 10000, 10, 1e9, 30);
    for (int i = 0; i < 30; i++) {
        closed_run(&law, 10000, 40, 1e9, 1);
        assert_false(law.saturated);
    }
    assert_near(law.command, 400, 4);
}

static void closed_keeps_what_it_knows_while_the_rate_is_0(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    closed_run(&law, 10000, 10, 1e9, 30);
    double before = law.command;

    closed_run(&law, 0, 10, 1e9, 10);

    assert_near(law.command, before, 0);
    assert_near(estimator_latency_s(&law.latency), 0.01, 1e-4);
}

static void closed_fades_when_nothing_ends(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    closed_run(&law, 10000, 10, 1e9, 30);
    struct observation nothing = {.interval_ns = TICK_NS, .in_flight_mean = 100};
    for (int i = 0; i < 30; i++)
        law_hold_closed_step(&law, 10000, MANY, &nothing, false);
    assert_near(law.command, 100, 0.5);

    for (int i = 0; i < 35; i++)
        law_hold_closed_step(&law, 10000, MANY, &nothing, false);

    assert_true(law.command < 50);
}

static void closed_does_not_grow_while_the_generator_is_bound(void **state)
{
    (void)state;
    struct law_hold_closed law = {0};
    law_hold_closed_start(&law, 10000, 4);
    closed_run(&law, 10000, 10, 1e9, 3);
    double before = law.command;

    struct observation seen = closed_target(law.command, 10, 1e9);
    law_hold_closed_step(&law, 10000, MANY, &seen, true);

    assert_true(law.command <= before);
}

static void knee_digs_down_to_a_latency_without_a_queue(void **state)
{
    (void)state;
    struct knee knee = {0};
    knee_start(&knee, 2000, 0.050); /* ten times what it is */
    for (int i = 0; i < 60; i++) {
        struct observation seen = closed_target(knee.concurrency, 5, 2000);
        knee_step(&knee, &seen);
    }
    assert_near(knee.latency_s, 0.005, 1e-4);
    assert_near(knee.concurrency, 13.5, 0.1);
    assert_false(knee.probing);
}

static void knee_moves_out_when_the_target_becomes_slower(void **state)
{
    (void)state;
    struct knee knee = {0};
    knee_start(&knee, 2000, 0.005);
    for (int i = 0; i < 40; i++) {
        struct observation seen = closed_target(knee.concurrency, i < 20 ? 5 : 20, 2000);
        knee_step(&knee, &seen);
    }
    assert_near(knee.latency_s, 0.020, 1e-4);
    assert_near(knee.throughput_per_s, 2000, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_starts_with_workers_for_3_ms),
        cmocka_unit_test(open_starts_with_one_worker_a_stream_at_rate_0),
        cmocka_unit_test(open_keeps_the_square_root_above_the_load),
        cmocka_unit_test(open_follows_a_latency_step),
        cmocka_unit_test(open_follows_the_goal_at_once),
        cmocka_unit_test(open_takes_growing_demand_with_flat_answers_for_saturation),
        cmocka_unit_test(open_takes_a_pause_for_no_saturation),
        cmocka_unit_test(open_takes_a_busy_generator_for_no_saturation),
        cmocka_unit_test(open_takes_a_ceiling_without_a_queue_for_no_saturation),
        cmocka_unit_test(open_leaves_saturation_when_nothing_waits_and_the_rate_is_there),
        cmocka_unit_test(open_leaves_saturation_when_the_goal_goes_to_0),
        cmocka_unit_test(closed_finds_the_workers_that_the_rate_takes),
        cmocka_unit_test(closed_runs_a_fraction_of_a_worker_for_a_small_rate),
        cmocka_unit_test(closed_goes_half_of_the_way_while_it_knows_little),
        cmocka_unit_test(closed_follows_a_known_latency_to_a_new_goal_at_once),
        cmocka_unit_test(closed_never_more_than_quadruples_or_halves),
        cmocka_unit_test(closed_adds_the_workers_that_are_not_in_flight),
        cmocka_unit_test(closed_takes_workers_that_rest_for_no_saturation),
        cmocka_unit_test(closed_takes_early_workers_for_no_saturation),
        cmocka_unit_test(closed_measures_on_after_a_missing_report),
        cmocka_unit_test(closed_holds_an_unreachable_rate_at_the_knee),
        cmocka_unit_test(closed_leaves_the_knee_when_capacity_returns),
        cmocka_unit_test(closed_takes_a_latency_step_for_no_saturation),
        cmocka_unit_test(closed_keeps_what_it_knows_while_the_rate_is_0),
        cmocka_unit_test(closed_fades_when_nothing_ends),
        cmocka_unit_test(closed_does_not_grow_while_the_generator_is_bound),
        cmocka_unit_test(knee_digs_down_to_a_latency_without_a_queue),
        cmocka_unit_test(knee_moves_out_when_the_target_becomes_slower),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
