/* A whole session against made-up agents, in virtual time: real messages, no socket, no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/session.h"

#include "common/base/check.h"
#include "coordinator/state.h"
#include "proto/assignment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS            UINT64_C(1000000)
#define TICK          (TICK_MS * MS)
#define S             (1000u * MS)
#define FAKES_MAX     4u
#define LATENCY_NS    (5u * MS)
#define SERVERS_MILLI UINT64_C(8000) /* of a fake that loops */
#define LEASE_NS      (LEASE_MS * MS)
#define FINAL_PARTS   32u
#define PHASES_MAX    3u /* the warm-up and two stages */

static void assert_near(double value, double expected, double most)
{
    if (!(fabs(value - expected) <= most))
        fail_msg("%g is not within %g of %g", value, most, expected);
}

/* An agent as the coordinator sees one: it carries what it is told, for as long as its lease lasts.
 */
struct fake {
    char name[32];
    uint8_t life; /* its incarnation, and with it its peer id */
    bool silent;  /* says nothing; still hears and works */
    bool dead;
    bool joined, stopped, heard; /* heard: its final word was acknowledged, all phases */
    bool withholds;              /* beats, and never gives its final word */
    bool called_back;            /* by a coordinator that it does not know */
    uint64_t clock_ns;           /* its own clock is ahead by so much */
    uint64_t seq;
    struct message welcome;
    struct setpoint setpoint;
    uint64_t applied_seq;
    uint64_t due_milli; /* of a request */
    struct digest digest;
    uint64_t t_from[PHASES_MAX], t_to[PHASES_MAX];
    struct counters phases[PHASES_MAX];
    struct histogram latency[PHASES_MAX];
    uint32_t acknowledged, acknowledgements;
    const char *key;       /* that its connection proves; NULL: none */
    bool barred;           /* and it may not be here any more */
    struct refuse refused; /* code is REFUSE_COUNT while it was not */
    uint64_t ceiling_milli;
    uint32_t room;         /* 0: none that counts */
    struct data_part part; /* of a data file, the last that came */
    uint32_t parts;
};

struct world {
    struct plan plan;
    uint8_t assignment[4]; /* begins as one of minor version 0 does */
    struct session *session;
    uint64_t now_ns;
    struct fake fakes[FAKES_MAX];
    uint32_t count;
    bool ended;
    struct tick tick;
    uint64_t windows;                   /* answers that the histograms of ticks showed */
    double rate_most, concurrency_most; /* that all were running by their own leases, at any tick */
};

static char no_name[] = "";

static void plan_hold(struct plan *plan, double rate_per_s)
{
    *plan = (struct plan){.path = no_name,
                          .text = no_name,
                          .name = no_name,
                          .target = no_name,
                          .host = no_name,
                          .target_path = no_name,
                          .goal = GOAL_HOLD,
                          .arrivals = ARRIVALS_OPEN,
                          .tolerance = 0.01,
                          .schedule = {.value = rate_per_s, .duration_ns = 5 * S, .warmup_ns = S},
                          .concurrency_max = 1000,
                          .agents_min = 1,
                          .on_loss = ON_LOSS_REDISTRIBUTE,
                          .timeout_ns = S,
                          .keep_alive = true,
                          .request_count = 1};
}

static uint32_t phase_count(const struct world *world)
{
    return plan_phase_count(&world->plan);
}

static struct fake *fake_of(struct world *world, const struct peer_id *peer)
{
    for (uint32_t i = 0; i < world->count; i++)
        if (world->fakes[i].life == peer->bytes[0])
            return &world->fakes[i];
    return NULL;
}

static void fake_hear(struct world *world, struct fake *fake, const struct message *message)
{
    assert_int_equal(message->incarnation[0], fake->life);
    switch (message->type) {
    case MESSAGE_WELCOME:
        assert_int_equal(message->as.welcome.lease_ms, LEASE_MS);
        fake->joined = true;
        fake->welcome = *message;
        break;
    case MESSAGE_SETPOINT:
        if (message->epoch > fake->welcome.epoch) {
            fake->called_back = true;
            fake->joined = false;
            fake->applied_seq = 0;
            break;
        }
        assert_true(message->seq > fake->applied_seq);
        fake->setpoint = message->as.setpoint;
        fake->applied_seq = message->seq;
        break;
    case MESSAGE_STOP:
        fake->stopped = true;
        break;
    case MESSAGE_FINAL_ACK:
        fake->acknowledged |= 1u << message->as.final_ack.seq;
        fake->acknowledgements++;
        break;
    case MESSAGE_REFUSE:
        fake->refused = message->as.refuse;
        break;
    case MESSAGE_DATA:
        fake->part = message->as.data;
        fake->parts++;
        break;
    default:
        fail_msg("a coordinator does not say %d", message->type);
    }
    (void)world;
}

static void world_perform(void *context, const struct session_action *action)
{
    struct world *world = context;
    struct fake *fake;
    switch (action->kind) {
    case SESSION_SEND:
        fake = fake_of(world, &action->peer);
        assert_non_null(fake);
        if (!fake->dead)
            fake_hear(world, fake, action->message);
        break;
    case SESSION_SHOW:
        world->tick = *action->tick;
        if (action->tick->response != NULL)
            world->windows += action->tick->response->total;
        break;
    case SESSION_EVENT:
    case SESSION_KEEP:
    case SESSION_SAVE:
        break;
    case SESSION_END:
        world->ended = true;
        break;
    }
}

static void world_step(struct world *world, struct session_event event)
{
    session_step(world->session, world->now_ns, &event, world_perform, world);
}

static void fake_say(struct world *world, struct fake *fake, struct message *message)
{
    struct peer_id peer = {.length = 1, .bytes = {fake->life}};
    if (fake->dead || fake->silent)
        return;
    if (fake->key != NULL)
        snprintf(peer.key, sizeof peer.key, "%s", fake->key);
    if (message->type != MESSAGE_HELLO)
        memcpy(message->run_id, fake->welcome.run_id, ID_BYTES);
    message->epoch = fake->welcome.epoch;
    message->incarnation[0] = fake->life;
    message->seq = message->type == MESSAGE_FINAL ? message->as.final.sample.phase : ++fake->seq;
    world_step(world,
               (struct session_event){.kind = fake->barred ? SESSION_BARRED : SESSION_MESSAGE,
                                      .peer = &peer,
                                      .message = message});
}

static uint64_t fake_clock(const struct world *world, const struct fake *fake)
{
    return world->now_ns + fake->clock_ns;
}

static bool fake_leased(const struct world *world, const struct fake *fake)
{
    return !fake->dead && !fake->stopped && fake->applied_seq > 0 &&
           fake_clock(world, fake) < fake->setpoint.echo_t + LEASE_NS;
}

static struct fake *world_add(struct world *world, const char *name)
{
    CHECK(world->count < FAKES_MAX);
    struct fake *fake = &world->fakes[world->count++];
    *fake = (struct fake){.life = (uint8_t)world->count,
                          .clock_ns = world->count * 1000 * S,
                          .refused.code = REFUSE_COUNT,
                          .ceiling_milli = (uint64_t)(1000.0 * RATE_PER_S_MAX)};
    snprintf(fake->name, sizeof fake->name, "%s", name);
    return fake;
}

