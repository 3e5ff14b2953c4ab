/** The part of the plan an agent needs: workload and its options, address, limits.
 *
 *  What only some plans ask for travels in sections (assignment_sections.c), each only when it is
 * asked for; an agent that does not know one cannot do what the plan says and declines. */
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

/** Borrowed, as a request's bytes are. */
struct assignment_bytes {
    const uint8_t *bytes; /* not ended by a NUL */
    size_t count;
};

/** Section: TLS between the connection and the workload. */
struct assignment_tls {
    bool used;
    bool verify;                         /* the target's certificate, and that it is the target's */
    bool resumption;                     /* a connection begins with the session of one before */
    struct assignment_bytes server_name; /* empty: the host */
    struct assignment_bytes authority;   /* PEM; empty: those that the agent's machine trusts */
    struct assignment_bytes certificate, key; /* PEM, of the client; empty: none */
};

/** Section: the life of a connection. */
struct assignment_connection {
    bool used;
    uint64_t connect_timeout_ns, first_byte_timeout_ns; /* 0: only the whole request has one */
    uint64_t lifetime_ns;                               /* 0: no bound */
    uint32_t requests_max;                              /* 0: no bound */
    uint64_t resolve_every_ns;                          /* 0: once */
    struct assignment_bytes unix_path;                  /* empty: host and port */
};

/** Section: what HTTP does beyond one request and its answer. */
struct assignment_http {
    bool used;
    uint32_t redirects_max; /* hops that are followed; 0: none */
    bool cookies;
    uint64_t think_least_ns, think_most_ns; /* after an answer; closed arrivals */
    uint32_t streams;                       /* HTTP/2: workers on a connection; 0: HTTP/1.1 */
};

/** Section: requests have a global index. */
struct assignment_numbering {
    bool used;
    uint64_t total; /* 0: no end */
};

enum data_order { DATA_SEQUENCE, DATA_RANDOM, DATA_UNIQUE, DATA_ORDERS };

/** A section each: a data file, whose rows travel apart as the block of proto/dataset.h. */
struct assignment_data {
    struct assignment_bytes name; /* as templates call it */
    enum data_order order;
    uint64_t byte_count;            /* of the block */
    struct assignment_bytes digest; /* SHA-256 of the block */
    const uint8_t *block;           /* not of the wire: borrowed, once it is there; else NULL */
};

enum slot_kind {
    SLOT_INDEX,  /* the request's global index */
    SLOT_RANDOM, /* a whole number from least to most */
    SLOT_UUID,   /* random, version 4 */
    SLOT_CELL,   /* of data file `file` in `column`, in the row that its order says */
    SLOT_LENGTH, /* how many bytes the request has between `least` and `most` of its own, with what
                    is filled in there */
    SLOT_KINDS
};

/** A section each, in the order of requests and offsets: a value that a request fills in. */
struct assignment_slot {
    uint32_t request; /* index */
    uint32_t offset;  /* before this byte of the request's */
    enum slot_kind kind;
    bool encoded; /* as %XX where a URL asks for it */
    uint32_t file, column;
    uint64_t least, most;
};

enum expectation_kind {
    EXPECT_STATUS_CLASS, /* least to most */
    EXPECT_HEADER,       /* there is a `name`; not empty: that contains `text` */
    EXPECT_BODY,         /* contains `text` */
    EXPECT_BODY_BYTES,   /* least to most */
    EXPECTATION_KINDS
};

/** A section each: what an answer must be besides `expect_status`. All of a request's must hold,
 *  but of several status classes one. */
struct assignment_expectation {
    uint32_t request; /* index */
    enum expectation_kind kind;
    struct assignment_bytes name, text;
    uint64_t least, most;
};

/** Section: options of the workload that is named, in its own words. */
struct assignment_options {
    bool used;
    uint32_t pipeline;              /* redis: requests on their way on one connection */
    struct assignment_bytes plugin; /* the name of a shared object that the agent's owner allows */
    struct assignment_bytes text;   /* to that */
};

/** Section: open arrivals fall due at random, by the draws of `seed`. */
struct assignment_scatter {
    bool used;
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

    /* Sections; since minor version 2 */
    struct assignment_tls tls;
    struct assignment_connection connection;
    struct assignment_http http;
    struct assignment_numbering numbering;
    struct assignment_options options;
    struct assignment_scatter scatter;
    uint32_t data_count, slot_count, expectation_count;
    struct assignment_data data[DATA_FILES_MAX];
    struct assignment_slot slots[SLOTS_MAX];
    struct assignment_expectation expectations[EXPECTATIONS_MAX];
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

/** The minor version that an agent must speak to understand what was encoded into `bytes`. */
uint32_t assignment_minor(const uint8_t *bytes);

/** SHA-256 of `bytes[byte_count]` into `digest[32]`. */
void assignment_digest(const uint8_t *bytes, size_t byte_count, uint8_t *digest);

#endif
