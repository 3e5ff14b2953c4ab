#include "coordinator/session_parts.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/aggregate.h"
#include "coordinator/ledger.h"
#include "coordinator/summary.h"
#include "proto/assignment.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTING_TICKS 5u /* floors that are not there by then will not come: half a second */
#define DRAIN_NS_MAX     (10 * NS_PER_S)   /* nobody waits longer for what is in flight */
#define DRAIN_GRACE_NS   (3 * NS_PER_S)    /* for final words, said every FINAL_REPEAT_MS */
#define EARLY_GRACE_NS   (1 * NS_PER_S)    /* ... of agents that never had any load */
#define ABORT_NS         (800 * NS_PER_MS) /* so that it all ends within a second */
#define AWAKE_GRACE_NS   (1 * NS_PER_S)    /* ... when we stood still: ten beats, four repeats */
#define UNREACHABLE_NS   (5 * NS_PER_S)    /* a target that comes up late has come by then */
#define BEHIND_NS        (50 * NS_PER_MS)  /* late by more than a busy host's scheduler makes us */
#define SAVE_TICKS       10u               /* as often as agents say samples */
#define PUNCTUAL_TICKS   100u              /* ten seconds of it show that there is room again */

const char *session_state_word(enum session_state state)
{
    static const char *const words[] = {
        [SESSION_GATHERING] = "gathering", [SESSION_CONNECTING] = "connecting",
        [SESSION_WARMING] = "warming",     [SESSION_RUNNING] = "running",
        [SESSION_DRAINING] = "draining",   [SESSION_DONE] = "done"};
    CHECK(state < COUNT(words));
    return words[state];
}

bool session_is_loaded(const struct session *session)
{
    return session->state == SESSION_WARMING || session->state == SESSION_RUNNING;
}

bool session_is_over(const struct session *session)
{
    return session->state == SESSION_DRAINING || session->state == SESSION_DONE;
}

uint64_t session_since_start_ns(const struct session *session, uint64_t moment_ns)
{
    return session->start_ns > 0 && moment_ns > session->start_ns ? moment_ns - session->start_ns
                                                                  : 0;
}

uint64_t session_schedule_ns(const struct session *session)
{
    uint64_t since_ns = session_since_start_ns(session, session->now_ns);
    return (since_ns + TICK_NS / 2) / TICK_NS * TICK_NS;
}

uint32_t session_phase(const struct session *session)
{
    return steering_phase(&session->steering, session_schedule_ns(session));
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
    bool bounded = plan_bound(config->plan, METRIC_LATENCY_QUANTILE) != NULL;
    if (session == NULL || events == NULL || !curve_init(&session->curve, bounded)) {
        free(session);
        free(events);
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a run");
        return NULL;
    }
    session->config = *config;
    session->plan = config->plan;
    session->sample_ms = SAMPLE_MS;
    assignment_digest(config->assignment, config->assignment_bytes, session->assignment_digest);
    roster_init(&session->roster, plan_phase_count(config->plan), bounded);
    session->roster.minor_least = assignment_minor(config->assignment);
    steering_init(&session->steering, config->plan, config->lease_ms);
    numbering_init(&session->numbering, config->plan->requests_total);
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
    numbering_done(&session->numbering);
    curve_done(&session->curve);
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

void session_say(struct session *session, const char *kind, const char *format, ...)
{
    struct report_event event = {.at_ns = session_since_start_ns(session, session->now_ns)};
    snprintf(event.kind, sizeof event.kind, "%s", kind);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event.sentence, sizeof event.sentence, format, arguments);
    va_end(arguments);
    report_add_event(&session->report, &event);
    session->perform(session->context,
                     &(struct session_action){.kind = SESSION_EVENT, .event = &event});
}

const char *session_last_event(const struct session *session, const char *kind)
{
    for (uint32_t i = session->report.event_count; i-- > 0;)
        if (strcmp(session->report.events[i].kind, kind) == 0)
            return session->report.events[i].sentence;
    return NULL;
}

void session_send_peer(struct session *session, const struct peer_id *peer,
                       const uint8_t *incarnation, uint64_t seq, struct message *message)
{
    memcpy(message->run_id, session->config.run_id, ID_BYTES);
    memcpy(message->incarnation, incarnation, ID_BYTES);
    message->epoch = session->config.epoch;
    message->seq = seq;
    session->perform(
        session->context,
        &(struct session_action){.kind = SESSION_SEND, .peer = *peer, .message = message});
}

