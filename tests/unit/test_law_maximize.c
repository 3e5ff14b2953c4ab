#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "common/control/controller.h"
#include "common/control/law_maximize.h"
#include "tests/unit/near.h"

#define TICK_NS UINT64_C(100000000)

/** A target without noise: N workers get the lesser of two throughputs at once. */
struct line {
    double latency_s, capacity_per_s;
};

static struct observation answered_by(const struct line *line, double workers)
{
    double rate_per_s = fmin(workers / line->latency_s, line->capacity_per_s);
    return (struct observation){.interval_ns = TICK_NS,
                                .parts_expected = 1,
                                .parts_reported = 1,
                                .generators = 1,
                                .completed = (uint64_t)(rate_per_s / 10.0),
                                .throughput_per_s = rate_per_s,
                                .in_flight_mean = workers,
                                .latency_ns_mean = workers / rate_per_s * 1e9,
                                .in_flight_end = workers,
                                .generator_load = -1.0};
}

static void run(struct law_maximize *law, const struct line *line, double most, int ticks)
{
    for (int i = 0; i < ticks; i++) {
        struct observation seen = answered_by(line, law->command);
        law_maximize_step(
            law, &(struct maximize_range){.least = 0.02, .most = most, .precision = 0.02}, &seen);
    }
}

static struct law_maximize started(double concurrency)
{
    struct law_maximize law;
    law_maximize_start(&law, concurrency);
    return law;
}

struct knee_case {
    const char *name;
    struct line line;
};

static const struct knee_case knees[] = {
    {"a_knee_of_1_worker_is_found", {0.005, 200}},
    {"a_knee_of_5_workers_is_found", {0.0025, 2000}},
    {"a_knee_of_64_workers_is_found", {0.005, 12800}},
    {"a_knee_of_500_workers_is_found", {0.02, 25000}},
    {"a_knee_of_5000_workers_is_found", {0.1, 50000}},
};

/** From 0.98 of it, which gets 98 %, to less than a tenth more. */
static void the_knee_is_found(void **state)
{
    const struct line *line = &((const struct knee_case *)*state)->line;
    double knee = line->latency_s * line->capacity_per_s;
    struct law_maximize law = started(1);

    run(&law, line, 1e6, 150);

    assert_true(law_maximize_converged(&law, 0.02));
    assert_near(law.answer, 1.02 * knee, 0.05 * knee);
    assert_near(exp(law.held.throughput), line->capacity_per_s, 0.01 * line->capacity_per_s);
}

static void it_comes_down_from_far_above(void **state)
{
    (void)state;
    struct line line = {0.01, 5000};
    struct law_maximize law = started(1000);

    run(&law, &line, 1e6, 150);

    assert_true(law_maximize_converged(&law, 0.02));
    assert_near(law.answer, 51, 4);
}

static void a_ceiling_below_the_knee_stops_it_and_it_says_so(void **state)
{
    (void)state;
    struct line line = {0.01, 5000};
    struct law_maximize law = started(1);

    run(&law, &line, 30, 100);

    assert_near(law.command, 30, 3.1); /* or a probe's tenth less */
    assert_true(law.stopped_short);
}

static void a_ceiling_above_the_knee_does_not_matter(void **state)
{
    (void)state;
    struct line line = {0.01, 5000};
    struct law_maximize law = started(1);

    run(&law, &line, 60, 100);

    assert_false(law.stopped_short);
    assert_near(law.answer, 51, 3);
}

static void capacity_that_halves_is_followed(void **state)
{
    (void)state;
    struct line line = {0.01, 5000};
    struct law_maximize law = started(1);
    run(&law, &line, 1e6, 100);

    line.capacity_per_s = 2500;
    run(&law, &line, 1e6, 10);
    assert_false(law_maximize_converged(&law, 0.02));
    run(&law, &line, 1e6, 90);

    assert_true(law_maximize_converged(&law, 0.02));
    assert_near(law.answer, 25.5, 2);
}

