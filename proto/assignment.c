#include "proto/assignment.h"

#include "common/base/check.h"
#include "proto/assignment_sections.h"
#include "proto/sha256.h"
#include "proto/wire.h"

#include <math.h>
#include <string.h>

#define ASSIGNMENT_FIELDS 14u
#define FIELDS_DIGEST     13u /* as minor version 1 had them */
#define FIELDS_LEAST      12u /* as minor version 0 had them */
#define REQUEST_FIELDS    7u
#define RATE_MILLI_MAX    ((uint64_t)(1000 * RATE_PER_S_MAX))
#define DURATION_NS_MAX   ((uint64_t)RUN_S_MAX * UINT64_C(1000000000))
#define BYTES_MAX         ((size_t)ASSIGNMENT_BYTES_MAX)
#define NAME_ROOM         ((size_t)NAME_BYTES_MAX + 1) /* of one name in `texts` */

static void put_request(struct wire_writer *writer, const struct assignment_request *request)
{
    CHECK(request->weight >= 1);
    CHECK(request->weight <= WEIGHT_MAX);
    wire_put_array(writer, REQUEST_FIELDS);
    wire_put_text(writer, request->name);
    wire_put_u64(writer, request->weight);
    wire_put_bytes(writer, request->bytes, request->byte_count);
    wire_put_u64(writer, request->head);
    wire_put_u64(writer, request->expect_status);
    wire_put_bytes(writer, request->expect_prefix, request->expect_prefix_count);
    wire_put_u64(writer, request->reconnect);
}

/** The wire has no floats: a rate travels in thousandths of a request/s. */
static uint64_t rate_milli(double rate_per_s)
{
    CHECK(rate_per_s >= 0.0);
    CHECK(rate_per_s <= RATE_PER_S_MAX);
    return (uint64_t)llround(rate_per_s * 1000.0);
}

bool assignment_encode(const struct assignment *assignment, uint8_t *bytes, size_t *byte_count,
                       struct error *error)
{
    CHECK(assignment->phases >= 1);
    CHECK(assignment->phases <= STAGES_MAX + 1);
    CHECK(assignment->duration_ns <= DURATION_NS_MAX);
    CHECK(assignment->timeout_ns >= 1);
    CHECK(assignment->timeout_ns <= DURATION_NS_MAX);
    CHECK(assignment->concurrency_max <= CONCURRENCY_MAX);
    CHECK(assignment->request_count >= 1);
    CHECK(assignment->request_count <= REQUEST_NAMES_MAX);
    struct wire_writer writer;
    wire_writer_init(&writer, bytes, BYTES_MAX);
    /* What asks for nothing new is understood by an agent of an older minor version too. */
    bool sections = sections_wanted(assignment) > 0;
    bool digest = assignment->latency_digest || sections;
    wire_put_array(&writer, sections ? ASSIGNMENT_FIELDS : digest ? FIELDS_DIGEST : FIELDS_LEAST);
    wire_put_text(&writer, assignment->workload);
    wire_put_text(&writer, assignment->host);
    wire_put_u64(&writer, assignment->port);
    wire_put_u64(&writer, assignment->open_arrivals);
    wire_put_u64(&writer, assignment->keep_alive);
    wire_put_u64(&writer, assignment->seed);
    wire_put_u64(&writer, assignment->timeout_ns);
    wire_put_u64(&writer, assignment->phases);
    wire_put_u64(&writer, assignment->duration_ns);
    wire_put_u64(&writer, assignment->concurrency_max);
    wire_put_u64(&writer, rate_milli(assignment->rate_max_per_s));
    wire_put_array(&writer, assignment->request_count);
    for (uint32_t i = 0; i < assignment->request_count; i++)
        put_request(&writer, &assignment->requests[i]);
    if (digest)
        wire_put_u64(&writer, assignment->latency_digest);
    if (sections)
        sections_encode(assignment, &writer);
    if (writer.overflow) {
        return error_set(error, ERROR_LIMIT, PLACE_NONE,
                         "the requests together, headers and bodies included, take more than %u "
                         "bytes, the most that is sent to an agent",
                         ASSIGNMENT_BYTES_MAX);
    }
    *byte_count = writer.length;
    return true;
}