static void fake_hello(struct world *world, struct fake *fake)
{
    struct message message = {
        .type = MESSAGE_HELLO,
        .as.hello = {.major = PROTOCOL_MAJOR,
                     .minor = PROTOCOL_MINOR,
                     .cores = 2,
                     .max_concurrency = fake->room > 0 ? fake->room : CONCURRENCY_MAX,
                     .max_rate_milli = fake->ceiling_milli,
                     .t_agent = fake_clock(world, fake)}};
    snprintf(message.as.hello.name, sizeof message.as.hello.name, "%s", fake->name);
    fake_say(world, fake, &message);
}

static void fake_ready(struct world *world, struct fake *fake)
{
    struct message message = {.type = MESSAGE_READY};
    memcpy(message.as.ready.assignment_digest, fake->welcome.as.welcome.assignment_digest,
           DIGEST_BYTES);
    fake_say(world, fake, &message);
}

static void fake_join(struct world *world, struct fake *fake)
{
    fake_hello(world, fake);
    assert_true(fake->joined);
    fake_ready(world, fake);
}

static void fake_answer(struct fake *fake, uint32_t phase, uint64_t latency_ns)
{
    struct counters *counters = &fake->phases[phase];
    counters->planned++;
    counters->started++;
    counters->ok++;
    counters->latency_sum_ns += latency_ns;
    histogram_record(&fake->latency[phase], latency_ns);
    digest_record(&fake->digest, latency_ns);
}

/* A tick's worth of workers that loop, before servers of its own: those beyond them wait in line.
 */
static void fake_loop(struct fake *fake, uint32_t phase)
{
    uint64_t workers_milli = fake->setpoint.concurrency_milli;
    uint64_t served_milli = workers_milli < SERVERS_MILLI ? workers_milli : SERVERS_MILLI;
    uint64_t latency_ns = LATENCY_NS;
    if (workers_milli > SERVERS_MILLI)
        latency_ns = LATENCY_NS * workers_milli / SERVERS_MILLI;
    fake->due_milli += served_milli * (TICK / LATENCY_NS);
    for (; fake->due_milli >= 1000; fake->due_milli -= 1000)
        fake_answer(fake, phase, latency_ns);
    fake->phases[phase].in_flight_ns += workers_milli * (TICK / 1000);
}

/* A tick's worth of load: whatever falls due is answered at once. */
static void fake_work(struct world *world, struct fake *fake)
{
    uint32_t phase = fake->setpoint.phase;
    uint64_t clock_ns = fake_clock(world, fake);
    if (fake->applied_seq == 0 || fake->dead)
        return;
    assert_true(phase < phase_count(world));
    if (fake->t_from[phase] == 0) {
        fake->t_from[phase] = clock_ns - TICK;
        for (uint32_t before = 0; before < phase; before++)
            if (fake->t_to[before] == 0)
                fake->t_to[before] = clock_ns - TICK;
    }
    if (!fake_leased(world, fake))
        return;
    if (plan_searches(&world->plan))
        fake_loop(fake, phase);
    fake->due_milli += fake->setpoint.rate_milli / 10;
    for (; fake->due_milli >= 1000; fake->due_milli -= 1000) {
        fake_answer(fake, phase, LATENCY_NS);
        fake->phases[phase].in_flight_ns += LATENCY_NS;
    }
}

static struct counters fake_total(const struct fake *fake)
{
    struct counters total = {0};
    for (uint32_t phase = 0; phase < PHASES_MAX; phase++)
        counters_add(&total, &fake->phases[phase]);
    return total;
}

static void fake_beat(struct world *world, struct fake *fake)
{
    static uint8_t bytes[DIGEST_BYTES_MAX];
    struct message message = {
        .type = MESSAGE_BEAT,
        .as.beat = {.t_agent = fake_clock(world, fake),
                    .applied_seq = fake->applied_seq,
                    .counters = fake_total(fake),
                    .lanes = 1,
                    .workers = (uint32_t)(fake->setpoint.floor_milli + 999) / 1000,
                    .lane_load_permille = 300,
                    .digest = bytes}};
    message.as.beat.digest_bytes = digest_encode(&fake->digest, bytes, sizeof bytes);
    fake_say(world, fake, &message);
}

static void fake_fill_sample(const struct world *world, const struct fake *fake, uint32_t phase,
                             uint8_t *bytes, struct sample *sample)
{
    const struct histogram *histogram = &fake->latency[phase];
    *sample =
        (struct sample){.phase = phase,
                        .parts = 1,
                        .t_from = fake->t_from[phase],
                        .t_to = fake->t_to[phase] > 0 ? fake->t_to[phase] : fake_clock(world, fake),
                        .counters = fake->phases[phase],
                        .request_count = 1,
                        .requests = {{.ok = fake->phases[phase].ok}}};
    if (histogram->total == 0)
        return;
    size_t count = sample_histogram_encode(histogram, bytes, HISTOGRAM_BYTES_MAX);
    for (uint32_t i = 0; i < 2; i++)
        sample->histograms[i] = (struct sample_histogram){
            .kind = i == 0 ? SAMPLE_RESPONSE : SAMPLE_SERVICE, .bytes = bytes, .byte_count = count};
    sample->histogram_count = 2;
}

static void fake_sample(struct world *world, struct fake *fake)
{
    static uint8_t bytes[HISTOGRAM_BYTES_MAX];
    for (uint32_t phase = 0; phase < phase_count(world); phase++) {
        if (fake->t_from[phase] == 0)
            continue;
        struct message message = {.type = MESSAGE_SAMPLE};
        fake_fill_sample(world, fake, phase, bytes, &message.as.sample);
        fake_say(world, fake, &message);
    }
}

/* What a killed agent did, in the words of whoever found its flight recorder. */
static void fake_orphan(struct world *world, struct fake *fake)
{
    static uint8_t bytes[HISTOGRAM_BYTES_MAX];
    struct fake heir = *fake;
    heir.dead = heir.silent = false;
    for (uint32_t phase = 0; phase < phase_count(world); phase++) {
        struct message message = {.type = MESSAGE_FINAL,
                                  .as.final = {.reason = FINAL_KILLED,
                                               .last_phase = phase_count(world) - 1,
                                               .counters = fake_total(fake)}};
        fake_fill_sample(world, fake, phase, bytes, &message.as.final.sample);
        fake_say(world, &heir, &message);
    }
}

static void fake_final(struct world *world, struct fake *fake)
{
    static uint8_t bytes[HISTOGRAM_BYTES_MAX];
    uint32_t last = phase_count(world) - 1;
    if (fake->t_to[last] == 0) /* it was told to stop in the tick before */
        fake->t_to[last] = fake_clock(world, fake) - TICK;
    for (uint32_t phase = 0; phase <= last; phase++) {
        struct message message = {.type = MESSAGE_FINAL,
                                  .as.final = {.last_phase = last, .counters = fake_total(fake)}};
        fake_fill_sample(world, fake, phase, bytes, &message.as.final.sample);
        fake_say(world, fake, &message);
    }
}

