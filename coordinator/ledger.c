#include "coordinator/ledger.h"

#include "common/base/check.h"

#include <math.h>
#include <string.h>

/* Sum of the newest words on all phases. */
static struct counters phases_sum(const struct roster *roster, const struct agent *agent)
{
    struct counters sum = {0};
    for (uint32_t i = 0; i < roster->phase_count; i++)
        if (agent->phases[i].newest != NULL)
            counters_add(&sum, &agent->phases[i].newest->counters);
    return sum;
}

struct counters ledger_word(const struct roster *roster, const struct agent *agent)
{
    if (agent->state == AGENT_DONE)
        return agent->final;
    struct counters samples = phases_sum(roster, agent);
    bool samples_say_more = counters_monotone(&samples, &agent->beat.counters);
    return samples_say_more ? samples : agent->beat.counters;
}

struct counters ledger_last_word(const struct roster *roster, const struct agent *agent)
{
    struct counters word = ledger_word(roster, agent);
    if (agent->state != AGENT_DONE && word.planned > word.started + word.not_started)
        word.not_started = word.planned - word.started;
    return word;
}

struct counters ledger_so_far(const struct roster *roster)
{
    struct counters sum = {0};
    for (uint32_t i = 0; i < roster->count; i++) {
        struct counters word = ledger_word(roster, roster->agents[i]);
        counters_add(&sum, &word);
    }
    return sum;
}

/* The most that any order it may still be following allows. */
static struct grant most_granted(const struct lease *lease)
{
    struct grant most = lease->held;
    for (uint32_t i = 0; i < lease->count; i++) {
        const struct grant *grant = &lease->open[i];
        if (grant->concurrency_milli > most.concurrency_milli)
            most.concurrency_milli = grant->concurrency_milli;
        if (grant->rate_milli > most.rate_milli)
            most.rate_milli = grant->rate_milli;
    }
    return most;
}

/* The shortest service that `agent` was seen to give; 0: none seen. */
static uint64_t fastest_ns(const struct roster *roster, const struct agent *agent)
{
    uint64_t fastest = 0;
    struct histogram service;
    for (uint32_t i = 0; i < roster->phase_count; i++) {
        if (agent->phases[i].newest == NULL)
            continue;
        word_histogram(agent->phases[i].newest, SAMPLE_SERVICE, &service);
        if (service.total > 0 && (fastest == 0 || service.min_ns < fastest))
            fastest = service.min_ns;
    }
    return fastest;
}

/* Numbered requests: no more than it was given indexes for. */
static uint64_t granted_max(const struct roster *roster, const struct agent *agent)
{
    uint64_t granted = agent->numbers.used + numbering_held(&agent->numbers);
    uint64_t started = ledger_word(roster, agent).started;
    return granted > started ? granted - started : 0;
}

uint64_t ledger_lost_max(const struct roster *roster, const struct agent *agent, bool open_arrivals,
                         uint32_t lease_ms)
{
    if (agent->state == AGENT_DONE || agent->beat_seq == 0)
        return 0;
    struct grant most = most_granted(&agent->lease);
    if (most.concurrency_milli == 0)
        return 0;
    if (agent->numbers.block > 0)
        return granted_max(roster, agent);
    uint64_t lease_end_t = agent->granted_echo_t + lease_ms * UINT64_C(1000000);
    double exposed_s =
        lease_end_t > agent->beat.t_agent ? (double)(lease_end_t - agent->beat.t_agent) / 1e9 : 0.0;
    double started;
    if (open_arrivals) {
        uint32_t lanes = agent->beat.lanes > 0 ? agent->beat.lanes : 1;
        started = agent->beat.backlog + ceil((double)most.rate_milli / 1000.0 * exposed_s) + lanes;
    } else {
        double workers = ceil((double)most.concurrency_milli / 1000.0);
        uint64_t fastest = fastest_ns(roster, agent);
        double rounds = fastest > 0 ? ceil(exposed_s * 1e9 / (double)fastest) : INFINITY;
        started = workers + fmin(workers * rounds, ceil(RATE_PER_S_MAX * exposed_s));
    }
    return (uint64_t)started;
}

