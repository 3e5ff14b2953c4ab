#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/control/controller.h"
#include "common/control/rigid_pool.h"
#include "tests/unit/near.h"

static struct rigid_pool started(double workers)
{
    struct rigid_pool pool;
    rigid_pool_start(&pool, workers);
    return pool;
}

static void step(struct rigid_pool *pool, double in_flight, double backlog, double peak)
{
    struct observation seen = {.in_flight_end = in_flight, .backlog = backlog, .demand_peak = peak};
    rigid_pool_step(pool, 20, 200, 2, &seen);
}

static void a_quiet_pool_is_the_floor(void **state)
{
    (void)state;
    struct rigid_pool pool = started(50);

    step(&pool, 10, 0, 12);

    assert_near(pool.workers, 20, 0);
}

static void a_peak_is_remembered_for_thirty_ticks(void **state)
{
    (void)state;
    struct rigid_pool pool = started(50);
    step(&pool, 10, 0, 40);

    for (int i = 0; i < 29; i++)
        step(&pool, 10, 0, 12);
    assert_near(pool.workers, 40, 0);
    step(&pool, 10, 0, 12);

    assert_near(pool.workers, 20, 0);
}

static void what_waits_doubles_it_at_most(void **state)
{
    (void)state;
    struct rigid_pool pool = started(20);

    step(&pool, 20, 10, 30);
    assert_near(pool.workers, 30, 0);
    step(&pool, 30, 500, 530);

    assert_near(pool.workers, 62, 0);
}

static void it_stays_below_the_cap_and_has_one_for_each_generator(void **state)
{
    (void)state;
    struct rigid_pool pool = started(150);

    step(&pool, 150, 1000, 1150);
    assert_near(pool.workers, 200, 0);
    struct observation seen = {.in_flight_end = 1};
    rigid_pool_step(&pool, 0, 0.5, 2, &seen);

    assert_near(pool.workers, 2, 0);
}

static void an_unknown_peak_is_what_is_there_at_the_end(void **state)
{
    (void)state;
    struct rigid_pool pool = started(50);

    step(&pool, 33, 0, 0);

    assert_near(pool.workers, 33, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_pool_is_the_floor),
        cmocka_unit_test(a_peak_is_remembered_for_thirty_ticks),
        cmocka_unit_test(what_waits_doubles_it_at_most),
        cmocka_unit_test(it_stays_below_the_cap_and_has_one_for_each_generator),
        cmocka_unit_test(an_unknown_peak_is_what_is_there_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
