#include "common/control/rigid_pool.h"

#include "common/base/check.h"
#include "common/control/controller.h"

#include <math.h>

#define GROWTH        2.0  /* times the workers, a tick, while something waits */
#define REMEMBER_MORE 1.25 /* times the workers: so much of a demand is kept in mind */

void rigid_pool_start(struct rigid_pool *pool, double workers)
{
    CHECK(workers >= 0.0);
    *pool = (struct rigid_pool){.workers = workers};
}

void rigid_pool_step(struct rigid_pool *pool, double floor, double cap, double generators,
                     const struct observation *seen)
{
    CHECK(floor >= 0.0 && cap >= 0.0);
    CHECK(generators >= 1.0);
    double before = pool->workers;
    double demand = seen->in_flight_end + seen->backlog;
    bool waits = seen->backlog > 0.0;
    /* What waited for want of workers is no demand: more of them would have been done sooner. */
    double peak = fmin(fmax(seen->demand_peak, demand), before);
    if (waits)
        peak = fmax(peak, fmin(demand, REMEMBER_MORE * before + generators));
    pool->peaks[pool->next] = peak;
    pool->next = (pool->next + 1) % RIGID_POOL_TICKS;

    double workers = floor;
    for (uint32_t i = 0; i < RIGID_POOL_TICKS; i++)
        workers = fmax(workers, pool->peaks[i]);
    if (waits)
        workers = fmax(workers, fmin(demand, GROWTH * before + generators));
    pool->workers = fmin(fmax(workers, generators), fmax(cap, generators));
}