static bool get_request(struct wire_reader *reader, char *name, struct assignment_request *request,
                        struct error *error)
{
    uint32_t fields;
    if (!wire_get_array(reader, "request", REQUEST_FIELDS, REQUEST_FIELDS, &fields, error) ||
        !wire_get_text(reader, "request.name", name, NAME_ROOM, error) ||
        !wire_get_u32(reader, "request.weight", 1, WEIGHT_MAX, &request->weight, error) ||
        !wire_get_bytes(reader, "request.bytes", 0, BYTES_MAX, &request->bytes,
                        &request->byte_count, error) ||
        !wire_get_bool(reader, "request.head", &request->head, error) ||
        !wire_get_u16(reader, "request.expect_status", 0, 599, &request->expect_status, error) ||
        !wire_get_bytes(reader, "request.expect_prefix", 0, BYTES_MAX, &request->expect_prefix,
                        &request->expect_prefix_count, error) ||
        !wire_get_bool(reader, "request.reconnect", &request->reconnect, error)) {
        return false;
    }
    request->name = name;
    return true;
}

static bool get_head(struct wire_reader *reader, struct assignment *read, uint32_t *fields,
                     struct error *error)
{
    uint64_t rate_max_milli;
    if (!wire_get_array(reader, "assignment", FIELDS_LEAST, ASSIGNMENT_FIELDS, fields, error) ||
        !wire_get_text(reader, "workload", read->workload, sizeof read->workload, error) ||
        !wire_get_text(reader, "host", read->host, sizeof read->host, error) ||
        !wire_get_u16(reader, "port", 0, UINT16_MAX, &read->port, error) ||
        !wire_get_bool(reader, "open_arrivals", &read->open_arrivals, error) ||
        !wire_get_bool(reader, "keep_alive", &read->keep_alive, error) ||
        !wire_get_u64(reader, "seed", 0, UINT64_MAX, &read->seed, error) ||
        !wire_get_u64(reader, "timeout_ns", 1, DURATION_NS_MAX, &read->timeout_ns, error) ||
        !wire_get_u32(reader, "phases", 1, STAGES_MAX + 1, &read->phases, error) ||
        !wire_get_u64(reader, "duration_ns", 0, DURATION_NS_MAX, &read->duration_ns, error) ||
        !wire_get_u32(reader, "concurrency_max", 0, CONCURRENCY_MAX, &read->concurrency_max,
                      error) ||
        !wire_get_u64(reader, "rate_max_milli", 0, RATE_MILLI_MAX, &rate_max_milli, error)) {
        return false;
    }
    read->rate_max_per_s = (double)rate_max_milli / 1000.0;
    return true;
}

bool assignment_decode(const uint8_t *bytes, size_t byte_count, char *texts,
                       struct assignment *assignment, struct error *error)
{
    struct assignment read = {0};
    struct wire_reader reader;
    uint32_t fields;
    if (!wire_reader_init(&reader, bytes, byte_count, error) ||
        !get_head(&reader, &read, &fields, error) ||
        !wire_get_array(&reader, "requests", 1, REQUEST_NAMES_MAX, &read.request_count, error))
        return error_prefix(error, "assignment");
    for (uint32_t i = 0; i < read.request_count; i++) {
        char *name = texts + i * NAME_ROOM;
        if (!get_request(&reader, name, &read.requests[i], error))
            return error_prefix(error, "assignment");
    }
    if ((fields >= FIELDS_DIGEST &&
         !wire_get_bool(&reader, "latency_digest", &read.latency_digest, error)) ||
        (fields >= ASSIGNMENT_FIELDS && !sections_decode(&reader, &read, error)) ||
        !wire_end(&reader, error))
        return error_prefix(error, "assignment");
    *assignment = read;
    return true;
}

uint32_t assignment_minor(const uint8_t *bytes)
{
    uint32_t fields = bytes[0] & 0x0Fu; /* a msgpack array of at most 15: its only byte */
    CHECK(fields >= FIELDS_LEAST);
    return fields - FIELDS_LEAST;
}

void assignment_digest(const uint8_t *bytes, size_t byte_count, uint8_t *digest)
{
    sha256(bytes, byte_count, digest);
}
