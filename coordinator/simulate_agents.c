#include "coordinator/simulate_agents.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "common/control/random.h"
#include "common/version.h"
#include "coordinator/steering.h"
#include "proto/assignment.h"
#include "proto/digest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS       (TICK_MS * NS_PER_MS)
#define BEAT_LEAD_NS  (20 * NS_PER_MS) /* beats leave so long before the order that answers them */
#define TRANSPORT_NS  (1 * NS_PER_MS)  /* one way, in a data centre with room to spare */
#define STAGGER_NS    (100 * UINT64_C(1000)) /* between two agents' first words */
#define NEVER         UINT64_MAX
#define PHASES_MAX    (STAGES_MAX + 1u)
#define STATUS_OK     200u
#define STATUS_FAILED 503u

/* What one agent counts of one phase; taken when the phase begins. */
struct phase {
    uint64_t t_from, t_to; /* 0: not begun, not ended */
    double from_s;
    struct counters counters;
    uint32_t in_flight;
    double counted_s; /* up to when the integral of in_flight is counted */
    double in_flight_s, latency_s, send_lag_s;
    struct request_count requests[REQUEST_NAMES_MAX];
    uint64_t sampled; /* requests that had ended, and ... */
    uint64_t sampled_t_to;
    struct histogram kinds[SAMPLE_REQUEST]; /* response, service and send lag alone */
    struct histogram *names;                /* [plan->request_count] */
};

enum simulated_state {
    SIMULATED_AWAY,
    SIMULATED_GREETING,
    SIMULATED_JOINED,
    SIMULATED_ENDING,
    SIMULATED_LAST_WORD
};

struct simulated {
    enum simulated_state state;
    uint32_t life; /* grows when it dies */
    uint64_t seq;
    uint8_t incarnation[ID_BYTES], run_id[ID_BYTES];
    uint64_t epoch;
    uint64_t next_ns; /* its next beat, or other word */
    uint64_t greeted_ns, beaten_ns, sampled_ns;
    uint64_t lease_ns, sample_ns;
    uint64_t applied_seq, lease_end_ns;
    bool loaded; /* its last order stands */
    uint64_t deadline_ns;
    enum final_reason reason;
    uint32_t unacknowledged; /* parts of its last word */
    bool digests;
    uint32_t phase;
    uint32_t phase_count;             /* of its assignment */
    struct phase *phases[PHASES_MAX]; /* NULL: not begun */
    struct digest digest;
    uint64_t started, started_before; /* in all, and at its last beat */
    double load_s;                    /* CPU used */
    double noise;                     /* factor on what it measures until its next beat */
    double send_lag_max_s;            /* since its last beat */
};

/* A message on its way. It owns `bytes`, which the message borrows. */
struct post {
    uint64_t at_ns;
    uint32_t agent, life;
    struct message message;
    uint8_t *bytes;
};

/* In the order of their arrival, for all take the same time. */
struct mail {
    struct post *items; /* [size], a ring */
    uint32_t head, count, size;
};

struct simulate_agents {
    const struct plan *plan;
    const struct simulate_plant *plant;
    struct fleet_config fleet_config;
    struct fleet *fleet;
    struct random random;
    uint32_t count;
    uint64_t begun_ns;                   /* the load; 0: not yet */
    uint64_t lost_from_ns, lost_back_ns; /* when the lost agents die and come back */
    struct mail to_agents, to_coordinator;
    struct simulated items[SIMULATED_AGENTS_MAX];
};

/* Mail. */

static struct post *mail_push(struct mail *mail)
{
    if (mail->count == mail->size) {
        uint32_t size = mail->size > 0 ? 2 * mail->size : 32;
        struct post *items = calloc(size, sizeof *items);
        CHECK_MEMORY(items != NULL);
        for (uint32_t i = 0; i < mail->count; i++)
            items[i] = mail->items[(mail->head + i) % mail->size];
        free(mail->items);
        *mail = (struct mail){.items = items, .count = mail->count, .size = size};
    }
    return &mail->items[(mail->head + mail->count++) % mail->size];
}

static uint64_t mail_next_ns(const struct mail *mail)
{
    return mail->count > 0 ? mail->items[mail->head].at_ns : NEVER;
}

static struct post mail_pop(struct mail *mail)
{
    CHECK(mail->count > 0);
    struct post post = mail->items[mail->head];
    mail->head = (mail->head + 1) % mail->size;
    mail->count--;
    return post;
}

