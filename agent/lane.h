/** A lane: one thread with its engine and its crew of workers, that runs its share of the setpoint.
 *
 *  The control thread speaks to it through a mailbox and a wake-up, never through a lock on a
 * request's path; counters come back as a copy that the lane makes when asked. */
#ifndef CLOBBER_AGENT_LANE_H
#define CLOBBER_AGENT_LANE_H

#include "agent/engine.h"
#include "agent/meter.h"
#include "agent/pool.h"
#include "agent/workload.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct lane;
struct numbers;
struct reach;
struct address;

/** What a lane is made of. All borrowed for its life. */
struct lane_plan {
    const struct assignment *assignment;
    const struct reach *reach; /* copied, but for its sources */
    const struct workload *workload;
    const void *configuration;
    const struct engine_driver *driver;
    struct numbers *numbers; /* shared by the lanes of an agent; NULL: requests have none */
    uint32_t index;          /* its name: lane0, lane1, ... */
    uint32_t capacity;       /* workers at most */
    double stagger;          /* 0 to 1: see pacer_start() */
    int answered;            /* an eventfd that it signals when it has answered lane_ask() */
    void *meters;            /* as struct crew_plan has it */
};

/** Starts the thread, with nothing to do. NULL: ERROR_MEMORY, ERROR_SYSTEM. The caller owns it. */
struct lane *lane_create(const struct lane_plan *plan, struct error *error);
/** Cuts what is in flight, ends the thread. */
void lane_destroy(struct lane *lane);

/** A new level, its own share, from `at_ns` on; the newest counts. */
void lane_set(struct lane *lane, const struct pool_setpoint *setpoint, uint64_t at_ns);
/** As pool_move(). */
void lane_move(struct lane *lane, const struct address *address);
/** As pool_drain(). */
void lane_drain(struct lane *lane, uint64_t at_ns, uint64_t deadline_ns);

/** Asks for the meters. */
void lane_ask(struct lane *lane, bool histograms);
/** Whether the last lane_ask() has been answered. */
bool lane_answered(struct lane *lane);
/** Copies (`first`) or adds the last answer, late or not, to `meters`. */
void lane_take(struct lane *lane, struct meters *meters, bool first, bool histograms);

#endif
