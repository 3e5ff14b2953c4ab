/** Met, missed or aborted; who was the limit; one sentence with its evidence; thresholds; the exit
 * code. Pure.
 *
 *  What a controller says of a moment may pass, so a limit is what held for most of the time in
 * which the goal was missed: evidence_take() counts, verdict_reach() weighs. */
#ifndef CLOBBER_COORDINATOR_VERDICT_H
#define CLOBBER_COORDINATOR_VERDICT_H

#include "common/control/controller.h"
#include "coordinator/report.h"

#include <stdbool.h>
#include <stdint.h>

/* A generator whose requests start this much late, and late by this share of the service time too,
 * measures itself: below the first nobody's target notices, below the second nobody's reader does.
 */
#define SEND_LAG_NS_MAX    10000000u
#define SEND_LAG_SHARE_MAX 0.1
#define LOAD_MAX           0.9 /* a lane's CPU above which it cannot be punctual */

enum run_end {
    RUN_COMPLETE,
    RUN_INTERRUPTED,
    RUN_NO_AGENTS,   /* fewer than agents.min were ready in time: nothing was started */
    RUN_AGENTS_LOST, /* fewer than agents.min are left, or on_loss: abort */
    RUN_STOP_AFTER,  /* errors.rate stayed above half for limits.stop_after */
    RUN_UNREACHABLE, /* nothing connected since the start */
    RUN_SINK_FAILED, /* the record cannot be written, or a child of ours died */
};

/** What one tick after the warm-up says about the limit. Plain data. */
struct evidence_tick {
    double goal, value; /* means over the last second, in the goal's unit */
    double tolerance;
    bool unanswered;   /* a search has no answer of the target's */
    bool undergranted; /* less is ordered than is asked for */
    bool owners_bind;  /* the agents' owners allow fewer workers than the plan's ceiling */
    enum control_status status;
    double load; /* of the busiest lane, 0 to 1 */
    double throughput_per_s, workers;
};

/** One stage after the warm-up. */
struct evidence_stage {
    double goal_per_s, throughput_per_s;
    double window_s; /* how long it was measured; 0: it has not been */
};

/** Plain data; a zeroed one has seen nothing. */
struct evidence {
    enum run_end end;
    char cause[SENTENCE_BYTES]; /* of any end but RUN_COMPLETE: a clause */
    uint32_t ticks;
    uint32_t short_ticks; /* in which the goal was missed from below, or not answered; of these: */
    uint32_t undergranted, owners_bind, full, saturated, at_maximum;
    uint32_t answered_bounded; /* not of these: a search held by a bound of `while` */
    uint32_t flat_ticks;       /* SATURATED, short or not */
    double flat_per_s_sum, flat_workers_least, flat_workers_most;
    uint32_t agents_lost, agents_declined;
    uint32_t stage_count;
    struct evidence_stage stages[STAGES_MAX];
};

void evidence_take(struct evidence *evidence, const struct evidence_tick *tick);

/** Fills the thresholds of `report` from its data after the warm-up. */
void verdict_thresholds(struct report *report);

/** Fills outcome, limit, sentence and exit_code of a `report` that has all else. */
void verdict_reach(const struct evidence *evidence, struct report *report);

#endif
