#include "coordinator/verdict.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BRIEF_TICKS 10u /* a second */

void evidence_take(struct evidence *evidence, const struct evidence_tick *tick)
{
    evidence->ticks++;
    if (tick->status == CONTROL_SATURATED) {
        bool first = evidence->flat_ticks++ == 0;
        evidence->flat_per_s_sum += tick->throughput_per_s;
        if (first || tick->workers < evidence->flat_workers_least)
            evidence->flat_workers_least = tick->workers;
        if (first || tick->workers > evidence->flat_workers_most)
            evidence->flat_workers_most = tick->workers;
    }
    bool is_short = tick->unanswered || tick->value < tick->goal * (1.0 - tick->tolerance);
    if (!is_short && !tick->undergranted) {
        evidence->answered_bounded += tick->status == CONTROL_BOUNDED;
        return;
    }
    evidence->short_ticks++;
    evidence->undergranted += tick->undergranted;
    evidence->owners_bind += tick->owners_bind;
    evidence->full += tick->load > LOAD_MAX || tick->status == CONTROL_GENERATOR_BOUND;
    evidence->saturated += tick->status == CONTROL_SATURATED;
    evidence->at_maximum += tick->status == CONTROL_AT_MAXIMUM;
}

static uint64_t bad(const struct counters *counters)
{
    return counters_failed(counters) + counters->timed_out;
}

static double errors_rate(const struct counters *counters)
{
    uint64_t ended = counters->ok + bad(counters);
    return ended > 0 ? (double)bad(counters) / (double)ended : 0.0;
}

static double threshold_measure(const struct threshold *threshold, const struct report *report)
{
    const struct histogram *response = &report->kinds[SAMPLE_RESPONSE];
    const struct histogram *service = &report->kinds[SAMPLE_SERVICE];
    switch (threshold->metric) {
    case METRIC_LATENCY_QUANTILE:
        return (double)histogram_quantile(response, threshold->quantile);
    case METRIC_LATENCY_MEAN:
        return histogram_mean(response);
    case METRIC_LATENCY_MAX:
        return (double)response->max_ns;
    case METRIC_SERVICE_QUANTILE:
        return (double)histogram_quantile(service, threshold->quantile);
    case METRIC_ERRORS_RATE:
        return errors_rate(&report->counters);
    case METRIC_THROUGHPUT:
        return report->throughput_per_s;
    }
    check_failed("a metric without a measure", __FILE__, __LINE__);
}

static bool threshold_passes(const struct threshold *threshold, double value)
{
    if (threshold->inclusive && value == threshold->bound)
        return true;
    return threshold->below ? value < threshold->bound : value > threshold->bound;
}

/* Latency of nothing is no latency: without one answer a threshold on it fails. */
static bool threshold_has_data(const struct threshold *threshold, const struct report *report)
{
    return threshold->metric == METRIC_THROUGHPUT || report->kinds[SAMPLE_RESPONSE].total > 0;
}

void verdict_thresholds(struct report *report)
{
    const struct plan *plan = report->plan;
    report->threshold_count = plan->threshold_count;
    for (uint32_t i = 0; i < plan->threshold_count; i++) {
        const struct threshold *threshold = &plan->thresholds[i];
        double value = threshold_measure(threshold, report);
        report->thresholds[i] = (struct report_threshold){
            .text = threshold->text,
            .value = value,
            .passed = threshold_has_data(threshold, report) && threshold_passes(threshold, value)};
    }
}

__attribute__((format(printf, 2, 3))) static void say(struct report *report, const char *format,
                                                      ...)
{
    size_t length = strlen(report->sentence);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->sentence + length, sizeof report->sentence - length, format, arguments);
    va_end(arguments);
}

static bool most(uint32_t part, uint32_t whole)
{
    return 2 * (uint64_t)part > whole;
}

