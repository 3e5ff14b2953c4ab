#include "proto/wire.h"

#include "common/base/check.h"
#include "common/base/limits.h"
#include "tests/support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/** Whether `bytes[count]`, behind a guard page, passes the scan; the sentence goes to `error`. */
static bool scan_passes(const void *bytes, size_t count, struct error *error)
{
    struct guard guard = guard_open(count);
    struct wire_reader reader;
    bool passes = wire_reader_init(&reader, guard_copy(&guard, bytes, count), count, error);
    guard_close(&guard);
    return passes;
}

struct scan_case {
    const char *name;
    const char *bytes;
    size_t count;
    const char *sentence; /* what the error must hold; NULL: passes */
};

#define BYTES(text) text, sizeof text - 1

static const struct scan_case scan_cases[] = {
    {"scan_passes_nothing", BYTES(""), NULL},
    {"scan_passes_the_smallest_integer", BYTES("\x00"), NULL},
    {"scan_passes_the_largest_one_byte_integer", BYTES("\x7f"), NULL},
    {"scan_passes_the_widest_integer", BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), NULL},
    {"scan_passes_an_integer_in_a_longer_form", BYTES("\xcf\x00\x00\x00\x00\x00\x00\x00\x01"),
     NULL},
    {"scan_passes_an_empty_str_and_bin", BYTES("\xa0\xc4\x00"), NULL},
    {"scan_passes_three_arrays_deep", BYTES("\x91\x91\x91\x01"), NULL},
    {"scan_passes_an_array_after_a_closed_one", BYTES("\x92\x91\x90\x91\x90"), NULL},
    {"scan_passes_several_objects", BYTES("\x01\xa1x\x90"), NULL},

    {"scan_refuses_four_arrays_deep", BYTES("\x91\x91\x91\x91\x01"), "deeper than 3"},
    {"scan_refuses_an_empty_array_four_deep", BYTES("\x91\x91\x91\x90"), "deeper than 3"},
    {"scan_refuses_an_array_of_16_million", BYTES("\xdd\x01\x00\x00\x00"), "16777216"},
    {"scan_refuses_the_largest_array", BYTES("\xdd\xff\xff\xff\xff"), "4294967295"},
    {"scan_refuses_the_largest_str", BYTES("\xdb\xff\xff\xff\xff"), "4294967295"},
    {"scan_refuses_the_largest_bin", BYTES("\xc6\xff\xff\xff\xff"), "4294967295"},
    {"scan_refuses_an_array_that_lacks_one", BYTES("\x92\x01"), "length of 2 and 1 bytes"},
    {"scan_refuses_an_inner_array_that_takes_what_the_outer_needs", BYTES("\x92\x91\x01"),
     "lacks 1"},
    {"scan_refuses_a_str_that_lacks_one", BYTES("\xa2x"), "length of 2 and 1 bytes"},
    {"scan_refuses_a_bin_that_lacks_one", BYTES("\xc4\x02x"), "length of 2 and 1 bytes"},
    {"scan_refuses_a_length_cut_off", BYTES("\xda\x00"), "cut off"},
    {"scan_refuses_an_integer_cut_off", BYTES("\xce\x00\x00\x00"), "cut off"},
    {"scan_refuses_a_lone_array_byte", BYTES("\xdd"), "cut off"},

    {"scan_refuses_a_fixmap", BYTES("\x80"), "0x80"},
    {"scan_refuses_the_last_fixmap", BYTES("\x8f"), "0x8f"},
    {"scan_refuses_nil", BYTES("\xc0"), "0xc0"},
    {"scan_refuses_the_byte_that_is_never_used", BYTES("\xc1"), "0xc1"},
    {"scan_refuses_false", BYTES("\xc2"), "0xc2"},
    {"scan_refuses_true", BYTES("\xc3"), "0xc3"},
    {"scan_refuses_an_ext", BYTES("\xc7\x00\x00"), "0xc7"},
    {"scan_refuses_a_float", BYTES("\xca\x00\x00\x00\x00"), "0xca"},
    {"scan_refuses_a_double", BYTES("\xcb\x00\x00\x00\x00\x00\x00\x00\x00"), "0xcb"},
    {"scan_refuses_a_signed_integer", BYTES("\xd0\x01"), "0xd0"},
    {"scan_refuses_a_wide_signed_integer", BYTES("\xd3\x00\x00\x00\x00\x00\x00\x00\x01"), "0xd3"},
    {"scan_refuses_a_fixext", BYTES("\xd4\x00\x00"), "0xd4"},
    {"scan_refuses_a_map", BYTES("\xde\x00\x00"), "0xde"},
    {"scan_refuses_a_large_map", BYTES("\xdf\x00\x00\x00\x00"), "0xdf"},
    {"scan_refuses_a_negative_integer", BYTES("\xe0"), "0xe0"},
    {"scan_refuses_minus_one", BYTES("\xff"), "0xff"},
    {"scan_refuses_what_is_wrong_inside_an_array", BYTES("\x92\x01\xc0"), "byte 2"},
};