static void mail_done(struct mail *mail)
{
    while (mail->count > 0)
        free(mail_pop(mail).bytes);
    free(mail->items);
}

/* Time. The fleet counts seconds from 0. */

static double to_seconds(uint64_t at_ns)
{
    return (double)(at_ns - SIMULATED_FROM_NS) / 1e9;
}

static uint64_t to_ns(double duration_s)
{
    return (uint64_t)llround(fmax(0.0, duration_s) * 1e9);
}

/* Counting. */

static void count_in_flight(struct phase *phase, double now_s, double noise)
{
    phase->in_flight_s += phase->in_flight * (now_s - phase->counted_s) * noise;
    phase->counted_s = now_s;
}

/** The phase of a request that fell due at `due_s`. */
static struct phase *phase_of(const struct simulated *agent, double due_s)
{
    uint32_t index = agent->phase;
    while (index > 0 && (agent->phases[index] == NULL || due_s < agent->phases[index]->from_s))
        index--;
    CHECK_MEMORY(agent->phases[index] != NULL);
    return agent->phases[index];
}

/** A request of the mix, by weight. */
static uint32_t pick_request(struct simulate_agents *agents)
{
    const struct plan *plan = agents->plan;
    if (plan->request_count == 1)
        return 0;
    uint64_t total = 0;
    for (uint32_t i = 0; i < plan->request_count; i++)
        total += plan->requests[i].weight;
    double at = random_uniform(&agents->random) * (double)total;
    for (uint32_t i = 0; i + 1 < plan->request_count; i++) {
        at -= plan->requests[i].weight;
        if (at < 0.0)
            return i;
    }
    return plan->request_count - 1;
}

static void count_start(struct simulated *agent, struct phase *phase,
                        const struct fleet_event *event)
{
    double lag_s = event->start_s - event->due_s;
    count_in_flight(phase, event->start_s, agent->noise);
    agent->started++;
    agent->send_lag_max_s = fmax(agent->send_lag_max_s, lag_s);
    phase->in_flight++;
    phase->counters.started++;
    phase->send_lag_s += lag_s;
    histogram_record(&phase->kinds[SAMPLE_SEND_LAG], to_ns(lag_s));
}

static void count_end(struct simulate_agents *agents, struct simulated *agent, struct phase *phase,
                      const struct fleet_event *event)
{
    struct counters *counters = &phase->counters;
    uint64_t response_ns = to_ns(event->end_s - event->due_s);
    uint32_t request = pick_request(agents);
    bool http = agents->plan->scheme == SCHEME_HTTP;
    count_in_flight(phase, event->end_s, agent->noise);
    phase->in_flight--;
    phase->latency_s += (event->end_s - event->start_s) * agent->noise;
    counters->ok += event->ok;
    counters->timed_out += event->timed_out;
    if (!event->ok && !event->timed_out)
        counters->failed[http ? FAILURE_STATUS : FAILURE_CLOSED]++;
    phase->requests[request].ok += event->ok;
    phase->requests[request].failed += !event->ok;
    histogram_record(&phase->kinds[SAMPLE_RESPONSE], response_ns);
    histogram_record(&phase->kinds[SAMPLE_SERVICE], to_ns(event->end_s - event->start_s));
    histogram_record(&phase->names[request], response_ns);
    if (agent->digests)
        digest_record(&agent->digest, response_ns);
}

static void watch(void *context, const struct fleet_event *event)
{
    struct simulate_agents *agents = context;
    struct simulated *agent = &agents->items[event->lane];
    struct phase *phase = phase_of(agent, event->due_s);
    switch (event->kind) {
    case FLEET_DUE:
        phase->counters.planned++;
        break;
    case FLEET_NOT_STARTED:
        phase->counters.not_started++;
        break;
    case FLEET_STARTED:
        count_start(agent, phase, event);
        phase->counters.planned += agents->fleet_config.closed; /* due when it starts */
        break;
    case FLEET_ENDED:
        count_end(agents, agent, phase, event);
        break;
    }
}

/** The counters of a phase at `now_s`, its integrals in whole ns. */
static const struct counters *read_counters(struct phase *phase, double now_s, double noise)
{
    count_in_flight(phase, now_s, noise);
    phase->counters.in_flight_ns = to_ns(phase->in_flight_s);
    phase->counters.latency_sum_ns = to_ns(phase->latency_s);
    phase->counters.send_lag_sum_ns = to_ns(phase->send_lag_s);
    return &phase->counters;
}

