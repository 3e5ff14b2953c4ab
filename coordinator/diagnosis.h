/** What a fleet can carry, and what of it would limit a plan. Pure.
 *
 *  A lane is measured against a server on its own machine, over loopback: no network and no target
 *  is faster, so every rate here is a bound from above. */
#ifndef CLOBBER_COORDINATOR_DIAGNOSIS_H
#define CLOBBER_COORDINATOR_DIAGNOSIS_H

#include "coordinator/plan.h"
#include "coordinator/report.h"
#include "proto/examination.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define DIAGNOSIS_REMARKS_MAX 64u      /* more than a screen; the rest is counted */
#define DIAGNOSIS_LATE_NS     1000000u /* a timer later than this makes latencies of its own */
#define DIAGNOSIS_SHARE_BUSY  0.6      /* of what it can: above it an agent calls its next lane */

/** One agent. Plain data. */
struct patient {
    char name[NAME_BYTES_MAX + 1];
    bool examined;
    uint64_t clock_ns; /* how exactly its clock is known: half of the quickest answer */
    struct findings findings;
};

enum remark_grade { REMARK_OK, REMARK_WARN, REMARK_FAIL };

struct remark {
    enum remark_grade grade;
    char sentence[SENTENCE_BYTES];
};

struct diagnosis {
    const struct plan *plan;        /* borrowed; NULL: none was given */
    const struct patient *patients; /* [patient_count]; borrowed */
    uint32_t patient_count;
    double wanted_per_s;   /* the plan's largest rate; 0: its goal is none */
    double together_per_s; /* at most */
    uint64_t room;         /* requests in flight, together */
    uint32_t remark_count, remarks_more;
    struct remark remarks[DIAGNOSIS_REMARKS_MAX];
    char first_limit[SENTENCE_BYTES]; /* "": no agent could be examined */
};

/** What `patients` can carry, and whether that is enough for `plan`. */
void diagnosis_make(struct diagnosis *diagnosis, const struct plan *plan,
                    const struct patient *patients, uint32_t patient_count);
/** Requests/s at most, with all the CPUs that it may use. */
double diagnosis_rate(const struct findings *findings);
/** Whether anything fails: then the plan cannot be run as it is. */
bool diagnosis_fails(const struct diagnosis *diagnosis);
/** "ok", "warn" or "fail". Static. */
const char *diagnosis_word(enum remark_grade grade);

/** The table, the remarks, and what limits first. */
void diagnosis_print(const struct diagnosis *diagnosis, FILE *stream);
/** The same as JSON (diagnosis_json.c). False: ERROR_SYSTEM. */
bool diagnosis_json(const struct diagnosis *diagnosis, FILE *stream, struct error *error);

#endif