static void scan_case(void **state)
{
    const struct scan_case *row = *state;

    struct error error = {0};
    bool passes = scan_passes(row->bytes, row->count, &error);

    if (row->sentence == NULL) {
        assert_string_equal(error.message, "");
        assert_true(passes);
        return;
    }
    assert_false(passes);
    assert_int_equal(error.kind, ERROR_PROTOCOL);
    if (strstr(error.message, row->sentence) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, row->sentence);
}

/** Whether that many one-byte integers in a row pass. */
static bool many_pass(uint32_t elements)
{
    uint8_t *bytes = malloc(elements);
    assert_non_null(bytes);
    memset(bytes, 0x01, elements);
    struct error error = {0};
    bool passes = scan_passes(bytes, elements, &error);
    free(bytes);
    return passes;
}

static void scan_passes_as_many_elements_as_allowed(void **state)
{
    (void)state;
    assert_true(many_pass(WIRE_ELEMENTS_MAX));
}

static void scan_refuses_one_element_more(void **state)
{
    (void)state;
    assert_false(many_pass(WIRE_ELEMENTS_MAX + 1));
}

static void scan_refuses_an_array_of_too_many_at_its_header(void **state)
{
    (void)state;
    static uint8_t bytes[3 + WIRE_ELEMENTS_MAX] = {0xdc, WIRE_ELEMENTS_MAX >> 8, 0};

    struct error error = {0};
    bool passes = scan_passes(bytes, sizeof bytes, &error);

    assert_false(passes); /* the array itself is the one too many */
    assert_non_null(strstr(error.message, "seen at byte 0"));
}

static void scan_refuses_a_mebibyte_of_nil(void **state)
{
    (void)state;
    size_t count = 1u << 20;
    uint8_t *bytes = malloc(count);
    assert_non_null(bytes);
    memset(bytes, 0xc0, count);

    struct error error = {0};
    bool passes = scan_passes(bytes, count, &error);

    free(bytes);
    assert_false(passes);
    assert_non_null(strstr(error.message, "byte 0 is 0xc0"));
}

static void scan_refuses_a_mebibyte_of_arrays_in_arrays(void **state)
{
    (void)state;
    size_t count = 1u << 20;
    uint8_t *bytes = malloc(count);
    assert_non_null(bytes);
    memset(bytes, 0x91, count);

    struct error error = {0};
    bool passes = scan_passes(bytes, count, &error);

    free(bytes);
    assert_false(passes);
    assert_non_null(strstr(error.message, "the array at byte 3 is nested deeper than 3"));
}

/* Any two first bytes and any short rest: each passes or is refused, and none reads past its end.
 */
static void scan_survives_every_beginning(void **state)
{
    (void)state;
    struct guard guard = guard_open(16);
    for (unsigned int first = 0; first < 256; first++) {
        for (unsigned int second = 0; second < 256; second++) {
            for (size_t count = 1; count <= 10; count++) {
                uint8_t bytes[10] = {(uint8_t)first, (uint8_t)second, 0, 0, 1};
                struct wire_reader reader;
                struct error error = {0};
                bool passes =
                    wire_reader_init(&reader, guard_copy(&guard, bytes, count), count, &error);
                assert_int_equal(passes, error.kind == ERROR_NONE);
            }
        }
    }
    guard_close(&guard);
}

static struct wire_reader reader_of(const char *bytes, size_t count)
{
    struct wire_reader reader;
    struct error error = {0};
    if (!wire_reader_init(&reader, bytes, count, &error))
        fail_msg("%s", error.message);
    return reader;
}

