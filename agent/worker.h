/** Workers: one connection's life each, one request at a time. Connect, request, response, reuse,
 *  back off; every end counted, every failure in its class, every wait under a deadline.
 *
 *  A crew is the workers of one lane and what they share. It does what it is told (start this
 *  request, connect, retire) and says when a worker is free or has lost its connection; how many
 *  workers there are and what they do next is the lane's to say.
 *
 *  Two readings of the clock: what came had come by `read_ns`, set once after each wait; a request
 *  starts at a `now_ns` read just before it is sent. So a batch neither delays the answers it read
 *  nor antedates the requests it sends, and lateness is never flattering. */
#ifndef CLOBBER_AGENT_WORKER_H
#define CLOBBER_AGENT_WORKER_H

#include "agent/backlog.h"
#include "agent/engine.h"
#include "agent/meter.h"
#include "agent/mix.h"
#include "agent/patience.h"
#include "agent/reach.h"
#include "agent/workload.h"

#include <stdbool.h>
#include <stdint.h>

struct numbers;

enum worker_state {
    WORKER_SPARE,      /* not hired: counts for nothing */
    WORKER_RESTING,    /* without a connection until the lane tries again */
    WORKER_CONNECTING, /* ahead of any request */
    WORKER_IDLE,       /* free: connected, or to connect with its next request */
    WORKER_PAUSING,    /* as idle, but the fraction of a worker waits its turn */
    WORKER_THINKING,   /* as idle, but the plan has it wait after an answer */
    WORKER_BUSY,       /* with a request */
    WORKER_SETTLING, /* what it did is over already, inside the call that began it: crew_settle() */
    WORKER_STATES
};

/** How a request or a connect ended. */
struct ending {
    enum { ENDING_OK, ENDING_FAILED, ENDING_TIMED_OUT } how;
    enum failure failure;          /* ENDING_FAILED */
    uint16_t status;               /* http; 0: none */
    uint64_t after_ns;             /* ENDING_TIMED_OUT: the limit that has passed, */
    enum patience_kind waited_for; /* ... and of what; PATIENCE_NONE: of the whole request */
};

struct worker {
    struct connection connection;   /* first: the engine hands it back to us */
    struct worker *previous, *next; /* in the list of its state */
    struct patience_link patience;
    enum worker_state state;
    int error; /* SETTLING: errno of a connect that failed at once, or 0 */
    bool has_request;
    bool own_late;    /* the request: see struct waiting */
    bool answered;    /* its first byte has come */
    bool following;   /* its next request follows the last answer, and is of the same kind */
    uint32_t phase;   /* it belongs to */
    uint32_t kind;    /* index of the assignment's request */
    uint32_t carried; /* requests that the present connection has carried */
    uint32_t misses;  /* connections in a row that came to nothing */
    uint64_t due_ns;  /* of the request */
    uint64_t index;   /* of the request, where they are numbered */
    uint64_t
        armed_ns; /* its start, or that of a connect ahead of one: the deadline runs from here */
    uint64_t connect_ns; /* when the present connection was begun */
    uint64_t greeted_ns; /* when the target's machine had accepted it, and TLS began; 0: none */
    uint64_t length_ns;  /* start to done of its last request; 0: none since it was hired */
    uint64_t retry_ns;   /* RESTING: when to connect again */
    uint64_t thinks_ns;  /* until then, if the plan has it think: since its last answer */
    size_t sent;         /* bytes of the request */
    struct workload_request request;
    struct workload_state answer;
};

/** In the order in which they entered; the oldest first, except that idle ones enter in front: the
 *  warmest works next, the coldest is the first to go. */
struct worker_list {
    struct worker *first, *last;
    uint32_t count;
};

/** Why a worker lost its connection. It is spare then, unless the lane hires it again. */
enum parting {
    PARTING_MISSED, /* a connect ahead of any request came to nothing: `ending` says how */
    PARTING_IDLE,   /* closed by the target while idle, or it sent what nobody asked for: no request
                       lost */
    PARTING_REQUEST, /* with the end of its request */
};

/** Who decides. May call anything of this header but crew_settle() and crew_expire(). */
struct crew_calls {
    /** `worker` is idle: just connected, or done with a request. */
    void (*ready)(void *owner, struct worker *worker);
    void (*parted)(void *owner, struct worker *worker, enum parting parting, struct ending ending);
};

struct occupancy {
    uint64_t running; /* requests of one phase in flight */
    uint64_t since_ns;
};

