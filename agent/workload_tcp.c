/* Connect and close, or send a payload and wait for its answer.
 *
 * A stream has no answers, only bytes, so here is where one ends. When the payload ends with a
 * line, the answer is a line too (Redis, memcached, SMTP); else it is as long as the expected
 * prefix, or, with none, as the payload (an echo). An answer that is whole but does not begin with
 * the prefix leaves the connection usable. */
#include "agent/workload.h"
#include "common/base/check.h"
#include "common/base/limits.h"

#include <stdlib.h>

struct configuration {
    const struct assignment *assignment; /* borrowed */
};

/* Lives in the words of a workload_state: hence may_alias. */
struct __attribute__((may_alias)) state {
    uint64_t taken; /* bytes of the answer so far */
    uint32_t request;
    bool other; /* it does not begin with the prefix */
};
static_assert(sizeof(struct state) <= sizeof(struct workload_state), "no workload allocates");
static_assert(_Alignof(struct state) <= _Alignof(struct workload_state), "the cast is aligned");

static void *tcp_configure(const struct assignment *assignment, struct error *error)
{
    for (uint32_t i = 0; i < assignment->request_count; i++) {
        const struct assignment_request *request = &assignment->requests[i];
        if (request->byte_count == 0 && request->expect_prefix_count > 0) {
            error_set(error, ERROR_PLAN, PLACE_NONE,
                      "request '%s' expects an answer but sends nothing; give it something to send",
                      request->name);
            return NULL;
        }
    }
    struct configuration *configuration = malloc(sizeof *configuration);
    if (configuration == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the tcp workload");
        return NULL;
    }
    configuration->assignment = assignment;
    return configuration;
}

static void tcp_release(void *configuration)
{
    free(configuration);
}

static bool closes_after(const struct assignment *assignment,
                         const struct assignment_request *request)
{
    return request->byte_count == 0 || request->reconnect || !assignment->keep_alive;
}

static bool tcp_reuses(const void *shared, uint32_t kind)
{
    const struct configuration *configuration = shared;
    return !closes_after(configuration->assignment, &configuration->assignment->requests[kind]);
}

static void tcp_begin(const void *shared, const struct workload_turn *turn,
                      struct workload_state *memory, struct workload_request *out)
{
    const struct configuration *configuration = shared;
    CHECK(turn->kind < configuration->assignment->request_count);

    const struct assignment_request *request = &configuration->assignment->requests[turn->kind];
    struct state *state = (struct state *)memory;
    *state = (struct state){.request = turn->kind};
    *out = (struct workload_request){
        .bytes = request->bytes,
        .byte_count = request->byte_count,
        .expects_answer = request->byte_count > 0,
        .close_after = closes_after(configuration->assignment, request),
    };
}

/* Whether the answer ends with `byte`, which is already counted in `taken`. */
static bool ends_with(const struct assignment_request *request, const struct state *state,
                      uint8_t byte)
{
    size_t prefix_count = request->expect_prefix_count;
    if (request->bytes[request->byte_count - 1] == '\n')
        return byte == '\n' && (state->other || state->taken >= prefix_count);
    return state->taken == (prefix_count > 0 ? prefix_count : request->byte_count);
}

static enum feed_outcome tcp_feed(const void *shared, struct workload_state *memory,
                                  const uint8_t *bytes, size_t count, struct feed_result *result)
{
    const struct configuration *configuration = shared;
    struct state *state = (struct state *)memory;
    const struct assignment_request *request = &configuration->assignment->requests[state->request];
    CHECK(request->byte_count > 0);

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
            result->reusable = !closes_after(configuration->assignment, request);
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
    .reuses = tcp_reuses,
    .begin = tcp_begin,
    .feed = tcp_feed,
    .end = tcp_end,
};
