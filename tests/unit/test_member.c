#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/member.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/control/pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_NS    (LEASE_MS * NS_PER_MS)
#define TICK_NS     (TICK_MS * NS_PER_MS)
#define ACTIONS_MAX 64u

static const uint8_t our_incarnation[ID_BYTES] = {0x80, 2, 3};
static const uint8_t our_run[ID_BYTES] = {9, 8, 7};

/* One member, its clock and what it did in the last step. */
struct world {
    struct member_config config;
    struct assignment assignment;
    uint8_t bytes[ASSIGNMENT_BYTES_MAX];
    size_t byte_count;
    struct member *member;
    struct meters *meters; /* NULL until configured */
    uint64_t now_ns, epoch, seq;
    struct member_action actions[ACTIONS_MAX];
    size_t count;
};

static void record(void *context, const struct member_action *action)
{
    struct world *world = context;
    assert_true(world->count < ACTIONS_MAX);
    world->actions[world->count++] = *action;
}

static void step(struct world *world, const struct member_event *event)
{
    world->count = 0;
    member_step(world->member, world->now_ns, event, record, world);
}

static void happen(struct world *world, enum member_event_kind kind)
{
    step(world, &(struct member_event){.kind = kind, .meters = world->meters});
}

/* A tick after `elapsed_ns`. */
static void tick_after(struct world *world, uint64_t elapsed_ns)
{
    world->now_ns += elapsed_ns;
    if (world->meters != NULL)
        world->meters->t_agent = world->now_ns;
    happen(world, MEMBER_TICK);
}

/* The n-th action of `kind` in the last step, or NULL. */
static const struct member_action *action(const struct world *world, enum member_action_kind kind,
                                          size_t n)
{
    for (size_t i = 0; i < world->count; i++) {
        if (world->actions[i].kind == kind && n-- == 0)
            return &world->actions[i];
    }
    return NULL;
}

/* The n-th message of `type` that was sent in the last step, or NULL. */
static const struct message *sent(const struct world *world, enum message_type type, size_t n)
{
    for (size_t i = 0; i < world->count; i++) {
        if (world->actions[i].kind == MEMBER_SEND && world->actions[i].message.type == type &&
            n-- == 0)
            return &world->actions[i].message;
    }
    return NULL;
}

static struct message from_coordinator(struct world *world, enum message_type type)
{
    struct message message = {.type = type, .epoch = world->epoch, .seq = ++world->seq};
    memcpy(message.run_id, our_run, ID_BYTES);
    memcpy(message.incarnation, our_incarnation, ID_BYTES);
    return message;
}

static void hear(struct world *world, const struct message *message)
{
    step(world, &(struct member_event){.kind = MEMBER_MESSAGE, .message = message});
}

static struct message welcome(struct world *world)
{
    struct message message = from_coordinator(world, MESSAGE_WELCOME);
    struct error error = {0};
    struct welcome *fields = &message.as.welcome;
    if (!assignment_encode(&world->assignment, world->bytes, &world->byte_count, &error))
        fail_msg("%s", error.message);
    *fields = (struct welcome){
        .major = PROTOCOL_MAJOR,
        .lease_ms = LEASE_MS,
        .beat_ms = TICK_MS,
        .sample_ms = SAMPLE_MS,
        .assignment = world->bytes,
        .assignment_bytes = world->byte_count,
        .echo_t = world->now_ns,
    };
    assignment_digest(world->bytes, world->byte_count, fields->assignment_digest);
    return message;
}

/* A setpoint of 10 workers and 100/s that echoes `echo_t`. */
static struct message setpoint(struct world *world, uint64_t echo_t)
{
    struct message message = from_coordinator(world, MESSAGE_SETPOINT);
    message.as.setpoint = (struct setpoint){
        .floor_milli = 5000,
        .concurrency_milli = 10000,
        .rate_milli = 100000,
        .drop_age_ms = 50,
        .sample_ms = SAMPLE_MS,
        .echo_t = echo_t,
    };
    return message;
}

static struct message stop(struct world *world, enum stop_kind kind)
{
    struct message message = from_coordinator(world, MESSAGE_STOP);
    message.as.stop = (struct stop){.kind = kind, .deadline_ms = 700};
    return message;
}

static struct message final_ack(struct world *world, const struct message *final)
{
    struct message message = from_coordinator(world, MESSAGE_FINAL_ACK);
    message.as.final_ack = (struct final_ack){
        .seq = final->seq,
        .started = final->as.final.sample.counters.started,
        .ok = final->as.final.sample.counters.ok,
    };
    return message;
}

static int begin(void **state)
{
    static const uint8_t request[] = "GET / HTTP/1.1\r\n\r\n";
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->now_ns = 1000 * NS_PER_S;
    world->epoch = 3;
    world->config = (struct member_config){
        .name = "eu-3",
        .build = "0.1.0",
        .cores = 4,
        .max_concurrency = CONCURRENCY_MAX,
        .max_rate_milli = (uint64_t)(RATE_PER_S_MAX * 1000.0),
    };
    world->assignment = (struct assignment){
        .workload = "http1",
        .host = "127.0.0.1",
        .port = 80,
        .open_arrivals = true,
        .keep_alive = true,
        .timeout_ns = 2 * NS_PER_S,
        .phases = 3,
        .duration_ns = 60 * NS_PER_S,
        .concurrency_max = 1000,
        .request_count = 1,
        .requests = {{.name = "home", .weight = 1, .bytes = request, .byte_count = 18}},
    };
    *state = world;
    return 0;
}

static int finish(void **state)
{
    struct world *world = *state;
    member_destroy(world->member);
    meters_destroy(world->meters);
    free(world);
    return 0;
}

static void make(struct world *world)
{
    world->member = member_create(&world->config, our_incarnation);
    assert_non_null(world->member);
}

/* As far as HELLO and its WELCOME. */
static void be_welcomed(struct world *world)
{
    make(world);
    tick_after(world, 0);
    struct message message = welcome(world);
    hear(world, &message);
}

/* As far as READY. */
static void be_ready(struct world *world)
{
    be_welcomed(world);
    assert_non_null(action(world, MEMBER_CONFIGURE, 0));
    world->meters = meters_create(world->assignment.phases, 1, false);
    assert_non_null(world->meters);
    happen(world, MEMBER_CONFIGURED);
}

/* As far as a first lease, from a beat of now. */
static void be_leased(struct world *world)
{
    be_ready(world);
    tick_after(world, TICK_NS);
    struct message message = setpoint(world, world->now_ns);
    hear(world, &message);
    assert_non_null(action(world, MEMBER_SET, 0));
}

