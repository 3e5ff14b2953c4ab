#include "coordinator/sink.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/version.h"
#include "coordinator/folder.h"
#include "coordinator/json.h"
#include "proto/beat.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_SCHEMA 1u
#define TICK_DIGITS   9u  /* of what was measured once; ten lines a second add up */
#define RESULT_DIGITS 12u /* as in result.json, to which the line is equal */
#define AGENTS_A_TICK 64u /* 12 KB, a quarter of a millisecond; a thousand take 1.6 s in turn */

/* One JSON object a line. A line that could not be written whole is taken back, so that after any
 * crash or full disk the record is whole up to its last line. */
struct record {
    int descriptor;
    off_t whole;          /* bytes of whole lines */
    uint32_t agents_next; /* whose turn it is */
    char folder[FOLDER_PATH_BYTES];
};

static bool record_failed(const struct record *record, struct error *error)
{
    int reason = errno;
    if (ftruncate(record->descriptor, record->whole) != 0)
        reason = errno;
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write run.jsonl: %s",
                     strerror(reason));
}

/* Takes `object`. */
static bool record_line_of(struct record *record, json_t *object, size_t digits,
                           struct error *error)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(digits));
    json_decref(object);
    CHECK_MEMORY(text != NULL);
    size_t length = strlen(text);
    text[length++] = '\n'; /* in the place of the NUL */
    size_t written = 0;
    while (written < length) {
        ssize_t count = write(record->descriptor, text + written, length - written);
        if (count < 0 && errno != EINTR)
            break;
        written += count > 0 ? (size_t)count : 0;
    }
    free(text);
    if (written < length)
        return record_failed(record, error);
    record->whole += (off_t)length;
    return true;
}

static bool record_line(struct record *record, json_t *object, struct error *error)
{
    return record_line_of(record, object, TICK_DIGITS, error);
}

static json_t *record_object(const char *kind)
{
    json_t *object = json_object();
    json_put(object, "line", json_text(kind));
    return object;
}

/* A large fleet takes turns, so that a tick costs the same however large it is: written in each, a
 * thousand agents would be 2 MB a second and a third of the coordinator's core. */
static uint32_t first_in_turn(struct record *record, const struct tick *tick)
{
    uint32_t first = record->agents_next < tick->agent_count ? record->agents_next : 0;
    record->agents_next = first + AGENTS_A_TICK;
    return first;
}

static json_t *tick_agents(const struct tick *tick, uint32_t first)
{
    json_t *array = json_array();
    for (uint32_t i = first; i < tick->agent_count && i - first < AGENTS_A_TICK; i++) {
        const struct tick_agent *agent = &tick->agents[i];
        json_t *object = json_object();
        json_put(object, "name", json_text(agent->name));
        if (agent->lost)
            json_put(object, "lost", json_true());
        json_put(object, "throughput_per_s", json_number(agent->throughput_per_s));
        json_put(object, "share", json_number(agent->share));
        json_put(object, "load", json_number(agent->load));
        json_put(object, "workers", json_count(agent->workers));
        json_put(object, "in_flight", json_count(agent->in_flight));
        json_put(object, "backlog", json_count(agent->backlog));
        json_put(object, "send_lag_max_us", json_count(agent->send_lag_max_us));
        json_put(object, "flags", json_count(agent->flags));
        json_array_append_new(array, object);
    }
    return array;
}

/* What holds a search: NULL when nothing does. */
static json_t *bound_word(enum control_bound bound)
{
    static const char *const words[] = {
        [CONTROL_BY_LATENCY] = "latency", [CONTROL_BY_ERRORS] = "errors"};
    return bound == CONTROL_UNBOUND ? json_null() : json_text(words[bound]);
}

/* By class, whole run so far; only those that there are, so that a clean run pays nothing. */
static json_t *failed_classes(const struct counters *total)
{
    json_t *object = json_object();
    for (enum failure failure = 0; failure < FAILURE_COUNT; failure++)
        if (total->failed[failure] > 0)
            json_put(object, failure_word(failure), json_count(total->failed[failure]));
    return object;
}

