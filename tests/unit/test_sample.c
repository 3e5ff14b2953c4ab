#include "proto/sample.h"

#include "common/base/check.h"
#include "proto/wire.h"
#include "tests/support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static bool decodes(const void *bytes, size_t count, struct histogram *histogram,
                    struct error *error)
{
    struct guard guard = guard_open(count);
    uint8_t *copy = guard_copy(&guard, bytes, count);
    bool passes = sample_histogram_decode(copy, count, histogram, error);
    guard_close(&guard);
    return passes;
}

/* Encoded and decoded, `histogram` is what it was; returns the bytes it took. */
static size_t round_trip(const struct histogram *histogram)
{
    uint8_t *bytes = malloc(HISTOGRAM_BYTES_MAX);
    struct histogram *decoded = malloc(sizeof *decoded);
    assert_non_null(bytes);
    assert_non_null(decoded);
    memset(decoded, 0xee, sizeof *decoded);

    size_t count = sample_histogram_encode(histogram, bytes, HISTOGRAM_BYTES_MAX);
    struct error error = {0};
    bool passes = decodes(bytes, count, decoded, &error);

    assert_string_equal(error.message, "");
    assert_true(passes);
    assert_memory_equal(decoded, histogram, sizeof *histogram);
    assert_int_equal(sample_histogram_encode(histogram, bytes, count), count);
    assert_int_equal(sample_histogram_encode(histogram, bytes, count - 1), 0);
    free(decoded);
    free(bytes);
    return count;
}

static void an_empty_histogram_takes_four_bytes(void **state)
{
    (void)state;
    static const struct histogram empty;
    assert_int_equal(round_trip(&empty), 4);
}

static void the_first_and_the_last_cell_travel(void **state)
{
    (void)state;
    static struct histogram histogram;
    histogram_record(&histogram, 0);
    histogram_record(&histogram, UINT64_MAX);
    round_trip(&histogram);
}

static void a_hundred_values_take_a_few_bytes_each(void **state)
{
    (void)state;
    static struct histogram histogram;
    for (uint64_t i = 0; i < 100; i++)
        histogram_record(&histogram, 1000000 + i * 10000);
    assert_in_range(round_trip(&histogram), 40, 240);
}

static void the_fullest_histogram_fits_its_bound(void **state)
{
    (void)state;
    static struct histogram histogram;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++)
        histogram.cells[i] = UINT64_MAX / HISTOGRAM_CELLS;
    histogram.total = UINT64_MAX / HISTOGRAM_CELLS * HISTOGRAM_CELLS;
    histogram.sum_ns = UINT64_MAX;
    histogram.max_ns = UINT64_MAX;
    assert_in_range(round_trip(&histogram), 1, HISTOGRAM_BYTES_MAX);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    static struct histogram histogram;
    for (uint64_t i = 0; i < 50; i++)
        histogram_record(&histogram, i * i * i * 1000);
    static uint8_t bytes[HISTOGRAM_BYTES_MAX];
    size_t whole = sample_histogram_encode(&histogram, bytes, sizeof bytes);

    for (size_t count = 0; count < whole; count++) {
        static struct histogram decoded;
        struct error error = {0};
        assert_false(decodes(bytes, count, &decoded, &error));
        assert_int_equal(error.kind, ERROR_PROTOCOL);
    }
}

struct bytes_case {
    const char *name;
    const char *bytes;
    size_t count;
    const char *sentence; /* NULL: passes */
};

#define BYTES(text) text, sizeof text - 1

/* Bytes: total, sum, min, max, then pairs of skip and count. 4607 is "\xff\x23", the most a skip
 * can be. */
