/** How well the goal was held: when it settled, how far it strayed, how many workers it took. Fed
 * once a tick. Pure. */
#ifndef CLOBBER_COORDINATOR_SETTLING_H
#define CLOBBER_COORDINATOR_SETTLING_H

#include "common/base/histogram.h"
#include "coordinator/report.h"

#include <stdbool.h>
#include <stdint.h>

#define SETTLING_TICKS 10u /* moving means are over so many: a second */

/** What one tick saw. Plain data. */
struct settling_tick {
    uint64_t at_ns; /* since the run's start */
    bool measured;  /* after the warm-up */
    double goal;    /* in the unit of `value`; 0: nothing to settle to */
    double value;   /* what the goal is about: requests/s, or workers */
    double throughput_per_s;
    double workers;
    uint64_t ended; /* requests, and how long they took on average */
    double latency_ns_mean;
};

/** The last second, tick by tick. */
struct settling_row {
    uint64_t from_ns; /* when this tick began */
    double value, goal, throughput_per_s, workers, latency_ns;
    uint64_t ended;
};

/** A change of the target's latency, over a second. */
struct latency_change {
    double before_ns, after_ns;
    double workers_before, workers_after;
};

/** Plain data; settling_init() first. */
struct settling {
    double tolerance;
    bool rate; /* `value` counts requests per second */
    struct settling_row rows[SETTLING_TICKS];
    uint32_t row_count; /* ever */
    uint64_t at_ns;     /* of the newest */
    /* Settled: within the band from `inside_ns` on, for a second. */
    uint64_t inside_ns;
    uint32_t inside_ticks;
    bool settled;
    uint64_t settle_ns;
    double overshoot;
    /* After the warm-up. */
    struct histogram errors;  /* of the moving mean, in millionths of the goal */
    struct histogram workers; /* whole ones */
    double workers_sum;
    double batch_sum, batch_goal_sum; /* of the second that is being filled */
    uint32_t batch_ticks;
    uint32_t batches; /* Welford's running mean and sum of squares of the whole seconds */
    double batch_mean, batch_squares;
    /* The latency that the last change led to. */
    double latency_ns, latency_workers;
    uint32_t shifted_ticks;
};

/** `tolerance`: the plan's, a share; the band is never narrower than 2 %, nor than two requests a
 * second, which is what whole requests over a second can tell. */
void settling_init(struct settling *settling, double tolerance, bool rate);

/** One tick whose agents all reported. True: it has just settled. */
bool settling_take(struct settling *settling, const struct settling_tick *tick);

/** Means over the last second: the value, the goal, and workers. 0 before the first tick. */
double settling_value_mean(const struct settling *settling);
double settling_goal_mean(const struct settling *settling);
double settling_workers_mean(const struct settling *settling);

/** Whether latency has changed by half or more and stayed there for two seconds; then `change`
 * tells how. At most once for each change; call after each settling_take(). */
bool settling_latency_changed(struct settling *settling, struct latency_change *change);

/** Fills settled to concurrency_p95, and the interval around `throughput_per_s`, of `control`. */
void settling_report(const struct settling *settling, double throughput_per_s,
                     struct report_control *control);

#endif
