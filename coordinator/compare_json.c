#include "common/base/check.h"
#include "coordinator/compare.h"
#include "coordinator/json.h"

#include <jansson.h>

#define COMPARE_SCHEMA 1u

static json_t *letter_of(uint32_t index)
{
    return json_text((char[]){(char)('A' + index), '\0'});
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_text(text) : json_null();
}

static json_t *run_of(const struct compared *compared, uint32_t index)
{
    const struct compared_run *run = compared->runs[index];
    json_t *object = json_object();
    json_put(object, "letter", letter_of(index));
    json_put(object, "folder", json_text(run->record->folder));
    json_put(object, "name", json_text(json_get_text(run->record->start, "name")));
    json_put(object, "started_at", json_text(json_get_text(run->record->start, "started_at")));
    json_put(object, "goal",
             json_text(json_get_text(json_get(run->record->start, "goal"), "text")));
    json_put(object, "verdict", json_text(compared_verdict(run->record)));
    json_put(object, "seconds",
             json_count((uint64_t)run->side.counts[COMPARISON_THROUGHPUT] * run->side.width_s));
    json_put(object, "not_judged", text_or_null(run->unfit));
    return object;
}

static json_t *interval_of(struct comparison_interval interval)
{
    json_t *pair = json_array();
    int well = json_array_append_new(pair, json_number(interval.low));
    well |= json_array_append_new(pair, json_number(interval.high));
    CHECK(well == 0);
    return pair;
}

static json_t *row_of(enum comparison_metric metric, const struct comparison_row *row)
{
    bool known = row->word != COMPARISON_UNKNOWN;
    json_t *object = json_object();
    json_put(object, "metric", json_text(comparison_metric_key(metric)));
    json_put(object, "word", json_text(comparison_word(row->word)));
    json_put(object, "a", known ? json_number(row->a) : json_null());
    json_put(object, "b", known ? json_number(row->b) : json_null());
    json_put(object, "difference", known ? json_number(row->difference) : json_null());
    json_put(object, "interval_95", known ? interval_of(row->of_95) : json_null());
    json_put(object, "interval_corrected", known ? interval_of(row->corrected) : json_null());
    json_put(object, "detectable", known ? json_number(row->detectable) : json_null());
    json_put(object, "block_s", known ? json_count(row->block_s) : json_null());
    return object;
}

static json_t *pair_of(const struct compared *compared, uint32_t index)
{
    bool judged = compared_is_judged(compared, index);
    const struct comparison *comparison = &compared->comparisons[index];
    json_t *object = json_object();
    json_t *metrics = json_array();
    for (enum comparison_metric metric = 0; judged && metric < COMPARISON_METRICS; metric++) {
        int well = json_array_append_new(metrics, row_of(metric, &comparison->rows[metric]));
        CHECK(well == 0);
    }
    json_put(object, "a", letter_of(0));
    json_put(object, "b", letter_of(index));
    json_put(object, "plans_differ", text_or_null(compared->plans[index]));
    json_put(object, "judged", json_boolean(judged));
    json_put(object, "word", judged ? json_text(comparison_word(comparison->word)) : json_null());
    json_put(object, "metrics", metrics);
    return object;
}

bool compare_as_json(const struct compared *compared, FILE *stream, struct error *error)
{
    json_t *object = json_object();
    json_t *runs = json_array();
    json_t *pairs = json_array();
    int well = 0;
    for (uint32_t i = 0; i < compared->run_count; i++)
        well |= json_array_append_new(runs, run_of(compared, i));
    for (uint32_t i = 1; i < compared->run_count; i++)
        well |= json_array_append_new(pairs, pair_of(compared, i));
    CHECK(well == 0);
    json_put(object, "schema", json_count(COMPARE_SCHEMA));
    json_put(object, "tolerance", json_number(compared->options.tolerance));
    json_put(object, "errors_tolerance", json_number(compared->options.errors_tolerance));
    json_put(object, "confidence_corrected", json_number(COMPARISON_CONFIDENCE));
    json_put(object, "draws", json_count(compared->options.draws));
    json_put(object, "runs", runs);
    json_put(object, "pairs", pairs);
    bool written = json_write(object, stream, error);
    json_decref(object);
    return written;
}
