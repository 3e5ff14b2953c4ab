#include "coordinator/json.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define TEXT_BYTES 1100u /* of one outside text, each byte of which may become four */

/* An honest count is far below 2^63; a peer's may be anything, and is no reason to die. */
json_t *json_count(uint64_t count)
{
    json_t *value = count <= INT64_MAX ? json_integer((json_int_t)count) : json_real((double)count);
    CHECK_MEMORY(value != NULL);
    return value;
}

json_t *json_number(double number)
{
    json_t *value = isfinite(number) ? json_real(number) : json_null();
    CHECK_MEMORY(value != NULL);
    return value;
}

/* Files of JSON are read in terminals too. What is not ASCII is written as \uNNNN, so that it keeps
 * its meaning and does nothing there; DEL is all that this leaves alive. */
json_t *json_text(const char *text)
{
    json_t *value = strchr(text, 0x7F) == NULL ? json_string(text) : NULL;
    if (value == NULL) { /* or bytes that are no UTF-8 */
        char shown[TEXT_BYTES];
        value = json_string(harmless_text(text, shown, sizeof shown));
    }
    CHECK_MEMORY(value != NULL);
    return value;
}

void json_put(json_t *object, const char *key, json_t *value)
{
    int failed = json_object_set_new(object, key, value);
    CHECK_MEMORY(failed == 0);
}

const json_t *json_get(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

double json_get_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

uint64_t json_get_count(const json_t *object, const char *key)
{
    double number = json_get_number(object, key);
    json_int_t whole = json_integer_value(json_object_get(object, key));
    if (whole > 0)
        return (uint64_t)whole;
    return number > 0.0 && number < 9e18 ? (uint64_t)number : 0;
}

bool json_get_truth(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

const char *json_get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

json_t *json_counters(const struct counters *counters)
{
    json_t *object = json_object();
    json_put(object, "planned", json_count(counters->planned));
    json_put(object, "not_started", json_count(counters->not_started));
    json_put(object, "started", json_count(counters->started));
    json_put(object, "ok", json_count(counters->ok));
    json_put(object, "failed", json_count(counters_failed(counters)));
    json_put(object, "timed_out", json_count(counters->timed_out));
    return object;
}

json_t *json_latency(const struct histogram *histogram)
{
    static const struct {
        const char *key;
        double quantile;
    } quantiles[] = {{"p50_ns", 0.5},  {"p90_ns", 0.9},    {"p95_ns", 0.95},
                     {"p99_ns", 0.99}, {"p999_ns", 0.999}, {"p9999_ns", 0.9999}};
    json_t *object = json_object();
    json_put(object, "mean_ns", json_count((uint64_t)llround(histogram_mean(histogram))));
    for (size_t i = 0; i < COUNT(quantiles); i++)
        json_put(object, quantiles[i].key,
                 json_count(histogram_quantile(histogram, quantiles[i].quantile)));
    json_put(object, "max_ns", json_count(histogram->max_ns));
    return object;
}

size_t json_length(const json_t *list)
{
    return json_array_size(list);
}

const json_t *json_at(const json_t *list, size_t index)
{
    return json_array_get(list, index);
}

json_t *json_event(const struct report_event *event)
{
    json_t *object = json_object();
    json_put(object, "at_ns", json_count(event->at_ns));
    json_put(object, "kind", json_text(event->kind));
    json_put(object, "sentence", json_text(event->sentence));
    return object;
}
