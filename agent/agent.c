#include "agent/agent.h"

#include "agent/capacity.h"
#include "agent/machine.h"
#include "agent/member.h"
#include "agent/probe.h"
#include "agent/reach.h"
#include "agent/recorder.h"
#include "agent/resolver.h"
#include "common/base/cgroup.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/loop.h"
#include "common/base/secret_file.h"
#include "common/command.h"
#include "common/version.h"
#include "proto/channel.h"
#include "proto/channel_keys.h"
#include "proto/sha256.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#define REJOIN_MS           1000u /* between two runs: a coordinator needs a moment to begin the next */
#define REJOIN_DECLINED_MS  10000u /* the same plan would be declined again */
#define DESCRIPTORS_OF_OURS 64u    /* channel, loops, timers, standard streams */
#define HEARD_MAX           1024u /* messages at a time: a flood of them must not hold up our clock */
#define TICK_NS             (TICK_MS * NS_PER_MS)
#define GRID_NS             (10 * NS_PER_MS) /* how exactly a beat can be placed */
#define BEAT_LEAD_NS        (20 * NS_PER_MS) /* before the next tick: a network's way, and jitter */

/* One agent. What is set is what was begun. */
struct agent {
    const struct agent_options *options;
    struct loop *loop;
    int signals;
    uint32_t signal_count;
    struct capacity_facts facts;
    uint32_t max_concurrency;  /* of the facts */
    struct recorder *recorder; /* NULL: none */
    int exit_code;

    bool locked; /* with these: */
    struct key_pair own;
    char server_key[KEY_TEXT_BYTES];
    enum channel_handshake handshake; /* the newest, as it was said */

    /* One incarnation; NULL between two. */
    struct channel *channel;
    struct member *member;
    struct reach reach;          /* of the target */
    struct resolver *resolver;   /* NULL: nobody asked for it to be looked up again */
    struct recording *recording; /* that the pool counts in; NULL: none */
    struct pool *pool;
    uint64_t rejoin_ns; /* when the next one begins */
    uint64_t beat_ns;   /* when the next tick of ours is due */
    uint64_t beaten_ns; /* when the last one was */

    /* What a step asked for, done when all that waited has been heard: only the newest counts. */
    const struct assignment *assignment; /* to be configured */
    struct recording_owner owner;        /* ... by whom, in which run */
    bool has_examine;
    struct examine examine;
    bool has_setpoint;
    struct pool_setpoint setpoint;
    bool has_end;
    struct member_action end;
};

static void agent_perform(void *context, const struct member_action *action)
{
    struct agent *agent = context;
    switch (action->kind) {
    case MEMBER_SEND:
        channel_send(agent->channel, NULL, &action->message);
        break;
    case MEMBER_CONFIGURE:
        agent->assignment = action->assignment;
        memcpy(agent->owner.run_id, action->message.run_id, ID_BYTES);
        memcpy(agent->owner.incarnation, action->message.incarnation, ID_BYTES);
        break;
    case MEMBER_EXAMINE:
        agent->examine = action->message.as.examine;
        agent->has_examine = true;
        break;
    case MEMBER_SET:
        agent->setpoint = action->setpoint;
        agent->has_setpoint = true;
        break;
    case MEMBER_DRAIN:
        agent->has_setpoint = false;
        pool_drain(agent->pool, action->deadline_ns);
        break;
    case MEMBER_ABORT:
        agent->has_setpoint = false;
        pool_abort(agent->pool);
        break;
    case MEMBER_END:
        agent->end = *action;
        agent->has_end = true;
        break;
    }
}

static void agent_step(struct agent *agent, uint64_t now_ns, const struct member_event *event)
{
    member_step(agent->member, now_ns, event, agent_perform, agent);
}

