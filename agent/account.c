#include "agent/account.h"

#include "common/base/check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct account {
    struct sample sample; /* all but its histograms, the same in every part */
    uint32_t histogram_count;
    struct sample_histogram histograms[SAMPLE_HISTOGRAMS_MAX];
    uint32_t part_from[ACCOUNT_PARTS_MAX + 1]; /* [parts + 1]: the first histogram of each */
    uint8_t digest[DIGEST_BYTES_MAX];
    size_t byte_count;
    uint8_t bytes[SAMPLE_HISTOGRAMS_MAX * HISTOGRAM_BYTES_MAX];
};

/* Its pages are taken as they are used: few agents have many histograms. */
struct account *account_create(void)
{
    struct account *account = malloc(sizeof *account);
    if (account != NULL)
        memset(account, 0, offsetof(struct account, bytes));
    return account;
}

void account_destroy(struct account *account)
{
    free(account);
}

struct beat account_beat(struct account *account, const struct meters *meters)
{
    struct beat beat = {
        .t_agent = meters->t_agent,
        .counters = meters_total(meters),
        .cpu_ns = meters->cpu_ns,
        .workers = meters->workers,
        .in_flight = meters->in_flight,
        .backlog = meters->backlog,
        .demand_peak = meters->demand_peak,
        .lanes = meters->lanes,
        .lane_load_permille = meters->lane_load_permille,
        .send_lag_max_us = meters->send_lag_max_us,
        .flags = meters->flags,
        .index_block = meters->index_block,
        .index_used = meters->index_used,
    };
    if (meters->digest != NULL) {
        beat.digest = account->digest;
        beat.digest_bytes = digest_encode(meters->digest, account->digest, sizeof account->digest);
        CHECK(beat.digest_bytes > 0);
    }
    return beat;
}

bool account_agrees(const struct phase_meter *phase)
{
    uint64_t ended = phase->counters.started - counters_in_flight(&phase->counters);
    return phase->kinds[SAMPLE_RESPONSE].total == ended &&
           phase->kinds[SAMPLE_SERVICE].total == ended;
}

/* A target that answers with more different statuses than a message lists is making them up: those
 * above are left out of the list; they stay in the counters. */
static void put_statuses(struct sample *sample, const struct phase_meter *phase)
{
    for (uint32_t i = 0; i < STATUS_COUNT && sample->status_count < SAMPLE_STATUSES_MAX; i++) {
        if (phase->statuses[i] == 0)
            continue;
        sample->statuses[sample->status_count++] = (struct status_count){
            .status = STATUS_MIN + i,
            .count = phase->statuses[i],
            .failed = phase->statuses_failed[i],
        };
    }
}

static void put_histogram(struct account *account, enum sample_kind kind, uint32_t request,
                          const struct histogram *histogram)
{
    if (histogram->total == 0)
        return;
    CHECK(account->histogram_count < SAMPLE_HISTOGRAMS_MAX);
    uint8_t *bytes = account->bytes + account->byte_count;
    size_t byte_count =
        sample_histogram_encode(histogram, bytes, sizeof account->bytes - account->byte_count);
    CHECK(byte_count > 0);
    account->byte_count += byte_count;
    account->histograms[account->histogram_count++] = (struct sample_histogram){
        .kind = kind,
        .request = request,
        .bytes = bytes,
        .byte_count = byte_count,
    };
}

/* Fills one message after the other, in order. */
static void split(struct account *account)
{
    uint32_t parts = 1;
    size_t byte_count = 0;
    account->part_from[0] = 0;
    for (uint32_t i = 0; i < account->histogram_count; i++) {
        if (byte_count + account->histograms[i].byte_count > ACCOUNT_PART_BYTES) {
            CHECK(parts < ACCOUNT_PARTS_MAX);
            account->part_from[parts++] = i;
            byte_count = 0;
        }
        byte_count += account->histograms[i].byte_count;
    }
    account->part_from[parts] = account->histogram_count;
    account->sample.parts = parts;
}

uint32_t account_phase(struct account *account, const struct meters *meters, uint32_t phase,
                       uint64_t t_to)
{
    CHECK(phase < meters->phase_count);

    const struct phase_meter *from = &meters->phases[phase];
    account->histogram_count = 0;
    account->byte_count = 0;
    account->sample = (struct sample){
        .phase = phase,
        .t_from = from->t_from,
        .t_to = from->t_to > 0 ? from->t_to : t_to,
        .counters = from->counters,
        .request_count = meters->request_count,
    };
    if (account->sample.t_to < account->sample.t_from)
        account->sample.t_to = account->sample.t_from; /* begun after the meters were asked for */
    put_statuses(&account->sample, from);
    for (uint32_t i = 0; i < meters->request_count; i++)
        account->sample.requests[i] = from->requests[i];
    for (uint32_t kind = 0; kind < SAMPLE_REQUEST; kind++)
        put_histogram(account, (enum sample_kind)kind, 0, &from->kinds[kind]);
    for (uint32_t i = 0; i < meters->request_count; i++)
        put_histogram(account, SAMPLE_REQUEST, i, &from->request_histograms[i]);
    split(account);
    return account->sample.parts;
}

void account_part(const struct account *account, uint32_t part, struct sample *sample)
{
    CHECK(part < account->sample.parts);

    *sample = account->sample;
    sample->part = part;
    for (uint32_t i = account->part_from[part]; i < account->part_from[part + 1]; i++)
        sample->histograms[sample->histogram_count++] = account->histograms[i];
}
