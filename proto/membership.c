#include "proto/membership.h"

#include "common/base/check.h"
#include "proto/wire.h"

#include <string.h>

#define MAGIC          "CLB1"
#define RATE_MILLI_MAX ((uint64_t)(1000 * RATE_PER_S_MAX))

void hello_encode(const struct hello *hello, struct wire_writer *writer)
{
    CHECK(hello->max_concurrency <= CONCURRENCY_MAX);
    CHECK(hello->max_rate_milli <= RATE_MILLI_MAX);
    wire_put_text(writer, MAGIC);
    wire_put_u64(writer, hello->major);
    wire_put_u64(writer, hello->minor);
    wire_put_u64(writer, hello->features);
    wire_put_text(writer, hello->name);
    wire_put_text(writer, hello->build);
    wire_put_u64(writer, hello->cores);
    wire_put_u64(writer, hello->max_concurrency);
    wire_put_u64(writer, hello->max_rate_milli);
    wire_put_bytes(writer, hello->allow_digest, sizeof hello->allow_digest);
    wire_put_u64(writer, hello->t_agent);
    wire_put_u64(writer, hello->orphans);
}

static bool get_magic(struct wire_reader *reader, struct error *error)
{
    char magic[sizeof MAGIC];
    if (!wire_get_text(reader, "magic", magic, sizeof magic, error))
        return false;
    if (strcmp(magic, MAGIC) != 0) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "it does not begin with \"" MAGIC "\"");
    }
    return true;
}

bool hello_decode(struct wire_reader *reader, struct hello *hello, struct error *error)
{
    struct hello read = {0};
    if (!get_magic(reader, error) ||
        !wire_get_u16(reader, "major", 0, UINT16_MAX, &read.major, error) ||
        !wire_get_u16(reader, "minor", 0, UINT16_MAX, &read.minor, error) ||
        !wire_get_u64(reader, "features", 0, UINT64_MAX, &read.features, error) ||
        !wire_get_text(reader, "name", read.name, sizeof read.name, error)) {
        return false;
    }
    if (read.major != PROTOCOL_MAJOR) {
        *hello = read;
        return true;
    }
    if (!wire_get_text(reader, "build", read.build, sizeof read.build, error) ||
        !wire_get_u32(reader, "cores", 0, UINT32_MAX, &read.cores, error) ||
        !wire_get_u32(reader, "max_concurrency", 0, CONCURRENCY_MAX, &read.max_concurrency,
                      error) ||
        !wire_get_u64(reader, "max_rate_milli", 0, RATE_MILLI_MAX, &read.max_rate_milli, error) ||
        !wire_get_fixed(reader, "allow_digest", read.allow_digest, sizeof read.allow_digest,
                        error) ||
        !wire_get_u64(reader, "t_agent", 0, UINT64_MAX, &read.t_agent, error) ||
        !wire_get_u32(reader, "orphans", 0, UINT32_MAX, &read.orphans, error)) {
        return false;
    }
    *hello = read;
    return true;
}

void welcome_encode(const struct welcome *welcome, struct wire_writer *writer)
{
    CHECK(welcome->lease_ms >= LEASE_MS_MIN);
    CHECK(welcome->lease_ms <= LEASE_MS_MAX);
    CHECK(welcome->beat_ms >= 1);
    CHECK(welcome->beat_ms <= LEASE_MS_MAX);
    CHECK(welcome->sample_ms >= 1);
    CHECK(welcome->sample_ms <= SAMPLE_MS_MAX);
    CHECK(welcome->assignment_bytes <= (size_t)ASSIGNMENT_BYTES_MAX);
    wire_put_u64(writer, welcome->major);
    wire_put_u64(writer, welcome->minor);
    wire_put_u64(writer, welcome->features);
    wire_put_u64(writer, welcome->lease_ms);
    wire_put_u64(writer, welcome->beat_ms);
    wire_put_u64(writer, welcome->sample_ms);
    wire_put_u64(writer, welcome->histogram_max_ns);
    wire_put_u64(writer, welcome->histogram_digits);
    wire_put_bytes(writer, welcome->assignment, welcome->assignment_bytes);
    wire_put_bytes(writer, welcome->assignment_digest, sizeof welcome->assignment_digest);
    wire_put_u64(writer, welcome->echo_t);
}

