/** HTTP/2 for workers who speak HTTP/1.1: each request becomes a stream, and its answer HTTP/1.1
 *  again, so that templates, expectations and cookies are the same for both. RFC 9113; nghttp2 does
 *  frames, HPACK and flow control.
 *
 *  Of a request, Host becomes :authority, and what RFC 9113, 8.2.2 forbids (Connection and its kin)
 *  is left out. An answer with a Content-Length keeps it; one without comes in chunks, or as empty
 *  when it has no body. Trailers are left out.
 *
 *  Windows are so large that they never hold a target back; pushes are refused. */
#ifndef CLOBBER_AGENT_HTTP2_H
#define CLOBBER_AGENT_HTTP2_H

#include "agent/sharing.h"

extern const struct protocol protocol_http2;

#endif