void session_send(struct session *session, struct agent *agent, struct message *message)
{
    if (agent->peer.length == 0)
        return; /* of the coordinator before us, and not heard since: nobody knows where it is */
    session_send_peer(session, &agent->peer, agent->incarnation, ++agent->seq_sent, message);
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
        session->load_ns = session_since_start_ns(session, session->now_ns);
    session->state = SESSION_DRAINING;
    session->stop = (struct stop){.kind = kind};
    snprintf(session->stop.reason, sizeof session->stop.reason, "%s", reason);
    session->drain_ns = session->now_ns + deadline_ns;
    session->drain_end_ns = kind == STOP_ABORT ? session->now_ns + ABORT_NS
                            : loaded           ? session->drain_ns + DRAIN_GRACE_NS
                                               : session->now_ns + EARLY_GRACE_NS;
}

void session_break_off(struct session *session, enum run_end end, enum stop_kind kind,
                       const char *format, ...)
{
    struct evidence *evidence = &session->steering.evidence;
    bool first = evidence->end == RUN_COMPLETE && !session_is_over(session);
    if (first) {
        evidence->end = end;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(evidence->cause, sizeof evidence->cause, format, arguments);
        va_end(arguments);
        session_say(session, end == RUN_INTERRUPTED ? "interrupted" : "broken_off", "%s",
                    evidence->cause);
    }
    if (first || kind == STOP_ABORT)
        drain(session, kind, evidence->cause);
}

void session_complete(struct session *session)
{
    drain(session, STOP_DRAIN, "the run is complete");
    if (session_is_resumed(session) && session->load_ns > session->plan->schedule.duration_ns)
        session->load_ns = session->plan->schedule.duration_ns; /* it ended before we came */
}

/* Those who came back under their name have thought better of it. */
static uint32_t count_declined(const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        count += agent->state == AGENT_DECLINED && !agent->superseded;
    }
    return count;
}

static void finish(struct session *session)
{
    struct report *report = &session->report;
    session->state = SESSION_DONE;
    summary_fill(&(struct summary){.roster = &session->roster,
                                   .start_ns = session->start_ns,
                                   .duration_ns = session->load_ns,
                                   .lease_ms = session->config.lease_ms,
                                   .answer = &session->steering.answer,
                                   .curve = &session->curve,
                                   .open_arrivals = steering_open_arrivals(session->plan)},
                 report, &session->steering.evidence);
    settling_report(&session->steering.settling, report->throughput_per_s, &report->control);
    summary_answer(report);
    struct evidence *evidence = &session->steering.evidence;
    evidence->agents_lost = roster_lost(&session->roster);
    evidence->agents_declined = count_declined(session);
    verdict_thresholds(report);
    verdict_reach(evidence, report);
}

/* Messages. */

static void take_from_agent(struct session *session, struct agent *agent,
                            const struct session_event *event)
{
    const struct message *message = event->message;
    agent->peer = *event->peer; /* a new connection of the same incarnation is the same agent */
    agent->heard_ns = session->now_ns;
    switch (message->type) {
    case MESSAGE_HELLO: /* our WELCOME got lost */
        if (agent->state == AGENT_WELCOMED || agent->state == AGENT_READY)
            session_welcome(session, agent);
        break;
    case MESSAGE_READY:
        session_take_ready(session, agent, &message->as.ready);
        break;
    case MESSAGE_DECLINE:
        session_take_decline(session, agent, &message->as.decline);
        break;
    case MESSAGE_BEAT:
        session_take_beat(session, agent, message);
        break;
    case MESSAGE_SAMPLE:
        session_take_sample(session, agent, &message->as.sample);
        break;
    case MESSAGE_FINAL:
        session_take_final(session, agent, message);
        break;
    case MESSAGE_BYE:
        session_leave(session, agent, message->as.bye.reason);
        break;
    case MESSAGE_FETCH:
        session_give_part(session, agent, &message->as.fetch);
        break;
    case MESSAGE_WELCOME: /* ours to say, not theirs */
    case MESSAGE_REFUSE:
    case MESSAGE_SETPOINT:
    case MESSAGE_FINAL_ACK:
    case MESSAGE_STOP:
    case MESSAGE_RESET:
    case MESSAGE_DATA:
    case MESSAGE_EXAMINE:
    case MESSAGE_FINDINGS: /* asked for by doctor alone */
    case MESSAGE_TYPES:
        break;
    }
}

/* An agent of ours whose HELLO an earlier coordinator heard, and did not live to write down: at an
 * order of a newer epoch, to run nothing, it says HELLO again. */