static const struct engine_driver *choose_engine(enum engine_choice choice, struct error *error)
{
    struct error why = {0};
    const struct engine_driver *driver = engine_choose(choice, &why);
    if (driver == NULL)
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "--engine uring: %s", why.message);
    else if (why.kind != ERROR_NONE)
        log_line(LOG_INFO, "no io_uring here, so epoll: %s", why.message);
    return driver;
}

static bool has_source(const struct sources *sources, const struct address *target,
                       struct error *error)
{
    int family = target->as.any.sa_family;
    char text[ADDRESS_TEXT_BYTES];
    if (sources->range_count == 0 || family == AF_UNIX || sources_count(sources, family) > 0)
        return true;
    return error_set(error, ERROR_LIMIT, PLACE_NONE,
                     "--source names no %s address, and the target is %s",
                     family == AF_INET ? "IPv4" : "IPv6", net_address_text(target, text));
}

/* The target's address, and that connections can go there from where the owner wants them to. */
static bool agent_reach(struct agent *agent, const struct assignment *assignment,
                        struct error *error)
{
    const struct agent_options *options = agent->options;
    agent->reach.sources = &options->sources;
    return reach_target(&options->allow, assignment, &agent->reach.address, error) &&
           has_source(&options->sources, &agent->reach.address, error);
}

/* A name server that is silent, or points where the owner allows nothing, changes nothing. */
static void agent_follow(struct agent *agent)
{
    struct address moved;
    struct error error = {0};
    char text[ADDRESS_TEXT_BYTES];
    enum resolver_news news = resolver_take(agent->resolver, &moved, &error);
    if (news == RESOLVER_MOVED && !has_source(&agent->options->sources, &moved, &error))
        news = RESOLVER_FAILED;
    if (news == RESOLVER_FAILED)
        log_line(LOG_INFO, "the target stays where it was: %s", error.message);
    if (news != RESOLVER_MOVED)
        return;
    log_line(LOG_INFO, "the target is %s from now on", net_address_text(&moved, text));
    agent->reach.address = moved;
    pool_move(agent->pool, &moved);
}

/* Without one the agent works as well; what it did last is unknown if it is killed. */
static void agent_record(struct agent *agent, const struct assignment *assignment)
{
    struct error error = {0};
    if (agent->recorder == NULL)
        return;
    agent->recording =
        recorder_begin(agent->recorder,
                       &(struct recording_shape){.lanes = agent->options->lanes,
                                                 .phases = assignment->phases,
                                                 .requests = assignment->request_count},
                       &agent->owner, &error);
    if (agent->recording == NULL)
        log_line(LOG_INFO, "no flight recorder: %s", error.message);
}

/* A pool for the assignment, or why not. */
static bool agent_configure(struct agent *agent, const struct assignment *assignment,
                            struct decline *decline)
{
    struct error error = {0};
    decline->code = DECLINE_TARGET;
    if (agent_reach(agent, assignment, &error)) {
        decline->code = DECLINE_RESOURCE;
        const struct engine_driver *driver = choose_engine(agent->options->engine, &error);
        if (driver != NULL) {
            agent_record(agent, assignment);
            agent->pool = pool_create(assignment, &agent->reach, agent->options->lanes, driver,
                                      agent->recording, &error);
        }
    }
    if (agent->pool != NULL && assignment->connection.resolve_every_ns > 0) {
        agent->resolver =
            resolver_create(&agent->options->allow, assignment, &agent->reach.address, &error);
        if (agent->resolver == NULL) {
            pool_destroy(agent->pool);
            agent->pool = NULL;
        }
    }
    if (agent->pool == NULL) {
        snprintf(decline->sentence, sizeof decline->sentence, "%.*s", (int)NAME_BYTES_MAX,
                 error.message);
        return false;
    }
    char text[ADDRESS_TEXT_BYTES], words[256];
    log_line(LOG_INFO, "joined a run against %s, which is %s", assignment->host,
             net_address_text(&agent->reach.address, text));
    if (agent->max_concurrency < assignment->concurrency_max)
        log_line(LOG_INFO, "carries at most %u of the plan's %u requests in flight: %s",
                 agent->max_concurrency, assignment->concurrency_max,
                 capacity_words(&agent->facts, assignment->concurrency_max, words, sizeof words));
    return true;
}