/* Requests that began and ended well in `phase`, each in 1 ms. */
static void run_requests(struct world *world, uint32_t phase, uint64_t count)
{
    struct phase_meter *meter = &world->meters->phases[phase];
    if (meter->t_from == 0)
        meter->t_from = world->now_ns;
    meter->counters.planned += count;
    meter->counters.started += count;
    meter->counters.ok += count;
    for (uint64_t i = 0; i < count; i++) {
        histogram_record(&meter->kinds[SAMPLE_RESPONSE], NS_PER_MS);
        histogram_record(&meter->kinds[SAMPLE_SERVICE], NS_PER_MS);
    }
}

static bool is_nothing(const struct pool_setpoint *setpoint)
{
    return setpoint->floor_milli == 0 && setpoint->concurrency_milli == 0 &&
           setpoint->rate_milli == 0;
}

/* Joining. */

static void member_says_hello_until_it_is_answered(void **state)
{
    struct world *world = *state;
    make(world);

    for (int tick = 0; tick < 11; tick++) {
        tick_after(world, tick == 0 ? 0 : TICK_NS);
        assert_int_equal(world->count, tick % 5 == 0 ? 1 : 0);
    }
    const struct message *hello = sent(world, MESSAGE_HELLO, 0);
    assert_non_null(hello);
    assert_int_equal(hello->seq, 3);
    assert_int_equal(hello->as.hello.t_agent, world->now_ns);
    assert_string_equal(hello->as.hello.name, "eu-3");
    assert_int_equal(hello->as.hello.cores, 4);
    assert_memory_equal(hello->incarnation, our_incarnation, ID_BYTES);

    struct message message = welcome(world);
    hear(world, &message);
    tick_after(world, NS_PER_S);
    assert_null(sent(world, MESSAGE_HELLO, 0));
}

static void member_gives_the_shell_the_assignment_and_says_ready(void **state)
{
    struct world *world = *state;
    be_welcomed(world);
    const struct member_action *configure = action(world, MEMBER_CONFIGURE, 0);
    assert_non_null(configure);
    assert_string_equal(configure->assignment->host, "127.0.0.1");
    assert_string_equal(configure->assignment->requests[0].name, "home");

    happen(world, MEMBER_CONFIGURED);

    const struct message *ready = sent(world, MESSAGE_READY, 0);
    assert_non_null(ready);
    uint8_t digest[DIGEST_BYTES];
    assignment_digest(world->bytes, world->byte_count, digest);
    assert_memory_equal(ready->as.ready.assignment_digest, digest, DIGEST_BYTES);
    assert_memory_equal(ready->run_id, our_run, ID_BYTES);
    assert_int_equal(ready->epoch, 3);
}

struct welcome_case {
    const char *name;
    void (*spoil)(struct world *world, struct message *message);
};

static void spoil_incarnation(struct world *world, struct message *message)
{
    (void)world;
    message->incarnation[0]++;
}

static void spoil_digest(struct world *world, struct message *message)
{
    (void)world;
    message->as.welcome.assignment_digest[31] ^= 1;
}

static void spoil_echo_early(struct world *world, struct message *message)
{
    message->as.welcome.echo_t = world->now_ns - 1;
}

static void spoil_echo_late(struct world *world, struct message *message)
{
    message->as.welcome.echo_t = world->now_ns + 1;
}

static void spoil_major(struct world *world, struct message *message)
{
    (void)world;
    message->as.welcome.major++;
}

static void spoil_lease(struct world *world, struct message *message)
{
    (void)world;
    message->as.welcome.lease_ms = LEASE_MS_MAX + 1;
}

static const struct welcome_case welcome_cases[] = {
    {"member_takes_no_welcome_of_another_incarnation", spoil_incarnation},
    {"member_takes_no_welcome_with_another_digest", spoil_digest},
    {"member_takes_no_welcome_for_a_hello_it_did_not_say", spoil_echo_early},
    {"member_takes_no_welcome_from_the_future", spoil_echo_late},
    {"member_takes_no_welcome_of_another_major_version", spoil_major},
    {"member_takes_no_welcome_with_a_lease_past_its_bound", spoil_lease},
};

static const struct welcome_case *welcome_row;

static void welcome_is_not_taken(void **state)
{
    struct world *world = *state;
    make(world);
    tick_after(world, 0);
    struct message message = welcome(world);
    welcome_row->spoil(world, &message);

    hear(world, &message);

    assert_int_equal(world->count, 0);
    tick_after(world, NS_PER_S);
    assert_non_null(sent(world, MESSAGE_HELLO, 0));
}

static void member_repeats_ready_until_the_first_setpoint(void **state)
{
    struct world *world = *state;
    be_ready(world);

    tick_after(world, 400 * NS_PER_MS);
    assert_null(sent(world, MESSAGE_READY, 0));
    tick_after(world, TICK_NS);
    assert_non_null(sent(world, MESSAGE_READY, 0));

    struct message message = setpoint(world, world->now_ns);
    hear(world, &message);
    tick_after(world, NS_PER_S);
    assert_null(sent(world, MESSAGE_READY, 0));
}

static void member_takes_a_repeated_welcome_once(void **state)
{
    struct world *world = *state;
    be_leased(world);

    struct message message = welcome(world);
    hear(world, &message);

    assert_int_equal(world->count, 0);
}

static void member_declines_for_a_while_and_ends(void **state)
{
    struct world *world = *state;
    be_welcomed(world);

    step(world, &(struct member_event){.kind = MEMBER_DECLINED,
                                       .decline = {.code = DECLINE_TARGET, .sentence = "not it"}});
    const struct message *message = sent(world, MESSAGE_DECLINE, 0);
    assert_non_null(message);
    assert_int_equal(message->as.decline.code, DECLINE_TARGET);
    assert_string_equal(message->as.decline.sentence, "not it");

    tick_after(world, FINAL_REPEAT_MS * NS_PER_MS);
    assert_non_null(sent(world, MESSAGE_DECLINE, 0));
    tick_after(world, NS_PER_S);
    const struct member_action *end = action(world, MEMBER_END, 0);
    assert_non_null(end);
    assert_int_equal(end->end, MEMBER_END_DECLINED);
    assert_string_equal(end->sentence, "not it");
}