static void world_watch_sums(struct world *world)
{
    double rate = 0.0;
    double concurrency = 0.0;
    for (uint32_t i = 0; i < world->count; i++) {
        const struct fake *fake = &world->fakes[i];
        if (!fake_leased(world, fake))
            continue;
        rate += (double)fake->setpoint.rate_milli / 1000.0;
        concurrency += (double)fake->setpoint.concurrency_milli / 1000.0;
    }
    world->rate_most = fmax(world->rate_most, rate);
    world->concurrency_most = fmax(world->concurrency_most, concurrency);
}

/* One tick: all agents speak, then the coordinator does. */
static void world_tick(struct world *world)
{
    world->now_ns += TICK;
    for (uint32_t i = 0; i < world->count; i++) {
        struct fake *fake = &world->fakes[i];
        if (fake->called_back && !fake->dead && !fake->silent) {
            fake->called_back = false;
            fake_join(world, fake);
        }
        if (!fake->joined || fake->heard)
            continue;
        fake_work(world, fake);
        if (fake->stopped && !fake->withholds) {
            fake_final(world, fake);
            fake->heard = fake->acknowledged == (1u << phase_count(world)) - 1;
        } else {
            fake_beat(world, fake);
            if (world->now_ns / TICK % 10 == i)
                fake_sample(world, fake);
        }
    }
    world_step(world, (struct session_event){.kind = SESSION_TICK});
    world_watch_sums(world);
}

static void world_run(struct world *world, uint64_t duration_ns)
{
    for (uint64_t until_ns = world->now_ns + duration_ns;
         world->now_ns < until_ns && !world->ended;)
        world_tick(world);
}

static void world_create(struct world *world, uint32_t expect, uint64_t epoch)
{
    struct session_config config = {.plan = &world->plan,
                                    .assignment = world->assignment,
                                    .assignment_bytes = sizeof world->assignment,
                                    .run_id = {0xab},
                                    .epoch = epoch,
                                    .agents_expect = expect,
                                    .wait_ns = 2 * S,
                                    .lease_ms = LEASE_MS};
    struct error error = {0};
    world->session = session_create(&config, &error);
    assert_non_null(world->session);
}

static void world_open(struct world *world, uint32_t expect)
{
    world->assignment[0] = 0x9c;
    world_create(world, expect, 1);
    world->now_ns = 77 * S;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    plan_hold(&world->plan, 1000.0);
    *state = world;
    return world == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    session_destroy(world->session);
    free(world);
    return 0;
}

/* A running world of `count` agents: a, b, ... */
static void world_start(struct world *world, uint32_t count)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    world_open(world, count);
    world_tick(world);
    for (uint32_t i = 0; i < count; i++)
        fake_join(world, world_add(world, names[i]));
}

static const struct report *world_report(struct world *world)
{
    world_run(world, 60 * S);
    assert_true(world->ended);
    return session_report(world->session);
}

static const struct report_event *find_event(const struct report *report, const char *kind)
{
    for (uint32_t i = 0; i < report->event_count; i++)
        if (strcmp(report->events[i].kind, kind) == 0)
            return &report->events[i];
    return NULL;
}

static uint64_t all_started(const struct world *world)
{
    uint64_t started = 0;
    for (uint32_t i = 0; i < world->count; i++)
        started += fake_total(&world->fakes[i]).started;
    return started;
}

static void a_hold_is_met_and_every_request_is_in_the_ledger(void **state)
{
    struct world *world = *state;
    world_start(world, 3);

    const struct report *report = world_report(world);

    assert_string_equal(report->imbalance, "");
    assert_true(report->balanced);
    assert_int_equal(report->outcome, OUTCOME_MET);
    assert_int_equal(report->exit_code, EXIT_MET);
    assert_int_equal(report->ledger.started, all_started(world));
    assert_int_equal(report->lost_max, 0);
    assert_int_equal(report->agents_peak, 3);
    assert_near(report->throughput_per_s, 1000.0, 5.0);
    assert_int_equal(report->counters.ok, report->kinds[SAMPLE_RESPONSE].total);
    assert_true(report->control.settled);
    assert_true(report->control.settle_ns <= S);
    assert_true(world->rate_most <= 1000.0);
    assert_near(world->rate_most, 1000.0, 0.001);
    assert_true(world->windows <= report->ledger.started);
    assert_true(world->windows > report->ledger.started / 2);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(report->agents[i].final);
}

static void nothing_runs_before_all_expected_agents_are_ready(void **state)
{
    struct world *world = *state;
    world_open(world, 2);
    world_tick(world);
    fake_join(world, world_add(world, "a"));

    world_run(world, S);

    assert_int_equal(session_state(world->session), SESSION_GATHERING);
    assert_int_equal(world->fakes[0].setpoint.concurrency_milli, 0);
    fake_join(world, world_add(world, "b"));
    world_run(world, S);
    assert_int_equal(session_state(world->session), SESSION_WARMING);
}

static void a_run_goes_on_with_fewer_agents_than_expected_and_says_so(void **state)
{
    struct world *world = *state;
    world_open(world, 3);
    world_tick(world);
    fake_join(world, world_add(world, "a"));

    const struct report *report = world_report(world);

    assert_int_equal(report->exit_code, EXIT_MET);
    assert_non_null(find_event(report, "agents_missing"));
}

static void too_few_agents_end_the_run_before_it_starts(void **state)
{
    struct world *world = *state;
    world->plan.agents_min = 2;
    world_open(world, 3);
    world_tick(world);
    fake_join(world, world_add(world, "a"));

    const struct report *report = world_report(world);

    assert_int_equal(report->outcome, OUTCOME_ABORTED);
    assert_int_equal(report->limit, LIMIT_AGENTS);
    assert_int_equal(report->exit_code, EXIT_BROKEN_OFF);
    assert_int_equal(report->ledger.planned, 0);
}

static void a_concurrency_that_has_no_room_is_refused_before_it_starts(void **state)
{
    struct world *world = *state;
    world->plan.goal = GOAL_CONCURRENCY;
    world->plan.schedule.value = 401.0;
    world_open(world, 2);
    world_tick(world);
    for (uint32_t i = 0; i < 2; i++) {
        struct fake *fake = world_add(world, i == 0 ? "a" : "b");
        fake->room = 200;
        fake_join(world, fake);
    }

    const struct report *report = world_report(world);

    assert_int_equal(report->outcome, OUTCOME_ABORTED);
    assert_int_equal(report->exit_code, EXIT_BROKEN_OFF);
    assert_int_equal(report->ledger.planned, 0);
    assert_non_null(strstr(report->sentence, "the goal is 401 requests in flight, and the agents "
                                             "have room for 400"));
}

static void a_concurrency_that_just_fits_is_run(void **state)
{
    struct world *world = *state;
    world->plan.goal = GOAL_CONCURRENCY;
    world->plan.schedule.value = 400.0;
    world_open(world, 2);
    world_tick(world);
    for (uint32_t i = 0; i < 2; i++) {
        struct fake *fake = world_add(world, i == 0 ? "a" : "b");
        fake->room = 200;
        fake_join(world, fake);
    }

    assert_int_equal(world_report(world)->outcome, OUTCOME_MET);
}

