/** Answers of HTTP/1 out of a seed: most are good, many nearly so. */
#ifndef CLOBBER_TESTS_ANSWERS_H
#define CLOBBER_TESTS_ANSWERS_H

#include "common/control/random.h"

#include <stddef.h>
#include <stdint.h>

#define ANSWER_BYTES_MAX 1024u

struct answer {
    size_t count;
    uint8_t bytes[ANSWER_BYTES_MAX];
};

/** A good answer, perhaps with an interim one before it and bytes behind it; then, in two of three,
 *  some bytes changed. */
void answer_draw(struct answer *answer, struct random *random);

#endif
