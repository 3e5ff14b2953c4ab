#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/staffing.h"

#define MS UINT64_C(1000000)

/* One tick of 100 ms in which `demand` is seen once. */
static void live(struct staffing *staffing, uint64_t tick, uint32_t demand, uint32_t own_late)
{
    staffing_see(staffing, tick * 100 * MS, demand, own_late);
    staffing_tick(staffing, 1000);
}

static void the_floor_is_kept_without_any_demand(void **state)
{
    (void)state;
    struct staffing staffing = {0};

    assert_int_equal(staffing_pool(&staffing, 7, 100), 7);
    assert_int_equal(staffing_pool(&staffing, 7, 5), 5); /* never above the cap */
    assert_int_equal(staffing_pool(&staffing, 0, 0), 0);
}

static void a_peak_is_remembered_for_thirty_ticks(void **state)
{
    (void)state;
    struct staffing staffing = {0};
    live(&staffing, 10, 80, 0);

    for (uint64_t tick = 11; tick < 10 + STAFFING_TICKS; tick++) {
        live(&staffing, tick, 20, 0);
        assert_int_equal(staffing_pool(&staffing, 10, 100), 80);
    }
    live(&staffing, 10 + STAFFING_TICKS, 20, 0);
    assert_int_equal(staffing_pool(&staffing, 10, 100), 20);
}

static void a_peak_is_clipped_to_the_cap_of_its_time(void **state)
{
    (void)state;
    struct staffing staffing = {0};
    staffing_see(&staffing, MS, 500, 0);
    staffing_tick(&staffing, 40);

    assert_int_equal(staffing_pool(&staffing, 10, 1000), 40);
}

static void a_burst_of_our_own_making_is_not_remembered(void **state)
{
    (void)state;
    struct staffing staffing = {0};
    staffing_see(&staffing, 1000 * MS, 57, 0);

    staffing_see(&staffing, 1010 * MS, 157, 100); /* we slept for 20 ms at 5000/s */
    staffing_see(&staffing, 1015 * MS, 157, 40);
    staffing_see(&staffing, 1020 * MS, 120, 0); /* and the target still works it off */
    staffing_tick(&staffing, 1000);

    assert_int_equal(staffing_pool(&staffing, 10, 1000), 57);
}

static void demand_is_remembered_again_when_the_burst_is_over(void **state)
{
    (void)state;
    struct staffing staffing = {0};
    staffing_see(&staffing, 1000 * MS, 157, 1);

    staffing_see(&staffing, 1000 * MS + STAFFING_CALM_NS - 1, 90, 0);
    assert_int_equal(staffing.peak, 0);
    staffing_see(&staffing, 1000 * MS + STAFFING_CALM_NS, 60, 0);
    assert_int_equal(staffing.peak, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_floor_is_kept_without_any_demand),
        cmocka_unit_test(a_peak_is_remembered_for_thirty_ticks),
        cmocka_unit_test(a_peak_is_clipped_to_the_cap_of_its_time),
        cmocka_unit_test(a_burst_of_our_own_making_is_not_remembered),
        cmocka_unit_test(demand_is_remembered_again_when_the_burst_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
