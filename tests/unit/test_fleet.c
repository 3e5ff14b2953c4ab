#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/control/fleet.h"
#include "tests/unit/near.h"

#include <math.h>

#define TICKS 100

static const struct control_advice advice = {
    .concurrency = 200.0, .floor = 80.0, .drop_age_ns = 1000000000};

static struct fleet_config ordinary(void)
{
    return (struct fleet_config){
        .plant = {.delay_s = 0.005, .service_s = 0.004, .servers = 64, .spread = 0.3},
        .lanes = 4,
        .poisson = true,
        .connect_s = 0.001};
}

/* Ticks at 5000/s, all kept. */
static void run(const struct fleet_config *config, struct fleet_tick ticks[static TICKS])
{
    struct fleet *fleet = fleet_create(config, 1);
    for (int k = 0; k < TICKS; k++)
        fleet_run(fleet, 5000.0, &advice, &ticks[k]);
    fleet_destroy(fleet);
}

static double mean_throughput(const struct fleet_tick *ticks, int from)
{
    double sum = 0.0;
    for (int k = from; k < TICKS; k++)
        sum += ticks[k].seen.throughput_per_s;
    return sum / (TICKS - from);
}

static void what_is_seen_is_what_happened(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    struct fleet_tick ticks[TICKS];

    run(&config, ticks);

    for (int k = 0; k < TICKS; k++) {
        const struct observation *seen = &ticks[k].seen;
        assert_int_equal(seen->parts_reported, 4);
        assert_int_equal(seen->completed, (uint64_t)ticks[k].completed);
        assert_near(seen->throughput_per_s, ticks[k].completed / FLEET_TICK_S, 1e-6);
        assert_near(seen->latency_ns_quantile, 0.0, 0.0);
    }
    assert_near(mean_throughput(ticks, 10), 5000.0, 50.0);
}

static void a_lost_report_is_made_good_by_the_next(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    config.report_loss = 0.1;
    struct fleet_tick ticks[TICKS];

    run(&config, ticks);

    double missing = 0.0;
    double completed = 0.0;
    uint64_t seen = 0;
    for (int k = 0; k < TICKS; k++) {
        missing += ticks[k].seen.parts_expected - ticks[k].seen.parts_reported;
        completed += ticks[k].completed;
        seen += ticks[k].seen.completed;
        if (ticks[k].seen.parts_reported == 4)
            assert_near(ticks[k].seen.throughput_per_s, 5000.0, 1200.0);
    }
    assert_near(missing / (4.0 * TICKS), 0.1, 0.05);
    assert_near((double)seen, completed, 300.0); /* but for what the last ones owe */
}

static void transport_makes_observations_older(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    struct fleet_tick at_once[TICKS];
    struct fleet_tick later[TICKS];
    run(&config, at_once);
    config.transport_ticks = 3;
    run(&config, later);

    for (int k = 0; k < 3; k++)
        assert_int_equal(later[k].seen.parts_reported, 0);
    for (int k = 3; k < TICKS; k++)
        assert_memory_equal(&later[k].seen, &at_once[k - 3].seen, sizeof later[k].seen);
}

static void the_quantile_is_of_the_times_from_due_to_end(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    config.plant.spread = 0.0;
    config.poisson = false;
    config.quantile = 0.99;
    struct fleet_tick ticks[TICKS];

    run(&config, ticks);

    for (int k = 10; k < TICKS; k++) /* 9 ms, and the delay's jitter of up to three deviations */
        assert_in_range(ticks[k].seen.latency_ns_quantile, 9200000, 9900000);
}

static void what_fails_is_counted_apart(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    config.plant.error_share = 0.2;
    struct fleet_tick ticks[TICKS];

    run(&config, ticks);

    double ok = 0.0;
    double failed = 0.0;
    for (int k = 10; k < TICKS; k++) {
        ok += (double)ticks[k].seen.completed;
        failed += (double)ticks[k].seen.failed;
    }
    assert_near(failed / (ok + failed), 0.2, 0.01);
    assert_near(mean_throughput(ticks, 10), 5000.0, 50.0);
}

