#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/check.h"
#include "coordinator/simulate_plant.h"
#include "tests/unit/near.h"

#include <math.h>
#include <string.h>

static struct simulate_plant read_well(const char *text)
{
    struct simulate_plant plant;
    struct error error = {0};
    simulate_plant_init(&plant);
    if (!simulate_plant_read(&plant, text, &error))
        fail_msg("%s: %s", text, error.message);
    return plant;
}

static void every_key_is_read(void **state)
{
    (void)state;
    struct simulate_plant plant = read_well(
        "delay=5ms,service=4ms,servers=32,spread=0.3,noise=1%,line=500,errors=0.1%,connect=2ms,"
        "lane=20k/s,lost=2@20s-25s,loss=1%,transport=1,usl=400/s:0.015:0.00008");
    const struct plant_config *target = &plant.fleet.plant;

    assert_near(target->delay_s, 0.005, 1e-12);
    assert_near(target->service_s, 0.004, 1e-12);
    assert_int_equal(target->servers, 32);
    assert_near(target->spread, 0.3, 1e-12);
    assert_near(plant.fleet.noise, 0.01, 1e-12);
    assert_int_equal(target->line_max, 500);
    assert_near(target->error_share, 0.001, 1e-12);
    assert_near(plant.fleet.connect_s, 0.002, 1e-12);
    assert_near(plant.fleet.lane_starts_per_s, 20000.0, 1e-9);
    assert_int_equal(plant.lost_agents, 2);
    assert_near(plant.lost_from_s, 20.0, 1e-12);
    assert_near(plant.lost_to_s, 25.0, 1e-12);
    assert_near(plant.beat_loss, 0.01, 1e-12);
    assert_int_equal(plant.transport_ticks, 1);
    assert_near(target->usl_per_s, 400.0, 1e-9);
    assert_near(target->usl_contention, 0.015, 1e-12);
    assert_near(target->usl_coherency, 0.00008, 1e-12);
}

static void changes_are_read_in_their_order(void **state)
{
    (void)state;
    static const struct plant_change wanted[PLANT_CHANGES_MAX] = {
        {PLANT_LATENCY, 10, 20, 4, 0},
        {PLANT_SERVERS, 30, 40, 0.5, 0},
        {PLANT_PAUSES, 5, INFINITY, 0.08, 2},
        {PLANT_WARM_UP, 0, 90, 0.1, 0},
    };

    struct simulate_plant plant = read_well(
        "latency=x4@10s-20s,servers=x0.5@30s-40s,pauses=80ms/2s@5s-,warmup=x0.1@0s-1m30s");

    for (size_t i = 0; i < PLANT_CHANGES_MAX; i++) {
        const struct plant_change *change = &plant.fleet.plant.changes[i];
        assert_int_equal(change->kind, wanted[i].kind);
        assert_near(change->from_s, wanted[i].from_s, 1e-9);
        assert_true(isinf(wanted[i].to_s) ? isinf(change->to_s)
                                          : fabs(change->to_s - wanted[i].to_s) < 1e-9);
        assert_near(change->factor, wanted[i].factor, 1e-12);
        assert_near(change->every_s, wanted[i].every_s, 1e-12);
    }
    assert_int_equal(plant.fleet.plant.servers, 64); /* as by default */
}

static void what_is_not_said_is_as_by_default(void **state)
{
    (void)state;
    struct simulate_plant plant = read_well("");

    assert_int_equal(plant.fleet.plant.servers, 64);
    assert_near(plant.fleet.plant.service_s, 0.005, 1e-12);
    assert_near(plant.fleet.lane_starts_per_s, 100000.0, 1e-9); /* and so no run is without end */
    assert_int_equal(plant.lost_agents, 0);
    assert_int_equal(plant.fleet.plant.changes[0].kind, PLANT_SAME);
}

struct bad_case {
    const char *text, *wanted;
};

