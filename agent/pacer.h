/** What falls due when at a rate, in whole nanoseconds. Pure.
 *
 *  Due time k solves: integral of rate dt = k. The fraction of a request that has grown since the
 * last one is carried over every change of rate, so nothing is lost or doubled at ticks.
 *
 *  Scattered, the integral between two requests is no longer 1 but drawn by lot, exponential with a
 * mean of 1: a Poisson process whose rate may change at any time, and several of which together are
 * one again. */
#ifndef CLOBBER_AGENT_PACER_H
#define CLOBBER_AGENT_PACER_H

#include <stdbool.h>
#include <stdint.h>

#define PACER_NEVER UINT64_MAX

/** Plain data; pacer_start() first. */
struct pacer {
    uint64_t rate_milli; /* thousandths of requests per second; 0: nothing falls due */
    uint64_t origin_ns;  /* the moment up to which `progress` is counted */
    /* The part of the next request that has grown by origin_ns, in thousandths of a request x ns
     * per s: 1 request = PACER_REQUEST. Exact integers, so a month of ticks loses nothing. */
    uint64_t progress;
    uint64_t due_progress; /* at which the next request is due: PACER_REQUEST unless scattered */
    bool scattered;
    uint64_t seed; /* of the next draw */
};

#define PACER_REQUEST (UINT64_C(1000) * UINT64_C(1000000000))

/** Begins at `now_ns` with nothing falling due. `stagger`: 0 to 1, how much of the first request
 * has grown already, so that several pacers of one rate do not fire in step. */
void pacer_start(struct pacer *pacer, uint64_t now_ns, double stagger);
/** After pacer_start(): requests fall due at random from here on, by the draws of `seed`. */
void pacer_scatter(struct pacer *pacer, uint64_t seed);
/** A new rate from `now_ns` on. Take all that is due by `now_ns` first (pacer_due()). */
void pacer_set(struct pacer *pacer, uint64_t now_ns, uint64_t rate_milli);
/** When the next request falls due; PACER_NEVER at rate 0. */
uint64_t pacer_next(const struct pacer *pacer);
/** Takes the next request if it is due by `now_ns`: its due time, else PACER_NEVER. */
uint64_t pacer_due(struct pacer *pacer, uint64_t now_ns);

#endif
