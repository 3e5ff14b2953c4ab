#include "coordinator/record_read.h"

#include "common/base/check.h"
#include "common/base/failure.h"
#include "common/base/units.h"
#include "coordinator/json.h"
#include "coordinator/record_lines.h"
#include "coordinator/record_partial.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS (TICK_MS * NS_PER_MS)
/* A sample of second k comes when that is over, and is shown by the next tick that shows any: one
 * to two seconds after the second began, give or take its way here. */
#define SAMPLE_AGE_NS (NS_PER_S + TICK_NS / 2)
/* Around an event: what led to it is told of when it has lasted for two seconds. */
#define MOMENT_BEFORE_NS (3500 * NS_PER_MS)
#define MOMENT_AFTER_NS  (4000 * NS_PER_MS)
#define RING_TICKS       ((uint32_t)(MOMENT_BEFORE_NS / TICK_NS))
static_assert((MOMENT_BEFORE_NS + MOMENT_AFTER_NS) / TICK_NS + 2 <= RECORD_MOMENT_TICKS,
              "a moment has room for its ticks");

struct reading {
    struct run_record *record;
    struct series_tick totals; /* ok, failed and timed_out: of the tick before */
    uint64_t at_ns;            /* of the tick before */
    json_t *failed;            /* by class: of the tick before; owned */
    struct record_partial partial;
    struct record_tick ring[RING_TICKS];
    uint32_t ring_count; /* ever */
};

static struct series_latency latency_of(const json_t *object)
{
    return (struct series_latency){
        json_get_count(object, "p50_ns"), json_get_count(object, "p90_ns"),
        json_get_count(object, "p99_ns"), json_get_count(object, "p999_ns"),
        json_get_count(object, "max_ns")};
}

static uint64_t risen(uint64_t now, uint64_t *before)
{
    uint64_t more = now > *before ? now - *before : 0;
    *before = now;
    return more;
}

/* What was told of `moment_ns`, at most the end of the load: what came later belongs to its last
 * second. */
static uint64_t under_load(const struct run_record *record, uint64_t at_ns, uint64_t age_ns)
{
    uint64_t moment_ns = at_ns > age_ns ? at_ns - age_ns : 0;
    return moment_ns < record->load_ns || record->load_ns == 0 ? moment_ns : record->load_ns - 1;
}

static void take_errors(struct reading *reading, const json_t *line, uint64_t at_ns)
{
    struct series *series = &reading->record->series;
    uint64_t moment_ns = under_load(reading->record, at_ns, TICK_NS / 2);
    const char *key;
    json_t *value;
    json_t *failed = json_object_get(line, "failed");
    json_object_foreach(failed, key, value)
    {
        uint64_t before = json_get_count(reading->failed, key);
        /* Those of a status come with their number, in a sample. */
        if (strcmp(key, failure_word(FAILURE_STATUS)) != 0)
            series_add_errors(series, moment_ns, key, risen(json_get_count(failed, key), &before));
    }
    if (json_is_object(failed)) {
        json_decref(reading->failed);
        reading->failed = json_incref(failed);
    }
    json_t *statuses = json_object_get(line, "failed_statuses");
    json_object_foreach(statuses, key, value)
    {
        char class[SERIES_NAME_BYTES];
        snprintf(class, sizeof class, "http_%.16s", key);
        series_add_errors(series, under_load(reading->record, at_ns, SAMPLE_AGE_NS), class,
                          json_get_count(statuses, key));
    }
}

static void take_latency(struct run_record *record, const json_t *line, uint64_t at_ns)
{
    const json_t *service = json_object_get(line, "service");
    if (!json_is_object(service))
        return;
    struct series_latency response = latency_of(json_object_get(line, "response"));
    struct series_latency sent = latency_of(service);
    series_add_latency(&record->series, under_load(record, at_ns, SAMPLE_AGE_NS), &response, &sent);
}

static double share_of(const json_t *object, const char *key)
{
    return fmin(fmax(json_get_number(object, key), 0.0), 1.0);
}

static bool take_agents(struct run_record *record, const json_t *line, uint64_t at_ns,
                        struct error *error)
{
    const json_t *agents = json_object_get(line, "agents");
    uint64_t first = json_get_count(line, "agents_from"); /* of a large fleet, whose turn it was */
    for (size_t i = 0; i < json_array_size(agents) && first + i < SERIES_AGENTS_MAX; i++) {
        const json_t *agent = json_array_get(agents, i);
        uint64_t lag_us = json_get_count(agent, "send_lag_max_us");
        struct series_agent_tick tick = {.share = share_of(agent, "share"),
                                         .load = share_of(agent, "load"),
                                         .send_lag_us =
                                             lag_us < UINT32_MAX ? (uint32_t)lag_us : UINT32_MAX};
        if (json_get_truth(agent, "lost"))
            continue;
        if (!series_add_agent(&record->series, at_ns, (uint32_t)(first + i),
                              json_get_text(agent, "name"), &tick))
            return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for its agents");
    }
    return true;
}

