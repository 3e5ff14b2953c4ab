/** Non-blocking TCP, and streams over Unix sockets: resolve, connect, listen, socket options. */
#ifndef CLOBBER_BASE_NET_H
#define CLOBBER_BASE_NET_H

#include "common/base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESS_TEXT_BYTES 128u /* "unix:" and the longest path */
#define ADDRESSES_MAX      16u  /* of one name; more are not tried by anyone */

/** One socket address: IPv4, IPv6 or the path of a Unix socket. Plain data. */
struct address {
    socklen_t bytes;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } as;
};

/** The way of a connection. Plain data. */
struct route {
    struct address to;
    struct address
        from; /* an address of this machine, without a port; bytes 0: the kernel's choice */
};

/** Resolves `host` (name, IPv4 or IPv6 text, with or without brackets) and `port` by the system's
 *  resolver; blocks. "" is every address of this machine, to listen at. Fills
 *  `addresses[ADDRESSES_MAX]` in the order to try and `count` (1 or more). False: ERROR_TARGET with
 *  a sentence that names host and reason. */
bool net_resolve(const char *host, uint16_t port, struct address *addresses, uint32_t *count,
                 struct error *error);

/** The Unix socket at `path`. False: ERROR_TARGET, longer than such paths can be. */
bool net_local_address(const char *path, struct address *address, struct error *error);

/** Splits "HOST:PORT", "[V6]:PORT" or ":PORT" (host "") into `host[host_bytes]`, without brackets,
 *  and `port` (0 to 65535). False: ERROR_USAGE. */
bool net_split(const char *text, char *host, size_t host_bytes, uint16_t *port,
               struct error *error);

/** "127.0.0.1:80", "[::1]:80" or "unix:/run/app.sock" into `text[ADDRESS_TEXT_BYTES]`; returns
 * `text`. */
const char *net_address_text(const struct address *address, char *text);

/** True for 127.0.0.0/8 and ::1 (also as a mapped address). */
bool net_is_loopback(const struct address *address);

/** A socket that listens at `address` (non-blocking, close-on-exec, SO_REUSEADDR, and SO_REUSEPORT
 *  when `shared`); -1: ERROR_SYSTEM. The caller owns the descriptor. */
int net_listen(const struct address *address, bool shared, int backlog, struct error *error);

/** The port that a listening socket got from the kernel. */
uint16_t net_port(int descriptor);

/** Begins a connection along `route` (non-blocking, close-on-exec, TCP_NODELAY): returns the
 * descriptor, or -errno. `*connected` tells whether it is there already; otherwise wait until it is
 * writable, then ask net_connect_result(). A socket that the kernel would join to itself is
 * -ECONNREFUSED: nobody listens there. The caller owns the descriptor. */
int net_connect(const struct route *route, bool *connected);

/** 0 when a pending connect succeeded, else the errno it failed with. */
int net_connect_result(int descriptor);

/** Whether a connection may come from `address`: it is one of this machine's. */
bool net_is_own(const struct address *address);

/** Raises RLIMIT_NOFILE towards `wanted`; returns what is allowed now. */
uint64_t net_raise_descriptors(uint64_t wanted);

#endif
