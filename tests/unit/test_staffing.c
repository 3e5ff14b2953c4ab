#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/control/staffing.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

/* One tick of 100 ms in which `demand` is seen once. */
static void live(struct staffing *staffing, uint64_t tick, uint32_t demand, uint32_t own_late)
{
    struct staffing_lane lane = {.waiting = demand, .own_late = own_late};
    staffing_see(staffing, tick * 100 * MS, &lane);
    staffing_tick(staffing, 0.0, 1000);
}

static void see(struct staffing *staffing, uint64_t now_ns, uint32_t demand, uint32_t own_late)
{
    struct staffing_lane lane = {.waiting = demand, .own_late = own_late};
    staffing_see(staffing, now_ns, &lane);
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
    see(&staffing, MS, 500, 0);
    staffing_tick(&staffing, 0.0, 40);

    assert_int_equal(staffing_pool(&staffing, 10, 1000), 40);
}

static void a_burst_of_our_own_making_is_not_remembered(void **state)
{
    (void)state;
    struct staffing staffing = {0};
    see(&staffing, 1000 * MS, 57, 0);

    see(&staffing, 1010 * MS, 157, 100); /* we slept for 20 ms at 5000/s */
    see(&staffing, 1015 * MS, 157, 40);
    see(&staffing, 1020 * MS, 120, 0); /* and the target still works it off */
    staffing_tick(&staffing, 0.0, 1000);

    assert_int_equal(staffing_pool(&staffing, 10, 1000), 57);
}

static void demand_is_remembered_again_when_the_burst_is_over(void **state)
{
    (void)state;
    struct staffing staffing = {0};
    see(&staffing, 1000 * MS, 157, 1);

    see(&staffing, 1000 * MS + STAFFING_CALM_NS - 1, 90, 0);
    assert_int_equal(staffing.peak, 0);
    see(&staffing, 1000 * MS + STAFFING_CALM_NS, 60, 0);
    assert_int_equal(staffing.peak, 60);
}

/* Knows answers after 10 ms, the last one at 1 s, and connects of 20 ms. */
static struct staffing staffing_of(void)
{
    struct staffing staffing = {0};
    staffing_started(&staffing, S - 10 * MS, 0);
    for (int i = 0; i < 20; i++)
        staffing_answered(&staffing, S, 10 * MS);
    staffing_connected(&staffing, 20 * MS);
    return staffing;
}

/* 1000/s, all 20 workers of the floor busy, and one request waits since 1 s. */
static const struct staffing_lane busy = {
    .rate_per_s = 1000, .floor = 20, .cap = 500, .in_flight = 20, .waiting = 1, .due_ns = S};

static void what_may_wait_a_moment_needs_no_worker_kept(void **state)
{
    (void)state;
    struct staffing staffing = staffing_of();
    staffing_see(&staffing, S, &busy);
    staffing_tick(&staffing, 1000, 500);

    assert_int_equal(staffing_pool(&staffing, 10, 500), 21 - 5); /* 5 fall due in 5 ms */
}

static void a_request_that_waits_gets_a_worker_when_patience_ends(void **state)
{
    (void)state;
    struct staffing staffing = staffing_of();

    assert_int_equal(staffing_hires_ns(&staffing, &busy), S + STAFFING_PATIENCE_NS);

    struct staffing_lane lane = busy;
    lane.connecting = 1; /* one for each */
    assert_true(staffing_hires_ns(&staffing, &lane) > S + STAFFING_PATIENCE_NS);
    lane = busy;
    lane.cap = 20;
    assert_true(staffing_hires_ns(&staffing, &lane) == STAFFING_NEVER);
}

static void a_queue_at_the_target_gets_no_more_workers(void **state)
{
    (void)state;
    struct staffing staffing = staffing_of();
    for (int i = 0; i < 40; i++)
        staffing_answered(&staffing, S, 30 * MS);

    /* Unless it falls silent: all that was in flight at the last answer should be here by now. */
    uint64_t hires_ns = staffing_hires_ns(&staffing, &busy);
    assert_in_range(hires_ns, S + 37 * MS, S + 38 * MS);

    struct staffing_lane lane = busy;
    lane.floor = 30; /* up to the floor, whatever the target does */
    assert_int_equal(staffing_hires_ns(&staffing, &lane), S + STAFFING_PATIENCE_NS);
    staffing.answered = 100; /* and where a tick answers what falls due in it, it is no queue */
    staffing_tick(&staffing, 1000, 500);
    assert_int_equal(staffing_hires_ns(&staffing, &busy), S + STAFFING_PATIENCE_NS);
}

static void a_silent_target_gets_workers_ahead_of_the_schedule(void **state)
{
    (void)state;
    struct staffing staffing = staffing_of();
    struct staffing_lane lane = busy;
    lane.waiting = 0;

    for (lane.idle = 0; lane.idle < 25; lane.idle++) /* 20 ms to connect and 5 of patience */
        assert_int_equal(staffing_hires_ns(&staffing, &lane), S + 10 * MS);
    assert_true(staffing_hires_ns(&staffing, &lane) == STAFFING_NEVER);

    lane.idle = 0;
    lane.in_flight = 0; /* nothing to be silent about */
    assert_true(staffing_hires_ns(&staffing, &lane) == STAFFING_NEVER);
}

static void before_the_first_answer_nothing_speaks_for_a_queue(void **state)
{
    (void)state;
    struct staffing staffing = {0};
    staffing_started(&staffing, S, 0);

    assert_int_equal(staffing_hires_ns(&staffing, &busy), S + STAFFING_PATIENCE_NS);
    struct staffing_lane lane = busy;
    lane.in_flight = 400;
    assert_int_equal(staffing_hires_ns(&staffing, &lane), S + STAFFING_PATIENCE_NS);
}

static void what_we_took_late_ourselves_asks_for_one_worker_at_a_time(void **state)
{
    (void)state;
    struct staffing staffing = staffing_of();
    struct staffing_lane lane = busy;
    lane.waiting = lane.own_late = 50;

    assert_int_equal(staffing_hires_ns(&staffing, &lane), S + STAFFING_PATIENCE_NS);
    lane.connecting = 1;
    assert_true(staffing_hires_ns(&staffing, &lane) == STAFFING_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_floor_is_kept_without_any_demand),
        cmocka_unit_test(a_peak_is_remembered_for_thirty_ticks),
        cmocka_unit_test(a_peak_is_clipped_to_the_cap_of_its_time),
        cmocka_unit_test(a_burst_of_our_own_making_is_not_remembered),
        cmocka_unit_test(demand_is_remembered_again_when_the_burst_is_over),
        cmocka_unit_test(what_may_wait_a_moment_needs_no_worker_kept),
        cmocka_unit_test(a_request_that_waits_gets_a_worker_when_patience_ends),
        cmocka_unit_test(a_queue_at_the_target_gets_no_more_workers),
        cmocka_unit_test(a_silent_target_gets_workers_ahead_of_the_schedule),
        cmocka_unit_test(before_the_first_answer_nothing_speaks_for_a_queue),
        cmocka_unit_test(what_we_took_late_ourselves_asks_for_one_worker_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
