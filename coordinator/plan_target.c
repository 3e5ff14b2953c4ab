#include "coordinator/plan_target.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/plan_secret.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SHOWN_BYTES    96 /* so much of a target is repeated in a sentence */
#define LETTERS_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const struct {
    const char *name;
    enum plan_scheme scheme;
    uint16_t port; /* when the target names none; 0: it has to */
    bool tls;
} schemes[] = {
    {"http", SCHEME_HTTP, 80, false},     {"https", SCHEME_HTTP, 443, true},
    {"tcp", SCHEME_TCP, 0, false},        {"tls", SCHEME_TCP, 0, true},
    {"redis", SCHEME_REDIS, 6379, false}, {"rediss", SCHEME_REDIS, 6379, true},
};

static const char unix_suffix[] = "+unix";

static const char *const later_schemes[] = {"h2", "h2c", "ws"};

/* `text` and why not: `reason` ends the sentence. */
static bool target_mistake(const char *text, struct place place, struct error *error,
                           const char *reason)
{
    char shown[SHOWN_BYTES];
    return error_set(error, ERROR_PLAN, place, "target is '%s'; %s",
                     harmless_text(text, shown, sizeof shown), reason);
}

/* "http+unix" is "http" over a Unix socket. */
static bool over_unix(const char *text, size_t *length)
{
    size_t suffix = strlen(unix_suffix);
    if (*length <= suffix || strncasecmp(text + *length - suffix, unix_suffix, suffix) != 0)
        return false;
    *length -= suffix;
    return true;
}

static bool is_scheme(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && strncasecmp(text, name, length) == 0;
}

/* The scheme, in any case of letters, and its port; `*rest` is behind "://". */
static bool read_scheme(const char *text, const char **rest, struct target *target, bool *local,
                        struct place place, struct error *error)
{
    const char *end = strstr(text, "://");
    if (end == NULL) {
        return target_mistake(
            text, place, error,
            "it begins with http://, tcp:// or redis://, as in http://127.0.0.1:8080");
    }
    size_t length = (size_t)(end - text);
    *rest = end + strlen("://");
    *local = over_unix(text, &length);
    for (size_t i = 0; i < COUNT(schemes); i++) {
        if (is_scheme(schemes[i].name, text, length)) {
            target->scheme = schemes[i].scheme;
            target->port = schemes[i].port;
            target->tls = schemes[i].tls;
            return true;
        }
    }
    for (size_t i = 0; i < COUNT(later_schemes); i++) {
        if (is_scheme(later_schemes[i], text, length)) {
            return target_mistake(
                text, place, error,
                "its scheme is not built in this release: give http://, tcp:// or redis://");
        }
    }
    return target_mistake(text, place, error,
                          "its scheme is unknown: give http://, tcp:// or redis://");
}

/* A name, an IPv4 address, or an IPv6 address in brackets; `*rest` is behind it. NULL: it is good.
 */
static const char *read_host(const char *authority, const char **rest, struct target *target)
{
    bool brackets = authority[0] == '[';
    const char *host = authority + brackets;
    size_t length = brackets ? strcspn(host, "]") : strspn(host, LETTERS_DIGITS ".-_");
    if (length == 0)
        return "it has no host: give a name, an IPv4 address or [IPv6]";
    if (length > NAME_BYTES_MAX)
        return "its host is longer than 255 bytes";
    if (brackets && host[length] != ']')
        return "its '[' has no ']': give [IPv6]";
    memcpy(target->host, host, length);
    target->host[length] = '\0';
    *rest = host + length + brackets;
    struct in6_addr address;
    if (brackets && inet_pton(AF_INET6, target->host, &address) != 1)
        return "what is in brackets is no IPv6 address: give one, as in http://[::1]:8080";
    if (!brackets && (host[0] == '.' || host[0] == '-'))
        return "its host begins with a '.' or a '-': give a name, an IPv4 address or [IPv6]";
    return NULL;
}

/* ":8080" or nothing. */
static const char *read_port(const char *text, const char *end, struct target *target)
{
    if (text == end)
        return target->port > 0 ? NULL : "it has no port: give tcp://HOST:PORT";
    if (*text != ':')
        return "its host has a character that no host has: give a name, an IPv4 address or [IPv6]";
    uint32_t port = 0;
    const char *at = text + 1;
    for (; at < end && *at >= '0' && *at <= '9' && port <= UINT16_MAX; at++)
        port = port * 10 + (uint32_t)(*at - '0');
    if (at != end || port < 1 || port > UINT16_MAX)
        return "its port is wrong: give a whole number from 1 to 65535";
    target->port = (uint16_t)port;
    return NULL;
}

