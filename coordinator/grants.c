#include "coordinator/grants.h"

#include "common/base/check.h"

#include <math.h>

#define WORKER_MILLI 1000u

/* One thing that is shared: concurrency or rate. */
struct share {
    uint64_t total;      /* in units */
    uint64_t unit_milli; /* a unit is so many thousandths */
    uint64_t (*held)(const struct lease *, uint32_t,
                     uint64_t); /* what a lease holds, in thousandths */
};

/* Who is silent keeps its share until its lease has ended: nobody could be given it before. */
static bool agent_shares(const struct agent *agent, bool keep_lost)
{
    return agent_may_carry(agent) && agent->beat_seq > 0 && (!agent->lost || keep_lost);
}

static void weights_fill(const struct grants *grants, struct roster *roster)
{
    double sum = 0.0;
    uint32_t known = 0;
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct agent *agent = roster->agents[i];
        bool shares = agent_shares(agent, grants->keep_lost);
        roster->weights[i] = shares && grants->by_weight ? agent->weight.weight : 0.0;
        sum += roster->weights[i];
        known += roster->weights[i] > 0.0;
    }
    /* Who is not known yet gets the mean of the others; who takes no part has a limit of 0 below.
     */
    double mean = known > 0 ? sum / known : 1.0;
    for (uint32_t i = 0; i < roster->count; i++)
        if (roster->weights[i] <= 0.0)
            roster->weights[i] = mean;
}

static bool all_full(const struct grants *grants, const struct roster *roster)
{
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct agent *agent = roster->agents[i];
        if (agent_shares(agent, grants->keep_lost) && !split_is_full(&agent->weight))
            return false;
    }
    return true;
}

/* An agent whose CPU is full carries no more than it does; when all are, it is for the controller
 * to say so. */
static uint64_t concurrency_limit(const struct agent *agent, const struct grants *grants,
                                  bool frozen)
{
    uint64_t limit = (uint64_t)agent->hello.max_concurrency * WORKER_MILLI;
    if (frozen && grants->by_weight && split_is_full(&agent->weight)) {
        uint64_t full = (uint64_t)llround(agent->weight.full_concurrency * WORKER_MILLI);
        limit = full < limit ? full : limit;
    }
    return limit;
}

static uint64_t rate_limit(const struct agent *agent, bool frozen)
{
    uint64_t limit = agent->hello.max_rate_milli;
    if (frozen && split_is_full(&agent->weight) && agent->order.rate_milli > 0 &&
        agent->order.rate_milli < limit)
        limit = agent->order.rate_milli;
    return limit;
}

static void limits_fill(const struct grants *grants, struct roster *roster, bool rate,
                        uint64_t unit_milli)
{
    bool frozen = !all_full(grants, roster);
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct agent *agent = roster->agents[i];
        roster->limits[i] = 0;
        if (agent_shares(agent, grants->keep_lost))
            roster->limits[i] =
                (rate ? rate_limit(agent, frozen) : concurrency_limit(agent, grants, frozen)) /
                unit_milli;
    }
}

/* wants[] becomes what may be ordered now. All that grow share what no lease holds, in proportion
 * to their growth. */
static void hold_within_leases(const struct share *share, struct roster *roster, uint32_t lease_ms,
                               uint64_t now_ns)
{
    uint64_t held_sum = 0;
    for (uint32_t i = 0; i < roster->count; i++) {
        uint64_t held_milli = share->held(&roster->agents[i]->lease, lease_ms, now_ns);
        held_sum += held_milli;
        uint64_t held = held_milli / share->unit_milli;
        roster->limits[i] = roster->wants[i] > held ? roster->wants[i] - held : 0;
        roster->weights[i] = (double)roster->limits[i];
        roster->wants[i] -= roster->limits[i];
    }
    uint64_t total_milli = share->total * share->unit_milli;
    uint64_t free_milli = total_milli > held_sum ? total_milli - held_sum : 0;
    split_shares(free_milli / share->unit_milli, roster->weights, roster->limits, roster->count,
                 roster->growth);
    for (uint32_t i = 0; i < roster->count; i++)
        roster->wants[i] = (roster->wants[i] + roster->growth[i]) * share->unit_milli;
}

