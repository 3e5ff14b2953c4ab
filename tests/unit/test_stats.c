#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/control/random.h"
#include "common/control/stats.h"

#include <math.h>

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.9g, not %.9g +- %g", value, expected, tolerance);
}

static void students_t_is_that_of_the_tables(void **state)
{
    (void)state;
    static const struct {
        uint32_t freedom;
        double t;
    } rows[] = {{1, 12.706}, {4, 2.776},  {6, 2.447},   {7, 2.365},
                {9, 2.262},  {30, 2.042}, {1000, 1.962}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_near(student_95(rows[i].freedom), rows[i].t, 0.0015);
}

static void students_t_of_any_confidence_is_that_of_the_tables(void **state)
{
    (void)state;
    static const struct {
        uint32_t freedom;
        double confidence, t;
    } rows[] = {{1, 0.95, 12.706}, {2, 0.95, 4.303},   {3, 0.99, 5.841},  {4, 0.999, 8.610},
                {7, 0.95, 2.365},  {10, 0.999, 4.587}, {30, 0.99, 2.750}, {5000, 0.99, 2.577}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_near(student(rows[i].freedom, rows[i].confidence), rows[i].t, 0.0006);
}

static void nothing_and_one_value_have_no_interval(void **state)
{
    (void)state;
    double one = 7.0;
    assert_near(stats_mean_95(&one, 0).mean, 0.0, 0.0);
    assert_true(isnan(stats_mean_95(&one, 0).half));
    assert_near(stats_mean_95(&one, 1).mean, 7.0, 0.0);
    assert_true(isnan(stats_mean_95(&one, 1).half));
}

static void values_that_are_all_the_same_are_certain(void **state)
{
    (void)state;
    double values[20];
    for (uint32_t i = 0; i < 20; i++)
        values[i] = 1000.0;
    assert_near(stats_mean_95(values, 20).mean, 1000.0, 1e-9);
    assert_near(stats_mean_95(values, 20).half, 0.0, 1e-9);
}

static void two_values_take_students_t_of_one_degree(void **state)
{
    (void)state;
    double values[] = {10.0, 12.0};
    struct mean_95 found = stats_mean_95(values, 2);
    assert_near(found.mean, 11.0, 1e-9);
    assert_near(found.half, 12.706 * sqrt(2.0) / sqrt(2.0), 1e-9);
}

/* How often the interval of `count` values holds the mean they were drawn around, each leaning on
 * the one before it by `r`. */
static double coverage(uint32_t count, double r)
{
    struct random random = {.state = 1};
    uint32_t held = 0;
    const uint32_t rows = 4000;
    for (uint32_t row = 0; row < rows; row++) {
        double values[64];
        double value = random_normal(&random);
        for (uint32_t i = 0; i < count; i++) {
            values[i] = 100.0 + value;
            value = r * value + sqrt(1.0 - r * r) * random_normal(&random);
        }
        struct mean_95 found = stats_mean_95(values, count);
        held += fabs(found.mean - 100.0) <= found.half;
    }
    return (double)held / rows;
}

static void the_interval_holds_the_mean_nineteen_times_in_twenty(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        double r;
    } rows[] = {{10, 0.0}, {27, 0.0}, {64, 0.0}, {27, 0.3}, {64, 0.3}, {27, 0.6}, {64, 0.6}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double held = coverage(rows[i].count, rows[i].r);
        if (!(held >= 0.92 && held <= 0.985))
            fail_msg("%u values, r = %g: %g", rows[i].count, rows[i].r, held);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(students_t_is_that_of_the_tables),
        cmocka_unit_test(students_t_of_any_confidence_is_that_of_the_tables),
        cmocka_unit_test(nothing_and_one_value_have_no_interval),
        cmocka_unit_test(values_that_are_all_the_same_are_certain),
        cmocka_unit_test(two_values_take_students_t_of_one_degree),
        cmocka_unit_test(the_interval_holds_the_mean_nineteen_times_in_twenty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
