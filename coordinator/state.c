#include "coordinator/state.h"

#include "common/base/check.h"
#include "coordinator/session.h"
#include "proto/crc32c.h"

#include <stdlib.h>
#include <string.h>

static const char magic[8] = "CLBSTA1";

struct head {
    char magic[8];
    struct state_head head;
    uint32_t crc32c; /* of all before it */
};

/* Before each message. */
struct frame {
    uint64_t moment_ns;
    uint32_t byte_count;
    uint32_t crc32c; /* of the two before it and the message */
};

static uint32_t head_crc(const struct head *head)
{
    return crc32c(head, offsetof(struct head, crc32c));
}

static uint32_t frame_crc(const struct frame *frame, const uint8_t *message)
{
    return crc32c(frame, offsetof(struct frame, crc32c)) ^ crc32c(message, frame->byte_count);
}

void state_bytes_done(struct state_bytes *bytes)
{
    free(bytes->bytes);
    *bytes = (struct state_bytes){0};
}

static uint8_t *reserve(struct state_bytes *bytes, size_t more)
{
    if (bytes->capacity - bytes->count < more) {
        size_t capacity = 2 * bytes->capacity + more;
        uint8_t *larger = realloc(bytes->bytes, capacity);
        bytes->failed = bytes->failed || larger == NULL;
        if (larger == NULL)
            return NULL;
        bytes->bytes = larger;
        bytes->capacity = capacity;
    }
    return bytes->bytes + bytes->count;
}

void state_begin(struct state_bytes *bytes, const struct state_head *head)
{
    struct head whole;
    memset(&whole, 0, sizeof whole); /* its padding too */
    memcpy(whole.magic, magic, sizeof magic);
    whole.head = *head;
    whole.crc32c = head_crc(&whole);
    bytes->count = 0;
    bytes->failed = false;
    uint8_t *place = reserve(bytes, sizeof whole);
    if (place == NULL)
        return;
    memcpy(place, &whole, sizeof whole);
    bytes->count = sizeof whole;
}

void state_add(struct state_bytes *bytes, uint64_t moment_ns, const struct message *message)
{
    uint8_t *place = reserve(bytes, sizeof(struct frame) + SESSION_KEPT_BYTES_MAX);
    if (place == NULL)
        return;
    size_t byte_count =
        message_encode(message, place + sizeof(struct frame), SESSION_KEPT_BYTES_MAX);
    CHECK(byte_count > 0);
    struct frame frame = {.moment_ns = moment_ns, .byte_count = (uint32_t)byte_count};
    frame.crc32c = frame_crc(&frame, place + sizeof frame);
    memcpy(place, &frame, sizeof frame);
    bytes->count += sizeof frame + byte_count;
}

bool state_read_head(const uint8_t *bytes, size_t count, struct state_head *head,
                     struct error *error)
{
    struct head whole;
    if (count < sizeof whole)
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "it has %zu bytes", count);
    memcpy(&whole, bytes, sizeof whole);
    if (memcmp(whole.magic, magic, sizeof magic) != 0)
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "it begins otherwise");
    if (whole.crc32c != head_crc(&whole) || whole.head.boot[STATE_BOOT_BYTES - 1] != '\0')
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "its head is damaged");
    *head = whole.head;
    return true;
}

bool state_read(const uint8_t *bytes, size_t count, state_take *take, void *context,
                struct error *error)
{
    struct frame frame;
    for (size_t at = sizeof(struct head); count >= at && count - at >= sizeof frame;) {
        memcpy(&frame, bytes + at, sizeof frame);
        at += sizeof frame;
        const uint8_t *message_bytes = bytes + at;
        if (frame.byte_count > SESSION_KEPT_BYTES_MAX || frame.byte_count > count - at ||
            frame.crc32c != frame_crc(&frame, message_bytes))
            return true; /* it was being written */
        struct message message;
        if (!message_decode(message_bytes, frame.byte_count, &message, error) ||
            !take(context, frame.moment_ns, &message, error))
            return false;
        at += frame.byte_count;
    }
    return true;
}
