#include "coordinator/session.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/admission.h"
#include "coordinator/aggregate.h"
#include "coordinator/grants.h"
#include "coordinator/ledger.h"
#include "coordinator/roster.h"
#include "coordinator/steering.h"
#include "coordinator/summary.h"
#include "coordinator/verdict.h"
#include "proto/assignment.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS               UINT64_C(1000000)
#define TICK_NS          (TICK_MS * MS)
#define CONNECTING_TICKS 5u /* floors that are not there by then will not come: half a second */
#define DRAIN_NS_MAX     (UINT64_C(10) * 1000000000u) /* nobody waits longer for what is in flight */
#define DRAIN_GRACE_NS                                                                             \
    (UINT64_C(3) * 1000000000u)                    /* for final words, said every FINAL_REPEAT_MS  \
                                                    */
#define EARLY_GRACE_NS (UINT64_C(1) * 1000000000u) /* ... of agents that never had any load */
#define ABORT_NS       (800 * MS)                  /* so that it all ends within a second */
#define UNREACHABLE_NS                                                                             \
    (UINT64_C(5) * 1000000000u) /* a target that comes up late has come by then */
#define WINDOW_TICKS   (SAMPLE_MS / TICK_MS)
#define BEHIND_NS      (50 * MS) /* half a tick late: more than a busy host's scheduler does */
#define PUNCTUAL_TICKS 100u      /* ten seconds of it show that there is room again */
#define DRIFT_MAX      (LEASE_DRIFT - 1.0)
#define STOOD_STILL_NS (UINT64_C(10) * 1000000000u) /* between two events of one agent about it */

struct session {
    struct session_config config;
    const struct plan *plan;
    uint8_t assignment_digest[DIGEST_BYTES];
    enum session_state state;
    struct roster roster;
    struct steering steering;
    struct word_window window;
    uint64_t opened_ns, connecting_ns, start_ns; /* 0: not yet */
    uint64_t load_ns;                            /* how long load ran; 0 until it has ended */
    uint64_t drain_ns, drain_end_ns;
    struct stop stop;
    uint64_t tick_ns; /* of the tick before; 0: none yet */
    uint64_t ticks;
    uint64_t seq_refused;    /* of messages to those who are not on the roster */
    uint32_t sample_ms;      /* between two samples of an agent; more when we fall behind */
    uint32_t punctual_ticks; /* in a row */
    struct observation seen;
    struct tick_agent *tick_agents; /* [roster.capacity] */
    uint32_t tick_agents_capacity;
    struct report report;
    /* Good within a step: */
    uint64_t now_ns;
    session_perform *perform;
    void *context;
};

const char *session_state_word(enum session_state state)
{
    static const char *const words[] = {
        [SESSION_GATHERING] = "gathering", [SESSION_CONNECTING] = "connecting",
        [SESSION_WARMING] = "warming",     [SESSION_RUNNING] = "running",
        [SESSION_DRAINING] = "draining",   [SESSION_DONE] = "done"};
    CHECK(state < COUNT(words));
    return words[state];
}

static bool is_loaded(const struct session *session)
{
    return session->state == SESSION_WARMING || session->state == SESSION_RUNNING;
}

static bool is_over(const struct session *session)
{
    return session->state == SESSION_DRAINING || session->state == SESSION_DONE;
}

/* Since the run's start; 0 before. */
static uint64_t since_start_ns(const struct session *session, uint64_t moment_ns)
{
    return session->start_ns > 0 && moment_ns > session->start_ns ? moment_ns - session->start_ns
                                                                  : 0;
}

static uint32_t agents_min(const struct session *session)
{
    uint32_t min = session->plan->agents_min;
    if (min > session->config.agents_expect)
        min = session->config.agents_expect;
    return min > 0 ? min : 1;
}

struct session *session_create(const struct session_config *config, struct error *error)
{
    CHECK(config->agents_expect >= 1);
    CHECK(config->lease_ms >= LEASE_MS_MIN);
    CHECK(config->lease_ms <= LEASE_MS_MAX);
    struct session *session = calloc(1, sizeof *session);
    struct report_event *events = calloc(REPORT_EVENTS_MAX, sizeof *events);
    if (session == NULL || events == NULL) {
        free(session);
        free(events);
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a run");
        return NULL;
    }
    session->config = *config;
    session->plan = config->plan;
    session->sample_ms = SAMPLE_MS;
    assignment_digest(config->assignment, config->assignment_bytes, session->assignment_digest);
    roster_init(&session->roster, schedule_phase_count(&config->plan->schedule));
    steering_init(&session->steering, config->plan, config->lease_ms);
    session->report.plan = config->plan;
    session->report.events = events;
    session->report.started_wall_ns = config->started_wall_ns;
    session->report.plaintext = config->plaintext;
    for (size_t i = 0; i < ID_BYTES; i++)
        snprintf(session->report.run_id + 2 * i, 3, "%02x", config->run_id[i]);
    return session;
}

