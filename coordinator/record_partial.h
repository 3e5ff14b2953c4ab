/** The result of a run that was broken off, from its ticks: what can be known without any agent's
 *  last word. It has the shape of result.json; what is not known is null. */
#ifndef CLOBBER_COORDINATOR_RECORD_PARTIAL_H
#define CLOBBER_COORDINATOR_RECORD_PARTIAL_H

#include "coordinator/series.h"

#include <stdint.h>

struct json_t; /* jansson's */
struct run_record;

/** Plain data; a zeroed one has seen nothing. */
struct record_partial {
    struct json_t *last; /* the newest tick; owned */
    /* After the warm-up: */
    uint64_t covered_ns; /* by ticks, in which so much was answered, well or badly */
    uint64_t answers;
    uint64_t ticks; /* of these, in which all agents reported */
    double workers_sum, goal_sum;
};

/** A tick's line, and what ended in it. */
void record_partial_take(struct record_partial *partial, struct json_t *line,
                         const struct series_tick *tick);
/** The caller owns it. */
struct json_t *record_partial_result(const struct record_partial *partial,
                                     const struct run_record *record);
void record_partial_done(struct record_partial *partial);

#endif
