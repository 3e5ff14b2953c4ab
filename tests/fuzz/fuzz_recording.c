/* Any bytes in a flight recorder: read within bounds, and what is believed of them can be said and
 * is understood. The input is a row of patches to a recording of ours, because a whole one has
 * hundreds of thousands of bytes: place (4 bytes), and the 8 bytes that stand there then. The first
 * byte: 1, the head's checksum is set right after that. */
#include "agent/orphan.h"
#include "agent/recording.h"
#include "common/base/check.h"
#include "common/base/units.h"
#include "proto/crc32c.h"

#include <stdlib.h>
#include <string.h>

#define PATCH_BYTES    12u
#define CHECKSUM_PLACE 64u

static const struct recording_shape shape = {.lanes = 2, .phases = 2, .requests = 2};

static uint8_t *make_recording(size_t byte_count)
{
    static const struct recording_owner owner = {.run_id = {1}, .incarnation = {2}};
    uint8_t *bytes = calloc(1, byte_count);
    CHECK(bytes != NULL);
    struct recording *recording = recording_begin(bytes, &shape, &owner);
    for (uint32_t i = 0; i < shape.lanes; i++) {
        struct meters *lane =
            meters_create_at(recording_lane(recording, i), shape.phases, shape.requests, false);
        CHECK(lane != NULL);
        struct phase_meter *phase = &lane->phases[i];
        phase->t_from = 100;
        phase->counters.planned = phase->counters.started = 2;
        phase->counters.ok = phase->requests[1].ok = 1;
        histogram_record(&phase->kinds[SAMPLE_RESPONSE], 7000);
        histogram_record(&phase->kinds[SAMPLE_SERVICE], 7000);
        meters_destroy(lane);
    }
    recording_pulse(recording, 200, 300);
    return bytes;
}

static void patch(uint8_t *recording, size_t byte_count, const uint8_t *bytes, size_t count)
{
    bool mend = count > 0 && bytes[0] == 1;
    for (size_t at = 1; at + PATCH_BYTES <= count; at += PATCH_BYTES) {
        uint32_t place;
        memcpy(&place, bytes + at, sizeof place);
        memcpy(recording + place % (byte_count - 8), bytes + at + 4, 8);
    }
    uint32_t checksum = crc32c(recording, CHECKSUM_PLACE);
    if (mend)
        memcpy(recording + CHECKSUM_PLACE, &checksum, sizeof checksum);
}

static void deliver(const struct recording_owner *owner, struct meters *meters)
{
    static uint8_t bytes[MESSAGE_BYTES_MAX];
    struct orphan *orphan = orphan_create(owner, meters);
    struct message message = {.type = MESSAGE_WELCOME};
    struct message again;
    struct error error = {0};
    CHECK(orphan != NULL);
    memcpy(message.run_id, owner->run_id, ID_BYTES);
    orphan_hear(orphan, &message);
    while (orphan_say(orphan, NS_PER_S, &message)) {
        size_t count = message_encode(&message, bytes, sizeof bytes);
        CHECK(count > 0);
        message_decode(bytes, count, &again, &error); /* sums of lanes may be refused there */
    }
    orphan_destroy(orphan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    size_t byte_count = recording_bytes(&shape);
    uint8_t *recording = make_recording(byte_count);
    struct recording_owner owner;
    struct error error = {0};
    patch(recording, byte_count, bytes, count);
    struct meters *meters = recording_read(recording, byte_count, &error);
    bool owned = recording_read_owner(recording, byte_count, &owner, &error);
    CHECK(meters == NULL || owned);
    if (meters != NULL)
        deliver(&owner, meters);
    free(recording);
    return 0;
}
