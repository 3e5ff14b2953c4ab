#include "proto/digest.h"

#include "tests/support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000.0

static void assert_within(double value, double expected, double share)
{
    if (!(fabs(value - expected) <= share * expected))
        fail_msg("%.9g is not within %g of %.9g", value, share, expected);
}

static void every_value_has_a_cell_and_cells_are_six_percent_wide(void **state)
{
    (void)state;
    struct digest digest = {0};
    for (uint64_t value_ns = 0; value_ns < HISTOGRAM_NS_MAX; value_ns = value_ns * 17 / 16 + 1)
        digest_record(&digest, value_ns);
    digest_record(&digest, UINT64_MAX);

    uint64_t counted = 0;
    for (uint32_t i = 0; i < DIGEST_CELLS; i++)
        counted += digest.cells[i];
    assert_int_equal(counted, digest.total);
    for (uint32_t i = 64; i < DIGEST_CELLS; i++) { /* above 512 ns */
        double low = (double)histogram_cell_low(i << DIGEST_SHIFT);
        double high = (double)histogram_cell_high(((i + 1) << DIGEST_SHIFT) - 1);
        assert_true((high + 1.0 - low) / low <= 1.0 / 16.0);
    }
}

static void an_empty_digest_has_no_quantile(void **state)
{
    (void)state;
    struct digest digest = {0};
    assert_true(digest_quantile(&digest, 0.99) == 0.0);
}

static void the_quantile_of_one_value_is_in_its_cell(void **state)
{
    (void)state;
    struct digest digest = {0};
    digest_record(&digest, 5000000);
    assert_within(digest_quantile(&digest, 0.0), 5.0 * MS, 0.033);
    assert_within(digest_quantile(&digest, 0.99), 5.0 * MS, 0.033);
    assert_within(digest_quantile(&digest, 1.0), 5.0 * MS, 0.033);
}

/* Latencies of 2 ms and an exponential wait of 3 ms on average, by their quantiles: no lot. */
static struct digest waiting_line(uint32_t count)
{
    struct digest digest = {0};
    for (uint32_t i = 0; i < count; i++)
        digest_record(&digest, (uint64_t)(2.0 * MS - 3.0 * MS * log(1.0 - (i + 0.5) / count)));
    return digest;
}

static void quantiles_are_within_three_percent(void **state)
{
    (void)state;
    static const double quantiles[] = {0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
    struct digest digest = waiting_line(100000);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        double exact = 2.0 * MS - 3.0 * MS * log(1.0 - quantiles[i]);
        assert_within(digest_quantile(&digest, quantiles[i]), exact, 0.03);
    }
}

static void a_difference_counts_what_came_since(void **state)
{
    (void)state;
    struct digest older = waiting_line(500);
    struct digest newer = older;
    for (uint32_t i = 0; i < 100; i++)
        digest_record(&newer, 80000000);
    struct digest since = {0};

    assert_true(digest_is_monotone(&newer, &older));
    digest_add_since(&since, &newer, &older);

    assert_int_equal(since.total, 100);
    assert_within(digest_quantile(&since, 0.01), 80.0 * MS, 0.033);
    assert_false(digest_is_monotone(&older, &newer));
}

static void sums_are_digests(void **state)
{
    (void)state;
    struct digest sum = waiting_line(1000);
    struct digest other = waiting_line(1000);
    digest_add(&sum, &other);
    assert_int_equal(sum.total, 2000);
    assert_within(digest_quantile(&sum, 0.5), digest_quantile(&other, 0.5), 1e-3);
}

static bool decodes(const uint8_t *bytes, size_t count, struct digest *digest, struct error *error)
{
    struct guard guard = guard_open(count);
    bool passes = digest_decode(guard_copy(&guard, bytes, count), count, digest, error);
    guard_close(&guard);
    return passes;
}

static void assert_round_trip(const struct digest *digest)
{
    uint8_t bytes[DIGEST_BYTES_MAX];
    struct digest decoded;
    struct error error = {0};
    memset(&decoded, 0xee, sizeof decoded);

    size_t count = digest_encode(digest, bytes, sizeof bytes);
    assert_true(decodes(bytes, count, &decoded, &error));
    assert_memory_equal(&decoded, digest, sizeof decoded);
    assert_int_equal(digest_encode(digest, bytes, count), count);
    assert_int_equal(digest_encode(digest, bytes, count - 1), 0);
}

static void decode_gives_back_every_cell(void **state)
{
    (void)state;
    struct digest digest = {0};
    assert_round_trip(&digest);
    digest = waiting_line(10000);
    assert_round_trip(&digest);
    for (uint32_t i = 0; i < DIGEST_CELLS; i++) { /* as many bytes as it can take */
        digest.total += (UINT64_C(1) << 53) - digest.cells[i];
        digest.cells[i] = UINT64_C(1) << 53;
    }
    assert_round_trip(&digest);
}

static const struct {
    const char *sentence;
    size_t count;
    uint8_t bytes[8];
} hostile[] = {
    {"digest: the bytes end within total", 0, {0}},
    {"digest: the cells sum to 0, the total is 1", 1, {1}},
    {"digest: a cell counts 2; expected 1 to 1, what is left of the total", 3, {1, 0, 2}},
    {"digest: a cell counts 0; expected 1 to 1, what is left of the total", 3, {1, 0, 0}},
    {"digest: a skip of 576 cells leads past the last, 575", 4, {1, 0xc0, 0x04, 1}},
    {"digest: total at byte 1 is not a varint of 64 bits in its shortest form", 2, {0x80, 0}},
    {"digest: the bytes end within a count", 2, {1, 0}},
};

static void bytes_that_are_no_digest_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct digest digest = {.total = 42};
        struct error error = {0};
        assert_false(decodes(hostile[i].bytes, hostile[i].count, &digest, &error));
        assert_int_equal(error.kind, ERROR_PROTOCOL);
        assert_string_equal(error.message, hostile[i].sentence);
        assert_int_equal(digest.total, 42);
    }
}

static void every_corrupt_byte_is_survived(void **state)
{
    (void)state;
    uint8_t bytes[DIGEST_BYTES_MAX];
    struct digest digest = waiting_line(50);
    size_t count = digest_encode(&digest, bytes, sizeof bytes);
    for (size_t at = 0; at < count; at++) {
        uint8_t kept = bytes[at];
        for (unsigned int value = 0; value < 256; value++) {
            struct error error = {0};
            bytes[at] = (uint8_t)value;
            bool passes = digest_decode(bytes, count, &digest, &error);
            assert_int_equal(error.kind, passes ? ERROR_NONE : ERROR_PROTOCOL);
        }
        bytes[at] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_a_cell_and_cells_are_six_percent_wide),
        cmocka_unit_test(an_empty_digest_has_no_quantile),
        cmocka_unit_test(the_quantile_of_one_value_is_in_its_cell),
        cmocka_unit_test(quantiles_are_within_three_percent),
        cmocka_unit_test(a_difference_counts_what_came_since),
        cmocka_unit_test(sums_are_digests),
        cmocka_unit_test(decode_gives_back_every_cell),
        cmocka_unit_test(bytes_that_are_no_digest_are_refused_by_name),
        cmocka_unit_test(every_corrupt_byte_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
