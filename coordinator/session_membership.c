#include "coordinator/session_parts.h"

#include "common/base/units.h"
#include "coordinator/admission.h"
#include "coordinator/ledger.h"
#include "proto/assignment.h"

#include <stdio.h>
#include <string.h>

void session_welcome(struct session *session, struct agent *agent)
{
    struct message message = {.type = MESSAGE_WELCOME};
    struct welcome *welcome = &message.as.welcome;
    *welcome = (struct welcome){
        .major = PROTOCOL_MAJOR,
        .minor = agent->hello.minor < PROTOCOL_MINOR ? agent->hello.minor : PROTOCOL_MINOR,
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
    session_send(session, agent, &message);
}

static void refuse(struct session *session, const struct session_event *event,
                   const struct refuse *refusal)
{
    struct message message = {.type = MESSAGE_REFUSE, .as.refuse = *refusal};
    session_send_peer(session, event->peer, event->message->incarnation, ++session->seq_refused,
                      &message);
    char sentence[SENTENCE_BYTES];
    snprintf(sentence, sizeof sentence, "agent %.60s was refused: %.160s",
             event->message->as.hello.name, refusal->sentence);
    /* Who asks again and again is told of once. */
    const char *before = session_last_event(session, "agent_refused");
    if (before == NULL || strcmp(before, sentence) != 0)
        session_say(session, "agent_refused", "%s", sentence);
}

void session_take_newcomer(struct session *session, const struct session_event *event)
{
    const struct hello *hello = &event->message->as.hello;
    struct refuse refusal;
    if (!admission_judge(&session->roster, session->now_ns, session->config.lease_ms,
                         session_is_over(session), hello, &refusal)) {
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
    session->unsaved = true;
    session_welcome(session, agent);
}

void session_take_ready(struct session *session, struct agent *agent, const struct ready *ready)
{
    if (agent->state != AGENT_WELCOMED)
        return;
    if (memcmp(ready->assignment_digest, session->assignment_digest, DIGEST_BYTES) != 0) {
        /* It holds another assignment; a late READY of an earlier run says so too. */
        session_welcome(session, agent);
        return;
    }
    agent->state = AGENT_READY;
    agent->beat_ns = session->now_ns;
    agent->silent = false;
    uint32_t living = roster_living(&session->roster);
    if (living > session->report.agents_peak)
        session->report.agents_peak = living;
    if (session->state != SESSION_GATHERING && !session_is_over(session))
        session_say(session, "agent_joined", "agent %s joined: it takes its share from now on",
                    agent->hello.name);
}

void session_take_decline(struct session *session, struct agent *agent,
                          const struct decline *decline)
{
    if (agent->state != AGENT_WELCOMED)
        return;
    agent->state = AGENT_DECLINED;
    session_say(session, "agent_declined", "agent %.60s declined the plan: %.160s",
                agent->hello.name, decline->sentence);
}

void session_leave(struct session *session, struct agent *agent, const char *why)
{
    if (agent->state != AGENT_READY)
        return;
    agent->state = AGENT_LEAVING;
    if (!session_is_over(session))
        session_say(session, "agent_left", "agent %.60s leaves the run: %.120s", agent->hello.name,
                    why);
}

/* It is told to stop, whatever it says and as often; that it does so nobody believes, so it is lost
 * when its lease has ended. */
void session_bar(struct session *session, const struct session_event *event)
{
    struct agent *agent = roster_find(&session->roster, event->message->incarnation);
    if (agent == NULL || strcmp(agent->peer.key, event->peer->key) != 0)
        return;
    struct message message = {.type = MESSAGE_STOP, .as.stop = {.kind = STOP_ABORT}};
    snprintf(message.as.stop.reason, sizeof message.as.stop.reason,
             "its key may not be in this run any more");
    session_send(session, agent, &message);
    if (agent->barred)
        return;
    agent->barred = true;
    session_say(session, "agent_barred",
                "agent %s was told to stop: its key was taken from the list, or has ended",
                agent->hello.name);
}

static void note_loss(struct session *session, struct agent *agent)
{
    agent->lost = true;
    agent->lost_ns = agent->beat_ns;
    char ago[UNITS_TEXT_BYTES];
    units_show_latency(session->now_ns - agent->beat_ns, ago);
    if (session_is_over(session) || session->state == SESSION_GATHERING) {
        session_say(session, "agent_lost", "agent %s was lost: nothing heard for %s",
                    agent->hello.name, ago);
        return;
    }
    uint64_t lost_max = ledger_lost_max(
        &session->roster, agent, steering_open_arrivals(session->plan), session->config.lease_ms);
    bool moves = session->plan->on_loss == ON_LOSS_REDISTRIBUTE;
    session_say(session, "agent_lost",
                "agent %s was lost: nothing heard for %s, at most %llu more requests; its share %s",
                agent->hello.name, ago, (unsigned long long)lost_max,
                moves ? "moves to the others" : "is left out");
    if (session->plan->on_loss == ON_LOSS_ABORT)
        session_break_off(session, RUN_AGENTS_LOST, STOP_DRAIN,
                          "agent %s was lost, and the plan says abort", agent->hello.name);
}

/* Lost is who is silent when the last of its leases has ended: until then it may only be hard to
 * hear. */
void session_judge_losses(struct session *session)
{
    for (uint32_t i = 0; i < session->roster.count; i++) {
        struct agent *agent = session->roster.agents[i];
        bool here = agent->state == AGENT_READY || agent->state == AGENT_LEAVING;
        uint64_t quiet_ns = session->now_ns - agent->heard_ns;
        bool gone = agent->silent && quiet_ns >= session->config.lease_ms * NS_PER_MS &&
                    session->now_ns >= lease_end_ns(&agent->lease, session->config.lease_ms);
        if (here && gone && !agent->lost && !agent->corrupt)
            note_loss(session, agent);
    }
}
