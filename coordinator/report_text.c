#include "coordinator/report.h"

#include "common/base/harmless.h"
#include "common/base/units.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define WORD_COLUMN    101u /* the outcome's word ends here */
#define MIDDLE_COLUMN  48u  /* concurrency */
#define SETTLED_COLUMN 80u
#define NOTE_COLUMN    91u /* "whole run", "balanced" */
#define EVENTS_SHOWN   4u
#define LINE_BYTES     2048u

/* A line that grows by printf and is padded by columns, not bytes: "≥" is one column and three
 * bytes. */
struct line {
    char text[LINE_BYTES];
};

static size_t columns(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xC0u) != 0x80u;
    return count;
}

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
    size_t length = strlen(line->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text + length, sizeof line->text - length, format, arguments);
    va_end(arguments);
}

static void trim(struct line *line)
{
    size_t length = strlen(line->text);
    while (length > 0 && line->text[length - 1] == ' ')
        line->text[--length] = '\0';
}

/* Blanks up to `column`, two at least. */
static void pad(struct line *line, size_t column)
{
    size_t at = columns(line->text);
    add(line, "%*s", (int)(at + 2 < column ? column - at : 2), "");
}

static void right(struct line *line, const char *text, size_t width)
{
    size_t taken = columns(text);
    add(line, "%*s%s", (int)(taken < width ? width - taken : 1), "", text);
}

static void end(struct line *line, FILE *stream)
{
    trim(line);
    fprintf(stream, "%s\n", line->text);
    line->text[0] = '\0';
}

struct word {
    const char *text;
    const char *color;
};

static struct word outcome_shown(const struct report *report)
{
    static const char red[] = "\033[31m", green[] = "\033[32m", yellow[] = "\033[33m";
    switch (report->exit_code) {
    case EXIT_MET:
        return (struct word){"PASS", green};
    case EXIT_INTERRUPTED:
        return (struct word){"INTERRUPTED", yellow};
    case EXIT_NOT_TRUSTED:
        return (struct word){"NOT TO BE TRUSTED (exit 4)", yellow};
    case EXIT_BROKEN_OFF:
        return (struct word){"BROKEN OFF", red};
    case EXIT_MISSED:
    case EXIT_USAGE:
        break;
    }
    return (struct word){"FAIL", red};
}

static void show_head(const struct report *report, bool color, FILE *stream)
{
    struct line line = {""};
    char name[4 * NAME_BYTES_MAX];
    char goal[256];
    struct word word = outcome_shown(report);
    add(&line, "%s  %s  %u agent%s  %.1fs", harmless_text(report->plan->name, name, sizeof name),
        plan_goal_text(report->plan, goal, sizeof goal), report->agents_peak,
        report->agents_peak == 1 ? "" : "s", (double)report->duration_ns / 1e9);
    if (report->warmup_ns > 0)
        add(&line, " (%.1fs warm-up excluded)", (double)report->warmup_ns / 1e9);
    size_t at = columns(line.text) + strlen(word.text);
    add(&line, "%*s%s%s%s", (int)(at + 2 < WORD_COLUMN ? WORD_COLUMN - at : 2), "",
        color ? word.color : "", word.text, color ? "\033[0m" : "");
    end(&line, stream);
}

/* The answer of a search, where it has one. */
static void show_search(const struct report *report, FILE *stream)
{
    const struct answer_found *found = &report->answer.found;
    struct line line = {""};
    char rate[UNITS_TEXT_BYTES], workers[UNITS_TEXT_BYTES];
    add(&line, "  throughput   %s%s%s", report->exit_code == EXIT_NOT_TRUSTED ? "at least " : "",
        found->found ? report_answer_text(found, rate)
                     : units_show_rate(report->throughput_per_s, 1, rate),
        found->found && !isnan(found->half_per_s) ? " (95 %)" : "");
    pad(&line, MIDDLE_COLUMN);
    add(&line, "concurrency %s %s (p95 %.0f)", found->found ? "found" : "was",
        report_concurrency(found->found ? found->workers : report->control.concurrency_final,
                           workers),
        report->control.concurrency_p95);
    pad(&line, SETTLED_COLUMN);
    if (found->found)
        add(&line, "converged in %.1fs", (double)found->converged_ns / 1e9);
    else
        add(&line, "never converged");
    end(&line, stream);
}