bool welcome_decode(struct wire_reader *reader, struct welcome *welcome, struct error *error)
{
    struct welcome read = {0};
    if (!wire_get_u16(reader, "major", 0, UINT16_MAX, &read.major, error) ||
        !wire_get_u16(reader, "minor", 0, UINT16_MAX, &read.minor, error) ||
        !wire_get_u64(reader, "features", 0, UINT64_MAX, &read.features, error) ||
        !wire_get_u32(reader, "lease_ms", LEASE_MS_MIN, LEASE_MS_MAX, &read.lease_ms, error) ||
        !wire_get_u32(reader, "beat_ms", 1, LEASE_MS_MAX, &read.beat_ms, error) ||
        !wire_get_u32(reader, "sample_ms", 1, SAMPLE_MS_MAX, &read.sample_ms, error) ||
        !wire_get_u64(reader, "histogram_max_ns", 0, UINT64_MAX, &read.histogram_max_ns, error) ||
        !wire_get_u32(reader, "histogram_digits", 0, 5, &read.histogram_digits, error) ||
        !wire_get_bytes(reader, "assignment", 0, (size_t)ASSIGNMENT_BYTES_MAX, &read.assignment,
                        &read.assignment_bytes, error) ||
        !wire_get_fixed(reader, "assignment_digest", read.assignment_digest,
                        sizeof read.assignment_digest, error) ||
        !wire_get_u64(reader, "echo_t", 0, UINT64_MAX, &read.echo_t, error)) {
        return false;
    }
    *welcome = read;
    return true;
}

void refuse_encode(const struct refuse *refuse, struct wire_writer *writer)
{
    CHECK(refuse->code < REFUSE_COUNT);
    wire_put_u64(writer, refuse->code);
    wire_put_text(writer, refuse->sentence);
    wire_put_u64(writer, refuse->retry_ms);
}

bool refuse_decode(struct wire_reader *reader, struct refuse *refuse, struct error *error)
{
    struct refuse read = {0};
    uint32_t code;
    if (!wire_get_u32(reader, "code", 0, REFUSE_COUNT - 1, &code, error) ||
        !wire_get_text(reader, "sentence", read.sentence, sizeof read.sentence, error) ||
        !wire_get_u32(reader, "retry_ms", 0, UINT32_MAX, &read.retry_ms, error)) {
        return false;
    }
    read.code = (enum refusal)code;
    *refuse = read;
    return true;
}

void ready_encode(const struct ready *ready, struct wire_writer *writer)
{
    wire_put_bytes(writer, ready->assignment_digest, sizeof ready->assignment_digest);
}

bool ready_decode(struct wire_reader *reader, struct ready *ready, struct error *error)
{
    return wire_get_fixed(reader, "assignment_digest", ready->assignment_digest,
                          sizeof ready->assignment_digest, error);
}

void decline_encode(const struct decline *decline, struct wire_writer *writer)
{
    CHECK(decline->code < DECLINE_COUNT);
    wire_put_u64(writer, decline->code);
    wire_put_text(writer, decline->sentence);
}

bool decline_decode(struct wire_reader *reader, struct decline *decline, struct error *error)
{
    struct decline read = {0};
    uint32_t code;
    if (!wire_get_u32(reader, "code", 0, DECLINE_COUNT - 1, &code, error) ||
        !wire_get_text(reader, "sentence", read.sentence, sizeof read.sentence, error)) {
        return false;
    }
    read.code = (enum decline_code)code;
    *decline = read;
    return true;
}

void bye_encode(const struct bye *bye, struct wire_writer *writer)
{
    wire_put_text(writer, bye->reason);
}

bool bye_decode(struct wire_reader *reader, struct bye *bye, struct error *error)
{
    struct bye read = {0};
    if (!wire_get_text(reader, "reason", read.reason, sizeof read.reason, error))
        return false;
    *bye = read;
    return true;
}
