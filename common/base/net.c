#include "common/base/net.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define HOST_BYTES 256u /* a name of DNS has at most 253 */

/* Copies `host` without the brackets of "[::1]"; false when it is too long for `text[HOST_BYTES]`.
 */
static bool copy_host(const char *host, char *text)
{
    size_t length = strlen(host);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length >= HOST_BYTES)
        return false;
    memcpy(text, host, length);
    text[length] = '\0';
    return true;
}

static uint32_t copy_addresses(const struct addrinfo *found, struct address *addresses)
{
    uint32_t count = 0;
    for (; found != NULL && count < ADDRESSES_MAX; found = found->ai_next) {
        if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
            continue;
        CHECK(found->ai_addrlen <= sizeof addresses->as);
        addresses[count] = (struct address){.bytes = found->ai_addrlen};
        memcpy(&addresses[count].as, found->ai_addr, found->ai_addrlen);
        count++;
    }
    return count;
}

bool net_resolve(const char *host, uint16_t port, struct address *addresses, uint32_t *count,
                 struct error *error)
{
    char shown[HOST_BYTES];
    harmless_text(host, shown, sizeof shown);
    char name[HOST_BYTES];
    if (!copy_host(host, name))
        return error_set(error, ERROR_TARGET, PLACE_NONE,
                         "cannot resolve '%.40s...': a host name has at most %u characters", shown,
                         HOST_BYTES - 1);

    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM, /* else each address comes once for every kind of socket */
        .ai_flags = AI_NUMERICSERV | AI_PASSIVE,
    };
    struct addrinfo *found = NULL;
    int result = getaddrinfo(name[0] == '\0' ? NULL : name, service, &hints, &found);
    if (result != 0)
        return error_set(error, ERROR_TARGET, PLACE_NONE, "cannot resolve '%s': %s", shown,
                         result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
    uint32_t copied = copy_addresses(found, addresses);
    freeaddrinfo(found);
    if (copied == 0)
        return error_set(error, ERROR_TARGET, PLACE_NONE,
                         "cannot resolve '%s': it has neither an IPv4 nor an IPv6 address", shown);
    *count = copied;
    return true;
}

bool net_local_address(const char *path, struct address *address, struct error *error)
{
    struct address read = {.bytes = sizeof read.as.local, .as.local.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof read.as.local.sun_path)
        return error_set(error, ERROR_TARGET, PLACE_NONE,
                         "the path of a Unix socket has 1 to %zu bytes; this one has %zu",
                         sizeof read.as.local.sun_path - 1, length);
    memcpy(read.as.local.sun_path, path, length);
    *address = read;
    return true;
}

bool net_split(const char *text, char *host, size_t host_bytes, uint16_t *port, struct error *error)
{
    char shown[HOST_BYTES];
    harmless_text(text, shown, sizeof shown);
    const char *colon = strrchr(text, ':');
    uint64_t number = 0;
    if (colon == NULL || colon[1] < '0' || colon[1] > '9' ||
        !units_read_count(colon + 1, &number) || number > UINT16_MAX) {
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' names no port of 0 to 65535; write HOST:PORT", shown);
    }

    const char *start = text;
    size_t length = (size_t)(colon - text);
    bool bracketed = length >= 2 && text[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        start++;
        length -= 2;
    }
    if (memchr(start, bracketed ? ']' : ':', length) != NULL ||
        (!bracketed && memchr(start, '[', length) != NULL)) {
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "'%s' is ambiguous; write an IPv6 address in brackets, as in [::1]:80",
                         shown);
    }
    if (length >= host_bytes)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "the host of '%.40s...' is too long; at most %zu characters", shown,
                         host_bytes - 1);
    memcpy(host, start, length);
    host[length] = '\0';
    *port = (uint16_t)number;
    return true;
}

const char *net_address_text(const struct address *address, char *text)
{
    char host[INET6_ADDRSTRLEN];
    if (address->as.any.sa_family == AF_UNIX) {
        char shown[sizeof address->as.local.sun_path];
        harmless_text(address->as.local.sun_path, shown, sizeof shown);
        snprintf(text, ADDRESS_TEXT_BYTES, "unix:%s", shown);
    } else if (address->as.any.sa_family == AF_INET) {
        CHECK(inet_ntop(AF_INET, &address->as.v4.sin_addr, host, sizeof host) != NULL);
        snprintf(text, ADDRESS_TEXT_BYTES, "%s:%u", host, ntohs(address->as.v4.sin_port));
    } else {
        CHECK(address->as.any.sa_family == AF_INET6);
        CHECK(inet_ntop(AF_INET6, &address->as.v6.sin6_addr, host, sizeof host) != NULL);
        snprintf(text, ADDRESS_TEXT_BYTES, "[%s]:%u", host, ntohs(address->as.v6.sin6_port));
    }
    return text;
}

