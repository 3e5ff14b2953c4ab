#include "proto/sample.h"

#include "common/base/check.h"
#include "proto/crc32c.h"
#include "proto/wire.h"

#include <inttypes.h>

#define STATUS_FIELDS    3u
#define REQUEST_FIELDS   2u
#define HISTOGRAM_FIELDS 3u

static void sample_check(const struct sample *sample)
{
    CHECK(sample->phase <= STAGES_MAX);
    CHECK(sample->part < sample->parts);
    CHECK(sample->parts <= SAMPLE_HISTOGRAMS_MAX);
    CHECK(sample->t_from <= sample->t_to);
    CHECK(sample->status_count <= SAMPLE_STATUSES_MAX);
    CHECK(sample->request_count <= REQUEST_NAMES_MAX);
    CHECK(sample->histogram_count <= SAMPLE_HISTOGRAMS_MAX);
}

static void put_lists(struct wire_writer *writer, const struct sample *sample)
{
    wire_put_array(writer, sample->status_count);
    for (uint32_t i = 0; i < sample->status_count; i++) {
        wire_put_array(writer, STATUS_FIELDS);
        wire_put_u64(writer, sample->statuses[i].status);
        wire_put_u64(writer, sample->statuses[i].count);
        wire_put_u64(writer, sample->statuses[i].failed);
    }
    wire_put_array(writer, sample->request_count);
    for (uint32_t i = 0; i < sample->request_count; i++) {
        wire_put_array(writer, REQUEST_FIELDS);
        wire_put_u64(writer, sample->requests[i].ok);
        wire_put_u64(writer, sample->requests[i].failed);
    }
    wire_put_array(writer, sample->histogram_count);
    for (uint32_t i = 0; i < sample->histogram_count; i++) {
        wire_put_array(writer, HISTOGRAM_FIELDS);
        wire_put_u64(writer, sample->histograms[i].kind);
        wire_put_u64(writer, sample->histograms[i].request);
        wire_put_bytes(writer, sample->histograms[i].bytes, sample->histograms[i].byte_count);
    }
}

void sample_encode(const struct sample *sample, struct wire_writer *writer)
{
    sample_check(sample);
    wire_put_u64(writer, sample->phase);
    wire_put_u64(writer, sample->part);
    wire_put_u64(writer, sample->parts);
    wire_put_u64(writer, sample->t_from);
    wire_put_u64(writer, sample->t_to);
    counters_encode(&sample->counters, writer);
    put_lists(writer, sample);
}

static bool get_status(struct wire_reader *reader, struct status_count *status, struct error *error)
{
    uint32_t fields;
    return wire_get_array(reader, "status", STATUS_FIELDS, STATUS_FIELDS, &fields, error) &&
           wire_get_u32(reader, "status.code", 100, 599, &status->status, error) &&
           wire_get_u64(reader, "status.count", 0, COUNTERS_COUNT_MAX, &status->count, error) &&
           wire_get_u64(reader, "status.failed", 0, status->count, &status->failed, error);
}

static bool get_request(struct wire_reader *reader, struct request_count *request,
                        struct error *error)
{
    uint32_t fields;
    return wire_get_array(reader, "request", REQUEST_FIELDS, REQUEST_FIELDS, &fields, error) &&
           wire_get_u64(reader, "request.ok", 0, COUNTERS_COUNT_MAX, &request->ok, error) &&
           wire_get_u64(reader, "request.failed", 0, COUNTERS_COUNT_MAX, &request->failed, error);
}

static bool get_histogram(struct wire_reader *reader, struct sample_histogram *histogram,
                          struct error *error)
{
    uint32_t fields;
    uint32_t kind;
    if (!wire_get_array(reader, "histogram", HISTOGRAM_FIELDS, HISTOGRAM_FIELDS, &fields, error) ||
        !wire_get_u32(reader, "histogram.kind", 0, SAMPLE_KINDS - 1, &kind, error))
        return false;
    histogram->kind = (enum sample_kind)kind;
    uint32_t request_max = kind == SAMPLE_REQUEST ? REQUEST_NAMES_MAX - 1 : 0;
    return wire_get_u32(reader, "histogram.request", 0, request_max, &histogram->request, error) &&
           wire_get_bytes(reader, "histogram.bytes", 1, HISTOGRAM_BYTES_MAX, &histogram->bytes,
                          &histogram->byte_count, error);
}

