/** Where an answer sends its asker, as far as that is the same target. Pure.
 *
 *  Source: RFC 9110, sections 10.2.2 and 15.4; RFC 3986, section 5.2, except that "." and ".." in a
 *  relative path stay as they are: every server resolves them. */
#ifndef CLOBBER_AGENT_REDIRECT_H
#define CLOBBER_AGENT_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The target, as a URL would name it. */
struct redirect_origin {
    const char *scheme; /* "http" or "https" */
    const char *host;   /* IPv6 without brackets */
    uint16_t port;
};

/** Whether `status` is one that a Location may be followed from. */
bool redirect_status(uint16_t status);
/** Whether the next request repeats method and body of the one that got `status`; else it is a GET
 *  (or a HEAD, if it was one). */
bool redirect_keeps(uint16_t status, bool post);

/** Resolves `location[count]` of an answer to a request for `base[base_count]` (path and query)
 *  into `path[path_max]`, path and query of the next one. 0: it is elsewhere, is no path that may
 * be sent, or too long; else its length. */
size_t redirect_resolve(const struct redirect_origin *origin, const char *base, size_t base_count,
                        const char *location, size_t count, char *path, size_t path_max);

#endif
