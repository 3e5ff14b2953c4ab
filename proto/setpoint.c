#include "proto/setpoint.h"

#include "common/base/check.h"
#include "proto/wire.h"

#define CONCURRENCY_MILLI_MAX (UINT64_C(1000) * CONCURRENCY_MAX)
#define RATE_MILLI_MAX        ((uint64_t)(1000 * RATE_PER_S_MAX))

void setpoint_encode(const struct setpoint *setpoint, struct wire_writer *writer)
{
    CHECK(setpoint->concurrency_milli <= CONCURRENCY_MILLI_MAX);
    CHECK(setpoint->floor_milli <= setpoint->concurrency_milli);
    CHECK(setpoint->rate_milli <= RATE_MILLI_MAX);
    CHECK(setpoint->phase <= STAGES_MAX);
    CHECK(setpoint->sample_ms >= 1);
    CHECK(setpoint->sample_ms <= SAMPLE_MS_MAX);
    wire_put_u64(writer, setpoint->floor_milli);
    wire_put_u64(writer, setpoint->concurrency_milli);
    wire_put_u64(writer, setpoint->rate_milli);
    wire_put_u64(writer, setpoint->drop_age_ms);
    wire_put_u64(writer, setpoint->phase);
    wire_put_u64(writer, setpoint->sample_ms);
    wire_put_u64(writer, setpoint->echo_t);
    wire_put_u64(writer, setpoint->index_from);
    wire_put_u64(writer, setpoint->index_count);
    wire_put_u64(writer, setpoint->index_block);
}

bool setpoint_decode(struct wire_reader *reader, uint32_t fields, struct setpoint *setpoint,
                     struct error *error)
{
    struct setpoint read = {0};
    if (!wire_get_u64(reader, "floor_milli", 0, CONCURRENCY_MILLI_MAX, &read.floor_milli, error) ||
        !wire_get_u64(reader, "concurrency_milli", read.floor_milli, CONCURRENCY_MILLI_MAX,
                      &read.concurrency_milli, error) ||
        !wire_get_u64(reader, "rate_milli", 0, RATE_MILLI_MAX, &read.rate_milli, error) ||
        !wire_get_u32(reader, "drop_age_ms", 0, UINT32_MAX, &read.drop_age_ms, error) ||
        !wire_get_u32(reader, "phase", 0, STAGES_MAX, &read.phase, error) ||
        !wire_get_u32(reader, "sample_ms", 1, SAMPLE_MS_MAX, &read.sample_ms, error) ||
        !wire_get_u64(reader, "echo_t", 0, UINT64_MAX, &read.echo_t, error) ||
        !wire_get_u64(reader, "index_from", 0, UINT64_MAX, &read.index_from, error) ||
        !wire_get_u64(reader, "index_count", 0, UINT64_MAX - read.index_from, &read.index_count,
                      error) ||
        (fields >= SETPOINT_FIELDS &&
         !wire_get_u64(reader, "index_block", 0, UINT64_MAX, &read.index_block, error))) {
        return false;
    }
    *setpoint = read;
    return true;
}

void stop_encode(const struct stop *stop, struct wire_writer *writer)
{
    CHECK(stop->kind < STOP_COUNT);
    wire_put_u64(writer, stop->kind);
    wire_put_u64(writer, stop->deadline_ms);
    wire_put_text(writer, stop->reason);
}

bool stop_decode(struct wire_reader *reader, struct stop *stop, struct error *error)
{
    struct stop read = {0};
    uint32_t kind;
    if (!wire_get_u32(reader, "kind", 0, STOP_COUNT - 1, &kind, error) ||
        !wire_get_u32(reader, "deadline_ms", 0, UINT32_MAX, &read.deadline_ms, error) ||
        !wire_get_text(reader, "reason", read.reason, sizeof read.reason, error)) {
        return false;
    }
    read.kind = (enum stop_kind)kind;
    *stop = read;
    return true;
}

void final_ack_encode(const struct final_ack *final_ack, struct wire_writer *writer)
{
    wire_put_u64(writer, final_ack->seq);
    wire_put_u64(writer, final_ack->started);
    wire_put_u64(writer, final_ack->ok);
}

bool final_ack_decode(struct wire_reader *reader, struct final_ack *final_ack, struct error *error)
{
    struct final_ack read = {0};
    if (!wire_get_u64(reader, "seq", 0, UINT64_MAX, &read.seq, error) ||
        !wire_get_u64(reader, "started", 0, UINT64_MAX, &read.started, error) ||
        !wire_get_u64(reader, "ok", 0, read.started, &read.ok, error)) {
        return false;
    }
    *final_ack = read;
    return true;
}