void session_destroy(struct session *session)
{
    if (session == NULL)
        return;
    roster_done(&session->roster);
    report_done(&session->report);
    free(session->tick_agents);
    free(session);
}

enum session_state session_state(const struct session *session)
{
    return session->state;
}

const struct report *session_report(struct session *session)
{
    CHECK(session->state == SESSION_DONE);
    return &session->report;
}

/* What is said and sent. */

__attribute__((format(printf, 3, 4))) static void say(struct session *session, const char *kind,
                                                      const char *format, ...)
{
    struct report_event event = {.at_ns = since_start_ns(session, session->now_ns)};
    snprintf(event.kind, sizeof event.kind, "%s", kind);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event.sentence, sizeof event.sentence, format, arguments);
    va_end(arguments);
    report_add_event(&session->report, &event);
    session->perform(session->context,
                     &(struct session_action){.kind = SESSION_EVENT, .event = &event});
}

/* What was said last of this kind, or NULL. */
static const char *last_event_of(const struct session *session, const char *kind)
{
    for (uint32_t i = session->report.event_count; i-- > 0;)
        if (strcmp(session->report.events[i].kind, kind) == 0)
            return session->report.events[i].sentence;
    return NULL;
}

static void send(struct session *session, const struct peer_id *peer, const uint8_t *incarnation,
                 uint64_t seq, struct message *message)
{
    memcpy(message->run_id, session->config.run_id, ID_BYTES);
    memcpy(message->incarnation, incarnation, ID_BYTES);
    message->epoch = session->config.epoch;
    message->seq = seq;
    session->perform(
        session->context,
        &(struct session_action){.kind = SESSION_SEND, .peer = *peer, .message = message});
}

static void send_to(struct session *session, struct agent *agent, struct message *message)
{
    send(session, &agent->peer, agent->incarnation, ++agent->seq_sent, message);
}

/* How a run ends. */

static void drain(struct session *session, enum stop_kind kind, const char *reason)
{
    bool loaded = session->start_ns > 0;
    uint64_t deadline_ns =
        session->plan->timeout_ns < DRAIN_NS_MAX ? session->plan->timeout_ns : DRAIN_NS_MAX;
    if (!loaded || kind == STOP_ABORT)
        deadline_ns = 0;
    if (loaded && session->load_ns == 0)
        session->load_ns = since_start_ns(session, session->now_ns);
    session->state = SESSION_DRAINING;
    session->stop = (struct stop){.kind = kind};
    snprintf(session->stop.reason, sizeof session->stop.reason, "%s", reason);
    session->drain_ns = session->now_ns + deadline_ns;
    session->drain_end_ns = kind == STOP_ABORT ? session->now_ns + ABORT_NS
                            : loaded           ? session->drain_ns + DRAIN_GRACE_NS
                                               : session->now_ns + EARLY_GRACE_NS;
}

/* Ends the run before its time; the first reason stands. */
__attribute__((format(printf, 4, 5))) static void break_off(struct session *session,
                                                            enum run_end end, enum stop_kind kind,
                                                            const char *format, ...)
{
    struct evidence *evidence = &session->steering.evidence;
    bool first = evidence->end == RUN_COMPLETE && !is_over(session);
    if (first) {
        evidence->end = end;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(evidence->cause, sizeof evidence->cause, format, arguments);
        va_end(arguments);
        say(session, end == RUN_INTERRUPTED ? "interrupted" : "broken_off", "%s", evidence->cause);
    }
    if (first || kind == STOP_ABORT)
        drain(session, kind, evidence->cause);
}

static void finish(struct session *session)
{
    struct report *report = &session->report;
    session->state = SESSION_DONE;
    summary_fill(&(struct summary){.roster = &session->roster,
                                   .start_ns = session->start_ns,
                                   .duration_ns = session->load_ns,
                                   .lease_ms = session->config.lease_ms,
                                   .open_arrivals = steering_open_arrivals(session->plan)},
                 report, &session->steering.evidence);
    settling_report(&session->steering.settling, report->throughput_per_s, &report->control);
    struct evidence *evidence = &session->steering.evidence;
    evidence->agents_lost = roster_lost(&session->roster);
    for (uint32_t i = 0; i < session->roster.count; i++)
        evidence->agents_declined += session->roster.agents[i]->state == AGENT_DECLINED;
    verdict_thresholds(report);
    verdict_reach(evidence, report);
}

/* Agents, and what they say. */

static void mark_corrupt(struct session *session, struct agent *agent, const char *sentence)
{
    if (agent->corrupt)
        return;
    agent->corrupt = true;
    say(session, "agent_corrupt", "agent %s is not believed any more and gets no load: %.120s",
        agent->hello.name, sentence);
}