static void a_slow_lane_is_slow_alone(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    config.lane_latency_factor[2] = 10.0;
    struct fleet *fleet = fleet_create(&config, 1);
    struct fleet_tick tick;
    for (int k = 0; k < TICKS; k++)
        fleet_run(fleet, 5000.0, &advice, &tick);

    struct fleet_lane slow = fleet_look(fleet, 2);
    struct fleet_lane other = fleet_look(fleet, 1);
    fleet_destroy(fleet);

    assert_near(slow.latency_s / (double)(slow.ok + slow.failed), 0.056, 0.004);
    assert_near(other.latency_s / (double)(other.ok + other.failed), 0.0092, 0.0004);
}

static void a_lanes_own_ceiling_holds_beside_the_common_one(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    config.lane_starts_per_s = 2000.0;
    config.lane_starts_per_s_of[3] = 500.0;
    struct fleet *fleet = fleet_create(&config, 1);
    struct fleet_tick tick;
    for (int k = 0; k < TICKS; k++)
        fleet_run(fleet, 5000.0, &advice, &tick);

    assert_near((double)fleet_look(fleet, 3).started, 5000.0, 60.0);
    assert_near((double)fleet_look(fleet, 0).started, 12500.0, 400.0);
    assert_near(tick.seen.generator_load, 1.0, 0.05);
    fleet_destroy(fleet);
}

static void lanes_are_lost_and_return(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    config.lost_from_s = 2.0;
    config.lost_to_s = 5.0;
    config.lost_lanes = 2;
    struct fleet_tick ticks[TICKS];

    run(&config, ticks);

    assert_int_equal(ticks[19].seen.parts_reported, 4);
    assert_int_equal(ticks[20].seen.parts_reported, 2);
    assert_int_equal(ticks[20].seen.parts_expected, 4);
    assert_int_equal(ticks[22].seen.parts_expected, 2); /* three misses: known to be away */
    assert_near(ticks[40].sent_per_s, 5000.0, 700.0);
    assert_int_equal(ticks[50].seen.parts_reported, 4);
}

struct watched {
    uint64_t due, not_started, started, ended, failed, timed_out;
};

static void count_event(void *context, const struct fleet_event *event)
{
    struct watched *watched = context;
    watched->due += event->kind == FLEET_DUE;
    watched->not_started += event->kind == FLEET_NOT_STARTED;
    watched->started += event->kind == FLEET_STARTED;
    watched->ended += event->kind == FLEET_ENDED;
    watched->failed += event->kind == FLEET_ENDED && !event->ok;
    watched->timed_out += event->timed_out;
    if (event->kind == FLEET_ENDED)
        assert_true(event->due_s <= event->start_s && event->start_s < event->end_s);
}

static void a_watcher_sees_every_request_and_the_ledger_balances(void **state)
{
    (void)state;
    struct watched watched = {0};
    struct fleet_config config = ordinary();
    config.lanes = 1;
    config.plant.servers = 4; /* a fifth of what is asked */
    config.plant.error_share = 0.1;
    config.watch = count_event;
    config.watch_context = &watched;
    struct fleet *fleet = fleet_create(&config, 1);
    struct fleet_order order = {
        .rate_per_s = 5000.0, .floor = 10.0, .concurrency = 100.0, .drop_age_s = 0.1};
    fleet_order(fleet, 0, &order);
    fleet_advance(fleet, 10.0);

    struct fleet_lane lane = fleet_look(fleet, 0);
    fleet_destroy(fleet);

    assert_true(watched.not_started > 10000);
    assert_int_equal(watched.due, watched.started + watched.not_started + lane.backlog);
    assert_int_equal(watched.started, watched.ended + lane.in_flight);
    assert_int_equal(watched.started, lane.started);
    assert_int_equal(watched.failed, lane.failed);
}

