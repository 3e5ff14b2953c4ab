/** The most workers that the bounds of `maximize ... while` allow: a cap over law_maximize.
 *
 *  Beyond the knee one worker more makes all others wait for its request, so any quantile of the
 *  latency grows by 1/X per worker (Little 1961): that slope needs no learning. Pure.
 *  docs/control.md has the equations and where each constant comes from. */
#ifndef CLOBBER_CONTROL_LAW_WHILE_H
#define CLOBBER_CONTROL_LAW_WHILE_H

#include <stdbool.h>
#include <stdint.h>

struct observation;

struct while_bounds {
    double latency_s;       /* of the observation's quantile; 0: none */
    double error_share_max; /* of what ended; 1: none */
};

struct while_tick {
    double quantile_s, in_flight, throughput_per_s, ended, failed;
};

#define WHILE_RECENT 5

/** Plain data; a zeroed one knows nothing and allows all. */
struct law_while {
    struct while_tick recent[WHILE_RECENT]; /* the newest first */
    uint32_t recent_count;
    double latency_cap;      /* workers; 0: none */
    double error_cap;        /* workers; 0: none */
    double errors_from;      /* workers with which there were too many */
    uint32_t quiet_ticks;    /* until errors are judged again */
    uint32_t violated_ticks; /* in a row, at the least concurrency */
};

/** One whole tick. `climbing`: more workers are wanted by design, so only the newest ticks tell. */
void law_while_step(struct law_while *law, struct while_bounds bounds, double least, bool climbing,
                    const struct observation *seen);

/** The cap, from `least` to `most`. */
double law_while_cap(const struct law_while *law, double least, double most);

/** Whether it is errors that set the cap, and not latency. */
bool law_while_is_by_errors(const struct law_while *law);

#endif