static const struct bytes_case bytes_cases[] = {
    {"one_value_in_the_first_cell_passes", BYTES("\x01\x00\x00\x00\x00\x01"), NULL},
    {"one_value_in_the_last_cell_passes", BYTES("\x01\x00\x00\x00\xff\x23\x01"), NULL},
    {"nothing_is_refused", BYTES(""), "the bytes end within total"},
    {"a_skip_past_the_last_cell_is_refused", BYTES("\x01\x00\x00\x00\x80\x24\x01"),
     "a skip of 4608 cells leads past the last, 4607"},
    {"a_cell_after_the_last_is_refused", BYTES("\x02\x00\x00\x00\xff\x23\x01\x00\x01"),
     "a skip of 0 cells leads past the last, 4607"},
    {"the_largest_skip_is_refused",
     BYTES("\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"),
     "a skip of 18446744073709551615 cells leads past the last, 4607"},
    {"cells_that_sum_to_less_are_refused", BYTES("\x03\x00\x00\x00\x00\x02"),
     "the cells sum to 2, the total is 3"},
    {"cells_that_sum_to_more_are_refused", BYTES("\x03\x00\x00\x00\x00\x02\x00\x02"),
     "a cell counts 2; expected 1 to 1, what is left of the total"},
    {"cells_that_wrap_around_to_the_total_are_refused",
     BYTES("\x01\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x02"),
     "a cell counts 18446744073709551615; expected 1 to 1"},
    {"a_cell_that_counts_nothing_is_refused", BYTES("\x01\x00\x00\x00\x00\x00\x00\x01"),
     "a cell counts 0; expected 1 to 1"},
    {"bytes_after_the_total_is_reached_are_refused", BYTES("\x01\x00\x00\x00\x00\x01\x00"),
     "the bytes end within a count"},
    {"a_pair_after_the_total_is_reached_is_refused", BYTES("\x01\x00\x00\x00\x00\x01\x00\x01"),
     "a cell counts 1; expected 1 to 0"},
    {"a_min_above_the_max_is_refused", BYTES("\x01\x05\x06\x05\x05\x01"),
     "min_ns is 6, above max_ns, 5"},
    {"a_sum_of_nothing_is_refused", BYTES("\x00\x01\x00\x00"),
     "nothing is counted and sum_ns is 1, max_ns 0"},
    {"a_max_of_nothing_is_refused", BYTES("\x00\x00\x00\x01"),
     "nothing is counted and sum_ns is 0, max_ns 1"},
    {"a_varint_of_65_bits_is_refused", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
     "total at byte 9 is not a varint of 64 bits"},
    {"a_varint_of_11_bytes_is_refused", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01"),
     "total at byte 9 is not a varint of 64 bits"},
    {"a_varint_with_a_zero_at_its_end_is_refused", BYTES("\x81\x00\x00\x00\x00\x00\x01"),
     "total at byte 1 is not a varint of 64 bits in its shortest form"},
};

static void bytes_are_judged(void **state)
{
    const struct bytes_case *row = *state;
    static struct histogram histogram;
    histogram.total = 42;
    struct error error = {0};

    bool passes = decodes(row->bytes, row->count, &histogram, &error);

    if (row->sentence == NULL) {
        assert_string_equal(error.message, "");
        assert_true(passes);
        assert_int_equal(histogram.total, 1);
        return;
    }
    assert_false(passes);
    assert_int_equal(error.kind, ERROR_PROTOCOL);
    assert_int_equal(histogram.total, 42);
    if (strstr(error.message, row->sentence) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, row->sentence);
}

/* In the first version SAMPLE_REQUEST was 5, and is so for ever. */
static void a_kind_that_grew_since_has_the_next_number(void **state)
{
    (void)state;
    static const uint8_t one[] = {1};
    static struct sample sample, decoded;
    sample = (struct sample){.parts = 1, .histogram_count = 2};
    sample.histograms[0] = (struct sample_histogram){SAMPLE_REQUEST, 0, one, sizeof one};
    sample.histograms[1] = (struct sample_histogram){SAMPLE_TLS, 0, one, sizeof one};
    uint8_t bytes[256];
    struct wire_writer writer;
    struct wire_reader reader;
    struct error error = {0};
    wire_writer_init(&writer, bytes, sizeof bytes);
    sample_encode(&sample, &writer);
    assert_true(wire_reader_init(&reader, bytes, writer.length, &error));

    assert_true(sample_decode(&reader, &decoded, &error));

    static const uint8_t end[] = {0x92, 0x93, 5, 0, 0xc4, 1, 1, 0x93, 6, 0, 0xc4, 1, 1};
    assert_int_equal(decoded.histograms[0].kind, SAMPLE_REQUEST);
    assert_int_equal(decoded.histograms[1].kind, SAMPLE_TLS);
    assert_memory_equal(bytes + writer.length - sizeof end, end, sizeof end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_takes_four_bytes),
        cmocka_unit_test(the_first_and_the_last_cell_travel),
        cmocka_unit_test(a_hundred_values_take_a_few_bytes_each),
        cmocka_unit_test(the_fullest_histogram_fits_its_bound),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_kind_that_grew_since_has_the_next_number),
    };
    struct CMUnitTest rows[COUNT(bytes_cases)];
    for (size_t i = 0; i < COUNT(bytes_cases); i++) {
        rows[i] = (struct CMUnitTest){.name = bytes_cases[i].name,
                                      .test_func = bytes_are_judged,
                                      .initial_state = (void *)(uintptr_t)&bytes_cases[i]};
    }
    int failed = cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("bytes", rows, NULL, NULL);
}
