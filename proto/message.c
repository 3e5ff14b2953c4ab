#include "proto/message.h"

#include "common/base/check.h"
#include "proto/wire.h"

#include <inttypes.h>

#define ENVELOPE_FIELDS 5u

struct kind {
    const char *word;
    uint32_t fields;   /* after the envelope */
    uint32_t least;    /* of these in the first minor version */
    bool understood;   /* by this version */
    bool for_all_time; /* no version adds fields to it */
};

static const struct kind kinds[MESSAGE_TYPES] = {
    [MESSAGE_HELLO] = {"HELLO", HELLO_FIELDS, HELLO_FIELDS, true, true},
    [MESSAGE_WELCOME] = {"WELCOME", WELCOME_FIELDS, WELCOME_FIELDS, true, false},
    [MESSAGE_REFUSE] = {"REFUSE", REFUSE_FIELDS, REFUSE_FIELDS, true, true},
    [MESSAGE_READY] = {"READY", READY_FIELDS, READY_FIELDS, true, false},
    [MESSAGE_DECLINE] = {"DECLINE", DECLINE_FIELDS, DECLINE_FIELDS, true, false},
    [MESSAGE_BEAT] = {"BEAT", BEAT_FIELDS, BEAT_FIELDS_LEAST, true, false},
    [MESSAGE_SETPOINT] = {"SETPOINT", SETPOINT_FIELDS, SETPOINT_FIELDS_LEAST, true, false},
    [MESSAGE_SAMPLE] = {"SAMPLE", SAMPLE_FIELDS, SAMPLE_FIELDS, true, false},
    [MESSAGE_FINAL] = {"FINAL", FINAL_FIELDS, FINAL_FIELDS, true, false},
    [MESSAGE_FINAL_ACK] = {"FINAL_ACK", FINAL_ACK_FIELDS, FINAL_ACK_FIELDS, true, false},
    [MESSAGE_STOP] = {"STOP", STOP_FIELDS, STOP_FIELDS, true, false},
    [MESSAGE_RESET] = {"RESET", 0, 0, false, false},
    [MESSAGE_BYE] = {"BYE", BYE_FIELDS, BYE_FIELDS, true, false},
    [MESSAGE_DATA] = {"DATA", DATA_PART_FIELDS, DATA_PART_FIELDS, true, false},
    [MESSAGE_FETCH] = {"FETCH", FETCH_FIELDS, FETCH_FIELDS, true, false},
    [MESSAGE_EXAMINE] = {"EXAMINE", EXAMINE_FIELDS, EXAMINE_FIELDS, true, false},
    [MESSAGE_FINDINGS] = {"FINDINGS", FINDINGS_FIELDS, FINDINGS_FIELDS, true, false},
};

const char *message_word(enum message_type type)
{
    CHECK(type >= MESSAGE_HELLO);
    CHECK(type < MESSAGE_TYPES);
    return kinds[type].word;
}

static void encode_fields(const struct message *message, struct wire_writer *writer)
{
    switch (message->type) {
    case MESSAGE_HELLO:
        hello_encode(&message->as.hello, writer);
        break;
    case MESSAGE_WELCOME:
        welcome_encode(&message->as.welcome, writer);
        break;
    case MESSAGE_REFUSE:
        refuse_encode(&message->as.refuse, writer);
        break;
    case MESSAGE_READY:
        ready_encode(&message->as.ready, writer);
        break;
    case MESSAGE_DECLINE:
        decline_encode(&message->as.decline, writer);
        break;
    case MESSAGE_BEAT:
        beat_encode(&message->as.beat, writer);
        break;
    case MESSAGE_SETPOINT:
        setpoint_encode(&message->as.setpoint, writer);
        break;
    case MESSAGE_SAMPLE:
        sample_encode(&message->as.sample, writer);
        break;
    case MESSAGE_FINAL:
        final_encode(&message->as.final, writer);
        break;
    case MESSAGE_FINAL_ACK:
        final_ack_encode(&message->as.final_ack, writer);
        break;
    case MESSAGE_STOP:
        stop_encode(&message->as.stop, writer);
        break;
    case MESSAGE_BYE:
        bye_encode(&message->as.bye, writer);
        break;
    case MESSAGE_DATA:
        data_part_encode(&message->as.data, writer);
        break;
    case MESSAGE_FETCH:
        fetch_encode(&message->as.fetch, writer);
        break;
    case MESSAGE_EXAMINE:
        examine_encode(&message->as.examine, writer);
        break;
    case MESSAGE_FINDINGS:
        findings_encode(&message->as.findings, writer);
        break;
    case MESSAGE_RESET:
    case MESSAGE_TYPES:
        break; /* message_encode() has checked that it is none of these */
    }
}

size_t message_encode(const struct message *message, uint8_t *bytes, size_t capacity)
{
    CHECK(message->type >= MESSAGE_HELLO);
    CHECK(message->type < MESSAGE_TYPES);
    CHECK(kinds[message->type].understood);
    struct wire_writer writer;
    wire_writer_init(&writer, bytes, capacity);
    wire_put_array(&writer, ENVELOPE_FIELDS + kinds[message->type].fields);
    wire_put_u64(&writer, message->type);
    wire_put_bytes(&writer, message->run_id, sizeof message->run_id);
    wire_put_bytes(&writer, message->incarnation, sizeof message->incarnation);
    wire_put_u64(&writer, message->epoch);
    wire_put_u64(&writer, message->seq);
    encode_fields(message, &writer);
    return writer.overflow ? 0 : writer.length;
}