bool net_is_loopback(const struct address *address)
{
    if (address->as.any.sa_family == AF_INET)
        return ntohl(address->as.v4.sin_addr.s_addr) >> 24 == 127;
    if (address->as.any.sa_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &address->as.v6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

static int set_on(int descriptor, int level, int option)
{
    int on = 1;
    return setsockopt(descriptor, level, option, &on, sizeof on);
}

int net_listen(const struct address *address, bool shared, int backlog, struct error *error)
{
    int descriptor =
        socket(address->as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 && set_on(descriptor, SOL_SOCKET, SO_REUSEADDR) == 0 &&
        (!shared || set_on(descriptor, SOL_SOCKET, SO_REUSEPORT) == 0) &&
        bind(descriptor, &address->as.any, address->bytes) == 0 &&
        listen(descriptor, backlog) == 0) {
        return descriptor;
    }
    char text[ADDRESS_TEXT_BYTES];
    error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot listen at %s: %s",
              net_address_text(address, text), strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

static struct address own_address(int descriptor)
{
    struct address address = {.bytes = sizeof address.as};
    CHECK(getsockname(descriptor, &address.as.any, &address.bytes) == 0);
    return address;
}

uint16_t net_port(int descriptor)
{
    struct address address = own_address(descriptor);
    if (address.as.any.sa_family == AF_INET)
        return ntohs(address.as.v4.sin_port);
    CHECK(address.as.any.sa_family == AF_INET6);
    return ntohs(address.as.v6.sin6_port);
}

/* True when the kernel gave this socket the very address that it connects to. When nobody listens
 * at a port of the range for outgoing connections, TCP lets a socket meet itself there
 * ("simultaneous open"): load would talk to its own echo, and hold the port so that the target
 * cannot come back. */
static bool meets_itself(int descriptor, const struct address *peer)
{
    if (peer->as.any.sa_family == AF_UNIX)
        return false;
    struct address own = own_address(descriptor);
    if (own.as.any.sa_family != peer->as.any.sa_family)
        return false;
    if (own.as.any.sa_family == AF_INET)
        return own.as.v4.sin_port == peer->as.v4.sin_port &&
               own.as.v4.sin_addr.s_addr == peer->as.v4.sin_addr.s_addr;
    return own.as.v6.sin6_port == peer->as.v6.sin6_port &&
           IN6_ARE_ADDR_EQUAL(&own.as.v6.sin6_addr, &peer->as.v6.sin6_addr);
}

/* Bound early, an address takes a port that no other connection from it may have; with the port
 * left to connect(), one serves as many connections as there are targets (ip(7)). */
static bool leave_from(int descriptor, const struct address *from)
{
    return from->bytes == 0 || (set_on(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) == 0 &&
                                bind(descriptor, &from->as.any, from->bytes) == 0);
}

static bool is_prompt(int descriptor, const struct address *to)
{
    return to->as.any.sa_family == AF_UNIX || set_on(descriptor, IPPROTO_TCP, TCP_NODELAY) == 0;
}

int net_connect(const struct route *route, bool *connected)
{
    const struct address *to = &route->to;
    int descriptor = socket(to->as.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    int reason = 0;
    if (!is_prompt(descriptor, to) || !leave_from(descriptor, &route->from) ||
        connect(descriptor, &to->as.any, to->bytes) != 0) {
        reason = errno;
    }
    bool pending = reason == EINPROGRESS || reason == EINTR; /* interrupted, it goes on */
    if (reason == 0 || pending) {
        if (!meets_itself(descriptor, to)) {
            *connected = !pending;
            return descriptor;
        }
        struct linger reset = {.l_onoff = 1, .l_linger = 0}; /* else the port rests in TIME_WAIT */
        (void)setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        reason = ECONNREFUSED;
    }
    close(descriptor);
    return -reason;
}

int net_connect_result(int descriptor)
{
    int result = 0;
    socklen_t bytes = sizeof result;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &result, &bytes) != 0)
        return errno;
    return result;
}

bool net_is_own(const struct address *address)
{
    int descriptor = socket(address->as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return false;
    bool own = leave_from(descriptor, address);
    close(descriptor);
    return own;
}

uint64_t net_raise_descriptors(uint64_t wanted)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    struct rlimit raised = {.rlim_cur = wanted, .rlim_max = limit.rlim_max};
    if (wanted > limit.rlim_max) {
        raised.rlim_max = wanted; /* for a privileged user only; others get what is theirs */
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            return wanted;
        raised = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    }
    return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}
