/** Holds a thread for each lane, shares the setpoint over those at work, gathers their meters. One
 *  lane begins; another joins when the busiest has had more than 60 % of a core for three readings.
 *  For one thread: the agent's control thread. */
#ifndef CLOBBER_AGENT_POOL_H
#define CLOBBER_AGENT_POOL_H

#include "agent/meter.h"
#include "common/base/error.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stdint.h>

struct pool;
struct recording;
struct engine_driver;
struct reach;
struct address;

/** What one agent runs. Plain data. */
struct pool_setpoint {
    uint64_t floor_milli, concurrency_milli, rate_milli;
    uint64_t drop_age_ns;
    uint64_t lease_end_ns; /* own clock: from then on no request starts */
    uint32_t phase;
    uint32_t burst; /* closed arrivals at a rate: how many of each lane may be ahead of it */
    uint64_t index_block, index_from, index_count; /* as struct setpoint has them */
};

/** Threads and memory for `assignment` (borrowed until pool_destroy(), as are its bytes), towards
 * `reach` (copied, but for its sources), on engines of `driver` (engine_choose()). The lanes count
 * in `recording`, which is of their shape and outlives the pool; NULL: in memory of their own.
 * NULL: ERROR_MEMORY, ERROR_SYSTEM, ERROR_LIMIT. The caller owns it.
 */
struct pool *pool_create(const struct assignment *assignment, const struct reach *reach,
                         uint32_t lanes, const struct engine_driver *driver,
                         struct recording *recording, struct error *error);
/** Cuts whatever is in flight, ends the threads, frees all. */
void pool_destroy(struct pool *pool);

/** A new level for all lanes together. */
void pool_set(struct pool *pool, const struct pool_setpoint *setpoint);
/** The target has moved: connections that begin from now on go to `address`. */
void pool_move(struct pool *pool, const struct address *address);
/** Nothing starts any more; what is in flight may end until `deadline_ns`, then it is cut. The
 * backlog becomes not_started. When all is done, the meters are idle. */
void pool_drain(struct pool *pool, uint64_t deadline_ns);
/** As pool_drain() with a deadline that has passed. */
void pool_abort(struct pool *pool);

/** Asks every lane for its meters and waits for them, at most 50 ms (a lane that does not answer
 * counts with its last reading). Without `histograms` those are as at the last reading that had
 * them. Borrowed until the next call. */
const struct meters *pool_read(struct pool *pool, bool histograms);

#endif