static struct counters read_all_counters(const struct simulated *agent, uint64_t now_ns)
{
    struct counters all = {0};
    for (uint32_t i = 0; i < PHASES_MAX; i++) {
        if (agent->phases[i] != NULL)
            counters_add(&all, read_counters(agent->phases[i], to_seconds(now_ns), agent->noise));
    }
    return all;
}

static void forget_phases(struct simulated *agent)
{
    for (uint32_t i = 0; i < PHASES_MAX; i++) {
        if (agent->phases[i] != NULL)
            free(agent->phases[i]->names);
        free(agent->phases[i]);
        agent->phases[i] = NULL;
    }
    agent->phase = 0;
}

static void enter_phase(const struct simulate_agents *agents, struct simulated *agent,
                        uint32_t index, uint64_t now_ns)
{
    if (agent->phases[index] != NULL)
        return;
    struct phase *phase = calloc(1, sizeof *phase);
    CHECK_MEMORY(phase != NULL);
    phase->names = calloc(agents->plan->request_count, sizeof *phase->names);
    CHECK_MEMORY(phase->names != NULL);
    phase->t_from = now_ns;
    phase->from_s = phase->counted_s = to_seconds(now_ns);
    if (agent->phases[agent->phase] != NULL)
        agent->phases[agent->phase]->t_to = now_ns;
    agent->phases[index] = phase;
    agent->phase = index;
}

/* Speaking. */

static uint32_t number_of(const struct simulate_agents *agents, const struct simulated *agent)
{
    return (uint32_t)(agent - agents->items);
}

/** The next message of `agent`, to be filled; it arrives in its time. */
static struct post *say(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns,
                        enum message_type type)
{
    struct post *post = mail_push(&agents->to_coordinator);
    uint64_t late_ns = agents->plant->transport_ticks * TICK_NS;
    *post = (struct post){.at_ns = now_ns + TRANSPORT_NS + late_ns,
                          .agent = number_of(agents, agent),
                          .life = agent->life,
                          .message = {.type = type, .epoch = agent->epoch, .seq = ++agent->seq}};
    memcpy(post->message.run_id, agent->run_id, ID_BYTES);
    memcpy(post->message.incarnation, agent->incarnation, ID_BYTES);
    return post;
}

static void say_hello(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns)
{
    struct hello *hello = &say(agents, agent, now_ns, MESSAGE_HELLO)->message.as.hello;
    *hello = (struct hello){.major = PROTOCOL_MAJOR,
                            .minor = PROTOCOL_MINOR,
                            .build = CLOBBER_VERSION,
                            .cores = 1,
                            .max_concurrency = CONCURRENCY_MAX,
                            .max_rate_milli = (uint64_t)(RATE_PER_S_MAX * 1000.0),
                            .t_agent = now_ns};
    snprintf(hello->name, sizeof hello->name, "simulated-%u", number_of(agents, agent) + 1);
    agent->greeted_ns = now_ns;
    agent->next_ns = NEVER; /* until it is answered */
}

/** The CPU of its one lane since its last beat, as a share. */
static double measure_load(const struct simulate_agents *agents, struct simulated *agent,
                           uint64_t now_ns)
{
    double most_per_s = agents->plant->fleet.lane_starts_per_s;
    double interval_s = (double)(now_ns - agent->beaten_ns) / 1e9;
    double starts = (double)(agent->started - agent->started_before);
    agent->started_before = agent->started;
    if (most_per_s <= 0.0 || interval_s <= 0.0)
        return 0.0;
    agent->load_s += starts / most_per_s;
    return fmin(1.0, starts / most_per_s / interval_s);
}

static void attach_digest(const struct simulated *agent, struct post *post)
{
    post->bytes = malloc(DIGEST_BYTES_MAX);
    CHECK_MEMORY(post->bytes != NULL);
    struct beat *beat = &post->message.as.beat;
    beat->digest_bytes = digest_encode(&agent->digest, post->bytes, DIGEST_BYTES_MAX);
    beat->digest = post->bytes;
}

