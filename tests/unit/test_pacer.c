#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/pacer.h"
#include "common/base/check.h"
#include "common/base/clock.h"

__extension__ typedef unsigned __int128 wide;

/* The integral of the rate, in PACER_REQUEST, kept apart from the pacer's own arithmetic. */
struct integral {
    wide grown;
    uint64_t at_ns, rate_milli;
};

static void integral_run_to(struct integral *integral, uint64_t now_ns)
{
    integral->grown += (wide)integral->rate_milli * (now_ns - integral->at_ns);
    integral->at_ns = now_ns;
}

static uint64_t take_all(struct pacer *pacer, uint64_t now_ns)
{
    uint64_t count = 0;
    while (pacer_due(pacer, now_ns) != PACER_NEVER)
        count++;
    return count;
}

static void pacer_gives_nothing_at_rate_zero(void **state)
{
    (void)state;
    struct pacer pacer;

    pacer_start(&pacer, 5, 1.0);

    assert_int_equal(pacer_next(&pacer), PACER_NEVER);
    assert_int_equal(pacer_due(&pacer, UINT64_MAX), PACER_NEVER);
}

static void pacer_gives_a_request_at_its_nanosecond_and_not_one_before(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_start(&pacer, 1000, 0.0);
    pacer_set(&pacer, 1000, 1000 * 1000); /* 1000/s */

    assert_int_equal(pacer_next(&pacer), 1000 + NS_PER_MS);
    assert_int_equal(pacer_due(&pacer, 1000 + NS_PER_MS - 1), PACER_NEVER);
    assert_int_equal(pacer_due(&pacer, 1000 + NS_PER_MS), 1000 + NS_PER_MS);
    assert_int_equal(pacer_due(&pacer, 1000 + NS_PER_MS), PACER_NEVER);
}

static void pacer_rounds_a_due_time_up_and_forgets_no_fraction(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_start(&pacer, 0, 0.0);
    pacer_set(&pacer, 0, 3000); /* 3/s: every 333,333,333.3 ns */

    assert_int_equal(pacer_due(&pacer, NS_PER_S), 333333334);
    assert_int_equal(pacer_due(&pacer, NS_PER_S), 666666667);
    assert_int_equal(pacer_due(&pacer, NS_PER_S), 1000000000);
}

static void pacer_stagger_moves_the_first_request_only(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_start(&pacer, 0, 0.25);
    pacer_set(&pacer, 0, 1000); /* 1/s */

    assert_int_equal(pacer_due(&pacer, 10 * NS_PER_S), 3 * NS_PER_S / 4);
    assert_int_equal(pacer_due(&pacer, 10 * NS_PER_S), 7 * NS_PER_S / 4);
}

static void pacer_stagger_of_one_is_due_at_once(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_start(&pacer, 7, 1.0);
    pacer_set(&pacer, 7, 1);

    assert_int_equal(pacer_due(&pacer, 7), 7);
    assert_int_equal(pacer_next(&pacer), 7 + UINT64_C(1000) * NS_PER_S);
}

static void pacer_carries_the_grown_part_over_a_pause(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_start(&pacer, 0, 0.0);
    pacer_set(&pacer, 0, 1000);
    pacer_set(&pacer, NS_PER_S / 2, 0); /* half a request has grown */
    pacer_set(&pacer, 100 * NS_PER_S, 2000);

    assert_int_equal(pacer_next(&pacer), 100 * NS_PER_S + NS_PER_S / 4);
}

/* A million requests under a rate that changes every tick: each due time is the first whole
 * nanosecond at which the integral has reached its number, and at each tick the count is the
 * integral's whole part. */
