/** `clobber compare`: runs that were set against the first of them, and how that is shown. */
#ifndef CLOBBER_COORDINATOR_COMPARE_H
#define CLOBBER_COORDINATOR_COMPARE_H

#include "coordinator/comparison.h"
#include "coordinator/record_read.h"
#include "coordinator/terminal.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define COMPARE_RUNS_MAX    8u /* more than anyone reads beside each other; all are in memory */
#define COMPARE_PLANS_BYTES 1024u
#define COMPARE_COLUMNS     120u /* where there is no terminal to ask */

struct compared_run {
    struct run_record *record;  /* owned */
    char unfit[SENTENCE_BYTES]; /* why it is not judged; "" when it is */
    struct comparison_side side;
};

/** All runs; the first is what the others are set against. */
struct compared {
    struct comparison_options options;
    uint32_t run_count;
    struct compared_run *runs[COMPARE_RUNS_MAX];       /* owned */
    char plans[COMPARE_RUNS_MAX][COMPARE_PLANS_BYTES]; /* how each differs from the first; "" */
    struct comparison comparisons[COMPARE_RUNS_MAX];   /* those that compared_is_judged() */
};

/** Reads a run, as run_record_open(). The caller owns it: compared_run_destroy(). */
struct compared_run *compared_run_open(const char *name, struct error *error);
void compared_run_destroy(struct compared_run *run);
/** Fills in its side, in bins of `width_s`, and whether it can be judged. */
void compared_run_take(struct compared_run *run, uint32_t width_s);

/** Whether run `index`, 1 or more, could be set against the first. */
bool compared_is_judged(const struct compared *compared, uint32_t index);
/** "PASS", "FAIL", ...: the verdict of a run, as its last screen has it. */
const char *compared_verdict(const struct run_record *record);

#define COMPARE_SAYING_BYTES 2048u
/** Appends "response p99 rose 62 %, ..." of all rows with the word `of` to
 * `text[COMPARE_SAYING_BYTES]`; returns how many there are. */
uint32_t compare_append_changes(char *text, const struct comparison *comparison,
                                enum comparison_word of);

void compare_as_text(const struct compared *compared, const struct terminal_look *look,
                     FILE *stream);
/** False: ERROR_SYSTEM. */
bool compare_as_json(const struct compared *compared, FILE *stream, struct error *error);

#endif
