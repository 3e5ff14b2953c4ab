#include "agent/meter.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

static void check_shape(uint32_t phase_count, uint32_t request_count)
{
    CHECK(phase_count >= 1);
    CHECK(phase_count <= STAGES_MAX + 1);
    CHECK(request_count >= 1);
    CHECK(request_count <= REQUEST_NAMES_MAX);
}

size_t meters_bytes(uint32_t phase_count, uint32_t request_count)
{
    check_shape(phase_count, request_count);
    return phase_count *
           (sizeof(struct phase_meter) +
            request_count * (sizeof(struct request_count) + sizeof(struct histogram)));
}

struct meters *meters_create_at(void *memory, uint32_t phase_count, uint32_t request_count,
                                bool digest)
{
    check_shape(phase_count, request_count);
    CHECK((uintptr_t)memory % sizeof(uint64_t) == 0);

    struct meters *meters = calloc(1, sizeof *meters);
    if (meters == NULL)
        return NULL;
    meters->phase_count = phase_count;
    meters->request_count = request_count;
    meters->phases = memory;
    meters->borrowed = true;
    struct request_count *requests = (struct request_count *)(meters->phases + phase_count);
    struct histogram *histograms =
        (struct histogram *)(requests + (size_t)phase_count * request_count);
    for (uint32_t i = 0; i < phase_count; i++) {
        meters->phases[i].requests = requests + (size_t)i * request_count;
        meters->phases[i].request_histograms = histograms + (size_t)i * request_count;
    }
    if (digest)
        meters->digest = calloc(1, sizeof *meters->digest);
    if (digest && meters->digest == NULL) {
        meters_destroy(meters);
        return NULL;
    }
    return meters;
}

struct meters *meters_create(uint32_t phase_count, uint32_t request_count, bool digest)
{
    void *memory = calloc(1, meters_bytes(phase_count, request_count));
    if (memory == NULL)
        return NULL;
    struct meters *meters = meters_create_at(memory, phase_count, request_count, digest);
    if (meters == NULL)
        free(memory);
    else
        meters->borrowed = false;
    return meters;
}

