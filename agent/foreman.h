/** The foreman of a lane: who works on what, and when. Knows no other thread; the lane around it
 * does (lane.h).
 *
 *  Open arrivals: what the pacer says is due goes into the backlog and from there to an idle
 * worker, the one that worked last first; when none is idle one more connects, up to the cap.
 * Closed arrivals: every worker takes the next request when it has done with the last, or when the
 * rate allows it, if there is one (an owner's ceiling).
 *
 *  Where requests are numbered each gets its index when it falls due. While there is none, open
 * arrivals wait for one at their due time, and workers that loop stay idle. */
#ifndef CLOBBER_AGENT_FOREMAN_H
#define CLOBBER_AGENT_FOREMAN_H

#include "agent/backlog.h"
#include "agent/numbers.h"
#include "agent/pacer.h"
#include "agent/pool.h"
#include "agent/thinking.h"
#include "agent/worker.h"
#include "common/base/error.h"
#include "common/control/staffing.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct foreman {
    /* The one word that another thread writes, and that is read before each start: a lease that is
     * cut short ends it at once. */
    _Atomic uint64_t granted_ns;

    struct crew crew;
    struct pacer pacer;
    struct backlog backlog;
    struct staffing staffing;
    bool open;               /* arrivals */
    bool scattered;          /* open: at random */
    struct numbers *numbers; /* borrowed; NULL: requests have none */
    bool counted;    /* the run ends with the last index: what has none falls due elsewhere */
    uint64_t due_ns; /* open arrivals: of the last that has its index */
    struct thinking thinking; /* closed arrivals */
    double stagger;
    uint64_t seed;         /* of what is scattered */
    uint64_t looked_ns;    /* when the last wait ended: what came, had come by then */
    uint64_t now_ns;       /* when all that was told */
    uint64_t tick_ns;      /* the next one; ENGINE_NEVER before the first setpoint */
    uint64_t lease_end_ns; /* of the setpoint in force */
    uint32_t floor, cap;   /* workers */
    bool hiring;           /* more are wanted than one turn could hire */
    bool stopped;          /* nothing starts: no lease */
    bool draining, drained;
    uint64_t deadline_ns; /* of the drain */
    uint32_t demand_peak; /* since the lane zeroed it */

    /* Closed arrivals: the fraction of a worker is one worker that is paced. */
    uint32_t turns, burst; /* at a rate: how many may start now, and may be kept so at most */
    double fraction;       /* 0: none is */
    struct worker *paced;
    uint64_t paced_done_ns, paced_length_ns; /* its last request */

    /* A look that finds more ready than it can take judges no deadline, lest an answer that lies
     * unread be called late; but after as many looks as all workers fill, none does. */
    uint32_t crowded_looks;
    uint64_t crowded_ns; /* the first of them */
};

/** `stagger`: see pacer_start(). False: ERROR_MEMORY, ERROR_SYSTEM. foreman_done() in any case. The
 *  foreman must not move from now on. */
bool foreman_init(struct foreman *foreman, const struct crew_plan *plan, double stagger,
                  struct error *error);
void foreman_done(struct foreman *foreman);

/** A new level from `at_ns` on. What fell due before is of the old one. Nothing once draining. */
void foreman_set(struct foreman *foreman, const struct pool_setpoint *setpoint, uint64_t at_ns);
/** Nothing falls due or starts from `at_ns` on; what is in flight at `deadline_ns` is cut. */
void foreman_drain(struct foreman *foreman, uint64_t at_ns, uint64_t deadline_ns);

/** When there is something to do again, unless the engine has something to tell earlier. */
uint64_t foreman_next(const struct foreman *foreman);
/** After a wait: hears what the engine has to tell, then judges deadlines; sets looked_ns
 *  and now_ns. */
void foreman_tell(struct foreman *foreman);
/** Then, orders taken: does what time asks for. */
void foreman_look(struct foreman *foreman);

#endif
