#include "proto/zap.h"

#include <assert.h>
#include <string.h>

enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, ROUTING_ID, MECHANISM, CREDENTIAL };
static_assert(CREDENTIAL + 1 == ZAP_FRAMES, "of a mechanism with one credential");

static bool is(const struct zap_frame *frame, const char *text)
{
    return frame->count == strlen(text) && memcmp(frame->bytes, text, frame->count) == 0;
}

static bool has_its_form(const struct zap_frame *frames, size_t count)
{
    if (count != ZAP_FRAMES)
        return false;
    for (size_t i = 0; i < count; i++)
        if (frames[i].count > ZAP_FRAME_BYTES_MAX)
            return false;
    return is(&frames[VERSION], "1.0");
}

static void copy_address(const struct zap_frame *frame, char *address)
{
    size_t length = frame->count < ZAP_ADDRESS_BYTES ? frame->count : ZAP_ADDRESS_BYTES - 1;
    memcpy(address, frame->bytes, length);
    address[length] = '\0';
}

struct zap_verdict zap_judge(const struct zap_frame *frames, size_t count,
                             const struct keyring *keyring, uint64_t now_s)
{
    struct zap_verdict verdict = {.status = "500", .reason = "not a request of ZAP 1.0"};
    if (!has_its_form(frames, count))
        return verdict;
    copy_address(&frames[ADDRESS], verdict.address);
    verdict.status = "400";
    verdict.reason = "no CURVE key of 32 bytes";
    if (!is(&frames[DOMAIN], ZAP_DOMAIN) || !is(&frames[MECHANISM], "CURVE") ||
        frames[CREDENTIAL].count != KEY_BYTES)
        return verdict;
    key_text(frames[CREDENTIAL].bytes, verdict.key);
    verdict.reason = "this key is not listed";
    if (keyring_find(keyring, verdict.key, now_s) == NULL)
        return verdict;
    verdict.accepted = true;
    verdict.status = "200";
    verdict.reason = "listed";
    return verdict;
}
