#include "coordinator/assign.h"

#include "common/base/check.h"
#include "common/version.h"
#include "coordinator/plan_headers.h"
#include "proto/assignment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_PORT 80

/* The plan's own header of that name takes our place. */
static bool is_missing(const struct plan_request *request, const char *name)
{
    return !headers_have(request->headers, name, strlen(name));
}

static void write_host(const struct plan *plan, FILE *stream)
{
    bool brackets = strchr(plan->host, ':') != NULL;
    fprintf(stream, brackets ? "Host: [%s]" : "Host: %s", plan->host);
    if (plan->port != HTTP_PORT)
        fprintf(stream, ":%u", plan->port);
    fputs("\r\n", stream);
}

/* RFC 9110, section 8.6: these say how long their content is even when there is none. */
static bool means_content(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

/* RFC 9112, section 3 and 6; Host comes first, as RFC 9110, section 7.2 asks. */
static void write_http(const struct plan *plan, const struct plan_request *request, FILE *stream)
{
    fprintf(stream, "%s %s HTTP/1.1\r\n", request->method, request->path);
    if (is_missing(request, "Host"))
        write_host(plan, stream);
    if (is_missing(request, "User-Agent"))
        fprintf(stream, "User-Agent: clobber/%s\r\n", CLOBBER_VERSION);
    fputs(request->headers, stream);
    if (request->body_bytes > 0 || means_content(request->method))
        fprintf(stream, "Content-Length: %u\r\n", request->body_bytes);
    if (!plan->keep_alive)
        fputs("Connection: close\r\n", stream);
    fputs("\r\n", stream);
    fwrite(request->body, 1, request->body_bytes, stream);
}

/* All requests behind each other in `buffer` (the caller frees it); assigned[i] borrows its part.
 */
static bool write_requests(const struct plan *plan, struct assignment *assignment, char **buffer,
                           struct error *error)
{
    size_t total = 0;
    size_t ends[REQUEST_NAMES_MAX];
    FILE *stream = open_memstream(buffer, &total);
    if (stream == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "out of memory writing the requests");
    for (uint32_t i = 0; i < plan->request_count; i++) {
        const struct plan_request *request = &plan->requests[i];
        if (plan->scheme == SCHEME_HTTP)
            write_http(plan, request, stream);
        else
            fwrite(request->send, 1, request->send_bytes, stream);
        fflush(stream);
        ends[i] = total;
    }
    if (fclose(stream) != 0)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "out of memory writing the requests");
    for (uint32_t i = 0; i < plan->request_count; i++) {
        size_t start = i == 0 ? 0 : ends[i - 1];
        assignment->requests[i].bytes = (const uint8_t *)*buffer + start;
        assignment->requests[i].byte_count = ends[i] - start;
    }
    return true;
}

/* The largest rate of the plan; 0: the goal is no rate. */
static double rate_max(const struct plan *plan)
{
    const struct schedule *schedule = &plan->schedule;
    double highest = schedule->value;
    if (plan->goal != GOAL_HOLD)
        return 0.0;
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        if (i == 0 || schedule->stages[i].to > highest)
            highest = schedule->stages[i].to;
    }
    return highest;
}

static void fill_requests(const struct plan *plan, struct assignment *assignment)
{
    assignment->request_count = plan->request_count;
    for (uint32_t i = 0; i < plan->request_count; i++) {
        const struct plan_request *request = &plan->requests[i];
        struct assignment_request *assigned = &assignment->requests[i];
        assigned->name = request->name;
        assigned->weight = request->weight;
        assigned->head = strcmp(request->method, "HEAD") == 0;
        assigned->expect_status = request->expect_status;
        assigned->expect_prefix = (const uint8_t *)request->expect_prefix;
        assigned->expect_prefix_count = request->expect_prefix_bytes;
        assigned->reconnect = request->reconnect;
    }
}

bool assign_from_plan(const struct plan *plan, uint8_t *bytes, size_t *byte_count,
                      struct error *error)
{
    CHECK(plan->request_count >= 1);
    struct assignment assignment = {
        .port = plan->port,
        .open_arrivals = plan->goal == GOAL_HOLD && plan->arrivals == ARRIVALS_OPEN,
        .keep_alive = plan->keep_alive,
        .seed = plan->seed,
        .timeout_ns = plan->timeout_ns,
        .phases = plan_phase_count(plan),
        .latency_digest = plan_bound(plan, METRIC_LATENCY_QUANTILE) != NULL,
        .duration_ns = plan->schedule.duration_ns,
        .concurrency_max = plan->concurrency_max,
        .rate_max_per_s = rate_max(plan),
    };
    static const char *const workloads[] = {
        [SCHEME_HTTP] = "http1", [SCHEME_TCP] = "tcp", [SCHEME_REDIS] = "redis"};
    snprintf(assignment.workload, sizeof assignment.workload, "%s", workloads[plan->scheme]);
    snprintf(assignment.host, sizeof assignment.host, "%s", plan->host);
    fill_requests(plan, &assignment);
    char *buffer = NULL;
    bool done = write_requests(plan, &assignment, &buffer, error) &&
                assignment_encode(&assignment, bytes, byte_count, error);
    free(buffer);
    return done;
}
