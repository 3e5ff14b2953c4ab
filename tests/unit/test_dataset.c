#include "proto/dataset.h"

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

/* Two columns, two rows: "ab", "", "c", "\0d". */
static uint8_t *example(size_t *count)
{
    static const uint32_t ends[] = {2, 2, 3, 5};
    uint8_t *block = dataset_pack(2, 2, ends, "abc\0d", 5, count);
    assert_non_null(block);
    return block;
}

static void assert_cell(const struct dataset *dataset, uint32_t row, uint32_t column,
                        const char *bytes, uint32_t count)
{
    struct cell cell = dataset_cell(dataset, row, column);
    assert_int_equal(cell.count, count);
    assert_memory_equal(cell.bytes, bytes, count);
}

static void cells_come_back_as_they_were_packed(void **state)
{
    (void)state;
    size_t count;
    uint8_t *block = example(&count);
    struct dataset dataset;
    struct error error = {0};

    assert_int_equal(count, 8 + 4 * 4 + 5);
    assert_true(dataset_open(block, count, &dataset, &error));
    assert_int_equal(dataset.columns, 2);
    assert_int_equal(dataset.rows, 2);
    assert_cell(&dataset, 0, 0, "ab", 2);
    assert_cell(&dataset, 0, 1, "", 0);
    assert_cell(&dataset, 1, 0, "c", 1);
    assert_cell(&dataset, 1, 1, "\0d", 2);
    free(block);
}

static void a_block_that_is_cut_or_too_long_is_refused(void **state)
{
    (void)state;
    size_t count;
    uint8_t *block = example(&count);
    struct dataset dataset;
    struct guard guard = guard_open(count);
    for (size_t left = 0; left < count; left++)
        assert_false(dataset_open(guard_copy(&guard, block, left), left, &dataset, NULL));
    guard_close(&guard);
    uint8_t *longer = calloc(1, count + 1);
    assert_non_null(longer);
    memcpy(longer, block, count);
    assert_false(dataset_open(longer, count + 1, &dataset, NULL));
    free(longer);
    free(block);
}

/* Whatever a byte of it becomes: refused, or every cell lies within the block. */
static void every_corrupt_byte_is_survived(void **state)
{
    (void)state;
    size_t count;
    uint8_t *block = example(&count);
    for (size_t at = 0; at < count; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t before = block[at];
            struct dataset dataset;
            block[at] = (uint8_t)value;
            if (dataset_open(block, count, &dataset, NULL)) {
                for (uint32_t i = 0; i < dataset.rows * dataset.columns; i++) {
                    struct cell cell =
                        dataset_cell(&dataset, i / dataset.columns, i % dataset.columns);
                    assert_true(cell.bytes + cell.count <= block + count);
                }
            }
            block[at] = before;
        }
    }
    free(block);
}

static void a_cell_has_as_many_bytes_as_the_limit_and_no_more(void **state)
{
    (void)state;
    static char text[DATA_CELL_BYTES_MAX + 1];
    for (uint32_t more = 0; more <= 1; more++) {
        uint32_t end = DATA_CELL_BYTES_MAX + more;
        size_t count;
        uint8_t *block = dataset_pack(1, 1, &end, text, end, &count);
        struct dataset dataset;
        assert_non_null(block);
        assert_int_equal(dataset_open(block, count, &dataset, NULL), more == 0);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_come_back_as_they_were_packed),
        cmocka_unit_test(a_block_that_is_cut_or_too_long_is_refused),
        cmocka_unit_test(every_corrupt_byte_is_survived),
        cmocka_unit_test(a_cell_has_as_many_bytes_as_the_limit_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
