#include "proto/examination.h"

#include "common/base/check.h"
#include "proto/wire.h"

void examine_encode(const struct examine *examine, struct wire_writer *writer)
{
    CHECK(examine->measure_ms <= EXAMINATION_MS_MAX);
    wire_put_u64(writer, examine->t);
    wire_put_u64(writer, examine->measure_ms);
}

bool examine_decode(struct wire_reader *reader, struct examine *examine, struct error *error)
{
    struct examine read = {0};
    if (!wire_get_u64(reader, "t", 0, UINT64_MAX, &read.t, error) ||
        !wire_get_u32(reader, "measure_ms", 0, EXAMINATION_MS_MAX, &read.measure_ms, error)) {
        return false;
    }
    *examine = read;
    return true;
}

void findings_encode(const struct findings *findings, struct wire_writer *writer)
{
    CHECK(findings->lanes <= LANES_MAX);
    CHECK(findings->room <= CONCURRENCY_MAX);
    wire_put_u64(writer, findings->echo_t);
    wire_put_u64(writer, findings->t_agent);
    wire_put_u64(writer, findings->measured);
    wire_put_u64(writer, findings->lanes);
    wire_put_u64(writer, findings->cpu_limit_milli);
    wire_put_u64(writer, findings->requests_per_cpu_s);
    wire_put_u64(writer, findings->timer_p99_ns);
    wire_put_u64(writer, findings->descriptors);
    wire_put_u64(writer, findings->room);
    wire_put_u64(writer, findings->ports);
    wire_put_u64(writer, findings->addresses);
    wire_put_text(writer, findings->engine);
    wire_put_text(writer, findings->engine_why);
    wire_put_text(writer, findings->governor);
    wire_put_text(writer, findings->clock);
}

static bool get_numbers(struct wire_reader *reader, struct findings *read, struct error *error)
{
    return wire_get_u64(reader, "echo_t", 0, UINT64_MAX, &read->echo_t, error) &&
           wire_get_u64(reader, "t_agent", 0, UINT64_MAX, &read->t_agent, error) &&
           wire_get_bool(reader, "measured", &read->measured, error) &&
           wire_get_u32(reader, "lanes", 0, LANES_MAX, &read->lanes, error) &&
           wire_get_u32(reader, "cpu_limit_milli", 0, UINT32_MAX, &read->cpu_limit_milli, error) &&
           wire_get_u64(reader, "requests_per_cpu_s", 0, (uint64_t)RATE_PER_S_MAX,
                        &read->requests_per_cpu_s, error) &&
           wire_get_u64(reader, "timer_p99_ns", 0, UINT64_MAX, &read->timer_p99_ns, error) &&
           wire_get_u64(reader, "descriptors", 0, UINT64_MAX, &read->descriptors, error) &&
           wire_get_u32(reader, "room", 0, CONCURRENCY_MAX, &read->room, error) &&
           wire_get_u32(reader, "ports", 0, UINT16_MAX, &read->ports, error) &&
           wire_get_u32(reader, "addresses", 0, UINT32_MAX, &read->addresses, error);
}

bool findings_decode(struct wire_reader *reader, struct findings *findings, struct error *error)
{
    struct findings read = {0};
    if (!get_numbers(reader, &read, error) ||
        !wire_get_text(reader, "engine", read.engine, sizeof read.engine, error) ||
        !wire_get_text(reader, "engine_why", read.engine_why, sizeof read.engine_why, error) ||
        !wire_get_text(reader, "governor", read.governor, sizeof read.governor, error) ||
        !wire_get_text(reader, "clock", read.clock, sizeof read.clock, error)) {
        return false;
    }
    *findings = read;
    return true;
}
