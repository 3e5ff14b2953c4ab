#include "agent/member.h"

#include "agent/account.h"
#include "agent/last_word.h"
#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS       UINT64_C(1000000)
#define HELLO_REPEAT_MS 500u  /* a coordinator that starts later is found soon; it costs nothing */
#define SILENT_LEASES   5u    /* without a word after the lease's end: the coordinator is gone */
#define DECLINE_MS      1000u /* how long a DECLINE is repeated: nobody acknowledges it */
#define BYE_MS          200u  /* for it to leave: a channel that closes drops what it holds */
#define KILLED_FINAL_MS 500u  /* an owner who said it twice does not wait for our last word */
#define DRAIN_MARGIN_MS 100u  /* beyond the time-out of the youngest request */
#define RATE_MILLI_NONE ((uint64_t)(RATE_PER_S_MAX * 1000.0))

enum state {
    STATE_HELLO, /* says HELLO until it is answered; again after a long silence or a new epoch */
    STATE_CONFIGURE, /* the shell builds the pool */
    STATE_JOINED,    /* obeys setpoints */
    STATE_ENDING,    /* drains or aborts */
    STATE_LAST_WORD, /* repeats FINAL until it is acknowledged */
    STATE_LEAVING,   /* repeats DECLINE or BYE for a moment */
    STATE_OVER,
};

struct member {
    struct member_config config;
    uint8_t incarnation[ID_BYTES];
    enum state state;

    /* The run, as its WELCOME told. */
    uint8_t run_id[ID_BYTES];
    uint64_t epoch;
    uint64_t lease_ns, sample_ns;
    uint8_t digest[DIGEST_BYTES];
    struct assignment assignment;
    size_t assignment_bytes;
    uint8_t bytes[ASSIGNMENT_BYTES_MAX];
    char texts[ASSIGNMENT_TEXT_BYTES];

    bool greeted; /* a first HELLO was said, at: */
    uint64_t greeted_ns;
    bool configured;    /* a pool stands ready */
    uint64_t seq;       /* of our last message */
    uint64_t repeat_ns; /* when HELLO, READY, FINAL, DECLINE or BYE is due again */
    uint64_t heard_ns;  /* the coordinator's last word */

    /* The level. */
    uint64_t applied_seq; /* of this epoch; 0: none */
    struct pool_setpoint level;
    bool leased;        /* a lease was granted in this epoch */
    bool expired;       /* ... and has ended; nothing starts */
    uint64_t loaded_ns; /* when load was first allowed; 0: not yet */

    /* Samples: what the last one of each phase said. */
    struct account *account;
    uint64_t sample_next_ns;
    struct counters sampled[STAGES_MAX + 1];
    uint64_t sampled_t_to[STAGES_MAX + 1];

    /* The end. */
    enum final_reason reason;
    bool by_owner; /* ours to say BYE */
    struct last_word last_word;
    uint64_t leave_ns; /* of STATE_LAST_WORD and STATE_LEAVING: no longer than this */
    struct decline decline;
    enum member_end end;
    char sentence[NAME_BYTES_MAX + 1];
};

/* One step: what every function below needs. */
struct turn {
    struct member *member;
    uint64_t now_ns;
    member_perform *perform;
    void *context;
};

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
    free(member);
}

static void perform(const struct turn *turn, const struct member_action *action)
{
    turn->perform(turn->context, action);
}

