#include "proto/counters.h"

#include "common/base/check.h"
#include "proto/wire.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* A row of plain counts: what is done field by field is done to all of them in one loop, and a new
 * field is never forgotten. */
#define VALUES (sizeof(struct counters) / sizeof(uint64_t))
struct values {
    uint64_t items[VALUES];
};
static_assert(sizeof(struct counters) == sizeof(struct values), "counts and nothing else");

#define COUNTERS_FIELDS       (VALUES - FAILURE_COUNT + 1u) /* the classes of failure are one field */
#define COUNTERS_FIELDS_LEAST (COUNTERS_FIELDS - 2u)        /* as minor version 1 had them */
#define FAILURES_LEAST        12u /* classes of minor version 0: up to FAILURE_SEND */
static_assert(FAILURES_LEAST == FAILURE_SEND + 1, "new classes come at the end");

static struct values values_of(const struct counters *counters)
{
    struct values values;
    memcpy(&values, counters, sizeof values);
    return values;
}

static struct counters counters_of(const struct values *values)
{
    struct counters counters;
    memcpy(&counters, values, sizeof counters);
    return counters;
}

uint64_t counters_failed(const struct counters *counters)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < FAILURE_COUNT; i++)
        failed += counters->failed[i];
    return failed;
}

uint64_t counters_unconnected(const struct counters *counters)
{
    uint64_t unconnected =
        counters->failed[FAILURE_CONNECT_REFUSED] + counters->failed[FAILURE_CONNECT_FAILED];
    for (size_t i = FAILURE_TLS_ISSUER; i <= FAILURE_TLS_HANDSHAKE; i++)
        unconnected += counters->failed[i];
    return unconnected;
}

static uint64_t ended(const struct counters *counters)
{
    return counters->ok + counters_failed(counters) + counters->timed_out;
}

uint64_t counters_in_flight(const struct counters *counters)
{
    CHECK(ended(counters) <= counters->started);
    return counters->started - ended(counters);
}

void counters_add(struct counters *counters, const struct counters *other)
{
    struct values sum = values_of(counters);
    struct values more = values_of(other);
    for (size_t i = 0; i < VALUES; i++)
        sum.items[i] += more.items[i];
    *counters = counters_of(&sum);
}

struct counters counters_since(const struct counters *newer, const struct counters *older)
{
    CHECK(counters_monotone(newer, older));
    struct values difference = values_of(newer);
    struct values before = values_of(older);
    for (size_t i = 0; i < VALUES; i++)
        difference.items[i] -= before.items[i];
    return counters_of(&difference);
}

bool counters_monotone(const struct counters *newer, const struct counters *older)
{
    struct values after = values_of(newer);
    struct values before = values_of(older);
    for (size_t i = 0; i < VALUES; i++) {
        if (after.items[i] < before.items[i])
            return false;
    }
    return true;
}

/* Classes grew at the end since the first version. Those that only a new kind of plan can meet are
 * left out while they are 0, so that a peer which knows no such plan reads what it always read. */
static void put_failed(const uint64_t *failed, struct wire_writer *writer)
{
    uint32_t count = FAILURE_COUNT;
    while (count > FAILURES_LEAST && failed[count - 1] == 0)
        count--;
    wire_put_array(writer, count);
    for (uint32_t i = 0; i < count; i++)
        wire_put_u64(writer, failed[i]);
}

void counters_encode(const struct counters *counters, struct wire_writer *writer)
{
    bool impatient = counters->timed_out_connect > 0 || counters->timed_out_first_byte > 0;
    wire_put_array(writer, impatient ? COUNTERS_FIELDS : COUNTERS_FIELDS_LEAST);
    wire_put_u64(writer, counters->planned);
    wire_put_u64(writer, counters->not_started);
    wire_put_u64(writer, counters->started);
    wire_put_u64(writer, counters->ok);
    put_failed(counters->failed, writer);
    wire_put_u64(writer, counters->timed_out);
    wire_put_u64(writer, counters->unwritten);
    wire_put_u64(writer, counters->bytes_sent);
    wire_put_u64(writer, counters->bytes_received);
    wire_put_u64(writer, counters->connections_opened);
    wire_put_u64(writer, counters->connections_reused);
    wire_put_u64(writer, counters->in_flight_ns);
    wire_put_u64(writer, counters->latency_sum_ns);
    wire_put_u64(writer, counters->send_lag_sum_ns);
    if (impatient) {
        wire_put_u64(writer, counters->timed_out_connect);
        wire_put_u64(writer, counters->timed_out_first_byte);
    }
}

