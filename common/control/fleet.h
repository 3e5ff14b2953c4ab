/** The load generators in virtual time: lanes that each pace their own stream and run their own
 * workers, as docs/control.md gives the agents' part. They fill in observations as the coordinator
 * would. */
#ifndef CLOBBER_CONTROL_FLEET_H
#define CLOBBER_CONTROL_FLEET_H

#include "common/control/controller.h"
#include "common/control/plant.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_TICK_S    0.1
#define FLEET_LANES_MAX 8u

struct fleet_config {
    struct plant_config plant;
    uint32_t lanes;
    bool closed;
    bool poisson;     /* requests fall due at random, else evenly */
    double connect_s; /* until a new worker can take a request */
    double noise;     /* of what is measured, a share */
    double quantile;  /* closed: of the latencies of each tick, into latency_ns_quantile; 0: none */
    double lane_starts_per_s;      /* what a lane's CPU carries; 0: any number */
    double lost_from_s, lost_to_s; /* the first lane is away so long */
};

struct fleet;

/** What happened in one tick, as only the simulation can know it. */
struct fleet_tick {
    struct observation seen;
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

#endif