static void share_concurrency(const struct grants *grants, struct roster *roster, uint32_t lease_ms,
                              uint64_t now_ns)
{
    uint64_t unit_milli = grants->whole ? WORKER_MILLI : 1;
    struct share share = {.total =
                              (uint64_t)(grants->whole ? ceil(grants->concurrency)
                                                       : round(grants->concurrency * WORKER_MILLI)),
                          .unit_milli = unit_milli,
                          .held = lease_concurrency_milli};
    weights_fill(grants, roster);
    limits_fill(grants, roster, false, unit_milli);
    split_shares(share.total, roster->weights, roster->limits, roster->count, roster->wants);
    hold_within_leases(&share, roster, lease_ms, now_ns);
    for (uint32_t i = 0; i < roster->count; i++)
        roster->agents[i]->order.concurrency_milli = roster->wants[i];
}

/* Floors start no request by themselves, so they need no lease: only the cap above them. */
static void share_floor(const struct grants *grants, struct roster *roster)
{
    weights_fill(grants, roster);
    for (uint32_t i = 0; i < roster->count; i++)
        roster->limits[i] = roster->agents[i]->order.concurrency_milli / WORKER_MILLI;
    split_shares((uint64_t)ceil(grants->floor), roster->weights, roster->limits, roster->count,
                 roster->wants);
    for (uint32_t i = 0; i < roster->count; i++)
        roster->agents[i]->order.floor_milli = roster->wants[i] * WORKER_MILLI;
}

static void share_rate(const struct grants *grants, struct roster *roster, uint32_t lease_ms,
                       uint64_t now_ns)
{
    struct share share = {.total = (uint64_t)llround(grants->rate_per_s * 1000.0),
                          .unit_milli = 1,
                          .held = lease_rate_milli};
    weights_fill(grants, roster);
    limits_fill(grants, roster, true, 1);
    split_shares(share.total, roster->weights, roster->limits, roster->count, roster->wants);
    hold_within_leases(&share, roster, lease_ms, now_ns);
    for (uint32_t i = 0; i < roster->count; i++)
        roster->agents[i]->order.rate_milli = roster->wants[i];
}

/* What each agent's workers should make of a rate that no agent makes by itself. So it needs no
 * lease: the workers have one. */
static void share_ceiling(const struct grants *grants, struct roster *roster)
{
    weights_fill(grants, roster);
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct agent *agent = roster->agents[i];
        roster->weights[i] *= (double)agent->order.concurrency_milli;
        roster->limits[i] = agent->order.concurrency_milli > 0 ? agent->hello.max_rate_milli : 0;
    }
    split_shares((uint64_t)llround(grants->rate_per_s * 1000.0), roster->weights, roster->limits,
                 roster->count, roster->wants);
    for (uint32_t i = 0; i < roster->count; i++) { /* none at all would be no ceiling */
        bool none = roster->wants[i] == 0 && grants->rate_per_s > 0.0;
        roster->agents[i]->order.rate_milli = none ? 1 : roster->wants[i];
    }
}

void grants_share(const struct grants *grants, struct roster *roster, uint32_t lease_ms,
                  uint64_t now_ns)
{
    CHECK(grants->concurrency >= 0.0);
    CHECK(grants->floor >= 0.0);
    CHECK(grants->rate_per_s >= 0.0);
    if (roster->count == 0)
        return;
    share_concurrency(grants, roster, lease_ms, now_ns);
    if (grants->workers_make_rate)
        share_ceiling(grants, roster);
    else
        share_rate(grants, roster, lease_ms, now_ns);
    if (grants->whole)
        share_floor(grants, roster);
    for (uint32_t i = 0; i < roster->count; i++) {
        struct agent *agent = roster->agents[i];
        if (!grants->whole)
            agent->order.floor_milli = agent->order.concurrency_milli;
        if (!agent_lives(agent))
            agent->order = (struct order){0};
    }
}

struct order grants_total(const struct roster *roster)
{
    struct order total = {0};
    for (uint32_t i = 0; i < roster->count; i++) {
        const struct order *order = &roster->agents[i]->order;
        total.floor_milli += order->floor_milli;
        total.concurrency_milli += order->concurrency_milli;
        total.rate_milli += order->rate_milli;
    }
    return total;
}
