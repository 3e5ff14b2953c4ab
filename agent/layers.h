/** What stands between the workers of a pool and the engine that moves bytes: nothing, or what the
 *  assignment asks for. */
#ifndef CLOBBER_AGENT_LAYERS_H
#define CLOBBER_AGENT_LAYERS_H

#include "agent/engine.h"
#include "agent/engine_shared.h"
#include "agent/engine_tls.h"
#include "proto/assignment.h"

#include <stdbool.h>

/** Lives in the pool, and stays where it was made: its parts point at each other. */
struct layers {
    const struct engine_driver *top; /* for the pool's lanes */
    struct tls_context *context;     /* owned; NULL: no TLS */
    struct engine_tls_settings tls_settings;
    struct engine_driver tls;
    struct shared_settings shared_settings;
    struct engine_driver shared;
};

/** Stacks them upon `base`, which is borrowed as long as they are used. False: ERROR_PLAN,
 *  ERROR_SYSTEM, ERROR_MEMORY. layers_done() in any case; zeroed is welcome there. */
bool layers_init(struct layers *layers, const struct assignment *assignment,
                 const struct engine_driver *base, struct error *error);
void layers_done(struct layers *layers);

#endif
