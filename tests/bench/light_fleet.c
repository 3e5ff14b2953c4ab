#include "tests/bench/light_fleet.h"

#include "agent/member.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/loop.h"
#include "common/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <zmq.h>

#define TICK_NS     (TICK_MS * NS_PER_MS)
#define GRID_NS     (10 * NS_PER_MS) /* these three as agent/agent.c has them */
#define LEAD_NS     (20 * NS_PER_MS)
#define HEARD_MAX   64u
#define SOCKETS_MAX (AGENTS_MAX + 1u)
#define CREDIT_ONE                                                                                 \
    UINT64_C(1000000000000) /* one request: a thousandth a second for 1000 x 1e9 ns */
#define PHASES     2u       /* of a plan with a warm-up and one stage */
#define BURSTS_MAX 4096u    /* ticks of almost seven minutes */

/* Latencies as a service of 5 ms in the median gives them: so many cells of a histogram in use as
 * real ones have, because their number is what a sample costs. */
#define LATENCY_CELLS    96u
#define LATENCY_FIRST_NS (UINT64_C(2) * 1000000u)
#define LATENCY_STEP_NS  (UINT64_C(60) * 1000u)
#define LATENCY_MEAN_NS  (LATENCY_FIRST_NS + LATENCY_STEP_NS * LATENCY_CELLS / 2)

struct light {
    struct light_fleet *fleet;
    void *socket;
    int descriptor;        /* the socket's, as epoll watches it */
    struct member *member; /* NULL: its run is over */
    uint64_t beat_ns, beaten_ns;
    uint64_t now_ns, credit; /* until when it has lived, and what it owes until its next request */
    struct pool_setpoint level;
    bool configured, draining;
    bool ready, loaded;
    struct {
        uint64_t from_ns, to_ns; /* 0: not begun, not ended */
        uint64_t started;
    } phases[PHASES];
    uint64_t histogram_bytes;

    /* What a step asked for. */
    const struct assignment *assignment;
    bool has_end;
};

struct light_fleet {
    void *context;
    struct loop *loop;
    const char *endpoint;
    struct light *lights; /* [count] */
    uint32_t count;
    struct meters *meters; /* of the agent that is asked just now; all have the same shape */
    struct light_counts counts;
    uint8_t bytes[MESSAGE_BYTES_MAX];

    uint64_t burst_from_ns, burst_to_ns; /* setpoints of one tick */
    uint64_t widths_ns[BURSTS_MAX];
    uint32_t width_count;
};

/* The meters of an agent that has started and ended `started` requests. */

/* Cell i holds floor((total + i) / cells): they sum to the total (Hermite's identity), and none
 * ever falls as it grows. */
static void fill_histogram(struct histogram *histogram, uint64_t total)
{
    uint64_t sum_ns = 0;
    histogram->total = 0;
    for (uint32_t i = 0; i < LATENCY_CELLS; i++) {
        uint64_t latency_ns = LATENCY_FIRST_NS + LATENCY_STEP_NS * i;
        uint64_t count = (total + i) / LATENCY_CELLS;
        histogram->cells[histogram_cell(latency_ns)] = count;
        sum_ns += count * latency_ns;
        if (count > 0 && histogram->total == 0)
            histogram->min_ns = latency_ns;
        if (count > 0)
            histogram->max_ns = latency_ns;
        histogram->total += count;
    }
    CHECK(histogram->total == total);
    histogram->sum_ns = sum_ns;
}

static void fill_phase(struct phase_meter *phase, uint64_t started, bool histograms)
{
    static const enum sample_kind kinds[] = {SAMPLE_RESPONSE, SAMPLE_SERVICE, SAMPLE_FIRST_BYTE,
                                             SAMPLE_SEND_LAG};
    phase->counters = (struct counters){
        .planned = started,
        .started = started,
        .ok = started,
        .bytes_sent = started * 60,
        .bytes_received = started * 120,
        .in_flight_ns = started * LATENCY_MEAN_NS,
        .latency_sum_ns = started * LATENCY_MEAN_NS,
    };
    phase->requests[0].ok = started;
    phase->statuses[200 - STATUS_MIN] = started;
    for (size_t i = 0; histograms && i < COUNT(kinds); i++)
        fill_histogram(&phase->kinds[kinds[i]], started);
    if (histograms)
        fill_histogram(&phase->request_histograms[0], started);
}

