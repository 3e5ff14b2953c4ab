/** What stands between the workers of a pool and the engine that moves bytes: nothing, or what the
 *  assignment asks for. */
#ifndef CLOBBER_AGENT_LAYERS_H
#define CLOBBER_AGENT_LAYERS_H

#include "agent/engine.h"
#include "agent/engine_shared.h"
#include "proto/assignment.h"

/** Lives in the pool; opaque to it. */
struct layers {
    struct shared_settings shared_settings;
    struct engine_driver shared;
};

/** The driver for the pool's lanes: `base` itself, or a stack upon it, which borrows `layers` and
 * `base` for its life. */
const struct engine_driver *layers_build(struct layers *layers, const struct assignment *assignment,
                                         const struct engine_driver *base);

#endif