/* A count of whole requests is off by one, which a low rate or a short stage cannot help. */
static bool stage_met(const struct evidence_stage *stage, double tolerance)
{
    if (stage->window_s <= 0.0)
        return false;
    double allowed = fmax(tolerance * stage->goal_per_s, 1.0 / stage->window_s);
    return fabs(stage->throughput_per_s - stage->goal_per_s) <= allowed;
}

static uint64_t ended(const struct counters *counters)
{
    return counters->ok + bad(counters);
}

/* Where requests are counted. */
static bool all_done(const struct report *report)
{
    uint64_t total = report->plan->requests_total;
    return total > 0 && ended(&report->ledger) == total;
}

/* The stage that is furthest off, as a share of its goal: above 0 when it got too much. */
static double worst_miss(const struct evidence *evidence, double tolerance, uint32_t *worst)
{
    double miss = 0.0;
    for (uint32_t i = 0; i < evidence->stage_count; i++) {
        const struct evidence_stage *stage = &evidence->stages[i];
        if (stage->goal_per_s <= 0.0 || stage_met(stage, tolerance))
            continue;
        double off = stage->throughput_per_s / stage->goal_per_s - 1.0;
        if (fabs(off) > fabs(miss)) {
            miss = off;
            *worst = i;
        }
    }
    return miss;
}

static bool lags(const struct report *report)
{
    double lag_ns = (double)histogram_quantile(&report->kinds[SAMPLE_SEND_LAG], 0.99);
    double service_ns = (double)histogram_quantile(&report->kinds[SAMPLE_SERVICE], 0.99);
    return lag_ns > SEND_LAG_NS_MAX && lag_ns > SEND_LAG_SHARE_MAX * service_ns;
}

static uint64_t own_failures(const struct counters *counters)
{
    return counters->failed[FAILURE_LOCAL_PORTS] + counters->failed[FAILURE_FD_LIMIT];
}

/* Requests that failed for want of a port or a descriptor of ours: the target never heard of them,
 * and what it did not answer then is no limit of its own. */
static bool lacked_means(const struct report *report)
{
    const struct counters *counters = &report->counters;
    return own_failures(counters) > 0 && 2 * own_failures(counters) > bad(counters);
}

/* A rate of requests that never left this machine is no rate of the target's. */
static double own_share(const struct report *report)
{
    const struct counters *counters = &report->counters;
    double ended = (double)(counters->ok + bad(counters));
    return lacked_means(report) ? (double)own_failures(counters) / ended : 0.0;
}

/* In this order: who was not seen, who was not allowed to, who could not, who was asked and did
 * not. A saturated target makes requests wait in the generator too, so the lag of its sends speaks
 * against the generator only when nothing else does. */
static enum limit find_limit(const struct evidence *evidence, const struct report *report)
{
    const struct counters *counters = &report->counters;
    uint32_t all = evidence->short_ticks;
    if (evidence->ticks == 0)
        return LIMIT_GENERATOR;
    if (most(evidence->undergranted, all))
        return LIMIT_AGENTS;
    if (most(evidence->full, all) || lacked_means(report))
        return LIMIT_GENERATOR;
    if (most(evidence->saturated, all))
        return LIMIT_TARGET;
    if (most(evidence->at_maximum, all))
        return most(evidence->owners_bind, all) ? LIMIT_AGENTS : LIMIT_LIMITS;
    if (lags(report))
        return LIMIT_GENERATOR;
    if (most(evidence->saturated + evidence->at_maximum, all))
        return LIMIT_TARGET;
    if (evidence->agents_lost > 0) /* what fell due for one before it was missed */
        return LIMIT_AGENTS;
    if (errors_rate(counters) > 0.5)
        return counters->timed_out > counters_failed(counters) ? LIMIT_TARGET : LIMIT_ERRORS;
    if (counters->timed_out > 0)
        return LIMIT_TARGET;
    return LIMIT_NONE;
}

static enum failure commonest(const struct counters *counters)
{
    enum failure found = 0;
    for (enum failure failure = 0; failure < FAILURE_COUNT; failure++)
        if (counters->failed[failure] > counters->failed[found])
            found = failure;
    return found;
}

