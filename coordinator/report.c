#include "coordinator/report.h"

#include "common/base/check.h"

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

const struct report_event *report_add_event(struct report *report, const struct report_event *event)
{
    CHECK(report->events != NULL);
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

void report_done(struct report *report)
{
    free(report->agents);
    free(report->events);
    *report = (struct report){0};
}
