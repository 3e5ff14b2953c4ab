#include "proto/message.h"

#include "common/base/check.h"
#include "proto/wire.h"
#include "tests/support/guard.h"
#include "tests/support/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define SMALL_BYTES 1024u /* more than any of the examples */

struct encoded {
    uint8_t bytes[SMALL_BYTES];
    size_t count;
};

static struct encoded encoded(const struct message *message)
{
    struct encoded encoded;
    encoded.count = message_encode(message, encoded.bytes, sizeof encoded.bytes);
    assert_true(encoded.count > 0);
    return encoded;
}

static struct encoded encoded_example(enum message_type type)
{
    struct message message = messages_example(type);
    return encoded(&message);
}

static void decode_or_fail(const struct encoded *encoded, struct message *message)
{
    struct error error = {0};
    if (!message_decode(encoded->bytes, encoded->count, message, &error))
        fail_msg("%s", error.message);
}

static void refused(const struct encoded *encoded, const char *sentence)
{
    struct message message;
    struct error error = {0};
    assert_false(message_decode(encoded->bytes, encoded->count, &message, &error));
    assert_int_equal(error.kind, ERROR_PROTOCOL);
    if (strstr(error.message, sentence) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, sentence);
}

/* What is decoded and encoded again is the same bytes, so no field is lost or moved. */
static void every_type_survives_a_round_trip(void **state)
{
    const enum message_type *type = *state;
    struct encoded first = encoded_example(*type);

    struct message message;
    decode_or_fail(&first, &message);
    struct encoded second = encoded(&message);

    assert_int_equal(message.type, *type);
    assert_int_equal(message.epoch, 3);
    assert_int_equal(message.seq, 77);
    assert_int_equal(second.count, first.count);
    assert_memory_equal(second.bytes, first.bytes, first.count);
}

static void every_truncation_of_every_type_is_refused(void **state)
{
    const enum message_type *type = *state;
    struct encoded whole = encoded_example(*type);
    struct guard guard = guard_open(whole.count);
    for (size_t count = 0; count < whole.count; count++) {
        struct message message;
        struct error error = {0};
        assert_false(
            message_decode(guard_copy(&guard, whole.bytes, count), count, &message, &error));
        assert_int_equal(error.kind, ERROR_PROTOCOL);
        assert_true(strlen(error.message) > 0);
    }
    guard_close(&guard);
}

/* Every byte takes every value: each result is refused with a sentence, or a message that encodes
 * again. */
static void every_corrupt_byte_of_every_type_is_survived(void **state)
{
    const enum message_type *type = *state;
    struct encoded whole = encoded_example(*type);
    struct guard guard = guard_open(whole.count);
    uint8_t again[SMALL_BYTES];
    for (size_t at = 0; at < whole.count; at++) {
        for (unsigned int value = 0; value < 256; value++) {
            struct encoded corrupt = whole;
            corrupt.bytes[at] = (uint8_t)value;
            uint8_t *bytes = guard_copy(&guard, corrupt.bytes, corrupt.count);
            struct message message;
            struct error error = {0};
            if (message_decode(bytes, corrupt.count, &message, &error))
                assert_true(message_encode(&message, again, sizeof again) > 0);
            else
                assert_int_equal(error.kind, ERROR_PROTOCOL);
        }
    }
    guard_close(&guard);
}

static void nothing_is_encoded_into_too_little_room(void **state)
{
    const enum message_type *type = *state;
    struct message message = messages_example(*type);
    struct encoded whole = encoded(&message);
    uint8_t bytes[SMALL_BYTES];
    for (size_t capacity = 0; capacity < whole.count; capacity++)
        assert_int_equal(message_encode(&message, bytes, capacity), 0);
    assert_int_equal(message_encode(&message, bytes, whole.count), whole.count);
}

static void bytes_after_the_message_are_refused(void **state)
{
    const enum message_type *type = *state;
    struct encoded longer = encoded_example(*type);
    longer.bytes[longer.count++] = 0x01;
    refused(&longer, "1 bytes too many");
}

