#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/words.h"

#include <stdlib.h>

static uint8_t bytes[2][HISTOGRAM_BYTES_MAX];

/* A word of `ok` requests of 1 ms each, in one part, at `t_to`. */
static struct sample say(uint64_t t_to, uint64_t ok)
{
    struct histogram histogram = {0};
    for (uint64_t i = 0; i < ok; i++)
        histogram_record(&histogram, 1000000);
    struct sample sample = {.parts = 1,
                            .t_from = 1,
                            .t_to = t_to,
                            .counters = {.planned = ok, .started = ok, .ok = ok}};
    size_t count = sample_histogram_encode(&histogram, bytes[0], sizeof bytes[0]);
    for (uint32_t i = 0; i < 2; i++)
        sample.histograms[i] =
            (struct sample_histogram){.kind = i, .bytes = bytes[0], .byte_count = count};
    sample.histogram_count = 2;
    return sample;
}

static enum word_outcome take(struct phase_words *words, const struct sample *sample, bool final,
                              struct word_window *window)
{
    struct error error = {0};
    return words_take(words, sample, final, window, &error);
}

static uint64_t ok_of(const struct phase_words *words)
{
    return words->newest == NULL ? 0 : words->newest->counters.ok;
}

static void the_newest_word_stands_and_adds_its_difference(void **state)
{
    (void)state;
    struct phase_words words = {0};
    struct word_window *window = calloc(1, sizeof *window);
    assert_non_null(window);

    struct sample sample = say(10, 5);
    assert_int_equal(take(&words, &sample, false, window), WORD_TAKEN);
    assert_int_equal(take(&words, &sample, false, window), WORD_STALE);
    sample = say(20, 8);
    assert_int_equal(take(&words, &sample, false, window), WORD_TAKEN);
    sample = say(15, 7);
    assert_int_equal(take(&words, &sample, false, window), WORD_STALE);

    assert_int_equal(ok_of(&words), 8);
    assert_int_equal(window->response.total, 8);
    assert_int_equal(window->service.total, 8);
    assert_int_equal(window->service.sum_ns, 8000000);
    free(window);
    words_done(&words);
}

static void a_phase_that_has_ended_still_counts_the_answers_that_come_in(void **state)
{
    (void)state;
    struct phase_words words = {0};

    struct sample sample = say(10, 5);
    take(&words, &sample, false, NULL);
    sample = say(10, 6);

    assert_int_equal(take(&words, &sample, false, NULL), WORD_TAKEN);
    assert_int_equal(ok_of(&words), 6);
    words_done(&words);
}

static void a_word_counts_when_all_its_parts_are_there_in_any_order(void **state)
{
    (void)state;
    struct phase_words words = {0};
    struct sample whole = say(10, 5);
    struct sample parts[2] = {whole, whole};
    for (uint32_t i = 0; i < 2; i++) {
        parts[i].part = i;
        parts[i].parts = 2;
        parts[i].histogram_count = 1;
        parts[i].histograms[0] = whole.histograms[i];
    }

    assert_int_equal(take(&words, &parts[1], false, NULL), WORD_TAKEN);
    assert_int_equal(take(&words, &parts[1], false, NULL), WORD_TAKEN);
    assert_null(words.newest);
    assert_int_equal(take(&words, &parts[0], false, NULL), WORD_TAKEN);

    assert_int_equal(ok_of(&words), 5);
    words_done(&words);
}

static void a_newer_word_replaces_the_parts_of_an_older_one(void **state)
{
    (void)state;
    struct phase_words words = {0};
    struct sample part = say(10, 5);
    part.parts = 2;
    take(&words, &part, false, NULL);

    struct sample newer = say(20, 6);
    take(&words, &newer, false, NULL);
    part.part = 1;

    assert_int_equal(take(&words, &part, false, NULL), WORD_STALE);
    assert_int_equal(ok_of(&words), 6);
    words_done(&words);
}

static void nothing_comes_after_the_final_word(void **state)
{
    (void)state;
    struct phase_words words = {0};
    struct sample sample = say(10, 5);

    assert_int_equal(take(&words, &sample, true, NULL), WORD_TAKEN);
    assert_true(words_final(&words));
    assert_int_equal(take(&words, &sample, true, NULL), WORD_STALE);
    sample = say(20, 9);
    assert_int_equal(take(&words, &sample, false, NULL), WORD_STALE);

    assert_int_equal(ok_of(&words), 5);
    words_done(&words);
}

static void what_cannot_be_is_corrupt_and_leaves_the_last_good_word(void **state)
{
    (void)state;
    struct phase_words words = {0};
    struct sample sample = say(10, 5);
    take(&words, &sample, false, NULL);

    struct sample fallen = say(20, 4);
    assert_int_equal(take(&words, &fallen, false, NULL), WORD_CORRUPT);
    struct sample unequal = say(20, 6);
    unequal.counters.ok = 7;
    assert_int_equal(take(&words, &unequal, false, NULL), WORD_CORRUPT);
    struct sample torn = say(20, 6);
    torn.histograms[0].byte_count--;
    assert_int_equal(take(&words, &torn, false, NULL), WORD_CORRUPT);
    struct sample in_many = say(20, 6);
    in_many.parts = 65;
    assert_int_equal(take(&words, &in_many, false, NULL), WORD_CORRUPT);

    assert_int_equal(ok_of(&words), 5);
    words_done(&words);
}

static void a_cell_that_fell_is_corrupt_though_the_total_grew(void **state)
{
    (void)state;
    struct phase_words words = {0};
    struct sample sample = say(10, 5);
    take(&words, &sample, false, NULL);

    struct histogram moved = {0};
    for (uint32_t i = 0; i < 6; i++)
        histogram_record(&moved, 9000000);
    struct sample other = say(20, 6);
    size_t count = sample_histogram_encode(&moved, bytes[1], sizeof bytes[1]);
    other.histograms[1].bytes = bytes[1];
    other.histograms[1].byte_count = count;

    assert_int_equal(take(&words, &other, false, NULL), WORD_CORRUPT);
    words_done(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_word_stands_and_adds_its_difference),
        cmocka_unit_test(a_phase_that_has_ended_still_counts_the_answers_that_come_in),
        cmocka_unit_test(a_word_counts_when_all_its_parts_are_there_in_any_order),
        cmocka_unit_test(a_newer_word_replaces_the_parts_of_an_older_one),
        cmocka_unit_test(nothing_comes_after_the_final_word),
        cmocka_unit_test(what_cannot_be_is_corrupt_and_leaves_the_last_good_word),
        cmocka_unit_test(a_cell_that_fell_is_corrupt_though_the_total_grew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
