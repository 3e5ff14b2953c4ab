/** An incremental parser of Redis' answers (RESP2 and RESP3); borrows the caller's bytes, allocates
 *  nothing.
 *
 *  Source: redis.io/docs/reference/protocol-spec. It finds where an answer ends and whether it is
 * an error, and looks at nothing else. Values within values need no stack: what counts is how many
 * are still to come, and that has a bound (limits.h, REPLY_*). What Redis pushes ahead of an
 * answer, and attributes, belong to the answer that follows. Strings of unknown length ("$?") are
 * sent by no server and refused. */
#ifndef CLOBBER_AGENT_RESP_H
#define CLOBBER_AGENT_RESP_H

#include "common/base/failure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One answer on its way. Plain data; resp_begin() first. */
struct resp_answer {
    uint64_t values_left; /* that the answer still lacks; 0: it is whole */
    uint64_t body_left;   /* bytes of the present string */
    uint64_t number;      /* of the implementation: a length as far as it has been read */
    uint32_t line_bytes;  /* of the present line so far */
    uint8_t step;         /* of the implementation */
    uint8_t type;         /* of the present value: its first byte */
    uint8_t sign;         /* of that number: '-', '+' or 0 */
    bool digits;          /* of the implementation: it has one */
    bool begun;           /* its own first value has come */
    bool is_error;        /* that is an error */
};

enum resp_outcome { RESP_MORE, RESP_DONE, RESP_FAILED };

void resp_begin(struct resp_answer *answer);
/** Takes the next bytes, split anywhere; `*consumed` of them belong to this answer. RESP_FAILED:
 *  `*failure` is FAILURE_MALFORMED or FAILURE_TOO_LARGE. After DONE or FAILED not to be called
 *  again. */
enum resp_outcome resp_feed(struct resp_answer *answer, const uint8_t *bytes, size_t count,
                            size_t *consumed, enum failure *failure);

#endif