/* Puts `count` fields 0 at the end and raises the array's header to fit. */
static struct encoded with_unknown_fields(struct encoded encoded, uint8_t count)
{
    uint32_t fields = encoded.bytes[0] == 0xdc ? (uint32_t)encoded.bytes[1] << 8 | encoded.bytes[2]
                                               : encoded.bytes[0] & 0x0fu;
    size_t header_bytes = encoded.bytes[0] == 0xdc ? 3 : 1;
    struct encoded longer = {.bytes = {0xdc, 0, (uint8_t)(fields + count)}};
    size_t body_bytes = encoded.count - header_bytes;
    memcpy(longer.bytes + 3, encoded.bytes + header_bytes, body_bytes);
    memset(longer.bytes + 3 + body_bytes, 0, count);
    longer.count = 3 + body_bytes + count;
    return longer;
}

static void eight_unknown_fields_are_skipped_and_nine_are_not(void **state)
{
    (void)state;
    struct encoded beat = encoded_example(MESSAGE_BEAT);
    struct encoded eight = with_unknown_fields(beat, WIRE_UNKNOWN_FIELDS_MAX);
    struct encoded nine = with_unknown_fields(beat, WIRE_UNKNOWN_FIELDS_MAX + 1);

    struct message message;
    decode_or_fail(&eight, &message);

    assert_int_equal(message.as.beat.flags, BEAT_CPU_SATURATED | BEAT_STOOD_STILL);
    refused(&nine, "BEAT: it has 30 fields; expected 18 to 29");
}

static void hello_and_refuse_never_grow(void **state)
{
    (void)state;
    struct encoded hello = with_unknown_fields(encoded_example(MESSAGE_HELLO), 1);
    struct encoded refuse = with_unknown_fields(encoded_example(MESSAGE_REFUSE), 1);
    refused(&hello, "HELLO: it has 18 fields; expected 17 to 17");
    refused(&refuse, "REFUSE: it has 9 fields; expected 8 to 8");
}

static void welcome_grows_with_a_newer_minor_version_only(void **state)
{
    (void)state;
    struct message message = messages_example(MESSAGE_WELCOME);
    struct encoded same = with_unknown_fields(encoded(&message), 1);
    message.as.welcome.minor = PROTOCOL_MINOR + 1;
    struct encoded newer = with_unknown_fields(encoded(&message), 1);

    refused(&same, "WELCOME: it has 17 fields; expected 16 to 16");
    decode_or_fail(&newer, &message);
}

/* Fewer fields in the array, and the rest as objects behind it. */
static void fields_outside_the_array_are_not_taken_for_its_own(void **state)
{
    (void)state;
    struct encoded beat = encoded_example(MESSAGE_BEAT);
    assert_int_equal(beat.bytes[2], 21);
    beat.bytes[2] = 17;
    refused(&beat, "BEAT: it has 17 fields; expected 18 to 29");
}

/* The last fields: a bin of five bytes, seven with its header, and two numbers in four. */
static void a_beat_of_the_first_minor_version_has_no_digest(void **state)
{
    (void)state;
    struct encoded beat = encoded_example(MESSAGE_BEAT);
    beat.bytes[2] = 18;
    refused(&beat, "BEAT: 11 bytes too many after the last field");
    beat.count -= 11;

    struct message message;
    decode_or_fail(&beat, &message);

    assert_int_equal(message.as.beat.flags, BEAT_CPU_SATURATED | BEAT_STOOD_STILL);
    assert_int_equal(message.as.beat.digest_bytes, 0);
}

static void a_beat_of_the_minor_version_before_numbers_has_none(void **state)
{
    (void)state;
    struct encoded beat = encoded_example(MESSAGE_BEAT);
    beat.bytes[2] = 19;
    beat.count -= 4;

    struct message message;
    decode_or_fail(&beat, &message);

    assert_int_equal(message.as.beat.digest_bytes, 5);
    assert_int_equal(message.as.beat.index_block, 0);
    assert_int_equal(message.as.beat.index_used, 0);
}

static void a_setpoint_of_the_minor_version_before_numbers_names_no_block(void **state)
{
    (void)state;
    struct encoded setpoint = encoded_example(MESSAGE_SETPOINT);
    setpoint.bytes[0] = 0x9e;
    setpoint.count--;

    struct message message;
    decode_or_fail(&setpoint, &message);

    assert_int_equal(message.as.setpoint.index_count, 1024);
    assert_int_equal(message.as.setpoint.index_block, 0);
}