static void moment_add(struct record_moment *moment, const struct record_tick *tick)
{
    bool near = tick->at_ns + MOMENT_BEFORE_NS >= moment->at_ns &&
                tick->at_ns <= moment->at_ns + MOMENT_AFTER_NS;
    if (near && moment->tick_count < RECORD_MOMENT_TICKS)
        moment->ticks[moment->tick_count++] = *tick;
}

static void begin_moment(struct reading *reading, uint64_t at_ns, uint32_t event)
{
    struct run_record *record = reading->record;
    if (record->moment_count == RECORD_MOMENTS_MAX)
        return;
    struct record_moment *moment = &record->moments[record->moment_count++];
    *moment = (struct record_moment){.at_ns = at_ns, .event = event};
    uint32_t from = reading->ring_count > RING_TICKS ? reading->ring_count - RING_TICKS : 0;
    for (uint32_t i = from; i < reading->ring_count; i++)
        moment_add(moment, &reading->ring[i % RING_TICKS]);
}

static void take_moments(struct reading *reading, const struct record_tick *tick)
{
    if (reading->ring_count == 0)
        begin_moment(reading, 0, UINT32_MAX);
    reading->ring[reading->ring_count++ % RING_TICKS] = *tick;
    for (uint32_t i = 0; i < reading->record->moment_count; i++)
        moment_add(&reading->record->moments[i], tick);
}

/* The counts of this line beyond those of the line before. */
static struct series_tick tick_of(struct reading *reading, const json_t *line)
{
    const json_t *total = json_object_get(line, "total");
    return (struct series_tick){
        .span_ns = risen(json_get_count(line, "at_ns"), &reading->at_ns),
        .whole = json_get_count(line, "parts_reported") == json_get_count(line, "parts_expected"),
        .throughput_per_s = json_get_number(line, "throughput_per_s"),
        .workers = json_get_number(line, "workers"),
        .goal = json_get_number(line, "goal"),
        .in_flight = json_get_number(line, "in_flight_mean"),
        .backlog = json_get_number(line, "backlog"),
        .ok = risen(json_get_count(total, "ok"), &reading->totals.ok),
        .failed = risen(json_get_count(total, "failed"), &reading->totals.failed),
        .timed_out = risen(json_get_count(total, "timed_out"), &reading->totals.timed_out)};
}

static bool take_tick(struct reading *reading, json_t *line, struct error *error)
{
    struct run_record *record = reading->record;
    const char *state = json_get_text(line, "state");
    uint64_t at_ns = json_get_count(line, "at_ns");
    if (at_ns > RUN_S_MAX * NS_PER_S)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "a tick later than any run is long");
    if (at_ns == 0)
        return true;
    uint64_t middle_ns = at_ns > TICK_NS / 2 ? at_ns - TICK_NS / 2 : 0;
    struct series_tick tick = tick_of(reading, line);
    if (strcmp(state, "warming") == 0 || strcmp(state, "running") == 0) {
        record->load_ns = at_ns > record->load_ns ? at_ns : record->load_ns;
        series_add_tick(&record->series, middle_ns, &tick);
        if (tick.whole)
            take_moments(reading, &(struct record_tick){at_ns, tick.throughput_per_s, tick.workers,
                                                        tick.goal,
                                                        json_get_number(line, "latency_mean_ns")});
        if (!take_agents(record, line, middle_ns, error))
            return false;
    }
    if (tick.timed_out > 0)
        series_add_errors(&record->series, under_load(record, at_ns, TICK_NS / 2), "timeout",
                          tick.timed_out);
    take_errors(reading, line, at_ns);
    take_latency(record, line, at_ns);
    record_partial_take(&reading->partial, line, &tick);
    return true;
}

/* What was seen of the start has a moment of its own. */
static bool is_of_the_start(const char *kind)
{
    return strcmp(kind, "settled") == 0 || strcmp(kind, "converged") == 0;
}

static void take_event(struct reading *reading, const json_t *line)
{
    struct run_record *record = reading->record;
    uint64_t at_ns = json_get_count(line, "at_ns");
    if (record->event_count == REPORT_EVENTS_MAX) {
        record->events_more++;
        return;
    }
    struct report_event *event = &record->events[record->event_count++];
    event->at_ns = at_ns < RUN_S_MAX * NS_PER_S ? at_ns : 0;
    snprintf(event->kind, sizeof event->kind, "%s", json_get_text(line, "kind"));
    snprintf(event->sentence, sizeof event->sentence, "%s", json_get_text(line, "sentence"));
    if (event->at_ns > 0 && !is_of_the_start(event->kind))
        begin_moment(reading, event->at_ns, record->event_count - 1);
}

