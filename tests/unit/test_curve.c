#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/curve.h"

#include "common/base/limits.h"

#include <math.h>

#define MS UINT64_C(1000000)

static struct curve curve;
static struct curve_point points[CURVE_POINTS_MAX];

static int setup(void **state)
{
    (void)state;
    return curve_init(&curve, true) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    curve_done(&curve);
    return 0;
}

static void assert_near(double value, double expected, double share)
{
    if (!(fabs(value - expected) <= share * expected))
        fail_msg("%.9g is not within %g of %.9g", value, share, expected);
}

/* A tenth of a second with `in_flight`, in which `ended` requests of `latency_ns` ended. */
static void tick(double in_flight, uint64_t ended, uint64_t latency_ns)
{
    struct observation seen = {.interval_ns = 100 * MS,
                               .completed = ended,
                               .throughput_per_s = 10.0 * (double)ended,
                               .in_flight_mean = in_flight,
                               .latency_ns_mean = (double)latency_ns};
    struct digest digest = {0};
    for (uint64_t i = 0; i < ended; i++)
        digest_record(&digest, latency_ns);
    curve_take(&curve, &seen, &digest);
}

static void nothing_seen_is_no_point(void **state)
{
    (void)state;
    tick(0.0, 0, 0);
    assert_int_equal(curve_points(&curve, 0.99, points), 0);
}

static void points_are_means_from_the_lowest_concurrency_up(void **state)
{
    (void)state;
    tick(100.0, 200, 50 * MS);
    tick(10.0, 99, 10 * MS);
    tick(10.1, 101, 20 * MS);

    assert_int_equal(curve_points(&curve, 0.5, points), 2);

    assert_near(points[0].concurrency, 10.05, 1e-9);
    assert_near(points[0].throughput_per_s, 1000.0, 1e-9);
    assert_near(points[0].latency_ns_mean, (99.0 * 10.0 + 101.0 * 20.0) / 200.0 * MS, 1e-9);
    assert_near(points[0].seconds, 0.2, 1e-9);
    assert_near(points[1].concurrency, 100.0, 1e-9);
    assert_near(points[1].latency_ns_quantile, 50.0 * MS, 0.033);
}

/* The quantile is of all that ended there, not a mean of the ticks' quantiles. */
static void a_quantile_is_of_all_requests_of_its_bin(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        tick(10.0, 10, 10 * MS);
    tick(10.0, 10, 90 * MS);

    assert_int_equal(curve_points(&curve, 0.85, points), 1);
    assert_near(points[0].latency_ns_quantile, 10.0 * MS, 1.0 / 16.0); /* a cell */
    curve_points(&curve, 0.95, points);
    assert_near(points[0].latency_ns_quantile, 90.0 * MS, 1.0 / 16.0);
}

static void concurrencies_a_step_apart_are_two_points(void **state)
{
    (void)state;
    for (double in_flight = 1.0; in_flight < 100.0; in_flight *= CURVE_STEP * CURVE_STEP)
        tick(in_flight, 1, MS);
    uint32_t count = curve_points(&curve, 0.5, points);
    assert_int_equal(count, 21); /* 1.12^(2 x 20) = 93 */
    for (uint32_t i = 1; i < count; i++)
        assert_true(points[i].concurrency > points[i - 1].concurrency);
}

static void more_bins_than_points_join_their_neighbours(void **state)
{
    (void)state;
    double most = (double)AGENTS_MAX * CONCURRENCY_MAX;
    double ticks = 0.0;
    for (double in_flight = 0.01; in_flight < most; in_flight *= 1.05, ticks += 1.0)
        tick(in_flight, 1, MS);
    uint32_t count = curve_points(&curve, 0.5, points);

    assert_in_range(count, CURVE_POINTS_MAX / 2, CURVE_POINTS_MAX);
    double seconds = 0.0;
    for (uint32_t i = 0; i < count; i++)
        seconds += points[i].seconds;
    assert_near(seconds, ticks / 10.0, 1e-9);
    assert_true(points[count - 1].concurrency > most / 2.0);
}

static void without_digests_there_is_no_quantile(void **state)
{
    (void)state;
    struct curve plain;
    assert_true(curve_init(&plain, false));
    struct observation seen = {.interval_ns = 100 * MS, .in_flight_mean = 3.0, .completed = 1};
    curve_take(&plain, &seen, NULL);
    assert_int_equal(curve_points(&plain, 0.99, points), 1);
    assert_true(points[0].latency_ns_quantile == 0.0);
    curve_done(&plain);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_seen_is_no_point),
        TEST(points_are_means_from_the_lowest_concurrency_up),
        TEST(a_quantile_is_of_all_requests_of_its_bin),
        TEST(concurrencies_a_step_apart_are_two_points),
        TEST(more_bins_than_points_join_their_neighbours),
        TEST(without_digests_there_is_no_quantile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
