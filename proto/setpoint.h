/** setpoint, stop and the acknowledgement of a final word: what the coordinator orders. */
#ifndef CLOBBER_PROTO_SETPOINT_H
#define CLOBBER_PROTO_SETPOINT_H

#include "common/base/error.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct wire_reader;
struct wire_writer;

/** A level, never a change: the newest (epoch, seq) of the envelope wins. */
struct setpoint {
    uint64_t floor_milli;       /* workers kept ready; equal to the cap unless arrivals are open */
    uint64_t concurrency_milli; /* the cap, in thousandths of a worker; 0: pause */
    uint64_t rate_milli;        /* of requests/s; 0: nothing is due (closed arrivals: no pacing) */
    uint32_t drop_age_ms;       /* a due request older than this is not started */
    uint32_t phase;             /* requests due from now on belong to it */
    uint32_t sample_ms;         /* 1 to SAMPLE_MS_MAX */
    uint64_t echo_t;            /* the agent's own time from its last beat: its lease runs from
                                   here, never from receipt */
    /* Where requests are numbered, the newest block of the global index: a level too, said until a
     * beat shows that it was taken up. An empty one takes the place of all that are not used. */
    uint64_t index_from;
    uint64_t index_count;
    uint64_t index_block; /* its number for this agent, from 1; 0: none yet */
};

enum stop_kind { STOP_DRAIN, STOP_ABORT, STOP_COUNT };

struct stop {
    enum stop_kind kind;
    uint32_t deadline_ms; /* DRAIN: what is in flight then is cut */
    char reason[NAME_BYTES_MAX + 1];
};

struct final_ack {
    uint64_t seq;         /* of the FINAL's envelope */
    uint64_t started, ok; /* of that FINAL's phase (final.sample.counters), as the coordinator took
                             them: the agent checks that they are equal */
};

/** The fields of each, in their order, after the envelope: NAME_FIELDS objects of an array that
 *  the caller has begun. What is encoded was checked before (CHECK: our own mistakes); decoding
 *  names what is wrong. A setpoint has `fields` of them: a coordinator of minor version 1 or below
 *  sends the first SETPOINT_FIELDS_LEAST. False: ERROR_PROTOCOL, result untouched. */
#define SETPOINT_FIELDS       10u
#define SETPOINT_FIELDS_LEAST 9u
#define STOP_FIELDS           3u
#define FINAL_ACK_FIELDS      3u
void setpoint_encode(const struct setpoint *setpoint, struct wire_writer *writer);
bool setpoint_decode(struct wire_reader *reader, uint32_t fields, struct setpoint *setpoint,
                     struct error *error);
void stop_encode(const struct stop *stop, struct wire_writer *writer);
bool stop_decode(struct wire_reader *reader, struct stop *stop, struct error *error);
void final_ack_encode(const struct final_ack *final_ack, struct wire_writer *writer);
bool final_ack_decode(struct wire_reader *reader, struct final_ack *final_ack, struct error *error);

#endif
