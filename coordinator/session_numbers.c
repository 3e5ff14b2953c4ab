#include "coordinator/session_parts.h"

/* Those who will get an order in this tick, and something to run with it. */
static bool is_ordered(const struct agent *agent)
{
    return agent_lives(agent) && agent->order.concurrency_milli > 0;
}

static uint32_t count_ordered(const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < session->roster.count; i++)
        count += is_ordered(session->roster.agents[i]);
    return count;
}

/* A rate is used up as it is ordered; while connections are made, it is about to be. Workers that
 * loop use what they can; before the load begins they get nothing to begin with. */
static struct numbering_need need_of(const struct session *session, const struct agent *agent,
                                     uint32_t ordered)
{
    bool loaded = session_is_loaded(session);
    const struct order *order = &agent->order;
    struct numbering_need need = {.age_s = (double)(session->now_ns - agent->beat_ns) / 1e9};
    if (is_ordered(agent) && steering_open_arrivals(session->plan)) {
        need.rate_per_s =
            loaded ? (double)order->rate_milli / 1000.0 : session->steering.goal / ordered;
        need.workers = need.rate_per_s > 0.0;
    } else if (is_ordered(agent) && loaded) {
        need.workers = (uint32_t)((order->concurrency_milli + 999u) / 1000u);
    }
    return need;
}

void session_grant_numbers(struct session *session)
{
    const struct roster *roster = &session->roster;
    struct numbering_fleet fleet = {0};
    uint32_t ordered = count_ordered(session);
    if (!plan_numbers(session->plan))
        return;
    for (uint32_t i = 0; i < roster->count; i++) {
        struct agent *agent = roster->agents[i];
        struct numbering_need need = need_of(session, agent, ordered);
        if (agent_lives(agent))
            numbering_see(&agent->numbers, &need, &fleet);
    }
    for (uint32_t i = 0; i < roster->count; i++) {
        struct agent *agent = roster->agents[i];
        struct numbering_need need = need_of(session, agent, ordered);
        if (agent_lives(agent))
            numbering_order(&session->numbering, &agent->numbers, &need, &fleet);
    }
}

bool session_take_numbers(struct session *session, struct agent *agent, const struct beat *beat,
                          struct error *error)
{
    /* After the final word a beat is old: nothing is held any more. */
    return !plan_numbers(session->plan) || agent->state == AGENT_DONE ||
           numbering_hear(&session->numbering, &agent->numbers, beat->index_block, beat->index_used,
                          error);
}

/* Where indexes are counted out, each one that was used was planned, and no other. Else there are
 * more where these came from. */
bool session_return_numbers(struct session *session, struct agent *agent,
                            const struct counters *final, struct error *error)
{
    return session->plan->requests_total == 0 ||
           numbering_leave(&session->numbering, &agent->numbers, final->planned, error);
}

bool session_numbers_run_out(const struct session *session)
{
    if (session->plan->requests_total == 0 || !numbering_spent(&session->numbering))
        return false;
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        if (is_ordered(agent) && numbering_held(&agent->numbers) == 0)
            return true;
    }
    return false;
}

/* The counters of a beat may be older than its word on indexes. */
static bool has_ended(const struct agent *agent)
{
    const struct counters *counters = &agent->beat.counters;
    return numbering_held(&agent->numbers) == 0 && counters->planned == agent->numbers.used &&
           counters->planned == counters->started + counters->not_started &&
           counters_in_flight(counters) == 0;
}

bool session_numbers_ended(const struct session *session)
{
    if (session->plan->requests_total == 0 || !numbering_spent(&session->numbering))
        return false;
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        bool here = agent->state == AGENT_READY || agent->state == AGENT_LEAVING;
        if (here && !agent->lost && !agent->corrupt && !has_ended(agent))
            return false;
    }
    return true;
}
