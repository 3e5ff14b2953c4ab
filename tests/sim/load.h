/** A model of an agent's pool: obeys a setpoint as the real one does, against a target that takes a
 * fixed time for each answer. All times are of the agent's own clock. */
#ifndef CLOBBER_SIM_LOAD_H
#define CLOBBER_SIM_LOAD_H

#include "agent/meter.h"
#include "agent/pool.h"

#include <stdbool.h>
#include <stdint.h>

struct load;

/** Which indexes were given to requests, by all loads of a run. */
struct load_numbers {
    uint64_t size;
    bool *taken;   /* [size] */
    uint64_t used; /* in all */
    bool twice, out_of_range;
};

/** What a load is made of. */
struct load_plan {
    uint32_t phases;
    uint64_t service_ns; /* of every answer; a few fail or time out, a few requests find no
                            connection and are not written */
    uint64_t seed;
    struct load_numbers *numbers; /* borrowed; NULL: requests are not numbered */
    bool counted;                 /* the run ends with the last number */
};

/** Begins at `now_ns`. NULL: no memory. The caller owns it: load_destroy(). */
struct load *load_create(const struct load_plan *plan, uint64_t now_ns);
void load_destroy(struct load *load);

/** Lives through all that happens until `now_ns`. */
void load_advance(struct load *load, uint64_t now_ns);
/** The same when it stood still until `now_ns`: answers are read and requests found due only now,
 * and nothing started meanwhile. */
void load_wake(struct load *load, uint64_t now_ns);

/** Orders, at the moment that it has advanced to. */
void load_set(struct load *load, const struct pool_setpoint *setpoint);
void load_drain(struct load *load, uint64_t deadline_ns);

/** As pool_read(). Borrowed. */
const struct meters *load_read(struct load *load);
/** What it has counted, without a reading: gauges are as at the last one. Borrowed. */
const struct meters *load_meters(const struct load *load);
/** What a flight recorder kept of it, mended as agent/recording.c mends what a killed process left.
 * NULL: no memory. The caller owns it: meters_destroy(). */
struct meters *load_recorded(const struct load *load);
/** What may be running at `now_ns`, not before it has advanced to: zero when the lease has ended.
 * Both in thousandths. */
void load_running(const struct load *load, uint64_t now_ns, uint64_t *rate_milli,
                  uint64_t *concurrency_milli);
/** When the newest lease ends; 0: there was none. */
uint64_t load_lease_end_ns(const struct load *load);
/** Requests that came to the target. */
uint64_t load_reached(const struct load *load);
/** When the last request was started; 0: none was. */
uint64_t load_last_start_ns(const struct load *load);

#endif
