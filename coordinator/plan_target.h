/** URLs and paths of a plan's target. Pure. */
#ifndef CLOBBER_COORDINATOR_PLAN_TARGET_H
#define CLOBBER_COORDINATOR_PLAN_TARGET_H

#include "coordinator/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct target {
    enum plan_scheme scheme;
    bool tls;
    char host[NAME_BYTES_MAX + 1]; /* IPv6 without brackets */
    uint16_t port;
    char unix_path[108]; /* of a socket, as sockaddr_un has room for; then host is "localhost" */
    const char *path;    /* path and query: within the text that was read, or "/" */
};

/** Takes `text` apart: "http://HOST[:PORT][/PATH]", "tcp://HOST:PORT" or "redis://HOST[:PORT]"; or
 * "http+unix://%2Frun%2Fapp.sock[/PATH]" and the like: where the host would stand, the path of a
 * Unix socket with its slashes as %2F. False: ERROR_PLAN. */
bool target_read(const char *text, struct target *target, struct place place, struct error *error);

/** What is wrong with `path` as the target of an HTTP request, as the end of a sentence, or NULL.
 * Static. */
const char *target_path_mistake(const char *path);

/** The same of a stretch of a path. */
const char *target_text_mistake(const char *text, size_t text_bytes);

#endif