static void member_declines_a_run_longer_than_its_owner_allows(void **state)
{
    struct world *world = *state;
    world->config.max_duration_ns = world->assignment.duration_ns - 1;

    be_welcomed(world);

    assert_null(action(world, MEMBER_CONFIGURE, 0));
    assert_int_equal(sent(world, MESSAGE_DECLINE, 0)->as.decline.code, DECLINE_DURATION);
}

static void member_declines_an_assignment_it_cannot_read(void **state)
{
    struct world *world = *state;
    make(world);
    tick_after(world, 0);
    struct message message = welcome(world);
    message.as.welcome.assignment_bytes--;
    assignment_digest(message.as.welcome.assignment, message.as.welcome.assignment_bytes,
                      message.as.welcome.assignment_digest);

    hear(world, &message);

    assert_null(action(world, MEMBER_CONFIGURE, 0));
    assert_int_equal(sent(world, MESSAGE_DECLINE, 0)->as.decline.code, DECLINE_RESOURCE);
}

static void member_ends_when_refused(void **state)
{
    struct world *world = *state;
    make(world);
    tick_after(world, 0);
    struct message message = from_coordinator(world, MESSAGE_REFUSE);
    message.as.refuse =
        (struct refuse){.code = REFUSE_BUSY, .sentence = "not now", .retry_ms = 1500};

    hear(world, &message);

    const struct member_action *end = action(world, MEMBER_END, 0);
    assert_non_null(end);
    assert_int_equal(end->end, MEMBER_END_REFUSED);
    assert_int_equal(end->retry_ms, 1500);
    assert_string_equal(end->sentence, "not now");
    tick_after(world, NS_PER_S);
    assert_int_equal(world->count, 0);
}

/* It answers an earlier HELLO of ours, and the WELCOME to a later one has overtaken it. */
static void member_that_has_joined_heeds_no_refusal(void **state)
{
    struct world *world = *state;
    be_leased(world);
    struct message message = from_coordinator(world, MESSAGE_REFUSE);
    message.as.refuse =
        (struct refuse){.code = REFUSE_DUPLICATE, .sentence = "not yet", .retry_ms = 2000};

    hear(world, &message);

    assert_int_equal(world->count, 0);
    tick_after(world, TICK_NS);
    assert_non_null(sent(world, MESSAGE_BEAT, 0));
}

/* Beats. */

static void member_beats_every_tick_before_any_setpoint(void **state)
{
    struct world *world = *state;
    be_ready(world);
    run_requests(world, 0, 3);
    world->meters->cpu_ns = 77;

    for (int i = 0; i < 3; i++) {
        tick_after(world, TICK_NS);
        const struct message *beat = sent(world, MESSAGE_BEAT, 0);
        assert_non_null(beat);
        assert_int_equal(beat->as.beat.t_agent, world->now_ns);
        assert_int_equal(beat->as.beat.counters.ok, 3);
        assert_int_equal(beat->as.beat.cpu_ns, 77);
        assert_int_equal(beat->as.beat.applied_seq, 0);
        assert_int_equal(beat->as.beat.lease_left_ms, 0);
        assert_int_equal(beat->as.beat.flags, 0);
    }
}

static void member_numbers_its_messages_one_by_one(void **state)
{
    struct world *world = *state;
    be_leased(world);
    uint64_t seq = 0;
    for (int i = 0; i < 30; i++) {
        run_requests(world, 0, 1);
        tick_after(world, TICK_NS);
        for (size_t n = 0; n < world->count; n++) {
            if (world->actions[n].kind != MEMBER_SEND)
                continue;
            assert_true(seq == 0 || world->actions[n].message.seq == seq + 1);
            seq = world->actions[n].message.seq;
        }
    }
}

/* Setpoints. */

static void member_lets_a_lease_run_from_its_own_clock_and_not_from_receipt(void **state)
{
    struct world *world = *state;
    be_ready(world);
    tick_after(world, TICK_NS);
    uint64_t beat_ns = world->now_ns;
    world->now_ns += LEASE_NS / 2;

    struct message message = setpoint(world, beat_ns);
    hear(world, &message);

    const struct member_action *set = action(world, MEMBER_SET, 0);
    assert_non_null(set);
    assert_int_equal(set->setpoint.lease_end_ns, beat_ns + LEASE_NS);
    assert_int_equal(set->setpoint.concurrency_milli, 10000);
    assert_int_equal(set->setpoint.floor_milli, 5000);
    assert_int_equal(set->setpoint.rate_milli, 100000);
    assert_int_equal(set->setpoint.drop_age_ns, 50 * NS_PER_MS);
    tick_after(world, 0);
    assert_int_equal(sent(world, MESSAGE_BEAT, 0)->as.beat.applied_seq, message.seq);
    assert_int_equal(sent(world, MESSAGE_BEAT, 0)->as.beat.lease_left_ms, LEASE_MS / 2);
}

struct setpoint_case {
    const char *name;
    int64_t echo_ns; /* from now */
    int seq, epoch;  /* from what is right */
    int incarnation; /* added to its first byte */
    int run_id;
    uint32_t phase;
    bool taken;
};

static const struct setpoint_case setpoint_cases[] = {
    {"member_takes_a_newer_setpoint", .seq = 1, .taken = true},
    {"member_takes_a_setpoint_after_lost_ones", .seq = 1000, .taken = true},
    {"member_ignores_a_repeated_setpoint", .seq = 0},
    {"member_ignores_an_older_setpoint", .seq = -1},
    {"member_ignores_a_setpoint_of_a_lower_epoch", .seq = 1, .epoch = -1},
    {"member_ignores_a_setpoint_for_another_incarnation", .seq = 1, .incarnation = 1},
    {"member_ignores_a_setpoint_of_another_run", .seq = 1, .run_id = 1},
    {"member_ignores_a_setpoint_that_echoes_the_future", .seq = 1, .echo_ns = 1},
    {"member_ignores_a_setpoint_that_echoes_an_earlier_life", .seq = 1,
     .echo_ns = -10 * (int64_t)NS_PER_S},
    {"member_ignores_a_setpoint_for_a_phase_the_plan_does_not_have", .seq = 1, .phase = 3},
    {"member_takes_a_setpoint_for_the_last_phase", .seq = 1, .phase = 2, .taken = true},
};

static const struct setpoint_case *setpoint_row;

