#include "coordinator/json.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/version.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *verdict_object(const struct report *report)
{
    json_t *object = json_object();
    const char *limit = limit_word(report->limit);
    json_put(object, "outcome", json_text(outcome_word(report->outcome)));
    json_put(object, "limited_by", limit != NULL ? json_text(limit) : json_null());
    json_put(object, "sentence", json_text(report->sentence));
    json_put(object, "exit_code", json_count((uint64_t)report->exit_code));
    return object;
}

json_t *json_goal(const struct plan *plan)
{
    static const char *const kinds[] = {[GOAL_HOLD] = "hold",
                                        [GOAL_MAXIMIZE] = "maximize",
                                        [GOAL_MAXIMIZE_WHILE] = "maximize_while",
                                        [GOAL_CONCURRENCY] = "concurrency"};
    char text[256];
    bool hold = plan->goal == GOAL_HOLD;
    json_t *object = json_object();
    json_put(object, "kind", json_text(kinds[plan->goal]));
    json_put(object, "tolerance", hold ? json_number(plan->tolerance) : json_null());
    json_put(object, "text", json_text(plan_goal_text(plan, text, sizeof text)));
    return object;
}

static json_t *goal_object(const struct report *report)
{
    bool hold = report->plan->goal == GOAL_HOLD;
    json_t *object = json_goal(report->plan);
    json_put(object, "value_per_s", hold ? json_number(report->goal_mean) : json_null());
    return object;
}

static json_t *interval_array(double low, double high)
{
    json_t *array = json_array();
    json_array_append_new(array, json_number(low));
    json_array_append_new(array, json_number(high));
    return array;
}

static json_t *answer_object(const struct report *report)
{
    const struct answer_found *found = &report->answer.found;
    if (!found->found)
        return json_null();
    json_t *object = json_object();
    json_put(object, "throughput_per_s", json_number(found->throughput_per_s));
    json_put(
        object, "interval_95_per_s",
        interval_array(report->control.interval_low_per_s, report->control.interval_high_per_s));
    json_put(object, "concurrency", json_number(found->workers));
    json_put(object, "converged_ns", json_count(found->converged_ns));
    return object;
}

