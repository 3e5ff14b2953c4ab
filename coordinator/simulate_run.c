#include "coordinator/simulate.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/control/random.h"
#include "coordinator/simulate_agents.h"

#include <stdio.h>
#include <string.h>

#define TICK_NS (TICK_MS * NS_PER_MS)

struct running {
    const struct simulation *simulation;
    struct simulate_agents *agents;
    uint64_t now_ns;
    bool ended;
    char trouble[SENTENCE_BYTES]; /* a sink failed within this step; "" when none has */
};

static void perform(void *context, const struct session_action *action)
{
    struct running *running = context;
    switch (action->kind) {
    case SESSION_SEND:
        simulate_agents_send(running->agents, running->now_ns, &action->peer, action->message);
        break;
    case SESSION_KEEP: /* nothing outlives a simulation */
    case SESSION_SAVE:
        break;
    case SESSION_SHOW:
    case SESSION_EVENT:
        sinks_show(running->simulation->sinks, running->simulation->sink_count, action->tick,
                   action->event, running->trouble);
        break;
    case SESSION_END:
        running->ended = true;
        break;
    }
}

static void step(struct running *running, uint64_t now_ns, struct session_event event)
{
    struct session *session = running->simulation->session;
    running->now_ns = now_ns;
    session_step(session, now_ns, &event, perform, running);
    if (running->trouble[0] == '\0')
        return;
    char sentence[SENTENCE_BYTES];
    snprintf(sentence, sizeof sentence, "%s", running->trouble);
    running->trouble[0] = '\0';
    event = (struct session_event){.kind = SESSION_SINK_FAILED, .sentence = sentence};
    session_step(session, now_ns, &event, perform, running);
}

static void deliver(void *context, uint64_t now_ns, const struct peer_id *from,
                    const struct message *message)
{
    step(context, now_ns,
         (struct session_event){.kind = SESSION_MESSAGE, .peer = from, .message = message});
}

static bool is_loaded(const struct session *session)
{
    return session_state(session) == SESSION_WARMING || session_state(session) == SESSION_RUNNING;
}

void simulation_run(const struct simulation *simulation)
{
    struct running running = {.simulation = simulation};
    running.agents = simulate_agents_create(simulation->plan, simulation->plant, simulation->agents,
                                            simulation->seed);
    bool begun = false;
    for (uint64_t now_ns = SIMULATED_FROM_NS; !running.ended; now_ns += TICK_NS) {
        simulate_agents_run(running.agents, now_ns, deliver, &running);
        step(&running, now_ns, (struct session_event){.kind = SESSION_TICK});
        if (!begun && is_loaded(simulation->session)) {
            begun = true;
            simulate_agents_begin(running.agents, now_ns);
        }
    }
    simulate_agents_destroy(running.agents);
}

void simulation_run_id(uint64_t seed, uint8_t run_id[ID_BYTES])
{
    struct random random = {.state = seed};
    uint64_t words[2] = {random_next(&random), random_next(&random)};
    static_assert(sizeof words == ID_BYTES, "an id of two words");
    memcpy(run_id, words, ID_BYTES);
}
