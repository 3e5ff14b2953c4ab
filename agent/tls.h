/** TLS as bytes in and bytes out: the one door to OpenSSL. It never sees a socket; what it checks
 *  against the clock is the validity of certificates.
 *
 *  TLS 1.2 and 1.3 (RFC 5246, RFC 8446), as a client. No renegotiation, no compression, no early
 *  data: a request sent in it may be replayed, and then nobody could count it. */
#ifndef CLOBBER_AGENT_TLS_H
#define CLOBBER_AGENT_TLS_H

#include "common/base/error.h"
#include "common/base/failure.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_PLAIN_BYTES_MAX  16384u                             /* in one record */
#define TLS_RECORD_BYTES_MAX (TLS_PLAIN_BYTES_MAX + 2048u + 5u) /* RFC 5246, section 6.2.3 */

/** What all connections of an agent have in common; never changed after it was made, so that every
 *  lane may look at it. */
struct tls_context;

/** Makes ready for `options` (looked at now, never again): certificates and keys are read, trust is
 *  loaded. `host` is the name to ask for and to verify unless `options` name another. `protocols`
 *  end with NULL and are offered in this order (ALPN, RFC 7301); NULL: none is spoken of.
 *  NULL: ERROR_PLAN (what was given is no such thing), ERROR_SYSTEM, ERROR_MEMORY. The caller owns
 *  it. */
struct tls_context *tls_context_create(const struct assignment_tls *options, const char *host,
                                       const char *const *protocols, struct error *error);
void tls_context_destroy(struct tls_context *context);

/** The newest sessions that one lane's connections were given, each to begin another one with. A
 *  ticket of TLS 1.3 is used once (RFC 8446, appendix C.4). */
struct tls_cache;

/** NULL: no memory. The caller owns it. */
struct tls_cache *tls_cache_create(void);
void tls_cache_destroy(struct tls_cache *cache);

/** One connection's end. */
struct tls_link;

/** `context` and `cache` are borrowed for its life. NULL: no memory. The caller owns it. */
struct tls_link *tls_link_create(const struct tls_context *context, struct tls_cache *cache);
void tls_link_destroy(struct tls_link *link);

/** What a call may take and where it writes; it counts `in` down and `out_count` up. */
struct tls_flow {
    const uint8_t *in; /* what came */
    size_t in_count;
    uint8_t *out; /* what is to be sent: TLS_RECORD_BYTES_MAX at least must be free */
    size_t out_capacity, out_count;
};

enum tls_outcome {
    TLS_DONE,
    TLS_MORE,   /* it needs more than has come */
    TLS_ENDED,  /* the target said that nothing more comes: close_notify */
    TLS_FAILED, /* see tls_failure(); what may be left to say is in `out` */
};

/** Goes on with the handshake, which the first call begins. */
enum tls_outcome tls_shake(struct tls_link *link, struct tls_flow *flow);
/** TLS_DONE: `count` bytes of what came are in `plain[TLS_PLAIN_BYTES_MAX]`: all
 *  of a record, so that there is no more to read until more comes. */
enum tls_outcome tls_read(struct tls_link *link, struct tls_flow *flow, uint8_t *plain,
                          size_t *count);
/** TLS_DONE: the first `taken` of `plain[count]`, one record of them, are in `out`. */
enum tls_outcome tls_write(struct tls_link *link, struct tls_flow *flow, const uint8_t *plain,
                           size_t count, size_t *taken);
/** Says that nothing more comes from us: close_notify. */
void tls_end(struct tls_link *link, struct tls_flow *flow);

/** The class of what went wrong. */
enum failure tls_failure(const struct tls_link *link);
/** Whether the target chose `protocol` of those that it was offered. */
bool tls_speaks(const struct tls_link *link, const char *protocol);
/** Whether the handshake went on from an earlier session. */
bool tls_resumed(const struct tls_link *link);

#endif
