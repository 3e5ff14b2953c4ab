#include "coordinator/series.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool series_init(struct series *series)
{
    *series = (struct series){.bin_s = SERIES_BIN_S,
                              .bins = calloc(SERIES_BINS_MAX, sizeof *series->bins)};
    return series->bins != NULL;
}

void series_done(struct series *series)
{
    for (uint32_t i = 0; i < series->agent_count; i++)
        free(series->agents[i]);
    free(series->bins);
    *series = (struct series){0};
}

static struct series_value value_join(struct series_value a, struct series_value b)
{
    return (struct series_value){a.sum + b.sum, fmin(a.lowest, b.lowest),
                                 fmax(a.highest, b.highest)};
}

static uint64_t higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static struct series_latency latency_join(struct series_latency a, struct series_latency b)
{
    return (struct series_latency){higher(a.p50_ns, b.p50_ns), higher(a.p90_ns, b.p90_ns),
                                   higher(a.p99_ns, b.p99_ns), higher(a.p999_ns, b.p999_ns),
                                   higher(a.max_ns, b.max_ns)};
}

double series_throughput_per_s(const struct series_bin *bin)
{
    if (bin->covered_ns == 0)
        return 0.0;
    return (double)(bin->ok + bin->failed) / ((double)bin->covered_ns / 1e9);
}

/* A bin without a tick has no lowest. */
static void bin_join_ticks(struct series_bin *bin, const struct series_bin *other)
{
    if (other->ticks == 0)
        return;
    bool first = bin->ticks == 0;
    bin->throughput = first ? other->throughput : value_join(bin->throughput, other->throughput);
    bin->workers = first ? other->workers : value_join(bin->workers, other->workers);
    bin->ticks += other->ticks;
    bin->goal_sum += other->goal_sum;
    bin->in_flight_sum += other->in_flight_sum;
    bin->backlog_highest = fmax(bin->backlog_highest, other->backlog_highest);
}

void series_bin_join(struct series_bin *bin, const struct series_bin *other)
{
    bin_join_ticks(bin, other);
    bin->covered_ns += other->covered_ns;
    bin->ok += other->ok;
    bin->failed += other->failed;
    bin->timed_out += other->timed_out;
    for (uint32_t i = 0; i < SERIES_CLASSES_MAX; i++)
        bin->errors[i] += other->errors[i];
    bin->measured = bin->measured || other->measured;
    bin->response = latency_join(bin->response, other->response);
    bin->service = latency_join(bin->service, other->service);
}

static void agent_bin_join(struct series_agent_bin *bin, const struct series_agent_bin *other)
{
    /* Sums and ticks lose their last bit before they overflow: their quotient is what counts. */
    if (bin->ticks > UINT16_MAX - other->ticks) {
        bin->share_sum /= 2.0f;
        bin->load_sum /= 2.0f;
        bin->ticks /= 2;
    }
    bin->share_sum += other->share_sum;
    bin->load_sum += other->load_sum;
    bin->ticks = (uint16_t)(bin->ticks + other->ticks);
    bin->send_lag_us = (uint32_t)higher(bin->send_lag_us, other->send_lag_us);
}

/* Two bins become one, all along. */
static void halve(struct series *series)
{
    static_assert(SERIES_BINS_MAX % 2 == 0, "bins are merged in pairs");
    for (uint32_t i = 0; i < SERIES_BINS_MAX / 2; i++) {
        struct series_bin bin = series->bins[2 * i];
        series_bin_join(&bin, &series->bins[2 * i + 1]);
        series->bins[i] = bin;
        for (uint32_t j = 0; j < series->agent_count; j++) {
            struct series_agent_bin *bins = series->agents[j]->bins;
            struct series_agent_bin part = bins[2 * i];
            agent_bin_join(&part, &bins[2 * i + 1]);
            bins[i] = part;
        }
    }
    memset(&series->bins[SERIES_BINS_MAX / 2], 0, SERIES_BINS_MAX / 2 * sizeof *series->bins);
    for (uint32_t j = 0; j < series->agent_count; j++)
        memset(&series->agents[j]->bins[SERIES_BINS_MAX / 2], 0,
               SERIES_BINS_MAX / 2 * sizeof series->agents[j]->bins[0]);
    series->bin_s *= 2;
    series->count = (series->count + 1) / 2;
}