/* `heard`: what this incarnation did is known to the coordinator. */
static void agent_leave(struct agent *agent, bool heard)
{
    resolver_destroy(agent->resolver);
    agent->resolver = NULL;
    bool counted = agent->pool != NULL;
    pool_destroy(agent->pool);
    agent->pool = NULL;
    if (agent->recorder != NULL)
        recorder_end(agent->recorder, heard || !counted);
    agent->recording = NULL;
    member_destroy(agent->member);
    agent->member = NULL;
    if (agent->channel != NULL) {
        loop_unwatch(agent->loop, channel_descriptor(agent->channel));
        channel_close(agent->channel);
        agent->channel = NULL;
    }
    agent->assignment = NULL;
    agent->has_examine = false;
    agent->has_setpoint = false;
    agent->has_end = false;
}

/* The run is over for us: another one, or the end of the process. */
static void agent_end(struct agent *agent, uint64_t now_ns)
{
    enum member_end how = agent->end.end;
    bool never = how == MEMBER_END_REFUSED && agent->end.retry_ms == 0;
    uint32_t rejoin_ms = how == MEMBER_END_DECLINED ? REJOIN_DECLINED_MS : REJOIN_MS;
    if (agent->end.retry_ms > rejoin_ms)
        rejoin_ms = agent->end.retry_ms;
    log_line(LOG_INFO, "left the run: %s", agent->end.sentence);

    agent->rejoin_ns = now_ns + rejoin_ms * NS_PER_MS;
    if (agent->signal_count > 0)
        agent->exit_code = EXIT_INTERRUPTED;
    else
        agent->exit_code = how == MEMBER_END_COMPLETE ? EXIT_MET : EXIT_BROKEN_OFF;
    if (agent->options->once || agent->signal_count > 0 || never)
        loop_stop(agent->loop);
    agent_leave(agent, how == MEMBER_END_COMPLETE);
}

/* Orders come at the coordinator's ticks. Our beats are placed shortly before the next one: sent at
 * any other moment they would be old when they are looked at, and at that very moment they would
 * miss every other tick. */
static void agent_align(struct agent *agent, uint64_t now_ns)
{
    uint64_t wanted_ns = now_ns + TICK_NS - BEAT_LEAD_NS;
    uint64_t latest_ns = agent->beaten_ns + TICK_NS + BEAT_LEAD_NS; /* however often orders come */
    agent->beat_ns = wanted_ns < latest_ns ? wanted_ns : latest_ns;
}

/* Whatever cannot be measured stays 0, and the one who asked says so. */
static void measure(const struct agent *agent, uint32_t measure_ms, struct findings *findings)
{
    struct error error = {0};
    const struct engine_driver *driver = engine_choose(agent->options->engine, &error);
    findings->measured = true;
    findings->lanes = agent->options->lanes;
    findings->cpu_limit_milli = (uint32_t)(cgroup_limits("").cpus * 1000.0);
    findings->descriptors = agent->facts.descriptors;
    findings->room = agent->max_concurrency;
    findings->ports = agent->facts.ports;
    findings->addresses = agent->facts.addresses;
    machine_governor(findings->governor, sizeof findings->governor);
    machine_clock(findings->clock, sizeof findings->clock);
    snprintf(findings->engine_why, sizeof findings->engine_why, "%.*s", (int)NAME_BYTES_MAX,
             error.message);
    findings->timer_p99_ns = probe_timer_p99_ns();
    if (driver == NULL)
        return;
    snprintf(findings->engine, sizeof findings->engine, "%s", driver->name);
    if (!probe_requests(driver, measure_ms, &findings->requests_per_cpu_s, &error))
        log_line(LOG_INFO, "could not measure: %s", error.message);
}

