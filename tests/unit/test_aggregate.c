#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/aggregate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MS   UINT64_C(1000000)
#define TICK (TICK_MS * MS)
#define T0   (1000000 * MS) /* the agents' clocks are nobody else's */

struct fleet {
    struct roster roster;
    uint64_t now_ns;
};

static int setup(void **state)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL)
        return -1;
    roster_init(&fleet->roster, 2, false);
    fleet->now_ns = 5000 * MS;
    *state = fleet;
    return 0;
}

static int teardown(void **state)
{
    struct fleet *fleet = *state;
    roster_done(&fleet->roster);
    free(fleet);
    return 0;
}

static struct agent *add(struct fleet *fleet, uint8_t life)
{
    struct hello hello = {.max_concurrency = 100, .t_agent = T0};
    snprintf(hello.name, sizeof hello.name, "agent-%u", life);
    struct agent *agent = roster_add(&fleet->roster, fleet->now_ns, &(struct peer_id){0},
                                     (uint8_t[ID_BYTES]){life}, &hello);
    assert_non_null(agent);
    agent->state = AGENT_READY;
    return agent;
}

/* What an agent says that has answered `ok` requests by `at_ns` after T0, 2 ms each. */
static enum word_outcome beat(struct fleet *fleet, struct agent *agent, uint64_t seq,
                              uint64_t at_ns, uint64_t ok)
{
    struct beat said = {.t_agent = T0 + at_ns,
                        .counters = {.planned = ok,
                                     .started = ok,
                                     .ok = ok,
                                     .in_flight_ns = ok * 2 * MS,
                                     .latency_sum_ns = ok * 2 * MS},
                        .workers = 7,
                        .in_flight = 2,
                        .backlog = 1,
                        .demand_peak = 4,
                        .lanes = 2,
                        .lane_load_permille = 250};
    struct error error = {0};
    return aggregate_beat(agent, fleet->now_ns, seq, &said, &error);
}

static struct observation tick(struct fleet *fleet)
{
    fleet->now_ns += TICK;
    aggregate_silence(&fleet->roster, fleet->now_ns);
    return aggregate_tick(&fleet->roster, TICK, NULL);
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-6 * fabs(expected)))
        fail_msg("%.9g, not %.9g", value, expected);
}

static void rates_of_all_agents_add_up_over_their_own_clocks(void **state)
{
    struct fleet *fleet = *state;
    struct agent *first = add(fleet, 1);
    struct agent *second = add(fleet, 2);
    beat(fleet, first, 1, 0, 0);
    beat(fleet, second, 1, 0, 0);
    tick(fleet);

    beat(fleet, first, 2, TICK, 50);
    beat(fleet, second, 2, TICK / 2,
         50); /* its beat left earlier: the same count in half the time */
    struct observation seen = tick(fleet);

    assert_int_equal(seen.parts_expected, 2);
    assert_int_equal(seen.parts_reported, 2);
    assert_near(seen.throughput_per_s, 500.0 + 1000.0);
    assert_near(seen.in_flight_mean, 1.0 + 2.0);
    assert_near(seen.latency_ns_mean, 2.0 * MS);
    assert_int_equal(seen.completed, 100);
    assert_near(seen.demand_peak, 8.0);
    assert_near(seen.backlog, 2.0);
    assert_near(seen.workers, 14.0);
    assert_near(seen.generator_load, 0.25);
    assert_int_equal(seen.generators, 4);
}

static void one_beat_alone_is_no_measurement(void **state)
{
    struct fleet *fleet = *state;
    beat(fleet, add(fleet, 1), 1, 0, 12345);

    struct observation seen = tick(fleet);

    assert_int_equal(seen.parts_expected, 0);
    assert_int_equal(seen.completed, 0);
}

static void a_missing_beat_is_expected_and_its_requests_come_with_the_next(void **state)
{
    struct fleet *fleet = *state;
    struct agent *agent = add(fleet, 1);
    beat(fleet, agent, 1, 0, 0);
    tick(fleet);

    struct observation missing = tick(fleet);
    beat(fleet, agent, 3, 2 * TICK, 100);
    struct observation next = tick(fleet);

    assert_int_equal(missing.parts_expected, 1);
    assert_int_equal(missing.parts_reported, 0);
    assert_int_equal(next.completed, 100);
    assert_near(next.throughput_per_s, 500.0);
}

