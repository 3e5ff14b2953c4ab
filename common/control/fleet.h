/** The load generators in virtual time: lanes that each pace their own stream and run their own
 *  workers, as docs/control.md gives the agents' part. Two may drive it: fleet_run() moves all
 * lanes in step by one advice and observes as the coordinator would; or each lane is told its own
 * orders at its own moments (fleet_order()), and a watcher counts. */
#ifndef CLOBBER_CONTROL_FLEET_H
#define CLOBBER_CONTROL_FLEET_H

#include "common/control/controller.h"
#include "common/control/plant.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_TICK_S        0.1
#define FLEET_LANES_MAX     64u
#define FLEET_TRANSPORT_MAX 10u

/** What happened to one request of a lane. */
enum fleet_event_kind { FLEET_DUE, FLEET_NOT_STARTED, FLEET_STARTED, FLEET_ENDED };

struct fleet_event {
    enum fleet_event_kind kind;
    uint32_t lane;
    double due_s; /* closed: when it started */
    double start_s, end_s;
    bool ok, timed_out;
};

struct fleet_config {
    struct plant_config plant;
    uint32_t lanes;
    bool closed;
    bool poisson;             /* requests fall due at random, else evenly */
    bool eager;               /* open: whoever finds no free worker gets one, whatever is known */
    double connect_s;         /* until a new worker can take a request */
    double timeout_s;         /* of a request, from its start; its worker is free then; 0: none */
    double noise;             /* of what is measured, a share */
    double report_loss;       /* share of the lanes' reports that never arrive */
    uint32_t transport_ticks; /* so much older are observations, up to FLEET_TRANSPORT_MAX */
    double quantile; /* of each tick's times from due to end, into latency_ns_quantile; 0: none */
    double lane_starts_per_s;                     /* what a lane's CPU carries; 0: any number */
    double lane_starts_per_s_of[FLEET_LANES_MAX]; /* what this one's does; 0: as all */
    double lane_latency_factor[FLEET_LANES_MAX];  /* of its delay; 0: 1 */
    double lost_from_s, lost_to_s;                /* some lanes are away so long, ... */
    uint32_t lost_lanes;                          /* ... the first so many; 0: 1 */
    /* Called with each event, in order; may be NULL. */
    void (*watch)(void *context, const struct fleet_event *event);
    void *watch_context;
};

struct fleet;

/** What happened in one tick, as only the simulation can know it. */
struct fleet_tick {
    struct observation seen;       /* what arrived of what was measured */
    double completed, failed;      /* requests that ended, the well ones and the others */
    double due, late, not_started; /* requests; late: by more than 10 ms, or never */
    double sent_per_s;
    double workers;
    double concurrency; /* as commanded */
};

/** `config` is borrowed for life. The caller owns it: fleet_destroy(). */
struct fleet *fleet_create(const struct fleet_config *config, uint64_t seed);
void fleet_destroy(struct fleet *fleet);

/** How many lanes are known to carry load now. */
uint32_t fleet_lanes(const struct fleet *fleet);

/** Runs one tick at `rate_per_s` as advised. */
void fleet_run(struct fleet *fleet, double rate_per_s, const struct control_advice *advice,
               struct fleet_tick *tick);

/** What one lane shall do from now on. */
struct fleet_order {
    double rate_per_s; /* open: at which requests fall due */
    double floor;      /* open: workers kept ready */
    double concurrency;
    double drop_age_s; /* open: a due request older than this is not started */
};

void fleet_order(struct fleet *fleet, uint32_t lane, const struct fleet_order *order);

/** A lane starts nothing more until its next order: what waits never will. */
void fleet_stop(struct fleet *fleet, uint32_t lane);

/** All that happens before `at_s` happens. */
void fleet_advance(struct fleet *fleet, double at_s);

/** The plant's changes count from this moment on, and not from 0. */
void fleet_start_changes(struct fleet *fleet);

/** Once a FLEET_TICK_S for each lane: its pool may shrink to what the last ticks needed. */
void fleet_staff(struct fleet *fleet, uint32_t lane);

/** A lane is gone with all that it was doing; or it is back, with nothing. */
void fleet_lose(struct fleet *fleet, uint32_t lane);
void fleet_return(struct fleet *fleet, uint32_t lane);

/** A lane's state at the moment of fleet_advance(), and its sums since the start. */
struct fleet_lane {
    uint64_t started, ok, failed; /* failed: time-outs included */
    double in_flight_s;           /* the integral of workers with a request */
    double latency_s;             /* start to end, of all that ended */
    uint32_t workers, in_flight, backlog;
    uint32_t demand_peak; /* the largest in flight + backlog since fleet_staff() */
};

struct fleet_lane fleet_look(const struct fleet *fleet, uint32_t lane);

#endif