static void agent_examine(struct agent *agent)
{
    struct findings findings = {.echo_t = agent->examine.t};
    agent->has_examine = false;
    if (agent->examine.measure_ms > 0)
        measure(agent, agent->examine.measure_ms, &findings);
    agent_step(agent, clock_now_ns(),
               &(struct member_event){.kind = MEMBER_EXAMINED, .findings = &findings});
}

/* Performs what the steps have asked for. */
static void agent_settle(struct agent *agent, uint64_t now_ns)
{
    const struct assignment *assignment = agent->assignment;
    agent->assignment = NULL;
    if (agent->has_examine && !agent->has_end)
        agent_examine(agent);
    if (assignment != NULL && !agent->has_end) {
        struct member_event event = {.kind = MEMBER_CONFIGURED};
        if (!agent_configure(agent, assignment, &event.decline))
            event.kind = MEMBER_DECLINED;
        agent_step(agent, now_ns, &event);
    }
    if (agent->has_end) {
        agent_end(agent, now_ns);
        return;
    }
    if (agent->has_setpoint) {
        pool_set(agent->pool, &agent->setpoint);
        agent_align(agent, now_ns);
    }
    agent->has_setpoint = false;
}

static void agent_say_for_orphans(struct agent *agent, uint64_t now_ns)
{
    struct message message;
    while (agent->recorder != NULL && recorder_say(agent->recorder, now_ns, &message))
        channel_send(agent->channel, NULL, &message);
}

/* Hears all that waits, and only then acts: of several setpoints the newest counts. ZeroMQ's
 * descriptor tells of edges, so this is done after sends too; what is left over, the next look at
 * the time finds. */
static void agent_receive(struct agent *agent, uint64_t now_ns)
{
    struct peer_id from;
    struct message message;
    struct error error = {0};
    enum channel_outcome outcome = CHANNEL_MESSAGE;
    for (uint32_t i = 0; i < HEARD_MAX && !agent->has_end && outcome != CHANNEL_EMPTY; i++) {
        outcome = channel_receive(agent->channel, &from, &message, &error);
        if (outcome == CHANNEL_MESSAGE) {
            if (agent->recorder != NULL)
                recorder_hear(agent->recorder, &message);
            agent_step(agent, now_ns,
                       &(struct member_event){.kind = MEMBER_MESSAGE, .message = &message});
        } else if (outcome == CHANNEL_BAD)
            log_line(LOG_INFO, "dropped a message: %s", error.message);
    }
    agent_say_for_orphans(agent, now_ns); /* before the answer to a refusal: to leave */
    agent_settle(agent, now_ns);
}

static void agent_readable(void *context, uint64_t now_ns, uint32_t events)
{
    (void)events;
    agent_receive(context, now_ns);
}

/* A new incarnation. False: it cannot be. */
static bool agent_join(struct agent *agent, struct error *error)
{
    const struct agent_options *options = agent->options;
    uint8_t incarnation[ID_BYTES];
    char text[ALLOW_RULES_MAX * (NAME_BYTES_MAX + 64u)];
    struct member_config config = {
        .build = CLOBBER_VERSION,
        .cores = options->lanes,
        .max_concurrency = agent->max_concurrency,
        .max_rate_milli = options->max_rate_milli,
        .max_duration_ns = options->max_duration_ns,
        .orphans = agent->recorder != NULL ? recorder_orphans(agent->recorder) : 0,
    };
    memcpy(config.name, options->name, sizeof config.name);
    allow_text(&options->allow, text, sizeof text);
    sha256(text, strlen(text), config.allow_digest);
    if (getrandom(incarnation, sizeof incarnation, 0) != (ssize_t)sizeof incarnation)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "no random bytes: %s", strerror(errno));
    agent->member = member_create(&config, incarnation);
    if (agent->member == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory to join a run");
    agent->channel = agent->locked ? channel_connect_locked(options->connect, &agent->own,
                                                            agent->server_key, error)
                                   : channel_connect(options->connect, error);
    return agent->channel != NULL && loop_watch(agent->loop, channel_descriptor(agent->channel),
                                                EPOLLIN, agent_readable, agent, error);
}