static bool get_lists(struct wire_reader *reader, struct sample *sample, struct error *error)
{
    if (!wire_get_array(reader, "statuses", 0, SAMPLE_STATUSES_MAX, &sample->status_count, error))
        return false;
    for (uint32_t i = 0; i < sample->status_count; i++) {
        if (!get_status(reader, &sample->statuses[i], error))
            return false;
    }
    if (!wire_get_array(reader, "requests", 0, REQUEST_NAMES_MAX, &sample->request_count, error))
        return false;
    for (uint32_t i = 0; i < sample->request_count; i++) {
        if (!get_request(reader, &sample->requests[i], error))
            return false;
    }
    if (!wire_get_array(reader, "histograms", 0, SAMPLE_HISTOGRAMS_MAX, &sample->histogram_count,
                        error))
        return false;
    for (uint32_t i = 0; i < sample->histogram_count; i++) {
        if (!get_histogram(reader, &sample->histograms[i], error))
            return false;
    }
    return true;
}

bool sample_decode(struct wire_reader *reader, struct sample *sample, struct error *error)
{
    struct sample read = {0};
    if (!wire_get_u32(reader, "phase", 0, STAGES_MAX, &read.phase, error) ||
        !wire_get_u32(reader, "part", 0, SAMPLE_HISTOGRAMS_MAX - 1, &read.part, error) ||
        !wire_get_u32(reader, "parts", read.part + 1, SAMPLE_HISTOGRAMS_MAX, &read.parts, error) ||
        !wire_get_u64(reader, "t_from", 0, UINT64_MAX, &read.t_from, error) ||
        !wire_get_u64(reader, "t_to", read.t_from, UINT64_MAX, &read.t_to, error) ||
        !counters_decode(reader, &read.counters, error) || !get_lists(reader, &read, error)) {
        return false;
    }
    sample_check(&read);
    *sample = read;
    return true;
}

static void final_check(const struct final *final)
{
    CHECK(final->reason < FINAL_REASONS);
    CHECK(final->last_phase <= STAGES_MAX);
    CHECK(final->sample.phase <= final->last_phase);
}

void final_encode(const struct final *final, struct wire_writer *writer)
{
    final_check(final);
    sample_encode(&final->sample, writer);
    wire_put_u64(writer, final->applied_seq);
    wire_put_u64(writer, final->reason);
    wire_put_u64(writer, final->last_phase);
    counters_encode(&final->counters, writer);
    wire_put_u64(writer, final->cpu_ns);
    wire_put_u64(writer, crc32c(writer->bytes, writer->length));
}

static bool get_crc32c(struct wire_reader *reader, uint32_t *crc, struct error *error)
{
    uint32_t expected = crc32c(reader->bytes, reader->position);
    uint32_t found;
    if (!wire_get_u32(reader, "crc32c", 0, UINT32_MAX, &found, error))
        return false;
    if (found != expected) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "crc32c is %08" PRIx32 " and the bytes before it give %08" PRIx32, found,
                         expected);
    }
    *crc = found;
    return true;
}

bool final_decode(struct wire_reader *reader, struct final *final, struct error *error)
{
    struct final read = {0};
    uint32_t reason;
    if (!sample_decode(reader, &read.sample, error) ||
        !wire_get_u64(reader, "applied_seq", 0, UINT64_MAX, &read.applied_seq, error) ||
        !wire_get_u32(reader, "reason", 0, FINAL_REASONS - 1, &reason, error) ||
        !wire_get_u32(reader, "last_phase", read.sample.phase, STAGES_MAX, &read.last_phase,
                      error) ||
        !counters_decode(reader, &read.counters, error) ||
        !wire_get_u64(reader, "cpu_ns", 0, UINT64_MAX, &read.cpu_ns, error) ||
        !get_crc32c(reader, &read.crc32c, error)) {
        return false;
    }
    read.reason = (enum final_reason)reason;
    final_check(&read);
    *final = read;
    return true;
}

#define VARINT_BYTES_MAX 10u

/** Seven bits a byte, the lowest first, the top bit set on all bytes but the last (LEB128). */
static size_t varint_put(uint64_t value, uint8_t *bytes)
{
    size_t length = 0;
    while (value >= 0x80) {
        bytes[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (uint8_t)value;
    CHECK(length <= VARINT_BYTES_MAX);
    return length;
}

struct span {
    const uint8_t *bytes;
    size_t length;
    size_t position;
};

/** Only the shortest form of a number passes, so that equal histograms are equal bytes. */
static bool varint_get(struct span *span, const char *name, uint64_t *value, struct error *error)
{
    uint64_t read = 0;
    for (unsigned int shift = 0; shift < 64 && span->position < span->length; shift += 7) {
        uint64_t byte = span->bytes[span->position++];
        bool too_large = shift == 63 && byte > 1;
        bool too_long = shift > 0 && byte == 0;
        if (too_large || too_long) {
            return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                             "histogram: %s at byte %zu is not a varint of 64 bits in its shortest "
                             "form",
                             name, span->position - 1);
        }
        read |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = read;
            return true;
        }
    }
    return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "histogram: the bytes end within %s", name);
}

