/* Any bytes as a response: no read past the end, and the verdict is the same however they are
 * split.
 *
 * The first byte of the input tells whether the request was a HEAD and how large the pieces are. */
#include "agent/http1.h"
#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

struct verdict {
    enum http1_outcome outcome;
    size_t consumed;
    enum failure failure;
    uint16_t status;
    bool reusable;
};

static struct verdict feed(const uint8_t *bytes, size_t count, size_t piece, bool head)
{
    struct http1_response response;
    struct verdict verdict = {.outcome = HTTP1_MORE};
    http1_begin(&response, head);
    while (verdict.consumed < count && verdict.outcome == HTTP1_MORE) {
        size_t size = piece < count - verdict.consumed ? piece : count - verdict.consumed;
        /* A block of its own, so that the sanitizer sees a byte read past its end. */
        uint8_t *copy = malloc(size);
        CHECK(copy != NULL);
        memcpy(copy, bytes + verdict.consumed, size);
        size_t used = 0;
        verdict.outcome = http1_feed(&response, copy, size, &used, &verdict.failure);
        free(copy);
        CHECK(used <= size);
        CHECK(used == size || verdict.outcome != HTTP1_MORE);
        verdict.consumed += used;
    }
    if (verdict.outcome == HTTP1_MORE)
        verdict.outcome = http1_end(&response, &verdict.failure);
    if (verdict.outcome == HTTP1_DONE) {
        verdict.status = response.status;
        verdict.reusable = http1_reusable(&response);
        CHECK(verdict.status >= 200);
        CHECK(verdict.status <= 599);
    }
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 1)
        return 0;
    bool head = (bytes[0] & 1) != 0;
    size_t piece = 1 + (size_t)(bytes[0] >> 1);

    struct verdict whole = feed(bytes + 1, count - 1, count, head);
    struct verdict split = feed(bytes + 1, count - 1, piece, head);

    CHECK(split.outcome == whole.outcome);
    CHECK(split.consumed == whole.consumed);
    CHECK(split.failure == whole.failure);
    CHECK(split.status == whole.status);
    CHECK(split.reusable == whole.reusable);
    return 0;
}
