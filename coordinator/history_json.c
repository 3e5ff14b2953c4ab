#include "common/base/check.h"
#include "coordinator/compare.h"
#include "coordinator/history.h"
#include "coordinator/json.h"

#include <jansson.h>

#define HISTORY_SCHEMA 1u

static void append(json_t *list, json_t *value)
{
    int well = json_array_append_new(list, value);
    CHECK(well == 0);
}

static json_t *run_of(const struct history_run *run)
{
    json_t *object = json_object();
    json_put(object, "folder", json_text(run->folder));
    json_put(object, "name", json_text(run->name));
    json_put(object, "started_at", json_text(run->started_at));
    json_put(object, "goal", json_text(run->goal));
    json_put(object, "verdict", json_text(run->verdict));
    json_put(object, "throughput_per_s", json_number(run->throughput_per_s));
    json_put(object, "response_p99_ns", json_count(run->response_p99_ns));
    json_put(object, "workers", json_number(run->workers));
    return object;
}

static json_t *change_of(const struct history *history, const struct history_change *change)
{
    char text[COMPARE_SAYING_BYTES] = "";
    compare_append_changes(text, &change->comparison, change->word);
    json_t *object = json_object();
    json_put(object, "folder", json_text(history->runs[change->run].folder));
    json_put(object, "word", json_text(comparison_word(change->word)));
    json_put(object, "sentence", json_text(text));
    return object;
}

bool history_as_json(const struct history *history, FILE *stream, struct error *error)
{
    json_t *object = json_object();
    json_t *runs = json_array();
    json_t *changes = json_array();
    for (uint32_t i = 0; i < history->run_count; i++)
        append(runs, run_of(&history->runs[i]));
    for (uint32_t i = 0; i < history->change_count; i++)
        append(changes, change_of(history, &history->changes[i]));
    json_put(object, "schema", json_count(HISTORY_SCHEMA));
    json_put(object, "folder", json_text(history->folder));
    json_put(object, "name", history->name != NULL ? json_text(history->name) : json_null());
    json_put(object, "runs", runs);
    json_put(object, "changes", changes);
    bool written = json_write(object, stream, error);
    json_decref(object);
    return written;
}
