/** From all ticks of a run to the few figures that say how well it went. */
#ifndef CLOBBER_SIM_CONTROL_JUDGE_H
#define CLOBBER_SIM_CONTROL_JUDGE_H

#include "tests/sim/control/scenario.h"

#define TICKS_MAX 1200

/** One run: what happened in each tick, and what was said of it. */
struct record {
    const struct scenario *scenario;
    int tick_count;
    struct fleet_tick ticks[TICKS_MAX];
    enum control_status status[TICKS_MAX];
    bool converged[TICKS_MAX];
};

/** The goal's mean over a tick. */
double goal_at(const struct scenario *scenario, int tick);

struct outcome judge(const struct record *record);

#endif
