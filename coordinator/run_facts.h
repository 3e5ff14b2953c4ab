/** What a run means, in words: the verdict first, five figures, the events that charts number. The
 *  page and the summary for pull requests are made from it. Pure. */
#ifndef CLOBBER_COORDINATOR_RUN_FACTS_H
#define CLOBBER_COORDINATOR_RUN_FACTS_H

#include "coordinator/page_numbers.h"
#include "coordinator/record_read.h"

#include <stdint.h>

#define FACTS_EVIDENCE_MAX 6u
#define FACTS_FIGURES      5u
#define FACTS_NUMBERED_MAX 9u /* events: more marks than that are noise on a chart */
#define FACTS_TEXT_BYTES   (2u * SENTENCE_BYTES)

enum facts_state { FACTS_PASS, FACTS_FAIL, FACTS_DOUBT };

struct facts_evidence {
    const char *name; /* static */
    char text[FACTS_TEXT_BYTES];
};

struct facts_figure {
    const char *name, *unit; /* static */
    char value[PAGE_NUMBER_BYTES];
    char notes[2][4 * PAGE_NUMBER_BYTES];
};

/** Texts are as the record has them: whoever shows them makes them harmless. */
struct run_facts {
    enum facts_state state;
    const char *word; /* "PASS", "NOT TO BE TRUSTED", ... static */
    char sentence[FACTS_TEXT_BYTES];
    uint32_t evidence_count;
    struct facts_evidence evidence[FACTS_EVIDENCE_MAX];
    struct facts_figure figures[FACTS_FIGURES];
    uint32_t numbers[REPORT_EVENTS_MAX];  /* of each event of the record, from 1; 0: has none */
    uint64_t began_ns[REPORT_EVENTS_MAX]; /* when what it tells of began */
};

void run_facts_fill(const struct run_record *record, struct run_facts *facts);
/** What was measured for one of the result's thresholds, into `text[PAGE_NUMBER_BYTES]`; returns
 * `text`. */
const char *run_facts_threshold(const struct json_t *threshold, char *text);

#endif