static void call_back(struct session *session, const struct session_event *event)
{
    struct message message = {
        .type = MESSAGE_SETPOINT,
        .as.setpoint = {.sample_ms = SAMPLE_MS, .echo_t = event->message->as.beat.t_agent}};
    session_send_peer(session, event->peer, event->message->incarnation, ++session->seq_refused,
                      &message);
}

/* Strangers may say HELLO; all else is of a run that is not ours and goes unanswered. */
static void take_message(struct session *session, const struct session_event *event)
{
    const struct message *message = event->message;
    struct agent *agent = roster_find(&session->roster, message->incarnation);
    bool before = message->epoch < session->config.epoch;
    bool ours = memcmp(message->run_id, session->config.run_id, ID_BYTES) == 0;
    if (agent != NULL && strcmp(agent->peer.key, event->peer->key) != 0)
        return; /* somebody else's key: an incarnation is no secret to the rest of the fleet */
    if (agent == NULL && message->type == MESSAGE_HELLO)
        session_take_newcomer(session, event);
    else if (agent != NULL && (ours || message->type == MESSAGE_HELLO))
        take_from_agent(session, agent, event);
    else if (ours && before && message->type == MESSAGE_BEAT)
        call_back(session, event);
}

/* The tick. */

/* Those who are told what to run, lost ones included until their lease has ended. */
static uint32_t count_present(const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        count += agent_may_carry(agent) && !agent->lost;
    }
    return count;
}

static void judge_fleet(struct session *session)
{
    uint32_t present = count_present(session);
    if (present < agents_min(session))
        session_break_off(session, RUN_AGENTS_LOST, STOP_DRAIN,
                          "%u agent%s left, and the plan needs %u", present,
                          present == 1 ? " is" : "s are", agents_min(session));
}

static void give_up_gathering(struct session *session, uint32_t ready)
{
    const char *why = session_last_event(session, "agent_declined");
    if (why == NULL)
        why = session_last_event(session, "agent_refused");
    char waited[UNITS_TEXT_BYTES];
    units_show_duration(session->config.wait_ns, waited);
    if (why != NULL)
        session_break_off(session, RUN_NO_AGENTS, STOP_DRAIN,
                          "%u of at least %u agents were ready: %.150s", ready, agents_min(session),
                          why);
    else
        session_break_off(session, RUN_NO_AGENTS, STOP_DRAIN,
                          "%u of at least %u agents were ready within %s", ready,
                          agents_min(session), waited);
}

/* A goal that is a number of requests in flight is known to be out of reach before it begins; other
 * goals need as many as they need. True: broken off. */
static bool refuse_for_want_of_room(struct session *session)
{
    const struct plan *plan = session->plan;
    double wanted = plan->schedule.value;
    for (uint32_t i = 0; i < plan->schedule.stage_count; i++)
        wanted = fmax(wanted, plan->schedule.stages[i].to);
    uint64_t room = roster_concurrency_max(&session->roster);
    if (plan->goal != GOAL_CONCURRENCY || wanted <= (double)room)
        return false;
    session_break_off(session, RUN_NO_AGENTS, STOP_DRAIN,
                      "the goal is %.0f requests in flight, and the agents have room for %llu: "
                      "their open files (ulimit -n), their local ports or their owners allow no "
                      "more",
                      wanted, (unsigned long long)room);
    return true;
}

static void begin_load(struct session *session)
{
    if (session->start_ns == 0)
        session->start_ns = session->now_ns;
    bool warm = session_schedule_ns(session) >= session->plan->schedule.warmup_ns;
    session->state = warm ? SESSION_RUNNING : SESSION_WARMING;
}

static void begin_connecting(struct session *session)
{
    steering_begin(&session->steering, &session->roster, session_schedule_ns(session));
    session->connecting_ns = session->now_ns;
    session->state = SESSION_CONNECTING;
}

