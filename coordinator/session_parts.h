/** What the parts of the session share: session.c keeps the states, the tick and the end of a run;
 * beside it stand who comes and goes, what agents say, what they are told, and what is shown. Only
 * session*.c include this. */
#ifndef CLOBBER_COORDINATOR_SESSION_PARTS_H
#define CLOBBER_COORDINATOR_SESSION_PARTS_H

#include "common/base/units.h"
#include "coordinator/curve.h"
#include "coordinator/roster.h"
#include "coordinator/session.h"
#include "coordinator/steering.h"

#include <stdbool.h>
#include <stdint.h>

#define TICK_NS (TICK_MS * NS_PER_MS)

struct session {
    struct session_config config;
    const struct plan *plan;
    uint8_t assignment_digest[DIGEST_BYTES];
    enum session_state state;
    struct roster roster;
    struct steering steering;
    struct numbering numbering; /* where requests are numbered */
    struct word_window window;
    uint64_t opened_ns, connecting_ns, start_ns; /* 0: not yet */
    struct session_past past;                    /* ended_ns 0: this is the first coordinator */
    bool unsaved;                                /* somebody new is on the roster */
    uint64_t load_ns;                            /* how long load ran; 0 until it has ended */
    uint64_t drain_ns, drain_end_ns;
    struct stop stop;
    uint64_t tick_ns; /* of the tick before; 0: none yet */
    uint64_t ticks;
    uint64_t seq_refused;    /* of messages to those who are not on the roster */
    uint32_t sample_ms;      /* between two samples of an agent; more when we fall behind */
    uint32_t punctual_ticks; /* in a row */
    uint32_t explained;      /* classes of failure that were; a bit each */
    uint32_t parts_given;    /* of data files, since the last tick */
    struct observation seen;
    struct digest digest;           /* latencies of this tick, when the plan bounds them */
    struct curve curve;             /* of a goal that searches */
    struct tick_agent *tick_agents; /* [roster.capacity] */
    uint32_t tick_agents_capacity;
    struct report report;
    /* Good within a step: */
    uint64_t now_ns;
    session_perform *perform;
    void *context;
};

/* session.c: the states, and how the parts speak. */

/** Whether load runs, warm-up included. */
bool session_is_loaded(const struct session *session);
/** Whether the run takes no more load: it drains, or is done. */
bool session_is_over(const struct session *session);
/** Since the start of the load; 0 before. */
uint64_t session_since_start_ns(const struct session *session, uint64_t moment_ns);
/** Where the schedule stands at this tick: the nearest point of its grid. A tick that comes a
 * moment early must not put off a stage, or the end, until the next one. */
uint64_t session_schedule_ns(const struct session *session);

/** The phase that orders of this tick begin. */
uint32_t session_phase(const struct session *session);

/** All was measured: drains. */
void session_complete(struct session *session);

/** An event for the report and the sinks. */
__attribute__((format(printf, 3, 4))) void session_say(struct session *session, const char *kind,
                                                       const char *format, ...);
/** What was said last of this kind, or NULL. Borrowed until the next session_say(). */
const char *session_last_event(const struct session *session, const char *kind);

/** To an agent of the roster, with its next sequence number. Fills the envelope. */
void session_send(struct session *session, struct agent *agent, struct message *message);
/** To anybody. */
void session_send_peer(struct session *session, const struct peer_id *peer,
                       const uint8_t *incarnation, uint64_t seq, struct message *message);

/** Ends the run before its time; the first reason stands. */
__attribute__((format(printf, 4, 5))) void session_break_off(struct session *session,
                                                             enum run_end end, enum stop_kind kind,
                                                             const char *format, ...);

/* session_membership.c: how an agent joins the run, and leaves it. */

/** A HELLO of somebody who is not on the roster. */
void session_take_newcomer(struct session *session, const struct session_event *event);
void session_welcome(struct session *session, struct agent *agent);
void session_take_ready(struct session *session, struct agent *agent, const struct ready *ready);
void session_take_decline(struct session *session, struct agent *agent,
                          const struct decline *decline);
/** Something said by one whose key may not be here any more: it gets no more load. */
void session_bar(struct session *session, const struct session_event *event);
/** It takes no more load: by its own will, or because it was told to stop. */
void session_leave(struct session *session, struct agent *agent, const char *why);
/** Finds those who were lost since the tick before. */
void session_judge_losses(struct session *session);

/* session_words.c: what agents say of what they did. */

void session_take_beat(struct session *session, struct agent *agent, const struct message *message);
void session_take_sample(struct session *session, struct agent *agent, const struct sample *sample);
void session_take_final(struct session *session, struct agent *agent,
                        const struct message *message);

/* session_resume.c: what one coordinator leaves to the next. */

bool session_is_resumed(const struct session *session);
/** Gathering after a restart: whether the load may go on. */
bool session_gather_again(struct session *session, uint32_t agents_min);

/* session_data.c: data files. */

void session_give_part(struct session *session, struct agent *agent, const struct fetch *fetch);

/* session_orders.c: what agents are told. */

/** A setpoint or a STOP to each. `late`: nobody is to run anything in this tick. */
void session_tell_agents(struct session *session, bool late);

/* session_numbers.c: the indexes of numbered requests. */

/** Grants what the orders of this tick need. */
void session_grant_numbers(struct session *session);
/** The indexes that a beat, or a final word, says were used. False: it cannot be so. */
bool session_take_numbers(struct session *session, struct agent *agent, const struct beat *beat,
                          struct error *error);
bool session_return_numbers(struct session *session, struct agent *agent,
                            const struct counters *final, struct error *error);
/** Whether agents begin to run out of them: what a tick sees is not what was ordered any more. */
bool session_numbers_run_out(const struct session *session);
/** Whether all requests have ended, but those of agents that were lost. */
bool session_numbers_ended(const struct session *session);

/* session_show.c: what the sinks see of a tick. */

void session_show(struct session *session, const struct counters *total);

#endif
