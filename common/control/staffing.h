/** How many workers one lane keeps for its own stream of open arrivals, between the floor and the
 *  cap that it was given: without a control delay, from its own answers alone. Agents and their
 *  model (fleet.h) obey the same. Pure. docs/control.md, "The lane's part".
 *
 *  Kept is the largest demand of the last three seconds, so that a pause of the target that comes
 *  again and again finds its workers ready. Demand is what runs and what waits, never what
 *  connects, or the pool would feed on itself; less what may as well wait for a moment. And it must
 *  be the target's: when this machine let us sleep past due times, they fall due in a burst that no
 *  service time asked for. So demand is not remembered while a request that we took late ourselves
 *  runs or waits, nor for STAFFING_CALM_NS after, while the target works off what it got at once.
 *  Such a burst still gets the workers it needs; they are just not kept. */
#ifndef CLOBBER_CONTROL_STAFFING_H
#define CLOBBER_CONTROL_STAFFING_H

#include <stdbool.h>
#include <stdint.h>

#define STAFFING_TICKS       30u
#define STAFFING_TICK_S      0.1
#define STAFFING_OWN_LATE_NS UINT64_C(1000000) /* above a usual wake-up, below a burst */
#define STAFFING_CALM_NS     UINT64_C(100000000)
#define STAFFING_PATIENCE_NS UINT64_C(5000000) /* half of what counts as late */
#define STAFFING_NEVER       UINT64_MAX

/** Plain data; zeroed: nothing known. */
struct staffing {
    uint32_t peaks[STAFFING_TICKS]; /* a ring, clipped to the cap of their time */
    uint32_t next;
    uint32_t peak;    /* of the present tick */
    uint64_t calm_ns; /* from here on demand is remembered */

    uint64_t quiet_ns;       /* since when nothing was answered though something is in flight */
    double latency_ns;       /* of the last few answers; 0: none yet */
    double latency_ns_least; /* the best of that, of late */
    double connect_ns;       /* of the last few connects */
    uint32_t answered;       /* in the present tick */
    bool keeps_pace;         /* the last tick answered what a tick lets fall due */
};

/** The lane as it is now. */
struct staffing_lane {
    double rate_per_s;
    uint32_t floor, cap;
    uint32_t in_flight, idle, connecting;
    uint32_t waiting;  /* requests that are due */
    uint32_t own_late; /* in flight or waiting: we took them late ourselves */
    uint64_t due_ns;   /* of the oldest that waits */
};

/** A request starts; `in_flight` are without an answer already. */
void staffing_started(struct staffing *staffing, uint64_t now_ns, uint32_t in_flight);
/** A request was answered, well or badly, after `latency_ns`. */
void staffing_answered(struct staffing *staffing, uint64_t now_ns, uint64_t latency_ns);
void staffing_connected(struct staffing *staffing, uint64_t took_ns);

/** Demand may have changed. */
void staffing_see(struct staffing *staffing, uint64_t now_ns, const struct staffing_lane *lane);
/** A tick ends. Its peak is clipped to `cap`, else a saturation would leave a huge pool behind. */
void staffing_tick(struct staffing *staffing, double rate_per_s, uint32_t cap);
/** Workers to keep: the largest peak remembered, at least `floor`, at most `cap`. */
uint32_t staffing_pool(const struct staffing *staffing, uint32_t floor, uint32_t cap);

/** When the next worker connects if nothing changes until then; STAFFING_NEVER. */
uint64_t staffing_hires_ns(const struct staffing *staffing, const struct staffing_lane *lane);

#endif
