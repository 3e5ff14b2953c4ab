/* Any frames as a ZAP request: no read past the end of one, and nobody comes in but with the listed
 * key, spoken in CURVE.
 *
 * Each frame is one byte of length and so many bytes; the last one takes what is left. */
#include "common/base/check.h"
#include "proto/zap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX (ZAP_FRAMES + 2u)

static const uint8_t listed[KEY_BYTES] = "thirty-two bytes of a listed key";

static struct keyring *fleet(void)
{
    char text[128], key[KEY_TEXT_BYTES];
    int length = snprintf(text, sizeof text, "eu-1 %s\n", key_text(listed, key));
    struct keyring *keyring = keyring_read(text, (size_t)length, "fleet", NULL);
    CHECK(keyring != NULL);
    return keyring;
}

/* Each in memory of its own, so that the sanitizer sees a byte read past its end. */
static size_t cut(const uint8_t *bytes, size_t count, struct zap_frame *frames)
{
    size_t frame_count = 0;
    while (count > 0 && frame_count < FRAMES_MAX) {
        size_t length = bytes[0] < count - 1 ? bytes[0] : count - 1;
        uint8_t *copy = malloc(length > 0 ? length : 1);
        CHECK(copy != NULL);
        memcpy(copy, bytes + 1, length);
        frames[frame_count++] = (struct zap_frame){copy, length};
        bytes += 1 + length;
        count -= 1 + length;
    }
    return frame_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct keyring *keyring;
    struct zap_frame frames[FRAMES_MAX] = {0};
    if (keyring == NULL)
        keyring = fleet();
    size_t frame_count = cut(bytes, count, frames);
    struct zap_verdict verdict = zap_judge(frames, frame_count, keyring, 0);
    CHECK(memchr(verdict.address, '\0', sizeof verdict.address) != NULL);
    CHECK(memchr(verdict.key, '\0', sizeof verdict.key) != NULL);
    CHECK(verdict.accepted == (strcmp(verdict.status, "200") == 0));
    if (verdict.accepted) {
        CHECK(frame_count == ZAP_FRAMES);
        CHECK(frames[5].count == 5 && memcmp(frames[5].bytes, "CURVE", 5) == 0);
        CHECK(memcmp(frames[6].bytes, listed, sizeof listed) == 0);
    }
    for (size_t i = 0; i < frame_count; i++)
        free((void *)(uintptr_t)frames[i].bytes);
    return 0;
}
