#include "agent/member_parts.h"

#include <stdio.h>
#include <string.h>

#define HELLO_REPEAT_MS 500u  /* a coordinator that starts later is found soon; it costs nothing */
#define DECLINE_MS      1000u /* how long a DECLINE is repeated: nobody acknowledges it */

void member_say_hello(const struct turn *turn)
{
    struct member *member = turn->member;
    if (!member_is_due(turn, HELLO_REPEAT_MS))
        return;
    if (!member->greeted) {
        member->greeted = true;
        member->greeted_ns = turn->now_ns;
    }
    struct member_action action = member_envelope(member, MESSAGE_HELLO, ++member->seq);
    struct hello *hello = &action.message.as.hello;
    hello->major = PROTOCOL_MAJOR;
    hello->minor = PROTOCOL_MINOR;
    hello->cores = member->config.cores;
    hello->max_concurrency = member->config.max_concurrency;
    hello->max_rate_milli = member->config.max_rate_milli;
    hello->t_agent = turn->now_ns;
    hello->orphans = member->config.orphans;
    memcpy(hello->name, member->config.name, sizeof hello->name);
    memcpy(hello->build, member->config.build, sizeof hello->build);
    memcpy(hello->allow_digest, member->config.allow_digest, sizeof hello->allow_digest);
    member_act(turn, &action);
}

void member_say_ready(const struct turn *turn)
{
    if (!member_is_due(turn, HELLO_REPEAT_MS))
        return;
    struct member_action action = member_envelope(turn->member, MESSAGE_READY, ++turn->member->seq);
    memcpy(action.message.as.ready.assignment_digest, turn->member->digest, DIGEST_BYTES);
    member_act(turn, &action);
}

void member_greet_again(const struct turn *turn)
{
    struct member *member = turn->member;
    member->state = STATE_HELLO;
    member->leased = false;
    member->expired = false;
    member->applied_seq = 0;
    member->repeat_ns = turn->now_ns;
    member->level.lease_end_ns = 0;
    member_set_nothing(turn);
    member_say_hello(turn);
}

static void take_run(const struct turn *turn, const struct message *message)
{
    struct member *member = turn->member;
    const struct welcome *welcome = &message->as.welcome;
    memcpy(member->run_id, message->run_id, ID_BYTES);
    member->epoch = message->epoch;
    member->lease_ns = welcome->lease_ms * NS_PER_MS;
    member->sample_ns = welcome->sample_ms * NS_PER_MS;
    member->heard_ns = turn->now_ns;
}

void member_join(const struct turn *turn)
{
    struct member *member = turn->member;
    member->state = STATE_JOINED;
    member->configured = true;
    member->repeat_ns = turn->now_ns;
    /* Spread by a random number that is there, so that the samples of a fleet do not come all at
     * once. */
    uint64_t random = (uint64_t)member->incarnation[0] << 8 | member->incarnation[1];
    member->sample_next_ns = turn->now_ns + member->sample_ns * (random + 1) / 65536;
    member_say_ready(turn);
}

void member_decline(const struct turn *turn, const struct decline *why)
{
    struct member *member = turn->member;
    member->decline = *why;
    memcpy(member->sentence, why->sentence, sizeof member->sentence);
    member_leave(turn, MEMBER_END_DECLINED, DECLINE_MS);
}

static void begin_configure(const struct turn *turn)
{
    struct member *member = turn->member;
    for (uint32_t i = 0; member->intake != NULL && i < member->assignment.data_count; i++)
        member->assignment.data[i].block = intake_block(member->intake, i);
    member->state = STATE_CONFIGURE;
    struct member_action action = {.kind = MEMBER_CONFIGURE, .assignment = &member->assignment};
    memcpy(action.message.run_id, member->run_id, ID_BYTES);
    memcpy(action.message.incarnation, member->incarnation, ID_BYTES);
    member_act(turn, &action);
}

