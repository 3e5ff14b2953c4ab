#include "agent/member_parts.h"

#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MARGIN_MS 100u /* beyond the time-out of the youngest request */

struct member *member_create(const struct member_config *config, const uint8_t *incarnation)
{
    CHECK(config->max_concurrency <= CONCURRENCY_MAX);
    CHECK(config->max_rate_milli <= RATE_MILLI_NONE);

    struct member *member = calloc(1, sizeof *member);
    if (member == NULL)
        return NULL;
    member->config = *config;
    memcpy(member->incarnation, incarnation, ID_BYTES);
    member->account = account_create();
    if (member->account == NULL) {
        member_destroy(member);
        return NULL;
    }
    return member;
}

void member_destroy(struct member *member)
{
    if (member == NULL)
        return;
    account_destroy(member->account);
    intake_destroy(member->intake);
    free(member);
}

void member_act(const struct turn *turn, const struct member_action *action)
{
    turn->perform(turn->context, action);
}

struct member_action member_envelope(const struct member *member, enum message_type type,
                                     uint64_t seq)
{
    struct member_action action = {.kind = MEMBER_SEND};
    action.message.type = type;
    action.message.epoch = member->epoch;
    action.message.seq = seq;
    memcpy(action.message.run_id, member->run_id, ID_BYTES);
    memcpy(action.message.incarnation, member->incarnation, ID_BYTES);
    return action;
}

bool member_is_due(const struct turn *turn, uint32_t again_ms)
{
    if (turn->now_ns < turn->member->repeat_ns)
        return false;
    turn->member->repeat_ns = turn->now_ns + again_ms * NS_PER_MS;
    return true;
}

void member_finish(const struct turn *turn, enum member_end how, uint32_t retry_ms,
                   const char *sentence)
{
    struct member_action action = {.kind = MEMBER_END, .end = how, .retry_ms = retry_ms};
    snprintf(action.sentence, sizeof action.sentence, "%s", sentence);
    turn->member->state = STATE_OVER;
    member_act(turn, &action);
}

void member_break_off(const struct turn *turn, enum member_end how, uint32_t retry_ms,
                      const char *sentence)
{
    if (turn->member->configured)
        member_act(turn, &(struct member_action){.kind = MEMBER_ABORT});
    member_finish(turn, how, retry_ms, sentence);
}

/* Repeats DECLINE or BYE until it can be taken to have left. */
static void say_farewell(const struct turn *turn)
{
    struct member *member = turn->member;
    if (turn->now_ns >= member->leave_ns) {
        member_finish(turn, member->end, 0, member->sentence);
        return;
    }
    if (!member_is_due(turn, FINAL_REPEAT_MS))
        return;
    bool declined = member->end == MEMBER_END_DECLINED;
    enum message_type type = declined ? MESSAGE_DECLINE : MESSAGE_BYE;
    struct member_action action = member_envelope(member, type, ++member->seq);
    if (declined) {
        action.message.as.decline = member->decline;
    } else {
        memcpy(action.message.as.bye.reason, member->sentence, sizeof action.message.as.bye.reason);
    }
    member_act(turn, &action);
}

void member_leave(const struct turn *turn, enum member_end how, uint32_t for_ms)
{
    struct member *member = turn->member;
    member->state = STATE_LEAVING;
    member->end = how;
    member->leave_ns = turn->now_ns + for_ms * NS_PER_MS;
    member->repeat_ns = turn->now_ns;
    say_farewell(turn);
}

bool member_is_our_time(const struct turn *turn, uint64_t echo_t)
{
    return turn->member->greeted && echo_t >= turn->member->greeted_ns && echo_t <= turn->now_ns;
}

static void begin_end(const struct turn *turn, enum final_reason reason, uint64_t deadline_ns)
{
    struct member *member = turn->member;
    member->state = STATE_ENDING;
    member->reason = reason;
    if (reason == FINAL_ABORTED) {
        member_act(turn, &(struct member_action){.kind = MEMBER_ABORT});
    } else {
        member_act(turn, &(struct member_action){.kind = MEMBER_DRAIN, .deadline_ns = deadline_ns});
    }
}