/* Only the first thing that is off is told: the others mostly follow from it. */
static void check_equal(struct report *report, const char *name, const char *what, uint64_t left,
                        uint64_t right)
{
    if (left == right || !report->balanced)
        return;
    report->balanced = false;
    snprintf(report->imbalance, sizeof report->imbalance, "%.100s: %s: %llu and %llu", name, what,
             (unsigned long long)left, (unsigned long long)right);
}

static void check_believed(struct report *report, const struct agent *agent)
{
    if (!agent->corrupt || !report->balanced)
        return;
    report->balanced = false;
    snprintf(report->imbalance, sizeof report->imbalance,
             "%.100s: it broke a rule of counting, and nothing it said after that is in the sums",
             agent->hello.name);
}

static uint64_t ended(const struct counters *counters)
{
    return counters->ok + counters_failed(counters) + counters->timed_out;
}

/* The same requests, counted by name. (That the histograms count them too was checked as each word
 * came.) */
static void check_names(struct report *report, const char *name, const struct word *word)
{
    if (word->request_count == 0)
        return;
    uint64_t ok = 0;
    uint64_t bad = 0;
    for (uint32_t i = 0; i < word->request_count; i++) {
        ok += word->requests[i].ok;
        bad += word->requests[i].failed;
    }
    const struct counters *counters = &word->counters;
    check_equal(report, name, "ok, in all and by name", counters->ok, ok);
    check_equal(report, name, "failed or timed out, in all and by name",
                counters_failed(counters) + counters->timed_out, bad);
}

/* A final word: nothing waits any more, and all its phases together are the whole. */
static void check_final(const struct roster *roster, const struct agent *agent,
                        struct report *report)
{
    const char *name = agent->hello.name;
    const struct counters *word = &agent->final;
    struct counters sum = phases_sum(roster, agent);
    check_equal(report, name, "planned, and started + not started", word->planned,
                word->started + word->not_started);
    check_equal(report, name, "planned, in all and over the phases", word->planned, sum.planned);
    check_equal(report, name, "started, in all and over the phases", word->started, sum.started);
    check_equal(report, name, "ok, in all and over the phases", word->ok, sum.ok);
    check_equal(report, name, "failed, in all and over the phases", counters_failed(word),
                counters_failed(&sum));
    check_equal(report, name, "timed out, in all and over the phases", word->timed_out,
                sum.timed_out);
    for (uint32_t i = 0; i < roster->phase_count; i++)
        if (agent->phases[i].newest != NULL)
            check_names(report, name, agent->phases[i].newest);
}

static void check_sums(struct report *report)
{
    const struct counters *ledger = &report->ledger;
    check_equal(report, "all agents", "planned, and started + not started", ledger->planned,
                ledger->started + ledger->not_started);
    check_equal(report, "all agents", "started, and ended + in flight", ledger->started,
                ended(ledger) + report->in_flight_at_end);
}

void ledger_close(const struct roster *roster, bool open_arrivals, uint32_t lease_ms,
                  struct report *report)
{
    CHECK(report->agent_count == roster->count);
    report->ledger = (struct counters){0};
    report->in_flight_at_end = 0;
    report->lost_max = 0;
    report->balanced = true;
    report->imbalance[0] = '\0';
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct agent *agent = roster->agents[i];
        struct report_agent *row = &report->agents[i];
        row->counters = ledger_last_word(roster, agent);
        row->lost_max = ledger_lost_max(roster, agent, open_arrivals, lease_ms);
        counters_add(&report->ledger, &row->counters);
        report->in_flight_at_end += counters_in_flight(&row->counters);
        report->lost_max += row->lost_max;
        check_believed(report, agent);
        if (agent->state == AGENT_DONE)
            check_final(roster, agent, report);
    }
    check_sums(report);
}
