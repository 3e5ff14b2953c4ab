#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/limits.h"
#include "common/base/units.h"
#include "coordinator/assign.h"
#include "coordinator/simulate.h"
#include "coordinator/simulate_agents.h"
#include "tests/unit/near.h"

#include <stdlib.h>
#include <string.h>

/* For 10 s, unless `more` says how long. */
static struct plan *read_plan(const char *goal, const char *more)
{
    const char *time = strstr(more, "duration:") != NULL ? "" : "duration: 10s\nwarmup: 2s\n";
    char text[512];
    struct plan_errors errors = {0};
    int length = snprintf(text, sizeof text,
                          "version: 1\nname: test\ntarget: http://127.0.0.1:9/\ngoal: %s\n%s%s",
                          goal, time, more);
    struct plan *plan = plan_read("test.yaml", text, (size_t)length, &errors);
    if (plan == NULL)
        fail_msg("%s", errors.items[0].message);
    return plan;
}

static struct simulate_plant read_plant(const char *text)
{
    struct simulate_plant plant;
    struct error error = {0};
    simulate_plant_init(&plant);
    assert_true(simulate_plant_read(&plant, text, &error));
    return plant;
}

/* Whole runs. */

/* All that a sink was shown, in one number (FNV-1a). */
static bool mix_tick(void *state, const struct tick *tick, struct error *error)
{
    (void)error;
    uint64_t *hash = state;
    double shown[] = {(double)tick->at_ns,   tick->throughput_per_s, tick->in_flight_mean,
                      tick->latency_ns_mean, tick->workers,          tick->concurrency};
    const unsigned char *bytes = (const unsigned char *)shown;
    for (size_t i = 0; i < sizeof shown; i++)
        *hash = (*hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return true;
}

struct outcome_seen {
    uint64_t hash;
    enum exit_code exit_code;
    enum limit limit;
    bool balanced;
    uint64_t in_flight_at_end, lost_max;
    struct counters ledger;
    double throughput_per_s;
};

static struct outcome_seen simulate(const char *goal, const char *more, const char *plant_text,
                                    uint32_t agents, uint64_t seed)
{
    static uint8_t assignment[ASSIGNMENT_BYTES_MAX];
    struct outcome_seen seen = {.hash = UINT64_C(0xcbf29ce484222325)};
    struct plan *plan = read_plan(goal, more);
    struct simulate_plant plant = read_plant(plant_text);
    struct sink sink = {.name = "mix", .state = &seen.hash, .tick = mix_tick};
    struct session_config config = {.plan = plan,
                                    .assignment = assignment,
                                    .epoch = 1,
                                    .agents_expect = agents,
                                    .wait_ns = 10 * NS_PER_S,
                                    .lease_ms = LEASE_MS};
    struct error error = {0};
    simulation_run_id(seed, config.run_id);
    assert_true(assign_from_plan(plan, assignment, &config.assignment_bytes, &error));
    struct session *session = session_create(&config, &error);
    assert_non_null(session);

    simulation_run(&(struct simulation){.plan = plan,
                                        .plant = &plant,
                                        .agents = agents,
                                        .seed = seed,
                                        .session = session,
                                        .sinks = &sink,
                                        .sink_count = 1});

    const struct report *report = session_report(session);
    seen.exit_code = report->exit_code;
    seen.limit = report->limit;
    seen.balanced = report->balanced;
    seen.in_flight_at_end = report->in_flight_at_end;
    seen.lost_max = report->lost_max;
    seen.ledger = report->ledger;
    seen.throughput_per_s = report->throughput_per_s;
    session_destroy(session);
    plan_destroy(plan);
    return seen;
}

static void a_rate_within_reach_is_held_by_any_number_of_agents(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 4, SIMULATED_AGENTS_MAX};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct outcome_seen seen = simulate("{hold: 2000/s}", "", "", counts[i], 1);

        assert_int_equal(seen.exit_code, EXIT_MET);
        assert_true(seen.balanced);
        assert_near(seen.throughput_per_s, 2000.0, 5.0);
        assert_in_range(seen.ledger.planned, 19990, 20010);
        assert_int_equal(seen.in_flight_at_end, 0);
    }
}