static void hear_stop(const struct turn *turn, const struct stop *stop)
{
    struct member *member = turn->member;
    bool abort = stop->kind == STOP_ABORT;
    if (member->state == STATE_JOINED) {
        begin_end(turn, abort ? FINAL_ABORTED : FINAL_DRAINED,
                  turn->now_ns + stop->deadline_ms * NS_PER_MS);
    } else if (member->state == STATE_ENDING && abort && member->reason != FINAL_ABORTED) {
        begin_end(turn, FINAL_ABORTED, turn->now_ns);
    }
}

/* One that answers an earlier HELLO may come after the WELCOME to a later one. */
static void hear_refuse(const struct turn *turn, const struct refuse *refuse)
{
    if (turn->member->state != STATE_HELLO)
        return;
    member_break_off(turn, MEMBER_END_REFUSED, refuse->retry_ms, refuse->sentence);
}

/* Of our run and of no older epoch; or, before we know a run, an answer to our HELLO. */
static bool is_for_us(const struct member *member, const struct message *message)
{
    if (memcmp(message->incarnation, member->incarnation, ID_BYTES) != 0 ||
        message->epoch < member->epoch)
        return false;
    if (message->type == MESSAGE_EXAMINE)
        return member->state == STATE_HELLO && !member->configured;
    if (message->type == MESSAGE_WELCOME || message->type == MESSAGE_REFUSE)
        return member->state == STATE_HELLO ||
               memcmp(message->run_id, member->run_id, ID_BYTES) == 0;
    return member->state != STATE_HELLO && memcmp(message->run_id, member->run_id, ID_BYTES) == 0;
}

static void hear(const struct turn *turn, const struct message *message)
{
    struct member *member = turn->member;
    if (member->state == STATE_LEAVING || !is_for_us(member, message))
        return;
    member->heard_ns = turn->now_ns;
    if (member->state == STATE_JOINED && message->epoch > member->epoch) {
        member_greet_again(turn);
        return;
    }
    switch (message->type) {
    case MESSAGE_WELCOME:
        member_hear_welcome(turn, message);
        break;
    case MESSAGE_EXAMINE:
        member_act(turn, &(struct member_action){.kind = MEMBER_EXAMINE, .message = *message});
        break;
    case MESSAGE_REFUSE:
        hear_refuse(turn, &message->as.refuse);
        break;
    case MESSAGE_SETPOINT:
        member_hear_setpoint(turn, message);
        break;
    case MESSAGE_STOP:
        hear_stop(turn, &message->as.stop);
        break;
    case MESSAGE_FINAL_ACK:
        member_hear_final_ack(turn, &message->as.final_ack);
        break;
    case MESSAGE_DATA:
        member_hear_data(turn, &message->as.data);
        break;
    default:
        break; /* what only an agent says */
    }
}

/* The owner ends it, or what the owner allows has been used up. */
static void end_by_owner(const struct turn *turn, enum final_reason reason, const char *sentence)
{
    struct member *member = turn->member;
    member->by_owner = true;
    snprintf(member->sentence, sizeof member->sentence, "%s", sentence);
    begin_end(turn, reason,
              turn->now_ns + member->assignment.timeout_ns + DRAIN_MARGIN_MS * NS_PER_MS);
}

/* A plan that is too long was declined; this is for a coordinator that does not keep to its plan.
 * It may be a lease late in ending it. */
static void watch_duration(const struct turn *turn)
{
    const struct member *member = turn->member;
    if (member->config.max_duration_ns > 0 && member->loaded_ns > 0 &&
        turn->now_ns - member->loaded_ns >= member->config.max_duration_ns + member->lease_ns)
        end_by_owner(turn, FINAL_INTERRUPTED, "the owner's --max-duration is used up");
}

