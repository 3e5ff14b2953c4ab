/* Requests as bytes once made by the coordinator, slots filled in; responses judged by their
 * status.
 */
#include "agent/http1.h"
#include "agent/template.h"
#include "agent/workload.h"
#include "common/base/check.h"

#include <stdlib.h>

struct configuration {
    const struct assignment *assignment; /* borrowed */
    struct templates *templates;
};

/* Lives in the words of a workload_state: hence may_alias. */
struct __attribute__((may_alias)) state {
    struct http1_response response;
    uint32_t request;
};
static_assert(sizeof(struct state) <= sizeof(struct workload_state), "no workload allocates");
static_assert(_Alignof(struct state) <= _Alignof(struct workload_state), "the cast is aligned");

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
    struct configuration *configuration = malloc(sizeof *configuration);
    if (configuration == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the http1 workload");
        return NULL;
    }
    configuration->assignment = assignment;
    configuration->templates = templates_create(assignment, error);
    if (configuration->templates != NULL)
        return configuration;
    free(configuration);
    return NULL;
}

static void http1_release(void *memory)
{
    struct configuration *configuration = memory;
    templates_destroy(configuration->templates);
    free(configuration);
}

static size_t http1_room_bytes(const void *shared)
{
    const struct configuration *configuration = shared;
    return templates_room_bytes(configuration->templates);
}

static bool http1_reuses(const void *shared, uint32_t kind)
{
    (void)kind;
    const struct configuration *configuration = shared;
    return configuration->assignment->keep_alive;
}

static void http1_begin_request(const void *shared, const struct workload_turn *turn,
                                struct workload_state *memory, struct workload_request *out)
{
    const struct configuration *configuration = shared;
    const struct assignment *assignment = configuration->assignment;
    uint32_t request = turn->kind;
    CHECK(request < assignment->request_count);

    struct state *state = (struct state *)memory;
    state->request = request;
    http1_begin(&state->response, assignment->requests[request].head);
    struct assignment_bytes whole =
        templates_render(configuration->templates, request, turn->index, turn->room);
    *out = (struct workload_request){
        .bytes = whole.bytes,
        .byte_count = whole.count,
        .expects_answer = true,
        .close_after = !assignment->keep_alive,
    };
}

/* The answer is whole: was it the one we wanted? */
static void judge(const struct configuration *configuration, const struct state *state,
                  struct feed_result *result)
{
    const struct assignment *assignment = configuration->assignment;
    uint16_t expected = assignment->requests[state->request].expect_status;
    result->status = state->response.status;
    result->ok = expected == 0 ? result->status < 400 : result->status == expected;
    if (!result->ok)
        result->failure = FAILURE_STATUS;
    result->reusable = assignment->keep_alive && http1_reusable(&state->response);
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
    return outcome_of(
        http1_feed(&state->response, bytes, count, &result->consumed, &result->failure),
        configuration, state, result);
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
