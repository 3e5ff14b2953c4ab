/** The loop of a run: observation to advice to orders, and what it says about the goal. Pure. */
#ifndef CLOBBER_COORDINATOR_STEERING_H
#define CLOBBER_COORDINATOR_STEERING_H

#include "common/control/controller.h"
#include "coordinator/answer.h"
#include "coordinator/plan.h"
#include "coordinator/roster.h"
#include "coordinator/settling.h"
#include "coordinator/verdict.h"

#include <stdbool.h>
#include <stdint.h>

/** Plain data; steering_init() first. */
struct steering {
    const struct plan *plan; /* borrowed */
    uint32_t lease_ms;
    double goal; /* of this tick, in its unit */
    struct controller_config config;
    struct controller controller;
    struct control_advice advice;
    struct settling settling;
    struct evidence evidence;
    struct answer answer; /* of a goal that searches */
    uint64_t at_ns;       /* of the last step, since the start */
    bool answered;        /* the search converged, now or before */
    bool converged_said;
    uint32_t searching_ticks; /* since it was converged last, while that stands said */
    uint32_t saturated_ticks; /* up while it is so, down while not; a second of it is news */
    bool saturated_said;
    /* errors.rate over whole seconds, for limits.stop_after */
    uint64_t block_bad, block_ended, block_ns;
    uint64_t failing_ns; /* how long it has been above half */
};

/** What has just become true. */
struct steering_news {
    bool settled, saturated, latency_changed, failing;
    bool converged, searching; /* the search is over; it begins again */
    struct latency_change change;
};

/** Requests fall due on a schedule; else workers loop. */
bool steering_open_arrivals(const struct plan *plan);

void steering_init(struct steering *steering, const struct plan *plan, uint32_t lease_ms);

/** Where to start, before anything was seen, at `at_ns` of the schedule. */
void steering_begin(struct steering *steering, const struct roster *roster, uint64_t at_ns);

/** The tick at `at_ns` since the start, which saw `seen`; advice and evidence follow. */
struct steering_news steering_step(struct steering *steering, uint64_t at_ns,
                                   const struct observation *seen, const struct roster *roster);

/** The tick at `at_ns` of which nothing can be learnt: the schedule goes on, the advice stands. */
void steering_pass(struct steering *steering, uint64_t at_ns);

/** The phase that begins at `at_ns`: the schedule's; of a goal that searches an enum search_phase.
 */
uint32_t steering_phase(const struct steering *steering, uint64_t at_ns);

/** Orders for all agents at `now_ns` by the advice. `paced`: requests fall due; else agents connect
 * only. */
void steering_order(const struct steering *steering, struct roster *roster, uint64_t now_ns,
                    bool paced);

#endif