/* A HELLO of version 2.7, of which only the beginning is as ours. */
static void hello_of_another_major_version_tells_its_version_and_name(void **state)
{
    (void)state;
    struct encoded foreign;
    struct wire_writer writer;
    uint8_t id[ID_BYTES] = {0};
    wire_writer_init(&writer, foreign.bytes, sizeof foreign.bytes);
    wire_put_array(&writer, 12);
    wire_put_u64(&writer, MESSAGE_HELLO);
    wire_put_bytes(&writer, id, sizeof id);
    wire_put_bytes(&writer, id, sizeof id);
    wire_put_u64(&writer, 0);
    wire_put_u64(&writer, 1);
    wire_put_text(&writer, "CLB1");
    wire_put_u64(&writer, 2);
    wire_put_u64(&writer, 7);
    wire_put_u64(&writer, 0);
    wire_put_text(&writer, "from tomorrow");
    wire_put_array(&writer, 1);
    wire_put_text(&writer, "who knows");
    wire_put_u64(&writer, 9);
    foreign.count = writer.length;

    struct message message;
    decode_or_fail(&foreign, &message);

    assert_int_equal(message.as.hello.major, 2);
    assert_int_equal(message.as.hello.minor, 7);
    assert_string_equal(message.as.hello.name, "from tomorrow");
    assert_int_equal(message.as.hello.cores, 0);
}

static void hello_without_its_magic_is_refused(void **state)
{
    (void)state;
    struct encoded hello = encoded_example(MESSAGE_HELLO);
    uint8_t *magic = memmem(hello.bytes, hello.count, "CLB1", 4);
    assert_non_null(magic);
    magic[3] = '2';
    refused(&hello, "HELLO: it does not begin with \"CLB1\"");
}

struct type_case {
    const char *name;
    uint8_t type;
    const char *sentence;
};

static const struct type_case type_cases[] = {
    {"type_0_is_refused", 0, "type is 0; expected 1 to 17"},
    {"type_18_is_refused", 18, "type is 18; expected 1 to 17"},
    {"reset_is_known_and_not_understood", MESSAGE_RESET,
     "RESET: it is not understood by this version"},
};

static void type_is_refused(void **state)
{
    const struct type_case *row = *state;
    struct encoded message = encoded_example(MESSAGE_BYE);
    message.bytes[1] = row->type;
    refused(&message, row->sentence);
}

static void a_changed_final_fails_its_checksum(void **state)
{
    (void)state;
    struct message message = messages_example(MESSAGE_FINAL);
    struct encoded final = encoded(&message);
    struct message decoded;
    decode_or_fail(&final, &decoded);
    assert_int_not_equal(decoded.as.final.crc32c, 0);

    final.bytes[3 + 1 + 2] ^= 1; /* the run's id, which nothing else checks */

    refused(&final, "FINAL: crc32c is ");
}

/* The bytes themselves: a second implementation can begin here. */
static void a_setpoint_is_these_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[] =
        "\x9f\x07\xc4\x10\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xc4\x10\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\x03\x4d"
        "\xcd\x05\xdc\xcd\x09\xc4\xce\x00\x4c\x4b\x40\xcd\x03\xe8\x02\xcd\x03\xe8"
        "\xcf\x00\x00\x00\x1c\xbe\x99\x1a\x15\xcd\x10\x00\xcd\x04\x00\x03";

    struct encoded setpoint = encoded_example(MESSAGE_SETPOINT);

    assert_int_equal(setpoint.count, sizeof expected - 1);
    assert_memory_equal(setpoint.bytes, expected, setpoint.count);
}

static void a_setpoint_whose_floor_is_above_its_cap_is_refused(void **state)
{
    (void)state;
    struct encoded setpoint = encoded_example(MESSAGE_SETPOINT);
    uint8_t *floor = memmem(setpoint.bytes, setpoint.count, "\xcd\x05\xdc", 3);
    assert_non_null(floor);
    memcpy(floor, "\xcd\x09\xc5", 3);
    refused(&setpoint, "SETPOINT: concurrency_milli is 2500; expected 2501 to 1000000000");
}

static void every_type_has_its_word(void **state)
{
    (void)state;
    assert_string_equal(message_word(MESSAGE_HELLO), "HELLO");
    assert_string_equal(message_word(MESSAGE_FINAL_ACK), "FINAL_ACK");
    assert_string_equal(message_word(MESSAGE_DATA), "DATA");
}

