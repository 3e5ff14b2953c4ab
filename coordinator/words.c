#include "coordinator/words.h"

#include "common/base/check.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 64u /* one histogram each would be SAMPLE_HISTOGRAMS_MAX */
static_assert(SAMPLE_HISTOGRAMS_MAX <= PARTS_MAX, "every part has a bit in parts_seen");

static void word_destroy(struct word *word)
{
    if (word == NULL)
        return;
    for (uint32_t i = 0; i < SAMPLE_HISTOGRAMS_MAX; i++)
        free(word->histograms[i].bytes);
    free(word);
}

void words_done(struct phase_words *words)
{
    word_destroy(words->newest);
    word_destroy(words->pending);
    *words = (struct phase_words){0};
}

bool words_final(const struct phase_words *words)
{
    return words->newest != NULL && words->newest->final;
}

bool words_begun(const struct phase_words *words)
{
    return words->newest != NULL && words->newest->t_from > 0;
}

void word_histogram(const struct word *word, uint32_t index, struct histogram *histogram)
{
    CHECK(index < SAMPLE_HISTOGRAMS_MAX);
    const struct word_histogram *kept = &word->histograms[index];
    *histogram = (struct histogram){0};
    if (kept->bytes != NULL) /* what words_take() let in decodes */
        CHECK(sample_histogram_decode(kept->bytes, kept->byte_count, histogram, NULL));
}

/* Parts of one word carry the same counters; a phase that has ended keeps its t_to while the last
 * answers come in, so the time alone does not tell two words apart. */
static bool word_owns(const struct word *word, const struct sample *sample, bool final)
{
    return word->final == final && word->t_to == sample->t_to && word->parts == sample->parts &&
           memcmp(&word->counters, &sample->counters, sizeof word->counters) == 0;
}

static bool word_is_older(const struct word *word, const struct sample *sample, bool final)
{
    if (word->final != final)
        return final;
    if (word->t_to != sample->t_to)
        return word->t_to < sample->t_to;
    return counters_monotone(&sample->counters, &word->counters) &&
           memcmp(&word->counters, &sample->counters, sizeof word->counters) != 0;
}

static struct word *word_begin(const struct sample *sample, bool final)
{
    struct word *word = calloc(1, sizeof *word);
    if (word == NULL)
        return NULL;
    word->final = final;
    word->parts = sample->parts;
    word->t_from = sample->t_from;
    word->t_to = sample->t_to;
    word->counters = sample->counters;
    return word;
}

/* Statuses and request counts may come with any part, or be repeated with each: the last that says
 * any is taken. */
static bool word_add_part(struct word *word, const struct sample *sample)
{
    for (uint32_t i = 0; i < sample->histogram_count; i++) {
        const struct sample_histogram *part = &sample->histograms[i];
        uint32_t index = part->kind + (part->kind == SAMPLE_REQUEST ? part->request : 0);
        CHECK(index < SAMPLE_HISTOGRAMS_MAX);
        uint8_t *bytes = malloc(part->byte_count + 1); /* never of nothing */
        if (bytes == NULL)
            return false;
        memcpy(bytes, part->bytes, part->byte_count);
        free(word->histograms[index].bytes);
        word->histograms[index] = (struct word_histogram){bytes, part->byte_count};
    }
    if (sample->status_count > 0) {
        word->status_count = sample->status_count;
        memcpy(word->statuses, sample->statuses, sizeof word->statuses);
    }
    if (sample->request_count > 0) {
        word->request_count = sample->request_count;
        memcpy(word->requests, sample->requests, sizeof word->requests);
    }
    word->parts_seen |= UINT64_C(1) << sample->part;
    return true;
}

static bool word_is_whole(const struct word *word)
{
    uint64_t all = word->parts == PARTS_MAX ? UINT64_MAX : (UINT64_C(1) << word->parts) - 1;
    return word->parts_seen == all;
}

static bool histogram_is_monotone(const struct histogram *newer, const struct histogram *older)
{
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++)
        if (newer->cells[i] < older->cells[i])
            return false;
    return newer->sum_ns >= older->sum_ns;
}

/* What `newer` counts beyond `older`. Its least and its longest are known to a cell only. */
static void window_add(struct histogram *window, const struct histogram *newer,
                       const struct histogram *older)
{
    struct histogram difference = {.total = newer->total - older->total,
                                   .sum_ns = newer->sum_ns - older->sum_ns,
                                   .min_ns = UINT64_MAX};
    if (difference.total == 0)
        return;
    for (uint32_t i = 0; i < HISTOGRAM_CELLS; i++) {
        difference.cells[i] = newer->cells[i] - older->cells[i];
        if (difference.cells[i] == 0)
            continue;
        if (difference.min_ns == UINT64_MAX)
            difference.min_ns = histogram_cell_low(i);
        uint64_t high = i + 1 == HISTOGRAM_CELLS ? newer->max_ns : histogram_cell_high(i);
        difference.max_ns = high < newer->max_ns ? high : newer->max_ns;
    }
    histogram_add(window, &difference);
}