struct crew {
    const struct crew_calls *calls;
    void *owner;
    const struct engine_driver *driver;
    struct engine *engine;
    struct route route; /* of the next connection */
    const struct sources *sources;
    uint32_t source_count, source_next; /* of those for the target; 0: the kernel's choice */
    const struct workload *workload;
    const void *configuration;
    uint64_t timeout_ns;
    struct patience patience;
    uint64_t lifetime_ns;  /* a connection as old as this is for no other request; 0: no bound */
    uint32_t requests_max; /* on one connection; 0: no bound */
    bool ahead;            /* connections are made before there is a request for them */
    struct mix mix;
    bool numbered; /* requests have an index, and their kind follows from it */

    struct meters *meters;       /* owned */
    struct occupancy *occupancy; /* [meters->phase_count] */
    uint64_t read_ns;            /* what came, had come by then */
    uint64_t done_ns;            /* when the last request ended; 0: none has */
    uint32_t phase;              /* of what belongs to no request */
    uint32_t in_flight;
    bool woken;               /* another thread called; the owner clears it */
    uint32_t own_late_count;  /* of those in flight */
    uint64_t send_lag_ns_max; /* since the owner zeroed it */
    uint32_t flags;           /* enum beat_flag, likewise */

    struct worker *workers; /* [capacity] */
    uint8_t *rooms; /* [capacity * room_bytes]: the workload's own memory of each; NULL: none */
    size_t room_bytes;
    uint32_t capacity, used;
    struct worker_list lists[WORKER_STATES];
};

/** What a crew is made of; all borrowed for its life. */
struct crew_plan {
    const struct assignment *assignment;
    const struct reach *reach; /* copied, but for its sources */
    const struct workload *workload;
    const void *configuration;
    const struct engine_driver *driver;
    uint32_t capacity;       /* workers at most */
    uint64_t seed;           /* of the mix, where requests are not numbered */
    struct numbers *numbers; /* of the agent; NULL: they are not */
    void *meters;            /* where they are kept, as meters_create_at(); NULL: on the heap */
};

/** False: ERROR_MEMORY, ERROR_SYSTEM. crew_done() in any case. `woken` is told of wake-ups. */
bool crew_init(struct crew *crew, const struct crew_plan *plan, const struct crew_calls *calls,
               void *owner, struct error *error);
void crew_done(struct crew *crew);

/** Workers that are not spare. */
uint32_t crew_count(const struct crew *crew);
/** Hires one more: connecting, or idle at once when connections come with their requests. False:
 *  all `capacity` are at work. */
bool crew_hire(struct crew *crew);
/** Makes a worker without a connection work (again): as crew_hire(). */
void crew_connect(struct crew *crew, struct worker *worker);
/** Leaves a spare worker without a connection until `retry_ns`. */
void crew_rest(struct crew *crew, struct worker *worker, uint64_t retry_ns);
/** Closes the worker's connection, if any; it is spare. Not while it has a request. */
void crew_retire(struct crew *crew, struct worker *worker);
/** Turns an idle worker into the one that waits, and back. */
void crew_pause(struct crew *crew, struct worker *worker);
void crew_resume(struct crew *crew, struct worker *worker);
/** Turns an idle worker into one that thinks; crew_resume() turns it back. */
void crew_think(struct crew *crew, struct worker *worker);

/** An idle worker takes `request` and starts it at `now_ns`. */
void crew_start(struct crew *crew, struct worker *worker, const struct waiting *request,
                uint64_t now_ns);
/** A spare worker that could not connect takes `request` and ends it so: a target that is not there
 *  is seen in the ledger. */
void crew_fail(struct crew *crew, struct worker *worker, const struct waiting *request,
               struct ending ending);

/** Connections that begin from now on go to `address`. */
void crew_move(struct crew *crew, const struct address *address);

/** Ends what was over at once; to be called after each tell(). */
void crew_settle(struct crew *crew);
/** Ends what began a timeout or more before `judged_ns`. */
void crew_expire(struct crew *crew, uint64_t judged_ns);
/** The next moment at which crew_expire() has work; ENGINE_NEVER: none. */
uint64_t crew_deadline(const struct crew *crew);
/** Closes everything. A request that had been written stays in flight for ever; one that had not
 *  ends as failed, for the target never saw it. */
void crew_cut(struct crew *crew);
/** Brings the integrals of phases `first` to `last` up to `now_ns`. */
void crew_integrate(struct crew *crew, uint32_t first, uint32_t last, uint64_t now_ns);

#endif
