/* Redis: commands encoded once by the coordinator, answers followed to their end. An answer that is
 * an error fails its request and leaves the connection usable; with an expected prefix, that alone
 * decides. */
#include "agent/resp.h"
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
    struct resp_answer answer;
    uint32_t request;
    uint32_t prefix_taken; /* bytes of the expected prefix that have been compared */
    bool other;            /* it does not begin with the prefix */
};
static_assert(sizeof(struct state) <= sizeof(struct workload_state), "no workload allocates");
static_assert(_Alignof(struct state) <= _Alignof(struct workload_state), "the cast is aligned");

static void *redis_configure(const struct assignment *assignment, struct error *error)
{
    for (uint32_t i = 0; i < assignment->request_count; i++) {
        if (assignment->requests[i].byte_count == 0) {
            error_set(error, ERROR_PLAN, PLACE_NONE,
                      "request '%s' has no bytes; a command has at least its name",
                      assignment->requests[i].name);
            return NULL;
        }
    }
    struct configuration *configuration = malloc(sizeof *configuration);
    if (configuration == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the redis workload");
        return NULL;
    }
    configuration->assignment = assignment;
    configuration->templates = templates_create(assignment, error);
    if (configuration->templates != NULL)
        return configuration;
    free(configuration);
    return NULL;
}

static void redis_release(void *memory)
{
    struct configuration *configuration = memory;
    templates_destroy(configuration->templates);
    free(configuration);
}

static size_t redis_room_bytes(const void *shared)
{
    const struct configuration *configuration = shared;
    return templates_room_bytes(configuration->templates);
}

static bool redis_reuses(const void *shared, uint32_t kind)
{
    const struct configuration *configuration = shared;
    return !configuration->assignment->requests[kind].reconnect;
}

static void redis_begin(const void *shared, const struct workload_turn *turn,
                        struct workload_state *memory, struct workload_request *out)
{
    const struct configuration *configuration = shared;
    CHECK(turn->kind < configuration->assignment->request_count);

    const struct assignment_request *request = &configuration->assignment->requests[turn->kind];
    struct state *state = (struct state *)memory;
    *state = (struct state){.request = turn->kind};
    resp_begin(&state->answer);
    struct assignment_bytes whole =
        templates_render(configuration->templates, turn->kind, turn->index, turn->room);
    *out = (struct workload_request){
        .bytes = whole.bytes,
        .byte_count = whole.count,
        .expects_answer = true,
        .close_after = request->reconnect,
    };
}

static void compare_prefix(const struct assignment_request *request, struct state *state,
                           const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count && state->prefix_taken < request->expect_prefix_count; i++)
        state->other |= request->expect_prefix[state->prefix_taken++] != bytes[i];
}

/* The answer is whole: was it the one we wanted? */
static void judge(const struct assignment_request *request, const struct state *state,
                  struct feed_result *result)
{
    if (request->expect_prefix_count > 0)
        result->ok = !state->other && state->prefix_taken == request->expect_prefix_count;
    else
        result->ok = !state->answer.is_error;
    if (!result->ok)
        result->failure = FAILURE_EXPECTATION;
    result->reusable = !request->reconnect;
}

static enum feed_outcome redis_feed(const void *shared, struct workload_state *memory,
                                    const uint8_t *bytes, size_t count, struct feed_result *result)
{
    const struct configuration *configuration = shared;
    struct state *state = (struct state *)memory;
    const struct assignment_request *request = &configuration->assignment->requests[state->request];
    *result = (struct feed_result){0};
    enum resp_outcome outcome =
        resp_feed(&state->answer, bytes, count, &result->consumed, &result->failure);
    compare_prefix(request, state, bytes, result->consumed);
    if (outcome == RESP_FAILED)
        return FEED_FAILED;
    if (outcome == RESP_MORE)
        return FEED_MORE;
    judge(request, state, result);
    return FEED_DONE;
}

static enum feed_outcome redis_end(const void *configuration, struct workload_state *memory,
                                   struct feed_result *result)
{
    (void)configuration;
    (void)memory;
    *result = (struct feed_result){.failure = FAILURE_CLOSED};
    return FEED_FAILED;
}

const struct workload workload_redis = {
    .name = "redis",
    .configure = redis_configure,
    .release = redis_release,
    .room_bytes = redis_room_bytes,
    .reuses = redis_reuses,
    .begin = redis_begin,
    .feed = redis_feed,
    .end = redis_end,
};
