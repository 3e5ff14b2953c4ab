#include "proto/transfer.h"

#include "common/base/check.h"
#include "proto/wire.h"

bool data_part_of(const uint8_t *block, size_t block_bytes, uint32_t part, struct data_part *data)
{
    size_t start = (size_t)part * DATA_PART_BYTES;
    if (start >= block_bytes)
        return false;
    size_t left = block_bytes - start;
    data->part = part;
    data->parts = (uint32_t)((block_bytes + DATA_PART_BYTES - 1) / DATA_PART_BYTES);
    data->bytes = block + start;
    data->byte_count = left < DATA_PART_BYTES ? left : DATA_PART_BYTES;
    return true;
}

void fetch_encode(const struct fetch *fetch, struct wire_writer *writer)
{
    CHECK(fetch->part < DATA_PARTS_MAX);
    wire_put_text(writer, fetch->name);
    wire_put_u64(writer, fetch->part);
}

bool fetch_decode(struct wire_reader *reader, struct fetch *fetch, struct error *error)
{
    struct fetch read = {0};
    if (!wire_get_text(reader, "name", read.name, sizeof read.name, error) ||
        !wire_get_u32(reader, "part", 0, DATA_PARTS_MAX - 1, &read.part, error)) {
        return false;
    }
    *fetch = read;
    return true;
}

void data_part_encode(const struct data_part *data, struct wire_writer *writer)
{
    CHECK(data->part < data->parts);
    CHECK(data->parts <= DATA_PARTS_MAX);
    CHECK(data->byte_count >= 1);
    CHECK(data->byte_count <= DATA_PART_BYTES);
    wire_put_text(writer, data->name);
    wire_put_u64(writer, data->part);
    wire_put_u64(writer, data->parts);
    wire_put_bytes(writer, data->bytes, data->byte_count);
}

bool data_part_decode(struct wire_reader *reader, struct data_part *data, struct error *error)
{
    struct data_part read = {0};
    if (!wire_get_text(reader, "name", read.name, sizeof read.name, error) ||
        !wire_get_u32(reader, "part", 0, DATA_PARTS_MAX - 1, &read.part, error) ||
        !wire_get_u32(reader, "parts", read.part + 1, DATA_PARTS_MAX, &read.parts, error) ||
        !wire_get_bytes(reader, "bytes", 1, DATA_PART_BYTES, &read.bytes, &read.byte_count,
                        error)) {
        return false;
    }
    *data = read;
    return true;
}
