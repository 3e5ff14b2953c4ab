/** Throughput and latency against the concurrency at which they were seen. Pure but for the memory
 * of its digests.
 *
 *  Every tick goes to the bin of its measured in-flight mean, from the first tick on: a search has
 * seen most of its curve when the warm-up ends. */
#ifndef CLOBBER_COORDINATOR_CURVE_H
#define CLOBBER_COORDINATOR_CURVE_H

#include "common/control/controller.h"
#include "proto/digest.h"

#include <stdbool.h>
#include <stdint.h>

#define CURVE_POINTS_MAX 64u  /* more than a plot shows apart; then neighbours join */
#define CURVE_STEP       1.12 /* a bin's upper end by its lower: half a search's finest step */
#define CURVE_LEAST      0.1  /* of a worker; all that is less shares the first bin */
#define CURVE_BINS       224u /* from there to AGENTS_MAX x CONCURRENCY_MAX */

struct curve_bin {
    double seconds;
    double in_flight, answers; /* sums over time */
    double latency_ns;         /* sum over the requests that ended */
    uint64_t ended;
};

/** Plain data; curve_init() first. */
struct curve {
    struct curve_bin bins[CURVE_BINS];
    struct digest *digests; /* [CURVE_BINS], owned; NULL: latencies are not digested */
};

struct curve_point {
    double concurrency, throughput_per_s; /* means over the time spent there */
    double latency_ns_mean;               /* sent to done; 0: nothing ended */
    double latency_ns_quantile;           /* due to done; 0: not measured */
    double seconds;
};

/** False: no memory. curve_done() in any case. */
bool curve_init(struct curve *curve, bool digests);
void curve_done(struct curve *curve);

/** One tick in which all agents reported; `digest`: its latencies, NULL when there are none. */
void curve_take(struct curve *curve, const struct observation *seen, const struct digest *digest);

/** Fills `points[CURVE_POINTS_MAX]`, from the lowest concurrency up, with latencies at `quantile`;
 * returns how many there are. */
uint32_t curve_points(const struct curve *curve, double quantile, struct curve_point *points);

#endif