static void setpoint_is_taken_or_not(void **state)
{
    struct world *world = *state;
    be_leased(world);
    uint64_t applied = world->seq;
    tick_after(world, TICK_NS);
    struct message message =
        setpoint(world, (uint64_t)((int64_t)world->now_ns + setpoint_row->echo_ns));
    message.seq = (uint64_t)((int64_t)applied + setpoint_row->seq);
    message.epoch = (uint64_t)((int64_t)message.epoch + setpoint_row->epoch);
    message.incarnation[0] = (uint8_t)(message.incarnation[0] + setpoint_row->incarnation);
    message.run_id[0] = (uint8_t)(message.run_id[0] + setpoint_row->run_id);
    message.as.setpoint.phase = setpoint_row->phase;

    hear(world, &message);

    assert_int_equal(world->count, setpoint_row->taken ? 1 : 0);
    tick_after(world, 0);
    assert_int_equal(sent(world, MESSAGE_BEAT, 0)->as.beat.applied_seq,
                     setpoint_row->taken ? message.seq : applied);
}

static void member_starts_nothing_on_an_order_whose_lease_has_ended(void **state)
{
    struct world *world = *state;
    be_ready(world);
    tick_after(world, TICK_NS);
    uint64_t beat_ns = world->now_ns;
    world->now_ns += LEASE_NS;

    struct message message = setpoint(world, beat_ns);
    hear(world, &message);

    assert_true(is_nothing(&action(world, MEMBER_SET, 0)->setpoint));
}

static void member_that_wakes_late_obeys_none_of_what_waited(void **state)
{
    struct world *world = *state;
    be_leased(world);
    struct message waiting[20];
    for (size_t i = 0; i < COUNT(waiting); i++)
        waiting[i] = setpoint(world, world->now_ns + i);
    world->now_ns += 5 * NS_PER_S; /* stopped, with all these in a kernel buffer */

    for (size_t i = 0; i < COUNT(waiting); i++) {
        hear(world, &waiting[i]);
        assert_true(is_nothing(&action(world, MEMBER_SET, 0)->setpoint));
    }
    tick_after(world, 0);
    assert_int_equal(sent(world, MESSAGE_BEAT, 0)->as.beat.flags, BEAT_LEASE_EXPIRED);

    struct message fresh = setpoint(world, world->now_ns);
    hear(world, &fresh);
    assert_int_equal(action(world, MEMBER_SET, 0)->setpoint.concurrency_milli, 10000);
    tick_after(world, 0);
    assert_int_equal(sent(world, MESSAGE_BEAT, 0)->as.beat.flags, 0);
}

static void member_keeps_to_its_owners_ceilings(void **state)
{
    struct world *world = *state;
    world->config.max_concurrency = 3;
    world->config.max_rate_milli = 7000;

    be_leased(world);

    const struct pool_setpoint *set = &action(world, MEMBER_SET, 0)->setpoint;
    assert_int_equal(set->concurrency_milli, 3000);
    assert_int_equal(set->floor_milli, 3000);
    assert_int_equal(set->rate_milli, 7000);
}

static void member_paces_closed_arrivals_at_its_owners_rate(void **state)
{
    struct world *world = *state;
    world->config.max_rate_milli = 7000;
    world->assignment.open_arrivals = false;
    be_ready(world);
    tick_after(world, TICK_NS);
    struct message message = setpoint(world, world->now_ns);
    message.as.setpoint.rate_milli = 0;

    hear(world, &message);

    assert_int_equal(action(world, MEMBER_SET, 0)->setpoint.rate_milli, 7000);
    assert_int_equal(action(world, MEMBER_SET, 0)->setpoint.burst, 1);
}

static void member_lets_a_goals_rate_pass_what_happens_by_chance(void **state)
{
    struct world *world = *state;
    world->config.max_rate_milli = 7000;
    world->assignment.open_arrivals = false;
    be_ready(world);
    tick_after(world, TICK_NS);
    struct message message = setpoint(world, world->now_ns);
    message.as.setpoint.rate_milli = 6000;

    hear(world, &message);

    assert_int_equal(action(world, MEMBER_SET, 0)->setpoint.rate_milli, 6000);
    assert_int_equal(action(world, MEMBER_SET, 0)->setpoint.burst, PACE_BURST);
}

static void member_lets_open_arrivals_at_rate_zero_be_zero(void **state)
{
    struct world *world = *state;
    world->config.max_rate_milli = 7000;
    be_ready(world);
    tick_after(world, TICK_NS);
    struct message message = setpoint(world, world->now_ns);
    message.as.setpoint.rate_milli = 0;

    hear(world, &message);

    assert_int_equal(action(world, MEMBER_SET, 0)->setpoint.rate_milli, 0);
}

/* Silence. */

static void member_falls_to_nothing_when_its_lease_ends(void **state)
{
    struct world *world = *state;
    be_leased(world);

    tick_after(world, LEASE_NS - 1);
    assert_null(action(world, MEMBER_SET, 0));
    tick_after(world, 1);
    assert_true(is_nothing(&action(world, MEMBER_SET, 0)->setpoint));
    assert_int_equal(sent(world, MESSAGE_BEAT, 0)->as.beat.flags, BEAT_LEASE_EXPIRED);
    assert_int_equal(sent(world, MESSAGE_BEAT, 0)->as.beat.lease_left_ms, 0);
    tick_after(world, TICK_NS);
    assert_null(action(world, MEMBER_SET, 0));
    assert_non_null(sent(world, MESSAGE_BEAT, 0));
}

static void member_gives_a_silent_coordinator_five_leases_more(void **state)
{
    struct world *world = *state;
    be_leased(world);

    tick_after(world, LEASE_NS);
    tick_after(world, 5 * LEASE_NS - 1);
    assert_null(action(world, MEMBER_END, 0));
    tick_after(world, 1);

    assert_int_equal(world->count, 2);
    assert_int_equal(world->actions[0].kind, MEMBER_ABORT);
    assert_int_equal(world->actions[1].kind, MEMBER_END);
    assert_int_equal(world->actions[1].end, MEMBER_END_GONE);
}

static void member_stays_while_the_coordinator_speaks_without_granting(void **state)
{
    struct world *world = *state;
    be_leased(world);
    uint64_t echo_t = world->now_ns;

    for (int i = 0; i < 20; i++) { /* it hears us not, we hear it */
        struct message message = setpoint(world, echo_t);
        hear(world, &message);
        tick_after(world, LEASE_NS);
        assert_null(action(world, MEMBER_END, 0));
    }
}

static void member_without_a_lease_asks_again_and_keeps_its_pool(void **state)
{
    struct world *world = *state;
    be_ready(world);

    tick_after(world, 5 * LEASE_NS);
    assert_non_null(sent(world, MESSAGE_HELLO, 0));
    assert_null(action(world, MEMBER_END, 0));

    struct message message = welcome(world);
    hear(world, &message);
    assert_null(action(world, MEMBER_CONFIGURE, 0));
    assert_non_null(sent(world, MESSAGE_READY, 0));
}

