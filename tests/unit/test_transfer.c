#include "proto/transfer.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A block falls into parts of one size, and what is left. */
static void parts_make_the_whole_block(void **state)
{
    (void)state;
    static const uint8_t block[2 * DATA_PART_BYTES + 1];
    static const struct {
        size_t bytes;
        uint32_t parts;
        size_t last;
    } rows[] = {{1, 1, 1},
                {DATA_PART_BYTES, 1, DATA_PART_BYTES},
                {DATA_PART_BYTES + 1, 2, 1},
                {2 * DATA_PART_BYTES, 2, DATA_PART_BYTES},
                {2 * DATA_PART_BYTES + 1, 3, 1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct data_part part = {.name = "kept"};
        size_t sum = 0;
        for (uint32_t n = 0; n < rows[i].parts; n++) {
            assert_true(data_part_of(block, rows[i].bytes, n, &part));
            assert_ptr_equal(part.bytes, block + sum);
            assert_int_equal(part.part, n);
            assert_int_equal(part.parts, rows[i].parts);
            sum += part.byte_count;
        }
        assert_int_equal(sum, rows[i].bytes);
        assert_int_equal(part.byte_count, rows[i].last);
        assert_string_equal(part.name, "kept");
        assert_false(data_part_of(block, rows[i].bytes, rows[i].parts, &part));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_make_the_whole_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