/* The largest message that an honest agent can make passes the scan and fits. */
static void the_fullest_sample_fits(void **state)
{
    (void)state;
    struct message message = messages_example(MESSAGE_SAMPLE);
    struct sample *sample = &message.as.sample;
    sample->status_count = SAMPLE_STATUSES_MAX;
    for (uint32_t i = 0; i < SAMPLE_STATUSES_MAX; i++)
        sample->statuses[i] = (struct status_count){599, COUNTERS_COUNT_MAX, COUNTERS_COUNT_MAX};
    sample->request_count = REQUEST_NAMES_MAX;
    for (uint32_t i = 0; i < REQUEST_NAMES_MAX; i++)
        sample->requests[i] = (struct request_count){COUNTERS_COUNT_MAX, COUNTERS_COUNT_MAX};
    uint8_t *histogram = calloc(1, 5000);
    assert_non_null(histogram);
    sample->histogram_count = SAMPLE_HISTOGRAMS_MAX;
    for (uint32_t i = 0; i < SAMPLE_HISTOGRAMS_MAX; i++)
        sample->histograms[i] = (struct sample_histogram){SAMPLE_REQUEST, 31, histogram, 5000};

    uint8_t *bytes = malloc(MESSAGE_BYTES_MAX);
    assert_non_null(bytes);
    size_t count = message_encode(&message, bytes, MESSAGE_BYTES_MAX);
    struct message *decoded = calloc(1, sizeof *decoded);
    struct error error = {0};
    bool passes = message_decode(bytes, count, decoded, &error);

    assert_string_equal(error.message, "");
    assert_true(passes);
    assert_int_equal(decoded->as.sample.histograms[36].byte_count, 5000);
    free(decoded);
    free(bytes);
    free(histogram);
}

#define EACH_TYPE 5u /* tests that run once for every type */

int main(void)
{
    static const struct CMUnitTest each[EACH_TYPE] = {
        cmocka_unit_test(every_type_survives_a_round_trip),
        cmocka_unit_test(every_truncation_of_every_type_is_refused),
        cmocka_unit_test(every_corrupt_byte_of_every_type_is_survived),
        cmocka_unit_test(nothing_is_encoded_into_too_little_room),
        cmocka_unit_test(bytes_after_the_message_are_refused),
    };
    int failed = 0;
    for (size_t i = 0; i < MESSAGES_COUNT; i++) {
        struct CMUnitTest tests[EACH_TYPE];
        for (size_t j = 0; j < EACH_TYPE; j++) {
            tests[j] = each[j];
            tests[j].initial_state = (void *)(uintptr_t)&messages_types[i];
        }
        failed += cmocka_run_group_tests_name(message_word(messages_types[i]), tests, NULL, NULL);
    }

    struct CMUnitTest types[COUNT(type_cases)];
    for (size_t i = 0; i < COUNT(type_cases); i++) {
        types[i] = (struct CMUnitTest){.name = type_cases[i].name,
                                       .test_func = type_is_refused,
                                       .initial_state = (void *)(uintptr_t)&type_cases[i]};
    }
    failed += cmocka_run_group_tests_name("types", types, NULL, NULL);

    const struct CMUnitTest others[] = {
        cmocka_unit_test(eight_unknown_fields_are_skipped_and_nine_are_not),
        cmocka_unit_test(hello_and_refuse_never_grow),
        cmocka_unit_test(welcome_grows_with_a_newer_minor_version_only),
        cmocka_unit_test(a_beat_of_the_first_minor_version_has_no_digest),
        cmocka_unit_test(a_beat_of_the_minor_version_before_numbers_has_none),
        cmocka_unit_test(a_setpoint_of_the_minor_version_before_numbers_names_no_block),
        cmocka_unit_test(fields_outside_the_array_are_not_taken_for_its_own),
        cmocka_unit_test(hello_of_another_major_version_tells_its_version_and_name),
        cmocka_unit_test(hello_without_its_magic_is_refused),
        cmocka_unit_test(a_changed_final_fails_its_checksum),
        cmocka_unit_test(a_setpoint_is_these_bytes),
        cmocka_unit_test(a_setpoint_whose_floor_is_above_its_cap_is_refused),
        cmocka_unit_test(every_type_has_its_word),
        cmocka_unit_test(the_fullest_sample_fits),
    };
    return failed + cmocka_run_group_tests_name("message", others, NULL, NULL);
}