static void welcome(struct session *session, struct agent *agent)
{
    struct message message = {.type = MESSAGE_WELCOME};
    struct welcome *welcome = &message.as.welcome;
    *welcome = (struct welcome){
        .major = PROTOCOL_MAJOR,
        .minor = PROTOCOL_MINOR, /* the lowest there is, so the smaller of the two */
        .lease_ms = session->config.lease_ms,
        .beat_ms = TICK_MS,
        .sample_ms = SAMPLE_MS,
        .histogram_max_ns = HISTOGRAM_NS_MAX,
        .histogram_digits = HISTOGRAM_DIGITS,
        .assignment = session->config.assignment,
        .assignment_bytes = session->config.assignment_bytes,
        .echo_t = agent->echo_t,
    };
    memcpy(welcome->assignment_digest, session->assignment_digest, DIGEST_BYTES);
    send_to(session, agent, &message);
}

static void refuse(struct session *session, const struct session_event *event,
                   const struct refuse *refusal)
{
    struct message message = {.type = MESSAGE_REFUSE, .as.refuse = *refusal};
    send(session, event->peer, event->message->incarnation, ++session->seq_refused, &message);
    char sentence[SENTENCE_BYTES];
    snprintf(sentence, sizeof sentence, "agent %.60s was refused: %.160s",
             event->message->as.hello.name, refusal->sentence);
    const char *before = last_event_of(session, "agent_refused");
    if (before == NULL ||
        strcmp(before, sentence) != 0) /* who asks again and again is told of once */
        say(session, "agent_refused", "%s", sentence);
}

static void take_hello(struct session *session, const struct session_event *event)
{
    const struct hello *hello = &event->message->as.hello;
    struct refuse refusal;
    if (!admission_judge(&session->roster, session->now_ns, session->config.lease_ms,
                         is_over(session), hello, &refusal)) {
        refuse(session, event, &refusal);
        return;
    }
    struct agent *agent = roster_add(&session->roster, session->now_ns, event->peer,
                                     event->message->incarnation, hello);
    if (agent == NULL) {
        refusal = (struct refuse){.code = REFUSE_BUSY, .retry_ms = session->config.lease_ms};
        snprintf(refusal.sentence, sizeof refusal.sentence, "the coordinator is out of memory");
        refuse(session, event, &refusal);
        return;
    }
    welcome(session, agent);
}

static void take_ready(struct session *session, struct agent *agent, const struct ready *ready)
{
    if (agent->state != AGENT_WELCOMED)
        return;
    if (memcmp(ready->assignment_digest, session->assignment_digest, DIGEST_BYTES) != 0) {
        welcome(
            session,
            agent); /* it holds another assignment; a late READY of an earlier run says so too */
        return;
    }
    agent->state = AGENT_READY;
    agent->beat_ns = session->now_ns;
    agent->silent = false;
    uint32_t living = roster_living(&session->roster);
    if (living > session->report.agents_peak)
        session->report.agents_peak = living;
    if (session->state != SESSION_GATHERING && !is_over(session))
        say(session, "agent_joined", "agent %s joined: it takes its share from now on",
            agent->hello.name);
}

static void take_decline(struct session *session, struct agent *agent,
                         const struct decline *decline)
{
    if (agent->state != AGENT_WELCOMED)
        return;
    agent->state = AGENT_DECLINED;
    say(session, "agent_declined", "agent %.60s declined the plan: %.160s", agent->hello.name,
        decline->sentence);
}

static void leave(struct session *session, struct agent *agent, const char *why)
{
    if (agent->state != AGENT_READY)
        return;
    agent->state = AGENT_LEAVING;
    if (!is_over(session))
        say(session, "agent_left", "agent %.60s leaves the run: %.120s", agent->hello.name, why);
}

static void note_beat(struct session *session, struct agent *agent)
{
    if (agent->lost) {
        agent->lost = false;
        say(session, "agent_back", "agent %s is back: nothing of what it did is missing",
            agent->hello.name);
    }
    double drift = aggregate_drift(agent);
    if (fabs(drift) > DRIFT_MAX && !agent->drift_said) {
        agent->drift_said = true;
        say(session, "clock_drift",
            "the clock of agent %s runs %.1f %% %s than the coordinator's: leases may overlap",
            agent->hello.name, 100.0 * fabs(drift), drift > 0.0 ? "faster" : "slower");
    }
    bool quiet =
        agent->stood_still_ns > 0 && session->now_ns - agent->stood_still_ns < STOOD_STILL_NS;
    if ((agent->beat.flags & BEAT_STOOD_STILL) != 0 && is_loaded(session) && !quiet) {
        agent->stood_still_ns = session->now_ns;
        say(session, "stood_still",
            "agent %s itself stood still for 20 ms or more: latencies of that time are its own too",
            agent->hello.name);
    }
}