static json_t *curve_array(const struct report *report)
{
    bool bounded = plan_bound(report->plan, METRIC_LATENCY_QUANTILE) != NULL;
    json_t *array = json_array();
    for (uint32_t i = 0; i < report->curve_count; i++) {
        const struct curve_point *point = &report->curve[i];
        json_t *object = json_object();
        json_put(object, "concurrency", json_number(point->concurrency));
        json_put(object, "throughput_per_s", json_number(point->throughput_per_s));
        json_put(object, "latency_mean_ns", json_number(point->latency_ns_mean));
        json_put(object, "latency_quantile_ns",
                 bounded ? json_number(point->latency_ns_quantile) : json_null());
        json_put(object, "seconds", json_number(point->seconds));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *control_object(const struct report *report)
{
    const struct report_control *control = &report->control;
    json_t *object = json_object();
    json_put(object, "settled", json_boolean(control->settled));
    json_put(object, "settle_ns", control->settled ? json_count(control->settle_ns) : json_null());
    json_put(object, "overshoot", json_number(control->overshoot));
    json_put(object, "error_mean", json_number(control->error_mean));
    json_put(object, "error_p95", json_number(control->error_p95));
    json_put(object, "concurrency_mean", json_number(control->concurrency_mean));
    json_put(object, "concurrency_final", json_number(control->concurrency_final));
    json_put(object, "concurrency_p95", json_number(control->concurrency_p95));
    json_t *saturated = json_null();
    if (control->saturated) {
        saturated = json_object();
        json_put(saturated, "throughput_per_s", json_number(control->saturated_per_s));
        json_put(saturated, "concurrency", json_number(control->saturated_concurrency));
    }
    json_put(object, "saturated_at", saturated);
    json_put(object, "interval_95_per_s",
             interval_array(control->interval_low_per_s, control->interval_high_per_s));
    json_put(object, "answer", answer_object(report));
    json_put(object, "curve", curve_array(report));
    return object;
}

static json_t *ledger_object(const struct report *report)
{
    json_t *object = json_counters(&report->ledger);
    json_put(object, "in_flight_at_end", json_count(report->in_flight_at_end));
    json_put(object, "unwritten", json_count(report->ledger.unwritten));
    json_put(object, "lost_max", json_count(report->lost_max));
    if (report->plan->requests_total > 0)
        json_put(object, "requests_total", json_count(report->plan->requests_total));
    json_put(object, "balanced", json_boolean(report->balanced));
    if (!report->balanced)
        json_put(object, "imbalance", json_text(report->imbalance));
    return object;
}

/* By class; failures of HTTP statuses by their number. */
static json_t *errors_object(const struct report *report)
{
    json_t *object = json_object();
    const struct timeouts timeouts = report_timeouts(&report->counters);
    for (uint32_t i = 0; i < timeouts.count; i++)
        json_put(object, timeouts.items[i].word, json_count(timeouts.items[i].count));
    for (enum failure failure = 0; failure < FAILURE_COUNT; failure++)
        if (failure != FAILURE_STATUS && report->counters.failed[failure] > 0)
            json_put(object, failure_word(failure), json_count(report->counters.failed[failure]));
    for (uint32_t i = 0; i < report->status_count; i++) {
        char key[16];
        snprintf(key, sizeof key, "http_%u", report->statuses[i].status);
        if (report->statuses[i].failed > 0)
            json_put(object, key, json_count(report->statuses[i].failed));
    }
    return object;
}

static json_t *statuses_object(const struct report *report)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < report->status_count; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", report->statuses[i].status);
        json_put(object, key, json_count(report->statuses[i].count));
    }
    return object;
}

static json_t *latency_object(const struct report *report)
{
    json_t *object = json_object();
    json_put(object, "response", json_latency(&report->kinds[SAMPLE_RESPONSE]));
    json_put(object, "service", json_latency(&report->kinds[SAMPLE_SERVICE]));
    json_put(object, "connect", json_latency(&report->kinds[SAMPLE_CONNECT]));
    json_put(object, "tls", json_latency(&report->kinds[SAMPLE_TLS]));
    json_put(object, "first_byte", json_latency(&report->kinds[SAMPLE_FIRST_BYTE]));
    return object;
}

static json_t *requests_array(const struct report *report)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < report->plan->request_count; i++) {
        json_t *object = json_object();
        json_put(object, "name", json_text(report->plan->requests[i].name));
        json_put(object, "ok", json_count(report->request_counts[i].ok));
        json_put(object, "failed", json_count(report->request_counts[i].failed));
        json_put(object, "latency", json_latency(&report->requests[i]));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *agents_array(const struct report *report)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < report->agent_count; i++) {
        const struct report_agent *agent = &report->agents[i];
        json_t *object = json_counters(&agent->counters);
        json_put(object, "name", json_text(agent->name));
        json_put(object, "host", json_text(agent->host));
        json_put(object, "in_flight_at_end", json_count(counters_in_flight(&agent->counters)));
        json_put(object, "share", json_number(agent->share));
        json_put(object, "cpu", json_number(agent->cpu));
        json_put(object, "send_lag_p99_ns", json_count(agent->send_lag_ns_p99));
        json_put(object, "final", json_boolean(agent->final));
        json_put(object, "lost_from_ns",
                 agent->lost_from_ns > 0 ? json_count(agent->lost_from_ns) : json_null());
        json_put(object, "lost_max", json_count(agent->lost_max));
        json_put(object, "loaded_ns", json_count(agent->loaded_ns));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *events_array(const struct report *report)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < report->event_count; i++)
        json_array_append_new(array, json_event(&report->events[i]));
    return array;
}

