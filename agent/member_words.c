#include "agent/member_parts.h"

#include <string.h>

#define KILLED_FINAL_MS 500u /* an owner who said it twice does not wait for our last word */
#define BYE_MS          200u /* for it to leave: a channel that closes drops what it holds */

void member_say_beat(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    struct member_action action = member_envelope(member, MESSAGE_BEAT, ++member->seq);
    struct beat *beat = &action.message.as.beat;
    if (meters != NULL)
        *beat = account_beat(member->account, meters);
    if (beat->t_agent == 0)
        beat->t_agent = turn->now_ns;
    beat->applied_seq = member->applied_seq;
    uint64_t lease_end_ns = member->level.lease_end_ns;
    if (member->leased && lease_end_ns > turn->now_ns)
        beat->lease_left_ms = (uint32_t)((lease_end_ns - turn->now_ns) / NS_PER_MS);
    if (member->expired)
        beat->flags |= BEAT_LEASE_EXPIRED;
    member_act(turn, &action);
}

static bool has_changed(const struct member *member, const struct phase_meter *meter,
                        uint32_t phase)
{
    return meter->t_to != member->sampled_t_to[phase] ||
           memcmp(&meter->counters, &member->sampled[phase], sizeof meter->counters) != 0;
}

void member_say_samples(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    if (meters == NULL || turn->now_ns < member->sample_next_ns)
        return;
    member->sample_next_ns = turn->now_ns + member->sample_ns;
    for (uint32_t phase = 0; phase < meters->phase_count; phase++) {
        const struct phase_meter *meter = &meters->phases[phase];
        if (meter->t_from == 0 || !has_changed(member, meter, phase) || !account_agrees(meter))
            continue;
        uint32_t parts = account_phase(member->account, meters, phase, meters->t_agent);
        for (uint32_t part = 0; part < parts; part++) {
            struct member_action action = member_envelope(member, MESSAGE_SAMPLE, ++member->seq);
            account_part(member->account, part, &action.message.as.sample);
            member_act(turn, &action);
        }
        member->sampled[phase] = meter->counters;
        member->sampled_t_to[phase] = meter->t_to;
    }
}

void member_say_last_word(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    if (turn->now_ns >= member->leave_ns) {
        member_finish(turn, MEMBER_END_GONE, 0,
                      "the coordinator did not acknowledge our last word");
        return;
    }
    if (meters == NULL || !member_is_due(turn, FINAL_REPEAT_MS))
        return;
    struct member_action action = member_envelope(member, MESSAGE_FINAL, 0);
    struct final *final = &action.message.as.final;
    uint32_t cursor = 0;
    while (last_word_next(&member->last_word, member->account, meters, &cursor, final,
                          &action.message.seq)) {
        final->applied_seq = member->applied_seq;
        member_act(turn, &action);
    }
}

void member_begin_last_word(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    uint32_t wait_ms =
        member->by_owner && member->reason == FINAL_ABORTED ? KILLED_FINAL_MS : FINAL_MS_MAX;
    member->state = STATE_LAST_WORD;
    member->leave_ns = turn->now_ns + wait_ms * NS_PER_MS;
    member->repeat_ns = turn->now_ns;
    last_word_begin(&member->last_word, member->account, meters, member->reason, meters->t_agent,
                    member->seq + 1);
    member->seq += member->last_word.count;
    member_say_last_word(turn, meters);
}

void member_hurry_last_word(const struct turn *turn)
{
    struct member *member = turn->member;
    uint64_t leave_ns = turn->now_ns + KILLED_FINAL_MS * NS_PER_MS;
    if (leave_ns < member->leave_ns)
        member->leave_ns = leave_ns;
}

void member_hear_final_ack(const struct turn *turn, const struct final_ack *ack)
{
    struct member *member = turn->member;
    if (member->state != STATE_LAST_WORD)
        return;
    last_word_acknowledge(&member->last_word, ack);
    if (!last_word_is_heard(&member->last_word))
        return;
    if (member->by_owner) {
        member_leave(turn, MEMBER_END_COMPLETE, BYE_MS);
    } else {
        member_finish(turn, MEMBER_END_COMPLETE, 0, "the coordinator has our last word");
    }
}
