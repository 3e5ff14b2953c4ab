/** How many workers to keep: the largest demand of the last three seconds, so that a pause of the
 *  target that comes again and again finds its workers ready (docs/control.md, 3.1). Pure.
 *
 *  Demand is what runs and what waits, never what connects, or the pool would feed on itself. And
 * it must be the target's: when this machine let us sleep past due times, they fall due in a burst
 *  that no service time asked for. So demand is not remembered while a request that we took late
 *  ourselves runs or waits, nor for STAFFING_CALM_NS after, while the target works off what it
 *  got at once. Such a burst still gets the workers it needs; they are just not kept. */
#ifndef CLOBBER_AGENT_STAFFING_H
#define CLOBBER_AGENT_STAFFING_H

#include <stdint.h>

#define STAFFING_TICKS       30u
#define STAFFING_OWN_LATE_NS UINT64_C(1000000) /* above a usual wake-up, below a burst */
#define STAFFING_CALM_NS     UINT64_C(100000000)

/** Plain data; zeroed: nothing remembered. */
struct staffing {
    uint32_t peaks[STAFFING_TICKS]; /* a ring, clipped to the cap of their time */
    uint32_t next;
    uint32_t peak;    /* of the present tick */
    uint64_t calm_ns; /* from here on demand is remembered */
};

/** Demand is `demand` now; `own_late` of these requests we took late ourselves. */
void staffing_see(struct staffing *staffing, uint64_t now_ns, uint32_t demand, uint32_t own_late);
/** A tick ends. Clipped to `cap`, else a saturation would leave a huge pool behind. */
void staffing_tick(struct staffing *staffing, uint32_t cap);
/** Workers to keep: the largest peak remembered, at least `floor`, at most `cap`. */
uint32_t staffing_pool(const struct staffing *staffing, uint32_t floor, uint32_t cap);

#endif
