/* Connect and close, or send a payload and wait for its answer.
 *
 * A stream has no answers, only bytes, so here is where one ends. When the payload ends with a
 * line, the answer is a line too (Redis, memcached, SMTP); else it is as long as the expected
 * prefix, or, with none, as the payload (an echo). An answer that is whole but does not begin with
 * the prefix leaves the connection usable. */
#include "agent/template.h"
#include "agent/workload.h"
#include "common/base/check.h"
#include "common/base/limits.h"

#include <stdlib.h>

struct configuration {
    const struct assignment *assignment; /* borrowed */
    struct templates *templates;
};

/* Lives in the words of a workload_state: hence may_alias. */
struct __attribute__((may_alias)) state {
    uint64_t taken; /* bytes of the answer so far */
    size_t sent;    /* bytes of the payload */
    uint32_t request;
    bool line;  /* the payload ends with one */
    bool other; /* it does not begin with the prefix */
};
static_assert(sizeof(struct state) <= sizeof(struct workload_state), "no workload allocates");
static_assert(_Alignof(struct state) <= _Alignof(struct workload_state), "the cast is aligned");

/* Whether there is a payload; else connecting is all. */
static bool sends(const struct configuration *configuration, uint32_t kind)
{
    return configuration->assignment->requests[kind].byte_count > 0 ||
           templates_fill(configuration->templates, kind);
}

static bool check_requests(const struct configuration *configuration, struct error *error)
{
    const struct assignment *assignment = configuration->assignment;
    for (uint32_t i = 0; i < assignment->request_count; i++) {
        const struct assignment_request *request = &assignment->requests[i];
        if (!sends(configuration, i) && request->expect_prefix_count > 0)
            return error_set(
                error, ERROR_PLAN, PLACE_NONE,
                "request '%s' expects an answer but sends nothing; give it something to send",
                request->name);
    }
    return true;
}

static void tcp_release(void *memory)
{
    struct configuration *configuration = memory;
    templates_destroy(configuration->templates);
    free(configuration);
}

static size_t tcp_room_bytes(const void *shared)
{
    const struct configuration *configuration = shared;
    return templates_room_bytes(configuration->templates);
}

static void *tcp_configure(const struct assignment *assignment, struct error *error)
{
    struct configuration *configuration = malloc(sizeof *configuration);
    if (configuration == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the tcp workload");
        return NULL;
    }
    configuration->assignment = assignment;
    configuration->templates = templates_create(assignment, error);
    if (configuration->templates != NULL && check_requests(configuration, error))
        return configuration;
    tcp_release(configuration);
    return NULL;
}

static bool closes_after(const struct configuration *configuration, uint32_t kind)
{
    const struct assignment *assignment = configuration->assignment;
    return !sends(configuration, kind) || assignment->requests[kind].reconnect ||
           !assignment->keep_alive;
}

static bool tcp_reuses(const void *shared, uint32_t kind)
{
    const struct configuration *configuration = shared;
    return !closes_after(configuration, kind);
}

static void tcp_begin(const void *shared, const struct workload_turn *turn,
                      struct workload_state *memory, struct workload_request *out)
{
    const struct configuration *configuration = shared;
    CHECK(turn->kind < configuration->assignment->request_count);

    struct state *state = (struct state *)memory;
    struct assignment_bytes payload =
        templates_render(configuration->templates, turn->kind, turn->index, turn->room);
    *state = (struct state){
        .sent = payload.count,
        .request = turn->kind,
        .line = payload.count > 0 && payload.bytes[payload.count - 1] == '\n',
    };
    *out = (struct workload_request){
        .bytes = payload.bytes,
        .byte_count = payload.count,
        .expects_answer = payload.count > 0,
        .close_after = closes_after(configuration, turn->kind),
    };
}

/* Whether the answer ends with `byte`, which is already counted in `taken`. */
static bool ends_with(const struct assignment_request *request, const struct state *state,
                      uint8_t byte)
{
    size_t prefix_count = request->expect_prefix_count;
    if (state->line)
        return byte == '\n' && (state->other || state->taken >= prefix_count);
    return state->taken == (prefix_count > 0 ? prefix_count : state->sent);
}

static enum feed_outcome tcp_feed(const void *shared, struct workload_state *memory,
                                  const uint8_t *bytes, size_t count, struct feed_result *result)
{
    const struct configuration *configuration = shared;
    struct state *state = (struct state *)memory;
    const struct assignment_request *request = &configuration->assignment->requests[state->request];
    CHECK(state->sent > 0);

    *result = (struct feed_result){0};
    while (result->consumed < count) {
        uint8_t byte = bytes[result->consumed++];
        if (state->taken < request->expect_prefix_count &&
            request->expect_prefix[state->taken] != byte) {
            state->other = true;
        }
        state->taken++;
        if (ends_with(request, state, byte)) {
            result->ok = !state->other;
            if (!result->ok)
                result->failure = FAILURE_EXPECTATION;
            result->reusable = !closes_after(configuration, state->request);
            return FEED_DONE;
        }
        if (state->taken > ASSIGNMENT_BYTES_MAX) {
            result->failure = FAILURE_TOO_LARGE;
            return FEED_FAILED;
        }
    }
    return FEED_MORE;
}

static enum feed_outcome tcp_end(const void *configuration, struct workload_state *memory,
                                 struct feed_result *result)
{
    (void)configuration;
    (void)memory;
    *result = (struct feed_result){.failure = FAILURE_CLOSED};
    return FEED_FAILED;
}

const struct workload workload_tcp = {
    .name = "tcp",
    .configure = tcp_configure,
    .release = tcp_release,
    .room_bytes = tcp_room_bytes,
    .reuses = tcp_reuses,
    .begin = tcp_begin,
    .feed = tcp_feed,
    .end = tcp_end,
};