/* Goes on when all who were expected are ready, or have said no, or the wait is over. */
static void gather(struct session *session)
{
    if (session_is_resumed(session)) {
        if (session_gather_again(session, agents_min(session)))
            begin_connecting(session);
        return;
    }
    uint32_t ready = roster_living(&session->roster);
    bool answered = ready + count_declined(session) >= session->config.agents_expect;
    bool waited = session->now_ns - session->opened_ns >= session->config.wait_ns;
    if (!answered && !waited)
        return;
    if (ready < agents_min(session)) {
        give_up_gathering(session, ready);
        return;
    }
    if (refuse_for_want_of_room(session))
        return;
    if (ready < session->config.agents_expect)
        session_say(session, "agents_missing",
                    "%u of %u agents are ready; the run goes on without the rest", ready,
                    session->config.agents_expect);
    begin_connecting(session);
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
    char workers[UNITS_TEXT_BYTES];
    if (news->settled)
        session_say(session, "settled", "settled at %.0f workers in %.1fs",
                    settling_workers_mean(&steering->settling),
                    (double)steering->settling.settle_ns / 1e9);
    if (news->converged)
        session_say(session, "converged", "converged at %s: %s",
                    report_workers(steering->advice.concurrency, workers),
                    units_show_rate(settling_value_mean(&steering->settling), 0, text));
    if (news->searching)
        session_say(session, "searching",
                    "what was found does not hold any more: the search begins again");
    if (news->saturated && !plan_searches(session->plan))
        session_say(session, "saturated", "the target gives no more: %s with %.0f workers",
                    units_show_rate(steering->advice.ceiling_per_s, 0, text),
                    steering->advice.ceiling_concurrency);
    if (news->latency_changed) {
        const struct latency_change *change = &news->change;
        bool rose = change->after_ns > change->before_ns;
        double times =
            rose ? change->after_ns / change->before_ns : change->before_ns / change->after_ns;
        session_say(session, "latency_changed", "latency %s %.1fx to %s: workers %.0f -> %.0f",
                    rose ? "rose" : "fell", times,
                    units_show_latency((uint64_t)change->after_ns, text), change->workers_before,
                    change->workers_after);
    }
    if (news->failing)
        session_break_off(session, RUN_STOP_AFTER, STOP_DRAIN,
                          "more than half of the requests failed for %s",
                          units_show_duration(session->plan->stop_after_ns, text));
}

/* Once of each class: a word in the list of errors would leave people guessing. */
static void explain_failures(struct session *session, const struct counters *total)
{
    static_assert(FAILURE_COUNT <= 32, "a bit each");
    for (enum failure failure = 0; failure < FAILURE_COUNT; failure++) {
        const char *sentence = failure_sentence(failure);
        uint32_t bit = UINT32_C(1) << failure;
        if (sentence == NULL || total->failed[failure] == 0 || (session->explained & bit) != 0)
            continue;
        session->explained |= bit;
        session_say(session, failure_word(failure), "%s", sentence);
    }
}

static void judge_target(struct session *session, uint64_t at_ns, const struct counters *total)
{
    explain_failures(session, total);
    uint64_t bad = counters_failed(total) + total->timed_out;
    if (at_ns >= UNREACHABLE_NS && total->ok == 0 && bad > 0 && counters_unconnected(total) == bad)
        session_break_off(session, RUN_UNREACHABLE, STOP_DRAIN, "nothing connected to the target");
}

/* Only one that was told, for it lasted: a moment's doubt in a run that went well is no ceiling. */
static void note_ceiling(struct session *session)
{
    const struct control_advice *advice = &session->steering.advice;
    struct report_control *control = &session->report.control;
    if (advice->status != CONTROL_SATURATED || !session->steering.saturated_said ||
        session->state != SESSION_RUNNING)
        return;
    control->saturated = true;
    control->saturated_per_s = advice->ceiling_per_s;
    control->saturated_concurrency = advice->ceiling_concurrency;
}

static void steer(struct session *session, const struct counters *total)
{
    uint64_t at_ns = session_schedule_ns(session);
    if (at_ns >= session->plan->schedule.duration_ns) {
        session_complete(session);
        return;
    }
    if (session_numbers_ended(session)) {
        drain(session, STOP_DRAIN, "all requests have ended");
        return;
    }
    if (at_ns >= session->plan->schedule.warmup_ns)
        session->state = SESSION_RUNNING;
    if (session_numbers_run_out(session)) {
        steering_pass(&session->steering, at_ns);
        return;
    }
    struct steering_news news =
        steering_step(&session->steering, at_ns, &session->seen, &session->roster);
    note_ceiling(session);
    tell_news(session, &news);
    judge_target(session, at_ns, total);
}

static bool owes_final(const struct agent *agent)
{
    bool here = agent->state == AGENT_READY || agent->state == AGENT_LEAVING;
    return here && !agent->lost && !agent->corrupt;
}

