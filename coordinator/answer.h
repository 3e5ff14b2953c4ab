/** What a search found: the throughput while it stood converged, how sure that is, and the workers
 * it took. Fed once a tick. Pure. */
#ifndef CLOBBER_COORDINATOR_ANSWER_H
#define CLOBBER_COORDINATOR_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#define ANSWER_MEANS_MAX  64u /* enough for the interval; then two become one of twice the time */
#define ANSWER_MEAN_TICKS 2u  /* at first: a run of half a minute has means of about a second */
#define ANSWER_TICKS_MIN  30u /* a span below three seconds tells less than the one before it */

/** One tick in which all agents reported. Plain data. */
struct answer_tick {
    uint64_t from_ns; /* when it began, since the run's start */
    bool measured;    /* after the warm-up */
    bool converged;   /* the load that it measured was the search's answer */
    double throughput_per_s, workers;
};

/** The time from one convergence to the end of it. Plain data. */
struct answer_span {
    double means[ANSWER_MEANS_MAX];
    uint32_t mean_count;
    uint32_t mean_ticks; /* that make one mean; 0: none yet */
    double sum;          /* of the mean that is being filled, ... */
    uint32_t ticks;      /* ... and how many are in it */
    uint32_t measured_ticks;
    double throughput_sum, workers_sum; /* over these */
};

/** Plain data; a zeroed one has seen nothing. */
struct answer {
    struct answer_span newest, before;
    bool converged;        /* at the last tick */
    bool ever;             /* converged at some time, ... */
    uint64_t converged_ns; /* ... for the first time then */
};

void answer_take(struct answer *answer, const struct answer_tick *tick);

struct answer_found {
    bool found; /* else the rest says nothing */
    double throughput_per_s;
    double half_per_s; /* of the 95 % interval; NaN: too short to tell */
    double workers;
    uint64_t converged_ns;
};

/** The newest answer; the one before it while the newest is too young. */
struct answer_found answer_read(const struct answer *answer);

#endif
