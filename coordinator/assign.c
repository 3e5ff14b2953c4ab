#include "coordinator/assign.h"

#include "common/base/check.h"
#include "common/version.h"
#include "coordinator/plan_command.h"
#include "coordinator/plan_expect.h"
#include "coordinator/plan_headers.h"
#include "coordinator/template.h"
#include "proto/assignment.h"
#include "proto/membership.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_PORT  80
#define HTTPS_PORT 443

/* The plan's own header of that name takes our place. */
static bool is_missing(const struct plan_request *request, const char *name)
{
    return !headers_have(request->headers, name, strlen(name));
}

static void write_host(const struct plan *plan, FILE *stream)
{
    bool brackets = strchr(plan->host, ':') != NULL;
    fprintf(stream, brackets ? "Host: [%s]" : "Host: %s", plan->host);
    if (plan->port != (plan->tls ? HTTPS_PORT : HTTP_PORT))
        fprintf(stream, ":%u", plan->port);
    fputs("\r\n", stream);
}

/* RFC 9110, section 8.6: these say how long their content is even when there is none. */
static bool means_content(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

/* One request on its way into the stream, with its slots. */
struct writer {
    const struct plan *plan;
    struct assignment *assignment;
    FILE *stream;
    long start; /* where it begins there */
    uint32_t index;
};

static void write_template(const struct writer *writer, enum template_use use, const char *text,
                           size_t text_bytes)
{
    template_write(writer->plan, use, text, text_bytes, writer->stream, writer->start,
                   writer->index, writer->assignment);
}

static uint32_t position(const struct writer *writer)
{
    return (uint32_t)(ftell(writer->stream) - writer->start);
}

static void write_headers(const struct writer *writer, const char *headers)
{
    struct header header;
    while (header_next(&headers, &header)) {
        fprintf(writer->stream, "%.*s: ", (int)header.name_bytes, header.name);
        write_template(writer, TEMPLATE_HEADER, header.value, header.value_bytes);
        fputs("\r\n", writer->stream);
    }
}

/* The length of `text`, which is to come: in digits; or, when it is filled in, as a slot that is to
 * be told where it stands. NULL: in digits. */
static struct assignment_slot *write_length(const struct writer *writer, const char *text,
                                            size_t text_bytes)
{
    size_t bytes;
    struct assignment *assignment = writer->assignment;
    if (template_measure(writer->plan, TEMPLATE_BODY, text, text_bytes, &bytes) == 0) {
        fprintf(writer->stream, "%zu", bytes);
        return NULL;
    }
    CHECK(assignment->slot_count < SLOTS_MAX);
    struct assignment_slot *length = &assignment->slots[assignment->slot_count++];
    *length = (struct assignment_slot){
        .request = writer->index, .offset = position(writer), .kind = SLOT_LENGTH};
    return length;
}

/* The text whose length was written before it. */
static void write_measured(const struct writer *writer, const char *text, size_t text_bytes,
                           struct assignment_slot *length)
{
    uint32_t start = position(writer);
    write_template(writer, TEMPLATE_BODY, text, text_bytes);
    if (length != NULL) {
        length->least = start;
        length->most = position(writer);
    }
}

/* The words of a command in RESP; templates within them make other lengths than the plan's. */
static void write_command(const struct writer *writer, const struct plan_request *request)
{
    const char *at = request->send;
    const char *end = at + request->send_bytes;
    struct command_word word;
    fwrite(at, 1, strcspn(at, "$"), writer->stream); /* how many there are */
    while (command_next(&at, end, &word)) {
        fputc('$', writer->stream);
        struct assignment_slot *length = write_length(writer, word.text, word.bytes);
        fputs("\r\n", writer->stream);
        write_measured(writer, word.text, word.bytes, length);
        fputs("\r\n", writer->stream);
    }
}

/* RFC 9112, section 3 and 6; Host comes first, as RFC 9110, section 7.2 asks. */
static void write_http(const struct writer *writer, const struct plan_request *request)
{
    FILE *stream = writer->stream;
    struct assignment_slot *length = NULL;
    fprintf(stream, "%s ", request->method);
    write_template(writer, TEMPLATE_PATH, request->path, strlen(request->path));
    fputs(" HTTP/1.1\r\n", stream);
    if (is_missing(request, "Host"))
        write_host(writer->plan, stream);
    if (is_missing(request, "User-Agent"))
        fprintf(stream, "User-Agent: clobber/%s\r\n", CLOBBER_VERSION);
    write_headers(writer, request->headers);
    if (request->body_bytes > 0 || means_content(request->method)) {
        fputs("Content-Length: ", stream);
        length = write_length(writer, request->body, request->body_bytes);
        fputs("\r\n", stream);
    }
    if (!writer->plan->keep_alive)
        fputs("Connection: close\r\n", stream);
    fputs("\r\n", stream);
    write_measured(writer, request->body, request->body_bytes, length);
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
        struct writer writer = {plan, assignment, stream, ftell(stream), i};
        if (plan->scheme == SCHEME_HTTP)
            write_http(&writer, request);
        else if (plan->scheme == SCHEME_REDIS)
            write_command(&writer, request);
        else
            write_template(&writer, TEMPLATE_BODY, request->send, request->send_bytes);
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
        assigned->expect_prefix = (const uint8_t *)request->expect_prefix;
        assigned->expect_prefix_count = request->expect_prefix_bytes;
        assigned->reconnect = request->reconnect;
        plan_expect_assign(request, i, assignment);
    }
}