static bool decode_fields(struct wire_reader *reader, uint32_t fields, struct message *message,
                          struct error *error)
{
    switch (message->type) {
    case MESSAGE_HELLO:
        return hello_decode(reader, &message->as.hello, error);
    case MESSAGE_WELCOME:
        return welcome_decode(reader, &message->as.welcome, error);
    case MESSAGE_REFUSE:
        return refuse_decode(reader, &message->as.refuse, error);
    case MESSAGE_READY:
        return ready_decode(reader, &message->as.ready, error);
    case MESSAGE_DECLINE:
        return decline_decode(reader, &message->as.decline, error);
    case MESSAGE_BEAT:
        return beat_decode(reader, fields, &message->as.beat, error);
    case MESSAGE_SETPOINT:
        return setpoint_decode(reader, fields, &message->as.setpoint, error);
    case MESSAGE_SAMPLE:
        return sample_decode(reader, &message->as.sample, error);
    case MESSAGE_FINAL:
        return final_decode(reader, &message->as.final, error);
    case MESSAGE_FINAL_ACK:
        return final_ack_decode(reader, &message->as.final_ack, error);
    case MESSAGE_STOP:
        return stop_decode(reader, &message->as.stop, error);
    case MESSAGE_BYE:
        return bye_decode(reader, &message->as.bye, error);
    case MESSAGE_DATA:
        return data_part_decode(reader, &message->as.data, error);
    case MESSAGE_FETCH:
        return fetch_decode(reader, &message->as.fetch, error);
    case MESSAGE_EXAMINE:
        return examine_decode(reader, &message->as.examine, error);
    case MESSAGE_FINDINGS:
        return findings_decode(reader, &message->as.findings, error);
    case MESSAGE_RESET:
    case MESSAGE_TYPES:
        break;
    }
    return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "it is not understood by this version");
}

static bool is_foreign_hello(const struct message *message)
{
    return message->type == MESSAGE_HELLO && message->as.hello.major != PROTOCOL_MAJOR;
}

/** How many fields at the end may be unknown to us. */
static uint32_t unknown_fields_max(const struct message *message)
{
    if (is_foreign_hello(message))
        return WIRE_ELEMENTS_MAX; /* the scan's bound: only the beginning of it is ours to read */
    if (kinds[message->type].for_all_time)
        return 0;
    if (message->type == MESSAGE_WELCOME && message->as.welcome.minor <= PROTOCOL_MINOR)
        return 0;
    return WIRE_UNKNOWN_FIELDS_MAX;
}

/** Passes over the fields after those we know, of the `count` that the array has. An older minor
 * version may have sent fewer; decode_fields() has read what there was. */
static bool skip_unknown(struct wire_reader *reader, const struct message *message, uint32_t count,
                         struct error *error)
{
    uint32_t known = ENVELOPE_FIELDS + (is_foreign_hello(message) ? HELLO_LASTING_FIELDS
                                                                  : kinds[message->type].fields);
    uint32_t least =
        is_foreign_hello(message) ? known : ENVELOPE_FIELDS + kinds[message->type].least;
    uint32_t maximum = known + unknown_fields_max(message);
    if (count < least || count > maximum) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "it has %" PRIu32 " fields; expected %" PRIu32 " to %" PRIu32, count,
                         least, maximum);
    }
    return count <= known || wire_skip(reader, count - known, error);
}

static bool decode_envelope(struct wire_reader *reader, struct message *message, uint32_t *count,
                            struct error *error)
{
    uint32_t type;
    if (!wire_get_array(reader, "message", ENVELOPE_FIELDS, WIRE_ELEMENTS_MAX, count, error) ||
        !wire_get_u32(reader, "type", MESSAGE_HELLO, MESSAGE_TYPES - 1, &type, error) ||
        !wire_get_fixed(reader, "run_id", message->run_id, sizeof message->run_id, error) ||
        !wire_get_fixed(reader, "incarnation", message->incarnation, sizeof message->incarnation,
                        error) ||
        !wire_get_u64(reader, "epoch", 0, UINT64_MAX, &message->epoch, error) ||
        !wire_get_u64(reader, "seq", 0, UINT64_MAX, &message->seq, error)) {
        return false;
    }
    message->type = (enum message_type)type;
    return true;
}

bool message_decode(const uint8_t *bytes, size_t byte_count, struct message *message,
                    struct error *error)
{
    struct message read = {0};
    struct wire_reader reader;
    uint32_t count;
    if (!wire_reader_init(&reader, bytes, byte_count, error) ||
        !decode_envelope(&reader, &read, &count, error))
        return false;
    /* Too few fields in the array and more objects behind it: decode_fields() would read those,
     * within the scanned bytes, and skip_unknown() then refuses the count. */
    if (!decode_fields(&reader, count - ENVELOPE_FIELDS, &read, error) ||
        !skip_unknown(&reader, &read, count, error) || !wire_end(&reader, error))
        return error_prefix(error, "%s", message_word(read.type));
    *message = read;
    return true;
}