static void repeated_and_overtaken_beats_count_once(void **state)
{
    struct fleet *fleet = *state;
    struct agent *agent = add(fleet, 1);
    beat(fleet, agent, 1, 0, 0);
    tick(fleet);

    assert_int_equal(beat(fleet, agent, 3, TICK, 50), WORD_TAKEN);
    assert_int_equal(beat(fleet, agent, 3, TICK, 50), WORD_STALE);
    assert_int_equal(beat(fleet, agent, 2, TICK / 2, 25), WORD_STALE);
    struct observation seen = tick(fleet);

    assert_int_equal(seen.completed, 50);
    assert_near(seen.throughput_per_s, 500.0);
}

static void a_counter_that_fell_is_corrupt_and_not_taken(void **state)
{
    struct fleet *fleet = *state;
    struct agent *agent = add(fleet, 1);
    beat(fleet, agent, 1, 0, 50);

    assert_int_equal(beat(fleet, agent, 2, TICK, 49), WORD_CORRUPT);

    assert_int_equal(agent->beat.counters.ok, 50);
}

static void who_is_silent_for_three_ticks_is_not_expected(void **state)
{
    struct fleet *fleet = *state;
    struct agent *agent = add(fleet, 1);
    beat(fleet, agent, 1, 0, 0);
    for (uint32_t i = 0; i < SILENT_TICKS; i++)
        assert_false((tick(fleet), agent->silent));

    struct observation seen = tick(fleet);

    assert_true(agent->silent);
    assert_int_equal(seen.parts_expected, 0);
}

static void the_first_two_reports_after_a_silence_are_no_measurement(void **state)
{
    struct fleet *fleet = *state;
    struct agent *agent = add(fleet, 1);
    beat(fleet, agent, 1, 0, 0);
    for (uint32_t i = 0; i <= SILENT_TICKS; i++)
        tick(fleet);

    uint32_t reported[3];
    for (uint32_t i = 0; i < 3; i++) {
        beat(fleet, agent, 10 + i, (10 + i) * TICK, 100 * i);
        struct observation seen = tick(fleet);
        assert_int_equal(seen.parts_expected, 1);
        reported[i] = seen.parts_reported;
    }

    assert_int_equal(reported[0], 0);
    assert_int_equal(reported[1], 0);
    assert_int_equal(reported[2], 1);
}

static void the_worst_of_several_beats_is_what_the_tick_sees(void **state)
{
    struct fleet *fleet = *state;
    struct agent *agent = add(fleet, 1);
    struct beat high = {.t_agent = T0, .demand_peak = 30, .lane_load_permille = 950, .lanes = 1};
    struct beat low = {.t_agent = T0 + 1, .demand_peak = 1, .lane_load_permille = 10, .lanes = 1};
    struct error error = {0};
    beat(fleet, agent, 1, 0, 0);
    tick(fleet);

    aggregate_beat(agent, fleet->now_ns, 2, &high, &error);
    aggregate_beat(agent, fleet->now_ns, 3, &low, &error);
    struct observation seen = tick(fleet);

    assert_near(seen.demand_peak, 30.0);
    assert_near(seen.generator_load, 0.95);
}

static void a_drifting_clock_is_known_after_a_minute(void **state)
{
    struct fleet *fleet = *state;
    struct agent *agent = add(fleet, 1);
    beat(fleet, agent, 1, 0, 0);

    fleet->now_ns += 59000 * MS;
    beat(fleet, agent, 2, 61000 * MS, 0);
    assert_near(aggregate_drift(agent), 0.0);
    fleet->now_ns += 1000 * MS;
    beat(fleet, agent, 3, 61800 * MS, 0);

    assert_near(aggregate_drift(agent), 0.03);
}

