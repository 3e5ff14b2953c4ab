#include "coordinator/report.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *outcome_word(enum outcome outcome)
{
    static const char *const words[] = {
        [OUTCOME_MET] = "met", [OUTCOME_MISSED] = "missed", [OUTCOME_ABORTED] = "aborted"};
    CHECK(outcome < COUNT(words));
    return words[outcome];
}

const char *limit_word(enum limit limit)
{
    static const char *const words[] = {
        [LIMIT_NONE] = NULL,       [LIMIT_TARGET] = "target", [LIMIT_GENERATOR] = "generator",
        [LIMIT_AGENTS] = "agents", [LIMIT_LIMITS] = "limits", [LIMIT_ERRORS] = "errors"};
    CHECK(limit < COUNT(words));
    return words[limit];
}

const char *report_kind_word(enum sample_kind kind)
{
    static const char *const words[] = {
        [SAMPLE_RESPONSE] = "response", [SAMPLE_SERVICE] = "service",
        [SAMPLE_CONNECT] = "connect",   [SAMPLE_FIRST_BYTE] = "first_byte",
        [SAMPLE_SEND_LAG] = "send_lag", [SAMPLE_TLS] = "tls"};
    CHECK(kind < COUNT(words));
    return words[kind];
}

const struct report_event *report_add_event(struct report *report, const struct report_event *event)
{
    CHECK_MEMORY(report->events != NULL);
    if (report->event_count < REPORT_EVENTS_MAX) {
        report->events[report->event_count] = *event;
        return &report->events[report->event_count++];
    }
    struct report_event *last = &report->events[REPORT_EVENTS_MAX - 1];
    report->events_more += report->events_more == 0 ? 2 : 1; /* the one that made room for it too */
    snprintf(last->kind, sizeof last->kind, "more");
    snprintf(last->sentence, sizeof last->sentence, "and %u more events from here on",
             report->events_more);
    return last;
}

static void add_timeouts(struct timeouts *timeouts, const char *word, uint64_t count)
{
    if (count == 0)
        return;
    timeouts->items[timeouts->count].word = word;
    timeouts->items[timeouts->count++].count = count;
}

struct timeouts report_timeouts(const struct counters *counters)
{
    struct timeouts timeouts = {0};
    uint64_t parts = counters->timed_out_connect + counters->timed_out_first_byte;
    CHECK(parts <= counters->timed_out);
    add_timeouts(&timeouts, "timeout", counters->timed_out - parts);
    add_timeouts(&timeouts, "timeout_connect", counters->timed_out_connect);
    add_timeouts(&timeouts, "timeout_first_byte", counters->timed_out_first_byte);
    return timeouts;
}

const char *report_concurrency(double concurrency, char *text)
{
    bool whole = concurrency >= 10.0 || fabs(concurrency - round(concurrency)) < 0.05;
    if (concurrency < 0.95)
        snprintf(text, UNITS_TEXT_BYTES, "%.2g", concurrency);
    else
        snprintf(text, UNITS_TEXT_BYTES, "%.*f", whole ? 0 : 1, concurrency);
    return text;
}

const char *report_workers(double workers, char *text)
{
    report_concurrency(workers, text);
    bool one = strcmp(text, "1") == 0;
    strncat(text, one ? " worker" : " workers", UNITS_TEXT_BYTES - strlen(text) - 1);
    return text;
}

const char *report_answer_text(const struct answer_found *found, char *text)
{
    int decimals = found->throughput_per_s < 100.0 ? 1 : 0;
    if (isnan(found->half_per_s))
        snprintf(text, UNITS_TEXT_BYTES, "%.*f/s", decimals, found->throughput_per_s);
    else
        snprintf(text, UNITS_TEXT_BYTES, "%.*f/s \u00b1 %.*f", decimals, found->throughput_per_s,
                 decimals, found->half_per_s);
    return text;
}

void report_done(struct report *report)
{
    free(report->agents);
    free(report->events);
    *report = (struct report){0};
}