static void reader_gives_back_what_the_writer_put(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {
        0, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, 0x100000000, UINT64_MAX - 1, UINT64_MAX};
    uint8_t bytes[512];
    struct wire_writer writer;
    wire_writer_init(&writer, bytes, sizeof bytes);
    wire_put_array(&writer, COUNT(numbers) + 2);
    for (size_t i = 0; i < COUNT(numbers); i++)
        wire_put_u64(&writer, numbers[i]);
    wire_put_text(&writer, "eu-1");
    wire_put_bytes(&writer, "\x00\xff", 2);
    assert_false(writer.overflow);

    struct wire_reader reader = reader_of((const char *)bytes, writer.length);
    uint32_t count;
    assert_true(wire_get_array(&reader, "all", 13, 13, &count, NULL));
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint64_t value;
        assert_true(wire_get_u64(&reader, "number", 0, UINT64_MAX, &value, NULL));
        assert_int_equal(value, numbers[i]);
    }
    char text[5];
    assert_true(wire_get_text(&reader, "text", text, sizeof text, NULL));
    assert_string_equal(text, "eu-1");
    const uint8_t *found;
    size_t found_bytes;
    assert_true(wire_get_bytes(&reader, "bin", 2, 2, &found, &found_bytes, NULL));
    assert_memory_equal(found, "\x00\xff", 2);
    assert_true(wire_end(&reader, NULL));
}

static void reader_takes_numbers_up_to_the_bounds_it_is_given(void **state)
{
    (void)state;
    uint64_t value = 77;
    struct wire_reader reader = reader_of(BYTES("\x05"));

    struct error error = {0};
    assert_false(wire_get_u64(&reader, "age", 6, 9, &value, &error));
    assert_string_equal(error.message, "age is 5; expected 6 to 9");
    assert_false(wire_get_u64(&reader, "age", 0, 4, &value, &error));
    assert_int_equal(value, 77);
    assert_true(wire_get_u64(&reader, "age", 5, 5, &value, &error));
    assert_int_equal(value, 5);
}

static void reader_says_what_stands_where_another_was_expected(void **state)
{
    (void)state;
    struct error error = {0};
    uint64_t value;
    struct wire_reader reader = reader_of(BYTES("\x90"));

    assert_false(wire_get_u64(&reader, "age", 0, 9, &value, &error));

    assert_string_equal(error.message, "age is an array; expected an unsigned integer");
}

static void reader_says_what_is_missing_at_the_end(void **state)
{
    (void)state;
    struct error error = {0};
    char text[8];
    struct wire_reader reader = reader_of(BYTES(""));

    assert_false(wire_get_text(&reader, "reason", text, sizeof text, &error));

    assert_string_equal(error.message, "reason is missing: expected a str");
}

static void reader_takes_no_text_that_leaves_no_room_for_its_nul(void **state)
{
    (void)state;
    struct error error = {0};
    char text[4] = "old";
    struct wire_reader reader = reader_of(BYTES("\xa4"
                                                "four"));

    assert_false(wire_get_text(&reader, "name", text, sizeof text, &error));

    assert_string_equal(error.message, "name has 4 bytes; expected at most 3");
    assert_string_equal(text, "old");
}

static void reader_takes_no_text_with_a_nul_inside(void **state)
{
    (void)state;
    struct error error = {0};
    char text[8];
    struct wire_reader reader = reader_of(BYTES("\xa3"
                                                "a\0b"));

    assert_false(wire_get_text(&reader, "name", text, sizeof text, &error));

    assert_string_equal(error.message, "name holds a NUL");
}

static void reader_takes_a_fixed_bin_of_that_size_only(void **state)
{
    (void)state;
    struct error error = {0};
    uint8_t bytes[2];
    struct wire_reader reader = reader_of(BYTES("\xc4\x03xyz"));

    assert_false(wire_get_fixed(&reader, "id", bytes, sizeof bytes, &error));

    assert_string_equal(error.message, "id has 3 bytes; expected 2 to 2");
}

static void reader_takes_a_bool_of_0_or_1_only(void **state)
{
    (void)state;
    bool value = false;
    struct wire_reader reader = reader_of(BYTES("\x01\x02"));

    assert_true(wire_get_bool(&reader, "flag", &value, NULL));
    assert_true(value);
    assert_false(wire_get_bool(&reader, "flag", &value, NULL));
}

