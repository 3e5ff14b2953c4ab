/** TLS over another engine. connect() is over when the handshake is; send() and received() are
 *  about plaintext, and what is encrypted counts as sent.
 *
 *  An end of the connection that TLS did not announce (RFC 8446, section 6.1) may be anybody's who
 *  cuts the line: it is told as FAILURE_CLOSED, so that an answer which lasts until the end is not
 *  taken for whole (RFC 9112, section 9.8). One that was announced is told as error 0.
 *
 *  Handshakes cost a thousand times what a request does. A look does a few of them, the others wait
 *  their turn, so that a crowd which connects never holds up those that are connected. */
#ifndef CLOBBER_AGENT_ENGINE_TLS_H
#define CLOBBER_AGENT_ENGINE_TLS_H

#include "agent/engine.h"

struct tls_context;

struct engine_tls_settings {
    const struct engine_driver *below;
    const struct tls_context *context;
    const char *required; /* the protocol that a target has to choose (ALPN); NULL: any, or none */
};

/** A copy whose `settings` are those above makes engines. */
extern const struct engine_driver engine_tls;

/** Whether the target of an open connection of such an engine chose `protocol` (ALPN). */
bool engine_tls_speaks(const struct connection *connection, const char *protocol);
/** Whether its handshake went on from an earlier session. */
bool engine_tls_resumed(const struct connection *connection);

#endif