static void take_beat(struct session *session, struct agent *agent, const struct message *message)
{
    if (agent->state == AGENT_WELCOMED || agent->state == AGENT_DECLINED || agent->corrupt)
        return;
    struct error error = {0};
    switch (aggregate_beat(agent, session->now_ns, message->seq, &message->as.beat, &error)) {
    case WORD_TAKEN:
        lease_acknowledge(&agent->lease, message->as.beat.applied_seq);
        note_beat(session, agent);
        break;
    case WORD_CORRUPT:
        mark_corrupt(session, agent, error.message);
        break;
    case WORD_STALE:
    case WORD_DROPPED:
        break;
    }
}

/* One part of a word on a phase. False: it could not be kept or believed. */
static bool take_word(struct session *session, struct agent *agent, const struct sample *sample,
                      bool final)
{
    struct error error = {0};
    if (agent->corrupt)
        return false;
    if (sample->phase >= session->roster.phase_count) {
        mark_corrupt(session, agent, "it speaks of a phase that the plan does not have");
        return false;
    }
    switch (words_take(&agent->phases[sample->phase], sample, final, &session->window, &error)) {
    case WORD_TAKEN:
    case WORD_STALE:
        return true;
    case WORD_CORRUPT:
        mark_corrupt(session, agent, error.message);
        return false;
    case WORD_DROPPED:
        break;
    }
    return false;
}

static void acknowledge_final(struct session *session, struct agent *agent, uint64_t seq,
                              const struct final *final)
{
    struct message message = {.type = MESSAGE_FINAL_ACK,
                              .as.final_ack = {.seq = seq,
                                               .started = final->sample.counters.started,
                                               .ok = final->sample.counters.ok}};
    send_to(session, agent, &message);
}

static const char *final_reason_clause(enum final_reason reason)
{
    static const char *const clauses[FINAL_REASONS] = {
        [FINAL_DRAINED] = "it drained",
        [FINAL_ABORTED] = "it aborted",
        [FINAL_LEASE_ENDED] = "its lease ended",
        [FINAL_INTERRUPTED] = "its owner interrupted it",
    };
    CHECK(reason < COUNT(clauses));
    return clauses[reason];
}

/* Its final word is whole when that of every phase is. Its lease is over then: it starts nothing
 * any more. */
static void take_final(struct session *session, struct agent *agent, const struct message *message)
{
    const struct final *final = &message->as.final;
    if (agent->state == AGENT_WELCOMED || agent->state == AGENT_DECLINED)
        return;
    if (agent->state == AGENT_DONE) { /* our acknowledgement got lost: the same again */
        acknowledge_final(session, agent, message->seq, final);
        return;
    }
    leave(session, agent, final_reason_clause(final->reason));
    if (final->last_phase >= session->roster.phase_count ||
        !counters_monotone(&final->counters, &agent->beat.counters)) {
        mark_corrupt(session, agent, "its final word says less than it said before");
        return;
    }
    if (!take_word(session, agent, &final->sample, true))
        return;
    acknowledge_final(session, agent, message->seq, final);
    for (uint32_t phase = 0; phase <= final->last_phase; phase++)
        if (!words_final(&agent->phases[phase]))
            return;
    agent->state = AGENT_DONE;
    agent->lost = false;
    agent->final = final->counters;
    agent->final_cpu_ns = final->cpu_ns;
    lease_clear(&agent->lease);
}

static void take_from_agent(struct session *session, struct agent *agent,
                            const struct session_event *event)
{
    const struct message *message = event->message;
    agent->peer = *event->peer; /* a new connection of the same incarnation is the same agent */
    agent->heard_ns = session->now_ns;
    switch (message->type) {
    case MESSAGE_HELLO: /* our WELCOME got lost */
        if (agent->state == AGENT_WELCOMED || agent->state == AGENT_READY)
            welcome(session, agent);
        break;
    case MESSAGE_READY:
        take_ready(session, agent, &message->as.ready);
        break;
    case MESSAGE_DECLINE:
        take_decline(session, agent, &message->as.decline);
        break;
    case MESSAGE_BEAT:
        take_beat(session, agent, message);
        break;
    case MESSAGE_SAMPLE:
        if (agent->state == AGENT_READY || agent->state == AGENT_LEAVING)
            take_word(session, agent, &message->as.sample, false);
        break;
    case MESSAGE_FINAL:
        take_final(session, agent, message);
        break;
    case MESSAGE_BYE:
        leave(session, agent, message->as.bye.reason);
        break;
    case MESSAGE_WELCOME: /* ours to say, not theirs */
    case MESSAGE_REFUSE:
    case MESSAGE_SETPOINT:
    case MESSAGE_FINAL_ACK:
    case MESSAGE_STOP:
    case MESSAGE_RESET:
    case MESSAGE_DATA:
    case MESSAGE_TYPES:
        break;
    }
}

