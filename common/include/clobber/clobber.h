/** libclobber: how many at once? For connections, threads, jobs, batch sizes: any work that some
 *  number of workers does at the same time. docs/library.md begins with ten lines of it.
 *
 *  The tuner has no thread, no clock and no I/O of its own. Every interval the caller says what it
 *  measured and is told how many workers to run. It is the controller of the clobber load tester.
 *
 *  - Deterministic: the same options and the same calls in the same order give the same advice.
 *  - clobber_tuner_step() takes no memory and no lock.
 *  - One tuner is for one thread at a time; two tuners know nothing of each other.
 *  - Times are in nanoseconds, rates per second, shares from 0 to 1.
 *
 *  Every struct begins with `bytes`, its size as the caller's compiler knows it, so that fields can
 *  be added at the end without breaking who was compiled before. Where it is smaller than this
 *  library's, the missing fields count as 0. Where it is larger, what lies beyond must be 0 in the
 *  options, or they are refused; it is ignored in a sample, and set to 0 in an advice. A `bytes`
 *  below the first version of the struct, or above 4096, is impossible: see each function. */
#ifndef CLOBBER_CLOBBER_H
#define CLOBBER_CLOBBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define CLOBBER_API __attribute__((visibility("default")))
#else
#define CLOBBER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum clobber_goal {
    /** As many workers as it takes to complete `target_per_s`. */
    CLOBBER_HOLD = 1,
    /** The fewest workers that get all there is, or all that the bounds allow. */
    CLOBBER_MAXIMIZE = 2
};

/** What makes the rate of a hold. */
enum clobber_arrivals {
    /** The number of workers alone: each begins its next request when the last has ended. */
    CLOBBER_CLOSED = 0,
    /** A schedule that the caller keeps: requests fall due at `target_per_s`, and wait in a backlog
     *  while no worker is free. */
    CLOBBER_OPEN = 1
};

enum clobber_status {
    /** On the way, or not yet steady. */
    CLOBBER_RAMPING,
    /** HOLD: the rate is held. */
    CLOBBER_STEADY,
    /** HOLD: the service gives less than the target, whatever one runs; the advice is what gets all
     *  there is. MAXIMIZE: the search is over, and that number is advised. The ceiling is named. */
    CLOBBER_SATURATED,
    /** MAXIMIZE: a bound stops it, and `bound` says which; the ceiling is named. */
    CLOBBER_BOUNDED,
    /** The caller's own CPU is full (generator_load): nothing is said about the service, and no
     *  more workers are asked for. */
    CLOBBER_GENERATOR_BOUND,
    /** The goal would take more than concurrency_max. */
    CLOBBER_AT_MAXIMUM,
    /** Nobody reports, or nothing ends. The last advice stands, or fades away. */
    CLOBBER_NO_DATA
};

enum clobber_bound { CLOBBER_UNBOUND, CLOBBER_BY_LATENCY, CLOBBER_BY_ERRORS };

/** What is wanted. Plain data, copied. What belongs to the other goal must be left 0, so that no
 *  wish is dropped without a word. */
struct clobber_options {
    /** sizeof(struct clobber_options) */
    size_t bytes;
    enum clobber_goal goal;
    /** HOLD: does the caller pace requests at the target (OPEN), or not. MAXIMIZE: CLOSED. */
    enum clobber_arrivals arrivals;
    /** HOLD: requests a second that end, well or badly; above 0, at most 1e12. */
    double target_per_s;
    /** MAXIMIZE: of the latency that is bounded, 0.99 and so on; above 0, below 1. 0: no bound. */
    double latency_quantile;
    /** MAXIMIZE: latency_ns_at_quantile stays below it; at most an hour. 0: no bound. */
    uint64_t latency_bound_ns;
    /** MAXIMIZE: the failed, as a share of all that ended, stay below it; 0 to 1. 1: no bound, and
     *  0 allows no failure at all. HOLD: 0 or 1. */
    double error_share_max;
    /** The advice is never below it: 0 (down to a part of one worker) to concurrency_max. */
    double concurrency_min;
    /** The advice is never above it: above 0, at most 1e9. */
    double concurrency_max;
    /** Where to begin: concurrency_min to concurrency_max. 0: the tuner chooses. */
    double concurrency_start;
    /** OPEN: true: the caller's workers grow by themselves from the floor up to `concurrency`, when
     *  a request is due and no worker is free. false: it runs just `concurrency`. Else false. */
    bool elastic;
    /** OPEN: how many generators share the target rate, each with workers of its own that take no
     *  request of another's; at most 1e6. 0 is 1. */
    uint32_t parts;
    /** The planned time between two steps, say 100 ms: 1 us to an hour. */
    uint64_t interval_ns;
};

