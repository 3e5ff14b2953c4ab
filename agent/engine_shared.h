/** A decorator that lets several workers share a connection: each of its connections is a worker's
 *  seat on a carrier, which is a connection of the engine below.
 *
 *  A worker takes a seat where there is room, else on a new carrier; connected() tells, with
 *  `joined` when the carrier was there before. What the workers have to send goes out in one send a
 *  carrier, when the lane begins to wait. A carrier closes when its last seat is left, and when it
 *  breaks, each seat hears of it once: unsent() of what was surely never looked at, closed() of the
 *  others.
 *
 *  A request that the target refused unseen (HTTP/2: REFUSED_STREAM, or a GOAWAY that names a lower
 *  stream; RFC 9113, 8.7) goes to another carrier, at most SHARED_REFUSALS_MAX times: its worker
 *  waits, its time runs on, and the target has looked at it once, as the ledger says. */
#ifndef CLOBBER_AGENT_ENGINE_SHARED_H
#define CLOBBER_AGENT_ENGINE_SHARED_H

#include "agent/engine.h"
#include "agent/sharing.h"

#include <stdbool.h>
#include <stdint.h>

#define SHARED_REFUSALS_MAX 3u

/** A driver's settings. All is borrowed. */
struct shared_settings {
    const struct engine_driver *below;
    const struct protocol *protocol;
    uint32_t seats_max; /* workers on one carrier, 1 or more */
    bool secure;        /* the engine below is TLS */
};

/** Copy it, and give the copy its settings. */
extern const struct engine_driver engine_shared;

#endif
