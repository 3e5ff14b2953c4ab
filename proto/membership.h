/** hello, welcome, refusal, ready, decline, goodbye: how an agent joins a run and leaves it. */
#ifndef CLOBBER_PROTO_MEMBERSHIP_H
#define CLOBBER_PROTO_MEMBERSHIP_H

#include "common/base/limits.h"

#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_MAJOR 1u
#define PROTOCOL_MINOR 0u
#define DIGEST_BYTES   32u

struct hello {
    uint16_t major, minor;
    uint64_t features; /* a bit each; none yet */
    char name[NAME_BYTES_MAX + 1];
    char build[NAME_BYTES_MAX + 1]; /* clobber's version */
    uint32_t cores;
    uint32_t max_concurrency; /* the owner's ceiling; CONCURRENCY_MAX: none */
    uint64_t max_rate_milli;  /* the owner's ceiling; RATE_PER_S_MAX * 1000: none */
    uint8_t allow_digest[DIGEST_BYTES]; /* sha256 of the allow-list; zero: not told */
    uint64_t t_agent;
    uint32_t orphans; /* final words of earlier incarnations that wait for delivery */
};

struct welcome {
    uint16_t major, minor;
    uint64_t features;
    uint32_t lease_ms, beat_ms, sample_ms;
    uint64_t histogram_max_ns;
    uint32_t histogram_digits;
    const uint8_t *assignment; /* borrowed; assignment_bytes of it */
    size_t assignment_bytes;   /* at most ASSIGNMENT_BYTES_MAX */
    uint8_t assignment_digest[DIGEST_BYTES];
    uint64_t echo_t;
};

enum refusal {
    REFUSE_VERSION,
    REFUSE_FEATURE,
    REFUSE_DUPLICATE,
    REFUSE_FULL,
    REFUSE_RUN_OVER,
    REFUSE_NOT_ALLOWED,
    REFUSE_MALFORMED,
    REFUSE_BUSY,
    REFUSE_COUNT
};

struct refuse {
    enum refusal code;
    char sentence[NAME_BYTES_MAX + 1];
    uint32_t retry_ms; /* 0: do not try again */
};

struct ready {
    uint8_t assignment_digest[DIGEST_BYTES];
};

enum decline_code {
    DECLINE_TARGET,
    DECLINE_RATE,
    DECLINE_CONCURRENCY,
    DECLINE_DURATION,
    DECLINE_RESOURCE,
    DECLINE_COUNT
};

struct decline {
    enum decline_code code;
    char sentence[NAME_BYTES_MAX + 1];
};

struct bye {
    char reason[NAME_BYTES_MAX + 1];
};

#endif