static void decline_for(const struct turn *turn, const struct error *error)
{
    struct decline why = {.code = DECLINE_RESOURCE};
    snprintf(why.sentence, sizeof why.sentence, "%.*s", (int)NAME_BYTES_MAX, error->message);
    member_decline(turn, &why);
}

static void ask_for_parts(const struct turn *turn)
{
    struct member *member = turn->member;
    struct fetch fetch;
    while (intake_ask(member->intake, turn->now_ns, &fetch)) {
        struct member_action action = member_envelope(member, MESSAGE_FETCH, ++member->seq);
        action.message.as.fetch = fetch;
        member_act(turn, &action);
    }
}

static void begin_fetch(const struct turn *turn)
{
    struct member *member = turn->member;
    struct error error = {0};
    member->intake = intake_create(&member->assignment, &error);
    if (member->intake == NULL) {
        decline_for(turn, &error);
        return;
    }
    member->state = STATE_FETCH;
    ask_for_parts(turn);
}

void member_hear_data(const struct turn *turn, const struct data_part *part)
{
    struct member *member = turn->member;
    struct error error = {0};
    if (member->state != STATE_FETCH)
        return;
    if (!intake_take(member->intake, part, &error))
        decline_for(turn, &error);
    else if (intake_is_whole(member->intake))
        begin_configure(turn);
    else
        ask_for_parts(turn);
}

void member_tick_fetching(const struct turn *turn)
{
    const struct member *member = turn->member;
    if (turn->now_ns >= member->heard_ns + SILENT_LEASES * member->lease_ns)
        member_break_off(turn, MEMBER_END_GONE, 0, "the coordinator has fallen silent");
    else
        ask_for_parts(turn);
}

static void configure(const struct turn *turn, const struct message *message)
{
    struct member *member = turn->member;
    const struct welcome *welcome = &message->as.welcome;
    struct error error = {0};
    take_run(turn, message);
    memcpy(member->digest, welcome->assignment_digest, DIGEST_BYTES);
    memcpy(member->bytes, welcome->assignment, welcome->assignment_bytes);
    member->assignment_bytes = welcome->assignment_bytes;
    if (!assignment_decode(member->bytes, member->assignment_bytes, member->texts,
                           &member->assignment, &error)) {
        decline_for(turn, &error);
        return;
    }
    if (member->config.max_duration_ns > 0 &&
        member->assignment.duration_ns > member->config.max_duration_ns) {
        struct decline why = {.code = DECLINE_DURATION};
        snprintf(why.sentence, sizeof why.sentence,
                 "the run takes %.0f s; the owner of this agent allows %.0f s (--max-duration)",
                 (double)member->assignment.duration_ns / 1e9,
                 (double)member->config.max_duration_ns / 1e9);
        member_decline(turn, &why);
        return;
    }
    if (member->assignment.data_count > 0)
        begin_fetch(turn);
    else
        begin_configure(turn);
}

void member_hear_welcome(const struct turn *turn, const struct message *message)
{
    struct member *member = turn->member;
    const struct welcome *welcome = &message->as.welcome;
    uint8_t digest[DIGEST_BYTES];
    if (member->state != STATE_HELLO || message->epoch < member->epoch ||
        welcome->major != PROTOCOL_MAJOR || !member_is_our_time(turn, welcome->echo_t) ||
        welcome->lease_ms < LEASE_MS_MIN || welcome->lease_ms > LEASE_MS_MAX ||
        welcome->assignment_bytes > ASSIGNMENT_BYTES_MAX)
        return;
    assignment_digest(welcome->assignment, welcome->assignment_bytes, digest);
    if (memcmp(digest, welcome->assignment_digest, DIGEST_BYTES) != 0)
        return;
    if (!member->configured) {
        configure(turn, message);
        return;
    }
    if (memcmp(message->run_id, member->run_id, ID_BYTES) != 0 ||
        memcmp(digest, member->digest, DIGEST_BYTES) != 0) {
        member_break_off(turn, MEMBER_END_GONE, 0, "the coordinator has begun another run");
        return;
    }
    take_run(turn, message);
    member_join(turn);
}
