/** beat: an agent's cumulative counters and gauges, ten a second, stamped by its own clock. */
#ifndef CLOBBER_PROTO_BEAT_H
#define CLOBBER_PROTO_BEAT_H

#include "proto/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader;
struct wire_writer;

enum beat_flag {
    BEAT_CPU_SATURATED = 1u << 0, /* a lane's CPU above 90 % since the last beat */
    BEAT_FD_LIMIT = 1u << 1,      /* a connection was not made for want of a descriptor */
    BEAT_LOCAL_PORTS = 1u << 2,   /* ... of a local port */
    BEAT_LEASE_EXPIRED = 1u << 3, /* the lease has ended; nothing is started */
    BEAT_STOOD_STILL = 1u << 4,   /* the generator stood still for 20 ms or more since then */
};

struct beat {
    uint64_t t_agent; /* when the counters were read */
    uint64_t applied_seq;
    uint32_t lease_left_ms;
    struct counters counters; /* since the incarnation began, all phases */
    uint64_t cpu_ns;          /* of all lanes */
    /* gauges */
    uint32_t workers;            /* that exist, connecting ones included */
    uint32_t in_flight;          /* with a request */
    uint32_t backlog;            /* due and not started */
    uint32_t demand_peak;        /* the largest in flight + backlog since the last beat */
    uint32_t lanes;              /* that carry load now */
    uint32_t lane_load_permille; /* the busiest lane's CPU since the last beat, 0 to 1000 */
    uint32_t send_lag_max_us;    /* the longest since the last beat */
    uint32_t flags;              /* enum beat_flag */
    /* Response latency since the incarnation began, of all that ended: digest_decode(). Only when
     * the assignment asks for it; else, and from an agent of minor version 0, none. Borrowed. */
    const uint8_t *digest;
    size_t digest_bytes; /* at most DIGEST_BYTES_MAX */
    /* Where requests are numbered, of one moment: */
    uint64_t index_block; /* the newest block that was taken up; 0: none */
    uint64_t index_used;  /* indexes given to requests since the incarnation began */
};

/** The fields of a beat, in their order, after the envelope: BEAT_FIELDS objects of an array that
 *  the caller has begun. What is encoded was checked before (CHECK: our own mistakes); decoding
 *  reads the `fields` that there are, of which an agent of minor version 0 sends the first
 *  BEAT_FIELDS_LEAST and one of minor version 1 the first BEAT_FIELDS_DIGEST, and names what is
 *  wrong. False: ERROR_PROTOCOL, result untouched. */
#define BEAT_FIELDS        16u
#define BEAT_FIELDS_DIGEST 14u
#define BEAT_FIELDS_LEAST  13u
void beat_encode(const struct beat *beat, struct wire_writer *writer);
bool beat_decode(struct wire_reader *reader, uint32_t fields, struct beat *beat,
                 struct error *error);

#endif
