/** JSON through jansson, for the result and the record: values that cannot fail on odd numbers. */
#ifndef CLOBBER_COORDINATOR_JSON_H
#define CLOBBER_COORDINATOR_JSON_H

#include "common/base/histogram.h"
#include "coordinator/report.h"

#include <stdint.h>

struct json_t; /* jansson's */

/** Each makes a new value that the caller owns; memory exhausted is a CHECK: a run's result is
 * small. */
struct json_t *json_count(uint64_t count);
struct json_t *json_number(double number);  /* null when not finite */
struct json_t *json_text(const char *text); /* bytes that are no UTF-8, and DEL, become \xNN */

/** Sets `key` of `object` and takes `value`. */
void json_put(struct json_t *object, const char *key, struct json_t *value);

/** {planned, not_started, started, ok, failed, timed_out, ...}: the counts without their classes.
 */
struct json_t *json_counters(const struct counters *counters);
/** {mean_ns, p50_ns, ..., max_ns}; all 0 when empty. */
struct json_t *json_latency(const struct histogram *histogram);
/** {at_ns, kind, sentence}. */
struct json_t *json_event(const struct report_event *event);

/** The whole of result.json, schema 1. */
struct json_t *json_report(const struct report *report);

#endif
