/** Cumulative counters and histograms of one lane, or of a whole agent: plain data, written by one
 * thread.
 *
 *  A lane owns its meters and copies them out when asked (pool.h), so that no counter on a
 * request's path is shared. Sums of lanes are again meters. */
#ifndef CLOBBER_AGENT_METER_H
#define CLOBBER_AGENT_METER_H

#include "common/base/histogram.h"
#include "proto/counters.h"
#include "proto/digest.h"
#include "proto/sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATUS_MIN   100u
#define STATUS_COUNT 500u /* 100 to 599 */

/** One phase: a request belongs to the phase in which it fell due. */
struct phase_meter {
    uint64_t t_from; /* agent's clock; 0: the phase has not begun */
    uint64_t t_to;   /* when it ended; 0: it has not */
    struct counters counters;
    uint64_t statuses[STATUS_COUNT];        /* index: status - STATUS_MIN */
    uint64_t statuses_failed[STATUS_COUNT]; /* of these, failed as FAILURE_STATUS */
    struct request_count *requests;         /* [request_count] */
    struct histogram kinds[SAMPLE_REQUEST]; /* response, service, connect, ... */
    struct histogram *request_histograms;   /* [request_count]: response */
};

struct meters {
    uint64_t t_agent; /* when they were read, or last written */
    /* gauges */
    uint64_t cpu_ns;
    uint32_t workers, in_flight, backlog;
    uint32_t demand_peak;             /* since the last reading */
    uint32_t lanes;                   /* that carry load */
    uint32_t lane_load_permille;      /* the busiest lane's CPU since the last reading */
    uint32_t send_lag_max_us;         /* since the last reading */
    uint32_t flags;                   /* enum beat_flag, since the last reading */
    uint64_t index_block, index_used; /* of an agent, as struct beat has them */
    bool idle; /* drained or aborted, and nothing is in flight any more: the counters are final */
    uint32_t phase_count, request_count;
    struct phase_meter *phases; /* [phase_count] */
    struct digest *digest;      /* response latency, all phases; NULL: nobody asked for it */
    bool borrowed;              /* the memory of the phases is another's */
};

/** Takes all memory now; zeroed. NULL: no memory. The caller owns it: meters_destroy(). */
struct meters *meters_create(uint32_t phase_count, uint32_t request_count, bool digest);
/** The same with its phases in `memory[meters_bytes()]`, aligned for a uint64_t and borrowed for
 * life: zeroed, or as meters of the same shape left it. Gauges and digest are not there. */
struct meters *meters_create_at(void *memory, uint32_t phase_count, uint32_t request_count,
                                bool digest);
/** What phases of that shape take. */
size_t meters_bytes(uint32_t phase_count, uint32_t request_count);
void meters_destroy(struct meters *meters);
/** Adds the counters and histograms of `other` (same shape) and takes gauges together: sums, but
 * the larger of lane_load, send_lag_max; t_from the smaller (0: none), t_to the larger; idle when
 * both are (a cleared one takes it as it is). */
void meters_add(struct meters *meters, const struct meters *other, bool histograms);
/** Copies counters, gauges and, when `histograms`, the histograms; the digest goes with the
 * counters. Same shape. */
void meters_copy(struct meters *meters, const struct meters *other, bool histograms);
/** Zeroes all, keeps the shape. */
void meters_clear(struct meters *meters);
/** Sum of the counters of all phases: the agent's word for the ledger. */
struct counters meters_total(const struct meters *meters);

#endif