static struct member_action action_to_send(const struct member *member, enum message_type type,
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

static bool is_due(const struct turn *turn, uint32_t again_ms)
{
    if (turn->now_ns < turn->member->repeat_ns)
        return false;
    turn->member->repeat_ns = turn->now_ns + again_ms * NS_PER_MS;
    return true;
}

static void end(const struct turn *turn, enum member_end how, uint32_t retry_ms,
                const char *sentence)
{
    struct member_action action = {.kind = MEMBER_END, .end = how, .retry_ms = retry_ms};
    snprintf(action.sentence, sizeof action.sentence, "%s", sentence);
    turn->member->state = STATE_OVER;
    perform(turn, &action);
}

/* The run ends with nobody to tell. */
static void break_off(const struct turn *turn, enum member_end how, uint32_t retry_ms,
                      const char *sentence)
{
    if (turn->member->configured)
        perform(turn, &(struct member_action){.kind = MEMBER_ABORT});
    end(turn, how, retry_ms, sentence);
}

static void set_level(const struct turn *turn)
{
    perform(turn, &(struct member_action){.kind = MEMBER_SET, .setpoint = turn->member->level});
}

/* Nothing may start any more, whatever the level said. */
static void set_nothing(const struct turn *turn)
{
    struct pool_setpoint *level = &turn->member->level;
    *level = (struct pool_setpoint){
        .phase = level->phase,
        .drop_age_ns = level->drop_age_ns,
        .lease_end_ns = level->lease_end_ns,
    };
    set_level(turn);
}

static void say_hello(const struct turn *turn)
{
    struct member *member = turn->member;
    if (!is_due(turn, HELLO_REPEAT_MS))
        return;
    if (!member->greeted) {
        member->greeted = true;
        member->greeted_ns = turn->now_ns;
    }
    struct member_action action = action_to_send(member, MESSAGE_HELLO, ++member->seq);
    struct hello *hello = &action.message.as.hello;
    hello->major = PROTOCOL_MAJOR;
    hello->minor = PROTOCOL_MINOR;
    hello->cores = member->config.cores;
    hello->max_concurrency = member->config.max_concurrency;
    hello->max_rate_milli = member->config.max_rate_milli;
    hello->t_agent = turn->now_ns;
    memcpy(hello->name, member->config.name, sizeof hello->name);
    memcpy(hello->build, member->config.build, sizeof hello->build);
    memcpy(hello->allow_digest, member->config.allow_digest, sizeof hello->allow_digest);
    perform(turn, &action);
}

static void say_ready(const struct turn *turn)
{
    if (!is_due(turn, HELLO_REPEAT_MS))
        return;
    struct member_action action = action_to_send(turn->member, MESSAGE_READY, ++turn->member->seq);
    memcpy(action.message.as.ready.assignment_digest, turn->member->digest, DIGEST_BYTES);
    perform(turn, &action);
}

/* Repeats DECLINE or BYE until it can be taken to have left. */
static void say_farewell(const struct turn *turn)
{
    struct member *member = turn->member;
    if (turn->now_ns >= member->leave_ns) {
        end(turn, member->end, 0, member->sentence);
        return;
    }
    if (!is_due(turn, FINAL_REPEAT_MS))
        return;
    bool declined = member->end == MEMBER_END_DECLINED;
    enum message_type type = declined ? MESSAGE_DECLINE : MESSAGE_BYE;
    struct member_action action = action_to_send(member, type, ++member->seq);
    if (declined) {
        action.message.as.decline = member->decline;
    } else {
        memcpy(action.message.as.bye.reason, member->sentence, sizeof action.message.as.bye.reason);
    }
    perform(turn, &action);
}

static void leave(const struct turn *turn, enum member_end how, uint32_t for_ms)
{
    struct member *member = turn->member;
    member->state = STATE_LEAVING;
    member->end = how;
    member->leave_ns = turn->now_ns + for_ms * NS_PER_MS;
    member->repeat_ns = turn->now_ns;
    say_farewell(turn);
}

static void decline(const struct turn *turn, const struct decline *why)
{
    struct member *member = turn->member;
    member->decline = *why;
    memcpy(member->sentence, why->sentence, sizeof member->sentence);
    leave(turn, MEMBER_END_DECLINED, DECLINE_MS);
}

/* The coordinator does not know us any more, or is another one: its lease is worth nothing. */
static void greet_again(const struct turn *turn)
{
    struct member *member = turn->member;
    member->state = STATE_HELLO;
    member->leased = false;
    member->expired = false;
    member->applied_seq = 0;
    member->repeat_ns = turn->now_ns;
    member->level.lease_end_ns = 0;
    set_nothing(turn);
    say_hello(turn);
}

/* Whether an echoed time can be one of ours. One from the future would be a lease without end. */
static bool is_our_time(const struct turn *turn, uint64_t echo_t)
{
    return turn->member->greeted && echo_t >= turn->member->greeted_ns && echo_t <= turn->now_ns;
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

static void join(const struct turn *turn)
{
    struct member *member = turn->member;
    member->state = STATE_JOINED;
    member->configured = true;
    member->repeat_ns = turn->now_ns;
    /* Spread by a random number that is there, so that the samples of a fleet do not come all at
     * once. */
    uint64_t random = (uint64_t)member->incarnation[0] << 8 | member->incarnation[1];
    member->sample_next_ns = turn->now_ns + member->sample_ns * (random + 1) / 65536;
    say_ready(turn);
}

static void configure(const struct turn *turn, const struct message *message)
{
    struct member *member = turn->member;
    const struct welcome *welcome = &message->as.welcome;
    struct error error = {0};
    struct decline why = {.code = DECLINE_RESOURCE};
    take_run(turn, message);
    memcpy(member->digest, welcome->assignment_digest, DIGEST_BYTES);
    memcpy(member->bytes, welcome->assignment, welcome->assignment_bytes);
    member->assignment_bytes = welcome->assignment_bytes;
    if (!assignment_decode(member->bytes, member->assignment_bytes, member->texts,
                           &member->assignment, &error)) {
        snprintf(why.sentence, sizeof why.sentence, "%.*s", (int)NAME_BYTES_MAX, error.message);
        decline(turn, &why);
        return;
    }
    if (member->config.max_duration_ns > 0 &&
        member->assignment.duration_ns > member->config.max_duration_ns) {
        why.code = DECLINE_DURATION;
        snprintf(why.sentence, sizeof why.sentence,
                 "the run takes %.0f s; the owner of this agent allows %.0f s (--max-duration)",
                 (double)member->assignment.duration_ns / 1e9,
                 (double)member->config.max_duration_ns / 1e9);
        decline(turn, &why);
        return;
    }
    member->state = STATE_CONFIGURE;
    perform(turn,
            &(struct member_action){.kind = MEMBER_CONFIGURE, .assignment = &member->assignment});
}

static void hear_welcome(const struct turn *turn, const struct message *message)
{
    struct member *member = turn->member;
    const struct welcome *welcome = &message->as.welcome;
    uint8_t digest[DIGEST_BYTES];
    if (member->state != STATE_HELLO || message->epoch < member->epoch ||
        welcome->major != PROTOCOL_MAJOR || !is_our_time(turn, welcome->echo_t) ||
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
        break_off(turn, MEMBER_END_GONE, 0, "the coordinator has begun another run");
        return;
    }
    take_run(turn, message);
    join(turn);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
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
    };
    level.floor_milli = smaller(asked->floor_milli, level.concurrency_milli);
    /* Closed arrivals at rate 0 are not paced at all; a ceiling of the owner paces them. */
    if (!member->assignment.open_arrivals && asked->rate_milli == 0 &&
        member->config.max_rate_milli < RATE_MILLI_NONE)
        level.rate_milli = member->config.max_rate_milli;
    return level;
}

static void hear_setpoint(const struct turn *turn, const struct message *message)
{
    struct member *member = turn->member;
    const struct setpoint *asked = &message->as.setpoint;
    if (member->state != STATE_JOINED || message->seq <= member->applied_seq ||
        asked->phase >= member->assignment.phases || !is_our_time(turn, asked->echo_t))
        return;
    member->applied_seq = message->seq;
    member->level = allowed(member, asked);
    member->leased = true;
    member->expired = member->level.lease_end_ns <= turn->now_ns;
    if (asked->sample_ms > 0)
        member->sample_ns = smaller(asked->sample_ms, SAMPLE_MS_MAX) * NS_PER_MS;
    if (member->expired) {
        set_nothing(turn); /* an order that lay somewhere until it was too old */
        return;
    }
    if (member->loaded_ns == 0 && member->level.concurrency_milli > 0)
        member->loaded_ns = turn->now_ns;
    set_level(turn);
}

static void begin_end(const struct turn *turn, enum final_reason reason, uint64_t deadline_ns)
{
    struct member *member = turn->member;
    member->state = STATE_ENDING;
    member->reason = reason;
    if (reason == FINAL_ABORTED) {
        perform(turn, &(struct member_action){.kind = MEMBER_ABORT});
    } else {
        perform(turn, &(struct member_action){.kind = MEMBER_DRAIN, .deadline_ns = deadline_ns});
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

static void hear_final_ack(const struct turn *turn, const struct final_ack *ack)
{
    struct member *member = turn->member;
    if (member->state != STATE_LAST_WORD)
        return;
    last_word_acknowledge(&member->last_word, ack);
    if (!last_word_is_heard(&member->last_word))
        return;
    if (member->by_owner) {
        leave(turn, MEMBER_END_COMPLETE, BYE_MS);
    } else {
        end(turn, MEMBER_END_COMPLETE, 0, "the coordinator has our last word");
    }
}

static void hear_refuse(const struct turn *turn, const struct refuse *refuse)
{
    break_off(turn, MEMBER_END_REFUSED, refuse->retry_ms, refuse->sentence);
}

/* Of our run and of no older epoch; or, before we know a run, an answer to our HELLO. */
static bool is_for_us(const struct member *member, const struct message *message)
{
    if (memcmp(message->incarnation, member->incarnation, ID_BYTES) != 0 ||
        message->epoch < member->epoch)
        return false;
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
        greet_again(turn);
        return;
    }
    switch (message->type) {
    case MESSAGE_WELCOME:
        hear_welcome(turn, message);
        break;
    case MESSAGE_REFUSE:
        hear_refuse(turn, &message->as.refuse);
        break;
    case MESSAGE_SETPOINT:
        hear_setpoint(turn, message);
        break;
    case MESSAGE_STOP:
        hear_stop(turn, &message->as.stop);
        break;
    case MESSAGE_FINAL_ACK:
        hear_final_ack(turn, &message->as.final_ack);
        break;
    default:
        break; /* what only an agent says */
    }
}

static void say_beat(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    struct member_action action = action_to_send(member, MESSAGE_BEAT, ++member->seq);
    struct beat *beat = &action.message.as.beat;
    if (meters != NULL)
        *beat = account_beat(meters);
    if (beat->t_agent == 0)
        beat->t_agent = turn->now_ns;
    beat->applied_seq = member->applied_seq;
    uint64_t lease_end_ns = member->level.lease_end_ns;
    if (member->leased && lease_end_ns > turn->now_ns)
        beat->lease_left_ms = (uint32_t)((lease_end_ns - turn->now_ns) / NS_PER_MS);
    if (member->expired)
        beat->flags |= BEAT_LEASE_EXPIRED;
    perform(turn, &action);
}

static bool has_changed(const struct member *member, const struct phase_meter *meter,
                        uint32_t phase)
{
    return meter->t_to != member->sampled_t_to[phase] ||
           memcmp(&meter->counters, &member->sampled[phase], sizeof meter->counters) != 0;
}

static void say_samples(const struct turn *turn, const struct meters *meters)
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
            struct member_action action = action_to_send(member, MESSAGE_SAMPLE, ++member->seq);
            account_part(member->account, part, &action.message.as.sample);
            perform(turn, &action);
        }
        member->sampled[phase] = meter->counters;
        member->sampled_t_to[phase] = meter->t_to;
    }
}

