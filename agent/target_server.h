/** The sockets of `clobber target`: HTTP/1.1 in front of target_model, on one thread or several.
 *
 *  One thread serves some 100,000 requests/s, more than any model needs; it is the default, because
 * a line and its servers belong to one queue. Several threads share the listening socket and the
 * knobs and nothing else, so they are for targets without servers, queue and retrograde
 * (target_knobs_check()). */
#ifndef CLOBBER_AGENT_TARGET_SERVER_H
#define CLOBBER_AGENT_TARGET_SERVER_H

#include "agent/target_knobs.h"

#include "common/base/error.h"
#include "common/base/net.h"

#include <stdint.h>

#define TARGET_CONNECTIONS_MAX 65536u /* a thread; more than one client address has ports for */

struct target_settings {
    struct address listen;
    struct target_knobs knobs; /* checked for `threads` */
    uint32_t threads;          /* 1 to LANES_MAX */
    struct target_knobs later; /* checked too: what the knobs become ... */
    uint64_t later_after_ns;   /* ... so long after it began to serve; 0: never */
};

/** Opaque. */
struct target_server;

/** Listens, and blocks SIGTERM and SIGINT for this thread. The caller owns the result:
 *  target_server_destroy(). NULL: ERROR_SYSTEM, ERROR_MEMORY. */
struct target_server *target_server_create(const struct target_settings *settings,
                                           struct error *error);
void target_server_destroy(struct target_server *server);

/** The port that it listens at. */
uint16_t target_server_port(const struct target_server *server);

/** Serves until SIGTERM or SIGINT. False: ERROR_SYSTEM, a thread could not be started. */
bool target_server_run(struct target_server *server, struct error *error);

#endif
