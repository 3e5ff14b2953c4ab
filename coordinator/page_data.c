#include "coordinator/page_data.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "coordinator/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHART_DIGITS           5u /* a pixel of a chart is a thousandth of it */
#define RESULT_DIGITS          12u
#define AGENT_BINS_MAX         300u /* of a small multiple: as many as it has pixels */
#define STEPS_PER_DECADE       24   /* of the distribution's percentile axis */
#define DISTRIBUTION_STEPS_MAX 400

static void append(json_t *array, json_t *value)
{
    int failed = json_array_append_new(array, value);
    CHECK_MEMORY(failed == 0);
}

static json_t *milliseconds(uint64_t time_ns)
{
    return time_ns > 0 ? json_number((double)time_ns / 1e6) : json_null();
}

/* The columns of the series: one value a bin, null where nothing is known. */
enum column {
    GOAL,
    MEAN,
    LOWEST,
    HIGHEST,
    WORKERS,
    WORKERS_LOWEST,
    WORKERS_HIGHEST,
    RESPONSE_P50,
    RESPONSE_P99,
    RESPONSE_P999,
    SERVICE_P50,
    SERVICE_P99,
    COLUMNS
};
static const char *const column_names[COLUMNS] = {
    "goal",         "mean",           "lowest",          "highest",
    "workers",      "workers_lowest", "workers_highest", "response_p50",
    "response_p99", "response_p999",  "service_p50",     "service_p99"};

static json_t *cell(const struct series_bin *bin, enum column column)
{
    double ticks = (double)bin->ticks;
    bool whole = bin->ticks > 0;
    switch (column) {
    case MEAN:
        return bin->covered_ns > 0 ? json_number(series_throughput_per_s(bin)) : json_null();
    case GOAL:
        return whole ? json_number(bin->goal_sum / ticks) : json_null();
    case LOWEST:
        return whole ? json_number(bin->throughput.lowest) : json_null();
    case HIGHEST:
        return whole ? json_number(bin->throughput.highest) : json_null();
    case WORKERS:
        return whole ? json_number(bin->workers.sum / ticks) : json_null();
    case WORKERS_LOWEST:
        return whole ? json_number(bin->workers.lowest) : json_null();
    case WORKERS_HIGHEST:
        return whole ? json_number(bin->workers.highest) : json_null();
    case RESPONSE_P50:
        return milliseconds(bin->response.p50_ns);
    case RESPONSE_P99:
        return milliseconds(bin->response.p99_ns);
    case RESPONSE_P999:
        return milliseconds(bin->response.p999_ns);
    case SERVICE_P50:
        return milliseconds(bin->service.p50_ns);
    case SERVICE_P99:
        return milliseconds(bin->service.p99_ns);
    case COLUMNS:
        break;
    }
    return json_null();
}

static json_t *series_object(const struct series *series)
{
    json_t *object = json_object();
    json_put(object, "bin_s", json_count(series->bin_s));
    json_put(object, "count", json_count(series->count));
    for (enum column column = 0; column < COLUMNS; column++) {
        json_t *values = json_array();
        for (uint32_t i = 0; i < series->count; i++)
            append(values, cell(&series->bins[i], column));
        json_put(object, column_names[column], values);
    }
    json_t *errors = json_array();
    for (uint32_t i = 0; i < series->class_count; i++) {
        json_t *counts = json_array();
        for (uint32_t j = 0; j < series->count; j++)
            append(counts, json_count(series->bins[j].errors[i]));
        json_t *class = json_object();
        json_put(class, "name", json_text(series->classes[i]));
        json_put(class, "counts", counts);
        append(errors, class);
    }
    json_put(object, "errors", errors);
    return object;
}

/* How much an agent matters when not all can be shown. */
struct rank {
    uint32_t index;
    double weight;
};

static int by_weight(const void *a, const void *b)
{
    const struct rank *left = a, *right = b;
    if (left->weight != right->weight)
        return left->weight < right->weight ? 1 : -1;
    return left->index < right->index ? -1 : 1;
}

static int by_index(const void *a, const void *b)
{
    const struct rank *left = a, *right = b;
    return left->index < right->index ? -1 : left->index > right->index;
}

static struct rank rank_of(const struct series *series, uint32_t index)
{
    const struct series_agent_bin *bins = series->agents[index]->bins;
    double load = 0.0;
    double ticks = 0.0;
    for (uint32_t i = 0; i < series->count; i++) {
        load += (double)bins[i].load_sum;
        ticks += bins[i].ticks;
    }
    bool lost = series->count > 1 && bins[series->count - 1].ticks == 0 &&
                bins[series->count - 2].ticks == 0;
    return (struct rank){index, (lost ? 2.0 : 0.0) + (ticks > 0.0 ? load / ticks : 0.0)};
}

/* `step` bins as one. */
static void put_agent_bin(const struct series_agent_bin *bins, uint32_t step, json_t *share,
                          json_t *cpu, json_t *lag)
{
    double shares = 0.0, loads = 0.0, ticks = 0.0;
    uint32_t lag_us = 0;
    for (uint32_t i = 0; i < step; i++) {
        shares += (double)bins[i].share_sum;
        loads += (double)bins[i].load_sum;
        ticks += bins[i].ticks;
        lag_us = bins[i].send_lag_us > lag_us ? bins[i].send_lag_us : lag_us;
    }
    bool there = ticks > 0.0;
    append(share, there ? json_number(100.0 * shares / ticks) : json_null());
    append(cpu, there ? json_number(100.0 * loads / ticks) : json_null());
    append(lag, there ? json_number(lag_us / 1e3) : json_null());
}

