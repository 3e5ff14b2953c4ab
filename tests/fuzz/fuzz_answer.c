/* Any bytes as answers to a worker that looks at everything: expectations of headers and body,
 * cookies, redirects. No read past the end, the same verdict and the same next request however the
 * bytes are split.
 *
 * The first byte tells how large the pieces are; answers follow each other until one is not whole.
 */
#include "agent/workload.h"
#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

#define ANSWERS_MAX 8u
#define REQUEST     "POST /shop/a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const struct assignment assignment = {
    .keep_alive = true,
    .host = "h",
    .port = 80,
    .request_count = 1,
    .requests = {{.name = "only",
                  .weight = 1,
                  .bytes = (const uint8_t *)REQUEST,
                  .byte_count = sizeof REQUEST - 1}},
    .http = {.used = true, .cookies = true, .redirects_max = 3},
    .expectation_count = 4,
    .expectations = {{.kind = EXPECT_STATUS_CLASS, .least = 200, .most = 299},
                     {.kind = EXPECT_HEADER, .name = TEXT("a"), .text = TEXT("b")},
                     {.kind = EXPECT_BODY, .text = TEXT("aab")},
                     {.kind = EXPECT_BODY_BYTES, .least = 3, .most = 9}},
};

/* What is to be the same. */
struct story {
    size_t consumed;
    struct {
        enum feed_outcome outcome;
        struct feed_result result;
        uint64_t sent; /* of the next request, a sum */
    } answers[ANSWERS_MAX];
};

/* FNV-1a: Fowler, Noll and Vo, 1991. */
static uint64_t sum_of(const uint8_t *bytes, size_t count)
{
    uint64_t sum = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < count; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    return sum;
}

static uint64_t begin(const void *configuration, void *room, bool follows,
                      struct workload_state *state)
{
    struct workload_request request;
    const struct workload_turn turn = {.room = room, .follows = follows};
    workload_http1.begin(configuration, &turn, state, &request);
    return sum_of(request.bytes, request.byte_count);
}

/* One answer, in pieces; each in a block of its own, so that the sanitizer sees a byte read past
 * its end. */
static enum feed_outcome hear(const void *configuration, struct workload_state *state,
                              const uint8_t *bytes, size_t count, size_t piece, size_t *consumed,
                              struct feed_result *result)
{
    enum feed_outcome outcome = FEED_MORE;
    while (*consumed < count && outcome == FEED_MORE) {
        size_t size = piece < count - *consumed ? piece : count - *consumed;
        uint8_t *copy = malloc(size);
        CHECK(copy != NULL);
        memcpy(copy, bytes + *consumed, size);
        outcome = workload_http1.feed(configuration, state, copy, size, result);
        free(copy);
        CHECK(result->consumed <= size);
        *consumed += result->consumed;
    }
    return outcome == FEED_MORE ? workload_http1.end(configuration, state, result) : outcome;
}

static void live(const void *configuration, const uint8_t *bytes, size_t count, size_t piece,
                 struct story *story)
{
    struct workload_state state = {0};
    void *room = calloc(1, workload_http1.room_bytes(configuration));
    CHECK(room != NULL);
    memset(story, 0, sizeof *story);
    begin(configuration, room, false, &state);
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        struct feed_result result = {0};
        story->answers[i].outcome =
            hear(configuration, &state, bytes, count, piece, &story->consumed, &result);
        result.consumed = 0; /* depends on the pieces, as it should */
        memcpy(&story->answers[i].result, &result, sizeof result);
        if (story->answers[i].outcome != FEED_DONE)
            break;
        story->answers[i].sent = begin(configuration, room, result.followed, &state);
    }
    free(room);
}

static void check_same(const struct story *one, const struct story *other)
{
    CHECK(one->consumed == other->consumed);
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        CHECK(one->answers[i].outcome == other->answers[i].outcome);
        CHECK(one->answers[i].result.ok == other->answers[i].result.ok);
        CHECK(one->answers[i].result.failure == other->answers[i].result.failure);
        CHECK(one->answers[i].result.status == other->answers[i].result.status);
        CHECK(one->answers[i].result.followed == other->answers[i].result.followed);
        CHECK(one->answers[i].sent == other->answers[i].sent);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static void *configuration;
    static struct story whole, split;
    struct error error = {0};
    if (configuration == NULL)
        configuration = workload_http1.configure(&assignment, &error);
    CHECK(configuration != NULL);
    if (count < 1)
        return 0;
    live(configuration, bytes + 1, count - 1, count, &whole);
    live(configuration, bytes + 1, count - 1, 1 + (size_t)bytes[0], &split);
    check_same(&whole, &split);
    return 0;
}