/** What was measured in one interval, over all workers.
 *
 *  A sample that cannot be true counts as no report, and nothing is learned from it: its interval
 *  is 0 or above an hour (a clock that went backwards), or a number in it is negative, not finite,
 *  or above 1e12 (requests a second, workers, requests waiting) or a day (latencies). */
struct clobber_sample {
    /** sizeof(struct clobber_sample) */
    size_t bytes;
    /** The time that this sample is about, as measured. */
    uint64_t interval_ns;
    /** Requests that ended within it, well and badly (time-outs included). */
    uint64_t completed, failed;
    /** Workers with a request in flight, averaged over this interval: measured, not the setpoint.
     *  0 although requests ended: it is reckoned from their number and latency. */
    double in_flight_mean;
    /** From start to end, the mean of those completed. 0: none completed, or too short to tell. */
    double latency_ns_mean;
    /** The same at latency_quantile. 0: none completed, or no bound was set. */
    double latency_ns_at_quantile;
    /** OPEN: requests in flight at the interval's end. */
    double in_flight_end;
    /** OPEN: requests due and not yet started at the interval's end. */
    double backlog;
    /** OPEN, not elastic: the largest in flight + backlog within the interval. 0: unknown. */
    double demand_peak;
    /** The busiest generator's CPU, 0 to 1; what is above 1 is 1. Below 0: unknown. */
    double generator_load;
    /** Sources that should be in this sample, and those that are. 1 and 1 for one process, and 0
     *  and 0 mean the same. Fewer than expected: no measurement of the whole. None: no report. */
    uint32_t parts_expected, parts_reported;
};

/** What to do until the next step. Plain data; every number in it is finite. */
struct clobber_advice {
    /** sizeof(struct clobber_advice), set by the caller. */
    size_t bytes;
    /** Run so many now, at most; from concurrency_min to concurrency_max. A fraction f is one more
     *  worker that is paced: after a request of length d it rests for d (1/f - 1). */
    double concurrency;
    /** OPEN and elastic: keep so many ready, 0 to `concurrency`. Else equal to `concurrency`. */
    double concurrency_floor;
    enum clobber_status status;
    /** BOUNDED: by what. Else CLOBBER_UNBOUND. */
    enum clobber_bound bound;
    /** SATURATED, BOUNDED, GENERATOR_BOUND: the rate at the ceiling, and the workers there. Else
     *  0. */
    double ceiling_per_s, ceiling_concurrency;
};

/** Opaque; owned by who called clobber_tuner_create(). */
struct clobber_tuner;

/** Checks every option and makes a tuner, to be freed with clobber_tuner_destroy(). NULL when it
 *  cannot: then `message[message_bytes]` holds one sentence, cut to fit, that says what was found
 *  and what is allowed. `message` may be NULL; on success it is emptied. */
CLOBBER_API struct clobber_tuner *clobber_tuner_create(const struct clobber_options *options,
                                                       char *message, size_t message_bytes);

/** An interval has passed and `sample` is what was seen in it: fills in `advice`. To be called
 *  about every interval_ns, with NULL where nothing was measured.
 *
 *  `sample` NULL, or with an impossible `bytes`: no report; in the very first call: where to start.
 *  `advice` NULL, or with an impossible `bytes`: the tuner learns, and nothing is written. */
CLOBBER_API void clobber_tuner_step(struct clobber_tuner *tuner,
                                    const struct clobber_sample *sample,
                                    struct clobber_advice *advice);

/** HOLD: the target from the next step on. 0 to 1e12; at 0 nothing above concurrency_min is run and
 *  what was learned is kept. Any other value, and any other goal: nothing changes. */
CLOBBER_API void clobber_tuner_retarget(struct clobber_tuner *tuner, double target_per_s);

/** Frees it. NULL is welcome. */
CLOBBER_API void clobber_tuner_destroy(struct clobber_tuner *tuner);

#ifdef __cplusplus
}
#endif

#endif