/* Says what `digest` and `ok` count, which need not agree. */
static enum word_outcome beat_with_digest(struct fleet *fleet, struct agent *agent, uint64_t seq,
                                          const struct digest *digest, uint64_t ok)
{
    uint8_t bytes[DIGEST_BYTES_MAX];
    struct error error = {0};
    struct beat said = {.t_agent = T0 + seq * TICK,
                        .counters = {.planned = ok, .started = ok, .ok = ok},
                        .lanes = 1,
                        .digest = bytes,
                        .digest_bytes = digest_encode(digest, bytes, sizeof bytes)};
    return aggregate_beat(agent, fleet->now_ns, seq, &said, &error);
}

static void record(struct digest *digest, uint64_t value_ns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        digest_record(digest, value_ns);
}

static void latencies_of_a_tick_are_the_differences_of_all_agents_digests(void **state)
{
    struct fleet *fleet = *state;
    fleet->roster.latency_digests = true;
    struct agent *first = add(fleet, 1);
    struct agent *second = add(fleet, 2);
    struct digest one = {0};
    struct digest two = {0};
    struct digest seen;
    record(&one, 900 * MS, 50); /* before the first tick: in none of them */
    assert_int_equal(beat_with_digest(fleet, first, 1, &one, 50), WORD_TAKEN);
    assert_int_equal(beat_with_digest(fleet, second, 1, &two, 0), WORD_TAKEN);
    aggregate_tick(&fleet->roster, TICK, &seen);

    record(&one, 10 * MS, 60);
    record(&two, 20 * MS, 40);
    beat_with_digest(fleet, first, 2, &one, 110);
    beat_with_digest(fleet, second, 2, &two, 40);
    aggregate_tick(&fleet->roster, TICK, &seen);

    assert_int_equal(seen.total, 100);
    assert_in_range((uint64_t)digest_quantile(&seen, 0.5), 9 * MS, 11 * MS);
    assert_in_range((uint64_t)digest_quantile(&seen, 0.9), 19 * MS, 21 * MS);
    aggregate_tick(&fleet->roster, TICK, &seen);
    assert_int_equal(seen.total, 0);
}

static void a_digest_that_fell_or_counts_something_else_is_corrupt(void **state)
{
    struct fleet *fleet = *state;
    fleet->roster.latency_digests = true;
    struct agent *agent = add(fleet, 1);
    struct digest digest = {0};
    struct digest other = {0};
    record(&digest, 10 * MS, 5);
    record(&other, 20 * MS, 6);
    assert_int_equal(beat_with_digest(fleet, agent, 1, &digest, 5), WORD_TAKEN);

    assert_int_equal(beat_with_digest(fleet, agent, 2, &other, 6), WORD_CORRUPT);
    assert_int_equal(beat_with_digest(fleet, agent, 3, &digest, 6), WORD_CORRUPT);
    assert_int_equal(beat(fleet, agent, 4, 4 * TICK, 6), WORD_CORRUPT); /* none at all */
    record(&digest, 30 * MS, 1);
    assert_int_equal(beat_with_digest(fleet, agent, 5, &digest, 6), WORD_TAKEN);
}

static void a_digest_that_nobody_asked_for_is_not_looked_into(void **state)
{
    struct fleet *fleet = *state;
    struct agent *agent = add(fleet, 1);
    struct digest digest = {0};

    assert_int_equal(beat_with_digest(fleet, agent, 1, &digest, 5), WORD_TAKEN);
    assert_null(agent->digests);
    assert_null(agent->beat.digest);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rates_of_all_agents_add_up_over_their_own_clocks),
        TEST(one_beat_alone_is_no_measurement),
        TEST(a_missing_beat_is_expected_and_its_requests_come_with_the_next),
        TEST(repeated_and_overtaken_beats_count_once),
        TEST(a_counter_that_fell_is_corrupt_and_not_taken),
        TEST(who_is_silent_for_three_ticks_is_not_expected),
        TEST(the_first_two_reports_after_a_silence_are_no_measurement),
        TEST(the_worst_of_several_beats_is_what_the_tick_sees),
        TEST(latencies_of_a_tick_are_the_differences_of_all_agents_digests),
        TEST(a_digest_that_fell_or_counts_something_else_is_corrupt),
        TEST(a_digest_that_nobody_asked_for_is_not_looked_into),
        TEST(a_drifting_clock_is_known_after_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
