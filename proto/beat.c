#include "proto/beat.h"

#include "common/base/limits.h"
#include "proto/digest.h"
#include "proto/wire.h"

void beat_encode(const struct beat *beat, struct wire_writer *writer)
{
    wire_put_u64(writer, beat->t_agent);
    wire_put_u64(writer, beat->applied_seq);
    wire_put_u64(writer, beat->lease_left_ms);
    counters_encode(&beat->counters, writer);
    wire_put_u64(writer, beat->cpu_ns);
    wire_put_u64(writer, beat->workers);
    wire_put_u64(writer, beat->in_flight);
    wire_put_u64(writer, beat->backlog);
    wire_put_u64(writer, beat->demand_peak);
    wire_put_u64(writer, beat->lanes);
    wire_put_u64(writer, beat->lane_load_permille);
    wire_put_u64(writer, beat->send_lag_max_us);
    wire_put_u64(writer, beat->flags);
    wire_put_bytes(writer, beat->digest, beat->digest_bytes);
    wire_put_u64(writer, beat->index_block);
    wire_put_u64(writer, beat->index_used);
}

static bool get_indexes(struct wire_reader *reader, struct beat *beat, struct error *error)
{
    return wire_get_u64(reader, "index_block", 0, UINT64_MAX, &beat->index_block, error) &&
           wire_get_u64(reader, "index_used", 0, UINT64_MAX, &beat->index_used, error);
}

/* A peer may stand for many machines: its gauges are bounded by their type alone. */
bool beat_decode(struct wire_reader *reader, uint32_t fields, struct beat *beat,
                 struct error *error)
{
    struct beat read = {0};
    if (!wire_get_u64(reader, "t_agent", 0, UINT64_MAX, &read.t_agent, error) ||
        !wire_get_u64(reader, "applied_seq", 0, UINT64_MAX, &read.applied_seq, error) ||
        !wire_get_u32(reader, "lease_left_ms", 0, LEASE_MS_MAX, &read.lease_left_ms, error) ||
        !counters_decode(reader, &read.counters, error) ||
        !wire_get_u64(reader, "cpu_ns", 0, UINT64_MAX, &read.cpu_ns, error) ||
        !wire_get_u32(reader, "workers", 0, UINT32_MAX, &read.workers, error) ||
        !wire_get_u32(reader, "in_flight", 0, UINT32_MAX, &read.in_flight, error) ||
        !wire_get_u32(reader, "backlog", 0, UINT32_MAX, &read.backlog, error) ||
        !wire_get_u32(reader, "demand_peak", 0, UINT32_MAX, &read.demand_peak, error) ||
        !wire_get_u32(reader, "lanes", 0, UINT32_MAX, &read.lanes, error) ||
        !wire_get_u32(reader, "lane_load_permille", 0, 1000, &read.lane_load_permille, error) ||
        !wire_get_u32(reader, "send_lag_max_us", 0, UINT32_MAX, &read.send_lag_max_us, error) ||
        !wire_get_u32(reader, "flags", 0, UINT32_MAX, &read.flags, error)) {
        return false;
    }
    if (fields >= BEAT_FIELDS_DIGEST && !wire_get_bytes(reader, "digest", 0, DIGEST_BYTES_MAX,
                                                        &read.digest, &read.digest_bytes, error))
        return false;
    if (fields >= BEAT_FIELDS && !get_indexes(reader, &read, error))
        return false;
    *beat = read;
    return true;
}