/* Strangers may say HELLO; all else is of a run that is not ours and goes unanswered. */
static void take_message(struct session *session, const struct session_event *event)
{
    const struct message *message = event->message;
    struct agent *agent = roster_find(&session->roster, message->incarnation);
    bool ours = memcmp(message->run_id, session->config.run_id, ID_BYTES) == 0;
    if (agent == NULL && message->type == MESSAGE_HELLO)
        take_hello(session, event);
    else if (agent != NULL && (ours || message->type == MESSAGE_HELLO))
        take_from_agent(session, agent, event);
}

/* The tick. */

static void note_loss(struct session *session, struct agent *agent)
{
    agent->lost = true;
    agent->lost_ns = agent->beat_ns;
    char ago[UNITS_TEXT_BYTES];
    units_show_latency(session->now_ns - agent->beat_ns, ago);
    if (is_over(session) || session->state == SESSION_GATHERING) {
        say(session, "agent_lost", "agent %s was lost: nothing heard for %s", agent->hello.name,
            ago);
        return;
    }
    uint64_t lost_max = ledger_lost_max(
        &session->roster, agent, steering_open_arrivals(session->plan), session->config.lease_ms);
    bool moves = session->plan->on_loss == ON_LOSS_REDISTRIBUTE;
    say(session, "agent_lost",
        "agent %s was lost: nothing heard for %s, at most %llu more requests; its share %s",
        agent->hello.name, ago, (unsigned long long)lost_max,
        moves ? "moves to the others" : "is left out");
    if (session->plan->on_loss == ON_LOSS_ABORT)
        break_off(session, RUN_AGENTS_LOST, STOP_DRAIN,
                  "agent %s was lost, and the plan says abort", agent->hello.name);
}

/* Lost is who is silent when the last of its leases has ended: until then it may only be hard to
 * hear. */
static void judge_losses(struct session *session)
{
    for (uint32_t i = 0; i < session->roster.count; i++) {
        struct agent *agent = session->roster.agents[i];
        bool here = agent->state == AGENT_READY || agent->state == AGENT_LEAVING;
        uint64_t quiet_ns = session->now_ns - agent->heard_ns;
        bool gone = agent->silent && quiet_ns >= session->config.lease_ms * MS &&
                    session->now_ns >= lease_end_ns(&agent->lease, session->config.lease_ms);
        if (here && gone && !agent->lost && !agent->corrupt)
            note_loss(session, agent);
    }
}

/* Those who are told what to run, lost ones included until their lease has ended. */
static uint32_t count_present(const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        count += agent->state == AGENT_READY && !agent->lost && !agent->corrupt;
    }
    return count;
}

static void judge_fleet(struct session *session)
{
    uint32_t present = count_present(session);
    if (present < agents_min(session))
        break_off(session, RUN_AGENTS_LOST, STOP_DRAIN, "%u agent%s left, and the plan needs %u",
                  present, present == 1 ? " is" : "s are", agents_min(session));
}

static uint32_t count_in_state(const struct session *session, enum agent_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < session->roster.count; i++)
        count += session->roster.agents[i]->state == state;
    return count;
}

static void give_up_gathering(struct session *session, uint32_t ready)
{
    const char *why = last_event_of(session, "agent_declined");
    if (why == NULL)
        why = last_event_of(session, "agent_refused");
    char waited[UNITS_TEXT_BYTES];
    units_show_duration(session->config.wait_ns, waited);
    if (why != NULL)
        break_off(session, RUN_NO_AGENTS, STOP_DRAIN, "%u of at least %u agents were ready: %.150s",
                  ready, agents_min(session), why);
    else
        break_off(session, RUN_NO_AGENTS, STOP_DRAIN,
                  "%u of at least %u agents were ready within %s", ready, agents_min(session),
                  waited);
}

static void begin_load(struct session *session)
{
    session->start_ns = session->now_ns;
    session->state = session->plan->schedule.warmup_ns > 0 ? SESSION_WARMING : SESSION_RUNNING;
}

/* Goes on when all who were expected are ready, or have said no, or the wait is over. */
static void gather(struct session *session)
{
    uint32_t ready = roster_living(&session->roster);
    uint32_t declined = count_in_state(session, AGENT_DECLINED);
    bool answered = ready + declined >= session->config.agents_expect;
    bool waited = session->now_ns - session->opened_ns >= session->config.wait_ns;
    if (!answered && !waited)
        return;
    if (ready < agents_min(session)) {
        give_up_gathering(session, ready);
        return;
    }
    if (ready < session->config.agents_expect)
        say(session, "agents_missing",
            "%u of %u agents are ready; the run goes on without the rest", ready,
            session->config.agents_expect);
    steering_begin(&session->steering, &session->roster);
    session->connecting_ns = session->now_ns;
    session->state = SESSION_CONNECTING;
}

