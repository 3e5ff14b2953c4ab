/** The scenarios that the laws are measured on, and what is measured. */
#ifndef CLOBBER_SIM_CONTROL_SCENARIO_H
#define CLOBBER_SIM_CONTROL_SCENARIO_H

#include "common/control/fleet.h"
#include "common/control/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCENARIO_PIECES_MAX 20
#define SCENARIO_SEEDS_MAX  64

/** Anything that can sit at the dial: our laws, and the algorithms that they are measured against.
 */
struct regulator {
    const char *name;
    unsigned goals;     /* a bit for each enum goal_kind that it can pursue ... */
    unsigned arrivals;  /* ... and, GOAL_HOLD, for each enum arrivals */
    bool eager;         /* open arrivals: struct fleet_config */
    bool paced;         /* closed arrivals: lanes start a little more than the rate at most */
    size_t state_bytes; /* zeroed before the first step, which sees NULL */
    struct control_advice (*step)(const struct controller_config *config, void *state, double goal,
                                  uint32_t generators, const struct observation *seen);
    void (*explain)(const void *state); /* prints what it thinks, in the line of a tick; or NULL */
};

/** controller_step(). */
extern const struct regulator regulator_ours;

/** A part of a run in which the target and the goal stay about as they are. */
struct piece {
    double from_s;
    /* Workers, of fixed pools. GOAL_HOLD: the fewest that start 99 % of requests on time (closed:
     * that give the rate), or, where it is out of reach, that get 98 % of the capacity.
     * GOAL_MAXIMIZE*: the fewest that get 98 % of the best. oracle.h searches it on this plant with
     * all changes held as they are in the piece's middle; where nothing was searched, the scenario
     * says so. */
    double ideal;
    double capacity_per_s; /* GOAL_HOLD: when the goal is above it, else 0. GOAL_MAXIMIZE*: the best
                              throughput of any fixed pool; WHILE: of those within the bounds */
    bool step;             /* it begins with a change that the law has to follow */
};

struct scenario {
    const char *name;
    enum goal_kind kind;
    double latency_bound_s; /* GOAL_MAXIMIZE_WHILE, of fleet.quantile; 0: none */
    double error_share_max; /* GOAL_MAXIMIZE_WHILE; 0: none */
    struct fleet_config fleet;
    struct schedule goal; /* GOAL_HOLD */
    double duration_s;
    double maximum; /* concurrency; 0: 10 000 */
    /* Closed hold: how near the goal counts as there. GOAL_MAXIMIZE*: how far below the best. */
    double tolerance;
    bool assumed; /* the ideals were not searched */
    struct piece pieces[SCENARIO_PIECES_MAX];
};

/** A family of scenarios. */
struct scenario_set {
    const char *name;
    const struct scenario *scenarios; /* [count] */
    size_t count;
};

extern const struct scenario_set scenarios_open, scenarios_closed, scenarios_maximize,
    scenarios_while;

/** All families; NULL behind the last. */
extern const struct scenario_set *const scenario_sets[];

/** NULL when there is none. */
const struct scenario *scenario_find(const char *name);

/** What the controller is told of a scenario. */
struct controller_config scenario_controller(const struct scenario *scenario);

size_t scenario_piece_count(const struct scenario *scenario);

/** What a run was like. Ticks are tenths of a second. NaN: means nothing in this scenario. */
struct outcome {
    /* Every goal. */
    double workers_ratio;  /* to the ideal; hold: while the target could give the rate; maximize: in
                              the second half of each piece */
    double settle_ticks;   /* after the start, ... */
    double recovery_ticks; /* ... and after the slowest of the changes */
    double peak_ratio;     /* hold: most workers at once, to the largest ideal. maximize: largest
                              command, to the ideal of its piece from 1.5 s after a change on */
    double chatter_percent;  /* closed: standard deviation of the command, last 5 s */
    double final_in_flight;  /* mean of the last 2 s */
    double workers_max_late; /* largest number of workers in the last 10 s */
    double false_saturated_ticks;
    /* Hold. */
    double late_percent; /* of what fell due while the target could give the rate */
    double not_started_percent;
    double detect_ticks;      /* from the loss of capacity to SATURATED; infinite: never said */
    double saturated_ratio;   /* workers to the ideal, in the second half of a saturated piece */
    double saturated_percent; /* of the capacity, from 2 s after its loss */
    double overshoot_percent; /* of requests sent, over three ticks */
    double error_percent;     /* open: 0; closed: mean of the rate less the goal, last 5 s */
    /* Maximize. */
    double best_percent;             /* throughput to the best, in the second half of each piece */
    double violated_percent;         /* of all ticks: above a bound, as a mean over three ... */
    double violated_settled_percent; /* ... and of those in the second half of each piece */
    double converged_ticks;          /* until it said that it has the answer; infinite: never */
    double reopened;                 /* how often it took that back while the target stayed */
    enum control_status final_status;
};

/** All but the status, as outcome_get() counts them. */
#define OUTCOME_FIGURES      (offsetof(struct outcome, final_status) / sizeof(double))
#define OUTCOME_FIGURE(name) (offsetof(struct outcome, name) / sizeof(double))

static inline double outcome_get(const struct outcome *outcome, size_t figure)
{
    double value;
    memcpy(&value, (const char *)outcome + figure * sizeof value, sizeof value);
    return value;
}

static inline void outcome_set(struct outcome *outcome, size_t figure, double value)
{
    memcpy((char *)outcome + figure * sizeof value, &value, sizeof value);
}

/** One run. `regulator` must be able to pursue the goal. */
struct outcome scenario_run(const struct scenario *scenario, const struct regulator *regulator,
                            uint64_t seed);

/** Like scenario_run(), and prints each tick. */
struct outcome scenario_trace(const struct scenario *scenario, const struct regulator *regulator,
                              uint64_t seed);

bool regulator_suits(const struct regulator *regulator, const struct scenario *scenario);

/** Each figure by itself over seeds 1 to `seeds`; p90: nine of ten are no worse. Statuses are those
 *  of seed 1. */
struct summary {
    struct outcome median, p90, worst;
};

struct summary scenario_summary(const struct scenario *scenario, const struct regulator *regulator,
                                uint64_t seeds);

#endif