static void say_target(const struct evidence *evidence, struct report *report)
{
    char rate[UNITS_TEXT_BYTES];
    if (evidence->flat_ticks > 0)
        say(report, "; the target was the limit: flat at %s from %.0f to %.0f workers",
            units_show_rate(evidence->flat_per_s_sum / evidence->flat_ticks, 0, rate),
            evidence->flat_workers_least, evidence->flat_workers_most);
    else
        say(report, "; the target was the limit: %llu requests timed out",
            (unsigned long long)report->counters.timed_out);
}

/* What its owner can do about it. */
static const char *remedy(const struct counters *counters)
{
    if (counters->failed[FAILURE_LOCAL_PORTS] > counters->failed[FAILURE_FD_LIMIT])
        return "more --source addresses or a wider net.ipv4.ip_local_port_range give more ports";
    return "ulimit -n gives an agent more descriptors";
}

static void say_generator(const struct evidence *evidence, struct report *report)
{
    char text[UNITS_TEXT_BYTES];
    const struct counters *counters = &report->counters;
    if (evidence->ticks == 0)
        say(report, "; the generator was the limit: no agent reported in time");
    else if (lacked_means(report))
        say(report,
            "; the generator was the limit: %llu times no local port or no descriptor was "
            "left (%s)",
            (unsigned long long)own_failures(counters), remedy(counters));
    else if (evidence->full > 0)
        say(report,
            "; the generator was the limit: a lane above %.0f %% CPU for %s of the time "
            "the goal was missed",
            100.0 * LOAD_MAX,
            units_show_share((double)evidence->full / evidence->short_ticks, text));
    else
        say(report,
            "; the generator was the limit: one request in a hundred was sent %s late or "
            "more",
            units_show_latency(histogram_quantile(&report->kinds[SAMPLE_SEND_LAG], 0.99), text));
}

static void say_agents(const struct evidence *evidence, struct report *report)
{
    say(report, "; the agents were the limit: ");
    if (evidence->agents_lost > 0)
        say(report, "%u lost", evidence->agents_lost);
    else if (evidence->agents_declined > 0)
        say(report, "%u declined", evidence->agents_declined);
    else
        say(report, "their owners or their open files allow no more");
}

static void say_limit(const struct evidence *evidence, struct report *report)
{
    char text[UNITS_TEXT_BYTES];
    switch (report->limit) {
    case LIMIT_TARGET:
        say_target(evidence, report);
        break;
    case LIMIT_GENERATOR:
        say_generator(evidence, report);
        break;
    case LIMIT_AGENTS:
        say_agents(evidence, report);
        break;
    case LIMIT_LIMITS:
        say(report, "; the plan's ceiling of %u workers was the limit",
            report->plan->concurrency_max);
        break;
    case LIMIT_ERRORS:
        say(report, "; errors were the limit: %s of the requests failed, most as %s",
            units_show_share(errors_rate(&report->counters), text),
            failure_word(commonest(&report->counters)));
        break;
    case LIMIT_NONE:
        break;
    }
}

/* How the generator itself did: without it no answer is worth much. */
static void say_generator_health(struct report *report)
{
    char lag[UNITS_TEXT_BYTES];
    say(report, "; agents at %.0f %% CPU or less", 100.0 * report->generator_load);
    const struct histogram *lags_seen = &report->kinds[SAMPLE_SEND_LAG];
    /* Workers that loop send when they are free: there is no lag to speak of. */
    if (report->outcome == OUTCOME_MET && lags_seen->total > 0 && !plan_searches(report->plan))
        say(report, ", send lag p99 %s",
            units_show_latency(histogram_quantile(lags_seen, 0.99), lag));
}

static void say_thresholds(struct report *report)
{
    uint32_t failed = 0;
    for (uint32_t i = 0; i < report->threshold_count; i++)
        failed += !report->thresholds[i].passed;
    if (failed > 0)
        say(report, "%s %u of %u threshold%s failed",
            report->outcome == OUTCOME_MET ? ", but" : ";", failed, report->threshold_count,
            report->threshold_count == 1 ? "" : "s");
}

