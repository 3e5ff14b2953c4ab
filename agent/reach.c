#include "agent/reach.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Whether `address` accepts a connection. It is closed at once and carries no request. */
static bool accepts(const struct address *address)
{
    bool connected = false;
    int descriptor = net_connect(&(struct route){.to = *address}, &connected);
    if (descriptor < 0)
        return false;
    if (!connected) {
        struct pollfd waiting = {.fd = descriptor, .events = POLLOUT};
        connected =
            poll(&waiting, 1, (int)REACH_PROBE_MS) == 1 && net_connect_result(descriptor) == 0;
    }
    close(descriptor);
    return connected;
}

/* A Unix socket has one address. The path is borrowed from the assignment, without a NUL. */
static bool reach_local(const struct allow *allow, const struct assignment_bytes *path,
                        struct address *address, struct error *error)
{
    char text[NAME_BYTES_MAX + 1];
    struct address found;
    if (path->count >= sizeof text || memchr(path->bytes, '\0', path->count) != NULL)
        return error_set(error, ERROR_TARGET, PLACE_NONE, "the path of a Unix socket is no path");
    memcpy(text, path->bytes, path->count);
    text[path->count] = '\0';
    if (!net_local_address(text, &found, error) || !allow_check(allow, text, &found, error))
        return false;
    *address = found;
    return true;
}

bool reach_target(const struct allow *allow, const struct assignment *assignment,
                  struct address *address, struct error *error)
{
    struct address found[ADDRESSES_MAX], allowed[ADDRESSES_MAX];
    uint32_t found_count = 0, allowed_count = 0;
    if (assignment->connection.unix_path.count > 0)
        return reach_local(allow, &assignment->connection.unix_path, address, error);
    if (!net_resolve(assignment->host, assignment->port, found, &found_count, error))
        return false;
    for (uint32_t i = 0; i < found_count; i++) {
        struct error refusal = {0};
        if (allow_check(allow, assignment->host, &found[i], &refusal))
            allowed[allowed_count++] = found[i];
        else if (i == 0)
            *error = refusal;
    }
    if (allowed_count == 0)
        return false;
    *error = (struct error){0};

    /* One address needs no choice. Where a connection is itself the request (tcp), none is made
     * outside the ledger; when no address accepts, the first shows in the ledger why. */
    *address = allowed[0];
    if (strcmp(assignment->workload, "tcp") == 0)
        return true;
    for (uint32_t i = 0; allowed_count > 1 && i < allowed_count; i++) {
        if (accepts(&allowed[i])) {
            *address = allowed[i];
            break;
        }
    }
    return true;
}
