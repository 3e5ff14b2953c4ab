/** A run over time, in bins of whole seconds: what charts, the CSV and comparisons are made from.
 *
 *  There are never more than SERIES_BINS_MAX: past that, two bins become one of twice the time. A
 *  merged bin keeps the lowest of the lowest and the highest of the highest, and means weighted by
 *  how much each counts; percentiles cannot be merged, so of those the highest stands. Pure but for
 *  its memory. */
#ifndef CLOBBER_COORDINATOR_SERIES_H
#define CLOBBER_COORDINATOR_SERIES_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define SERIES_BINS_MAX    1200u /* twenty minutes second by second; a chart shows no more apart */
#define SERIES_BIN_S       1u    /* of the finest: agents send samples so often */
#define SERIES_CLASSES_MAX 16u   /* of errors; all later ones share the last, "other" */
#define SERIES_AGENTS_MAX                                                                          \
    1024u /* with a line of their own: 20 MB; who comes later is in the totals alone */
#define SERIES_NAME_BYTES (NAME_BYTES_MAX + 1u)

/** A value that every whole tick has. */
struct series_value {
    double sum, lowest, highest;
};

/** Percentiles of what ended in one bin, in ns; of merged bins the highest of each. */
struct series_latency {
    uint64_t p50_ns, p90_ns, p99_ns, p999_ns, max_ns;
};

struct series_bin {
    uint64_t covered_ns; /* by ticks; 0: nothing is known of this time */
    uint32_t ticks;      /* of these, in which all agents reported: what values are of */
    struct series_value throughput, workers;
    double goal_sum, in_flight_sum;
    double backlog_highest;
    /* Of all ticks: what a late agent did is counted when it is heard of. */
    uint64_t ok, failed, timed_out;
    uint64_t errors[SERIES_CLASSES_MAX]; /* by series.classes */
    bool measured;                       /* the latencies are known */
    struct series_latency response, service;
};

/** An agent's part in one bin. */
struct series_agent_bin {
    float share_sum, load_sum;
    uint16_t ticks;       /* 0: it was not there */
    uint32_t send_lag_us; /* the longest */
};

struct series_agent {
    char name[SERIES_NAME_BYTES];
    struct series_agent_bin bins[SERIES_BINS_MAX];
};

struct series {
    uint32_t bin_s;          /* width of each */
    uint32_t count;          /* bins up to the last one that is known */
    struct series_bin *bins; /* [SERIES_BINS_MAX], owned */
    uint32_t class_count;
    char classes[SERIES_CLASSES_MAX][SERIES_NAME_BYTES]; /* in the order in which they appeared */
    uint32_t agent_count;
    struct series_agent *agents[SERIES_AGENTS_MAX]; /* owned */
};

/** One tick. Plain data. */
struct series_tick {
    uint64_t span_ns; /* since the tick before */
    bool whole;       /* all agents reported in it */
    double throughput_per_s, workers, goal, in_flight, backlog;
    uint64_t ok, failed, timed_out; /* that ended in it */
};

/** Answers over time, as `throughput` of a result is; 0 when nothing is known. */
double series_throughput_per_s(const struct series_bin *bin);

/** Adds what `other` knows, as bins are merged. */
void series_bin_join(struct series_bin *bin, const struct series_bin *other);

struct series_agent_tick {
    double share, load; /* 0 to 1 */
    uint32_t send_lag_us;
};

/** False: no memory. series_done() in any case. */
bool series_init(struct series *series);
void series_done(struct series *series);

/** Each adds to the bin of `at_ns` since the run's start, at most RUN_S_MAX; the order does not
 * matter. */
void series_add_tick(struct series *series, uint64_t at_ns, const struct series_tick *tick);
void series_add_latency(struct series *series, uint64_t at_ns,
                        const struct series_latency *response,
                        const struct series_latency *service);
void series_add_errors(struct series *series, uint64_t at_ns, const char *class, uint64_t count);
/** The agent called `name`, which is at `place` of the tick's list; the first SERIES_AGENTS_MAX
 * places are kept. False: no memory. */
bool series_add_agent(struct series *series, uint64_t at_ns, uint32_t place, const char *name,
                      const struct series_agent_tick *tick);

#endif