static bool take_histogram(struct run_record *record, const json_t *line, struct error *error)
{
    const json_t *cells = json_object_get(line, "cells");
    enum sample_kind kind = 0;
    while (kind < SAMPLE_REQUEST && strcmp(report_kind_word(kind), json_get_text(line, "of")) != 0)
        kind++;
    if (kind == SAMPLE_REQUEST)
        return true; /* of a newer version */
    struct histogram *histogram = &record->histograms[kind];
    *histogram = (struct histogram){.sum_ns = json_get_count(line, "sum_ns"),
                                    .min_ns = json_get_count(line, "min_ns"),
                                    .max_ns = json_get_count(line, "max_ns")};
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        json_int_t value_ns = json_integer_value(json_array_get(cell, 0));
        json_int_t count = json_integer_value(json_array_get(cell, 1));
        if (value_ns < 0 || count < 1 || (uint64_t)count > COUNTERS_COUNT_MAX) {
            *histogram = (struct histogram){0};
            return error_set(error, ERROR_PLAN, PLACE_NONE, "a histogram's cell %zu is none", i);
        }
        histogram->cells[histogram_cell((uint64_t)value_ns)] += (uint64_t)count;
        histogram->total += (uint64_t)count;
    }
    return true;
}

static bool replace(json_t **place, json_t *object, const char *what, struct error *error)
{
    if (!json_is_object(object))
        return error_set(error, ERROR_PLAN, PLACE_NONE, "its %s is no object", what);
    json_decref(*place);
    *place = json_incref(object);
    return true;
}

/* False with ERROR_MEMORY ends the reading; with another kind the line is skipped. */
static bool take_line(struct reading *reading, json_t *line, struct error *error)
{
    struct run_record *record = reading->record;
    const char *kind = json_get_text(line, "line");
    if (strcmp(kind, "tick") == 0)
        return take_tick(reading, line, error);
    if (strcmp(kind, "event") == 0)
        take_event(reading, line);
    else if (strcmp(kind, "histogram") == 0)
        return take_histogram(record, line, error);
    else if (strcmp(kind, "start") == 0)
        return replace(&record->start, line, "start", error);
    else if (strcmp(kind, "result") == 0)
        return replace(&record->result, json_object_get(line, "result"), "result", error);
    else if (strcmp(kind, "screen") == 0) {
        free(record->screen);
        record->screen = strdup(json_get_text(line, "text"));
        CHECK_MEMORY(record->screen != NULL);
    }
    return true; /* a kind of line that a newer version wrote is no mistake */
}

static bool skip(struct run_record *record, size_t line, const char *why)
{
    if (record->lines_skipped++ == 0)
        snprintf(record->skipped_why, sizeof record->skipped_why, "line %zu: %.400s", line, why);
    return true;
}

static bool take_text(struct reading *reading, const struct record_lines *lines,
                      struct error *error)
{
    struct run_record *record = reading->record;
    struct error why = {0};
    json_error_t mistake;
    if (lines->long_one)
        return skip(record, lines->line, "longer than any line of a record");
    json_t *line = json_loadb(lines->text, lines->text_bytes, 0, &mistake);
    if (line == NULL) /* the last line of a crash, or of a run that goes on, may be cut short */
        return lines->whole ? skip(record, lines->line, mistake.text) : true;
    bool well = take_line(reading, line, &why);
    json_decref(line);
    if (!well && why.kind == ERROR_MEMORY) {
        *error = why;
        return false;
    }
    return well || skip(record, lines->line, why.message);
}

static bool read_lines(struct reading *reading, FILE *stream, struct error *error)
{
    struct record_lines lines = {.stream = stream};
    bool well = true;
    bool more = true;
    while (well && more) {
        switch (record_lines_next(&lines, error)) {
        case RECORD_LINES_ONE:
            well = take_text(reading, &lines, error);
            if (well && reading->record->start == NULL && lines.line == 1)
                well = error_set(error, ERROR_PLAN, PLACE_NONE,
                                 "its first line is not the start of a run: no record");
            break;
        case RECORD_LINES_END:
            more = false;
            break;
        case RECORD_LINES_FAILED:
            well = false;
            break;
        }
    }
    record_lines_done(&lines);
    if (well && reading->record->start == NULL)
        return error_set(error, ERROR_PLAN, PLACE_NONE, "it is empty: no record");
    return well;
}

struct run_record *run_record_read(FILE *stream, const char *folder, struct error *error)
{
    struct run_record *record = calloc(1, sizeof *record);
    if (record == NULL || !series_init(&record->series)) {
        free(record);
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a record");
        return NULL;
    }
    snprintf(record->folder, sizeof record->folder, "%s", folder);
    struct reading reading = {.record = record};
    bool well = read_lines(&reading, stream, error);
    json_decref(reading.failed);
    record->broken_off = record->result == NULL;
    if (well && record->broken_off)
        record->result = record_partial_result(&reading.partial, record);
    record_partial_done(&reading.partial);
    if (well)
        return record;
    run_record_destroy(record);
    return NULL;
}

void run_record_destroy(struct run_record *record)
{
    if (record == NULL)
        return;
    json_decref(record->start);
    json_decref(record->result);
    series_done(&record->series);
    free(record->screen);
    free(record);
}
