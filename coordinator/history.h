/** `clobber history`: the runs that are kept in a folder, and the trend of one plan. */
#ifndef CLOBBER_COORDINATOR_HISTORY_H
#define CLOBBER_COORDINATOR_HISTORY_H

#include "common/base/error.h"
#include "coordinator/comparison.h"
#include "coordinator/terminal.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define HISTORY_RUNS_MAX   10000u /* a run an hour for a year; more are an error */
#define HISTORY_TREND_MAX  60u    /* runs of a plan that are set against each other: the newest */
#define HISTORY_TEXT_BYTES 256u   /* of each text; longer ones are cut */
#define HISTORY_COLUMNS    120u   /* where there is no terminal to ask */

/** One run, in the figures of its result; what is not known is 0. */
struct history_run {
    char folder[HISTORY_TEXT_BYTES]; /* within the folder of runs */
    uint64_t bytes;                  /* of its record, and when that changed: who has the same */
    uint64_t changed_ns;             /* figures for these need not read it again */
    char name[HISTORY_TEXT_BYTES], started_at[HISTORY_TEXT_BYTES], goal[HISTORY_TEXT_BYTES],
        verdict[HISTORY_TEXT_BYTES];
    double throughput_per_s, workers; /* after the warm-up */
    uint64_t response_p99_ns;
};

/** What a run was like against the one before it. */
struct history_change {
    uint32_t run; /* index in `runs` */
    enum comparison_word word;
    struct comparison comparison;
};

struct history {
    const char *folder; /* borrowed */
    const char *name;   /* of the plan whose trend is wanted; NULL: all runs, no trend */
    uint32_t run_count;
    struct history_run *runs; /* oldest first; owned */
    uint32_t change_count;
    struct history_change *changes; /* [HISTORY_TREND_MAX], those that were found; owned */
};

void history_as_text(const struct history *history, const struct terminal_look *look, FILE *stream);
/** False: ERROR_SYSTEM. */
bool history_as_json(const struct history *history, FILE *stream, struct error *error);

#endif