static void a_declined_plan_ends_the_wait_and_is_quoted(void **state)
{
    struct world *world = *state;
    world_open(world, 1);
    world_tick(world);
    struct fake *fake = world_add(world, "a");
    fake_hello(world, fake);
    struct message message = {.type = MESSAGE_DECLINE,
                              .as.decline = {.code = DECLINE_TARGET, .sentence = "not mine"}};
    fake_say(world, fake, &message);
    fake->joined = false;

    const struct report *report = world_report(world);

    assert_int_equal(report->exit_code, EXIT_BROKEN_OFF);
    assert_non_null(strstr(report->sentence, "not mine"));
}

static void an_agent_that_declined_and_came_back_is_expected_once(void **state)
{
    struct world *world = *state;
    world_open(world, 2);
    world_tick(world);
    struct fake *before = world_add(world, "a");
    fake_hello(world, before);
    struct message message = {.type = MESSAGE_DECLINE,
                              .as.decline = {.code = DECLINE_TARGET, .sentence = "not mine"}};
    fake_say(world, before, &message);
    before->joined = false;

    fake_join(world, world_add(world, "a"));
    world_run(world, S);

    assert_int_equal(world->tick.state, SESSION_GATHERING);
    fake_join(world, world_add(world, "b"));
    const struct report *report = world_report(world);
    assert_int_equal(report->exit_code, EXIT_MET);
    assert_null(find_event(report, "agents_missing"));
}

static void an_agent_of_another_major_version_is_refused_with_both_versions_named(void **state)
{
    struct world *world = *state;
    world_open(world, 1);
    world_tick(world);
    struct fake *fake = world_add(world, "old");
    struct message message = {.type = MESSAGE_HELLO,
                              .as.hello = {.major = PROTOCOL_MAJOR + 1, .name = "old"}};

    fake_say(world, fake, &message);

    assert_int_equal(fake->refused.code, REFUSE_VERSION);
    assert_non_null(strstr(fake->refused.sentence, "clobber/1"));
    assert_non_null(strstr(fake->refused.sentence, "clobber/2"));
    assert_false(fake->joined);
}

static void a_second_agent_of_the_same_name_is_refused_and_the_first_untouched(void **state)
{
    struct world *world = *state;
    world_start(world, 1);
    world_run(world, 2 * S);
    struct fake *second = world_add(world, "a");

    fake_hello(world, second);

    assert_int_equal(second->refused.code, REFUSE_DUPLICATE);
    assert_int_equal(second->refused.retry_ms, LEASE_MS);
    world_tick(world);
    assert_int_equal(world->fakes[0].setpoint.rate_milli, 1000000);
    assert_int_equal(world_report(world)->exit_code, EXIT_MET);
}

static void who_is_barred_is_told_to_stop_and_the_others_carry_on(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 3 * S);
    struct fake *barred = &world->fakes[1];
    uint64_t rate_milli = world->fakes[0].setpoint.rate_milli;

    barred->barred = true;
    world_run(world, 1 * S);
    assert_true(barred->stopped);
    assert_int_equal(barred->refused.code, REFUSE_COUNT);
    world_run(world, 4 * S);

    assert_int_equal(world->fakes[0].setpoint.rate_milli, 2 * rate_milli);
    const struct report *report = world_report(world);
    assert_non_null(find_event(report, "agent_barred"));
    assert_non_null(find_event(report, "agent_lost"));
    assert_false(report->agents[1].final);
}

static void an_incarnation_in_the_mouth_of_another_key_is_not_heard(void **state)
{
    struct world *world = *state;
    world_start(world, 1);
    world->fakes[0].key = "";
    world_run(world, 2 * S);
    struct message bye = {.type = MESSAGE_BYE};

    world->fakes[0].key = "another";
    fake_say(world, &world->fakes[0], &bye);
    world->fakes[0].key = "";

    assert_int_equal(world_report(world)->exit_code, EXIT_MET);
    assert_null(find_event(session_report(world->session), "agent_left"));
}

static void a_late_agent_takes_its_share_within_a_second(void **state)
{
    struct world *world = *state;
    world_start(world, 2);
    world_run(world, 2 * S);
    struct fake *late = world_add(world, "late");

    fake_join(world, late);
    world_run(world, S);

    assert_near((double)late->setpoint.rate_milli, 1000000.0 / 3.0, 1.0);
    const struct report *report = world_report(world);
    assert_true(world->rate_most <= 1000.0);
    assert_true(report->balanced);
    assert_int_equal(report->exit_code, EXIT_MET);
    assert_int_equal(report->agents_peak, 3);
    assert_non_null(find_event(report, "agent_joined"));
}

static void fake_fetch(struct world *world, struct fake *fake, const char *name, uint32_t part)
{
    struct message message = {.type = MESSAGE_FETCH, .as.fetch = {.part = part}};
    snprintf(message.as.fetch.name, sizeof message.as.fetch.name, "%s", name);
    fake_say(world, fake, &message);
}

static void parts_of_data_are_given_to_who_asks(void **state)
{
    struct world *world = *state;
    static uint8_t block[DATA_PART_BYTES + 5];
    static char name[] = "users";
    world->plan.data_count = 1;
    world->plan.data[0] =
        (struct plan_data){.name = name, .block = block, .block_bytes = sizeof block};
    world_open(world, 1);
    world_tick(world);
    struct fake *fake = world_add(world, "a");
    fake_hello(world, fake);

    fake_fetch(world, fake, "users", 1);

    assert_int_equal(fake->parts, 1);
    assert_string_equal(fake->part.name, "users");
    assert_int_equal(fake->part.part, 1);
    assert_int_equal(fake->part.parts, 2);
    assert_int_equal(fake->part.byte_count, 5);
    assert_ptr_equal(fake->part.bytes, block + DATA_PART_BYTES);
    fake_fetch(world, fake, "users", 2); /* there is none */
    fake_fetch(world, fake, "items", 0);
    assert_int_equal(fake->parts, 1);
}

static void a_tick_gives_as_many_parts_as_leave_it_time(void **state)
{
    struct world *world = *state;
    static uint8_t block[1];
    static char name[] = "users";
    world->plan.data_count = 1;
    world->plan.data[0] =
        (struct plan_data){.name = name, .block = block, .block_bytes = sizeof block};
    world_open(world, 1);
    world_tick(world);
    struct fake *fake = world_add(world, "a");
    fake_hello(world, fake);

    for (uint32_t i = 0; i < DATA_PARTS_A_TICK + 10; i++)
        fake_fetch(world, fake, "users", 0);

    assert_int_equal(fake->parts, DATA_PARTS_A_TICK);
    world_tick(world);
    fake_fetch(world, fake, "users", 0);
    assert_int_equal(fake->parts, DATA_PARTS_A_TICK + 1);
}

