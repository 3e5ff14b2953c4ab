#include "proto/sample.h"

#include "common/base/check.h"
#include "proto/crc32c.h"
#include "proto/sparse.h"
#include "proto/wire.h"

#include <inttypes.h>

#define STATUS_FIELDS    3u
#define REQUEST_FIELDS   2u
#define HISTOGRAM_FIELDS 3u

/* The kinds as they travel: a new one has the next number, wherever it stands here. */
static const uint32_t kind_numbers[SAMPLE_KINDS] = {
    [SAMPLE_RESPONSE] = 0, [SAMPLE_SERVICE] = 1, [SAMPLE_CONNECT] = 2, [SAMPLE_FIRST_BYTE] = 3,
    [SAMPLE_SEND_LAG] = 4, [SAMPLE_REQUEST] = 5, [SAMPLE_TLS] = 6,
};

static enum sample_kind kind_of_number(uint32_t number)
{
    enum sample_kind kind = 0;
    while (kind_numbers[kind] != number)
        kind++;
    return kind;
}

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
        wire_put_u64(writer, kind_numbers[sample->histograms[i].kind]);
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
    uint32_t number;
    if (!wire_get_array(reader, "histogram", HISTOGRAM_FIELDS, HISTOGRAM_FIELDS, &fields, error) ||
        !wire_get_u32(reader, "histogram.kind", 0, SAMPLE_KINDS - 1, &number, error))
        return false;
    histogram->kind = kind_of_number(number);
    uint32_t request_max = histogram->kind == SAMPLE_REQUEST ? REQUEST_NAMES_MAX - 1 : 0;
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

size_t sample_histogram_encode(const struct histogram *histogram, uint8_t *bytes, size_t capacity)
{
    bool empty = histogram->total == 0;
    struct sparse_writer row = {.bytes = bytes, .capacity = capacity};
    sparse_put(&row, histogram->total);
    sparse_put(&row, empty ? 0 : histogram->sum_ns);
    sparse_put(&row, empty ? 0 : histogram->min_ns);
    sparse_put(&row, empty ? 0 : histogram->max_ns);
    sparse_put_cells(&row, histogram->cells, HISTOGRAM_CELLS, histogram->total);
    CHECK(row.length <= HISTOGRAM_BYTES_MAX);
    return row.overflow ? 0 : row.length;
}

static bool get_totals(struct sparse_reader *row, struct histogram *histogram, struct error *error)
{
    if (!sparse_get(row, "total", &histogram->total, error) ||
        !sparse_get(row, "sum_ns", &histogram->sum_ns, error) ||
        !sparse_get(row, "min_ns", &histogram->min_ns, error) ||
        !sparse_get(row, "max_ns", &histogram->max_ns, error))
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

bool sample_histogram_decode(const uint8_t *bytes, size_t byte_count, struct histogram *histogram,
                             struct error *error)
{
    struct sparse_reader row = {.what = "histogram", .bytes = bytes, .length = byte_count};
    struct histogram read = {0};
    if (!get_totals(&row, &read, error) ||
        !sparse_get_cells(&row, read.cells, HISTOGRAM_CELLS, read.total, error))
        return false;
    *histogram = read;
    return true;
}