/* Not built up again after a failure: what fails here is the machine's want, and a supervisor's to
 * judge. */
static void agent_rejoin(struct agent *agent)
{
    struct error error = {0};
    if (agent_join(agent, &error))
        return;
    log_line(LOG_ERROR, "%s", error.message);
    agent->exit_code = EXIT_BROKEN_OFF;
    agent_leave(agent, false);
    loop_stop(agent->loop);
}

/* ZeroMQ does not knock again where our key was refused, and the coordinator's list may change. */
static void agent_stay_outside(struct agent *agent, uint64_t now_ns)
{
    agent->rejoin_ns = now_ns + REJOIN_MS * NS_PER_MS;
    agent->exit_code = EXIT_BROKEN_OFF;
    agent_leave(agent, false);
    if (agent->options->once)
        loop_stop(agent->loop);
}

/* Says what keys have to do with it that nobody answers, as often as that changes. */
static void agent_watch_door(struct agent *agent, uint64_t now_ns)
{
    enum channel_handshake news = channel_handshake(agent->channel);
    bool said = news == agent->handshake;
    if (news == CHANNEL_NO_NEWS)
        return;
    agent->handshake = news;
    if (news == CHANNEL_KEY_REFUSED && !said)
        log_line(LOG_WARNING, "%s refused our key %s: it is not in its --authorized-keys, or ended",
                 agent->options->connect, agent->own.public_key);
    if (news == CHANNEL_HUNG_UP && !said)
        log_line(LOG_WARNING, "%s hung up before a word: %s", agent->options->connect,
                 agent->locked ? "its key is not the one of --server-key, or it has none"
                               : "it wants keys, --secret-key and --server-key");
    if (news == CHANNEL_KEY_REFUSED)
        agent_stay_outside(agent, now_ns);
}

static void agent_tick(void *context, uint64_t now_ns)
{
    struct agent *agent = context;
    if (agent->member == NULL && now_ns >= agent->rejoin_ns)
        agent_rejoin(agent);
    if (agent->channel != NULL)
        agent_watch_door(agent, now_ns);
    if (agent->resolver != NULL)
        agent_follow(agent);
    if (agent->member != NULL)
        agent_receive(agent, now_ns);
    if (agent->member == NULL || now_ns < agent->beat_ns)
        return;
    agent->beaten_ns = now_ns;
    agent->beat_ns = now_ns + TICK_NS;
    struct member_event event = {.kind = MEMBER_TICK};
    if (agent->pool != NULL)
        event.meters = pool_read(agent->pool, member_wants_histograms(agent->member, now_ns));
    if (agent->recording != NULL)
        recording_pulse(agent->recording, event.meters->t_agent, event.meters->cpu_ns);
    agent_step(agent, now_ns, &event);
    agent_receive(agent, now_ns);
}

static void agent_signal(void *context, uint64_t now_ns, uint32_t events)
{
    (void)events;
    struct agent *agent = context;
    while (loop_next_signal(agent->signals) != 0) {
        agent->signal_count++;
        if (agent->member == NULL) {
            agent->exit_code = EXIT_INTERRUPTED;
            loop_stop(agent->loop);
            return;
        }
        agent_step(agent, now_ns,
                   &(struct member_event){.kind = agent->signal_count == 1 ? MEMBER_INTERRUPT
                                                                           : MEMBER_KILL});
        agent_settle(agent, now_ns);
    }
}

/* An embedded agent has none: it dies with its coordinator and nobody starts it again. */
static bool agent_open_recorder(struct agent *agent, struct error *error)
{
    const struct agent_options *options = agent->options;
    struct error why = {0};
    if (options->embedded)
        return true;
    agent->recorder = recorder_open(options->state, options->name, &why);
    if (agent->recorder == NULL && options->state != NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "--state %s", why.message);
    if (agent->recorder == NULL)
        log_line(LOG_INFO, "no flight recorder: %s", why.message);
    return true;
}

