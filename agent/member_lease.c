#include "agent/member_parts.h"
#include "common/control/pace.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A goal lets pass what happens by chance; a ceiling of the owner is one, but for the 10 ms in
 * which a busy machine may be late. */
static uint32_t burst_of(uint64_t rate_milli, uint64_t owners_milli)
{
    uint64_t late = owners_milli / 1000u / 100u;
    if (rate_milli < owners_milli)
        return PACE_BURST;
    return (uint32_t)(late > 1 ? smaller(late, PACE_BURST) : 1);
}

static void set_level(const struct turn *turn)
{
    member_act(turn, &(struct member_action){.kind = MEMBER_SET, .setpoint = turn->member->level});
}

void member_set_nothing(const struct turn *turn)
{
    struct pool_setpoint *level = &turn->member->level;
    *level = (struct pool_setpoint){
        .phase = level->phase,
        .drop_age_ns = level->drop_age_ns,
        .lease_end_ns = level->lease_end_ns,
    };
    set_level(turn);
}

/* What the setpoint asks for, within the owner's ceilings. */
static struct pool_setpoint allowed(const struct member *member, const struct setpoint *asked)
{
    struct pool_setpoint level = {
        .concurrency_milli =
            smaller(asked->concurrency_milli, (uint64_t)member->config.max_concurrency * 1000u),
        .rate_milli = smaller(asked->rate_milli, member->config.max_rate_milli),
        .drop_age_ns = asked->drop_age_ms * NS_PER_MS,
        .lease_end_ns = asked->echo_t + member->lease_ns,
        .phase = asked->phase,
        .index_block = asked->index_block,
        .index_from = asked->index_from,
        .index_count = asked->index_count,
    };
    level.floor_milli = smaller(asked->floor_milli, level.concurrency_milli);
    /* Closed arrivals at rate 0 are not paced at all; a ceiling of the owner paces them. */
    if (!member->assignment.open_arrivals && asked->rate_milli == 0 &&
        member->config.max_rate_milli < RATE_MILLI_NONE)
        level.rate_milli = member->config.max_rate_milli;
    level.burst = burst_of(level.rate_milli, member->config.max_rate_milli);
    return level;
}

void member_hear_setpoint(const struct turn *turn, const struct message *message)
{
    struct member *member = turn->member;
    const struct setpoint *asked = &message->as.setpoint;
    if (member->state != STATE_JOINED || message->seq <= member->applied_seq ||
        asked->phase >= member->assignment.phases || !member_is_our_time(turn, asked->echo_t))
        return;
    member->applied_seq = message->seq;
    member->level = allowed(member, asked);
    member->leased = true;
    member->expired = member->level.lease_end_ns <= turn->now_ns;
    if (asked->sample_ms > 0)
        member->sample_ns = smaller(asked->sample_ms, SAMPLE_MS_MAX) * NS_PER_MS;
    if (member->expired) {
        member_set_nothing(turn); /* an order that lay somewhere until it was too old */
        return;
    }
    if (member->loaded_ns == 0 && member->level.concurrency_milli > 0)
        member->loaded_ns = turn->now_ns;
    set_level(turn);
}

void member_watch_coordinator(const struct turn *turn)
{
    struct member *member = turn->member;
    uint64_t patience_ns = SILENT_LEASES * member->lease_ns;
    if (member->leased && !member->expired && turn->now_ns >= member->level.lease_end_ns) {
        member->expired = true;
        member_set_nothing(turn);
    }
    if (member->leased) {
        uint64_t from_ns = member->level.lease_end_ns > member->heard_ns
                               ? member->level.lease_end_ns
                               : member->heard_ns;
        if (turn->now_ns >= from_ns + patience_ns)
            member_break_off(turn, MEMBER_END_GONE, 0, "the coordinator has fallen silent");
    } else if (turn->now_ns >= member->heard_ns + patience_ns) {
        /* It may be gathering others and have nothing to say, or be another one by now: ask. */
        member->heard_ns = turn->now_ns;
        member_greet_again(turn);
    }
}