static void say_beat(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns)
{
    uint32_t number = number_of(agents, agent);
    struct fleet_lane lane = fleet_look(agents->fleet, number);
    double load = measure_load(agents, agent, now_ns);
    struct counters counters = read_all_counters(agent, now_ns);
    agent->beaten_ns = now_ns;
    agent->noise = fmax(0.0, 1.0 + agents->plant->fleet.noise * random_normal(&agents->random));
    double lag_s = agent->send_lag_max_s;
    agent->send_lag_max_s = 0.0;
    fleet_staff(agents->fleet, number);
    if (random_uniform(&agents->random) < agents->plant->beat_loss) {
        agent->seq++;
        return;
    }
    struct post *post = say(agents, agent, now_ns, MESSAGE_BEAT);
    uint64_t lease_left_ns = agent->lease_end_ns > now_ns ? agent->lease_end_ns - now_ns : 0;
    post->message.as.beat = (struct beat){.t_agent = now_ns,
                                          .applied_seq = agent->applied_seq,
                                          .lease_left_ms = (uint32_t)(lease_left_ns / NS_PER_MS),
                                          .counters = counters,
                                          .cpu_ns = to_ns(agent->load_s),
                                          .workers = lane.workers,
                                          .in_flight = lane.in_flight,
                                          .backlog = lane.backlog,
                                          .demand_peak = lane.demand_peak,
                                          .lanes = 1,
                                          .lane_load_permille = (uint32_t)lround(1000.0 * load),
                                          .send_lag_max_us = (uint32_t)(lag_s * 1e6)};
    if (agent->digests)
        attach_digest(agent, post);
}

static size_t put_histogram(struct sample *sample, enum sample_kind kind, uint32_t request,
                            const struct histogram *histogram, uint8_t *bytes)
{
    if (histogram->total == 0)
        return 0;
    size_t byte_count = sample_histogram_encode(histogram, bytes, HISTOGRAM_BYTES_MAX);
    CHECK(byte_count > 0);
    sample->histograms[sample->histogram_count++] = (struct sample_histogram){
        .kind = kind, .request = request, .bytes = bytes, .byte_count = byte_count};
    return byte_count;
}

static void put_statuses(const struct simulate_agents *agents, struct sample *sample)
{
    if (agents->plan->scheme != SCHEME_HTTP)
        return;
    uint64_t failed = sample->counters.failed[FAILURE_STATUS];
    if (sample->counters.ok > 0)
        sample->statuses[sample->status_count++] =
            (struct status_count){.status = STATUS_OK, .count = sample->counters.ok};
    if (failed > 0)
        sample->statuses[sample->status_count++] =
            (struct status_count){.status = STATUS_FAILED, .count = failed, .failed = failed};
}

/** All that is known of phase `index`, in one part: no wire bounds it. */
static void fill_sample(const struct simulate_agents *agents, const struct simulated *agent,
                        uint32_t index, uint64_t now_ns, struct post *post, struct sample *sample)
{
    struct phase *phase = agent->phases[index];
    *sample = (struct sample){.phase = index, .parts = 1, .t_from = now_ns, .t_to = now_ns};
    if (phase == NULL) /* it came and went before this agent joined */
        return;
    uint32_t names = agents->plan->request_count;
    uint8_t *bytes = malloc((SAMPLE_REQUEST + names) * (size_t)HISTOGRAM_BYTES_MAX);
    CHECK_MEMORY(bytes != NULL);
    post->bytes = bytes;
    sample->t_from = phase->t_from;
    sample->t_to = phase->t_to > 0 ? phase->t_to : now_ns;
    sample->counters = *read_counters(phase, to_seconds(now_ns), agent->noise);
    put_statuses(agents, sample);
    sample->request_count = names;
    for (uint32_t i = 0; i < names; i++)
        sample->requests[i] = phase->requests[i];
    for (uint32_t kind = 0; kind < SAMPLE_REQUEST; kind++)
        bytes += put_histogram(sample, (enum sample_kind)kind, 0, &phase->kinds[kind], bytes);
    for (uint32_t i = 0; i < names; i++)
        bytes += put_histogram(sample, SAMPLE_REQUEST, i, &phase->names[i], bytes);
}