static void member_without_a_lease_ends_when_nobody_answers(void **state)
{
    struct world *world = *state;
    be_ready(world);

    tick_after(world, 5 * LEASE_NS);
    tick_after(world, 5 * LEASE_NS);

    assert_int_equal(action(world, MEMBER_END, 0)->end, MEMBER_END_GONE);
}

/* Another coordinator. */

static void member_drops_its_lease_at_a_higher_epoch_and_says_hello(void **state)
{
    struct world *world = *state;
    world->seq = 100;
    be_leased(world);
    struct message old = setpoint(world, world->now_ns);
    world->epoch++;
    world->seq = 0;
    struct message message = setpoint(world, world->now_ns);

    hear(world, &message);

    assert_true(is_nothing(&action(world, MEMBER_SET, 0)->setpoint));
    assert_int_equal(action(world, MEMBER_SET, 0)->setpoint.lease_end_ns, 0);
    assert_non_null(sent(world, MESSAGE_HELLO, 0));
    hear(world, &old);
    assert_int_equal(world->count, 0);

    message = welcome(world);
    hear(world, &message);
    assert_int_equal(sent(world, MESSAGE_READY, 0)->epoch, 4);
    hear(world, &old);
    assert_int_equal(world->count, 0);

    message = setpoint(world, world->now_ns); /* its numbers begin again */
    assert_true(message.seq < old.seq);
    hear(world, &message);
    assert_int_equal(action(world, MEMBER_SET, 0)->setpoint.concurrency_milli, 10000);
}

static void member_ends_when_the_coordinator_has_begun_another_run(void **state)
{
    struct world *world = *state;
    be_ready(world);
    tick_after(world, 5 * LEASE_NS);
    struct message message = welcome(world);
    message.run_id[0]++;

    hear(world, &message);

    assert_non_null(action(world, MEMBER_ABORT, 0));
    assert_int_equal(action(world, MEMBER_END, 0)->end, MEMBER_END_GONE);
}

/* Samples. */

static void member_samples_the_phases_that_have_changed(void **state)
{
    struct world *world = *state;
    be_leased(world);
    run_requests(world, 0, 2);
    run_requests(world, 1, 3);
    assert_false(member_wants_histograms(world->member, world->now_ns));
    assert_true(member_wants_histograms(world->member, world->now_ns + NS_PER_S));

    tick_after(world, NS_PER_S);
    const struct message *first = sent(world, MESSAGE_SAMPLE, 0);
    const struct message *second = sent(world, MESSAGE_SAMPLE, 1);
    assert_non_null(second);
    assert_null(sent(world, MESSAGE_SAMPLE, 2));
    assert_int_equal(first->as.sample.phase, 0);
    assert_int_equal(first->as.sample.counters.ok, 2);
    assert_int_equal(first->as.sample.histogram_count, 2);
    assert_int_equal(first->as.sample.t_to, world->now_ns);
    assert_int_equal(second->as.sample.phase, 1);

    run_requests(world, 1, 1);
    tick_after(world, NS_PER_S - 1);
    assert_null(sent(world, MESSAGE_SAMPLE, 0));
    tick_after(world, 1);
    assert_int_equal(sent(world, MESSAGE_SAMPLE, 0)->as.sample.phase, 1);
    assert_null(sent(world, MESSAGE_SAMPLE, 1));
}

static void member_says_when_a_phase_has_ended(void **state)
{
    struct world *world = *state;
    be_leased(world);
    run_requests(world, 0, 1);
    tick_after(world, NS_PER_S);
    world->meters->phases[0].t_to = world->now_ns;

    tick_after(world, NS_PER_S);

    assert_int_equal(sent(world, MESSAGE_SAMPLE, 0)->as.sample.t_to, world->now_ns - NS_PER_S);
}

static void member_samples_as_often_as_it_is_told(void **state)
{
    struct world *world = *state;
    be_leased(world);
    struct message message = setpoint(world, world->now_ns);
    message.as.setpoint.sample_ms = SAMPLE_MS_MAX;
    hear(world, &message);
    run_requests(world, 0, 1);
    tick_after(world, NS_PER_S);
    assert_non_null(sent(world, MESSAGE_SAMPLE, 0));
    run_requests(world, 0, 1);

    tick_after(world, 7900 * NS_PER_MS);
    assert_null(sent(world, MESSAGE_SAMPLE, 0));
    tick_after(world, 100 * NS_PER_MS);
    assert_non_null(sent(world, MESSAGE_SAMPLE, 0));
}

static void member_holds_a_sample_back_whose_histograms_lag(void **state)
{
    struct world *world = *state;
    be_leased(world);
    run_requests(world, 0, 1);
    world->meters->phases[0].counters.started++;
    world->meters->phases[0].counters.planned++;
    world->meters->phases[0].counters.ok++;

    tick_after(world, NS_PER_S);

    assert_null(sent(world, MESSAGE_SAMPLE, 0));
    assert_non_null(sent(world, MESSAGE_BEAT, 0));
}

/* The end. */

static void member_drains_when_told_to_stop(void **state)
{
    struct world *world = *state;
    be_leased(world);
    struct message message = stop(world, STOP_DRAIN);

    hear(world, &message);
    assert_int_equal(world->count, 1);
    assert_int_equal(action(world, MEMBER_DRAIN, 0)->deadline_ns, world->now_ns + 700 * NS_PER_MS);
    hear(world, &message); /* it is repeated until FINAL */
    assert_int_equal(world->count, 0);

    struct message order = setpoint(world, world->now_ns);
    hear(world, &order);
    assert_int_equal(world->count, 0);
    tick_after(world, TICK_NS);
    assert_non_null(sent(world, MESSAGE_BEAT, 0));
    assert_null(sent(world, MESSAGE_FINAL, 0));
}

static void member_aborts_when_told_and_after_a_drain_too(void **state)
{
    struct world *world = *state;
    be_leased(world);
    struct message drain = stop(world, STOP_DRAIN), abort = stop(world, STOP_ABORT);

    hear(world, &drain);
    hear(world, &abort);
    assert_non_null(action(world, MEMBER_ABORT, 0));
    hear(world, &abort);
    assert_int_equal(world->count, 0);
    world->meters->idle = true;
    tick_after(world, TICK_NS);
    assert_int_equal(sent(world, MESSAGE_FINAL, 0)->as.final.reason, FINAL_ABORTED);
}

