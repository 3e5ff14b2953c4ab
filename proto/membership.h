/** hello, welcome, refusal, ready, decline, goodbye: how an agent joins a run and leaves it. */
#ifndef CLOBBER_PROTO_MEMBERSHIP_H
#define CLOBBER_PROTO_MEMBERSHIP_H

#include "common/base/error.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_reader;
struct wire_writer;

#define PROTOCOL_MAJOR 1u
#define PROTOCOL_MINOR                                                                             \
    3u /* since 1: latency digests, in BEAT and asked for in assignments; since 2:                 \
          sections of assignments; since 3: final words of agents that were killed */
#define DIGEST_BYTES 32u /* of a SHA-256 */

struct hello {
    uint16_t major, minor;
    uint64_t features; /* a bit each; none yet */
    char name[NAME_BYTES_MAX + 1];
    char build[NAME_BYTES_MAX + 1]; /* clobber's version */
    uint32_t cores;
    uint32_t max_concurrency;           /* the owner's ceiling; CONCURRENCY_MAX: none */
    uint64_t max_rate_milli;            /* the owner's ceiling; RATE_PER_S_MAX * 1000: none */
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

/** The fields of each, in their order, after the envelope: NAME_FIELDS objects of an array that the
 *  caller has begun. What is encoded was checked before (CHECK: our own mistakes); decoding names
 *  what is wrong. False: ERROR_PROTOCOL, result untouched. A HELLO of another major version is read
 *  as far as its name, the first HELLO_LASTING_FIELDS, which no version changes. */
#define HELLO_FIELDS         12u
#define HELLO_LASTING_FIELDS 5u
#define WELCOME_FIELDS       11u
#define REFUSE_FIELDS        3u
#define READY_FIELDS         1u
#define DECLINE_FIELDS       2u
#define BYE_FIELDS           1u
void hello_encode(const struct hello *hello, struct wire_writer *writer);
bool hello_decode(struct wire_reader *reader, struct hello *hello, struct error *error);
void welcome_encode(const struct welcome *welcome, struct wire_writer *writer);
bool welcome_decode(struct wire_reader *reader, struct welcome *welcome, struct error *error);
void refuse_encode(const struct refuse *refuse, struct wire_writer *writer);
bool refuse_decode(struct wire_reader *reader, struct refuse *refuse, struct error *error);
void ready_encode(const struct ready *ready, struct wire_writer *writer);
bool ready_decode(struct wire_reader *reader, struct ready *ready, struct error *error);
void decline_encode(const struct decline *decline, struct wire_writer *writer);
bool decline_decode(struct wire_reader *reader, struct decline *decline, struct error *error);
void bye_encode(const struct bye *bye, struct wire_writer *writer);
bool bye_decode(struct wire_reader *reader, struct bye *bye, struct error *error);

#endif