static void a_rate_beyond_reach_is_the_targets_limit(void **state)
{
    (void)state;
    struct outcome_seen seen = simulate("{hold: 2000/s}", "", "servers=5", 2, 1);

    assert_int_equal(seen.exit_code, EXIT_MISSED);
    assert_int_equal(seen.limit, LIMIT_TARGET);
    assert_true(seen.balanced);
    assert_near(seen.throughput_per_s, 1000.0, 40.0);
    assert_true(seen.ledger.not_started > 5000);
}

static void a_fixed_concurrency_gives_what_littles_law_says(void **state)
{
    (void)state;
    struct outcome_seen seen =
        simulate("{concurrency: 20}", "", "delay=5ms,service=5ms,spread=0", 2, 1);

    assert_int_equal(seen.exit_code, EXIT_MET);
    assert_near(seen.throughput_per_s, 20.0 / 0.0102, 20.0);
    assert_int_equal(seen.ledger.planned, seen.ledger.started);
}

static void a_search_finds_the_capacity_of_either_kind_of_target(void **state)
{
    (void)state;
    static const char *const plants[] = {"delay=2ms,service=4ms,servers=16",
                                         "delay=2ms,usl=400/s:0.05:0.0005"};
    static const double capacities_per_s[] = {4000.0, 4297.0}; /* of the law: at 44 inside */

    for (size_t i = 0; i < 2; i++) {
        struct outcome_seen seen =
            simulate("{maximize: throughput}", "duration: 30s\nwarmup: 2s\n", plants[i], 2, 1);

        assert_int_equal(seen.exit_code, EXIT_MET);
        assert_true(seen.balanced);
        assert_near(seen.throughput_per_s, capacities_per_s[i], 0.05 * capacities_per_s[i]);
    }
}

static void a_bound_is_kept_by_the_latencies_that_beats_carry(void **state)
{
    (void)state;
    struct outcome_seen seen = simulate("{maximize: throughput, while: [latency.p(99) < 20ms]}",
                                        "duration: 30s\nwarmup: 2s\n",
                                        "delay=2ms,service=10ms,servers=40,spread=0.2", 2, 1);

    assert_int_equal(seen.exit_code, EXIT_MET);
    assert_true(seen.balanced);
    assert_in_range((uint64_t)seen.throughput_per_s, 1000, 4050);
}

static void who_is_lost_is_bounded_and_who_returns_takes_its_share(void **state)
{
    (void)state;
    struct outcome_seen seen = simulate("{hold: 2000/s}", "agents: {expect: 4, min: 2}\n",
                                        "delay=20ms,lost=1@4s-7s", 4, 1);

    assert_true(seen.balanced);
    assert_true(seen.in_flight_at_end > 0); /* of the dead one's last beat */
    assert_in_range(seen.lost_max, 500, 2500);
    assert_in_range(seen.ledger.planned, 18500, 19500); /* two seconds of a quarter are nobody's */
}

static void what_takes_too_long_is_timed_out(void **state)
{
    (void)state;
    struct outcome_seen seen =
        simulate("{hold: 100/s}", "http: {timeout: 100ms}\n", "delay=50ms,latency=x4@4s-6s", 1, 1);

    assert_true(seen.balanced);
    assert_in_range(seen.ledger.timed_out, 195, 205);
}

static void a_full_line_and_a_share_of_errors_fail(void **state)
{
    (void)state;
    struct outcome_seen seen =
        simulate("{concurrency: 30}", "", "servers=5,line=10,errors=10%", 1, 1);

    assert_true(seen.balanced);
    assert_true(counters_failed(&seen.ledger) > seen.ledger.ok);
}

static void lost_beats_and_noise_keep_the_ledger(void **state)
{
    (void)state;
    struct outcome_seen seen = simulate("{hold: 2000/s}", "", "loss=5%,noise=5%,transport=2", 4, 1);

    assert_int_equal(seen.exit_code, EXIT_MET);
    assert_true(seen.balanced);
}

static void a_seed_gives_one_run_and_another_seed_another(void **state)
{
    (void)state;
    const char *plant = "loss=1%,noise=1%,pauses=50ms/1s@0s-,usl=400/s:0.015:0.00008";

    struct outcome_seen first = simulate("{hold: 2000/s}", "", plant, 3, 1);
    struct outcome_seen again = simulate("{hold: 2000/s}", "", plant, 3, 1);
    struct outcome_seen other = simulate("{hold: 2000/s}", "", plant, 3, 2);

    assert_int_equal(first.hash, again.hash);
    assert_int_not_equal(first.hash, other.hash);
}

