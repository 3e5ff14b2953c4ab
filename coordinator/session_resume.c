#include "coordinator/session_parts.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/aggregate.h"
#include "coordinator/ledger.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is kept. */

struct keeping {
    const struct session *session;
    const struct agent *agent;
    session_keep *keep;
    void *context;
};

static struct message envelope_of(const struct keeping *keeping, enum message_type type)
{
    struct message message = {
        .type = type, .epoch = keeping->session->config.epoch, .seq = keeping->agent->beat_seq};
    memcpy(message.run_id, keeping->session->config.run_id, ID_BYTES);
    memcpy(message.incarnation, keeping->agent->incarnation, ID_BYTES);
    return message;
}

static void keep(const struct keeping *keeping, const struct message *message)
{
    keeping->keep(keeping->context, keeping->agent->beat_ns, message);
}

static void keep_beat(const struct keeping *keeping)
{
    const struct agent *agent = keeping->agent;
    uint8_t digest[DIGEST_BYTES_MAX];
    struct message message = envelope_of(keeping, MESSAGE_BEAT);
    message.as.beat = agent->beat;
    if (agent->digests != NULL) {
        message.as.beat.digest = digest;
        message.as.beat.digest_bytes = digest_encode(&agent->digests->beat, digest, sizeof digest);
    }
    keep(keeping, &message);
}

/* As one part, however large: no wire carries it. */
static struct sample sample_of(const struct word *word, uint32_t phase)
{
    struct sample sample = {.phase = phase,
                            .parts = 1,
                            .t_from = word->t_from,
                            .t_to = word->t_to,
                            .counters = word->counters,
                            .status_count = word->status_count,
                            .request_count = word->request_count};
    memcpy(sample.statuses, word->statuses, sizeof sample.statuses);
    memcpy(sample.requests, word->requests, sizeof sample.requests);
    for (uint32_t i = 0; i < SAMPLE_HISTOGRAMS_MAX; i++) {
        if (word->histograms[i].bytes == NULL)
            continue;
        bool named = i >= SAMPLE_REQUEST;
        sample.histograms[sample.histogram_count++] =
            (struct sample_histogram){.kind = named ? SAMPLE_REQUEST : (enum sample_kind)i,
                                      .request = named ? i - SAMPLE_REQUEST : 0,
                                      .bytes = word->histograms[i].bytes,
                                      .byte_count = word->histograms[i].byte_count};
    }
    return sample;
}

static void keep_word(const struct keeping *keeping, const struct word *word, uint32_t phase)
{
    const struct agent *agent = keeping->agent;
    if (!word->final) {
        struct message message = envelope_of(keeping, MESSAGE_SAMPLE);
        message.as.sample = sample_of(word, phase);
        keep(keeping, &message);
        return;
    }
    struct message message = envelope_of(keeping, MESSAGE_FINAL);
    message.as.final = (struct final){.sample = sample_of(word, phase),
                                      .last_phase = agent->final_last_phase,
                                      .counters = agent->final,
                                      .cpu_ns = agent->final_cpu_ns};
    keep(keeping, &message);
}

/* Who is not believed stays so. */
static void keep_distrust(const struct keeping *keeping)
{
    struct message message = envelope_of(keeping, MESSAGE_REFUSE);
    message.as.refuse.code = REFUSE_NOT_ALLOWED;
    keep(keeping, &message);
}

/* What it proved to have: an incarnation is no secret to the rest of the fleet. */
static void keep_key(const struct keeping *keeping)
{
    struct message message = envelope_of(keeping, MESSAGE_BYE);
    snprintf(message.as.bye.reason, sizeof message.as.bye.reason, "%s", keeping->agent->peer.key);
    keep(keeping, &message);
}

