#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/answer.h"

#include <math.h>
#include <string.h>

#define TICK UINT64_C(100000000)

static struct answer answer;
static uint64_t ticks;

static int setup(void **state)
{
    (void)state;
    memset(&answer, 0, sizeof answer);
    ticks = 0;
    return 0;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.9g, not %.9g +- %g", value, expected, tolerance);
}

static void run(uint32_t count, bool measured, bool converged, double throughput_per_s)
{
    for (uint32_t i = 0; i < count; i++)
        answer_take(&answer, &(struct answer_tick){.from_ns = ticks++ * TICK,
                                                   .measured = measured,
                                                   .converged = converged,
                                                   .throughput_per_s = throughput_per_s,
                                                   .workers = throughput_per_s / 100.0});
}

static void a_search_that_never_converged_has_no_answer(void **state)
{
    (void)state;
    run(300, true, false, 1000.0);
    assert_false(answer_read(&answer).found);
}

static void the_answer_is_what_ran_while_it_stood_converged(void **state)
{
    (void)state;
    run(41, true, false, 1000.0);
    run(100, true, true, 4000.0);

    struct answer_found found = answer_read(&answer);

    assert_true(found.found);
    assert_near(found.throughput_per_s, 4000.0, 1e-9);
    assert_near(found.half_per_s, 0.0, 1e-9);
    assert_near(found.workers, 40.0, 1e-9);
    assert_int_equal(found.converged_ns, 41 * TICK);
}

static void the_warm_up_may_converge_but_is_not_measured(void **state)
{
    (void)state;
    run(10, false, false, 10.0);
    run(20, false, true, 500.0);
    run(50, true, true, 1000.0);

    struct answer_found found = answer_read(&answer);

    assert_near(found.throughput_per_s, 1000.0, 1e-9);
    assert_int_equal(found.converged_ns, 10 * TICK);
}

static void the_interval_grows_with_the_scatter_of_the_seconds(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        run(ANSWER_MEAN_TICKS, true, true, i % 2 == 0 ? 900.0 : 1100.0);
    struct answer_found found = answer_read(&answer);
    assert_near(found.throughput_per_s, 1000.0, 1e-9);
    assert_near(found.half_per_s, 2.093 * 102.6 / sqrt(20.0), 0.5);
}

static void one_mean_alone_has_no_interval(void **state)
{
    (void)state;
    run(2 * ANSWER_MEAN_TICKS - 1, true, true, 1000.0);
    assert_true(answer_read(&answer).found);
    assert_true(isnan(answer_read(&answer).half_per_s));
}

static void a_new_convergence_is_a_new_answer(void **state)
{
    (void)state;
    run(100, true, true, 4000.0);
    run(20, true, false, 3000.0);
    run(29, true, true, 2000.0);
    assert_near(answer_read(&answer).throughput_per_s, 4000.0, 1e-9); /* it is too young yet */
    run(1, true, true, 2000.0);

    struct answer_found found = answer_read(&answer);

    assert_near(found.throughput_per_s, 2000.0, 1e-9);
    assert_int_equal(found.converged_ns, 0);
}

static void a_moment_of_doubt_between_short_spans_keeps_the_long_one(void **state)
{
    (void)state;
    run(100, true, true, 4000.0);
    run(5, true, false, 3000.0);
    run(10, true, true, 2000.0);
    run(5, true, false, 3000.0);
    run(10, true, true, 1000.0);
    assert_near(answer_read(&answer).throughput_per_s, 4000.0, 1e-9);
}

/* An hour and more: the means keep their order and their mean. */
static void a_long_run_keeps_a_few_longer_means(void **state)
{
    (void)state;
    for (uint32_t second = 0; second < 4000; second++)
        run(10, true, true, second < 2000 ? 900.0 : 1100.0);
    const struct answer_span *span = &answer.newest;

    assert_in_range(span->mean_count, ANSWER_MEANS_MAX / 2, ANSWER_MEANS_MAX);
    assert_near(span->means[0], 900.0, 1e-9);
    assert_near(span->means[span->mean_count - 1], 1100.0, 1e-9);
    assert_near(answer_read(&answer).throughput_per_s, 1000.0, 1e-6);
    assert_true(answer_read(&answer).half_per_s > 50.0); /* it leans on its neighbours all along */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_search_that_never_converged_has_no_answer, setup),
        cmocka_unit_test_setup(the_answer_is_what_ran_while_it_stood_converged, setup),
        cmocka_unit_test_setup(the_warm_up_may_converge_but_is_not_measured, setup),
        cmocka_unit_test_setup(the_interval_grows_with_the_scatter_of_the_seconds, setup),
        cmocka_unit_test_setup(one_mean_alone_has_no_interval, setup),
        cmocka_unit_test_setup(a_new_convergence_is_a_new_answer, setup),
        cmocka_unit_test_setup(a_moment_of_doubt_between_short_spans_keeps_the_long_one, setup),
        cmocka_unit_test_setup(a_long_run_keeps_a_few_longer_means, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
