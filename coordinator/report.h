/** A run in numbers: what result.json, the last screen and every other format are made from. Plain
 * data. */
#ifndef CLOBBER_COORDINATOR_REPORT_H
#define CLOBBER_COORDINATOR_REPORT_H

#include "common/base/histogram.h"
#include "common/command.h"
#include "coordinator/answer.h"
#include "coordinator/curve.h"
#include "coordinator/plan.h"
#include "proto/counters.h"
#include "proto/sample.h"

#include <stdbool.h>
#include <stdint.h>

enum outcome { OUTCOME_MET, OUTCOME_MISSED, OUTCOME_ABORTED };
enum limit { LIMIT_NONE, LIMIT_TARGET, LIMIT_GENERATOR, LIMIT_AGENTS, LIMIT_LIMITS, LIMIT_ERRORS };

/** "met", "target", ... as result.json has them; LIMIT_NONE is NULL. Static. */
const char *outcome_word(enum outcome outcome);
const char *limit_word(enum limit limit);

/** "response", "service", ...: below SAMPLE_REQUEST. Static. */
const char *report_kind_word(enum sample_kind kind);

#define SENTENCE_BYTES    384u
#define REPORT_EVENTS_MAX 256u /* the last place says how many more there were */

struct report_event {
    uint64_t at_ns; /* since the run's start */
    char kind[24];  /* "agent_lost", "agent_joined", "saturated", "settled", ... */
    char sentence[SENTENCE_BYTES];
};

struct report_agent {
    char name[NAME_BYTES_MAX + 1];
    char host[NAME_BYTES_MAX + 1];
    struct counters counters; /* whole run: its last word */
    double share;             /* of all requests started, 0 to 1 */
    double cpu; /* cores' worth used over its time under load, divided by its lanes: 0 to 1 */
    uint64_t send_lag_ns_p99; /* after the warm-up */
    bool final;               /* its final word came and was acknowledged */
    uint64_t lost_from_ns;    /* since the run's start; 0: never lost */
    uint64_t lost_max;        /* requests it may have started after its last word */
    uint64_t loaded_ns;       /* for so long requests fell due, by its own clock; whole run */
};

struct report_threshold {
    const char *text; /* borrowed from the plan */
    double value;     /* in the metric's unit: ns, share, per second */
    bool passed;
};

struct report_control {
    bool settled;
    uint64_t settle_ns;
    double overshoot; /* largest 1 s mean above the goal after settling, as a share */
    /* Of the 1 s mean from the goal after the warm-up, as shares, absolute. */
    double error_mean, error_p95;
    double concurrency_mean, concurrency_final, concurrency_p95; /* workers, after the warm-up */
    bool saturated;
    double saturated_per_s, saturated_concurrency;
    /* 95 % of the mean throughput, from means over 1 s; NaN: fewer than two of them. */
    double interval_low_per_s, interval_high_per_s;
};

/** What a search found, and what was measured since. */
struct report_answer {
    struct answer_found found;
    struct counters counters;
    struct histogram response;
};

struct report {
    const struct plan *plan; /* borrowed */
    char run_id[33];         /* hexadecimal */
    uint64_t started_wall_ns;
    uint64_t duration_ns; /* of load, warm-up included */
    uint64_t warmup_ns;   /* as it was */
    uint32_t agents_peak; /* that took part */
    bool plaintext;       /* said out loud for a bind off loopback */

    enum outcome outcome;
    enum limit limit;
    char sentence[SENTENCE_BYTES];
    enum exit_code exit_code;
    struct report_control control;
    double goal_mean;            /* scheduled mean after the warm-up */
    double throughput_per_s;     /* after the warm-up */
    struct report_answer answer; /* of a goal that searches; else zero, as the curve is */
    uint32_t curve_count;
    struct curve_point curve[CURVE_POINTS_MAX];
    double generator_load; /* busiest lane's mean CPU after the warm-up, 0 to 1 */

    struct counters ledger; /* whole run, all agents' last words */
    uint64_t in_flight_at_end;
    uint64_t lost_max;
    bool balanced;
    char imbalance[SENTENCE_BYTES]; /* which sum is off, and by how much; "" when balanced */

    /* after the warm-up: */
    struct counters counters;
    uint32_t status_count;
    struct status_count statuses[SAMPLE_STATUSES_MAX];
    struct histogram kinds[SAMPLE_REQUEST];
    struct histogram requests[REQUEST_NAMES_MAX]; /* [plan->request_count] */
    struct request_count request_counts[REQUEST_NAMES_MAX];
    bool longest_timed_out; /* the longest of the histograms is a time-out: shown with a >= sign */

    uint32_t agent_count;
    struct report_agent *agents; /* [agent_count]; owned */
    uint32_t event_count;
    struct report_event *events; /* [event_count]; owned */
    uint32_t events_more;        /* that found no place */
    uint32_t threshold_count;
    struct report_threshold thresholds[THRESHOLDS_MAX];
};

/** Adds `event`, or when there is no place left counts it in the last one. `events` has
 * REPORT_EVENTS_MAX places. Borrows it as it stands in the report. */
const struct report_event *report_add_event(struct report *report,
                                            const struct report_event *event);
/** "212", "2.5", "0.03": a concurrency for people, into `text[UNITS_TEXT_BYTES]`; returns `text`.
 */
const char *report_concurrency(double concurrency, char *text);
/** "212 workers", "1 worker": the same with its word, into `text[UNITS_TEXT_BYTES]`; returns
 * `text`. */
const char *report_workers(double workers, char *text);
/** "41200/s ± 600", or without its interval when that is not known, into `text[UNITS_TEXT_BYTES]`;
 * returns `text`. */
const char *report_answer_text(const struct answer_found *found, char *text);
/** What timed out, by what it waited for: "timeout" for the whole request, "timeout_connect",
 *  "timeout_first_byte"; only those that there are. */
struct timeouts {
    uint32_t count;
    struct {
        const char *word; /* static */
        uint64_t count;
    } items[3];
};
struct timeouts report_timeouts(const struct counters *counters);
/** Frees what `report` owns. */
void report_done(struct report *report);

/** What a run leaves in its folder for people to open, as the last screen names it. */
#define REPORT_FILES "{report.html, result.json, run.jsonl}"

/** The last screen of the contract. `files`: what was written, e.g. "{result.json, run.jsonl}" in
 * `folder`. */
void report_text(const struct report *report, const char *folder, const char *files, bool color,
                 FILE *stream);
/** result.json, schema 1. False: ERROR_SYSTEM. */
bool report_json(const struct report *report, FILE *stream, struct error *error);
/** latency.hgrm: the response histogram in HdrHistogram's percentile format, values in ms. */
void report_hgrm(const struct histogram *histogram, FILE *stream);

#endif
