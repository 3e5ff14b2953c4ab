/** A worker's cookies: what a target sets, and what goes back to it. Pure.
 *
 *  Source: RFC 6265, sections 5.1.4, 5.2 to 5.4, less what a load test of one host does not need: a
 *  Domain that is not the target's drops the cookie and is not looked at again; all live as long as
 *  their worker, except that Max-Age of 0 or less, or an Expires before the year 2000, deletes
 * (what servers send to delete is of 1970; the jar has no clock). */
#ifndef CLOBBER_AGENT_COOKIES_H
#define CLOBBER_AGENT_COOKIES_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Zeroed: empty. Plain data; the oldest make room for new ones. */
struct cookie_jar {
    uint32_t used;
    uint8_t bytes[COOKIES_BYTES_MAX];
};

/** A piece of text; borrowed. */
struct cookie_text {
    const char *text;
    size_t count;
};

/** Who sets them and gets them. */
struct cookie_origin {
    const char *host; /* ends with NUL */
    bool secure;      /* over TLS */
};

/** Takes the value of one Set-Cookie header of an answer to a request for `path` (no query). What
 *  is no cookie, not for this origin or too large for the jar is ignored. */
void cookies_set(struct cookie_jar *jar, const struct cookie_origin *origin,
                 struct cookie_text path, struct cookie_text value);

/** Writes "a=b; c=d" of those that go with a request for `path` into `text[COOKIES_BYTES_MAX]`;
 *  returns how many bytes, 0 when there are none. */
size_t cookies_write(const struct cookie_jar *jar, struct cookie_text path, char *text);

#endif
