#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/meter.h"

#include <string.h>

/* Two phases, two requests, one count in everything of phase `phase`. */
static struct meters *example(uint32_t phase, uint64_t t_from, uint64_t t_to)
{
    struct meters *meters = meters_create(2, 2, false);
    assert_non_null(meters);
    struct phase_meter *at = &meters->phases[phase];
    at->t_from = t_from;
    at->t_to = t_to;
    at->counters.planned = 3;
    at->counters.started = 2;
    at->counters.ok = 1;
    at->counters.failed[FAILURE_RESET] = 1;
    at->statuses[200 - STATUS_MIN] = 1;
    at->statuses_failed[599 - STATUS_MIN] = 1;
    at->requests[1] = (struct request_count){.ok = 1, .failed = 1};
    histogram_record(&at->kinds[SAMPLE_SERVICE], 1000);
    histogram_record(&at->request_histograms[1], 2000);
    return meters;
}

static void meters_are_zero_when_made(void **state)
{
    (void)state;
    struct meters *meters = meters_create(STAGES_MAX + 1, REQUEST_NAMES_MAX, false);

    assert_non_null(meters);
    struct counters none = {0};
    struct counters total = meters_total(meters);
    assert_memory_equal(&total, &none, sizeof none);
    assert_int_equal(meters->phases[STAGES_MAX].request_histograms[REQUEST_NAMES_MAX - 1].total, 0);

    meters_destroy(meters);
}

static void meters_destroy_welcomes_null(void **state)
{
    (void)state;
    meters_destroy(NULL);
}

static void meters_add_sums_counters_and_histograms(void **state)
{
    (void)state;
    struct meters *sum = example(1, 500, 0);
    struct meters *other = example(1, 400, 900);

    meters_add(sum, other, true);

    const struct phase_meter *phase = &sum->phases[1];
    assert_int_equal(phase->t_from, 400);
    assert_int_equal(phase->t_to, 900);
    assert_int_equal(phase->counters.planned, 6);
    assert_int_equal(phase->counters.failed[FAILURE_RESET], 2);
    assert_int_equal(phase->statuses[200 - STATUS_MIN], 2);
    assert_int_equal(phase->statuses_failed[599 - STATUS_MIN], 2);
    assert_int_equal(phase->requests[1].ok, 2);
    assert_int_equal(phase->requests[1].failed, 2);
    assert_int_equal(phase->kinds[SAMPLE_SERVICE].total, 2);
    assert_int_equal(phase->request_histograms[1].total, 2);
    assert_int_equal(phase->request_histograms[0].total, 0);
    assert_int_equal(sum->phases[0].t_from, 0);

    meters_destroy(sum);
    meters_destroy(other);
}

static void meters_add_leaves_histograms_alone_when_told(void **state)
{
    (void)state;
    struct meters *sum = example(0, 500, 0);
    struct meters *other = example(0, 400, 0);

    meters_add(sum, other, false);

    assert_int_equal(sum->phases[0].counters.ok, 2);
    assert_int_equal(sum->phases[0].kinds[SAMPLE_SERVICE].total, 1);
    assert_int_equal(sum->phases[0].request_histograms[1].total, 1);

    meters_destroy(sum);
    meters_destroy(other);
}

static void meters_add_takes_a_beginning_over_none(void **state)
{
    (void)state;
    struct meters *sum = meters_create(2, 2, false);
    struct meters *other = example(0, 400, 0);

    meters_add(sum, other, true);
    assert_int_equal(sum->phases[0].t_from, 400);
    meters_clear(other);
    meters_add(sum, other, true);
    assert_int_equal(sum->phases[0].t_from, 400);

    meters_destroy(sum);
    meters_destroy(other);
}

static void meters_add_sums_gauges_but_keeps_the_worst_of_two(void **state)
{
    (void)state;
    struct meters *sum = meters_create(1, 1, false);
    struct meters *other = meters_create(1, 1, false);
    *sum = (struct meters){.t_agent = 10,
                           .cpu_ns = 1,
                           .workers = 2,
                           .in_flight = 3,
                           .backlog = 4,
                           .demand_peak = 5,
                           .lanes = 1,
                           .lane_load_permille = 700,
                           .send_lag_max_us = 20,
                           .flags = 1,
                           .idle = true,
                           .phase_count = 1,
                           .request_count = 1,
                           .phases = sum->phases};
    *other = (struct meters){.t_agent = 11,
                             .cpu_ns = 10,
                             .workers = 20,
                             .in_flight = 30,
                             .backlog = 40,
                             .demand_peak = 50,
                             .lanes = 1,
                             .lane_load_permille = 600,
                             .send_lag_max_us = 30,
                             .flags = 4,
                             .idle = false,
                             .phase_count = 1,
                             .request_count = 1,
                             .phases = other->phases};

    meters_add(sum, other, false);

    assert_int_equal(sum->t_agent, 11);
    assert_int_equal(sum->cpu_ns, 11);
    assert_int_equal(sum->workers, 22);
    assert_int_equal(sum->in_flight, 33);
    assert_int_equal(sum->backlog, 44);
    assert_int_equal(sum->demand_peak, 55);
    assert_int_equal(sum->lanes, 2);
    assert_int_equal(sum->lane_load_permille, 700);
    assert_int_equal(sum->send_lag_max_us, 30);
    assert_int_equal(sum->flags, 5);
    assert_false(sum->idle);

    meters_destroy(sum);
    meters_destroy(other);
}