static void a_dead_agents_share_is_given_away_only_after_its_lease(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 3 * S);
    uint64_t dead_ns = world->now_ns;
    struct counters word = fake_total(&world->fakes[1]);
    world->fakes[1].dead = true;

    while (world->fakes[0].setpoint.rate_milli <= 500000 && world->now_ns < dead_ns + 10 * S)
        world_tick(world);

    uint64_t after_ns = world->now_ns - dead_ns;
    assert_true(after_ns >= LEASE_NS);
    assert_true(after_ns <= (uint64_t)(LEASE_DRIFT * (double)LEASE_NS) + 3 * TICK);
    const struct report *report = world_report(world);
    assert_true(report->balanced);
    assert_int_equal(report->agents[1].counters.started, word.started);
    assert_false(report->agents[1].final);
    assert_true(report->agents[1].lost_from_ns > 0);
    /* Half the rate for a lease at most, and what rounding adds. */
    assert_true(report->agents[1].lost_max >= 900);
    assert_true(report->agents[1].lost_max <= 1002);
    assert_int_equal(report->lost_max, report->agents[1].lost_max);
    assert_non_null(find_event(report, "agent_lost"));
}

static void an_agent_that_only_could_not_be_heard_never_runs_beside_its_share(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 3 * S);

    world->fakes[1].silent = true;
    world_run(world, 5 * S);
    world->fakes[1].silent = false;
    const struct report *report = world_report(world);

    assert_true(world->rate_most <= 1000.0);
    assert_true(report->balanced);
    assert_int_equal(report->ledger.started, all_started(world));
    assert_int_equal(report->lost_max, 0);
    assert_non_null(find_event(report, "agent_back"));
    assert_true(report->agents[1].final);
}

static void a_held_share_is_not_given_to_others(void **state)
{
    struct world *world = *state;
    world->plan.on_loss = ON_LOSS_HOLD;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 3 * S);
    world->fakes[1].dead = true;

    const struct report *report = world_report(world);

    assert_int_equal(world->fakes[0].setpoint.rate_milli, 500000);
    assert_int_equal(report->outcome, OUTCOME_MISSED);
    assert_int_equal(report->limit, LIMIT_AGENTS);
    assert_int_equal(report->exit_code, EXIT_MISSED);
}

static void a_loss_aborts_when_the_plan_says_so(void **state)
{
    struct world *world = *state;
    world->plan.on_loss = ON_LOSS_ABORT;
    world->plan.schedule.duration_ns = 60 * S;
    world_start(world, 2);
    world_run(world, 3 * S);
    world->fakes[1].dead = true;

    const struct report *report = world_report(world);

    assert_int_equal(report->outcome, OUTCOME_ABORTED);
    assert_int_equal(report->limit, LIMIT_AGENTS);
    assert_int_equal(report->exit_code, EXIT_BROKEN_OFF);
    assert_true(report->duration_ns < 10 * S);
    assert_true(report->agents[0].final);
}

static void a_new_life_of_a_lost_agent_is_counted_beside_the_old_one(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 3 * S);
    world->fakes[1].dead = true;
    world_run(world, 3 * S);

    struct fake *again = world_add(world, "b");
    fake_join(world, again);
    world_run(world, S);
    assert_near((double)again->setpoint.rate_milli, 500000.0, 1.0);
    const struct report *report = world_report(world);

    assert_int_equal(report->agent_count, 3);
    assert_int_equal(report->ledger.started, all_started(world));
    assert_true(world->rate_most <= 1000.0);
    assert_true(report->balanced);
}

static uint32_t count_events(const struct report *report, const char *kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->event_count; i++)
        count += strcmp(report->events[i].kind, kind) == 0;
    return count;
}

/* Two agents run; the second is killed in the middle of a tick: what it did since its last beat
 * only it knows. */
static struct fake *kill_one(struct world *world)
{
    world_start(world, 2);
    world_run(world, 2 * S);
    struct fake *killed = &world->fakes[1];
    fake_work(world, killed);
    killed->dead = true;
    return killed;
}

static void assert_nothing_is_missing(struct world *world, uint32_t lost)
{
    const struct report *report = world_report(world);
    assert_int_equal(report->ledger.started, all_started(world));
    assert_int_equal(report->lost_max, 0);
    assert_true(report->balanced);
    assert_true(report->agents[1].final);
    assert_int_equal(count_events(report, "agent_lost"), lost);
    assert_int_equal(count_events(report, "agent_recovered"), 1);
}

static void the_recorder_of_a_lost_agent_takes_the_place_of_what_was_known_of_it(void **state)
{
    struct world *world = *state;
    struct fake *killed = kill_one(world);
    world_run(world, LEASE_NS + 3 * TICK);

    fake_orphan(world, killed);

    assert_nothing_is_missing(world, 1);
}

static void a_recorder_that_comes_before_the_loss_is_known_makes_it_none(void **state)
{
    struct world *world = *state;
    struct fake *killed = kill_one(world);
    world_run(world, TICK);

    fake_orphan(world, killed);
    struct fake *again = world_add(world, "b");
    fake_hello(world, again);

    assert_true(again->joined); /* nobody holds its name any more */
    fake_ready(world, again);
    assert_nothing_is_missing(world, 0);
}

static void a_recorder_is_counted_once_however_often_it_comes(void **state)
{
    struct world *world = *state;
    struct fake *killed = kill_one(world);
    world_run(world, LEASE_NS);

    fake_orphan(world, killed);
    fake_orphan(world, killed);
    world_run(world, 5 * TICK);
    fake_orphan(world, killed);

    assert_nothing_is_missing(world, 0);
}

static void what_a_killed_agent_said_before_is_old_after_its_recorder(void **state)
{
    struct world *world = *state;
    struct fake *killed = kill_one(world);
    struct fake before = *killed;
    before.dead = false;

    fake_orphan(world, killed);
    fake_beat(world, &before);
    fake_sample(world, &before);

    assert_nothing_is_missing(world, 0);
}

static void a_recorder_of_another_run_is_nobodys(void **state)
{
    struct world *world = *state;
    struct fake *killed = kill_one(world);
    killed->welcome.run_id[0] ^= 1;
    world_run(world, 2 * LEASE_NS);

    fake_orphan(world, killed);

    const struct report *report = world_report(world);
    assert_true(report->lost_max > 0);
    assert_int_equal(count_events(report, "agent_recovered"), 0);
}

static void add_state(void *context, uint64_t moment_ns, const struct message *message)
{
    state_add(context, moment_ns, message);
}

static bool recall(void *context, uint64_t moment_ns, const struct message *message,
                   struct error *error)
{
    return session_recall(context, moment_ns, message, error);
}

/* As much of `state` as there is. */
static void world_recall(struct world *world, const struct state_bytes *state, size_t count,
                         uint64_t load_began_ns)
{
    struct error error = {0};
    world_create(world, 2, 2);
    if (!state_read(state->bytes, count, recall, world->session, &error))
        fail_msg("%s", error.message);
    session_resume(world->session, &(struct session_past){.load_began_ns = load_began_ns,
                                                          .ended_ns = world->now_ns});
}

