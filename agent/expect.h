/** What the plan expects of an answer beside its framing: status classes, headers, text in the body
 *  and the body's size. Pure.
 *
 *  Text is found wherever the bytes are split, without a copy of them: Knuth, Morris and Pratt,
 *  "Fast pattern matching in strings", 1977. */
#ifndef CLOBBER_AGENT_EXPECT_H
#define CLOBBER_AGENT_EXPECT_H

#include "agent/header_line.h"
#include "common/base/error.h"
#include "common/base/limits.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The expectations of all requests; read only once made, so all workers share it. */
struct expect;

/** One answer on its way. Zeroed at its begin. */
struct expect_answer {
    uint32_t met; /* a bit for each of the request's headers and texts */
    uint64_t body_bytes;
    uint32_t matched[EXPECT_TEXTS_MAX]; /* of each text, how much the last bytes are of it */
};

/** `assignment` stays borrowed. NULL: ERROR_MEMORY, ERROR_PLAN. The caller owns it. */
struct expect *expect_create(const struct assignment *assignment, struct error *error);
void expect_destroy(struct expect *expect);

/** Whether answers to `request` are to be looked at closer than by their status. */
bool expect_wants_headers(const struct expect *expect, uint32_t request);
bool expect_wants_body(const struct expect *expect, uint32_t request);

void expect_header(const struct expect *expect, uint32_t request, struct expect_answer *answer,
                   const struct header_field *field);
void expect_body(const struct expect *expect, uint32_t request, struct expect_answer *answer,
                 const uint8_t *bytes, size_t count);

/** Whether `status` is one that is expected: below 400 unless the plan says more. */
bool expect_status(const struct expect *expect, uint32_t request, uint16_t status);
/** Once the answer is whole: whether all that was expected of headers and body came. */
bool expect_met(const struct expect *expect, uint32_t request, const struct expect_answer *answer);

#endif
