/** One tick of a run as the sinks get it: a line of run.jsonl, a moment of the live line. Plain
 * data. */
#ifndef CLOBBER_COORDINATOR_TICK_H
#define CLOBBER_COORDINATOR_TICK_H

#include "common/base/histogram.h"
#include "common/control/controller.h"
#include "proto/counters.h"
#include "proto/sample.h"

#include <stdbool.h>
#include <stdint.h>

enum session_state {
    SESSION_GATHERING,  /* waits for the agents */
    SESSION_CONNECTING, /* their floors connect; nothing is due yet */
    SESSION_WARMING,
    SESSION_RUNNING,
    SESSION_DRAINING,
    SESSION_DONE,
};

/** "gathering", ... Static. */
const char *session_state_word(enum session_state state);

struct tick_agent {
    const char *name;
    bool lost;
    double throughput_per_s;
    double share; /* of the rate or concurrency granted now, 0 to 1 */
    double load;  /* busiest lane's CPU, 0 to 1 */
    uint32_t workers, in_flight, backlog;
    uint32_t send_lag_max_us;
    uint32_t flags; /* enum beat_flag */
};

struct tick {
    uint64_t at_ns; /* since the run's start; 0 before */
    enum session_state state;
    uint32_t phase;
    double goal;             /* now, in its unit */
    double throughput_per_s; /* of this tick */
    double in_flight_mean;
    double workers, backlog;
    double concurrency, floor; /* as advised */
    enum control_status status;
    double ceiling_per_s, ceiling_concurrency;
    enum control_bound bound; /* BOUNDED: by what */
    bool converged;           /* a search is over */
    double latency_ns_mean;   /* service, of this tick */
    double
        latency_ns_quantile; /* response, of this tick at the bound's quantile; 0: not measured */
    struct counters total;   /* whole run so far, over all agents */
    uint32_t agents_ready, agents_lost;
    uint32_t parts_expected, parts_reported; /* fewer reported: throughput is of these alone */
    const struct tick_agent *agents;         /* [agent_count]; borrowed */
    uint32_t agent_count;
    /* Of what ended since the last sample, when one was completed in this tick (once a second);
     * else NULL. Borrowed. */
    const struct histogram *response, *service;
    const struct status_count *statuses; /* [status_count]; of the same answers; borrowed */
    uint32_t status_count;
};

#endif
