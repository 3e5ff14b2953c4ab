#include "coordinator/bootstrap.h"

#include "common/control/random.h"
#include "common/control/stats.h"
#include "tests/unit/near.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Noise of mean 0 and variance 1 of which each value remembers the share `memory` of the one before
 * it. */
static void fill(struct random *random, double *values, uint32_t count, double memory)
{
    double value = random_normal(random);
    for (uint32_t i = 0; i < count; i++) {
        value = memory * value + sqrt(1.0 - memory * memory) * random_normal(random);
        values[i] = value;
    }
}

static void the_same_values_and_seed_give_the_same_answer(void **state)
{
    (void)state;
    struct random random = {1};
    double values[55];
    fill(&random, values, 55, 0.5);

    struct bootstrap_mean once = bootstrap_mean(values, 55, 1000, 7);
    struct bootstrap_mean again = bootstrap_mean(values, 55, 1000, 7);
    struct bootstrap_mean other = bootstrap_mean(values, 55, 1000, 8);

    assert_true(once.variance == again.variance);
    assert_true(once.variance != other.variance);
    assert_near(once.variance / other.variance, 1.0, 0.2);
}

static void values_that_are_all_the_same_have_no_variance(void **state)
{
    (void)state;
    double values[BOOTSTRAP_BLOCKS_MIN] = {3.0, 3.0, 3.0, 3.0};

    struct bootstrap_mean found = bootstrap_mean(values, BOOTSTRAP_BLOCKS_MIN, 100, 1);

    assert_near(found.mean, 3.0, 0.0);
    assert_near(found.variance, 0.0, 0.0);
    assert_int_equal(found.block, 1);
}

static void a_longer_memory_asks_for_longer_blocks_up_to_a_quarter(void **state)
{
    (void)state;
    struct random random = {3};
    double values[BOOTSTRAP_VALUES_MAX];
    fill(&random, values, BOOTSTRAP_VALUES_MAX, 0.0);
    assert_in_range(bootstrap_block(values, BOOTSTRAP_VALUES_MAX), 1, 3);
    fill(&random, values, BOOTSTRAP_VALUES_MAX, 0.5);
    assert_in_range(bootstrap_block(values, BOOTSTRAP_VALUES_MAX), 11, 19); /* 14.8 by the rule */
    for (uint32_t i = 0; i < 40; i++)
        values[i] = i;
    assert_int_equal(bootstrap_block(values, 40), 10);
}

/* How often the interval holds the mean 0, of 1,000 rows. */
static double coverage(uint32_t count, double memory, double confidence)
{
    struct random random = {count};
    double values[BOOTSTRAP_VALUES_MAX];
    uint32_t held = 0;
    for (uint32_t row = 0; row < 1000; row++) {
        fill(&random, values, count, memory);
        struct bootstrap_mean found = bootstrap_mean(values, count, 400, row);
        double half = student(found.blocks - 1, confidence) * sqrt(found.variance);
        held += fabs(found.mean) <= half;
    }
    return held / 1000.0;
}

static void an_interval_of_95_percent_holds_the_mean_as_often(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        double memory;
        double low, high; /* what memory hides from a short row makes it hold a little less */
    } rows[] = {{8, 0.0, 0.93, 0.98},
                {55, 0.0, 0.93, 0.97},
                {55, 0.5, 0.91, 0.97},
                {295, 0.5, 0.92, 0.97},
                {295, 0.8, 0.91, 0.97}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double held = coverage(rows[i].count, rows[i].memory, 0.95);
        print_message("%u values, memory %g: %.3f\n", rows[i].count, rows[i].memory, held);
        if (!(held >= rows[i].low && held <= rows[i].high))
            fail_msg("%u values, memory %g: held %.3f, not %.2f to %.2f", rows[i].count,
                     rows[i].memory, held, rows[i].low, rows[i].high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_values_and_seed_give_the_same_answer),
        cmocka_unit_test(values_that_are_all_the_same_have_no_variance),
        cmocka_unit_test(a_longer_memory_asks_for_longer_blocks_up_to_a_quarter),
        cmocka_unit_test(an_interval_of_95_percent_holds_the_mean_as_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