static void keep_agent(const struct keeping *keeping)
{
    const struct agent *agent = keeping->agent;
    struct message message = envelope_of(keeping, MESSAGE_HELLO);
    message.as.hello = agent->hello;
    keep(keeping, &message);
    if (agent->peer.key[0] != '\0')
        keep_key(keeping);
    if (agent->beat_seq > 0)
        keep_beat(keeping);
    for (uint32_t phase = 0; phase < keeping->session->roster.phase_count; phase++)
        if (agent->phases[phase].newest != NULL)
            keep_word(keeping, agent->phases[phase].newest, phase);
    if (agent->corrupt)
        keep_distrust(keeping);
}

void session_remember(const struct session *session, session_keep *keep_one, void *context)
{
    for (uint32_t i = 0; i < session->roster.count; i++) {
        const struct agent *agent = session->roster.agents[i];
        if (agent->state != AGENT_DECLINED)
            keep_agent(&(struct keeping){session, agent, keep_one, context});
    }
}

uint64_t session_load_began_ns(const struct session *session)
{
    return session->start_ns;
}

/* What is taken up again. */

static bool is_odd(struct error *error, const struct message *message, const char *why)
{
    return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "%s: %s", message_word(message->type), why);
}

static bool recall_hello(struct session *session, uint64_t moment_ns, const struct message *message,
                         struct error *error)
{
    static const struct peer_id nobody;
    if (roster_find(&session->roster, message->incarnation) != NULL)
        return true;
    struct agent *agent =
        roster_add(&session->roster, moment_ns, &nobody, message->incarnation, &message->as.hello);
    if (agent == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the agents of a run");
    agent->state = AGENT_READY;
    agent->silent = agent->lost = true; /* until it is heard */
    return true;
}

static bool recall_word(const struct session *session, struct agent *agent,
                        const struct message *message, struct error *error)
{
    bool final = message->type == MESSAGE_FINAL;
    const struct sample *sample = final ? &message->as.final.sample : &message->as.sample;
    uint32_t last_phase = final ? message->as.final.last_phase : sample->phase;
    if (last_phase >= session->roster.phase_count)
        return is_odd(error, message, "it is of a phase that the plan does not have");
    enum word_outcome outcome =
        words_take(&agent->phases[sample->phase], sample, final, NULL, error);
    if (outcome == WORD_DROPPED)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the agents of a run");
    if (outcome == WORD_CORRUPT)
        return false;
    if (sample->t_from > 0 && sample->phase > agent->phase)
        agent->phase = sample->phase;
    if (final)
        roster_take_final(agent, &message->as.final);
    return true;
}

bool session_recall(struct session *session, uint64_t moment_ns, const struct message *message,
                    struct error *error)
{
    CHECK(session->ticks == 0);
    if (memcmp(message->run_id, session->config.run_id, ID_BYTES) != 0)
        return is_odd(error, message, "it is of another run");
    if (message->type == MESSAGE_HELLO)
        return recall_hello(session, moment_ns, message, error);
    struct agent *agent = roster_find(&session->roster, message->incarnation);
    if (agent == NULL)
        return is_odd(error, message, "it is of an agent that said no HELLO");
    switch (message->type) {
    case MESSAGE_BEAT:
        agent->heard_ns = moment_ns;
        return aggregate_beat(agent, moment_ns, message->seq, &message->as.beat, error) !=
               WORD_CORRUPT;
    case MESSAGE_SAMPLE:
    case MESSAGE_FINAL:
        return recall_word(session, agent, message, error);
    case MESSAGE_REFUSE:
        agent->corrupt = true;
        return true;
    case MESSAGE_BYE:
        snprintf(agent->peer.key, sizeof agent->peer.key, "%.*s", (int)sizeof agent->peer.key - 1,
                 message->as.bye.reason);
        return true;
    default:
        return is_odd(error, message, "nobody keeps such a message");
    }
}

void session_recall_event(struct session *session, const struct report_event *event)
{
    report_add_event(&session->report, event);
}

/* The most that it may have been told to run; what it really was, the dead one knew. */
static struct grant most_of_plan(const struct plan *plan)
{
    double rate_per_s = plan->schedule.value;
    for (uint32_t i = 0; i < plan->schedule.stage_count; i++)
        rate_per_s = fmax(rate_per_s, plan->schedule.stages[i].to);
    return (struct grant){.concurrency_milli = plan->concurrency_max * UINT64_C(1000),
                          .rate_milli = plan->goal == GOAL_HOLD
                                            ? (uint64_t)ceil(rate_per_s * 1000.0)
                                            : (uint64_t)(RATE_PER_S_MAX * 1000.0)};
}

void session_resume(struct session *session, const struct session_past *past)
{
    CHECK(session->ticks == 0);
    session->past = *past;
    session->start_ns = past->load_began_ns;
    session->report.agents_peak = session->roster.count;
    for (uint32_t i = 0; i < session->roster.count; i++) {
        struct agent *agent = session->roster.agents[i];
        if (plan_searches(session->plan) && words_begun(&agent->phases[PHASE_ANSWER]))
            session->steering.answered = true;
        if (agent->state == AGENT_DONE)
            continue;
        uint64_t unheard_ns = past->ended_ns > agent->beat_ns ? past->ended_ns - agent->beat_ns : 0;
        agent->lease.held = most_of_plan(session->plan); /* seq 0: it ended while we wait */
        agent->granted_echo_t = agent->echo_t + unheard_ns;
    }
}

bool session_is_resumed(const struct session *session)
{
    return session->past.ended_ns > 0;
}

/* Going on. */

static bool is_missing(const struct session *session, const struct agent *agent)
{
    return agent->lost && agent->state != AGENT_DONE && agent->heard_ns < session->opened_ns;
}

static uint32_t count_missing(const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < session->roster.count; i++)
        count += is_missing(session, session->roster.agents[i]);
    return count;
}