/* One agent, and this test for its coordinator. */

struct talk {
    struct plan *plan;
    struct simulate_plant plant;
    struct simulate_agents *agents;
    uint8_t assignment[ASSIGNMENT_BYTES_MAX];
    size_t assignment_bytes;
    uint64_t now_ns, seq;
    struct peer_id peer;
    uint32_t heard[MESSAGE_TYPES];
    uint64_t seq_heard;
    struct beat beat; /* the newest */
    uint32_t finals;
    struct counters final, phases; /* the last word's total, and the sum of its phases */
};

static void listen_to(void *context, uint64_t now_ns, const struct peer_id *from,
                      const struct message *message)
{
    struct talk *talk = context;
    (void)now_ns;
    assert_true(message->seq > talk->seq_heard);
    talk->seq_heard = message->seq;
    talk->peer = *from;
    talk->heard[message->type]++;
    if (message->type == MESSAGE_BEAT)
        talk->beat = message->as.beat;
    if (message->type == MESSAGE_FINAL) {
        talk->final = message->as.final.counters;
        counters_add(&talk->phases, &message->as.final.sample.counters);
    }
}

static void wait_for(struct talk *talk, uint64_t duration_ms)
{
    talk->now_ns += duration_ms * NS_PER_MS;
    simulate_agents_run(talk->agents, talk->now_ns, listen_to, talk);
}

static void tell(struct talk *talk, struct message message)
{
    message.seq = message.seq > 0 ? message.seq : ++talk->seq;
    simulate_agents_send(talk->agents, talk->now_ns, &talk->peer, &message);
}

static void order(struct talk *talk, uint64_t seq, uint64_t rate_per_s)
{
    tell(talk, (struct message){.type = MESSAGE_SETPOINT,
                                .seq = seq,
                                .as.setpoint = {.floor_milli = 20000,
                                                .concurrency_milli = 100000,
                                                .rate_milli = rate_per_s * 1000,
                                                .drop_age_ms = 1000,
                                                .phase = 1,
                                                .sample_ms = SAMPLE_MS,
                                                .echo_t = talk->beat.t_agent}});
}

static int talk_begin(void **state)
{
    struct talk *talk = calloc(1, sizeof *talk);
    struct error error = {0};
    assert_non_null(talk);
    *state = talk;
    talk->plan = read_plan("{hold: 1000/s}", "");
    talk->plant = read_plant("");
    assert_true(assign_from_plan(talk->plan, talk->assignment, &talk->assignment_bytes, &error));
    talk->agents = simulate_agents_create(talk->plan, &talk->plant, 1, 1);
    talk->now_ns = SIMULATED_FROM_NS;
    wait_for(talk, 5);
    assert_int_equal(talk->heard[MESSAGE_HELLO], 1);
    tell(talk, (struct message){.type = MESSAGE_WELCOME,
                                .as.welcome = {.lease_ms = LEASE_MS,
                                               .sample_ms = SAMPLE_MS,
                                               .assignment = talk->assignment,
                                               .assignment_bytes = talk->assignment_bytes}});
    wait_for(talk, 5);
    assert_int_equal(talk->heard[MESSAGE_READY], 1);
    assert_int_equal(talk->heard[MESSAGE_BEAT], 1);
    return 0;
}

static int talk_end(void **state)
{
    struct talk *talk = *state;
    simulate_agents_destroy(talk->agents);
    plan_destroy(talk->plan);
    free(talk);
    return 0;
}

static void it_beats_ten_times_a_second_and_samples_once(void **state)
{
    struct talk *talk = *state;
    for (uint32_t tick = 0; tick < 30; tick++) {
        order(talk, 0, 1000);
        wait_for(talk, TICK_MS);
    }

    assert_in_range(talk->heard[MESSAGE_BEAT], 29, 32);
    assert_in_range(talk->heard[MESSAGE_SAMPLE], 2, 3);
    assert_int_equal(talk->beat.applied_seq, talk->seq);
    assert_in_range(talk->beat.counters.planned, 2900, 3000);
    assert_true(talk->beat.counters.ok > 2800);
    assert_in_range(talk->beat.workers, 20, 30);
}

