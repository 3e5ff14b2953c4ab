#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)
#define T0 (500 * S) /* the agent's clock at its last beat */

struct book {
    struct roster roster;
    struct report *report;
};

static int setup(void **state)
{
    struct book *book = calloc(1, sizeof *book);
    if (book == NULL)
        return -1;
    roster_init(&book->roster, 2, false);
    book->report = calloc(1, sizeof *book->report);
    *state = book;
    return book->report == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct book *book = *state;
    roster_done(&book->roster);
    report_done(book->report);
    free(book->report);
    free(book);
    return 0;
}

static struct agent *add(struct book *book, const char *name)
{
    struct hello hello = {0};
    snprintf(hello.name, sizeof hello.name, "%s", name);
    struct agent *agent =
        roster_add(&book->roster, S, &(struct peer_id){0},
                   (uint8_t[ID_BYTES]){(uint8_t)(book->roster.count + 1)}, &hello);
    assert_non_null(agent);
    agent->state = AGENT_READY;
    return agent;
}

static void last_beat(struct agent *agent, struct counters counters)
{
    agent->beat_seq = 1;
    agent->beat = (struct beat){.t_agent = T0, .counters = counters, .lanes = 2};
    agent->beat.backlog = (uint32_t)(counters.planned - counters.started - counters.not_started);
}

/* The agent's last order, which echoed its clock `age_ns` before its last beat. */
static void order(struct agent *agent, uint64_t age_ns, uint64_t concurrency_milli,
                  uint64_t rate_milli)
{
    agent->granted_echo_t = T0 - age_ns;
    lease_grant(&agent->lease, &(struct grant){.seq = agent->seq_sent += 1,
                                               .concurrency_milli = concurrency_milli,
                                               .rate_milli = rate_milli,
                                               .echo_received_ns = S});
}

static void say_word(struct agent *agent, uint32_t phase, bool final, uint64_t ok,
                     uint64_t service_ns)
{
    static uint8_t bytes[HISTOGRAM_BYTES_MAX];
    struct histogram histogram = {0};
    for (uint64_t i = 0; i < ok; i++)
        histogram_record(&histogram, service_ns);
    struct sample sample = {.phase = phase,
                            .parts = 1,
                            .t_from = 1,
                            .t_to = 2,
                            .counters = {.planned = ok, .started = ok, .ok = ok},
                            .request_count = 1,
                            .requests = {{.ok = ok}},
                            .histogram_count = 2};
    size_t count = sample_histogram_encode(&histogram, bytes, sizeof bytes);
    for (uint32_t i = 0; i < 2; i++)
        sample.histograms[i] =
            (struct sample_histogram){.kind = i, .bytes = bytes, .byte_count = count};
    struct error error = {0};
    assert_int_equal(words_take(&agent->phases[phase], &sample, final, NULL, &error), WORD_TAKEN);
}

static void final_word(struct agent *agent, uint64_t warm, uint64_t measured)
{
    say_word(agent, 0, true, warm, MS);
    say_word(agent, 1, true, measured, MS);
    uint64_t ok = warm + measured;
    agent->final = (struct counters){.planned = ok, .started = ok, .ok = ok};
    agent->state = AGENT_DONE;
}

static const struct report *close_book(struct book *book)
{
    struct report *report = book->report;
    free(report->agents);
    report->agent_count = book->roster.count;
    report->agents = calloc(report->agent_count, sizeof *report->agents);
    assert_non_null(report->agents);
    ledger_close(&book->roster, true, LEASE_MS, report);
    return report;
}

static void final_words_add_up(void **state)
{
    struct book *book = *state;
    final_word(add(book, "a"), 10, 90);
    final_word(add(book, "b"), 20, 180);

    const struct report *report = close_book(book);

    assert_string_equal(report->imbalance, "");
    assert_true(report->balanced);
    assert_int_equal(report->ledger.started, 300);
    assert_int_equal(report->agents[1].counters.started, 200);
    assert_int_equal(report->lost_max, 0);
    assert_int_equal(report->in_flight_at_end, 0);
}

static void what_was_in_flight_when_it_was_cut_is_in_the_ledger(void **state)
{
    struct book *book = *state;
    struct agent *agent = add(book, "a");
    last_beat(agent, (struct counters){.planned = 12, .started = 10, .ok = 6, .timed_out = 1});

    const struct report *report = close_book(book);

    assert_true(report->balanced);
    assert_int_equal(report->in_flight_at_end, 3);
    assert_int_equal(report->ledger.not_started, 2); /* its backlog was never seen to start */
    assert_int_equal(report->ledger.planned, 12);
}

static void an_imbalance_names_the_agent_and_both_sums(void **state)
{
    struct book *book = *state;
    struct agent *agent = add(book, "crooked");
    final_word(agent, 10, 90);
    agent->final.planned = 101;

    const struct report *report = close_book(book);

    assert_false(report->balanced);
    assert_non_null(strstr(report->imbalance, "crooked"));
    assert_non_null(strstr(report->imbalance, "101"));
    assert_non_null(strstr(report->imbalance, "100"));
}

