#include "proto/sparse.h"

#include "common/base/check.h"

#include <inttypes.h>

static size_t number_put(uint64_t value, uint8_t *bytes)
{
    size_t length = 0;
    while (value >= 0x80) {
        bytes[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (uint8_t)value;
    CHECK(length <= SPARSE_NUMBER_BYTES_MAX);
    return length;
}

void sparse_put(struct sparse_writer *writer, uint64_t value)
{
    uint8_t number[SPARSE_NUMBER_BYTES_MAX];
    size_t length = number_put(value, number);
    if (writer->overflow || length > writer->capacity - writer->length) {
        writer->overflow = true;
        return;
    }
    for (size_t i = 0; i < length; i++)
        writer->bytes[writer->length++] = number[i];
}

void sparse_put_cells(struct sparse_writer *writer, const uint64_t *cells, uint32_t count,
                      uint64_t total)
{
    uint64_t counted = 0;
    uint32_t skipped = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (cells[i] == 0) {
            skipped++;
            continue;
        }
        sparse_put(writer, skipped);
        sparse_put(writer, cells[i]);
        counted += cells[i];
        skipped = 0;
    }
    CHECK(counted == total);
}

bool sparse_get(struct sparse_reader *reader, const char *name, uint64_t *value,
                struct error *error)
{
    uint64_t read = 0;
    for (unsigned int shift = 0; shift < 64 && reader->position < reader->length; shift += 7) {
        uint64_t byte = reader->bytes[reader->position++];
        bool too_large = shift == 63 && byte > 1;
        bool too_long = shift > 0 && byte == 0;
        if (too_large || too_long) {
            return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                             "%s: %s at byte %zu is not a varint of 64 bits in its shortest form",
                             reader->what, name, reader->position - 1);
        }
        read |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = read;
            return true;
        }
    }
    return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "%s: the bytes end within %s", reader->what,
                     name);
}

/* The next pair: `*cell` is the first cell not yet named, `*left` what is left of the total. */
static bool get_cell(struct sparse_reader *reader, uint64_t *cells, uint32_t count, uint64_t *cell,
                     uint64_t *left, struct error *error)
{
    uint64_t skipped = 0;
    uint64_t counted = 0;
    if (!sparse_get(reader, "a skip", &skipped, error) ||
        !sparse_get(reader, "a count", &counted, error))
        return false;
    if (*cell == count || skipped >= count - *cell) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "%s: a skip of %" PRIu64 " cells leads past the last, %u", reader->what,
                         skipped, count - 1);
    }
    if (counted == 0 || counted > *left) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "%s: a cell counts %" PRIu64 "; expected 1 to %" PRIu64
                         ", what is left of the total",
                         reader->what, counted, *left);
    }
    *cell += skipped;
    cells[(*cell)++] = counted;
    *left -= counted;
    return true;
}

bool sparse_get_cells(struct sparse_reader *reader, uint64_t *cells, uint32_t count, uint64_t total,
                      struct error *error)
{
    uint64_t cell = 0;
    uint64_t left = total;
    while (reader->position < reader->length) {
        if (!get_cell(reader, cells, count, &cell, &left, error))
            return false;
    }
    if (left > 0) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "%s: the cells sum to %" PRIu64 ", the total is %" PRIu64, reader->what,
                         total - left, total);
    }
    return true;
}