static void say_miss(const struct evidence *evidence, double miss, uint32_t worst,
                     struct report *report)
{
    char share[UNITS_TEXT_BYTES];
    say(report, ": %s %s the goal", units_show_share(fabs(miss), share),
        miss < 0.0 ? "below" : "above");
    if (evidence->stage_count > 1)
        say(report, " in stage %u", worst + 1);
}

static void judge_hold(const struct evidence *evidence, struct report *report)
{
    uint32_t worst = 0;
    double miss = worst_miss(evidence, report->plan->tolerance, &worst);
    bool mute = own_share(report) > report->plan->tolerance;
    report->outcome = miss == 0.0 && !mute ? OUTCOME_MET : OUTCOME_MISSED;
    say(report, "%s", outcome_word(report->outcome));
    if (report->outcome == OUTCOME_MISSED && miss >= 0.0 && mute) {
        report->limit = LIMIT_GENERATOR;
        say_limit(evidence, report);
    } else if (report->outcome == OUTCOME_MISSED) {
        report->limit = miss < 0.0 ? find_limit(evidence, report) : LIMIT_NONE;
        say_miss(evidence, miss, worst, report);
        say_limit(evidence, report);
    }
}

static double bound_measure(const struct threshold *bound, const struct report_answer *answer)
{
    return bound->metric == METRIC_ERRORS_RATE
               ? errors_rate(&answer->counters)
               : (double)histogram_quantile(&answer->response, bound->quantile);
}

/* "latency.p(99) 18.9ms", over all that was measured since the first answer. */
static void say_bound(const struct threshold *bound, struct report *report)
{
    char text[UNITS_TEXT_BYTES];
    double value = bound_measure(bound, &report->answer);
    int metric_bytes = (int)strcspn(bound->text, " ");
    say(report, "%.*s %s", metric_bytes, bound->text,
        bound->metric == METRIC_ERRORS_RATE ? units_show_share(value, text)
                                            : units_show_latency((uint64_t)value, text));
}

static const char *bound_limit(const struct threshold *bound)
{
    const char *comparison = bound->text + strcspn(bound->text, " ");
    return comparison + strspn(comparison, "<= ");
}

/* The bound of `while` that did not hold, or NULL. */
static const struct threshold *broken_bound(const struct report *report)
{
    const struct plan *plan = report->plan;
    for (uint32_t i = 0; i < plan->bound_count; i++)
        if (!threshold_passes(&plan->bounds[i], bound_measure(&plan->bounds[i], &report->answer)))
            return &plan->bounds[i];
    return NULL;
}

/* "41200/s ± 600 with 212 workers" */
static void say_answer(struct report *report)
{
    const struct answer_found *found = &report->answer.found;
    char text[UNITS_TEXT_BYTES], workers[UNITS_TEXT_BYTES];
    say(report, "; %s with %s", report_answer_text(found, text),
        report_workers(found->workers, workers));
}

static void say_search_met(const struct evidence *evidence, struct report *report)
{
    const struct plan *plan = report->plan;
    say_answer(report);
    uint32_t answered = evidence->ticks - evidence->short_ticks;
    if (!most(evidence->answered_bounded, answered))
        say(report, ", the target gives no more");
    for (uint32_t i = 0; i < plan->bound_count; i++) {
        say(report, ", ");
        say_bound(&plan->bounds[i], report);
        say(report, " stays under %s", bound_limit(&plan->bounds[i]));
    }
}

static void say_search_broken(const struct threshold *broken, struct report *report)
{
    say_answer(report);
    say(report, ", but ");
    say_bound(broken, report);
    say(report, " is not under %s", bound_limit(broken));
    if (report->answer.found.workers <= 1.0)
        say(report, " even at the least load");
}