static const char *threshold_unit(enum threshold_metric metric)
{
    switch (metric) {
    case METRIC_ERRORS_RATE:
        return "share";
    case METRIC_THROUGHPUT:
        return "per_s";
    case METRIC_LATENCY_QUANTILE:
    case METRIC_LATENCY_MEAN:
    case METRIC_LATENCY_MAX:
    case METRIC_SERVICE_QUANTILE:
        break;
    }
    return "ns";
}

static json_t *thresholds_array(const struct report *report)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < report->threshold_count; i++) {
        json_t *object = json_object();
        json_put(object, "text", json_text(report->thresholds[i].text));
        json_put(object, "value", json_number(report->thresholds[i].value));
        json_put(object, "passed", json_boolean(report->thresholds[i].passed));
        const struct threshold *wanted = &report->plan->thresholds[i];
        json_put(object, "bound", json_number(wanted->bound));
        json_put(object, "unit", json_text(threshold_unit(wanted->metric)));
        json_put(object, "below", json_boolean(wanted->below));
        json_array_append_new(array, object);
    }
    return array;
}

/* The plan's own text; one made from flags is printed in full. */
static json_t *plan_text(const struct plan *plan)
{
    if (plan->text[0] != '\0')
        return json_text(plan->text);
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    CHECK_MEMORY(stream != NULL);
    plan_print(plan, stream);
    fclose(stream);
    json_t *value = json_text(text);
    free(text);
    return value;
}

json_t *json_report(const struct report *report)
{
    char started_at[32];
    clock_wall_text(report->started_wall_ns, started_at, sizeof started_at);
    json_t *object = json_object();
    json_put(object, "schema", json_count(1));
    json_put(object, "name", json_text(report->plan->name));
    json_put(object, "run_id", json_text(report->run_id));
    json_put(object, "started_at", json_text(started_at));
    json_put(object, "plan", plan_text(report->plan));
    json_put(object, "seed", json_count(report->plan->seed));
    json_put(object, "clobber_version", json_text(CLOBBER_VERSION));
    json_put(object, "plaintext", json_boolean(report->plaintext));
    json_put(object, "verdict", verdict_object(report));
    json_put(object, "goal", goal_object(report));
    json_put(object, "control", control_object(report));
    json_put(object, "throughput_per_s", json_number(report->throughput_per_s));
    json_put(object, "duration_ns", json_count(report->duration_ns));
    json_put(object, "warmup_ns", json_count(report->warmup_ns));
    json_put(object, "ledger", ledger_object(report));
    json_put(object, "errors", errors_object(report));
    json_put(object, "statuses", statuses_object(report));
    json_t *connections = json_object();
    json_put(connections, "opened", json_count(report->counters.connections_opened));
    json_put(connections, "reused", json_count(report->counters.connections_reused));
    json_put(object, "connections", connections);
    json_put(object, "latency", latency_object(report));
    json_t *bytes = json_object();
    json_put(bytes, "sent", json_count(report->counters.bytes_sent));
    json_put(bytes, "received", json_count(report->counters.bytes_received));
    json_put(object, "bytes", bytes);
    json_put(object, "requests", requests_array(report));
    json_put(object, "agents", agents_array(report));
    json_put(object, "events", events_array(report));
    json_put(object, "thresholds", thresholds_array(report));
    json_put(object, "target", json_text(report->plan->target));
    json_put(object, "agents_peak", json_count(report->agents_peak));
    json_put(object, "timeout_ns", json_count(report->plan->timeout_ns));
    json_put(object, "longest_timed_out", json_boolean(report->longest_timed_out));
    return object;
}

bool report_json(const struct report *report, FILE *stream, struct error *error)
{
    json_t *object = json_report(report);
    bool well = json_write(object, stream, error);
    json_decref(object);
    return well;
}

bool json_write(const json_t *object, FILE *stream, struct error *error)
{
    int failed =
        json_dumpf(object, stream, JSON_ENSURE_ASCII | JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    if (failed != 0 || fputc('\n', stream) == EOF)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write the result: %s",
                         strerror(errno));
    return true;
}
