#include "agent/recording.h"

#include "common/base/check.h"
#include "proto/crc32c.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Grows with every change of what is kept, of its order too; a change of size shows by itself. */
#define LAYOUT 1u

static const char magic[8] = "CLBREC1";

struct head {
    char magic[8];
    uint32_t layout;
    uint32_t phase_bytes, histogram_bytes; /* sizes: another version's are others */
    uint32_t lanes, phases, requests;
    struct recording_owner owner;
    uint32_t crc32c; /* of all before it */
};

struct recording {
    struct head head;
    uint64_t t_agent, cpu_ns; /* grow while the agent lives */
};

static_assert(sizeof(struct recording) <= RECORDING_HEAD_BYTES, "lanes begin behind it");
static_assert(RECORDING_HEAD_BYTES % sizeof(uint64_t) == 0, "and are aligned");

size_t recording_bytes(const struct recording_shape *shape)
{
    CHECK(shape->lanes >= 1);
    CHECK(shape->lanes <= LANES_MAX);
    return RECORDING_HEAD_BYTES + shape->lanes * meters_bytes(shape->phases, shape->requests);
}

static uint32_t head_crc(const struct head *head)
{
    return crc32c(head, offsetof(struct head, crc32c));
}

struct recording *recording_begin(void *memory, const struct recording_shape *shape,
                                  const struct recording_owner *owner)
{
    CHECK((uintptr_t)memory % sizeof(uint64_t) == 0);
    struct recording *recording = memory;
    struct head *head = &recording->head;
    *head = (struct head){.layout = LAYOUT,
                          .phase_bytes = sizeof(struct phase_meter),
                          .histogram_bytes = sizeof(struct histogram),
                          .lanes = shape->lanes,
                          .phases = shape->phases,
                          .requests = shape->requests,
                          .owner = *owner};
    memcpy(head->magic, magic, sizeof magic);
    head->crc32c = head_crc(head);
    return recording;
}

void *recording_lane(struct recording *recording, uint32_t lane)
{
    const struct head *head = &recording->head;
    CHECK(lane < head->lanes);
    return (uint8_t *)recording + RECORDING_HEAD_BYTES +
           lane * meters_bytes(head->phases, head->requests);
}

void recording_pulse(struct recording *recording, uint64_t t_agent, uint64_t cpu_ns)
{
    recording->t_agent = t_agent;
    recording->cpu_ns = cpu_ns;
}

/* Reading. */

__attribute__((format(printf, 2, 3))) static bool is_bad(struct error *error, const char *format,
                                                         ...)
{
    char why[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "no flight recorder of ours: %s", why);
}

static bool head_read(const void *bytes, size_t byte_count, struct head *head, struct error *error)
{
    if (byte_count < RECORDING_HEAD_BYTES)
        return is_bad(error, "it has %zu bytes", byte_count);
    memcpy(head, bytes, sizeof *head);
    if (memcmp(head->magic, magic, sizeof magic) != 0)
        return is_bad(error, "it begins otherwise");
    if (head->crc32c != head_crc(head))
        return is_bad(error, "its head is damaged");
    if (head->layout != LAYOUT || head->phase_bytes != sizeof(struct phase_meter) ||
        head->histogram_bytes != sizeof(struct histogram))
        return is_bad(error, "another version of clobber wrote it");
    if (head->lanes < 1 || head->lanes > LANES_MAX || head->phases < 1 ||
        head->phases > STAGES_MAX + 1 || head->requests < 1 || head->requests > REQUEST_NAMES_MAX)
        return is_bad(error, "%u lanes, %u phases, %u requests", head->lanes, head->phases,
                      head->requests);
    return true;
}

bool recording_read_owner(const void *bytes, size_t byte_count, struct recording_owner *owner,
                          struct error *error)
{
    struct head head;
    if (!head_read(bytes, byte_count, &head, error))
        return false;
    *owner = head.owner;
    return true;
}

static bool is_count(uint64_t count)
{
    return count <= COUNTERS_COUNT_MAX;
}

/* What its cells say is what it counts. */
static bool mend_histogram(struct histogram *histogram, struct error *error)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) {
        if (!is_count(histogram->cells[i]))
            return is_bad(error, "a cell counts too much");
        total += histogram->cells[i];
    }
    if (histogram->total != total && histogram->total != total + 1 && histogram->total + 1 != total)
        return is_bad(error, "a histogram does not add up");
    if (total == 0)
        *histogram = (struct histogram){0};
    histogram->total = total;
    if (histogram->max_ns < histogram->min_ns)
        histogram->max_ns = histogram->min_ns;
    return true;
}

/* One request too few where the counters have it already: it took as long as the longest. */
static bool catch_up(struct histogram *histogram, uint64_t wanted, struct error *error)
{
    if (histogram->total + 1 == wanted)
        histogram_record(histogram, histogram->max_ns);
    return histogram->total == wanted || is_bad(error, "its histograms count other requests");
}

