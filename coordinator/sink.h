/** Where ticks and events go: an interface and its table. A slow sink never delays a tick. */
#ifndef CLOBBER_COORDINATOR_SINK_H
#define CLOBBER_COORDINATOR_SINK_H

#include "common/base/error.h"
#include "coordinator/plan.h"
#include "coordinator/report.h"
#include "coordinator/tick.h"

#include <stdbool.h>
#include <stddef.h>

/** What a sink is told at the start. Borrowed for the length of the call. */
struct sink_start {
    const struct plan *plan;
    const char *run_id;   /* hexadecimal */
    const char *folder;   /* of this run */
    const char *endpoint; /* where agents connect */
    uint64_t started_wall_ns;
    bool resumed; /* there is a record, and what is told now is added to it */
};

struct sink {
    const char *name;
    void *state; /* of the sink */
    /** Each may be NULL. False: the sink is broken (disk full, ...); `error` says so and the run
     * drains. */
    bool (*tick)(void *state, const struct tick *tick, struct error *error);
    bool (*event)(void *state, const struct report_event *event, struct error *error);
    bool (*finish)(void *state, const struct report *report, struct error *error);
    void (*close)(void *state);
};

/** Shows `tick` or `event`, the other being NULL, to all of `sinks[count]`. One that fails is shown
 *  nothing more, and its sentence goes into `trouble[SENTENCE_BYTES]` if that is still "". */
void sinks_show(struct sink *sinks, size_t count, const struct tick *tick,
                const struct report_event *event, char *trouble);

/** The record: DIR/run.jsonl, one JSON object a line: "start", "tick", "event" and at the end
 * "result". */
bool sink_record_open(struct sink *sink, const struct sink_start *start, struct error *error);
/** The live line: in place on a terminal, one line each 5 s and one an event otherwise; on stderr.
 */
bool sink_console_open(struct sink *sink, const struct sink_start *start, bool terminal,
                       struct error *error);

#endif
