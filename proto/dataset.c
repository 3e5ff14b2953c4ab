#include "proto/dataset.h"

#include "common/base/check.h"
#include "common/base/limits.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint32_t number_at(const uint8_t *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return le32toh(number);
}

static uint8_t *put_number(uint8_t *bytes, uint32_t number)
{
    number = htole32(number);
    return mempcpy(bytes, &number, sizeof number);
}

static bool broken(struct error *error, const char *what)
{
    return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "the rows of a data file are broken: %s",
                     what);
}

bool dataset_open(const uint8_t *block, size_t byte_count, struct dataset *dataset,
                  struct error *error)
{
    if (byte_count < DATASET_HEAD_BYTES)
        return broken(error, "no head");
    struct dataset read = {.columns = number_at(block), .rows = number_at(block + 4)};
    uint64_t cells = (uint64_t)read.columns * read.rows;
    uint64_t left = byte_count - DATASET_HEAD_BYTES;
    if (cells == 0 || cells > left / DATASET_END_BYTES)
        return broken(error, "more cells than bytes, or none");
    read.ends = block + DATASET_HEAD_BYTES;
    read.text = read.ends + cells * DATASET_END_BYTES;
    uint32_t before = 0;
    for (uint64_t i = 0; i < cells; i++) {
        uint32_t end = number_at(read.ends + i * DATASET_END_BYTES);
        if (end < before || end - before > DATA_CELL_BYTES_MAX)
            return broken(error, "a cell that ends before it begins, or is too long");
        before = end;
    }
    if (before != left - cells * DATASET_END_BYTES)
        return broken(error, "the cells are not as long as the text");
    *dataset = read;
    return true;
}

struct cell dataset_cell(const struct dataset *dataset, uint32_t row, uint32_t column)
{
    CHECK(row < dataset->rows);
    CHECK(column < dataset->columns);
    size_t index = (size_t)row * dataset->columns + column;
    const uint8_t *end = dataset->ends + index * DATASET_END_BYTES;
    uint32_t start = index == 0 ? 0 : number_at(end - DATASET_END_BYTES);
    return (struct cell){.bytes = dataset->text + start, .count = number_at(end) - start};
}

uint8_t *dataset_pack(uint32_t columns, uint32_t rows, const uint32_t *ends, const char *text,
                      size_t text_bytes, size_t *byte_count)
{
    size_t cells = (size_t)columns * rows;
    CHECK(cells > 0);
    CHECK(ends[cells - 1] == text_bytes);
    *byte_count = DATASET_HEAD_BYTES + cells * DATASET_END_BYTES + text_bytes;
    uint8_t *block = malloc(*byte_count);
    if (block == NULL)
        return NULL;
    uint8_t *at = put_number(put_number(block, columns), rows);
    for (size_t i = 0; i < cells; i++)
        at = put_number(at, ends[i]);
    if (text_bytes > 0)
        memcpy(at, text, text_bytes);
    return block;
}