/* The bound that did not hold after the warm-up though hardly anything ran any more, or NULL. */
static const struct threshold *hopeless_bound(const struct report *report)
{
    const struct plan *plan = report->plan;
    for (uint32_t i = 0; i < plan->bound_count; i++)
        if (report->control.concurrency_final <= 1.0 &&
            !threshold_passes(&plan->bounds[i], threshold_measure(&plan->bounds[i], report)))
            return &plan->bounds[i];
    return NULL;
}

static enum limit limit_of_bound(const struct threshold *bound)
{
    return bound->metric == METRIC_ERRORS_RATE ? LIMIT_ERRORS : LIMIT_TARGET;
}

static void say_not_converged(struct report *report)
{
    char text[UNITS_TEXT_BYTES], workers[UNITS_TEXT_BYTES];
    const struct curve_point *best = NULL;
    for (uint32_t i = 0; i < report->curve_count; i++)
        if (best == NULL || report->curve[i].throughput_per_s > best->throughput_per_s)
            best = &report->curve[i];
    say(report, "; not converged in the time given, %.1fs", (double)report->duration_ns / 1e9);
    if (best != NULL)
        say(report, "; the most that was seen is %s with %s",
            units_show_rate(best->throughput_per_s, 0, text),
            report_workers(best->concurrency, workers));
}

/* Who kept a search from the target's own answer for most of the time; LIMIT_NONE: nobody. */
static enum limit search_obstacle(const struct evidence *evidence, const struct report *report)
{
    uint32_t all = evidence->ticks;
    if (all == 0 || most(evidence->full, all) || lacked_means(report))
        return LIMIT_GENERATOR;
    if (most(evidence->undergranted, all))
        return LIMIT_AGENTS;
    if (most(evidence->at_maximum, all))
        return most(evidence->owners_bind, evidence->short_ticks) ? LIMIT_AGENTS : LIMIT_LIMITS;
    return LIMIT_NONE;
}

/* Why a search that nobody kept from it came to no answer. */
static void judge_unanswered(const struct evidence *evidence, struct report *report)
{
    report->outcome = OUTCOME_MISSED;
    say(report, "missed");
    const struct threshold *hopeless = hopeless_bound(report);
    if (hopeless != NULL) {
        report->limit = limit_of_bound(hopeless);
        say(report, "; %s cannot be held even at the least load", hopeless->text);
        return;
    }
    report->limit = find_limit(evidence, report);
    if (report->limit == LIMIT_NONE || report->limit == LIMIT_TARGET) {
        report->limit = LIMIT_NONE;
        say_not_converged(report);
        return;
    }
    say_limit(evidence, report);
}

static void judge_search(const struct evidence *evidence, struct report *report)
{
    enum limit obstacle = search_obstacle(evidence, report);
    if (obstacle == LIMIT_NONE && !report->answer.found.found) {
        judge_unanswered(evidence, report);
        return;
    }
    const struct threshold *broken = broken_bound(report);
    bool met = obstacle == LIMIT_NONE && broken == NULL;
    report->outcome = met ? OUTCOME_MET : OUTCOME_MISSED;
    say(report, "%s", outcome_word(report->outcome));
    if (met) {
        say_search_met(evidence, report);
    } else if (obstacle != LIMIT_NONE) {
        report->limit = obstacle;
        say_limit(evidence, report);
    } else {
        report->limit = limit_of_bound(broken);
        say_search_broken(broken, report);
    }
}

/* It is met when it ran; a generator that it fills is said, for the caller asked for nothing else.
 */
static void judge_concurrency(const struct evidence *evidence, struct report *report)
{
    /* A few requests are over before an order has settled. */
    bool brief = all_done(report) && evidence->ticks < BRIEF_TICKS;
    bool seen = evidence->ticks > 0;
    bool ran = brief || (seen && !most(evidence->undergranted, evidence->ticks));
    report->outcome = ran ? OUTCOME_MET : OUTCOME_MISSED;
    say(report, "%s", outcome_word(report->outcome));
    if (!ran) {
        report->limit = seen ? LIMIT_AGENTS : LIMIT_GENERATOR;
        say_limit(evidence, report);
    } else if (lacked_means(report)) {
        report->limit = LIMIT_GENERATOR;
        say_limit(evidence, report);
    } else if (report->generator_load > LOAD_MAX) {
        report->limit = LIMIT_GENERATOR;
        say(report, "; the generator was full, so the target may give more");
    }
}