/* The coordinator dies; for `gap_ns` there is none, while agents go on by their leases. */
static void world_die_and_resume(struct world *world, uint64_t gap_ns)
{
    struct state_bytes state = {0};
    uint64_t load_began_ns = session_load_began_ns(world->session);
    state_begin(&state, &(struct state_head){.boot = "here"});
    session_remember(world->session, add_state, &state);
    assert_false(state.failed);
    session_destroy(world->session);
    world_recall(world, &state, state.count, load_began_ns);
    state_bytes_done(&state);
    for (uint64_t end_ns = world->now_ns + gap_ns; world->now_ns < end_ns;) {
        world->now_ns += TICK;
        for (uint32_t i = 0; i < world->count; i++)
            if (world->fakes[i].joined)
                fake_work(world, &world->fakes[i]);
    }
}

static void a_run_goes_on_after_its_coordinators_death_and_nothing_is_missing(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 12 * S;
    world_start(world, 2);
    world_run(world, 3 * S);
    uint64_t before = all_started(world);

    world_die_and_resume(world, 3 * S);
    const struct report *report = world_report(world);

    assert_int_equal(report->ledger.started, all_started(world));
    assert_true(report->ledger.started > before + 5000);
    assert_int_equal(report->lost_max, 0);
    assert_true(report->balanced);
    assert_int_equal(report->agent_count, 2);
    assert_int_equal(count_events(report, "resumed"), 1);
    assert_int_equal(count_events(report, "agent_lost"), 0);
    assert_near((double)report->duration_ns / 1e9, 12.0, 0.11); /* the clock went on */
}

static void a_new_coordinator_orders_nothing_while_an_old_lease_may_last(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 12 * S;
    world_start(world, 2);
    world_run(world, 3 * S);

    world_die_and_resume(world, 0);
    for (uint64_t end_ns = world->now_ns + (uint64_t)(LEASE_DRIFT * (double)LEASE_NS);
         world->now_ns < end_ns;) {
        world_tick(world);
        for (uint32_t i = 0; i < 2; i++)
            assert_true(world->fakes[i].applied_seq == 0 ||
                        world->fakes[i].setpoint.rate_milli == 0);
    }

    world_run(world, 2 * S);
    assert_int_equal(world->tick.state, SESSION_RUNNING);
    assert_near((double)(world->fakes[0].setpoint.rate_milli + world->fakes[1].setpoint.rate_milli),
                1e6, 1.0);
}

static void an_agent_that_does_not_come_back_counts_with_what_it_may_have_done(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 12 * S;
    world_start(world, 2);
    world_run(world, 3 * S);

    world_die_and_resume(world, S);
    world->fakes[1].dead = true;
    const struct report *report = world_report(world);

    assert_int_equal(count_events(report, "agent_lost"), 1);
    assert_int_equal(report->agent_count, 2);
    assert_true(report->balanced);
    assert_true(report->ledger.started < all_started(world));
    assert_true(report->ledger.started + report->lost_max >= all_started(world));
    assert_true(report->lost_max <= 3100); /* the whole goal for a lease and the gap */
}

static void a_final_word_that_was_acknowledged_outlives_the_coordinator(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 12 * S;
    world_start(world, 2);
    world_run(world, 2 * S);
    world->fakes[1].stopped = true; /* by its owner */
    world_run(world, S);
    assert_true(world->fakes[1].heard);

    world_die_and_resume(world, S);
    const struct report *report = world_report(world);

    assert_int_equal(report->ledger.started, all_started(world));
    assert_int_equal(report->lost_max, 0);
    assert_true(report->agents[1].final);
    assert_true(report->balanced);
}

static void an_agent_that_nobody_wrote_down_is_called_back(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 12 * S;
    world_start(world, 1);
    world_run(world, 3 * S);
    fake_join(world, world_add(world, "b"));
    world_run(world, S);
    struct state_bytes none = {0};
    state_begin(&none, &(struct state_head){.boot = "here"});

    uint64_t load_began_ns = session_load_began_ns(world->session);
    session_destroy(world->session);
    world_recall(world, &none, none.count, load_began_ns);
    const struct report *report = world_report(world);

    assert_int_equal(report->ledger.started, all_started(world));
    assert_int_equal(report->agent_count, 2);
    assert_true(report->balanced);
    state_bytes_done(&none);
}

static void too_few_agents_that_come_back_break_a_run_off(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 12 * S;
    world->plan.agents_min = 2;
    world_start(world, 2);
    world_run(world, 3 * S);

    world_die_and_resume(world, S);
    world->fakes[1].dead = true;
    const struct report *report = world_report(world);

    assert_int_equal(report->outcome, OUTCOME_ABORTED);
    assert_int_equal(report->exit_code, 3);
    assert_non_null(strstr(report->sentence, "came back"));
}

static void a_loss_over_a_restart_aborts_when_the_plan_says_so(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 12 * S;
    world->plan.on_loss = ON_LOSS_ABORT;
    world_start(world, 2);
    world_run(world, 3 * S);

    world_die_and_resume(world, S);
    world->fakes[1].dead = true;
    const struct report *report = world_report(world);

    assert_int_equal(report->outcome, OUTCOME_ABORTED);
    assert_int_equal(report->exit_code, 3);
}

static void a_run_whose_time_has_passed_is_only_counted(void **state)
{
    struct world *world = *state;
    world_start(world, 2);
    world_run(world, 3 * S);

    world_die_and_resume(world, 10 * S);
    uint64_t before = all_started(world);
    const struct report *report = world_report(world);

    assert_int_equal(report->ledger.started, before);
    assert_int_equal(all_started(world), before);
    assert_int_equal(report->lost_max, 0);
    assert_int_equal(report->duration_ns, 5 * S);
}

static void a_run_that_changes_hands_is_measured_over_all_of_it(void **state)
{
    struct world *world = *state;
    world_start(world, 1);
    world_run(world, 3 * S);
    fake_join(world, world_add(world, "b"));
    world_run(world, S / 2);
    fake_final(world, &world->fakes[0]);
    world->fakes[0].heard = true;

    const struct report *report = world_report(world);

    assert_near(report->throughput_per_s, 1000.0, 30.0);
    assert_int_equal(report->ledger.started, all_started(world));
}

/* A stage of 20 ms is left of the warm-up: no order stands for so short. */
static void a_stage_shorter_than_a_tick_is_not_judged_by_itself(void **state)
{
    struct world *world = *state;
    world->plan.schedule = (struct schedule){
        .duration_ns = 4 * S,
        .warmup_ns = S - 20 * MS,
        .stage_count = 2,
        .stages = {{.duration_ns = S, .to = 1000.0}, {.duration_ns = 3 * S, .to = 1000.0}}};
    world_start(world, 1);

    const struct report *report = world_report(world);

    assert_int_equal(report->outcome, OUTCOME_MET);
}

static void a_counter_that_falls_puts_its_agent_out_of_the_run(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 3 * S);
    uint64_t believed = fake_total(&world->fakes[1]).started;

    world->fakes[1].phases[1].bytes_sent = 100;
    world_tick(world);
    believed = fake_total(&world->fakes[1]).started;
    world->fakes[1].phases[1].bytes_sent = 99;
    world_run(world,
              3 * S); /* it is not believed in what it acknowledges either: its lease must end */

    assert_int_equal(world->fakes[1].setpoint.rate_milli, 0);
    assert_int_equal(world->fakes[0].setpoint.rate_milli, 1000000);
    const struct report *report = world_report(world);
    assert_non_null(find_event(report, "agent_corrupt"));
    assert_int_equal(report->agents[1].counters.started, believed);
    assert_false(report->balanced);
    assert_int_equal(report->exit_code, EXIT_NOT_TRUSTED);
}

