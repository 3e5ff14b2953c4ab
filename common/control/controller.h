/** One turn of the loop: what was seen over an interval gives the concurrency to run next.
 *
 *  Pure: no clock, no I/O, no allocation, no global. Same arguments, same answer, on any machine.
 *  The laws and their sources: docs/control.md. */
#ifndef CLOBBER_CONTROL_CONTROLLER_H
#define CLOBBER_CONTROL_CONTROLLER_H

#include "common/control/law_hold.h"
#include "common/control/law_maximize.h"
#include "common/control/law_while.h"
#include "common/control/rigid_pool.h"

#include <stdbool.h>
#include <stdint.h>

enum goal_kind { GOAL_HOLD, GOAL_MAXIMIZE, GOAL_MAXIMIZE_WHILE, GOAL_CONCURRENCY };
enum arrivals { ARRIVALS_OPEN, ARRIVALS_CLOSED };

enum control_status {
    CONTROL_RAMPING,         /* on the way, or not yet steady */
    CONTROL_STEADY,          /* the goal is held */
    CONTROL_SATURATED,       /* the target gives no more: see ceiling_* */
    CONTROL_BOUNDED,         /* a bound of `while` holds it */
    CONTROL_GENERATOR_BOUND, /* the load generators give no more */
    CONTROL_AT_MAXIMUM,      /* the ceiling of the plan or of the agents' owners */
    CONTROL_NO_DATA,         /* nothing completes, or nobody reports */
};

/** "ramping", "steady", ... Static. */
const char *control_status_word(enum control_status status);

/** One tick over all agents. Plain data; a zeroed one says that nothing was seen. */
struct observation {
    uint64_t interval_ns;    /* above 0 */
    uint32_t parts_expected; /* agents that should be in it */
    uint32_t parts_reported; /* agents that are; fewer: the tick is no measurement */
    uint32_t generators;     /* lanes that pace a stream of their own; at least 1 */
    uint64_t completed;      /* requests that ended well in the interval */
    uint64_t failed;         /* ended badly, time-outs included */
    double throughput_per_s; /* answers (ok + failed, without time-outs) over each agent's own time,
                                summed */
    double
        in_flight_mean; /* workers with a request in flight, averaged over the interval: measured */
    double latency_ns_mean;     /* sent to done, of those that ended; 0: none */
    double latency_ns_quantile; /* due to done, at the bound's quantile; 0: none */
    double in_flight_end;       /* requests in flight at the interval's end */
    double backlog;             /* due and not yet started at its end */
    double demand_peak;         /* largest in flight + backlog within it */
    double workers;             /* that exist at its end, connecting ones included */
    double generator_load;      /* the busiest lane's CPU, 0 to 1; below 0: unknown */
};

/** What a GOAL_MAXIMIZE_WHILE must stay under. */
enum control_bound { CONTROL_UNBOUND, CONTROL_BY_LATENCY, CONTROL_BY_ERRORS };

struct controller_config {
    enum goal_kind goal;
    enum arrivals arrivals;   /* GOAL_HOLD; all other goals loop */
    uint64_t interval_ns;     /* planned time between two steps */
    double concurrency_min;   /* 0: the law chooses, down to a part of one worker */
    double concurrency_max;   /* the ceiling of plan and owners together */
    double concurrency_start; /* where to start; 0: the law chooses */
    /* GOAL_HOLD, open arrivals: pools do not grow by themselves from the floor up to the cap, so
     * `concurrency` is the number of workers. */
    bool rigid;
    double latency_bound_ns; /* GOAL_MAXIMIZE_WHILE, of latency_ns_quantile; 0: none */
    double error_share_max;  /* ... of what ended; 1: none */
    double precision; /* GOAL_MAXIMIZE*: half the 95 % interval of the answer, as a share of it, at
                         which the search is over; 0: the law chooses */
};

/** Plain data; a zeroed one is at the start. */
struct controller {
    struct law_hold_open open;
    struct rigid_pool rigid;
    struct law_hold_closed closed;
    struct law_maximize maximize;
    struct law_while bounds;
    uint32_t silent_ticks;    /* in a row without any report */
    uint32_t idle_ticks;      /* in a row in which nothing ended */
    double missed_expected;   /* requests that should have ended in those */
    uint32_t generator_ticks; /* evidence that the load generators give no more */
    double throughput_per_s;  /* smoothed */
    double in_flight_mean;    /* of the last whole tick */
    uint32_t bounded_ticks;   /* in a row at a bound of `while` */
    enum control_status status;
};

struct control_advice {
    double concurrency;   /* run so many at most (open arrivals: the cap that pools may grow to) */
    double floor;         /* open arrivals: keep so many ready; else equal to concurrency */
    uint64_t drop_age_ns; /* open arrivals: a due request older than this is not started */
    enum control_status status;
    enum control_bound bound; /* BOUNDED: by what */
    /* GOAL_MAXIMIZE*: the search is over and this is the answer, until the target changes. */
    bool converged;
    double ceiling_per_s,
        ceiling_concurrency; /* SATURATED, BOUNDED, GENERATOR_BOUND: where; else 0 */
};

/** `goal`: the schedule's value now (requests/s; GOAL_CONCURRENCY: workers). `seen` NULL: the very
 * first call, where to start with `generators` paced streams. */
struct control_advice controller_step(const struct controller_config *config,
                                      struct controller *state, double goal, uint32_t generators,
                                      const struct observation *seen);

#endif
