#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/units.h"
#include "common/due.h"

#define START_NS (7 * NS_PER_S)
#define MS(ms)   (START_NS + (uint64_t)(ms)*NS_PER_MS)

static uint64_t taken(struct due *due, uint64_t now_ns)
{
    uint64_t count = 0;
    while (due_take(due, now_ns))
        count++;
    return count;
}

static void requests_fall_due_evenly_and_not_before_their_time(void **state)
{
    (void)state;
    struct due due = due_start(100, START_NS);

    assert_false(due_take(&due, MS(10) - 1));
    assert_int_equal(due_wait_ns(&due, MS(4)), 6 * NS_PER_MS);
    assert_true(due_take(&due, MS(10)));
    assert_false(due_take(&due, MS(10)));
    assert_int_equal(due_wait_ns(&due, MS(10)), 10 * NS_PER_MS);
}

static void a_second_brings_as_many_as_the_rate_says(void **state)
{
    (void)state;
    struct due due = due_start(1234, START_NS);
    uint64_t count = 0;

    for (unsigned ms = 1; ms <= 10000; ms++)
        count += taken(&due, MS(ms));

    assert_int_equal(count, 12340);
    assert_int_equal(due.not_started, 0);
}

static void what_nobody_takes_waits(void **state)
{
    (void)state;
    struct due due = due_start(100, START_NS);

    assert_int_equal(due_waiting(&due, START_NS), 0);
    assert_int_equal(due_waiting(&due, MS(10) - 1), 0);
    assert_int_equal(due_waiting(&due, MS(10)), 1);
    assert_int_equal(due_waiting(&due, MS(255)), 25);
}

static void late_ones_are_caught_up_with_at_a_tenth_above_the_rate(void **state)
{
    (void)state;
    struct due due = due_start(1000, START_NS);
    uint64_t count = taken(&due, MS(500));
    assert_in_range(count, 10, 12);

    for (unsigned ms = 501; ms <= 1500; ms++)
        count += taken(&due, MS(ms));

    assert_in_range(count, 1100, 1115);
}

static void what_waited_for_too_long_is_not_started_and_counted(void **state)
{
    (void)state;
    struct due due = due_start(100, START_NS);

    due_drop(&due, MS(1500), NS_PER_S);

    assert_int_equal(due.not_started, 49); /* that of 0.5 s has waited for just a second */
    assert_int_equal(due_waiting(&due, MS(1500)), 101);
    due_drop(&due, MS(1500), NS_PER_S);
    assert_int_equal(due.not_started, 49);
}

static void rare_requests_may_wait_for_two_intervals(void **state)
{
    (void)state;
    struct due due = due_start(0.1, START_NS);

    due_drop(&due, MS(30000), NS_PER_S);
    assert_int_equal(due.not_started, 0);
    due_drop(&due, MS(30001), NS_PER_S);

    assert_int_equal(due.not_started, 1);
}

static void a_rate_beyond_the_clock_is_all_due_at_once(void **state)
{
    (void)state;
    struct due due = due_start(1e12, START_NS);

    assert_true(due_take(&due, START_NS + 1));
    assert_int_equal(due_waiting(&due, START_NS + 1), 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_fall_due_evenly_and_not_before_their_time),
        cmocka_unit_test(a_second_brings_as_many_as_the_rate_says),
        cmocka_unit_test(what_nobody_takes_waits),
        cmocka_unit_test(late_ones_are_caught_up_with_at_a_tenth_above_the_rate),
        cmocka_unit_test(what_waited_for_too_long_is_not_started_and_counted),
        cmocka_unit_test(rare_requests_may_wait_for_two_intervals),
        cmocka_unit_test(a_rate_beyond_the_clock_is_all_due_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