static void say_samples(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns)
{
    if (now_ns < agent->sampled_ns + agent->sample_ns)
        return;
    agent->sampled_ns = now_ns;
    for (uint32_t i = 0; i < PHASES_MAX; i++) {
        struct phase *phase = agent->phases[i];
        bool over = phase != NULL && phase->t_to > 0 && phase->sampled_t_to == phase->t_to &&
                    phase->sampled == phase->kinds[SAMPLE_SERVICE].total;
        if (phase == NULL || over)
            continue;
        struct post *post = say(agents, agent, now_ns, MESSAGE_SAMPLE);
        fill_sample(agents, agent, i, now_ns, post, &post->message.as.sample);
        phase->sampled = phase->kinds[SAMPLE_SERVICE].total;
        phase->sampled_t_to = phase->t_to;
    }
}

static void say_last_word(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns)
{
    struct counters counters = read_all_counters(agent, now_ns);
    agent->state = SIMULATED_LAST_WORD;
    agent->next_ns = NEVER;
    for (uint32_t i = 0; i <= agent->phase; i++) {
        struct post *post = say(agents, agent, now_ns, MESSAGE_FINAL);
        struct final *final = &post->message.as.final;
        *final = (struct final){.applied_seq = agent->applied_seq,
                                .reason = agent->reason,
                                .last_phase = agent->phase,
                                .counters = counters,
                                .cpu_ns = to_ns(agent->load_s)};
        fill_sample(agents, agent, i, now_ns, post, &final->sample);
        agent->unacknowledged++;
    }
}

/* Obeying. */

static void stop_load(struct simulate_agents *agents, struct simulated *agent)
{
    agent->loaded = false;
    fleet_stop(agents->fleet, number_of(agents, agent));
}

/** What the assignment says of how to count. */
static void take_assignment(struct simulated *agent, const struct welcome *welcome)
{
    char texts[ASSIGNMENT_TEXT_BYTES];
    struct assignment assignment;
    struct error error = {0};
    CHECK(assignment_decode(welcome->assignment, welcome->assignment_bytes, texts, &assignment,
                            &error));
    CHECK(assignment.phases <= PHASES_MAX);
    agent->digests = assignment.latency_digest;
    agent->phase_count = assignment.phases;
}

static void hear_welcome(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns,
                         const struct message *message)
{
    if (agent->state != SIMULATED_GREETING)
        return;
    const struct welcome *welcome = &message->as.welcome;
    agent->state = SIMULATED_JOINED;
    memcpy(agent->run_id, message->run_id, ID_BYTES);
    agent->epoch = message->epoch;
    agent->lease_ns = welcome->lease_ms * NS_PER_MS;
    agent->sample_ns = welcome->sample_ms * NS_PER_MS;
    agent->beaten_ns = agent->sampled_ns = now_ns;
    take_assignment(agent, welcome);
    memcpy(say(agents, agent, now_ns, MESSAGE_READY)->message.as.ready.assignment_digest,
           welcome->assignment_digest, DIGEST_BYTES);
    agent->next_ns = now_ns;
}

/** A setpoint that is newer than all before it, of which the lease runs from the beat it echoes. */
static void hear_setpoint(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns,
                          const struct message *message)
{
    const struct setpoint *asked = &message->as.setpoint;
    if (agent->state != SIMULATED_JOINED || message->seq <= agent->applied_seq ||
        asked->phase >= agent->phase_count || asked->echo_t < agent->greeted_ns ||
        asked->echo_t > now_ns)
        return;
    agent->applied_seq = message->seq;
    agent->lease_end_ns = asked->echo_t + agent->lease_ns;
    if (asked->sample_ms > 0)
        agent->sample_ns = asked->sample_ms * NS_PER_MS;
    uint64_t wanted_ns = now_ns + TICK_NS - BEAT_LEAD_NS;
    uint64_t latest_ns = agent->beaten_ns + TICK_NS + BEAT_LEAD_NS;
    agent->next_ns = wanted_ns < latest_ns ? wanted_ns : latest_ns;
    if (agent->lease_end_ns <= now_ns) { /* an order that was too long on its way */
        stop_load(agents, agent);
        return;
    }
    enter_phase(agents, agent, asked->phase, now_ns);
    agent->loaded = true;
    fleet_order(agents->fleet, number_of(agents, agent),
                &(struct fleet_order){.rate_per_s = (double)asked->rate_milli / 1000.0,
                                      .floor = (double)asked->floor_milli / 1000.0,
                                      .concurrency = (double)asked->concurrency_milli / 1000.0,
                                      .drop_age_s = asked->drop_age_ms / 1000.0});
}

