#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/control/schedule.h"
#include "tests/unit/near.h"

#define S(seconds) ((uint64_t)(seconds)*UINT64_C(1000000000))

static const struct schedule constant = {.value = 5000, .duration_ns = S(60), .warmup_ns = S(5)};

/* 10 s up to 1000, 20 s there, at once to 4000 for 5 s, 10 s down to nothing. */
static const struct schedule staged = {
    .duration_ns = S(45),
    .warmup_ns = S(15),
    .stage_count = 5,
    .stages = {{S(10), 1000}, {S(20), 1000}, {0, 4000}, {S(5), 4000}, {S(10), 0}}};

static void a_schedule_without_stages_has_one_value(void **state)
{
    (void)state;
    assert_near(schedule_value(&constant, 0), 5000, 0);
    assert_near(schedule_value(&constant, S(60)), 5000, 0);
    assert_near(schedule_mean(&constant, S(3), S(4)), 5000, 0);
}

static void stages_are_straight_lines_and_the_first_begins_at_0(void **state)
{
    (void)state;
    static const struct {
        uint64_t at_ns;
        double value;
    } cases[] = {{0, 0},        {S(5), 500},   {S(10), 1000}, {S(20), 1000}, {S(30) - 1, 1000},
                 {S(30), 4000}, {S(35), 4000}, {S(40), 2000}, {S(45), 0},    {S(99), 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_near(schedule_value(&staged, cases[i].at_ns), cases[i].value, 1e-9);
}

static void a_mean_over_corners_and_steps_is_exact(void **state)
{
    (void)state;
    assert_near(schedule_mean(&staged, 0, S(10)), 500, 1e-9);
    assert_near(schedule_mean(&staged, S(5), S(15)), (5 * 750 + 5 * 1000) / 10.0, 1e-9);
    assert_near(schedule_mean(&staged, S(29), S(31)), 2500, 1e-9);
    double whole = 10 * 500 + 20 * 1000 + 5 * 4000 + 10 * 2000;
    assert_near(schedule_mean(&staged, 0, S(45)), whole / 45.0, 1e-9);
}

static void a_mean_beyond_the_end_goes_on_with_the_last_value(void **state)
{
    (void)state;
    struct schedule schedule = {.stage_count = 1, .stages = {{S(10), 100}}};
    assert_near(schedule_mean(&schedule, S(8), S(12)), (2 * 90 + 2 * 100) / 4.0, 1e-9);
    assert_near(schedule_mean(&schedule, S(20), S(30)), 100, 1e-9);
}

static void a_mean_over_nothing_is_the_value_there(void **state)
{
    (void)state;
    assert_near(schedule_mean(&staged, S(5), S(5)), 500, 1e-9);
}

static void means_of_ticks_add_up_to_the_whole(void **state)
{
    (void)state;
    double sum = 0.0;
    for (uint64_t tick = 0; tick < 450; tick++)
        sum += schedule_mean(&staged, tick * 100000000u, (tick + 1) * 100000000u) * 0.1;
    assert_near(sum, schedule_mean(&staged, 0, S(45)) * 45.0, 1e-6);
}

static void without_stages_there_are_two_phases(void **state)
{
    (void)state;
    uint64_t from_ns = 1;
    uint64_t to_ns = 1;
    assert_int_equal(schedule_phase_count(&constant), 2);
    schedule_phase_span(&constant, 0, &from_ns, &to_ns);
    assert_int_equal(from_ns, 0);
    assert_int_equal(to_ns, S(5));
    schedule_phase_span(&constant, 1, &from_ns, &to_ns);
    assert_int_equal(from_ns, S(5));
    assert_int_equal(to_ns, S(60));
    assert_int_equal(schedule_phase(&constant, S(5) - 1), 0);
    assert_int_equal(schedule_phase(&constant, S(5)), 1);
    assert_int_equal(schedule_phase(&constant, S(600)), 1);
}

static void the_warm_up_overrides_the_stages_that_it_covers(void **state)
{
    (void)state;
    static const struct {
        uint64_t from_ns, to_ns;
    } spans[] = {{0, S(15)},     {S(15), S(15)}, {S(15), S(30)},
                 {S(30), S(30)}, {S(30), S(35)}, {S(35), S(45)}};
    assert_int_equal(schedule_phase_count(&staged), 6);
    for (uint32_t phase = 0; phase < 6; phase++) {
        uint64_t from_ns = 1;
        uint64_t to_ns = 0;
        schedule_phase_span(&staged, phase, &from_ns, &to_ns);
        assert_int_equal(from_ns, spans[phase].from_ns);
        assert_int_equal(to_ns, spans[phase].to_ns);
    }
    assert_int_equal(schedule_phase(&staged, S(12)), 0);
    assert_int_equal(schedule_phase(&staged, S(15)), 2);
    assert_int_equal(schedule_phase(&staged, S(30)), 4); /* the step itself lasts no time */
    assert_int_equal(schedule_phase(&staged, S(45)), 5);
}

static void an_empty_warm_up_is_still_phase_0(void **state)
{
    (void)state;
    struct schedule schedule = {.value = 1, .duration_ns = S(10)};
    uint64_t from_ns = 1;
    uint64_t to_ns = 1;
    schedule_phase_span(&schedule, 0, &from_ns, &to_ns);
    assert_int_equal(from_ns, 0);
    assert_int_equal(to_ns, 0);
    assert_int_equal(schedule_phase(&schedule, 0), 1);
}

static void a_warm_up_of_the_whole_run_leaves_the_rest_empty(void **state)
{
    (void)state;
    struct schedule schedule = {.value = 1, .duration_ns = S(10), .warmup_ns = S(12)};
    uint64_t from_ns = 0;
    uint64_t to_ns = 1;
    schedule_phase_span(&schedule, 1, &from_ns, &to_ns);
    assert_int_equal(from_ns, to_ns);
}

static void every_moment_lies_in_the_span_of_its_phase(void **state)
{
    (void)state;
    for (uint64_t at_ns = 0; at_ns < S(45); at_ns += 77777777u) {
        uint64_t from_ns = 0;
        uint64_t to_ns = 0;
        schedule_phase_span(&staged, schedule_phase(&staged, at_ns), &from_ns, &to_ns);
        assert_true(at_ns >= from_ns && at_ns < to_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_without_stages_has_one_value),
        cmocka_unit_test(stages_are_straight_lines_and_the_first_begins_at_0),
        cmocka_unit_test(a_mean_over_corners_and_steps_is_exact),
        cmocka_unit_test(a_mean_beyond_the_end_goes_on_with_the_last_value),
        cmocka_unit_test(a_mean_over_nothing_is_the_value_there),
        cmocka_unit_test(means_of_ticks_add_up_to_the_whole),
        cmocka_unit_test(without_stages_there_are_two_phases),
        cmocka_unit_test(the_warm_up_overrides_the_stages_that_it_covers),
        cmocka_unit_test(an_empty_warm_up_is_still_phase_0),
        cmocka_unit_test(a_warm_up_of_the_whole_run_leaves_the_rest_empty),
        cmocka_unit_test(every_moment_lies_in_the_span_of_its_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
