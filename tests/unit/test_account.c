#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/account.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#define CELL_COUNT (UINT64_C(1) << 49) /* eight bytes as a varint, and the total still fits */

/* A phase that takes as much room as one can: every cell of every histogram counts a lot, every
 * status came. */
static struct meters *heavy_meters(void)
{
    struct meters *meters = meters_create(1, REQUEST_NAMES_MAX, false);
    assert_non_null(meters);
    struct histogram *full = calloc(1, sizeof *full);
    assert_non_null(full);
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++)
        full->cells[i] = CELL_COUNT;
    full->total = CELL_COUNT * HISTOGRAM_CELLS;
    full->sum_ns = UINT64_MAX;
    full->max_ns = HISTOGRAM_NS_MAX;
    struct phase_meter *phase = &meters->phases[0];
    phase->t_from = 5;
    for (uint32_t i = 0; i < SAMPLE_REQUEST; i++)
        phase->kinds[i] = *full;
    for (uint32_t i = 0; i < REQUEST_NAMES_MAX; i++)
        phase->request_histograms[i] = *full;
    for (uint32_t i = 0; i < STATUS_COUNT; i++)
        phase->statuses[i] = phase->statuses_failed[i] = CELL_COUNT;
    free(full);
    return meters;
}

static void account_splits_a_large_phase_into_parts_that_fit(void **state)
{
    (void)state;
    struct meters *meters = heavy_meters();
    struct account *account = account_create();
    uint8_t *bytes = malloc(MESSAGE_BYTES_MAX);
    bool seen[SAMPLE_HISTOGRAMS_MAX] = {false};

    uint32_t parts = account_phase(account, meters, 0, 77);

    assert_true(parts > 1);
    assert_true(parts <= ACCOUNT_PARTS_MAX);
    for (uint32_t part = 0; part < parts; part++) {
        struct message message = {.type = MESSAGE_SAMPLE, .epoch = UINT64_MAX, .seq = UINT64_MAX};
        struct sample *sample = &message.as.sample;
        account_part(account, part, sample);
        assert_int_equal(sample->part, part);
        assert_int_equal(sample->parts, parts);
        assert_int_equal(sample->t_from, 5);
        assert_int_equal(sample->t_to, 77);
        assert_int_equal(sample->status_count, SAMPLE_STATUSES_MAX);
        assert_int_equal(sample->request_count, REQUEST_NAMES_MAX);
        for (uint32_t i = 0; i < sample->histogram_count; i++) {
            uint32_t index = sample->histograms[i].kind + sample->histograms[i].request;
            assert_false(seen[index]);
            seen[index] = true;
        }
        size_t length = message_encode(&message, bytes, MESSAGE_BYTES_MAX);
        assert_in_range(length, 1, SAMPLE_BYTES_MAX);
    }
    for (uint32_t i = 0; i < SAMPLE_HISTOGRAMS_MAX; i++)
        assert_true(seen[i]);

    free(bytes);
    account_destroy(account);
    meters_destroy(meters);
}

static void account_of_an_empty_phase_is_one_part(void **state)
{
    (void)state;
    struct meters *meters = meters_create(2, 1, false);
    struct account *account = account_create();
    struct sample sample;

    assert_int_equal(account_phase(account, meters, 1, 77), 1);
    account_part(account, 0, &sample);

    assert_int_equal(sample.phase, 1);
    assert_int_equal(sample.histogram_count, 0);
    assert_int_equal(sample.status_count, 0);
    assert_int_equal(sample.t_from, 0);

    account_destroy(account);
    meters_destroy(meters);
}

static void account_gives_back_the_same_histogram(void **state)
{
    (void)state;
    struct meters *meters = meters_create(1, 2, false);
    struct account *account = account_create();
    struct sample sample;
    struct histogram back;
    struct error error = {0};
    histogram_record(&meters->phases[0].request_histograms[1], 12345);

    account_phase(account, meters, 0, 1);
    account_part(account, 0, &sample);

    assert_int_equal(sample.histogram_count, 1);
    assert_int_equal(sample.histograms[0].kind, SAMPLE_REQUEST);
    assert_int_equal(sample.histograms[0].request, 1);
    assert_true(sample_histogram_decode(sample.histograms[0].bytes, sample.histograms[0].byte_count,
                                        &back, &error));
    assert_memory_equal(&back, &meters->phases[0].request_histograms[1], sizeof back);

    account_destroy(account);
    meters_destroy(meters);
}

static void a_beat_carries_a_digest_when_the_meters_have_one(void **state)
{
    (void)state;
    struct meters *without = meters_create(1, 1, false);
    struct meters *with = meters_create(1, 1, true);
    struct account *account = account_create();
    struct digest back;
    digest_record(with->digest, 12345);

    assert_int_equal(account_beat(account, without).digest_bytes, 0);
    struct beat beat = account_beat(account, with);

    assert_true(digest_decode(beat.digest, beat.digest_bytes, &back, NULL));
    assert_memory_equal(&back, with->digest, sizeof back);
    account_destroy(account);
    meters_destroy(with);
    meters_destroy(without);
}

static void account_ends_a_phase_when_it_ended(void **state)
{
    (void)state;
    struct meters *meters = meters_create(1, 1, false);
    struct account *account = account_create();
    struct sample sample;
    meters->phases[0].t_from = 50;
    meters->phases[0].t_to = 60;

    account_phase(account, meters, 0, 77);
    account_part(account, 0, &sample);
    assert_int_equal(sample.t_to, 60);

    meters->phases[0].t_to = 0; /* begun while the lanes were being asked */
    account_phase(account, meters, 0, 40);
    account_part(account, 0, &sample);
    assert_int_equal(sample.t_to, 50);

    account_destroy(account);
    meters_destroy(meters);
}

static void account_agrees_only_when_histograms_count_what_ended(void **state)
{
    (void)state;
    struct meters *meters = meters_create(1, 1, false);
    struct phase_meter *phase = &meters->phases[0];

    assert_true(account_agrees(phase));
    phase->counters.started = 2;
    phase->counters.timed_out = 1;
    assert_false(account_agrees(phase));
    histogram_record(&phase->kinds[SAMPLE_RESPONSE], 1);
    assert_false(account_agrees(phase));
    histogram_record(&phase->kinds[SAMPLE_SERVICE], 1);
    assert_true(account_agrees(phase));

    meters_destroy(meters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(account_splits_a_large_phase_into_parts_that_fit),
        cmocka_unit_test(account_of_an_empty_phase_is_one_part),
        cmocka_unit_test(account_gives_back_the_same_histogram),
        cmocka_unit_test(a_beat_carries_a_digest_when_the_meters_have_one),
        cmocka_unit_test(account_ends_a_phase_when_it_ended),
        cmocka_unit_test(account_agrees_only_when_histograms_count_what_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
