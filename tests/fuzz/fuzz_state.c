/* Any bytes as the state that a dead coordinator left: read within bounds, and a run that takes up
 * what is believed of them goes on to its end. The first byte tells which: 0, the bytes are a whole
 * file; else they are a row of messages, two bytes for the length of each. */
#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/session.h"
#include "coordinator/state.h"

#include <string.h>

static char nothing[] = "";

static const struct plan plan = {.path = nothing,
                                 .text = nothing,
                                 .name = nothing,
                                 .target = nothing,
                                 .host = nothing,
                                 .target_path = nothing,
                                 .goal = GOAL_HOLD,
                                 .arrivals = ARRIVALS_OPEN,
                                 .tolerance = 0.01,
                                 .schedule = {.value = 100.0, .duration_ns = 4 * NS_PER_S},
                                 .concurrency_max = 10,
                                 .agents_min = 1,
                                 .timeout_ns = NS_PER_S,
                                 .keep_alive = true,
                                 .request_count = 1};

static void ignore(void *context, const struct session_action *action)
{
    bool *ended = context;
    *ended = *ended || action->kind == SESSION_END;
}

static bool recall(void *context, uint64_t moment_ns, const struct message *message,
                   struct error *error)
{
    return session_recall(context, moment_ns, message, error);
}

static void recall_row(struct session *session, const uint8_t *bytes, size_t count)
{
    struct error error = {0};
    for (size_t at = 0; count - at >= 2;) {
        size_t length = (size_t)bytes[at] << 8 | bytes[at + 1];
        struct message message;
        at += 2;
        length = length < count - at ? length : count - at;
        if (message_decode(bytes + at, length, &message, &error))
            session_recall(session, bytes[at] * NS_PER_S, &message, &error);
        at += length;
    }
}

static void count_kept(void *context, uint64_t moment_ns, const struct message *message)
{
    state_add(context, moment_ns, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const uint8_t assignment[4] = {0x9c};
    struct session_config config = {.plan = &plan,
                                    .assignment = assignment,
                                    .assignment_bytes = sizeof assignment,
                                    .epoch = 2,
                                    .agents_expect = 1,
                                    .wait_ns = 3 * NS_PER_S,
                                    .lease_ms = LEASE_MS_MIN};
    struct error error = {0};
    struct state_bytes again = {0};
    bool ended = false;
    if (count < 1)
        return 0;
    memset(config.run_id, 0xaa, sizeof config.run_id);
    struct session *session = session_create(&config, &error);
    CHECK(session != NULL);
    struct state_head head;
    if (bytes[0] == 0 && state_read_head(bytes + 1, count - 1, &head, &error))
        state_read(bytes + 1, count - 1, recall, session, &error);
    else if (bytes[0] != 0)
        recall_row(session, bytes + 1, count - 1);
    session_resume(session,
                   &(struct session_past){.load_began_ns = NS_PER_S, .ended_ns = 2 * NS_PER_S});
    for (uint64_t now_ns = 3 * NS_PER_S; !ended && now_ns < 30 * NS_PER_S;
         now_ns += TICK_MS * NS_PER_MS)
        session_step(session, now_ns, &(struct session_event){.kind = SESSION_TICK}, ignore,
                     &ended);
    CHECK(ended);
    state_begin(&again, &(struct state_head){.boot = "here"});
    session_remember(session, count_kept, &again);
    state_bytes_done(&again);
    session_destroy(session);
    return 0;
}
