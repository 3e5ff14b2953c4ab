/** The part of the plan an agent needs: workload and its options, address, limits. */
#ifndef CLOBBER_PROTO_ASSIGNMENT_H
#define CLOBBER_PROTO_ASSIGNMENT_H

#include "common/base/error.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One kind of request. Text and bytes are borrowed: from the plan when encoding, from the encoded
 *  bytes when decoded. */
struct assignment_request {
    const char *name;             /* ends with NUL */
    uint32_t weight;              /* 1 to WEIGHT_MAX */
    const uint8_t *bytes;         /* what is sent: a whole HTTP request, or the tcp payload */
    size_t byte_count;            /* tcp: may be 0 */
    bool head;                    /* http: the answer has no body whatever its headers say */
    uint16_t expect_status;       /* http: 0: any below 400 */
    const uint8_t *expect_prefix; /* tcp: the answer must begin with it */
    size_t expect_prefix_count;
    bool reconnect; /* tcp: a new connection for each request */
};

struct assignment {
    char workload[32];             /* "http1" or "tcp": a row of agent/workload.c */
    char host[NAME_BYTES_MAX + 1]; /* resolved by each agent for itself */
    uint16_t port;
    bool open_arrivals;
    bool keep_alive;
    bool latency_digest; /* beats shall carry one; since minor version 1 */
    uint64_t seed;
    uint64_t timeout_ns;
    uint32_t phases;          /* 1 to STAGES_MAX + 1; setpoints name one below it */
    uint64_t duration_ns;     /* of the whole run, for the owner's ceiling */
    uint32_t concurrency_max; /* the plan's ceiling over all agents */
    double rate_max_per_s;    /* the largest goal of the plan, for the owner's ceiling; 0: none;
                                 travels in thousandths */
    uint32_t request_count;   /* 1 to REQUEST_NAMES_MAX */
    struct assignment_request requests[REQUEST_NAMES_MAX];
};

/** Encodes into `bytes[ASSIGNMENT_BYTES_MAX]`; `*byte_count` is what it took.
 *  False: ERROR_LIMIT, too large. */
bool assignment_encode(const struct assignment *assignment, uint8_t *bytes, size_t *byte_count,
                       struct error *error);
/** `bytes` must outlive what is decoded. `texts` takes the names and their NULs: at least
 *  ASSIGNMENT_TEXT_BYTES. False: ERROR_PROTOCOL. */
#define ASSIGNMENT_TEXT_BYTES ((NAME_BYTES_MAX + 1u) * REQUEST_NAMES_MAX)
bool assignment_decode(const uint8_t *bytes, size_t byte_count, char *texts,
                       struct assignment *assignment, struct error *error);

/** SHA-256 of `bytes[byte_count]` into `digest[32]`. */
void assignment_digest(const uint8_t *bytes, size_t byte_count, uint8_t *digest);

#endif
