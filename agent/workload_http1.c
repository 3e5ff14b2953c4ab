/* Requests as bytes once made by the coordinator, slots filled in, with the worker's cookies and
 * redirects; responses judged by their status and what else the plan expects. */
#include "agent/browser.h"
#include "agent/expect.h"
#include "agent/http1.h"
#include "agent/template.h"
#include "agent/workload.h"
#include "common/base/check.h"

#include <stddef.h>
#include <stdlib.h>

/* What all workers share, and where in a worker's room is what: templates come first. */
struct configuration {
    const struct assignment *assignment; /* borrowed */
    struct templates *templates;
    struct expect *expect;
    struct browser_plan browser;
    size_t answer_at, line_at, browser_at, room_bytes;
};

/* Lives in the words of a workload_state: hence may_alias. */
struct __attribute__((may_alias)) state {
    struct http1_response response;
    uint32_t request;
    uint8_t *room; /* NULL: nobody looks at more than the status */
};
static_assert(sizeof(struct state) <= sizeof(struct workload_state), "no workload allocates");
static_assert(_Alignof(struct state) <= _Alignof(struct workload_state), "the cast is aligned");

/* The worker's memory, in parts. */
static struct expect_answer *answer_of(const struct configuration *configuration, uint8_t *room)
{
    return (struct expect_answer *)(void *)(room + configuration->answer_at);
}

static struct header_line *line_of(const struct configuration *configuration, uint8_t *room)
{
    return (struct header_line *)(void *)(room + configuration->line_at);
}

static struct browser *browser_of(const struct configuration *configuration, uint8_t *room)
{
    return (struct browser *)(void *)(room + configuration->browser_at);
}

static bool wants_headers(const struct configuration *configuration, uint32_t request)
{
    return browser_used(&configuration->browser) ||
           expect_wants_headers(configuration->expect, request);
}

static bool wants_body(const struct configuration *configuration, uint32_t request)
{
    return expect_wants_body(configuration->expect, request);
}

/* Appends a part to the room; returns where it begins. */
static size_t lay_out(struct configuration *configuration, size_t bytes)
{
    const size_t unit = _Alignof(max_align_t);
    size_t at = (configuration->room_bytes + unit - 1) / unit * unit;
    configuration->room_bytes = at + bytes;
    return at;
}

static void lay_out_room(struct configuration *configuration)
{
    bool headers = false;
    bool bodies = false;
    for (uint32_t i = 0; i < configuration->assignment->request_count; i++) {
        headers |= wants_headers(configuration, i);
        bodies |= wants_body(configuration, i);
    }
    configuration->room_bytes = templates_room_bytes(configuration->templates);
    if (headers || bodies)
        configuration->answer_at = lay_out(configuration, sizeof(struct expect_answer));
    if (headers)
        configuration->line_at = lay_out(configuration, sizeof(struct header_line));
    if (browser_used(&configuration->browser))
        configuration->browser_at = lay_out(configuration, browser_bytes(&configuration->browser));
}

static struct browser_plan plan_browser(const struct assignment *assignment,
                                        const struct templates *templates)
{
    struct browser_plan plan = {
        .cookies = assignment->http.cookies,
        .redirects_max = assignment->http.redirects_max,
        .origin = {assignment->tls.used ? "https" : "http", assignment->host, assignment->port},
        .source_bytes_max = templates_room_bytes(templates),
    };
    for (uint32_t i = 0; i < assignment->request_count; i++) {
        if (assignment->requests[i].byte_count > plan.source_bytes_max)
            plan.source_bytes_max = assignment->requests[i].byte_count;
    }
    return plan;
}

static void http1_release(void *memory)
{
    struct configuration *configuration = memory;
    if (configuration == NULL)
        return;
    templates_destroy(configuration->templates);
    expect_destroy(configuration->expect);
    free(configuration);
}

static void *http1_configure(const struct assignment *assignment, struct error *error)
{
    for (uint32_t i = 0; i < assignment->request_count; i++) {
        if (assignment->requests[i].byte_count == 0) {
            error_set(error, ERROR_PLAN, PLACE_NONE,
                      "request '%s' has no bytes; an HTTP request has at least its first line",
                      assignment->requests[i].name);
            return NULL;
        }
    }
    struct configuration *configuration = calloc(1, sizeof *configuration);
    if (configuration == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the http1 workload");
        return NULL;
    }
    configuration->assignment = assignment;
    configuration->templates = templates_create(assignment, error);
    if (configuration->templates != NULL)
        configuration->expect = expect_create(assignment, error);
    if (configuration->expect == NULL) {
        http1_release(configuration);
        return NULL;
    }
    configuration->browser = plan_browser(assignment, configuration->templates);
    lay_out_room(configuration);
    return configuration;
}

static size_t http1_room_bytes(const void *shared)
{
    const struct configuration *configuration = shared;
    return configuration->room_bytes;
}

static bool http1_reuses(const void *shared, uint32_t kind)
{
    (void)kind;
    const struct configuration *configuration = shared;
    return configuration->assignment->keep_alive;
}

