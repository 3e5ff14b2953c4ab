/** The goal over time: stages, ramps, steps, holds; and which phase a moment belongs to. Pure. */
#ifndef CLOBBER_CONTROL_SCHEDULE_H
#define CLOBBER_CONTROL_SCHEDULE_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/** One straight line from the value before it to `to` over `duration_ns` (0: a step). */
struct stage {
    uint64_t duration_ns;
    double to; /* the goal's unit: requests/s or workers */
};

/** A run's goal over time. Plain data. Without stages: `value` all along, for `duration_ns`. */
struct schedule {
    double value;
    uint64_t duration_ns; /* of everything, warm-up included */
    uint64_t warmup_ns;
    uint32_t stage_count; /* 0: constant */
    struct stage stages[STAGES_MAX];
};

/** The goal's value at `at_ns` since the start; the last value beyond the end. The first stage
 * begins at 0. */
double schedule_value(const struct schedule *schedule, uint64_t at_ns);

/** Mean of the value over [from_ns, to_ns), exact. */
double schedule_mean(const struct schedule *schedule, uint64_t from_ns, uint64_t to_ns);

/** Phases: 0 is the warm-up (also when it is empty), then one for each stage, or one alone.
 *  The warm-up overrides the stages that it covers. */
uint32_t schedule_phase(const struct schedule *schedule, uint64_t at_ns);
/** How many phases there are, the warm-up included: 2 to STAGES_MAX + 1. */
uint32_t schedule_phase_count(const struct schedule *schedule);
/** The span of `phase`: [from, to). Empty for a warm-up of 0 and for stages that the warm-up
 * covers. */
void schedule_phase_span(const struct schedule *schedule, uint32_t phase, uint64_t *from_ns,
                         uint64_t *to_ns);

#endif
