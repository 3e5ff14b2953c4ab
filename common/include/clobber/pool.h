/** Threads that run the caller's function over and over, and as many of them at once as the goal
 *  takes. The pool measures, asks a tuner (<clobber/clobber.h>) every interval, and follows it.
 *
 *  - HOLD, CLOSED: each thread calls again as soon as its call has returned; their number makes the
 *    rate. A fraction of a worker is a thread that rests after each call.
 *  - HOLD, OPEN: calls fall due evenly at target_per_s, and idle threads take them. With `elastic`
 *    threads are added up to the advice when a call is due and none is idle. What waits for longer
 *    than a second (a tenth while saturated; two intervals between calls at least) is not started
 *    and counted so; what is late is caught up with at 10 % above the rate.
 *  - MAXIMIZE: as CLOSED, towards the most that the service and the bounds give.
 *
 *  All functions may be called from any thread, but clobber_pool_stop() once, and nothing after it.
 *  No signal is ever delivered to a thread of the pool. Links with -lclobber alone. */
#ifndef CLOBBER_POOL_H
#define CLOBBER_POOL_H

#include <clobber/clobber.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a pool is doing. */
struct clobber_pool_view {
    /** sizeof(struct clobber_pool_view), set by the caller; as in <clobber/clobber.h>. */
    size_t bytes;
    /** Calls that may run at once now: the tuner's last advice. */
    double concurrency;
    /** Calls that end in a second, well or badly; smoothed over about one. */
    double throughput_per_s;
    /** Calls that ended since the start: returned 0, and anything else. */
    uint64_t completed, failed;
    enum clobber_status status;
    /** OPEN: calls that were due and are not made any more, for they had waited too long. */
    uint64_t not_started;
};

/** Opaque; owned by who called clobber_pool_start(). */
struct clobber_pool;

/** Starts a pool that calls `work(context)`, from many threads at the same time; 0 means that it
 *  went well. `work` must return for the pool to end: no exception, no pthread_exit(). `context` is
 *  borrowed until the pool is stopped.
 *
 *  The options are those of a tuner, and concurrency_max is the most threads, at most 8192; `parts`
 *  is 0 or 1. NULL when they are refused, or when there is no memory or no thread: `message` as for
 *  clobber_tuner_create(). Threads that cannot be started later are tried again every interval. */
CLOBBER_API struct clobber_pool *clobber_pool_start(const struct clobber_options *options,
                                                    int (*work)(void *context), void *context,
                                                    char *message, size_t message_bytes);

/** Fills in `view`; counts are of this moment. Its `bytes` impossible: nothing is written. */
CLOBBER_API void clobber_pool_look(struct clobber_pool *pool, struct clobber_pool_view *view);

/** Starts nothing more, waits for all calls that run, and frees the pool. NULL is welcome. Never to
 *  be called from `work`, which would wait for itself. */
CLOBBER_API void clobber_pool_stop(struct clobber_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