static void tell_missing(struct session *session)
{
    for (uint32_t i = 0; i < session->roster.count; i++) {
        struct agent *agent = session->roster.agents[i];
        if (!is_missing(session, agent))
            continue;
        uint64_t lost_max =
            ledger_lost_max(&session->roster, agent, steering_open_arrivals(session->plan),
                            session->config.lease_ms);
        agent->lost_ns = agent->beat_ns;
        session_say(session, "agent_lost",
                    "agent %s has not come back: at most %llu more requests than are known of it",
                    agent->hello.name, (unsigned long long)lost_max);
    }
}

static void tell_resumed(struct session *session)
{
    char gap[UNITS_TEXT_BYTES];
    uint64_t ended_ns = session->past.ended_ns;
    uint64_t gap_ns = session->now_ns > ended_ns ? session->now_ns - ended_ns : 0;
    session_say(session, "resumed",
                "the coordinator had died and was started again (epoch %llu): for %s it gave no "
                "orders",
                (unsigned long long)session->config.epoch, units_show_latency(gap_ns, gap));
}

bool session_gather_again(struct session *session, uint32_t agents_min)
{
    uint64_t lease_ns = (uint64_t)llround(session->config.lease_ms * 1e6 * LEASE_DRIFT);
    uint64_t waited_ns = session->now_ns - session->opened_ns;
    if (waited_ns < lease_ns + TICK_NS)
        return false;
    uint32_t ready = roster_living(&session->roster);
    uint32_t missing = count_missing(session);
    bool over = session_schedule_ns(session) >= session->plan->schedule.duration_ns;
    bool enough = over ? missing == 0 : ready >= agents_min;
    if (!enough && waited_ns < session->config.wait_ns)
        return false;
    tell_resumed(session);
    tell_missing(session);
    if (!over && !enough)
        session_break_off(session, RUN_AGENTS_LOST, STOP_DRAIN,
                          "%u agent%s came back, and the plan needs %u", ready,
                          ready == 1 ? "" : "s", agents_min);
    else if (missing > 0 && session->plan->on_loss == ON_LOSS_ABORT)
        session_break_off(session, RUN_AGENTS_LOST, STOP_DRAIN,
                          "an agent has not come back, and the plan says abort");
    else if (over)
        session_complete(session);
    return session->state == SESSION_GATHERING;
}