static const struct bad_case bad_cases[] = {
    {"dealy=5ms", "there is no 'dealy'; did you mean 'delay'?"},
    {"colour=red",
     "there is no 'colour'; there are delay, service, servers, spread, usl, line, errors, connect, "
     "latency, speed, warmup, pauses, lane, lost, loss, noise, transport"},
    {"delay=5ms,,", "there is no ''; there are"},
    {"delay", "delay has no value; give one, as delay=5ms"},
    {"delay=5", "delay is '5'; give a duration with its unit up to an hour, as 5ms"},
    {"delay=2h", "delay is '2h'; give a duration with its unit up to an hour, as 5ms"},
    {"delay=5ms@1s-2s", "delay does not change with time; give delay=5ms"},
    {"service=0ms", "service is '0ms'; give a duration above 0 with its unit, as 4ms"},
    {"servers=0", "servers is '0'; give a whole number from 1 to 1000000"},
    {"servers=1000001", "servers is '1000001'; give a whole number from 1 to 1000000"},
    {"servers=x0.5", "servers is 'x0.5'; give a whole number"},
    {"spread=3.1", "spread is '3.1'; give a number from 0 to 3, as 0.3"},
    {"usl=400/s:0.015", "usl is '400/s:0.015'; give RATE:CONTENTION:COHERENCY"},
    {"usl=400/s:2:0", "usl is '400/s:2:0'; give RATE:CONTENTION:COHERENCY"},
    {"usl=0/s:0:0", "usl is '0/s:0:0'; give RATE:CONTENTION:COHERENCY"},
    {"line=-1", "line is '-1'; give a whole number up to 1000000; 0 is no limit"},
    {"errors=101%", "errors is '101%'; give a share, as 0.1%"},
    {"latency=x4", "latency needs a time; give one, as latency=x4@10s-20s"},
    {"latency=4@10s-20s", "latency is '4'; give a factor up to 1000 and its time, as x4@10s-20s"},
    {"latency=x4@20s-10s", "latency has no such time; give @FROM-TO, TO the later or nothing"},
    {"latency=x4@10s", "latency has no such time; give @FROM-TO"},
    {"speed=x0@1s-", "speed is 'x0'; give a factor"},
    {"warmup=x0.1@0s-", "warmup is 'x0.1'; give an end too, as x0.1@0s-20s"},
    {"pauses=2s/80ms@5s-", "pauses is '2s/80ms'; give LENGTH/EVERY@FROM-TO, EVERY the longer"},
    {"pauses=80ms@5s-", "pauses is '80ms'; give LENGTH/EVERY@FROM-TO"},
    {"latency=x2@1s-2s,latency=x2@2s-3s,latency=x2@3s-4s,latency=x2@4s-5s,latency=x2@5s-6s",
     "latency is one change too many; at most 4"},
    {"lane=0/s", "lane is '0/s'; give a rate above 0, as 20k/s"},
    {"lost=0@1s-2s", "lost is '0'; give how many agents and when, as 2@20s-25s"},
    {"lost=2", "lost needs a time; give one, as lost=2@20s-25s"},
    {"transport=11", "transport is '11'; give a whole number of ticks from 0 to 10"},
    {"delay=\x1b[31m", "delay is '\\x1B[31m'; give"},
};

static void a_bad_plant_is_told_in_one_sentence(void **state)
{
    const struct bad_case *test = *state;
    struct simulate_plant plant;
    struct error error = {0};
    simulate_plant_init(&plant);

    assert_false(simulate_plant_read(&plant, test->text, &error));

    assert_int_equal(error.kind, ERROR_USAGE);
    if (strncmp(error.message, test->wanted, strlen(test->wanted)) != 0)
        fail_msg("said: %s", error.message);
}

static void a_part_without_end_is_too_long(void **state)
{
    (void)state;
    char text[600];
    struct simulate_plant plant;
    struct error error = {0};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';

    assert_false(simulate_plant_read(&plant, text, &error));

    assert_non_null(strstr(error.message, "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(changes_are_read_in_their_order),
        cmocka_unit_test(what_is_not_said_is_as_by_default),
        cmocka_unit_test(a_part_without_end_is_too_long),
    };
    struct CMUnitTest bad[COUNT(bad_cases)];
    for (size_t i = 0; i < COUNT(bad_cases); i++)
        bad[i] = (struct CMUnitTest){.name = bad_cases[i].text,
                                     .test_func = a_bad_plant_is_told_in_one_sentence,
                                     .initial_state = (void *)(uintptr_t)&bad_cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(bad, NULL, NULL);
}
