/** `--plant`: a target and its load generators in words, as
 * "delay=5ms,servers=64,latency=x4@10s-20s". Pure. */
#ifndef CLOBBER_COORDINATOR_SIMULATE_PLANT_H
#define CLOBBER_COORDINATOR_SIMULATE_PLANT_H

#include "common/base/error.h"
#include "common/control/fleet.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** Plain data; simulate_plant_init() first. */
struct simulate_plant {
    struct fleet_config fleet;     /* all but its lanes, its arrivals and its time-out */
    double beat_loss;              /* share of beats that never arrive */
    uint32_t transport_ticks;      /* so much later beats arrive */
    uint32_t lost_agents;          /* the first so many die ... */
    double lost_from_s, lost_to_s; /* ... and come back as new ones; to: INFINITY, never */
};

/** Much as `clobber target --latency 5ms --jitter 1ms --servers 64` on this machine, and agents
 * that carry what a lane does on a core of it (bench_lane: 134k/s on a busy one). */
#define SIMULATE_PLANT_DEFAULT                                                                     \
    "delay=0.1ms,service=5ms,servers=64,spread=0.2,connect=1ms,lane=100k/s"
void simulate_plant_init(struct simulate_plant *plant);

/** Reads all of `text`; what it does not name stays as it is. False: ERROR_USAGE, one sentence with
 *  what was found and what is allowed; `plant` may be half changed. */
bool simulate_plant_read(struct simulate_plant *plant, const char *text, struct error *error);

/** Every key with an example, as --help shows them. */
void simulate_plant_help(FILE *stream);

#endif