/* The index of the bin of `at_ns`, for which there is room from now on. */
static uint32_t bin_at(struct series *series, uint64_t at_ns)
{
    CHECK(at_ns <= RUN_S_MAX * NS_PER_S);
    while (at_ns / (series->bin_s * NS_PER_S) >= SERIES_BINS_MAX)
        halve(series);
    uint32_t index = (uint32_t)(at_ns / (series->bin_s * NS_PER_S));
    if (index >= series->count)
        series->count = index + 1;
    return index;
}

void series_add_tick(struct series *series, uint64_t at_ns, const struct series_tick *tick)
{
    double throughput = tick->throughput_per_s;
    struct series_bin bin = {.covered_ns = tick->span_ns,
                             .ticks = tick->whole,
                             .throughput = {throughput, throughput, throughput},
                             .workers = {tick->workers, tick->workers, tick->workers},
                             .goal_sum = tick->goal,
                             .in_flight_sum = tick->in_flight,
                             .backlog_highest = tick->backlog,
                             .ok = tick->ok,
                             .failed = tick->failed,
                             .timed_out = tick->timed_out};
    series_bin_join(&series->bins[bin_at(series, at_ns)], &bin);
}

void series_add_latency(struct series *series, uint64_t at_ns,
                        const struct series_latency *response, const struct series_latency *service)
{
    struct series_bin bin = {.measured = true, .response = *response, .service = *service};
    series_bin_join(&series->bins[bin_at(series, at_ns)], &bin);
}

static uint32_t class_of(struct series *series, const char *name)
{
    uint32_t i = 0;
    while (i < series->class_count && strcmp(series->classes[i], name) != 0)
        i++;
    if (i == SERIES_CLASSES_MAX)
        return i - 1;
    if (i == series->class_count) {
        bool last = i + 1 == SERIES_CLASSES_MAX;
        snprintf(series->classes[i], SERIES_NAME_BYTES, "%s", last ? "other" : name);
        series->class_count++;
    }
    return i;
}

void series_add_errors(struct series *series, uint64_t at_ns, const char *class, uint64_t count)
{
    if (count > 0)
        series->bins[bin_at(series, at_ns)].errors[class_of(series, class)] += count;
}

/* NULL: not known. Ticks name their agents in one order, so its place of the last time is nearly
 * always its place. */
static struct series_agent *agent_find(struct series *series, uint32_t place, const char *name)
{
    if (place < series->agent_count && strcmp(series->agents[place]->name, name) == 0)
        return series->agents[place];
    for (uint32_t i = 0; i < series->agent_count; i++)
        if (strcmp(series->agents[i]->name, name) == 0)
            return series->agents[i];
    return NULL;
}

bool series_add_agent(struct series *series, uint64_t at_ns, uint32_t place, const char *name,
                      const struct series_agent_tick *tick)
{
    if (place >= SERIES_AGENTS_MAX)
        return true;
    uint32_t index = bin_at(series, at_ns);
    struct series_agent *agent = agent_find(series, place, name);
    if (agent == NULL && series->agent_count == SERIES_AGENTS_MAX)
        return true;
    if (agent == NULL) {
        agent = calloc(1, sizeof *agent);
        if (agent == NULL)
            return false;
        snprintf(agent->name, sizeof agent->name, "%s", name);
        series->agents[series->agent_count++] = agent;
    }
    struct series_agent_bin bin = {.share_sum = (float)tick->share,
                                   .load_sum = (float)tick->load,
                                   .ticks = 1,
                                   .send_lag_us = tick->send_lag_us};
    agent_bin_join(&agent->bins[index], &bin);
    return true;
}