/* Open arrivals begin with workers that are connected, so that the first requests do not measure
 * handshakes. */
static void connect_floors(struct session *session)
{
    bool needed = steering_open_arrivals(session->plan) && session->plan->keep_alive;
    bool there =
        session->seen.workers >= session->steering.advice.floor && session->seen.parts_expected > 0;
    bool waited = session->now_ns - session->connecting_ns >= CONNECTING_TICKS * TICK_NS;
    if (!needed || there || waited)
        begin_load(session);
}

static void tell_news(struct session *session, const struct steering_news *news)
{
    const struct steering *steering = &session->steering;
    char text[UNITS_TEXT_BYTES];
    if (news->settled)
        say(session, "settled", "settled at %.0f workers in %.1fs",
            settling_workers_mean(&steering->settling), (double)steering->settling.settle_ns / 1e9);
    if (news->saturated)
        say(session, "saturated", "the target gives no more: %s with %.0f workers",
            units_show_rate(steering->advice.ceiling_per_s, 0, text),
            steering->advice.ceiling_concurrency);
    if (news->latency_changed) {
        const struct latency_change *change = &news->change;
        bool rose = change->after_ns > change->before_ns;
        double times =
            rose ? change->after_ns / change->before_ns : change->before_ns / change->after_ns;
        say(session, "latency_changed", "latency %s %.1fx to %s: workers %.0f -> %.0f",
            rose ? "rose" : "fell", times, units_show_latency((uint64_t)change->after_ns, text),
            change->workers_before, change->workers_after);
    }
    if (news->failing)
        break_off(session, RUN_STOP_AFTER, STOP_DRAIN,
                  "more than half of the requests failed for %s",
                  units_show_duration(session->plan->stop_after_ns, text));
}

static void judge_target(struct session *session, uint64_t at_ns, const struct counters *total)
{
    uint64_t unconnected =
        total->failed[FAILURE_CONNECT_REFUSED] + total->failed[FAILURE_CONNECT_FAILED];
    uint64_t bad = counters_failed(total) + total->timed_out;
    if (at_ns >= UNREACHABLE_NS && total->ok == 0 && bad > 0 && unconnected == bad)
        break_off(session, RUN_UNREACHABLE, STOP_DRAIN, "nothing connected to the target");
}

static void note_ceiling(struct session *session)
{
    const struct control_advice *advice = &session->steering.advice;
    struct report_control *control = &session->report.control;
    if (advice->status != CONTROL_SATURATED || session->state != SESSION_RUNNING)
        return;
    control->saturated = true;
    control->saturated_per_s = advice->ceiling_per_s;
    control->saturated_concurrency = advice->ceiling_concurrency;
}

static void steer(struct session *session, const struct counters *total)
{
    uint64_t at_ns = since_start_ns(session, session->now_ns);
    /* The tick nearest to the end: one that comes a moment early must not add another. */
    if (at_ns + TICK_NS / 2 >= session->plan->schedule.duration_ns) {
        drain(session, STOP_DRAIN, "the run is complete");
        return;
    }
    if (at_ns >= session->plan->schedule.warmup_ns)
        session->state = SESSION_RUNNING;
    struct steering_news news =
        steering_step(&session->steering, at_ns, &session->seen, &session->roster);
    note_ceiling(session);
    tell_news(session, &news);
    judge_target(session, at_ns, total);
}

/* The drain is over when nobody is left of whom a final word can be hoped for, or its time is. */
static void wait_for_finals(struct session *session)
{
    bool waiting = false;
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        bool here = agent->state == AGENT_READY || agent->state == AGENT_LEAVING;
        waiting = waiting || (here && !agent->lost && !agent->corrupt);
    }
    if (waiting && session->now_ns < session->drain_end_ns)
        return;
    finish(session);
}

static void send_stop(struct session *session, struct agent *agent)
{
    struct message message = {.type = MESSAGE_STOP, .as.stop = session->stop};
    if (session->drain_ns > session->now_ns)
        message.as.stop.deadline_ms = (uint32_t)((session->drain_ns - session->now_ns) / MS);
    send_to(session, agent, &message);
}

static void note_load(struct session *session, struct agent *agent)
{
    struct under_load *load = &agent->load;
    bool given = agent->order.concurrency_milli > 0 && session->start_ns > 0;
    if (load->from_t == 0 && given) {
        load->from_t = agent->beat.t_agent;
        load->from_cpu_ns = agent->beat.cpu_ns;
    }
    if (load->from_t == 0)
        return;
    load->to_t = agent->beat.t_agent;
    load->to_cpu_ns = agent->beat.cpu_ns;
    if (agent->beat.lanes > load->lanes)
        load->lanes = agent->beat.lanes;
    if (session->state == SESSION_RUNNING && agent_lives(agent)) {
        load->permille_sum += agent->tick.load_permille;
        load->ticks++;
    }
}

