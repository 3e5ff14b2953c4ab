#include "coordinator/session_parts.h"

static void note_load(struct session *session, struct agent *agent)
{
    struct under_load *load = &agent->load;
    bool given = agent->order.concurrency_milli > 0 && session->start_ns > 0;
    if (load->from_t == 0 && given) {
        load->from_t = agent->beat.t_agent;
        load->from_cpu_ns = agent->beat.cpu_ns;
    }
    if (load->from_t == 0)
        return;
    load->to_t = agent->beat.t_agent;
    load->to_cpu_ns = agent->beat.cpu_ns;
    if (agent->beat.lanes > load->lanes)
        load->lanes = agent->beat.lanes;
    if (session->state == SESSION_RUNNING && agent_lives(agent)) {
        load->permille_sum += agent->tick.load_permille;
        load->ticks++;
    }
}

/* The order goes out with the time that the agent's lease runs from. None goes to who was not heard
 * for half a lease: what it holds must be able to end. */
static void send_order(struct session *session, struct agent *agent)
{
    uint64_t half_lease_ns = session->config.lease_ms * NS_PER_MS / 2;
    if (agent->silent || agent->lost || agent->barred ||
        session->now_ns - agent->beat_ns > half_lease_ns)
        return;
    const struct order *order = &agent->order;
    if (session->start_ns > 0)
        agent->phase = session_phase(session);
    struct message message = {
        .type = MESSAGE_SETPOINT,
        .as.setpoint = {.floor_milli = order->floor_milli,
                        .concurrency_milli = order->concurrency_milli,
                        .rate_milli = order->rate_milli,
                        .drop_age_ms = (uint32_t)(session->steering.advice.drop_age_ns / NS_PER_MS),
                        .phase = agent->phase,
                        .sample_ms = session->sample_ms,
                        .echo_t = agent->echo_t,
                        .index_from = agent->numbers.newest.from,
                        .index_count = agent->numbers.newest.count,
                        .index_block = agent->numbers.block}};
    lease_grant(&agent->lease, &(struct grant){.seq = agent->seq_sent + 1,
                                               .concurrency_milli = order->concurrency_milli,
                                               .rate_milli = order->rate_milli,
                                               .echo_received_ns = agent->echo_ns});
    agent->granted_echo_t = agent->echo_t;
    session_send(session, agent, &message);
    note_load(session, agent);
}

static void send_stop(struct session *session, struct agent *agent)
{
    struct message message = {.type = MESSAGE_STOP, .as.stop = session->stop};
    if (session->drain_ns > session->now_ns)
        message.as.stop.deadline_ms = (uint32_t)((session->drain_ns - session->now_ns) / NS_PER_MS);
    session_send(session, agent, &message);
}

/* It stood still or was cut off for so long that another took its name, and is back: two of a name
 * never run, and what it did until now is in its final word. */
static void dismiss(struct session *session, struct agent *agent)
{
    struct message message = {
        .type = MESSAGE_STOP,
        .as.stop = {.kind = STOP_DRAIN,
                    .deadline_ms = (uint32_t)(session->plan->timeout_ns / NS_PER_MS),
                    .reason = "another agent has taken its name meanwhile"}};
    session_send(session, agent, &message);
}

static void order_nothing(struct session *session)
{
    for (uint32_t i = 0; i < session->roster.count; i++)
        session->roster.agents[i]->order = (struct order){0};
}

void session_tell_agents(struct session *session, bool late)
{
    bool draining = session->state == SESSION_DRAINING;
    if (session->state == SESSION_GATHERING || draining || late)
        order_nothing(session);
    else
        steering_order(&session->steering, &session->roster, session->now_ns,
                       session_is_loaded(session));
    if (session->state != SESSION_GATHERING && !draining && !late)
        session_grant_numbers(session);
    for (uint32_t i = 0; i < session->roster.count; i++) {
        struct agent *agent = session->roster.agents[i];
        if (draining && (agent->state == AGENT_READY || agent->state == AGENT_LEAVING))
            send_stop(session, agent);
        else if (agent->superseded && agent->state == AGENT_READY && !agent->lost)
            dismiss(session, agent);
        else if (!draining && agent->state == AGENT_READY)
            send_order(session, agent);
    }
}
