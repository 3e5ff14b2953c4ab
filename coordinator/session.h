/** The run as a state machine: gathering, connecting, warming, running, draining, done. A core: an
 * event goes in with `now_ns`, actions come out. */
#ifndef CLOBBER_COORDINATOR_SESSION_H
#define CLOBBER_COORDINATOR_SESSION_H

#include "coordinator/plan.h"
#include "coordinator/report.h"
#include "coordinator/tick.h"
#include "proto/channel.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

struct session;

struct session_config {
    const struct plan *plan;   /* borrowed for life */
    const uint8_t *assignment; /* encoded; borrowed for life */
    size_t assignment_bytes;
    uint8_t run_id[ID_BYTES]; /* random */
    uint64_t epoch;           /* of this coordinator's life; 1: the first */
    uint64_t started_wall_ns;
    uint32_t agents_expect;
    uint64_t wait_ns;
    uint32_t lease_ms;
    bool plaintext;
};

enum session_event_kind {
    SESSION_TICK,        /* every TICK_MS */
    SESSION_MESSAGE,     /* `message` from `peer` */
    SESSION_BARRED,      /* the same, of one whose key may not be here any more */
    SESSION_NOTE,        /* for the report: `sentence`, of the `kind_word` */
    SESSION_DRAIN,       /* the first signal */
    SESSION_ABORT,       /* the second */
    SESSION_SINK_FAILED, /* a sink broke (disk full): `sentence`; drain, exit 3 */
};

struct session_event {
    enum session_event_kind kind;
    const struct peer_id *peer;
    const struct message *message;
    const char *sentence;
    const char *kind_word; /* as events are called: "keys_reloaded" */
};

enum session_action_kind {
    SESSION_SEND,  /* `message` to `peer` */
    SESSION_SHOW,  /* `tick` for the sinks */
    SESSION_EVENT, /* `event` for the sinks */
    SESSION_KEEP,  /* `message` for the state on disk: kept before it is acknowledged */
    SESSION_SAVE,  /* the state on disk is old: session_remember() */
    SESSION_END,   /* nothing more will come: session_report() is ready */
};

struct session_action {
    enum session_action_kind kind;
    struct peer_id peer;
    const struct message *message; /* these three: good for the length of the call */
    const struct tick *tick;
    const struct report_event *event;
};

typedef void session_perform(void *context, const struct session_action *action);

/** All memory for `AGENTS_MAX` is not taken at once; it grows with each HELLO. NULL: ERROR_MEMORY.
 */
struct session *session_create(const struct session_config *config, struct error *error);
void session_destroy(struct session *session);

/** One event. Pure but for `perform`, which it calls with what is to be done, in order. */
void session_step(struct session *session, uint64_t now_ns, const struct session_event *event,
                  session_perform *perform, void *context);

enum session_state session_state(const struct session *session);

/* A run that outlives its coordinator. What the next one must know is told in messages, as if it
 * had come from the agents. */

/** `moment_ns`: when its agent was heard last. */
typedef void session_keep(void *context, uint64_t moment_ns, const struct message *message);

/** Calls `keep` with all that is known of the agents, in an order in which it can be recalled. A
 * message may be larger than the wire's, SESSION_KEPT_BYTES_MAX at most. */
void session_remember(const struct session *session, session_keep *keep, void *context);
#define SESSION_KEPT_BYTES_MAX (SAMPLE_HISTOGRAMS_MAX * HISTOGRAM_BYTES_MAX + 8192u)
/** When the load began; 0: it has not. */
uint64_t session_load_began_ns(const struct session *session);

/** What another coordinator left. All by the clock of this machine, which has not been started
 * again since. */
struct session_past {
    uint64_t load_began_ns; /* 0: it had not */
    uint64_t ended_ns;      /* it gave no order after that */
};

/** Before the first step: one of the messages that were remembered. False: ERROR_PROTOCOL, it
 * cannot be so; ERROR_MEMORY. */
bool session_recall(struct session *session, uint64_t moment_ns, const struct message *message,
                    struct error *error);
/** An event of the run so far. */
void session_recall_event(struct session *session, const struct report_event *event);
/** After the last of them: the run goes on where the clock says, once every lease that the other
 * gave has ended. */
void session_resume(struct session *session, const struct session_past *past);

/** The run in numbers; after SESSION_END. Borrowed. */
const struct report *session_report(struct session *session);

#endif