/* The order goes out with the time that the agent's lease runs from. None goes to who was not heard
 * for half a lease: what it holds must be able to end. */
static void send_order(struct session *session, struct agent *agent)
{
    uint64_t half_lease_ns = session->config.lease_ms * MS / 2;
    if (agent->silent || agent->lost || session->now_ns - agent->beat_ns > half_lease_ns)
        return;
    const struct order *order = &agent->order;
    if (session->start_ns > 0)
        agent->phase =
            schedule_phase(&session->plan->schedule, since_start_ns(session, session->now_ns));
    struct message message = {
        .type = MESSAGE_SETPOINT,
        .as.setpoint = {.floor_milli = order->floor_milli,
                        .concurrency_milli = order->concurrency_milli,
                        .rate_milli = order->rate_milli,
                        .drop_age_ms = (uint32_t)(session->steering.advice.drop_age_ns / MS),
                        .phase = agent->phase,
                        .sample_ms = session->sample_ms,
                        .echo_t = agent->echo_t}};
    lease_grant(&agent->lease, &(struct grant){.seq = agent->seq_sent + 1,
                                               .concurrency_milli = order->concurrency_milli,
                                               .rate_milli = order->rate_milli,
                                               .echo_received_ns = agent->echo_ns});
    agent->granted_echo_t = agent->echo_t;
    send_to(session, agent, &message);
    note_load(session, agent);
}

static void order_nothing(struct session *session)
{
    for (uint32_t i = 0; i < session->roster.count; i++)
        session->roster.agents[i]->order = (struct order){0};
}

static void tell_agents(struct session *session, bool late)
{
    bool draining = session->state == SESSION_DRAINING;
    if (session->state == SESSION_GATHERING || draining || late)
        order_nothing(session);
    else
        steering_order(&session->steering, &session->roster, session->now_ns, is_loaded(session));
    for (uint32_t i = 0; i < session->roster.count; i++) {
        struct agent *agent = session->roster.agents[i];
        if (draining && (agent->state == AGENT_READY || agent->state == AGENT_LEAVING))
            send_stop(session, agent);
        else if (!draining && agent->state == AGENT_READY)
            send_order(session, agent);
    }
}

static bool reserve_tick_agents(struct session *session)
{
    if (session->tick_agents_capacity >= session->roster.count)
        return true;
    struct tick_agent *larger =
        reallocarray(session->tick_agents, session->roster.capacity, sizeof *session->tick_agents);
    if (larger == NULL)
        return false;
    session->tick_agents = larger;
    session->tick_agents_capacity = session->roster.capacity;
    return true;
}

/* Everybody who took part and has not left for good. */
static uint32_t fill_tick_agents(struct session *session)
{
    uint32_t count = 0;
    if (!reserve_tick_agents(session))
        return 0;
    struct order total = grants_total(&session->roster);
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        if (agent->state == AGENT_WELCOMED || agent->state == AGENT_DECLINED || agent->superseded)
            continue;
        bool paced = total.rate_milli > 0;
        uint64_t all = paced ? total.rate_milli : total.concurrency_milli;
        uint64_t part = paced ? agent->order.rate_milli : agent->order.concurrency_milli;
        session->tick_agents[count++] =
            (struct tick_agent){.name = agent->hello.name,
                                .lost = agent->lost,
                                .throughput_per_s = agent->throughput_per_s,
                                .share = all > 0 ? (double)part / (double)all : 0.0,
                                .load = agent->tick.load_permille / 1000.0,
                                .workers = agent->beat.workers,
                                .in_flight = agent->beat.in_flight,
                                .backlog = agent->beat.backlog,
                                .send_lag_max_us = agent->tick.lag_us,
                                .flags = agent->tick.flags};
    }
    return count;
}

static void show(struct session *session, const struct counters *total)
{
    const struct observation *seen = &session->seen;
    const struct steering *steering = &session->steering;
    struct tick tick = {
        .at_ns = since_start_ns(session, session->now_ns),
        .state = session->state,
        .goal = steering->goal,
        .throughput_per_s = seen->throughput_per_s,
        .in_flight_mean = seen->in_flight_mean,
        .workers = seen->workers,
        .backlog = seen->backlog,
        .concurrency = steering->advice.concurrency,
        .floor = steering->advice.floor,
        .status = steering->advice.status,
        .ceiling_per_s = steering->advice.ceiling_per_s,
        .ceiling_concurrency = steering->advice.ceiling_concurrency,
        .latency_ns_mean = seen->latency_ns_mean,
        .total = *total,
        .agents_ready = roster_living(&session->roster),
        .agents_lost = roster_lost(&session->roster),
        .parts_expected = session->seen.parts_expected,
        .parts_reported = session->seen.parts_reported,
    };
    if (session->start_ns > 0)
        tick.phase = schedule_phase(&session->plan->schedule, tick.at_ns);
    tick.agent_count = fill_tick_agents(session);
    tick.agents = session->tick_agents;
    bool window = session->ticks % WINDOW_TICKS == 0 && session->window.service.total > 0;
    if (window) {
        tick.response = &session->window.response;
        tick.service = &session->window.service;
    }
    session->perform(session->context,
                     &(struct session_action){.kind = SESSION_SHOW, .tick = &tick});
    if (window)
        session->window = (struct word_window){0};
}

