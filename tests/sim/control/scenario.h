/** The scenarios that the laws are measured on, and what is measured. */
#ifndef CLOBBER_SIM_CONTROL_SCENARIO_H
#define CLOBBER_SIM_CONTROL_SCENARIO_H

#include "common/control/fleet.h"
#include "common/control/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCENARIO_PIECES_MAX 20

/** A part of a run in which the target and the goal stay about as they are. */
struct piece {
    double from_s;
    /* Workers: the fewest of fixed pools that start 99 % of requests on time (closed: that give the
     * rate), or that get 98 % of the capacity. By bisection on this plant, with all changes held as
     * they are in the piece's middle; where nothing was searched, the scenario says so. */
    double ideal;
    double capacity_per_s; /* when the goal is above it; else 0 */
    bool step;             /* it begins with a change that the law has to follow */
};

struct scenario {
    const char *name;
    enum goal_kind kind;
    double latency_bound_s, error_share_max; /* GOAL_MAXIMIZE_WHILE; 0: none */
    struct fleet_config fleet;
    struct schedule goal;
    double duration_s;
    double maximum;   /* concurrency; 0: 50 000 */
    double tolerance; /* closed: how near the goal counts as there */
    struct piece pieces[SCENARIO_PIECES_MAX];
};

/** A family of scenarios. */
struct scenario_set {
    const struct scenario *scenarios; /* [count] */
    size_t count;
};

extern const struct scenario_set scenarios_open, scenarios_closed;

/** Scenario `index` of all families one after the other, or NULL beyond the last. */
const struct scenario *scenario_at(size_t index);

/** What a run was like. Ticks are tenths of a second. */
struct outcome {
    double late_percent; /* of what fell due while the target could give the rate */
    double not_started_percent;
    double workers_ratio;  /* to the ideal, while the target could give the rate */
    double settle_ticks;   /* after the start, */
    double recovery_ticks; /* after the slowest of the changes */
    double detect_ticks;   /* from the loss of capacity to SATURATED; -1: never */
    double false_saturated_ticks;
    double saturated_ratio;   /* workers to the ideal, in the second half of a saturated piece */
    double saturated_percent; /* of the capacity, from 2 s after its loss */
    double peak_ratio;        /* most workers at once, to the largest ideal */
    double overshoot_percent; /* of requests sent, over three ticks */
    double error_percent;     /* open: 0; closed: mean of the rate less the goal, last 5 s */
    double chatter_percent;   /* closed: standard deviation of the command, last 5 s */
    double final_in_flight;   /* mean of the last 2 s */
    double workers_max_late;  /* largest number of workers in the last 10 s */
    enum control_status final_status;
};

struct outcome scenario_run(const struct scenario *scenario, uint64_t seed);

/** Like scenario_run(), and prints each tick. */
struct outcome scenario_trace(const struct scenario *scenario, uint64_t seed);

/** Each figure's median over seeds 1 to `seeds`. */
struct outcome scenario_median(const struct scenario *scenario, uint64_t seeds);

/** NULL when there is none. */
const struct scenario *scenario_find(const char *name);

#endif