static void pacer_planned_is_the_integral_exactly(void **state)
{
    (void)state;
    struct pacer pacer;
    struct integral integral = {0};
    uint64_t now_ns = 0, planned = 0, random = 88172645463325252u;
    pacer_start(&pacer, 0, 0.0);

    while (planned < 1000000) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        integral.rate_milli = random % 20000001; /* to 20,000/s, in thousandths */
        pacer_set(&pacer, now_ns, integral.rate_milli);
        now_ns += 100 * NS_PER_MS + random % 1000;
        uint64_t due_ns;
        while ((due_ns = pacer_due(&pacer, now_ns)) != PACER_NEVER) {
            planned++;
            integral_run_to(&integral, due_ns - 1);
            assert_true(integral.grown < (wide)planned * PACER_REQUEST);
            integral_run_to(&integral, due_ns);
            assert_true(integral.grown >= (wide)planned * PACER_REQUEST);
        }
        integral_run_to(&integral, now_ns);
        assert_true(integral.grown / PACER_REQUEST == planned);
    }
}

/* Ten ticks a second for 31 days at 1/7 of a request per tick or so; no float in the way, so no
 * drift. */
static void pacer_does_not_drift_in_a_month(void **state)
{
    (void)state;
    const uint64_t ticks = UINT64_C(10) * 31 * 24 * 3600;
    struct pacer pacer;
    struct integral integral = {0};
    uint64_t planned = 0;
    pacer_start(&pacer, 0, 0.0);

    for (uint64_t tick = 0; tick < ticks; tick++) {
        integral.rate_milli = 142 + tick % 3;
        pacer_set(&pacer, integral.at_ns, integral.rate_milli);
        integral_run_to(&integral, (tick + 1) * 100 * NS_PER_MS);
        planned += take_all(&pacer, integral.at_ns);
    }
    pacer_set(&pacer, integral.at_ns, 0);

    assert_true(integral.grown / PACER_REQUEST == planned);
    assert_int_equal(pacer.progress, (uint64_t)(integral.grown % PACER_REQUEST));
}

static void pacer_keeps_up_at_the_highest_rate_and_the_end_of_time(void **state)
{
    (void)state;
    const uint64_t late_ns =
        UINT64_C(200) * 365 * 24 * 3600 * NS_PER_S; /* two centuries after boot */
    struct pacer pacer;
    pacer_start(&pacer, late_ns, 0.0);
    pacer_set(&pacer, late_ns, UINT64_C(10000000) * 1000); /* RATE_PER_S_MAX */

    assert_int_equal(take_all(&pacer, late_ns + 10 * NS_PER_MS), 100000);
}

static void pacer_at_the_lowest_rate_waits_a_thousand_seconds(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_start(&pacer, 0, 0.0);
    pacer_set(&pacer, 0, 1);

    assert_int_equal(pacer_next(&pacer), 1000 * NS_PER_S);
}

/* Four agents of a quarter each, staggered, fire one after another as one of the whole would. */
static void pacer_four_staggered_quarters_are_one_whole(void **state)
{
    (void)state;
    struct pacer quarters[4];
    uint64_t count[4] = {0};
    for (int i = 0; i < 4; i++) {
        pacer_start(&quarters[i], 0, i / 4.0);
        pacer_set(&quarters[i], 0, 250 * 1000);
    }

    for (uint64_t tick = 1; tick <= 100; tick++) {
        for (int i = 0; i < 4; i++)
            count[i] += take_all(&quarters[i], tick * 100 * NS_PER_MS);
    }

    for (int i = 0; i < 4; i++)
        assert_int_equal(count[i], 2500);
    assert_int_equal(pacer_next(&quarters[3]) + NS_PER_MS, pacer_next(&quarters[2]));
}

/* Of a Poisson process the intervals are exponential: their variance is the square of their mean,
 * and 1/e of them are longer than it. Over 10^6 draws these are known to 0.1 %, 0.3 % and 0.05 %.
 */
static void pacer_scattered_has_exponential_intervals(void **state)
{
    (void)state;
    const int count = 1000000;
    struct pacer pacer;
    pacer_start(&pacer, 0, 0.7);
    pacer_scatter(&pacer, 1);
    pacer_set(&pacer, 0, 1000 * 1000); /* 1000/s: a mean of 1 ms */
    double sum = 0.0, squares = 0.0;
    int longer = 0;
    uint64_t before_ns = 0;

    for (int i = 0; i < count; i++) {
        uint64_t due_ns = pacer_due(&pacer, UINT64_MAX - 1);
        double interval = (double)(due_ns - before_ns) / (double)NS_PER_MS;
        sum += interval;
        squares += interval * interval;
        longer += interval > 1.0;
        before_ns = due_ns;
    }

    double mean = sum / count;
    assert_true(mean > 0.995 && mean < 1.005);
    assert_true(squares / count > 1.98 && squares / count < 2.02);
    assert_in_range(longer, 365000, 371000); /* 367,879 */
}

