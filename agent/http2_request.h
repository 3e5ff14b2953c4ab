/** An HTTP/1.1 request, as we wrote it, taken apart into the fields of HTTP/2. Pure; borrows the
 *  request's bytes. */
#ifndef CLOBBER_AGENT_HTTP2_REQUEST_H
#define CLOBBER_AGENT_HTTP2_REQUEST_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Pseudo fields first. */
#define HTTP2_PSEUDO_FIELDS 4u
#define HTTP2_FIELDS_MAX    (HEADERS_MAX + 8u) /* the plan's, those we add, pseudo fields */

/** Neither ends with a NUL. Names may be in any case of letters. */
struct http2_field {
    const uint8_t *name, *value;
    size_t name_bytes, value_bytes;
};

struct http2_request {
    uint32_t field_count;
    struct http2_field fields[HTTP2_FIELDS_MAX];
    const uint8_t *body;
    size_t body_bytes;
};

/** Takes `bytes[count]` apart; `scheme` is "http" or "https", borrowed. False: it is no request, or
 *  has more fields than fit. */
bool http2_request_read(const uint8_t *bytes, size_t count, const char *scheme,
                        struct http2_request *request);

#endif