static void fill_http(const struct plan *plan, struct assignment *assignment)
{
    struct assignment_http *http = &assignment->http;
    http->redirects_max = plan->redirects_max;
    http->cookies = plan->cookies;
    http->think_least_ns = plan->think.least_ns;
    http->think_most_ns = plan->think.most_ns;
    if (plan->scheme == SCHEME_HTTP && plan->http_version == HTTP_VERSION_2)
        http->streams = plan->streams;
    http->used =
        http->redirects_max > 0 || http->cookies || http->think_most_ns > 0 || http->streams > 0;
}

static struct assignment_bytes bytes_of(const char *text)
{
    return (struct assignment_bytes){(const uint8_t *)text, strlen(text)};
}

static struct assignment_options options_of(const struct plan *plan)
{
    return (struct assignment_options){
        .used = true, .plugin = bytes_of(plan->plugin), .text = bytes_of(plan->plugin_options)};
}

static void fill_data(const struct plan *plan, struct assignment *assignment,
                      uint8_t (*digests)[DIGEST_BYTES])
{
    assignment->data_count = plan->data_count;
    for (uint32_t i = 0; i < plan->data_count; i++) {
        const struct plan_data *data = &plan->data[i];
        assignment_digest(data->block, data->block_bytes, digests[i]);
        assignment->data[i] = (struct assignment_data){
            .name = {(const uint8_t *)data->name, strlen(data->name)},
            .order = data->order,
            .byte_count = data->block_bytes,
            .digest = {digests[i], DIGEST_BYTES},
        };
    }
}

/* Only what differs from what every agent does: who asks for nothing, needs no newer agent. */
static struct assignment_connection connection_of(const struct plan *plan)
{
    struct assignment_connection connection = {
        .connect_timeout_ns = plan->connect_timeout_ns,
        .first_byte_timeout_ns = plan->first_byte_timeout_ns,
        .lifetime_ns = plan->connection_age_ns,
        .requests_max = plan->connection_requests,
        .resolve_every_ns = plan->resolve_every_ns,
        .unix_path = {(const uint8_t *)plan->unix_path, strlen(plan->unix_path)},
    };
    connection.used = connection.connect_timeout_ns > 0 || connection.first_byte_timeout_ns > 0 ||
                      connection.lifetime_ns > 0 || connection.requests_max > 0 ||
                      connection.resolve_every_ns > 0 || connection.unix_path.count > 0;
    return connection;
}

static void fill_tls(const struct plan *plan, struct assignment *assignment)
{
    if (!plan->tls)
        return;
    assignment->tls = (struct assignment_tls){
        .used = true,
        .verify = plan->tls_options.verify,
        .resumption = plan->tls_options.resumption,
        .server_name = bytes_of(plan->tls_options.server_name),
        .authority = bytes_of(plan->tls_options.authority),
        .certificate = bytes_of(plan->tls_options.certificate),
        .key = bytes_of(plan->tls_options.key),
    };
}

bool assign_from_plan(const struct plan *plan, uint8_t *bytes, size_t *byte_count,
                      struct error *error)
{
    CHECK(plan->request_count >= 1);
    struct assignment assignment = {
        .port = plan->port,
        .open_arrivals = plan->goal == GOAL_HOLD && plan->arrivals == ARRIVALS_OPEN,
        .scatter.used = plan->goal == GOAL_HOLD && plan->spacing == SPACING_POISSON,
        .keep_alive = plan->keep_alive,
        .seed = plan->seed,
        .timeout_ns = plan->timeout_ns,
        .phases = plan_phase_count(plan),
        .latency_digest = plan_bound(plan, METRIC_LATENCY_QUANTILE) != NULL,
        .duration_ns = plan->schedule.duration_ns,
        .concurrency_max = plan->concurrency_max,
        .rate_max_per_s = rate_max(plan),
        .connection = connection_of(plan),
        .numbering = {.used = plan_numbers(plan), .total = plan->requests_total},
    };
    static const char *const workloads[] = {
        [SCHEME_HTTP] = "http1", [SCHEME_TCP] = "tcp", [SCHEME_REDIS] = "redis"};
    snprintf(assignment.workload, sizeof assignment.workload, "%s", workloads[plan->scheme]);
    if (plan->scheme == SCHEME_REDIS && plan->pipeline > 1)
        assignment.options = (struct assignment_options){.used = true, .pipeline = plan->pipeline};
    if (plan->plugin[0] != '\0') {
        snprintf(assignment.workload, sizeof assignment.workload, "plugin");
        assignment.options = options_of(plan);
    }
    snprintf(assignment.host, sizeof assignment.host, "%s", plan->host);
    uint8_t digests[DATA_FILES_MAX][DIGEST_BYTES];
    fill_data(plan, &assignment, digests);
    fill_requests(plan, &assignment);
    fill_tls(plan, &assignment);
    fill_http(plan, &assignment);
    char *buffer = NULL;
    bool done = write_requests(plan, &assignment, &buffer, error) &&
                assignment_encode(&assignment, bytes, byte_count, error);
    free(buffer);
    return done;
}
