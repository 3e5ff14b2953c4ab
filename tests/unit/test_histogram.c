#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/histogram.h"

#include <stdlib.h>

static int make_histogram(void **state)
{
    *state = calloc(1, sizeof(struct histogram));
    return *state == NULL;
}

static int free_histogram(void **state)
{
    free(*state);
    return 0;
}

static void cells_meet_without_gap_or_overlap(void **state)
{
    (void)state;
    assert_int_equal(histogram_cell_low(0), 0);
    for (uint32_t i = 1; i < HISTOGRAM_CELLS; i++)
        assert_int_equal(histogram_cell_low(i), histogram_cell_high(i - 1) + 1);
    assert_int_equal(histogram_cell_high(HISTOGRAM_CELLS - 1), HISTOGRAM_NS_MAX);
}

static void both_borders_of_a_cell_are_counted_in_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) {
        assert_int_equal(histogram_cell(histogram_cell_low(i)), i);
        assert_int_equal(histogram_cell(histogram_cell_high(i)), i);
    }
}

static void a_cell_is_exact_below_256_ns_and_then_at_most_a_128th_wide(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) {
        uint64_t low = histogram_cell_low(i);
        uint64_t width = histogram_cell_high(i) - low + 1;
        if (low < 256)
            assert_int_equal(width, 1);
        else
            assert_true(width * 128 <= low);
    }
}

static void a_value_above_the_maximum_is_counted_in_the_last_cell(void **state)
{
    (void)state;
    assert_int_equal(histogram_cell(HISTOGRAM_NS_MAX), HISTOGRAM_CELLS - 1);
    assert_int_equal(histogram_cell(HISTOGRAM_NS_MAX + 1), HISTOGRAM_CELLS - 1);
    assert_int_equal(histogram_cell(UINT64_MAX), HISTOGRAM_CELLS - 1);
}

static void an_empty_one_answers_zero(void **state)
{
    const struct histogram *histogram = *state;

    assert_int_equal(histogram_quantile(histogram, 0.0), 0);
    assert_int_equal(histogram_quantile(histogram, 1.0), 0);
    assert_true(histogram_mean(histogram) == 0.0);
}

static void record_keeps_total_sum_least_and_most_exactly(void **state)
{
    struct histogram *histogram = *state;

    histogram_record(histogram, 1000003);
    histogram_record(histogram, 17);
    histogram_record(histogram, HISTOGRAM_NS_MAX + 5);

    assert_int_equal(histogram->total, 3);
    assert_int_equal(histogram->sum_ns, 1000003 + 17 + HISTOGRAM_NS_MAX + 5);
    assert_int_equal(histogram->min_ns, 17);
    assert_int_equal(histogram->max_ns, HISTOGRAM_NS_MAX + 5);
}

static void record_keeps_a_least_of_zero(void **state)
{
    struct histogram *histogram = *state;

    histogram_record(histogram, 0);
    histogram_record(histogram, 9);

    assert_int_equal(histogram->min_ns, 0);
}

static void mean_is_that_of_the_exact_values(void **state)
{
    struct histogram *histogram = *state;

    histogram_record(histogram, 1000001);
    histogram_record(histogram, 1000004);

    assert_true(histogram_mean(histogram) == 1000002.5);
}

static void quantiles_of_one_to_a_hundred_are_their_own_numbers(void **state)
{
    struct histogram *histogram = *state;
    for (uint64_t value = 1; value <= 100; value++)
        histogram_record(histogram, value);

    assert_int_equal(histogram_quantile(histogram, 0.0), 1);
    for (uint64_t percent = 1; percent <= 100; percent++) /* 0.07 x 100 is above 7 in binary */
        assert_int_equal(histogram_quantile(histogram, (double)percent / 100.0), percent);
    assert_int_equal(histogram_quantile(histogram, 0.991), 100);
}

static void a_quantile_is_never_above_the_longest(void **state)
{
    struct histogram *histogram = *state;
    histogram_record(histogram, 1000000); /* its cell goes up to 1003519 */

    assert_int_equal(histogram_quantile(histogram, 0.5), 1000000);
}

static void a_quantile_is_the_upper_end_of_its_cell(void **state)
{
    struct histogram *histogram = *state;
    histogram_record(histogram, 1000000);
    histogram_record(histogram, 2000000);

    uint64_t high = histogram_cell_high(histogram_cell(1000000));
    assert_int_equal(histogram_quantile(histogram, 0.5), high);
    assert_in_range(high, 1000000, 1000000 + 1000000 / 128);
}

static void a_quantile_among_clipped_values_is_the_longest(void **state)
{
    struct histogram *histogram = *state;
    histogram_record(histogram, 5);
    histogram_record(histogram, 3 * HISTOGRAM_NS_MAX);

    assert_int_equal(histogram_quantile(histogram, 0.99), 3 * HISTOGRAM_NS_MAX);
}

static void adding_is_the_same_as_recording_all_in_one(void **state)
{
    struct histogram *sum = *state;
    struct histogram *parts = calloc(3, sizeof *parts); /* one part, the other, and both at once */
    assert_non_null(parts);
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t value_ns = (i * i * i * 7919 + 300) % (UINT64_C(7200000000000));
        histogram_record(&parts[i % 3 == 0 ? 0 : 1], value_ns);
        histogram_record(&parts[2], value_ns);
    }

    histogram_add(sum, &parts[0]);
    histogram_add(sum, &parts[1]);

    assert_memory_equal(sum, &parts[2], sizeof *sum);
    free(parts);
}

static void adding_an_empty_one_changes_nothing(void **state)
{
    struct histogram *histogram = *state;
    histogram_record(histogram, 42);
    struct histogram *empty = calloc(1, sizeof *empty);
    assert_non_null(empty);

    histogram_add(histogram, empty);

    assert_int_equal(histogram->min_ns, 42);
    assert_int_equal(histogram->total, 1);
    free(empty);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_histogram, free_histogram)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_meet_without_gap_or_overlap),
        cmocka_unit_test(both_borders_of_a_cell_are_counted_in_it),
        cmocka_unit_test(a_cell_is_exact_below_256_ns_and_then_at_most_a_128th_wide),
        cmocka_unit_test(a_value_above_the_maximum_is_counted_in_the_last_cell),
        TEST(an_empty_one_answers_zero),
        TEST(record_keeps_total_sum_least_and_most_exactly),
        TEST(record_keeps_a_least_of_zero),
        TEST(mean_is_that_of_the_exact_values),
        TEST(quantiles_of_one_to_a_hundred_are_their_own_numbers),
        TEST(a_quantile_is_never_above_the_longest),
        TEST(a_quantile_is_the_upper_end_of_its_cell),
        TEST(a_quantile_among_clipped_values_is_the_longest),
        TEST(adding_is_the_same_as_recording_all_in_one),
        TEST(adding_an_empty_one_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
