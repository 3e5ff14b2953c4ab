/** The cumulative counts of one agent's life, or of one phase of it: what the ledger is made of.
 *
 *  Always: planned = started + not_started + backlog, started = ok + failed + timed_out + in
 *  flight; in a final word the backlog is 0. */
#ifndef CLOBBER_PROTO_COUNTERS_H
#define CLOBBER_PROTO_COUNTERS_H

#include "common/base/error.h"
#include "common/base/failure.h"

#include <stdbool.h>
#include <stdint.h>

struct wire_reader;
struct wire_writer;

struct counters {
    uint64_t planned;     /* fell due (closed arrivals: equal to started) */
    uint64_t not_started; /* fell due, and never taken by a worker */
    uint64_t started;
    uint64_t ok;
    uint64_t failed[FAILURE_COUNT];
    uint64_t timed_out;
    uint64_t unwritten; /* of those started and ended: before their first byte was written */
    uint64_t bytes_sent, bytes_received;
    uint64_t connections_opened; /* connections made */
    uint64_t connections_reused; /* requests sent on a connection that had carried one before */
    uint64_t in_flight_ns;       /* integral over time of workers with a request in flight */
    uint64_t latency_sum_ns;     /* start to done, over all that ended (ok, failed, timed out) */
    uint64_t send_lag_sum_ns;    /* due to started, over all started */
    /* Of those timed out, who waited for something that has a limit of its own. Since minor version
     * 2, and on the wire only when there are any: who asks for no such limit sees none. */
    uint64_t timed_out_connect, timed_out_first_byte;
};

/** Sum of all classes. */
uint64_t counters_failed(const struct counters *counters);
/** Of these, those in whose classes no connection came about. */
uint64_t counters_unconnected(const struct counters *counters);
/** started - ok - failed - timed_out. */
uint64_t counters_in_flight(const struct counters *counters);
void counters_add(struct counters *counters, const struct counters *other);
/** `newer` - `older`, field by field. Both of one incarnation, `newer` not before `older`. */
struct counters counters_since(const struct counters *newer, const struct counters *older);
/** Whether no field of `newer` is below its twin in `older`. */
bool counters_monotone(const struct counters *newer, const struct counters *older);

/** Above what any agent can count in RUN_S_MAX at RATE_PER_S_MAX, and so small that AGENTS_MAX of
 *  them, all classes together, never wrap. Counts of bytes and sums of ns have no such bound. */
#define COUNTERS_COUNT_MAX (UINT64_C(1) << 46)

/** One nested array on the wire, `failed` an array inside it. Decoding also checks the ledger's
 *  rules: started + not_started <= planned, ended <= started, unwritten <= ended, timed out for a
 *  connection or a first byte <= timed out. Encoding does
 *  not: what an agent miscounts the coordinator names; it is no reason for the agent to die. */
bool counters_check(const struct counters *counters, struct error *error); /* the same, unencoded */
void counters_encode(const struct counters *counters, struct wire_writer *writer);
bool counters_decode(struct wire_reader *reader, struct counters *counters, struct error *error);

#endif
