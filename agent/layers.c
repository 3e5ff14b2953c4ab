#include "agent/layers.h"

#include "agent/http2.h"

static const struct engine_driver *share(struct layers *layers, const struct engine_driver *below,
                                         const struct protocol *protocol, uint32_t seats_max)
{
    layers->shared_settings =
        (struct shared_settings){.below = below, .protocol = protocol, .seats_max = seats_max};
    layers->shared = engine_shared;
    layers->shared.settings = &layers->shared_settings;
    return &layers->shared;
}

const struct engine_driver *layers_build(struct layers *layers, const struct assignment *assignment,
                                         const struct engine_driver *base)
{
    if (assignment->http.streams > 0)
        return share(layers, base, &protocol_http2, assignment->http.streams);
    return base;
}