static void a_lease_that_ends_stops_its_load(void **state)
{
    struct talk *talk = *state;
    order(talk, 0, 1000);

    wait_for(talk, 1900);
    assert_near((double)talk->beat.counters.planned, 1850.0, 50.0);
    wait_for(talk, 3000);

    assert_in_range(talk->beat.counters.planned, 1900, 2000); /* 2 s from the beat it echoed */
    assert_int_equal(talk->beat.counters.planned,
                     talk->beat.counters.started + talk->beat.counters.not_started);
    assert_int_equal(talk->beat.in_flight, 0);
    assert_int_equal(talk->beat.lease_left_ms, 0);
}

static void an_order_that_was_passed_is_not_obeyed(void **state)
{
    struct talk *talk = *state;
    order(talk, 7, 0);
    order(talk, 6, 1000);
    wait_for(talk, 1000);

    assert_int_equal(talk->beat.applied_seq, 7);
    assert_int_equal(talk->beat.counters.planned, 0);
}

static void an_order_that_was_too_long_on_its_way_starts_nothing(void **state)
{
    struct talk *talk = *state;
    uint64_t echo_t = talk->beat.t_agent;
    wait_for(talk, LEASE_MS + 100);
    talk->beat.t_agent = echo_t;
    order(talk, 0, 1000);
    wait_for(talk, 500);

    assert_int_equal(talk->beat.counters.planned, 0);
}

static void its_last_word_is_the_sum_of_its_phases_and_balances(void **state)
{
    struct talk *talk = *state;
    order(talk, 0, 1000);
    wait_for(talk, 1000);
    tell(talk, (struct message){.type = MESSAGE_STOP,
                                .as.stop = {.kind = STOP_DRAIN, .deadline_ms = 1000}});
    wait_for(talk, 500);

    assert_int_equal(talk->heard[MESSAGE_FINAL], 2);
    assert_memory_equal(&talk->final, &talk->phases, sizeof talk->final);
    assert_int_equal(talk->final.planned, talk->final.started + talk->final.not_started);
    assert_int_equal(counters_in_flight(&talk->final), 0);
    assert_true(talk->final.ok > 900);
}

static void an_abort_leaves_in_flight_what_it_cuts(void **state)
{
    struct talk *talk = *state;
    order(talk, 0, 10000);
    wait_for(talk, 500);
    tell(talk, (struct message){.type = MESSAGE_STOP, .as.stop = {.kind = STOP_ABORT}});
    wait_for(talk, 5);

    assert_int_equal(talk->heard[MESSAGE_FINAL], 2);
    assert_in_range(counters_in_flight(&talk->final), 30, 70); /* 10000/s for 5 ms */
    assert_int_equal(talk->final.planned, talk->final.started + talk->final.not_started);
}

#define TALK(test) cmocka_unit_test_setup_teardown(test, talk_begin, talk_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_within_reach_is_held_by_any_number_of_agents),
        cmocka_unit_test(a_rate_beyond_reach_is_the_targets_limit),
        cmocka_unit_test(a_fixed_concurrency_gives_what_littles_law_says),
        cmocka_unit_test(a_search_finds_the_capacity_of_either_kind_of_target),
        cmocka_unit_test(a_bound_is_kept_by_the_latencies_that_beats_carry),
        cmocka_unit_test(who_is_lost_is_bounded_and_who_returns_takes_its_share),
        cmocka_unit_test(what_takes_too_long_is_timed_out),
        cmocka_unit_test(a_full_line_and_a_share_of_errors_fail),
        cmocka_unit_test(lost_beats_and_noise_keep_the_ledger),
        cmocka_unit_test(a_seed_gives_one_run_and_another_seed_another),
        TALK(it_beats_ten_times_a_second_and_samples_once),
        TALK(a_lease_that_ends_stops_its_load),
        TALK(an_order_that_was_passed_is_not_obeyed),
        TALK(an_order_that_was_too_long_on_its_way_starts_nothing),
        TALK(its_last_word_is_the_sum_of_its_phases_and_balances),
        TALK(an_abort_leaves_in_flight_what_it_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
