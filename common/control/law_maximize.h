/** Finds the knee: the fewest requests in flight that get almost all the throughput there is, and
 *  stays there.
 *
 *  It keeps a small table of levels that were tried, each a number of workers with the throughput
 *  seen there, and asks of the table alone what to try next: climb while more workers bring more
 *  answers, then close in on the knee between a level that falls short and one that does not. ln X
 *  over ln N is concave for queues and for Gunther's universal scalability law, and its slope is
 *  at most 1 (Little 1961): both bound where the knee can be, so a few levels are enough. Pure.
 *  docs/control.md has the derivation and where each constant comes from. */
#ifndef CLOBBER_CONTROL_LAW_MAXIMIZE_H
#define CLOBBER_CONTROL_LAW_MAXIMIZE_H

#include "common/control/maximize_sampler.h"
#include "common/control/maximize_table.h"

#include <stdbool.h>
#include <stdint.h>

struct observation;

enum maximize_phase {
    MAXIMIZE_SEARCH, /* tries levels */
    MAXIMIZE_HOLD,   /* stays at the answer */
    MAXIMIZE_PROBE   /* tries a little less, for a knee that has come down cannot be seen from above
                      */
};

/** Plain data; law_maximize_start() first. */
struct law_maximize {
    enum maximize_phase phase;
    double command;               /* workers to run */
    double wanted;                /* the same without a ceiling */
    struct maximize_table table;  /* of this search */
    uint32_t tries;               /* levels tried in this search */
    struct maximize_level here;   /* what is being measured at `command` */
    double here_ended;            /* requests that went into it */
    struct maximize_level held;   /* the answer, as seen since it is held */
    double answer;                /* workers, while held */
    double walk;                  /* ln of the next step down where no level falls short yet */
    bool climbing;                /* `command` is above all levels of the table */
    bool stopped_short;           /* the answer is the ceiling: a climb would pay */
    double before;                /* ln X of the last sample */
    uint32_t odd;                 /* samples in a row that do not fit the level */
    struct maximize_level best;   /* what the search saw of the most there is */
    double found;                 /* ln X: the most that it was while this answer is held */
    struct maximize_level recent; /* of the samples that speak for a change */
    double rise, fall;            /* two-sided CUSUM while held */
    struct maximize_sampler sampler;
};

/** Where to start: `concurrency` workers. */
void law_maximize_start(struct law_maximize *law, double concurrency);

/** Where it may go, and how well two throughputs have to be told apart. */
struct maximize_range {
    double least, most; /* workers; above 0 */
    double precision;   /* half the 95 % interval of a throughput, as a share; above 0 */
};

/** One whole tick. `law->command` is what to run next. */
void law_maximize_step(struct law_maximize *law, const struct maximize_range *range,
                       const struct observation *seen);

/** Whether the search is over and the answer known to `precision`. */
bool law_maximize_converged(const struct law_maximize *law, double precision);

#endif
