#include "coordinator/summary.h"

#include "common/base/check.h"
#include "common/base/limits.h"
#include "coordinator/ledger.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS      (TICK_MS * UINT64_C(1000000))
#define HANDED_ON_NS (2 * TICK_NS) /* agents begin and end within so much */

/* What all agents did in a span of phases, and how long that was: by the clock of the agent that
 * took longest, or, when agents came and went and none was there for all of it, by ours. */
struct measured {
    struct counters counters;
    uint64_t longest_ns;
    uint64_t from_ns, to_ns; /* ours; to_ns is 0: nobody did anything */
};

/* What `agent` said of no phase: its beats ran ahead of its samples when it was heard last. */
static struct counters unsampled(const struct roster *roster, const struct agent *agent)
{
    struct counters rest = ledger_word(roster, agent);
    struct counters none = {0};
    if (agent->state == AGENT_DONE)
        return none;
    for (uint32_t i = 0; i < roster->phase_count; i++) {
        const struct word *word = agent->phases[i].newest;
        if (word == NULL)
            continue;
        if (!counters_monotone(&rest, &word->counters))
            return none;
        rest = counters_since(&rest, &word->counters);
    }
    return rest;
}

static void measure_agent(const struct roster *roster, const struct agent *agent,
                          uint32_t phase_from, uint32_t phase_to, struct measured *measured)
{
    uint64_t from_t = UINT64_MAX;
    uint64_t to_t = 0;
    for (uint32_t i = phase_from; i < phase_to; i++) {
        const struct word *word = agent->phases[i].newest;
        if (word == NULL || word->t_from == 0)
            continue;
        counters_add(&measured->counters, &word->counters);
        from_t = word->t_from < from_t ? word->t_from : from_t;
        to_t = word->t_to > to_t ? word->t_to : to_t;
    }
    if (agent->phase >= phase_from && agent->phase < phase_to && from_t != UINT64_MAX) {
        struct counters rest = unsampled(roster, agent);
        counters_add(&measured->counters, &rest);
        if (agent->state != AGENT_DONE && agent->load.to_t > to_t)
            to_t = agent->load.to_t;
    }
    if (to_t <= from_t)
        return;
    /* Late by the way of its newest beat, some ms. Modulo 2^64, as either clock may be ahead. */
    uint64_t ahead_ns = agent->echo_ns - agent->echo_t;
    if (to_t - from_t > measured->longest_ns)
        measured->longest_ns = to_t - from_t;
    if (measured->to_ns == 0 || from_t + ahead_ns < measured->from_ns)
        measured->from_ns = from_t + ahead_ns;
    if (to_t + ahead_ns > measured->to_ns)
        measured->to_ns = to_t + ahead_ns;
}

static struct measured measure(const struct roster *roster, uint32_t phase_from, uint32_t phase_to)
{
    struct measured measured = {0};
    for (uint32_t i = 0; i < roster->count; i++)
        measure_agent(roster, roster->agents[i], phase_from, phase_to, &measured);
    return measured;
}

static double measured_s(const struct measured *measured)
{
    uint64_t span_ns = measured->to_ns - measured->from_ns;
    bool handed_on = span_ns > measured->longest_ns + HANDED_ON_NS;
    return (double)(handed_on ? span_ns : measured->longest_ns) / 1e9;
}

static double measured_per_s(const struct measured *measured)
{
    double seconds = measured_s(measured);
    uint64_t answers = measured->counters.ok + counters_failed(&measured->counters);
    return seconds > 0.0 ? (double)answers / seconds : 0.0;
}

/* Takes one word into the report; the lag of `row`'s agent apart too. */
static void add_word(struct report *report, const struct word *word, struct histogram *lag)
{
    struct histogram histogram;
    for (uint32_t i = 0; i < word->status_count; i++)
        status_counts_add(report->statuses, &report->status_count, &word->statuses[i]);
    for (uint32_t i = 0; i < word->request_count; i++) {
        report->request_counts[i].ok += word->requests[i].ok;
        report->request_counts[i].failed += word->requests[i].failed;
    }
    for (uint32_t i = 0; i < SAMPLE_HISTOGRAMS_MAX; i++) {
        if (word->histograms[i].bytes == NULL)
            continue;
        word_histogram(word, i, &histogram);
        bool kind = i < SAMPLE_REQUEST;
        histogram_add(kind ? &report->kinds[i] : &report->requests[i - SAMPLE_REQUEST], &histogram);
        if (i == SAMPLE_SEND_LAG)
            histogram_add(lag, &histogram);
    }
}

static double cpu_share(const struct under_load *load)
{
    if (load->to_t <= load->from_t || load->lanes == 0)
        return 0.0;
    return (double)(load->to_cpu_ns - load->from_cpu_ns) / (double)(load->to_t - load->from_t) /
           load->lanes;
}

/* For how long requests fell due at an agent, by its own clock. */
static uint64_t loaded_ns(const struct agent *agent, uint32_t phase_count)
{
    uint64_t sum_ns = 0;
    for (uint32_t i = 0; i < phase_count; i++) {
        const struct word *word = agent->phases[i].newest;
        if (word != NULL && word->counters.planned > 0)
            sum_ns += word->t_to - word->t_from;
    }
    return sum_ns;
}