static void phases_must_be_the_whole(void **state)
{
    struct book *book = *state;
    struct agent *agent = add(book, "a");
    final_word(agent, 10, 90);
    agent->final.ok--;
    agent->final.timed_out++;

    assert_false(close_book(book)->balanced);
}

static void names_must_be_the_whole(void **state)
{
    struct book *book = *state;
    struct agent *agent = add(book, "a");
    final_word(agent, 10, 90);
    agent->phases[1].newest->requests[0].ok--;

    assert_false(close_book(book)->balanced);
}

static void an_agent_that_is_not_believed_cannot_balance(void **state)
{
    struct book *book = *state;
    struct agent *agent = add(book, "liar");
    last_beat(agent, (struct counters){.planned = 5, .started = 5, .ok = 5});
    agent->corrupt = true;

    const struct report *report = close_book(book);

    assert_false(report->balanced);
    assert_int_equal(report->ledger.started, 5);
    assert_non_null(strstr(report->imbalance, "liar"));
}

static void the_newer_of_beat_and_samples_is_the_last_word(void **state)
{
    struct book *book = *state;
    struct agent *agent = add(book, "a");
    last_beat(agent, (struct counters){.planned = 50, .started = 50, .ok = 50});

    say_word(agent, 0, false, 10, MS);
    assert_int_equal(ledger_word(&book->roster, agent).started, 50);
    say_word(agent, 1, false, 45, MS);
    assert_int_equal(ledger_word(&book->roster, agent).started, 55);
}

struct bound {
    const char *name;
    bool open_arrivals;
    uint64_t age_ns; /* of the echo, before the last beat */
    uint64_t concurrency_milli, rate_milli;
    uint32_t backlog;
    uint64_t fastest_ns; /* 0: no sample yet */
    uint64_t lost_max;
};

static const struct bound bounds[] = {
    /* name                                                         open   age     workers  rate */
    {"lost_max_is_what_falls_due_until_the_lease_ends", true, 0, 9000, 500000, 0, MS, 1002},
    {"lost_max_is_less_when_the_last_order_was_old", true, 500 * MS, 9000, 500000, 0, MS, 752},
    {"lost_max_has_the_backlog_in_it", true, 0, 9000, 500000, 77, MS, 1079},
    {"lost_max_is_the_backlog_when_the_lease_had_ended", true, 3 * S, 9000, 500000, 7, MS, 9},
    {"lost_max_is_nothing_without_a_grant", true, 0, 0, 0, 0, MS, 0},
    {"lost_max_closed_is_rounds_of_the_fastest_request", false, 0, 3000, 0, 0, 10 * MS, 603},
    {"lost_max_closed_counts_a_fraction_as_a_worker", false, 0, 2500, 0, 0, 10 * MS, 603},
    {"lost_max_closed_is_bounded_without_a_sample", false, 1900 * MS, 1000, 0, 0, 0, 1000001},
};

static void lost_max_bounds(void **state)
{
    const struct bound *bound = *state;
    struct book book = {0};
    roster_init(&book.roster, 2, false);
    struct agent *agent = add(&book, "a");
    last_beat(agent, (struct counters){.planned = 100 + bound->backlog, .started = 100, .ok = 100});
    order(agent, bound->age_ns + 100 * MS, bound->concurrency_milli / 2, bound->rate_milli / 2);
    order(agent, bound->age_ns, bound->concurrency_milli, bound->rate_milli);
    if (bound->fastest_ns > 0)
        say_word(agent, 1, false, 10, bound->fastest_ns);

    uint64_t lost_max = ledger_lost_max(&book.roster, agent, bound->open_arrivals, LEASE_MS);

    assert_int_equal(lost_max, bound->lost_max);
    agent->state = AGENT_DONE;
    assert_int_equal(ledger_lost_max(&book.roster, agent, bound->open_arrivals, LEASE_MS), 0);
    roster_done(&book.roster);
}

static void lost_max_remembers_a_larger_order_that_was_not_taken_back(void **state)
{
    struct book *book = *state;
    struct agent *agent = add(book, "a");
    last_beat(agent, (struct counters){0});
    order(agent, 0, 9000, 800000);
    order(agent, 0, 9000, 100000); /* not acknowledged: it may not have come */

    assert_int_equal(ledger_lost_max(&book->roster, agent, true, LEASE_MS), 1602);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(final_words_add_up),
        TEST(what_was_in_flight_when_it_was_cut_is_in_the_ledger),
        TEST(an_imbalance_names_the_agent_and_both_sums),
        TEST(phases_must_be_the_whole),
        TEST(names_must_be_the_whole),
        TEST(an_agent_that_is_not_believed_cannot_balance),
        TEST(the_newer_of_beat_and_samples_is_the_last_word),
        TEST(lost_max_remembers_a_larger_order_that_was_not_taken_back),
    };
    enum { BOUNDS = sizeof bounds / sizeof bounds[0] };
    struct CMUnitTest rows[BOUNDS];
    for (size_t i = 0; i < BOUNDS; i++)
        rows[i] = (struct CMUnitTest){.name = bounds[i].name,
                                      .test_func = lost_max_bounds,
                                      .initial_state = (void *)(uintptr_t)&bounds[i]};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + cmocka_run_group_tests(rows, NULL, NULL);
}