static void tick_joined(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    member_watch_coordinator(turn);
    if (member->state != STATE_JOINED)
        return;
    if (member->applied_seq == 0)
        member_say_ready(turn); /* until it is answered by a first setpoint */
    member_say_beat(turn, meters);
    member_say_samples(turn, meters);
    watch_duration(turn);
}

static void tick_ending(const struct turn *turn, const struct meters *meters)
{
    member_say_beat(turn, meters);
    if (meters != NULL && meters->idle && last_word_agrees(meters)) {
        member_begin_last_word(turn, meters);
        return;
    }
    member_say_samples(turn, meters);
}

static void tick(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    switch (member->state) {
    case STATE_HELLO:
        if (member->configured &&
            turn->now_ns >= member->heard_ns + SILENT_LEASES * member->lease_ns)
            member_break_off(turn, MEMBER_END_GONE, 0, "the coordinator has fallen silent");
        else
            member_say_hello(turn);
        break;
    case STATE_FETCH:
        member_tick_fetching(turn);
        break;
    case STATE_JOINED:
        tick_joined(turn, meters);
        break;
    case STATE_ENDING:
        tick_ending(turn, meters);
        break;
    case STATE_LAST_WORD:
        member_say_last_word(turn, meters);
        break;
    case STATE_LEAVING:
        say_farewell(turn);
        break;
    case STATE_CONFIGURE:
    case STATE_OVER:
        break;
    }
}

static void interrupt(const struct turn *turn)
{
    struct member *member = turn->member;
    if (member->state == STATE_JOINED) {
        end_by_owner(turn, FINAL_INTERRUPTED, "interrupted by its owner");
    } else if (member->state == STATE_HELLO || member->state == STATE_FETCH ||
               member->state == STATE_CONFIGURE) {
        member_break_off(turn, MEMBER_END_COMPLETE, 0, "interrupted by its owner");
    }
}

static void kill_now(const struct turn *turn)
{
    struct member *member = turn->member;
    if (member->state == STATE_JOINED || member->state == STATE_ENDING) {
        end_by_owner(turn, FINAL_ABORTED, "aborted by its owner");
    } else if (member->state == STATE_LAST_WORD) {
        member_hurry_last_word(turn);
    } else if (member->state == STATE_LEAVING) {
        member_finish(turn, member->end, 0, member->sentence);
    } else {
        member_break_off(turn, MEMBER_END_COMPLETE, 0, "aborted by its owner");
    }
}

/* Not repeated: who asked asks again. */
static void say_findings(const struct turn *turn, const struct findings *findings)
{
    struct member_action action =
        member_envelope(turn->member, MESSAGE_FINDINGS, ++turn->member->seq);
    action.message.as.findings = *findings;
    action.message.as.findings.t_agent = turn->now_ns;
    member_act(turn, &action);
}

void member_step(struct member *member, uint64_t now_ns, const struct member_event *event,
                 member_perform *callback, void *context)
{
    const struct turn turn = {member, now_ns, callback, context};
    if (member->state == STATE_OVER)
        return;
    switch (event->kind) {
    case MEMBER_TICK:
        tick(&turn, event->meters);
        break;
    case MEMBER_MESSAGE:
        hear(&turn, event->message);
        break;
    case MEMBER_CONFIGURED:
        CHECK(member->state == STATE_CONFIGURE);
        member_join(&turn);
        break;
    case MEMBER_DECLINED:
        CHECK(member->state == STATE_CONFIGURE);
        member_decline(&turn, &event->decline);
        break;
    case MEMBER_EXAMINED:
        say_findings(&turn, event->findings);
        break;
    case MEMBER_INTERRUPT:
        interrupt(&turn);
        break;
    case MEMBER_KILL:
        kill_now(&turn);
        break;
    }
}

bool member_wants_histograms(const struct member *member, uint64_t now_ns)
{
    switch (member->state) {
    case STATE_JOINED:
        return now_ns >= member->sample_next_ns;
    case STATE_ENDING:
    case STATE_LAST_WORD:
        return true;
    default:
        return false;
    }
}
