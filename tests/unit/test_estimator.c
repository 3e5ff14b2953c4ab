#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/control/estimator.h"
#include "tests/unit/near.h"

#include <math.h>

static bool add(struct estimator *estimator, double latency_ms)
{
    return estimator_add(estimator, log(latency_ms / 1e3), 100);
}

static double known_ms(const struct estimator *estimator)
{
    return 1e3 * estimator_latency_s(estimator);
}

static struct estimator settled_at(double latency_ms)
{
    struct estimator estimator = {0};
    for (int i = 0; i < 100; i++)
        add(&estimator, latency_ms * (i % 2 == 0 ? 1.01 : 0.99));
    return estimator;
}

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    struct estimator estimator = {0};
    assert_near(estimator_latency_s(&estimator), 0, 0);
}

static void the_first_sample_is_believed(void **state)
{
    (void)state;
    struct estimator estimator = {0};
    assert_true(add(&estimator, 10));
    assert_near(known_ms(&estimator), 10, 1e-9);
}

static void noise_is_averaged(void **state)
{
    (void)state;
    struct estimator estimator = settled_at(10);
    assert_near(known_ms(&estimator), 10, 0.05);
}

static void a_pause_of_two_ticks_is_ignored(void **state)
{
    (void)state;
    struct estimator estimator = settled_at(10);

    assert_false(add(&estimator, 80));
    assert_false(add(&estimator, 60));
    for (int i = 0; i < 5; i++)
        assert_false(add(&estimator, 10));

    assert_near(known_ms(&estimator), 10, 0.1);
}

static void a_step_is_followed_with_its_third_sample(void **state)
{
    (void)state;
    struct estimator estimator = settled_at(10);

    assert_false(add(&estimator, 40));
    assert_false(add(&estimator, 40));
    assert_true(add(&estimator, 40));

    assert_near(known_ms(&estimator), 40, 0.01);
}

static void a_step_back_is_followed_as_fast(void **state)
{
    (void)state;
    struct estimator estimator = settled_at(10);
    for (int i = 0; i < 3; i++)
        add(&estimator, 40);

    for (int i = 0; i < 3; i++)
        add(&estimator, 10);

    assert_near(known_ms(&estimator), 10, 0.01);
}

static void a_slow_drift_is_followed_without_a_jump(void **state)
{
    (void)state;
    struct estimator estimator = settled_at(10);
    double latency_ms = 10;
    for (int i = 0; i < 100; i++) {
        latency_ms *= 1.005;
        assert_false(add(&estimator, latency_ms));
    }
    assert_near(known_ms(&estimator) / latency_ms, 1, 0.05);
}

/** Half a step's distance away: too little to jump to, too much to lag behind. */
static void a_drift_is_followed_with_its_third_sample(void **state)
{
    (void)state;
    struct estimator estimator = settled_at(10);

    assert_false(estimator_add(&estimator, log(0.0104), 1e4));
    assert_false(estimator_add(&estimator, log(0.0104), 1e4));
    assert_true(known_ms(&estimator) < 10.2);
    assert_false(estimator_add(&estimator, log(0.0104), 1e4));

    assert_near(known_ms(&estimator), 10.4, 0.01);
}

static void samples_of_few_requests_jump_less(void **state)
{
    (void)state;
    struct estimator few = settled_at(10);
    for (int i = 0; i < 3; i++)
        assert_false(estimator_add(&few, log(0.020), 2));
    assert_true(known_ms(&few) < 20);
}

static void a_month_of_ticks_stays_finite(void **state)
{
    (void)state;
    struct estimator estimator = settled_at(10);
    estimator.count = 1000;
    add(&estimator, 10);
    assert_int_equal(estimator.count, 1000);
    assert_true(estimator.variance >= 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(the_first_sample_is_believed),
        cmocka_unit_test(noise_is_averaged),
        cmocka_unit_test(a_pause_of_two_ticks_is_ignored),
        cmocka_unit_test(a_step_is_followed_with_its_third_sample),
        cmocka_unit_test(a_step_back_is_followed_as_fast),
        cmocka_unit_test(a_slow_drift_is_followed_without_a_jump),
        cmocka_unit_test(a_drift_is_followed_with_its_third_sample),
        cmocka_unit_test(samples_of_few_requests_jump_less),
        cmocka_unit_test(a_month_of_ticks_stays_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
