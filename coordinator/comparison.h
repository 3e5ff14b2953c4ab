/** How two runs differ, and how sure one can be of it. Pure: the same runs, the same answer.
 *
 *  A run is taken second by second, after its warm-up: the mean of what its seconds show is set
 *  against the mean of the other's. Percentiles cannot be averaged into those of a run, and the
 *  record has no histogram of a second; so a run's percentile here is that of its typical second,
 *  the geometric mean of what each second's was. A burst in one second of many moves it little and
 *  makes its interval wide. docs/results.md tells the method and its limits. */
#ifndef CLOBBER_COORDINATOR_COMPARISON_H
#define CLOBBER_COORDINATOR_COMPARISON_H

#include "coordinator/series.h"

#include <stdbool.h>
#include <stdint.h>

enum comparison_metric {
    COMPARISON_THROUGHPUT, /* answers per second */
    COMPARISON_RESPONSE_P50,
    COMPARISON_RESPONSE_P90,
    COMPARISON_RESPONSE_P99,
    COMPARISON_SERVICE_P50,
    COMPARISON_SERVICE_P99, /* latencies in ns */
    COMPARISON_ERRORS,      /* share of all that ended, 0 to 1 */
    COMPARISON_WORKERS,
    COMPARISON_METRICS
};

#define COMPARISON_SECONDS_MIN 8u /* fewer make too few blocks to tell how seconds scatter */
/* Whole widths of the intervals that words stand on: together over all metrics they are wrong about
 * one pair of equal runs in a hundred, by Bonferroni's inequality. */
#define COMPARISON_FALSE_ALARMS 0.01
#define COMPARISON_CONFIDENCE   (1.0 - COMPARISON_FALSE_ALARMS / COMPARISON_METRICS)
#define COMPARISON_DRAWS        10000u

/** One run, second by second. */
struct comparison_side {
    uint32_t width_s; /* of each of its "seconds"; more than 1 in runs of over twenty minutes */
    uint32_t counts[COMPARISON_METRICS];
    double values[COMPARISON_METRICS][SERIES_BINS_MAX]; /* of latencies: logarithms of ns */
    uint64_t ended; /* requests that the share of errors is of */
};

/** Takes what lies wholly after the warm-up and under load; `width_s`, a multiple of the series'
 * own, is the same for both sides of a pair. Of joined bins the highest percentile stands, as in
 * the series. */
void comparison_side_take(struct comparison_side *side, const struct series *series,
                          uint64_t warm_ns, uint64_t load_ns, uint32_t width_s);
/** Whether there is enough of it to be compared. */
bool comparison_side_is_enough(const struct comparison_side *side);

enum comparison_word {
    COMPARISON_UNKNOWN, /* one of the two has no such figure */
    COMPARISON_SAME,    /* no difference that could be told from chance */
    COMPARISON_WITHIN,  /* a difference, but a tolerated one */
    COMPARISON_BETTER,
    COMPARISON_WORSE,
    COMPARISON_FEWER, /* workers: what it means that they are fewer or more, the others tell */
    COMPARISON_MORE,
};
const char *comparison_word(enum comparison_word word); /* "same", ... */
/** "throughput", "response p50", ...; and as keys: "throughput_per_s", "response_p50_ns", ... */
const char *comparison_metric_name(enum comparison_metric metric);
const char *comparison_metric_key(enum comparison_metric metric);

struct comparison_interval {
    double low, high;
};

/** Differences are shares of A's figure (0.1: 10 % more), those of COMPARISON_ERRORS are shares of
 * all requests. */
struct comparison_row {
    enum comparison_word word;
    double a, b; /* in the metric's unit */
    double difference;
    struct comparison_interval of_95;     /* of this row alone */
    struct comparison_interval corrected; /* that all rows hold together: what `word` stands on */
    double detectable;                    /* a difference of this size would just have been found */
    uint32_t block_s;                     /* the longer of both sides' */
};

struct comparison_options {
    double tolerance;        /* a share of A's figure */
    double errors_tolerance; /* a share of all requests */
    uint32_t draws;
    uint64_t seed;
};

struct comparison {
    enum comparison_word word; /* the worst of its rows, of SAME to WORSE */
    struct comparison_row rows[COMPARISON_METRICS];
};

/** How `b` differs from `a`, which both are enough and of one width. */
void comparison_make(struct comparison *comparison, const struct comparison_side *a,
                     const struct comparison_side *b, const struct comparison_options *options);

#endif
