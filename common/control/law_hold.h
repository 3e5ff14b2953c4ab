/** The two laws that hold a rate: with open arrivals the pacing makes the rate and the law staffs
 * it; with closed arrivals the number of workers makes it. Both say when the target gives no more.
 * Pure. docs/control.md has the equations and where each constant comes from. */
#ifndef CLOBBER_CONTROL_LAW_HOLD_H
#define CLOBBER_CONTROL_LAW_HOLD_H

#include "common/control/estimator.h"
#include "common/control/knee.h"

#include <stdbool.h>
#include <stdint.h>

struct observation;

/** Plain data; a zeroed one is at the start. */
struct law_hold_open {
    struct estimator latency;
    struct knee knee; /* good while saturated */
    bool saturated;
    double load;              /* rate x latency: the workers that are busy on average */
    double floor;             /* workers to keep ready; the cap while saturated */
    double cap;               /* workers that pools may grow to */
    double demand_before;     /* in flight and waiting, at the end of the last tick */
    double latency_least_s;   /* the best guess of the latency without a queue; 0: none */
    double throughput_before; /* of the last tick; below 0: there was none */
    uint32_t evidence;        /* for saturation */
    uint32_t easy_ticks;      /* evidence that it has ended */
};

/** Where to start at `rate_per_s` with `generators` (at least 1) streams, knowing nothing. */
void law_hold_open_start(struct law_hold_open *law, double rate_per_s, uint32_t generators);

/** One whole tick. `concurrency_max`: what pools are held to, whatever the cap. `generator_bound`:
 *  the load generators are at their own limit; nothing is said about the target. */
void law_hold_open_step(struct law_hold_open *law, double rate_per_s, uint32_t generators,
                        double concurrency_max, const struct observation *seen,
                        bool generator_bound);

/** Ticks put together, for one may hold too few requests. */
struct law_hold_sums {
    double time_s, worker_s, answers, latency_s, ended;
};

#define LAW_HOLD_HISTORY 6 /* the newest entry and the five before it */

/** Plain data; a zeroed one is at the start. */
struct law_hold_closed {
    struct estimator latency;
    struct knee knee; /* good while saturated */
    bool saturated;
    double command;                   /* workers to run */
    double command_before;            /* the one before, which what is seen now was run by */
    double trim;                      /* share of workers beyond those in flight, as X tells */
    double latency_least_s;           /* 0: none */
    double latency_before_s;          /* before the workers were last moved; 0: none */
    struct law_hold_sums for_latency; /* since the estimator last took a sample */
    struct law_hold_sums for_history; /* since the last entry below */
    double in_flight_then;            /* at that sample; 0: unknown */
    bool gap;                         /* a tick is missing since, so growth cannot be told */
    /* Does throughput follow the workers? Means over one latency each, the newest first. */
    double log_command[LAW_HOLD_HISTORY], log_throughput[LAW_HOLD_HISTORY];
    double log_most[LAW_HOLD_HISTORY]; /* of what was ordered and what was in flight */
    double entry_ended;                /* in the newest */
    uint32_t history_count;
    double steady_level; /* what was in flight when it last moved by more than 5 % */
    uint32_t steady_ticks;
    uint32_t flat_ticks; /* evidence for saturation */
    uint32_t easy_ticks; /* evidence that it has ended */
    uint32_t idle_ticks; /* in a row in which nothing ended */
};

void law_hold_closed_start(struct law_hold_closed *law, double rate_per_s, uint32_t generators);

/** One whole tick; `law->command` is what to run next, at most `concurrency_max`. At rate 0 it
 * keeps what it has learned; the caller then runs nothing. */
void law_hold_closed_step(struct law_hold_closed *law, double rate_per_s, double concurrency_max,
                          const struct observation *seen, bool generator_bound);

/** A tick was no measurement. */
void law_hold_closed_miss(struct law_hold_closed *law);

#endif