static bool agent_begin(struct agent *agent, struct error *error)
{
    static const int signals[] = {SIGINT, SIGTERM};
    agent->loop = loop_create(error);
    if (agent->loop == NULL)
        return false;
    agent->signals = loop_signals(signals, 2, error);
    if (agent->signals < 0 ||
        !loop_watch(agent->loop, agent->signals, EPOLLIN, agent_signal, agent, error))
        return false;
    loop_every(agent->loop, GRID_NS, agent_tick, agent);
    return agent_open_recorder(agent, error) && agent_join(agent, error);
}

static void agent_done(struct agent *agent)
{
    if (agent->loop == NULL)
        return;
    agent_leave(agent, false);
    recorder_close(agent->recorder);
    loop_destroy(agent->loop);
    if (agent->signals >= 0)
        close(agent->signals);
}

/* What is not there is not promised to the coordinator. */
static struct capacity_facts own_facts(const struct agent_options *options)
{
    uint64_t ours = DESCRIPTORS_OF_OURS + 4u * (uint64_t)options->lanes;
    uint32_t v4 = sources_count(&options->sources, AF_INET);
    uint32_t v6 = sources_count(&options->sources, AF_INET6);
    uint32_t addresses = v4 > v6 ? v4 : v6;
    return (struct capacity_facts){
        .owner_max = options->max_concurrency,
        .descriptors = net_raise_descriptors(options->max_concurrency + ours),
        .descriptors_of_ours = ours,
        .memory_bytes = cgroup_limits("").memory_bytes,
        .ports = machine_ports(),
        .addresses = addresses > 0 ? addresses : 1,
    };
}

static bool agent_load_keys(struct agent *agent, struct error *error)
{
    const struct agent_options *options = agent->options;
    agent->locked = options->secret_key != NULL;
    if (!agent->locked && !channel_endpoint_is_local(options->connect))
        log_line(LOG_WARNING,
                 "no keys: whoever answers at %s leads this agent, within what --allow says",
                 options->connect);
    if (!agent->locked)
        return true;
    return channel_keys_own(options->secret_key, &agent->own, error) &&
           channel_keys_server(options->server_key, agent->server_key, error);
}

static int refuse(const struct error *error)
{
    char text[ERROR_TEXT_BYTES];
    fprintf(stderr, "clobber: %s\n", error_text(error, text, sizeof text));
    return error->kind == ERROR_USAGE ? EXIT_USAGE : EXIT_BROKEN_OFF;
}

int command_agent(int count, char **arguments)
{
    struct agent_options options;
    struct error error = {0};
    switch (agent_options_read(count, arguments, &options, &error)) {
    case FLAGS_HELP:
        return EXIT_MET;
    case FLAGS_BAD:
        return refuse(&error);
    case FLAGS_OK:
        break;
    }
    for (uint32_t i = 0; i < options.plugin_count; i++) {
        if (!plugin_load(options.plugins[i], &error)) {
            refuse(&error);
            return EXIT_USAGE;
        }
    }
    secret_file_hide_process(); /* a plan's secrets come with it, and nobody says which they are */
    if (options.embedded)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left to hear a last word */
    else
        log_set_level(LOG_INFO);

    struct agent agent = {
        .options = &options,
        .signals = -1,
        .facts = own_facts(&options),
        .exit_code = EXIT_BROKEN_OFF,
    };
    agent.max_concurrency = capacity_of(&agent.facts).workers;
    if (agent_load_keys(&agent, &error) && machine_has(&options.sources, &error) &&
        agent_begin(&agent, &error))
        loop_run(agent.loop);
    else
        agent.exit_code = refuse(&error);
    agent_done(&agent);
    explicit_bzero(&agent.own, sizeof agent.own);
    return agent.exit_code;
}