static const char *read_authority(const char *authority, const char *end, struct target *target)
{
    const char *colon = memchr(authority, ':', (size_t)(end - authority));
    if (*authority != '[' && colon != NULL &&
        memchr(colon + 1, ':', (size_t)(end - colon) - 1) != NULL)
        return "an IPv6 address stands in brackets, as in http://[::1]:8080";
    const char *rest;
    const char *mistake = read_host(authority, &rest, target);
    return mistake != NULL ? mistake : read_port(rest, end, target);
}

static int hexadecimal(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit != '\0' ? strchr(digits, digit | 0x20) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* The path of a Unix socket, written as a host is: RFC 3986, section 3.2.2, so with %2F for '/'.
 * Whoever serves it expects no name, and gets "localhost". */
static const char *read_unix_path(const char *authority, const char *end, struct target *target)
{
    size_t length = 0;
    for (const char *at = authority; at < end; length++) {
        char byte = *at++;
        if (byte == '%') {
            int high = hexadecimal(*at), low = high < 0 ? -1 : hexadecimal(at[1]);
            if (low < 0)
                return "a '%' in the path of its socket has no two digits behind it: give %2F for "
                       "/";
            byte = (char)(high * 16 + low);
            at += 2;
        }
        if (byte <= ' ' || byte >= 0x7F)
            return "the path of its socket has a character that no such path should have";
        if (length + 1 >= sizeof target->unix_path)
            return "the path of its socket is longer than 107 bytes";
        target->unix_path[length] = byte;
    }
    target->unix_path[length] = '\0';
    snprintf(target->host, sizeof target->host, "localhost");
    if (target->unix_path[0] != '/')
        return "the path of its socket does not begin with %2F, as in "
               "http+unix://%2Frun%2Fapp.sock/PATH";
    return NULL;
}

/* What is behind host and port. */
static const char *read_path(const char *path, struct target *target)
{
    if (target->scheme == SCHEME_TCP)
        return *path == '\0' ? NULL : "there is more behind the port: give tcp://HOST:PORT";
    if (target->scheme == SCHEME_REDIS)
        return *path == '\0' ? NULL : "there is more behind the port: give redis://HOST[:PORT]";
    if (*path == '\0')
        return NULL;
    if (*path != '/')
        return "its path does not begin with '/': give http://HOST[:PORT]/PATH";
    target->path = path;
    return target_path_mistake(path);
}

bool target_read(const char *text, struct target *target, struct place place, struct error *error)
{
    struct target read = {.path = "/"};
    const char *authority = text;
    if (plan_secret_mark(text, strlen(text)) != NULL)
        return target_mistake(text, place, error,
                              "secrets stand in header values and bodies, never in a target");
    if (strstr(text, "{{") != NULL)
        return target_mistake(text, place, error,
                              "templates stand in the paths of requests: give get: /PATH");
    bool local = false;
    if (!read_scheme(text, &authority, &read, &local, place, error))
        return false;
    const char *end = authority + strcspn(authority, "/?#");
    if (memchr(authority, '@', (size_t)(end - authority)) != NULL) {
        return error_set(error, ERROR_PLAN, place, /* not repeated: it may hold a password */
                         "target holds a user; give an Authorization header instead");
    }
    const char *mistake =
        local ? read_unix_path(authority, end, &read) : read_authority(authority, end, &read);
    if (mistake == NULL)
        mistake = read_path(end, &read);
    if (mistake != NULL)
        return target_mistake(text, place, error, mistake);
    *target = read;
    return true;
}

const char *target_path_mistake(const char *path)
{
    if (path[0] != '/')
        return "a path begins with '/', and belongs to the plan's target";
    return target_text_mistake(path, strlen(path));
}

const char *target_text_mistake(const char *text, size_t text_bytes)
{
    for (size_t i = 0; i < text_bytes; i++) {
        if (text[i] <= ' ' || text[i] >= 0x7F)
            return "blanks, control characters and all beyond ASCII are written as %XX";
        if (text[i] == '#')
            return "what is behind a '#' is never sent: leave it out";
    }
    return NULL;
}
