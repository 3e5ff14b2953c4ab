#include "coordinator/session_parts.h"

#include "coordinator/grants.h"

#include <stdlib.h>

#define WINDOW_TICKS (SAMPLE_MS / TICK_MS)

static bool reserve_tick_agents(struct session *session)
{
    if (session->tick_agents_capacity >= session->roster.count)
        return true;
    struct tick_agent *larger =
        reallocarray(session->tick_agents, session->roster.capacity, sizeof *session->tick_agents);
    if (larger == NULL)
        return false;
    session->tick_agents = larger;
    session->tick_agents_capacity = session->roster.capacity;
    return true;
}

/* Everybody who took part and has not left for good. */
static uint32_t fill_tick_agents(struct session *session)
{
    uint32_t count = 0;
    if (!reserve_tick_agents(session))
        return 0;
    struct order total = grants_total(&session->roster);
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        if (agent->state == AGENT_WELCOMED || agent->state == AGENT_DECLINED || agent->superseded)
            continue;
        bool paced = total.rate_milli > 0;
        uint64_t all = paced ? total.rate_milli : total.concurrency_milli;
        uint64_t part = paced ? agent->order.rate_milli : agent->order.concurrency_milli;
        session->tick_agents[count++] =
            (struct tick_agent){.name = agent->hello.name,
                                .lost = agent->lost,
                                .throughput_per_s = agent->throughput_per_s,
                                .share = all > 0 ? (double)part / (double)all : 0.0,
                                .load = agent->tick.load_permille / 1000.0,
                                .workers = agent->beat.workers,
                                .in_flight = agent->beat.in_flight,
                                .backlog = agent->beat.backlog,
                                .send_lag_max_us = agent->tick.lag_us,
                                .flags = agent->tick.flags};
    }
    return count;
}

void session_show(struct session *session, const struct counters *total)
{
    const struct observation *seen = &session->seen;
    const struct steering *steering = &session->steering;
    struct tick tick = {
        .at_ns = session_since_start_ns(session, session->now_ns),
        .state = session->state,
        .goal = steering->goal,
        .throughput_per_s = seen->throughput_per_s,
        .in_flight_mean = seen->in_flight_mean,
        .workers = seen->workers,
        .backlog = seen->backlog,
        .concurrency = steering->advice.concurrency,
        .floor = steering->advice.floor,
        .status = steering->advice.status,
        .ceiling_per_s = steering->advice.ceiling_per_s,
        .ceiling_concurrency = steering->advice.ceiling_concurrency,
        .bound = steering->advice.bound,
        .converged = steering->advice.converged,
        .latency_ns_quantile = seen->latency_ns_quantile,
        .latency_ns_mean = seen->latency_ns_mean,
        .total = *total,
        .agents_ready = roster_living(&session->roster),
        .agents_lost = roster_lost(&session->roster),
        .parts_expected = session->seen.parts_expected,
        .parts_reported = session->seen.parts_reported,
    };
    if (session->start_ns > 0)
        tick.phase = session_phase(session);
    tick.agent_count = fill_tick_agents(session);
    tick.agents = session->tick_agents;
    bool window = session->ticks % WINDOW_TICKS == 0 && session->window.service.total > 0;
    if (window) {
        tick.response = &session->window.response;
        tick.service = &session->window.service;
        tick.statuses = session->window.statuses;
        tick.status_count = session->window.status_count;
    }
    session->perform(session->context,
                     &(struct session_action){.kind = SESSION_SHOW, .tick = &tick});
    if (window)
        session->window = (struct word_window){0};
}
