/** setpoint, stop and the acknowledgement of a final word: what the coordinator orders. */
#ifndef CLOBBER_PROTO_SETPOINT_H
#define CLOBBER_PROTO_SETPOINT_H

#include "common/base/limits.h"

#include <stdint.h>

/** A level, never a change: the newest (epoch, seq) of the envelope wins. */
struct setpoint {
    uint64_t floor_milli;       /* workers kept ready; equal to the cap unless arrivals are open */
    uint64_t concurrency_milli; /* the cap, in thousandths of a worker; 0: pause */
    uint64_t rate_milli;        /* thousandths of requests/s; 0: nothing falls due (closed arrivals: no pacing) */
    uint32_t drop_age_ms;       /* a due request older than this is not started */
    uint32_t phase;             /* requests due from now on belong to it */
    uint32_t sample_ms;
    uint64_t echo_t;     /* the agent's own time from its last beat: its lease runs from here, never from receipt */
    uint64_t index_from; /* where requests are numbered: a block of the global index; else 0 */
    uint64_t index_count;
};

enum stop_kind { STOP_DRAIN, STOP_ABORT, STOP_COUNT };

struct stop {
    enum stop_kind kind;
    uint32_t deadline_ms; /* DRAIN: what is in flight then is cut */
    char reason[NAME_BYTES_MAX + 1];
};

struct final_ack {
    uint64_t seq;         /* of the FINAL's envelope */
    uint64_t started, ok; /* as the coordinator took them: the agent checks that they are equal */
};

#endif