static void show_throughput(const struct report *report, FILE *stream)
{
    struct line line = {""};
    char rate[UNITS_TEXT_BYTES];
    char share[UNITS_TEXT_BYTES];
    bool hold = report->plan->goal == GOAL_HOLD;
    add(&line, "  throughput   %s%s", report->exit_code == EXIT_NOT_TRUSTED ? "at least " : "",
        units_show_rate(report->throughput_per_s, 1, rate));
    if (hold && report->goal_mean > 0.0) {
        units_show_share(report->throughput_per_s / report->goal_mean, share);
        add(&line, "  (%s of goal)", share);
    }
    pad(&line, MIDDLE_COLUMN);
    const struct report_control *control = &report->control;
    if (hold)
        add(&line, "concurrency found %.0f (p95 %.0f)", control->concurrency_final,
            control->concurrency_p95);
    else
        add(&line, "concurrency fixed at %.0f", control->concurrency_final);
    pad(&line, SETTLED_COLUMN);
    if (control->saturated)
        add(&line, "saturated at %s with %.0f workers",
            units_show_rate(control->saturated_per_s, 0, rate), control->saturated_concurrency);
    else if (hold && control->settled)
        add(&line, "settled in %.1fs, overshoot %s", (double)control->settle_ns / 1e9,
            units_show_share(control->overshoot, share));
    else if (hold)
        add(&line, "never settled");
    end(&line, stream);
}

static void show_verdict(const struct report *report, FILE *stream)
{
    fprintf(stream, "  verdict      %s\n", report->sentence);
    if (report->plaintext)
        fprintf(stream, "               coordinator and agents spoke plaintext\n");
    for (uint32_t i = 0; i < report->event_count && i < EVENTS_SHOWN; i++) {
        const struct report_event *event = &report->events[i];
        char sentence[4 * SENTENCE_BYTES];
        double at_s = (double)event->at_ns / 1e9;
        fprintf(stream, "  %-12s %02d:%04.1f %s\n", i == 0 ? "events" : "", (int)(at_s / 60.0),
                fmod(at_s, 60.0), harmless_text(event->sentence, sentence, sizeof sentence));
    }
    if (report->event_count > EVENTS_SHOWN)
        fprintf(stream, "               and %u more\n",
                report->event_count - EVENTS_SHOWN + report->events_more);
}

static void show_latency(const char *name, const struct histogram *histogram, bool timed_out,
                         FILE *stream)
{
    static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
    struct line line = {""};
    char text[UNITS_TEXT_BYTES];
    add(&line, "    %-8s", name);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        right(&line, units_show_latency(histogram_quantile(histogram, quantiles[i]), text), 9);
    char longest[UNITS_TEXT_BYTES + 4];
    snprintf(longest, sizeof longest, "%s%s", timed_out ? "\u2265" : "",
             units_show_latency(histogram->max_ns, text));
    right(&line, longest, 9);
    end(&line, stream);
}

static unsigned long long whole(uint64_t count)
{
    return count;
}

static void show_ledger(const struct report *report, FILE *stream)
{
    const struct counters *ledger = &report->ledger;
    struct line line = {""};
    add(&line, "  requests     %llu planned = %llu started + %llu not started",
        whole(ledger->planned), whole(ledger->started), whole(ledger->not_started));
    pad(&line, NOTE_COLUMN);
    add(&line, "whole run");
    end(&line, stream);
    add(&line,
        "               %llu started = %llu ok + %llu failed + %llu timed out + %llu in flight",
        whole(ledger->started), whole(ledger->ok), whole(counters_failed(ledger)),
        whole(ledger->timed_out), whole(report->in_flight_at_end));
    pad(&line, NOTE_COLUMN);
    add(&line, "%s", report->balanced ? "balanced" : "DOES NOT BALANCE");
    end(&line, stream);
    if (!report->balanced)
        fprintf(stream, "               %s\n", report->imbalance);
    if (report->plan->requests_total > ledger->planned)
        fprintf(stream, "               %llu of %llu were never planned\n",
                whole(report->plan->requests_total - ledger->planned),
                whole(report->plan->requests_total));
    if (report->lost_max > 0)
        fprintf(stream, "               at most %llu more were lost\n", whole(report->lost_max));
}