static void hear_stop(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns,
                      const struct stop *stop)
{
    if (agent->state != SIMULATED_JOINED && agent->state != SIMULATED_ENDING)
        return;
    uint64_t deadline_ns = now_ns + stop->deadline_ms * NS_PER_MS;
    bool aborts = stop->kind == STOP_ABORT;
    if (agent->state == SIMULATED_JOINED || aborts) {
        agent->deadline_ns = aborts ? now_ns : deadline_ns;
        agent->reason = aborts ? FINAL_ABORTED : FINAL_DRAINED;
    }
    if (aborts)
        agent->next_ns = now_ns; /* what is in flight is cut */
    agent->state = SIMULATED_ENDING;
    if (agent->phases[agent->phase] != NULL && agent->phases[agent->phase]->t_to == 0)
        agent->phases[agent->phase]->t_to = now_ns;
    stop_load(agents, agent);
}

static void hear(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns,
                 const struct message *message)
{
    switch (message->type) {
    case MESSAGE_WELCOME:
        hear_welcome(agents, agent, now_ns, message);
        break;
    case MESSAGE_REFUSE:
        if (message->as.refuse.retry_ms > 0 && agent->state == SIMULATED_GREETING)
            agent->next_ns = now_ns + message->as.refuse.retry_ms * NS_PER_MS;
        break;
    case MESSAGE_SETPOINT:
        hear_setpoint(agents, agent, now_ns, message);
        break;
    case MESSAGE_STOP:
        hear_stop(agents, agent, now_ns, &message->as.stop);
        break;
    case MESSAGE_FINAL_ACK:
        if (agent->state == SIMULATED_LAST_WORD && --agent->unacknowledged == 0)
            agent->state = SIMULATED_AWAY;
        break;
    default: /* an agent's own words */
        break;
    }
}

/* Living. */

static void be_born(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns)
{
    uint32_t life = agent->life;
    forget_phases(agent);
    *agent = (struct simulated){
        .state = SIMULATED_GREETING, .life = life, .noise = 1.0, .next_ns = now_ns};
    snprintf((char *)agent->incarnation, ID_BYTES, "%u.%u", number_of(agents, agent), life);
}

static void die(struct simulate_agents *agents, struct simulated *agent)
{
    fleet_lose(agents->fleet, number_of(agents, agent));
    forget_phases(agent);
    agent->state = SIMULATED_AWAY;
    agent->life++;
    agent->next_ns = NEVER;
}

static void speak(struct simulate_agents *agents, struct simulated *agent, uint64_t now_ns)
{
    if (agent->state == SIMULATED_GREETING) {
        say_hello(agents, agent, now_ns);
        return;
    }
    agent->next_ns = now_ns + TICK_NS;
    say_beat(agents, agent, now_ns);
    say_samples(agents, agent, now_ns);
    bool idle = fleet_look(agents->fleet, number_of(agents, agent)).in_flight == 0;
    if (agent->state == SIMULATED_ENDING && (idle || now_ns >= agent->deadline_ns))
        say_last_word(agents, agent, now_ns);
}