static json_t *agent_object(const struct series *series, uint32_t index, uint32_t step)
{
    const struct series_agent *agent = series->agents[index];
    json_t *object = json_object(), *share = json_array(), *cpu = json_array(), *lag = json_array();
    for (uint32_t i = 0; i < series->count; i += step) {
        uint32_t left = series->count - i;
        put_agent_bin(&agent->bins[i], left < step ? left : step, share, cpu, lag);
    }
    json_put(object, "name", json_text(agent->name));
    json_put(object, "share", share);
    json_put(object, "cpu", cpu);
    json_put(object, "lag_ms", lag);
    return object;
}

static json_t *agents_object(const struct series *series)
{
    struct rank ranks[SERIES_AGENTS_MAX];
    uint32_t count = series->agent_count;
    uint32_t step = 1;
    while (series->count / step > AGENT_BINS_MAX)
        step *= 2;
    for (uint32_t i = 0; i < count; i++)
        ranks[i] = rank_of(series, i);
    if (count > PAGE_AGENTS_MAX) {
        qsort(ranks, count, sizeof ranks[0], by_weight);
        count = PAGE_AGENTS_MAX;
        qsort(ranks, count, sizeof ranks[0], by_index);
    }
    json_t *rows = json_array();
    for (uint32_t i = 0; i < count; i++)
        append(rows, agent_object(series, ranks[i].index, step));
    json_t *object = json_object();
    json_put(object, "bin_s", json_count(series->bin_s * step));
    json_put(object, "all", json_count(series->agent_count));
    json_put(object, "rows", rows);
    return object;
}

static json_t *events_array(const struct run_record *record, const struct run_facts *facts)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < record->event_count; i++) {
        const struct report_event *event = &record->events[i];
        json_t *object = json_object();
        json_put(object, "number", json_count(facts->numbers[i]));
        json_put(object, "at_s", json_number((double)event->at_ns / 1e9));
        json_put(object, "began_s", json_number((double)facts->began_ns[i] / 1e9));
        json_put(object, "kind", json_text(event->kind));
        json_put(object, "sentence", json_text(event->sentence));
        append(array, object);
    }
    return array;
}

/* [seconds, requests/s, workers, goal] each. */
static json_t *moment_ticks(const struct record_moment *moment)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < moment->tick_count; i++) {
        const struct record_tick *tick = &moment->ticks[i];
        json_t *row = json_array();
        append(row, json_number((double)tick->at_ns / 1e9));
        append(row, json_number(tick->throughput_per_s));
        append(row, json_number(tick->workers));
        append(row, json_number(tick->goal));
        append(array, row);
    }
    return array;
}

static json_t *moments_array(const struct run_record *record)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < record->moment_count; i++) {
        const struct record_moment *moment = &record->moments[i];
        json_t *object = json_object();
        bool start = moment->event >= record->event_count;
        json_put(object, "event", start ? json_null() : json_count(moment->event));
        json_put(object, "ticks", moment_ticks(moment));
        append(array, object);
    }
    return array;
}

/* [percentile as 1/(1-q), response ms, service ms] each, up to the one in all. */
static json_t *distribution_array(const struct run_record *record)
{
    const struct histogram *response = &record->histograms[SAMPLE_RESPONSE];
    const struct histogram *service = &record->histograms[SAMPLE_SERVICE];
    double total = (double)response->total;
    json_t *array = json_array();
    for (int i = 0; i <= DISTRIBUTION_STEPS_MAX && total > 0.0; i++) {
        double rarity = fmin(pow(10.0, (double)i / STEPS_PER_DECADE), total);
        double quantile = 1.0 - 1.0 / rarity;
        bool longest = rarity >= total;
        json_t *row = json_array();
        append(row, json_number(rarity));
        append(row,
               milliseconds(longest ? response->max_ns : histogram_quantile(response, quantile)));
        append(row,
               milliseconds(longest ? service->max_ns : histogram_quantile(service, quantile)));
        append(array, row);
        if (longest)
            break;
    }
    return array;
}

/* Takes `object`. */
static bool put(const char *before, json_t *object, size_t digits, FILE *stream)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY |
                                        JSON_REAL_PRECISION(digits));
    json_decref(object);
    CHECK_MEMORY(text != NULL);
    fputs(before, stream);
    bool well = harmless_script(stream, text);
    free(text);
    return well;
}

bool page_data_write(const struct run_record *record, const struct run_facts *facts, FILE *stream,
                     struct error *error)
{
    bool well = put("{\"result\":", json_incref(record->result), RESULT_DIGITS, stream) &&
                put(",\n\"start\":", json_incref(record->start), RESULT_DIGITS, stream) &&
                put(",\n\"series\":", series_object(&record->series), CHART_DIGITS, stream) &&
                put(",\n\"agents\":", agents_object(&record->series), CHART_DIGITS, stream) &&
                put(",\n\"events\":", events_array(record, facts), RESULT_DIGITS, stream) &&
                put(",\n\"moments\":", moments_array(record), CHART_DIGITS, stream) &&
                put(",\n\"distribution\":", distribution_array(record), CHART_DIGITS, stream);
    fputs("}\n", stream);
    return (well && !ferror(stream)) ||
           error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write the page");
}