/* As far as a first FINAL: two of three phases have begun. */
static void be_final(struct world *world)
{
    be_leased(world);
    run_requests(world, 0, 2);
    run_requests(world, 1, 3);
    struct message message = stop(world, STOP_DRAIN);
    hear(world, &message);
    assert_true(member_wants_histograms(world->member, world->now_ns));
    world->meters->idle = true;
    tick_after(world, TICK_NS);
}

static void member_says_its_last_word_of_each_phase_that_has_begun(void **state)
{
    struct world *world = *state;

    be_final(world);

    const struct message *first = sent(world, MESSAGE_FINAL, 0);
    const struct message *second = sent(world, MESSAGE_FINAL, 1);
    assert_non_null(second);
    assert_null(sent(world, MESSAGE_FINAL, 2));
    assert_int_equal(first->as.final.sample.phase, 0);
    assert_int_equal(first->as.final.sample.counters.ok, 2);
    assert_int_equal(second->as.final.sample.phase, 1);
    assert_int_equal(second->as.final.sample.counters.ok, 3);
    assert_int_equal(second->as.final.counters.ok, 5);
    assert_int_equal(second->as.final.last_phase, 1);
    assert_int_equal(second->as.final.reason, FINAL_DRAINED);
    assert_int_equal(second->as.final.applied_seq, world->seq - 1);
    assert_int_equal(second->seq, first->seq + 1);
}

static void member_that_did_nothing_has_a_last_word_too(void **state)
{
    struct world *world = *state;
    be_ready(world);
    struct message message = stop(world, STOP_DRAIN);
    hear(world, &message);
    world->meters->idle = true;

    tick_after(world, TICK_NS);

    assert_int_equal(sent(world, MESSAGE_FINAL, 0)->as.final.last_phase, 0);
    assert_null(sent(world, MESSAGE_FINAL, 1));
}

static void member_reports_phases_it_missed_as_empty(void **state)
{
    struct world *world = *state;
    be_leased(world);
    run_requests(world, 2, 1);
    struct message message = stop(world, STOP_DRAIN);
    hear(world, &message);
    world->meters->idle = true;

    tick_after(world, TICK_NS);

    assert_int_equal(sent(world, MESSAGE_FINAL, 0)->as.final.sample.t_from, 0);
    assert_int_equal(sent(world, MESSAGE_FINAL, 2)->as.final.sample.counters.ok, 1);
}

static void member_repeats_what_was_not_acknowledged_and_only_that(void **state)
{
    struct world *world = *state;
    be_final(world);
    struct message first = *sent(world, MESSAGE_FINAL, 0);
    struct message second = *sent(world, MESSAGE_FINAL, 1);
    struct message ack = final_ack(world, &first);
    hear(world, &ack);
    assert_int_equal(world->count, 0);

    tick_after(world, 249 * NS_PER_MS);
    assert_int_equal(world->count, 0);
    tick_after(world, NS_PER_MS);

    assert_int_equal(world->count, 1);
    const struct message *again = sent(world, MESSAGE_FINAL, 0);
    assert_int_equal(again->seq, second.seq);
    assert_int_equal(again->as.final.sample.t_to, second.as.final.sample.t_to);
    assert_int_equal(again->as.final.sample.phase, 1);
}

static void member_is_complete_when_all_is_acknowledged(void **state)
{
    struct world *world = *state;
    be_final(world);
    struct message first = *sent(world, MESSAGE_FINAL, 0);
    struct message second = *sent(world, MESSAGE_FINAL, 1);

    struct message ack = final_ack(world, &second);
    hear(world, &ack);
    hear(world, &ack); /* repeated: not the other one's */
    assert_int_equal(world->count, 0);
    ack = final_ack(world, &first);
    hear(world, &ack);

    assert_int_equal(world->count, 1);
    assert_int_equal(action(world, MEMBER_END, 0)->end, MEMBER_END_COMPLETE);
}

static void member_believes_no_acknowledgement_with_other_numbers(void **state)
{
    struct world *world = *state;
    be_final(world);
    struct message first = *sent(world, MESSAGE_FINAL, 0);
    struct message acks[4];
    for (size_t i = 0; i < COUNT(acks); i++)
        acks[i] = final_ack(world, &first);
    acks[0].as.final_ack.started++;
    acks[1].as.final_ack.ok--;
    acks[2].as.final_ack.seq--;
    acks[3].as.final_ack.seq += 2;

    for (size_t i = 0; i < COUNT(acks); i++)
        hear(world, &acks[i]);
    tick_after(world, FINAL_REPEAT_MS * NS_PER_MS);

    assert_non_null(sent(world, MESSAGE_FINAL, 1));
}

static void member_gives_up_on_its_last_word_after_thirty_seconds(void **state)
{
    struct world *world = *state;
    be_final(world);

    tick_after(world, FINAL_MS_MAX * NS_PER_MS - 1);
    assert_null(action(world, MEMBER_END, 0));
    tick_after(world, 1);

    assert_int_equal(action(world, MEMBER_END, 0)->end, MEMBER_END_GONE);
}

static void member_waits_with_its_last_word_for_histograms_that_lag(void **state)
{
    struct world *world = *state;
    be_leased(world);
    run_requests(world, 0, 1);
    world->meters->phases[0].kinds[SAMPLE_SERVICE] = (struct histogram){0};
    struct message message = stop(world, STOP_DRAIN);
    hear(world, &message);
    world->meters->idle = true;

    tick_after(world, TICK_NS);
    assert_null(sent(world, MESSAGE_FINAL, 0));
    histogram_record(&world->meters->phases[0].kinds[SAMPLE_SERVICE], NS_PER_MS);
    tick_after(world, TICK_NS);
    assert_non_null(sent(world, MESSAGE_FINAL, 0));
}

/* The owner. */

static void member_drains_and_says_bye_when_interrupted(void **state)
{
    struct world *world = *state;
    be_leased(world);
    run_requests(world, 0, 1);

    happen(world, MEMBER_INTERRUPT);
    assert_true(action(world, MEMBER_DRAIN, 0)->deadline_ns >=
                world->now_ns + world->assignment.timeout_ns);
    world->meters->idle = true;
    tick_after(world, TICK_NS);
    struct message final = *sent(world, MESSAGE_FINAL, 0);
    assert_int_equal(final.as.final.reason, FINAL_INTERRUPTED);
    struct message ack = final_ack(world, &final);
    hear(world, &ack);
    assert_non_null(sent(world, MESSAGE_BYE, 0));
    assert_null(action(world, MEMBER_END, 0)); /* BYE must leave first */
    tick_after(world, 200 * NS_PER_MS);
    assert_int_equal(action(world, MEMBER_END, 0)->end, MEMBER_END_COMPLETE);
}

