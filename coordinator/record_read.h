/** A run as its record tells it: finished, broken off, simulated, or still going on. All that shows
 *  a run is made from this.
 *
 *  A record may come from anywhere: what is in it is bounded, and a line that cannot be understood
 *  is skipped and counted. A last line that was cut short is nothing odd. Texts are as they stand
 *  there: whoever shows them makes them harmless. */
#ifndef CLOBBER_COORDINATOR_RECORD_READ_H
#define CLOBBER_COORDINATOR_RECORD_READ_H

#include "common/base/error.h"
#include "common/base/histogram.h"
#include "coordinator/folder.h"
#include "coordinator/report.h"
#include "coordinator/series.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_t; /* jansson's */

#define RECORD_MOMENTS_MAX 10u /* the start, and the nine events that charts number */
#define RECORD_MOMENT_TICKS                                                                        \
    80u /* of each: it is looked at for four seconds, and told of after two */

/** One tick near an event. */
struct record_tick {
    uint64_t at_ns;
    double throughput_per_s, workers, goal;
    double latency_ns; /* service, the mean; 0: nothing ended */
};

/** What was seen tick by tick around one event. */
struct record_moment {
    uint64_t at_ns;
    uint32_t event; /* index in `events`; UINT32_MAX: the start of the run */
    uint32_t tick_count;
    struct record_tick ticks[RECORD_MOMENT_TICKS];
};

struct run_record {
    char folder[FOLDER_PATH_BYTES]; /* that the record is in */
    struct json_t *start;           /* the first line; owned */
    struct json_t *result;          /* as result.json; of a broken-off run what the ticks tell */
    bool broken_off;                /* the record ends without a result */
    char *screen;                   /* the last screen as it was shown; "" when there is none */
    uint64_t load_ns;               /* until the last tick under load */
    struct series series;
    uint32_t event_count;
    struct report_event events[REPORT_EVENTS_MAX];
    uint32_t events_more; /* that found no place */
    uint32_t moment_count;
    struct record_moment moments[RECORD_MOMENTS_MAX];
    struct histogram histograms[SAMPLE_REQUEST]; /* after the warm-up; empty when broken off */
    uint64_t lines_skipped;
    char skipped_why[ERROR_MESSAGE_BYTES]; /* the first of them */
};

/** Reads `run`: a run's folder, its run.jsonl, or "latest", which is the youngest in runs/. NULL:
 * ERROR_USAGE when there is no such run, ERROR_SYSTEM, ERROR_MEMORY; ERROR_PLAN when it is no
 * record. The caller owns it: run_record_destroy(). */
struct run_record *run_record_open(const char *run, struct error *error);
/** The same from a stream, which stays the caller's; `folder` is copied. */
struct run_record *run_record_read(FILE *stream, const char *folder, struct error *error);
void run_record_destroy(struct run_record *record);

#endif
