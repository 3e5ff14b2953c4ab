#include "agent/layers.h"

#include "agent/http2.h"
#include "agent/pipeline.h"
#include "agent/tls.h"

#include <string.h>

#define HTTP2 "h2" /* as it is called in a handshake: RFC 9113, section 3.2 */
#define HTTP1 "http/1.1"

static bool encrypt(struct layers *layers, const struct assignment *assignment, struct error *error)
{
    static const char *const http1[] = {HTTP1, NULL};
    static const char *const http2[] = {HTTP2, NULL};
    bool is_http1 = strcmp(assignment->workload, "http1") == 0;
    const char *const *protocols = assignment->http.streams > 0 ? http2 : is_http1 ? http1 : NULL;
    layers->context = tls_context_create(&assignment->tls, assignment->host, protocols, error);
    if (layers->context == NULL)
        return false;
    layers->tls_settings = (struct engine_tls_settings){
        .below = layers->top,
        .context = layers->context,
        .required =
            assignment->http.streams > 0 ? HTTP2 : NULL, /* of HTTP/1.1 nobody has to speak */
    };
    layers->tls = engine_tls;
    layers->tls.settings = &layers->tls_settings;
    layers->top = &layers->tls;
    return true;
}

static void share(struct layers *layers, const struct protocol *protocol, uint32_t seats_max)
{
    layers->shared_settings = (struct shared_settings){.below = layers->top,
                                                       .protocol = protocol,
                                                       .seats_max = seats_max,
                                                       .secure = layers->context != NULL};
    layers->shared = engine_shared;
    layers->shared.settings = &layers->shared_settings;
    layers->top = &layers->shared;
}

bool layers_init(struct layers *layers, const struct assignment *assignment,
                 const struct engine_driver *base, struct error *error)
{
    *layers = (struct layers){.top = base};
    if (assignment->tls.used && !encrypt(layers, assignment, error))
        return false;
    if (assignment->http.streams > 0)
        share(layers, &protocol_http2, assignment->http.streams);
    if (assignment->options.pipeline > 1 && strcmp(assignment->workload, "redis") == 0)
        share(layers, &protocol_pipeline, assignment->options.pipeline);
    return true;
}

void layers_done(struct layers *layers)
{
    tls_context_destroy(layers->context);
}
