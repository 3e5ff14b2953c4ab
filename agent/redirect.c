#include "agent/redirect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PORT_DIGITS_MAX 5u

bool redirect_status(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool redirect_keeps(uint16_t status, bool post)
{
    return status == 307 || status == 308 || (status != 303 && !post);
}

static size_t span(const char *text, size_t count, const char *stop)
{
    size_t length = 0;
    while (length < count && strchr(stop, text[length]) == NULL)
        length++;
    return length;
}

/* Takes "host:port", "[::1]" and so on; whether it is the origin. */
static bool is_here(const struct redirect_origin *origin, const char *text, size_t count)
{
    const char *host = text;
    size_t host_count = span(text, count, ":");
    size_t used = host_count;
    if (count > 0 && text[0] == '[') {
        host = text + 1;
        host_count = span(host, count - 1, "]");
        used = host_count + 2;
    }
    if (used > count || host_count != strlen(origin->host) ||
        strncasecmp(host, origin->host, host_count) != 0)
        return false;
    long port = strcmp(origin->scheme, "https") == 0 ? 443 : 80;
    if (used < count) {
        char digits[PORT_DIGITS_MAX + 1] = "";
        size_t digit_count = count - used - 1;
        if (text[used] != ':' || digit_count > PORT_DIGITS_MAX)
            return false;
        memcpy(digits, text + used + 1, digit_count);
        if (strspn(digits, "0123456789") != digit_count)
            return false;
        if (digit_count > 0)
            port = strtol(digits, NULL, 10);
    }
    return port == origin->port;
}

/* Cuts scheme, host and port off a URL. False: it is elsewhere. */
static bool cut_origin(const struct redirect_origin *origin, const char **text, size_t *count)
{
    size_t scheme = strlen(origin->scheme);
    if (*count >= 2 && memcmp(*text, "//", 2) == 0) {
        scheme = 0;
    } else if (*count > scheme + 2 && strncasecmp(*text, origin->scheme, scheme) == 0 &&
               memcmp(*text + scheme, "://", 3) == 0) {
        scheme++;
    } else {
        /* A colon before any slash ends the name of another scheme. */
        size_t first = span(*text, *count, ":/?#");
        return first == *count || (*text)[first] != ':';
    }
    const char *host = *text + scheme + 2;
    size_t left = *count - scheme - 2;
    size_t length = span(host, left, "/?#");
    *text = host + length;
    *count = left - length;
    return is_here(origin, host, length);
}

/* What a request line can carry: no blank, no control byte, nothing outside of ASCII. */
static bool may_be_sent(const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

size_t redirect_resolve(const struct redirect_origin *origin, const char *base, size_t base_count,
                        const char *location, size_t count, char *path, size_t path_max)
{
    const char *text = location;
    size_t left = span(location, count, "#");
    if (left == 0 || !cut_origin(origin, &text, &left) || !may_be_sent(text, left))
        return 0;
    bool absolute = text != location || text[0] == '/';
    size_t kept = 0; /* of the base: its path for a query, its folder for a name */
    if (!absolute) {
        kept = span(base, base_count, "?");
        while (text[0] != '?' && kept > 0 && base[kept - 1] != '/')
            kept--;
    }
    bool bare = absolute && (left == 0 || text[0] != '/'); /* "http://host", "http://host?q" */
    if (kept + bare + left > path_max)
        return 0;
    char *end = mempcpy(path, base, kept);
    if (bare)
        *end++ = '/';
    end = mempcpy(end, text, left);
    return (size_t)(end - path);
}