static void say_last_word(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    if (turn->now_ns >= member->leave_ns) {
        end(turn, MEMBER_END_GONE, 0, "the coordinator did not acknowledge our last word");
        return;
    }
    if (meters == NULL || !is_due(turn, FINAL_REPEAT_MS))
        return;
    struct member_action action = action_to_send(member, MESSAGE_FINAL, 0);
    struct final *final = &action.message.as.final;
    uint32_t cursor = 0;
    while (last_word_next(&member->last_word, member->account, meters, &cursor, final,
                          &action.message.seq)) {
        final->applied_seq = member->applied_seq;
        perform(turn, &action);
    }
}

static void begin_last_word(const struct turn *turn, const struct meters *meters)
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
    say_last_word(turn, meters);
}

/* No word from the coordinator: the lease ends by itself; long after it, so does the run. */
static void watch_coordinator(const struct turn *turn)
{
    struct member *member = turn->member;
    uint64_t patience_ns = SILENT_LEASES * member->lease_ns;
    if (member->leased && !member->expired && turn->now_ns >= member->level.lease_end_ns) {
        member->expired = true;
        set_nothing(turn);
    }
    if (member->leased) {
        uint64_t from_ns = member->level.lease_end_ns > member->heard_ns
                               ? member->level.lease_end_ns
                               : member->heard_ns;
        if (turn->now_ns >= from_ns + patience_ns)
            break_off(turn, MEMBER_END_GONE, 0, "the coordinator has fallen silent");
    } else if (turn->now_ns >= member->heard_ns + patience_ns) {
        /* It may be gathering others and have nothing to say, or be another one by now: ask. */
        member->heard_ns = turn->now_ns;
        greet_again(turn);
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
    watch_coordinator(turn);
    if (member->state != STATE_JOINED)
        return;
    if (member->applied_seq == 0)
        say_ready(turn); /* until it is answered by a first setpoint */
    say_beat(turn, meters);
    say_samples(turn, meters);
    watch_duration(turn);
}

static void tick_ending(const struct turn *turn, const struct meters *meters)
{
    say_beat(turn, meters);
    if (meters != NULL && meters->idle && last_word_agrees(meters)) {
        begin_last_word(turn, meters);
        return;
    }
    say_samples(turn, meters);
}

static void tick(const struct turn *turn, const struct meters *meters)
{
    struct member *member = turn->member;
    switch (member->state) {
    case STATE_HELLO:
        if (member->configured &&
            turn->now_ns >= member->heard_ns + SILENT_LEASES * member->lease_ns)
            break_off(turn, MEMBER_END_GONE, 0, "the coordinator has fallen silent");
        else
            say_hello(turn);
        break;
    case STATE_JOINED:
        tick_joined(turn, meters);
        break;
    case STATE_ENDING:
        tick_ending(turn, meters);
        break;
    case STATE_LAST_WORD:
        say_last_word(turn, meters);
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
    } else if (member->state == STATE_HELLO || member->state == STATE_CONFIGURE) {
        break_off(turn, MEMBER_END_COMPLETE, 0, "interrupted by its owner");
    }
}

static void kill_now(const struct turn *turn)
{
    struct member *member = turn->member;
    if (member->state == STATE_JOINED || member->state == STATE_ENDING) {
        end_by_owner(turn, FINAL_ABORTED, "aborted by its owner");
    } else if (member->state == STATE_LAST_WORD) {
        member->leave_ns = smaller(member->leave_ns, turn->now_ns + KILLED_FINAL_MS * NS_PER_MS);
    } else if (member->state == STATE_LEAVING) {
        end(turn, member->end, 0, member->sentence);
    } else {
        break_off(turn, MEMBER_END_COMPLETE, 0, "aborted by its owner");
    }
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
        join(&turn);
        break;
    case MEMBER_DECLINED:
        CHECK(member->state == STATE_CONFIGURE);
        decline(&turn, &event->decline);
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
