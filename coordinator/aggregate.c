#include "coordinator/aggregate.h"

#include "common/base/check.h"

#include <math.h>

#define TICK_NS    (TICK_MS * UINT64_C(1000000))
#define SKIP_TICKS 2u /* the first two reports after a silence mix two loads */
/* A message may be late by some hundred ms, which must stay small against 2 % of the time that
 * passed. */
#define DRIFT_NS (UINT64_C(60) * 1000000000u)

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Decodes the latency digest of a beat that is newer than all before it. */
static bool take_digest(struct agent_digests *digests, const struct beat *beat, struct error *error)
{
    struct digest newest;
    if (!digest_decode(beat->digest, beat->digest_bytes, &newest, error))
        return false;
    const struct counters *counters = &beat->counters;
    uint64_t ended = counters->ok + counters_failed(counters) + counters->timed_out;
    if (newest.total != ended)
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "its latency digest counts %llu requests and its counters %llu",
                         (unsigned long long)newest.total, (unsigned long long)ended);
    if (!digest_is_monotone(&newest, &digests->beat))
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "a cell of its latency digest fell");
    digests->beat = newest;
    return true;
}

enum word_outcome aggregate_beat(struct agent *agent, uint64_t now_ns, uint64_t seq,
                                 const struct beat *beat, struct error *error)
{
    bool first = agent->beat_seq == 0;
    if (!first && (seq <= agent->beat_seq || beat->t_agent < agent->beat.t_agent))
        return WORD_STALE;
    if (!first && (!counters_monotone(&beat->counters, &agent->beat.counters) ||
                   beat->cpu_ns < agent->beat.cpu_ns)) {
        error_set(error, ERROR_PROTOCOL, PLACE_NONE, "a counter of its beats fell");
        return WORD_CORRUPT;
    }
    if (agent->digests != NULL && !take_digest(agent->digests, beat, error))
        return WORD_CORRUPT;
    agent->beat_seq = seq;
    agent->beat = *beat;
    agent->beat.digest = NULL; /* its bytes are the message's, and that goes */
    agent->beat.digest_bytes = 0;
    agent->beat_ns = now_ns;
    agent->echo_t = beat->t_agent;
    agent->echo_ns = now_ns;
    struct peaks *peaks = &agent->peaks;
    peaks->demand = larger(peaks->demand, beat->demand_peak);
    peaks->load_permille = larger(peaks->load_permille, beat->lane_load_permille);
    peaks->lag_us = larger(peaks->lag_us, beat->send_lag_max_us);
    peaks->flags |= beat->flags;
    if (first) {
        agent->drift_t = beat->t_agent;
        agent->drift_ns = now_ns;
    }
    return WORD_TAKEN;
}

double aggregate_drift(const struct agent *agent)
{
    uint64_t ours_ns = agent->beat_ns - agent->drift_ns;
    if (agent->beat_seq == 0 || ours_ns < DRIFT_NS)
        return 0.0;
    return (double)(agent->beat.t_agent - agent->drift_t) / (double)ours_ns - 1.0;
}

void aggregate_silence(struct roster *roster, uint64_t now_ns)
{
    for (uint32_t i = 0; i < roster->count; i++) {
        struct agent *agent = roster->agents[i];
        bool silent = now_ns - agent->beat_ns > SILENT_TICKS * TICK_NS;
        if (agent->silent && !silent)
            agent->skip_ticks = SKIP_TICKS;
        agent->silent = silent;
    }
}

/* What one agent did between two of its beats, by its own clock. */
struct part {
    struct counters counters;
    double interval_s;
    double throughput_per_s, in_flight_mean;
};

static struct part part_between(const struct beat *newer, const struct beat *older)
{
    struct part part = {.counters = counters_since(&newer->counters, &older->counters),
                        .interval_s = (double)(newer->t_agent - older->t_agent) / 1e9};
    uint64_t answers = part.counters.ok + counters_failed(&part.counters);
    part.throughput_per_s = (double)answers / part.interval_s;
    part.in_flight_mean = (double)part.counters.in_flight_ns / 1e9 / part.interval_s;
    return part;
}

/* Whether this tick measured `agent`; then `part` holds what it did, and `digest` (NULL: not
 * wanted) has its latencies too. */
static bool agent_measure(struct agent *agent, struct part *part, struct digest *digest)
{
    bool fresh = agent->has_base && agent->beat.t_agent > agent->base.t_agent;
    if (fresh)
        *part = part_between(&agent->beat, &agent->base);
    bool measured = fresh && agent->skip_ticks == 0;
    if (measured && digest != NULL && agent->digests != NULL && agent_lives(agent))
        digest_add_since(digest, &agent->digests->beat, &agent->digests->base);
    if (fresh && agent->skip_ticks > 0)
        agent->skip_ticks--;
    if (fresh || (!agent->has_base && agent->beat_seq > 0)) {
        agent->base = agent->beat;
        if (agent->digests != NULL)
            agent->digests->base = agent->digests->beat;
        agent->has_base = true;
        agent->tick = agent->peaks;
        agent->peaks = (struct peaks){0};
    }
    return measured;
}

static void observe_gauges(struct observation *seen, const struct agent *agent)
{
    seen->in_flight_end += agent->beat.in_flight;
    seen->backlog += agent->beat.backlog;
    seen->demand_peak += agent->tick.demand;
    seen->workers += agent->beat.workers;
    seen->generator_load = fmax(seen->generator_load, agent->tick.load_permille / 1000.0);
}

static void observe_part(struct observation *seen, const struct part *part)
{
    seen->parts_reported++;
    seen->completed += part->counters.ok;
    seen->failed += counters_failed(&part->counters) + part->counters.timed_out;
    seen->throughput_per_s += part->throughput_per_s;
    seen->in_flight_mean += part->in_flight_mean;
    seen->latency_ns_mean += (double)part->counters.latency_sum_ns; /* a sum until all are in */
}

struct observation aggregate_tick(struct roster *roster, uint64_t interval_ns,
                                  struct digest *digest)
{
    CHECK(interval_ns > 0);
    struct observation seen = {
        .interval_ns = interval_ns, .generators = roster_lanes(roster), .generator_load = -1.0};
    if (digest != NULL)
        *digest = (struct digest){0};
    for (uint32_t i = 0; i < roster->count; i++) {
        struct agent *agent = roster->agents[i];
        struct part part;
        bool known = agent->has_base; /* one beat alone tells no rate */
        bool measured = agent_measure(agent, &part, digest);
        bool lives = agent_lives(agent);
        if (lives && known) {
            seen.parts_expected++;
            observe_gauges(&seen, agent);
        }
        if (lives && measured) {
            observe_part(&seen, &part);
            agent->throughput_per_s = part.throughput_per_s;
            split_learn(&agent->weight, part.throughput_per_s, part.in_flight_mean,
                        agent->tick.load_permille / 1000.0);
        } else if (!lives) {
            agent->throughput_per_s = 0.0;
        }
    }
    uint64_t ended = seen.completed + seen.failed;
    if (ended > 0)
        seen.latency_ns_mean /= (double)ended;
    return seen;
}