static void member_that_is_not_in_a_run_ends_at_once_when_interrupted(void **state)
{
    struct world *world = *state;
    make(world);
    tick_after(world, 0);

    happen(world, MEMBER_INTERRUPT);

    assert_non_null(action(world, MEMBER_END, 0));
}

static void member_aborts_at_the_second_signal_and_ends_within_a_second(void **state)
{
    struct world *world = *state;
    be_leased(world);
    happen(world, MEMBER_INTERRUPT);

    happen(world, MEMBER_KILL);
    assert_non_null(action(world, MEMBER_ABORT, 0));
    world->meters->idle = true;
    tick_after(world, TICK_NS);
    assert_int_equal(sent(world, MESSAGE_FINAL, 0)->as.final.reason, FINAL_ABORTED);
    tick_after(world, 500 * NS_PER_MS);
    assert_non_null(action(world, MEMBER_END, 0));
}

static void member_that_waits_for_an_acknowledgement_does_not_wait_after_a_kill(void **state)
{
    struct world *world = *state;
    be_final(world);

    happen(world, MEMBER_KILL);
    tick_after(world, 500 * NS_PER_MS);

    assert_non_null(action(world, MEMBER_END, 0));
}

static void member_ends_a_run_that_goes_on_longer_than_planned(void **state)
{
    struct world *world = *state;
    world->config.max_duration_ns = world->assignment.duration_ns;
    be_leased(world);

    for (uint64_t at = 0; at < world->assignment.duration_ns; at += NS_PER_S) {
        tick_after(world, NS_PER_S);
        assert_null(action(world, MEMBER_DRAIN, 0));
        struct message message = setpoint(world, world->now_ns);
        hear(world, &message);
    }
    tick_after(world, LEASE_NS - 1);
    assert_null(action(world, MEMBER_DRAIN, 0));
    tick_after(world, 1);

    assert_non_null(action(world, MEMBER_DRAIN, 0));
}

/* A data file of three parts, and what an agent is told of it. */
static uint8_t users[2 * DATA_PART_BYTES + 100];

static void be_welcomed_with_data(struct world *world)
{
    static uint8_t digest[DIGEST_BYTES];
    for (size_t i = 0; i < sizeof users; i++)
        users[i] = (uint8_t)(i * 31);
    assignment_digest(users, sizeof users, digest);
    world->assignment.data_count = 1;
    world->assignment.data[0] = (struct assignment_data){
        .name = {(const uint8_t *)"users", 5},
        .byte_count = sizeof users,
        .digest = {digest, sizeof digest},
    };
    be_welcomed(world);
}

static void hear_part(struct world *world, uint32_t part)
{
    struct message message = from_coordinator(world, MESSAGE_DATA);
    snprintf(message.as.data.name, sizeof message.as.data.name, "users");
    assert_true(data_part_of(users, sizeof users, part, &message.as.data));
    hear(world, &message);
}

static void member_fetches_data_before_it_is_configured(void **state)
{
    struct world *world = *state;
    be_welcomed_with_data(world);
    assert_null(action(world, MEMBER_CONFIGURE, 0));
    for (uint32_t part = 0; part < 3; part++)
        assert_int_equal(sent(world, MESSAGE_FETCH, part)->as.fetch.part, part);
    assert_null(sent(world, MESSAGE_FETCH, 3));

    hear_part(world, 2);
    hear_part(world, 0);
    assert_null(action(world, MEMBER_CONFIGURE, 0));
    hear_part(world, 1);

    const struct member_action *configure = action(world, MEMBER_CONFIGURE, 0);
    assert_non_null(configure);
    assert_memory_equal(configure->assignment->data[0].block, users, sizeof users);
    happen(world, MEMBER_CONFIGURED);
    assert_non_null(sent(world, MESSAGE_READY, 0));
    hear_part(world, 1); /* once more, too late to matter */
    assert_int_equal(world->count, 0);
}

static void member_lets_itself_be_examined_before_it_knows_a_run(void **state)
{
    struct world *world = *state;
    make(world);
    tick_after(world, 0);
    struct message question = welcome(world);
    question.type = MESSAGE_EXAMINE;
    question.as.examine = (struct examine){.t = 77, .measure_ms = 1000};

    hear(world, &question);
    const struct member_action *examine = action(world, MEMBER_EXAMINE, 0);
    assert_non_null(examine);
    assert_int_equal(examine->message.as.examine.measure_ms, 1000);

    const struct findings findings = {.echo_t = 77, .measured = true, .lanes = 2};
    step(world, &(struct member_event){.kind = MEMBER_EXAMINED, .findings = &findings});
    assert_int_equal(sent(world, MESSAGE_FINDINGS, 0)->as.findings.echo_t, 77);
    assert_int_equal(sent(world, MESSAGE_FINDINGS, 0)->as.findings.lanes, 2);
}

static void member_in_a_run_is_not_examined(void **state)
{
    struct world *world = *state;
    be_leased(world);
    struct message question = welcome(world);
    question.type = MESSAGE_EXAMINE;
    question.as.examine = (struct examine){.t = 77};

    hear(world, &question);

    assert_null(action(world, MEMBER_EXAMINE, 0));
}

static void member_asks_again_for_what_got_lost(void **state)
{
    struct world *world = *state;
    be_welcomed_with_data(world);
    hear_part(world, 1);

    tick_after(world, 499 * NS_PER_MS);
    assert_null(sent(world, MESSAGE_FETCH, 0));
    tick_after(world, 1 * NS_PER_MS);

    assert_int_equal(sent(world, MESSAGE_FETCH, 0)->as.fetch.part, 0);
    assert_int_equal(sent(world, MESSAGE_FETCH, 1)->as.fetch.part, 2);
    assert_null(sent(world, MESSAGE_FETCH, 2));
}

static void member_declines_data_that_is_not_the_plans(void **state)
{
    struct world *world = *state;
    be_welcomed_with_data(world);
    users[0] ^= 1;
    for (uint32_t part = 0; part < 3; part++)
        hear_part(world, part);

    const struct message *decline = sent(world, MESSAGE_DECLINE, 0);
    assert_non_null(decline);
    assert_int_equal(decline->as.decline.code, DECLINE_RESOURCE);
    assert_string_equal(decline->as.decline.sentence,
                        "data file users came with another digest than the plan's");
}