static void each_lane_obeys_its_own_order_from_its_own_moment(void **state)
{
    (void)state;
    struct fleet_config config = ordinary();
    config.lanes = 2;
    config.closed = true;
    struct fleet *fleet = fleet_create(&config, 1);
    fleet_order(fleet, 0, &(struct fleet_order){.concurrency = 10.0});
    fleet_advance(fleet, 1.0);
    fleet_order(fleet, 1, &(struct fleet_order){.concurrency = 2.5});
    fleet_advance(fleet, 3.0);

    struct fleet_lane first = fleet_look(fleet, 0);
    struct fleet_lane second = fleet_look(fleet, 1);
    fleet_lose(fleet, 0);
    fleet_advance(fleet, 4.0);
    struct fleet_lane lost = fleet_look(fleet, 0);
    fleet_destroy(fleet);

    assert_near(first.in_flight_s, 30.0, 0.1);
    assert_near(second.in_flight_s, 5.0, 0.1);
    assert_int_equal(lost.started, first.started);
    assert_int_equal(lost.ok, first.ok);
    assert_int_equal(lost.in_flight, 0);
}

static void a_request_out_of_time_fails_and_frees_its_worker(void **state)
{
    (void)state;
    struct watched watched = {0};
    struct fleet_config config = ordinary();
    config.lanes = 1;
    config.closed = true;
    config.plant.delay_s = 1.0;
    config.timeout_s = 0.25;
    config.watch = count_event;
    config.watch_context = &watched;
    struct fleet *fleet = fleet_create(&config, 1);
    fleet_order(fleet, 0, &(struct fleet_order){.concurrency = 10.0});
    fleet_advance(fleet, 2.4);

    struct fleet_lane lane = fleet_look(fleet, 0);
    fleet_destroy(fleet);

    assert_int_equal(watched.ended, 90);
    assert_int_equal(watched.timed_out, 90);
    assert_int_equal(lane.failed, 90);
    assert_int_equal(lane.in_flight, 10);
    assert_near(lane.latency_s, 90 * 0.25, 1e-9);
}

static void a_stopped_lane_gives_up_what_waits_and_ends_what_runs(void **state)
{
    (void)state;
    struct watched watched = {0};
    struct fleet_config config = ordinary();
    config.lanes = 1;
    config.watch = count_event;
    config.watch_context = &watched;
    struct fleet *fleet = fleet_create(&config, 1);
    struct fleet_order order = {
        .rate_per_s = 5000.0, .floor = 10.0, .concurrency = 10.0, .drop_age_s = 1.0};
    fleet_order(fleet, 0, &order);
    fleet_advance(fleet, 1.0);
    assert_true(fleet_look(fleet, 0).backlog > 1000);
    uint64_t started = watched.started;

    fleet_stop(fleet, 0);
    fleet_advance(fleet, 2.0);

    struct fleet_lane lane = fleet_look(fleet, 0);
    fleet_destroy(fleet);
    assert_int_equal(lane.backlog, 0);
    assert_int_equal(lane.in_flight, 0);
    assert_int_equal(watched.started, started);
    assert_int_equal(watched.due, watched.started + watched.not_started);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_seen_is_what_happened),
        cmocka_unit_test(a_lost_report_is_made_good_by_the_next),
        cmocka_unit_test(transport_makes_observations_older),
        cmocka_unit_test(the_quantile_is_of_the_times_from_due_to_end),
        cmocka_unit_test(what_fails_is_counted_apart),
        cmocka_unit_test(a_slow_lane_is_slow_alone),
        cmocka_unit_test(a_lanes_own_ceiling_holds_beside_the_common_one),
        cmocka_unit_test(lanes_are_lost_and_return),
        cmocka_unit_test(a_watcher_sees_every_request_and_the_ledger_balances),
        cmocka_unit_test(a_request_out_of_time_fails_and_frees_its_worker),
        cmocka_unit_test(a_stopped_lane_gives_up_what_waits_and_ends_what_runs),
        cmocka_unit_test(each_lane_obeys_its_own_order_from_its_own_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
