/** JSON through jansson, for the result and the record: values that cannot fail on odd numbers. */
#ifndef CLOBBER_COORDINATOR_JSON_H
#define CLOBBER_COORDINATOR_JSON_H

#include "common/base/histogram.h"
#include "coordinator/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t; /* jansson's */

/** Each makes a new value that the caller owns; memory exhausted is a CHECK: a run's result is
 * small. */
struct json_t *json_count(uint64_t count);
struct json_t *json_number(double number);  /* null when not finite */
struct json_t *json_text(const char *text); /* bytes that are no UTF-8, and DEL, become \xNN */

/** Sets `key` of `object` and takes `value`. */
void json_put(struct json_t *object, const char *key, struct json_t *value);

/** What is at `key` of `object`, which may be of any kind and NULL: for what others wrote. The
 * number 0 and the text "" stand for what is not there, or is something else; a count is at most
 * INT64_MAX. Texts are borrowed from the object. */
double json_get_number(const struct json_t *object, const char *key);
uint64_t json_get_count(const struct json_t *object, const char *key);
bool json_get_truth(const struct json_t *object, const char *key);
const char *json_get_text(const struct json_t *object, const char *key);
const struct json_t *json_get(const struct json_t *object, const char *key);
/** How many a list has, and which is at `index`; NULL beyond. What is no list has none. */
size_t json_length(const struct json_t *list);
const struct json_t *json_at(const struct json_t *list, size_t index);

/** {planned, not_started, started, ok, failed, timed_out, ...}: the counts without their classes.
 */
struct json_t *json_counters(const struct counters *counters);
/** {mean_ns, p50_ns, ..., max_ns}; all 0 when empty. */
struct json_t *json_latency(const struct histogram *histogram);
/** {at_ns, kind, sentence}. */
struct json_t *json_event(const struct report_event *event);

/** {kind, tolerance, text}: what the plan wants. */
struct json_t *json_goal(const struct plan *plan);

/** Writes `object` as result.json stands on disk, a newline behind it. False: ERROR_SYSTEM. */
bool json_write(const struct json_t *object, FILE *stream, struct error *error);

/** The whole of result.json, schema 1. */
struct json_t *json_report(const struct report *report);

#endif
