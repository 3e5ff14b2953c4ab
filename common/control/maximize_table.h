/** The levels that a search has tried, and what else it knows of the target. Natural logarithms. */
#ifndef CLOBBER_CONTROL_MAXIMIZE_TABLE_H
#define CLOBBER_CONTROL_MAXIMIZE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/** One number of workers and what was seen with it. */
struct maximize_level {
    double in_flight;  /* ln N, measured */
    double throughput; /* ln X, in answers per second */
    double samples;    /* that went into it */
};

#define MAXIMIZE_LEVELS_MAX 16

#define LEVEL_SAME     0.02 /* of ln N: two levels so near are one */
#define LEVEL_GLIMPSED 0.1  /* samples that a level counts for which was only passed */

/** Plain data; a zeroed one is empty. */
struct maximize_table {
    struct maximize_level levels[MAXIMIZE_LEVELS_MAX]; /* fewest workers first */
    uint32_t count;
    bool again;         /* there was a search before */
    double noise;       /* variance of ln X from sample to sample */
    double noise_pairs; /* that went into it */
    double latency;     /* ln of the latency without a queue, as climbs have shown it */
    bool latency_known;
    double latency_ended; /* requests that went into it in this search */
};

/** Adds one more sample to the mean that `level` is. */
void level_add(struct maximize_level *level, double in_flight, double throughput);

/** dlnX/dlnN; at most 1 where nothing but workers changes (Little 1961). */
double level_slope(const struct maximize_level *low, const struct maximize_level *high);

/** Of the throughput of a level as it is known. */
double table_variance(const struct maximize_table *table, const struct maximize_level *level);

/** Of the difference between two of them. */
double table_error(const struct maximize_table *table, const struct maximize_level *one,
                   const struct maximize_level *other);

/** Puts it in its place, or into the one that is there. */
void table_put(struct maximize_table *table, struct maximize_level level);

/** The index of the level with most throughput. */
uint32_t table_best(const struct maximize_table *table);

/** The highest level. NULL: there is none. */
const struct maximize_level *table_top(const struct maximize_table *table);

/** Whether requests wait at `level`: Little's N/X is above the latency without a queue by more than
 * `margin` of ln W. */
bool table_has_queue(const struct maximize_table *table, const struct maximize_level *level,
                     double margin);

/** All levels are of the past; the latency is kept as a guess. */
void table_forget(struct maximize_table *table);

#endif