static const struct meters *read_meters(const struct light *light, bool histograms)
{
    struct meters *meters = light->fleet->meters;
    meters->t_agent = light->now_ns;
    meters->workers = (uint32_t)(light->level.floor_milli / 1000u);
    meters->lanes = 1;
    meters->lane_load_permille = 100;
    meters->idle = light->draining;
    for (uint32_t i = 0; i < PHASES; i++) {
        meters->phases[i].t_from = light->phases[i].from_ns;
        meters->phases[i].t_to = light->phases[i].to_ns;
        fill_phase(&meters->phases[i], light->phases[i].started, histograms);
    }
    return meters;
}

/* Runs what it was ordered to until `now_ns`, as a perfect generator would. */
static void live(struct light *light, uint64_t now_ns)
{
    uint64_t end_ns = now_ns < light->level.lease_end_ns ? now_ns : light->level.lease_end_ns;
    if (!light->draining && end_ns > light->now_ns)
        light->credit += light->level.rate_milli * (end_ns - light->now_ns);
    uint64_t due = light->credit / CREDIT_ONE;
    light->credit -= due * CREDIT_ONE;
    light->phases[light->level.phase].started += due;
    light->fleet->counts.started += due;
    light->now_ns = now_ns;
}

/* What it says and hears. */

static void note_sample(struct light *light, const struct sample *sample)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < sample->histogram_count; i++)
        bytes += sample->histograms[i].byte_count;
    light->fleet->counts.histogram_bytes += bytes - light->histogram_bytes;
    light->histogram_bytes = bytes;
    light->fleet->counts.samples++;
}

static void say(struct light *light, const struct message *message)
{
    struct light_fleet *fleet = light->fleet;
    size_t count = message_encode(message, fleet->bytes, sizeof fleet->bytes);
    CHECK(count > 0);
    if (zmq_send(light->socket, fleet->bytes, count, ZMQ_DONTWAIT) < 0) {
        fleet->counts.unsent++;
        return;
    }
    if (message->type == MESSAGE_BEAT)
        fleet->counts.beats++;
    if (message->type == MESSAGE_SAMPLE)
        note_sample(light, &message->as.sample);
}

static void enter_phase(struct light *light, uint32_t phase)
{
    uint32_t before = light->level.phase;
    CHECK(phase < PHASES);
    if (phase != before && light->phases[before].from_ns > 0)
        light->phases[before].to_ns = light->now_ns;
    if (light->phases[phase].from_ns == 0)
        light->phases[phase].from_ns = light->now_ns;
}

static void set(struct light *light, const struct pool_setpoint *level)
{
    enter_phase(light, level->phase);
    light->level = *level;
    if (level->rate_milli > 0 && !light->loaded) {
        light->loaded = true;
        light->fleet->counts.loaded++;
    }
    uint64_t wanted_ns = light->now_ns + TICK_NS - LEAD_NS;
    uint64_t latest_ns = light->beaten_ns + TICK_NS + LEAD_NS;
    light->beat_ns = wanted_ns < latest_ns ? wanted_ns : latest_ns;
}

static void perform(void *context, const struct member_action *action)
{
    struct light *light = context;
    switch (action->kind) {
    case MEMBER_SEND:
        say(light, &action->message);
        break;
    case MEMBER_CONFIGURE:
        light->assignment = action->assignment;
        break;
    case MEMBER_SET:
        set(light, &action->setpoint);
        break;
    case MEMBER_DRAIN:
    case MEMBER_ABORT:
        light->draining = true;
        light->phases[light->level.phase].to_ns = light->now_ns;
        break;
    case MEMBER_END:
        light->has_end = true;
        light->fleet->counts.broken += action->end != MEMBER_END_COMPLETE;
        break;
    case MEMBER_EXAMINE:
        break;
    }
}

static void step(struct light *light, const struct member_event *event)
{
    member_step(light->member, light->now_ns, event, perform, light);
}

