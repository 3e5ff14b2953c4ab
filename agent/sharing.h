/** Many workers on one connection to the target: between engine_shared, which opens such
 *  connections and gives workers their places on them, and the protocol that is spoken over one.
 *
 *  A carrier is the connection, a seat a worker's place on it. A seat has at most one request at a
 *  time. All on the lane's own thread. */
#ifndef CLOBBER_AGENT_SHARING_H
#define CLOBBER_AGENT_SHARING_H

#include "agent/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct carrier;

/** What a carrier's buffer takes: no protocol gives more at once, and no request of a pipeline may
 *  be longer. The largest that an assignment holds, and its framing. */
#define CARRIER_BYTES (96u * 1024u)

enum seat_state {
    SEAT_ARRIVING, /* its worker has not been told yet that it is connected */
    SEAT_WAITING,  /* with a request, on a carrier that is not ready */
    SEAT_IDLE,
    SEAT_ASKED, /* its request is the protocol's */
};

struct seat {
    struct connection *connection; /* the worker's, borrowed */
    struct carrier *carrier;
    struct seat *previous, *next; /* on the carrier */
    enum seat_state state;
    const uint8_t *bytes; /* the request, borrowed until it is answered, ended or forgotten */
    size_t byte_count;
    bool written;     /* its first byte was handed to the engine below... */
    uint64_t flush;   /* ...with this flush of the carrier */
    uint8_t refusals; /* of the request */

    /* The protocol's own */
    int32_t stream; /* 0: none */
    uint8_t phase;
    bool has_length;
    const uint8_t *body; /* not sent yet */
    size_t body_left;
};

struct shared_settings;

/** What is spoken over a carrier. `talk` is the state of one. An error is as the engine's. */
struct protocol {
    const char *name;
    /** The carrier is connected. NULL: no memory. */
    void *(*begin)(struct carrier *carrier, const struct shared_settings *settings);
    void (*end)(void *talk);
    /** Bytes came. Not 0: the carrier is of no use any more, with this error. */
    int (*received)(void *talk, const uint8_t *bytes, size_t count);
    /** Takes the seat's request. Not 0: the error. */
    int (*ask)(void *talk, struct seat *seat);
    /** The seat will not hear of its request any more, nor are its bytes there any longer: it has
     * heard enough (`answered`), or given up. */
    void (*forget)(void *talk, struct seat *seat, bool answered);
    /** Writes what is to be sent next into `bytes[room]` (CARRIER_BYTES); how much it is. */
    size_t (*pull)(void *talk, uint8_t *bytes, size_t room);
    /** Whether both sides have nothing more to say. */
    bool (*over)(void *talk);
};

/* What a protocol tells. After the calls that begin with seat_ the seat may be gone. */

/** Up to `seats` workers may be on the carrier (1 or more). */
void carrier_ready(struct carrier *carrier, uint32_t seats);
/** No further request will be taken. */
void carrier_leave(struct carrier *carrier);
/** The first bytes of the seat's request were just pulled. */
void seat_written(struct seat *seat);
/** Bytes of the answer; with `last` the seat is free for the next request. */
void seat_answer(struct seat *seat, const uint8_t *bytes, size_t count, bool last);
/** The request ended without its answer. */
void seat_ended(struct seat *seat, int error);
/** The target said that it has not looked at the request and will not. */
void seat_refused(struct seat *seat);

#endif