static struct assignment_bytes next_request(const struct configuration *configuration,
                                            const struct workload_turn *turn)
{
    if (!browser_used(&configuration->browser))
        return templates_render(configuration->templates, turn->kind, turn->index, turn->room);
    struct browser *browser = browser_of(configuration, turn->room);
    if (turn->follows)
        return browser_hop(browser);
    return browser_request(
        &configuration->browser, browser,
        templates_render(configuration->templates, turn->kind, turn->index, turn->room));
}

static void http1_begin_request(const void *shared, const struct workload_turn *turn,
                                struct workload_state *memory, struct workload_request *out)
{
    const struct configuration *configuration = shared;
    const struct assignment *assignment = configuration->assignment;
    uint32_t request = turn->kind;
    CHECK(request < assignment->request_count);

    struct state *state = (struct state *)memory;
    bool headers = wants_headers(configuration, request);
    state->request = request;
    state->room = headers || wants_body(configuration, request) ? turn->room : NULL;
    if (state->room != NULL)
        *answer_of(configuration, state->room) = (struct expect_answer){0};
    if (headers)
        line_of(configuration, state->room)->count = 0;
    http1_begin(&state->response, assignment->requests[request].head);
    struct assignment_bytes whole = next_request(configuration, turn);
    *out = (struct workload_request){
        .bytes = whole.bytes,
        .byte_count = whole.count,
        .expects_answer = true,
        .close_after = !assignment->keep_alive,
    };
}

/* Whom a sink tells: an answer, and what all workers share. */
struct listener {
    const struct configuration *configuration;
    struct state *state;
};

static void hear_header(void *context, const uint8_t *bytes, size_t count, bool ends)
{
    const struct listener *listener = context;
    const struct configuration *configuration = listener->configuration;
    struct state *state = listener->state;
    struct header_field field;
    if (!header_line_take(line_of(configuration, state->room), bytes, count, ends, &field))
        return;
    expect_header(configuration->expect, state->request, answer_of(configuration, state->room),
                  &field);
    if (browser_used(&configuration->browser))
        browser_header(&configuration->browser, browser_of(configuration, state->room),
                       state->response.status, &field);
}

static void hear_body(void *context, const uint8_t *bytes, size_t count)
{
    const struct listener *listener = context;
    struct state *state = listener->state;
    expect_body(listener->configuration->expect, state->request,
                answer_of(listener->configuration, state->room), bytes, count);
}

static enum http1_outcome feed(const struct configuration *configuration, struct state *state,
                               const uint8_t *bytes, size_t count, struct feed_result *result)
{
    if (state->room == NULL)
        return http1_feed(&state->response, bytes, count, &result->consumed, &result->failure);
    struct listener listener = {configuration, state};
    const struct http1_sink sink = {
        .context = &listener,
        .header = wants_headers(configuration, state->request) ? hear_header : NULL,
        .body = wants_body(configuration, state->request) ? hear_body : NULL,
    };
    return http1_feed_to(&state->response, bytes, count, &result->consumed, &result->failure,
                         &sink);
}

static bool is_followed(const struct configuration *configuration, const struct state *state)
{
    return browser_used(&configuration->browser) &&
           browser_follow(&configuration->browser, browser_of(configuration, state->room),
                          state->response.status);
}

/* The answer is whole: was it the one we wanted? One that only shows the way is. */
static void judge(const struct configuration *configuration, const struct state *state,
                  struct feed_result *result)
{
    const struct expect *expect = configuration->expect;
    result->status = state->response.status;
    result->reusable = configuration->assignment->keep_alive && http1_reusable(&state->response);
    result->followed = is_followed(configuration, state);
    result->ok = true;
    if (result->followed)
        return;
    bool met = state->room == NULL ||
               expect_met(expect, state->request, answer_of(configuration, state->room));
    bool good = expect_status(expect, state->request, result->status);
    result->ok = good && met;
    if (!result->ok)
        result->failure = good ? FAILURE_EXPECTATION : FAILURE_STATUS;
}

static enum feed_outcome outcome_of(enum http1_outcome outcome,
                                    const struct configuration *configuration,
                                    const struct state *state, struct feed_result *result)
{
    switch (outcome) {
    case HTTP1_MORE:
        return FEED_MORE;
    case HTTP1_DONE:
        judge(configuration, state, result);
        return FEED_DONE;
    case HTTP1_FAILED:
        break;
    }
    return FEED_FAILED;
}

static enum feed_outcome http1_feed_bytes(const void *configuration, struct workload_state *memory,
                                          const uint8_t *bytes, size_t count,
                                          struct feed_result *result)
{
    struct state *state = (struct state *)memory;
    *result = (struct feed_result){0};
    return outcome_of(feed(configuration, state, bytes, count, result), configuration, state,
                      result);
}

static enum feed_outcome http1_end_of_bytes(const void *configuration,
                                            struct workload_state *memory,
                                            struct feed_result *result)
{
    struct state *state = (struct state *)memory;
    *result = (struct feed_result){0};
    return outcome_of(http1_end(&state->response, &result->failure), configuration, state, result);
}

const struct workload workload_http1 = {
    .name = "http1",
    .configure = http1_configure,
    .release = http1_release,
    .room_bytes = http1_room_bytes,
    .reuses = http1_reuses,
    .begin = http1_begin_request,
    .feed = http1_feed_bytes,
    .end = http1_end_of_bytes,
};