void meters_destroy(struct meters *meters)
{
    if (meters == NULL)
        return;
    if (!meters->borrowed)
        free(meters->phases);
    free(meters->digest);
    free(meters);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The earlier of two moments of which 0 means that it has not come. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* Most histograms of most phases are empty: one that is costs neither time nor a page. */
static void add_histogram(struct histogram *histogram, const struct histogram *other)
{
    if (other->total > 0)
        histogram_add(histogram, other);
}

static void copy_histogram(struct histogram *histogram, const struct histogram *other)
{
    if (other->total > 0 || histogram->total > 0)
        *histogram = *other;
}

static void add_phase(struct phase_meter *phase, const struct phase_meter *other,
                      uint32_t request_count, bool histograms)
{
    phase->t_from = earlier(phase->t_from, other->t_from);
    phase->t_to = larger(phase->t_to, other->t_to);
    counters_add(&phase->counters, &other->counters);
    for (uint32_t i = 0; i < STATUS_COUNT; i++) {
        phase->statuses[i] += other->statuses[i];
        phase->statuses_failed[i] += other->statuses_failed[i];
    }
    for (uint32_t i = 0; i < request_count; i++) {
        phase->requests[i].ok += other->requests[i].ok;
        phase->requests[i].failed += other->requests[i].failed;
    }
    if (!histograms)
        return;
    for (uint32_t i = 0; i < SAMPLE_REQUEST; i++)
        add_histogram(&phase->kinds[i], &other->kinds[i]);
    for (uint32_t i = 0; i < request_count; i++)
        add_histogram(&phase->request_histograms[i], &other->request_histograms[i]);
}

static void copy_phase(struct phase_meter *phase, const struct phase_meter *other,
                       uint32_t request_count, bool histograms)
{
    phase->t_from = other->t_from;
    phase->t_to = other->t_to;
    phase->counters = other->counters;
    memcpy(phase->statuses, other->statuses, sizeof phase->statuses);
    memcpy(phase->statuses_failed, other->statuses_failed, sizeof phase->statuses_failed);
    memcpy(phase->requests, other->requests, request_count * sizeof *phase->requests);
    if (!histograms)
        return;
    for (uint32_t i = 0; i < SAMPLE_REQUEST; i++)
        copy_histogram(&phase->kinds[i], &other->kinds[i]);
    for (uint32_t i = 0; i < request_count; i++)
        copy_histogram(&phase->request_histograms[i], &other->request_histograms[i]);
}

static void check_same_shape(const struct meters *meters, const struct meters *other)
{
    CHECK(meters->phase_count == other->phase_count);
    CHECK(meters->request_count == other->request_count);
    CHECK((meters->digest == NULL) == (other->digest == NULL));
}

void meters_add(struct meters *meters, const struct meters *other, bool histograms)
{
    check_same_shape(meters, other);

    meters->idle = meters->t_agent == 0 ? other->idle : meters->idle && other->idle;
    meters->t_agent = larger(meters->t_agent, other->t_agent);
    meters->cpu_ns += other->cpu_ns;
    meters->workers += other->workers;
    meters->in_flight += other->in_flight;
    meters->backlog += other->backlog;
    meters->demand_peak += other->demand_peak;
    meters->lanes += other->lanes;
    meters->lane_load_permille =
        (uint32_t)larger(meters->lane_load_permille, other->lane_load_permille);
    meters->send_lag_max_us = (uint32_t)larger(meters->send_lag_max_us, other->send_lag_max_us);
    meters->flags |= other->flags;
    if (meters->digest != NULL)
        digest_add(meters->digest, other->digest);
    for (uint32_t i = 0; i < meters->phase_count; i++)
        add_phase(&meters->phases[i], &other->phases[i], meters->request_count, histograms);
}

void meters_copy(struct meters *meters, const struct meters *other, bool histograms)
{
    check_same_shape(meters, other);

    struct phase_meter *phases = meters->phases;
    struct digest *digest = meters->digest;
    bool borrowed = meters->borrowed;
    *meters = *other;
    meters->phases = phases;
    meters->digest = digest;
    meters->borrowed = borrowed;
    if (digest != NULL)
        *digest = *other->digest;
    for (uint32_t i = 0; i < meters->phase_count; i++)
        copy_phase(&meters->phases[i], &other->phases[i], meters->request_count, histograms);
}

static void clear_histogram(struct histogram *histogram)
{
    if (histogram->total > 0)
        *histogram = (struct histogram){0};
}

static void clear_phase(struct phase_meter *phase, uint32_t request_count)
{
    phase->t_from = 0;
    phase->t_to = 0;
    phase->counters = (struct counters){0};
    memset(phase->statuses, 0, sizeof phase->statuses);
    memset(phase->statuses_failed, 0, sizeof phase->statuses_failed);
    memset(phase->requests, 0, request_count * sizeof *phase->requests);
    for (uint32_t i = 0; i < SAMPLE_REQUEST; i++)
        clear_histogram(&phase->kinds[i]);
    for (uint32_t i = 0; i < request_count; i++)
        clear_histogram(&phase->request_histograms[i]);
}

void meters_clear(struct meters *meters)
{
    struct meters empty = {
        .phase_count = meters->phase_count,
        .request_count = meters->request_count,
        .phases = meters->phases,
        .digest = meters->digest,
        .borrowed = meters->borrowed,
    };
    *meters = empty;
    if (meters->digest != NULL)
        *meters->digest = (struct digest){0};
    for (uint32_t i = 0; i < meters->phase_count; i++)
        clear_phase(&meters->phases[i], meters->request_count);
}

struct counters meters_total(const struct meters *meters)
{
    struct counters total = {0};
    for (uint32_t i = 0; i < meters->phase_count; i++)
        counters_add(&total, &meters->phases[i].counters);
    return total;
}
