#include "coordinator/record_partial.h"

#include "common/command.h"
#include "coordinator/json.h"
#include "coordinator/record_read.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

void record_partial_take(struct record_partial *partial, json_t *line,
                         const struct series_tick *tick)
{
    json_decref(partial->last);
    partial->last = json_incref(line);
    if (strcmp(json_get_text(line, "state"), "running") != 0)
        return;
    partial->covered_ns += tick->span_ns;
    partial->answers += tick->ok + tick->failed;
    partial->ticks += tick->whole;
    partial->workers_sum += tick->whole ? tick->workers : 0.0;
    partial->goal_sum += tick->whole ? tick->goal : 0.0;
}

void record_partial_done(struct record_partial *partial)
{
    json_decref(partial->last);
    *partial = (struct record_partial){0};
}

static void copy(json_t *result, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);
    json_put(result, key, value != NULL ? json_incref(value) : json_null());
}

static json_t *verdict_object(void)
{
    json_t *verdict = json_object();
    json_put(verdict, "outcome", json_text("aborted"));
    json_put(verdict, "limited_by", json_null());
    json_put(verdict, "sentence",
             json_text("aborted; the record ends without a result, so figures cover what its ticks "
                       "tell"));
    json_put(verdict, "exit_code", json_count(EXIT_BROKEN_OFF));
    return verdict;
}

/* As it was wanted, with the scheduled mean of the ticks that there are. */
static json_t *goal_of(const struct record_partial *partial, const struct run_record *record)
{
    const json_t *wanted = json_get(record->start, "goal");
    bool hold = strcmp(json_get_text(wanted, "kind"), "hold") == 0;
    json_t *goal = json_object();
    copy(goal, wanted, "kind");
    copy(goal, wanted, "tolerance");
    copy(goal, wanted, "text");
    json_put(goal, "value_per_s",
             hold ? json_number(partial->goal_sum / (double)partial->ticks) : json_null());
    return goal;
}

/* As of the last tick. Who has not said a last word may have done more. */
static json_t *ledger_of(const struct record_partial *partial)
{
    const json_t *total = json_get(partial->last, "total");
    uint64_t started = json_get_count(total, "started");
    uint64_t ended = json_get_count(total, "ok") + json_get_count(total, "failed") +
                     json_get_count(total, "timed_out");
    static const char *const keys[] = {"planned", "not_started", "started",
                                       "ok",      "failed",      "timed_out"};
    json_t *ledger = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        json_put(ledger, keys[i], json_count(json_get_count(total, keys[i])));
    json_put(ledger, "in_flight_at_end", json_count(started > ended ? started - ended : 0));
    json_put(ledger, "lost_max", json_null());
    json_put(ledger, "balanced", json_null());
    return ledger;
}

static json_t *errors_of(const struct run_record *record)
{
    const struct series *series = &record->series;
    json_t *errors = json_object();
    for (uint32_t i = 0; i < series->class_count; i++) {
        uint64_t count = 0;
        for (uint32_t j = 0; j < series->count; j++)
            count += series->bins[j].errors[i];
        json_put(errors, series->classes[i], json_count(count));
    }
    return errors;
}

static json_t *control_of(const struct record_partial *partial)
{
    double ticks = (double)partial->ticks;
    json_t *control = json_object();
    json_put(control, "settled", json_null());
    json_put(control, "concurrency_mean",
             partial->ticks > 0 ? json_number(partial->workers_sum / ticks) : json_null());
    json_put(control, "concurrency_final", json_number(json_get_number(partial->last, "workers")));
    return control;
}

static json_t *agents_of(const struct record_partial *partial)
{
    const json_t *agents = json_get(partial->last, "agents");
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(agents); i++) {
        const json_t *agent = json_array_get(agents, i);
        json_t *row = json_object();
        json_put(row, "name", json_text(json_get_text(agent, "name")));
        json_put(row, "share", json_number(json_get_number(agent, "share")));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *events_of(const struct run_record *record)
{
    json_t *events = json_array();
    for (uint32_t i = 0; i < record->event_count; i++)
        json_array_append_new(events, json_event(&record->events[i]));
    return events;
}

json_t *record_partial_result(const struct record_partial *partial, const struct run_record *record)
{
    json_t *result = json_object();
    json_put(result, "schema", json_count(1));
    copy(result, record->start, "name");
    copy(result, record->start, "run_id");
    copy(result, record->start, "started_at");
    copy(result, record->start, "plan");
    copy(result, record->start, "clobber_version");
    json_put(result, "partial", json_true());
    json_put(result, "verdict", verdict_object());
    json_put(result, "goal", goal_of(partial, record));
    json_put(result, "control", control_of(partial));
    json_put(result, "throughput_per_s",
             json_number((double)partial->answers / ((double)partial->covered_ns / 1e9)));
    json_put(result, "duration_ns", json_count(record->load_ns));
    uint64_t warmup_ns = json_get_count(record->start, "warmup_ns");
    json_put(result, "warmup_ns",
             json_count(warmup_ns < record->load_ns ? warmup_ns : record->load_ns));
    json_put(result, "ledger", ledger_of(partial));
    json_put(result, "errors", errors_of(record));
    json_put(result, "agents", agents_of(partial));
    json_put(result, "events", events_of(record));
    json_put(result, "thresholds", json_array());
    copy(result, record->start, "target");
    return result;
}