/* Late by more than half a lease: agents may have stopped for want of a word, and what was advised
 * is of another moment. So all goes to zero for a tick, and comes back by the same steps as ever.
 */
static bool judge_lateness(struct session *session, uint64_t interval_ns)
{
    bool late = interval_ns > TICK_NS + session->config.lease_ms * MS / 2;
    char text[UNITS_TEXT_BYTES];
    if (late && (is_loaded(session) || session->state == SESSION_CONNECTING))
        say(session, "coordinator_late",
            "the coordinator stood still for %s: all load goes to 0 for a tick",
            units_show_latency(interval_ns, text));
    return late;
}

/* Beats must come through whatever happens, so when we are behind it is the samples that become
 * fewer. */
static void shed_samples(struct session *session, uint64_t interval_ns)
{
    bool behind = interval_ns > TICK_NS + BEHIND_NS;
    session->punctual_ticks = behind ? 0 : session->punctual_ticks + 1;
    if (behind && session->sample_ms < SAMPLE_MS_MAX)
        session->sample_ms *= 2;
    if (session->punctual_ticks >= PUNCTUAL_TICKS && session->sample_ms > SAMPLE_MS) {
        session->sample_ms /= 2;
        session->punctual_ticks = 0;
    }
}

static void advance(struct session *session, bool late, const struct counters *total)
{
    switch (session->state) {
    case SESSION_GATHERING:
        gather(session);
        break;
    case SESSION_CONNECTING:
        judge_fleet(session);
        if (session->state == SESSION_CONNECTING && !late)
            connect_floors(session);
        break;
    case SESSION_WARMING:
    case SESSION_RUNNING:
        judge_fleet(session);
        if (is_loaded(session) && !late)
            steer(session, total);
        break;
    case SESSION_DRAINING:
        wait_for_finals(session);
        break;
    case SESSION_DONE:
        break;
    }
}

static void take_tick(struct session *session)
{
    uint64_t interval_ns = session->tick_ns > 0 ? session->now_ns - session->tick_ns : TICK_NS;
    if (interval_ns == 0)
        return;
    if (session->opened_ns == 0)
        session->opened_ns = session->now_ns;
    session->tick_ns = session->now_ns;
    session->ticks++;
    bool late = judge_lateness(session, interval_ns);
    shed_samples(session, interval_ns);
    aggregate_silence(&session->roster, session->now_ns);
    session->seen = aggregate_tick(&session->roster, interval_ns);
    judge_losses(session);
    struct counters total = ledger_so_far(&session->roster);
    advance(session, late, &total);
    if (session->state != SESSION_DONE)
        tell_agents(session, late);
    show(session, &total);
    if (session->state == SESSION_DONE)
        session->perform(session->context, &(struct session_action){.kind = SESSION_END});
}

static void take_abort(struct session *session)
{
    static const char cause[] = "interrupted: what was in flight was cut";
    break_off(session, RUN_INTERRUPTED, STOP_ABORT, "%s", cause);
    struct evidence *evidence = &session->steering.evidence;
    evidence->end = RUN_INTERRUPTED; /* whatever else it was draining for */
    snprintf(evidence->cause, sizeof evidence->cause, "%s", cause);
    tell_agents(session, false);
}

void session_step(struct session *session, uint64_t now_ns, const struct session_event *event,
                  session_perform *perform, void *context)
{
    CHECK(now_ns > 0);
    CHECK(now_ns >= session->now_ns);
    session->now_ns = now_ns;
    session->perform = perform;
    session->context = context;
    if (session->state == SESSION_DONE)
        return;
    switch (event->kind) {
    case SESSION_TICK:
        take_tick(session);
        break;
    case SESSION_MESSAGE:
        take_message(session, event);
        break;
    case SESSION_DRAIN:
        break_off(session, RUN_INTERRUPTED, STOP_DRAIN, "interrupted");
        tell_agents(session, false);
        break;
    case SESSION_ABORT:
        take_abort(session);
        break;
    case SESSION_SINK_FAILED:
        break_off(session, RUN_SINK_FAILED, STOP_DRAIN, "%s", event->sentence);
        break;
    }
}
