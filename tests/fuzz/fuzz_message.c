/* Any bytes as a message: refused with a sentence, or a message that encodes to one that decodes to
 * the same. What it carries in bins, an assignment, histograms or a digest, is decoded likewise. */
#include "proto/assignment.h"
#include "proto/digest.h"
#include "proto/message.h"

#include "common/base/check.h"
#include "common/base/limits.h"

#include <string.h>

/** Decodes and encodes into `again[MESSAGE_BYTES_MAX]`; returns the bytes, 0 when refused. */
static size_t round_trip(const uint8_t *bytes, size_t count, struct message *message,
                         uint8_t *again)
{
    struct error error = {0};
    if (!message_decode(bytes, count, message, &error)) {
        CHECK(error.kind == ERROR_PROTOCOL);
        CHECK(error.message[0] != '\0');
        return 0;
    }
    size_t again_count = message_encode(message, again, MESSAGE_BYTES_MAX);
    CHECK(again_count > 0);
    return again_count;
}

static void try_assignment(const struct welcome *welcome)
{
    static char texts[ASSIGNMENT_TEXT_BYTES];
    static uint8_t again[ASSIGNMENT_BYTES_MAX];
    struct assignment assignment;
    size_t count = 0;
    if (!assignment_decode(welcome->assignment, welcome->assignment_bytes, texts, &assignment,
                           NULL))
        return;
    CHECK(assignment_encode(&assignment, again, &count, NULL));
    CHECK(assignment_decode(again, count, texts, &assignment, NULL));
}

static void try_histograms(const struct sample *sample)
{
    static struct histogram histogram;
    static uint8_t again[HISTOGRAM_BYTES_MAX];
    for (uint32_t i = 0; i < sample->histogram_count; i++) {
        const struct sample_histogram *encoded = &sample->histograms[i];
        if (!sample_histogram_decode(encoded->bytes, encoded->byte_count, &histogram, NULL))
            continue;
        /* Only the shortest form passes, so the bytes come back as they were. */
        CHECK(sample_histogram_encode(&histogram, again, sizeof again) == encoded->byte_count);
        CHECK(memcmp(again, encoded->bytes, encoded->byte_count) == 0);
    }
}

static void try_digest(const struct beat *beat)
{
    struct digest digest;
    uint8_t again[DIGEST_BYTES_MAX];
    if (!digest_decode(beat->digest, beat->digest_bytes, &digest, NULL))
        return;
    CHECK(digest_encode(&digest, again, sizeof again) == beat->digest_bytes);
    CHECK(memcmp(again, beat->digest, beat->digest_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct message first, second;
    static uint8_t once[MESSAGE_BYTES_MAX], twice[MESSAGE_BYTES_MAX];
    if (count > MESSAGE_BYTES_MAX)
        return 0;
    size_t once_count = round_trip(bytes, count, &first, once);
    if (once_count == 0)
        return 0;
    size_t twice_count = round_trip(once, once_count, &second, twice);
    CHECK(twice_count == once_count);
    CHECK(memcmp(once, twice, once_count) == 0);

    if (first.type == MESSAGE_WELCOME)
        try_assignment(&first.as.welcome);
    if (first.type == MESSAGE_BEAT)
        try_digest(&first.as.beat);
    if (first.type == MESSAGE_SAMPLE)
        try_histograms(&first.as.sample);
    if (first.type == MESSAGE_FINAL)
        try_histograms(&first.as.final.sample);
    return 0;
}