static void fill_agent(const struct summary *summary, const struct agent *agent,
                       struct report *report, struct report_agent *row)
{
    struct histogram lag = {0};
    for (uint32_t i = 1; i < summary->roster->phase_count; i++)
        if (agent->phases[i].newest != NULL)
            add_word(report, agent->phases[i].newest, &lag);
    snprintf(row->name, sizeof row->name, "%s", agent->hello.name);
    snprintf(row->host, sizeof row->host, "%s", agent->peer.host);
    if (report->ledger.started > 0)
        row->share = (double)row->counters.started / (double)report->ledger.started;
    row->loaded_ns = loaded_ns(agent, summary->roster->phase_count);
    row->cpu = cpu_share(&agent->load);
    row->send_lag_ns_p99 = histogram_quantile(&lag, 0.99);
    row->final = agent->state == AGENT_DONE;
    if (agent->lost_ns > summary->start_ns && summary->start_ns > 0)
        row->lost_from_ns = agent->lost_ns - summary->start_ns;
    if (agent->load.ticks > 0)
        report->generator_load = fmax(report->generator_load, (double)agent->load.permille_sum /
                                                                  agent->load.ticks / 1000.0);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void fill_stages(const struct summary *summary, const struct report *report,
                        struct evidence *evidence)
{
    const struct schedule *schedule = &report->plan->schedule;
    evidence->stage_count = 0;
    for (uint32_t phase = 1; phase < summary->roster->phase_count; phase++) {
        uint64_t from_ns;
        uint64_t to_ns;
        schedule_phase_span(schedule, phase, &from_ns, &to_ns);
        struct measured measured = measure(summary->roster, phase, phase + 1);
        struct evidence_stage stage = {.throughput_per_s = measured_per_s(&measured),
                                       .window_s = measured_s(&measured)};
        if (report->plan->requests_total > 0)
            to_ns = sooner(to_ns, from_ns + (uint64_t)(stage.window_s * 1e9));
        /* Else the warm-up covers it, or it is a step: no order stands for less than a tick. Or the
         * last request had ended before it. */
        if (to_ns >= from_ns + TICK_NS)
            stage.goal_per_s = schedule_mean(schedule, from_ns, to_ns);
        evidence->stages[evidence->stage_count++] = stage;
    }
}

/* All that was measured since the first answer: its bounds hold over that, whatever came later. */
static void fill_answer(const struct summary *summary, struct report *report)
{
    const struct roster *roster = summary->roster;
    struct report_answer *answer = &report->answer;
    struct histogram histogram;
    answer->found = answer_read(summary->answer);
    answer->counters = measure(roster, PHASE_ANSWER, PHASE_ANSWER + 1).counters;
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct word *word = roster->agents[i]->phases[PHASE_ANSWER].newest;
        if (word == NULL)
            continue;
        word_histogram(word, SAMPLE_RESPONSE, &histogram);
        histogram_add(&answer->response, &histogram);
    }
    const struct threshold *bound = plan_bound(report->plan, METRIC_LATENCY_QUANTILE);
    report->curve_count =
        curve_points(summary->curve, bound != NULL ? bound->quantile : 0.0, report->curve);
}

void summary_answer(struct report *report)
{
    const struct answer_found *found = &report->answer.found;
    if (!plan_searches(report->plan))
        return;
    struct report_control *control = &report->control;
    control->settled = found->found;
    control->settle_ns = found->found ? found->converged_ns : 0;
    control->interval_low_per_s = NAN;
    control->interval_high_per_s = NAN;
    if (!found->found || isnan(found->half_per_s))
        return;
    control->interval_low_per_s = fmax(found->throughput_per_s - found->half_per_s, 0.0);
    control->interval_high_per_s = found->throughput_per_s + found->half_per_s;
}

void summary_fill(const struct summary *summary, struct report *report, struct evidence *evidence)
{
    const struct roster *roster = summary->roster;
    const struct schedule *schedule = &report->plan->schedule;
    report->agent_count = roster->count;
    report->agents = calloc(roster->count + 1, sizeof *report->agents);
    CHECK_MEMORY(report->agents != NULL);
    report->duration_ns = summary->duration_ns;
    report->warmup_ns =
        schedule->warmup_ns < summary->duration_ns ? schedule->warmup_ns : summary->duration_ns;
    if (report->warmup_ns < report->duration_ns)
        report->goal_mean = schedule_mean(schedule, report->warmup_ns, report->duration_ns);

    ledger_close(roster, summary->open_arrivals, summary->lease_ms, report);
    for (uint32_t i = 0; i < roster->count; i++)
        fill_agent(summary, roster->agents[i], report, &report->agents[i]);
    struct measured measured = measure(roster, 1, roster->phase_count);
    report->counters = measured.counters;
    report->throughput_per_s = measured_per_s(&measured);
    report->longest_timed_out = report->counters.timed_out > 0 &&
                                report->kinds[SAMPLE_SERVICE].max_ns >= report->plan->timeout_ns;
    if (plan_searches(report->plan))
        fill_answer(summary, report);
    else
        fill_stages(summary, report, evidence);
}