static void reader_skips_nested_objects_whole(void **state)
{
    (void)state;
    struct wire_reader reader = reader_of(BYTES("\x92\x91\x01\xa2xy\x07"));

    assert_true(wire_skip(&reader, 1, NULL));

    uint64_t value;
    assert_true(wire_get_u64(&reader, "last", 0, 9, &value, NULL));
    assert_int_equal(value, 7);
}

static void reader_skips_no_more_than_there_is(void **state)
{
    (void)state;
    struct error error = {0};
    struct wire_reader reader = reader_of(BYTES("\x01\x02"));

    assert_false(wire_skip(&reader, 3, &error));

    assert_string_equal(error.message, "1 fields to skip are missing");
}

static void reader_counts_the_bytes_that_are_left_over(void **state)
{
    (void)state;
    struct error error = {0};
    struct wire_reader reader = reader_of(BYTES("\x01\xa2xy"));

    assert_true(wire_skip(&reader, 1, NULL));
    assert_false(wire_end(&reader, &error));

    assert_string_equal(error.message, "3 bytes too many after the last field");
}

/* Whatever the capacity, nothing is written past it, and what does not fit is remembered. */
static void writer_stays_within_its_capacity(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 16; capacity++) {
        uint8_t bytes[17];
        memset(bytes, 0xee, sizeof bytes);
        struct wire_writer writer;
        wire_writer_init(&writer, bytes, capacity);

        wire_put_array(&writer, 3);        /* 1 byte */
        wire_put_u64(&writer, UINT64_MAX); /* 9 */
        wire_put_text(&writer, "ab");      /* 3 */
        wire_put_bytes(&writer, "c", 1);   /* 3 */

        assert_int_equal(writer.overflow, capacity < 16);
        assert_true(writer.length <= capacity);
        assert_int_equal(bytes[capacity], 0xee);
    }
}

static void writer_writes_nothing_more_once_something_did_not_fit(void **state)
{
    (void)state;
    uint8_t bytes[4];
    struct wire_writer writer;
    wire_writer_init(&writer, bytes, sizeof bytes);

    wire_put_u64(&writer, UINT64_MAX);
    size_t length = writer.length;
    wire_put_u64(&writer, 1);

    assert_true(writer.overflow);
    assert_int_equal(writer.length, length);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(scan_cases)];
    for (size_t i = 0; i < COUNT(scan_cases); i++) {
        tests[i] = (struct CMUnitTest){.name = scan_cases[i].name,
                                       .test_func = scan_case,
                                       .initial_state = (void *)(uintptr_t)&scan_cases[i]};
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(scan_passes_as_many_elements_as_allowed),
        cmocka_unit_test(scan_refuses_one_element_more),
        cmocka_unit_test(scan_refuses_an_array_of_too_many_at_its_header),
        cmocka_unit_test(scan_refuses_a_mebibyte_of_nil),
        cmocka_unit_test(scan_refuses_a_mebibyte_of_arrays_in_arrays),
        cmocka_unit_test(scan_survives_every_beginning),
        cmocka_unit_test(reader_gives_back_what_the_writer_put),
        cmocka_unit_test(reader_takes_numbers_up_to_the_bounds_it_is_given),
        cmocka_unit_test(reader_says_what_stands_where_another_was_expected),
        cmocka_unit_test(reader_says_what_is_missing_at_the_end),
        cmocka_unit_test(reader_takes_no_text_that_leaves_no_room_for_its_nul),
        cmocka_unit_test(reader_takes_no_text_with_a_nul_inside),
        cmocka_unit_test(reader_takes_a_fixed_bin_of_that_size_only),
        cmocka_unit_test(reader_takes_a_bool_of_0_or_1_only),
        cmocka_unit_test(reader_skips_nested_objects_whole),
        cmocka_unit_test(reader_skips_no_more_than_there_is),
        cmocka_unit_test(reader_counts_the_bytes_that_are_left_over),
        cmocka_unit_test(writer_stays_within_its_capacity),
        cmocka_unit_test(writer_writes_nothing_more_once_something_did_not_fit),
    };
    int failed = cmocka_run_group_tests_name("scan", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("reader and writer", others, NULL, NULL);
}
