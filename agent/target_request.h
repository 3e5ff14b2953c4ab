/** Requests as `clobber target` reads them: HTTP/1.0 and 1.1, framed as RFC 9112 (sections 3, 6 and
 * 7) says. Pure; borrows the caller's bytes, allocates nothing. */
#ifndef CLOBBER_AGENT_TARGET_REQUEST_H
#define CLOBBER_AGENT_TARGET_REQUEST_H

#include "agent/target_knobs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_HEAD_BYTES_MAX 8192u /* of one request; the same bound as most servers' */

enum target_method { TARGET_GET, TARGET_HEAD, TARGET_POST, TARGET_OTHER };

/** The pages of its own. Any other path is the load's. */
enum target_page { TARGET_PAGE_LOAD, TARGET_PAGE_STATS, TARGET_PAGE_KNOBS };

/** One request on its way. Plain data; target_request_begin() first. */
struct target_request {
    uint64_t body_left;  /* of a Content-Length body, or of the present chunk */
    uint32_t head_bytes; /* of the head so far */
    uint32_t form_bytes; /* of form[] so far */
    uint16_t status;     /* after TARGET_REQUEST_BAD: what to answer before closing */
    uint8_t step;        /* of the implementation */
    uint8_t method;      /* enum target_method */
    uint8_t page;        /* enum target_page */
    bool has_length, chunked, version_1_0; /* as the head said */
    bool keep_alive;     /* the connection may carry another request after this one */
    bool wants_continue; /* it waits for "100 Continue" before its body; who answers so clears this
                          */
    bool form_is_cut;    /* the form was longer than form[] */
    char form[TARGET_KNOBS_TEXT_BYTES]; /* of TARGET_PAGE_KNOBS: the query, '&', the body; ends with
                                           NUL */
};

enum target_request_outcome { TARGET_REQUEST_MORE, TARGET_REQUEST_WHOLE, TARGET_REQUEST_BAD };

void target_request_begin(struct target_request *request);

/** Takes the next bytes, split anywhere; `*consumed` of them belong to this request and are done
 * with. Those that are not (a line that is not whole yet) come again in front of the next ones;
 * TARGET_HEAD_BYTES_MAX bytes with no line end are BAD. After WHOLE or BAD: target_request_begin().
 */
enum target_request_outcome target_request_feed(struct target_request *request, const char *bytes,
                                                size_t count, size_t *consumed);

#endif
