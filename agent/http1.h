/** An incremental HTTP/1.1 response parser; borrows the caller's bytes, allocates nothing.
 *
 *  Source: RFC 9112 (message framing, section 6 and 7), RFC 9110. Bounds: limits.h, RESPONSE_*.
 *
 *  Where the RFC leaves a choice: a bare LF ends a header line (small servers send it), but not a
 * line of the chunked framing; folded lines, blanks before a colon and control bytes are refused;
 * several Content-Length must be equal; Transfer-Encoding beats Content-Length and costs the
 * connection; a status outside 100 to 599 is malformed, 101 too, for nobody asked to switch. */
#ifndef CLOBBER_AGENT_HTTP1_H
#define CLOBBER_AGENT_HTTP1_H

#include "common/base/failure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One response on its way. Plain data; http1_begin() first. */
struct http1_response {
    uint64_t body_left;    /* of a Content-Length body, or of the present chunk */
    uint64_t number;       /* of the implementation: a length as far as it has been read */
    uint32_t header_bytes; /* of the header block so far */
    uint32_t line_bytes;   /* of the present line so far */
    uint16_t status;       /* 0: not known yet */
    uint16_t header_count;
    uint8_t step;    /* of the implementation */
    uint8_t word;    /* of the implementation: which word the bytes may become */
    uint8_t matched; /* of the implementation: how much of it has come */
    uint8_t interim; /* 1xx answers seen */
    bool head;       /* no body whatever the headers say */
    bool coded;      /* a Transfer-Encoding came */
    bool chunked;    /* its last word was chunked */
    bool has_length; /* a Content-Length came */
    bool close;      /* not for another request */
    bool keep_alive; /* Connection: keep-alive; what HTTP/1.0 asks for */
    bool version_1_0;
    bool trailer; /* the header lines are those after the last chunk: framing words in them mean
                     nothing */
};

enum http1_outcome { HTTP1_MORE, HTTP1_DONE, HTTP1_FAILED };

/** Who looks at what an answer holds. Bytes are borrowed for the call. */
struct http1_sink {
    void *context;
    /** NULL, or the next bytes of a header line of the final answer, whose status is known; `ends`:
     *  with its end. Trailers are not among them; the empty line behind the headers is. */
    void (*header)(void *context, const uint8_t *bytes, size_t count, bool ends);
    /** NULL, or the next bytes of its content, without the framing of chunks. */
    void (*body)(void *context, const uint8_t *bytes, size_t count);
};

/** `head`: the request was a HEAD. */
void http1_begin(struct http1_response *response, bool head);
/** Takes the next bytes, split anywhere; `*consumed` of them belong to this response. HTTP1_FAILED:
 * `*failure` is FAILURE_MALFORMED or FAILURE_TOO_LARGE. After DONE or FAILED not to be called
 * again. */
enum http1_outcome http1_feed(struct http1_response *response, const uint8_t *bytes, size_t count,
                              size_t *consumed, enum failure *failure);
/** The same, and tells `sink` what it passes over. */
enum http1_outcome http1_feed_to(struct http1_response *response, const uint8_t *bytes,
                                 size_t count, size_t *consumed, enum failure *failure,
                                 const struct http1_sink *sink);
/** The connection was closed by the target: done when the body was delimited by that, else failed
 *  (FAILURE_CLOSED). */
enum http1_outcome http1_end(struct http1_response *response, enum failure *failure);
/** After DONE: whether the connection may carry another request. */
bool http1_reusable(const struct http1_response *response);

#endif
