/** Many agents in one process that speak the real protocol and make no load: each is the member of
 * agent/ behind a DEALER socket of its own, with counters and histograms that balance as if it had
 * started what it was ordered to. What a coordinator does for a fleet can so be measured on one
 * machine. */
#ifndef CLOBBER_BENCH_LIGHT_FLEET_H
#define CLOBBER_BENCH_LIGHT_FLEET_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct light_fleet;
struct loop;

/** What the fleet has seen and said. Plain data. */
struct light_counts {
    uint32_t ready;  /* agents that were given an order since they were last dialled */
    uint32_t loaded; /* ... one to run something */
    uint32_t over;   /* whose run has ended */
    uint32_t broken; /* ... without an acknowledged final word */
    uint64_t beats, samples, setpoints, unsent;
    uint64_t started;         /* requests, over all agents */
    uint64_t histogram_bytes; /* of the newest sample of each agent, as encoded */
};

/** `count` agents that connect to `endpoint`, on `loop` (borrowed). NULL: ERROR_SYSTEM,
 * ERROR_MEMORY. The caller owns it: light_fleet_destroy(). */
struct light_fleet *light_fleet_create(const char *endpoint, uint32_t count, struct loop *loop,
                                       struct error *error);
void light_fleet_destroy(struct light_fleet *fleet);

/** Cuts every connection and dials anew, all at once: a flood. False: ERROR_SYSTEM. */
bool light_fleet_dial_again(struct light_fleet *fleet, struct error *error);

struct light_counts light_fleet_counts(const struct light_fleet *fleet);

/** How long it took from the first to the last setpoint of each tick, ascending: borrows
 * `*widths_ns`, returns how many. Begins anew at the next light_fleet_measure(). */
uint32_t light_fleet_fan_out(struct light_fleet *fleet, const uint64_t **widths_ns);
void light_fleet_measure(struct light_fleet *fleet);

#endif
