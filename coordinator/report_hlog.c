#include "common/base/base64.h"
#include "common/base/check.h"
#include "coordinator/json.h"
#include "coordinator/report_formats.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* HdrHistogram's V2 encoding of a histogram, and its compressed form.
 * Source: AbstractHistogram.encodeIntoByteBuffer of HdrHistogram 2.1. */
#define COOKIE_V2            0x1c849303u
#define COOKIE_V2_COMPRESSED 0x1c849304u
#define HEADER_BYTES         40u
#define VARINT_BYTES_MAX     9u
#define ENCODED_BYTES_MAX    (HEADER_BYTES + HISTOGRAM_CELLS * VARINT_BYTES_MAX)

/* Bytes that grow to the right, in the order of networks. */
struct writer {
    uint8_t *bytes;
    size_t count;
};

static void put_big_endian(struct writer *writer, uint64_t value, size_t bytes)
{
    while (bytes-- > 0)
        writer->bytes[writer->count++] = (uint8_t)(value >> (8 * bytes));
}

/* ZigZag, then seven bits a byte from the lowest; a ninth byte holds eight. */
static void put_varint(struct writer *writer, int64_t value)
{
    uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    for (size_t i = 0; i + 1 < VARINT_BYTES_MAX && rest >= 0x80; i++, rest >>= 7)
        writer->bytes[writer->count++] = (uint8_t)(rest | 0x80);
    writer->bytes[writer->count++] = (uint8_t)rest;
}

/* Counts from the lowest cell up to the highest that has any; a run of empty ones is its length,
 * negative. */
static void put_counts(struct writer *writer, const struct histogram *histogram)
{
    uint32_t end = histogram->total > 0 ? histogram_cell(histogram->max_ns) + 1 : 0;
    while (end > 0 && histogram->cells[end - 1] == 0)
        end--;
    int64_t empty = 0;
    for (uint32_t i = 0; i < end; i++) {
        if (histogram->cells[i] == 0) {
            empty++;
            continue;
        }
        if (empty > 0)
            put_varint(writer, -empty);
        empty = 0;
        put_varint(writer, (int64_t)histogram->cells[i]);
    }
}

/* `bytes[ENCODED_BYTES_MAX]`; returns how many there are. */
static size_t encode(const struct histogram *histogram, uint8_t *bytes)
{
    static const double ratio = 1.0;
    uint64_t ratio_bits;
    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    struct writer counts = {.bytes = bytes + HEADER_BYTES};
    put_counts(&counts, histogram);
    struct writer header = {.bytes = bytes};
    put_big_endian(&header, COOKIE_V2 | 0x10, 4);
    put_big_endian(&header, counts.count, 4);
    put_big_endian(&header, 0, 4); /* offset of the values */
    put_big_endian(&header, HISTOGRAM_DIGITS, 4);
    put_big_endian(&header, 1, 8); /* the lowest value that is told apart */
    put_big_endian(&header, HISTOGRAM_NS_MAX, 8);
    put_big_endian(&header, ratio_bits, 8);
    CHECK(header.count == HEADER_BYTES);
    return HEADER_BYTES + counts.count;
}

/* In base64, behind a cookie and a length; the caller frees it. NULL: no memory. */
static char *compressed(const struct histogram *histogram)
{
    uint8_t *plain = malloc(ENCODED_BYTES_MAX);
    uLong bound = compressBound(ENCODED_BYTES_MAX);
    uint8_t *packed = malloc(bound + 8);
    char *text = malloc(BASE64_BYTES(bound + 8));
    uLongf packed_bytes = bound;
    struct writer header = {.bytes = packed};
    if (plain == NULL || packed == NULL || text == NULL ||
        compress(packed + 8, &packed_bytes, plain, encode(histogram, plain)) != Z_OK) {
        free(text);
        text = NULL;
    } else {
        put_big_endian(&header, COOKIE_V2_COMPRESSED | 0x10, 4);
        put_big_endian(&header, packed_bytes, 4);
        base64_encode(packed, packed_bytes + 8, text);
    }
    free(packed);
    free(plain);
    return text;
}

bool report_as_hlog(const struct run_record *record, FILE *stream, struct error *error)
{
    if (record->broken_off)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "the run was broken off: its histograms were lost with it; --format csv "
                         "has percentiles of each second");
    double from_s = (double)json_get_count(record->result, "warmup_ns") / 1e9;
    double to_s = (double)json_get_count(record->result, "duration_ns") / 1e9;
    fprintf(stream, "#[Histogram log format version 1.3]\n#[StartTime: 0.000 (seconds since the "
                    "run's start)]\n\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                    "\"Interval_Compressed_Histogram\"\n");
    for (enum sample_kind kind = 0; kind < SAMPLE_REQUEST; kind++) {
        const struct histogram *histogram = &record->histograms[kind];
        if (histogram->total == 0)
            continue;
        char *text = compressed(histogram);
        if (text == NULL)
            return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the log");
        fprintf(stream, "Tag=%s,%.3f,%.3f,%.3f,%s\n", report_kind_word(kind), from_s,
                to_s > from_s ? to_s - from_s : 0.0, (double)histogram->max_ns / 1e6, text);
        free(text);
    }
    return !ferror(stream) || error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write the log");
}