struct row {
    uint8_t *bytes;
    size_t capacity;
    size_t length;
    bool overflow;
};

static void row_put(struct row *row, uint64_t value)
{
    uint8_t varint[VARINT_BYTES_MAX];
    size_t length = varint_put(value, varint);
    if (row->overflow || length > row->capacity - row->length) {
        row->overflow = true;
        return;
    }
    for (size_t i = 0; i < length; i++)
        row->bytes[row->length++] = varint[i];
}

size_t sample_histogram_encode(const struct histogram *histogram, uint8_t *bytes, size_t capacity)
{
    bool empty = histogram->total == 0;
    struct row row = {.bytes = bytes, .capacity = capacity};
    row_put(&row, histogram->total);
    row_put(&row, empty ? 0 : histogram->sum_ns);
    row_put(&row, empty ? 0 : histogram->min_ns);
    row_put(&row, empty ? 0 : histogram->max_ns);

    uint64_t counted = 0;
    uint32_t skipped = 0;
    for (uint32_t cell = 0; cell < HISTOGRAM_CELLS; cell++) {
        if (histogram->cells[cell] == 0) {
            skipped++;
            continue;
        }
        row_put(&row, skipped);
        row_put(&row, histogram->cells[cell]);
        counted += histogram->cells[cell];
        skipped = 0;
    }
    CHECK(counted == histogram->total);
    CHECK(row.length <= HISTOGRAM_BYTES_MAX);
    return row.overflow ? 0 : row.length;
}

static bool get_totals(struct span *span, struct histogram *histogram, struct error *error)
{
    if (!varint_get(span, "total", &histogram->total, error) ||
        !varint_get(span, "sum_ns", &histogram->sum_ns, error) ||
        !varint_get(span, "min_ns", &histogram->min_ns, error) ||
        !varint_get(span, "max_ns", &histogram->max_ns, error))
        return false;
    if (histogram->min_ns > histogram->max_ns) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "histogram: min_ns is %" PRIu64 ", above max_ns, %" PRIu64,
                         histogram->min_ns, histogram->max_ns);
    }
    if (histogram->total == 0 && (histogram->sum_ns != 0 || histogram->max_ns != 0)) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "histogram: nothing is counted and sum_ns is %" PRIu64 ", max_ns %" PRIu64,
                         histogram->sum_ns, histogram->max_ns);
    }
    return true;
}

/** The next pair: adds its count to the cell it names. `*cell` is the first cell not yet named. */
static bool get_cell(struct span *span, struct histogram *histogram, uint64_t *cell, uint64_t *left,
                     struct error *error)
{
    uint64_t skipped = 0;
    uint64_t count = 0;
    if (!varint_get(span, "a skip", &skipped, error) || !varint_get(span, "a count", &count, error))
        return false;
    if (*cell == HISTOGRAM_CELLS || skipped >= HISTOGRAM_CELLS - *cell) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "histogram: a skip of %" PRIu64 " cells leads past the last, %u", skipped,
                         HISTOGRAM_CELLS - 1);
    }
    if (count == 0 || count > *left) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "histogram: a cell counts %" PRIu64 "; expected 1 to %" PRIu64
                         ", what is left of the total",
                         count, *left);
    }
    *cell += skipped;
    histogram->cells[(*cell)++] = count;
    *left -= count;
    return true;
}

bool sample_histogram_decode(const uint8_t *bytes, size_t byte_count, struct histogram *histogram,
                             struct error *error)
{
    struct span span = {.bytes = bytes, .length = byte_count};
    struct histogram read = {0};
    if (!get_totals(&span, &read, error))
        return false;
    uint64_t cell = 0;
    uint64_t left = read.total;
    while (span.position < span.length) {
        if (!get_cell(&span, &read, &cell, &left, error))
            return false;
    }
    if (left > 0) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "histogram: the cells sum to %" PRIu64 ", the total is %" PRIu64,
                         read.total - left, read.total);
    }
    *histogram = read;
    return true;
}