static void member_gives_up_a_coordinator_that_answers_no_fetch(void **state)
{
    struct world *world = *state;
    be_welcomed_with_data(world);
    tick_after(world, 5 * LEASE_NS - 1);
    assert_null(action(world, MEMBER_END, 0));
    tick_after(world, 1);
    assert_int_equal(action(world, MEMBER_END, 0)->end, MEMBER_END_GONE);
}

static void member_that_fetches_is_interrupted_at_once(void **state)
{
    struct world *world = *state;
    be_welcomed_with_data(world);
    happen(world, MEMBER_INTERRUPT);
    assert_int_equal(action(world, MEMBER_END, 0)->end, MEMBER_END_COMPLETE);
}

static void member_destroy_welcomes_null(void **state)
{
    (void)state;
    member_destroy(NULL);
}

#define MEMBER_TEST(test) cmocka_unit_test_setup_teardown(test, begin, finish)

/* A row of a table sets its pointer before it begins. */
static int begin_welcome(void **state)
{
    welcome_row = *state;
    return begin(state);
}

static int begin_setpoint(void **state)
{
    setpoint_row = *state;
    return begin(state);
}

static int run_tables(void)
{
    static struct CMUnitTest rows[COUNT(welcome_cases) + COUNT(setpoint_cases)];
    size_t count = 0;
    for (size_t i = 0; i < COUNT(welcome_cases); i++) {
        rows[count++] =
            (struct CMUnitTest){welcome_cases[i].name, welcome_is_not_taken, begin_welcome, finish,
                                (void *)(uintptr_t)&welcome_cases[i]};
    }
    for (size_t i = 0; i < COUNT(setpoint_cases); i++) {
        rows[count++] =
            (struct CMUnitTest){setpoint_cases[i].name, setpoint_is_taken_or_not, begin_setpoint,
                                finish, (void *)(uintptr_t)&setpoint_cases[i]};
    }
    return cmocka_run_group_tests_name("what is taken", rows, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMBER_TEST(member_fetches_data_before_it_is_configured),
        MEMBER_TEST(member_asks_again_for_what_got_lost),
        MEMBER_TEST(member_lets_itself_be_examined_before_it_knows_a_run),
        MEMBER_TEST(member_in_a_run_is_not_examined),
        MEMBER_TEST(member_declines_data_that_is_not_the_plans),
        MEMBER_TEST(member_gives_up_a_coordinator_that_answers_no_fetch),
        MEMBER_TEST(member_that_fetches_is_interrupted_at_once),
        MEMBER_TEST(member_says_hello_until_it_is_answered),
        MEMBER_TEST(member_gives_the_shell_the_assignment_and_says_ready),
        MEMBER_TEST(member_repeats_ready_until_the_first_setpoint),
        MEMBER_TEST(member_takes_a_repeated_welcome_once),
        MEMBER_TEST(member_declines_for_a_while_and_ends),
        MEMBER_TEST(member_declines_a_run_longer_than_its_owner_allows),
        MEMBER_TEST(member_declines_an_assignment_it_cannot_read),
        MEMBER_TEST(member_ends_when_refused),
        MEMBER_TEST(member_that_has_joined_heeds_no_refusal),
        MEMBER_TEST(member_beats_every_tick_before_any_setpoint),
        MEMBER_TEST(member_numbers_its_messages_one_by_one),
        MEMBER_TEST(member_lets_a_lease_run_from_its_own_clock_and_not_from_receipt),
        MEMBER_TEST(member_starts_nothing_on_an_order_whose_lease_has_ended),
        MEMBER_TEST(member_that_wakes_late_obeys_none_of_what_waited),
        MEMBER_TEST(member_keeps_to_its_owners_ceilings),
        MEMBER_TEST(member_paces_closed_arrivals_at_its_owners_rate),
        MEMBER_TEST(member_lets_a_goals_rate_pass_what_happens_by_chance),
        MEMBER_TEST(member_lets_open_arrivals_at_rate_zero_be_zero),
        MEMBER_TEST(member_falls_to_nothing_when_its_lease_ends),
        MEMBER_TEST(member_gives_a_silent_coordinator_five_leases_more),
        MEMBER_TEST(member_stays_while_the_coordinator_speaks_without_granting),
        MEMBER_TEST(member_without_a_lease_asks_again_and_keeps_its_pool),
        MEMBER_TEST(member_without_a_lease_ends_when_nobody_answers),
        MEMBER_TEST(member_drops_its_lease_at_a_higher_epoch_and_says_hello),
        MEMBER_TEST(member_ends_when_the_coordinator_has_begun_another_run),
        MEMBER_TEST(member_samples_the_phases_that_have_changed),
        MEMBER_TEST(member_says_when_a_phase_has_ended),
        MEMBER_TEST(member_samples_as_often_as_it_is_told),
        MEMBER_TEST(member_holds_a_sample_back_whose_histograms_lag),
        MEMBER_TEST(member_drains_when_told_to_stop),
        MEMBER_TEST(member_aborts_when_told_and_after_a_drain_too),
        MEMBER_TEST(member_says_its_last_word_of_each_phase_that_has_begun),
        MEMBER_TEST(member_that_did_nothing_has_a_last_word_too),
        MEMBER_TEST(member_reports_phases_it_missed_as_empty),
        MEMBER_TEST(member_repeats_what_was_not_acknowledged_and_only_that),
        MEMBER_TEST(member_is_complete_when_all_is_acknowledged),
        MEMBER_TEST(member_believes_no_acknowledgement_with_other_numbers),
        MEMBER_TEST(member_gives_up_on_its_last_word_after_thirty_seconds),
        MEMBER_TEST(member_waits_with_its_last_word_for_histograms_that_lag),
        MEMBER_TEST(member_drains_and_says_bye_when_interrupted),
        MEMBER_TEST(member_that_is_not_in_a_run_ends_at_once_when_interrupted),
        MEMBER_TEST(member_aborts_at_the_second_signal_and_ends_within_a_second),
        MEMBER_TEST(member_that_waits_for_an_acknowledgement_does_not_wait_after_a_kill),
        MEMBER_TEST(member_ends_a_run_that_goes_on_longer_than_planned),
        cmocka_unit_test(member_destroy_welcomes_null),
    };
    return run_tables() + cmocka_run_group_tests_name("member", tests, NULL, NULL);
}
