/** How many workers to run where pools do not grow by themselves between two steps: open arrivals
 *  with `rigid`. The law's floor and cap stay as they are; this chooses one number between them
 * from the demand that was seen. Pure. docs/control.md, "Rigid pools". */
#ifndef CLOBBER_CONTROL_RIGID_POOL_H
#define CLOBBER_CONTROL_RIGID_POOL_H

#include <stdint.h>

struct observation;

#define RIGID_POOL_TICKS 30 /* as the pools of elastic agents: longer than pauses are apart */

/** Plain data; rigid_pool_start() first. */
struct rigid_pool {
    double workers;                 /* to run */
    double peaks[RIGID_POOL_TICKS]; /* demand of the last ticks, in no order */
    uint32_t next;                  /* the oldest of them */
};

void rigid_pool_start(struct rigid_pool *pool, double workers);

/** One whole tick; `floor` and `cap` are the law's. */
void rigid_pool_step(struct rigid_pool *pool, double floor, double cap, double generators,
                     const struct observation *seen);

#endif