/* The drain is over when nobody is left of whom a final word can be hoped for, or its time is. */
static void wait_for_finals(struct session *session)
{
    bool late = session->now_ns >= session->drain_end_ns;
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        if (!owes_final(agent))
            continue;
        if (!late)
            return;
        session_say(session, "final_missing",
                    "agent %s gave no final word: what it did after its last beat is not in the "
                    "sums",
                    agent->hello.name);
    }
    finish(session);
}

/* Late by more than half a lease: agents may have stopped for want of a word, and what was advised
 * is of another moment. So all goes to zero for a tick, and comes back by the same steps as ever.
 */
static bool judge_lateness(struct session *session, uint64_t interval_ns)
{
    bool late = interval_ns > TICK_NS + session->config.lease_ms * NS_PER_MS / 2;
    char text[UNITS_TEXT_BYTES];
    if (late && (session_is_loaded(session) || session->state == SESSION_CONNECTING))
        session_say(session, "coordinator_late",
                    "the coordinator stood still for %s: all load goes to 0 for a tick",
                    units_show_latency(interval_ns, text));
    return late;
}

/* What was said while we stood still lies unread, or its sender stood still beside us: only time in
 * which we listened makes an agent lost, or a final word missing. */
static void excuse_silence(struct session *session, uint64_t deaf_ns)
{
    for (uint32_t i = 0; i < session->roster.count; i++) {
        struct agent *agent = session->roster.agents[i];
        uint64_t excused_ns = agent->heard_ns + deaf_ns;
        agent->heard_ns = excused_ns < session->now_ns ? excused_ns : session->now_ns;
    }
    uint64_t grace_end_ns = session->now_ns + AWAKE_GRACE_NS;
    if (session->state == SESSION_DRAINING && session->drain_end_ns < grace_end_ns)
        session->drain_end_ns = grace_end_ns;
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
        if (session_is_loaded(session) && !late)
            steer(session, total);
        break;
    case SESSION_DRAINING:
        wait_for_finals(session);
        break;
    case SESSION_DONE:
        break;
    }
}

static void observe(struct session *session, uint64_t interval_ns)
{
    const struct threshold *bound = plan_bound(session->plan, METRIC_LATENCY_QUANTILE);
    struct digest *digest = bound != NULL ? &session->digest : NULL;
    session->seen = aggregate_tick(&session->roster, interval_ns, digest);
    if (bound != NULL)
        session->seen.latency_ns_quantile = digest_quantile(digest, bound->quantile);
    const struct observation *seen = &session->seen;
    bool whole = seen->parts_expected > 0 && seen->parts_reported == seen->parts_expected;
    if (whole && session_is_loaded(session) && plan_searches(session->plan))
        curve_take(&session->curve, seen, digest);
}

static void save(struct session *session)
{
    if (!session->unsaved && session->ticks % SAVE_TICKS != 0)
        return;
    session->unsaved = false;
    session->perform(session->context, &(struct session_action){.kind = SESSION_SAVE});
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
    session->parts_given = 0;
    bool late = judge_lateness(session, interval_ns);
    if (late)
        excuse_silence(session, interval_ns - TICK_NS);
    shed_samples(session, interval_ns);
    aggregate_silence(&session->roster, session->now_ns);
    observe(session, interval_ns);
    session_judge_losses(session);
    struct counters total = ledger_so_far(&session->roster);
    advance(session, late, &total);
    save(session); /* before anybody new is given anything to do */
    if (session->state != SESSION_DONE)
        session_tell_agents(session, late);
    session_show(session, &total);
    if (session->state == SESSION_DONE)
        session->perform(session->context, &(struct session_action){.kind = SESSION_END});
}

static void take_abort(struct session *session)
{
    static const char cause[] = "interrupted: what was in flight was cut";
    session_break_off(session, RUN_INTERRUPTED, STOP_ABORT, "%s", cause);
    struct evidence *evidence = &session->steering.evidence;
    evidence->end = RUN_INTERRUPTED; /* whatever else it was draining for */
    snprintf(evidence->cause, sizeof evidence->cause, "%s", cause);
    session_tell_agents(session, false);
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
    case SESSION_BARRED:
        session_bar(session, event);
        break;
    case SESSION_NOTE:
        session_say(session, event->kind_word, "%s", event->sentence);
        break;
    case SESSION_DRAIN:
        session_break_off(session, RUN_INTERRUPTED, STOP_DRAIN, "interrupted");
        session_tell_agents(session, false);
        break;
    case SESSION_ABORT:
        take_abort(session);
        break;
    case SESSION_SINK_FAILED:
        session_break_off(session, RUN_SINK_FAILED, STOP_DRAIN, "%s", event->sentence);
        break;
    }
}
