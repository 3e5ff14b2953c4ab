/* A workload from a shared object that the agent's owner allows: <clobber/plugin.h>. */
#include "agent/plugin.h"
#include "agent/workload.h"
#include "common/base/check.h"

#include <clobber/plugin.h>
#include <stdlib.h>
#include <string.h>

struct configuration {
    const struct clobber_plugin *plugin;
    void *own; /* the plugin's */
};

/* Lives in the words of a workload_state: hence may_alias. */
struct __attribute__((may_alias)) state {
    void *memory; /* the worker's room */
    bool hang_up; /* its request came with a connection of its own */
};
static_assert(sizeof(struct state) <= sizeof(struct workload_state), "no workload allocates");
static_assert(_Alignof(struct state) <= _Alignof(struct workload_state), "the cast is aligned");

static const struct clobber_plugin *find(const struct assignment *assignment, struct error *error)
{
    struct assignment_bytes name = assignment->options.plugin;
    const struct clobber_plugin *plugin = plugin_find((const char *)name.bytes, name.count);
    if (plugin == NULL) {
        error_set(error, ERROR_PLAN, PLACE_NONE,
                  "this agent has no plugin '%.*s'; its owner allows one by --plugin FILE",
                  (int)name.count, (const char *)name.bytes);
    }
    return plugin;
}

static void *plugin_configure(const struct assignment *assignment, struct error *error)
{
    const struct clobber_plugin *plugin = find(assignment, error);
    struct configuration *configuration = plugin != NULL ? malloc(sizeof *configuration) : NULL;
    if (configuration == NULL) {
        if (plugin != NULL)
            error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a plugin");
        return NULL;
    }
    char mistake[160] = "";
    struct assignment_bytes text = assignment->options.text;
    configuration->plugin = plugin;
    configuration->own =
        plugin->configure((const char *)text.bytes, text.count, mistake, sizeof mistake);
    if (configuration->own == NULL) {
        mistake[sizeof mistake - 1] = '\0';
        error_set(error, ERROR_PLAN, PLACE_NONE, "plugin '%s': %s", plugin->name,
                  mistake[0] != '\0' ? mistake : "it refuses its options");
        free(configuration);
        return NULL;
    }
    return configuration;
}

static void plugin_release(void *shared)
{
    struct configuration *configuration = shared;
    configuration->plugin->release(configuration->own);
    free(configuration);
}

static size_t plugin_room_bytes(const void *shared)
{
    return ((const struct configuration *)shared)->plugin->memory_bytes;
}

static bool plugin_reuses(const void *shared, uint32_t kind)
{
    (void)shared;
    (void)kind;
    return true; /* until a request says otherwise */
}

static void plugin_begin(const void *shared, const struct workload_turn *turn,
                         struct workload_state *memory, struct workload_request *out)
{
    const struct configuration *configuration = shared;
    struct state *state = (struct state *)memory;
    struct clobber_plugin_request request = {.bytes = sizeof request};
    configuration->plugin->begin(configuration->own, turn->room, turn->index, &request);
    *state = (struct state){.memory = turn->room, .hang_up = request.reconnect};
    *out = (struct workload_request){
        .bytes = request.send,
        .byte_count = request.send_bytes,
        .expects_answer = !request.no_answer,
        .close_after = request.reconnect,
    };
}

/* What the plugin said of an answer, of which it was given `count` bytes. */
static enum feed_outcome judge(const struct state *state, enum clobber_plugin_outcome outcome,
                               const struct clobber_plugin_answer *answer, size_t count,
                               enum failure failure, struct feed_result *result)
{
    *result = (struct feed_result){.consumed = count};
    switch (outcome) {
    case CLOBBER_PLUGIN_MORE:
        return FEED_MORE;
    case CLOBBER_PLUGIN_DONE:
        result->consumed = answer->consumed < count ? answer->consumed : count;
        result->ok = !answer->wrong;
        result->failure = FAILURE_EXPECTATION;
        result->reusable = !answer->hang_up && !state->hang_up;
        return FEED_DONE;
    case CLOBBER_PLUGIN_FAILED:
        break;
    }
    result->failure = failure;
    return FEED_FAILED;
}

static enum feed_outcome plugin_feed(const void *shared, struct workload_state *memory,
                                     const uint8_t *bytes, size_t count, struct feed_result *result)
{
    const struct configuration *configuration = shared;
    const struct state *state = (const struct state *)memory;
    struct clobber_plugin_answer answer = {.bytes = sizeof answer};
    enum clobber_plugin_outcome outcome =
        configuration->plugin->feed(configuration->own, state->memory, bytes, count, &answer);
    return judge(state, outcome, &answer, count, FAILURE_MALFORMED, result);
}

static enum feed_outcome plugin_end(const void *shared, struct workload_state *memory,
                                    struct feed_result *result)
{
    const struct configuration *configuration = shared;
    const struct state *state = (const struct state *)memory;
    struct clobber_plugin_answer answer = {.bytes = sizeof answer};
    enum clobber_plugin_outcome outcome = CLOBBER_PLUGIN_FAILED;
    if (configuration->plugin->end != NULL)
        outcome = configuration->plugin->end(configuration->own, state->memory, &answer);
    if (outcome == CLOBBER_PLUGIN_MORE)
        outcome = CLOBBER_PLUGIN_FAILED; /* there is no more */
    return judge(state, outcome, &answer, 0, FAILURE_CLOSED, result);
}

const struct workload workload_plugin = {
    .name = "plugin",
    .configure = plugin_configure,
    .release = plugin_release,
    .room_bytes = plugin_room_bytes,
    .reuses = plugin_reuses,
    .begin = plugin_begin,
    .feed = plugin_feed,
    .end = plugin_end,
};