static void settle(struct light *light)
{
    if (light->assignment != NULL && !light->has_end) {
        CHECK(light->assignment->phases == PHASES); /* as fleet_rig.c writes the plan */
        CHECK(light->assignment->request_count == 1);
        light->assignment = NULL;
        light->configured = true;
        step(light, &(struct member_event){.kind = MEMBER_CONFIGURED});
    }
    if (light->has_end && light->member != NULL) {
        member_destroy(light->member);
        light->member = NULL;
        light->fleet->counts.over++;
    }
}

/* Setpoints of one tick come side by side; a pause of half a tick parts them from the next. */
static void note_setpoint(struct light *light, uint64_t now_ns)
{
    struct light_fleet *fleet = light->fleet;
    fleet->counts.setpoints++;
    if (!light->ready) {
        light->ready = true;
        fleet->counts.ready++;
    }
    if (now_ns - fleet->burst_to_ns > TICK_NS / 2) {
        if (fleet->burst_from_ns > 0 && fleet->width_count < BURSTS_MAX)
            fleet->widths_ns[fleet->width_count++] = fleet->burst_to_ns - fleet->burst_from_ns;
        fleet->burst_from_ns = now_ns;
    }
    fleet->burst_to_ns = now_ns;
}

static void hear(struct light *light, zmq_msg_t *frame)
{
    struct message message;
    struct error error = {0};
    bool read = message_decode(zmq_msg_data(frame), zmq_msg_size(frame), &message, &error);
    CHECK(read);
    if (message.type == MESSAGE_SETPOINT)
        note_setpoint(light, clock_now_ns());
    step(light, &(struct member_event){.kind = MEMBER_MESSAGE, .message = &message});
}

/* As agent_receive() does: a socket of ZeroMQ tells of edges. */
static void receive(struct light *light)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    for (uint32_t i = 0; i < HEARD_MAX && light->member != NULL && !light->has_end; i++) {
        if (zmq_msg_recv(&frame, light->socket, ZMQ_DONTWAIT) < 0)
            break;
        hear(light, &frame);
    }
    zmq_msg_close(&frame);
    settle(light);
}

static void readable(void *context, uint64_t now_ns, uint32_t events)
{
    (void)events;
    struct light *light = context;
    if (light->member == NULL) {
        uint32_t ignored;
        size_t ignored_bytes = sizeof ignored;
        zmq_getsockopt(light->socket, ZMQ_EVENTS, &ignored, &ignored_bytes); /* quiets the edge */
        return;
    }
    live(light, now_ns);
    receive(light);
}

static void beat(struct light *light, uint64_t now_ns)
{
    live(light, now_ns);
    light->beaten_ns = now_ns;
    light->beat_ns = now_ns + TICK_NS;
    struct member_event event = {.kind = MEMBER_TICK};
    if (light->configured)
        event.meters = read_meters(light, member_wants_histograms(light->member, now_ns));
    step(light, &event);
    receive(light); /* a send may have swallowed the edge */
}

static void look(void *context, uint64_t now_ns)
{
    struct light_fleet *fleet = context;
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct light *light = &fleet->lights[i];
        if (light->member != NULL && now_ns >= light->beat_ns)
            beat(light, now_ns);
    }
}

/* Birth. */

static bool dial(struct light *light, struct error *error)
{
    /* As proto/channel.c sets them, but for the time-out of heartbeats: libzmq searches all timers
     * of a thread to take one back, and in an agent they are three. */
    static const struct {
        int name, value;
    } options[] = {{ZMQ_SNDHWM, 64},         {ZMQ_RCVHWM, 256},         {ZMQ_LINGER, 0},
                   {ZMQ_IMMEDIATE, 1},       {ZMQ_HANDSHAKE_IVL, 2000}, {ZMQ_RECONNECT_IVL, 100},
                   {ZMQ_HEARTBEAT_IVL, 500}, {ZMQ_HEARTBEAT_TIMEOUT, 0}};
    struct light_fleet *fleet = light->fleet;
    size_t descriptor_bytes = sizeof light->descriptor;
    light->socket = zmq_socket(fleet->context, ZMQ_DEALER);
    if (light->socket == NULL)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "no socket: %s",
                         zmq_strerror(zmq_errno()));
    for (size_t i = 0; i < COUNT(options); i++)
        zmq_setsockopt(light->socket, options[i].name, &options[i].value, sizeof(int));
    if (zmq_connect(light->socket, fleet->endpoint) != 0 ||
        zmq_getsockopt(light->socket, ZMQ_FD, &light->descriptor, &descriptor_bytes) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: %s", fleet->endpoint,
                         zmq_strerror(zmq_errno()));
    return loop_watch(fleet->loop, light->descriptor, EPOLLIN, readable, light, error);
}