/** The end of a lease with nothing newer stops the load, with nobody's help. */
static uint64_t load_end_ns(const struct simulated *agent)
{
    return agent->loaded ? agent->lease_end_ns : NEVER;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_moment_ns(const struct simulate_agents *agents)
{
    uint64_t at_ns =
        sooner(mail_next_ns(&agents->to_agents), mail_next_ns(&agents->to_coordinator));
    at_ns = sooner(at_ns, sooner(agents->lost_from_ns, agents->lost_back_ns));
    for (uint32_t i = 0; i < agents->count; i++)
        at_ns = sooner(at_ns, sooner(agents->items[i].next_ns, load_end_ns(&agents->items[i])));
    return at_ns;
}

static void receive(struct simulate_agents *agents, uint64_t now_ns)
{
    while (mail_next_ns(&agents->to_agents) <= now_ns) {
        struct post post = mail_pop(&agents->to_agents);
        struct simulated *agent = &agents->items[post.agent];
        if (post.life == agent->life && agent->state != SIMULATED_AWAY)
            hear(agents, agent, now_ns, &post.message);
        free(post.bytes);
    }
}

static void lose_and_return(struct simulate_agents *agents, uint64_t now_ns)
{
    uint32_t count =
        agents->plant->lost_agents < agents->count ? agents->plant->lost_agents : agents->count;
    if (now_ns >= agents->lost_from_ns) {
        agents->lost_from_ns = NEVER;
        for (uint32_t i = 0; i < count; i++)
            die(agents, &agents->items[i]);
    }
    if (now_ns < agents->lost_back_ns)
        return;
    agents->lost_back_ns = NEVER;
    for (uint32_t i = 0; i < count; i++) {
        fleet_return(agents->fleet, i);
        be_born(agents, &agents->items[i], now_ns);
    }
}

static struct peer_id peer_of(const struct post *post)
{
    struct peer_id peer = {.length = 8, .host = "simulated"};
    memcpy(peer.bytes, &post->agent, 4);
    memcpy(peer.bytes + 4, &post->life, 4);
    return peer;
}

void simulate_agents_send(struct simulate_agents *agents, uint64_t now_ns, const struct peer_id *to,
                          const struct message *message)
{
    struct post *post = mail_push(&agents->to_agents);
    *post = (struct post){.at_ns = now_ns + TRANSPORT_NS, .message = *message};
    memcpy(&post->agent, to->bytes, 4);
    memcpy(&post->life, to->bytes + 4, 4);
    CHECK(post->agent < agents->count);
}

void simulate_agents_run(struct simulate_agents *agents, uint64_t until_ns,
                         simulate_deliver *deliver, void *context)
{
    uint64_t now_ns;
    while ((now_ns = next_moment_ns(agents)) < until_ns) {
        fleet_advance(agents->fleet, to_seconds(now_ns));
        lose_and_return(agents, now_ns);
        receive(agents, now_ns);
        for (uint32_t i = 0; i < agents->count; i++) {
            struct simulated *agent = &agents->items[i];
            if (load_end_ns(agent) <= now_ns)
                stop_load(agents, agent);
            if (agent->next_ns <= now_ns)
                speak(agents, agent, now_ns);
        }
        while (mail_next_ns(&agents->to_coordinator) <= now_ns) {
            struct post post = mail_pop(&agents->to_coordinator);
            struct peer_id peer = peer_of(&post);
            deliver(context, now_ns, &peer, &post.message);
            free(post.bytes);
        }
    }
    fleet_advance(agents->fleet, to_seconds(until_ns));
}

static uint64_t after(uint64_t now_ns, double seconds)
{
    return isinf(seconds) ? NEVER : now_ns + to_ns(seconds);
}

void simulate_agents_begin(struct simulate_agents *agents, uint64_t now_ns)
{
    fleet_start_changes(agents->fleet);
    if (agents->plant->lost_agents == 0)
        return;
    agents->lost_from_ns = after(now_ns, agents->plant->lost_from_s);
    agents->lost_back_ns = after(now_ns, agents->plant->lost_to_s);
}

struct simulate_agents *simulate_agents_create(const struct plan *plan,
                                               const struct simulate_plant *plant, uint32_t count,
                                               uint64_t seed)
{
    CHECK(count >= 1 && count <= SIMULATED_AGENTS_MAX);
    struct simulate_agents *agents = calloc(1, sizeof *agents);
    CHECK_MEMORY(agents != NULL);
    agents->plan = plan;
    agents->plant = plant;
    agents->random.state = seed;
    agents->count = count;
    agents->lost_from_ns = agents->lost_back_ns = NEVER;
    agents->fleet_config = plant->fleet;
    agents->fleet_config.lanes = count;
    agents->fleet_config.closed = !steering_open_arrivals(plan);
    agents->fleet_config.poisson = plan->spacing == SPACING_POISSON;
    agents->fleet_config.timeout_s = (double)plan->timeout_ns / 1e9;
    agents->fleet_config.watch = watch;
    agents->fleet_config.watch_context = agents;
    agents->fleet = fleet_create(&agents->fleet_config, random_next(&agents->random));
    for (uint32_t i = 0; i < count; i++) {
        struct simulated *agent = &agents->items[i];
        be_born(agents, agent, SIMULATED_FROM_NS + i * STAGGER_NS);
    }
    return agents;
}

void simulate_agents_destroy(struct simulate_agents *agents)
{
    if (agents == NULL)
        return;
    for (uint32_t i = 0; i < agents->count; i++) {
        forget_phases(&agents->items[i]);
    }
    mail_done(&agents->to_agents);
    mail_done(&agents->to_coordinator);
    fleet_destroy(agents->fleet);
    free(agents);
}
