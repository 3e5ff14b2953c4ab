/** A roster at the end of a run to a report in numbers. Pure but for the memory of the report's
 * agents. */
#ifndef CLOBBER_COORDINATOR_SUMMARY_H
#define CLOBBER_COORDINATOR_SUMMARY_H

#include "coordinator/answer.h"
#include "coordinator/curve.h"
#include "coordinator/report.h"
#include "coordinator/roster.h"
#include "coordinator/verdict.h"

#include <stdbool.h>
#include <stdint.h>

struct summary {
    const struct roster *roster;
    uint64_t start_ns;    /* of the load; coordinator's clock */
    uint64_t duration_ns; /* of the load, as it was; 0: none */
    uint32_t lease_ms;
    bool open_arrivals;
    /* Of a goal that searches: */
    const struct answer *answer;
    const struct curve *curve;
};

/** Fills durations, ledger, agents and all that is after the warm-up, and the stages of `evidence`.
 * report->plan is set.
 *
 *  Throughput is what was answered of the requests due after the warm-up, over all agents, by the
 * longest time that any one agent measured on its own clock: who came late or died measures less,
 * and that is less throughput. What an agent without a final word counted beyond its last sample
 * goes to the phase it was in; its latencies end at that sample. */
void summary_fill(const struct summary *summary, struct report *report, struct evidence *evidence);

/** Puts the answer of a search in the place of what settling_report() has filled in: it settles by
 * converging, and its interval is the answer's. Nothing for other goals. */
void summary_answer(struct report *report);

#endif