void status_counts_add(struct status_count *statuses, uint32_t *count,
                       const struct status_count *status)
{
    uint32_t i = 0;
    while (i < *count && statuses[i].status < status->status)
        i++;
    if (i < *count && statuses[i].status == status->status) {
        statuses[i].count += status->count;
        statuses[i].failed += status->failed;
        return;
    }
    if (*count == SAMPLE_STATUSES_MAX)
        return;
    memmove(&statuses[i + 1], &statuses[i], (*count - i) * sizeof statuses[0]);
    statuses[i] = *status;
    ++*count;
}

/* What `word` says of statuses beyond `before`; a count that fell says nothing. */
static void window_add_statuses(struct word_window *window, const struct word *word,
                                const struct word *before)
{
    for (uint32_t i = 0; i < word->status_count; i++) {
        struct status_count more = word->statuses[i];
        for (uint32_t j = 0; j < before->status_count; j++) {
            const struct status_count *known = &before->statuses[j];
            if (known->status != more.status)
                continue;
            more.count -= known->count < more.count ? known->count : more.count;
            more.failed -= known->failed < more.failed ? known->failed : more.failed;
        }
        if (more.count > 0)
            status_counts_add(window->statuses, &window->status_count, &more);
    }
}

/* Every request that ended is in both histograms of its latency. */
static bool word_check_total(const struct word *word, uint32_t index,
                             const struct histogram *histogram, struct error *error)
{
    if (index != SAMPLE_RESPONSE && index != SAMPLE_SERVICE)
        return true;
    uint64_t ended =
        word->counters.ok + counters_failed(&word->counters) + word->counters.timed_out;
    if (histogram->total == ended)
        return true;
    return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                     "its %s histogram counts %llu requests and its counters %llu",
                     index == SAMPLE_RESPONSE ? "response" : "service",
                     (unsigned long long)histogram->total, (unsigned long long)ended);
}

/* `word` is whole. Decodes all of it once, so that it can be trusted from then on. */
static bool word_check(const struct word *word, const struct word *before,
                       struct word_window *window, struct error *error)
{
    static const struct word nothing;
    static const struct histogram empty;
    struct histogram newer;
    struct histogram older;
    if (before == NULL)
        before = &nothing;
    if (!counters_monotone(&word->counters, &before->counters))
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "a counter of a phase fell");
    for (uint32_t i = 0; i < SAMPLE_HISTOGRAMS_MAX; i++) {
        const struct word_histogram *kept = &word->histograms[i];
        if (kept->bytes == NULL && before->histograms[i].bytes == NULL) { /* as most are */
            if (!word_check_total(word, i, &empty, error))
                return false;
            continue;
        }
        if (kept->bytes == NULL)
            newer = empty;
        else if (!sample_histogram_decode(kept->bytes, kept->byte_count, &newer, error))
            return false;
        if (!word_check_total(word, i, &newer, error))
            return false;
        word_histogram(before, i, &older);
        if (!histogram_is_monotone(&newer, &older))
            return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "a cell of a histogram fell");
        if (window != NULL && (i == SAMPLE_RESPONSE || i == SAMPLE_SERVICE))
            window_add(i == SAMPLE_RESPONSE ? &window->response : &window->service, &newer, &older);
    }
    if (window != NULL)
        window_add_statuses(window, word, before);
    return true;
}

enum word_outcome words_take(struct phase_words *words, const struct sample *sample, bool final,
                             struct word_window *window, struct error *error)
{
    CHECK(sample->part < sample->parts);
    if (sample->parts > PARTS_MAX) {
        error_set(error, ERROR_PROTOCOL, PLACE_NONE, "a sample in %u parts", sample->parts);
        return WORD_CORRUPT;
    }
    if (words->newest != NULL && !word_is_older(words->newest, sample, final))
        return WORD_STALE;
    if (words->pending != NULL && !word_owns(words->pending, sample, final)) {
        if (!word_is_older(words->pending, sample, final))
            return WORD_STALE;
        word_destroy(words->pending);
        words->pending = NULL;
    }
    if (words->pending == NULL)
        words->pending = word_begin(sample, final);
    if (words->pending == NULL || !word_add_part(words->pending, sample))
        return WORD_DROPPED;
    if (!word_is_whole(words->pending))
        return WORD_TAKEN;

    struct word *whole = words->pending;
    words->pending = NULL;
    if (!word_check(whole, words->newest, window, error)) {
        word_destroy(whole);
        return WORD_CORRUPT;
    }
    word_destroy(words->newest);
    words->newest = whole;
    return WORD_TAKEN;
}