static void a_repeated_final_word_is_acknowledged_again_and_counted_once(void **state)
{
    struct world *world = *state;
    world_start(world, 2);
    world_run(world, 2 * S);
    struct fake *leaver = &world->fakes[0];

    fake_final(world, leaver);
    uint32_t once = leaver->acknowledgements;
    fake_final(world, leaver);
    leaver->heard = true;

    assert_int_equal(once, 2);
    assert_int_equal(leaver->acknowledgements, 4);
    const struct report *report = world_report(world);
    assert_int_equal(report->ledger.started, all_started(world));
    assert_non_null(find_event(report, "agent_left"));
}

static void a_final_word_that_never_comes_is_missed_aloud(void **state)
{
    struct world *world = *state;
    world_start(world, 2);
    world->fakes[1].withholds = true;

    const struct report *report = world_report(world);

    const struct report_event *event = find_event(report, "final_missing");
    assert_non_null(event);
    assert_non_null(strstr(event->sentence, "agent b gave no final word"));
    assert_false(report->agents[1].final);
    assert_true(report->lost_max > 0);
}

static void the_first_signal_drains_and_reports(void **state)
{
    struct world *world = *state;
    world_start(world, 2);
    world_run(world, 2 * S);

    world_step(world, (struct session_event){.kind = SESSION_DRAIN});
    const struct report *report = world_report(world);

    assert_int_equal(report->exit_code, EXIT_INTERRUPTED);
    assert_int_equal(report->outcome, OUTCOME_ABORTED);
    assert_int_equal(report->ledger.started, all_started(world));
    assert_true(report->agents[0].final);
    assert_true(report->duration_ns < 3 * S);
}

static void the_second_signal_ends_it_within_a_second_whatever_agents_do(void **state)
{
    struct world *world = *state;
    world_start(world, 2);
    world_run(world, 2 * S);
    world->fakes[0].silent = true;
    world->fakes[1].silent = true;
    world_step(world, (struct session_event){.kind = SESSION_DRAIN});
    world_tick(world);
    uint64_t from_ns = world->now_ns;

    world_step(world, (struct session_event){.kind = SESSION_ABORT});
    const struct report *report = world_report(world);

    assert_true(world->now_ns - from_ns <= S);
    assert_int_equal(report->exit_code, EXIT_INTERRUPTED);
    assert_false(report->agents[0].final);
}

static void a_broken_sink_ends_the_run_with_what_is_known(void **state)
{
    struct world *world = *state;
    world_start(world, 1);
    world_run(world, 2 * S);

    world_step(world, (struct session_event){.kind = SESSION_SINK_FAILED, .sentence = "disk full"});
    const struct report *report = world_report(world);

    assert_int_equal(report->exit_code, EXIT_BROKEN_OFF);
    assert_non_null(strstr(report->sentence, "disk full"));
    assert_true(report->balanced);
}

static void a_coordinator_that_stood_still_orders_nothing_for_a_tick(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 2 * S);
    world->now_ns += LEASE_NS;

    world_tick(world);
    assert_int_equal(world->fakes[0].setpoint.rate_milli, 0);
    assert_int_equal(world->fakes[0].setpoint.concurrency_milli, 0);
    world_run(world, S);

    assert_int_equal(world->fakes[0].setpoint.rate_milli, 500000);
    assert_non_null(find_event(world_report(world), "coordinator_late"));
    assert_true(world->rate_most <= 1000.0);
}

/* The pause of the coordinator, and the first tick after it: no word has been read yet. */
static void world_stand_still(struct world *world, uint64_t pause_ns)
{
    world->now_ns += pause_ns;
    world_step(world, (struct session_event){.kind = SESSION_TICK});
}

static void a_coordinator_that_stood_still_takes_no_agent_for_lost(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 2 * S);

    world_stand_still(world, 5 * S);
    const struct report *report = world_report(world);

    assert_null(find_event(report, "agent_lost"));
    assert_true(report->balanced);
    assert_int_equal(report->lost_max, 0);
    assert_true(report->agents[0].final && report->agents[1].final);
}

static void an_agent_that_died_while_the_coordinator_stood_still_is_lost_a_lease_later(void **state)
{
    struct world *world = *state;
    world->plan.schedule.duration_ns = 20 * S;
    world_start(world, 2);
    world_run(world, 2 * S);

    world->fakes[1].dead = true;
    world_stand_still(world, 5 * S);
    uint64_t awake_ns = world->now_ns;
    while (world->fakes[0].setpoint.rate_milli <= 500000 && world->now_ns < awake_ns + 10 * S)
        world_tick(world);

    assert_true(world->now_ns - awake_ns <= LEASE_NS + 3 * TICK);
    assert_non_null(find_event(world_report(world), "agent_lost"));
}

static void final_words_are_waited_for_by_a_coordinator_that_stood_still(void **state)
{
    struct world *world = *state;
    world_start(world, 2);
    world_run(world, 2 * S);
    world_step(world, (struct session_event){.kind = SESSION_DRAIN});

    world_stand_still(world, 30 * S);
    const struct report *report = world_report(world);

    assert_null(find_event(report, "final_missing"));
    assert_true(report->balanced);
    assert_true(report->agents[0].final && report->agents[1].final);
}

static void owners_ceilings_are_kept_and_named_as_the_limit(void **state)
{
    struct world *world = *state;
    world_open(world, 2);
    world_tick(world);
    for (uint32_t i = 0; i < 2; i++) {
        struct fake *fake = world_add(world, i == 0 ? "a" : "b");
        fake->ceiling_milli = 300000;
        fake_join(world, fake);
    }

    const struct report *report = world_report(world);

    assert_int_equal(world->fakes[0].setpoint.rate_milli, 300000);
    assert_int_equal(report->outcome, OUTCOME_MISSED);
    assert_int_equal(report->limit, LIMIT_AGENTS);
    assert_non_null(strstr(report->sentence, "owners"));
}

static void a_fixed_concurrency_is_split_into_whole_workers(void **state)
{
    struct world *world = *state;
    world->plan.goal = GOAL_CONCURRENCY;
    world->plan.schedule.value = 10.0;
    world_start(world, 4);
    world_run(world, 2 * S);

    uint64_t sum = 0;
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(world->fakes[i].setpoint.concurrency_milli % 1000, 0);
        assert_int_equal(world->fakes[i].setpoint.floor_milli,
                         world->fakes[i].setpoint.concurrency_milli);
        assert_int_equal(world->fakes[i].setpoint.rate_milli, 0);
        sum += world->fakes[i].setpoint.concurrency_milli;
    }

    assert_int_equal(sum, 10000);
    assert_int_equal(world_report(world)->exit_code, EXIT_MET);
    assert_true(world->concurrency_most <= 10.0);
}