/* Those that failed of the answers in `response` and `service`, by their status. */
static json_t *failed_statuses(const struct tick *tick)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < tick->status_count; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", tick->statuses[i].status);
        if (tick->statuses[i].failed > 0)
            json_put(object, key, json_count(tick->statuses[i].failed));
    }
    return object;
}

/* The fields that come with a sample, once a second. */
static void put_window(json_t *object, const struct tick *tick)
{
    if (tick->response != NULL)
        json_put(object, "response", json_latency(tick->response));
    if (tick->service == NULL)
        return;
    json_put(object, "service", json_latency(tick->service));
    json_put(object, "ended", json_count(tick->service->total));
    json_t *statuses = failed_statuses(tick);
    if (json_object_size(statuses) > 0)
        json_put(object, "failed_statuses", statuses);
    else
        json_decref(statuses);
}

static bool record_tick(void *state, const struct tick *tick, struct error *error)
{
    json_t *object = record_object("tick");
    json_put(object, "at_ns", json_count(tick->at_ns));
    json_put(object, "state", json_text(session_state_word(tick->state)));
    json_put(object, "phase", json_count(tick->phase));
    json_put(object, "goal", json_number(tick->goal));
    json_put(object, "throughput_per_s", json_number(tick->throughput_per_s));
    json_put(object, "in_flight_mean", json_number(tick->in_flight_mean));
    json_put(object, "workers", json_number(tick->workers));
    json_put(object, "backlog", json_number(tick->backlog));
    json_put(object, "concurrency", json_number(tick->concurrency));
    json_put(object, "floor", json_number(tick->floor));
    json_put(object, "status", json_text(control_status_word(tick->status)));
    json_put(object, "bound", bound_word(tick->bound));
    json_put(object, "converged", json_boolean(tick->converged));
    json_put(object, "ceiling_per_s", json_number(tick->ceiling_per_s));
    json_put(object, "ceiling_concurrency", json_number(tick->ceiling_concurrency));
    json_put(object, "latency_mean_ns", json_number(tick->latency_ns_mean));
    if (tick->latency_ns_quantile > 0.0)
        json_put(object, "latency_quantile_ns", json_number(tick->latency_ns_quantile));
    json_put(object, "total", json_counters(&tick->total));
    json_put(object, "agents_ready", json_count(tick->agents_ready));
    json_put(object, "agents_lost", json_count(tick->agents_lost));
    json_put(object, "parts_expected", json_count(tick->parts_expected));
    json_put(object, "parts_reported", json_count(tick->parts_reported));
    uint32_t first = first_in_turn(state, tick);
    if (first > 0)
        json_put(object, "agents_from", json_count(first));
    json_put(object, "agents", tick_agents(tick, first));
    put_window(object, tick);
    if (counters_failed(&tick->total) > 0)
        json_put(object, "failed", failed_classes(&tick->total));
    return record_line(state, object, error);
}

static bool record_event(void *state, const struct report_event *event, struct error *error)
{
    json_t *object = json_event(event);
    json_put(object, "line", json_text("event"));
    return record_line(state, object, error);
}

/* A histogram of what was measured after the warm-up: [highest value of the cell, count] each. */
static bool record_histogram(struct record *record, const char *name,
                             const struct histogram *histogram, struct error *error)
{
    json_t *cells = json_array();
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) {
        if (histogram->cells[i] == 0)
            continue;
        json_t *cell = json_array();
        json_array_append_new(cell, json_count(histogram_cell_high(i)));
        json_array_append_new(cell, json_count(histogram->cells[i]));
        json_array_append_new(cells, cell);
    }
    json_t *object = record_object("histogram");
    json_put(object, "of", json_text(name));
    json_put(object, "total", json_count(histogram->total));
    json_put(object, "sum_ns", json_count(histogram->sum_ns));
    json_put(object, "min_ns", json_count(histogram->min_ns));
    json_put(object, "max_ns", json_count(histogram->max_ns));
    json_put(object, "cells", cells);
    return record_line(record, object, error);
}

