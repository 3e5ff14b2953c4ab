/** An agent's words on one phase: samples and the final one, gathered from their parts and checked.
 *
 *  All is cumulative, so the newest whole word is all there is to know. Histograms are kept as they
 * came, sparse: a thousand agents with a hundred phases each would not fit in memory otherwise. */
#ifndef CLOBBER_COORDINATOR_WORDS_H
#define CLOBBER_COORDINATOR_WORDS_H

#include "common/base/error.h"
#include "common/base/histogram.h"
#include "proto/sample.h"

#include <stdbool.h>
#include <stdint.h>

/** A histogram as it came over the wire; no bytes: empty. */
struct word_histogram {
    uint8_t *bytes; /* owned */
    size_t byte_count;
};

/** One word, whole or still in parts. */
struct word {
    bool final;
    uint32_t parts;
    uint64_t parts_seen; /* a bit each */
    uint64_t t_from, t_to;
    struct counters counters;
    uint32_t status_count;
    struct status_count statuses[SAMPLE_STATUSES_MAX];
    uint32_t request_count;
    struct request_count requests[REQUEST_NAMES_MAX];
    struct word_histogram histograms[SAMPLE_HISTOGRAMS_MAX]; /* by kind; SAMPLE_REQUEST + request */
};

/** Plain data; a zeroed one has heard nothing. */
struct phase_words {
    struct word *newest;  /* owned; whole and checked; NULL: none yet */
    struct word *pending; /* owned; parts of one that is newer; NULL: none */
};

/** What ended lately, over all agents: the differences that new words make. Plain data. */
struct word_window {
    struct histogram response, service;
    uint32_t status_count;
    struct status_count statuses[SAMPLE_STATUSES_MAX];
};

/** Adds `status` to its place in `statuses[SAMPLE_STATUSES_MAX]`, which stand in order; one that
 * finds no place is left out. */
void status_counts_add(struct status_count *statuses, uint32_t *count,
                       const struct status_count *status);

enum word_outcome {
    WORD_TAKEN,   /* newer than what was known, or a part of it */
    WORD_STALE,   /* nothing new in it: repeated or overtaken */
    WORD_CORRUPT, /* it breaks a rule of counting: `error` */
    WORD_DROPPED, /* no memory */
};

/** Takes one part. When that makes a newer word whole it is checked against the one before it: no
 * counter and no cell may fall, histograms must count what the counters count; then it takes its
 * place, and what it adds goes into `window` (may be NULL). WORD_CORRUPT leaves the last good word
 * as it was. */
enum word_outcome words_take(struct phase_words *words, const struct sample *sample, bool final,
                             struct word_window *window, struct error *error);
void words_done(struct phase_words *words);

/** Whether the final word on this phase is whole. */
bool words_final(const struct phase_words *words);
/** Whether anything was ever said of it that was done in it. */
bool words_begun(const struct phase_words *words);

/** Decodes histogram `index` (kind, or SAMPLE_REQUEST + request) of a checked word. */
void word_histogram(const struct word *word, uint32_t index, struct histogram *histogram);

#endif