static void latency_that_quadruples_and_returns_is_followed(void **state)
{
    (void)state;
    struct line line = {0.01, 5000};
    struct law_maximize law = started(1);
    run(&law, &line, 1e6, 100);

    line.latency_s = 0.04;
    run(&law, &line, 1e6, 100);
    assert_near(law.answer, 204, 12);

    line.latency_s = 0.01; /* throughput does not tell: only a probe can see it */
    run(&law, &line, 1e6, 200);
    assert_near(law.answer, 51, 4);
}

static void a_pause_of_two_ticks_changes_nothing(void **state)
{
    (void)state;
    struct line line = {0.01, 5000};
    struct law_maximize law = started(1);
    run(&law, &line, 1e6, 60);
    double answer = law.answer;

    struct line pausing = {0.1, 500};
    run(&law, &pausing, 1e6, 2);
    run(&law, &line, 1e6, 10);

    assert_int_equal(law.phase, MAXIMIZE_HOLD);
    assert_near(law.answer, answer, 0);
}

/** On a machine that others use it goes on so for ever, and each search would find something else.
 */
static void a_target_that_is_a_little_slower_for_a_while_changes_nothing(void **state)
{
    (void)state;
    struct line line = {0.01, 5000};
    struct law_maximize law = started(1);
    run(&law, &line, 1e6, 60);
    double answer = law.answer;

    for (int i = 0; i < 3; i++) {
        line.capacity_per_s = 4700;
        run(&law, &line, 1e6, 20);
        assert_near(exp(law.held.throughput), 4700, 30);
        assert_true(law_maximize_converged(&law, 0.02));
        line.capacity_per_s = 5000;
        run(&law, &line, 1e6, 20);
        assert_near(exp(law.held.throughput), 5000, 30);
    }

    assert_near(law.answer, answer, 0);
}

/** What was seen before the change says nothing of what there is since. */
static void a_target_that_grows_in_the_middle_of_a_search_is_searched_again(void **state)
{
    (void)state;
    for (int from = 10; from <= 40; from += 2) {
        struct line line = {0.01, 3000};
        struct law_maximize law = started(1);
        run(&law, &line, 1e6, from);

        line.capacity_per_s = 5000;
        run(&law, &line, 1e6, 120);

        assert_near(law.answer, 51, 4);
    }
}

static void nothing_that_ends_moves_nothing(void **state)
{
    (void)state;
    struct law_maximize law = started(8);
    struct observation nothing = {.interval_ns = TICK_NS, .in_flight_mean = 8};

    for (int i = 0; i < 1000; i++)
        law_maximize_step(&law,
                          &(struct maximize_range){.least = 0.02, .most = 1e6, .precision = 0.02},
                          &nothing);

    assert_near(law.command, 8, 0);
    assert_false(law_maximize_converged(&law, 0.02));
}

int main(void)
{
    struct CMUnitTest found[COUNT(knees)];
    for (size_t i = 0; i < COUNT(knees); i++)
        found[i] = (struct CMUnitTest){.name = knees[i].name,
                                       .test_func = the_knee_is_found,
                                       .initial_state = (void *)(uintptr_t)&knees[i]};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_down_from_far_above),
        cmocka_unit_test(a_ceiling_below_the_knee_stops_it_and_it_says_so),
        cmocka_unit_test(a_ceiling_above_the_knee_does_not_matter),
        cmocka_unit_test(capacity_that_halves_is_followed),
        cmocka_unit_test(latency_that_quadruples_and_returns_is_followed),
        cmocka_unit_test(a_pause_of_two_ticks_changes_nothing),
        cmocka_unit_test(a_target_that_is_a_little_slower_for_a_while_changes_nothing),
        cmocka_unit_test(a_target_that_grows_in_the_middle_of_a_search_is_searched_again),
        cmocka_unit_test(nothing_that_ends_moves_nothing),
    };
    return cmocka_run_group_tests_name("a knee is found", found, NULL, NULL) +
           cmocka_run_group_tests_name("law_maximize", tests, NULL, NULL);
}