static void mend_counters(struct counters *counters)
{
    uint64_t impatient = counters->timed_out_connect + counters->timed_out_first_byte;
    if (impatient == counters->timed_out + 1)
        counters->timed_out++;
    uint64_t ended = counters->ok + counters_failed(counters) + counters->timed_out;
    if (counters->unwritten == ended + 1)
        counters->unwritten--; /* it had not ended */
    uint64_t taken = counters->started + counters->not_started;
    if (taken == counters->planned + 1)
        counters->planned++;
}

/* By name, as catch_up(): which one it was is known when there is one. */
static bool mend_requests(struct phase_meter *phase, uint32_t request_count, struct error *error)
{
    const struct counters *counters = &phase->counters;
    uint64_t bad = counters_failed(counters) + counters->timed_out;
    uint64_t ok_named = 0;
    uint64_t bad_named = 0;
    for (uint32_t i = 0; i < request_count; i++) {
        if (!is_count(phase->requests[i].ok) || !is_count(phase->requests[i].failed))
            return is_bad(error, "a request was counted too often");
        ok_named += phase->requests[i].ok;
        bad_named += phase->requests[i].failed;
    }
    phase->requests[0].ok += ok_named + 1 == counters->ok;
    phase->requests[0].failed += bad_named + 1 == bad;
    if (ok_named + 1 < counters->ok || ok_named > counters->ok || bad_named + 1 < bad ||
        bad_named > bad)
        return is_bad(error, "its requests are others by name");
    return true;
}

static bool mend_statuses(struct phase_meter *phase, struct error *error)
{
    for (uint32_t i = 0; i < STATUS_COUNT; i++) {
        if (!is_count(phase->statuses[i]) || phase->statuses_failed[i] > phase->statuses[i] + 1)
            return is_bad(error, "a status was counted too often");
        if (phase->statuses_failed[i] > phase->statuses[i])
            phase->statuses[i] = phase->statuses_failed[i];
    }
    return true;
}

static bool mend_phase(struct phase_meter *phase, uint32_t request_count, struct error *error)
{
    struct counters *counters = &phase->counters;
    struct error why = {0};
    mend_counters(counters);
    if (!counters_check(counters, &why))
        return is_bad(error, "%.100s", why.message);
    counters->not_started = counters->planned - counters->started; /* nobody starts it any more */
    for (uint32_t kind = 0; kind < SAMPLE_REQUEST; kind++)
        if (!mend_histogram(&phase->kinds[kind], error))
            return false;
    for (uint32_t i = 0; i < request_count; i++)
        if (!mend_histogram(&phase->request_histograms[i], error))
            return false;
    if (phase->t_to > 0 && phase->t_to < phase->t_from)
        phase->t_to = phase->t_from;
    uint64_t ended = counters->started - counters_in_flight(counters);
    return mend_statuses(phase, error) && mend_requests(phase, request_count, error) &&
           catch_up(&phase->kinds[SAMPLE_RESPONSE], ended, error) &&
           catch_up(&phase->kinds[SAMPLE_SERVICE], ended, error);
}

/* `memory`: a lane's bytes, aligned, which are mended in place. */
static bool add_lane(struct meters *sum, void *memory, struct error *error)
{
    struct meters *lane = meters_create_at(memory, sum->phase_count, sum->request_count, false);
    if (lane == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a flight recorder");
    bool well = true;
    for (uint32_t i = 0; i < lane->phase_count && well; i++)
        well = mend_phase(&lane->phases[i], lane->request_count, error);
    if (well)
        meters_add(sum, lane, true);
    meters_destroy(lane);
    return well;
}

static bool add_lanes(struct meters *sum, const struct head *head, const uint8_t *bytes,
                      struct error *error)
{
    size_t lane_bytes = meters_bytes(head->phases, head->requests);
    void *memory = malloc(lane_bytes);
    if (memory == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a flight recorder");
    bool well = true;
    for (uint32_t i = 0; i < head->lanes && well; i++) {
        memcpy(memory, bytes + RECORDING_HEAD_BYTES + i * lane_bytes, lane_bytes);
        well = add_lane(sum, memory, error);
    }
    free(memory);
    return well;
}

struct meters *recording_read(const void *bytes, size_t byte_count, struct error *error)
{
    struct head head;
    if (!head_read(bytes, byte_count, &head, error))
        return NULL;
    size_t expected = recording_bytes(&(struct recording_shape){
        .lanes = head.lanes, .phases = head.phases, .requests = head.requests});
    if (byte_count != expected) {
        is_bad(error, "it has %zu bytes and should have %zu", byte_count, expected);
        return NULL;
    }
    struct meters *sum = meters_create(head.phases, head.requests, false);
    if (sum == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a flight recorder");
        return NULL;
    }
    if (!add_lanes(sum, &head, bytes, error)) {
        meters_destroy(sum);
        return NULL;
    }
    struct recording whole;
    memcpy(&whole, bytes, sizeof whole);
    sum->t_agent = whole.t_agent;
    sum->cpu_ns = whole.cpu_ns;
    sum->idle = true;
    return sum;
}
