#include "coordinator/session_parts.h"

#include "common/base/check.h"
#include "coordinator/aggregate.h"

#include <math.h>

#define DRIFT_MAX      (LEASE_DRIFT - 1.0)
#define STOOD_STILL_NS (10 * NS_PER_S) /* between two events of one agent about it */

static void mark_corrupt(struct session *session, struct agent *agent, const char *sentence)
{
    if (agent->corrupt)
        return;
    agent->corrupt = true;
    session_say(session, "agent_corrupt",
                "agent %s is not believed any more and gets no load: %.120s", agent->hello.name,
                sentence);
}

static void note_beat(struct session *session, struct agent *agent)
{
    if (agent->lost) {
        agent->lost = false;
        session_say(session, "agent_back", "agent %s is back: nothing of what it did is missing",
                    agent->hello.name);
    }
    double drift = aggregate_drift(agent);
    if (fabs(drift) > DRIFT_MAX && !agent->drift_said) {
        agent->drift_said = true;
        session_say(
            session, "clock_drift",
            "the clock of agent %s runs %.1f %% %s than the coordinator's: leases may overlap",
            agent->hello.name, 100.0 * fabs(drift), drift > 0.0 ? "faster" : "slower");
    }
    bool quiet =
        agent->stood_still_ns > 0 && session->now_ns - agent->stood_still_ns < STOOD_STILL_NS;
    if ((agent->beat.flags & BEAT_STOOD_STILL) != 0 && session_is_loaded(session) && !quiet) {
        agent->stood_still_ns = session->now_ns;
        session_say(
            session, "stood_still",
            "agent %s itself stood still for 20 ms or more: latencies of that time are its own too",
            agent->hello.name);
    }
}

void session_take_beat(struct session *session, struct agent *agent, const struct message *message)
{
    if (agent->state == AGENT_WELCOMED || agent->state == AGENT_DECLINED || agent->corrupt)
        return;
    struct error error = {0};
    const struct beat *beat = &message->as.beat;
    enum word_outcome outcome = aggregate_beat(agent, session->now_ns, message->seq, beat, &error);
    if (outcome == WORD_TAKEN && !session_take_numbers(session, agent, beat, &error))
        outcome = WORD_CORRUPT;
    switch (outcome) {
    case WORD_TAKEN:
        if (message->epoch == session->config.epoch) /* numbers of another one are other orders */
            lease_acknowledge(&agent->lease, beat->applied_seq);
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

void session_take_sample(struct session *session, struct agent *agent, const struct sample *sample)
{
    if (agent->state == AGENT_READY || agent->state == AGENT_LEAVING)
        take_word(session, agent, sample, false);
}

static void acknowledge_final(struct session *session, struct agent *agent, uint64_t seq,
                              const struct final *final)
{
    struct message message = {.type = MESSAGE_FINAL_ACK,
                              .as.final_ack = {.seq = seq,
                                               .started = final->sample.counters.started,
                                               .ok = final->sample.counters.ok}};
    session_send(session, agent, &message);
}

static const char *final_reason_clause(enum final_reason reason)
{
    static const char *const clauses[FINAL_REASONS] = {
        [FINAL_DRAINED] = "it drained",          [FINAL_ABORTED] = "it aborted",
        [FINAL_LEASE_ENDED] = "its lease ended", [FINAL_INTERRUPTED] = "its owner interrupted it",
        [FINAL_KILLED] = "it was killed",
    };
    CHECK(reason < COUNT(clauses));
    return clauses[reason];
}

/* Its final word is whole when that of every phase is. Its lease is over then: it starts nothing
 * any more. Who was interrupted before its READY came through says one too, and is to be answered.
 */
void session_take_final(struct session *session, struct agent *agent, const struct message *message)
{
    const struct final *final = &message->as.final;
    if (agent->state == AGENT_DECLINED)
        return;
    if (agent->state == AGENT_DONE) { /* our acknowledgement got lost: the same again */
        acknowledge_final(session, agent, message->seq, final);
        return;
    }
    bool killed = final->reason == FINAL_KILLED;
    if (!killed)
        session_leave(session, agent, final_reason_clause(final->reason));
    if (final->last_phase >= session->roster.phase_count ||
        !counters_monotone(&final->counters, &agent->beat.counters)) {
        mark_corrupt(session, agent, "its final word says less than it said before");
        return;
    }
    if (!take_word(session, agent, &final->sample, true))
        return;
    session->perform(session->context,
                     &(struct session_action){.kind = SESSION_KEEP, .message = message});
    acknowledge_final(session, agent, message->seq, final);
    roster_take_final(agent, final);
    if (agent->state != AGENT_DONE)
        return;
    struct error error = {0};
    /* Of its indexes, one that it had taken and not counted yet may lie before others that it used:
     * those of a killed agent stay unused. */
    if (!killed && !session_return_numbers(session, agent, &final->counters, &error)) {
        mark_corrupt(session, agent, error.message);
        return;
    }
    if (killed)
        session_say(session, "agent_recovered",
                    "agent %s was killed, and its flight recorder is here: nothing of what it did "
                    "is missing",
                    agent->hello.name);
}
