/** A workload turns requests into bytes and bytes into verdicts. It never sees a socket or a clock.
 */
#ifndef CLOBBER_AGENT_WORKLOAD_H
#define CLOBBER_AGENT_WORKLOAD_H

#include "common/base/error.h"
#include "common/base/failure.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What feeding bytes led to. */
enum feed_outcome {
    FEED_MORE,   /* the answer is not whole yet */
    FEED_DONE,   /* whole: see feed_result.ok */
    FEED_FAILED, /* broken: see feed_result.failure; the connection must be closed */
};

struct feed_result {
    size_t
        consumed; /* of the bytes fed; the rest was not asked for (FAILURE_UNEXPECTED when any) */
    bool ok;      /* FEED_DONE: as expected */
    enum failure failure; /* FEED_DONE and not ok, or FEED_FAILED */
    uint16_t status;      /* http: the status; 0: none */
    bool reusable;        /* FEED_DONE: the connection may carry the next request */
    bool followed;        /* FEED_DONE: the worker's next request, of the same kind, follows it */
};

/** State of one answer: inside the worker, sized here so that no workload allocates. Zeroed before
 * the first. */
struct workload_state {
    uint64_t words[12];
};

/** Which request a worker is to make. */
struct workload_turn {
    uint32_t kind;  /* index into the assignment's requests */
    uint64_t index; /* of the request among all of all agents, where they are numbered; else 0 */
    void *room;     /* the worker's own memory, room_bytes() of it; zeroed when it was hired */
    bool follows;   /* the worker's last answer, as feed_result.followed said */
};

/** What a worker does for one request. */
struct workload_request {
    const uint8_t *bytes; /* to send; borrowed from the configuration, or of the worker's room */
    size_t byte_count;    /* 0: connecting is all (tcp) */
    bool expects_answer;  /* false: done as soon as connected (and sent) */
    bool close_after;     /* the connection is not for another request */
};

struct workload {
    const char *name; /* as an assignment names it */
    /** Makes ready what all workers share; `assignment` stays borrowed. NULL: ERROR_MEMORY,
     * ERROR_PLAN. */
    void *(*configure)(const struct assignment *assignment, struct error *error);
    void (*release)(void *configuration);
    /** How much memory of its own each worker needs, for what differs from worker to worker;
     * aligned for any type. NULL: none. */
    size_t (*room_bytes)(const void *configuration);
    /** Whether a request of `kind` goes over a connection that was there before. */
    bool (*reuses)(const void *configuration, uint32_t kind);
    /** The next request: what to send; resets `state`. */
    void (*begin)(const void *configuration, const struct workload_turn *turn,
                  struct workload_state *state, struct workload_request *out);
    /** Bytes of the answer as they came, split anywhere. */
    enum feed_outcome (*feed)(const void *configuration, struct workload_state *state,
                              const uint8_t *bytes, size_t count, struct feed_result *result);
    /** The target closed its side: an answer that ends so is done, else FEED_FAILED with
     * FAILURE_CLOSED. */
    enum feed_outcome (*end)(const void *configuration, struct workload_state *state,
                             struct feed_result *result);
};

/** The row called `name`, or NULL. Static. */
const struct workload *workload_find(const char *name);

extern const struct workload workload_http1;
extern const struct workload workload_plugin;
extern const struct workload workload_redis;
extern const struct workload workload_tcp;

#endif
