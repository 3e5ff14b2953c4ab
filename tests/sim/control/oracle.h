/** What no regulator can know: the answer, by trying fixed numbers of workers one after the other
 * on the same plant, with all its changes held as they are at one moment. */
#ifndef CLOBBER_SIM_CONTROL_ORACLE_H
#define CLOBBER_SIM_CONTROL_ORACLE_H

#include "tests/sim/control/scenario.h"

/** How a fixed pool does. */
struct fixed_run {
    double throughput_per_s;
    double late_share; /* open arrivals */
    double quantile_s; /* median of the ticks': a rare pause does not say how many may run */
    double error_share;
};

/** `workers` on `scenario`'s plant as it is at `at_s`. */
struct fixed_run oracle_fixed(const struct scenario *scenario, double at_s, double workers);

/** When piece `index` is looked at: its middle. */
double oracle_moment(const struct scenario *scenario, size_t index);

/** Whether `run` counts as enough workers in `piece`; see struct piece. */
bool oracle_is_enough(const struct scenario *scenario, const struct piece *piece, double at_s,
                      const struct fixed_run *run);

/** Whether `run` keeps the scenario's bounds. */
bool oracle_is_allowed(const struct scenario *scenario, const struct fixed_run *run);

/** Searches piece `index`'s ideal, and GOAL_MAXIMIZE* its best throughput; the rest is copied. */
struct piece oracle_search(const struct scenario *scenario, size_t index);

/** Whether the two are the same but for the noise of a search: 3 %, or one worker for each lane. */
bool oracle_agrees(const struct scenario *scenario, const struct piece *one,
                   const struct piece *other);

/** Whether piece `index` says what a search would find, by a few runs about it. */
bool oracle_confirms(const struct scenario *scenario, size_t index);

#endif