static bool record_histograms(struct record *record, const struct report *report,
                              struct error *error)
{
    for (enum sample_kind kind = 0; kind < SAMPLE_REQUEST; kind++)
        if (report->kinds[kind].total > 0 &&
            !record_histogram(record, report_kind_word(kind), &report->kinds[kind], error))
            return false;
    return true;
}

/* The last screen as it was shown, so that it can be shown again, by whatever version. */
static bool record_screen(struct record *record, const struct report *report, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    CHECK_MEMORY(stream != NULL);
    report_text(report, record->folder, REPORT_FILES, false, stream);
    fclose(stream);
    json_t *object = record_object("screen");
    json_put(object, "text", json_text(text));
    free(text);
    return record_line(record, object, error);
}

static bool record_finish(void *state, const struct report *report, struct error *error)
{
    struct record *record = state;
    if (!record_histograms(record, report, error) || !record_screen(record, report, error))
        return false;
    json_t *object = record_object("result");
    json_put(object, "result", json_report(report));
    if (!record_line_of(record, object, RESULT_DIGITS, error))
        return false;
    return fsync(record->descriptor) == 0 || record_failed(record, error);
}

static void record_close(void *state)
{
    struct record *record = state;
    close(record->descriptor);
    free(record);
}

static bool record_start(struct record *record, const struct sink_start *start, struct error *error)
{
    char started_at[32];
    clock_wall_text(start->started_wall_ns, started_at, sizeof started_at);
    json_t *object = record_object("start");
    json_put(object, "schema", json_count(RECORD_SCHEMA));
    json_put(object, "name", json_text(start->plan->name));
    json_put(object, "run_id", json_text(start->run_id));
    json_put(object, "started_at", json_text(started_at));
    json_put(object, "endpoint", json_text(start->endpoint));
    json_put(object, "clobber_version", json_text(CLOBBER_VERSION));
    json_put(object, "plan", json_text(start->plan->text));
    json_put(object, "target", json_text(start->plan->target));
    json_put(object, "goal", json_goal(start->plan));
    json_put(object, "duration_ns", json_count(start->plan->schedule.duration_ns));
    json_put(object, "warmup_ns", json_count(start->plan->schedule.warmup_ns));
    json_put(object, "agents_expect", json_count(start->plan->agents_expect));
    return record_line(record, object, error);
}

/* The last line may have been cut short by whatever ended its writer: it goes. */
static bool record_trim(struct record *record, struct error *error)
{
    char bytes[4096];
    off_t whole = lseek(record->descriptor, 0, SEEK_END);
    while (whole > 0) {
        off_t from = whole > (off_t)sizeof bytes ? whole - (off_t)sizeof bytes : 0;
        ssize_t count = pread(record->descriptor, bytes, (size_t)(whole - from), from);
        if (count != whole - from)
            break;
        const char *end = memrchr(bytes, '\n', (size_t)count);
        whole = end != NULL ? from + (end - bytes) + 1 : from;
        if (end != NULL)
            break;
    }
    if (whole <= 0 || ftruncate(record->descriptor, whole) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot take up run.jsonl again");
    record->whole = whole;
    return lseek(record->descriptor, whole, SEEK_SET) == whole || record_failed(record, error);
}

bool sink_record_open(struct sink *sink, const struct sink_start *start, struct error *error)
{
    char path[1088];
    int mode = start->resumed ? O_RDWR : O_WRONLY | O_CREAT | O_EXCL;
    snprintf(path, sizeof path, "%s/run.jsonl", start->folder);
    struct record *record = malloc(sizeof *record);
    CHECK_MEMORY(record != NULL);
    *record = (struct record){.descriptor = open(path, mode | O_CLOEXEC, 0666)};
    snprintf(record->folder, sizeof record->folder, "%s", start->folder);
    if (record->descriptor < 0) {
        free(record);
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write %s: %s", path,
                         strerror(errno));
    }
    *sink = (struct sink){.name = "record",
                          .state = record,
                          .tick = record_tick,
                          .event = record_event,
                          .finish = record_finish,
                          .close = record_close};
    if (start->resumed ? record_trim(record, error) : record_start(record, start, error))
        return true;
    record_close(record);
    return false;
}
