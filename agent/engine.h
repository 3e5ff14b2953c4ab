/** Connections on one thread: connect, send, and be told what became of it; whatever makes the
 *  completions (io_uring, or epoll). Chosen once, when a pool is made.
 *
 *  An engine moves bytes and knows nothing of requests, deadlines or clocks.
 *
 *  An error is an errno, or the class of failure that a decorator found: engine_error(). */
#ifndef CLOBBER_AGENT_ENGINE_H
#define CLOBBER_AGENT_ENGINE_H

#include "common/base/error.h"
#include "common/base/failure.h"
#include "common/base/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENGINE_NEVER      UINT64_MAX
#define ENGINE_EVENTS_MAX 256u /* of one look: its first and its last are within a few ms */
#define ENGINE_READ_BYTES (64u * 1024u) /* of one read: the buffer that all connections share */

struct engine;

/** One connection; lives inside its owner. Zeroed: not open. */
struct connection {
    bool open;
    bool connecting;
    int descriptor;      /* of the implementation, as all below */
    uint32_t slot;       /* uring: where it is in the engine's table */
    uint32_t watched;    /* epoll: the events it is registered for */
    const uint8_t *rest; /* epoll, borrowed: not yet taken by the kernel */
    size_t rest_count;
    bool awaits_sent; /* set by its owner, once connected: it sends from memory that it fills again,
                         and is to be told when the bytes have gone, of a send that went well too */
    bool joined;      /* of a decorator: it goes over what had been connected before */
    void *upper;      /* a decorator: what it keeps of the connection */
};

/** What is told of a connection. Every one of these may connect, send on and close any connection.
 */
struct engine_listener {
    /** Only of engines that greet the target before they are connected: its machine has accepted,
     *  now they do. NULL: nobody wants to know. */
    void (*greeting)(void *context, struct connection *connection);
    /** The end of engine connect(): 0, or the error it failed with; then it is closed already. */
    void (*connected)(void *context, struct connection *connection, int error);
    /** Only of engines whose connections share others: what was sent last goes over one that was
     *  made for it. NULL: nobody wants to know. */
    void (*renewed)(void *context, struct connection *connection);
    /** `count` more bytes of what was to be sent went out. */
    void (*sent)(void *context, struct connection *connection, size_t count);
    /** Bytes came; borrowed until the callback returns. */
    void (*received)(void *context, struct connection *connection, const uint8_t *bytes,
                     size_t count);
    /** The target closed its side (`error` 0), or the connection broke. It is closed already. */
    void (*closed)(void *context, struct connection *connection, int error);
    /** Nothing of what the last send() said had gone out did: it failed with `error`. It is closed
     * already. */
    void (*unsent)(void *context, struct connection *connection, int error);
    /** Another thread called wake(). */
    void (*woken)(void *context);
};

/** The verbs of one kind of engine. All but wake() for the one thread that runs it.
 *
 *  A decorator is an engine too: it changes what goes over another one, which moves the bytes. */
struct engine_driver {
    const char *name;
    const void *settings; /* of a decorator: the driver below it and its options, as its header
                             says; borrowed for the life of each engine */
    /** `self` is this driver. All is borrowed. NULL: ERROR_SYSTEM, ERROR_MEMORY. The caller owns
     * it. */
    struct engine *(*create)(const struct engine_driver *self,
                             const struct engine_listener *listener, void *context,
                             struct error *error);
    void (*destroy)(struct engine *engine);
    /** Begins to connect; connected() will tell. False: it failed at once with `*error`, an errno,
     *  and nothing is told. */
    bool (*connect)(struct engine *engine, struct connection *connection, const struct route *route,
                    int *error);
    /** Sends `bytes[count]`, which must stay until all is sent or the connection is closed, and
     *  nothing else before that. Returns how many went out at once, or -errno; sent() tells of the
     *  others. */
    ssize_t (*send)(struct engine *engine, struct connection *connection, const uint8_t *bytes,
                    size_t count);
    /** Nothing is told of this connection from now on. */
    void (*close)(struct engine *engine, struct connection *connection);
    /** Waits for something to tell, at most `timeout_ns`. */
    void (*wait)(struct engine *engine, uint64_t timeout_ns);
    /** Tells what wait() found. False: more was ready than one look takes; what was left comes
     *  first in the next. */
    bool (*tell)(struct engine *engine);
    /** Ends a wait(), now or next; from any thread. */
    void (*wake)(struct engine *engine);
};

#define ENGINE_ERRORS 65536 /* beyond every errno */

/** What is told as an error when the class of the failure is known. */
static inline int engine_error(enum failure failure)
{
    return ENGINE_ERRORS + (int)failure;
}

extern const struct engine_driver engine_epoll;
#ifdef CLOBBER_URING
extern const struct engine_driver engine_uring;
#endif

enum engine_choice { ENGINE_AUTO, ENGINE_EPOLL, ENGINE_URING };

/** The engine for `choice`. ENGINE_AUTO is io_uring where the kernel, and whatever confines this
 *  process, let it work as needed; else epoll, and `why` says why not. NULL: ENGINE_URING does not
 *  work here (ERROR_SYSTEM). Static. */
const struct engine_driver *engine_choose(enum engine_choice choice, struct error *why);

#endif