/* After the warm-up, as the thresholds have it. */
static void show_errors(const struct report *report, FILE *stream)
{
    const struct counters *counters = &report->counters;
    uint64_t bad = counters_failed(counters) + counters->timed_out;
    uint64_t ended = counters->ok + bad;
    struct line line = {""};
    char share[UNITS_TEXT_BYTES];
    add(&line, "  errors       %s",
        units_show_share(ended > 0 ? (double)bad / (double)ended : 0.0, share));
    for (uint32_t i = 0; i < report->status_count; i++)
        if (report->statuses[i].failed > 0)
            add(&line, "   http_%u %llu", report->statuses[i].status,
                whole(report->statuses[i].failed));
    for (enum failure failure = 0; failure < FAILURE_COUNT; failure++)
        if (failure != FAILURE_STATUS && counters->failed[failure] > 0)
            add(&line, "   %s %llu", failure_word(failure), whole(counters->failed[failure]));
    const struct timeouts timeouts = report_timeouts(counters);
    for (uint32_t i = 0; i < timeouts.count; i++)
        add(&line, "   %s %llu", timeouts.items[i].word, whole(timeouts.items[i].count));
    end(&line, stream);
}

static const char *threshold_value(const struct threshold *threshold, double value, char *text)
{
    switch (threshold->metric) {
    case METRIC_ERRORS_RATE:
        return units_show_share(value, text);
    case METRIC_THROUGHPUT:
        return units_show_rate(value, 1, text);
    case METRIC_LATENCY_QUANTILE:
    case METRIC_LATENCY_MEAN:
    case METRIC_LATENCY_MAX:
    case METRIC_SERVICE_QUANTILE:
        break;
    }
    return units_show_latency(value > 0.0 ? (uint64_t)value : 0, text);
}

static void show_thresholds(const struct report *report, FILE *stream)
{
    struct line line = {""};
    char value[UNITS_TEXT_BYTES];
    for (uint32_t i = 0; i < report->threshold_count; i++) {
        const struct report_threshold *threshold = &report->thresholds[i];
        struct line item = {""};
        add(&item, "%s  %s  (%s)", threshold->passed ? "ok" : "NO", threshold->text,
            threshold_value(&report->plan->thresholds[i], threshold->value, value));
        if (line.text[0] != '\0' && columns(line.text) + 5 + columns(item.text) > WORD_COLUMN)
            end(&line, stream);
        if (line.text[0] == '\0')
            add(&line, "  %-13s%s", i == 0 ? "thresholds" : "", item.text);
        else
            add(&line, "     %s", item.text);
    }
    if (line.text[0] != '\0')
        end(&line, stream);
}

void report_text(const struct report *report, const char *folder, const char *files, bool color,
                 FILE *stream)
{
    show_head(report, color, stream);
    if (plan_searches(report->plan))
        show_search(report, stream);
    else
        show_throughput(report, stream);
    show_verdict(report, stream);
    fprintf(stream, "  latency         p50      p90      p99    p99.9      max\n");
    show_latency("response", &report->kinds[SAMPLE_RESPONSE], report->longest_timed_out, stream);
    show_latency("service", &report->kinds[SAMPLE_SERVICE], report->longest_timed_out, stream);
    show_ledger(report, stream);
    show_errors(report, stream);
    show_thresholds(report, stream);
    fprintf(stream, "  files        %s/%s\n", folder, files);
}
