/** What this machine can carry, measured: one lane against a server in this very process, over
 *  loopback; and how late a thread wakes that wanted to sleep a millisecond. */
#ifndef CLOBBER_AGENT_PROBE_H
#define CLOBBER_AGENT_PROBE_H

#include "agent/engine.h"
#include "common/base/error.h"

#include <stdint.h>

/** Requests per second of the lane's CPU time, closed arrivals, keep-alive, for `measure_ms`;
 *  blocks for so long. False: ERROR_SYSTEM, ERROR_MEMORY. */
bool probe_requests(const struct engine_driver *driver, uint32_t measure_ms,
                    uint64_t *requests_per_cpu_s, struct error *error);

/** 99 of 100 sleeps of a millisecond end no later than this after it; blocks for a quarter of a
 *  second. */
uint64_t probe_timer_p99_ns(void);

#endif
