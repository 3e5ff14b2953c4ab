/** What others use to answer "how many at once?", for comparison: each as published, with the
 * constants its authors give, or better ones where those are made for another scale.
 * docs/control.md, "How well it does". */
#ifndef CLOBBER_SIM_CONTROL_ANCHORS_H
#define CLOBBER_SIM_CONTROL_ANCHORS_H

#include "tests/sim/control/scenario.h"

/** PID, velocity form, with gains from Ziegler and Nichols, "Optimum settings for automatic
 *  controllers", 1942. */
extern const struct regulator anchor_pid;

/** Additive increase, multiplicative decrease: Chiu and Jain, 1989. */
extern const struct regulator anchor_aimd;

/** A queue of a few requests is kept: Brakmo, O'Malley and Peterson, "TCP Vegas", 1994, with the
 *  constants of Netflix's concurrency-limits (VegasLimit). */
extern const struct regulator anchor_vegas;

/** Netflix's concurrency-limits (Gradient2Limit): the limit follows the ratio of long-term to
 * present latency. */
extern const struct regulator anchor_gradient;

/** .NET's thread pool: Hellerstein, Morrison and Eilebrecht, "Optimizing concurrency levels in the
 *  .NET ThreadPool", 2009; CoreCLR's hillclimbing.cpp. */
extern const struct regulator anchor_hill;

/** The way of a benchmark script: double until it is too much, then bisect, two seconds each. */
extern const struct regulator anchor_search;

/** The way of k6's arrival-rate executors: a worker more whenever none is free, and never one less.
 */
extern const struct regulator anchor_grow;

/** All of them; NULL behind the last. */
extern const struct regulator *const anchors[];

/** A pool of `workers`, within 1 and the maximum. */
struct control_advice anchor_advice(const struct controller_config *config, double workers);

/** Whether the tick is a measurement at all. */
bool anchor_can_learn(const struct observation *seen);

/** GOAL_MAXIMIZE_WHILE: whether the tick is above a bound. */
bool anchor_is_violated(const struct controller_config *config, const struct observation *seen);

/** The gains of anchor_pid, and where they come from. */
struct pid_gains {
    double ultimate_gain, ultimate_period_s; /* at which it would oscillate for ever */
    double proportional, integral_s, derivative_s;
};

/** `scenario` is run with a relay in the regulator's place. */
struct pid_gains pid_tune(const struct scenario *scenario);

#endif
