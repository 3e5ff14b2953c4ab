/** What a worker remembers from one answer for its next request, as a browser would: cookies, and a
 *  redirect to follow. Pure; without either, requests go out as they are.
 *
 *  A hop takes the place of the worker's next request, so a rate is what reaches the target, hops
 *  among it. It repeats the redirected request with its own headers; body and method as RFC 9110,
 *  15.4, says. */
#ifndef CLOBBER_AGENT_BROWSER_H
#define CLOBBER_AGENT_BROWSER_H

#include "agent/cookies.h"
#include "agent/header_line.h"
#include "agent/redirect.h"
#include "common/base/limits.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What all workers share. */
struct browser_plan {
    bool cookies;
    uint32_t redirects_max; /* hops behind one request; 0: none is followed */
    struct redirect_origin origin;
    size_t source_bytes_max; /* of a request as it is */
};

/** One worker's; browser_bytes() of it. Zeroed: it remembers nothing. */
struct browser {
    struct cookie_jar jar;
    struct assignment_bytes source; /* of the present request; borrowed */
    uint32_t hops;                  /* followed since it */
    bool keeps;                     /* with the method and body of the source */
    bool located;                   /* the answer named a place to go to */
    uint32_t path_count, next_count;
    char path[REDIRECT_PATH_BYTES_MAX]; /* of the present request */
    char next[REDIRECT_PATH_BYTES_MAX]; /* where its answer sends to */
    uint8_t bytes[];                    /* of a request that is not as it was */
};

/** Whether anything is to be remembered at all. */
bool browser_used(const struct browser_plan *plan);
size_t browser_bytes(const struct browser_plan *plan);

/** What to send for `source`, a whole request that stays until the next call of this. */
struct assignment_bytes browser_request(const struct browser_plan *plan, struct browser *browser,
                                        struct assignment_bytes source);
/** What to send after browser_follow(). */
struct assignment_bytes browser_hop(struct browser *browser);

/** A header of the answer with `status`. */
void browser_header(const struct browser_plan *plan, struct browser *browser, uint16_t status,
                    const struct header_field *field);
/** The answer is whole: whether the worker's next request follows it. */
bool browser_follow(const struct browser_plan *plan, struct browser *browser, uint16_t status);

#endif