static void world_search(struct world *world, enum goal_kind goal, uint64_t warmup_ns,
                         uint32_t count)
{
    world->plan.goal = goal;
    world->plan.precision = 0.02;
    world->plan.schedule = (struct schedule){.duration_ns = 20 * S, .warmup_ns = warmup_ns};
    world_start(world, count);
}

static void a_search_finds_the_most_and_counts_the_phases_apart(void **state)
{
    struct world *world = *state;
    world_search(world, GOAL_MAXIMIZE, S, 2);

    const struct report *report = world_report(world);

    assert_true(report->balanced);
    assert_int_equal(report->outcome, OUTCOME_MET);
    assert_int_equal(report->exit_code, EXIT_MET);
    assert_int_equal(report->ledger.started, all_started(world));
    const struct answer_found *found = &report->answer.found;
    double servers = 2.0 * SERVERS_MILLI / 1000.0;
    double capacity_per_s = servers * 1e9 / LATENCY_NS;
    assert_near(found->throughput_per_s, capacity_per_s, 0.03 * capacity_per_s);
    assert_near(found->workers, 1.1 * servers, 0.2 * servers);
    uint64_t searched = 0;
    uint64_t answered = 0;
    for (uint32_t i = 0; i < 2; i++) {
        searched += world->fakes[i].phases[PHASE_SEARCH].ok;
        answered += world->fakes[i].phases[PHASE_ANSWER].ok;
    }
    assert_true(answered > 0);
    assert_int_equal(report->counters.ok, searched + answered);
    assert_int_equal(report->answer.counters.ok, answered);
    assert_int_equal(report->answer.response.total, answered);
    assert_non_null(find_event(report, "converged"));
    assert_null(find_event(report, "searching"));
    assert_true(report->control.settled);
    assert_true(report->curve_count > 3);
}

static void a_search_under_a_bound_stays_under_it(void **state)
{
    static char text[] = "latency.p(99) < 8ms";
    const double bound_ns = 8.0 * MS;
    struct world *world = *state;
    world->plan.bound_count = 1;
    world->plan.bounds[0] = (struct threshold){.text = text,
                                               .metric = METRIC_LATENCY_QUANTILE,
                                               .quantile = 0.99,
                                               .below = true,
                                               .bound = bound_ns};
    world_search(world, GOAL_MAXIMIZE_WHILE, S, 2);

    const struct report *report = world_report(world);

    assert_int_equal(report->outcome, OUTCOME_MET);
    assert_true((double)histogram_quantile(&report->answer.response, 0.99) < bound_ns);
    assert_true(report->curve[report->curve_count - 1].latency_ns_quantile > LATENCY_NS);
    assert_non_null(strstr(report->sentence, "stays under 8ms"));
}

/* An answer that comes within the warm-up is measured from its end on, all of it. */
static void the_warm_up_goes_before_the_search(void **state)
{
    struct world *world = *state;
    world_search(world, GOAL_MAXIMIZE, 15 * S, 1);

    const struct report *report = world_report(world);

    assert_int_equal(report->outcome, OUTCOME_MET);
    assert_int_equal(world->fakes[0].phases[PHASE_SEARCH].started, 0);
    assert_true(report->answer.found.converged_ns < 15 * S);
    assert_int_equal(report->counters.ok, world->fakes[0].phases[PHASE_ANSWER].ok);
    assert_near(report->throughput_per_s, report->answer.found.throughput_per_s,
                0.01 * report->throughput_per_s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hold_is_met_and_every_request_is_in_the_ledger),
        TEST(nothing_runs_before_all_expected_agents_are_ready),
        TEST(a_run_goes_on_with_fewer_agents_than_expected_and_says_so),
        TEST(too_few_agents_end_the_run_before_it_starts),
        TEST(a_concurrency_that_has_no_room_is_refused_before_it_starts),
        TEST(a_concurrency_that_just_fits_is_run),
        TEST(a_declined_plan_ends_the_wait_and_is_quoted),
        TEST(an_agent_that_declined_and_came_back_is_expected_once),
        TEST(an_agent_of_another_major_version_is_refused_with_both_versions_named),
        TEST(a_second_agent_of_the_same_name_is_refused_and_the_first_untouched),
        TEST(who_is_barred_is_told_to_stop_and_the_others_carry_on),
        TEST(an_incarnation_in_the_mouth_of_another_key_is_not_heard),
        TEST(a_late_agent_takes_its_share_within_a_second),
        TEST(parts_of_data_are_given_to_who_asks),
        TEST(a_tick_gives_as_many_parts_as_leave_it_time),
        TEST(a_dead_agents_share_is_given_away_only_after_its_lease),
        TEST(an_agent_that_only_could_not_be_heard_never_runs_beside_its_share),
        TEST(a_held_share_is_not_given_to_others),
        TEST(a_loss_aborts_when_the_plan_says_so),
        TEST(a_new_life_of_a_lost_agent_is_counted_beside_the_old_one),
        TEST(the_recorder_of_a_lost_agent_takes_the_place_of_what_was_known_of_it),
        TEST(a_recorder_that_comes_before_the_loss_is_known_makes_it_none),
        TEST(a_recorder_is_counted_once_however_often_it_comes),
        TEST(what_a_killed_agent_said_before_is_old_after_its_recorder),
        TEST(a_recorder_of_another_run_is_nobodys),
        TEST(a_run_goes_on_after_its_coordinators_death_and_nothing_is_missing),
        TEST(a_new_coordinator_orders_nothing_while_an_old_lease_may_last),
        TEST(an_agent_that_does_not_come_back_counts_with_what_it_may_have_done),
        TEST(a_final_word_that_was_acknowledged_outlives_the_coordinator),
        TEST(an_agent_that_nobody_wrote_down_is_called_back),
        TEST(too_few_agents_that_come_back_break_a_run_off),
        TEST(a_loss_over_a_restart_aborts_when_the_plan_says_so),
        TEST(a_run_whose_time_has_passed_is_only_counted),
        TEST(a_run_that_changes_hands_is_measured_over_all_of_it),
        TEST(a_stage_shorter_than_a_tick_is_not_judged_by_itself),
        TEST(a_counter_that_falls_puts_its_agent_out_of_the_run),
        TEST(a_repeated_final_word_is_acknowledged_again_and_counted_once),
        TEST(a_final_word_that_never_comes_is_missed_aloud),
        TEST(the_first_signal_drains_and_reports),
        TEST(the_second_signal_ends_it_within_a_second_whatever_agents_do),
        TEST(a_broken_sink_ends_the_run_with_what_is_known),
        TEST(a_coordinator_that_stood_still_orders_nothing_for_a_tick),
        TEST(a_coordinator_that_stood_still_takes_no_agent_for_lost),
        TEST(an_agent_that_died_while_the_coordinator_stood_still_is_lost_a_lease_later),
        TEST(final_words_are_waited_for_by_a_coordinator_that_stood_still),
        TEST(owners_ceilings_are_kept_and_named_as_the_limit),
        TEST(a_search_finds_the_most_and_counts_the_phases_apart),
        TEST(a_search_under_a_bound_stays_under_it),
        TEST(the_warm_up_goes_before_the_search),
        TEST(a_fixed_concurrency_is_split_into_whole_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