/* It goes with the counters, whether histograms are wanted or not. */
static void a_digest_is_added_copied_and_cleared_with_the_counters(void **state)
{
    (void)state;
    struct meters *sum = meters_create(1, 1, true);
    struct meters *lane = meters_create(1, 1, true);
    digest_record(lane->digest, 1000);

    meters_copy(sum, lane, false);
    meters_add(sum, lane, false);
    assert_int_equal(sum->digest->total, 2);
    assert_true(sum->digest != lane->digest);
    meters_clear(sum);
    assert_int_equal(sum->digest->total, 0);

    meters_destroy(sum);
    meters_destroy(lane);
}

static void meters_are_idle_when_every_lane_is(void **state)
{
    (void)state;
    struct meters *sum = meters_create(1, 1, false);
    struct meters *lane = meters_create(1, 1, false);
    lane->t_agent = 1;
    lane->idle = true;

    meters_add(sum, lane, false);
    meters_add(sum, lane, false);
    assert_true(sum->idle);
    lane->idle = false;
    meters_add(sum, lane, false);
    lane->idle = true;
    meters_add(sum, lane, false);
    assert_false(sum->idle);

    meters_destroy(sum);
    meters_destroy(lane);
}

static void meters_copy_copies_all_or_all_but_histograms(void **state)
{
    (void)state;
    struct meters *copy = example(1, 1, 2);
    struct meters *other = example(0, 400, 0);
    struct phase_meter *own = copy->phases;
    other->idle = true;

    meters_copy(copy, other, false);
    assert_int_equal(copy->phases[0].counters.planned, 3);
    assert_int_equal(copy->phases[0].kinds[SAMPLE_SERVICE].total, 0);
    assert_int_equal(copy->phases[1].counters.planned, 0);
    assert_int_equal(copy->phases[1].kinds[SAMPLE_SERVICE].total, 1);
    assert_true(copy->idle);

    meters_copy(copy, other, true);
    assert_ptr_equal(copy->phases, own);
    assert_memory_equal(copy->phases[0].kinds, other->phases[0].kinds, sizeof own->kinds);
    assert_int_equal(copy->phases[1].kinds[SAMPLE_SERVICE].total, 0);
    assert_int_equal(copy->phases[1].request_histograms[1].total, 0);

    meters_destroy(copy);
    meters_destroy(other);
}

static void meters_clear_zeroes_all_and_keeps_the_shape(void **state)
{
    (void)state;
    struct meters *meters = example(1, 400, 500);
    meters->cpu_ns = 7;
    meters->idle = true;

    meters_clear(meters);

    assert_int_equal(meters->phase_count, 2);
    assert_int_equal(meters->request_count, 2);
    assert_int_equal(meters->cpu_ns, 0);
    assert_false(meters->idle);
    const struct phase_meter *phase = &meters->phases[1];
    assert_int_equal(phase->t_from + phase->t_to + phase->counters.planned, 0);
    assert_int_equal(phase->requests[1].ok + phase->statuses[200 - STATUS_MIN], 0);
    assert_int_equal(phase->kinds[SAMPLE_SERVICE].max_ns, 0);
    assert_int_equal(phase->request_histograms[1].sum_ns, 0);

    meters_destroy(meters);
}

static void meters_total_is_the_sum_of_all_phases(void **state)
{
    (void)state;
    struct meters *meters = example(0, 1, 2);
    struct meters *other = example(1, 2, 0);
    meters_add(meters, other, false);

    struct counters total = meters_total(meters);

    assert_int_equal(total.planned, 6);
    assert_int_equal(counters_failed(&total), 2);

    meters_destroy(meters);
    meters_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meters_are_zero_when_made),
        cmocka_unit_test(meters_destroy_welcomes_null),
        cmocka_unit_test(meters_add_sums_counters_and_histograms),
        cmocka_unit_test(meters_add_leaves_histograms_alone_when_told),
        cmocka_unit_test(meters_add_takes_a_beginning_over_none),
        cmocka_unit_test(meters_add_sums_gauges_but_keeps_the_worst_of_two),
        cmocka_unit_test(a_digest_is_added_copied_and_cleared_with_the_counters),
        cmocka_unit_test(meters_are_idle_when_every_lane_is),
        cmocka_unit_test(meters_copy_copies_all_or_all_but_histograms),
        cmocka_unit_test(meters_clear_zeroes_all_and_keeps_the_shape),
        cmocka_unit_test(meters_total_is_the_sum_of_all_phases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
