/** A TLS server for tests: one habit, a thread for each connection, a port from the kernel; and
 *  certificates made on the spot. */
#ifndef CLOBBER_TESTS_SUPPORT_TLS_PEER_H
#define CLOBBER_TESTS_SUPPORT_TLS_PEER_H

#include "common/base/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_PEM_BYTES 4096u

/** A certificate that signs itself, and its key. Plain data. */
struct identity {
    char certificate[IDENTITY_PEM_BYTES], key[IDENTITY_PEM_BYTES];
};

/** For `name`, valid from `begin_s` to `end_s`, both counted from now. */
struct identity identity_make(const char *name, long begin_s, long end_s);

enum tls_habit {
    TLS_ECHO,            /* every byte back */
    TLS_ECHO_END,        /* once, then it says that nothing more comes */
    TLS_ECHO_CUT,        /* once, then the connection ends without a word */
    TLS_ECHO_RUBBISH,    /* once, then bytes that are no TLS */
    TLS_MEGABYTE,        /* 1 MiB of tls_peer_byte() for each that comes */
    TLS_COUNT,           /* one byte back for the byte that is a full stop */
    TLS_RUBBISH_AT_ONCE, /* no TLS from the beginning */
    TLS_ALERT_AT_ONCE,   /* a fatal alert instead of a handshake */
    TLS_CLOSE_AT_ONCE,
};

#define TLS_MEGABYTE_BYTES (1024u * 1024u)

struct tls_peer_plan {
    enum tls_habit habit;
    const struct identity *identity;
    const struct identity *client; /* whom it asks for; NULL: nobody */
    size_t piece_bytes;            /* of each write; 0: all at once */
    bool tls12;                    /* no newer version than that */
};

struct tls_peer;

/** Never fails but by a CHECK. The caller owns it: tls_peer_stop(), when its connections are
 *  closed. */
struct tls_peer *tls_peer_start(const struct tls_peer_plan *plan);
void tls_peer_stop(struct tls_peer *peer);
struct address tls_peer_address(const struct tls_peer *peer);

/** Handshakes it has done, and those that went on from an earlier session. */
uint64_t tls_peer_handshakes(const struct tls_peer *peer);
uint64_t tls_peer_resumed(const struct tls_peer *peer);
/** Bytes that have come. */
uint64_t tls_peer_bytes(const struct tls_peer *peer);
/** Connections whose other end said that nothing more comes. */
uint64_t tls_peer_goodbyes(const struct tls_peer *peer);

static inline uint8_t tls_peer_byte(size_t index)
{
    return (uint8_t)((uint32_t)index * UINT32_C(2654435761) >> 24);
}

#endif