static bool give_birth(struct light *light, uint32_t number, struct error *error)
{
    struct member_config config = {.build = CLOBBER_VERSION,
                                   .cores = 1,
                                   .max_concurrency = 10000,
                                   .max_rate_milli = (uint64_t)(RATE_PER_S_MAX * 1000.0)};
    uint8_t incarnation[ID_BYTES];
    snprintf(config.name, sizeof config.name, "light-%u", number);
    if (getrandom(incarnation, sizeof incarnation, 0) != (ssize_t)sizeof incarnation)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "no random bytes");
    light->member = member_create(&config, incarnation);
    if (light->member == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for an agent");
    /* Spread over a tick, as agents that were started at different moments are. */
    light->now_ns = clock_now_ns();
    light->beat_ns = light->now_ns + TICK_NS * incarnation[0] / 256;
    return dial(light, error);
}

struct light_fleet *light_fleet_create(const char *endpoint, uint32_t count, struct loop *loop,
                                       struct error *error)
{
    struct light_fleet *fleet = calloc(1, sizeof *fleet);
    CHECK(fleet != NULL);
    fleet->loop = loop;
    fleet->endpoint = endpoint;
    fleet->count = count;
    fleet->lights = calloc(count, sizeof *fleet->lights);
    fleet->meters = meters_create(PHASES, 1, false);
    fleet->context = zmq_ctx_new();
    CHECK(fleet->lights != NULL);
    CHECK(fleet->meters != NULL);
    CHECK(fleet->context != NULL);
    zmq_ctx_set(fleet->context, ZMQ_MAX_SOCKETS, (int)SOCKETS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        fleet->lights[i].fleet = fleet;
        if (!give_birth(&fleet->lights[i], i + 1, error)) {
            light_fleet_destroy(fleet);
            return NULL;
        }
    }
    loop_every(loop, GRID_NS, look, fleet);
    return fleet;
}

static void hang_up(struct light *light)
{
    if (light->socket == NULL)
        return;
    loop_unwatch(light->fleet->loop, light->descriptor);
    zmq_close(light->socket);
    light->socket = NULL;
}

void light_fleet_destroy(struct light_fleet *fleet)
{
    if (fleet == NULL)
        return;
    for (uint32_t i = 0; i < fleet->count; i++) {
        member_destroy(fleet->lights[i].member);
        hang_up(&fleet->lights[i]);
    }
    zmq_ctx_term(fleet->context);
    meters_destroy(fleet->meters);
    free(fleet->lights);
    free(fleet);
}

bool light_fleet_dial_again(struct light_fleet *fleet, struct error *error)
{
    bool well = true;
    fleet->counts.ready = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        fleet->lights[i].ready = false;
        hang_up(&fleet->lights[i]);
    }
    for (uint32_t i = 0; i < fleet->count && well; i++)
        well = dial(&fleet->lights[i], error);
    return well;
}

struct light_counts light_fleet_counts(const struct light_fleet *fleet)
{
    return fleet->counts;
}

static int ascending(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

uint32_t light_fleet_fan_out(struct light_fleet *fleet, const uint64_t **widths_ns)
{
    qsort(fleet->widths_ns, fleet->width_count, sizeof *fleet->widths_ns, ascending);
    *widths_ns = fleet->widths_ns;
    return fleet->width_count;
}

void light_fleet_measure(struct light_fleet *fleet)
{
    fleet->width_count = 0;
    fleet->burst_from_ns = 0;
}