static bool get_count(struct wire_reader *reader, const char *name, uint64_t *count,
                      struct error *error)
{
    return wire_get_u64(reader, name, 0, COUNTERS_COUNT_MAX, count, error);
}

static bool get_sum(struct wire_reader *reader, const char *name, uint64_t *sum,
                    struct error *error)
{
    return wire_get_u64(reader, name, 0, UINT64_MAX, sum, error);
}

static bool get_failed(struct wire_reader *reader, uint64_t *failed, struct error *error)
{
    uint32_t count;
    if (!wire_get_array(reader, "failed", FAILURES_LEAST, FAILURE_COUNT, &count, error))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!get_count(reader, failure_word((enum failure)i), &failed[i], error))
            return false;
    }
    return true;
}

/** The ledger's rules; each count is at most COUNTERS_COUNT_MAX, so no sum here wraps. */
static bool balance(const struct counters *counters, struct error *error)
{
    if (counters->started + counters->not_started > counters->planned) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "started + not_started is %" PRIu64 ", more than planned, %" PRIu64,
                         (counters->started + counters->not_started), counters->planned);
    }
    if (ended(counters) > counters->started) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "ok + failed + timed_out is %" PRIu64 ", more than started, %" PRIu64,
                         ended(counters), counters->started);
    }
    if (counters->unwritten > ended(counters)) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "unwritten is %" PRIu64 ", more than have ended, %" PRIu64,
                         counters->unwritten, ended(counters));
    }
    uint64_t impatient = counters->timed_out_connect + counters->timed_out_first_byte;
    if (impatient > counters->timed_out) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "timed out for a connection or a first byte is %" PRIu64
                         ", more than timed out, %" PRIu64,
                         impatient, counters->timed_out);
    }
    return true;
}

bool counters_check(const struct counters *counters, struct error *error)
{
    uint64_t counts[] = {counters->planned,
                         counters->not_started,
                         counters->started,
                         counters->ok,
                         counters->connections_opened,
                         counters->connections_reused,
                         counters->unwritten,
                         counters->timed_out,
                         counters->timed_out_connect,
                         counters->timed_out_first_byte};
    bool within = true;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        within = within && counts[i] <= COUNTERS_COUNT_MAX;
    for (size_t i = 0; i < FAILURE_COUNT; i++)
        within = within && counters->failed[i] <= COUNTERS_COUNT_MAX;
    if (!within)
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "a count is above %" PRIu64,
                         COUNTERS_COUNT_MAX);
    return balance(counters, error);
}

static bool get_impatience(struct wire_reader *reader, uint32_t fields, struct counters *counters,
                           struct error *error)
{
    if (fields > COUNTERS_FIELDS_LEAST &&
        !get_count(reader, "timed_out_connect", &counters->timed_out_connect, error))
        return false;
    return fields < COUNTERS_FIELDS ||
           get_count(reader, "timed_out_first_byte", &counters->timed_out_first_byte, error);
}

bool counters_decode(struct wire_reader *reader, struct counters *counters, struct error *error)
{
    struct counters read = {0};
    uint32_t fields;
    if (!wire_get_array(reader, "counters", COUNTERS_FIELDS_LEAST, COUNTERS_FIELDS, &fields,
                        error) ||
        !get_count(reader, "planned", &read.planned, error) ||
        !get_count(reader, "not_started", &read.not_started, error) ||
        !get_count(reader, "started", &read.started, error) ||
        !get_count(reader, "ok", &read.ok, error) || !get_failed(reader, read.failed, error) ||
        !get_count(reader, "timed_out", &read.timed_out, error) ||
        !get_count(reader, "unwritten", &read.unwritten, error) ||
        !get_sum(reader, "bytes_sent", &read.bytes_sent, error) ||
        !get_sum(reader, "bytes_received", &read.bytes_received, error) ||
        !get_count(reader, "connections_opened", &read.connections_opened, error) ||
        !get_count(reader, "connections_reused", &read.connections_reused, error) ||
        !get_sum(reader, "in_flight_ns", &read.in_flight_ns, error) ||
        !get_sum(reader, "latency_sum_ns", &read.latency_sum_ns, error) ||
        !get_sum(reader, "send_lag_sum_ns", &read.send_lag_sum_ns, error) ||
        !get_impatience(reader, fields, &read, error) || !balance(&read, error)) {
        return false;
    }
    *counters = read;
    return true;
}
