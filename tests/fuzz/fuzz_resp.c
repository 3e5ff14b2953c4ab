/* Any bytes as an answer of Redis: no read past the end, and the verdict is the same however they
 * are split. The first byte of the input tells how large the pieces are. */
#include "agent/resp.h"
#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

struct verdict {
    enum resp_outcome outcome;
    size_t consumed;
    enum failure failure;
    bool is_error;
};

static struct verdict feed(const uint8_t *bytes, size_t count, size_t piece)
{
    struct resp_answer answer;
    struct verdict verdict = {.outcome = RESP_MORE};
    resp_begin(&answer);
    while (verdict.consumed < count && verdict.outcome == RESP_MORE) {
        size_t size = piece < count - verdict.consumed ? piece : count - verdict.consumed;
        /* A block of its own, so that the sanitizer sees a byte read past its end. */
        uint8_t *copy = malloc(size);
        CHECK(copy != NULL);
        memcpy(copy, bytes + verdict.consumed, size);
        size_t used = 0;
        verdict.outcome = resp_feed(&answer, copy, size, &used, &verdict.failure);
        free(copy);
        CHECK(used <= size);
        CHECK(used == size || verdict.outcome != RESP_MORE);
        verdict.consumed += used;
    }
    verdict.is_error = answer.is_error;
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 1)
        return 0;
    struct verdict whole = feed(bytes + 1, count - 1, count);
    struct verdict split = feed(bytes + 1, count - 1, 1 + (size_t)bytes[0]);

    CHECK(split.outcome == whole.outcome);
    CHECK(split.consumed == whole.consumed);
    CHECK(split.failure == whole.failure);
    CHECK(split.is_error == whole.is_error);
    return 0;
}