/* In a ns grows a hundredth of a request then, and some intervals are shorter: what falls due
 * within one is due at its end, and nothing is lost. */
static void pacer_scattered_keeps_up_at_the_highest_rate(void **state)
{
    (void)state;
    struct pacer pacer;
    pacer_start(&pacer, 0, 0.0);
    pacer_scatter(&pacer, 3);
    pacer_set(&pacer, 0, UINT64_C(10000000) * 1000); /* RATE_PER_S_MAX */

    uint64_t first = take_all(&pacer, 50 * NS_PER_MS);
    pacer_set(&pacer, 50 * NS_PER_MS, UINT64_C(9000000) * 1000);
    uint64_t second = take_all(&pacer, 100 * NS_PER_MS);

    assert_in_range(first, 496500, 503500); /* 500,000 and five times its root */
    assert_in_range(second, 446500, 453500);
}

static void pacer_scattered_draws_the_same_for_the_same_seed(void **state)
{
    (void)state;
    struct pacer pacers[3];
    for (int i = 0; i < 3; i++) {
        pacer_start(&pacers[i], 0, 0.0);
        pacer_scatter(&pacers[i], i < 2 ? 5 : 6);
        pacer_set(&pacers[i], 0, 1000 * 1000);
    }

    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t due_ns = pacer_due(&pacers[0], NS_PER_S * 1000);
        assert_int_equal(pacer_due(&pacers[1], NS_PER_S * 1000), due_ns);
        same += pacer_due(&pacers[2], NS_PER_S * 1000) == due_ns;
    }
    assert_int_equal(same, 0);
}

/* The interval is drawn in requests, so a rate that changes half-way stretches what is left of it.
 */
static void pacer_scattered_carries_the_grown_part_over_a_change_of_rate(void **state)
{
    (void)state;
    struct pacer steady, changed;
    pacer_start(&steady, 0, 0.0);
    pacer_scatter(&steady, 9);
    pacer_set(&steady, 0, 1000);
    changed = steady;
    uint64_t half_ns = pacer_next(&steady) / 2;

    pacer_set(&changed, half_ns, 500);

    uint64_t left_ns = pacer_next(&steady) - half_ns;
    assert_in_range(pacer_next(&changed), half_ns + 2 * left_ns - 2, half_ns + 2 * left_ns + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pacer_gives_nothing_at_rate_zero),
        cmocka_unit_test(pacer_gives_a_request_at_its_nanosecond_and_not_one_before),
        cmocka_unit_test(pacer_rounds_a_due_time_up_and_forgets_no_fraction),
        cmocka_unit_test(pacer_stagger_moves_the_first_request_only),
        cmocka_unit_test(pacer_stagger_of_one_is_due_at_once),
        cmocka_unit_test(pacer_carries_the_grown_part_over_a_pause),
        cmocka_unit_test(pacer_planned_is_the_integral_exactly),
        cmocka_unit_test(pacer_does_not_drift_in_a_month),
        cmocka_unit_test(pacer_keeps_up_at_the_highest_rate_and_the_end_of_time),
        cmocka_unit_test(pacer_at_the_lowest_rate_waits_a_thousand_seconds),
        cmocka_unit_test(pacer_four_staggered_quarters_are_one_whole),
        cmocka_unit_test(pacer_scattered_has_exponential_intervals),
        cmocka_unit_test(pacer_scattered_keeps_up_at_the_highest_rate),
        cmocka_unit_test(pacer_scattered_draws_the_same_for_the_same_seed),
        cmocka_unit_test(pacer_scattered_carries_the_grown_part_over_a_change_of_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