/* Who asked for so many requests got fewer: whatever else was reached, that is the answer. */
static void judge_missing(const struct evidence *evidence, struct report *report)
{
    report->outcome = OUTCOME_MISSED;
    report->limit = evidence->agents_lost > 0 ? LIMIT_AGENTS : find_limit(evidence, report);
    say(report, "missed; %" PRIu64 " of %" PRIu64 " requests ended", ended(&report->ledger),
        report->plan->requests_total);
    if (report->ledger.not_started > 0)
        say(report, ", %" PRIu64 " not started", report->ledger.not_started);
    say_limit(evidence, report);
}

/* Not one request found the target: whatever else was asked, that is the answer. */
static bool unreachable(const struct report *report)
{
    const struct counters *ledger = &report->ledger;
    uint64_t unconnected = counters_unconnected(ledger);
    return ledger->ok == 0 && unconnected > 0 && unconnected == bad(ledger);
}

static void judge_unreachable(struct report *report)
{
    report->outcome = OUTCOME_ABORTED;
    report->limit = LIMIT_TARGET;
    report->exit_code = EXIT_BROKEN_OFF;
    enum failure failure = commonest(&report->ledger);
    const char *sentence = failure_sentence(failure);
    say(report,
        "aborted; the target %s cannot be reached: none of %llu requests connected (%s%s%s)",
        report->plan->target, (unsigned long long)bad(&report->ledger), failure_word(failure),
        sentence != NULL ? ": " : "", sentence != NULL ? sentence : "");
}

static void judge_broken(const struct evidence *evidence, struct report *report)
{
    report->outcome = OUTCOME_ABORTED;
    report->exit_code = evidence->end == RUN_INTERRUPTED ? EXIT_INTERRUPTED : EXIT_BROKEN_OFF;
    report->limit = evidence->end == RUN_NO_AGENTS || evidence->end == RUN_AGENTS_LOST
                        ? LIMIT_AGENTS
                    : evidence->end == RUN_STOP_AFTER  ? LIMIT_ERRORS
                    : evidence->end == RUN_UNREACHABLE ? LIMIT_TARGET
                                                       : LIMIT_NONE;
    say(report, "aborted; %s", evidence->cause);
}

static enum exit_code judged_exit(const struct report *report)
{
    bool own_answer = report->plan->goal != GOAL_CONCURRENCY && report->outcome == OUTCOME_MISSED &&
                      report->limit == LIMIT_GENERATOR;
    if (own_answer || !report->balanced)
        return EXIT_NOT_TRUSTED;
    if (report->outcome != OUTCOME_MET)
        return EXIT_MISSED;
    for (uint32_t i = 0; i < report->threshold_count; i++)
        if (!report->thresholds[i].passed)
            return EXIT_MISSED;
    return EXIT_MET;
}

void verdict_reach(const struct evidence *evidence, struct report *report)
{
    report->sentence[0] = '\0';
    report->limit = LIMIT_NONE;
    if (evidence->end != RUN_COMPLETE && evidence->end != RUN_UNREACHABLE) {
        judge_broken(evidence, report);
        return;
    }
    if (evidence->end == RUN_UNREACHABLE || unreachable(report)) {
        judge_unreachable(report);
        return;
    }
    if (report->plan->requests_total > 0 && !all_done(report))
        judge_missing(evidence, report);
    else if (report->plan->goal == GOAL_CONCURRENCY)
        judge_concurrency(evidence, report);
    else if (plan_searches(report->plan))
        judge_search(evidence, report);
    else
        judge_hold(evidence, report);
    say_thresholds(report);
    say_generator_health(report);
    if (!report->balanced)
        say(report, "; THE LEDGER DOES NOT BALANCE");
    report->exit_code = judged_exit(report);
}
